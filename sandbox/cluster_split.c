// SPDX-License-Identifier: Apache-2.0
/* split, and clearJumboFlag. What is wrong with a split's arguments is told without a code, in every release.
 */
#include "sandbox/cluster_impl.h"
#include "sandbox/server_text.h"

#include <string.h>

enum { LOCK_WAIT = 20000 };

static void lock_timed_out(struct request *rq)
{
    g_autofree char *text = g_strdup(rq->lock_text);
    sb_rq_fail_with(rq, SB_LOCK_BUSY, text, NULL);
}

/* Up to 4.2 the lock is the collection's, held by the config servers while any chunk of it migrates; later
 * only a migration of the same shard is waited for, and without a limit. */
bool sb_rq_collection_lock(struct request *rq, struct coll *k, const struct shard *s, const char *what)
{
    bool newer = sb_since(rq->c, 4, 4);
    const struct shard *only = newer ? s : NULL;
    if (!sb_coll_migrating(rq->c, k, only))
        return true;
    rq->lock = k;
    rq->lock_shard = only;
    g_free(rq->lock_text);
    rq->lock_text = g_strdup_printf(
        "%s :: caused by :: could not acquire collection lock for %s to %s :: caused by :: timed "
        "out waiting for %s",
        strcmp(rq->name, "split") == 0 ? "split failed" : "merge failed", k->ns, what, k->ns);
    if (!newer)
        sb_rq_later(rq, LOCK_WAIT - (sb_now_ms(rq->c) - rq->started), lock_timed_out);
    return false;
}

/* Each piece gets the next minor version, in order; flags and counts of key values do not outlive a split. */
void sb_split_chunk(struct chunk *ch, struct bound **at, guint n)
{
    struct coll *k = ch->coll;
    g_autoptr(GPtrArray) pieces = g_ptr_array_new();
    struct bound *min = sb_bound_ref(ch->min), *max = sb_bound_ref(ch->max);
    uint64_t before = k->version;
    sb_chunk_cut(ch, at, n, pieces);
    for (guint i = 0; i < pieces->len; i++)
        sb_chunk_set_version(pieces->pdata[i], before + 1 + i);
    sb_log_split(k, min, max, before, pieces);
    sb_bound_unref(min);
    sb_bound_unref(max);
}

static bool only_one(struct request *rq, bool find, bool bounds, bool middle)
{
    if (!find && !bounds && !middle)
        return sb_rq_fail(rq, SB_NO_CODE, "need to specify find/bounds or middle");
    if (find && bounds)
        return sb_rq_fail(rq, SB_NO_CODE, "cannot specify bounds and find at the same time");
    if (middle && (find || bounds))
        return sb_rq_fail(rq, SB_NO_CODE, "cannot specify find/bounds and middle at the same time");
    return true;
}

static bool chunk_of_find(struct request *rq, const struct coll *k, const bson_t *find, struct chunk **ret)
{
    struct bound *at = sb_bound_of_query(k, find);
    if (at == NULL) {
        g_autofree char *text = server_text(find);
        return sb_rq_fail(rq, SB_NO_CODE, "no shard key found in chunk query %s", text);
    }
    *ret = sb_chunk_at(k, at);
    sb_bound_unref(at);
    return true;
}

static bool chunk_of_bounds(struct request *rq, const struct coll *k, struct chunk **ret)
{
    bson_t min, max;
    if (!sb_two_bounds(rq->cmd, "bounds", &min, &max))
        return sb_rq_fail(rq, SB_NO_CODE, "bounds must be an array of two documents");
    struct bound *low = sb_bound_new(k->key, &min, NULL), *high = sb_bound_new(k->key, &max, NULL);
    bool valid = low != NULL && high != NULL;
    *ret = valid ? sb_chunk_exact(k, low, high) : NULL;
    sb_bound_unref(low);
    sb_bound_unref(high);
    if (*ret != NULL)
        return true;
    g_autofree char *range = server_range_text(&min, &max, valid ? ", " : ","),
                    *pattern = server_text(&k->key->doc);
    if (!valid)
        return sb_rq_fail(rq, SB_NO_CODE, "shard key bounds %s are not valid for shard key pattern %s", range,
                          pattern);
    return sb_rq_fail(rq, SB_NO_CODE, "no chunk found with the shard key bounds %s", range);
}

/* Hashed fields hold hashes: 64-bit integers, or the two ends. */
static bool hashed_types(const struct coll *k, const bson_t *key)
{
    int field = key_pattern_hashed_field(k->key);
    bson_iter_t it;
    return field < 0 || !bson_iter_init_find(&it, key, k->key->fields[field].name) ||
           BSON_ITER_HOLDS_INT64(&it) || BSON_ITER_HOLDS_MINKEY(&it) || BSON_ITER_HOLDS_MAXKEY(&it);
}

/* The split point and its chunk; the point is the caller's. */
static bool point_of_middle(struct request *rq, const struct coll *k, const bson_t *middle,
                            struct chunk **ret, struct bound **ret_at)
{
    g_autofree char *text = server_text(middle), *pattern = server_text(&k->key->doc);
    struct bound *at = sb_bound_new(k->key, middle, NULL);
    if (at == NULL)
        return sb_rq_fail(rq, SB_NO_CODE, "new split key %s is not valid for shard key pattern %s", text,
                          pattern);
    struct chunk *ch = sb_chunk_at(k, at);
    if (sb_bound_cmp(ch->min, at) == 0 || sb_bound_cmp(ch->max, at) == 0) {
        sb_bound_unref(at);
        g_autofree char *range = server_range_text(ch->min->doc, ch->max->doc, ",");
        return sb_rq_fail(rq, SB_NO_CODE, "new split key %s is a boundary key of existing chunk %s", text,
                          range);
    }
    if (!hashed_types(k, middle)) {
        sb_bound_unref(at);
        return sb_rq_fail(rq, SB_CANNOT_SPLIT, "splitKey %s of a hashed shard key must be of type NumberLong",
                          text);
    }
    *ret = ch;
    *ret_at = at;
    return true;
}

/* A chunk of one key value, or with less than two documents where documents are counted, has no median. */
static bool point_of_median(struct request *rq, const struct chunk *ch, struct bound **ret_at)
{
    int64_t here = 0;
    for (guint i = 0; i < ch->coll->chunks->len; i++)
        here += ((const struct chunk *)ch->coll->chunks->pdata[i])->documents;
    bool empty = here > 0 && ch->documents < 2;
    return (ch->keys != 1 && !empty && sb_key_at(ch->coll, ch->min->doc, ch->max->doc, 0.5, ret_at)) ||
           sb_rq_fail(rq, SB_CANNOT_SPLIT,
                      "Unable to find median in chunk, possibly because chunk is empty.");
}

/* The median is looked for after the lock is there: by then the chunk may be another. */
void sb_cmd_split(struct request *rq)
{
    struct coll *k;
    struct chunk *ch;
    struct bound *at = NULL;
    bson_t find, middle;
    if (!sb_rq_coll(rq, &k))
        return;
    bool by_find = sb_doc_sub(rq->cmd, "find", &find), by_middle = sb_doc_sub(rq->cmd, "middle", &middle);
    if (!only_one(rq, by_find, bson_has_field(rq->cmd, "bounds"), by_middle))
        return;
    if (by_middle ? !point_of_middle(rq, k, &middle, &ch, &at)
                  : !(by_find ? chunk_of_find(rq, k, &find, &ch) : chunk_of_bounds(rq, k, &ch)))
        return;
    g_autofree char *range = server_range_text(ch->min->doc, ch->max->doc, ", ");
    g_autofree char *what = g_strdup_printf("split chunk %s", range);
    if (sb_shard_down(rq->c, ch->shard))
        sb_rq_fail(rq, SB_NO_PRIMARY,
                   "Could not find host matching read preference { mode: \"primary\" } for set %s",
                   ch->shard->id);
    else if (sb_rq_collection_lock(rq, k, ch->shard, what) && (by_middle || point_of_median(rq, ch, &at))) {
        sb_split_chunk(ch, &at, 1);
        sb_rq_reply(rq, NULL);
    }
    sb_bound_unref(at);
}

/* A chunk that is not jumbo is left alone, with success. */
void sb_cmd_clear_jumbo(struct request *rq)
{
    struct coll *k;
    struct chunk *ch = NULL;
    bson_t find, min, max;
    if (!sb_rq_coll(rq, &k))
        return;
    bool by_find = sb_doc_sub(rq->cmd, "find", &find),
         by_bounds = sb_two_bounds(rq->cmd, "bounds", &min, &max);
    if (by_find == by_bounds) {
        sb_rq_fail(rq, SB_JUMBO_FORM, "need to specify either a find query, or both lower and upper bounds");
        return;
    }
    if (by_find && !chunk_of_find(rq, k, &find, &ch))
        return;
    if (by_bounds) {
        struct bound *low = sb_bound_new(k->key, &min, NULL), *high = sb_bound_new(k->key, &max, NULL);
        if (low != NULL && high != NULL)
            ch = sb_chunk_exact(k, low, high);
        sb_bound_unref(low);
        sb_bound_unref(high);
    }
    if (ch == NULL) {
        g_autofree char *range = server_range_text(&min, &max, ", ");
        sb_rq_fail(rq, SB_JUMBO_NO_CHUNK, "no chunk found with the shard key bounds %s", range);
        return;
    }
    if (ch->jumbo > 0) {
        ch->jumbo = -1;
        sb_chunk_set_version(ch, sb_version_major(k->version));
    }
    sb_rq_reply(rq, NULL);
}
