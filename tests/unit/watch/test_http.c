// SPDX-License-Identifier: Apache-2.0
/* What is asked and what is answered: routes, methods, headers. Who may act: test_http_acting.c; requests
 * byte for byte and listening: test_http_wire.c; limits: test_http_limits.c. */
#include "tests/support/http_door.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- reading ---- */

static void reading(void **state)
{
    static const struct {
        const char *method, *path;
        int status;
        const char *contains;
    } rows[] = {
        {"GET", "/", 200, "<h1 id=\"state\">Moving data</h1>"},
        {"GET", "/", 200, "Content-Type: text/html; charset=utf-8\r\n"},
        {"GET", "/?utm=1", 200, "Moving data"},
        {"GET", "/page.css", 200, "Content-Type: text/css"},
        {"GET", "/page.js", 200, "Content-Type: text/javascript"},
        {"GET", "/metrics", 200, "evenkeel_state{state=\"moving\"} 1\n"},
        {"GET", "/metrics", 200, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"},
        {"GET", "/healthz", 200, "{\"alive\": true}"},
        {"GET", "/readyz", 200, "{\"ready\": true}"},
        {"GET", "/api/v1/status", 200, "\"state\": \"moving\""},
        {"GET", "/api/v1/status", 200, "Content-Type: application/json\r\n"},
        {"GET", "/api/v1/collections", 200, "\"zone\": \"eu-central\""},
        {"GET", "/api/v1/plan", 404, "{\"error\": {\"code\": \"noPlan\""},
        {"GET", "/api/v1/history", 200, "{\"rows\": []}"},
        /* paths, percent-encoded or not quite there */
        {"GET", "/%68ealthz", 200, "alive"},
        {"GET", "/api%2Fv1%2Fstatus", 200, "moving"},
        {"GET", "/healthz%00", 404, "notFound"},
        {"GET", "/healthz%", 404, "notFound"},
        {"GET", "/healthz%4", 404, "notFound"},
        {"GET", "/%ff", 404, "notFound"},
        {"GET", "/healthz/", 404, "notFound"},
        {"GET", "//healthz", 403, "hostNotAllowed"},
        {"GET", "/../healthz", 404, "notFound"},
        {"GET", "/Healthz", 404, "notFound"},
        {"GET", "/nothing", 404, "{\"error\": {\"code\": \"notFound\", \"message\": "},
        {"GET", "/<script>", 404, "notFound"},
        {"GET", "/api/v1", 404, "notFound"},
        /* methods */
        {"POST", "/", 405, "Allow: GET, HEAD\r\n"},
        {"PUT", "/api/v1/status", 405, "Allow: GET, HEAD\r\n"},
        {"DELETE", "/api/v1/plan", 405, "\"code\": \"methodNotAllowed\""},
        {"OPTIONS", "/api/v1/pause", 405, "Allow: POST\r\n"},
        {"TRACE", "/", 405, "Allow: GET, HEAD\r\n"},
        {"PATCH", "/", 405, "Allow: GET, HEAD\r\n"},
        {"GET", "/api/v1/pause", 405, "Allow: POST\r\n"},
        {"HEAD", "/api/v1/round", 405, "Allow: POST\r\n"},
        {"HEAD", "/nothing", 404, "Content-Length: "},
    };
    struct door d;
    (void)state;
    door_open(&d, false);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *name = g_strdup_printf("%s %s", rows[i].method, rows[i].path);
        GString *answer = door_ask(&d, rows[i].method, rows[i].path, "", NULL);
        door_expect(name, answer, rows[i].status, rows[i].contains);
        g_string_free(answer, TRUE);
    }
    assert_int_equal(http_counts(d.http).requests, G_N_ELEMENTS(rows));
    assert_int_equal(http_counts(d.http).refused, 1);
    door_close(&d);
}

static void not_ready(void **state)
{
    struct door d;
    (void)state;
    door_open(&d, false);
    d.fake.not_ready = true;
    GString *answer = door_ask(&d, "GET", "/readyz", "", NULL);
    door_expect("not ready", answer, 503,
                "{\"error\": {\"code\": \"notReady\", \"message\": \"the cluster was not reached yet\"}}");
    door_expect("not ready", answer, 503, "Retry-After: 1\r\n");
    g_string_free(answer, TRUE);
    door_close(&d);
}

/* HEAD tells the length that GET has, and sends nothing of it. */
static void head(void **state)
{
    static const char *const paths[] = {"/",        "/page.css",      "/metrics",
                                        "/healthz", "/api/v1/status", "/api/v1/plan"};
    struct door d;
    (void)state;
    door_open(&d, false);
    d.fake.plan = g_string_new("{\"schemaVersion\": 1}");
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        GString *get = door_ask(&d, "GET", paths[i], "", NULL);
        GString *only_head = door_ask(&d, "HEAD", paths[i], "", NULL);
        g_autofree char *length = answer_header(only_head, "Content-Length");
        g_autofree char *got = g_strdup_printf("%zu", strlen(answer_body(get)));
        door_expect(paths[i], only_head, 200, NULL);
        assert_string_equal(answer_body(only_head), "");
        assert_string_equal(length, got);
        g_string_free(get, TRUE);
        g_string_free(only_head, TRUE);
    }
    door_close(&d);
}

static void security_headers(void **state)
{
    static const struct {
        const char *method, *path, *headers, *body;
    } asks[] = {
        {"GET", "/", "", NULL},
        {"HEAD", "/", "", NULL},
        {"GET", "/metrics", "", NULL},
        {"GET", "/api/v1/status", "", NULL},
        {"GET", "/nothing", "", NULL},
        {"DELETE", "/", "", NULL},
        {"POST", "/api/v1/pause", JSON_TYPE, "{}"},
        {"POST", "/api/v1/pause", JSON_TYPE GOOD_TOKEN, "{}"},
    };
    static const struct {
        const char *name, *value;
    } want[] = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
         "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cache-Control", "no-store"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Embedder-Policy", "require-corp"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Server", NULL},
        {"Access-Control-Allow-Origin", NULL},
        {"Set-Cookie", NULL},
    };
    struct door d;
    (void)state;
    door_open(&d, true);
    for (size_t i = 0; i < G_N_ELEMENTS(asks); i++) {
        GString *answer = door_ask(&d, asks[i].method, asks[i].path, asks[i].headers, asks[i].body);
        for (size_t w = 0; w < G_N_ELEMENTS(want); w++) {
            g_autofree char *got = answer_header(answer, want[w].name);
            if (g_strcmp0(got, want[w].value) != 0)
                fail_msg("%s %s: %s is %s", asks[i].method, asks[i].path, want[w].name, got);
        }
        g_string_free(answer, TRUE);
    }
    door_close(&d);
}

/* ---- history ---- */

static void history(void **state)
{
    static const struct {
        const char *query;
        int status;
        const char *asked; /* or what the error says */
    } rows[] = {
        {"", 200, "history  limit 100\n"},
        {"?", 200, "history  limit 100\n"},
        {"?limit=7", 200, "history  limit 7\n"},
        {"?limit=1000", 200, "history  limit 1000\n"},
        {"?since=1h&until=2026-01-01", 200, "history since=1h&until=2026-01-01 limit 100\n"},
        {"?ns=a.b&ns=!c.*&shard=s0", 200, "history ns=a.b&ns=%21c.%2A&shard=s0 limit 100\n"},
        {"?ns=caf%C3%A9%26x%3D1&round=17&state=failed", 200,
         "history ns=caf%C3%A9%26x%3D1&round=17&state=failed limit 100\n"},
        {"?ns=a+b", 200, "history ns=a%20b limit 100\n"},
        {"?limit=0", 400, "limit: 0 is out of range"},
        {"?limit=1001", 400, "1001 is out of range"},
        {"?limit=ten", 400, "not a whole number"},
        {"?limit=1&limit=2", 400, "'limit' is given twice"},
        {"?since=1&since=2", 400, "'since' is given twice"},
        {"?color=red", 400, "'color' is not known here"},
        {"?ns=%ff", 400, "'ns' is not UTF-8"},
        {"?ns=%00", 400, "badRequest"},
        {"?ns=%4", 400, "badRequest"},
        {"?ns", 400, "badRequest"},
        {"?=x", 400, "badRequest"},
    };
    struct door d;
    (void)state;
    door_open(&d, false);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("/api/v1/history%s", rows[i].query);
        g_string_truncate(d.fake.asked, 0);
        GString *answer = door_ask(&d, "GET", path, "", NULL);
        door_expect(path, answer, rows[i].status, rows[i].status == 200 ? NULL : rows[i].asked);
        assert_string_equal(d.fake.asked->str, rows[i].status == 200 ? rows[i].asked : "");
        g_string_free(answer, TRUE);
    }
    door_close(&d);
}

/* Each class of error has its status. */
static void failures(void **state)
{
    static const struct {
        enum err_class cls;
        int status;
        const char *code;
    } rows[] = {
        {ERR_FAILED, 500, "\"failed\""},
        {ERR_USAGE, 400, "\"badRequest\""},
        {ERR_DATA, 500, "\"badData\""},
        {ERR_NO_INPUT, 404, "\"notFound\""},
        {ERR_UNAVAILABLE, 503, "\"unavailable\""},
        {ERR_CANT_CREATE, 500, "\"cannotWrite\""},
        {ERR_RETRY_LATER, 409, "\"tryLater\""},
        {ERR_NO_PERMISSION, 403, "\"notPermitted\""},
        {ERR_CONFIG, 500, "\"configuration\""},
    };
    static const char *const acts[] = {"/api/v1/round", "/api/v1/pause", "/api/v1/resume"};
    struct door d;
    (void)state;
    door_open(&d, true);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        d.fake.fails = rows[i].cls;
        GString *answer = door_ask(&d, "GET", "/api/v1/history", "", NULL);
        door_expect("history", answer, rows[i].status, rows[i].code);
        door_expect("history", answer, rows[i].status, "it failed as it was told to");
        g_string_free(answer, TRUE);
        for (size_t a = 0; a < G_N_ELEMENTS(acts); a++) {
            answer = door_ask(&d, "POST", acts[a], JSON_TYPE GOOD_TOKEN, "{}");
            door_expect(acts[a], answer, rows[i].status, rows[i].code);
            g_string_free(answer, TRUE);
        }
    }
    door_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading),          cmocka_unit_test(not_ready), cmocka_unit_test(head),
        cmocka_unit_test(security_headers), cmocka_unit_test(history),   cmocka_unit_test(failures),
    };
    return cmocka_run_group_tests_name("watch.http", tests, NULL, NULL);
}
