// SPDX-License-Identifier: Apache-2.0
/* A donor keeps what it gave until its range deleter has run, and when that is nobody knows beforehand: after
 * the orphan cleanup delay at the soonest, and not before the last cursor on the range is closed. So the peak
 * is told twice: where nothing is deleted before the end, and where each range is deleted at once. */
#include "balancer/plan/preview.h"

#include "common/text.h"

#define MEGABYTE ((int64_t)1 << 20)

/* What one collection has on the shard; chunks of unknown size as assumed. */
static int64_t bytes_before(const struct coll_projection *c, uint16_t shard, bool *assumed)
{
    *assumed |= !c->coll->sizes_known && c->before_chunks[shard] > 0;
    if (c->before_bytes[shard] >= 0)
        return c->before_bytes[shard];
    *assumed |= c->before_chunks[shard] > 0;
    return c->before_chunks[shard] * c->max_chunk_bytes;
}

/* The smaller of what the configuration and the cluster allow. */
static int64_t limit_of(const struct projection *pr, uint16_t shard)
{
    int64_t own = pr->max_bytes[shard], mb = pr->cl->shards[shard].max_size_mb;
    int64_t clusters = mb <= 0 ? 0 : mb > INT64_MAX / MEGABYTE ? INT64_MAX : mb * MEGABYTE;
    if (own <= 0)
        return clusters > 0 ? clusters : SIZE_UNKNOWN;
    return clusters > 0 ? MIN(own, clusters) : own;
}

static void begin(const struct projection *pr, struct plan_peak *peaks)
{
    for (uint16_t s = 0; s < pr->cl->n_shards; s++) {
        struct plan_peak *p = &peaks[s];
        p->shard = s;
        p->orphan_bytes = pr->cl->shards[s].orphan_bytes;
        p->limit = limit_of(pr, s);
    }
    for (uint32_t i = 0; i < pr->cl->n_collections; i++)
        for (uint16_t s = 0; s < pr->cl->n_shards; s++)
            peaks[s].bytes += bytes_before(&pr->colls[i], s, &peaks[s].assumed);
}

/* A range is on both its shards from its clone's end to its deletion. */
static void add_migrations(const struct projection *pr, struct plan_peak *peaks)
{
    g_autofree int64_t *now = g_new(int64_t, pr->cl->n_shards);
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        now[s] = peaks[s].prompt_peak = peaks[s].bytes + MAX(peaks[s].orphan_bytes, 0);
    for (guint i = 0; i < pr->plan->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(pr->plan->migrations, struct plan_migration, i);
        int64_t bytes = MAX(m->bytes, 0);
        peaks[m->to].bytes_in += bytes;
        peaks[m->from].bytes_out += bytes;
        now[m->to] += bytes;
        now[m->from] -= bytes;
        peaks[m->to].prompt_peak = MAX(peaks[m->to].prompt_peak, now[m->to]);
    }
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        peaks[s].peak = peaks[s].bytes + MAX(peaks[s].orphan_bytes, 0) + peaks[s].bytes_in;
}

static void warn_too_full(struct projection *pr, const struct plan_peak *p)
{
    g_autofree char *peak = text_bytes(p->peak), *prompt = text_bytes(p->prompt_peak),
                    *limit = text_bytes(p->limit);
    g_autoptr(GString) rest = g_string_new(NULL);
    if (p->prompt_peak <= p->limit)
        g_string_append_printf(
            rest, "what it gives is deleted some time later: migrations.waitForDelete keeps it to %s",
            prompt);
    else
        g_string_append(rest, "give it room, or move less to it");
    projection_warn(pr, "shardTooFull", NULL,
                    "shard '%s' comes to hold up to %s on the way, over its limit of %s; %s",
                    pr->cl->shards[p->shard].id, peak, limit, rest->str);
}

void peaks_fill(struct projection *pr)
{
    g_array_set_size(pr->plan->peaks, pr->cl->n_shards);
    struct plan_peak *peaks = (struct plan_peak *)(void *)pr->plan->peaks->data;
    begin(pr, peaks);
    add_migrations(pr, peaks);
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        if (peaks[s].limit >= 0 && peaks[s].peak > peaks[s].limit && peaks[s].bytes_in > 0)
            warn_too_full(pr, &peaks[s]);
}
