// SPDX-License-Identifier: Apache-2.0
/* What a client may take: sizes, time, connections; large answers, many requests at once, bytes that are no
 * HTTP. */
#include "tests/support/http_door.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ASK_HEALTH "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define ASK_PLAN "GET /api/v1/plan HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define POST_HEAD                                                                                            \
    "POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: "                  \
    "application/json\r\n"                                                                                   \
    "Authorization: Bearer " DOOR_TOKEN "\r\n"

enum { SECOND_US = 1000000, CONNECTIONS = 64, LARGE_AT_ONCE = 4, PLAN = 24 * 1024 * 1024 };

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)) != NULL; text++)
        n++;
    return n;
}

/* Turns the loop until the sweep, which goes by the system's clock, has had its turn. */
static void await_end(struct client *c)
{
    client_read_all(c);
    assert_true(c->ended);
}

/* ---- sizes ---- */

static void headers_too_long(void **state)
{
    static const struct {
        const char *name, *before, *behind;
        size_t filling;
        int status;
    } rows[] = {
        {"many", "GET /healthz HTTP/1.0\r\nX: ", "\r\n\r\n", 16000, 200},
        {"a header", "GET /healthz HTTP/1.0\r\nX: ", "\r\n\r\n", 17000, 400},
        {"a path", "GET /", " HTTP/1.0\r\n\r\n", 17000, 400},
        {"a header without end", "GET /healthz HTTP/1.0\r\nX: ", "", 1 << 20, 400},
        {"a line without end", "", "", 1 << 20, 400},
    };
    struct door d;
    (void)state;
    door_open(&d, false);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *filling = g_strnfill(rows[i].filling, 'x');
        g_autofree char *request = g_strconcat(rows[i].before, filling, rows[i].behind, NULL);
        GString *answer = door_talk(&d, request);
        /* A client that sends on may lose the answer to the reset of the connection. */
        if (answer_status(answer) != rows[i].status && !(answer->len == 0 && rows[i].filling == 1 << 20))
            fail_msg("%s: got %.300s", rows[i].name, answer->str);
        g_string_free(answer, TRUE);
    }
    door_close(&d);
}

static void bodies_too_long(void **state)
{
    static const struct {
        size_t length;
        int status;
    } rows[] = {{65536, 200}, {65537, 413}, {200000, 413}, {5 * 1024 * 1024, 413}};
    struct door d;
    (void)state;
    door_open(&d, true);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct client *c = client_new(&d);
        g_autofree char *head = g_strdup_printf(POST_HEAD "Content-Length: %zu\r\n\r\n{}", rows[i].length);
        g_autofree char *rest = g_strnfill(rows[i].length - 2, ' ');
        client_text(c, head);
        client_text(c, rest);
        client_read_all(c);
        if (answer_status(c->got) != rows[i].status)
            fail_msg("%zu bytes: got %.300s", rows[i].length, c->got->str);
        client_free(c);
    }
    door_close(&d);
}

static void chunks_too_long(void **state)
{
    struct door d;
    g_autofree char *chunk = g_strnfill(60000, ' ');
    (void)state;
    door_open(&d, true);
    struct client *c = client_new(&d);
    client_text(c, POST_HEAD "Transfer-Encoding: chunked\r\n\r\nea60\r\n");
    client_text(c, chunk);
    client_text(c, "\r\n2000\r\n");
    client_read_all(c);
    assert_int_equal(answer_status(c->got), 413);
    client_free(c);
    door_close(&d);
}

/* ---- time ---- */

static void slow_requests(void **state)
{
    static const char request[] = POST_HEAD "Content-Length: 10\r\n\r\n{}";
    struct door d;
    (void)state;
    door_open(&d, true);
    struct client *c = client_new(&d);
    for (size_t i = 0; i < sizeof request - 1 && !c->ended; i++) { /* a byte each 3 s */
        client_send(c, request + i, 1);
        client_turn(c, 2);
        d.clock_us += 3 * SECOND_US;
        if (i == 3)
            await_end(c); /* 12 s: it is late */
    }
    assert_true(c->ended);
    assert_int_equal(c->got->len, 0);
    client_free(c);
    door_close(&d);
}

static void silent_connection(void **state)
{
    struct door d;
    (void)state;
    door_open(&d, false);
    struct client *c = client_new(&d);
    client_turn(c, 5);
    d.clock_us += 9 * SECOND_US;
    client_text(c, ASK_HEALTH); /* in time */
    client_await(c, "alive");
    d.clock_us += 29 * SECOND_US;
    client_text(c, ASK_HEALTH); /* idle, but not too long */
    g_string_truncate(c->got, 0);
    client_await(c, "alive");
    d.clock_us += 31 * SECOND_US;
    await_end(c);
    client_free(c);
    door_close(&d);
}

/* After an idle time a request has 10 s from its first byte. */
static void slow_second_request(void **state)
{
    struct door d;
    (void)state;
    door_open(&d, false);
    struct client *c = client_new(&d);
    client_text(c, ASK_HEALTH);
    client_await(c, "alive");
    d.clock_us += 25 * SECOND_US;
    client_text(c, "GET /");
    client_turn(c, 5);
    d.clock_us += 9 * SECOND_US;
    client_turn(c, 5);
    client_text(c, "healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    g_string_truncate(c->got, 0);
    client_await(c, "alive");
    client_text(c, "GET /");
    client_turn(c, 5);
    d.clock_us += 11 * SECOND_US;
    await_end(c);
    client_free(c);
    door_close(&d);
}

/* ---- connections ---- */

/* More than the limit, all busy: who comes later waits until the late ones are cut. */
static void too_many_busy(void **state)
{
    struct door d;
    struct client *busy[CONNECTIONS];
    (void)state;
    door_open(&d, false);
    for (int i = 0; i < CONNECTIONS; i++) {
        busy[i] = client_new(&d);
        client_text(busy[i], "GET /");
        client_turn(busy[i], 1);
    }
    struct client *late = client_new(&d);
    client_text(late, ASK_HEALTH);
    client_turn(late, 20);
    assert_int_equal(late->got->len, 0);
    d.clock_us += 11 * SECOND_US;
    client_await(late, "alive");
    for (int i = 0; i < CONNECTIONS; i++) {
        client_read_all(busy[i]);
        client_free(busy[i]);
    }
    client_free(late);
    door_close(&d);
}

/* More than the limit, all idle: whoever has been so longest makes room at once. */
static void too_many_idle(void **state)
{
    struct door d;
    struct client *idle[CONNECTIONS];
    (void)state;
    door_open(&d, false);
    for (int i = 0; i < CONNECTIONS; i++) {
        idle[i] = client_new(&d);
        d.clock_us += 1000;
        client_text(idle[i], ASK_HEALTH);
        client_await(idle[i], "alive");
    }
    for (int more = 0; more < 10; more++) {
        struct client *late = client_new(&d);
        client_text(late, ASK_HEALTH);
        client_await(late, "alive");
        client_free(late);
    }
    client_read_all(idle[0]);
    client_text(idle[CONNECTIONS - 1], ASK_HEALTH);
    g_string_truncate(idle[CONNECTIONS - 1]->got, 0);
    client_await(idle[CONNECTIONS - 1], "alive");
    for (int i = 0; i < CONNECTIONS; i++)
        client_free(idle[i]);
    door_close(&d);
}

/* ---- many requests on one connection ---- */

static void pipelined(void **state)
{
    enum { N = 500 };
    struct door d;
    g_autoptr(GString) all = g_string_new(NULL);
    (void)state;
    door_open(&d, false);
    for (int i = 0; i < N; i++)
        g_string_append(all, i % 2 == 0 ? ASK_HEALTH : "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    g_string_append(all, "GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" ASK_HEALTH);
    struct client *c = client_new(&d);
    client_send(c, all->str, all->len);
    client_read_all(c);
    assert_int_equal(count(c->got->str, "HTTP/1.1 200 OK"), N);
    assert_int_equal(count(c->got->str, "{\"alive\": true}"), N / 2);
    assert_int_equal(count(c->got->str, "HTTP/1.1 404"), 1);
    assert_non_null(strstr(strstr(c->got->str, "HTTP/1.1 404"), "notFound")); /* and nothing behind it */
    client_free(c);
    door_close(&d);
}

/* Requests without end from a client that reads nothing: what it sends stays in the kernel. */
static void reads_nothing(void **state)
{
    static const char ask[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct door d;
    size_t sent = 0;
    (void)state;
    door_open(&d, false);
    struct client *c = client_new(&d);
    for (int stuck = 0; stuck < 50;) {
        const ssize_t n = write(c->fd, ask, sizeof ask - 1);
        sent += n > 0 ? (size_t)n : 0;
        stuck = n > 0 ? 0 : stuck + 1;
        door_turn(&d, 1);
        assert_true(sent < 256 * 1024 * 1024);
    }
    assert_int_equal(http_counts(d.http).refused, 0);
    d.clock_us += 11 * SECOND_US;
    const uint64_t answered = http_counts(d.http).requests;
    GString *answer = door_ask(&d, "GET", "/healthz", "", NULL);
    assert_int_equal(answer_status(answer), 200);
    g_string_free(answer, TRUE);
    client_free(c);
    assert_true(answered > 0);
    door_close(&d);
}

/* ---- large answers ---- */

static GString *large_plan(void)
{
    GString *plan = g_string_sized_new(PLAN);
    while (plan->len < PLAN)
        g_string_append_printf(plan, "%08zx,", plan->len);
    return plan;
}

static void large_answer(void **state)
{
    struct door d;
    (void)state;
    door_open(&d, false);
    d.fake.plan = large_plan();
    struct client *c = client_new(&d);
    client_text(c, ASK_PLAN ASK_HEALTH);
    client_await(c, "\r\n\r\n");
    g_autofree char *length = answer_header(c->got, "Content-Length");
    const size_t head = (size_t)(answer_body(c->got) - c->got->str);
    assert_int_equal(strtoul(length, NULL, 10), d.fake.plan->len);
    GString *meanwhile = door_ask(&d, "GET", "/healthz", "", NULL);
    assert_int_equal(answer_status(meanwhile), 200);
    g_string_free(meanwhile, TRUE);
    g_string_truncate(d.fake.plan, 10); /* the next plan: what was begun goes on with the old one */
    client_read(c, head + PLAN);
    client_await(c, "{\"alive\": true}");
    g_autoptr(GString) want = large_plan();
    assert_memory_equal(c->got->str + head, want->str, want->len);
    assert_true(g_str_has_prefix(c->got->str + head + want->len, "HTTP/1.1 200 OK\r\n"));
    client_free(c);
    door_close(&d);
}

static void large_answers_at_once(void **state)
{
    struct door d;
    struct client *taking[LARGE_AT_ONCE];
    (void)state;
    door_open(&d, false);
    d.fake.plan = large_plan();
    for (int i = 0; i < LARGE_AT_ONCE; i++) {
        taking[i] = client_new(&d);
        client_text(taking[i], ASK_PLAN);
        client_await(taking[i], "\r\n\r\n");
    }
    GString *answer = door_ask(&d, "GET", "/api/v1/plan", "", NULL);
    assert_int_equal(answer_status(answer), 503);
    assert_non_null(strstr(answer->str, "\"code\": \"busy\""));
    assert_non_null(strstr(answer->str, "Retry-After: 1\r\n"));
    g_string_free(answer, TRUE);
    answer = door_ask(&d, "HEAD", "/api/v1/plan", "", NULL);
    assert_int_equal(answer_status(answer), 200);
    g_string_free(answer, TRUE);
    for (int i = 0; i < LARGE_AT_ONCE; i++)
        client_free(taking[i]); /* they hang up in the middle */
    struct client *c = client_new(&d);
    while (!g_str_has_prefix(c->got->str, "HTTP/1.1 200")) { /* as soon as the hanging up was noticed */
        client_free(c);
        c = client_new(&d);
        client_text(c, ASK_PLAN);
        client_await(c, "\r\n\r\n");
    }
    client_read(c, PLAN);
    client_free(c);
    door_close(&d);
}

/* Who takes a large answer too slowly is cut; who takes it steadily is not, however long it lasts. */
static void slow_takers(void **state)
{
    struct door d;
    char buf[65536];
    size_t taken = 0;
    (void)state;
    door_open(&d, false);
    d.fake.plan = large_plan();
    struct client *c = client_new(&d);
    client_text(c, ASK_PLAN);
    while (taken < PLAN / 2) {
        door_turn(&d, 1);
        const ssize_t n = read(c->fd, buf, sizeof buf);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            fail_msg("cut after %zu bytes: %s", taken, n == 0 ? "end" : g_strerror(errno));
        taken += n > 0 ? (size_t)n : 0;
        d.clock_us += n > 0 ? SECOND_US / 4 : 0; /* 24 s for what the kernel holds, several minutes in all */
    }
    /* Whoever comes in lets the late ones out. The kernel may have room for some more at first, which is
     * progress. */
    for (int i = 0; i < 20; i++) {
        d.clock_us += 11 * SECOND_US;
        GString *other = door_ask(&d, "GET", "/healthz", "", NULL);
        g_string_free(other, TRUE);
    }
    await_end(c);
    assert_true(taken + c->got->len < PLAN);
    client_free(c);
    door_close(&d);
}

/* The door closes while answers are under way and requests half sent. */
static void closed_in_the_middle(void **state)
{
    struct door d;
    (void)state;
    door_open(&d, false);
    d.fake.plan = large_plan();
    struct client *taking = client_new(&d), *asking = client_new(&d), *silent = client_new(&d);
    client_text(taking, ASK_PLAN);
    client_await(taking, "\r\n\r\n");
    client_text(asking, "GET /");
    client_turn(asking, 3);
    client_turn(silent, 3);
    http_free(d.http);
    d.http = NULL;
    client_read_all(taking);
    client_read_all(asking);
    client_read_all(silent);
    client_free(taking);
    client_free(asking);
    client_free(silent);
    door_close(&d);
}

/* ---- bytes that are no HTTP ---- */

/* Pieces of requests in random order, bytes changed, cut anywhere. Whatever is answered, the door stays open.
 */
static void random_bytes(void **state)
{
    static const char *const pieces[] = {
        "GET ",
        "POST ",
        "HEAD ",
        "CONNECT ",
        "/healthz",
        "/api/v1/pause",
        "*",
        "http://localhost/",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        "\r\n",
        "\n",
        "\r\n\r\n",
        "Host: localhost\r\n",
        "Host: x\r\n",
        "Content-Length: 2\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "Expect: x\r\n",
        "Connection: close\r\n",
        "Content-Type: application/json\r\n",
        "{}",
        "0\r\n\r\n",
        "ffffffff\r\n",
        "Authorization: Bearer " DOOR_TOKEN "\r\n",
        " : \r\n",
        "\t folded\r\n",
        "%00%ff",
        "?a=b&c",
        "#f",
        "\xff\xfe",
    };
    struct door d;
    const char *given = g_getenv("EVENKEEL_TEST_SEED");
    const guint32 seed = given != NULL ? (guint32)strtoul(given, NULL, 10) : g_random_int();
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    (void)state;
    print_message("seed %u\n", seed);
    door_open(&d, true);
    for (int i = 0; i < 400; i++) {
        struct client *c = client_new(&d);
        g_autoptr(GString) bytes = g_string_new(NULL);
        for (int n = g_rand_int_range(rand, 1, 14); n > 0; n--)
            g_string_append(bytes, pieces[g_rand_int_range(rand, 0, (gint32)G_N_ELEMENTS(pieces))]);
        if (g_rand_boolean(rand))
            bytes->str[g_rand_int_range(rand, 0, (gint32)bytes->len)] = (char)g_rand_int_range(rand, 0, 256);
        client_send(c, bytes->str, bytes->len);
        client_turn(c, 2);
        client_free(c);
        d.clock_us += SECOND_US;
    }
    GString *answer = door_ask(&d, "GET", "/healthz", "", NULL);
    assert_int_equal(answer_status(answer), 200);
    g_string_free(answer, TRUE);
    door_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_too_long),  cmocka_unit_test(bodies_too_long),
        cmocka_unit_test(chunks_too_long),   cmocka_unit_test(slow_requests),
        cmocka_unit_test(silent_connection), cmocka_unit_test(slow_second_request),
        cmocka_unit_test(too_many_busy),     cmocka_unit_test(too_many_idle),
        cmocka_unit_test(pipelined),         cmocka_unit_test(reads_nothing),
        cmocka_unit_test(large_answer),      cmocka_unit_test(large_answers_at_once),
        cmocka_unit_test(slow_takers),       cmocka_unit_test(closed_in_the_middle),
        cmocka_unit_test(random_bytes),
    };
    return cmocka_run_group_tests_name("watch.http_limits", tests, NULL, NULL);
}
