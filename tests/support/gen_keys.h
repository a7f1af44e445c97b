// SPDX-License-Identifier: Apache-2.0
/* gen_keys.h - shard keys for generated clusters: for each kind of key, a pattern and an endless ascending
 * line of values. Owns: what the n-th position of a collection's key space is, as BSON. Never: keeps state;
 * the same kind, seed and position give the same bytes.
 */
#pragma once

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

enum gen_key {
    GEN_KEY_OBJECTID,
    GEN_KEY_INT64,
    GEN_KEY_STRING,
    GEN_KEY_COMPOUND, /* {region: string, id: int64} */
    GEN_KEY_HASHED,
    GEN_KEY_UUID,
    GEN_KEY_MIXED, /* one field, values of many types */
    GEN_KEY_COUNT
};

/* "objectid", "int64", ...; GEN_KEY_COUNT where there is no kind of that name. */
const char *gen_key_name(enum gen_key kind);
enum gen_key gen_key_find(const char *name);

/* Appends the shard key pattern's fields. */
void gen_key_pattern(enum gen_key kind, bson_t *out);

/* A collection's key space: positions 0 (the global minimum) to `end` (the global maximum), keys ascending
 * strictly with the position in the server's order. */
struct gen_keys {
    enum gen_key kind;
    uint32_t seed;
    uint64_t end;
};

/* Appends the bound at `position`. */
void gen_key_at(const struct gen_keys *keys, uint64_t position, bson_t *out);

/* The same as a zone's bound: compound keys may be given by their first field alone where that says the same.
 */
void gen_key_zone_at(const struct gen_keys *keys, uint64_t position, bool is_max, bson_t *out);
