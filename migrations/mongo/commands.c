// SPDX-License-Identifier: Apache-2.0
/* Names and fields changed with moveRange (6.0): moveChunk has `to` and `bounds`, and an underscore before
 * its two options; moveRange has `toShard`, `min` and `max`, and none. What is not asked for is left out: old
 * servers refuse or misread what they do not know. */
#include "migrations/mongo/commands.h"

#include "common/escape.h"

#include <glib.h>
#include <string.h>

enum { CODE_COMMAND_NOT_FOUND = 59, MESSAGE_MAX = 1000 };

void mongo_result_clear(struct mongo_result *r)
{
    g_free(r->message);
    *r = (struct mongo_result){.code_name = ""};
}

/* A write concern goes with the throttle only: alone it is refused. */
static void append_throttle(bson_t *cmd, const struct mongo_move *m, const char *name)
{
    bson_t concern;
    if (m->throttle == THROTTLE_DEFAULT)
        return;
    bson_append_bool(cmd, name, -1, m->throttle != THROTTLE_OFF);
    if (m->throttle != THROTTLE_CONCERN || (m->throttle_members <= 0 && m->throttle_mode == NULL))
        return;
    BSON_APPEND_DOCUMENT_BEGIN(cmd, "writeConcern", &concern);
    if (m->throttle_members > 0)
        BSON_APPEND_INT32(&concern, "w", m->throttle_members);
    else
        BSON_APPEND_UTF8(&concern, "w", m->throttle_mode);
    bson_append_document_end(cmd, &concern);
}

static bson_t *range_command(const struct mongo_move *m)
{
    bson_t *cmd = BCON_NEW("moveRange", BCON_UTF8(m->ns), "toShard", BCON_UTF8(m->to));
    BSON_APPEND_DOCUMENT(cmd, "min", m->min);
    if (m->max != NULL)
        BSON_APPEND_DOCUMENT(cmd, "max", m->max);
    if (m->force_jumbo)
        BSON_APPEND_BOOL(cmd, "forceJumbo", true);
    append_throttle(cmd, m, "secondaryThrottle");
    if (m->wait_for_delete)
        BSON_APPEND_BOOL(cmd, "waitForDelete", true);
    return cmd;
}

/* Both bounds byte for byte: they have to be those of the stored chunk. */
static void append_bounds(bson_t *cmd, const bson_t *min, const bson_t *max)
{
    bson_t bounds;
    BSON_APPEND_ARRAY_BEGIN(cmd, "bounds", &bounds);
    BSON_APPEND_DOCUMENT(&bounds, "0", min);
    BSON_APPEND_DOCUMENT(&bounds, "1", max);
    bson_append_array_end(cmd, &bounds);
}

static bson_t *chunk_command(const struct mongo_move *m)
{
    bson_t *cmd = BCON_NEW("moveChunk", BCON_UTF8(m->ns));
    append_bounds(cmd, m->min, m->max);
    BSON_APPEND_UTF8(cmd, "to", m->to);
    if (m->force_jumbo)
        BSON_APPEND_BOOL(cmd, "forceJumbo", true);
    append_throttle(cmd, m, "_secondaryThrottle");
    if (m->wait_for_delete)
        BSON_APPEND_BOOL(cmd, "_waitForDelete", true);
    return cmd;
}

bson_t *mongo_move_command(const struct mongo_move *m)
{
    return m->move_range || m->max == NULL ? range_command(m) : chunk_command(m);
}

bson_t *mongo_split_command(const struct mongo_split *s)
{
    bson_t *cmd = BCON_NEW("split", BCON_UTF8(s->ns));
    if (s->middle != NULL)
        BSON_APPEND_DOCUMENT(cmd, "middle", s->middle);
    else
        append_bounds(cmd, s->min, s->max);
    return cmd;
}

/* A server's text is shown to people later. */
static char *shown(const char *message)
{
    GString *out = g_string_new(NULL);
    size_t len = strnlen(message, MESSAGE_MAX + 1);
    text_append_escaped(out, message, (gssize)MIN(len, MESSAGE_MAX));
    if (len > MESSAGE_MAX)
        g_string_append(out, "...");
    return g_string_free(out, FALSE);
}

/* The server that gets the command, with a connection that stands; 0: there is none, see `error`. */
static uint32_t connect_first(mongoc_client_t *client, bson_error_t *error)
{
    mongoc_server_description_t *server = mongoc_client_select_server(client, true, NULL, error), *hello;
    uint32_t id = server == NULL ? 0 : mongoc_server_description_id(server);
    if (server != NULL)
        mongoc_server_description_destroy(server);
    hello = id == 0 ? NULL : mongoc_client_get_handshake_description(client, id, NULL, error);
    if (hello == NULL)
        return 0;
    mongoc_server_description_destroy(hello);
    return id;
}

/* Between the gate's answer and the sending lies nothing that waits. */
static bool send_gated(mongoc_client_t *client, const bson_t *cmd, const struct mongo_gate *gate,
                       bool *ret_gated, bson_t *reply, bson_error_t *error)
{
    uint32_t server = connect_first(client, error);
    *ret_gated = server != 0 && !gate->open(gate->data);
    if (server != 0 && !*ret_gated)
        return mongoc_client_command_simple_with_server_id(client, "admin", cmd, NULL, server, reply, error);
    bson_init(reply);
    return false;
}

/* No write concern, no read concern, no transaction, no retry: command_simple attaches none of them. */
static void run(mongoc_client_t *client, const bson_t *cmd, enum error_command of,
                const struct mongo_gate *gate, struct mongo_result *ret)
{
    bson_t reply;
    bson_error_t error = {0};
    struct error_seen seen;
    bool gated = false;
    bool done = gate != NULL ? send_gated(client, cmd, gate, &gated, &reply, &error)
                             : mongoc_client_command_simple(client, "admin", cmd, NULL, &reply, &error);
    if (gated) {
        *ret = (struct mongo_result){.gated = true, .code_name = ""};
        bson_destroy(&reply);
        return;
    }
    error_see(&reply, done ? NULL : &error, of, &seen);
    ret->gated = false;
    ret->ok = seen.class.verdict == VERDICT_NONE;
    ret->sent = done || error.domain != MONGOC_ERROR_SERVER_SELECTION;
    ret->code = seen.code;
    ret->code_name = seen.code_name;
    ret->message = ret->ok ? NULL : shown(seen.message);
    ret->class = seen.class;
    bson_destroy(&reply);
}

void mongo_move_run(mongoc_client_t *client, const struct mongo_move *m, struct mongo_result *ret)
{
    bson_t *cmd = mongo_move_command(m);
    run(client, cmd, ERROR_OF_MOVE, m->gate, ret);
    bson_destroy(cmd);
    if (!m->move_range || m->max == NULL || ret->code != CODE_COMMAND_NOT_FOUND)
        return;
    struct mongo_move older = *m;
    older.move_range = false;
    mongo_result_clear(ret);
    cmd = mongo_move_command(&older);
    run(client, cmd, ERROR_OF_MOVE, m->gate, ret);
    bson_destroy(cmd);
}

void mongo_split_run(mongoc_client_t *client, const struct mongo_split *s, struct mongo_result *ret)
{
    bson_t *cmd = mongo_split_command(s);
    run(client, cmd, ERROR_OF_SPLIT, s->gate, ret);
    bson_destroy(cmd);
}
