// SPDX-License-Identifier: Apache-2.0
/* currentOp and killOp. */
#include "sandbox/docpath.h"
#include "sandbox/host.h"

#include <stdlib.h>
#include <string.h>

static bool current_op(struct call *c, bson_t *reply, struct fault *f)
{
    bson_t list;
    g_autoptr(GPtrArray) ops = host_current_ops(c->h);
    (void)f;
    bson_append_array_begin(reply, "inprog", -1, &list);
    for (guint i = 0; i < ops->len; i++) {
        char key[16];
        const char *index;
        bson_uint32_to_string(i, &index, key, sizeof key);
        bson_append_document(&list, index, -1, ops->pdata[i]);
    }
    return bson_append_array_end(reply, &list);
}

/* An operation is a number here, or "shard:number" as mongos shows those of shards. */
static bool kill_op(struct call *c, bson_t *reply, struct fault *f)
{
    bson_iter_t it;
    int64_t op = 0;
    if (!doc_get(c->cmd, "op", &it))
        return fault_say(f, 4, "Did not provide \"op\" field");
    const char *text = BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL) : NULL;
    const char *colon = text == NULL ? NULL : strrchr(text, ':');
    if (text != NULL && colon == NULL)
        return fault_say(f, SB_BAD_VALUE,
                         "The op argument to killOp must be of the format shardid:opid but found \"%s\"",
                         text);
    if (colon != NULL)
        op = (int64_t)g_ascii_strtoll(colon + 1, NULL, 10);
    else if (!value_int64(&it, &op))
        return fault_say(f, SB_TYPE_MISMATCH, "The op argument to killOp must be a number or a string");
    sb_cluster_kill(c->h->cluster, op);
    return bson_append_utf8(reply, "info", -1, "attempting to kill op", -1);
}

const struct command commands_ops[] = {
    {"currentOp", current_op, COMMAND_ADMIN, 0},
    {"killOp", kill_op, COMMAND_ADMIN, 0},
    {NULL, NULL, 0, 0},
};
