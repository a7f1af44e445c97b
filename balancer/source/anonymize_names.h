// SPDX-License-Identifier: Apache-2.0
/* anonymize_names.h - what each name and each key value is replaced by.
 * Owns: the dictionaries. All names are added first; new ones are given out afterwards, in the order of the
 * old ones, with equal length. Never: knows documents.
 */
#pragma once

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum name_kind { NAME_SHARD, NAME_DATABASE, NAME_COLLECTION, NAME_ZONE, NAME_FIELD, NAME_KIND_COUNT };

typedef struct names names;

names *names_new(void);
void names_free(names *n);

/* Namespaces go by database and collection, dotted fields by their parts. */
void names_add(names *n, enum name_kind kind, const char *name);
void names_add_ns(names *n, const char *ns);
void names_add_path(names *n, const char *path);
/* The value of a field of a bound of collection `ns`; one that cannot be encoded is passed over. */
void names_add_value(names *n, const char *ns, const char *path, const bson_iter_t *it);
/* Values of this field are hashes: they stay spread over all 64-bit numbers. */
void names_set_hashed(names *n, const char *ns, const char *path);

/* Ends adding. */
void names_settle(names *n);

/* The new name; the caller frees. A name that was not added becomes "unknown". */
char *names_get(const names *n, enum name_kind kind, const char *name);
char *names_get_ns(const names *n, const char *ns);
char *names_get_path(const names *n, const char *path);
/* Appends what the value is replaced by, under the name `as`. */
void names_append_value(const names *n, const char *ns, const char *path, const bson_iter_t *it,
                        const char *as, bson_t *out);
