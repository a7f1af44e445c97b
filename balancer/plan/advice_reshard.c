// SPDX-License-Identifier: Apache-2.0
/* reshardFaster: whether writing a collection anew on all its shards at once takes less time than migrating
 * what is out of place, one chunk a shard at a time. Both times rest on the same speed of one shard. */
#include "balancer/plan/advice_private.h"

#include "balancer/key/show.h"
#include "common/text.h"

#include <math.h>

/* Resharding takes five minutes at least, whatever the size (reshardingMinimumOperationDurationMillis). */
static const double MINIMUM_S = 300;
/* Indexes are built, and writes caught up with, after the copy: half as long again. */
static const double AFTER_COPY = 1.5;
/* It is told where it takes no more than this part of the time. */
static const double WORTH = 0.75;
/* What a shard must have free, in multiples of what it will hold: the manual's 2 for 8.0 (indexes on top). */
enum { ROOM_TIMES = 2 };

struct comparison {
    double latency, per_byte;      /* of one migration of the collection, between any two shards: seconds */
    double migrations, resharding; /* seconds */
    int64_t moved;                 /* bytes out of place */
    int64_t share;                 /* the most that a shard will hold */
    uint32_t writing;              /* shards that will hold some */
    uint32_t roomy, unknown;       /* of those: have room under their limit, have no known limit */
    bool tight;                    /* one of them is known to lack room */
};

/* Seconds that each collection's planned migrations keep each shard busy; once for all collections. */
static void count_busy(struct advisor *a)
{
    const gsize n = a->cl->n_shards;
    if (a->busy != NULL)
        return;
    a->busy = g_new0(double, n *MAX(a->cl->n_collections, 1));
    for (guint i = 0; i < a->p->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(a->p->migrations, struct plan_migration, i);
        const double s = estimate_seconds(a->est, m->coll->number, m->from, m->to, m->bytes);
        a->busy[m->coll->number * n + m->from] += s;
        a->busy[m->coll->number * n + m->to] += s;
    }
}

static void add_room(const struct advisor *a, struct comparison *c, uint16_t shard, int64_t needed)
{
    if (a->max_bytes[shard] <= 0 || a->held[shard] < 0)
        c->unknown++;
    else if (a->max_bytes[shard] - a->held[shard] >= needed)
        c->roomy++;
    else
        c->tight = true;
}

static struct comparison speed_of(const struct advisor *a, const struct collection *coll)
{
    const int64_t gib = (int64_t)1 << 30;
    struct comparison c = {.resharding = MINIMUM_S};
    c.latency = estimate_seconds(a->est, coll->number, SHARD_NONE, SHARD_NONE, 0);
    c.per_byte =
        (estimate_seconds(a->est, coll->number, SHARD_NONE, SHARD_NONE, gib) - c.latency) / (double)gib;
    return c;
}

/* Migrations: what is over or under its share on a shard, in steps as large as the planned ones; no less than
 * the planned ones themselves. Resharding: every shard writes its share, all at once. */
static struct comparison compare(struct advisor *a, const struct coll_facts *f)
{
    struct comparison c = speed_of(a, f->coll);
    const struct plan_collection *pc = f->pc;
    const double step = pc->n_migrations > 0 ? MAX((double)pc->bytes_moved / pc->n_migrations, 1)
                                             : (double)MAX(f->max_chunk_bytes, 1);
    count_busy(a);
    for (uint32_t i = 0; i < pc->n_shards; i++) {
        const struct plan_shard *s = &pc->shards[i];
        const int64_t off = MAX(s->bytes, 0) - MAX(s->target_bytes, 0);
        const double bytes = (double)ABS(off);
        const double planned = a->busy[(gsize)f->coll->number * a->cl->n_shards + s->shard];
        const double needed = ceil(bytes / step) * c.latency + bytes * c.per_byte;
        c.migrations = MAX(c.migrations, MAX(needed, planned));
        c.moved += MAX(off, 0);
        if (s->target_bytes <= 0)
            continue;
        c.writing++;
        c.share = MAX(c.share, s->target_bytes);
        c.resharding = MAX(c.resharding, AFTER_COPY * (double)s->target_bytes * c.per_byte);
        add_room(a, &c, s->shard, MIN(s->target_bytes, INT64_MAX / ROOM_TIMES) * ROOM_TIMES);
    }
    c.moved = MAX(c.moved, pc->bytes_moved);
    return c;
}

static void say_room(GString *s, const struct comparison *c)
{
    g_string_append(s, "; each shard needs about ");
    text_append_bytes(s, MIN(c->share, INT64_MAX / ROOM_TIMES) * ROOM_TIMES);
    g_string_append(s, " free (twice its share) and twice its share of the indexes: ");
    if (c->unknown == 0)
        g_string_append(s, "all of them have it under their limits");
    else if (c->roomy == 0)
        g_string_append(s, "how much is free is not in the metadata");
    else
        g_string_append_printf(s, "%u ha%s it under %s limit, for %u it is not in the metadata", c->roomy,
                               c->roomy == 1 ? "s" : "ve", c->roomy == 1 ? "its" : "their", c->unknown);
}

static char *message(const struct advisor *a, const struct coll_facts *f, const struct comparison *c)
{
    GString *s = g_string_new("migrating the ");
    text_append_bytes(s, c->moved);
    g_string_append(s, " that are out of place takes about ");
    text_append_duration(s, c->migrations);
    g_string_append(
        s, ", as each shard takes part in one migration at a time; resharding to the same key writes all ");
    text_append_bytes(s, f->pc->bytes);
    g_string_append(s, " anew, to ");
    advice_say_n(s, c->writing, "shard");
    g_string_append(s, " at once, in about ");
    text_append_duration(s, c->resharding);
    g_string_append(s, "; both at ");
    text_append_bytes(s, (int64_t)MIN(1 / c->per_byte, 1e15));
    g_string_append_printf(s, " a second and shard (%s)",
                           a->est->basis == TIME_DEFAULT ? "assumed, nothing is measured"
                                                         : "as past migrations went");
    say_room(s, c);
    return g_string_free(s, FALSE);
}

void advice_reshard(struct advisor *a, const struct coll_facts *f)
{
    const bool has = cluster_version_cmp(a->cl, 8, 0, f->coll->time_series ? 10 : 0) >= 0;
    const bool moves =
        f->pc->n_migrations > 0 || (f->pc->status == PLAN_IMBALANCED && !a->p->summary.complete);
    if (!has || !moves || !f->coll->sizes_known || f->pc->bytes <= 0 || !(a->est->seconds_per_byte > 0))
        return;
    const struct comparison c = compare(a, f);
    if (c.tight || c.writing < 2 || c.resharding > WORTH * c.migrations)
        return;
    g_autoptr(GString) cmd = g_string_new(NULL);
    advice_command(cmd, "reshardCollection", f->coll);
    g_string_append(cmd, ", key: ");
    key_mongosh(cmd, &f->coll->key->doc);
    g_string_append(cmd, ", forceRedistribution: true})");
    g_autofree char *text = message(a, f, &c);
    advice_add(
        a, "reshardFaster", f->coll, SHARD_NONE, text,
        "check the free disk space, that the oplog reaches back 24 hours, and that I/O is below 50 % and CPU "
        "below "
        "80 %; writes to the collection stop for up to two seconds at the end; zones are kept, and shards "
        "that are "
        "draining get nothing (start a draining first); one collection at a time, with no index build and no "
        "other change of it meanwhile",
        cmd->str);
}
