// SPDX-License-Identifier: Apache-2.0
#include "tests/support/sandbox_cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { HOUR = 3600 * 1000 };

bson_t *sandbox_json(const char *json)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (doc == NULL)
        fail_msg("%s: %s", json, error.message);
    return doc;
}

static void load(struct sandbox *sb, const char *name, const bson_iter_t *it)
{
    struct err err = {0};
    bson_t doc;
    uint32_t len;
    const uint8_t *data;
    assert_true(BSON_ITER_HOLDS_DOCUMENT(it));
    bson_iter_document(it, &len, &data);
    assert_true(bson_init_static(&doc, data, len));
    if (!sb_cluster_load(sb->cluster, name, &doc, &err))
        fail_msg("%s", err.msg);
}

/* {"db.coll": {shard: amount}} becomes one document a collection. */
static void load_sizes(struct sandbox *sb, bson_iter_t *it)
{
    bson_iter_t item;
    struct err err = {0};
    assert_true(bson_iter_recurse(it, &item));
    while (bson_iter_next(&item)) {
        bson_t *doc = bson_new();
        BSON_APPEND_UTF8(doc, "_id", bson_iter_key(&item));
        bson_append_iter(doc, "shards", -1, &item);
        if (!sb_cluster_load(sb->cluster, "sizes", doc, &err))
            fail_msg("%s", err.msg);
        bson_destroy(doc);
    }
}

static void load_all(struct sandbox *sb, const bson_t *state)
{
    bson_iter_t it, item;
    assert_true(bson_iter_init(&it, state));
    while (bson_iter_next(&it)) {
        const char *name = bson_iter_key(&it);
        if (strcmp(name, "sizes") == 0 && BSON_ITER_HOLDS_DOCUMENT(&it))
            load_sizes(sb, &it);
        if (!BSON_ITER_HOLDS_ARRAY(&it) || !bson_iter_recurse(&it, &item))
            continue;
        while (bson_iter_next(&item))
            load(sb, name, &item);
    }
}

static struct sandbox *sandbox_of(const bson_t *state, const struct sb_options *opt, const char *extra)
{
    struct sandbox *sb = g_new0(struct sandbox, 1);
    struct err err = {0};
    sb->clock = step_clock_new(1795212284000);
    sb->cluster = sb_cluster_new(opt, step_clock_host(sb->clock));
    if (extra != NULL) {
        bson_t *more = sandbox_json(extra);
        load_all(sb, more);
        bson_destroy(more);
    }
    load_all(sb, state);
    if (!sb_cluster_ready(sb->cluster, &err))
        fail_msg("%s", err.msg);
    return sb;
}

struct sandbox *sandbox_from_json(const char *json, const struct sb_options *opt)
{
    bson_t *state = sandbox_json(json);
    struct sandbox *sb = sandbox_of(state, opt, NULL);
    bson_destroy(state);
    return sb;
}

struct sandbox *sandbox_from_snapshot(const char *path, const struct sb_options *opt, const char *extra)
{
    g_autofree char *file = g_build_filename(TEST_DATA_DIR, path, NULL);
    g_autofree char *json = NULL;
    if (!g_file_get_contents(file, &json, NULL, NULL))
        fail_msg("cannot read %s", file);
    bson_t *state = sandbox_json(json);
    struct sandbox *sb = sandbox_of(state, opt, extra);
    bson_destroy(state);
    return sb;
}

void sandbox_free(struct sandbox *sb)
{
    sb_cluster_free(sb->cluster);
    step_clock_free(sb->clock);
    g_free(sb);
}

static void came(void *user, const bson_t *reply)
{
    struct waiting *w = user;
    if (w->reply != NULL)
        fail_msg("a second reply to one request");
    w->reply = bson_copy(reply);
    w->answered = step_clock_now(w->sb->clock);
}

struct waiting *sandbox_ask(struct sandbox *sb, const char *db, const bson_t *cmd)
{
    struct waiting *w = g_new0(struct waiting, 1);
    w->sb = sb;
    w->asked = step_clock_now(sb->clock);
    w->op = ++sb->ops;
    sb_cluster_run(sb->cluster, db, cmd, w->op, came, w);
    return w;
}

struct waiting *sandbox_ask_json(struct sandbox *sb, const char *json)
{
    bson_t *cmd = sandbox_json(json);
    struct waiting *w = sandbox_ask(sb, "admin", cmd);
    bson_destroy(cmd);
    return w;
}

void waiting_free(struct waiting *w)
{
    if (w->reply == NULL)
        sb_cluster_forget(w->sb->cluster, w);
    else
        bson_destroy(w->reply);
    g_free(w);
}

const bson_t *sandbox_wait(struct waiting *w)
{
    int64_t until = w->asked + HOUR;
    while (w->reply == NULL) {
        if (!step_clock_next(w->sb->clock, until - step_clock_now(w->sb->clock)))
            fail_msg("no reply within an hour of simulated time");
    }
    return w->reply;
}

bson_t *sandbox_run(struct sandbox *sb, const bson_t *cmd)
{
    struct waiting *w = sandbox_ask(sb, "admin", cmd);
    bson_t *reply = bson_copy(sandbox_wait(w));
    waiting_free(w);
    return reply;
}

bson_t *sandbox_run_json(struct sandbox *sb, const char *json)
{
    bson_t *cmd = sandbox_json(json);
    bson_t *reply = sandbox_run(sb, cmd);
    bson_destroy(cmd);
    return reply;
}

int sandbox_code(const bson_t *reply)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, reply, "code") ? (int)bson_iter_as_int64(&it) : 0;
}

bool sandbox_ok(const bson_t *reply)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, reply, "ok") && bson_iter_as_bool(&it);
}

const char *sandbox_text(const bson_t *reply, const char *name)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, reply, name) && BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL)
                                                                              : NULL;
}

/* The uuid of a collection, where chunks are known by it. */
static bool uuid_of(struct sandbox *sb, const char *ns, const uint8_t **ret)
{
    const GPtrArray *colls = sb_cluster_docs(sb->cluster, "collections");
    bson_iter_t it;
    uint32_t len;
    bson_subtype_t subtype;
    for (guint i = 0; i < colls->len; i++) {
        if (g_strcmp0(sandbox_text(colls->pdata[i], "_id"), ns) == 0 &&
            bson_iter_init_find(&it, colls->pdata[i], "uuid")) {
            bson_iter_binary(&it, &subtype, &len, ret);
            return true;
        }
    }
    return false;
}

static bool is_chunk_of(const bson_t *doc, const char *ns, const uint8_t *uuid)
{
    bson_iter_t it;
    uint32_t len;
    bson_subtype_t subtype;
    const uint8_t *data;
    if (bson_iter_init_find(&it, doc, "ns"))
        return strcmp(bson_iter_utf8(&it, NULL), ns) == 0;
    if (!bson_iter_init_find(&it, doc, "uuid"))
        return false;
    bson_iter_binary(&it, &subtype, &len, &data);
    return memcmp(data, uuid, 16) == 0;
}

const char *sandbox_owner(struct sandbox *sb, const char *ns, const char *min)
{
    const uint8_t *uuid = NULL;
    const char *owner = NULL;
    bson_iter_t it;
    bson_t *wanted = sandbox_json(min), found;
    uint32_t len;
    const uint8_t *data;
    assert_true(uuid_of(sb, ns, &uuid));
    const GPtrArray *chunks = sb_cluster_docs(sb->cluster, "chunks");
    for (guint i = 0; i < chunks->len && owner == NULL; i++) {
        if (!is_chunk_of(chunks->pdata[i], ns, uuid) || !bson_iter_init_find(&it, chunks->pdata[i], "min"))
            continue;
        bson_iter_document(&it, &len, &data);
        assert_true(bson_init_static(&found, data, len));
        if (bson_equal(&found, wanted))
            owner = sandbox_text(chunks->pdata[i], "shard");
    }
    bson_destroy(wanted);
    return owner;
}

/* Three shards; a ranged, a hashed and a compound collection. */
const char sandbox_small_state[] =
    "{\"shards\": [{\"_id\": \"a\", \"host\": \"a/127.0.0.1:1\", \"tags\": [\"EU\"]}, {\"_id\": \"b\", "
    "\"host\":"
    " \"b/127.0.0.1:2\", \"tags\": [\"US\"]}, {\"_id\": \"c\", \"host\": \"c/127.0.0.1:3\"}],"
    "\"databases\": [{\"_id\": \"app\", \"primary\": \"a\", \"partitioned\": true}],"
    "\"settings\": [{\"_id\": \"chunksize\", \"value\": 1}],"
    "\"collections\": ["
    " {\"_id\": \"app.items\", \"key\": {\"x\": 1}, \"lastmodEpoch\": {\"$oid\": "
    "\"5f0000000000000000000001\"}},"
    " {\"_id\": \"app.hash\", \"key\": {\"h\": \"hashed\"}},"
    " {\"_id\": \"app.pair\", \"key\": {\"r\": 1, \"n\": 1}}],"
    "\"chunks\": ["
    " {\"ns\": \"app.items\", \"min\": {\"x\": {\"$minKey\": 1}}, \"max\": {\"x\": 0}, \"shard\": \"a\","
    "  \"lastmod\": {\"$timestamp\": {\"t\": 1, \"i\": 0}}},"
    " {\"ns\": \"app.items\", \"min\": {\"x\": 0}, \"max\": {\"x\": 100}, \"shard\": \"a\","
    "  \"lastmod\": {\"$timestamp\": {\"t\": 1, \"i\": 1}}},"
    " {\"ns\": \"app.items\", \"min\": {\"x\": 100}, \"max\": {\"x\": 200}, \"shard\": \"a\", \"jumbo\": "
    "true,"
    "  \"lastmod\": {\"$timestamp\": {\"t\": 1, \"i\": 2}}},"
    " {\"ns\": \"app.items\", \"min\": {\"x\": 200}, \"max\": {\"x\": {\"$maxKey\": 1}}, \"shard\": \"b\","
    "  \"lastmod\": {\"$timestamp\": {\"t\": 1, \"i\": 3}}},"
    " {\"ns\": \"app.hash\", \"min\": {\"h\": {\"$minKey\": 1}}, \"max\": {\"h\": {\"$numberLong\": \"0\"}}, "
    "\"shard\": \"b\"},"
    " {\"ns\": \"app.hash\", \"min\": {\"h\": {\"$numberLong\": \"0\"}}, \"max\": {\"h\": {\"$maxKey\": 1}}, "
    "\"shard\": \"c\"},"
    " {\"ns\": \"app.pair\", \"min\": {\"r\": {\"$minKey\": 1}, \"n\": {\"$minKey\": 1}},"
    "  \"max\": {\"r\": \"m\", \"n\": {\"$minKey\": 1}}, \"shard\": \"a\"},"
    " {\"ns\": \"app.pair\", \"min\": {\"r\": \"m\", \"n\": {\"$minKey\": 1}},"
    "  \"max\": {\"r\": {\"$maxKey\": 1}, \"n\": {\"$maxKey\": 1}}, \"shard\": \"b\"}],"
    "\"tags\": [{\"ns\": \"app.pair\", \"min\": {\"r\": \"m\"}, \"max\": {\"r\": {\"$maxKey\": 1}, \"n\": "
    "{\"$maxKey\": 1}},"
    "  \"tag\": \"US\"}],"
    "\"sizes\": {\"app.items\": {\"a\": {\"bytes\": 600000, \"documents\": 600}, \"b\": {\"bytes\": 4000000,"
    "  \"documents\": 4000}}, \"app.hash\": {\"b\": 1000000, \"c\": 3000001}}}";

const int sandbox_versions[VERSIONS][2] = {{4, 2}, {4, 4}, {5, 0}, {6, 0}, {7, 0}, {8, 0}};

struct sandbox *sandbox_small(int major, int minor)
{
    struct sb_options opt = {.version_major = major,
                             .version_minor = minor,
                             .version_patch = 9,
                             .latency_ms = 100,
                             .bandwidth = 1000000,
                             .seed = 3,
                             .orphan_delay_ms = 900000};
    return sandbox_from_json(sandbox_small_state, &opt);
}

int sandbox_outcome(const bson_t *reply)
{
    int code = sandbox_code(reply);
    return sandbox_ok(reply) ? OK : code != 0 ? code : BARE;
}

bool sandbox_sub(const bson_t *doc, const char *name, bson_t *ret)
{
    bson_iter_t it;
    uint32_t len;
    const uint8_t *data;
    if (!bson_iter_init_find(&it, doc, name))
        return false;
    if (BSON_ITER_HOLDS_ARRAY(&it))
        bson_iter_array(&it, &len, &data);
    else if (BSON_ITER_HOLDS_DOCUMENT(&it))
        bson_iter_document(&it, &len, &data);
    else
        return false;
    return bson_init_static(ret, data, len);
}
