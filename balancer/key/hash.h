// SPDX-License-Identifier: Apache-2.0
/* hash.h - the hashed shard key value of a BSON value, as the server's convertShardKeyToHashed.
 * Owns: the byte stream that goes into MD5 and the conversion of numbers to int64 before it.
 * Never: knows which field is hashed.
 * Source: server's hasher, facts in commands.md section 10: first 8 bytes, little endian, signed, of
 * MD5(LE32(0) || canonical type || payload).
 */
#pragma once

#include "common/err.h"

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

/* The hash of the value under `it` (its field name takes no part). Arrays are hashed too, as the server's
 * command does, though no document can hold one in a shard key. ERR_DATA: corrupt BSON, or nested deeper than
 * KEY_DEPTH_MAX. */
bool key_hash_value(const bson_iter_t *it, int64_t *ret, struct err *err);

/* The hash of a missing field (as of null). */
int64_t key_hash_missing(void);
