// SPDX-License-Identifier: Apache-2.0
/* Evenness of a zone, told with the numbers by which the policy judges it. */
#include "balancer/answer/explain_private.h"

#include "common/text.h"

const char *receiver_text(enum receiver_verdict v)
{
    static const char *const texts[] = {
        [RECEIVER_OK] = "it may receive",
        [RECEIVER_BUSY] = "it takes part in another migration",
        [RECEIVER_DRAINING] = "it is draining",
        [RECEIVER_NOT_IN_ZONE] = "it does not carry the zone",
        [RECEIVER_FULL] = "it is full (maxSize or the configured maxBytes is reached)",
        [RECEIVER_NOT_ALLOWED] = "it is configured not to receive",
        [RECEIVER_SIZE_UNKNOWN] = "the collection's size on it is not known",
    };
    return texts[v];
}

char *slot_name(const struct asking *a, uint32_t slot)
{
    uint32_t zone = a->c->place->slots[slot].zone;
    return zone == ZONE_NONE ? g_strdup("no zone")
                             : g_strdup_printf("zone '%s'", cluster_zone_name(a->cl, zone));
}

const char *slot_subject(const struct asking *a, uint32_t slot)
{
    return a->c->place->n_slots == 1 ? NULL : cluster_zone_name(a->cl, a->c->place->slots[slot].zone);
}

static void append_shard(GString *s, const struct asking *a, uint16_t shard)
{
    g_string_append(s, a->cl->shards[shard].id);
}

/* "shard0 holds the most, 12 chunks, over the share of 10 chunks (4 shards)" */
static void append_donor(GString *s, const struct asking *a, const struct evenness *e)
{
    enum load_unit unit = a->pr.policy->unit;
    append_shard(s, a, e->donor);
    g_string_append(s, " holds the most, ");
    why_append_load(s, unit, e->donor_load);
    g_string_append(s,
                    e->donor_load > e->ideal ? ", over the share of " : ", which is not over the share of ");
    why_append_load(s, unit, e->ideal);
    g_string_append_printf(s, " (%u shard%s)", e->n_sharing, e->n_sharing == 1 ? "" : "s");
}

static void append_recipient(GString *s, const struct asking *a, const struct evenness *e)
{
    append_shard(s, a, e->recipient);
    g_string_append(s, ", the least loaded that may receive, holds ");
    why_append_load(s, a->pr.policy->unit, e->recipient_load);
}

/* What follows the donor's clause. */
static void append_verdict(GString *s, const struct asking *a, uint32_t slot, const struct evenness *e)
{
    bool by_size = a->pr.policy->unit == LOAD_BYTES;
    switch (e->verdict) {
    case EVEN_NO_RECEIVER:
        g_string_append(s, ", but no other shard may receive; add a shard, or let one receive");
        break;
    case EVEN_RECEIVER_AT_SHARE:
        g_string_append(s, "; ");
        append_recipient(s, a, e);
        g_string_append(s, " and has its share already");
        break;
    case EVEN_BELOW_THRESHOLD:
        g_string_append(s, "; ");
        append_recipient(s, a, e);
        g_string_append(s,
                        by_size ? ": a migration begins at a difference of " : ": a donor must be over by ");
        why_append_load(s, a->pr.policy->unit, e->threshold);
        g_string_append(s, by_size && a->facts.limits.threshold_bytes == 0 ? " (three times the chunk size)"
                                                                           : "");
        break;
    case EVEN_ONLY_JUMBO: {
        size_t at = (size_t)slot * a->cl->n_shards + e->donor;
        g_string_append_printf(s,
                               ", but it has no chunk to give here: %" G_GINT64_FORMAT
                               " of its %" G_GINT64_FORMAT
                               " chunks are flagged jumbo; split them or clear the flag with clearJumboFlag",
                               a->c->place->slot_jumbo[at], a->c->place->slot_chunks[at]);
        break;
    }
    case EVEN_MOVES:
        g_string_append(s, "; ");
        append_recipient(s, a, e);
        break;
    default:
        break;
    }
}

void asking_evenness(struct asking *a, uint32_t slot)
{
    struct evenness e;
    a->pr.policy->judge(&a->facts, a->c->place, slot, &e);
    g_autofree char *name = slot_name(a, slot);
    g_autoptr(GString) s = g_string_new(NULL);
    if (a->c->place->n_slots > 1)
        g_string_append_printf(s, "%s: ", name);
    if (e.verdict == EVEN_UNSHARED)
        g_string_append(s,
                        "nothing to share out: no shard carries the zone, or no size is known or above zero");
    else if (e.donor == SHARD_NONE)
        g_string_append(s, "no shard holds any of it");
    else
        append_donor(s, a, &e);
    if (e.donor != SHARD_NONE)
        append_verdict(s, a, slot, &e);
    asking_rule(a, "imbalance", e.verdict == EVEN_MOVES ? EXPLAIN_YES : EXPLAIN_NO, slot_subject(a, slot),
                "%s", s->str);
}
