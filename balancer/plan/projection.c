// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/projection.h"

#include <string.h>

void projection_warn(struct projection *pr, const char *code, const char *ns, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct warning w = {.code = g_strdup(code), .ns = g_strdup(ns), .message = g_strdup_vprintf(fmt, ap)};
    va_end(ap);
    g_array_append_val(pr->plan->warnings, w);
}

struct round_facts projection_facts(const struct projection *pr, const struct coll_projection *c)
{
    return (struct round_facts){
        .cl = pr->cl,
        .shard_order = pr->shard_order,
        .draining = pr->draining,
        .arrived = pr->arrived,
        .free = pr->free,
        .cut_large = cluster_has_move_range(pr->cl),
        .max_chunk_bytes = c->max_chunk_bytes,
        .limits = {.no_receive = pr->no_receive,
                   .full = pr->full,
                   .threshold_chunks = pr->opt->threshold_chunks,
                   .threshold_bytes = c->threshold_bytes,
                   .threshold_percent = pr->opt->threshold_percent,
                   .weight = pr->weight,
                   .max_bytes = pr->max_bytes,
                   .shard_bytes = pr->shard_bytes},
    };
}

GArray *projection_moves(const struct projection *pr, const struct coll_projection *c)
{
    g_autofree bool *all_free = g_new(bool, pr->cl->n_shards);
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        all_free[s] = true;
    struct round_facts facts = projection_facts(pr, c);
    facts.free = all_free;
    GArray *moves = g_array_new(FALSE, FALSE, sizeof(struct move));
    pr->policy->pick(&facts, c->place, moves);
    return moves;
}

bool projection_first_move(struct projection *pr, const struct coll_projection *c, struct move *ret)
{
    g_autoptr(GArray) moves = projection_moves(pr, c);
    if (moves->len == 0)
        return false;
    *ret = g_array_index(moves, struct move, 0);
    return true;
}

/* Fisher-Yates under the seed. */
static void shuffle_u32(uint32_t *v, uint32_t n, GRand *rand)
{
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = (uint32_t)g_rand_int_range(rand, 0, (gint32)i);
        uint32_t t = v[i - 1];
        v[i - 1] = v[j];
        v[j] = t;
    }
}

static bool init_shard_wishes(struct projection *pr, struct err *err)
{
    const struct plan_options *opt = pr->opt;
    for (size_t i = 0; i < opt->n_shard_wishes; i++) {
        const struct shard_wish *w = &opt->shard_wishes[i];
        uint16_t s = cluster_find_shard(pr->cl, w->shard);
        if (s == SHARD_NONE) {
            projection_warn(pr, "unknownShard", NULL,
                            "the configuration speaks of shard '%s', which is not in the cluster", w->shard);
            continue;
        }
        pr->no_receive[s] = !w->receive;
        pr->max_bytes[s] = w->max_bytes;
        pr->watch_full = pr->watch_full || w->max_bytes > 0;
        pr->weight[s] = w->weight;
        if (pr->policy->solve == NULL && (w->weight < 1.0 || w->weight > 1.0))
            projection_warn(pr, "weightIgnored", NULL,
                            "policy '%s' does not weigh shards: the weight of shard '%s' has no effect",
                            pr->policy->name, w->shard);
    }
    for (size_t i = 0; i < opt->n_drain; i++) {
        uint16_t s = cluster_find_shard(pr->cl, opt->drain[i]);
        if (s == SHARD_NONE)
            return err_set(err, ERR_USAGE, "no shard '%s' in this cluster", opt->drain[i]);
        pr->draining[s] = true;
    }
    return true;
}

static bool init_shards(struct projection *pr, GRand *rand, struct err *err)
{
    uint16_t n = pr->cl->n_shards;
    pr->shard_order = g_new(uint16_t, n);
    pr->draining = g_new0(bool, n);
    pr->no_receive = g_new0(bool, n);
    pr->full = g_new0(bool, n);
    pr->free = g_new0(bool, n);
    pr->max_bytes = g_new0(int64_t, n);
    pr->shard_bytes = g_new0(int64_t, n);
    pr->arrived = g_new0(int64_t, n);
    pr->weight = g_new(double, n);
    pr->shard_until = g_new0(double, n);
    g_autofree uint32_t *order = g_new(uint32_t, n);
    for (uint16_t s = 0; s < n; s++) {
        order[s] = s;
        pr->weight[s] = 1;
        pr->draining[s] = pr->cl->shards[s].draining;
    }
    if (rand != NULL)
        shuffle_u32(order, n, rand);
    for (uint16_t s = 0; s < n; s++)
        pr->shard_order[s] = (uint16_t)order[s];
    return init_shard_wishes(pr, err);
}

static enum excluded exclusion(const struct projection *pr, const struct collection *coll)
{
    if (!globs_match(pr->opt->namespaces, coll->ns))
        return EXCLUDED_FILTERED;
    for (size_t i = 0; i < pr->opt->n_collection_wishes; i++)
        if (!pr->opt->collection_wishes[i].enabled && strcmp(pr->opt->collection_wishes[i].ns, coll->ns) == 0)
            return EXCLUDED_FILTERED;
    return collection_excluded(coll, pr->opt->time_series_even);
}

/* Splits are looked for in excluded collections too, as the built-in does, where the exclusion is about
 * moving only. */
static bool wants_splits(enum excluded e)
{
    return e == EXCLUDED_NO || e == EXCLUDED_DEFRAGMENTING || e == EXCLUDED_NO_BALANCE ||
           e == EXCLUDED_MIGRATIONS_NOT_PERMITTED;
}

static placement *make_placement(const struct projection *pr, const struct coll_projection *c)
{
    g_autoptr(GArray) points = g_array_new(FALSE, FALSE, sizeof(struct split_point));
    for (guint i = 0; i < c->splits->len; i++) {
        const struct split *s = &g_array_index(c->splits, struct split, i);
        for (guint k = 0; k < s->points_enc->len; k++) {
            struct split_point pt = {
                .chunk = s->chunk, .enc = s->points_enc->pdata[k], .bound = s->points_bson->pdata[k]};
            g_array_append_val(points, pt);
        }
    }
    return placement_new(pr->cl, c->coll, c->apply_zones, (const struct split_point *)(void *)points->data,
                         points->len, c->max_chunk_bytes);
}

/* Loads at the start: of the model's own chunks, before any split. */
static void init_before(const struct projection *pr, struct coll_projection *c)
{
    uint16_t n = pr->cl->n_shards;
    const struct chunks *ch = &c->coll->chunks;
    c->before_chunks = g_new0(int64_t, n);
    c->before_bytes = g_new0(int64_t, n);
    for (uint32_t i = 0; i < ch->n; i++) {
        c->before_chunks[ch->shard[i]]++;
        c->before_bytes[ch->shard[i]] += ch->bytes[i] >= 0 ? ch->bytes[i] : c->max_chunk_bytes;
    }
    for (uint16_t s = 0; c->coll->sizes_known && s < n; s++)
        c->before_bytes[s] = c->coll->bytes[s];
}

static void init_collection(struct projection *pr, uint32_t i)
{
    struct coll_projection *c = &pr->colls[i];
    bool by_size = pr->policy->unit == LOAD_BYTES;
    c->coll = &pr->cl->collections[i];
    c->excluded = exclusion(pr, c->coll);
    c->apply_zones = !c->coll->time_series;
    c->max_chunk_bytes = cluster_max_chunk_bytes(pr->cl, c->coll, by_size);
    c->threshold_bytes = pr->opt->threshold_bytes;
    for (size_t k = 0; k < pr->opt->n_collection_wishes; k++) {
        const struct collection_wish *w = &pr->opt->collection_wishes[k];
        if (strcmp(w->ns, c->coll->ns) != 0)
            continue;
        c->priority = w->priority;
        if (w->threshold > 0)
            c->threshold_bytes = w->threshold;
    }
    init_before(pr, c);
    if (wants_splits(c->excluded) && c->apply_zones)
        c->splits = splits_find(pr->cl, c->coll, by_size);
    else
        c->splits = g_array_new(FALSE, FALSE, sizeof(struct split));
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        if (c->before_bytes[s] > 0)
            pr->shard_bytes[s] += c->before_bytes[s];
    if (c->excluded != EXCLUDED_NO)
        return;
    c->place = make_placement(pr, c);
    c->net_chunks = g_new0(int64_t, (size_t)c->place->n_slots * pr->cl->n_shards);
    c->net_bytes = g_new0(int64_t, (size_t)c->place->n_slots * pr->cl->n_shards);
    c->held = c->apply_zones && c->splits->len == 0 && splits_zone_bounds_cut(c->coll);
    if (c->held)
        projection_warn(pr, "zoneBoundInsideChunk", c->coll->ns,
                        "a zone bound of '%s' lies inside a chunk that is never split: it gets no "
                        "migrations; align the zone",
                        c->coll->ns);
}

struct order_key {
    uint32_t coll, place;
    int64_t priority;
    bool first;
};

static int cmp_order(gconstpointer a, gconstpointer b)
{
    const struct order_key *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->first != y->first)
        return x->first ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place ? 1 : 0;
}

/* Priority first, then the collections that the source asks to look at first, then the input's order or the
 * seed's. */
static void init_order(struct projection *pr, GRand *rand)
{
    uint32_t n = pr->cl->n_collections;
    pr->coll_order = g_new(uint32_t, n);
    for (uint32_t i = 0; i < n; i++)
        pr->coll_order[i] = i;
    if (rand != NULL)
        shuffle_u32(pr->coll_order, n, rand);
    g_autoptr(GArray) keys = g_array_sized_new(FALSE, FALSE, sizeof(struct order_key), n);
    for (uint32_t i = 0; i < n; i++) {
        struct order_key k = {.coll = pr->coll_order[i], .place = i};
        k.priority = pr->colls[k.coll].priority;
        k.first = pr->cl->first_ns != NULL &&
                  g_ptr_array_find_with_equal_func(pr->cl->first_ns, pr->cl->collections[k.coll].ns,
                                                   g_str_equal, NULL);
        g_array_append_val(keys, k);
    }
    g_array_sort(keys, cmp_order);
    for (uint32_t i = 0; i < n; i++)
        pr->coll_order[i] = g_array_index(keys, struct order_key, i).coll;
}

/* One warning for all collections whose sizes had to be assumed. */
static void warn_assumed(struct projection *pr)
{
    uint32_t n = 0;
    const char *first = NULL;
    for (uint32_t i = 0; i < pr->cl->n_collections; i++) {
        const struct coll_projection *c = &pr->colls[i];
        if (c->place == NULL || c->coll->sizes_known)
            continue;
        first = first == NULL ? c->coll->ns : first;
        n++;
    }
    if (n == 1)
        projection_warn(
            pr, "sizesAssumed", first,
            "the size of '%s' is not known: each of its chunks is taken as one full chunk; --sizes makes the "
            "plan truer",
            first);
    else if (n > 1)
        projection_warn(
            pr, "sizesAssumed", NULL,
            "the sizes of %u collections are not known: each of their chunks is taken as one full chunk; "
            "--sizes makes the plan truer",
            n);
}

bool projection_init(struct projection *pr, const cluster *cl, const struct plan_options *opt, plan *out,
                     struct err *err)
{
    *pr = (struct projection){.cl = cl, .opt = opt, .plan = out};
    pr->policy = opt->policy != NULL ? opt->policy : policy_auto(cl);
    GRand *rand = opt->has_seed ? g_rand_new_with_seed(opt->seed) : NULL;
    bool ok = init_shards(pr, rand, err);
    if (ok) {
        pr->colls = g_new0(struct coll_projection, MAX(cl->n_collections, 1));
        for (uint32_t i = 0; i < cl->n_collections; i++)
            init_collection(pr, i);
        init_order(pr, rand);
        warn_assumed(pr);
    }
    if (rand != NULL)
        g_rand_free(rand);
    return ok;
}

void projection_clear(struct projection *pr)
{
    for (uint32_t i = 0; pr->colls != NULL && i < pr->cl->n_collections; i++) {
        struct coll_projection *c = &pr->colls[i];
        placement_free(c->place);
        g_array_unref(c->splits);
        g_free(c->before_chunks);
        g_free(c->before_bytes);
        g_free(c->net_chunks);
        g_free(c->net_bytes);
    }
    g_free(pr->colls);
    g_free(pr->coll_order);
    g_free(pr->shard_order);
    g_free(pr->draining);
    g_free(pr->no_receive);
    g_free(pr->full);
    g_free(pr->free);
    g_free(pr->max_bytes);
    g_free(pr->shard_bytes);
    g_free(pr->arrived);
    g_free(pr->weight);
    whole_answer_clear(&pr->answer);
    g_free(pr->shard_until);
}
