// SPDX-License-Identifier: Apache-2.0
/* Shared by error_class.c and error_table.c. */
#pragma once

#include "migrations/mongo/error_class.h"

#include <stddef.h>

enum { ERROR_COMMANDS = 2 };

/* Codes that the rules name. */
enum {
    CODE_BAD_VALUE = 2,
    CODE_UNAUTHORIZED = 13,
    CODE_ILLEGAL_OPERATION = 20,
    CODE_INDEX_NOT_FOUND = 27,
    CODE_LOCK_BUSY = 46,
    CODE_CANNOT_SPLIT = 87,
    CODE_OPERATION_FAILED = 96,
    CODE_NOT_SHARDED = 118,
    CODE_COMMAND_FAILED = 125,
    CODE_TOO_BIG = 153,
    CODE_STEPPED_DOWN = 189,
    CODE_TIME_LIMIT = 262,
    CODE_CONFLICT = 117,
    CODE_STALE = 13388,
    CODE_DISK_FULL = 14031
};

struct error_row {
    int code;
    const char *name;
    struct error_class class[ERROR_COMMANDS]; /* by enum error_command */
};
extern const struct error_row error_rows[];
extern const size_t n_error_rows;

/* Without a code of the table: a code that no row has, or a reply that says nothing; a connection that broke;
 * no server found, so that nothing was sent; a log-in refused; a request that the driver would not send; a
 * reply that is fine. */
extern const struct error_row error_unknown, error_lost, error_unsent, error_login, error_malformed,
    error_none;

/* What a text may say. `code` is what the reply carries: 0 where it carries none, TEXT_WRAPPER for those that
 * stand for another error (96, 125, and no code at all). `says` and, where given, `and` are looked for in the
 * text in lower case. `as`: it means the same as that code; else `class`. The first row that fits decides. */
enum { TEXT_WRAPPER = -1 };
struct error_text {
    int code;
    const char *says, *and;
    int as;
    struct error_class class;
};
extern const struct error_text error_texts[];
extern const size_t n_error_texts;

/* Names that older or newer releases give to a code of the table. */
struct error_alias {
    const char *name;
    int code;
};
extern const struct error_alias error_aliases[];
extern const size_t n_error_aliases;
