// SPDX-License-Identifier: Apache-2.0
#include "balancer/key/show.h"
#include "balancer/plan/arena.h"
#include "balancer/plan/planner.h"
#include "balancer/report/keyspace.h"
#include "common/text.h"
#include "tests/support/cluster_json.h"
#include "tests/support/scenario.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Three chunks of c.c: [MinKey, 0) on a, [0, 100) on a, [100, MaxKey) on b; sizes 10, 30, 60 if asked for. */
static const char cluster_text[] =
    "{'shards': [{'_id': 'a', 'tags': ['Z']}, {'_id': 'b'}],"
    " 'collections': [{'_id': 'c.c', 'key': {'k': 1}, 'lastmodEpoch': {'$oid': '5f0000000000000000000001'}}],"
    " 'chunks': [{'ns': 'c.c', 'min': {'k': {'$minKey': 1}}, 'max': {'k': 0}, 'shard': 'a', 'lastmod': "
    "{'$timestamp': {'t': 1, 'i': 0}}%s},"
    "  {'ns': 'c.c', 'min': {'k': 0}, 'max': {'k': 100}, 'shard': 'a', 'lastmod': {'$timestamp': {'t': 1, "
    "'i': "
    "1}}%s},"
    "  {'ns': 'c.c', 'min': {'k': 100}, 'max': {'k': {'$maxKey': 1}}, 'shard': 'b', 'lastmod': "
    "{'$timestamp': "
    "{'t': 1, 'i': 2}}%s}],"
    " 'tags': [%s]}";

static const char zone_text[] = "{'ns': 'c.c', 'min': {'k': 50}, 'max': {'k': 200}, 'tag': 'Z'}";

struct scene {
    cluster *cl;
    plan *p;
};

static struct scene scene_new(bool sizes, bool zones)
{
    const char *size[3] = {"", "", ""};
    if (sizes) {
        size[0] = ", 'estimatedDataSizeBytes': 10";
        size[1] = ", 'estimatedDataSizeBytes': 30";
        size[2] = ", 'estimatedDataSizeBytes': 60";
    }
    g_autofree char *json = g_strdup_printf(cluster_text, size[0], size[1], size[2], zones ? zone_text : "");
    struct scene s = {.cl = cluster_from_json(json)};
    struct plan_options opt = plan_options_default();
    opt.policy = policy_find("count");
    assert_true(plan_make(s.cl, &opt, &s.p, NULL));
    g_array_set_size(s.p->migrations, 0); /* the tests put in their own */
    return s;
}

static void scene_clear(struct scene *s)
{
    plan_free(s->p);
    cluster_free(s->cl);
}

static plan_bound bound(struct scene *s, const char *json)
{
    bson_t doc;
    assert_true(key_parse_doc(json, &doc, NULL));
    plan_bound b = plan_arena_bound(s->p->arena, &doc);
    bson_destroy(&doc);
    return b;
}

static struct plan_migration *move(struct scene *s, const char *min, const char *max, uint16_t from,
                                   uint16_t to)
{
    struct plan_migration m = {.id = s->p->migrations->len + 1,
                               .round = 1,
                               .coll = &s->cl->collections[0],
                               .min = bound(s, min),
                               .max = bound(s, max),
                               .from = from,
                               .to = to,
                               .zone = ZONE_NONE,
                               .bytes = SIZE_UNKNOWN};
    g_array_append_val(s->p->migrations, m);
    return &g_array_index(s->p->migrations, struct plan_migration, m.id - 1);
}

/* "0 10 a>b Z #1; ..." of every part: chunk, width, shards, zone, migration. */
static void append_part(const struct keyspace_part *part, void *ctx)
{
    GString *out = ctx;
    g_string_append_printf(out, "%s%u %g %c", out->len > 0 ? "; " : "", part->chunk, part->width,
                           'a' + part->before);
    if (part->after != part->before)
        g_string_append_printf(out, ">%c", 'a' + part->after);
    if (part->zone != ZONE_NONE)
        g_string_append(out, " Z");
    if (part->move != NULL)
        g_string_append_printf(out, " #%u", part->move->id);
}

static char *walked(const struct scene *s)
{
    struct moves_by_collection moves;
    GString *out = g_string_new(NULL);
    moves_by_collection_init(&moves, s->p);
    g_autoptr(keyspace) k =
        keyspace_new(s->p, &g_array_index(s->p->collections, struct plan_collection, 0), &moves);
    assert_non_null(k);
    keyspace_walk(k, append_part, out);
    moves_by_collection_clear(&moves);
    return g_string_free(out, FALSE);
}

static void check(struct scene *s, const char *want)
{
    g_autofree char *have = walked(s);
    assert_string_equal(have, want);
    scene_clear(s);
}

static void nothing_moves(void **state)
{
    (void)state;
    struct scene s = scene_new(false, false);
    check(&s, "0 1 a; 1 1 a; 2 1 b");
    s = scene_new(true, false);
    check(&s, "0 10 a; 1 30 a; 2 60 b");
}

/* A zone's bounds cut the chunks that they lie in, evenly, as a planned split does. */
static void zones_cut(void **state)
{
    (void)state;
    struct scene s = scene_new(true, true);
    check(&s, "0 10 a; 1 15 a; 1 15 a Z; 2 30 b Z; 2 30 b");
}

static void moves_of_chunks_and_parts(void **state)
{
    (void)state;
    struct scene s = scene_new(false, false);
    move(&s, "{\"k\": 0}", "{\"k\": 100}", 0, 1);
    move(&s, "{\"k\": 100}", "{\"k\": {\"$maxKey\": 1}}", 1, 0);
    check(&s, "0 1 a; 1 1 a>b #1; 2 1 b>a #2");
    s = scene_new(false, false);
    move(&s, "{\"k\": 25}", "{\"k\": 75}", 0, 1); /* cuts its chunk in three */
    check(&s, "0 1 a; 1 0.333333 a; 1 0.333333 a>b #1; 1 0.333333 a; 2 1 b");
}

/* Of several migrations of one range the last counts; one that brings it back leaves it where it was. */
static void the_last_move_counts(void **state)
{
    (void)state;
    struct scene s = scene_new(false, false);
    move(&s, "{\"k\": 0}", "{\"k\": 100}", 0, 1);
    move(&s, "{\"k\": {\"$minKey\": 1}}", "{\"k\": {\"$maxKey\": 1}}", 0, 1);
    move(&s, "{\"k\": 0}", "{\"k\": 100}", 1, 0);
    check(&s, "0 1 a>b #2; 1 1 a #3; 2 1 b #2");
}

/* The bounds of a part that the donor picks are not known: it is the lower end. */
static void open_ends(void **state)
{
    (void)state;
    struct scene s = scene_new(true, false);
    struct plan_migration *m = move(&s, "{\"k\": 100}", "{\"k\": {\"$maxKey\": 1}}", 1, 0);
    m->open_max = true;
    m->bytes = 20;
    m = move(&s, "{\"k\": 100}", "{\"k\": {\"$maxKey\": 1}}", 1, 0);
    m->open_max = m->open_min = true;
    m->bytes = 1000; /* more than is left */
    check(&s, "0 10 a; 1 30 a; 2 20 b>a #1; 2 40 b>a #2; 2 0 b");
    s = scene_new(false, false);
    m = move(&s, "{\"k\": 0}", "{\"k\": 100}", 0, 1);
    m->open_max = true;
    check(&s, "0 1 a; 1 0.5 a>b #1; 1 0.5 a; 2 1 b");
}

/* ---- a property: widths add up to what the plan says of every shard ---- */

struct sums {
    double *before, *after, whole;
};

static void add_part(const struct keyspace_part *part, void *ctx)
{
    struct sums *s = ctx;
    s->before[part->before] += part->width;
    s->after[part->after] += part->width;
    s->whole += part->width;
}

static char *compare(const plan *p, const struct plan_collection *c, const keyspace *k, const struct sums *s)
{
    const bool bytes = keyspace_by_bytes(k);
    bool whole_chunks = c->n_splits == 0;
    for (guint i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
        whole_chunks = whole_chunks && !(m->coll == c->coll && (m->open_min || m->open_max));
    }
    for (uint32_t i = 0; i < c->n_shards; i++) {
        const struct plan_shard *sh = &c->shards[i];
        if (!bytes && fabs(s->before[sh->shard] - (double)sh->chunks) > 1e-6)
            return g_strdup_printf("%s: %g chunks of shard %u, not %" G_GINT64_FORMAT, c->coll->ns,
                                   s->before[sh->shard], sh->shard, sh->chunks);
        if (!bytes && whole_chunks && fabs(s->after[sh->shard] - (double)sh->chunks_after) > 1e-6)
            return g_strdup_printf("%s: %g chunks of shard %u afterwards, not %" G_GINT64_FORMAT, c->coll->ns,
                                   s->after[sh->shard], sh->shard, sh->chunks_after);
    }
    return NULL;
}

static char *widths_add_up(struct scenario *s)
{
    char *wrong = NULL;
    struct moves_by_collection moves;
    g_autoptr(plan) p = scenario_plan(s, s->cl, &s->opt);
    moves_by_collection_init(&moves, p);
    for (guint i = 0; i < p->collections->len && wrong == NULL; i++) {
        const struct plan_collection *c = &g_array_index(p->collections, struct plan_collection, i);
        struct sums sums = {g_new0(double, s->cl->n_shards), g_new0(double, s->cl->n_shards), 0};
        g_autoptr(keyspace) k = keyspace_new(p, c, &moves);
        if (k != NULL) {
            keyspace_walk(k, add_part, &sums);
            wrong = compare(p, c, k, &sums);
        }
        g_free(sums.before);
        g_free(sums.after);
    }
    moves_by_collection_clear(&moves);
    return wrong;
}
PROPERTY(widths_add_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_moves),
        cmocka_unit_test(zones_cut),
        cmocka_unit_test(moves_of_chunks_and_parts),
        cmocka_unit_test(the_last_move_counts),
        cmocka_unit_test(open_ends),
        cmocka_unit_test(test_widths_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
