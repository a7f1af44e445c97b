// SPDX-License-Identifier: Apache-2.0
#include "balancer/watch/http_private.h"
#include "balancer/watch/metrics.h"
#include "balancer/watch/page.h"
#include "common/json_writer.h"
#include "common/text.h"

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <string.h>

static const char json_type[] = "application/json";

/* ---- what anyone may read ---- */

static void answer_page(struct http *h, struct evhttp_request *req)
{
    const struct page_facts facts = {.may_act = http_token_is_set(h->token)};
    g_autoptr(service_view) v = h->ops->view(h->ops->data);
    GString *out = g_string_new(NULL);
    status_page_html(v, &facts, out);
    reply(h, req, HTTP_OK, "text/html; charset=utf-8", out);
}

static void answer_css(struct http *h, struct evhttp_request *req)
{
    reply_bytes(h, req, HTTP_OK, "text/css; charset=utf-8", status_page_css());
}

static void answer_js(struct http *h, struct evhttp_request *req)
{
    reply_bytes(h, req, HTTP_OK, "text/javascript; charset=utf-8", status_page_js());
}

static void answer_metrics(struct http *h, struct evhttp_request *req)
{
    g_autoptr(service_view) v = h->ops->view(h->ops->data);
    GString *out = g_string_new(NULL);
    metrics_write(v, out);
    reply(h, req, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", out);
}

/* That the loop answers at all is the whole answer. */
static void answer_health(struct http *h, struct evhttp_request *req)
{
    reply(h, req, HTTP_OK, json_type, g_string_new("{\"alive\": true}\n"));
}

static void answer_ready(struct http *h, struct evhttp_request *req)
{
    g_autofree char *why_not = NULL;
    if (h->ops->ready(h->ops->data, &why_not))
        reply(h, req, HTTP_OK, json_type, g_string_new("{\"ready\": true}\n"));
    else
        reply_error(h, req, HTTP_SERVUNAVAIL, "notReady", "%s", why_not != NULL ? why_not : "not ready yet");
}

static void answer_status(struct http *h, struct evhttp_request *req)
{
    g_autoptr(service_view) v = h->ops->view(h->ops->data);
    GString *out = g_string_new(NULL);
    service_view_json(v, out);
    reply(h, req, HTTP_OK, json_type, out);
}

static void answer_collections(struct http *h, struct evhttp_request *req)
{
    g_autoptr(service_view) v = h->ops->view(h->ops->data);
    GString *out = g_string_new(NULL);
    service_view_collections_json(v, out);
    reply(h, req, HTTP_OK, json_type, out);
}

static void answer_plan(struct http *h, struct evhttp_request *req)
{
    GBytes *json = h->ops->plan_json(h->ops->data);
    if (json == NULL)
        reply_error(h, req, HTTP_NOTFOUND, "noPlan", "no plan was made yet");
    else
        reply_bytes(h, req, HTTP_OK, json_type, json);
}

/* ---- history ---- */

struct history_ask {
    GString *query;
    int64_t limit;
    unsigned seen; /* bit per key */
};

/* Adds "key=value", checked for form only: what the values mean is the journal's to say. */
static bool take_pair(const struct evkeyval *kv, struct history_ask *ask, struct err *err)
{
    static const char *const keys[] = {"ns", "since", "until", "shard", "state", "round", "limit"};
    size_t k = 0;
    while (k < G_N_ELEMENTS(keys) && strcmp(kv->key, keys[k]) != 0)
        k++;
    if (k == G_N_ELEMENTS(keys))
        return err_set(err, ERR_USAGE,
                       "'%s' is not known here; there is since, until, ns, shard, state, round and limit",
                       kv->key);
    if (k > 0 && (ask->seen & 1U << k) != 0)
        return err_set(err, ERR_USAGE, "'%s' is given twice; only ns may be", kv->key);
    ask->seen |= 1U << k;
    if (strcmp(kv->key, "limit") == 0)
        return text_parse_int(kv->value, 1, HTTP_HISTORY_MAX, &ask->limit, err) || err_wrap(err, "limit");
    if (!g_utf8_validate(kv->value, -1, NULL))
        return err_set(err, ERR_USAGE, "'%s' is not UTF-8", kv->key);
    g_autofree char *value = g_uri_escape_string(kv->value, NULL, FALSE);
    g_string_append_printf(ask->query, "%s%s=%s", ask->query->len > 0 ? "&" : "", kv->key, value);
    return true;
}

static bool take_query(struct evhttp_request *req, struct history_ask *ask, struct err *err)
{
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
    struct evkeyvalq pairs = {0};
    bool fine = true;
    if (query == NULL || *query == '\0')
        return true;
    if (!check_percent(query) || evhttp_parse_query_str(query, &pairs) != 0)
        return err_set(err, ERR_USAGE, "the query is not of the form key=value&key=value");
    for (const struct evkeyval *kv = pairs.tqh_first; fine && kv != NULL; kv = kv->next.tqe_next)
        fine = take_pair(kv, ask, err);
    evhttp_clear_headers(&pairs);
    return fine;
}

static void answer_history(struct http *h, struct evhttp_request *req)
{
    g_autoptr(GString) query = g_string_new(NULL);
    struct history_ask ask = {.query = query, .limit = HTTP_HISTORY_DEFAULT};
    struct err err = {0};
    GString *out = g_string_new(NULL);
    if (take_query(req, &ask, &err) &&
        h->ops->history_json(h->ops->data, query->str, (unsigned)ask.limit, out, &err)) {
        reply(h, req, HTTP_OK, json_type, out);
        return;
    }
    g_string_free(out, TRUE);
    reply_err(h, req, &err);
}

/* ---- what needs the token ---- */

/* An asker, with what the body says. */
struct act {
    struct ask_body body;
    char *who;
    struct service_asker by;
};

static void act_clear(struct act *a)
{
    ask_body_clear(&a->body);
    g_free(a->who);
}

/* False: it has been answered. */
static bool read_act(struct http *h, struct evhttp_request *req, bool for_round, struct act *ret)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    const size_t len = evbuffer_get_length(in);
    const char *text = len == 0 ? "" : (const char *)evbuffer_pullup(in, -1);
    struct err err = {0};
    if (!ask_body_parse(text, len, for_round, &ret->body, &err)) {
        reply_err(h, req, &err);
        return false;
    }
    ret->who = g_strdup_printf("http %s", request_peer(req));
    ret->by = (struct service_asker){.who = ret->who, .reason = ret->body.reason};
    return true;
}

static void answer_round(struct http *h, struct evhttp_request *req)
{
    struct act a = {0};
    struct err err = {0};
    int64_t round = 0;
    bool queued = false;
    if (!read_act(h, req, true, &a))
        return;
    const GPtrArray *ns = a.body.ns;
    const struct service_round_ask ask = {.ignore_window = a.body.ignore_window,
                                          .dry_run = a.body.dry_run,
                                          .ns = ns == NULL ? NULL : (const char *const *)ns->pdata,
                                          .n_ns = ns == NULL ? 0 : ns->len};
    if (h->ops->round(h->ops->data, &a.by, &ask, NULL, NULL, &round, &queued, &err)) {
        struct json_writer w;
        GString *out = g_string_new(NULL);
        json_init(&w, out);
        json_object(&w, true);
        if (round > 0)
            json_put_int(&w, "round", round);
        else
            json_put_null(&w, "round");
        json_put_bool(&w, "queued", queued);
        json_end(&w);
        g_string_append_c(out, '\n');
        reply(h, req, 202, json_type, out);
    } else {
        reply_err(h, req, &err);
    }
    act_clear(&a);
}

static void answer_switch(struct http *h, struct evhttp_request *req, bool pause)
{
    struct act a = {0};
    struct err err = {0};
    if (!read_act(h, req, false, &a))
        return;
    if ((pause ? h->ops->pause : h->ops->resume)(h->ops->data, &a.by, &err))
        reply(h, req, HTTP_OK, json_type,
              g_string_new(pause ? "{\"paused\": true}\n" : "{\"paused\": false}\n"));
    else
        reply_err(h, req, &err);
    act_clear(&a);
}

static void answer_pause(struct http *h, struct evhttp_request *req)
{
    answer_switch(h, req, true);
}

static void answer_resume(struct http *h, struct evhttp_request *req)
{
    answer_switch(h, req, false);
}

/* ---- from a request to its answer ---- */

static const struct route {
    const char *path;
    bool acts; /* POST with the token; else GET and HEAD for anyone */
    void (*answer)(struct http *h, struct evhttp_request *req);
} routes[] = {
    {"/", false, answer_page},
    {"/page.css", false, answer_css},
    {"/page.js", false, answer_js},
    {"/metrics", false, answer_metrics},
    {"/healthz", false, answer_health},
    {"/readyz", false, answer_ready},
    {"/api/v1/status", false, answer_status},
    {"/api/v1/plan", false, answer_plan},
    {"/api/v1/history", false, answer_history},
    {"/api/v1/collections", false, answer_collections},
    {"/api/v1/round", true, answer_round},
    {"/api/v1/pause", true, answer_pause},
    {"/api/v1/resume", true, answer_resume},
};

/* NULL: there is none, or the path is not well written. */
static const struct route *route_of(struct evhttp_request *req)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *raw = uri == NULL ? NULL : evhttp_uri_get_path(uri);
    if (raw == NULL || !check_percent(raw))
        return NULL;
    g_autofree char *path = g_uri_unescape_string(raw, NULL);
    for (size_t i = 0; path != NULL && i < G_N_ELEMENTS(routes); i++)
        if (strcmp(path, routes[i].path) == 0)
            return &routes[i];
    return NULL;
}

/* True: the token is right; else it has been answered. */
static bool admit(struct http *h, struct evhttp_request *req)
{
    struct evkeyvalq *in = evhttp_request_get_input_headers(req);
    const char *authorization = evhttp_find_header(in, "Authorization");
    switch (http_token_check(h->token, authorization, request_peer(req), http_now(h))) {
    case TOKEN_GOOD:
        return true;
    case TOKEN_NONE_SET:
        reply_refused(h, req, 403, "readOnly",
                      "this service can only be read over HTTP: its configuration names no http.tokenFile");
        return false;
    case TOKEN_TOO_OFTEN:
        reply_refused(h, req, 429, "tooManyTokens",
                      "too many wrong tokens came from this address; try again later");
        return false;
    case TOKEN_MISSING:
    case TOKEN_BAD:
        break;
    }
    evhttp_add_header(evhttp_request_get_output_headers(req), "WWW-Authenticate",
                      "Bearer realm=\"evenkeel\"");
    if (authorization == NULL)
        reply_refused(h, req, 401, "tokenMissing", "this needs the header 'Authorization: Bearer TOKEN'");
    else
        reply_refused(h, req, 401, "tokenRefused", "the token is not the one of http.tokenFile");
    return false;
}

/* Things that change something: the right kind of request, from the right page, from someone who may. */
static void answer_act(struct http *h, struct evhttp_request *req, const struct route *r)
{
    if (!check_origin(req))
        reply_refused(h, req, 403, "originNotAllowed", "a page of another origin asked for this");
    else if (!check_json_type(req))
        reply_error(h, req, 415, "unsupportedMediaType",
                    "the body must have the Content-Type application/json");
    else if (admit(h, req))
        r->answer(h, req);
}

static void answer_route(struct http *h, struct evhttp_request *req, const struct route *r)
{
    const enum evhttp_cmd_type method = evhttp_request_get_command(req);
    const bool fits =
        r->acts ? method == EVHTTP_REQ_POST : method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD;
    if (!fits) {
        const char *allow = r->acts ? "POST" : "GET, HEAD";
        evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", allow);
        reply_error(h, req, HTTP_BADMETHOD, "methodNotAllowed", "%s is there for %s", r->path, allow);
    } else if (r->acts) {
        answer_act(h, req, r);
    } else {
        r->answer(h, req);
    }
}

void routes_answer(struct http *h, struct evhttp_request *req)
{
    const char *fault = check_framing(req);
    const struct route *r;
    if (fault != NULL) {
        evhttp_add_header(evhttp_request_get_output_headers(req), "Connection", "close");
        reply_error(h, req, HTTP_BADREQUEST, "badRequest", "%s", fault);
    } else if (!check_host(h, req)) {
        reply_refused(
            h, req, 403, "hostNotAllowed",
            "the Host header names another host than this one; ask by address, or name it in http.listen");
    } else if ((r = route_of(req)) == NULL) {
        reply_error(h, req, HTTP_NOTFOUND, "notFound", "there is nothing at this path");
    } else {
        answer_route(h, req, r);
    }
}
