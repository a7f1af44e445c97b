// SPDX-License-Identifier: Apache-2.0
#include "balancer/answer/drain.h"

#include "balancer/answer/drain_private.h"
#include "balancer/answer/lookup.h"
#include "balancer/key/show.h"

#include <string.h>

static void jumbo_clear(gpointer p)
{
    g_free(((struct drain_jumbo *)p)->fix);
}

static void zone_clear(gpointer p)
{
    g_array_unref(((struct drain_zone *)p)->receivers);
}

static void blocker_clear(gpointer p)
{
    struct drain_blocker *b = p;
    g_free(b->ns);
    g_free(b->why);
    g_free(b->fix);
}

static void step_clear(gpointer p)
{
    struct drain_step *s = p;
    g_free(s->what);
    g_ptr_array_unref(s->commands);
}

static GArray *array_of(gsize size, GDestroyNotify clear)
{
    GArray *a = g_array_new(FALSE, TRUE, (guint)size);
    if (clear != NULL)
        g_array_set_clear_func(a, clear);
    return a;
}

static drain *drain_new(const cluster *cl, uint16_t shard)
{
    drain *d = g_new0(drain, 1);
    d->cl = cl;
    d->shard = shard;
    d->already = cl->shards[shard].draining;
    d->others = array_of(sizeof(uint16_t), NULL);
    d->collections = array_of(sizeof(struct drain_collection), NULL);
    d->jumbo = array_of(sizeof(struct drain_jumbo), jumbo_clear);
    d->zones = array_of(sizeof(struct drain_zone), zone_clear);
    d->databases = array_of(sizeof(char *), NULL);
    d->unsplittable = array_of(sizeof(const struct collection *), NULL);
    d->blockers = array_of(sizeof(struct drain_blocker), blocker_clear);
    d->steps = array_of(sizeof(struct drain_step), step_clear);
    d->advice = array_of(sizeof(struct plan_advice), NULL);
    return d;
}

void drain_free(drain *d)
{
    if (d == NULL)
        return;
    g_array_unref(d->others);
    g_array_unref(d->collections);
    g_array_unref(d->jumbo);
    g_array_unref(d->zones);
    g_array_unref(d->databases);
    g_array_unref(d->unsplittable);
    g_array_unref(d->blockers);
    g_array_unref(d->steps);
    g_array_unref(d->advice);
    plan_free(d->plan);
    g_free(d);
}

/* clearJumboFlag takes the chunk's bounds; before 4.2.3 only a split helps. */
static char *jumbo_fix(const struct collection *coll, uint32_t chunk)
{
    bson_t min = BSON_INITIALIZER, max = BSON_INITIALIZER;
    chunk_min(coll, &coll->chunks, chunk, &min);
    chunk_max(coll, &coll->chunks, chunk, &max);
    GString *s = g_string_new("db.adminCommand({clearJumboFlag: ");
    key_mongosh_string(s, coll->ns);
    g_string_append(s, ", bounds: [");
    key_mongosh(s, &min);
    g_string_append(s, ", ");
    key_mongosh(s, &max);
    g_string_append(s, "]})");
    bson_destroy(&min);
    bson_destroy(&max);
    return g_string_free(s, FALSE);
}

/* Counts the collection's chunks on the shard and keeps its jumbo ones. */
static void count_chunks(drain *d, struct drain_collection *out)
{
    const struct chunks *ch = &out->coll->chunks;
    for (uint32_t i = 0; i < ch->n; i++) {
        if (ch->shard[i] != d->shard)
            continue;
        out->chunks++;
        if ((ch->flags[i] & CHUNK_JUMBO) == 0)
            continue;
        out->jumbo++;
        if (d->jumbo->len < DRAIN_JUMBO_MAX) {
            struct drain_jumbo j = {.coll = out->coll, .chunk = i, .fix = jumbo_fix(out->coll, i)};
            g_array_append_val(d->jumbo, j);
        }
    }
}

/* Chunks on the shard by zone, and who could take them. */
static void add_zones(drain *d, const struct collection *coll, const bool *no_receive)
{
    g_autofree int64_t *held = g_new0(int64_t, d->cl->n_zones + 1);
    for (uint32_t i = 0; i < coll->chunks.n; i++)
        if (coll->chunks.shard[i] == d->shard)
            held[coll->n_ranges == 0 ? d->cl->n_zones
                                     : MIN(lookup_chunk_zone(coll, i).zone, d->cl->n_zones)]++;
    for (uint32_t z = 0; z <= d->cl->n_zones; z++) {
        struct drain_zone out = {
            .coll = coll, .zone = z == d->cl->n_zones ? ZONE_NONE : z, .chunks = held[z]};
        if (held[z] == 0 || (out.zone == ZONE_NONE && coll->n_ranges == 0))
            continue;
        out.receivers = g_array_new(FALSE, FALSE, sizeof(uint16_t));
        for (uint16_t s = 0; s < d->cl->n_shards; s++)
            if (s != d->shard && !d->cl->shards[s].draining && !no_receive[s] &&
                shard_has_zone(&d->cl->shards[s], out.zone))
                g_array_append_val(out.receivers, s);
        g_array_append_val(d->zones, out);
    }
}

static void add_collections(drain *d, const plan *p, const bool *no_receive)
{
    for (guint i = 0; i < p->collections->len; i++) {
        const struct plan_collection *pc = &g_array_index(p->collections, struct plan_collection, i);
        struct drain_collection out = {
            .coll = pc->coll, .excluded = pc->excluded, .chunks_after = SIZE_UNKNOWN};
        count_chunks(d, &out);
        if (out.chunks == 0)
            continue;
        if (pc->excluded == EXCLUDED_UNSPLITTABLE) {
            g_array_append_val(d->unsplittable, pc->coll);
            continue;
        }
        out.bytes = pc->coll->sizes_known ? pc->coll->bytes[d->shard] : SIZE_UNKNOWN;
        for (uint32_t s = 0; s < pc->n_shards && pc->excluded == EXCLUDED_NO; s++)
            if (pc->shards[s].shard == d->shard)
                out.chunks_after = pc->shards[s].chunks_after;
        d->chunks += out.chunks;
        d->jumbo_total += out.jumbo;
        d->bytes = d->bytes < 0 || out.bytes < 0 ? SIZE_UNKNOWN : d->bytes + out.bytes;
        d->left += out.chunks_after >= 0 ? out.chunks_after : out.chunks;
        g_array_append_val(d->collections, out);
        if (pc->excluded == EXCLUDED_NO && !pc->coll->time_series)
            add_zones(d, pc->coll, no_receive);
    }
}

/* Only those off the shard count; they wait for both their shards, as all migrations do. The range is that of
 * the whole plan. */
static void add_migrations(drain *d, const plan *p)
{
    const struct plan_time *t = &p->summary.time;
    bool never = false;
    for (guint i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
        if (m->from != d->shard)
            continue;
        d->migrations++;
        d->rounds = m->round;
        d->bytes_moved = d->bytes_moved < 0 || m->bytes < 0 ? SIZE_UNKNOWN : d->bytes_moved + m->bytes;
        d->seconds = MAX(d->seconds, m->starts + m->seconds);
        never |= m->ends_at == 0;
        d->ends_at = MAX(d->ends_at, m->ends_at);
        for (guint k = 0; k < d->collections->len; k++) {
            struct drain_collection *c = &g_array_index(d->collections, struct drain_collection, k);
            c->n_migrations += c->coll == m->coll ? 1 : 0;
        }
    }
    d->starts_at = d->migrations > 0 ? t->starts_at : 0;
    d->ends_at = never ? 0 : d->ends_at;
    d->low = t->expected > 0 ? d->seconds * t->low / t->expected : 0;
    d->high = t->expected > 0 ? d->seconds * t->high / t->expected : 0;
    d->basis = t->basis;
}

static void add_names(drain *d)
{
    for (uint16_t s = 0; s < d->cl->n_shards; s++)
        if (s != d->shard && d->cl->shards[s].draining)
            g_array_append_val(d->others, s);
    for (uint32_t i = 0; i < d->cl->n_databases; i++)
        if (d->cl->databases[i].primary == d->shard)
            g_array_append_val(d->databases, d->cl->databases[i].name);
}

/* Shards that the configuration keeps from receiving. */
static bool *closed_shards(const cluster *cl, const struct plan_options *opt)
{
    bool *closed = g_new0(bool, cl->n_shards);
    for (size_t i = 0; i < opt->n_shard_wishes; i++) {
        uint16_t s = cluster_find_shard(cl, opt->shard_wishes[i].shard);
        if (s != SHARD_NONE)
            closed[s] = !opt->shard_wishes[i].receive;
    }
    return closed;
}

/* What is about emptying it: faster ways, and zones that are larger than their room. What is about one zone
 * or chunk is among the blockers. */
static void add_advice(drain *d, const plan *p)
{
    for (guint i = 0; i < p->advice->len; i++) {
        const struct plan_advice *a = &g_array_index(p->advice, struct plan_advice, i);
        bool here = a->coll == NULL;
        for (guint k = 0; k < d->collections->len && strcmp(a->code, "reshardFaster") == 0; k++)
            here |= g_array_index(d->collections, struct drain_collection, k).coll == a->coll;
        if (here)
            g_array_append_vals(d->advice, a, 1);
    }
}

bool drain_make(const cluster *cl, const struct plan_options *opt, const char *shard, drain **ret,
                struct err *err)
{
    uint16_t s;
    if (!lookup_shard(cl, shard, &s, err))
        return false;
    if (cl->n_shards == 1)
        return err_set(err, ERR_USAGE,
                       "'%s' is the only shard: there is nowhere to move its data; add a shard first", shard);
    g_autofree const char **names = g_new(const char *, opt->n_drain + 1);
    for (size_t i = 0; i < opt->n_drain; i++)
        names[i] = opt->drain[i];
    names[opt->n_drain] = shard;
    struct plan_options all = *opt;
    all.drain = names;
    all.n_drain = opt->n_drain + 1;
    all.until_balanced = true;
    all.advice = true;
    all.max_moves = all.max_bytes = 0;
    all.max_seconds = 0;
    g_autoptr(plan) p = NULL;
    if (!plan_make(cl, &all, &p, err))
        return false;
    g_autofree bool *closed = closed_shards(cl, opt);
    drain *d = drain_new(cl, s);
    d->policy = p->policy;
    add_names(d);
    add_collections(d, p, closed);
    add_migrations(d, p);
    drain_find_blockers(d, p);
    drain_list_steps(d);
    add_advice(d, p);
    d->plan = g_steal_pointer(&p);
    *ret = d;
    return true;
}
