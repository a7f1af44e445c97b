// SPDX-License-Identifier: Apache-2.0
#include "common/log/log.h"

#include "common/log/log_private.h"

#include <pthread.h>
#include <string.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct log {
    pthread_mutex_t lock; /* around everything below; GMutex is not known to thread sanitizers */
    enum log_level level;
    enum log_format format; /* never AUTO */
    struct log_sink sink;
    struct log_journal journal;
    struct log_folds folds;
    int64_t (*now_ms)(void *data);
    void *now_data;
    uint64_t dropped;      /* since the start */
    uint64_t dropped_told; /* of these, by log.dropped */
    GString *out;          /* one line, used again and again */
};

static int64_t system_now_ms(void *data)
{
    (void)data;
    return g_get_real_time() / 1000;
}

static enum log_format settled(enum log_format format, int fd)
{
    if (format != LOG_FORMAT_AUTO)
        return format;
    return log_is_journal_stream(fd) ? LOG_FORMAT_JOURNALD : LOG_FORMAT_TEXT;
}

struct log *log_new(const struct log_options *options)
{
    struct log *l = g_new0(struct log, 1);
    int fd = options->fd == 0 ? 2 : options->fd;
    pthread_mutex_init(&l->lock, NULL);
    l->level = options->level;
    l->format = settled(options->format, fd);
    log_sink_init(&l->sink, fd);
    log_journal_open(&l->journal, options->journal_socket != NULL ? options->journal_socket : JOURNAL_SOCKET);
    log_folds_init(&l->folds, options->per_minute > 0 ? options->per_minute : LOG_PER_MINUTE);
    l->now_ms = options->now_ms != NULL ? options->now_ms : system_now_ms;
    l->now_data = options->now_data;
    l->out = g_string_new(NULL);
    return l;
}

void log_configure(struct log *l, enum log_level level, enum log_format format)
{
    pthread_mutex_lock(&l->lock);
    l->level = level;
    l->format = settled(format, l->sink.fd);
    pthread_mutex_unlock(&l->lock);
}

static bool shows(const struct log *l, enum log_id id)
{
    return log_message_of(id)->level <= l->level;
}

/* Whether the entry found its way, waiting `wait_ms` for a reader of the descriptor. */
static bool deliver(struct log *l, const struct log_entry *e, int wait_ms)
{
    g_string_truncate(l->out, 0);
    if (l->format == LOG_FORMAT_JOURNALD) {
        log_format_journald(l->out, e);
        if (log_journal_send(&l->journal, l->out->str, l->out->len))
            return true;
        g_string_truncate(l->out, 0);
    }
    if (l->format == LOG_FORMAT_JSON)
        log_format_json(l->out, e);
    else
        log_format_text(l->out, e);
    return log_sink_write(&l->sink, l->out->str, l->out->len, wait_ms);
}

static struct log_entry entry_of(int64_t now_ms, enum log_id id, const struct log_field *fields, size_t n)
{
    return (struct log_entry){.now_ms = now_ms, .message = log_message_of(id), .fields = fields, .n = n};
}

static void tell_dropped(struct log *l)
{
    if (l->dropped == l->dropped_told)
        return;
    const struct log_field n = log_i64("n", (int64_t)(l->dropped - l->dropped_told));
    const struct log_entry e = entry_of(l->now_ms(l->now_data), LOG_LOG_DROPPED, &n, 1);
    uint64_t dropped = l->dropped;
    if (!shows(l, LOG_LOG_DROPPED) || deliver(l, &e, 0))
        l->dropped_told = dropped;
}

static void write_entry(struct log *l, const struct log_entry *e)
{
    tell_dropped(l);
    /* Whoever did not read in time is not waited for again until he reads. */
    int wait_ms = l->dropped == l->dropped_told ? LOG_WAIT_MS : 0;
    if (!deliver(l, e, wait_ms))
        l->dropped++;
}

static void tell_folded(struct log *l, int64_t now_ms, bool all)
{
    struct log_fold *fold;
    while ((fold = log_folds_take(&l->folds, now_ms, all)) != NULL) {
        const struct log_field fields[] = {
            log_str("ns", fold->ns == NULL || *fold->ns == '\0' ? NULL : fold->ns),
            log_i64("repeated", fold->folded),
        };
        const struct log_entry e = entry_of(now_ms, fold->id, fields, G_N_ELEMENTS(fields));
        if (fold->folded > 0 && shows(l, fold->id))
            write_entry(l, &e);
        log_fold_free(fold);
    }
}

/* What the lines of one message are told apart by, besides its id. */
static const char *namespace_of(const struct log_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fields[i].type == LOG_FIELD_STRING && strcmp(fields[i].name, "ns") == 0 &&
            fields[i].string != NULL)
            return fields[i].string;
    return "";
}

void log_line(struct log *l, enum log_id id, const struct log_field *fields, size_t n)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    const struct log_entry e = entry_of(l->now_ms(l->now_data), id, fields, n);
    tell_folded(l, e.now_ms, false);
    bool foldable = e.message->level <= LOG_LEVEL_WARNING;
    if (shows(l, id) && (!foldable || log_folds_pass(&l->folds, id, namespace_of(fields, n), e.now_ms)))
        write_entry(l, &e);
    pthread_mutex_unlock(&l->lock);
}

void log_tick(struct log *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    tell_folded(l, l->now_ms(l->now_data), false);
    tell_dropped(l);
    pthread_mutex_unlock(&l->lock);
}

uint64_t log_dropped(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    uint64_t n = l->dropped;
    pthread_mutex_unlock(&l->lock);
    return n;
}

void log_free(struct log *l)
{
    if (l == NULL)
        return;
    tell_folded(l, l->now_ms(l->now_data), true);
    tell_dropped(l);
    log_folds_clear(&l->folds);
    log_journal_close(&l->journal);
    g_string_free(l->out, TRUE);
    pthread_mutex_destroy(&l->lock);
    g_free(l);
}
