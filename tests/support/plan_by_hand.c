// SPDX-License-Identifier: Apache-2.0
#include "tests/support/plan_by_hand.h"

#include "balancer/key/show.h"

#include <stdio.h>

enum { COLLECTIONS_MAX = 1000, ZONES_MAX = 64 };

static void *own(hand *h, void *x)
{
    g_ptr_array_add(h->owned, x);
    return x;
}

static char *own_text(hand *h, const char *s)
{
    return own(h, g_strdup(s));
}

hand *hand_new(const char *version, const char *policy, uint16_t n_shards)
{
    hand *h = g_new0(hand, 1);
    h->owned = g_ptr_array_new_with_free_func(g_free);
    h->keys = g_ptr_array_new_with_free_func((GDestroyNotify)key_pattern_free);
    h->cl.n_shards = n_shards;
    h->cl.shards = own(h, g_new0(struct shard, n_shards));
    h->cl.zones = own(h, g_new0(char *, ZONES_MAX));
    h->cl.collections = own(h, g_new0(struct collection, COLLECTIONS_MAX));
    for (uint16_t i = 0; i < n_shards; i++) {
        h->cl.shards[i].id = own(h, g_strdup_printf("shard%u", i));
        h->cl.shards[i].zones = own(h, g_new0(uint32_t, ZONES_MAX));
    }
    if (version != NULL) {
        h->cl.server_version = own_text(h, version);
        sscanf(version, "%d.%d.%d", &h->cl.server_major, &h->cl.server_minor, &h->cl.server_patch);
    }
    h->p = (plan){
        .cl = &h->cl,
        .policy = policy_find(policy),
        .id = own_text(h, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
        .collections = g_array_new(FALSE, TRUE, sizeof(struct plan_collection)),
        .rounds = g_array_new(FALSE, TRUE, sizeof(struct plan_round)),
        .splits = g_array_new(FALSE, TRUE, sizeof(struct plan_split)),
        .migrations = g_array_new(FALSE, TRUE, sizeof(struct plan_migration)),
        .advice = g_array_new(FALSE, TRUE, sizeof(struct plan_advice)),
        .blocked = g_array_new(FALSE, TRUE, sizeof(struct plan_blocked)),
        .peaks = g_array_new(FALSE, TRUE, sizeof(struct plan_peak)),
        .zone_moves = g_array_new(FALSE, TRUE, sizeof(struct plan_zone_move)),
        .zone_faults = g_array_new(FALSE, TRUE, sizeof(struct plan_zone_fault)),
        .warnings = g_array_new(FALSE, TRUE, sizeof(struct warning)),
        .summary = {.complete = true},
    };
    return h;
}

void hand_free(hand *h)
{
    if (h == NULL)
        return;
    for (guint i = 0; i < h->p.collections->len; i++)
        g_ptr_array_unref(hand_at(h, i)->zones);
    for (guint i = 0; i < h->p.splits->len; i++)
        g_ptr_array_unref(g_array_index(h->p.splits, struct plan_split, i).at);
    g_array_unref(h->p.collections);
    g_array_unref(h->p.rounds);
    g_array_unref(h->p.splits);
    g_array_unref(h->p.migrations);
    g_array_unref(h->p.blocked);
    g_array_unref(h->p.advice);
    g_array_unref(h->p.warnings);
    g_ptr_array_unref(h->keys);
    g_ptr_array_unref(h->owned);
    g_free(h);
}

void hand_shard_id(hand *h, uint16_t shard, const char *id)
{
    h->cl.shards[shard].id = own_text(h, id);
}

uint32_t hand_zone(hand *h, uint16_t shard, const char *name)
{
    struct shard *s = &h->cl.shards[shard];
    uint32_t zone = h->cl.n_zones++;
    h->cl.zones[zone] = own_text(h, name);
    s->zones[s->n_zones++] = zone;
    return zone;
}

struct plan_collection *hand_at(hand *h, guint collection)
{
    return &g_array_index(h->p.collections, struct plan_collection, collection);
}

struct collection *hand_model(hand *h, guint collection)
{
    return &h->cl.collections[collection];
}

guint hand_collection(hand *h, const char *ns, const char *key)
{
    guint n = h->cl.n_collections++;
    struct collection *c = &h->cl.collections[n];
    g_assert_cmpuint(n, <, COLLECTIONS_MAX);
    c->ns = own_text(h, ns);
    c->number = n;
    if (key != NULL) {
        bson_t doc;
        g_assert_true(key_parse_doc(key, &doc, NULL));
        g_assert_true(key_pattern_parse(&doc, &c->key, NULL));
        bson_destroy(&doc);
        g_ptr_array_add(h->keys, c->key);
    }
    struct plan_collection pc = {
        .coll = c,
        .status = PLAN_BALANCED,
        .zones = g_ptr_array_new(),
        .n_shards = h->cl.n_shards,
        .shards = own(h, g_new0(struct plan_shard, h->cl.n_shards)),
        .chunks = 10 * (int64_t)h->cl.n_shards,
        .bytes = (10LL << 20) * h->cl.n_shards,
    };
    for (uint16_t i = 0; i < h->cl.n_shards; i++)
        pc.shards[i] = (struct plan_shard){i, 10, 10, 10 << 20, 10 << 20, 10 << 20, 10};
    g_array_append_val(h->p.collections, pc);
    return n;
}

plan_bound hand_bound_of(hand *h, const bson_t *doc)
{
    return own(h, g_memdup2(bson_get_data(doc), doc->len));
}

plan_bound hand_bound(hand *h, const char *json)
{
    bson_t doc;
    g_assert_true(key_parse_doc(json, &doc, NULL));
    plan_bound b = hand_bound_of(h, &doc);
    bson_destroy(&doc);
    return b;
}

void hand_round(hand *h)
{
    struct plan_round r = {
        .number = h->p.rounds->len + 1,
        .first_split = h->p.splits->len,
        .first_migration = h->p.migrations->len,
    };
    g_array_append_val(h->p.rounds, r);
    h->p.summary.n_rounds++;
}

static struct plan_round *newest_round(hand *h)
{
    return &g_array_index(h->p.rounds, struct plan_round, h->p.rounds->len - 1);
}

void hand_split(hand *h, guint collection, const char *min, const char *max, const char *at)
{
    struct plan_split s = {
        .round = newest_round(h)->number,
        .coll = hand_model(h, collection),
        .min = hand_bound(h, min),
        .max = hand_bound(h, max),
        .at = g_ptr_array_new(),
    };
    g_ptr_array_add(s.at, (gpointer)hand_bound(h, at));
    g_array_append_val(h->p.splits, s);
    newest_round(h)->n_splits++;
    hand_at(h, collection)->n_splits++;
    h->p.summary.n_splits++;
}

struct plan_migration *hand_move(hand *h, guint collection, const char *min, const char *max, uint16_t from,
                                 uint16_t to, int64_t bytes)
{
    struct plan_migration m = {
        .id = h->p.migrations->len + 1,
        .round = newest_round(h)->number,
        .coll = hand_model(h, collection),
        .min = hand_bound(h, min),
        .max = hand_bound(h, max),
        .from = from,
        .to = to,
        .version = 2ULL << 32 | 5,
        .reason = MOVE_IMBALANCE,
        .zone = ZONE_NONE,
        .bytes = bytes,
        .why = own_text(h, "the donor holds the most and the recipient the least"),
    };
    struct plan_collection *c = hand_at(h, collection);
    g_array_append_val(h->p.migrations, m);
    newest_round(h)->n_migrations++;
    c->status = PLAN_IMBALANCED;
    c->n_migrations++;
    c->bytes_moved += MAX(bytes, 0);
    h->p.summary.n_migrations++;
    h->p.summary.bytes += MAX(bytes, 0);
    return &g_array_index(h->p.migrations, struct plan_migration, h->p.migrations->len - 1);
}

struct plan_blocked *hand_blocked(hand *h, guint collection, uint16_t shard, const char *reason)
{
    struct plan_blocked b = {
        .coll = hand_model(h, collection),
        .shard = shard,
        .reason = own_text(h, reason),
        .chunks = 3,
        .bytes = 3 << 20,
        .why = own_text(h, "these chunks are flagged jumbo; split them or clear the flag"),
    };
    g_array_append_val(h->p.blocked, b);
    return &g_array_index(h->p.blocked, struct plan_blocked, h->p.blocked->len - 1);
}

void hand_advice(hand *h, const char *code, const struct collection *coll, uint16_t shard, const char *text)
{
    const struct plan_advice a = {own_text(h, code), coll, shard, own_text(h, text), own_text(h, text),
                                  own_text(h, text)};
    g_array_append_val(h->p.advice, a);
}

void hand_warning(hand *h, const char *code, const char *ns, const char *message)
{
    struct warning w = {own_text(h, code), own_text(h, ns), own_text(h, message)};
    g_array_append_val(h->p.warnings, w);
}
