// SPDX-License-Identifier: Apache-2.0
/* For wcwidth(). */
#define _XOPEN_SOURCE 700

#include "balancer/report/page.h"

#include "common/text.h"

#include <string.h>
#include <wchar.h>

enum { WIDTH_MIN = 40 };

/* A no-break space: paragraphs do not break there, and print a plain one. */
#define GLUE "\xc2\xa0"

void page_init(struct page *pg, const struct report_style *style, GString *out)
{
    *pg = (struct page){
        .out = out,
        .width = MAX(style->width, WIDTH_MIN),
        .color = style->color,
        .ascii = style->ascii || wcwidth(0x2192) < 1,
        .all = style->all,
    };
}

const char *page_arrow(const struct page *pg)
{
    return pg->ascii ? "->" : "\xe2\x86\x92";
}

const char *page_dots(const struct page *pg)
{
    return pg->ascii ? "..." : "\xe2\x80\xa6";
}

const char *page_dot(const struct page *pg)
{
    return pg->ascii ? GLUE "| " : GLUE "\xc2\xb7 ";
}

/* wcwidth() and not GLib's table: libsmartcols pads by it, and the two must agree. */
static unsigned char_columns(gunichar c)
{
    int n = c < 0x80 ? 1 : wcwidth((wchar_t)c);
    return n < 0 ? 1 : (unsigned)n;
}

unsigned page_columns(const char *s)
{
    unsigned n = 0;
    for (; *s != '\0'; s = g_utf8_next_char(s))
        n += char_columns(g_utf8_get_char(s));
    return n;
}

/* Replaces what the page's charset or the C library's tables cannot show. */
static char *printable(const struct page *pg, const char *s)
{
    GString *out = g_string_sized_new(strlen(s));
    for (; *s != '\0'; s = g_utf8_next_char(s)) {
        gunichar c = g_utf8_get_char(s);
        if (c < 0x80 || (!pg->ascii && wcwidth((wchar_t)c) >= 0))
            g_string_append_unichar(out, c);
        else if (c == 0x2026)
            g_string_append(out, page_dots(pg));
        else
            g_string_append_printf(out, "\\u{%04X}", (unsigned)c);
    }
    return g_string_free(out, FALSE);
}

/* The end of the longest head of `s` that takes at most `max` columns. */
static const char *head_end(const char *s, unsigned max)
{
    unsigned n = 0;
    while (*s != '\0') {
        n += char_columns(g_utf8_get_char(s));
        if (n > max)
            break;
        s = g_utf8_next_char(s);
    }
    return s;
}

static char *elide(const struct page *pg, char *s, unsigned max)
{
    unsigned all = page_columns(s), dots = page_columns(page_dots(pg));
    if (max == 0 || all <= max)
        return s;
    unsigned keep = max > dots ? max - dots : 0, tail = keep / 2;
    const char *a = head_end(s, keep - tail), *b = head_end(s, all - tail);
    if (page_columns(b) > tail) /* a wide character stands across the cut */
        b = g_utf8_next_char(b);
    while (*b != '\0' && char_columns(g_utf8_get_char(b)) == 0) /* marks of what is left out */
        b = g_utf8_next_char(b);
    GString *out = g_string_new_len(s, a - s);
    g_string_append_len(out, page_dots(pg), pg->ascii ? (gssize)MIN(dots, max) : -1);
    g_string_append(out, b);
    g_free(s);
    return g_string_free(out, FALSE);
}

char *page_elide(const struct page *pg, const char *s, unsigned max)
{
    return elide(pg, printable(pg, s), max);
}

char *page_name(const struct page *pg, const char *s, unsigned max)
{
    g_autofree char *safe = text_escaped(s);
    return page_elide(pg, safe, max);
}

static const char *ink_on(const struct page *pg, enum ink ink)
{
    static const char *const codes[] = {"", "\033[1m", "\033[33m", "\033[35m", "\033[32m"};
    return pg->color ? codes[ink] : "";
}

static const char *ink_off(const struct page *pg, enum ink ink)
{
    return pg->color && ink != INK_NONE ? "\033[0m" : "";
}

/* Where the line stands while a paragraph is set. */
struct setter {
    struct page *pg;
    unsigned indent, col;
    bool fresh; /* nothing on the line yet */
};

static void next_line(struct setter *s)
{
    g_string_append_printf(s->pg->out, "\n%*s", (int)s->indent, "");
    s->col = s->indent;
    s->fresh = true;
}

static void append_unglued(GString *out, const char *s, const char *end)
{
    while (s < end) {
        const char *glue = g_strstr_len(s, end - s, GLUE);
        g_string_append_len(out, s, (glue != NULL ? glue : end) - s);
        if (glue == NULL)
            return;
        g_string_append_c(out, ' ');
        s = glue + strlen(GLUE);
    }
}

/* Sets one word; a word wider than a line is cut wherever the line ends. */
static void set_word(struct setter *s, const char *word, size_t len)
{
    g_autofree char *w = g_strndup(word, len);
    unsigned n = page_columns(w), gap = s->fresh ? 0 : 1;
    if (!s->fresh && s->col + gap + n > s->pg->width) {
        next_line(s);
        gap = 0;
    }
    if (gap > 0)
        g_string_append_c(s->pg->out, ' ');
    s->col += gap;
    s->fresh = false;
    const char *rest = w;
    while (s->col + n > s->pg->width) {
        const char *end = head_end(rest, s->pg->width - s->col);
        if (end == rest)
            end = g_utf8_next_char(rest);
        append_unglued(s->pg->out, rest, end);
        n = page_columns(end);
        rest = end;
        if (*rest == '\0')
            return;
        next_line(s);
        s->fresh = false;
    }
    append_unglued(s->pg->out, rest, rest + strlen(rest));
    s->col += n;
}

static void set_words(struct setter *s, const char *text)
{
    while (true) {
        size_t len = strcspn(text, " ");
        set_word(s, text, len);
        if (text[len] == '\0')
            return;
        text += len + 1;
    }
}

void page_paragraph(struct page *pg, unsigned indent, enum ink ink, const char *label, const char *text)
{
    struct setter s = {.pg = pg, .indent = label != NULL ? indent + 2 : indent, .col = indent, .fresh = true};
    g_string_append_printf(pg->out, "%*s%s", (int)indent, "", ink_on(pg, ink));
    set_words(&s, label != NULL ? label : text);
    g_string_append(pg->out, ink_off(pg, ink));
    if (label != NULL && *text != '\0')
        set_words(&s, text);
    g_string_append_c(pg->out, '\n');
}

void page_glue_units(GString *text)
{
    for (gsize i = 1; i + 1 < text->len; i++) {
        const char *s = text->str + i;
        if (*s == ' ' && g_ascii_isdigit(s[-1]) && (g_ascii_isalpha(s[1]) || s[1] == '%')) {
            g_string_erase(text, (gssize)i, 1);
            g_string_insert(text, (gssize)i, GLUE);
        }
    }
}

void page_blank(struct page *pg)
{
    g_string_append_c(pg->out, '\n');
}
