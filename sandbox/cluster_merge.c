// SPDX-License-Identifier: Apache-2.0
/* mergeChunks and mergeAllChunksOnShard. */
#include "sandbox/cluster_impl.h"
#include "sandbox/server_text.h"

#include <string.h>

enum { HISTORY_WINDOW = 300 }; /* seconds that a chunk must have stayed to be merged by itself */

/* Merges chunks [from, to] of the collection into the first; the history starts anew at `when`. */
static void merge(struct coll *k, guint from, guint to, struct stamp when)
{
    g_autoptr(GPtrArray) merged = g_ptr_array_new();
    struct chunk *ch = k->chunks->pdata[from];
    uint64_t before = k->version;
    for (guint i = from; i <= to; i++)
        g_ptr_array_add(merged, k->chunks->pdata[i]);
    sb_log_merge(k, merged, before, before + 1);
    for (guint i = to; i > from; i--) {
        const struct chunk *other = k->chunks->pdata[i];
        ch->bytes += other->bytes;
        ch->documents += other->documents;
        if (i == to) {
            sb_bound_unref(ch->max);
            ch->max = sb_bound_ref(other->max);
        }
        sb_chunk_drop(k, i);
    }
    ch->keys = 0;
    ch->jumbo = -1;
    sb_chunk_history_reset(ch, when);
    sb_chunk_set_version(ch, before + 1);
}

/* The chunks that make up [min, max), all on the shard of the first. */
static bool find_run(struct request *rq, const struct coll *k, const bson_t *min, const bson_t *max,
                     const struct bound *low, const struct bound *high, guint *ret_from, guint *ret_to)
{
    int code = sb_since(rq->c, 4, 4) ? SB_STALE_CONFIG : SB_ILLEGAL_OPERATION;
    g_autofree char *begin = server_text(min), *end = server_text(max),
                    *range = server_range_text(min, max, ", ");
    guint from = sb_chunk_index(k, low), to = from;
    const struct chunk *first = k->chunks->pdata[from];
    if (sb_bound_cmp(first->min, low) != 0)
        return sb_rq_fail(rq, code,
                          "could not merge chunks, collection %s does not contain a chunk starting at %s",
                          k->ns, begin);
    while (to + 1 < k->chunks->len &&
           sb_bound_cmp(((const struct chunk *)k->chunks->pdata[to])->max, high) < 0)
        to++;
    const struct chunk *last = k->chunks->pdata[to];
    if (sb_bound_cmp(last->max, high) != 0)
        return sb_rq_fail(rq, code,
                          "could not merge chunks, collection %s does not contain a chunk ending at %s",
                          k->ns, end);
    for (guint i = from; i <= to; i++) {
        const struct chunk *ch = k->chunks->pdata[i];
        if (ch->shard != first->shard)
            return sb_rq_fail(
                rq, code, "could not merge chunks, collection %s has chunks in %s that shard %s does not own",
                k->ns, range, first->shard->id);
    }
    if (from == to)
        return sb_rq_fail(rq, SB_ILLEGAL_OPERATION,
                          "could not merge chunks, collection %s already contains chunk for %s", k->ns,
                          range);
    *ret_from = from;
    *ret_to = to;
    return true;
}

/* From 4.4 on what does not fit is StaleConfig: the shard takes the router's knowledge for old. */
void sb_cmd_merge_chunks(struct request *rq)
{
    struct coll *k;
    bson_t min, max;
    guint from, to;
    if (!sb_rq_coll(rq, &k))
        return;
    if (!sb_two_bounds(rq->cmd, "bounds", &min, &max)) {
        sb_rq_fail(rq, SB_NO_CODE, "no bounds were specified");
        return;
    }
    struct bound *low = sb_bound_new(k->key, &min, NULL), *high = sb_bound_new(k->key, &max, NULL);
    g_autofree char *range = server_range_text(&min, &max, ", "), *pattern = server_text(&k->key->doc);
    g_autofree char *what = g_strdup_printf("merge chunks in %s", range);
    if (low == NULL || high == NULL || sb_bound_cmp(low, high) >= 0) {
        sb_rq_fail(rq, SB_NO_CODE, "shard key bounds %s are not valid for shard key pattern %s", range,
                   pattern);
    } else if (find_run(rq, k, &min, &max, low, high, &from, &to)) {
        const struct chunk *first = k->chunks->pdata[from];
        if (sb_shard_down(rq->c, first->shard)) {
            sb_rq_fail(rq, SB_NO_PRIMARY,
                       "Could not find host matching read preference { mode: \"primary\" } for set %s",
                       first->shard->id);
        } else if (sb_rq_collection_lock(rq, k, first->shard, what)) {
            merge(k, from, to, sb_stamp_next(rq->c));
            sb_rq_reply(rq, NULL);
        }
    }
    sb_bound_unref(low);
    sb_bound_unref(high);
}

static bool may_join(const struct chunk *a, const struct chunk *b)
{
    const char *x = sb_zone_of(a->coll, a->min, a->max), *y = sb_zone_of(b->coll, b->min, b->max);
    return a->shard == b->shard && b->jumbo <= 0 && g_strcmp0(x, y) == 0;
}

static bool old_enough(const struct chunk *ch, uint32_t now)
{
    return ch->jumbo <= 0 && ch->history->len > 0 &&
           (uint64_t)g_array_index(ch->history, struct placed, 0).since.t + HISTORY_WINDOW < now;
}

/* Merges every run; the merged chunk has been there since the last of its parts came. */
static void merge_runs(struct coll *k, const struct shard *s, guint most)
{
    uint32_t now = (uint32_t)(sb_now_ms(k->c) / 1000);
    for (guint from = 0; from < k->chunks->len; from++) {
        const struct chunk *ch = k->chunks->pdata[from];
        guint to = from;
        if (ch->shard != s || !old_enough(ch, now))
            continue;
        struct stamp when = g_array_index(ch->history, struct placed, 0).since;
        while (to + 1 < k->chunks->len && to - from + 1 < most) {
            const struct chunk *next = k->chunks->pdata[to + 1];
            if (!may_join(ch, next) || !old_enough(next, now))
                break;
            struct stamp other = g_array_index(next->history, struct placed, 0).since;
            if (other.t > when.t || (other.t == when.t && other.i > when.i))
                when = other;
            to++;
        }
        if (to > from)
            merge(k, from, to, when);
    }
}

/* Never a chunk that is jumbo or came lately: reads of the past may still look for it where it was. */
void sb_cmd_merge_all(struct request *rq)
{
    static const char *const fields[] = {"shard", "maxNumberOfChunksToMerge", "maxTimeProcessingChunksMS",
                                         NULL};
    struct coll *k;
    const char *id;
    if (!sb_rq_known_fields(rq, fields) || !sb_rq_coll(rq, &k) || !sb_rq_string(rq, "shard", true, &id))
        return;
    const struct shard *s = sb_find_shard(rq->c, id);
    int64_t most = sb_doc_int(rq->cmd, "maxNumberOfChunksToMerge", G_MAXINT32);
    if (s == NULL) {
        sb_rq_fail(rq, SB_SHARD_NOT_FOUND, "Shard %s not found", id);
    } else if (most < 2) {
        sb_rq_fail(rq, SB_BAD_VALUE,
                   "BSON field 'mergeAllChunksOnShard.maxNumberOfChunksToMerge' value must be >= 2, actual "
                   "value '%d'",
                   (int)most);
    } else if (sb_rq_collection_lock(rq, k, s, "merge all chunks")) {
        merge_runs(k, s, (guint)MIN(most, G_MAXINT32));
        sb_rq_reply(rq, NULL);
    }
}
