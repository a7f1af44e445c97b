// SPDX-License-Identifier: Apache-2.0
/* status_text.h - the service's status as text for a terminal.
 * Owns: which of the status document's fields are told, and how. Never: asks the service.
 */
#pragma once

#include "balancer/report/page.h"

#include <bson/bson.h>

/* `status`: the object under "status" of the control socket's answer; fields it lacks are left out. */
void status_text(const bson_t *status, struct page *pg);
