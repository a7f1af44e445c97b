// SPDX-License-Identifier: Apache-2.0
/* Shared by probe*.c, settle.c and guard*.c. */
#pragma once

#include "migrations/mongo/probe.h"

/* config.<coll>, or the answer to an aggregation on admin: read concern majority where there is a choice,
 * primary, again where the connection breaks. `sort` NULL: none; `limit` 0: none. An array of bson_t *, freed
 * with it. */
bool probe_find(mongoc_client_t *client, const char *coll, const bson_t *filter, const bson_t *sort,
                int64_t limit, GPtrArray **ret, struct err *err);
bool probe_aggregate_admin(mongoc_client_t *client, const char *what, const bson_t *pipeline, GPtrArray **ret,
                           struct err *err);
/* A command on admin that takes a number, answered by mongos or the config servers. On success the caller
 * destroys the reply. */
bool probe_command(mongoc_client_t *client, const bson_t *cmd, bson_t *ret_reply, struct err *err);
/* The URI as it may be shown; the caller frees. */
char *probe_name(mongoc_client_t *client);

/* Borrowed from the document; NULL and false: not there, or of another type. */
const char *probe_text(const bson_t *doc, const char *name);
bool probe_document(const bson_t *doc, const char *name, bson_t *ret);

/* Two bounds of one collection in the server's order: <0, 0, >0. ERR_DATA: one of them cannot be read. */
bool probe_compare(const bson_t *a, const bson_t *b, int *ret, struct err *err);
/* Whether the chunks (struct probe_chunk *, in key order) follow upon one another from `min` or before to
 * `max` or behind: read while they change they may overlap or leave a gap. */
bool probe_covers(const GPtrArray *chunks, const bson_t *min, const bson_t *max, bool *ret, struct err *err);
/* "[{ a: 1 }, { a: 5 })"; the caller frees. */
char *probe_range_text(const bson_t *min, const bson_t *max);

/* Whether `version` ("2|5||epoch", "2|5||epoch||Timestamp(t, i)") is of this incarnation of the collection.
 * An epoch of zeros was not known and is not compared; what cannot be read is of no incarnation. */
bool probe_same_incarnation(const char *version, const struct probe_collection *coll);

/* At how many of the points (const bson_t *, none twice) a chunk begins. */
bool probe_begins(mongoc_client_t *client, const char *ns, const struct probe_collection *coll,
                  const GPtrArray *at, unsigned *ret, struct err *err);

/* Whether $currentOp, over all users, has a migration that `from` gives away of this collection, with this
 * begin, or one that `to` receives (NULL: at the donor only); of a split (`from` NULL): anything that splits
 * the collection. Where $currentOp is not permitted: ERR_NO_PERMISSION says which role is missing. */
bool probe_under_way(mongoc_client_t *client, const char *ns, const bson_t *min, const char *from,
                     const char *to, bool *ret, struct err *err);
/* Whether config.migrations (to 5.x; later versions: false) has it. */
bool probe_registered(mongoc_client_t *client, const char *ns, const bson_t *min, bool *ret, struct err *err);

/* What the changelog says of the newest attempt since `since_ms` (by the donor's clock; > 0). A donor that
 * began another migration after it has ended it. Logging is best effort: silence proves nothing. */
enum probe_log { PROBE_LOG_SILENT, PROBE_LOG_STARTED, PROBE_LOG_ENDED };
bool probe_changelog(mongoc_client_t *client, const char *ns, const bson_t *min, const char *from,
                     int64_t since_ms, enum probe_log *ret, struct err *err);
