// SPDX-License-Identifier: Apache-2.0
#include "tests/support/settle_scene.h"

#include "tests/support/sandbox_cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

static const char *const versions[] = {"4.2.25", "4.4.29", "5.0.31", "6.0.20", "7.0.16", "8.0.4"};
const char *settle_version;

const char *settle_word(enum settle_outcome o)
{
    static const char *const words[] = {[SETTLE_COMMITTED] = "committed",
                                        [SETTLE_NOT] = "not",
                                        [SETTLE_IN_FLIGHT] = "in flight",
                                        [SETTLE_VOID] = "void"};
    return words[o];
}

mongo_conn *settle_scene_connect(const live_sandbox *s, const char *options)
{
    mongo_conn *c = NULL;
    struct err err = {0};
    g_autofree char *uri = g_strconcat(live_sandbox_uri(s), options, NULL);
    if (!mongo_connect(uri, MONGOC_READ_PRIMARY, &c, &err))
        fail_msg("%s", err.msg);
    return c;
}

void settle_scene_begin(struct settle_scene *sc, const char *speed)
{
    const char *const args[] = {"--speed", speed, "--orphan-delay", "1s", NULL};
    sc->s = live_sandbox_small(settle_version, args);
    sc->conn = settle_scene_connect(sc->s, "");
    sc->sender = settle_scene_connect(sc->s, "/?socketTimeoutMS=2500");
}

void settle_scene_end(struct settle_scene *sc)
{
    mongo_conn_free(sc->sender);
    mongo_conn_free(sc->conn);
    live_sandbox_free(sc->s);
}

bool settle_scene_newer(void)
{
    return settle_version[0] >= '6';
}

/* The client's own operation, as mongos numbers it. */
static void kill_op(struct settle_scene *sc)
{
    bson_t *reply = live_sandbox_command_json(sc->s, "admin", "{\"currentOp\": 1}"), one;
    bson_iter_t it, item;
    bool killed = false;
    assert_true(bson_iter_init_find(&it, reply, "inprog") && bson_iter_recurse(&it, &item));
    while (!killed && bson_iter_next(&item)) {
        uint32_t len;
        const uint8_t *data;
        bson_iter_t op;
        bson_iter_document(&item, &len, &data);
        assert_true(bson_init_static(&one, data, len));
        bson_t command;
        if (!sandbox_sub(&one, "command", &command) || !bson_has_field(&one, "client") ||
            !(bson_has_field(&command, "moveChunk") || bson_has_field(&command, "moveRange")) ||
            !bson_iter_init_find(&op, &one, "opid"))
            continue;
        g_autofree char *cmd = g_strdup_printf("{\"killOp\": 1, \"op\": %d}", (int)bson_iter_as_int64(&op));
        live_sandbox_do(sc->s, cmd);
        killed = true;
    }
    bson_destroy(reply);
    assert_true(killed);
}

/* Of faults that strike a command the one of this version. */
void settle_scene_do(struct settle_scene *sc, const char *const commands[SETTLE_FAULTS])
{
    for (int i = 0; i < SETTLE_FAULTS && commands[i] != NULL; i++) {
        g_autoptr(GString) cmd = g_string_new(commands[i]);
        g_string_replace(cmd, "\"move\"", settle_scene_newer() ? "\"moveRange\"" : "\"moveChunk\"", 0);
        if (strcmp(cmd->str, "kill") == 0)
            kill_op(sc);
        else if (strcmp(cmd->str, "drop") == 0)
            bson_destroy(live_sandbox_command_json(sc->s, "app", "{\"drop\": \"items\"}"));
        else if (cmd->len > 0)
            live_sandbox_do(sc->s, cmd->str);
    }
}

void settle_scene_move(struct settle_scene *sc, struct mongo_result *ret)
{
    bson_t *min = sandbox_json("{\"x\": 0}"), *max = sandbox_json("{\"x\": 100}");
    sc->sent_at = g_get_real_time() / 1000;
    mongo_move_run(
        sc->sender->client,
        &(struct mongo_move){
            .ns = "app.items", .to = "c", .min = min, .max = max, .move_range = settle_scene_newer()},
        ret);
    bson_destroy(min);
    bson_destroy(max);
}

gpointer settle_scene_send(gpointer data)
{
    struct settle_sender *o = data;
    if (o->cmd == NULL) {
        settle_scene_move(o->sc, &o->r);
        return NULL;
    }
    bson_t *cmd = sandbox_json(o->cmd);
    g_autofree char *uri = g_strconcat(
        live_sandbox_uri(o->sc->s), o->give_up ? "/?socketTimeoutMS=300" : "/?socketTimeoutMS=20000", NULL);
    mongoc_client_t *client = mongoc_client_new(uri);
    mongoc_client_command_simple(client, "admin", cmd, NULL, NULL, NULL);
    mongoc_client_destroy(client);
    bson_destroy(cmd);
    return NULL;
}

void settle_scene_await(struct settle_scene *sc)
{
    for (bool busy = false; !busy; g_usleep(1000)) {
        bson_t *reply = live_sandbox_command_json(sc->s, "admin", "{\"currentOp\": 1}");
        char *json = bson_as_relaxed_extended_json(reply, NULL);
        busy = strstr(json, "migrateThread") != NULL;
        bson_free(json);
        bson_destroy(reply);
    }
}

enum settle_outcome settle_scene_ask(struct settle_scene *sc, char **ret_text, bson_t **ret_max)
{
    static const char text_version[] = "1|1||5f0000000000000000000001";
    enum settle_outcome outcome;
    struct err err = {0};
    bson_t *min = sandbox_json("{\"x\": 0}"), *max = sandbox_json("{\"x\": 100}");
    const struct settle_question q = {.ns = "app.items",
                                      .min = min,
                                      .max = max,
                                      .from = "a",
                                      .to = "c",
                                      .version = text_version,
                                      .sent_at = sc->sent_at};
    if (!settle_move(sc->conn->client, &q, &outcome, ret_max, ret_text, &err))
        fail_msg("%s", err.msg);
    bson_destroy(min);
    bson_destroy(max);
    return outcome;
}

int settle_each_version(int (*run)(void))
{
    pid_t children[G_N_ELEMENTS(versions)];
    int failed = 0;
    const char *only = getenv("ONLY_VERSION");
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        settle_version = versions[i];
        children[i] = only != NULL && strcmp(only, versions[i]) != 0 ? -1 : fork();
        if (children[i] == 0)
            exit(run() != 0);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        int status = 0;
        if (children[i] > 0 && (waitpid(children[i], &status, 0) != children[i] || status != 0)) {
            fprintf(stderr, "%s failed\n", versions[i]);
            failed++;
        }
    }
    return failed;
}
