// SPDX-License-Identifier: Apache-2.0
/* One chunk, and one shard, of a collection. */
#include "balancer/answer/explain.h"

#include "balancer/answer/explain_private.h"
#include "balancer/answer/lookup.h"
#include "balancer/key/encode.h"
#include "balancer/key/show.h"
#include "common/text.h"

/* The encoded full key of what was given; ERR_USAGE where its fields are not the key's. */
static GBytes *encode_key(const key_pattern *key, const bson_t *given, struct err *err)
{
    bson_t full = BSON_INITIALIZER;
    bool extended, trap;
    g_autoptr(GByteArray) enc = g_byte_array_new();
    bool ok = key_pattern_extend(key, given, false, &full, &extended, &trap, err) &&
              key_encode_bound(bson_get_data(&full), full.len, key->names, enc, NULL, err);
    bson_destroy(&full);
    if (!ok) {
        if (err != NULL)
            err->cls = ERR_USAGE;
        err_wrap(err, "the key of the chunk");
        return NULL;
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&enc));
}

static uint32_t find_chunk(const struct chunks *ch, GBytes *key)
{
    gsize len;
    const uint8_t *data = g_bytes_get_data(key, &len);
    return chunks_find(ch, data, (uint32_t)len);
}

/* Chunks of the slot on the shard that lie before it in key order and are not jumbo. */
static uint32_t count_before(const placement *p, uint32_t entry)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < entry; i++)
        n += p->shard_of[i] == p->shard_of[entry] && p->slot_of[i] == p->slot_of[entry] &&
                     (p->chunks->flags[i] & CHUNK_JUMBO) == 0
                 ? 1
                 : 0;
    return n;
}

/* What calls for the chunk to leave its shard; false: nothing does. */
static bool chunk_reasons(struct asking *a, uint32_t entry)
{
    const placement *p = a->c->place;
    uint16_t from = p->shard_of[entry];
    uint32_t slot = p->slot_of[entry], zone = p->slots[slot].zone;
    const char *id = a->cl->shards[from].id;
    bool draining = a->facts.draining[from], violates = !shard_has_zone(&a->cl->shards[from], zone);
    asking_rule(a, "draining", draining ? EXPLAIN_YES : EXPLAIN_NO, NULL, "its shard %s is %sdraining", id,
                draining ? "" : "not ");
    if (zone == ZONE_NONE)
        asking_rule(a, "zoneViolation", EXPLAIN_NO, NULL, "it is in no zone, so it may be on any shard");
    else
        asking_rule(a, "zoneViolation", violates ? EXPLAIN_YES : EXPLAIN_NO, NULL,
                    violates ? "it is in zone '%s', which its shard %s does not carry"
                             : "it is in zone '%s', which its shard %s carries",
                    cluster_zone_name(a->cl, zone), id);
    if (a->whole != NULL) {
        whole_evenness(a);
        return whole_donor(a, from) || draining || violates;
    }
    struct evenness e;
    a->pr.policy->judge(&a->facts, a->c->place, slot, &e);
    asking_evenness(a, slot);
    bool donates = e.verdict == EVEN_MOVES && e.donor == from;
    if (e.donor == SHARD_NONE || e.donor == from)
        asking_rule(a, "donor", donates ? EXPLAIN_YES : EXPLAIN_NO, NULL,
                    donates ? "its shard %s is the one that gives"
                            : "its shard %s has nothing to give for evenness",
                    id);
    else
        asking_rule(a, "donor", EXPLAIN_NO, NULL,
                    "not its shard %s but %s holds the most, and only that one gives", id,
                    a->cl->shards[e.donor].id);
    return draining || violates || donates;
}

static void chunk_order(struct asking *a, uint32_t entry, bool jumbo)
{
    if (jumbo)
        asking_rule(a, "notJumbo", EXPLAIN_NO, NULL,
                    "it is flagged jumbo, and flagged chunks are never chosen; split it, clear the flag with "
                    "clearJumboFlag, or move it by hand with forceJumbo");
    else
        asking_rule(a, "notJumbo", EXPLAIN_YES, NULL, "it is not flagged jumbo");
    if (a->whole != NULL) {
        whole_order(a, entry);
        return;
    }
    uint32_t before = count_before(a->c->place, entry);
    if (before == 0)
        asking_rule(a, "firstInOrder", EXPLAIN_YES, NULL,
                    "it is the first of its zone on its shard in key order");
    else
        asking_rule(a, "firstInOrder", EXPLAIN_WAIT, NULL,
                    "%u chunk%s of its zone on its shard come%s before it in key order and go first", before,
                    before == 1 ? "" : "s", before == 1 ? "s" : "");
}

/* One rule a shard; true: some shard may receive it. */
static bool chunk_receivers(struct asking *a, uint32_t entry)
{
    const placement *p = a->c->place;
    bool any = false;
    for (uint16_t s = 0; s < a->cl->n_shards; s++) {
        if (s == p->shard_of[entry])
            continue;
        enum receiver_verdict v =
            policy_receiver(&a->facts, p, a->pr.policy->unit, s, p->slots[p->slot_of[entry]].zone);
        any |= v == RECEIVER_OK;
        asking_rule(a, "receiver", v == RECEIVER_OK ? EXPLAIN_YES : EXPLAIN_NO, a->cl->shards[s].id, "%s",
                    receiver_text(v));
    }
    return any;
}

/* Why a chunk that does not move stays; NULL: others go first, or instead. */
static const char *why_stays(bool wanted, bool jumbo, bool receivers)
{
    return !wanted      ? "it stays: nothing calls for it to leave its shard"
           : jumbo      ? "it should leave its shard, but stays: it is flagged jumbo"
           : !receivers ? "it should leave its shard, but stays: no shard may receive it"
                        : NULL;
}

static void conclude_chunk(struct asking *a, uint32_t entry, const char *stays)
{
    if (a->whole != NULL) {
        whole_conclude_chunk(a, entry, stays);
        return;
    }
    g_autoptr(GArray) moves = asking_pick(a);
    for (guint i = 0; i < moves->len; i++) {
        const struct move *m = &g_array_index(moves, struct move, i);
        if (m->entry == entry) {
            g_autofree char *text = move_text(a, m);
            asking_outcome(a, EXPLAIN_YES, "it is in the next round: %s", text);
            return;
        }
    }
    if (stays != NULL)
        asking_outcome(a, EXPLAIN_NO, "%s", stays);
    else
        asking_outcome(a, EXPLAIN_WAIT, "it may leave its shard, but other chunks go first");
}

bool explain_chunk(const cluster *cl, const struct plan_options *opt, const char *ns, const bson_t *key,
                   explanation **ret, struct err *err)
{
    struct asking a;
    const struct collection *coll;
    if (!lookup_sound_collection(cl, ns, &coll, err))
        return false;
    g_autoptr(GBytes) enc = encode_key(coll->key, key, err);
    if (enc == NULL || !asking_init(&a, cl, opt, ns, EXPLAIN_CHUNK, err))
        return false;
    a.out->chunk = find_chunk(&coll->chunks, enc);
    a.out->shard = coll->chunks.shard[a.out->chunk];
    a.out->zone = lookup_chunk_zone(coll, a.out->chunk).zone;
    if (asking_gates(&a) && asking_bounds(&a)) {
        uint32_t entry = find_chunk(a.c->place->chunks, enc);
        bool jumbo = (a.c->place->chunks->flags[entry] & CHUNK_JUMBO) != 0;
        bool wanted = chunk_reasons(&a, entry);
        chunk_order(&a, entry, jumbo);
        bool receivers = chunk_receivers(&a, entry);
        conclude_chunk(&a, entry, why_stays(wanted, jumbo, receivers));
    }
    *ret = asking_end(&a);
    return true;
}

static void shard_holds(struct asking *a, uint16_t s)
{
    g_autoptr(GString) text = g_string_new(NULL);
    int64_t chunks = a->c->before_chunks[s],
            bytes = a->c->coll->sizes_known ? a->c->before_bytes[s] : SIZE_UNKNOWN;
    why_append_load(text, LOAD_CHUNKS, chunks);
    g_string_append(text, ", ");
    why_append_load(text, LOAD_BYTES, bytes);
    asking_rule(a, "holds", chunks > 0 ? EXPLAIN_YES : EXPLAIN_NO, NULL, "it holds %s of the collection",
                text->str);
}

/* What the shard would give, and what it may receive, slot by slot. */
static void shard_slot(struct asking *a, uint16_t s, uint32_t slot)
{
    const placement *p = a->c->place;
    const char *id = a->cl->shards[s].id;
    enum load_unit unit = a->pr.policy->unit;
    size_t at = (size_t)slot * a->cl->n_shards + s;
    struct evenness e = {.recipient = SHARD_NONE};
    if (a->whole == NULL)
        a->pr.policy->judge(&a->facts, a->c->place, slot, &e);
    g_autofree char *name = slot_name(a, slot);
    g_autoptr(GString) text = g_string_new(NULL);
    if (a->whole == NULL && p->slot_chunks[at] > 0) {
        why_append_load(text, unit, unit == LOAD_BYTES ? p->shard_bytes[s] : p->slot_chunks[at]);
        if (e.verdict != EVEN_UNSHARED) {
            g_string_append(text, " against a share of ");
            why_append_load(text, unit, e.ideal);
        }
        bool gives = e.verdict == EVEN_MOVES && e.donor == s;
        asking_rule(a, "gives", gives ? EXPLAIN_YES : EXPLAIN_NO, slot_subject(a, slot),
                    "%s: %s holds %s%s%s", name, id, text->str,
                    gives ? ", the most, so it gives" : ", so it gives nothing for evenness",
                    p->slot_jumbo[at] > 0 ? " (some of its chunks are flagged jumbo)" : "");
    }
    enum receiver_verdict v = policy_receiver(&a->facts, p, unit, s, p->slots[slot].zone);
    bool next = v == RECEIVER_OK && e.recipient == s;
    asking_rule(a, "receives", v == RECEIVER_OK ? EXPLAIN_YES : EXPLAIN_NO, slot_subject(a, slot), "%s: %s%s",
                name, receiver_text(v), next ? ", and is the least loaded, so it would be the first to" : "");
}

static void shard_states(struct asking *a, uint16_t s)
{
    const placement *p = a->c->place;
    const char *id = a->cl->shards[s].id;
    int64_t chunks = p->shard_chunks[s], outside = 0;
    bool draining = a->facts.draining[s];
    asking_rule(a, "draining", draining && chunks > 0 ? EXPLAIN_YES : EXPLAIN_NO, NULL,
                draining ? "%s is draining: all its chunks must go" : "%s is not draining", id);
    for (uint32_t slot = 0; slot < p->n_slots; slot++)
        if (!shard_has_zone(&a->cl->shards[s], p->slots[slot].zone))
            outside += p->slot_chunks[(size_t)slot * a->cl->n_shards + s];
    g_autofree char *count = text_count(outside);
    asking_rule(a, "zoneViolation", outside > 0 ? EXPLAIN_YES : EXPLAIN_NO, NULL,
                "%s of its chunks are in zones that it does not carry", outside > 0 ? count : "none");
}

static void conclude_shard(struct asking *a, uint16_t s)
{
    if (a->whole != NULL) {
        whole_conclude_shard(a, s);
        return;
    }
    g_autoptr(GArray) moves = asking_pick(a);
    for (guint i = 0; i < moves->len; i++) {
        const struct move *m = &g_array_index(moves, struct move, i);
        if (m->from != s && m->to != s)
            continue;
        g_autofree char *text = move_text(a, m);
        asking_outcome(a, EXPLAIN_YES, "it %s in the next round: %s", m->from == s ? "gives" : "receives",
                       text);
        return;
    }
    if (moves->len > 0)
        asking_outcome(a, EXPLAIN_WAIT, "it takes no part in the next round; other shards do");
    else
        asking_outcome(a, EXPLAIN_NO, "it neither gives nor receives: nothing of the collection moves");
}

bool explain_shard(const cluster *cl, const struct plan_options *opt, const char *ns, const char *shard,
                   explanation **ret, struct err *err)
{
    struct asking a;
    uint16_t s;
    if (!lookup_shard(cl, shard, &s, err) || !asking_init(&a, cl, opt, ns, EXPLAIN_SHARD, err))
        return false;
    a.out->shard = s;
    shard_holds(&a, s);
    if (asking_gates(&a) && asking_bounds(&a)) {
        shard_states(&a, s);
        if (a.whole != NULL)
            whole_shard(&a, s);
        for (uint32_t slot = 0; slot < a.c->place->n_slots; slot++)
            shard_slot(&a, s, slot);
        conclude_shard(&a, s);
    }
    *ret = asking_end(&a);
    return true;
}
