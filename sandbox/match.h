// SPDX-License-Identifier: Apache-2.0
/* match.h - the query language as far as a balancer, drivers and shells ask it of metadata.
 * Owns: parsing a filter once, and testing documents against it. Comparisons are those of shard keys, within
 * a type. Never: sorts, projects, or changes a document.
 */
#pragma once

#include "sandbox/fault.h"

#include <bson/bson.h>
#include <stdbool.h>

typedef struct match match;

/* Parses a filter; what is unknown is refused in the server's words. */
bool match_parse(const bson_t *filter, match **ret, struct fault *f);
void match_free(match *m); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(match, match_free)

bool match_test(const match *m, const bson_t *doc);

/* Calls `fn` for each equality at the top ({a: 1, b: {$eq: 2}}, $and of such): what an upsert begins with. */
void match_each_equality(const match *m, void (*fn)(void *user, const char *path, const bson_iter_t *value),
                         void *user);
