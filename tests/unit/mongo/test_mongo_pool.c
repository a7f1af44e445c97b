// SPDX-License-Identifier: Apache-2.0
/* The pools: deadlines, a mongos that goes away and comes back, log-in and TLS from the URI, many threads. */
#include "migrations/mongo/commands.h"
#include "migrations/mongo/guard.h"
#include "migrations/mongo/mongo_pool.h"
#include "tests/support/live_sandbox.h"
#include "tests/support/sandbox_cluster.h"
#include "tests/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static mongo_pool *pool_of(const char *uri, int64_t deadline_ms, unsigned clients)
{
    mongo_pool *pool = NULL;
    struct err err = {0};
    if (!mongo_pool_new(uri, deadline_ms, clients, &pool, &err))
        fail_msg("%s", err.msg);
    return pool;
}

/* One short read through the pool. */
static bool read_items(mongo_pool *pool, struct err *err)
{
    struct probe_collection coll;
    mongoc_client_t *client = mongo_pool_take(pool, false);
    bool done = probe_collection(client, "app.items", &coll, err);
    mongo_pool_give(pool, false, client);
    if (done) {
        assert_true(coll.there);
        probe_collection_clear(&coll);
    }
    return done;
}

static int32_t option(mongoc_client_t *client, const char *name)
{
    return mongoc_uri_get_option_as_int32(mongoc_client_get_uri(client), name, -1);
}

static void timeouts(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        int64_t deadline;
        int32_t moves, reads;
    } rows[] = {
        {"mongodb://localhost:1", 21600000, 21600000, 60000},
        {"mongodb://localhost:1/?socketTimeoutMS=7000", 5000, 5000, 7000},
        {"mongodb://localhost:1", INT64_MAX, INT32_MAX, 60000},
        {"mongodb://localhost:1", 0, 1, 60000},
        {"mongodb://localhost:1", -5, 1, 60000},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(mongo_pool) pool = pool_of(rows[i].uri, rows[i].deadline, 0);
        mongoc_client_t *moves = mongo_pool_take(pool, true), *reads = mongo_pool_take(pool, false);
        assert_int_equal(option(moves, MONGOC_URI_SOCKETTIMEOUTMS), rows[i].moves);
        assert_int_equal(option(reads, MONGOC_URI_SOCKETTIMEOUTMS), rows[i].reads);
        assert_string_equal(mongoc_uri_get_appname(mongoc_client_get_uri(moves)), "evenkeel");
        mongo_pool_give(pool, false, reads);
        mongo_pool_give(pool, true, moves);
    }
    mongo_pool_free(NULL);
}

static void bad_uris(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "http://h", "mongodb://scott:t1g@ger@h"};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        mongo_pool *pool = NULL;
        struct err err = {0};
        if (mongo_pool_new(rows[i], 1000, 2, &pool, &err))
            fail_msg("%s is accepted", rows[i]);
        assert_null(pool);
        assert_int_equal(err.cls, ERR_USAGE);
        if (strstr(err.msg, "t1ger") != NULL || strstr(err.msg, "scott") != NULL)
            fail_msg("shows credentials: %s", err.msg);
    }
}

/* A migration without an answer for longer than the deadline. */
static void deadline(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("5.0.31", NULL);
    g_autoptr(mongo_pool) pool = pool_of(live_sandbox_uri(s), 300, 1);
    live_sandbox_do(s, "{\"evenkeelSandboxFault\": \"stall\", \"ms\": 60000}");
    bson_t *min = sandbox_json("{\"x\": 0}"), *max = sandbox_json("{\"x\": 100}");
    const struct mongo_move m = {.ns = "app.items", .to = "c", .min = min, .max = max};
    for (int i = 0; i < 2; i++) { /* the second joins it, over a new connection */
        struct mongo_result r;
        mongoc_client_t *client = mongo_pool_take(pool, true);
        mongo_move_run(client, &m, &r);
        mongo_pool_give(pool, true, client);
        assert_false(r.ok);
        assert_int_equal(r.code, 0);
        assert_int_equal(r.class.verdict, VERDICT_SOON);
        assert_true(r.class.unknown);
        assert_non_null(strstr(r.message, "socket error or timeout"));
        mongo_result_clear(&r);
    }
    bson_destroy(min);
    bson_destroy(max);
    assert_true(read_items(pool, NULL)); /* reads have a timeout of their own */
}

/* It is there: the monitors look again every 500 ms, and the reads of some may meet old connections. */
static void await_items(mongo_pool *pool)
{
    struct err err = {0};
    for (int i = 0; i < 5; i++)
        if (read_items(pool, &err))
            return;
    fail_msg("%s", err.msg);
}

static void goes_and_returns(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("7.0.16", NULL);
    g_autofree char *uri = g_strconcat(live_sandbox_uri(s), "/?serverSelectionTimeoutMS=1500", NULL);
    g_autoptr(mongo_pool) pool = pool_of(uri, 60000, 2);
    for (int i = 0; i < 2; i++) {
        struct err err = {0};
        assert_true(read_items(pool, NULL));
        live_sandbox_kill(s);
        assert_false(read_items(pool, &err));
        assert_int_equal(err.cls, ERR_UNAVAILABLE);
        live_sandbox_restart(s);
        await_items(pool);
    }
    /* a restart that nobody noticed: the old connections are of no use */
    live_sandbox_restart(s);
    await_items(pool);
}

/* What is sent while nobody is there has not been sent. */
static void nobody_there(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("7.0.16", NULL);
    g_autofree char *uri = g_strconcat(live_sandbox_uri(s), "/?serverSelectionTimeoutMS=500", NULL);
    live_sandbox_kill(s);
    g_autoptr(mongo_pool) pool = pool_of(uri, 60000, 2);
    bson_t *min = sandbox_json("{\"x\": 0}");
    struct mongo_result r;
    mongoc_client_t *client = mongo_pool_take(pool, true);
    mongo_split_run(client, &(struct mongo_split){.ns = "app.items", .middle = min}, &r);
    mongo_pool_give(pool, true, client);
    assert_int_equal(r.class.verdict, VERDICT_SOON);
    assert_false(r.class.unknown);
    mongo_result_clear(&r);
    bson_destroy(min);
}

/* ---- log-in and TLS ---- */

static live_sandbox *guarded(temp_dir *dir, const char *tls)
{
    g_autofree char *password = temp_dir_write(dir, "password", "p@ss/w:rd", 9);
    const char *const args[] = {
        "--user", "scott", "--password-file", password, tls != NULL ? "--tls-certificate-key-file" : NULL,
        tls,      NULL};
    return live_sandbox_small("7.0.16", args);
}

static void log_in(void **state)
{
    (void)state;
    g_autoptr(temp_dir) dir = temp_dir_new();
    g_autoptr(live_sandbox) s = guarded(dir, NULL);
    static const struct {
        const char *who;
        enum err_class cls;
    } rows[] = {
        {"scott:p%40ss%2Fw%3Ard@", ERR_NONE},
        {"scott:wrong@", ERR_NO_PERMISSION},
        {"", ERR_NO_PERMISSION},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *uri = g_strdup_printf("mongodb://%s%s/?serverSelectionTimeoutMS=5000", rows[i].who,
                                               live_sandbox_uri(s) + strlen("mongodb://"));
        g_autoptr(mongo_pool) pool = pool_of(uri, 60000, 2);
        struct err err = {0};
        read_items(pool, &err);
        if (err.cls != rows[i].cls)
            fail_msg("%s: %d %s", rows[i].who, err.cls, err.msg);
        if (strstr(err.msg, "wrong") != NULL || strstr(err.msg, "scott") != NULL)
            fail_msg("shows credentials: %s", err.msg);
        /* a command that changes things */
        struct mongo_result r;
        bson_t *middle = sandbox_json("{\"x\": 7}");
        mongoc_client_t *client = mongo_pool_take(pool, true);
        mongo_split_run(client, &(struct mongo_split){.ns = "app.items", .middle = middle}, &r);
        mongo_pool_give(pool, true, client);
        assert_int_equal(r.class.verdict, rows[i].cls == ERR_NONE ? VERDICT_NONE : VERDICT_STOP);
        assert_false(r.class.unknown);
        mongo_result_clear(&r);
        bson_destroy(middle);
    }
}

static void over_tls(void **state)
{
    (void)state;
    g_autofree char *openssl = g_find_program_in_path("openssl");
    if (openssl == NULL)
        skip();
    g_autoptr(temp_dir) dir = temp_dir_new();
    g_autofree char *key = g_build_filename(dir->path, "key.pem", NULL);
    g_autofree char *cert = g_build_filename(dir->path, "cert.pem", NULL);
    const char *argv[] = {openssl,
                          "req",
                          "-x509",
                          "-newkey",
                          "ec",
                          "-pkeyopt",
                          "ec_paramgen_curve:prime256v1",
                          "-nodes",
                          "-days",
                          "2",
                          "-subj",
                          "/CN=localhost",
                          "-addext",
                          "subjectAltName=IP:127.0.0.1",
                          "-keyout",
                          key,
                          "-out",
                          cert,
                          NULL};
    g_autofree char *key_text = NULL, *cert_text = NULL;
    assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, NULL, NULL,
                             NULL, NULL));
    assert_true(g_file_get_contents(key, &key_text, NULL, NULL) &&
                g_file_get_contents(cert, &cert_text, NULL, NULL));
    g_autofree char *pem = g_strconcat(cert_text, key_text, NULL);
    g_autofree char *both = temp_dir_write(dir, "both.pem", pem, strlen(pem));
    g_autoptr(live_sandbox) s = guarded(dir, both);
    const char *address = live_sandbox_uri(s) + strlen("mongodb://");
    for (int trusted = 0; trusted < 2; trusted++) {
        g_autofree char *ca = trusted ? g_strconcat("&tlsCAFile=", cert, NULL) : g_strdup("");
        g_autofree char *uri =
            g_strdup_printf("mongodb://scott:p%%40ss%%2Fw%%3Ard@%s/?tls=true&serverSelectionTimeoutMS=%d%s",
                            address, trusted ? 5000 : 700, ca);
        g_autoptr(mongo_pool) pool = pool_of(uri, 60000, 2);
        struct err err = {0};
        read_items(pool, &err);
        if (err.cls != (trusted ? ERR_NONE : ERR_UNAVAILABLE))
            fail_msg("trusted %d: %s", trusted, err.msg);
    }
}

/* ---- many at once ---- */

enum { THREADS = 16, TURNS = 8, CLIENTS = 6 };

struct crew {
    mongo_pool *pool;
    guard *g;
    gint moved, refused, wrong;
};

struct hand {
    struct crew *crew;
    int number;
};

static bool split_at(struct crew *crew, int x)
{
    bool good = false, again = true;
    bson_t *middle = BCON_NEW("x", BCON_INT32(x));
    for (int i = 0; again && i < 50; i++) { /* 4.2 has a lock of the collection */
        struct mongo_result r;
        mongoc_client_t *client = mongo_pool_take(crew->pool, true);
        mongo_split_run(client, &(struct mongo_split){.ns = "app.items", .middle = middle}, &r);
        mongo_pool_give(crew->pool, true, client);
        good = r.ok;
        again = !r.ok && r.class.contention;
        mongo_result_clear(&r);
    }
    bson_destroy(middle);
    return good;
}

/* Asks the guard, and moves the chunk [200, max) or what it has become to whoever has it not. */
static void move_on(struct crew *crew, const char *from, const char *to)
{
    struct guard_found found;
    enum guard_answer answer;
    struct mongo_result r;
    bson_t *min = sandbox_json("{\"h\": {\"$minKey\": 1}}"),
           *max = sandbox_json("{\"h\": {\"$numberLong\": \"0\"}}");
    const struct guard_question q = {.ns = "app.hash", .min = min, .max = max, .from = from, .to = to};
    mongoc_client_t *reads = mongo_pool_take(crew->pool, false);
    bool asked = guard_ask(crew->g, reads, &q, &answer, &found, NULL);
    mongo_pool_give(crew->pool, false, reads);
    if (!asked) {
        g_atomic_int_inc(&crew->wrong);
    } else {
        if (answer == GUARD_GO) {
            mongoc_client_t *moves = mongo_pool_take(crew->pool, true);
            mongo_move_run(moves, &(struct mongo_move){.ns = q.ns, .to = to, .min = min, .max = max}, &r);
            mongo_pool_give(crew->pool, true, moves);
            g_atomic_int_inc(r.ok ? &crew->moved : &crew->refused);
            if (!r.ok && !r.class.contention && r.code != 96) /* 96: moved back too soon */
                g_atomic_int_inc(&crew->wrong);
            mongo_result_clear(&r);
        }
        guard_found_clear(&found);
    }
    bson_destroy(min);
    bson_destroy(max);
}

static gpointer work(gpointer data)
{
    const struct hand *h = data;
    for (int i = 0; i < TURNS; i++) {
        if (!read_items(h->crew->pool, NULL) || !split_at(h->crew, 1000 + h->number * TURNS + i))
            g_atomic_int_inc(&h->crew->wrong);
        if (i % 4 == 0)
            move_on(h->crew, h->number % 2 == 0 ? "b" : "a", h->number % 2 == 0 ? "a" : "b");
    }
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    static const char *const args[] = {"--speed", "20", "--orphan-delay", "0", NULL};
    static const char *const versions[] = {"4.2.25", "8.0.4"};
    for (size_t v = 0; v < G_N_ELEMENTS(versions); v++) {
        g_autoptr(live_sandbox) s = live_sandbox_small(versions[v], args);
        g_autoptr(mongo_pool) pool = pool_of(live_sandbox_uri(s), 60000, CLIENTS);
        g_autoptr(guard) g = guard_new(50, NULL, 0);
        struct crew crew = {pool, g, 0, 0, 0};
        struct hand hands[THREADS];
        GThread *threads[THREADS];
        for (int i = 0; i < THREADS; i++) {
            hands[i] = (struct hand){&crew, i};
            threads[i] = g_thread_new("hand", work, &hands[i]);
        }
        for (int i = 0; i < THREADS; i++)
            g_thread_join(threads[i]);
        assert_int_equal(crew.wrong, 0);
        assert_true(crew.moved > 0);
        unsigned there = 0;
        for (int x = 1000; x < 1000 + THREADS * TURNS; x++) {
            g_autofree char *min = g_strdup_printf("{\"x\": %d}", x);
            g_autofree char *owner = live_sandbox_owner(s, "app.items", min);
            there += owner != NULL ? 1 : 0;
        }
        assert_int_equal(there, THREADS * TURNS);
        print_message("%s: %u splits, %d moves, %d refused\n", versions[v], there, crew.moved, crew.refused);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeouts),         cmocka_unit_test(bad_uris),     cmocka_unit_test(deadline),
        cmocka_unit_test(goes_and_returns), cmocka_unit_test(nobody_there), cmocka_unit_test(log_in),
        cmocka_unit_test(over_tls),         cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests_name("mongo_pool", tests, NULL, NULL);
}
