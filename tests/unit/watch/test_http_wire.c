// SPDX-License-Identifier: Apache-2.0
/* Requests byte for byte, and where the door listens. */
#include "tests/support/http_door.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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
        door_expect(rows[i].name, answer, rows[i].status, rows[i].contains);
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
    door_expect("chunked", answer, 200, "paused");
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
    door_expect("by the name", answer, 200, "alive");
    g_string_free(answer, TRUE);
    answer = door_talk(&d, "GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n");
    door_expect("by another", answer, 403, "hostNotAllowed");
    g_string_free(answer, TRUE);
    assert_string_equal(d.refused->str, "127.0.0.1 hostNotAllowed\n");
    door_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_requests),      cmocka_unit_test(connect_goes_nowhere),
        cmocka_unit_test(other_bodies),      cmocka_unit_test(listening),
        cmocka_unit_test(listening_by_name),
    };
    return cmocka_run_group_tests_name("watch.http_wire", tests, NULL, NULL);
}
