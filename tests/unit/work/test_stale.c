// SPDX-License-Identifier: Apache-2.0
/* What of a plan a changed cluster makes stale: a row for each change, resumed plans, and the difference of
 * two plans. Steps are written so, separated by "; ": "10..20 a>b"      a migration; "@EU" behind it: of that
 * zone "10..20+ a>b"     the donor chooses the end
 *   "~10..20+ a>c"    the rest of it, earlier ones having cut the lower part off
 *   "10..40|20,30 a"  a split of the chunk on a */
#include "balancer/key/show.h"
#include "migrations/work/stale.h"
#include "migrations/work/work_private.h"
#include "tests/support/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bson_t *bound(const char *value)
{
    bson_t *b = bson_new();
    if (strcmp(value, "min") == 0)
        BSON_APPEND_MINKEY(b, "x");
    else if (strcmp(value, "max") == 0)
        BSON_APPEND_MAXKEY(b, "x");
    else
        BSON_APPEND_DOUBLE(b, "x", g_ascii_strtod(value, NULL)); /* the clusters have integers */
    return b;
}

/* The version of the chunk that holds the key. */
static char *version_at(const cluster *cl, GBytes *enc)
{
    const struct collection *c = cluster_find_collection(cl, "t.c");
    gsize len;
    const uint8_t *data = g_bytes_get_data(enc, &len);
    return collection_version_text(c, c->chunks.version[chunks_find(&c->chunks, data, (uint32_t)len)]);
}

/* "10..20+" into the step's range. */
static void read_range(struct work_step *s, const char *word)
{
    g_autofree char *text = g_strdup(word[0] == '~' ? word + 1 : word);
    gsize len = strlen(text);
    s->open_min = word[0] == '~';
    s->open_max = text[len - 1] == '+';
    if (s->open_max)
        text[len - 1] = '\0';
    g_auto(GStrv) ends = g_strsplit(text, "..", 2);
    s->min = bound(ends[0]);
    s->max = bound(ends[1]);
    s->enc_min = step_encode(s->coll, s->min, NULL);
    s->enc_max = step_encode(s->coll, s->max, NULL);
}

static void read_step(work *w, const struct work_collection *coll, const cluster *cl, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 2);
    g_auto(GStrv) cut = g_strsplit(words[0], "|", 2), who = g_strsplit(words[1], "@", 2),
                  shards = g_strsplit(who[0], ">", 2);
    struct work_step *s = step_new(cut[1] != NULL ? WORK_SPLIT : WORK_MOVE, coll);
    read_range(s, cut[0]);
    g_auto(GStrv) points = g_strsplit(cut[1] == NULL ? "" : cut[1], ",", -1);
    for (char **p = points; *p != NULL; p++)
        g_ptr_array_add(s->at, bound(*p));
    s->from = g_strdup(shards[0]);
    s->to = g_strdup(shards[1]);
    s->zone = g_strdup(who[1]);
    s->version = version_at(cl, s->enc_min);
    s->reason = g_strdup(s->kind == WORK_SPLIT ? "zoneBoundary" : "imbalance");
    work_add(w, s);
}

static work *work_of(const cluster *cl, const char *steps)
{
    work *w = work_new();
    g_auto(GStrv) texts = g_strsplit(steps, "; ", -1);
    const struct work_collection *coll =
        work_add_collection(w, "t.c", &cluster_find_collection(cl, "t.c")->key->doc, NULL);
    for (char **t = texts; *t != NULL; t++)
        read_step(w, coll, cl, *t);
    return w;
}

/* Chunks that are as they were keep their version; layouts number theirs anew. */
static void keep_versions(cluster *now, const cluster *then)
{
    struct chunks *a = &now->collections[0].chunks;
    const struct chunks *b = &then->collections[0].chunks;
    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t len, found, end;
        const uint8_t *enc = chunk_enc(a, i, &len);
        bool same = chunks_find_bound(b, enc, len, &found);
        if (same && i + 1 < a->n) {
            enc = chunk_enc(a, i + 1, &len);
            same = chunks_find_bound(b, enc, len, &end) && end == found + 1;
        } else if (same) {
            same = found + 1 == b->n;
        }
        a->version[i] = same ? b->version[found] : (uint64_t)7 << 32 | i;
    }
}

/* "1 owner, 3 bounds"; the caller frees. */
static char *found_text(const GPtrArray *found)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < found->len; i++) {
        const struct stale *s = found->pdata[i];
        g_string_append_printf(out, "%s%u %s", i > 0 ? ", " : "", s->step, stale_kind_text(s->kind));
    }
    return g_string_free(out, FALSE);
}

struct row {
    const char *name;
    struct layout then;
    const char *steps;
    struct layout now; /* what is NULL stays */
    const char *done;  /* "110": of each step */
    const char *want;
    const char *says; /* the first one's text holds this; NULL: not looked at */
};

#define FOUR                                                                                                 \
    {                                                                                                        \
        "a b c", "a 10 a 20 a 30 b"                                                                          \
    }
#define MOVES "min..10 a>b; 10..20 a>c; 10..20 c>b; 20..30 a>c"
#define ZONED                                                                                                \
    {                                                                                                        \
        "a b/EU c/EU", "a 10 a 40 b", .zones = "EU:10..20 US:20..30"                                         \
    }
#define CUTS "10..40|20,30 a; 10..20 a>b@EU; 30..40 a>c"
#define OPEN                                                                                                 \
    {                                                                                                        \
        "a b c d", "a 10 a 90 b"                                                                             \
    }
#define OPENS "10..90+ a>b; ~10..90+ a>c; 10..90+ b>d; ~10..90+ a>b"

static const struct row rows[] = {
    {"nothing changed", FOUR, MOVES, {NULL}, NULL, ""},
    {"nothing changed, nothing done", FOUR, MOVES, {NULL}, "0000", ""},
    {"another chunk moved", FOUR, MOVES, {.chunks = "a 10 a 20 a 30 c"}, NULL, ""},
    {"another chunk was split", FOUR, MOVES, {.chunks = "a 10 a 20 a 30 b 50 b"}, NULL, ""},
    {"moved by others",
     FOUR,
     MOVES,
     {.chunks = "a 10 a 20 b 30 b"},
     NULL,
     "4 owner",
     "t.c [{ x: 20 }, { x: 30 }): owned by b now, not a"},
    {"moved by others, to where it should go", FOUR, MOVES, {.chunks = "b 10 a 20 a 30 b"}, NULL, "1 owner"},
    {"moved by others, two steps",
     FOUR,
     MOVES,
     {.chunks = "a 10 b 20 a 30 b"},
     NULL,
     "2 owner, 3 owner",
     "t.c [{ x: 10 }, { x: 20 }): owned by b now, not a"},
    {"split by others",
     FOUR,
     MOVES,
     {.chunks = "a 10 a 15 a 20 a 30 b"},
     NULL,
     "2 bounds, 3 bounds",
     "t.c [{ x: 10 }, { x: 20 }): not a chunk any more; where it begins there is [{ x: 10 }, { x: 15 }) now"},
    {"first chunk split",
     FOUR,
     MOVES,
     {.chunks = "a 1 a 10 a 20 a 30 b"},
     NULL,
     "1 bounds",
     "[{ x: MinKey }, { x: 1 }) now"},
    {"merged", FOUR, MOVES, {.chunks = "a 10 a 30 b"}, NULL, "2 bounds, 3 bounds, 4 bounds"},
    {"merged with its left neighbour",
     FOUR,
     MOVES,
     {.chunks = "a 20 a 30 b"},
     NULL,
     "1 bounds, 2 bounds, 3 bounds",
     "[{ x: MinKey }, { x: 20 }) now"},
    {"merged with the last",
     FOUR,
     MOVES,
     {.chunks = "a 10 a 20 b"},
     NULL,
     "4 bounds",
     "[{ x: 20 }, { x: MaxKey }) now"},
    {"one chunk left", FOUR, MOVES, {.chunks = "a"}, NULL, "1 bounds, 2 bounds, 3 bounds, 4 bounds"},
    {"another bound", FOUR, MOVES, {.chunks = "a 10 a 21 a 30 b"}, NULL, "2 bounds, 3 bounds, 4 bounds"},
    {"recipient is gone",
     FOUR,
     MOVES,
     {"a b", "a 10 a 20 a 30 b"},
     NULL,
     "2 shard, 3 shard, 4 shard",
     "shard c is not in the cluster any more"},
    {"donor is gone", FOUR, MOVES, {"b c", "b 10 b 20 b 30 b"}, NULL, "1 shard, 2 shard, 4 shard"},
    {"recipient drains", FOUR, MOVES, {"a b! c"}, NULL, "1 recipient, 3 recipient", "recipient b drains now"},
    {"donor drains", FOUR, MOVES, {"a! b c"}, NULL, ""},
    {"another shard came", FOUR, MOVES, {"a d b c"}, NULL, ""},
    {"a zone came",
     FOUR,
     MOVES,
     {"a b/EU c/EU", .zones = "EU:10..20"},
     NULL,
     "2 zone, 3 zone",
     "t.c [{ x: 10 }, { x: 20 }): zone EU covers it now"},
    {"a zone came elsewhere", FOUR, MOVES, {"a b/EU c/EU", .zones = "EU:30..max"}, NULL, ""},
    {"a zone covers a part", FOUR, MOVES, {"a b/EU c/EU", .zones = "EU:10..15"}, NULL, ""},
    {"of a zone", {"a b/EU c", "a 10 a 20 a", .zones = "EU:10..20"}, "10..20 a>b@EU", {NULL}, NULL, ""},
    {"zone went",
     {"a b/EU c", "a 10 a 20 a", .zones = "EU:10..20"},
     "10..20 a>b@EU",
     {.zones = "EU:30..40"},
     NULL,
     "1 zone",
     "zone EU does not cover it any more"},
    {"zone is another",
     {"a b/EU/US c", "a 10 a 20 a", .zones = "EU:10..20"},
     "10..20 a>b@EU",
     {.zones = "EU:30..40 US:0..25"},
     NULL,
     "1 zone",
     "zone US covers it now, not EU"},
    {"zone shrank",
     {"a b/EU c", "a 10 a 20 a", .zones = "EU:10..20"},
     "10..20 a>b@EU",
     {.zones = "EU:10..19"},
     NULL,
     "1 zone"},
    {"zone to the end",
     {"a b/EU c", "a 10 a 20 a", .zones = "EU:20..max"},
     "20..max a>b@EU",
     {NULL},
     NULL,
     ""},
    {"recipient lost its zone",
     {"a b/EU c/EU", "a 10 a 20 a", .zones = "EU:10..20"},
     "10..20 a>b@EU",
     {"a b c/EU"},
     NULL,
     "1 recipient",
     "recipient b does not carry zone EU any more"},
    {"time-series: zones are not looked at",
     {"a b/EU c", "a 10 a 20 a", .zones = "EU:10..20", .more = "\"timeseriesFields\":{\"timeField\":\"t\"}"},
     "10..20 a>c",
     {NULL},
     NULL,
     ""},

    {"splits first", ZONED, CUTS, {NULL}, NULL, ""},
    {"the chunk to split moved",
     ZONED,
     CUTS,
     {.chunks = "a 10 c 40 b"},
     NULL,
     "1 owner, 2 owner, 3 owner",
     "t.c [{ x: 10 }, { x: 40 }): owned by c now, not a"},
    {"the chunk to split was merged",
     ZONED,
     CUTS,
     {.chunks = "a 40 b"},
     NULL,
     "1 bounds, 2 bounds, 3 bounds"},
    {"split elsewhere", ZONED, CUTS, {.chunks = "a 10 a 25 a 40 b"}, NULL, "1 bounds, 2 bounds, 3 bounds"},
    {"split already, at one point", ZONED, CUTS, {.chunks = "a 10 a 20 a 40 b"}, NULL, ""},
    {"split already, at every point", ZONED, CUTS, {.chunks = "a 10 a 20 a 30 a 40 b"}, "000", ""},
    {"split already, and moved",
     ZONED,
     CUTS,
     {.chunks = "a 10 a 20 a 30 c 40 b"},
     NULL,
     "1 bounds, 2 bounds, 3 bounds"},
    {"split already, and more",
     ZONED,
     CUTS,
     {.chunks = "a 10 a 20 a 30 a 35 a 40 b"},
     NULL,
     "1 bounds, 2 bounds, 3 bounds"},
    {"split done", ZONED, CUTS, {.chunks = "a 10 a 20 a 30 a 40 b"}, "100", ""},
    {"split and one part done", ZONED, CUTS, {.chunks = "a 10 a 20 a 30 c 40 b"}, "101", ""},
    {"a part of the split moved away", ZONED, CUTS, {.chunks = "a 10 c 20 a 30 a 40 b"}, "100", "2 owner"},
    {"a zone bound went",
     ZONED,
     "10..40|20,30 a",
     {.zones = "EU:10..20"},
     NULL,
     "1 zone",
     "no zone begins or ends at { x: 30 } any more"},
    {"all zones went", ZONED, "10..40|20,30 a", {.zones = ""}, NULL, "1 zone", "at { x: 20 } any more"},
    {"zones begin behind the point", ZONED, "10..40|20,30 a", {.zones = "EU:25..30"}, NULL, "1 zone"},

    {"a chunk goes on", FOUR, MOVES, {.chunks = "a 10 c 20 a 30 b"}, "0100", ""},
    {"a chunk went on", FOUR, MOVES, {.chunks = "b 10 b 20 a 30 b"}, "1110", ""},
    {"all done", FOUR, MOVES, {.chunks = "b 10 b 20 c 30 b"}, "1111", ""},
    {"done by others", FOUR, MOVES, {.chunks = "b 10 c 20 a 30 b"}, "0100", "1 owner"},
    {"what was done does not matter any more", FOUR, MOVES, {.chunks = "c 5 c 10 c 20 a 30 b"}, "1100", ""},

    {"open ends", OPEN, OPENS, {NULL}, NULL, ""},
    {"open ends, moved", OPEN, OPENS, {.chunks = "a 10 c 90 b"}, NULL, "1 owner, 2 owner, 3 owner, 4 owner"},
    {"open ends, split",
     OPEN,
     OPENS,
     {.chunks = "a 10 a 50 a 90 b"},
     NULL,
     "1 bounds, 2 bounds, 3 bounds, 4 bounds"},
    {"open ends, one done", OPEN, OPENS, {.chunks = "a 10 b 40 a 90 b"}, "1000", ""},
    {"open ends, two done", OPEN, OPENS, {.chunks = "a 10 b 40 c 60 a 90 b"}, "1100", ""},
    {"open ends, three done", OPEN, OPENS, {.chunks = "a 10 d 40 c 60 a 90 b"}, "1110", ""},
    {"open ends, three done, cut again", OPEN, OPENS, {.chunks = "a 10 d 20 b 40 c 60 a 90 b"}, "1110", ""},
    {"open ends, all went at once", OPEN, OPENS, {.chunks = "a 10 b 90 b"}, "1000", ""},
    {"open ends, the second took the rest", OPEN, OPENS, {.chunks = "a 10 b 40 c 90 b"}, "1100", ""},
    {"open ends, the rest moved away",
     OPEN,
     OPENS,
     {.chunks = "a 10 b 40 d 90 b"},
     "1000",
     "2 owner, 3 owner, 4 owner",
     "t.c [{ x: 10 }, { x: 90 }): nothing of it is owned by a any more"},
    {"open ends, the rest moved to where the part is",
     OPEN,
     OPENS,
     {.chunks = "a 10 b 40 b 90 b"},
     "1000",
     "2 owner, 3 owner, 4 owner"},
    {"open ends, all of it moved away",
     OPEN,
     OPENS,
     {.chunks = "a 10 d 90 b"},
     "1000",
     "2 owner, 3 owner, 4 owner"},
    {"open ends, the part moved away",
     OPEN,
     OPENS,
     {.chunks = "a 10 c 40 a 90 b"},
     "1000",
     "3 owner, 4 owner",
     "owned by c now, not b"},
    {"open ends, the rest was split",
     OPEN,
     OPENS,
     {.chunks = "a 10 b 40 a 60 a 90 b"},
     "1000",
     "2 bounds, 3 bounds, 4 bounds"},
    {"open ends, the rest was merged with its neighbour",
     {"a b c d", "a 10 a 90 a"},
     OPENS,
     {.chunks = "a 10 b 40 a"},
     "1000",
     "2 owner, 3 owner, 4 owner"},
    {"open ends, the part was merged with its neighbour",
     {"a b c d", "b 10 a 90 b"},
     OPENS,
     {.chunks = "b 40 a 90 b"},
     "1000",
     "3 bounds, 4 bounds",
     "its first part is merged"},
    {"open ends, rest of what nobody cut", OPEN, "~10..90+ a>c", {NULL}, NULL, ""},
    {"a fixed end after an open one",
     OPEN,
     "10..90+ a>b; 10..90 b>c",
     {NULL},
     NULL,
     "2 bounds",
     "not a chunk once the steps before it are done"},
    {"another range of the same begin", OPEN, "10..90 a>b; 10..80 b>c", {NULL}, NULL, "2 bounds"},
    {"another range of the same begin, done", OPEN, "10..80+ a>b; 10..90+ a>c", {NULL}, "10", ""},
};

static void layer(struct layout *now, const struct layout *then)
{
    now->shards = now->shards != NULL ? now->shards : then->shards;
    now->chunks = now->chunks != NULL ? now->chunks : then->chunks;
    now->zones = now->zones == NULL ? then->zones : now->zones[0] == '\0' ? NULL : now->zones;
    now->more = then->more;
}

static void check_row(const struct row *r)
{
    struct layout later = r->now;
    layer(&later, &r->then);
    g_autoptr(cluster) then = layout_cluster(&r->then), now = layout_cluster(&later);
    keep_versions(now, then);
    g_autoptr(work) w = work_of(then, r->steps);
    g_autofree bool *done = NULL;
    if (r->done != NULL) {
        assert_int_equal(strlen(r->done), w->steps->len);
        done = g_new0(bool, w->steps->len + 1);
        for (guint i = 0; i < w->steps->len; i++)
            done[i + 1] = r->done[i] == '1';
    }
    g_autoptr(GPtrArray) found = stale_find(w, now, done);
    g_autofree char *have = found_text(found);
    if (strcmp(have, r->want) != 0)
        fail_msg("%s: '%s' instead of '%s': %s", r->name, have, r->want,
                 found->len > 0 ? ((struct stale *)found->pdata[0])->text : "");
    if (r->says != NULL && strstr(((struct stale *)found->pdata[0])->text, r->says) == NULL)
        fail_msg("%s: '%s' does not say '%s'", r->name, ((struct stale *)found->pdata[0])->text, r->says);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        check_row(&rows[i]);
}

/* --- what layouts cannot say --- */

static const struct layout four = FOUR;

struct scene {
    cluster *cl;
    work *w;
    bool done[5];
};

static struct scene scene_new(void)
{
    struct scene s = {.cl = layout_cluster(&four)};
    s.w = work_of(s.cl, MOVES);
    return s;
}

static void scene_check(struct scene *s, const char *want, const char *says)
{
    g_autoptr(GPtrArray) found = stale_find(s->w, s->cl, s->done);
    g_autofree char *have = found_text(found);
    assert_string_equal(have, want);
    if (says != NULL && strstr(((struct stale *)found->pdata[0])->text, says) == NULL)
        fail_msg("'%s' does not say '%s'", ((struct stale *)found->pdata[0])->text, says);
}

static void scene_clear(struct scene *s)
{
    cluster_free(s->cl);
    work_free(s->w);
}

static void test_version(void **state)
{
    (void)state;
    struct scene s = scene_new();
    s.cl->collections[0].chunks.version[1] = (uint64_t)3 << 32 | 1;
    scene_check(&s, "2 version, 3 version",
                "its version is 3|1 now, not 1|1: it moved and came back, or was rewritten");
    s.done[1] = true; /* resumed: our own migrations raise versions */
    s.cl->collections[0].chunks.shard[0] = 1;
    scene_check(&s, "", NULL);
    scene_clear(&s);
}

static void test_version_of_split(void **state)
{
    (void)state;
    const struct layout zoned = ZONED;
    g_autoptr(cluster) cl = layout_cluster(&zoned);
    g_autoptr(work) w = work_of(cl, CUTS);
    cl->collections[0].chunks.version[1]++;
    g_autoptr(GPtrArray) found = stale_find(w, cl, NULL);
    g_autofree char *have = found_text(found);
    assert_string_equal(have, "1 version, 2 version, 3 version");
}

/* Only splits at zone bounds have to do with zones. */
static void test_sessions(void **state)
{
    (void)state;
    const struct layout zoned = ZONED;
    g_autoptr(cluster) cl = layout_cluster(&zoned);
    g_autoptr(work) w = work_of(cl, "10..40|12,13 a");
    struct work_step *s = w->steps->pdata[0];
    g_autoptr(GPtrArray) of_zone = stale_find(w, cl, NULL);
    assert_int_equal(of_zone->len, 1);
    g_free(s->reason);
    s->reason = g_strdup("sessions");
    g_autoptr(GPtrArray) of_sessions = stale_find(w, cl, NULL);
    assert_int_equal(of_sessions->len, 0);
}

static void test_collection(void **state)
{
    (void)state;
    struct scene s = scene_new();
    struct collection *c = &s.cl->collections[0];
    const char *all = "1 collectionGone, 2 collectionGone, 3 collectionGone, 4 collectionGone";
    c->epoch.bytes[3] ^= 1;
    scene_check(&s, all, "the collection was dropped or resharded and is another one now");
    c->epoch.bytes[3] ^= 1;
    scene_check(&s, "", NULL);
    c->has_timestamp = true;
    s.done[2] = true;
    scene_check(&s, "1 collectionGone, 3 collectionGone, 4 collectionGone", NULL);
    c->has_timestamp = s.done[2] = false;
    c->invalid = g_strdup("chunk 3 overlaps");
    scene_check(&s, all, "the collection's metadata is damaged: chunk 3 overlaps");
    g_clear_pointer(&c->invalid, g_free);
    uint32_t n = c->chunks.n;
    c->chunks.n = 0;
    scene_check(&s, all, "it has no chunks");
    c->chunks.n = n;
    c->ns[2] = 'd';
    scene_check(&s, all,
                "t.c [{ x: MinKey }, { x: 10 }): the collection is not sharded any more, or was dropped");
    scene_clear(&s);
}

static void test_key(void **state)
{
    (void)state;
    struct scene s = scene_new();
    struct collection *c = &s.cl->collections[0];
    c->epoch.bytes[3] ^= 1; /* a new key comes with a new epoch */
    c->key->fields[0].hashed = true;
    scene_check(&s, "1 key, 2 key, 3 key, 4 key", "the shard key is { x: 1 } now, not { x: 1 }");
    c->key->fields[0].hashed = false;
    c->key->fields[0].descending = true;
    scene_check(&s, "1 key, 2 key, 3 key, 4 key", NULL);
    c->key->fields[0].descending = false;
    g_string_append_len(c->key->names, "y", 2);
    scene_check(&s, "1 key, 2 key, 3 key, 4 key", NULL);
    scene_clear(&s);
}

static void test_words(void **state)
{
    (void)state;
    static const char *const words[] = {"collectionGone", "key",   "bounds",    "owner",
                                        "version",        "shard", "recipient", "zone"};
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        assert_string_equal(stale_kind_text((enum stale_kind)i), words[i]);
}

/* --- the difference of two plans --- */

static void check_diff(const char *then, const char *now, uint32_t max_lines, const char *want)
{
    g_autoptr(cluster) cl = layout_cluster(&four);
    g_autoptr(work) a = work_of(cl, then), b = work_of(cl, now);
    g_autoptr(GString) have = g_string_new(NULL);
    struct work_diff d;
    work_diff_make(a, b, max_lines, &d);
    g_string_printf(have, "%u same, %u gone, %u added", d.same, d.gone, d.added);
    for (guint i = 0; i < d.lines->len; i++)
        g_string_append_printf(have, "\n%s", (char *)d.lines->pdata[i]);
    assert_string_equal(have->str, want);
    work_diff_clear(&d);
    assert_null(d.lines);
}

static void test_diff(void **state)
{
    (void)state;
    check_diff(MOVES, MOVES, 0, "4 same, 0 gone, 0 added");
    check_diff("10..20 a>b; 20..30 a>c", "20..30 a>c; 10..20 a>c", 0,
               "1 same, 1 gone, 1 added\n"
               "- t.c [{ x: 10 }, { x: 20 }) a -> b\n"
               "+ t.c [{ x: 10 }, { x: 20 }) a -> c");
    check_diff("10..20 a>b; 10..20 a>b", "10..20 a>b", 0,
               "1 same, 1 gone, 0 added\n"
               "- t.c [{ x: 10 }, { x: 20 }) a -> b");
    check_diff("10..40|20 a; ~10..40+ a>b", "10..40|20,21,22,23,24 a; 10..40+ a>b", 0,
               "0 same, 2 gone, 2 added\n"
               "- t.c [{ x: 10 }, { x: 40 }) split at { x: 20 }\n"
               "- the rest of t.c [{ x: 10 }, { x: 40 }) a -> b\n"
               "+ t.c [{ x: 10 }, { x: 40 }) split at { x: 20 }, { x: 21 }, { x: 22 } and 2 more points\n"
               "+ t.c [{ x: 10 }, { x: 40 }) a -> b");
    check_diff("10..40|20 a", "10..40|20 b", 0, "1 same, 0 gone, 0 added");
}

static void test_diff_folded(void **state)
{
    (void)state;
    check_diff("1..2 a>b; 2..3 a>b; 3..4 a>b; 4..5 a>b", "1..2 a>c; 2..3 a>c; 4..5 a>b", 2,
               "1 same, 3 gone, 2 added\n"
               "- t.c [{ x: 1 }, { x: 2 }) a -> b\n"
               "- t.c [{ x: 2 }, { x: 3 }) a -> b\n"
               "- and 1 more\n"
               "+ t.c [{ x: 1 }, { x: 2 }) a -> c\n"
               "+ t.c [{ x: 2 }, { x: 3 }) a -> c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_version_of_split),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_collection),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_diff_folded),
    };
    return cmocka_run_group_tests_name("stale", tests, NULL, NULL);
}
