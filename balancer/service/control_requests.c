// SPDX-License-Identifier: Apache-2.0
/* What is asked over the control socket, and the answers. */
#include "balancer/service/control_private.h"

#include "common/json_writer.h"

#include <event2/buffer.h>
#include <string.h>

size_t control_waiting(const struct client *cl)
{
    return evbuffer_get_length(bufferevent_get_output(cl->io));
}

static void send_line(struct client *cl, const char *json)
{
    struct evbuffer *out = bufferevent_get_output(cl->io);
    evbuffer_add(out, json, strlen(json));
    evbuffer_add(out, "\n", 1);
}

static void begin_answer(struct json_writer *w, GString *out, bool ok)
{
    json_init(w, out);
    json_object(w, true);
    json_put_int(w, "v", CONTROL_VERSION);
    json_put_bool(w, "ok", ok);
}

void control_refuse(struct client *cl, const struct err *err)
{
    struct json_writer w;
    g_autoptr(GString) out = g_string_new(NULL);
    begin_answer(&w, out, false);
    json_put_int(&w, "exit", err_exit_code(err->cls));
    json_put_string(&w, "error", err->msg);
    json_end(&w);
    send_line(cl, out->str);
}

static void send_done(struct client *cl)
{
    struct json_writer w;
    g_autoptr(GString) out = g_string_new(NULL);
    begin_answer(&w, out, true);
    json_end(&w);
    send_line(cl, out->str);
}

static void sent(const void *data, size_t len, void *bytes)
{
    (void)data;
    (void)len;
    g_bytes_unref(bytes);
}

/* {"v": 1, "ok": true, "<name>": <json>}, without copying the JSON, which is taken. */
static void send_json(struct client *cl, const char *name, GBytes *json)
{
    gsize len = 0;
    const void *data = g_bytes_get_data(json, &len);
    struct evbuffer *out = bufferevent_get_output(cl->io);
    evbuffer_add_printf(out, "{\"v\": %d, \"ok\": true, \"%s\": ", CONTROL_VERSION, name);
    evbuffer_add_reference(out, data, len, sent, json);
    evbuffer_add(out, "}\n", 2);
}

/* --- requests --- */

static const char *text_of(const bson_t *request, const char *name)
{
    bson_iter_t it;
    if (!bson_iter_init_find(&it, request, name) || !BSON_ITER_HOLDS_UTF8(&it))
        return NULL;
    return bson_iter_utf8(&it, NULL);
}

static bool flag_of(const bson_t *request, const char *name)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, request, name) && BSON_ITER_HOLDS_BOOL(&it) && bson_iter_bool(&it);
}

static void op_status(struct client *cl, const bson_t *request)
{
    (void)request;
    g_autoptr(GString) json = g_string_new(NULL);
    g_autoptr(service_view) v = cl->c->ops.view(cl->c->ops.data);
    service_view_json(v, json);
    json_one_line(json);
    send_json(cl, "status", g_string_free_to_bytes(g_steal_pointer(&json)));
}

static void op_plan(struct client *cl, const bson_t *request)
{
    struct err err = {0};
    GBytes *json = cl->c->ops.plan_json(cl->c->ops.data);
    (void)request;
    if (json != NULL) {
        send_json(cl, "plan", json);
        return;
    }
    err_set(&err, ERR_RETRY_LATER,
            "the service has made no plan yet; ask again when it has read the cluster");
    control_refuse(cl, &err);
}

static void on_follow(void *data, const char *line, bool done)
{
    struct client *cl = data;
    if (done)
        cl->following = false;
    /* A follower that does not read is cut off rather than let its events fill the memory. */
    if (control_waiting(cl) > CONTROL_BACKLOG_MAX)
        bufferevent_trigger_event(cl->io, BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
    else
        send_line(cl, line);
}

static GPtrArray *namespaces_of(const bson_t *request)
{
    bson_iter_t it, each;
    if (!bson_iter_init_find(&it, request, "ns") || !bson_iter_recurse(&it, &each))
        return NULL;
    GPtrArray *ns = g_ptr_array_new();
    while (bson_iter_next(&each))
        g_ptr_array_add(ns, (char *)bson_iter_utf8(&each, NULL));
    return ns;
}

static void op_round(struct client *cl, const bson_t *request)
{
    struct err err = {0};
    bool queued = false, wait = flag_of(request, "wait");
    int64_t round = 0;
    GPtrArray *ns = namespaces_of(request);
    const struct service_asker by = {cl->who, text_of(request, "reason")};
    const struct service_round_ask ask = {.ignore_window = flag_of(request, "ignoreWindow"),
                                          .dry_run = flag_of(request, "dryRun"),
                                          .ns = ns == NULL ? NULL : (const char *const *)ns->pdata,
                                          .n_ns = ns == NULL ? 0 : ns->len};
    bool taken = !cl->following ? cl->c->ops.round(cl->c->ops.data, &by, &ask, wait ? on_follow : NULL, cl,
                                                   &round, &queued, &err)
                                : err_set(&err, ERR_USAGE, "this connection follows a round already");
    if (taken) {
        struct json_writer w;
        g_autoptr(GString) out = g_string_new(NULL);
        cl->following = wait;
        begin_answer(&w, out, true);
        json_put_bool(&w, "queued", queued);
        json_put_int(&w, "behind", queued ? round : 0);
        json_end(&w);
        send_line(cl, out->str);
    } else {
        control_refuse(cl, &err);
    }
    if (ns != NULL)
        g_ptr_array_unref(ns);
}

static void answer_simple(struct client *cl, const bson_t *request,
                          bool (*op)(void *data, const struct service_asker *by, struct err *err))
{
    struct err err = {0};
    const struct service_asker by = {cl->who, text_of(request, "reason")};
    if (op(cl->c->ops.data, &by, &err))
        send_done(cl);
    else
        control_refuse(cl, &err);
}

static void op_pause(struct client *cl, const bson_t *request)
{
    answer_simple(cl, request, cl->c->ops.pause);
}

static void op_resume(struct client *cl, const bson_t *request)
{
    answer_simple(cl, request, cl->c->ops.resume);
}

static void op_reload(struct client *cl, const bson_t *request)
{
    answer_simple(cl, request, cl->c->ops.reload);
}

static const struct {
    const char *name;
    void (*run)(struct client *cl, const bson_t *request);
    bool changes;
} operations[] = {
    {"status", op_status, false}, {"plan", op_plan, false},    {"round", op_round, true},
    {"pause", op_pause, true},    {"resume", op_resume, true}, {"reload", op_reload, true},
};

static bool check_version(const bson_t *request, struct err *err)
{
    bson_iter_t it;
    int64_t v = 0;
    if (bson_iter_init_find(&it, request, "v") && BSON_ITER_HOLDS_NUMBER(&it))
        v = bson_iter_as_int64(&it);
    return v == CONTROL_VERSION ||
           err_set(err, ERR_UNAVAILABLE,
                   "this service (evenkeel " EVENKEEL_VERSION
                   ") speaks version %d of the control protocol, not %" G_GINT64_FORMAT
                   "; use the evenkeel command of the same version, or restart the service after an upgrade",
                   CONTROL_VERSION, v);
}

static bool is_list_of_texts(const bson_iter_t *it)
{
    bson_iter_t each;
    bool any = false;
    if (!BSON_ITER_HOLDS_ARRAY(it) || !bson_iter_recurse(it, &each))
        return false;
    for (; bson_iter_next(&each); any = true)
        if (!BSON_ITER_HOLDS_UTF8(&each))
            return false;
    return any;
}

/* A field of another type would be a wish that is not heard. Fields that are not known are passed over. */
static bool check_types(const bson_t *request, struct err *err)
{
    static const char *const flags[] = {"wait", "ignoreWindow", "dryRun"};
    bson_iter_t it;
    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
        if (bson_iter_init_find(&it, request, flags[i]) && !BSON_ITER_HOLDS_BOOL(&it))
            return err_set(err, ERR_USAGE, "'%s' is true or false", flags[i]);
    if (bson_iter_init_find(&it, request, "reason") && !BSON_ITER_HOLDS_UTF8(&it))
        return err_set(err, ERR_USAGE, "'reason' is a text");
    if (bson_iter_init_find(&it, request, "ns") && !is_list_of_texts(&it))
        return err_set(err, ERR_USAGE, "'ns' is a list of one pattern or more");
    return true;
}

void control_answer(struct client *cl, const bson_t *request)
{
    struct err err = {0};
    const char *op = text_of(request, "op");
    cl->c->requests++;
    if (!check_version(request, &err) || !check_types(request, &err)) {
        control_refuse(cl, &err);
        return;
    }
    for (size_t i = 0; op != NULL && i < G_N_ELEMENTS(operations); i++)
        if (strcmp(operations[i].name, op) == 0) {
            if (operations[i].changes)
                log_put(cl->c->log, LOG_CONTROL_REQUEST, log_str("op", op), log_str("who", cl->who));
            operations[i].run(cl, request);
            return;
        }
    err_set(&err, ERR_USAGE, "unknown operation '%s'", op == NULL ? "" : op);
    control_refuse(cl, &err);
}
