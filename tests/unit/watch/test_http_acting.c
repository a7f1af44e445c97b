// SPDX-License-Identifier: Apache-2.0
/* What changes something: what may be asked, and who may ask it. */
#include "tests/support/http_door.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define BAD_TOKEN "Authorization: Bearer 0123456789abcdef-tokeN\r\n"

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
        door_expect(rows[i].body, answer, rows[i].status, rows[i].contains);
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
    door_expect("long reason", answer, 400, "at most 1000 bytes");
    g_string_free(answer, TRUE);
    answer = door_ask(&d, "POST", "/api/v1/pause", JSON_TYPE GOOD_TOKEN, fits);
    door_expect("reason that fits", answer, 200, NULL);
    g_string_free(answer, TRUE);
    answer = door_ask(&d, "POST", "/api/v1/round", JSON_TYPE GOOD_TOKEN, names->str);
    door_expect("many names", answer, 400, "more than 100 names");
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
        door_expect(rows[i].name, answer, rows[i].status, rows[i].contains);
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
        door_expect(paths[i], answer, 403,
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
        door_expect(name, answer, steps[i].status, NULL);
        if (steps[i].status == 429)
            door_expect(name, answer, 429, "HTTP/1.1 429 Too Many Requests\r\n");
        g_string_free(answer, TRUE);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acting),          cmocka_unit_test(body_bounds),     cmocka_unit_test(who_may_act),
        cmocka_unit_test(read_only),       cmocka_unit_test(too_many_tokens), cmocka_unit_test(token_files),
        cmocka_unit_test(odd_token_files), cmocka_unit_test(reload),
    };
    return cmocka_run_group_tests_name("watch.http_acting", tests, NULL, NULL);
}
