// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/why.h"

#include "common/text.h"

void why_append_load(GString *s, enum load_unit unit, int64_t load)
{
    if (unit == LOAD_BYTES) {
        if (load < 0)
            g_string_append(s, "an unknown size");
        else
            text_append_bytes(s, load);
        return;
    }
    text_append_count(s, load);
    g_string_append(s, load == 1 ? " chunk" : " chunks");
}

static const char *shard_id(const struct projection *pr, uint16_t shard)
{
    return pr->cl->shards[shard].id;
}

/* "shard2 holds the least of the 2 shards in zone EU that can receive" */
static void append_recipient(GString *s, const struct projection *pr, const struct coll_projection *c,
                             const struct move *m)
{
    text_append_escaped(s, shard_id(pr, m->to), -1);
    if (m->n_receivers == 1) {
        g_string_append(s, " is the only free shard");
    } else {
        g_string_append(s, " holds the least of it (");
        const int64_t *load = pr->policy->unit == LOAD_BYTES ? c->place->shard_bytes : c->place->shard_chunks;
        why_append_load(s, pr->policy->unit, load[m->to]);
        g_string_append_printf(s, ") of the %u free shards", m->n_receivers);
    }
    if (m->zone != ZONE_NONE) {
        g_string_append(s, " in zone ");
        text_append_escaped(s, cluster_zone_name(pr->cl, m->zone), -1);
    }
    g_string_append(s, " that can receive");
}

static void append_drain(GString *s, const struct projection *pr, const struct coll_projection *c,
                         const struct move *m)
{
    text_append_escaped(s, shard_id(pr, m->from), -1);
    g_string_append(s, " is draining and still holds ");
    why_append_load(s, LOAD_CHUNKS, c->place->shard_chunks[m->from]);
    if (pr->policy->unit == LOAD_BYTES) {
        g_string_append(s, ", ");
        why_append_load(s, LOAD_BYTES, m->donor_load);
        g_string_append(s, ",");
    }
    g_string_append(s, " of ");
    text_append_escaped(s, c->coll->ns, -1);
}

static void append_violation(GString *s, const struct projection *pr, const struct move *m)
{
    const char *zone = cluster_zone_name(pr->cl, m->zone);
    g_string_append(s, "the range belongs to zone ");
    text_append_escaped(s, zone, -1);
    g_string_append(s, ", which ");
    text_append_escaped(s, shard_id(pr, m->from), -1);
    g_string_append(s, " does not carry");
}

/* "shard0 holds 12.4 GiB of shop.users, 3.1 GiB over its share of 9.3 GiB" */
static void append_imbalance(GString *s, const struct projection *pr, const struct coll_projection *c,
                             const struct move *m)
{
    enum load_unit unit = pr->policy->unit;
    text_append_escaped(s, shard_id(pr, m->from), -1);
    g_string_append(s, " holds ");
    why_append_load(s, unit, m->donor_load);
    g_string_append(s, " of ");
    text_append_escaped(s, c->coll->ns, -1);
    if (unit == LOAD_CHUNKS && m->zone != ZONE_NONE) {
        g_string_append(s, " in zone ");
        text_append_escaped(s, cluster_zone_name(pr->cl, m->zone), -1);
    } else if (unit == LOAD_CHUNKS && c->place->n_slots > 1) {
        g_string_append(s, " in no zone");
    }
    g_string_append(s, ", ");
    why_append_load(s, unit, m->donor_load - m->ideal);
    g_string_append(s, " over its share of ");
    why_append_load(s, unit, m->ideal);
    g_string_append_printf(s, " (%u shards)", m->n_sharing);
}

/* "3.1 GiB over its share of 9.3 GiB" */
static void append_off(GString *s, int64_t load, int64_t share)
{
    if (load == share) {
        g_string_append(s, "just its share");
        return;
    }
    why_append_load(s, LOAD_BYTES, ABS(load - share));
    g_string_append(s, load > share ? " over its share of " : " under its share of ");
    why_append_load(s, LOAD_BYTES, share);
}

/* "shard3 holds 2.1 GiB of it, 7.2 GiB under its share of 9.3 GiB" */
static void append_whole_recipient(GString *s, const struct projection *pr, const struct move *m)
{
    text_append_escaped(s, shard_id(pr, m->to), -1);
    g_string_append(s, " holds ");
    why_append_load(s, LOAD_BYTES, m->recipient_load);
    g_string_append(s, " of it, ");
    append_off(s, m->recipient_load, m->recipient_ideal);
    if (m->zone != ZONE_NONE) {
        g_string_append(s, ", and carries zone ");
        text_append_escaped(s, cluster_zone_name(pr->cl, m->zone), -1);
    }
}

static void append_whole_total(GString *s, const struct projection *pr, const struct move *m)
{
    g_string_append(s, "all collections together are to be even: ");
    text_append_escaped(s, shard_id(pr, m->from), -1);
    g_string_append(s, " holds ");
    why_append_load(s, LOAD_BYTES, pr->shard_bytes[m->from]);
    g_string_append(s, ", ");
    text_append_escaped(s, shard_id(pr, m->to), -1);
    g_string_append_c(s, ' ');
    why_append_load(s, LOAD_BYTES, pr->shard_bytes[m->to]);
}

char *why_whole(const struct projection *pr, const struct coll_projection *c, const struct whole_move *w)
{
    const struct move *m = &w->move;
    GString *s = g_string_new(NULL);
    switch (m->reason) {
    case MOVE_DRAIN:
        text_append_escaped(s, shard_id(pr, m->from), -1);
        g_string_append(s, " is draining and holds ");
        why_append_load(s, LOAD_BYTES, m->donor_load);
        g_string_append(s, " of ");
        text_append_escaped(s, c->coll->ns, -1);
        break;
    case MOVE_ZONE_VIOLATION:
        append_violation(s, pr, m);
        break;
    default:
        if (w->for_total) {
            append_whole_total(s, pr, m);
            return g_string_free(s, FALSE);
        }
        text_append_escaped(s, shard_id(pr, m->from), -1);
        g_string_append(s, " holds ");
        why_append_load(s, LOAD_BYTES, m->donor_load);
        g_string_append(s, " of ");
        text_append_escaped(s, c->coll->ns, -1);
        g_string_append(s, ", ");
        append_off(s, m->donor_load, m->ideal);
        break;
    }
    g_string_append(s, "; ");
    append_whole_recipient(s, pr, m);
    return g_string_free(s, FALSE);
}

char *why_move(const struct projection *pr, const struct coll_projection *c, const struct move *m)
{
    GString *s = g_string_new(NULL);
    switch (m->reason) {
    case MOVE_DRAIN:
        append_drain(s, pr, c, m);
        break;
    case MOVE_ZONE_VIOLATION:
        append_violation(s, pr, m);
        break;
    default:
        append_imbalance(s, pr, c, m);
        break;
    }
    g_string_append(s, "; ");
    append_recipient(s, pr, c, m);
    return g_string_free(s, FALSE);
}
