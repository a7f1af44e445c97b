// SPDX-License-Identifier: Apache-2.0
/* log_catch.h - a log whose lines a test reads back.
 * Owns: the pipe behind the log, and its clock, which stands still until the test sets it.
 * Never: waits: what is not in the pipe yet does not come.
 */
#pragma once

#include "common/log/log.h"

#include <glib.h>

typedef struct {
    struct log *log;
    int64_t now_ms;      /* 2026-11-21T01:38:00.123Z at the beginning */
    int read_fd, log_fd; /* the ends of the pipe */
} log_catch;

/* `options` as for log_new(), without descriptor and clock; NULL: text down to debug. */
log_catch *log_catch_new(const struct log_options *options);
void log_catch_free(log_catch *c); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(log_catch, log_catch_free)

/* What came since the last call; the caller frees. */
char *log_catch_text(log_catch *c);
