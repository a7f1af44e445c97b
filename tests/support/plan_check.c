// SPDX-License-Identifier: Apache-2.0
#include "tests/support/plan_check.h"

#include <math.h>
#include <string.h>

static const struct plan_migration *migration_at(const plan *p, guint i)
{
    return &g_array_index(p->migrations, struct plan_migration, i);
}

static char *replay_splits(const plan *p, naive_cluster *n, uint32_t round)
{
    for (guint i = 0; i < p->splits->len; i++) {
        const struct plan_split *s = &g_array_index(p->splits, struct plan_split, i);
        g_autofree bson_t *points = g_new(bson_t, s->at->len);
        bson_t min, max;
        if (s->round != round)
            continue;
        plan_bound_bson(s->min, &min);
        plan_bound_bson(s->max, &max);
        for (guint k = 0; k < s->at->len; k++)
            plan_bound_bson(s->at->pdata[k], &points[k]);
        if (!naive_split(n, naive_find(n, s->coll->ns), &min, &max, points, s->at->len))
            return g_strdup_printf("split %u of %s cannot be done", i, s->coll->ns);
    }
    return NULL;
}

/* The shard of migration `i` in another migration of its round, or NULL. */
static char *check_one_per_round(const plan *p, guint i)
{
    const struct plan_migration *m = migration_at(p, i);
    if (m->from == m->to)
        return g_strdup_printf("migration %u goes to where it is", m->id);
    for (guint k = 0; k < i; k++) {
        const struct plan_migration *o = migration_at(p, k);
        if (o->round == m->round &&
            (o->from == m->from || o->from == m->to || o->to == m->from || o->to == m->to))
            return g_strdup_printf("migrations %u and %u of round %u share a shard", o->id, m->id, m->round);
    }
    return NULL;
}

static char *check_migration(const plan *p, const naive_cluster *n, const naive_collection *c, guint i,
                             int at, enum plan_rule rule)
{
    const struct plan_migration *m = migration_at(p, i);
    const struct naive_chunk *chunk = naive_chunk_at(c, (guint)at);
    const struct naive_shard *to = naive_shard_at(n, m->to);
    switch (rule) {
    case RULE_OWNER:
        if (m->bytes < 0 || m->bytes > chunk->bytes || (m->bytes < chunk->bytes && !m->open_max))
            return g_strdup_printf("migration %u takes %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " bytes",
                                   m->id, m->bytes, chunk->bytes);
        return NULL;
    case RULE_ZONE: {
        const char *zone = naive_zone(c, chunk->min, chunk->max);
        if (!naive_carries(to, zone))
            return g_strdup_printf("migration %u of %s takes zone %s to %s, which does not carry it", m->id,
                                   c->ns, zone, to->id);
        const char *told = m->zone == ZONE_NONE ? NULL : p->cl->zones[m->zone];
        return g_strcmp0(zone, told) == 0 ? NULL : g_strdup_printf("migration %u tells a wrong zone", m->id);
    }
    case RULE_NOT_DRAINING:
        return to->draining ? g_strdup_printf("migration %u goes to %s, which is draining", m->id, to->id)
                            : NULL;
    case RULE_ONE_PER_ROUND:
        return check_one_per_round(p, i);
    default:
        return chunk->jumbo ? g_strdup_printf("migration %u takes a jumbo chunk", m->id) : NULL;
    }
}

char *plan_check_replay(const plan *p, naive_cluster *n, enum plan_rule rule)
{
    uint32_t round = 0;
    for (guint i = 0; i <= p->migrations->len; i++) {
        const struct plan_migration *m = i < p->migrations->len ? migration_at(p, i) : NULL;
        for (; round < (m == NULL ? p->rounds->len : m->round); round++) {
            char *fault = replay_splits(p, n, round + 1);
            if (fault != NULL)
                return fault;
        }
        if (m == NULL)
            break;
        naive_collection *c = naive_find(n, m->coll->ns);
        bson_t min, max;
        plan_bound_bson(m->min, &min);
        plan_bound_bson(m->max, &max);
        int at = naive_locate(c, &min, &max, m->from);
        if (at < 0)
            return g_strdup_printf("migration %u: %s does not have the range", m->id,
                                   naive_shard_at(n, m->from)->id);
        char *fault = check_migration(p, n, c, i, at, rule);
        if (fault != NULL)
            return fault;
        naive_move(c, (guint)at, m->to, m->bytes);
    }
    return NULL;
}

/* One shard's row, zeros where the plan has none. */
static struct plan_shard row_of(const struct plan_collection *c, uint16_t shard)
{
    for (uint32_t i = 0; i < c->n_shards; i++)
        if (c->shards[i].shard == shard)
            return c->shards[i];
    return (struct plan_shard){.shard = shard};
}

static uint32_t count_points(const plan *p, const struct collection *coll)
{
    uint32_t n = 0;
    for (guint i = 0; i < p->splits->len; i++)
        if (g_array_index(p->splits, struct plan_split, i).coll == coll)
            n += g_array_index(p->splits, struct plan_split, i).at->len;
    return n;
}

static char *check_table(const plan *p, const struct plan_collection *pc, const naive_cluster *before,
                         const naive_cluster *after)
{
    guint n = before->shards->len;
    const naive_collection *b = naive_find(before, pc->coll->ns), *a = naive_find(after, pc->coll->ns);
    g_autofree int64_t *sums = g_new0(int64_t, 4 * n);
    int64_t total[4] = {0};
    naive_sums(before, b, sums, sums + n);
    naive_sums(after, a, sums + 2 * n, sums + 3 * n);
    for (uint16_t s = 0; s < n; s++) {
        struct plan_shard row = row_of(pc, s);
        const int64_t told[4] = {row.chunks, row.bytes, row.chunks_after, row.bytes_after};
        for (int k = 0; k < 4; k++) {
            static const char *const columns[] = {"chunks", "bytes", "chunksAfter", "bytesAfter"};
            total[k] += told[k];
            if (told[k] != sums[(guint)k * n + s])
                return g_strdup_printf("%s, %s: %s is %" G_GINT64_FORMAT ", not %" G_GINT64_FORMAT, b->ns,
                                       naive_shard_at(before, s)->id, columns[k], told[k],
                                       sums[(guint)k * n + s]);
        }
    }
    uint32_t points = count_points(p, pc->coll);
    if (total[2] < total[0] + points || (total[2] > total[0] + points && !after->move_range))
        return g_strdup_printf("%s: chunks are not conserved", b->ns);
    if (total[3] != total[1])
        return g_strdup_printf("%s: bytes are not conserved", b->ns);
    return NULL;
}

char *plan_check_tables(const plan *p, const naive_cluster *before, const naive_cluster *after)
{
    char *fault = NULL;
    for (guint i = 0; i < p->collections->len && fault == NULL; i++)
        fault = check_table(p, &g_array_index(p->collections, struct plan_collection, i), before, after);
    return fault;
}

static char *check_round(const plan *p, guint i, uint32_t *migrations, uint32_t *splits)
{
    const struct plan_round *r = &g_array_index(p->rounds, struct plan_round, i);
    if (r->number != i + 1 || r->first_migration != *migrations || r->first_split != *splits ||
        r->n_migrations + r->n_splits == 0)
        return g_strdup_printf("round %u is out of order, or empty", i + 1);
    for (uint32_t k = 0; k < r->n_migrations; k++) {
        const struct plan_migration *m = migration_at(p, r->first_migration + k);
        if (m->round != r->number || m->id != r->first_migration + k + 1)
            return g_strdup_printf("migration %u stands in round %u", m->id, r->number);
    }
    *migrations += r->n_migrations;
    *splits += r->n_splits;
    return NULL;
}

static char *check_collection_sums(const plan *p, const struct plan_collection *c)
{
    uint32_t migrations = 0, splits = 0;
    int64_t bytes = 0, chunks = 0;
    for (guint i = 0; i < p->migrations->len; i++)
        if (migration_at(p, i)->coll == c->coll) {
            migrations++;
            bytes += migration_at(p, i)->bytes;
        }
    for (guint i = 0; i < p->splits->len; i++)
        splits += g_array_index(p->splits, struct plan_split, i).coll == c->coll;
    for (uint32_t s = 0; s < c->n_shards; s++)
        chunks += c->shards[s].chunks;
    if (migrations != c->n_migrations || splits != c->n_splits || bytes != c->bytes_moved ||
        chunks != c->chunks)
        return g_strdup_printf("%s: its sums are not those of its parts", c->coll->ns);
    if (c->status == PLAN_EXCLUDED && migrations > 0)
        return g_strdup_printf("%s is excluded, but moves", c->coll->ns);
    if (c->status == PLAN_BALANCED && migrations > 0)
        return g_strdup_printf("%s is balanced, but moves", c->coll->ns);
    return NULL;
}

char *plan_check_sums(const plan *p)
{
    const struct plan_summary *s = &p->summary;
    uint32_t migrations = 0, splits = 0;
    int64_t bytes = 0;
    char *fault = NULL;
    for (guint i = 0; i < p->rounds->len && fault == NULL; i++)
        fault = check_round(p, i, &migrations, &splits);
    for (guint i = 0; i < p->collections->len && fault == NULL; i++)
        fault = check_collection_sums(p, &g_array_index(p->collections, struct plan_collection, i));
    if (fault != NULL)
        return fault;
    for (guint i = 0; i < p->migrations->len; i++)
        bytes += migration_at(p, i)->bytes;
    if (s->n_migrations != migrations || s->n_migrations != p->migrations->len || s->n_splits != splits ||
        s->n_splits != p->splits->len || s->n_rounds != p->rounds->len || s->bytes != bytes)
        return g_strdup("the summary is not the sum of the plan");
    if (s->lower_bytes > s->bytes || s->lower_bytes < 0)
        return g_strdup_printf("lowerBound.bytes %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT, s->lower_bytes,
                               s->bytes);
    if (s->lower_rounds > s->n_rounds)
        return g_strdup_printf("lowerBound.rounds %u of %u", s->lower_rounds, s->n_rounds);
    if (!(s->time.low <= s->time.expected && s->time.expected <= s->time.high && s->time.minimum >= 0 &&
          s->time.minimum <= s->time.expected))
        return g_strdup("the times are out of order");
    if (!(s->imbalance_before >= 0 && s->imbalance_after >= 0 && isfinite(s->imbalance_before)))
        return g_strdup("the imbalance is not a number from 0");
    return NULL;
}

/* Chunks of `zone` on the shard, jumbo or not. */
static guint count_left(const naive_collection *c, uint32_t shard, const char *zone, bool jumbo,
                        int64_t *ret_bytes)
{
    guint n = 0;
    *ret_bytes = 0;
    for (guint i = 0; i < c->chunks->len; i++) {
        const struct naive_chunk *chunk = naive_chunk_at(c, i);
        if (chunk->shard != shard || chunk->jumbo != jumbo || g_strcmp0(chunk->zone, zone) != 0)
            continue;
        n++;
        *ret_bytes += chunk->bytes;
    }
    return n;
}

/* The chunk that begins at `min`; a bound told is always one. */
static const struct naive_chunk *chunk_from(const naive_collection *c, plan_bound min)
{
    bson_t bound;
    plan_bound_bson(min, &bound);
    for (guint i = 0; i < c->chunks->len; i++)
        if (bson_equal(naive_chunk_at(c, i)->min, &bound))
            return naive_chunk_at(c, i);
    return NULL;
}

static bool anyone_receives(const naive_cluster *n, uint32_t but, const char *zone)
{
    for (guint s = 0; s < n->shards->len; s++)
        if (s != but && !naive_shard_at(n, s)->draining && naive_carries(naive_shard_at(n, s), zone))
            return true;
    return false;
}

static char *check_blocked(const struct plan_blocked *b, const naive_cluster *n)
{
    const naive_collection *c = naive_find(n, b->coll->ns);
    bool jumbo = strcmp(b->reason, "jumbo") == 0;
    const struct naive_shard *shard = naive_shard_at(n, b->shard);
    int64_t bytes;
    if (strcmp(b->reason, "excluded") == 0)
        return shard->draining && (c->no_moves || c->untouched || c->time_series)
                   ? NULL
                   : g_strdup_printf("%s on %s is told to be excluded", c->ns, shard->id);
    const struct naive_chunk *first = b->min == NULL ? NULL : chunk_from(c, b->min);
    if (first == NULL)
        return g_strdup_printf("%s on %s: no chunk begins at the bound told", c->ns, shard->id);
    guint left = count_left(c, b->shard, first->zone, jumbo, &bytes);
    if ((int64_t)left != b->chunks || bytes != b->bytes)
        return g_strdup_printf("%s on %s: %u chunks of %" G_GINT64_FORMAT
                               " bytes are blocked (%s), not %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT,
                               c->ns, shard->id, left, bytes, b->reason, b->chunks, b->bytes);
    if (!jumbo && anyone_receives(n, b->shard, first->zone))
        return g_strdup_printf("%s on %s: zone %s has a receiver", c->ns, shard->id, first->zone);
    return NULL;
}

static bool is_told(const plan *p, const naive_collection *c, const struct naive_chunk *chunk)
{
    for (guint i = 0; i < p->blocked->len; i++) {
        const struct plan_blocked *b = &g_array_index(p->blocked, struct plan_blocked, i);
        if (b->shard != chunk->shard || strcmp(b->coll->ns, c->ns) != 0)
            continue;
        if (strcmp(b->reason, "excluded") == 0)
            return true;
        if ((strcmp(b->reason, "jumbo") == 0) == chunk->jumbo &&
            g_strcmp0(chunk_from(c, b->min)->zone, chunk->zone) == 0)
            return true;
    }
    return false;
}

static char *check_told(const plan *p, const naive_cluster *n, const naive_collection *c)
{
    for (guint i = 0; i < c->chunks->len; i++) {
        const struct naive_chunk *chunk = naive_chunk_at(c, i);
        const struct naive_shard *shard = naive_shard_at(n, chunk->shard);
        bool excluded = c->no_moves || c->untouched || c->time_series;
        if ((shard->draining || (!excluded && !naive_carries(shard, chunk->zone))) && !is_told(p, c, chunk)) {
            return g_strdup_printf("%s: chunk %u stays on %s, and nothing tells why", c->ns, i, shard->id);
        }
    }
    return NULL;
}

char *plan_check_blocked(const plan *p, const naive_cluster *after, bool complete)
{
    char *fault = NULL;
    for (guint i = 0; i < p->blocked->len && fault == NULL; i++)
        fault = check_blocked(&g_array_index(p->blocked, struct plan_blocked, i), after);
    for (guint i = 0; i < after->colls->len && fault == NULL && complete; i++)
        fault = check_told(p, after, after->colls->pdata[i]);
    return fault;
}
