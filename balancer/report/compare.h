// SPDX-License-Identifier: Apache-2.0
/* compare.h - several policies' plans side by side, as text and as JSON.
 * Owns: rows and wording. Never: says which is better.
 */
#pragma once

#include "balancer/plan/compare.h"
#include "balancer/report/report.h"

void report_compare_text(const comparison *c, const struct report_source *src,
                         const struct report_style *style, GString *out);
void report_compare_json(const comparison *c, const struct report_source *src, GString *out);
