// SPDX-License-Identifier: Apache-2.0
/* Any bytes as commands to the simulated cluster: lines of JSON where the input begins with "{", otherwise
 * one BSON document after another. Each reply must be valid BSON and come once; the config documents must
 * stay readable; nobody may crash. */
#include "tests/support/step_clock.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMANDS_MAX = 64 };

static const char state_json[] =
    "{\"shards\": [{\"_id\": \"a\", \"host\": \"a/127.0.0.1:1\", \"tags\": [\"EU\"]}, {\"_id\": \"b\", "
    "\"host\":"
    " \"b/127.0.0.1:2\", \"tags\": [\"US\"]}, {\"_id\": \"c\", \"host\": \"c/127.0.0.1:3\"}],"
    "\"collections\": [{\"_id\": \"app.items\", \"key\": {\"x\": 1}}, {\"_id\": \"app.hash\", \"key\": "
    "{\"h\": \"hashed\"}}],"
    "\"chunks\": ["
    " {\"ns\": \"app.items\", \"min\": {\"x\": {\"$minKey\": 1}}, \"max\": {\"x\": 0}, \"shard\": \"a\"},"
    " {\"ns\": \"app.items\", \"min\": {\"x\": 0}, \"max\": {\"x\": 100}, \"shard\": \"a\"},"
    " {\"ns\": \"app.items\", \"min\": {\"x\": 100}, \"max\": {\"x\": {\"$maxKey\": 1}}, \"shard\": \"b\"},"
    " {\"ns\": \"app.hash\", \"min\": {\"h\": {\"$minKey\": 1}}, \"max\": {\"h\": {\"$maxKey\": 1}}, "
    "\"shard\": \"c\"}],"
    "\"sizes\": [{\"_id\": \"app.items\", \"shards\": {\"a\": 600000, \"b\": 400000000}}]}";

static void check(bool ok)
{
    if (!ok)
        abort();
}

static sb_cluster *cluster_of(uint8_t chance, step_clock *clock)
{
    static const int versions[][2] = {{4, 2}, {4, 4}, {5, 0}, {6, 0}, {7, 0}, {8, 0}};
    const int *v = versions[chance % G_N_ELEMENTS(versions)];
    struct sb_options opt = {.version_major = v[0],
                             .version_minor = v[1],
                             .version_patch = 9,
                             .latency_ms = 50,
                             .bandwidth = 1000000,
                             .spread = 0.2,
                             .growth = 10,
                             .seed = 1,
                             .orphan_delay_ms = 1000,
                             .allow_faults = true};
    sb_cluster *c = sb_cluster_new(&opt, step_clock_host(clock));
    bson_t *state = bson_new_from_json((const uint8_t *)state_json, -1, NULL);
    bson_iter_t it, item;
    struct err err = {0};
    check(state != NULL && bson_iter_init(&it, state));
    while (bson_iter_next(&it)) {
        check(bson_iter_recurse(&it, &item));
        while (bson_iter_next(&item)) {
            bson_t doc;
            uint32_t len;
            const uint8_t *bytes;
            bson_iter_document(&item, &len, &bytes);
            check(bson_init_static(&doc, bytes, len) && sb_cluster_load(c, bson_iter_key(&it), &doc, &err));
        }
    }
    check(sb_cluster_ready(c, &err));
    bson_destroy(state);
    return c;
}

struct asked {
    bool answered;
};

static void came(void *user, const bson_t *reply)
{
    struct asked *a = user;
    check(!a->answered && bson_validate(reply, BSON_VALIDATE_UTF8 | BSON_VALIDATE_UTF8_ALLOW_NULL, NULL));
    a->answered = true;
}

static void look_around(sb_cluster *c)
{
    static const char *const names[] = {"shards", "databases", "collections", "chunks",
                                        "tags",   "settings",  "changelog",   "migrations"};
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        const GPtrArray *docs = sb_cluster_docs(c, names[i]);
        for (guint d = 0; docs != NULL && d < docs->len; d++)
            check(bson_validate(docs->pdata[d], BSON_VALIDATE_NONE, NULL));
    }
    g_ptr_array_unref(sb_cluster_current_ops(c));
}

static void ask(sb_cluster *c, step_clock *clock, const bson_t *cmd, struct asked *a, int64_t op)
{
    bool drops = bson_has_field(cmd, "drop") || bson_has_field(cmd, "dropDatabase");
    sb_cluster_run(c, drops ? "app" : "admin", cmd, op, came, a);
    step_clock_advance(clock, op % 3 == 0 ? 0 : op % 3 == 1 ? 20 : 5000);
    if (op % 7 == 6)
        sb_cluster_kill(c, op - 1);
}

static void ask_lines(sb_cluster *c, step_clock *clock, const uint8_t *data, size_t size, struct asked *asked)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) lines = g_strsplit(text, "\n", COMMANDS_MAX);
    unsigned n = 0;
    for (unsigned i = 0; lines[i] != NULL; i++) {
        bson_t *cmd = bson_new_from_json((const uint8_t *)lines[i], -1, NULL);
        if (cmd == NULL)
            continue;
        ask(c, clock, cmd, &asked[n], n);
        n++;
        bson_destroy(cmd);
    }
}

static void ask_documents(sb_cluster *c, step_clock *clock, const uint8_t *data, size_t size,
                          struct asked *asked)
{
    unsigned n = 0;
    while (size >= 6 && n < COMMANDS_MAX) {
        bson_t cmd;
        size_t len = (size_t)data[0] + 6 < size ? (size_t)data[0] + 6 : size - 1;
        /* the frame put right, so that what it holds is reached */
        g_autofree uint8_t *framed = g_malloc(len);
        uint32_t le = GUINT32_TO_LE((uint32_t)len);
        memcpy(framed, data + 1, len);
        memcpy(framed, &le, sizeof le);
        framed[len - 1] = 0;
        if (bson_init_static(&cmd, framed, len)) {
            ask(c, clock, &cmd, &asked[n], n);
            n++;
        }
        data += len + 1;
        size -= len + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asked asked[COMMANDS_MAX] = {{false}};
    if (size < 8 || size > 1 << 16)
        return 0;
    step_clock *clock = step_clock_new(1700000000000);
    sb_cluster *c = cluster_of(data[size - 1], clock);
    if (data[0] == '{')
        ask_lines(c, clock, data, size, asked);
    else
        ask_documents(c, clock, data, size, asked);
    step_clock_advance(clock, 60000);
    look_around(c);
    sb_cluster_free(c);
    step_clock_free(clock);
    return 0;
}
