// SPDX-License-Identifier: Apache-2.0
#include "common/nearest.h"

#include <stdbool.h>
#include <string.h>

enum { LONGEST = 40 };

/* Insertions, deletions, replacements and swaps of neighbours that lead from a to b, letters' case aside. */
static size_t distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= lb; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= la; i++) {
        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            bool same = g_ascii_tolower(a[i - 1]) == g_ascii_tolower(b[j - 1]);
            size_t best = MIN(MIN(last[j] + 1, now[j - 1] + 1), last[j - 1] + (same ? 0 : 1));
            bool swapped = i > 1 && j > 1 && g_ascii_tolower(a[i - 1]) == g_ascii_tolower(b[j - 2]) &&
                           g_ascii_tolower(a[i - 2]) == g_ascii_tolower(b[j - 1]);
            now[j] = swapped ? MIN(best, before[j - 2] + 1) : best;
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[lb];
}

const char *nearest_word(const char *word, const char *const *words, size_t n)
{
    const char *nearest = NULL;
    size_t len = strlen(word);
    if (len == 0 || len > LONGEST)
        return NULL;
    size_t best = len < 4 ? 1 : len < 8 ? 2 : 3;
    for (size_t i = 0; i < n; i++) {
        if (strlen(words[i]) > LONGEST)
            continue;
        size_t d = len >= 3 && g_str_has_prefix(words[i], word) ? 0 : distance(word, words[i]);
        if (d > best || d >= strlen(words[i]) || (d == best && nearest != NULL))
            continue;
        best = d;
        nearest = words[i];
    }
    return nearest;
}
