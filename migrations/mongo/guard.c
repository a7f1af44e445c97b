// SPDX-License-Identifier: Apache-2.0
/* The copy that threads share. It is read outside of the lock: threads that find it too old at the same time
 * each read it, and the last one's stays. */
#include "migrations/mongo/guard_private.h"

#include <pthread.h>
#include <string.h>

struct guard {
    gint64 max_age; /* microseconds */
    struct guard_wish *wishes;
    size_t n_wishes;
    pthread_mutex_t lock; /* of what follows; the thread sanitizer knows this kind only */
    struct guard_shards *shards;
    GHashTable *collections; /* namespace to struct guard_collection */
};

static void collection_slot_free(gpointer c)
{
    guard_collection_unref(c);
}

guard *guard_new(int64_t max_age_ms, const struct guard_wish *wishes, size_t n)
{
    guard *g = g_new0(guard, 1);
    g->max_age = CLAMP(max_age_ms, 0, INT64_MAX / 1000) * 1000;
    g->wishes = g_new0(struct guard_wish, n + 1);
    g->n_wishes = n;
    for (size_t i = 0; i < n; i++)
        g->wishes[i] = (struct guard_wish){g_strdup(wishes[i].shard), g_strdup(wishes[i].why)};
    pthread_mutex_init(&g->lock, NULL);
    g->collections = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, collection_slot_free);
    return g;
}

void guard_free(guard *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->n_wishes; i++) {
        g_free((char *)g->wishes[i].shard);
        g_free((char *)g->wishes[i].why);
    }
    g_free(g->wishes);
    guard_shards_unref(g->shards);
    g_hash_table_unref(g->collections);
    pthread_mutex_destroy(&g->lock);
    g_free(g);
}

void guard_found_clear(struct guard_found *f)
{
    bson_destroy(f->min);
    bson_destroy(f->max);
    g_free(f->text);
    *f = (struct guard_found){0};
}

/* What one question holds on to. */
struct held {
    struct guard_shards *shards;
    struct guard_collection *coll;
    bool remembered; /* some of it was read before the question came */
};

static void held_clear(struct held *h)
{
    g_clear_pointer(&h->shards, guard_shards_unref);
    g_clear_pointer(&h->coll, guard_collection_unref);
}

static bool is_young(const guard *g, gint64 read_at)
{
    return g_get_monotonic_time() - read_at < g->max_age;
}

static void take_remembered(guard *g, const char *ns, struct held *h)
{
    pthread_mutex_lock(&g->lock);
    struct guard_collection *coll = g_hash_table_lookup(g->collections, ns);
    if (g->shards != NULL && is_young(g, g->shards->read_at))
        h->shards = guard_shards_ref(g->shards);
    if (coll != NULL && is_young(g, coll->read_at))
        h->coll = guard_collection_ref(coll);
    pthread_mutex_unlock(&g->lock);
    h->remembered = h->shards != NULL || h->coll != NULL;
}

static bool read_shards(guard *g, mongoc_client_t *client, struct held *h, struct err *err)
{
    if (!guard_read_shards(client, &h->shards, err))
        return false;
    pthread_mutex_lock(&g->lock);
    guard_shards_unref(g->shards);
    g->shards = guard_shards_ref(h->shards);
    pthread_mutex_unlock(&g->lock);
    return true;
}

static bool read_collection(guard *g, mongoc_client_t *client, const char *ns, struct held *h,
                            struct err *err)
{
    if (!guard_read_collection(client, ns, &h->coll, err))
        return false;
    pthread_mutex_lock(&g->lock);
    g_hash_table_replace(g->collections, g_strdup(ns), guard_collection_ref(h->coll));
    pthread_mutex_unlock(&g->lock);
    return true;
}

static bool ask(guard *g, mongoc_client_t *client, const struct guard_question *q, struct held *h,
                enum guard_answer *ret, struct guard_found *found, struct err *err)
{
    if ((h->shards == NULL && !read_shards(g, client, h, err)) ||
        (h->coll == NULL && !read_collection(g, client, q->ns, h, err)))
        return false;
    const struct guard_view v = {h->shards, h->coll, g->wishes, g->n_wishes};
    return guard_decide(&v, client, q, ret, found, err);
}

/* A refusal is given on fresh metadata only: what is remembered may tell of a shard that drained until a
 * moment ago, or have looked for chunks in the way of before an upgrade. */
bool guard_ask(guard *g, mongoc_client_t *client, const struct guard_question *q, enum guard_answer *ret,
               struct guard_found *ret_found, struct err *err)
{
    struct held h = {0};
    struct guard_found found = {0};
    enum guard_answer answer = GUARD_CHANGED;
    take_remembered(g, q->ns, &h);
    bool done = ask(g, client, q, &h, &answer, &found, err);
    if (done && h.remembered && answer != GUARD_GO && answer != GUARD_DONE) {
        held_clear(&h);
        guard_found_clear(&found);
        done = ask(g, client, q, &h, &answer, &found, err);
    }
    held_clear(&h);
    if (!done) {
        guard_found_clear(&found);
        return err_wrap(err, "cannot check %s", q->ns);
    }
    *ret = answer;
    *ret_found = found;
    return true;
}
