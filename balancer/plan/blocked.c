// SPDX-License-Identifier: Apache-2.0
/* What cannot move is told per collection, shard and zone, not per chunk: the reason is the same for all of
 * them. */
#include "balancer/plan/summary.h"

#include "common/text.h"

/* One group of chunks that stay where they should not be. */
struct group {
    const struct coll_projection *c;
    uint32_t slot;
    uint16_t shard;
    const char *reason;
    bool jumbo; /* count flagged chunks, else the others */
};

/* Adds a group with its first chunk, its number, and its size. */
static void add_group(struct projection *pr, const struct group *g, const char *why)
{
    const placement *p = g->c->place;
    struct plan_blocked out = {.coll = g->c->coll,
                               .shard = g->shard,
                               .reason = g->reason,
                               .why = plan_arena_text(pr->plan->arena, why)};
    for (uint32_t i = 0; i < p->chunks->n; i++) {
        bool jumbo = (p->chunks->flags[i] & CHUNK_JUMBO) != 0;
        if (p->shard_of[i] != g->shard || p->slot_of[i] != g->slot || jumbo != g->jumbo)
            continue;
        if (out.chunks == 0) {
            bson_t min = BSON_INITIALIZER;
            chunk_min(g->c->coll, p->chunks, i, &min);
            out.min = plan_arena_bound(pr->plan->arena, &min);
            bson_destroy(&min);
        }
        out.chunks++;
        out.bytes += p->bytes_of[i];
    }
    if (out.chunks > 0)
        g_array_append_val(pr->plan->blocked, out);
}

static void append_zone(GString *s, const struct projection *pr, uint32_t zone)
{
    g_string_append(s, zone == ZONE_NONE ? "" : "zone ");
    text_append_escaped(s, cluster_zone_name(pr->cl, zone), -1);
}

/* Why nobody may receive this zone: one clause per kind of obstacle. */
static void append_obstacles(GString *s, const struct projection *pr, const struct round_facts *facts,
                             const struct group *g)
{
    static const struct {
        enum receiver_verdict verdict;
        const char *text;
    } kinds[] = {
        {RECEIVER_DRAINING, "draining"},
        {RECEIVER_NOT_ALLOWED, "configured not to receive"},
        {RECEIVER_FULL, "full"},
        {RECEIVER_SIZE_UNKNOWN, "of unknown size"},
        {RECEIVER_OK, "too full for any of them"},
    };
    uint32_t zone = g->c->place->slots[g->slot].zone;
    bool any = false;
    for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
        for (uint16_t i = 0; i < pr->cl->n_shards; i++) {
            if (i == g->shard || !shard_has_zone(&pr->cl->shards[i], zone) ||
                policy_receiver(facts, g->c->place, pr->policy->unit, i, zone) != kinds[k].verdict)
                continue;
            g_string_append(s, any ? ", " : "");
            text_append_escaped(s, pr->cl->shards[i].id, -1);
            g_string_append_printf(s, " is %s", kinds[k].text);
            any = true;
        }
    }
    if (!any)
        g_string_append(s, zone == ZONE_NONE ? "there is no other shard" : "no other shard carries it");
}

/* The least that a migration of this slot from this shard would bring. */
static int64_t least_bytes(const struct coll_projection *c, uint16_t shard, uint32_t slot)
{
    const placement *p = c->place;
    int64_t least = c->max_chunk_bytes;
    for (uint32_t i = 0; i < p->chunks->n; i++)
        if (p->shard_of[i] == shard && p->slot_of[i] == slot && (p->chunks->flags[i] & CHUNK_JUMBO) == 0)
            least = MIN(least, p->bytes_of[i]);
    return least;
}

/* Whether a policy that keeps below limits finds no room on any shard that may receive. The built-in's fill a
 * shard until it is over its limit. */
static bool is_without_room(const struct projection *pr, const struct round_facts *facts,
                            const struct coll_projection *c, uint16_t shard, uint32_t slot)
{
    const uint32_t zone = c->place->slots[slot].zone;
    if (pr->policy->solve == NULL)
        return false;
    const int64_t least = least_bytes(c, shard, slot);
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        if (s != shard && policy_receiver(facts, c->place, pr->policy->unit, s, zone) == RECEIVER_OK &&
            (pr->max_bytes[s] == 0 || pr->shard_bytes[s] <= pr->max_bytes[s] - least))
            return false;
    return true;
}

/* Chunks of one slot that a shard must give away: those flagged jumbo, and all of them where nobody may
 * receive. */
static void block_slot(struct projection *pr, const struct round_facts *facts,
                       const struct coll_projection *c, uint16_t shard, uint32_t slot, const char *must)
{
    const placement *p = c->place;
    size_t at = (size_t)slot * pr->cl->n_shards + shard;
    g_autoptr(GString) why = g_string_new(NULL);
    if (p->slot_jumbo[at] > 0) {
        struct group g = {.c = c, .slot = slot, .shard = shard, .reason = "jumbo", .jumbo = true};
        g_string_append_printf(
            why,
            "%s, but these chunks are flagged jumbo and never chosen; split them, clear the flag "
            "with clearJumboFlag, or move them by hand with forceJumbo",
            must);
        add_group(pr, &g, why->str);
    }
    uint16_t to = policy_least_loaded(facts, p, pr->policy->unit, p->slots[slot].zone, NULL);
    if (p->slot_chunks[at] <= p->slot_jumbo[at] ||
        (to != SHARD_NONE && to != shard && !is_without_room(pr, facts, c, shard, slot)))
        return;
    struct group g = {.c = c, .slot = slot, .shard = shard, .reason = "noEligibleShard"};
    g_string_printf(why, "%s, but no shard may receive chunks of ", must);
    append_zone(why, pr, p->slots[slot].zone);
    g_string_append(why, ": ");
    append_obstacles(why, pr, facts, &g);
    add_group(pr, &g, why->str);
}

/* An uneven zone whose largest donor holds nothing but jumbo chunks of it stalls; told once for the donor. */
static void block_stalled(struct projection *pr, const struct round_facts *facts,
                          const struct coll_projection *c, uint32_t slot)
{
    const placement *p = c->place;
    struct evenness e;
    pr->policy->judge(facts, p, slot, &e);
    if (e.verdict != EVEN_ONLY_JUMBO || pr->draining[e.donor] ||
        !shard_has_zone(&pr->cl->shards[e.donor], p->slots[slot].zone))
        return; /* the latter two are told as drains and zone violations */
    struct group g = {.c = c, .slot = slot, .shard = e.donor, .reason = "jumbo", .jumbo = true};
    g_autoptr(GString) why = g_string_new(NULL);
    text_append_escaped(why, pr->cl->shards[e.donor].id, -1);
    g_string_append(why, " holds the most of ");
    append_zone(why, pr, p->slots[slot].zone);
    g_string_append(
        why, " and should give, but all its chunks there are flagged jumbo; split them, or clear the flag "
             "with clearJumboFlag");
    add_group(pr, &g, why->str);
}

static void block_included(struct projection *pr, const struct coll_projection *c)
{
    struct round_facts facts = projection_facts(pr, c);
    for (uint32_t slot = 0; slot < c->place->n_slots; slot++) {
        for (uint16_t s = 0; s < pr->cl->n_shards; s++) {
            if (pr->draining[s])
                block_slot(pr, &facts, c, s, slot, "the shard is draining");
            else if (!shard_has_zone(&pr->cl->shards[s], c->place->slots[slot].zone))
                block_slot(pr, &facts, c, s, slot, "the shard does not carry their zone");
        }
        block_stalled(pr, &facts, c, slot);
    }
}

/* A draining shard never gets empty while a collection that is left out holds chunks there. */
static void block_excluded(struct projection *pr, const struct coll_projection *c)
{
    for (uint16_t s = 0; s < pr->cl->n_shards; s++) {
        if (!pr->draining[s] || c->before_chunks[s] == 0 || c->excluded == EXCLUDED_FILTERED)
            continue;
        g_autofree char *why = g_strdup_printf("the shard is draining, but the collection is excluded (%s): "
                                               "its chunks stay, and the shard never gets empty",
                                               excluded_text(c->excluded));
        struct plan_blocked out = {.coll = c->coll,
                                   .shard = s,
                                   .reason = "excluded",
                                   .chunks = c->before_chunks[s],
                                   .bytes = MAX(c->before_bytes[s], 0),
                                   .why = plan_arena_text(pr->plan->arena, why)};
        g_array_append_val(pr->plan->blocked, out);
    }
}

void blocked_fill(struct projection *pr)
{
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        pr->free[s] = true;
    for (uint32_t i = 0; i < pr->cl->n_collections; i++) {
        const struct coll_projection *c = &pr->colls[i];
        if (c->place != NULL)
            block_included(pr, c);
        else
            block_excluded(pr, c);
    }
}
