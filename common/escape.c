// SPDX-License-Identifier: Apache-2.0
#include "common/escape.h"

#include <stdbool.h>
#include <string.h>

/* Characters that reorder or hide the text around them: bidirectional controls, zero-width ones, separators;
 * and those that are none (U+FFFE, U+FFFF), which no XML may hold. */
static bool is_unsafe(gunichar c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f) || (c >= 0xd800 && c <= 0xdfff) ||
           (c & 0xfffe) == 0xfffe;
}

void text_append_escaped(GString *out, const char *s, gssize len)
{
    const char *end = s + (len < 0 ? (gssize)strlen(s) : len);
    while (s < end) {
        gunichar c = g_utf8_get_char_validated(s, end - s);
        if (c == (gunichar)-1 || c == (gunichar)-2) {
            g_string_append_printf(out, "\\x%02X", (unsigned)(unsigned char)*s);
            s++;
            continue;
        }
        const char *next = g_utf8_next_char(s);
        if (!is_unsafe(c))
            g_string_append_len(out, s, next - s);
        else if (c < 0x100)
            g_string_append_printf(out, "\\x%02X", (unsigned)c);
        else
            g_string_append_printf(out, "\\u{%04X}", (unsigned)c);
        s = next;
    }
}

char *text_escaped(const char *s)
{
    GString *out = g_string_new(NULL);
    text_append_escaped(out, s, -1);
    return g_string_free(out, FALSE);
}
