// SPDX-License-Identifier: Apache-2.0
/* jumbo, mergeWouldHelp, unevenChunkSizes: what chunks themselves give reason for. */
#include "balancer/plan/advice_private.h"

#include "balancer/key/show.h"
#include "common/text.h"

#include <math.h>

/* A merge is worth telling where it removes this many chunks, and half of all. */
enum { MERGE_LEAST = 100 };

/* One field, a whole number, and the next one above it: of a hashed key this is one value for certain. */
static bool spans_one(const struct collection *coll, uint32_t i)
{
    bson_t min = BSON_INITIALIZER, max = BSON_INITIALIZER;
    bson_iter_t a, b;
    bool one = false;
    if (coll->key->n_fields == 1 && i + 1 < coll->chunks.n) {
        chunk_min(coll, &coll->chunks, i, &min);
        chunk_max(coll, &coll->chunks, i, &max);
        if (bson_iter_init(&a, &min) && bson_iter_next(&a) && bson_iter_init(&b, &max) &&
            bson_iter_next(&b) && (BSON_ITER_HOLDS_INT32(&a) || BSON_ITER_HOLDS_INT64(&a)) &&
            (BSON_ITER_HOLDS_INT32(&b) || BSON_ITER_HOLDS_INT64(&b)))
            one = bson_iter_as_int64(&a) == bson_iter_as_int64(&b) - 1;
    }
    bson_destroy(&min);
    bson_destroy(&max);
    return one;
}

static char *jumbo_message(const struct advisor *a, const struct coll_facts *f, uint32_t shown,
                           uint32_t single)
{
    GString *s = g_string_new(NULL);
    g_autofree bool *on = g_new0(bool, a->cl->n_shards);
    for (uint16_t i = 0; i < a->cl->n_shards; i++)
        on[i] = f->jumbo_on[i] > 0;
    advice_say_n(s, f->jumbo, "chunk");
    g_string_append_printf(s, " on ");
    advice_say_shards(s, a->cl, on);
    g_string_append(s, f->jumbo == 1 ? " is flagged jumbo, " : " are flagged jumbo, ");
    if (f->jumbo_bytes >= 0) {
        text_append_bytes(s, f->jumbo_bytes);
        g_string_append(s, " as measured; ");
    } else {
        g_string_append(s, "of a size that the metadata do not tell; ");
    }
    g_string_append(s,
                    "no balancer moves such a chunk, and a shard that is draining never gets empty while it "
                    "holds one");
    if (single > 0)
        g_string_append_printf(s,
                               "; of the first %u, %u span%s from one whole number to the next, and likely "
                               "hold%s one value, which no split divides",
                               shown, single, single == 1 ? "s" : "", single == 1 ? "s" : "");
    return g_string_free(s, FALSE);
}

static bool may_clear(const struct advisor *a)
{
    return a->cl->server_major == 0 || cluster_version_cmp(a->cl, 4, 2, 3) >= 0;
}

/* From the mildest to the last resort, each from the release on that has it. */
static char *jumbo_todo(const struct advisor *a, const struct coll_facts *f, bool split)
{
    GString *s = g_string_new(NULL);
    if (split)
        g_string_append_printf(
            s,
            "try to split %s at %s middle, as below: that clears the flag, and an answer that no "
            "median is found means that the chunk holds one value of the shard key; ",
            f->jumbo == 1 ? "it" : "each", f->jumbo == 1 ? "the" : "its");
    g_string_append(s, may_clear(a)
                           ? "where a chunk is no longer too large, clear its flag with clearJumboFlag "
                             "(from 4.2.3)"
                           : "clearJumboFlag, for chunks that are no longer too large, comes with 4.2.3");
    if (advice_may(a, 4, 4)) {
        g_string_append(s, "; where it holds one value of the key, refine the shard key by a further field "
                           "(refineCollectionShardKey, from 4.4), then split");
        g_string_append(s, advice_may(a, 6, 0) ? ", or move it whole with forceJumbo: true in moveRange"
                                               : ", or move it whole with forceJumbo: true in moveChunk");
        g_string_append(s, " (from 4.4; writes to it may wait long)");
        if (!a->cl->settings.attempt_jumbo)
            g_string_append(
                s, ", or let MongoDB's own balancer try chunks that are too large but not flagged, with "
                   "attemptToBalanceJumboChunks in config.settings");
    }
    if (advice_may(a, 5, 0))
        g_string_append(s, "; reshardCollection to a key of more values removes the cause (from 5.0)");
    if (advice_may(a, 8, 0))
        g_string_append(
            s, ", and to the same key with forceRedistribution: true takes jumbo chunks along when a "
               "shard has to be emptied (from 8.0)");
    if (!advice_may(a, 4, 4))
        g_string_append(
            s, "; a chunk of one value stays where it is before 4.4: nothing but an upgrade, or another "
               "collection with a finer key, helps");
    if (f->jumbo > ADVICE_JUMBO_SHOWN)
        g_string_append_printf(s, "; below for the first %d of them", ADVICE_JUMBO_SHOWN);
    return g_string_free(s, FALSE);
}

void advice_jumbo(struct advisor *a, const struct coll_facts *f)
{
    if (f->jumbo == 0)
        return;
    const uint32_t shown = (uint32_t)MIN(f->jumbo, ADVICE_JUMBO_SHOWN);
    uint32_t single = 0;
    g_autoptr(GString) cmd = g_string_new(NULL);
    for (uint32_t i = 0; i < shown; i++) {
        const bool one = spans_one(f->coll, f->jumbo_first[i]);
        single += one ? 1 : 0;
        advice_command(cmd, one && may_clear(a) ? "clearJumboFlag" : "split", f->coll);
        g_string_append(cmd, ", ");
        advice_bounds(cmd, f->coll, f->jumbo_first[i], f->jumbo_first[i] + 1);
        g_string_append(cmd, "})");
    }
    const uint16_t first = f->coll->chunks.shard[f->jumbo_first[0]];
    g_autofree char *text = jumbo_message(a, f, shown, single), *todo = jumbo_todo(a, f, single < shown);
    advice_add(a, "jumbo", f->coll, f->jumbo_on[first] == f->jumbo ? first : SHARD_NONE, text, todo,
               cmd->str);
}

/* Whether the server does it by itself: the AutoMerger is part of the balancer's work from 7.0 on. */
static bool merges_itself(const struct advisor *a)
{
    return cluster_version_cmp(a->cl, 7, 0, 0) >= 0 && a->cl->settings.mode == BALANCER_FULL;
}

/* mergeAllChunksOnShard for the shards that gain most, or mergeChunks for the first run. */
static char *merge_commands(const struct advisor *a, const struct coll_facts *f)
{
    GString *s = g_string_new(NULL);
    if (cluster_version_cmp(a->cl, 7, 0, 0) < 0) {
        advice_command(s, "mergeChunks", f->coll);
        g_string_append(s, ", ");
        advice_bounds(s, f->coll, f->merge_first - 1, f->merge_end);
        g_string_append(s, "})");
        return g_string_free(s, FALSE);
    }
    g_autofree bool *said = g_new0(bool, a->cl->n_shards);
    for (unsigned k = 0; k < ADVICE_MERGE_SHOWN; k++) {
        uint16_t most = SHARD_NONE;
        for (uint16_t i = 0; i < a->cl->n_shards; i++)
            if (!said[i] && f->mergeable[i] > 0 &&
                (most == SHARD_NONE || f->mergeable[i] > f->mergeable[most]))
                most = i;
        if (most == SHARD_NONE)
            break;
        said[most] = true;
        advice_command(s, "mergeAllChunksOnShard", f->coll);
        g_string_append(s, ", shard: ");
        key_mongosh_string(s, a->cl->shards[most].id);
        g_string_append(s, "})");
    }
    return g_string_free(s, FALSE);
}

static const char *merge_todo(const struct advisor *a)
{
    if (cluster_version_cmp(a->cl, 7, 0, 0) >= 0)
        return "the AutoMerger does not run while the built-in balancer is stopped: merge by hand, shard by "
               "shard, "
               "for each shard as below for those that gain most";
    if (cluster_version_cmp(a->cl, 6, 0, 3) >= 0)
        return "merge run by run with mergeChunks, as below for the first; or let the built-in balancer, "
               "while it is "
               "on, defragment the collection (configureCollectionBalancing with defragmentCollection: true, "
               "from "
               "6.0.4), which moves small chunks, too";
    return "merge run by run with mergeChunks, as below for the first, keeping each below the chunk size; "
           "the numbers of "
           "chunks by which the cluster is balanced change by it";
}

static int64_t known_bytes(const struct coll_facts *f)
{
    return f->coll->sizes_known ? f->pc->bytes : SIZE_UNKNOWN;
}

void advice_merge(struct advisor *a, const struct coll_facts *f)
{
    const int64_t n = f->coll->chunks.n, gone = n - f->merged, bytes = known_bytes(f);
    if (gone < MERGE_LEAST || 2 * f->merged > n || merges_itself(a) || (f->merge_by_size && bytes < 0) ||
        (bytes >= 0 && bytes / n > f->max_chunk_bytes / 2))
        return;
    g_autoptr(GString) s = g_string_new(NULL);
    text_append_count(s, n);
    g_string_append(s, " chunks could be ");
    text_append_count(s, f->merged);
    g_string_append(s, ": ");
    text_append_count(s, gone);
    g_string_append(s, " of them follow one on the same shard and of the same zone, and ");
    if (bytes >= 0) {
        g_string_append(s, "a chunk holds ");
        text_append_bytes(s, bytes / n);
        g_string_append(s, " on average where ");
        text_append_bytes(s, f->max_chunk_bytes);
        g_string_append(s, " is the chunk size");
    } else {
        g_string_append(s, "their sizes are not known");
    }
    g_string_append(s, "; fewer chunks make routers' tables and their refreshes smaller");
    g_autofree char *cmd = merge_commands(a, f);
    advice_add(a, "mergeWouldHelp", f->coll, SHARD_NONE, s->str, merge_todo(a), cmd);
}

/* The fullest and the emptiest of the shards that stay, of known size; false: some size is not known. */
static bool extremes(const struct advisor *a, const struct coll_facts *f, const struct plan_shard **ret_most,
                     const struct plan_shard **ret_least)
{
    *ret_most = *ret_least = NULL;
    for (uint32_t i = 0; i < f->pc->n_shards; i++) {
        const struct plan_shard *s = &f->pc->shards[i];
        if (s->bytes < 0)
            return false;
        if (!a->stays[s->shard])
            continue;
        if (*ret_most == NULL || s->bytes > (*ret_most)->bytes)
            *ret_most = s;
        if (*ret_least == NULL || s->bytes < (*ret_least)->bytes)
            *ret_least = s;
    }
    return *ret_most != *ret_least;
}

void advice_sizes(struct advisor *a, const struct coll_facts *f)
{
    const struct plan_shard *most, *least;
    if (a->p->policy->unit != LOAD_CHUNKS || !f->coll->sizes_known || f->coll->n_ranges > 0 ||
        f->pc->status != PLAN_BALANCED || f->pc->n_migrations > 0 || !extremes(a, f, &most, &least) ||
        most->bytes - least->bytes < 3 * f->max_chunk_bytes || most->bytes / 3 < least->bytes / 2)
        return;
    g_autoptr(GString) s = g_string_new("it is balanced by the number of chunks, but ");
    advice_say_name(s, a->cl->shards[most->shard].id);
    g_string_append(s, " holds ");
    text_append_bytes(s, most->bytes);
    g_string_append(s, " in ");
    advice_say_n(s, most->chunks, "chunk");
    g_string_append(s, ", ");
    advice_say_name(s, a->cl->shards[least->shard].id);
    g_string_append(s, " ");
    text_append_bytes(s, least->bytes);
    g_string_append(s, " in ");
    advice_say_n(s, least->chunks, "chunk");
    g_string_append(s, ": its chunks differ in size");
    advice_add(a, "unevenChunkSizes", f->coll, most->shard, s->str,
               "balance it by size: --policy size, or balancer.policy: size in the configuration; servers "
               "from 6.0.3 on "
               "do so by themselves",
               NULL);
}
