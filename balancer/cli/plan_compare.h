// SPDX-License-Identifier: Apache-2.0
/* plan_compare.h - plan --compare: its argument, and its report.
 * Owns: which policies are compared. Never: plans (balancer/plan/compare.h).
 */
#pragma once

#include "balancer/cli/cli.h"
#include "balancer/plan/compare.h"
#include "balancer/report/report.h"

enum { COMPARED_MAX = 8 };

/* What --compare names. Zeroed: not given. */
struct compared {
    char **names;
    const struct policy *policies[COMPARED_MAX]; /* NULL: auto */
    size_t n;
};

/* "count,size": two at least, each known, none twice. ERR_USAGE. */
bool compared_parse(const char *arg, struct compared *ret, struct err *err);
void compared_clear(struct compared *c);

/* The formats of a comparison, for cli_format(). */
extern const char *const compared_formats[];

/* Plans and reports; *ret_changes: whether some plan has something to do. */
bool compared_report(const struct compared *c, const cluster *cl, const struct plan_options *opt,
                     const struct report_source *src, const struct report_style *style, const char *format,
                     GString *out, bool *ret_changes, struct err *err);
