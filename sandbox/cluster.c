// SPDX-License-Identifier: Apache-2.0
/* Life of the cluster's state, and the few things that every other file asks: who is who, what time it is,
 * what chance says. */
#include "sandbox/cluster_impl.h"

#include <string.h>

enum { ORPHAN_DELAY = 900000 }; /* of every version, unless it is configured otherwise */

bool sb_since(const sb_cluster *c, int major, int minor)
{
    return c->opt.version_major != major ? c->opt.version_major > major : c->opt.version_minor >= minor;
}

int64_t sb_now_ms(const sb_cluster *c)
{
    return c->clock.now_ms(c->clock.host);
}

/* Cluster time: never twice the same, never back, also where the host's clock goes back. */
struct stamp sb_stamp_next(sb_cluster *c)
{
    uint32_t secs = (uint32_t)(sb_now_ms(c) / 1000);
    if (secs > c->last_secs) {
        c->last_secs = secs;
        c->last_inc = 0;
    }
    return (struct stamp){c->last_secs, ++c->last_inc};
}

void sb_oid_next(sb_cluster *c, bson_oid_t *ret)
{
    uint32_t secs = GUINT32_TO_BE((uint32_t)(sb_now_ms(c) / 1000));
    uint32_t count = ++c->next_oid;
    uint32_t n = GUINT32_TO_BE(count);
    memcpy(ret->bytes, &secs, 4);
    memcpy(ret->bytes + 4, &c->opt.seed, 4);
    memcpy(ret->bytes + 8, &n, 4);
}

void sb_uuid_next(sb_cluster *c, uint8_t ret[16])
{
    for (int i = 0; i < 16; i++)
        ret[i] = (uint8_t)g_rand_int_range(c->rand, 0, 256);
    ret[6] = (uint8_t)((ret[6] & 0x0f) | 0x40);
    ret[8] = (uint8_t)((ret[8] & 0x3f) | 0x80);
}

void sb_changed(sb_cluster *c)
{
    c->revision++;
}

struct shard *sb_find_shard(const sb_cluster *c, const char *id)
{
    return id != NULL ? g_hash_table_lookup(c->shard_by_id, id) : NULL;
}

struct coll *sb_find_coll(const sb_cluster *c, const char *ns)
{
    struct coll *k = ns != NULL ? g_hash_table_lookup(c->coll_by_ns, ns) : NULL;
    return k != NULL && !k->dropped ? k : NULL;
}

struct database *sb_find_database(const sb_cluster *c, const char *name)
{
    for (guint i = 0; i < c->databases->len; i++) {
        struct database *d = c->databases->pdata[i];
        if (strcmp(d->name, name) == 0)
            return d;
    }
    return NULL;
}

struct timer {
    sb_cluster *c;
    void *handle;
    void (*fn)(void *user);
    void *user;
};

static void timer_fired(void *data)
{
    struct timer *t = data;
    sb_cluster *c = t->c;
    void (*fn)(void *user) = t->fn;
    void *user = t->user;
    g_free(t);
    sb_enter(c);
    fn(user);
    sb_leave(c);
}

/* Whoever set it forgets the handle when it fires. */
void *sb_set_timer(sb_cluster *c, int64_t ms, void (*fn)(void *), void *user)
{
    struct timer *t = g_new0(struct timer, 1);
    *t = (struct timer){c, NULL, fn, user};
    t->handle = c->clock.after(c->clock.host, MAX(ms, 0), timer_fired, t);
    return t;
}

void sb_cancel_timer(sb_cluster *c, void **timer)
{
    struct timer *t = *timer;
    if (t != NULL)
        c->clock.cancel(c->clock.host, t->handle);
    g_free(t);
    *timer = NULL;
}

bool sb_has_zone(const struct shard *s, const char *zone)
{
    for (guint i = 0; i < s->zones->len; i++) {
        if (strcmp(s->zones->pdata[i], zone) == 0)
            return true;
    }
    return false;
}

static void shard_free(void *data)
{
    struct shard *s = data;
    g_free(s->id);
    g_free(s->host);
    g_ptr_array_unref(s->zones);
    g_free(s);
}

struct shard *sb_shard_new(sb_cluster *c, const char *id, const char *host)
{
    struct shard *s = g_new0(struct shard, 1);
    s->id = g_strdup(id);
    s->host = g_strdup(host);
    s->zones = g_ptr_array_new_with_free_func(g_free);
    s->slow = 1;
    g_ptr_array_add(c->shards, s);
    g_hash_table_insert(c->shard_by_id, s->id, s);
    sb_changed(c);
    return s;
}

/* Nothing may refer to it any more but places in the history of chunks, which are taken out. */
void sb_shard_remove(sb_cluster *c, struct shard *s)
{
    for (guint i = 0; i < c->chunks->len; i++) {
        struct chunk *ch = c->chunks->pdata[i];
        for (guint h = ch->history->len; h-- > 0;) {
            if (g_array_index(ch->history, struct placed, h).shard == s) {
                g_array_remove_index(ch->history, h);
                sb_chunk_changed(ch);
            }
        }
    }
    for (guint i = 0; i < c->colls->len; i++) {
        struct coll *k = c->colls->pdata[i];
        for (guint o = k->orphans->len; o-- > 0;) {
            if (((struct orphans *)k->orphans->pdata[o])->shard == s)
                g_ptr_array_remove_index(k->orphans, o);
        }
    }
    g_hash_table_remove(c->shard_by_id, s->id);
    g_ptr_array_remove(c->shards, s);
    sb_changed(c);
}

static void coll_free(void *data)
{
    struct coll *k = data;
    g_ptr_array_unref(k->orphans);
    g_ptr_array_unref(k->chunks);
    key_pattern_free(k->key);
    bson_destroy(k->rest);
    g_free(k->ns);
    g_free(k);
}

struct coll *sb_coll_new(sb_cluster *c, const char *ns, const bson_t *key, struct err *err)
{
    key_pattern *pattern = NULL;
    if (!key_pattern_parse(key, &pattern, err))
        return NULL;
    struct coll *k = g_new0(struct coll, 1);
    k->c = c;
    k->ns = g_strdup(ns);
    k->key = pattern;
    k->chunks = g_ptr_array_new();
    k->orphans = g_ptr_array_new_with_free_func(sb_orphans_free);
    k->rest = bson_new();
    g_ptr_array_add(c->colls, k);
    g_hash_table_replace(c->coll_by_ns, k->ns, k);
    sb_changed(c);
    return k;
}

/* All at once: taking them out one by one would walk the whole list for each. */
static void drop_chunks(sb_cluster *c, struct coll *k)
{
    GPtrArray *all = c->chunks;
    c->chunks = g_ptr_array_new_with_free_func(sb_chunk_free);
    for (guint i = 0; i < all->len; i++) {
        struct chunk *ch = all->pdata[i];
        if (ch->coll == k)
            sb_chunk_free(ch);
        else
            g_ptr_array_add(c->chunks, ch);
    }
    g_ptr_array_set_free_func(all, NULL);
    g_ptr_array_unref(all);
    g_ptr_array_set_size(k->chunks, 0);
}

/* Ends its migrations and whatever waits for them. */
void sb_coll_remove(sb_cluster *c, struct coll *k)
{
    /* from the beginning each time: the end of one may let others go on */
    for (guint i = 0; i < c->migrations->len;) {
        struct migration *m = c->migrations->pdata[i];
        if (m->move.coll == k) {
            sb_migration_fail(m, SB_CONFLICT, "Collection was dropped or recreated during the migration");
            i = 0;
        } else {
            i++;
        }
    }
    g_ptr_array_set_size(k->orphans, 0);
    for (guint i = c->zones->len; i-- > 0;) {
        if (strcmp(((const struct zone_range *)c->zones->pdata[i])->ns, k->ns) == 0)
            g_ptr_array_remove_index(c->zones, i);
    }
    drop_chunks(c, k);
    g_hash_table_remove(c->coll_by_ns, k->ns);
    /* whoever waited for its lock finds that it is gone */
    for (guint i = 0; i < c->requests->len;) {
        struct request *rq = c->requests->pdata[i];
        bool waits = rq->lock == k;
        if (waits) {
            rq->lock = NULL;
            sb_cancel_timer(c, &rq->delay);
            sb_rq_again(rq);
        }
        i = waits ? 0 : i + 1;
    }
    g_ptr_array_remove(c->colls, k);
    sb_changed(c);
}

static void database_free(void *data)
{
    struct database *d = data;
    g_free(d->name);
    g_free(d->primary);
    g_free(d);
}

struct database *sb_database_new(sb_cluster *c, const char *name, const char *primary)
{
    struct database *d = g_new0(struct database, 1);
    d->name = g_strdup(name);
    d->primary = g_strdup(primary);
    d->last_mod = 1;
    sb_uuid_next(c, d->uuid);
    d->timestamp = sb_stamp_next(c);
    g_ptr_array_add(c->databases, d);
    sb_changed(c);
    return d;
}

static void zone_range_free(void *data)
{
    struct zone_range *z = data;
    g_free(z->ns);
    g_free(z->zone);
    bson_destroy(z->min);
    bson_destroy(z->max);
    sb_bound_unref(z->low);
    sb_bound_unref(z->high);
    g_free(z);
}

struct zone_range *sb_zone_range_new(sb_cluster *c, const char *ns, const bson_t *min, const bson_t *max,
                                     const char *zone)
{
    struct zone_range *z = g_new0(struct zone_range, 1);
    z->ns = g_strdup(ns);
    z->zone = g_strdup(zone);
    z->min = bson_copy(min);
    z->max = bson_copy(max);
    sb_oid_next(c, &z->id);
    g_ptr_array_add(c->zones, z);
    sb_changed(c);
    return z;
}

void sb_bson_slot_free(void *doc)
{
    bson_destroy(doc);
}

static void fail_point_free(void *data)
{
    struct fail_point *f = data;
    g_free(f->name);
    g_free(f);
}

static void fault_free(void *data)
{
    struct injected *f = data;
    g_free(f->kind);
    g_free(f->command);
    g_free(f->shard);
    g_free(f->ns);
    g_free(f->errmsg);
    g_free(f);
}

static void docs_unref(void *docs)
{
    g_ptr_array_unref(docs);
}

sb_cluster *sb_cluster_new(const struct sb_options *opt, const struct sb_clock *clock)
{
    sb_cluster *c = g_new0(sb_cluster, 1);
    c->opt = *opt;
    if (opt->orphan_delay_ms < 0)
        c->opt.orphan_delay_ms = ORPHAN_DELAY;
    c->clock = *clock;
    c->rand = g_rand_new_with_seed(opt->seed);
    c->loaded = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, docs_unref);
    c->cache = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, sb_doc_cache_free);
    c->shards = g_ptr_array_new_with_free_func(shard_free);
    c->colls = g_ptr_array_new_with_free_func(coll_free);
    c->databases = g_ptr_array_new_with_free_func(database_free);
    c->zones = g_ptr_array_new_with_free_func(zone_range_free);
    c->settings = g_ptr_array_new_with_free_func(sb_bson_slot_free);
    c->changelog = g_ptr_array_new_with_free_func(sb_bson_slot_free);
    c->shard_by_id = g_hash_table_new(g_str_hash, g_str_equal);
    c->coll_by_ns = g_hash_table_new(g_str_hash, g_str_equal);
    c->chunks = g_ptr_array_new_with_free_func(sb_chunk_free);
    c->migrations = g_ptr_array_new_with_free_func(sb_migration_free);
    c->requests = g_ptr_array_new_with_free_func(sb_rq_free);
    c->outbox = g_ptr_array_new_with_free_func(sb_answer_free);
    c->fail_points = g_ptr_array_new_with_free_func(fail_point_free);
    c->faults = g_ptr_array_new_with_free_func(fault_free);
    c->grown_ms = sb_now_ms(c);
    return c;
}

/* Requests that wait are dropped without an answer. */
void sb_cluster_free(sb_cluster *c)
{
    if (c == NULL)
        return;
    g_ptr_array_unref(c->requests);
    g_ptr_array_unref(c->outbox);
    g_ptr_array_unref(c->migrations);
    g_hash_table_unref(c->cache);
    g_ptr_array_unref(c->chunks);
    g_ptr_array_unref(c->colls);
    g_hash_table_unref(c->coll_by_ns);
    g_hash_table_unref(c->shard_by_id);
    g_ptr_array_unref(c->shards);
    g_ptr_array_unref(c->databases);
    g_ptr_array_unref(c->zones);
    g_ptr_array_unref(c->settings);
    g_ptr_array_unref(c->changelog);
    g_ptr_array_unref(c->fail_points);
    g_ptr_array_unref(c->faults);
    g_hash_table_unref(c->loaded);
    g_rand_free(c->rand);
    g_free(c);
}

bool sb_cluster_load(sb_cluster *c, const char *collection, const bson_t *doc, struct err *err)
{
    if (c->ready)
        return sb_cluster_put(c, collection, doc, err);
    if (!bson_validate(doc, BSON_VALIDATE_NONE, NULL))
        return err_set(err, ERR_DATA, "a document of '%s' is not valid BSON", collection);
    GPtrArray *docs = g_hash_table_lookup(c->loaded, collection);
    if (docs == NULL) {
        docs = g_ptr_array_new_with_free_func(sb_bson_slot_free);
        g_hash_table_insert(c->loaded, g_strdup(collection), docs);
    }
    g_ptr_array_add(docs, bson_copy(doc));
    return true;
}

bool sb_cluster_ready(sb_cluster *c, struct err *err)
{
    if (!sb_load_all(c, err))
        return false;
    c->ready = true;
    return true;
}
