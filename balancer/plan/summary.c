// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/summary.h"

#include "balancer/plan/content_id.h"

#include <string.h>

/* The shares of one collection: each zone's load spread over its shards that stay, the rest over all that
 * stay. A zone that no staying shard carries keeps its load where it is. Units that do not divide go to the
 * first shards. */
static void share_out(const struct projection *pr, const struct coll_projection *c, const int64_t *slot_load,
                      int64_t *target)
{
    uint16_t n = pr->cl->n_shards;
    const placement *p = c->place;
    for (uint32_t slot = 0; slot < p->n_slots; slot++) {
        const int64_t *load = slot_load + (size_t)slot * n;
        int64_t total = 0, sharing = 0, given = 0;
        for (uint16_t s = 0; s < n; s++) {
            total += load[s];
            if (!pr->draining[s] && shard_has_zone(&pr->cl->shards[s], p->slots[slot].zone))
                sharing++;
        }
        for (uint16_t s = 0; s < n; s++) {
            if (sharing == 0)
                target[s] += load[s];
            else if (!pr->draining[s] && shard_has_zone(&pr->cl->shards[s], p->slots[slot].zone))
                target[s] += total / sharing + (given++ < total % sharing ? 1 : 0);
        }
    }
}

double summary_imbalance(const int64_t *load, const int64_t *target, uint16_t n, uint32_t staying)
{
    double total = 0, worst = 0;
    for (uint16_t s = 0; s < n; s++)
        total += (double)MAX(load[s], 0);
    double mean = staying == 0 ? 0 : total / staying;
    for (uint16_t s = 0; s < n; s++) {
        double over = target[s] > 0 ? (double)load[s] / (double)target[s] - 1
                      : mean > 0    ? (double)load[s] / mean
                                    : 0;
        worst = MAX(worst, over);
    }
    return worst;
}

static uint32_t count_staying(const struct projection *pr)
{
    uint32_t n = 0;
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        n += pr->draining[s] ? 0 : 1;
    return n;
}

/* What all included collections hold together, in the policy's unit. */
struct totals {
    int64_t *before, *after, *target;
};

static void add_totals(const struct projection *pr, struct totals *t, const int64_t *before,
                       const int64_t *after, const int64_t *target)
{
    for (uint16_t s = 0; s < pr->cl->n_shards; s++) {
        t->before[s] += MAX(before[s], 0);
        t->after[s] += MAX(after[s], 0);
        t->target[s] += target[s];
    }
}

/* Chunks on the shard at the end. A collection that is left out may be split all the same. */
static int64_t chunks_after(const struct coll_projection *c, uint16_t shard)
{
    if (c->place != NULL)
        return c->place->shard_chunks[shard];
    int64_t chunks = c->before_chunks[shard];
    for (guint i = 0; i < c->splits->len; i++) {
        const struct split *s = &g_array_index(c->splits, struct split, i);
        if (c->coll->chunks.shard[s->chunk] == shard)
            chunks += s->points_enc->len;
    }
    return chunks;
}

static void fill_shards(const struct projection *pr, const struct coll_projection *c,
                        struct plan_collection *out, const int64_t *target_chunks,
                        const int64_t *target_bytes)
{
    uint16_t n = pr->cl->n_shards;
    const struct whole_goal *goal = pr->answer.goals == NULL ? NULL : &pr->answer.goals[c->coll->number];
    if (goal != NULL && goal->low == NULL)
        goal = NULL;
    out->shards = g_new0(struct plan_shard, n);
    for (uint16_t s = 0; s < n; s++) {
        const placement *p = c->place;
        struct plan_shard sh = {
            .shard = s,
            .chunks = c->before_chunks[s],
            .chunks_after = chunks_after(c, s),
            .bytes = c->before_bytes[s],
            .bytes_after = p == NULL ? c->before_bytes[s] : p->shard_bytes[s],
            .target_chunks = p == NULL ? c->before_chunks[s] : target_chunks[s],
            .target_bytes = p == NULL ? c->before_bytes[s] : target_bytes[s],
            .low_bytes = goal == NULL ? 0 : goal->low[s],
            .high_bytes = goal == NULL ? INT64_MAX : goal->high[s],
        };
        if (sh.chunks > 0 || sh.chunks_after > 0 || sh.bytes > 0 || (p != NULL && sh.target_chunks > 0))
            out->shards[out->n_shards++] = sh;
    }
}

static void fill_sums(const struct projection *pr, const struct coll_projection *c,
                      struct plan_collection *out)
{
    for (uint16_t s = 0; s < pr->cl->n_shards; s++) {
        out->chunks += c->before_chunks[s];
        if (c->before_bytes[s] < 0)
            out->bytes = SIZE_UNKNOWN;
        else if (out->bytes >= 0)
            out->bytes += c->before_bytes[s];
    }
}

static void fill_zones(const struct projection *pr, const struct coll_projection *c,
                       struct plan_collection *out)
{
    out->zones = g_ptr_array_new();
    for (uint32_t z = 0; z < pr->cl->n_zones; z++)
        for (uint32_t i = 0; c->apply_zones && i < c->coll->n_ranges; i++)
            if (c->coll->ranges[i].zone == z) {
                g_ptr_array_add(out->zones, pr->cl->zones[z]);
                break;
            }
}

static void fill_collection(struct projection *pr, uint32_t i, struct totals *totals)
{
    uint16_t n = pr->cl->n_shards;
    struct coll_projection *c = &pr->colls[i];
    struct plan_collection out = {
        .coll = c->coll,
        .excluded = c->excluded,
        .violation = c->violation,
        .status = c->excluded != EXCLUDED_NO ? PLAN_EXCLUDED
                  : c->violation != NULL     ? PLAN_IMBALANCED
                                             : PLAN_BALANCED,
        .n_migrations = c->n_migrations,
        .n_splits = c->n_splits,
        .bytes_moved = c->bytes_moved,
        .sizes_assumed = !c->coll->sizes_known,
    };
    g_autofree int64_t *target_chunks = g_new0(int64_t, n);
    g_autofree int64_t *target_bytes = g_new0(int64_t, n);
    fill_zones(pr, c, &out);
    fill_sums(pr, c, &out);
    if (c->place != NULL) {
        share_out(pr, c, c->place->slot_chunks, target_chunks);
        share_out(pr, c, c->place->slot_bytes, target_bytes);
        if (pr->answer.goals != NULL && pr->answer.goals[i].target != NULL)
            for (uint16_t s = 0; s < n; s++)
                target_bytes[s] = (int64_t)(pr->answer.goals[i].target[s] + 0.5);
        bool chunks = pr->policy->unit == LOAD_CHUNKS;
        const int64_t *before = chunks ? c->before_chunks : c->before_bytes;
        const int64_t *after = chunks ? c->place->shard_chunks : c->place->shard_bytes;
        const int64_t *target = chunks ? target_chunks : target_bytes;
        out.imbalance_before = summary_imbalance(before, target, n, count_staying(pr));
        out.imbalance_after = summary_imbalance(after, target, n, count_staying(pr));
        add_totals(pr, totals, before, after, target);
    }
    fill_shards(pr, c, &out, target_chunks, target_bytes);
    g_array_append_val(pr->plan->collections, out);
}

/* No plan that ends in the same distribution moves fewer bytes, or takes fewer rounds: what a zone's data on
 * a shard lost must have left it, what it gained must have come, and a shard moves one range a round. */
static void fill_lower_bounds(struct projection *pr)
{
    uint16_t n = pr->cl->n_shards;
    g_autofree int64_t *per_shard = g_new0(int64_t, n);
    int64_t bytes = 0, rounds = 0;
    for (uint32_t i = 0; i < pr->cl->n_collections; i++) {
        const struct coll_projection *c = &pr->colls[i];
        for (uint32_t slot = 0; c->place != NULL && slot < c->place->n_slots; slot++)
            for (uint16_t s = 0; s < n; s++) {
                bytes += MAX(c->net_bytes[(size_t)slot * n + s], 0);
                per_shard[s] += ABS(c->net_chunks[(size_t)slot * n + s]);
            }
    }
    for (uint16_t s = 0; s < n; s++)
        rounds = MAX(rounds, per_shard[s]);
    if (pr->policy->solve != NULL && pr->plan->summary.complete) {
        bytes = MIN(pr->answer.lower_bytes, pr->moved_bytes);
        rounds = pr->rounds_bound;
    }
    if (rounds == 0 && pr->plan->rounds->len > 0)
        rounds = 1; /* splits only */
    pr->plan->summary.lower_bytes = bytes;
    pr->plan->summary.lower_rounds = (uint32_t)rounds;
}

void summary_fill(struct projection *pr)
{
    uint16_t n = pr->cl->n_shards;
    struct plan_summary *s = &pr->plan->summary;
    struct totals t = {g_new0(int64_t, n), g_new0(int64_t, n), g_new0(int64_t, n)};
    for (uint32_t i = 0; i < pr->cl->n_collections; i++)
        fill_collection(pr, i, &t);
    s->imbalance_before = summary_imbalance(t.before, t.target, n, count_staying(pr));
    s->imbalance_after = summary_imbalance(t.after, t.target, n, count_staying(pr));
    g_free(t.before);
    g_free(t.after);
    g_free(t.target);
    s->n_migrations = pr->plan->migrations->len;
    s->n_splits = pr->plan->splits->len;
    s->n_rounds = pr->plan->rounds->len;
    s->bytes = pr->moved_bytes;
    fill_lower_bounds(pr);
}

static void add_split(content_id *c, const plan *p, const struct plan_split *s)
{
    g_autofree char *version = collection_version_text(s->coll, s->version);
    const struct content_step step = {
        .round = s->round,
        .ns = s->coll->ns,
        .key = s->coll->key,
        .min = s->min,
        .max = s->max,
        .at = (const plan_bound *)s->at->pdata,
        .n_at = s->at->len,
        .from = p->cl->shards[s->shard].id,
        .version = version,
        .reason = split_reason_text(s->reason),
        .bytes = SIZE_UNKNOWN,
    };
    content_id_add(c, &step);
}

static void add_move(content_id *c, const plan *p, const struct plan_migration *m)
{
    g_autofree char *version = collection_version_text(m->coll, m->version);
    const struct content_step step = {
        .round = m->round,
        .ns = m->coll->ns,
        .key = m->coll->key,
        .min = m->min,
        .max = m->max,
        .from = p->cl->shards[m->from].id,
        .to = p->cl->shards[m->to].id,
        .version = version,
        .reason = move_reason_text(m->reason),
        .zone = m->zone == ZONE_NONE ? NULL : cluster_zone_name(p->cl, m->zone),
        .bytes = m->bytes,
        .force_jumbo = m->force_jumbo,
        .open_min = m->open_min,
        .open_max = m->open_max,
    };
    content_id_add(c, &step);
}

char *plan_content_id(const plan *p)
{
    content_id *c = content_id_new(p->policy->name);
    for (guint r = 0; r < p->rounds->len; r++) {
        const struct plan_round *round = &g_array_index(p->rounds, struct plan_round, r);
        for (uint32_t i = 0; i < round->n_splits; i++)
            add_split(c, p, &g_array_index(p->splits, struct plan_split, round->first_split + i));
        for (uint32_t i = 0; i < round->n_migrations; i++)
            add_move(c, p, &g_array_index(p->migrations, struct plan_migration, round->first_migration + i));
    }
    return content_id_end(c);
}
