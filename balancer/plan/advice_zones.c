// SPDX-License-Identifier: Apache-2.0
/* zoneCannotBeMet: zones that no migration can bring to where they belong, as things are. */
#include "balancer/plan/advice_private.h"

#include "balancer/key/show.h"
#include "common/text.h"

/* What the shards that carry a zone can do for it. */
struct carriers {
    bool *all, *staying; /* per shard */
    uint32_t n_all, n_staying, n_taking;
};

static struct carriers find_carriers(const struct advisor *a, uint32_t zone)
{
    struct carriers c = {.all = g_new0(bool, a->cl->n_shards), .staying = g_new0(bool, a->cl->n_shards)};
    for (uint16_t s = 0; s < a->cl->n_shards; s++) {
        c.all[s] = shard_has_zone(&a->cl->shards[s], zone);
        c.staying[s] = c.all[s] && a->stays[s];
        c.n_all += c.all[s] ? 1 : 0;
        c.n_staying += c.staying[s] ? 1 : 0;
        c.n_taking += c.all[s] && a->takes[s] ? 1 : 0;
    }
    return c;
}

static void carriers_clear(struct carriers *c)
{
    g_free(c->all);
    g_free(c->staying);
}

/* Chunks of the zone that have to go to a carrier that stays. */
static int64_t chunks_elsewhere(const struct advisor *a, const struct slot_facts *slot,
                                const struct carriers *c)
{
    int64_t n = 0;
    for (uint16_t s = 0; s < a->cl->n_shards; s++)
        n += c->staying[s] ? 0 : slot->chunks[s];
    return n;
}

static void say_zone(GString *s, const struct advisor *a, uint32_t zone)
{
    g_string_append(s, "zone '");
    advice_say_name(s, a->cl->zones[zone]);
    g_string_append_c(s, '\'');
}

/* "a is draining, b and c are full". */
static void say_obstacles(GString *s, const struct advisor *a, const struct carriers *c)
{
    static const char *const words[] = {"draining", "configured not to receive", "full"};
    g_autofree bool *in = g_new(bool, a->cl->n_shards);
    bool any = false;
    for (unsigned kind = 0; kind < G_N_ELEMENTS(words); kind++) {
        uint32_t n = 0;
        for (uint16_t i = 0; i < a->cl->n_shards; i++) {
            const unsigned of = !a->stays[i] ? 0 : a->closed[i] ? 1 : 2;
            in[i] = c->all[i] && of == kind;
            n += in[i] ? 1 : 0;
        }
        if (n == 0)
            continue;
        g_string_append(s, any ? ", " : "");
        advice_say_shards(s, a->cl, in);
        g_string_append_printf(s, " %s %s", n == 1 ? "is" : "are", words[kind]);
        any = true;
    }
}

/* addShardToZone for the shard that could take it best: of those that receive, the one with the least data.
 */
static char *zone_command(const struct advisor *a, uint32_t zone)
{
    uint16_t best = SHARD_NONE;
    for (uint16_t s = 0; s < a->cl->n_shards; s++)
        if (a->takes[s] && !shard_has_zone(&a->cl->shards[s], zone) &&
            (best == SHARD_NONE || (a->held[s] >= 0 && a->held[s] < a->held[best])))
            best = s;
    if (best == SHARD_NONE)
        return NULL;
    GString *cmd = g_string_new("db.adminCommand({addShardToZone: ");
    key_mongosh_string(cmd, a->cl->shards[best].id);
    g_string_append(cmd, ", zone: ");
    key_mongosh_string(cmd, a->cl->zones[zone]);
    g_string_append(cmd, "})");
    return g_string_free(cmd, FALSE);
}

static void advise_slot(struct advisor *a, const struct coll_facts *f, const struct slot_facts *slot)
{
    struct carriers c = find_carriers(a, slot->zone);
    const int64_t elsewhere = chunks_elsewhere(a, slot, &c);
    g_autoptr(GString) s = g_string_new(NULL);
    say_zone(s, a, slot->zone);
    g_string_append(s, " has ranges here, ");
    if (c.n_all == 0) {
        g_string_append(s, "but no shard carries it");
        if (elsewhere > 0) {
            g_string_append(s, ": ");
            advice_say_n(s, elsewhere, "chunk");
            g_string_append(s, elsewhere == 1 ? " of it stays where it is" : " of it stay where they are");
        }
    } else {
        g_string_append(s, "but ");
        advice_say_n(s, elsewhere, "chunk");
        g_string_append(s, " of it can go to none of the shards that carry it: ");
        say_obstacles(s, a, &c);
    }
    if (c.n_all == 0 || (elsewhere > 0 && c.n_taking == 0)) {
        g_autofree char *cmd = zone_command(a, slot->zone);
        advice_add(
            a, "zoneCannotBeMet", f->coll, SHARD_NONE, s->str,
            c.n_all == 0
                ? "put a shard into the zone, or remove its ranges (updateZoneKeyRange with zone: null)"
                : "put another shard into the zone, let one of its shards receive, or make room there",
            cmd);
    }
    carriers_clear(&c);
}

void advice_zones(struct advisor *a, const struct coll_facts *f)
{
    for (uint32_t i = 0; i + 1 < f->n_slots; i++)
        if (!f->coll->time_series)
            advise_slot(a, f, &f->slots[i]);
}

/* What the carriers that stay may hold together; -1: there is none, or a limit is not known. */
static int64_t room_of(const struct advisor *a, const struct carriers *c)
{
    int64_t room = 0;
    for (uint16_t s = 0; s < a->cl->n_shards; s++) {
        if (!c->staying[s])
            continue;
        if (a->max_bytes[s] <= 0)
            return -1;
        room += MIN(a->max_bytes[s], INT64_MAX - room);
    }
    return c->n_staying == 0 ? -1 : room;
}

void advice_zone_room(struct advisor *a)
{
    for (uint32_t z = 0; z < a->cl->n_zones; z++) {
        struct carriers c = find_carriers(a, z);
        const int64_t room = room_of(a, &c);
        if (room >= 0 && a->zone_bytes[z] > room) {
            g_autoptr(GString) s = g_string_new(NULL);
            say_zone(s, a, z);
            g_string_append(s, " holds at least ");
            text_append_bytes(s, a->zone_bytes[z]);
            g_string_append(s, " in all collections, but the shards that carry it (");
            advice_say_shards(s, a->cl, c.staying);
            g_string_append(s, ") may hold ");
            text_append_bytes(s, room);
            g_string_append(s, " together");
            g_autofree char *cmd = zone_command(a, z);
            advice_add(
                a, "zoneCannotBeMet", NULL, SHARD_NONE, s->str,
                "put another shard into the zone, raise the limits (maxBytes, or maxSize of the shard), or "
                "make the zone's ranges smaller",
                cmd);
        }
        carriers_clear(&c);
    }
}
