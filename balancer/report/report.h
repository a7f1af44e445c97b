// SPDX-License-Identifier: Apache-2.0
/* report.h - a plan as text, JSON, HTML, or a mongosh script.
 * Owns: wording of headings, tables, folding, colours, formats.
 * Never: recomputes what the plan says, or writes files. Names and keys come from outside: everything is
 * escaped for where it stands.
 */
#pragma once

#include "balancer/plan/plan.h"

#include <glib.h>
#include <stdbool.h>

/* Where the metadata came from and when the report is made; the only facts that are not the plan's. */
struct report_source {
    const char *kind;     /* "snapshot", "dump", "cluster" */
    const char *name;     /* path or URI, credentials removed */
    int64_t generated_ms; /* unix time */
};

struct report_style {
    bool color;
    unsigned width; /* columns, 40 at least */
    bool all;       /* do not fold long lists */
    bool quiet;     /* the summary only */
    bool ascii;     /* nothing but ASCII; for a charset that is not UTF-8 */
};

void report_text(const plan *p, const struct report_source *src, const struct report_style *style,
                 GString *out);
void report_json(const plan *p, const struct report_source *src, GString *out);
void report_commands(const plan *p, const struct report_source *src, GString *out);
/* One self-contained file: docs/report.md. Of a bounded length: long lists are folded, with counts. */
void report_html(const plan *p, const struct report_source *src, GString *out);
