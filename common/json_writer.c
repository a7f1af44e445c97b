// SPDX-License-Identifier: Apache-2.0
#include "common/json_writer.h"

#include "common/text.h"

#include <math.h>
#include <string.h>

void json_init(struct json_writer *w, GString *out)
{
    *w = (struct json_writer){.out = out};
}

static void new_line(struct json_writer *w)
{
    static const char spaces[2 * JSON_DEPTH_MAX + 1] = "                                ";
    g_string_append_c(w->out, '\n');
    g_string_append_len(w->out, spaces, (gssize)w->depth * 2);
}

/* Whatever stands between this item of the innermost container and the one before. */
static void begin_item(struct json_writer *w)
{
    if (w->depth == 0)
        return;
    struct json_level *l = &w->levels[w->depth - 1];
    if (l->has_items)
        g_string_append(w->out, l->one_line ? ", " : ",");
    if (!l->one_line)
        new_line(w);
    l->has_items = true;
}

GString *json_value(struct json_writer *w)
{
    if (w->after_key)
        w->after_key = false;
    else
        begin_item(w);
    return w->out;
}

static void open_container(struct json_writer *w, char open, char close, bool one_line)
{
    g_assert(w->depth < JSON_DEPTH_MAX);
    bool inside = w->depth > 0 && w->levels[w->depth - 1].one_line;
    g_string_append_c(json_value(w), open);
    w->levels[w->depth++] = (struct json_level){.close = close, .one_line = one_line || inside};
}

void json_object(struct json_writer *w, bool one_line)
{
    open_container(w, '{', '}', one_line);
}

void json_array(struct json_writer *w, bool one_line)
{
    open_container(w, '[', ']', one_line);
}

void json_end(struct json_writer *w)
{
    g_assert(w->depth > 0);
    struct json_level l = w->levels[--w->depth];
    if (l.has_items && !l.one_line)
        new_line(w);
    g_string_append_c(w->out, l.close);
}

/* Characters that JSON allows as they are, but a terminal or a JavaScript reader may take for something else.
 */
static bool is_delicate(gunichar c)
{
    return (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

static void append_u(GString *out, gunichar c)
{
    if (c < 0x10000) {
        g_string_append_printf(out, "\\u%04x", (unsigned)c);
        return;
    }
    c -= 0x10000;
    g_string_append_printf(out, "\\u%04x\\u%04x", 0xd800 + (unsigned)(c >> 10),
                           0xdc00 + (unsigned)(c & 0x3ff));
}

/* `s` is valid UTF-8. Runs of plain characters are copied whole. */
static void append_quoted(GString *out, const char *s)
{
    static const char named[] = "\b\f\n\r\t";
    g_string_append_c(out, '"');
    const char *run = s;
    while (*s != '\0') {
        gunichar c = g_utf8_get_char(s);
        const char *next = g_utf8_next_char(s);
        if (c >= 0x20 && c != '"' && c != '\\' && !is_delicate(c)) {
            s = next;
            continue;
        }
        g_string_append_len(out, run, s - run);
        const char *name = c < 0x20 ? strchr(named, (int)c) : NULL;
        if (c == '"' || c == '\\')
            g_string_append_printf(out, "\\%c", (char)c);
        else if (name != NULL)
            g_string_append_printf(out, "\\%c", "bfnrt"[name - named]);
        else
            append_u(out, c);
        run = s = next;
    }
    g_string_append_len(out, run, s - run);
    g_string_append_c(out, '"');
}

static void append_string(GString *out, const char *s)
{
    if (g_utf8_validate(s, -1, NULL)) {
        append_quoted(out, s);
        return;
    }
    g_autofree char *safe = text_escaped(s);
    append_quoted(out, safe);
}

void json_key(struct json_writer *w, const char *key)
{
    begin_item(w);
    append_string(w->out, key);
    g_string_append(w->out, ": ");
    w->after_key = true;
}

void json_string(struct json_writer *w, const char *s)
{
    if (s == NULL)
        json_null(w);
    else
        append_string(json_value(w), s);
}

void json_int(struct json_writer *w, int64_t x)
{
    g_string_append_printf(json_value(w), "%" G_GINT64_FORMAT, x);
}

void json_double(struct json_writer *w, double x)
{
    if (!isfinite(x)) {
        json_null(w);
        return;
    }
    if (x == 0)
        x = 0; /* no -0 */
    static const char *const formats[] = {"%.15g", "%.16g", "%.17g"};
    char buf[G_ASCII_DTOSTR_BUF_SIZE];
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_ascii_formatd(buf, sizeof buf, formats[i], x);
        double back = g_ascii_strtod(buf, NULL);
        if (!(back < x) && !(back > x))
            break;
    }
    g_string_append(json_value(w), buf);
}

void json_bool(struct json_writer *w, bool b)
{
    g_string_append(json_value(w), b ? "true" : "false");
}

void json_null(struct json_writer *w)
{
    g_string_append(json_value(w), "null");
}

void json_put_string(struct json_writer *w, const char *key, const char *s)
{
    json_key(w, key);
    json_string(w, s);
}

void json_put_int(struct json_writer *w, const char *key, int64_t x)
{
    json_key(w, key);
    json_int(w, x);
}

void json_put_double(struct json_writer *w, const char *key, double x)
{
    json_key(w, key);
    json_double(w, x);
}

void json_put_bool(struct json_writer *w, const char *key, bool b)
{
    json_key(w, key);
    json_bool(w, b);
}

void json_put_null(struct json_writer *w, const char *key)
{
    json_key(w, key);
    json_null(w);
}

/* Line ends stand between tokens only: strings have theirs escaped. */
void json_one_line(GString *json)
{
    for (gsize i = 0; i < json->len; i++)
        if (json->str[i] == '\n')
            json->str[i] = ' ';
}
