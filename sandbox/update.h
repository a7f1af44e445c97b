// SPDX-License-Identifier: Apache-2.0
/* update.h - a document changed by an update: replaced, or by operators.
 * Owns: $set, $unset, $inc, $mul, $min, $max, $setOnInsert, $currentDate, $push. Never: stores anything.
 */
#pragma once

#include "sandbox/fault.h"

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether it is a replacement: no field begins with '$'. */
bool update_is_replacement(const bson_t *update);

/* A new document, or NULL and a fault. `inserting`: an upsert makes it, so that $setOnInsert counts. */
bson_t *update_apply(const bson_t *doc, const bson_t *update, bool inserting, int64_t now_ms,
                     struct fault *f);
