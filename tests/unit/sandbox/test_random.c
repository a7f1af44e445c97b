// SPDX-License-Identifier: Apache-2.0
/* What holds whatever is asked: random commands, seeded, in every version, with clients that go away and
 * operations that are killed. Chunks tile the key space; versions only grow and are unique; data is neither
 * lost nor made; no shard takes part in two migrations; a chunk's history begins with its shard; every
 * request is answered. */
#include "balancer/key/encode.h"
#include "tests/support/sandbox_cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const colls[] = {"app.items", "app.hash", "app.pair"};
static const char *const keys[] = {"{\"x\": 1}", "{\"h\": \"hashed\"}", "{\"r\": 1, \"n\": 1}"};

struct found {
    GByteArray *min, *max;
    uint64_t version;
    const bson_t *doc;
};

static void found_clear(void *data)
{
    struct found *f = data;
    g_byte_array_unref(f->min);
    g_byte_array_unref(f->max);
}

static int by_min(gconstpointer a, gconstpointer b)
{
    const struct found *x = a, *y = b;
    return key_cmp(x->min->data, x->min->len, y->min->data, y->min->len);
}

static GArray *chunks_of(struct sandbox *sb, const char *ns, const key_pattern *key)
{
    GArray *out = g_array_new(FALSE, FALSE, sizeof(struct found));
    const GPtrArray *docs = sb_cluster_docs(sb->cluster, "chunks");
    struct err err = {0};
    g_array_set_clear_func(out, found_clear);
    for (guint i = 0; i < docs->len; i++) {
        bson_t min, max;
        bson_iter_t it;
        uint32_t t, n;
        struct found f = {g_byte_array_new(), g_byte_array_new(), 0, docs->pdata[i]};
        assert_true(sandbox_sub(f.doc, "min", &min) && sandbox_sub(f.doc, "max", &max));
        bool mine = key_encode_bound(bson_get_data(&min), min.len, key->names, f.min, NULL, &err);
        if (mine)
            assert_true(key_encode_bound(bson_get_data(&max), max.len, key->names, f.max, NULL, &err));
        assert_true(bson_iter_init_find(&it, f.doc, "lastmod"));
        bson_iter_timestamp(&it, &t, &n);
        f.version = (uint64_t)t << 32 | n;
        if (mine)
            g_array_append_val(out, f);
        else
            found_clear(&f);
    }
    g_array_sort(out, by_min);
    (void)ns;
    return out;
}

static void check_history(const struct found *f, guint32 seed)
{
    bson_t history, first;
    if (!sandbox_sub(f->doc, "history", &history) || !sandbox_sub(&history, "0", &first) ||
        g_strcmp0(sandbox_text(&first, "shard"), sandbox_text(f->doc, "shard")) != 0)
        fail_msg("seed %u: a chunk's history does not begin with its shard", seed);
}

static uint64_t check_coll(struct sandbox *sb, int index, uint64_t before, guint32 seed)
{
    struct err err = {0};
    bson_t *doc = sandbox_json(keys[index]);
    g_autoptr(key_pattern) key = NULL;
    assert_true(key_pattern_parse(doc, &key, &err));
    bson_destroy(doc);
    g_autoptr(GArray) chunks = chunks_of(sb, colls[index], key);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    g_autoptr(GByteArray) at = g_byte_array_new(), last = g_byte_array_new();
    uint64_t highest = 0;
    key_encode_global(key, false, at);
    key_encode_global(key, true, last);
    for (guint i = 0; i < chunks->len; i++) {
        const struct found *f = &g_array_index(chunks, struct found, i);
        if (key_cmp(at->data, at->len, f->min->data, f->min->len) != 0)
            fail_msg("seed %u: a gap or an overlap in %s", seed, colls[index]);
        g_byte_array_set_size(at, 0);
        g_byte_array_append(at, f->max->data, f->max->len);
        if (!g_hash_table_add(seen, g_memdup2(&f->version, sizeof f->version)))
            fail_msg("seed %u: a version twice in %s", seed, colls[index]);
        highest = MAX(highest, f->version);
        check_history(f, seed);
    }
    assert_int_equal(key_cmp(at->data, at->len, last->data, last->len), 0);
    if (highest < before)
        fail_msg("seed %u: the version of %s went back", seed, colls[index]);
    return highest;
}

static void check_sizes(struct sandbox *sb, guint32 seed)
{
    static const int64_t bytes[] = {4600000, 4000001, 0}, documents[] = {4600, 976 + 2929, 0};
    for (int i = 0; i < 3; i++) {
        int64_t b = 0, d = 0;
        for (int s = 0; s < 3; s++) {
            const char *shards[] = {"a", "b", "c"};
            b += sb_cluster_bytes(sb->cluster, colls[i], shards[s]);
            d += sb_cluster_documents(sb->cluster, colls[i], shards[s]);
        }
        if (b != bytes[i] || d != documents[i])
            fail_msg("seed %u: %s has %d bytes in %d documents", seed, colls[i], (int)b, (int)d);
    }
}

/* No shard takes part in two migrations. */
static void check_busy(struct sandbox *sb, guint32 seed)
{
    const GPtrArray *docs = sb_cluster_docs(sb->cluster, "migrations");
    for (guint i = 0; docs != NULL && i < docs->len; i++) {
        for (guint j = 0; j < i; j++) {
            const char *a = sandbox_text(docs->pdata[i], "fromShard"),
                       *b = sandbox_text(docs->pdata[i], "toShard");
            const char *x = sandbox_text(docs->pdata[j], "fromShard"),
                       *y = sandbox_text(docs->pdata[j], "toShard");
            if (!strcmp(a, x) || !strcmp(a, y) || !strcmp(b, x) || !strcmp(b, y))
                fail_msg("seed %u: a shard in two migrations", seed);
        }
    }
}

static char *random_key(GRand *r, int coll)
{
    int n = g_rand_int_range(r, -50, 300);
    if (coll == 1)
        return g_strdup_printf("{\"h\": {\"$numberLong\": \"%" G_GINT64_FORMAT "\"}}",
                               (gint64)((guint64)g_rand_int(r) << 32 | g_rand_int(r)));
    return coll == 0 ? g_strdup_printf("{\"x\": %d}", n)
                     : g_strdup_printf("{\"r\": \"%c\", \"n\": %d}", 'a' + g_rand_int_range(r, 0, 26), n);
}

static char *random_command(GRand *r)
{
    static const char *const shards[] = {"a", "b", "c", "z"};
    int coll = g_rand_int_range(r, 0, 3);
    g_autofree char *key = random_key(r, coll), *other = random_key(r, coll);
    const char *shard = shards[g_rand_int_range(r, 0, 40) == 0 ? 3 : g_rand_int_range(r, 0, 3)];
    const char *more = g_rand_boolean(r) ? ", \"waitForDelete\": true" : "";
    switch (g_rand_int_range(r, 0, 8)) {
    case 0:
        return g_strdup_printf("{\"split\": \"%s\", \"middle\": %s}", colls[coll], key);
    case 1:
        return g_strdup_printf("{\"split\": \"%s\", \"find\": %s}", colls[coll], key);
    case 2:
        return g_strdup_printf("{\"mergeChunks\": \"%s\", \"bounds\": [%s, %s]}", colls[coll], key, other);
    case 3:
        return g_strdup_printf("{\"moveRange\": \"%s\", \"min\": %s, \"toShard\": \"%s\"%s}", colls[coll],
                               key, shard, more);
    case 4:
        return g_strdup_printf("{\"moveRange\": \"%s\", \"min\": %s, \"max\": %s, \"toShard\": \"%s\"}",
                               colls[coll], key, other, shard);
    case 5:
        return g_strdup_printf("{\"mergeAllChunksOnShard\": \"%s\", \"shard\": \"%s\"}", colls[coll], shard);
    default:
        return g_strdup_printf("{\"moveChunk\": \"%s\", \"find\": %s, \"to\": \"%s\"%s}", colls[coll], key,
                               shard, more);
    }
}

static void random_run(int v, guint32 seed)
{
    GRand *r = g_rand_new_with_seed(seed);
    struct sandbox *sb = sandbox_small(sandbox_versions[v][0], sandbox_versions[v][1]);
    g_autoptr(GPtrArray) waiting = g_ptr_array_new();
    uint64_t highest[3] = {0};
    for (int i = 0; i < 250; i++) {
        g_autofree char *json = random_command(r);
        g_ptr_array_add(waiting, sandbox_ask_json(sb, json));
        if (g_rand_int_range(r, 0, 10) == 0)
            waiting_free(
                g_ptr_array_steal_index_fast(waiting, (guint)g_rand_int_range(r, 0, (gint32)waiting->len)));
        if (g_rand_int_range(r, 0, 15) == 0)
            sb_cluster_kill(sb->cluster, g_rand_int_range(r, 1, i + 2));
        step_clock_advance(sb->clock, g_rand_int_range(r, 0, g_rand_boolean(r) ? 100 : 100000));
        for (int k = 0; k < 3; k++)
            highest[k] = check_coll(sb, k, highest[k], seed);
        check_sizes(sb, seed);
        check_busy(sb, seed);
    }
    step_clock_advance(sb->clock, 3600 * 1000);
    for (guint i = 0; i < waiting->len; i++) {
        struct waiting *w = waiting->pdata[i];
        if (w->reply == NULL)
            fail_msg("seed %u: a request was never answered", seed);
        waiting_free(w);
    }
    for (int s = 0; s < 3; s++) {
        const char *shards[] = {"a", "b", "c"};
        assert_int_equal(sb_cluster_orphan_bytes(sb->cluster, "app.items", shards[s]), 0);
    }
    sandbox_free(sb);
    g_rand_free(r);
}

static void random_operations_keep_the_rules(void **state)
{
    (void)state;
    for (int v = 0; v < VERSIONS; v++) {
        for (guint32 seed = 1; seed <= 8; seed++)
            random_run(v, seed * 100 + (guint32)v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_keep_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
