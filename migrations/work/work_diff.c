// SPDX-License-Identifier: Apache-2.0
/* Steps are the same where they do the same: numbers, rounds, versions and sizes are another plan's business.
 */
#include "migrations/work/stale.h"
#include "migrations/work/work_private.h"

#include "balancer/key/show.h"
#include "common/escape.h"

#include <string.h>

enum { POINT_SHOWN_MAX = 60, POINTS_SHOWN_MAX = 3 };

static void put_text(GByteArray *out, const char *s)
{
    if (s != NULL)
        g_byte_array_append(out, (const uint8_t *)s, (guint)strlen(s));
    g_byte_array_append(out, (const uint8_t *)"", 1);
}

/* Encodings show their own end. */
static void put_encoded(GByteArray *out, GBytes *enc)
{
    gsize len;
    const uint8_t *data = g_bytes_get_data(enc, &len);
    g_byte_array_append(out, data, (guint)len);
}

/* What a step does, as bytes; the caller unrefs. */
static GBytes *deed(const struct work_step *s)
{
    GByteArray *out = g_byte_array_new();
    put_text(out, s->kind == WORK_SPLIT ? "split" : s->open_min ? "rest" : "move");
    put_text(out, s->coll->ns);
    put_text(out,
             s->kind == WORK_SPLIT ? NULL : s->from); /* who holds the chunk does not matter to a split */
    put_text(out, s->to);
    put_text(out, s->force_jumbo ? "force" : NULL);
    put_encoded(out, s->enc_min);
    put_encoded(out, s->enc_max);
    for (guint i = 0; s->at != NULL && i < s->at->len; i++) {
        g_autoptr(GBytes) enc = step_encode(s->coll, s->at->pdata[i], NULL);
        put_encoded(out, enc);
    }
    return g_byte_array_free_to_bytes(out);
}

/* How often each deed is in the work. */
static GHashTable *count_deeds(const work *w)
{
    GHashTable *counts =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    for (guint i = 0; i < w->steps->len; i++) {
        GBytes *d = deed(w->steps->pdata[i]);
        guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, d));
        g_hash_table_replace(counts, d, GUINT_TO_POINTER(n + 1));
    }
    return counts;
}

static void append_points(GString *out, const GPtrArray *at)
{
    g_string_append(out, " split at ");
    for (guint i = 0; i < MIN(at->len, (guint)POINTS_SHOWN_MAX); i++) {
        g_string_append(out, i == 0 ? "" : ", ");
        key_show(out, at->pdata[i], POINT_SHOWN_MAX);
    }
    if (at->len > POINTS_SHOWN_MAX)
        g_string_append_printf(out, " and %u more points", at->len - POINTS_SHOWN_MAX);
}

/* "- shop.users [..) shard0 -> shard1" */
static char *line_of(char sign, const struct work_step *s)
{
    g_autofree char *range = work_step_text(s);
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "%c %s%s", sign, s->open_min ? "the rest of " : "", range);
    if (s->kind == WORK_SPLIT) {
        append_points(out, s->at);
        return g_string_free(out, FALSE);
    }
    g_string_append_c(out, ' ');
    text_append_escaped(out, s->from, -1);
    g_string_append(out, " -> ");
    text_append_escaped(out, s->to, -1);
    g_string_append(out, s->force_jumbo ? ", forced" : "");
    return g_string_free(out, FALSE);
}

/* Lines for the steps of `w` that `others` do not have; returns how many those are. */
static uint32_t tell(const work *w, GHashTable *others, char sign, uint32_t max_lines, GPtrArray *lines)
{
    uint32_t n = 0;
    for (guint i = 0; i < w->steps->len; i++) {
        g_autoptr(GBytes) d = deed(w->steps->pdata[i]);
        guint left = GPOINTER_TO_UINT(g_hash_table_lookup(others, d));
        if (left > 0) {
            g_hash_table_replace(others, g_bytes_ref(d), GUINT_TO_POINTER(left - 1));
            continue;
        }
        if (n++ < max_lines || max_lines == 0)
            g_ptr_array_add(lines, line_of(sign, w->steps->pdata[i]));
    }
    if (max_lines > 0 && n > max_lines)
        g_ptr_array_add(lines, g_strdup_printf("%c and %u more", sign, n - max_lines));
    return n;
}

void work_diff_make(const work *then, const work *now, uint32_t max_lines, struct work_diff *ret)
{
    g_autoptr(GHashTable) of_then = count_deeds(then), of_now = count_deeds(now);
    ret->lines = g_ptr_array_new_with_free_func(g_free);
    ret->gone = tell(then, of_now, '-', max_lines, ret->lines);
    ret->added = tell(now, of_then, '+', max_lines, ret->lines);
    ret->same = then->steps->len - ret->gone;
}

void work_diff_clear(struct work_diff *d)
{
    g_clear_pointer(&d->lines, g_ptr_array_unref);
    *d = (struct work_diff){0};
}
