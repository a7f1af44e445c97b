// SPDX-License-Identifier: Apache-2.0
/* The preview of a change of zones: what leaves and comes by zone and shard, and which ranges of zones cannot
 * be where they belong. */
#include "balancer/plan/preview.h"

#include "common/text.h"

/* Told in the order of zones, then of shards; data of no zone last, as ZONE_NONE is the largest number. */
static int by_zone(gconstpointer pa, gconstpointer pb)
{
    const struct plan_zone_move *a = pa, *b = pb;
    return a->zone != b->zone ? (a->zone > b->zone ? 1 : -1) : (a->shard > b->shard) - (a->shard < b->shard);
}

static struct plan_zone_move *find_move(GArray *moves, GHashTable *index, uint32_t zone, uint16_t shard)
{
    int64_t key = ((int64_t)zone << 16) | shard;
    guint at = GPOINTER_TO_UINT(g_hash_table_lookup(index, &key));
    if (at == 0) {
        struct plan_zone_move new = {.zone = zone, .shard = shard};
        g_array_append_val(moves, new);
        at = moves->len;
        g_hash_table_insert(index, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(at));
    }
    return &g_array_index(moves, struct plan_zone_move, at - 1);
}

static void fill_moves(struct plan *p)
{
    g_autoptr(GHashTable) index = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    for (guint i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
        struct plan_zone_move *out = find_move(p->zone_moves, index, m->zone, m->from);
        out->n_out++;
        out->bytes_out += MAX(m->bytes, 0);
        struct plan_zone_move *in = find_move(p->zone_moves, index, m->zone, m->to);
        in->n_in++;
        in->bytes_in += MAX(m->bytes, 0);
    }
    g_array_sort(p->zone_moves, by_zone);
}

/* Who carries the zone, and who of them may receive of it, all shards being free. */
static uint32_t count_carriers(const struct projection *pr, const struct coll_projection *c,
                               const struct round_facts *facts, uint32_t zone, uint32_t *ret_receivers)
{
    uint32_t carriers = 0;
    *ret_receivers = 0;
    for (uint16_t s = 0; s < pr->cl->n_shards; s++) {
        carriers += shard_has_zone(&pr->cl->shards[s], zone) ? 1 : 0;
        *ret_receivers += policy_receiver(facts, c->place, pr->policy->unit, s, zone) == RECEIVER_OK ? 1 : 0;
    }
    return carriers;
}

/* Chunks of the slot on shards that have to give them, at the end of the plan. */
static void add_misplaced(const struct projection *pr, const struct coll_projection *c, uint32_t slot,
                          struct plan_zone_fault *f)
{
    for (uint16_t s = 0; s < pr->cl->n_shards; s++) {
        size_t at = (size_t)slot * pr->cl->n_shards + s;
        if (!pr->draining[s] && shard_has_zone(&pr->cl->shards[s], f->zone))
            continue;
        f->chunks += c->place->slot_chunks[at];
        f->bytes += c->place->slot_bytes[at];
    }
}

static void add_fault(struct projection *pr, struct plan_zone_fault *f)
{
    g_autoptr(GString) why = g_string_new(f->no_carrier ? "no shard carries zone '" : "zone '");
    text_append_escaped(why, pr->cl->zones[f->zone], -1);
    g_string_append(why, f->no_carrier ? "': " : "' has no shard that may receive: ");
    text_append_count(why, f->chunks);
    g_string_append_printf(why, " chunk%s in its %u range%s of ", f->chunks == 1 ? "" : "s", f->n_ranges,
                           f->n_ranges == 1 ? "" : "s");
    text_append_escaped(why, f->coll->ns, -1);
    g_string_append(why, f->chunks == 1 ? " has" : " have");
    g_string_append(why, " nowhere to go; ");
    g_string_append(why, f->no_carrier
                             ? "give the zone to a shard"
                             : "give it to a shard that is neither draining, full nor kept from receiving");
    f->why = plan_arena_text(pr->plan->arena, why->str);
    g_array_append_val(pr->plan->zone_faults, *f);
}

/* Ranges of each zone, by zone number. */
static uint32_t *count_ranges(const struct projection *pr, const struct collection *coll)
{
    uint32_t *n = g_new0(uint32_t, MAX(pr->cl->n_zones, 1));
    for (uint32_t i = 0; i < coll->n_ranges; i++)
        n[coll->ranges[i].zone]++;
    return n;
}

static void find_faults(struct projection *pr, const struct coll_projection *c)
{
    const struct round_facts facts = projection_facts(pr, c);
    g_autofree uint32_t *ranges = count_ranges(pr, c->coll);
    for (uint32_t slot = 0; slot + 1 < c->place->n_slots; slot++) {
        uint32_t receivers, zone = c->place->slots[slot].zone;
        struct plan_zone_fault f = {.coll = c->coll, .zone = zone, .n_ranges = ranges[zone]};
        f.no_carrier = count_carriers(pr, c, &facts, zone, &receivers) == 0;
        add_misplaced(pr, c, slot, &f);
        if (f.no_carrier || (receivers == 0 && f.chunks > 0))
            add_fault(pr, &f);
    }
}

void zone_change_fill(struct projection *pr)
{
    if (!changes_have(pr->plan->whatif, CHANGE_ZONES))
        return;
    fill_moves(pr->plan);
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        pr->free[s] = true;
    for (uint32_t i = 0; i < pr->cl->n_collections; i++)
        if (pr->colls[i].place != NULL && pr->colls[i].apply_zones)
            find_faults(pr, &pr->colls[i]);
}
