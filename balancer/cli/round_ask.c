// SPDX-License-Identifier: Apache-2.0
#include "balancer/cli/round_ask.h"

#include "balancer/key/show.h"
#include "balancer/service/control_client.h"
#include "common/json_writer.h"
#include "common/text.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_MS = 10000, KEY_COLUMNS = 60 };

static char *request_json(const struct round_request *r)
{
    struct json_writer w;
    g_autoptr(GString) out = g_string_new(NULL);
    json_init(&w, out);
    json_object(&w, true);
    json_put_int(&w, "v", 1);
    json_put_string(&w, "op", "round");
    json_put_bool(&w, "wait", r->wait);
    json_put_bool(&w, "ignoreWindow", r->ignore_window);
    json_put_bool(&w, "dryRun", r->dry_run);
    if (r->reason != NULL)
        json_put_string(&w, "reason", r->reason);
    if (r->ns != NULL) {
        json_key(&w, "ns");
        json_array(&w, true);
        for (guint i = 0; i < r->ns->len; i++)
            json_string(&w, r->ns->pdata[i]);
        json_end(&w);
    }
    json_end(&w);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static char *field(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    g_autoptr(GString) out = g_string_new(NULL);
    if (!bson_iter_init_find(&it, doc, name) || BSON_ITER_HOLDS_NULL(&it))
        return g_strdup("");
    if (BSON_ITER_HOLDS_UTF8(&it))
        return text_escaped(bson_iter_utf8(&it, NULL));
    key_show_value(out, &it, KEY_COLUMNS);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* "committed shop.users from { userId: 0 } shard0 -> shard1". */
static void tell(const bson_t *event)
{
    g_autofree char *what = field(event, "event"), *ns = field(event, "ns"), *min = field(event, "min");
    g_autofree char *from = field(event, "from"), *to = field(event, "to"),
                    *message = field(event, "message");
    g_autofree char *n = field(event, "migrations"), *splits = field(event, "splits");
    if (strcmp(what, "plan") == 0)
        printf("planned: %s migrations, %s splits\n", n, splits);
    else if (strcmp(what, "end") != 0)
        printf("%s %s at %s %s%s%s%s%s\n", what, ns, min, from, to[0] == '\0' ? "" : " -> ", to,
               message[0] == '\0' ? "" : ": ", message);
    fflush(stdout);
}

/* Whether it was the last event; *ret_exit: the code that the service gives the whole. */
static bool ended(const bson_t *event, int *ret_exit, char **ret_note)
{
    bson_iter_t it;
    g_autofree char *what = field(event, "event"), *state = field(event, "state");
    if (strcmp(what, "end") != 0)
        return false;
    *ret_exit = strcmp(state, "done") == 0 ? 0 : err_exit_code(ERR_FAILED);
    if (bson_iter_init_find(&it, event, "exit") && BSON_ITER_HOLDS_NUMBER(&it))
        *ret_exit = (int)bson_iter_as_int64(&it);
    *ret_note = field(event, "note");
    return true;
}

static void print_json(const bson_t *event)
{
    char *text = bson_as_relaxed_extended_json(event, NULL);
    puts(text);
    fflush(stdout);
    bson_free(text);
}

static bool follow(const struct round_request *r, struct control_client *c, struct err *err)
{
    int code = 0;
    for (bool last = false; !last;) {
        bson_t event;
        g_autofree char *note = NULL;
        if (!control_receive(c, -1, &event, err))
            return false;
        last = ended(&event, &code, &note);
        if (r->json)
            print_json(&event);
        else if (!r->quiet)
            tell(&event);
        bson_destroy(&event);
        if (last && !r->json && !r->quiet)
            printf("%s: %s\n", code == 0 ? "done" : "not done", note);
        if (last)
            return code == 0 ||
                   err_set(err, err_class_of(code), "the round was not carried out well: %s", note);
    }
    return true;
}

static bool flag_of(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) && BSON_ITER_HOLDS_BOOL(&it) && bson_iter_bool(&it);
}

bool round_ask(const struct round_request *r, struct err *err)
{
    struct control_client *c = NULL;
    bson_t answer;
    if (!control_connect(r->socket, &c, err))
        return false;
    g_autofree char *json = request_json(r);
    bool done = control_send(c, json, err) && control_receive(c, ANSWER_MS, &answer, err);
    if (done) {
        bool queued = flag_of(&answer, "queued");
        bson_destroy(&answer);
        if (!r->quiet && !r->json)
            puts(queued ? "queued behind the round that runs" : "a round begins");
        fflush(stdout);
        done = !r->wait || follow(r, c, err);
    }
    control_client_free(c);
    return done;
}
