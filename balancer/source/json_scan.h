// SPDX-License-Identifier: Apache-2.0
/* json_scan.h - finds where a JSON value ends, fed with any pieces of it.
 * Owns: the grammar of JSON (RFC 8259), checked strictly, and limits on nesting and on whole numbers.
 * Never: keeps text, decodes it, recurses, or checks UTF-8.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Far more than metadata needs; libbson's parser is safe only below 100. */
enum { JSON_DEPTH_MAX = 64 };

/* Start with {0}; feed from the first byte of the value on. */
struct json_scan {
    uint8_t state, number, digits, escapes;
    bool key;            /* the string is a key */
    unsigned depth;      /* open objects and arrays */
    uint64_t is_object;  /* a bit a level, the innermost lowest */
    const char *literal; /* what is left of "true", "false", "null" */
};

enum json_scan_result { JSON_SCAN_MORE, JSON_SCAN_DONE, JSON_SCAN_BAD };

/* Takes bytes up to the end of the value (or up to the one that is wrong) and tells how many. *ret_why is
 * written with JSON_SCAN_BAD. A number ends with the byte behind it, which is not taken. */
enum json_scan_result json_scan_feed(struct json_scan *s, const uint8_t *p, size_t n, size_t *ret_used,
                                     const char **ret_why);

/* Whether the value is whole if nothing follows. */
bool json_scan_complete(const struct json_scan *s);
