// SPDX-License-Identifier: Apache-2.0
/* Which collections were split and migrated lately, and how often that was their last chunk: under a shard
 * key that grows with time the last chunk takes every insert, so that it alone is split and moved. */
#include "balancer/cluster/builder_private.h"

#include <string.h>

/* Names that are counted at most; a log that holds more is not a log of a cluster. */
enum { NAMES_MAX = 100000 };

/* Whether a document of bounds is the global maximum: MaxKey in every field. */
static bool is_global_max(const bson_iter_t *at)
{
    bson_iter_t it;
    unsigned n = 0;
    if (!BSON_ITER_HOLDS_DOCUMENT(at) || !bson_iter_recurse(at, &it))
        return false;
    for (; bson_iter_next(&it); n++)
        if (!BSON_ITER_HOLDS_MAXKEY(&it))
            return false;
    return n > 0 && walk_complete(&it);
}

static bool find(const bson_iter_t *in, const char *name, bson_iter_t *ret)
{
    *ret = *in;
    return bson_iter_find(ret, name);
}

/* A split names the chunk that was cut under `before`; where it became more than two parts there is one entry
 * a part, of which the first counts. */
static bool read_split(const bson_iter_t *details, bool *ret_top)
{
    bson_iter_t it, before;
    int64_t number;
    if (find(details, "number", &it) && (!field_whole(&it, 1, INT32_MAX, &number) || number != 1))
        return false;
    if (!find(details, "before", &it) || !BSON_ITER_HOLDS_DOCUMENT(&it) || !bson_iter_recurse(&it, &before))
        return false;
    *ret_top = bson_iter_find(&before, "max") && is_global_max(&before);
    return true;
}

void builder_add_activity(builder *b, const char *what, const char *ns, int64_t time_ms,
                          const bson_iter_t *details)
{
    bool moved = strcmp(what, "moveChunk.commit") == 0, top = false;
    bson_iter_t max;
    if (!moved &&
        ((strcmp(what, "split") != 0 && strcmp(what, "multi-split") != 0) || !read_split(details, &top)))
        return;
    if (moved && find(details, "max", &max))
        top = is_global_max(&max);
    struct activity *a = g_hash_table_lookup(b->activity, ns);
    if (a == NULL) {
        if (g_hash_table_size(b->activity) >= NAMES_MAX)
            return;
        a = g_new0(struct activity, 1);
        g_hash_table_insert(b->activity, g_strdup(ns), a);
    }
    *(moved ? &a->moves : &a->splits) += 1;
    if (!top)
        return;
    const bool first = a->top_moves + a->top_splits == 0;
    a->top_first_ms = first ? time_ms : MIN(a->top_first_ms, time_ms);
    a->top_last_ms = first ? time_ms : MAX(a->top_last_ms, time_ms);
    *(moved ? &a->top_moves : &a->top_splits) += 1;
}

void builder_finish_activity(builder *b)
{
    for (uint32_t i = 0; i < b->cl->n_collections; i++) {
        struct collection *c = &b->cl->collections[i];
        const struct activity *a = g_hash_table_lookup(b->activity, c->ns);
        if (a != NULL)
            c->activity = *a;
    }
}
