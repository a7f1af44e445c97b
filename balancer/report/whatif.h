// SPDX-License-Identifier: Apache-2.0
/* whatif.h - what a report says of the wished changes that it rests on.
 * Owns: the lines in text, the key `whatIf` in JSON. Never: makes a change.
 */
#pragma once

#include "balancer/cluster/changes.h"
#include "balancer/report/page.h"
#include "common/json_writer.h"

/* One paragraph for each change, and nothing where there is none (NULL accepted). */
void whatif_text(struct page *pg, const change_list *c);

/* "whatIf": [{"kind": ...}, ...], where there is any. */
void whatif_json(struct json_writer *w, const change_list *c);
