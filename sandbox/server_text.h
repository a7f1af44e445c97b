// SPDX-License-Identifier: Apache-2.0
/* server_text.h - documents as the server writes them in its messages and in the ids of old chunk documents.
 * Owns: that spelling: "{ userId: 3050 }", "new Date(1577836800000)", "ObjectId('...')", "userId_3050".
 * Never: used for keys that people read elsewhere (balancer/key/show.h is).
 */
#pragma once

#include <bson/bson.h>
#include <glib.h>

/* "{ a: 1, b: \"x\" }"; the caller frees. Deeply nested documents end in "...". */
char *server_text(const bson_t *doc);
void server_text_append(GString *out, const bson_t *doc);

/* "[{ a: 1 }, { a: 2 })", with `sep` between the two. */
char *server_range_text(const bson_t *min, const bson_t *max, const char *sep);

/* "shop.users-userId_3050": the _id of a chunk up to 4.2, and of config.migrations. */
char *server_chunk_id(const char *ns, const bson_t *min);
