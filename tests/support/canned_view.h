// SPDX-License-Identifier: Apache-2.0
/* canned_view.h - views of a service as it might be, for tests of what is shown of it.
 * Owns: the scenes. Never: reads a clock: all of them are of CANNED_NOW.
 */
#pragma once

#include "balancer/watch/view.h"

#define CANNED_NOW INT64_C(1795227185000) /* 2026-11-21T02:13:05Z */

/* "moving", "balanced", "empty" (nothing read yet), "unreachable", "paused", "held", "standby", "planning",
 * "stopping", "many" (100 shards, 500 collections, every list at its limit), "hostile" (names that mean
 * harm). Another name is a fault of the caller. */
service_view *canned_view(const char *scene);

/* All of them, NULL-terminated. */
const char *const *canned_scenes(void);

/* The names of "hostile". */
extern const char canned_markup[], canned_reversed[], canned_quotes[], canned_broken[];
