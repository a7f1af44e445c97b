// SPDX-License-Identifier: Apache-2.0
/* Lines for people, and for logfmt readers: `time level COMPONENT message key=value ...`. */
#include "common/log/log_private.h"
#include "common/text.h"

#include <string.h>

void log_append_time(GString *out, int64_t unix_ms)
{
    g_autofree char *seconds = text_iso8601(unix_ms);
    size_t len = strlen(seconds);
    if (len > 0 && seconds[len - 1] == 'Z')
        len--;
    int64_t ms = unix_ms % 1000;
    g_string_append_len(out, seconds, (gssize)len);
    g_string_append_printf(out, ".%03dZ", (int)(ms < 0 ? ms + 1000 : ms));
}

/* Bare where that cannot be misread; else in quotes, in which a backslash is \\ and thus never the beginning
 * of an escaped byte. */
static void append_quoted(GString *out, const char *s)
{
    gsize start = out->len;
    g_string_append_c(out, '"');
    const char *run = s;
    for (const char *p = s;; p++) {
        if (*p != '"' && *p != '\\' && *p != '\0')
            continue;
        text_append_escaped(out, run, p - run);
        if (*p == '\0')
            break;
        g_string_append_c(out, '\\');
        g_string_append_c(out, *p);
        run = p + 1;
    }
    size_t len = strlen(s);
    bool same = out->len - start - 1 == len;
    if (same && len > 0 && strpbrk(s, " =") == NULL)
        g_string_erase(out, (gssize)start, 1);
    else
        g_string_append_c(out, '"');
}

void log_append_logfmt(GString *out, const struct log_entry *e)
{
    g_string_append(out, e->message->text);
    for (size_t i = 0; i < e->n; i++) {
        const struct log_field *f = &e->fields[i];
        if (!log_field_counts(f))
            continue;
        g_string_append_printf(out, " %s=", f->name);
        if (f->type == LOG_FIELD_STRING)
            append_quoted(out, f->string);
        else
            log_append_number(out, f);
        if (f->type == LOG_FIELD_SECONDS)
            g_string_append_c(out, 's');
    }
}

void log_format_text(GString *out, const struct log_entry *e)
{
    log_append_time(out, e->now_ms);
    g_string_append_printf(out, " %c %s ", "EWID"[e->message->level], e -> message -> component);
    log_append_logfmt(out, e);
    g_string_append_c(out, '\n');
}
