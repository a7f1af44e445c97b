// SPDX-License-Identifier: Apache-2.0
/* The switch of the built-in balancer, and its judgement on one collection. The balancer itself does not run
 * here. The judgement follows its documented test in the plainest way, and has nothing in common with the
 * code that plans. */
#include "sandbox/cluster_impl.h"

#include <math.h>
#include <string.h>

enum { ROUND_MS = 10000 };

static bool is_stopped(const sb_cluster *c, const char **ret_mode)
{
    const bson_t *doc = sb_setting(c, "balancer");
    const char *mode = doc != NULL ? sb_doc_string(doc, "mode") : NULL;
    bool stopped =
        doc != NULL && (sb_doc_bool(doc, "stopped", false) || (mode != NULL && strcmp(mode, "off") == 0));
    *ret_mode = stopped ? "off" : mode != NULL ? mode : "full";
    return stopped;
}

/* The server writes both fields, and leaves the document's others (window, throttle) alone. */
static void switch_balancer(struct request *rq, bool stop)
{
    const bson_t *old = sb_setting(rq->c, "balancer");
    bson_t *doc = bson_new();
    BSON_APPEND_UTF8(doc, "_id", "balancer");
    if (old != NULL)
        bson_copy_to_excluding_noinit(old, doc, "_id", "mode", "stopped", (char *)NULL);
    BSON_APPEND_UTF8(doc, "mode", stop ? "off" : "full");
    BSON_APPEND_BOOL(doc, "stopped", stop);
    sb_setting_put(rq->c, doc);
    bson_destroy(doc);
    rq->c->rounds_since = stop ? 0 : sb_now_ms(rq->c);
    sb_rq_reply(rq, NULL);
}

void sb_cmd_balancer_start(struct request *rq)
{
    switch_balancer(rq, false);
}

void sb_cmd_balancer_stop(struct request *rq)
{
    switch_balancer(rq, true);
}

/* Rounds are counted as if one took place every ten seconds since the balancer was switched on. */
void sb_cmd_balancer_status(struct request *rq)
{
    const char *mode;
    bool stopped = is_stopped(rq->c, &mode);
    int64_t rounds =
        stopped || rq->c->rounds_since == 0 ? 0 : (sb_now_ms(rq->c) - rq->c->rounds_since) / ROUND_MS;
    bson_t *reply = bson_new();
    BSON_APPEND_UTF8(reply, "mode", mode);
    BSON_APPEND_BOOL(reply, "inBalancerRound", false);
    BSON_APPEND_INT64(reply, "numBalancerRounds", rounds);
    if (sb_since(rq->c, 7, 0))
        BSON_APPEND_INT64(reply, "term", 1);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}

/* Whether a bound of a zone range of this collection lies inside a chunk. */
static bool zone_cuts_chunk(const struct coll *k)
{
    bool cuts = false;
    struct bound *last = sb_bound_global(k->key, true);
    for (guint i = 0; i < k->c->zones->len && !cuts; i++) {
        struct zone_range *z = k->c->zones->pdata[i];
        if (strcmp(z->ns, k->ns) != 0 || !sb_zone_bounds(z, k))
            continue;
        const struct bound *ends[2] = {z->low, z->high};
        for (int e = 0; e < 2 && !cuts; e++)
            cuts =
                sb_bound_cmp(ends[e], last) != 0 && sb_bound_cmp(sb_chunk_at(k, ends[e])->min, ends[e]) != 0;
    }
    sb_bound_unref(last);
    return cuts;
}

static bool may_receive(const struct shard *s, const char *zone)
{
    return !s->draining && (zone == NULL || sb_has_zone(s, zone));
}

static bool has_receiver(const struct chunk *ch, const char *zone)
{
    const GPtrArray *shards = ch->coll->c->shards;
    for (guint i = 0; i < shards->len; i++) {
        if (shards->pdata[i] != ch->shard && may_receive(shards->pdata[i], zone))
            return true;
    }
    return false;
}

/* A chunk that has to go: from a draining shard, or from one outside of its zone. */
static bool must_move(const struct coll *k, bool draining)
{
    for (guint i = 0; i < k->chunks->len; i++) {
        const struct chunk *ch = k->chunks->pdata[i];
        if (ch->jumbo > 0)
            continue;
        const char *zone = sb_zone_of(k, ch->min, ch->max);
        bool wrong = draining ? ch->shard->draining : zone != NULL && !sb_has_zone(ch->shard, zone);
        if (wrong && has_receiver(ch, zone))
            return true;
    }
    return false;
}

static double load_of(const struct coll *k, const struct shard *s, const char *zone, bool by_size)
{
    if (by_size)
        return (double)sb_cluster_bytes(k->c, k->ns, s->id);
    double n = 0;
    for (guint i = 0; i < k->chunks->len; i++) {
        const struct chunk *ch = k->chunks->pdata[i];
        n += ch->shard == s && g_strcmp0(sb_zone_of(k, ch->min, ch->max), zone) == 0;
    }
    return n;
}

static bool movable_in(const struct coll *k, const struct shard *s, const char *zone)
{
    for (guint i = 0; i < k->chunks->len; i++) {
        const struct chunk *ch = k->chunks->pdata[i];
        if (ch->shard == s && ch->jumbo <= 0 && g_strcmp0(sb_zone_of(k, ch->min, ch->max), zone) == 0)
            return true;
    }
    return false;
}

/* The fullest against the emptiest that may take. */
static bool uneven(const struct coll *k, const char *zone, bool by_size)
{
    const GPtrArray *shards = k->c->shards;
    const struct shard *fullest = NULL, *emptiest = NULL;
    double most = 0, least = 0, sum = 0, n = 0;
    for (guint i = 0; i < shards->len; i++) {
        const struct shard *s = shards->pdata[i];
        double load = load_of(k, s, zone, by_size);
        if (zone == NULL || sb_has_zone(s, zone)) {
            n++;
            sum += by_size ? load : 0;
        }
        if (fullest == NULL || load > most) {
            fullest = s;
            most = load;
        }
        if (may_receive(s, zone) && (emptiest == NULL || load < least)) {
            emptiest = s;
            least = load;
        }
    }
    if (!by_size) {
        for (guint i = 0; i < shards->len; i++)
            sum += load_of(k, shards->pdata[i], zone, false);
        if (zone == NULL)
            sum = k->chunks->len;
    }
    if (n == 0 || emptiest == NULL || fullest == emptiest || !movable_in(k, fullest, zone))
        return false;
    if (by_size)
        return most > sum / n && least < sum / n && most - least >= 3.0 * (double)sb_max_chunk_bytes(k);
    double ideal = floor(sum / n + 0.5);
    return most > ideal && least < ideal;
}

static bool any_uneven(const struct coll *k)
{
    bool by_size = sb_since(k->c, 6, 1) || (sb_since(k->c, 6, 0) && k->c->opt.version_patch >= 3);
    for (guint i = 0; i < k->c->zones->len; i++) {
        const struct zone_range *z = k->c->zones->pdata[i];
        if (strcmp(z->ns, k->ns) == 0 && uneven(k, z->zone, by_size))
            return true;
    }
    return uneven(k, NULL, by_size);
}

/* The first of the documented tests that fails names the violation; flags such as noBalance do not matter. */
void sb_cmd_balancer_collection_status(struct request *rq)
{
    struct coll *k;
    if (!sb_rq_coll(rq, &k))
        return;
    const char *violation = sb_since(rq->c, 5, 3) && k->defragment ? "defragmentingChunks"
                            : zone_cuts_chunk(k)                   ? "zoneViolation"
                            : must_move(k, true)                   ? "draining"
                            : must_move(k, false)                  ? "zoneViolation"
                            : any_uneven(k)                        ? "chunksImbalance"
                                                                   : NULL;
    bson_t *reply = bson_new();
    if (sb_since(rq->c, 5, 3))
        BSON_APPEND_INT64(reply, "chunkSize", sb_max_chunk_bytes(k) / MIB);
    BSON_APPEND_BOOL(reply, "balancerCompliant", violation == NULL);
    if (violation != NULL)
        BSON_APPEND_UTF8(reply, "firstComplianceViolation", violation);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}
