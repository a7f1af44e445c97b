// SPDX-License-Identifier: Apache-2.0
/* match_private.h - the parsed filter that match_parse.c makes and match.c walks.
 * Owns: the shape of its nodes. Never: seen outside of the two.
 */
#pragma once

#include "sandbox/match.h"

#include <glib.h>
#include <stdint.h>

enum match_kind {
    MATCH_AND,
    MATCH_OR,
    MATCH_NOR,
    MATCH_NOT, /* of its children, all */
    MATCH_EQ,
    MATCH_LT,
    MATCH_LTE,
    MATCH_GT,
    MATCH_GTE,
    MATCH_IN,
    MATCH_EXISTS,
    MATCH_TYPE,
    MATCH_SIZE,
    MATCH_REGEX,
    MATCH_MOD,
    MATCH_ELEM_DOCUMENT, /* $elemMatch: children ask of an element that is a document */
    MATCH_ELEM_VALUE,    /* $elemMatch: children ask of an element itself */
    MATCH_CONSTANT,
};

struct match {
    enum match_kind kind;
    char *path; /* of what asks a field; NULL in the children of MATCH_ELEM_VALUE */
    GPtrArray *children;
    bson_t *operand;     /* {"": value} */
    GByteArray *encoded; /* of the operand */
    int rank;            /* its canonical type */
    bool nan;
    GHashTable *set; /* MATCH_IN: encodings, GBytes */
    bool set_null;   /* null among them */
    GRegex *regex;
    uint32_t types; /* MATCH_TYPE: bits of enum positions in the order of canonical BSON numbers below 32 */
    bool type_min, type_max;
    int64_t number, remainder;
    bool flag; /* MATCH_EXISTS, MATCH_CONSTANT */
};
