// SPDX-License-Identifier: Apache-2.0
#include "balancer/cli/status_text.h"

#include "balancer/key/show.h"
#include "common/text.h"

#include <string.h>

enum {
    ROUNDS_SHOWN = 5,
    COLLECTIONS_SHOWN = 10,
    BLOCKED_SHOWN = 5,
    KEY_COLUMNS = 40,
    TIME_CHARS = 16,
    BAR = 30
};

/* --- fields of a document; a missing one is NULL, -1, false or empty --- */

static const char *text_of(const bson_t *doc, const char *path)
{
    bson_iter_t it, at;
    if (!bson_iter_init(&it, doc) || !bson_iter_find_descendant(&it, path, &at) || !BSON_ITER_HOLDS_UTF8(&at))
        return NULL;
    return bson_iter_utf8(&at, NULL);
}

static int64_t int_of(const bson_t *doc, const char *path)
{
    bson_iter_t it, at;
    if (!bson_iter_init(&it, doc) || !bson_iter_find_descendant(&it, path, &at) ||
        !BSON_ITER_HOLDS_NUMBER(&at))
        return -1;
    return bson_iter_as_int64(&at);
}

static double double_of(const bson_t *doc, const char *path)
{
    bson_iter_t it, at;
    if (!bson_iter_init(&it, doc) || !bson_iter_find_descendant(&it, path, &at) ||
        !BSON_ITER_HOLDS_NUMBER(&at))
        return 0;
    return bson_iter_as_double(&at);
}

static bool flag_of(const bson_t *doc, const char *path)
{
    bson_iter_t it, at;
    return bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, path, &at) &&
           BSON_ITER_HOLDS_BOOL(&at) && bson_iter_bool(&at);
}

/* The documents of an array, one by one. */
struct each {
    bson_iter_t it;
    bool any;
};

static struct each each_of(const bson_t *doc, const char *name)
{
    struct each e = {.any = false};
    bson_iter_t it;
    e.any =
        bson_iter_init_find(&it, doc, name) && BSON_ITER_HOLDS_ARRAY(&it) && bson_iter_recurse(&it, &e.it);
    return e;
}

static bool each_next(struct each *e, bson_t *ret)
{
    uint32_t len;
    const uint8_t *data;
    while (e->any && bson_iter_next(&e->it))
        if (BSON_ITER_HOLDS_DOCUMENT(&e->it)) {
            bson_iter_document(&e->it, &len, &data);
            return bson_init_static(ret, data, len);
        }
    return false;
}

/* --- pieces --- */

static char *bytes_text(int64_t bytes)
{
    return bytes < 0 ? g_strdup("?") : text_bytes(bytes);
}

static char *count_text(int64_t n)
{
    return n < 0 ? g_strdup("?") : text_count(n);
}

static char *seconds_text(double seconds)
{
    return seconds > 0 ? text_duration(seconds) : g_strdup("");
}

/* "2026-11-21 03:20" of "2026-11-21T03:20:00Z". */
static char *time_text(const char *iso)
{
    char *text = g_strndup(iso == NULL ? "-" : iso, TIME_CHARS);
    g_strdelimit(text, "T", ' ');
    return text;
}

/* "done about 2026-11-21 18:03 UTC (17:58 to 18:20)": the date of an end of the range only where it is
 * another. */
static char *finish_text(const bson_t *s, const char *of)
{
    enum { DATE_CHARS = 11 };
    const char *const ends[] = {"Low", "Expected", "High"};
    char *at[G_N_ELEMENTS(ends)];
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        g_autofree char *path = g_strdup_printf("%s.finish%s", of, ends[i]);
        at[i] = time_text(text_of(s, path));
    }
    const bool one_day = strncmp(at[0], at[1], DATE_CHARS) == 0 && strncmp(at[1], at[2], DATE_CHARS) == 0 &&
                         strlen(at[1]) == TIME_CHARS;
    const size_t skip = one_day ? DATE_CHARS : 0;
    char *text = strcmp(at[0], at[2]) == 0
                     ? g_strdup_printf("done about %s UTC", at[1])
                     : g_strdup_printf("done about %s UTC (%s to %s)", at[1], at[0] + skip, at[2] + skip);
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
        g_free(at[i]);
    return text;
}

static char *name_cell(const struct page *pg, const char *name)
{
    return page_name(pg, name == NULL ? "" : name, 0);
}

static char *bar(double share)
{
    unsigned full = (unsigned)(CLAMP(share, 0.0, 1.0) * BAR + 0.5);
    GString *out = g_string_new("[");
    for (unsigned i = 0; i < BAR; i++)
        g_string_append_c(out, i < full ? '#' : '.');
    g_string_append_c(out, ']');
    return g_string_free(out, FALSE);
}

static void put(struct page *pg, const char *label, char *text_taken)
{
    g_autofree char *text = text_taken;
    page_paragraph(pg, 0, INK_NONE, label, text);
}

/* --- parts --- */

static void put_head(const bson_t *s, struct page *pg)
{
    const char *state = text_of(s, "state");
    g_autofree char *where = name_cell(pg, text_of(s, "cluster.name"));
    g_autofree char *version = name_cell(pg, text_of(s, "cluster.version"));
    g_autofree char *head =
        g_strdup_printf("evenkeel %s: %s", text_of(s, "version"), state == NULL ? "?" : state);
    page_paragraph(pg, 0, INK_HEADING, NULL, head);
    if (where[0] != '\0')
        put(pg, "cluster:", g_strdup_printf("%s, %s", where, version));
    struct each holds = each_of(s, "holds");
    for (bson_t h; each_next(&holds, &h);) {
        g_autofree char *text = name_cell(pg, text_of(&h, "text"));
        g_autofree char *line = g_strdup_printf("%s (%s)", text, text_of(&h, "code"));
        page_paragraph(pg, 0, INK_WARNING, "waits:", line);
    }
    if (flag_of(s, "lease.enabled")) {
        g_autofree char *holder = name_cell(pg, text_of(s, "lease.holder"));
        put(pg, "lease:",
            g_strdup_printf("%s%s%s", flag_of(s, "lease.held") ? "held" : "not held",
                            holder[0] == '\0' ? "" : ", by ", holder));
    }
    if (!flag_of(s, "window.always")) {
        g_autofree char *at = time_text(text_of(s, "window.changesAt"));
        put(pg, "window:",
            g_strdup_printf("%s until %s UTC; %s", flag_of(s, "window.open") ? "open" : "closed", at,
                            text_of(s, "window.text")));
    }
    if (text_of(s, "nextRoundAt") != NULL && int_of(s, "round.id") <= 0) {
        g_autofree char *at = time_text(text_of(s, "nextRoundAt"));
        put(pg, "next look:", g_strdup_printf("%s UTC", at));
    }
}

static void put_round(const bson_t *s, struct page *pg)
{
    int64_t done = int_of(s, "round.done"), steps = int_of(s, "round.steps"),
            failed = int_of(s, "round.failed");
    if (int_of(s, "round.id") <= 0)
        return;
    g_autofree char *moved = bytes_text(int_of(s, "round.bytesDone"));
    g_autofree char *all = bytes_text(int_of(s, "round.bytes"));
    g_autofree char *speed = bytes_text((int64_t)double_of(s, "round.bytesPerSecond"));
    g_autofree char *finish = finish_text(s, "round");
    g_autofree char *drawn = bar(steps <= 0 ? 0 : (double)(done + MAX(failed, 0)) / (double)steps);
    page_blank(pg);
    put(pg, "round:",
        g_strdup_printf("%" G_GINT64_FORMAT " (%s): %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                        " done, %" G_GINT64_FORMAT " failed; %s of %s, %s/s",
                        int_of(s, "round.id"), text_of(s, "round.kind"), done, steps, failed, moved, all,
                        speed));
    if (text_of(s, "round.finishExpected") == NULL)
        put(pg, NULL, g_steal_pointer(&drawn));
    else
        put(pg, NULL, g_strdup_printf("%s %s", drawn, finish));
}

/* Until nothing more moves. */
static void put_forecast(const bson_t *s, struct page *pg)
{
    const int64_t n = int_of(s, "forecast.migrations");
    const char *basis = text_of(s, "speed.basis");
    if (n <= 0)
        return;
    g_autofree char *bytes = bytes_text(int_of(s, "forecast.bytes"));
    g_autofree char *low = text_duration(double_of(s, "forecast.lowSeconds"));
    g_autofree char *high = text_duration(double_of(s, "forecast.highSeconds"));
    GString *line = g_string_new(NULL);
    g_string_append_printf(line, "%s%" G_GINT64_FORMAT " %s, %s; ",
                           flag_of(s, "forecast.complete") ? "" : "at least ", n,
                           n == 1 ? "migration" : "migrations", bytes);
    if (text_of(s, "forecast.finishExpected") != NULL) {
        g_autofree char *finish = finish_text(s, "forecast");
        g_string_append(line, finish);
    } else {
        g_string_append_printf(line, "%s to %s of work", low, high);
    }
    if (g_strcmp0(basis, "default") == 0)
        g_string_append(line, ", by assumed speeds");
    put(pg, "to go:", g_string_free(line, FALSE));
}

static char *range_cell(const struct page *pg, const bson_t *m)
{
    bson_iter_t it;
    uint32_t len;
    const uint8_t *data;
    bson_t min;
    g_autoptr(GString) out = g_string_new(NULL);
    if (!bson_iter_init_find(&it, m, "min") || !BSON_ITER_HOLDS_DOCUMENT(&it))
        return g_strdup("");
    bson_iter_document(&it, &len, &data);
    if (bson_init_static(&min, data, len))
        key_show(out, &min, KEY_COLUMNS);
    return page_elide(pg, out->str, 0);
}

static void put_migrations(const bson_t *s, struct page *pg)
{
    static const struct page_column columns[] = {{"under way", 0, 12, false}, {"from", 0, 8, false},
                                                 {"to", 0, 8, false},         {"begins at", 3, 12, false},
                                                 {"size", 0, 0, true},        {"since", 2, 0, false},
                                                 {"ends about", 1, 0, false}};
    struct each list = each_of(s, "migrations");
    g_autoptr(page_table) t = page_table_new(pg, 0, columns, G_N_ELEMENTS(columns));
    bool any = false;
    for (bson_t m; each_next(&list, &m); any = true) {
        page_table_row(t);
        page_table_cell(t, flag_of(&m, "settling") ? INK_WARNING : INK_NONE,
                        name_cell(pg, text_of(&m, "ns")));
        page_table_cell(t, INK_NONE, name_cell(pg, text_of(&m, "from")));
        page_table_cell(t, INK_NONE,
                        flag_of(&m, "settling") ? g_strdup("(being settled)")
                                                : name_cell(pg, text_of(&m, "to")));
        page_table_cell(t, INK_NONE, range_cell(pg, &m));
        page_table_cell(t, INK_NONE, bytes_text(int_of(&m, "bytes")));
        page_table_cell(t, INK_NONE, time_text(text_of(&m, "startedAt")));
        page_table_cell(t, INK_NONE, time_text(text_of(&m, "expectedEnd")));
    }
    if (!any)
        return;
    page_blank(pg);
    page_table_print(t);
}

static void put_shards(const bson_t *s, struct page *pg)
{
    static const struct page_column columns[] = {{"shard", 0, 8, false}, {"data", 0, 0, true},
                                                 {"target", 0, 0, true}, {"chunks", 1, 0, true},
                                                 {"target", 2, 0, true}, {"", 0, 0, false}};
    struct each list = each_of(s, "shards");
    g_autoptr(page_table) t = page_table_new(pg, 0, columns, G_N_ELEMENTS(columns));
    bool any = false;
    for (bson_t sh; each_next(&list, &sh); any = true) {
        page_table_row(t);
        page_table_cell(t, INK_NONE, name_cell(pg, text_of(&sh, "id")));
        page_table_cell(t, INK_NONE, bytes_text(int_of(&sh, "bytes")));
        page_table_cell(t, INK_NONE, bytes_text(int_of(&sh, "targetBytes")));
        page_table_cell(t, INK_NONE, count_text(int_of(&sh, "chunks")));
        page_table_cell(t, INK_NONE, count_text(int_of(&sh, "targetChunks")));
        page_table_cell(t, INK_WARNING, g_strdup(flag_of(&sh, "draining") ? "draining" : ""));
    }
    if (!any)
        return;
    page_blank(pg);
    page_table_print(t);
}

static void put_collections(const bson_t *s, struct page *pg)
{
    static const struct page_column columns[] = {{"imbalanced", 0, 12, false},
                                                 {"by", 0, 0, true},
                                                 {"moves planned", 1, 0, true},
                                                 {"chunks", 2, 0, true}};
    struct each list = each_of(s, "collections");
    g_autoptr(page_table) t = page_table_new(pg, 0, columns, G_N_ELEMENTS(columns));
    unsigned shown = 0;
    for (bson_t c; shown < COLLECTIONS_SHOWN && each_next(&list, &c);) {
        if (g_strcmp0(text_of(&c, "status"), "imbalanced") != 0)
            continue;
        page_table_row(t);
        page_table_cell(t, INK_NONE, name_cell(pg, text_of(&c, "ns")));
        page_table_cell(t, INK_NONE, g_strdup_printf("%.0f %%", double_of(&c, "imbalance") * 100));
        page_table_cell(t, INK_NONE, count_text(int_of(&c, "migrations")));
        page_table_cell(t, INK_NONE, count_text(int_of(&c, "chunks")));
        shown++;
    }
    if (shown == 0)
        return;
    page_blank(pg);
    page_table_print(t);
}

static void put_rounds(const bson_t *s, struct page *pg)
{
    static const struct page_column columns[] = {
        {"round", 0, 0, true},     {"began", 0, 0, false}, {"kind", 3, 0, false}, {"state", 0, 0, false},
        {"committed", 0, 0, true}, {"failed", 0, 0, true}, {"moved", 0, 0, true}, {"took", 2, 0, true},
        {"promised", 1, 0, true},  {"by", 4, 8, false}};
    struct each list = each_of(s, "rounds");
    g_autoptr(page_table) t = page_table_new(pg, 0, columns, G_N_ELEMENTS(columns));
    unsigned shown = 0;
    for (bson_t r; shown < ROUNDS_SHOWN && each_next(&list, &r); shown++) {
        page_table_row(t);
        page_table_cell(t, INK_NONE, count_text(int_of(&r, "id")));
        page_table_cell(t, INK_NONE, time_text(text_of(&r, "startedAt")));
        page_table_cell(t, INK_NONE, name_cell(pg, text_of(&r, "kind")));
        page_table_cell(t, INK_NONE, name_cell(pg, text_of(&r, "state")));
        page_table_cell(t, INK_NONE, count_text(int_of(&r, "committed")));
        page_table_cell(t, int_of(&r, "failed") > 0 ? INK_WARNING : INK_NONE,
                        count_text(int_of(&r, "failed")));
        page_table_cell(t, INK_NONE, bytes_text(int_of(&r, "bytes")));
        page_table_cell(t, INK_NONE, seconds_text(double_of(&r, "seconds")));
        page_table_cell(t, INK_NONE, seconds_text(double_of(&r, "plannedSeconds")));
        page_table_cell(t, INK_NONE, name_cell(pg, text_of(&r, "who")));
    }
    if (shown == 0)
        return;
    page_blank(pg);
    page_table_print(t);
}

static void put_blocked(const bson_t *s, struct page *pg)
{
    struct each list = each_of(s, "blocked");
    unsigned shown = 0;
    for (bson_t b; shown < BLOCKED_SHOWN && each_next(&list, &b); shown++) {
        g_autofree char *ns = name_cell(pg, text_of(&b, "ns"));
        g_autofree char *why = name_cell(pg, text_of(&b, "why"));
        g_autofree char *line = g_strdup_printf("%s: %s (%s)", ns, why, text_of(&b, "reason"));
        if (shown == 0)
            page_blank(pg);
        page_paragraph(pg, 0, INK_WARNING, "blocked:", line);
    }
}

void status_text(const bson_t *status, struct page *pg)
{
    put_head(status, pg);
    put_round(status, pg);
    put_forecast(status, pg);
    put_migrations(status, pg);
    put_shards(status, pg);
    put_collections(status, pg);
    put_rounds(status, pg);
    put_blocked(status, pg);
}
