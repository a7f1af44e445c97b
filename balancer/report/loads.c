// SPDX-License-Identifier: Apache-2.0
#include "balancer/report/loads.h"

static bool bytes_known(const struct plan_collection *c)
{
    for (uint32_t i = 0; i < c->n_shards; i++)
        if (c->shards[i].bytes < 0 || c->shards[i].bytes_after < 0 || c->shards[i].target_bytes < 0)
            return false;
    return true;
}

enum load_unit loads_unit(const plan *p, const struct plan_collection *c)
{
    return p->policy->unit == LOAD_BYTES && bytes_known(c) ? LOAD_BYTES : LOAD_CHUNKS;
}

struct shard_load loads_of(enum load_unit unit, const struct plan_shard *s)
{
    if (unit == LOAD_BYTES)
        return (struct shard_load){s->shard, s->bytes, s->bytes_after, s->target_bytes};
    return (struct shard_load){s->shard, s->chunks, s->chunks_after, s->target_chunks};
}

static enum load_unit unit_of_all(const plan *p)
{
    if (p->policy->unit != LOAD_BYTES)
        return LOAD_CHUNKS;
    for (guint i = 0; i < p->collections->len; i++) {
        const struct plan_collection *c = &g_array_index(p->collections, struct plan_collection, i);
        if (c->status != PLAN_EXCLUDED && !bytes_known(c))
            return LOAD_CHUNKS;
    }
    return LOAD_BYTES;
}

GArray *loads_of_cluster(const plan *p, enum load_unit *ret_unit)
{
    GArray *rows = g_array_new(FALSE, TRUE, sizeof(struct shard_load));
    *ret_unit = unit_of_all(p);
    g_array_set_size(rows, p->cl->n_shards);
    for (uint16_t s = 0; s < p->cl->n_shards; s++)
        g_array_index(rows, struct shard_load, s).shard = s;
    for (guint i = 0; i < p->collections->len; i++) {
        const struct plan_collection *c = &g_array_index(p->collections, struct plan_collection, i);
        for (uint32_t k = 0; c->status != PLAN_EXCLUDED && k < c->n_shards; k++) {
            const struct shard_load l = loads_of(*ret_unit, &c->shards[k]);
            struct shard_load *row = &g_array_index(rows, struct shard_load, l.shard);
            row->now += l.now;
            row->after += l.after;
            row->target += l.target;
        }
    }
    return rows;
}
