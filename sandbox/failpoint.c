// SPDX-License-Identifier: Apache-2.0
#include "sandbox/failpoint.h"

#include "sandbox/docpath.h"

#include <string.h>

struct failpoints {
    bson_t *data; /* NULL: off */
    int64_t left; /* strikes; -1: without end */
    int64_t to_skip;
    int64_t struck;
};

failpoints *failpoints_new(void)
{
    return g_new0(failpoints, 1);
}

void failpoints_free(failpoints *p)
{
    if (p == NULL)
        return;
    if (p->data != NULL)
        bson_destroy(p->data);
    g_free(p);
}

/* "off", "alwaysOn", {times: n}, {skip: n}. */
static bool read_mode(const bson_t *cmd, int64_t *ret_left, int64_t *ret_skip, struct fault *f)
{
    bson_iter_t it;
    bson_t mode;
    *ret_skip = 0;
    if (doc_get(cmd, "mode", &it) && BSON_ITER_HOLDS_DOCUMENT(&it) && doc_under(&it, &mode)) {
        *ret_skip = doc_get_int(&mode, "skip", 0);
        *ret_left = doc_get_int(&mode, "times", -1);
        return (*ret_skip >= 0 && *ret_left >= -1) ||
               fault_say(f, SB_BAD_VALUE, "'times' option to 'mode' must be positive");
    }
    const char *name = doc_get_text(cmd, "mode");
    if (name != NULL && strcmp(name, "off") == 0)
        *ret_left = 0;
    else if (name != NULL && strcmp(name, "alwaysOn") == 0)
        *ret_left = -1;
    else
        return fault_say(f, SB_BAD_VALUE, "unknown mode: %s", name == NULL ? "" : name);
    return true;
}

/* A new configuration replaces the old one, wholly. */
bool failpoints_configure(failpoints *p, const bson_t *cmd, int64_t *ret_count, struct fault *f)
{
    int64_t n_left = 0, skip = 0;
    bson_iter_t it, list;
    bson_t data;
    if (!read_mode(cmd, &n_left, &skip, f))
        return false;
    bool has = doc_get(cmd, "data", &it) && BSON_ITER_HOLDS_DOCUMENT(&it) && doc_under(&it, &data);
    if (n_left != 0 && (!has || !doc_get(&data, "failCommands", &list) || !BSON_ITER_HOLDS_ARRAY(&list)))
        return fault_say(f, SB_BAD_VALUE, "failCommand needs data: {failCommands: [names]}");
    g_clear_pointer(&p->data, bson_destroy);
    p->data = n_left != 0 ? bson_copy(&data) : NULL;
    p->left = n_left;
    p->to_skip = skip;
    *ret_count = p->struck;
    return true;
}

void failure_clear(struct failure *x)
{
    g_clear_pointer(&x->reply, bson_destroy);
    g_clear_pointer(&x->write_concern_error, bson_destroy);
}

static bool names_command(const bson_t *data, const char *command)
{
    bson_iter_t it, el;
    bson_t list;
    if (!doc_get(data, "failCommands", &it) || !doc_under(&it, &list) || !bson_iter_init(&el, &list))
        return false;
    while (bson_iter_next(&el))
        if (BSON_ITER_HOLDS_UTF8(&el) && strcmp(bson_iter_utf8(&el, NULL), command) == 0)
            return true;
    return false;
}

/* Labels are the test's own business; none is added. */
static bson_t *error_reply(const bson_t *data)
{
    bson_iter_t it;
    struct fault f = {0};
    bson_t *reply = bson_new();
    fault_say(&f, (int)doc_get_int(data, "errorCode", 0), "Failing command via 'failCommand' failpoint");
    fault_append(&f, reply);
    fault_clear(&f);
    if (doc_get(data, "errorLabels", &it))
        doc_put(reply, "errorLabels", &it);
    return reply;
}

/* Counts only commands that are named, so that a driver's own pings use up nothing. */
void failpoints_ask(failpoints *p, const char *command, struct failure *ret)
{
    bson_iter_t it;
    bson_t inner;
    *ret = (struct failure){0};
    if (p->data == NULL || !names_command(p->data, command))
        return;
    if (p->to_skip > 0) {
        p->to_skip--;
        return;
    }
    ret->strikes = true;
    ret->close = doc_get_bool(p->data, "closeConnection", false);
    if (doc_get_bool(p->data, "blockConnection", false))
        ret->block_ms = CLAMP(doc_get_int(p->data, "blockTimeMS", 0), 0, INT32_MAX);
    if (bson_has_field(p->data, "errorCode"))
        ret->reply = error_reply(p->data);
    if (doc_get(p->data, "writeConcernError", &it) && BSON_ITER_HOLDS_DOCUMENT(&it) && doc_under(&it, &inner))
        ret->write_concern_error = bson_copy(&inner);
    p->struck++;
    if (p->left > 0 && --p->left == 0)
        g_clear_pointer(&p->data, bson_destroy);
}
