// SPDX-License-Identifier: Apache-2.0
/* Hands on a simulated cluster over the wire: what they send, what they say, and what is settled after. In
 * several processes, all at once: they wait more than they work. */
#include "migrations/executor/mongo_hands.h"

#include "migrations/executor/executor.h"
#include "tests/support/fake_hands.h"
#include "tests/support/journal_fixture.h"
#include "tests/support/live_sandbox.h"
#include "tests/support/sandbox_cluster.h"
#include "tests/support/work_make.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { POINTS = 3, THREADS = 2, VERSIONS_HERE = 2, PARTS = 3 };
static const char *const versions[VERSIONS_HERE] = {"4.2.25", "7.0.16"};
static const char *version; /* of this process */
static size_t part;         /* of the table; PARTS: the other tests */

#define MIN_KEY (-1000000)
#define MAX_KEY 1000000
#define FAULT(kind, more) "{\"evenkeelSandboxFault\": \"" kind "\"" more "}"
#define ON(command) ", \"command\": \"" command "\""
#define ITEMS_EPOCH "5|1||5f0000000000000000000001"
#define OTHER_EPOCH "5|1||5f0000000000000000000009"

struct scene {
    live_sandbox *s;
    mongo_pool *pool;
    guard *guard;
    struct mongo_hands *own;
    struct hands hands;
    void *thread;
    bool move_range; /* 7.0 */
};

static void begin(struct scene *sc, const char *server)
{
    const struct guard_wish wish = {"b", "receive: false in the configuration"};
    struct mongo_hands_options opt = {.throttle_mode = NULL};
    struct err err = {0};
    sc->s = live_sandbox_small(server, NULL);
    g_autofree char *uri = g_strconcat(live_sandbox_uri(sc->s),
                                       "/?serverSelectionTimeoutMS=400&serverSelectionTryOnce=true", NULL);
    if (!mongo_pool_new(uri, 20000, THREADS, &sc->pool, &err))
        fail_msg("%s", err.msg);
    sc->guard = guard_new(0, &wish, 1);
    opt.move_range = sc->move_range = server[0] >= '6';
    sc->own = mongo_hands_new(sc->pool, sc->guard, &opt);
    sc->hands = mongo_hands_table(sc->own);
    sc->thread = sc->hands.enter(sc->hands.data);
}

static void end(struct scene *sc)
{
    mongo_hands_free(sc->own); /* a thread that is left behind still has it */
    sc->hands.leave(sc->hands.data, sc->thread);
    guard_free(sc->guard);
    mongo_pool_free(sc->pool);
    live_sandbox_free(sc->s);
}

/* --- one call --- */

static bson_t *bound(int x)
{
    bson_t *b = bson_new();
    if (x == MIN_KEY)
        BSON_APPEND_MINKEY(b, "x");
    else if (x == MAX_KEY)
        BSON_APPEND_MAXKEY(b, "x");
    else
        BSON_APPEND_INT32(b, "x", x);
    return b;
}

struct ask {
    enum hands_kind kind;
    const char *ns, *from, *to;
    int min, max;
    int at[POINTS]; /* 0: no more */
    const char *version, *reason;
    bool force, open_min, open_max;
};

static void act(struct scene *sc, const struct ask *a, enum hands_kind kind, struct hands_result *ret)
{
    bson_t *min = bound(a->min), *max = bound(a->max);
    g_autoptr(GPtrArray) at = g_ptr_array_new_with_free_func((GDestroyNotify)bson_destroy);
    for (int i = 0; i < POINTS && a->at[i] != 0; i++)
        g_ptr_array_add(at, bound(a->at[i]));
    const struct hands_job job = {
        .kind = kind,
        .ns = a->ns == NULL ? "app.items" : a->ns,
        .from = a->from,
        .to = a->to,
        .min = min,
        .max = max,
        .at = at,
        .version = a->version,
        .reason = a->reason,
        .force_jumbo = a->force,
        .open_min = a->open_min,
        .open_max = a->open_max,
        .sent_at = 1,
    };
    sc->hands.act(sc->hands.data, sc->thread, &job, ret);
    bson_destroy(min);
    bson_destroy(max);
}

struct row {
    const char *name;
    const char *before; /* a command of set-up; NULL: none */
    struct ask ask;
    enum hands_outcome want, settled; /* HANDS_COMMITTED is also what settlements are not asked for after */
    int code;                         /* of the result; -1: any but 0 */
    bool settles;
    const char *says; /* a part of the message; NULL: there may be none */
    const char *only; /* a version begins so */
};

#define MOVE HANDS_MOVE, NULL
#define SPLIT HANDS_SPLIT, NULL
#define MEDIAN HANDS_SPLIT_MEDIAN, NULL

static const struct row rows[] = {
    {"moved", NULL, {MOVE, "a", "c", 0, 100, {0}, ITEMS_EPOCH}, HANDS_COMMITTED},
    {"moved before", ITEMS(0, 100, "c") "}", {MOVE, "a", "c", 0, 100}, HANDS_ALREADY, .says = "already"},
    {"somebody else's", NULL, {MOVE, "b", "c", 0, 100}, HANDS_CHANGED, .says = "a owns"},
    {"another incarnation",
     NULL,
     {MOVE, "a", "c", 0, 100, {0}, OTHER_EPOCH},
     HANDS_CHANGED,
     .says = "app.items"},
    {"another collection",
     NULL,
     {HANDS_MOVE, "app.none", "a", "c", 0, 100},
     HANDS_CHANGED,
     .says = "app.none"},
    {"to nobody", NULL, {MOVE, "a", "zz", 0, 100}, HANDS_NOT_ALLOWED, .says = "not a shard"},
    {"to one that must not receive",
     NULL,
     {MOVE, "a", "b", 0, 100},
     HANDS_NOT_ALLOWED,
     .says = "receive: false"},
    {"refused by the donor of 4.2",
     FAULT("errorCode", ON("moveChunk") ", \"code\": 117"),
     {MOVE, "a", "c", 0, 100},
     HANDS_FAILED,
     .code = 117,
     .only = "4"},
    {"refused by the donor",
     FAULT("errorCode", ON("moveRange") ", \"code\": 117"),
     {MOVE, "a", "c", 0, 100},
     HANDS_FAILED,
     .code = 117,
     .only = "7"},
    {"the reply is lost, carried out",
     FAULT("replyLostAfter", ""),
     {MOVE, "a", "c", 0, 100, {0}, ITEMS_EPOCH},
     HANDS_UNKNOWN,
     HANDS_COMMITTED,
     .settles = true},
    {"the reply is lost, not carried out",
     FAULT("replyLostBefore", ""),
     {MOVE, "a", "c", 0, 100},
     HANDS_UNKNOWN,
     HANDS_NOT,
     .settles = true,
     .says = ""},
    {"too big", NULL, {MOVE, "b", "c", 200, MAX_KEY}, HANDS_FAILED, .code = -1},
    {"too big, forced", NULL, {MOVE, "b", "c", 200, MAX_KEY, .force = true}, HANDS_COMMITTED, .only = "7"},
    {"a part of a chunk, 4.2",
     NULL,
     {MOVE, "a", "c", 0, 50},
     HANDS_CHANGED,
     .says = "whole chunks only",
     .only = "4"},
    {"a part of a chunk", NULL, {MOVE, "a", "c", 20, 50}, HANDS_COMMITTED, .only = "7"},
    {"not permitted to look",
     "{\"configureFailPoint\": \"failCommand\", \"mode\": \"alwaysOn\", \"data\": {\"errorCode\": 13, "
     "\"failCommands\": [\"find\", \"aggregate\"]}}",
     {MOVE, "a", "c", 0, 100},
     HANDS_FAILED,
     .code = 13},
    {"its end is the donor's choice", NULL, {MOVE, "a", "c", 0, 100, .open_max = true}, HANDS_COMMITTED},
    {"its end is the donor's choice, and the reply is lost",
     FAULT("replyLostAfter", ""),
     {MOVE, "a", "c", 0, 100, .open_max = true},
     HANDS_UNKNOWN,
     HANDS_COMMITTED,
     .settles = true},
    {"its begin is the donor's first chunk",
     NULL,
     {MOVE, "a", "c", 0, 200, .open_min = true, .open_max = true},
     HANDS_COMMITTED},

    {"split", NULL, {SPLIT, "a", NULL, 0, 100, {50}}, HANDS_COMMITTED},
    {"split at many points", NULL, {SPLIT, "a", NULL, 0, 100, {30, 60, 90}}, HANDS_COMMITTED},
    {"split before",
     "{\"split\": \"app.items\", \"middle\": {\"x\": 50}}",
     {SPLIT, "a", NULL, 0, 100, {50}},
     HANDS_ALREADY},
    {"split half before",
     "{\"split\": \"app.items\", \"middle\": {\"x\": 30}}",
     {SPLIT, "a", NULL, 0, 100, {30, 60}},
     HANDS_COMMITTED},
    {"split twice at one point", NULL, {SPLIT, "a", NULL, 0, 100, {50, 50}}, HANDS_COMMITTED},
    {"split refused",
     FAULT("errorCode", ON("split") ", \"code\": 46"),
     {SPLIT, "a", NULL, 0, 100, {50}},
     HANDS_FAILED,
     .code = 46},
    {"split of somebody else's", NULL, {SPLIT, "b", NULL, 0, 100, {50}}, HANDS_CHANGED},
    {"the split's reply is lost, carried out: a look tells",
     FAULT("replyLostAfter", ON("split")),
     {SPLIT, "a", NULL, 0, 100, {50}},
     HANDS_COMMITTED,
     HANDS_COMMITTED,
     .settles = true},
    {"the split's reply is lost, not carried out",
     FAULT("replyLostBefore", ON("split")),
     {SPLIT, "a", NULL, 0, 100, {50}},
     HANDS_UNKNOWN,
     HANDS_NOT,
     .settles = true},

    {"median", NULL, {MEDIAN, "a", NULL, 0, 100}, HANDS_COMMITTED, HANDS_COMMITTED, .settles = true},
    {"median of somebody else's", NULL, {MEDIAN, "b", NULL, 0, 100}, HANDS_CHANGED},
    {"median, the reply is lost, carried out",
     FAULT("replyLostAfter", ON("split")),
     {MEDIAN, "a", NULL, 0, 100},
     HANDS_UNKNOWN,
     HANDS_COMMITTED,
     .settles = true},
    {"median, the reply is lost, not carried out",
     FAULT("replyLostBefore", ON("split")),
     {MEDIAN, "a", NULL, 0, 100},
     HANDS_UNKNOWN,
     HANDS_NOT,
     .settles = true,
     .says = ""},
};

static void settle_row(struct scene *sc, const struct row *row)
{
    struct hands_result r = {0};
    live_sandbox_do(sc->s, FAULT("clear", ""));
    act(sc, &row->ask, HANDS_SETTLE, &r);
    if (r.outcome != row->settled || r.sent)
        fail_msg("%s: settled: %s, not %s: %s", row->name, fake_hands_outcome(r.outcome),
                 fake_hands_outcome(row->settled), r.message);
    if (row->ask.open_max && r.outcome == HANDS_COMMITTED && row->ask.to != NULL)
        assert_non_null(r.max);
    hands_result_clear(&r);
}

/* A command left where the cluster was heard of it, and only then. */
static bool was_sent(const struct hands_result *r)
{
    return r->outcome == HANDS_COMMITTED || r->outcome == HANDS_UNKNOWN ||
           (r->outcome == HANDS_FAILED && r->code != 13);
}

static void run_row(struct scene *sc, const struct row *row)
{
    struct hands_result r = {0};
    if (row->before != NULL)
        live_sandbox_do(sc->s, row->before);
    act(sc, &row->ask, row->ask.kind, &r);
    if (r.outcome != row->want || (row->code == -1 ? r.code == 0 : r.code != row->code && row->code != 0))
        fail_msg("%s: %s, code %d, not %s: %s", row->name, fake_hands_outcome(r.outcome), r.code,
                 fake_hands_outcome(row->want), r.message);
    if (r.sent != was_sent(&r))
        fail_msg("%s: sent: %d", row->name, r.sent);
    if (row->says != NULL && (r.message == NULL || strstr(r.message, row->says) == NULL))
        fail_msg("%s: %s", row->name, r.message);
    if (r.outcome == HANDS_FAILED)
        assert_int_not_equal(r.class.verdict, VERDICT_NONE);
    if (r.outcome == HANDS_COMMITTED && row->ask.kind == HANDS_MOVE) {
        g_autofree char *min = g_strdup_printf("{\"x\": %d}", row->ask.min);
        g_autofree char *owner = live_sandbox_owner(sc->s, "app.items", min);
        assert_string_equal(owner, row->ask.to);
        assert_int_equal(r.min != NULL, row->ask.open_min);
        assert_int_equal(r.max != NULL, row->ask.open_max && sc->move_range);
    }
    if (r.sent && row->ask.kind == HANDS_SPLIT_MEDIAN)
        assert_true(r.min != NULL && r.max != NULL);
    hands_result_clear(&r);
    if (row->settles)
        settle_row(sc, row);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = part; i < G_N_ELEMENTS(rows); i += PARTS) {
        struct scene sc;
        if (rows[i].only != NULL && !g_str_has_prefix(version, rows[i].only))
            continue;
        print_message("%s: %s\n", version, rows[i].name);
        begin(&sc, version);
        run_row(&sc, &rows[i]);
        end(&sc);
    }
}

static void expect(struct scene *sc, const struct ask *a, enum hands_kind kind, enum hands_outcome want)
{
    struct hands_result r = {0};
    act(sc, a, kind, &r);
    if (r.outcome != want)
        fail_msg("kind %d: %s, not %s: %s", kind, fake_hands_outcome(r.outcome), fake_hands_outcome(want),
                 r.message);
    assert_false(r.sent);
    hands_result_clear(&r);
}

static void test_settled_as_void(void **state)
{
    struct scene sc;
    (void)state;
    begin(&sc, versions[1]);
    const struct ask move = {MOVE, "b", "c", 0, 100},
                     split = {HANDS_SPLIT, "app.none", "a", NULL, 0, 100, {50}},
                     median = {HANDS_SPLIT_MEDIAN, "app.none", "a", NULL, 0, 100};
    expect(&sc, &move, HANDS_SETTLE, HANDS_VOID);
    expect(&sc, &median, HANDS_SETTLE, HANDS_VOID);
    expect(&sc, &split, HANDS_SETTLE, HANDS_VOID);
    end(&sc);
}

/* The cluster goes away: nothing was sent, nothing is settled. */
static void test_unreachable(void **state)
{
    struct scene sc;
    (void)state;
    begin(&sc, versions[1]);
    const struct ask move = {MOVE, "a", "c", 0, 100}, split = {SPLIT, "a", NULL, 0, 100, {50}},
                     median = {MEDIAN, "a", NULL, 0, 100};
    live_sandbox_kill(sc.s);
    const struct ask *const asks[] = {&move, &split, &median};
    for (size_t i = 0; i < G_N_ELEMENTS(asks); i++) {
        expect(&sc, asks[i], asks[i]->kind, HANDS_UNREACHABLE);
        expect(&sc, asks[i], HANDS_SETTLE, HANDS_UNREACHABLE);
    }
    live_sandbox_restart(sc.s);
    end(&sc);
}

/* The look went well, and then no server is found for the command: nothing left. The driver may have found
 * one again by then. */
static void test_unsent(void **state)
{
    struct scene sc;
    struct hands_result r = {0};
    (void)state;
    begin(&sc, versions[1]);
    const struct ask lost = {MOVE, "a", "c", 0, 100}, next = {MOVE, "a", "c", 100, 200};
    live_sandbox_do(sc.s, FAULT("replyLostAfter", ON("moveRange")));
    act(&sc, &lost, HANDS_MOVE, &r);
    assert_int_equal(r.outcome, HANDS_UNKNOWN);
    hands_result_clear(&r);
    act(&sc, &next, HANDS_MOVE, &r);
    if (r.outcome != (r.sent ? HANDS_COMMITTED : HANDS_UNREACHABLE))
        fail_msg("sent %d: %s: %s", r.sent, fake_hands_outcome(r.outcome), r.message);
    hands_result_clear(&r);
    end(&sc);
}

/* --- with an executor --- */

static void forget_version(work *w)
{
    for (guint i = 0; i < w->steps->len; i++)
        g_clear_pointer(&((struct work_step *)w->steps->pdata[i])->version, g_free);
}

static void run_executor(executor *x)
{
    struct err err = {0};
    while (!executor_finished(x)) {
        struct pollfd fd = {.fd = executor_fd(x), .events = POLLIN};
        if (!executor_turn(x, &err))
            fail_msg("%s", err.msg);
        if (!executor_finished(x))
            assert_true(poll(&fd, 1, (int)MIN(executor_wait_ms(x), 60000)) >= 0);
    }
}

/* Splits, moves, a lost reply and a busy lock, to the end. */
static void test_executor(void **state)
{
    struct scene sc;
    struct executor_options opt = executor_options_default();
    struct executor_status s;
    struct err err = {0};
    executor *x;
    (void)state;
    begin(&sc, versions[1]);
    live_sandbox_do(sc.s, FAULT("errorCode", ON("moveRange") ", \"code\": 46"));
    live_sandbox_do(sc.s, FAULT("replyLostAfter", ON("split")));
    g_autoptr(temp_dir) dir = temp_dir_new();
    g_autofree char *path = g_build_filename(dir->path, "journal.db", NULL);
    g_autoptr(journal) j = test_journal(path, JOURNAL_WRITE);
    g_autoptr(work) w = work_make();
    work_make_split(w, "app.items", 0, 100, "a", 50);
    work_make_move(w, "app.items", 0, 50, "a", "c", 1);
    work_make_move(w, "app.items", 50, 100, "a", "c", 1);
    forget_version(w);
    opt.n_shards = 3;
    opt.backoff_ms = 1;
    assert_true(executor_new(&opt, &sc.hands, j, test_round(j, NULL, TEST_T0), NULL, NULL, &x, &err));
    executor_add(x, w, NULL, NULL);
    run_executor(x);
    executor_status(x, &s);
    assert_int_equal(s.committed, 2);
    assert_int_equal(s.splits, 1);
    assert_int_equal(s.failed + s.dropped + s.already, 0);
    executor_free(x);
    for (int at = 0; at < 100; at += 50) {
        g_autofree char *min = g_strdup_printf("{\"x\": %d}", at);
        g_autofree char *owner = live_sandbox_owner(sc.s, "app.items", min);
        assert_string_equal(owner, "c");
    }
    g_autofree char *attempts = test_query(path, "SELECT count(*) FROM attempts");
    assert_string_equal(attempts, "4");
    end(&sc);
}

static int run_part(void)
{
    const struct CMUnitTest table[] = {cmocka_unit_test(test_table)};
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_settled_as_void),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_unsent),
        cmocka_unit_test(test_executor),
    };
    return part < PARTS ? cmocka_run_group_tests_name(version, table, NULL, NULL)
                        : cmocka_run_group_tests_name("others", others, NULL, NULL);
}

int main(void)
{
    pid_t children[PARTS * VERSIONS_HERE + 1];
    int failed = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(children); i++) {
        version = versions[i % VERSIONS_HERE];
        part = i / VERSIONS_HERE;
        children[i] = fork();
        if (children[i] == 0)
            exit(run_part() != 0);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(children); i++) {
        int status = 0;
        if (waitpid(children[i], &status, 0) != children[i] || status != 0)
            failed++;
    }
    return failed;
}
