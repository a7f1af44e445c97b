// SPDX-License-Identifier: Apache-2.0
#include "migrations/executor/shards.h"

struct shard {
    int64_t remaining;
    uint32_t rank; /* its place in `order` */
    uint32_t busy;
};

struct shards {
    GArray *all;       /* struct shard */
    GArray *order;     /* uint32_t, most remaining work first */
    GHashTable *names; /* owned name -> number + 1 */
};

static struct shard *shard_at(const shards *s, uint32_t n)
{
    return &g_array_index(s->all, struct shard, n);
}

shards *shards_new(void)
{
    shards *s = g_new0(shards, 1);
    s->all = g_array_new(FALSE, FALSE, sizeof(struct shard));
    s->order = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    s->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return s;
}

void shards_free(shards *s)
{
    if (s == NULL)
        return;
    g_array_unref(s->all);
    g_array_unref(s->order);
    g_hash_table_unref(s->names);
    g_free(s);
}

uint32_t shards_find(shards *s, const char *name)
{
    gpointer known = g_hash_table_lookup(s->names, name);
    if (known != NULL)
        return GPOINTER_TO_UINT(known) - 1;
    const uint32_t n = s->all->len;
    const struct shard added = {.rank = n};
    g_array_append_val(s->all, added);
    g_array_append_val(s->order, n);
    g_hash_table_insert(s->names, g_strdup(name), GUINT_TO_POINTER(n + 1));
    return n;
}

uint32_t shards_count(const shards *s)
{
    return s->all->len;
}

uint32_t shards_ranked(const shards *s, uint32_t n)
{
    return g_array_index(s->order, uint32_t, n);
}

int64_t shards_remaining(const shards *s, uint32_t shard)
{
    return shard_at(s, shard)->remaining;
}

static void put(shards *s, uint32_t rank, uint32_t shard)
{
    g_array_index(s->order, uint32_t, rank) = shard;
    shard_at(s, shard)->rank = rank;
}

void shards_change_remaining(shards *s, uint32_t shard, int64_t by)
{
    struct shard *sh = shard_at(s, shard);
    uint32_t rank = sh->rank;
    sh->remaining += by;
    for (; rank > 0 && shard_at(s, shards_ranked(s, rank - 1))->remaining < sh->remaining; rank--)
        put(s, rank, shards_ranked(s, rank - 1));
    for (; rank + 1 < s->order->len && shard_at(s, shards_ranked(s, rank + 1))->remaining > sh->remaining;
         rank++)
        put(s, rank, shards_ranked(s, rank + 1));
    put(s, rank, shard);
}

void shards_occupy(shards *s, uint32_t shard, bool on)
{
    struct shard *sh = shard_at(s, shard);
    g_return_if_fail(on || sh->busy > 0);
    if (on)
        sh->busy++;
    else
        sh->busy--;
}

bool shards_is_free(const shards *s, uint32_t shard)
{
    return shard_at(s, shard)->busy == 0;
}
