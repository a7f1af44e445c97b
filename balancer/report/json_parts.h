// SPDX-License-Identifier: Apache-2.0
/* json_parts.h - parts of a plan's JSON that other documents have, too.
 * Owns: nothing of its own, see json.c. Never: included outside balancer/report.
 */
#pragma once

#include "balancer/plan/plan.h"
#include "balancer/report/report.h"
#include "common/json_writer.h"

/* "tool", "generatedAt", "source". */
void json_put_origin(struct json_writer *w, const cluster *cl, const struct report_source *src);
/* "policy": {"name", "unit"}. */
void json_put_policy(struct json_writer *w, const struct policy *policy);
/* "summary": {...}. */
void json_put_summary(struct json_writer *w, const plan *p);
/* "warnings": [...]. */
void json_put_warnings(struct json_writer *w, const plan *p);
