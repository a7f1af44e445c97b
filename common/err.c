// SPDX-License-Identifier: Apache-2.0
/* Errors are values: they are built here, carried up unchanged, and printed once, by main(). */
#include "common/err.h"

#include "common/escape.h"

#include <string.h>

static const int exit_codes[ERR_CLASS_COUNT] = {
    [ERR_NONE] = 0,           [ERR_FAILED] = 1,       [ERR_USAGE] = 64,       [ERR_DATA] = 65,
    [ERR_NO_INPUT] = 66,      [ERR_UNAVAILABLE] = 69, [ERR_CANT_CREATE] = 73, [ERR_RETRY_LATER] = 75,
    [ERR_NO_PERMISSION] = 77, [ERR_CONFIG] = 78,
};

int err_exit_code(enum err_class cls)
{
    return exit_codes[cls];
}

enum err_class err_class_of(int exit_code)
{
    for (int cls = ERR_NONE + 1; cls < ERR_CLASS_COUNT; cls++)
        if (exit_codes[cls] == exit_code)
            return (enum err_class)cls;
    return ERR_FAILED;
}

/* Copies text into the message, cut between characters and marked where it is too long. */
static void store(struct err *err, const char *text)
{
    g_autoptr(GString) shown = g_string_new(NULL);
    text_append_escaped(shown, text, -1);
    if (shown->len >= ERR_MSG_MAX) {
        const char *end = g_utf8_find_prev_char(shown->str, shown->str + ERR_MSG_MAX - 4);
        g_string_truncate(shown, end == NULL ? 0 : (gsize)(end - shown->str));
        g_string_append(shown, "...");
    }
    memcpy(err->msg, shown->str, shown->len + 1);
}

void err_put(struct err *err, enum err_class cls, const char *fmt, ...)
{
    if (err == NULL)
        return;
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    err->cls = cls;
    store(err, text);
}

void err_put_context(struct err *err, const char *fmt, ...)
{
    if (err == NULL || err->cls == ERR_NONE)
        return;
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *context = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_autofree char *text = g_strconcat(context, ": ", err->msg, NULL);
    store(err, text);
}
