// SPDX-License-Identifier: Apache-2.0
/* cursors.h - results that did not fit into one reply, waiting for getMore.
 * Owns: their documents, their ids, and the bounds on how many wait and how long.
 * Never: runs queries.
 */
#pragma once

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct cursors cursors;

cursors *cursors_new(uint32_t seed);
void cursors_free(cursors *c); /* NULL accepted */

/* Appends {cursor: {firstBatch: [...], id, ns}} with up to `batch` documents (as many as fit into a reply);
 * the rest waits unless `single`. Takes the array, whose elements are owned. */
void cursors_reply_first(cursors *c, const char *ns, GPtrArray *docs, int64_t batch, bool single,
                         int64_t now_ms, bson_t *reply);

/* Appends {cursor: {nextBatch: [...], id, ns}}; `batch` 0: as many as fit. False: there is no such cursor of
 * `ns`. */
bool cursors_reply_next(cursors *c, int64_t id, const char *ns, int64_t batch, int64_t now_ms, bson_t *reply);

/* False: there is none. */
bool cursors_kill(cursors *c, int64_t id);

guint cursors_open(const cursors *c);

/* Ends those that nobody has asked for in ten minutes. */
void cursors_expire(cursors *c, int64_t now_ms);
