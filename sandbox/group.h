// SPDX-License-Identifier: Apache-2.0
/* group.h - $group: documents folded by a key, with accumulators.
 * Owns: that stage. Never: knows the others.
 */
#pragma once

#include "sandbox/fault.h"

#include <bson/bson.h>
#include <glib.h>

/* Groups in the order in which their keys were first seen; owned documents. NULL: a fault. */
GPtrArray *group_run(const bson_t *spec, const GPtrArray *docs, struct fault *f);
