// SPDX-License-Identifier: Apache-2.0
/* slow_compare.h - the server's BSON comparison, word for word, to check the fast encoding against.
 * Owns: its own reading of numbers (every digit written out) and its own table of types.
 * Never: shares code with balancer/key, or cares for speed. Its input is well-formed.
 */
#pragma once

#include <bson/bson.h>

/* <0, 0, >0. The names of the two fields take no part. */
int slow_compare_values(const bson_iter_t *a, const bson_iter_t *b);

/* Field by field: type, then name, then value; the one that ends first is smaller. */
int slow_compare_docs(const bson_t *a, const bson_t *b);
