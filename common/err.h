// SPDX-License-Identifier: Apache-2.0
/* err.h - what went wrong, for the person who can act on it.
 * Owns: the classes of failure, their exit codes (one table), and the one line that tells what failed, on
 * what, why, and what to do. Text from outside may stand in it: err_set() makes the whole line printable.
 * Never: prints, logs, or decides what happens next.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The class says who can mend it; err_exit_code() maps it, in one place, to the exit codes of the contract.
 */
enum err_class {
    ERR_NONE,
    ERR_FAILED,        /* 1   the work was tried and failed */
    ERR_USAGE,         /* 64  the command line is wrong */
    ERR_DATA,          /* 65  bad input data */
    ERR_NO_INPUT,      /* 66  an input was not found or cannot be opened */
    ERR_UNAVAILABLE,   /* 69  cluster, service or another resource unavailable */
    ERR_CANT_CREATE,   /* 73  output cannot be written */
    ERR_RETRY_LATER,   /* 75  stale plan, another holder of the lease */
    ERR_NO_PERMISSION, /* 77  not permitted */
    ERR_CONFIG,        /* 78  configuration error */
    ERR_CLASS_COUNT
};

enum { ERR_MSG_MAX = 1024 };

/* Start with {0}. Written only on failure; `msg` is one printable UTF-8 line without a final stop. */
struct err {
    enum err_class cls;
    char msg[ERR_MSG_MAX];
};

/* err_set(err, class, fmt, ...) sets class and message and is false, so that `return err_set(...)` reads
 * well; `err` may be NULL. Longer messages end in "...". Control characters and invalid UTF-8 are shown as
 * \xNN. err_wrap(err, fmt, ...) puts "context: " before the message there is, does nothing where no error is
 * set, and is false. Both are macros only so that static analysis sees that they are false. */
#define err_set(...) (err_put(__VA_ARGS__), err_false())
#define err_wrap(...) (err_put_context(__VA_ARGS__), err_false())

void err_put(struct err *err, enum err_class cls, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
void err_put_context(struct err *err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static inline bool err_false(void)
{
    return false;
}

/* The exit code of a class; 0 for ERR_NONE. */
int err_exit_code(enum err_class cls);
/* The way back; ERR_FAILED for a code that is none of them, and for 0. */
enum err_class err_class_of(int exit_code);
