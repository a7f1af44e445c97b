// SPDX-License-Identifier: Apache-2.0
/* log.h - the service's log: constant messages, and their variables as fields.
 * Owns: how a line looks in each format and where it goes, which levels show, the folding of lines that
 * repeat themselves, the count of lines that nobody took. Safe to call from any thread. Never: decides what
 * is worth a line, ends the process, or waits for a reader longer than LOG_WAIT_MS.
 *
 *     log_put(log, LOG_MIGRATION_COMMIT, log_str("ns", ns), log_i64("bytes", n), log_seconds("took", t));
 *
 * Text from outside may stand in any string; the formats make it harmless. A secret may not: hand in a URI as
 * uri_shown() gives it. There is no field type that would hide one.
 * The process ignores SIGPIPE, as every server does: a reader that goes away costs lines, not the service.
 */
#pragma once

#include "common/err.h"
#include "common/log/log_messages.h"

#include <stdint.h>

enum {
    LOG_WAIT_MS = 100,  /* how long one line waits for room */
    LOG_PER_MINUTE = 20 /* lines of one warning or error about one collection before they are folded */
};

/* In the order of the configuration's log.format. */
enum log_format {
    LOG_FORMAT_AUTO, /* JOURNALD where the descriptor is connected to the journal, else TEXT */
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON,
    LOG_FORMAT_JOURNALD /* TEXT as long as the journal does not answer */
};

enum log_field_type { LOG_FIELD_STRING, LOG_FIELD_I64, LOG_FIELD_F64, LOG_FIELD_SECONDS, LOG_FIELD_BOOL };

/* `name` is a constant in camelCase, letters and digits. Not "id", "component", "context" or "event": in the
 * journal these are the line's own. */
struct log_field {
    const char *name;
    enum log_field_type type;
    union {
        const char *string; /* borrowed until log_line() returns; NULL: the field is left out */
        int64_t i64;
        double f64;
        bool boolean;
    };
};

static inline struct log_field log_str(const char *name, const char *value)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_STRING, .string = value};
}

static inline struct log_field log_i64(const char *name, int64_t value)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_I64, .i64 = value};
}

static inline struct log_field log_f64(const char *name, double value)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_F64, .f64 = value};
}

/* A duration, shown to the millisecond. */
static inline struct log_field log_seconds(const char *name, double seconds)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_SECONDS, .f64 = seconds};
}

static inline struct log_field log_bool(const char *name, bool value)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_BOOL, .boolean = value};
}

/* The field "error"; left out where `e` holds none. */
static inline struct log_field log_err(const struct err *e)
{
    return log_str("error", e->cls == ERR_NONE ? NULL : e->msg);
}

struct log_options {
    enum log_level level;
    enum log_format format;
    int fd;                        /* borrowed; 0 stands for 2, standard error */
    const char *journal_socket;    /* borrowed; NULL: where systemd-journald listens */
    unsigned per_minute;           /* 0: LOG_PER_MINUTE */
    int64_t (*now_ms)(void *data); /* since 1970; NULL: the system's clock */
    void *now_data;
};

typedef struct log logger;

struct log *log_new(const struct log_options *options);

/* Tells what is folded or dropped and not told yet. NULL accepted. */
void log_free(struct log *l);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(logger, log_free)

/* What a reload may change. */
void log_configure(struct log *l, enum log_level level, enum log_format format);

/* Writes one line. A warning or error that was written per_minute times with the same id and field "ns"
 * within a minute is only counted from there on; when the minute is over, one line of the same message tells
 * the count as `repeated`. Without a log (NULL) nothing happens. */
void log_line(struct log *l, enum log_id id, const struct log_field *fields, size_t n);

/* log_put(log, id, field, ...): log_line() with its fields in place, as many as one likes. */
#define log_put(l, ...) LOG_PUT_FIELDS(l, __VA_ARGS__, log_str(NULL, NULL))
#define LOG_PUT_FIELDS(l, id, ...)                                                                           \
    log_line((l), (id), (const struct log_field[]){__VA_ARGS__},                                             \
             sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field) - 1)

/* Tells counts whose minute is over and lines that were dropped, for when no other line comes by. Call it
 * every few seconds. */
void log_tick(struct log *l);

/* The number of lines lost so far, for metrics. */
uint64_t log_dropped(struct log *l);
