// SPDX-License-Identifier: Apache-2.0
/* What is asked and what is answered: routes, methods, headers, who may ask. Limits: test_http_limits.c. */
#include "tests/support/http_door.h"

#include <bson/bson.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define JSON_TYPE "Content-Type: application/json\r\n"
#define GOOD_TOKEN "Authorization: Bearer " DOOR_TOKEN "\r\n"
#define BAD_TOKEN "Authorization: Bearer 0123456789abcdef-tokeN\r\n"

static void expect(const char *row, const GString *answer, int status, const char *contains)
{
    if (answer_status(answer) != status || (contains != NULL && strstr(answer->str, contains) == NULL))
        fail_msg("%s: want %d with '%s', got %.600s", row, status, contains == NULL ? "" : contains,
                 answer->str);
}

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
        expect(name, answer, rows[i].status, rows[i].contains);
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
    expect("not ready", answer, 503,
           "{\"error\": {\"code\": \"notReady\", \"message\": \"the cluster was not reached yet\"}}");
    expect("not ready", answer, 503, "Retry-After: 1\r\n");
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
        expect(paths[i], only_head, 200, NULL);
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
        expect(path, answer, rows[i].status, rows[i].status == 200 ? NULL : rows[i].asked);
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
        expect("history", answer, rows[i].status, rows[i].code);
        expect("history", answer, rows[i].status, "it failed as it was told to");
        g_string_free(answer, TRUE);
        for (size_t a = 0; a < G_N_ELEMENTS(acts); a++) {
            answer = door_ask(&d, "POST", acts[a], JSON_TYPE GOOD_TOKEN, "{}");
            expect(acts[a], answer, rows[i].status, rows[i].code);
            g_string_free(answer, TRUE);
        }
    }
    door_close(&d);
}

/* ---- acting ---- */

static void acting(void **state)
{
    static const struct {
        const char *path, *body;
        int status;
        const char *contains, *asked;
    } rows[] = {
        {"/api/v1/round", "{}", 202, "{\"round\": 17, \"queued\": false}", "round by http 127.0.0.1: -\n"},
        {"/api/v1/round",
         "{\"ignoreWindow\": true, \"dryRun\": true, \"ns\": [\"shop.*\", \"!shop.x\"], \"reason\": \"why "
         "not\"}",
         202, "{\"round\": 17, \"queued\": true}",
         "round ignoreWindow dryRun shop.* !shop.x by http 127.0.0.1: why not\n"},
        {"/api/v1/round", " \r\n{ \"ns\": [] }\n", 202, "17", "round by http 127.0.0.1: -\n"},
        {"/api/v1/pause", "{\"reason\": \"caf\xc3\xa9 \\u0022x\\u0022\"}", 200, "{\"paused\": true}",
         "pause by http 127.0.0.1: caf\xc3\xa9 \"x\"\n"},
        {"/api/v1/resume", "{}", 200, "{\"paused\": false}", "resume by http 127.0.0.1: -\n"},
        {"/api/v1/pause", "", 400, "must be a JSON object", ""},
        {"/api/v1/pause", "[]", 400, "must be a JSON object", ""},
        {"/api/v1/pause", "null", 400, "must be a JSON object", ""},
        {"/api/v1/pause", "{", 400, "badRequest", ""},
        {"/api/v1/pause", "{} {}", 400, "badRequest", ""},
        {"/api/v1/pause", "{\"reason\": 5}", 400, "'reason' must be a text", ""},
        {"/api/v1/pause", "{\"reason\": \"a\", \"reason\": \"b\"}", 400, "given twice", ""},
        {"/api/v1/pause", "{\"reason\": \"a\\u0000b\"}", 400, "'reason' must be a text", ""},
        {"/api/v1/pause", "{\"dryRun\": true}", 400, "'dryRun' is not known here", ""},
        {"/api/v1/round", "{\"dryrun\": true}", 400, "'dryrun' is not known here", ""},
        {"/api/v1/round", "{\"dryRun\": 1}", 400, "'dryRun' must be true or false", ""},
        {"/api/v1/round", "{\"ignoreWindow\": \"yes\"}", 400, "'ignoreWindow' must be true or false", ""},
        {"/api/v1/round", "{\"ns\": \"a.b\"}", 400, "'ns' must be an array", ""},
        {"/api/v1/round", "{\"ns\": [7]}", 400, "ns: ", ""},
        {"/api/v1/round", "{\"ns\": [\"!\"]}", 400, "ns: ", ""},
        {"/api/v1/round", "{\"ns\": [], \"ns\": [\"a\"]}", 202, "17", "round a by http 127.0.0.1: -\n"},
        {"/api/v1/round", "{\"reason\": {\"$date\": \"2026-01-01T00:00:00Z\"}}", 400, "must be a text", ""},
        {"/api/v1/pause", "\xff{}", 400, "badRequest", ""},
    };
    struct door d;
    (void)state;
    door_open(&d, true);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_string_truncate(d.fake.asked, 0);
        GString *answer = door_ask(&d, "POST", rows[i].path, JSON_TYPE GOOD_TOKEN, rows[i].body);
        expect(rows[i].body, answer, rows[i].status, rows[i].contains);
        assert_string_equal(d.fake.asked->str, rows[i].asked);
        g_string_free(answer, TRUE);
    }
    door_close(&d);
}

static void body_bounds(void **state)
{
    struct door d;
    g_autofree char *wide = g_strnfill(1001, 'r');
    g_autofree char *reason = g_strdup_printf("{\"reason\": \"%s\"}", wide);
    g_autofree char *fits = g_strdup_printf("{\"reason\": \"%s\"}", wide + 1);
    g_autoptr(GString) names = g_string_new("{\"ns\": [\"a\"");
    (void)state;
    for (int i = 0; i < 100; i++)
        g_string_append(names, ", \"a\"");
    g_string_append(names, "]}");
    door_open(&d, true);
    GString *answer = door_ask(&d, "POST", "/api/v1/pause", JSON_TYPE GOOD_TOKEN, reason);
    expect("long reason", answer, 400, "at most 1000 bytes");
    g_string_free(answer, TRUE);
    answer = door_ask(&d, "POST", "/api/v1/pause", JSON_TYPE GOOD_TOKEN, fits);
    expect("reason that fits", answer, 200, NULL);
    g_string_free(answer, TRUE);
    answer = door_ask(&d, "POST", "/api/v1/round", JSON_TYPE GOOD_TOKEN, names->str);
    expect("many names", answer, 400, "more than 100 names");
    g_string_free(answer, TRUE);
    door_close(&d);
}

/* ---- who may ask ---- */

static void who_may_act(void **state)
{
    static const struct {
        const char *name, *headers;
        int status;
        const char *contains, *refused;
    } rows[] = {
        {"good", JSON_TYPE GOOD_TOKEN, 200, "paused", ""},
        {"scheme in another case", JSON_TYPE "Authorization: bearer   " DOOR_TOKEN "\r\n", 200, "paused", ""},
        {"parameters of the type", "Content-Type: application/json; charset=utf-8\r\n" GOOD_TOKEN, 200,
         "paused", ""},
        {"no token", JSON_TYPE, 401, "tokenMissing", "127.0.0.1 tokenMissing\n"},
        {"challenge", JSON_TYPE, 401, "WWW-Authenticate: Bearer", "127.0.0.1 tokenMissing\n"},
        {"bad token", JSON_TYPE BAD_TOKEN, 401, "tokenRefused", "127.0.0.1 tokenRefused\n"},
        {"token cut short", JSON_TYPE "Authorization: Bearer 0123456789abcdef-toke\r\n", 401, "tokenRefused",
         "127.0.0.1 tokenRefused\n"},
        {"token and more", JSON_TYPE "Authorization: Bearer " DOOR_TOKEN "x\r\n", 401, "tokenRefused",
         "127.0.0.1 tokenRefused\n"},
        {"no token behind the scheme", JSON_TYPE "Authorization: Bearer\r\n", 401, "tokenRefused",
         "127.0.0.1 tokenRefused\n"},
        {"another scheme", JSON_TYPE "Authorization: Basic " DOOR_TOKEN "\r\n", 401, "tokenRefused",
         "127.0.0.1 tokenRefused\n"},
        {"no type", GOOD_TOKEN, 415, "unsupportedMediaType", ""},
        {"form type", "Content-Type: application/x-www-form-urlencoded\r\n" GOOD_TOKEN, 415,
         "application/json", ""},
        {"text type", "Content-Type: text/plain\r\n" GOOD_TOKEN, 415, "application/json", ""},
        {"longer type", "Content-Type: application/json-patch\r\n" GOOD_TOKEN, 415, "application/json", ""},
        {"two types", JSON_TYPE "Content-Type: text/plain\r\n" GOOD_TOKEN, 415, "application/json", ""},
        {"own origin", JSON_TYPE GOOD_TOKEN "Origin: http://localhost\r\n", 200, "paused", ""},
        {"own origin behind TLS", JSON_TYPE GOOD_TOKEN "Origin: https://LOCALHOST\r\n", 200, "paused", ""},
        {"same origin", JSON_TYPE GOOD_TOKEN "Sec-Fetch-Site: same-origin\r\n", 200, "paused", ""},
        {"typed in", JSON_TYPE GOOD_TOKEN "Sec-Fetch-Site: none\r\n", 200, "paused", ""},
        {"foreign origin", JSON_TYPE GOOD_TOKEN "Origin: http://evil.example\r\n", 403, "originNotAllowed",
         "127.0.0.1 originNotAllowed\n"},
        {"another port", JSON_TYPE GOOD_TOKEN "Origin: http://localhost:8080\r\n", 403, "originNotAllowed",
         "127.0.0.1 originNotAllowed\n"},
        {"no origin", JSON_TYPE GOOD_TOKEN "Origin: null\r\n", 403, "originNotAllowed",
         "127.0.0.1 originNotAllowed\n"},
        {"file origin", JSON_TYPE GOOD_TOKEN "Origin: file://localhost\r\n", 403, "originNotAllowed",
         "127.0.0.1 originNotAllowed\n"},
        {"two origins", JSON_TYPE GOOD_TOKEN "Origin: http://localhost\r\nOrigin: http://evil.example\r\n",
         403, "originNotAllowed", "127.0.0.1 originNotAllowed\n"},
        {"cross site", JSON_TYPE GOOD_TOKEN "Sec-Fetch-Site: cross-site\r\n", 403, "originNotAllowed",
         "127.0.0.1 originNotAllowed\n"},
        {"same site", JSON_TYPE GOOD_TOKEN "Sec-Fetch-Site: same-site\r\n", 403, "originNotAllowed",
         "127.0.0.1 originNotAllowed\n"},
    };
    struct door d;
    (void)state;
    door_open(&d, true);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_string_truncate(d.refused, 0);
        g_string_truncate(d.fake.asked, 0);
        d.clock_us += 10 * 1000000;
        GString *answer = door_ask(&d, "POST", "/api/v1/pause", rows[i].headers, "{}");
        expect(rows[i].name, answer, rows[i].status, rows[i].contains);
        assert_string_equal(d.refused->str, rows[i].refused);
        assert_true((d.fake.asked->len > 0) == (rows[i].status == 200));
        g_string_free(answer, TRUE);
    }
    door_close(&d);
}

static void read_only(void **state)
{
    static const char *const paths[] = {"/api/v1/round", "/api/v1/pause", "/api/v1/resume"};
    struct door d;
    (void)state;
    door_open(&d, false);
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        GString *answer = door_ask(&d, "POST", paths[i], JSON_TYPE GOOD_TOKEN, "{}");
        expect(paths[i], answer, 403,
               "\"code\": \"readOnly\", \"message\": \"this service can only be read over HTTP");
        g_string_free(answer, TRUE);
    }
    assert_int_equal(d.fake.asked->len, 0);
    assert_int_equal(http_counts(d.http).refused, 3);
    GString *page = door_ask(&d, "GET", "/", "", NULL);
    assert_non_null(strstr(page->str, "Read-only"));
    assert_null(strstr(page->str, "data-ask="));
    g_string_free(page, TRUE);
    door_close(&d);
}

/* After five wrong ones even the right one is not looked at, until a second has passed. */
static void too_many_tokens(void **state)
{
    static const struct {
        const char *headers;
        int64_t wait_us;
        int status;
    } steps[] = {
        {JSON_TYPE BAD_TOKEN, 0, 401},  {JSON_TYPE BAD_TOKEN, 0, 401},
        {JSON_TYPE BAD_TOKEN, 0, 401},  {JSON_TYPE GOOD_TOKEN, 0, 200},
        {JSON_TYPE BAD_TOKEN, 0, 401},  {JSON_TYPE, 0, 401},
        {JSON_TYPE BAD_TOKEN, 0, 401},  {JSON_TYPE BAD_TOKEN, 0, 429},
        {JSON_TYPE GOOD_TOKEN, 0, 429}, {JSON_TYPE GOOD_TOKEN, 999999, 429},
        {JSON_TYPE GOOD_TOKEN, 1, 200}, {JSON_TYPE BAD_TOKEN, 0, 401},
        {JSON_TYPE BAD_TOKEN, 0, 429},  {JSON_TYPE BAD_TOKEN, 3600000000LL, 401},
    };
    struct door d;
    (void)state;
    door_open(&d, true);
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *name = g_strdup_printf("step %zu", i);
        d.clock_us += steps[i].wait_us;
        GString *answer = door_ask(&d, "POST", "/api/v1/pause", steps[i].headers, "{}");
        expect(name, answer, steps[i].status, NULL);
        if (steps[i].status == 429)
            expect(name, answer, 429, "HTTP/1.1 429 Too Many Requests\r\n");
        g_string_free(answer, TRUE);
    }
    door_close(&d);
}

/* ---- hosts and framing, byte for byte ---- */

static void raw_requests(void **state)
{
    static const struct {
        const char *name, *request;
        int status; /* 0: no answer at all */
        const char *contains;
    } rows[] = {
        {"HTTP/1.0 without Host", "GET /healthz HTTP/1.0\r\n\r\n", 200, "alive"},
        {"HTTP/1.1 without Host", "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400,
         "one Host header"},
        {"two Hosts", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400,
         "one Host header"},
        {"empty Host", "GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 403, "hostNotAllowed"},
        {"address", "GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", 200, "alive"},
        {"address with port", "GET /healthz HTTP/1.0\r\nHost: 127.0.0.1:29017\r\n\r\n", 200, "alive"},
        {"tunnel", "GET /healthz HTTP/1.0\r\nHost: localhost:8080\r\n\r\n", 200, "alive"},
        {"another case", "GET /healthz HTTP/1.0\r\nHost: LocalHost\r\n\r\n", 200, "alive"},
        {"another loopback address", "GET /healthz HTTP/1.0\r\nHost: 127.3.2.1\r\n\r\n", 200, "alive"},
        {"loopback in IPv6", "GET /healthz HTTP/1.0\r\nHost: [::1]:29017\r\n\r\n", 200, "alive"},
        {"another host", "GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n", 403, "hostNotAllowed"},
        {"looks like loopback", "GET /healthz HTTP/1.0\r\nHost: localhost.evil.example\r\n\r\n", 403,
         "hostNotAllowed"},
        {"looks like an address", "GET /healthz HTTP/1.0\r\nHost: 127.0.0.1.evil.example\r\n\r\n", 403,
         "hostNotAllowed"},
        {"another address", "GET /healthz HTTP/1.0\r\nHost: 192.0.2.1\r\n\r\n", 403, "hostNotAllowed"},
        {"user in Host", "GET /healthz HTTP/1.0\r\nHost: localhost@evil.example\r\n\r\n", 403,
         "hostNotAllowed"},
        {"port is no number", "GET /healthz HTTP/1.0\r\nHost: localhost:evil\r\n\r\n", 403, "hostNotAllowed"},
        {"bracket left open", "GET /healthz HTTP/1.0\r\nHost: [::1\r\n\r\n", 403, "hostNotAllowed"},
        {"host in the URI",
         "GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200,
         "alive"},
        {"foreign host in the URI",
         "GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\nProxy-Connection: "
         "close\r\nConnection: close\r\n\r\n",
         403, "hostNotAllowed"},
        {"metrics for another host", "GET /metrics HTTP/1.0\r\nHost: evil.example\r\n\r\n", 403,
         "hostNotAllowed"},
        {"body of a GET", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabcde", 400,
         "only a POST has a body"},
        {"body of a HEAD", "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nGET /", 400,
         "Connection: close"},
        {"empty body of a GET",
         "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 200,
         "alive"},
        {"two lengths",
         "POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: "
         "3\r\n\r\n{} ",
         400, "more than once"},
        {"length and chunks",
         "POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n",
         400, "400 Bad Request"},
        {"length with a sign",
         "POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: +2\r\n\r\n{}", 400,
         "not a number"},
        {"another coding",
         "POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, "
         "chunked\r\n\r\n0\r\n\r\n",
         400, "the only Transfer-Encoding"},
        {"negative length", "POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: -2\r\n\r\n{}",
         400, NULL},
        {"no HTTP", "GARBAGE\r\n\r\n", 400, NULL},
        {"no version", "GET /healthz\r\n\r\n", 400, NULL},
        {"another version", "GET /healthz HTTP/x.y\r\nHost: localhost\r\n\r\n", 400, NULL},
        {"unknown method", "BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n", 501, NULL},
        {"header without colon", "GET /healthz HTTP/1.1\r\nHost localhost\r\n\r\n", 400, NULL},
        {"space in the path", "GET /heal thz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404,
         NULL},
        {"all of the server", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404,
         "notFound"},
        {"unmet expectation",
         "POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\nContent-Length: 2\r\n\r\n{}", 417,
         NULL},
    };
    struct door d;
    (void)state;
    door_open(&d, true);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GString *answer = door_talk(&d, rows[i].request);
        expect(rows[i].name, answer, rows[i].status, rows[i].contains);
        g_string_free(answer, TRUE);
    }
    door_close(&d);
}

/* evhttp keeps such a connection open. */
static void connect_goes_nowhere(void **state)
{
    struct door d;
    (void)state;
    door_open(&d, false);
    struct client *c = client_new(&d);
    client_text(c, "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_await(c, "notFound");
    client_free(c);
    door_close(&d);
}

/* A chunked body, and one that is only sent when asked for. */
static void other_bodies(void **state)
{
    struct door d;
    (void)state;
    door_open(&d, true);
    GString *answer = door_talk(
        &d, "POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" JSON_TYPE GOOD_TOKEN
            "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"rea\r\nd\r\nson\": \"ok!!\"}\r\n0\r\nTrailer: "
            "x\r\n\r\n");
    expect("chunked", answer, 200, "paused");
    assert_non_null(strstr(d.fake.asked->str, ": ok!!\n"));
    g_string_free(answer, TRUE);
    struct client *c = client_new(&d);
    client_text(c,
                "POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" JSON_TYPE GOOD_TOKEN
                "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    client_await(c, "HTTP/1.1 100 Continue\r\n\r\n");
    client_text(c, "{}");
    client_read_all(c);
    assert_non_null(strstr(c->got->str, "{\"paused\": true}"));
    client_free(c);
    door_close(&d);
}

/* ---- the token file ---- */

static void token_files(void **state)
{
    static const struct {
        const char *name, *content;
        mode_t mode;
        const char *fault; /* NULL: it will do */
    } rows[] = {
        {"of the owner", "0123456789abcdef", 0600, NULL},
        {"of the group, too", "0123456789abcdef\n", 0640, NULL},
        {"line end of another system", "0123456789abcdef\r\n", 0400, NULL},
        {"readable by others", "0123456789abcdef", 0644, "mode 0644"},
        {"writable by others", "0123456789abcdef", 0602, "mode 0602"},
        {"short", "0123456789abcde\n", 0600, "16 to 512"},
        {"empty", "", 0600, "16 to 512"},
        {"two lines", "0123456789abcdef\n0123456789abcdef\n", 0600, "16 to 512"},
        {"spaces", "0123456789 abcdef", 0600, "16 to 512"},
        {"not ASCII", "0123456789abcd\xc3\xa9", 0600, "16 to 512"},
    };
    struct door d;
    (void)state;
    door_open(&d, false);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        http *h = NULL;
        g_autofree char *path = temp_dir_write(d.dir, rows[i].name, rows[i].content, strlen(rows[i].content));
        const struct http_options opt = door_options(&d, "127.0.0.1", path);
        assert_int_equal(chmod(path, rows[i].mode), 0);
        const bool fine = http_new(&opt, &h, &err);
        if (fine != (rows[i].fault == NULL) || (!fine && strstr(err.msg, rows[i].fault) == NULL))
            fail_msg("%s: %s", rows[i].name, err.msg);
        assert_true(fine || err.cls == ERR_CONFIG);
        assert_null(strstr(err.msg, "0123456789"));
        http_free(h);
    }
    door_close(&d);
}

static void odd_token_files(void **state)
{
    struct door d;
    struct err err = {0};
    http *h = NULL;
    g_autofree char *most = g_strnfill(512, 't'), *more = g_strnfill(513, 't');
    (void)state;
    door_open(&d, false);
    g_autofree char *path_most = temp_dir_write(d.dir, "most", most, 512);
    g_autofree char *path_more = temp_dir_write(d.dir, "more", more, 513);
    g_autofree char *fifo = g_build_filename(d.dir->path, "fifo", NULL);
    assert_int_equal(chmod(path_most, 0600) + chmod(path_more, 0600) + mkfifo(fifo, 0600), 0);
    assert_true(http_reload(d.http, path_most, &err));
    assert_false(http_reload(d.http, path_more, &err));
    assert_false(http_reload(d.http, d.dir->path, &err));
    assert_non_null(strstr(err.msg, "is not a file"));
    assert_false(http_reload(d.http, fifo, &err));
    assert_false(http_reload(d.http, "/nonexistent/token", &err));
    assert_non_null(strstr(err.msg, "cannot read http.tokenFile '/nonexistent/token'"));
    const struct http_options opt = door_options(&d, "127.0.0.1", "/nonexistent/token");
    assert_false(http_new(&opt, &h, &err));
    assert_null(h);
    door_close(&d);
}

static int pause_with(struct door *d, const char *headers)
{
    GString *answer = door_ask(d, "POST", "/api/v1/pause", headers, "{}");
    const int status = answer_status(answer);
    g_string_free(answer, TRUE);
    return status;
}

/* A reload takes the new token; a bad file leaves the old one in force; no file makes it read-only. */
static void reload(void **state)
{
    static const char other[] = JSON_TYPE "Authorization: Bearer another-token-0123\r\n";
    struct door d;
    struct err err = {0};
    (void)state;
    door_open(&d, true);
    g_autofree char *path = temp_dir_write(d.dir, "other", "another-token-0123", 18);
    assert_int_equal(chmod(path, 0666), 0);
    assert_false(http_reload(d.http, path, &err));
    assert_int_equal(pause_with(&d, JSON_TYPE GOOD_TOKEN), 200);
    assert_int_equal(pause_with(&d, other), 401);
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(http_reload(d.http, path, &err));
    assert_int_equal(pause_with(&d, JSON_TYPE GOOD_TOKEN), 401);
    assert_int_equal(pause_with(&d, other), 200);
    assert_true(http_reload(d.http, "", &err));
    assert_int_equal(pause_with(&d, other), 403);
    door_close(&d);
}

/* ---- listening ---- */

static bool have_ipv6(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const int fd = socket(AF_INET6, SOCK_STREAM, 0);
    const bool have = fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) == 0;
    if (fd >= 0)
        close(fd);
    return have;
}

static void listening(void **state)
{
    const struct {
        const char *host;
        bool fine, exposed;
        const char *told; /* of the address, or of the fault */
    } rows[] = {
        {"127.0.0.1", true, false, "127.0.0.1:"},
        {"127.9.9.9", true, false, "127.9.9.9:"},
        {"localhost", true, false, "localhost:"},
        {"::1", have_ipv6(), false, have_ipv6() ? "[::1]:" : "cannot listen"},
        {"0.0.0.0", true, true, "0.0.0.0:"},
        {"192.0.2.1", false, false, "cannot listen on port 0 of '192.0.2.1'"},
        {"..", false, false, "cannot find the address of '..'"},
    };
    struct door d;
    (void)state;
    door_open(&d, false);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        http *h = NULL;
        const struct http_options opt = door_options(&d, rows[i].host, NULL);
        if (http_new(&opt, &h, &err) != rows[i].fine)
            fail_msg("%s: %s", rows[i].host, err.msg);
        assert_true(rows[i].fine ? http_port(h) > 0 : err.cls == ERR_UNAVAILABLE);
        g_autofree char *told = h == NULL ? g_strdup(err.msg) : http_address(h);
        if (strstr(told, rows[i].told) == NULL || (h != NULL && http_is_exposed(h) != rows[i].exposed))
            fail_msg("%s: %s", rows[i].host, told);
        http_free(h);
    }
    struct http_options taken = door_options(&d, "127.0.0.1", NULL);
    struct err err = {0};
    http *h = NULL;
    taken.port = http_port(d.http);
    assert_false(http_new(&taken, &h, &err));
    assert_int_equal(err.cls, ERR_UNAVAILABLE);
    http_free(NULL);
    door_close(&d);
}

/* What is listened on may be asked for by that name, whatever else is refused. */
static void listening_by_name(void **state)
{
    struct door d;
    struct err err = {0};
    (void)state;
    door_open(&d, false);
    http_free(d.http);
    const struct http_options opt = door_options(&d, "0.0.0.0", NULL);
    assert_true(http_new(&opt, &d.http, &err));
    GString *answer = door_talk(&d, "GET /healthz HTTP/1.0\r\nHost: 0.0.0.0:29017\r\n\r\n");
    expect("by the name", answer, 200, "alive");
    g_string_free(answer, TRUE);
    answer = door_talk(&d, "GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n");
    expect("by another", answer, 403, "hostNotAllowed");
    g_string_free(answer, TRUE);
    assert_string_equal(d.refused->str, "127.0.0.1 hostNotAllowed\n");
    door_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading),
        cmocka_unit_test(not_ready),
        cmocka_unit_test(head),
        cmocka_unit_test(security_headers),
        cmocka_unit_test(history),
        cmocka_unit_test(failures),
        cmocka_unit_test(acting),
        cmocka_unit_test(body_bounds),
        cmocka_unit_test(who_may_act),
        cmocka_unit_test(read_only),
        cmocka_unit_test(too_many_tokens),
        cmocka_unit_test(raw_requests),
        cmocka_unit_test(connect_goes_nowhere),
        cmocka_unit_test(other_bodies),
        cmocka_unit_test(token_files),
        cmocka_unit_test(odd_token_files),
        cmocka_unit_test(reload),
        cmocka_unit_test(listening),
        cmocka_unit_test(listening_by_name),
    };
    return cmocka_run_group_tests_name("watch.http", tests, NULL, NULL);
}
