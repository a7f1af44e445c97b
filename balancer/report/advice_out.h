// SPDX-License-Identifier: Apache-2.0
/* advice_out.h - pieces of advice as text and as JSON, for all commands that give them.
 * Owns: their layout and folding. Never: their wording; that is plan/advice*.c.
 */
#pragma once

#include "balancer/plan/plan.h"
#include "balancer/report/page.h"
#include "common/json_writer.h"

/* The section "Advice": of each code the first few, unless page.all. Nothing where there is none. */
void advice_text(struct page *pg, const GArray *advice);

/* The key "advice" with an array, a piece on each line. */
void advice_json(struct json_writer *w, const cluster *cl, const GArray *advice);
