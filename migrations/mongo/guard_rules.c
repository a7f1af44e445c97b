// SPDX-License-Identifier: Apache-2.0
/* First where the range is, then whether it may go: what the recipient has already needs no leave. */
#include "migrations/mongo/guard_private.h"

#include "balancer/key/encode.h"
#include "common/escape.h"

#include <string.h>

enum { CHUNKS_MAX = 1000 };

/* One question in the act of being answered. */
struct asking {
    const struct guard_view *v;
    mongoc_client_t *client;
    const struct guard_question *q;
    enum guard_answer *ret;
    struct guard_found *found;
};

/* Gives the answer; true, so that "return say(...)" reads well. */
static bool say(const struct asking *a, enum guard_answer answer, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
static bool say(const struct asking *a, enum guard_answer answer, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_free(a->found->text);
    a->found->text = text_escaped(text);
    *a->ret = answer;
    return true;
}

static char *range_of(const struct asking *a)
{
    return probe_range_text(a->q->min, a->q->max);
}

/* ---- where it is ---- */

/* Nothing of the donor is there: the recipient may have all of it, in one chunk or in several. */
static bool say_whose(const struct asking *a, struct err *err)
{
    const struct guard_question *q = a->q;
    g_autoptr(GPtrArray) chunks = NULL;
    g_autofree char *range = range_of(a);
    bool covered = false;
    if (!probe_chunks_in(a->client, q->ns, &a->v->coll->coll, q->min, q->max, CHUNKS_MAX, &chunks, err) ||
        !probe_covers(chunks, q->min, q->max, &covered, err))
        return false;
    for (guint i = 0; i < chunks->len; i++) {
        const struct probe_chunk *c = chunks->pdata[i];
        if (q->to == NULL || strcmp(c->shard, q->to) != 0)
            return say(a, GUARD_CHANGED, "%s owns %s of %s, or a part of it, and not %s", c->shard, range,
                       q->ns, q->from);
    }
    if (covered)
        return say(a, GUARD_DONE, "%s owns %s of %s already", q->to, range, q->ns);
    return say(a, GUARD_CHANGED, "%s of %s changes at this moment", range, q->ns);
}

/* The chunk is the donor's: is the range all of it, a part of it, or not inside of it. */
static bool say_fit(const struct asking *a, struct probe_chunk *c, struct err *err)
{
    const struct guard_question *q = a->q;
    int low, high;
    if (!probe_compare(c->min, q->open_min ? c->min : q->min, &low, err) ||
        !probe_compare(c->max, q->max, &high, err))
        return false;
    bool whole = low == 0 && (high == 0 || q->open_max);
    if ((high < 0 && !q->open_max) || (q->to == NULL && !whole)) {
        g_autofree char *range = range_of(a), *chunk = probe_range_text(c->min, c->max);
        return say(a, GUARD_CHANGED, "%s of %s is not %s any more: the chunk there is %s", range, q->ns,
                   q->to == NULL ? "a chunk" : "inside one chunk", chunk);
    }
    a->found->min = g_steal_pointer(&c->min);
    a->found->max = g_steal_pointer(&c->max);
    a->found->move_range_sub = q->to != NULL && !whole;
    *a->ret = GUARD_GO;
    return true;
}

static bool find_chunk(const struct asking *a, struct probe_chunk *ret, struct err *err)
{
    const struct guard_question *q = a->q;
    const struct probe_collection *coll = &a->v->coll->coll;
    if (q->open_min)
        return probe_chunk_of(a->client, q->ns, coll, q->min, q->max, q->from, ret, err);
    return probe_chunk_at(a->client, q->ns, coll, q->min, ret, err);
}

static bool look_for_range(const struct asking *a, struct err *err)
{
    const struct guard_question *q = a->q;
    struct probe_chunk c = {0};
    if (!find_chunk(a, &c, err))
        return false;
    bool done = true;
    if (!c.there && !q->open_min) {
        g_autofree char *range = range_of(a);
        say(a, GUARD_CHANGED, "no chunk of %s holds the begin of %s", q->ns, range);
    } else if (c.there && strcmp(c.shard, q->from) == 0) {
        done = say_fit(a, &c, err);
    } else if (c.there && q->to != NULL && q->open_max && strcmp(c.shard, q->to) == 0) {
        g_autofree char *range = probe_range_text(q->min, c.max);
        say(a, GUARD_DONE, "%s owns %s of %s already", q->to, range, q->ns);
    } else {
        done = say_whose(a, err);
    }
    probe_chunk_clear(&c);
    return done;
}

/* ---- whether it may go ---- */

/* Says no, or leaves the answer as it is. */
static void check_collection(const struct asking *a)
{
    const struct probe_collection *c = &a->v->coll->coll;
    const struct guard_question *q = a->q;
    const char *why = c->unsplittable                    ? "it is unsharded (unsplittable)"
                      : c->resharding                    ? "it is being resharded"
                      : c->migrations_not_permitted      ? "its migrations are not permitted at present"
                      : c->defragmenting                 ? "it is being defragmented by the built-in balancer"
                      : c->no_balance && !q->draining_ok ? "its balancing is switched off (noBalance)"
                                                         : NULL;
    if (why != NULL)
        say(a, GUARD_NOT_ALLOWED, "%s must not be moved: %s", q->ns, why);
}

static void check_recipient(const struct asking *a)
{
    const char *to = a->q->to;
    const struct guard_shard *s = g_hash_table_lookup(a->v->shards->by_id, to);
    if (s == NULL) {
        say(a, GUARD_NOT_ALLOWED, "%s is not a shard of the cluster any more", to);
        return;
    }
    if (s->draining) {
        say(a, GUARD_NOT_ALLOWED, "%s is draining", to);
        return;
    }
    for (size_t i = 0; i < a->v->n_wishes; i++) {
        if (strcmp(a->v->wishes[i].shard, to) == 0) {
            say(a, GUARD_NOT_ALLOWED, "%s must not receive: %s", to, a->v->wishes[i].why);
            return;
        }
    }
}

static bool carries(const struct guard_shards *shards, const char *id, const char *zone)
{
    const struct guard_shard *s = g_hash_table_lookup(shards->by_id, id);
    for (guint i = 0; s != NULL && i < s->zones->len; i++)
        if (strcmp(s->zones->pdata[i], zone) == 0)
            return true;
    return false;
}

static int cmp(const GByteArray *a, GBytes *b)
{
    gsize len;
    const uint8_t *data = g_bytes_get_data(b, &len);
    return key_cmp(a->data, a->len, data, (uint32_t)len);
}

/* Half-open: a zone that ends where the range begins has nothing to do with it. */
static void check_zone(const struct asking *a, const struct guard_zone *z, const GByteArray *min,
                       const GByteArray *max)
{
    if (cmp(max, z->min) <= 0 || cmp(min, z->max) >= 0)
        return;
    g_autofree char *range = range_of(a);
    if (cmp(min, z->min) < 0 || cmp(max, z->max) > 0)
        say(a, GUARD_NOT_ALLOWED, "%s of %s crosses a bound of zone %s", range, a->q->ns, z->zone);
    else if (!carries(a->v->shards, a->q->to, z->zone))
        say(a, GUARD_NOT_ALLOWED, "%s of %s is in zone %s, which %s does not carry", range, a->q->ns, z->zone,
            a->q->to);
}

/* Where the donor chooses the end, it may be as far as the chunk's. */
static bool check_zones(const struct asking *a, struct err *err)
{
    const struct guard_question *q = a->q;
    const struct guard_collection *c = a->v->coll;
    g_autoptr(key_pattern) key = NULL;
    g_autoptr(GByteArray) min = g_byte_array_new(), max = g_byte_array_new();
    const bson_t *low = q->open_min ? a->found->min : q->min, *high = q->open_max ? a->found->max : q->max;
    if (c->fault != NULL)
        return say(a, GUARD_NOT_ALLOWED, "the zone ranges of %s cannot be read: %s", q->ns, c->fault);
    if (c->zones->len == 0)
        return true;
    if (!key_pattern_parse(c->coll.key, &key, err) ||
        !key_encode_bound(bson_get_data(low), low->len, key->names, min, NULL, err) ||
        !key_encode_bound(bson_get_data(high), high->len, key->names, max, NULL, err))
        return false;
    for (guint i = 0; i < c->zones->len && *a->ret == GUARD_GO; i++)
        check_zone(a, c->zones->pdata[i], min, max);
    return true;
}

bool guard_decide(const struct guard_view *v, mongoc_client_t *client, const struct guard_question *q,
                  enum guard_answer *ret, struct guard_found *found, struct err *err)
{
    const struct asking a = {v, client, q, ret, found};
    if (!v->coll->coll.there)
        return say(&a, GUARD_CHANGED, "%s is not a sharded collection any more", q->ns);
    if (q->version != NULL && !probe_same_incarnation(q->version, &v->coll->coll))
        return say(&a, GUARD_CHANGED, "%s has been made anew, refined or resharded since", q->ns);
    if (!look_for_range(&a, err))
        return false;
    if (*ret != GUARD_GO || q->to == NULL)
        return true;
    check_collection(&a);
    if (*ret == GUARD_GO)
        check_recipient(&a);
    return *ret != GUARD_GO || check_zones(&a, err);
}
