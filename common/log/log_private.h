// SPDX-License-Identifier: Apache-2.0
/* log_private.h - the parts of the log, inside this folder.
 * Owns: the formats (an entry to bytes), the ways out (bytes to a descriptor or to the journal, each with a
 * bounded wait), and the folding of repeated lines. Never: locks; log.c holds its lock around all of it.
 */
#pragma once

#include "common/log/log.h"

#include <glib.h>
#include <sys/un.h>

/* What mongod's log calls the thread: here one alone tells. */
#define LOG_CONTEXT "main"

/* One line before it has a shape. */
struct log_entry {
    int64_t now_ms; /* since 1970 */
    const struct log_message *message;
    const struct log_field *fields; /* those of strings that are NULL do not count */
    size_t n;
};

static inline bool log_field_counts(const struct log_field *f)
{
    return f->type != LOG_FIELD_STRING || f->string != NULL;
}

/* A field that is not a string, spelt as in JSON, which every format does. */
void log_append_number(GString *out, const struct log_field *f);

/* "2026-11-21T01:38:00.123Z". */
void log_append_time(GString *out, int64_t unix_ms);

/* The message and its fields in logfmt, without time and level. */
void log_append_logfmt(GString *out, const struct log_entry *e);

/* A whole line with its newline. */
void log_format_text(GString *out, const struct log_entry *e);
void log_format_json(GString *out, const struct log_entry *e);

/* The entry in journald's native protocol. */
void log_format_journald(GString *out, const struct log_entry *e);

/* The journal's socket. */
struct log_journal {
    int fd; /* -1: could not be had */
    struct sockaddr_un address;
    bool stuck; /* the last entry found no room in time: the next ones do not wait */
};

void log_journal_open(struct log_journal *j, const char *path);
void log_journal_close(struct log_journal *j);

/* False: the journal did not take it. */
bool log_journal_send(struct log_journal *j, const char *bytes, size_t len);

/* Whether `fd` is what JOURNAL_STREAM says is connected to the journal. */
bool log_is_journal_stream(int fd);

/* A descriptor for lines. */
struct log_sink {
    int fd; /* borrowed */
    bool is_socket;
    bool torn; /* the last line was cut off: the next begins a line of its own */
};

void log_sink_init(struct log_sink *s, int fd);

/* Writes a line, waiting `wait_ms` at most. False: it is lost, or cut off. */
bool log_sink_write(struct log_sink *s, const char *line, size_t len, int wait_ms);

/* What is folded now. */
struct log_folds {
    GPtrArray *items; /* struct log_fold, in the order in which they began */
    unsigned per_minute;
};

struct log_fold {
    enum log_id id;
    char *ns; /* NULL: of every collection, when there are too many to tell apart */
    int64_t since_ms;
    unsigned written;
    int64_t folded;
};

enum { LOG_FOLDS_MAX = 256 };

void log_folds_init(struct log_folds *f, unsigned per_minute);
void log_folds_clear(struct log_folds *f);

/* Counts a line; whether it is to be written. */
bool log_folds_pass(struct log_folds *f, enum log_id id, const char *ns, int64_t now_ms);

/* Takes out one whose minute is over, or any one with `all`; NULL: there is none. The caller frees it with
 * log_fold_free(). */
struct log_fold *log_folds_take(struct log_folds *f, int64_t now_ms, bool all);
void log_fold_free(void *fold);
