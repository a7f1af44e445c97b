// SPDX-License-Identifier: Apache-2.0
/* Policies that know the whole way to balance: no rule about the next migration tells what they do, so the
 * plan for all collections is made, and what it does with this one is told. */
#include "balancer/answer/explain_private.h"

#include "balancer/key/show.h"
#include "common/text.h"

#include <string.h>

enum { KEY_SHOWN = 80 };

bool whole_prepare(struct asking *a, const struct plan_options *opt, struct err *err)
{
    struct plan_options all = *opt;
    if (a->pr.policy->solve == NULL)
        return true;
    all.until_balanced = true;
    all.advice = false;
    all.max_moves = all.max_bytes = 0;
    all.max_seconds = 0;
    return plan_make(a->cl, &all, &a->whole, err);
}

static const struct plan_collection *own(const struct asking *a)
{
    for (guint i = 0; i < a->whole->collections->len; i++) {
        const struct plan_collection *c = &g_array_index(a->whole->collections, struct plan_collection, i);
        if (c->coll == a->c->coll)
            return c;
    }
    return NULL;
}

static const struct plan_shard *shard_in(const struct plan_collection *c, uint16_t shard)
{
    for (uint32_t i = 0; c != NULL && i < c->n_shards; i++)
        if (c->shards[i].shard == shard)
            return &c->shards[i];
    return NULL;
}

/* Migrations of the collection; of a shard, an end or a chunk where these are given. */
struct sum {
    uint32_t n, n_even;
    int64_t bytes;
    const struct plan_migration *first; /* NULL: none */
};
enum ends { ENDS_ANY, ENDS_FROM, ENDS_TO };

static bool bound_is(plan_bound b, const bson_t *doc)
{
    bson_t of;
    plan_bound_bson(b, &of);
    return bson_equal(&of, doc);
}

static struct sum sum_up(const struct asking *a, enum ends ends, uint16_t shard, const bson_t *min)
{
    struct sum sum = {0};
    for (guint i = 0; i < a->whole->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(a->whole->migrations, struct plan_migration, i);
        if (m->coll != a->c->coll || (ends == ENDS_FROM && m->from != shard) ||
            (ends == ENDS_TO && m->to != shard) || (min != NULL && !bound_is(m->min, min)))
            continue;
        sum.n++;
        sum.n_even += m->reason == MOVE_IMBALANCE ? 1 : 0;
        sum.bytes += MAX(m->bytes, 0);
        if (sum.first == NULL)
            sum.first = m;
    }
    return sum;
}

static struct sum sum_of_chunk(const struct asking *a, uint32_t entry)
{
    bson_t min = BSON_INITIALIZER;
    chunk_min(a->c->coll, a->c->place->chunks, placement_chunk_of(a->c->place, entry), &min);
    const struct sum sum = sum_up(a, ENDS_ANY, SHARD_NONE, &min);
    bson_destroy(&min);
    return sum;
}

/* "1.20 GiB in 5 migrations" */
static void append_sum(GString *s, const struct sum *sum)
{
    g_autofree char *n = text_count(sum->n);
    why_append_load(s, LOAD_BYTES, sum->bytes);
    g_string_append_printf(s, " in %s migration%s", n, sum->n == 1 ? "" : "s");
}

/* "in round 1 of 12: [min, max) from shard0 to shard1: why" */
static char *first_text(const struct asking *a, const struct plan_migration *m)
{
    bson_t min, max;
    plan_bound_bson(m->min, &min);
    plan_bound_bson(m->max, &max);
    GString *s = g_string_new(NULL);
    g_string_append_printf(s, "in round %u of %u: [", m->round, a->whole->summary.n_rounds);
    key_show(s, &min, KEY_SHOWN);
    g_string_append(s, ", ");
    key_show(s, &max, KEY_SHOWN);
    g_string_append_printf(s, ") from %s to %s: %s", a->cl->shards[m->from].id, a->cl->shards[m->to].id,
                           m->why);
    return g_string_free(s, FALSE);
}

/* "holds 3 GiB, its share is 2 GiB, and 1.9 GiB to 2.1 GiB are near enough to it" */
static void append_band(GString *s, const struct plan_shard *sh)
{
    g_string_append(s, "holds ");
    why_append_load(s, LOAD_BYTES, sh->bytes);
    g_string_append(s, ", its share is ");
    why_append_load(s, LOAD_BYTES, sh->target_bytes);
    if (sh->high_bytes == INT64_MAX)
        return;
    g_string_append(s, ", and ");
    why_append_load(s, LOAD_BYTES, sh->low_bytes);
    g_string_append(s, " to ");
    why_append_load(s, LOAD_BYTES, sh->high_bytes);
    g_string_append(s, " are near enough to it");
}

/* Of those that share, the shard that is furthest from its share; NULL: none does. */
static const struct plan_shard *furthest(const struct plan_collection *c)
{
    const struct plan_shard *worst = NULL;
    int64_t most = -1;
    for (uint32_t i = 0; c != NULL && i < c->n_shards; i++) {
        const struct plan_shard *sh = &c->shards[i];
        const int64_t off = ABS(sh->bytes - sh->target_bytes);
        if (sh->bytes >= 0 && sh->high_bytes != INT64_MAX && off > most) {
            worst = sh;
            most = off;
        }
    }
    return worst;
}

void whole_evenness(struct asking *a)
{
    const struct plan_shard *worst = furthest(own(a));
    const struct sum all = sum_up(a, ENDS_ANY, SHARD_NONE, NULL);
    g_autoptr(GString) s = g_string_new(NULL);
    if (worst == NULL) {
        asking_rule(a, "imbalance", EXPLAIN_NO, NULL,
                    "nothing to share out: no shard may keep any of it, or no size is known or above zero");
        return;
    }
    g_string_append_printf(s, "%s is furthest from its share: it ", a->cl->shards[worst->shard].id);
    append_band(s, worst);
    if (all.n_even > 0)
        g_string_append_printf(s, "; %u migration%s %s for evenness", all.n_even, all.n_even == 1 ? "" : "s",
                               all.n_even == 1 ? "is" : "are");
    else if (worst->bytes > worst->high_bytes || worst->bytes < worst->low_bytes)
        g_string_append(s, "; but no migration for evenness brings it nearer");
    else
        g_string_append(s, "; nothing moves for evenness");
    asking_rule(a, "imbalance", all.n_even > 0 ? EXPLAIN_YES : EXPLAIN_NO, NULL, "%s", s->str);
}

void whole_conclude(struct asking *a)
{
    const struct sum all = sum_up(a, ENDS_ANY, SHARD_NONE, NULL);
    if (all.n == 0) {
        asking_outcome(a, EXPLAIN_NO, "nothing moves: no migration brings it nearer to balance");
        return;
    }
    g_autofree char *first = first_text(a, all.first);
    g_autofree char *n = text_count(all.n);
    asking_outcome(a, EXPLAIN_YES, "%s migration%s to balance; first goes, %s%s", n, all.n == 1 ? "" : "s",
                   first, a->c->splits->len > 0 ? " (after the splits)" : "");
}

bool whole_donor(struct asking *a, uint16_t from)
{
    const struct sum out = sum_up(a, ENDS_FROM, from, NULL);
    const char *id = a->cl->shards[from].id;
    g_autoptr(GString) s = g_string_new(NULL);
    append_sum(s, &out);
    if (out.n > 0)
        asking_rule(a, "donor", EXPLAIN_YES, NULL, "its shard %s gives %s", id, s->str);
    else
        asking_rule(a, "donor", EXPLAIN_NO, NULL, "its shard %s gives nothing of the collection", id);
    return out.n > 0;
}

void whole_order(struct asking *a, uint32_t entry)
{
    const struct sum of = sum_of_chunk(a, entry);
    const bool last = entry + 1 == a->c->place->chunks->n;
    if (of.n == 0)
        asking_rule(a, "chosen", EXPLAIN_NO, NULL,
                    "it is not chosen: what must leave goes first, then the largest chunks that fit, and the "
                    "range that ends the key space%s last",
                    last ? ", which this is," : "");
    else if (of.first->open_max && of.n > 1)
        asking_rule(a, "chosen", EXPLAIN_YES, NULL, "it goes in %u parts, from round %u on", of.n,
                    of.first->round);
    else
        asking_rule(a, "chosen", EXPLAIN_YES, NULL, "it goes, in round %u", of.first->round);
}

void whole_conclude_chunk(struct asking *a, uint32_t entry, const char *stays)
{
    const struct sum of = sum_of_chunk(a, entry);
    if (of.n == 0) {
        asking_outcome(a, EXPLAIN_NO, "%s", stays != NULL ? stays : "it stays: other chunks of its shard go");
        return;
    }
    g_autofree char *text = first_text(a, of.first);
    asking_outcome(a, EXPLAIN_YES, "it goes %s", text);
}

void whole_shard(struct asking *a, uint16_t shard)
{
    const struct sum out = sum_up(a, ENDS_FROM, shard, NULL), in = sum_up(a, ENDS_TO, shard, NULL);
    const struct plan_shard *sh = shard_in(own(a), shard);
    g_autoptr(GString) s = g_string_new("it "), gets = g_string_new(NULL);
    if (sh == NULL)
        g_string_append(s, "holds nothing of the collection and has no share of it");
    else
        append_band(s, sh);
    g_string_append(s, out.n > 0 ? "; it gives " : "; it gives nothing");
    if (out.n > 0)
        append_sum(s, &out);
    asking_rule(a, "gives", out.n > 0 ? EXPLAIN_YES : EXPLAIN_NO, NULL, "%s", s->str);
    append_sum(gets, &in);
    asking_rule(a, "gets", in.n > 0 ? EXPLAIN_YES : EXPLAIN_NO, NULL, "it gets %s",
                in.n > 0 ? gets->str : "nothing of the collection");
}

void whole_conclude_shard(struct asking *a, uint16_t shard)
{
    const struct sum out = sum_up(a, ENDS_FROM, shard, NULL), in = sum_up(a, ENDS_TO, shard, NULL);
    const bool gives = out.first != NULL && (in.first == NULL || out.first->id < in.first->id);
    const struct plan_migration *first = gives ? out.first : in.first;
    if (first == NULL) {
        asking_outcome(a, EXPLAIN_NO, "it neither gives nor gets: %s",
                       sum_up(a, ENDS_ANY, SHARD_NONE, NULL).n > 0 ? "what moves, moves between other shards"
                                                                   : "nothing of the collection moves");
        return;
    }
    g_autofree char *text = first_text(a, first);
    asking_outcome(a, EXPLAIN_YES, "it first %s %s", gives ? "gives" : "gets", text);
}
