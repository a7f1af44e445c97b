// SPDX-License-Identifier: Apache-2.0
/* Random work carried out with random answers, held, stopped, left and taken up again at random. What may
 * never happen is looked for at every event; at the end the journal is compared with what the hands did. */
#include "migrations/journal/history.h"
#include "tests/support/executor_rig.h"
#include "tests/support/work_make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 60, STEPS_MAX = 80, COLLECTIONS = 3 };

/* What the hands did under one name: "db.c0 40", "/db.c0 40" of the split of a chunk that is too big. */
struct did {
    unsigned sent, committed; /* commands; and those, or settlements, that said so */
    unsigned row_attempts, rows_committed;
    bool truth;    /* what the last command did in the cluster */
    bool unknown;  /* nobody has been told that yet */
    uint32_t next; /* what is said under this name, whatever other threads are told meanwhile */
    char *from, *to;
};

struct seen {
    const struct work_step *w;
    unsigned open; /* rows */
    bool ended, done;
};

struct sim {
    uint32_t seed;
    GRand *rand; /* the test's own thread */
    struct rig r;
    struct executor_options opt;
    work *work;
    struct seen steps[STEPS_MAX];
    GHashTable *did;   /* name -> struct did, under the hands' lock while they run */
    GPtrArray *stuck;  /* char *: questions that wait for a word of ours; likewise */
    const char *fault; /* of the hands' threads */
    unsigned left, retried, lost;
    bool returned; /* another executor took it up */
};

#define CHECK(sim, is, ...)                                                                                  \
    do {                                                                                                     \
        if (!(is)) {                                                                                         \
            print_error("seed %u: ", (sim)->seed);                                                           \
            fail_msg(__VA_ARGS__);                                                                           \
        }                                                                                                    \
    } while (0)

/* --- work --- */

static const char *shard_name(int n)
{
    return g_intern_string(((char[]){'s', (char)('a' + n), 0}));
}

static void random_work(struct sim *sim)
{
    const int n = g_rand_int_range(sim->rand, 1, STEPS_MAX), width = g_rand_int_range(sim->rand, 2, 60),
              shards = g_rand_int_range(sim->rand, 2, 12);
    sim->opt.n_shards = (unsigned)shards;
    sim->work = work_make();
    for (int i = 0; i < n; i++) {
        const int from = g_rand_int_range(sim->rand, 0, shards),
                  to = (from + g_rand_int_range(sim->rand, 1, shards)) % shards,
                  min = g_rand_int_range(sim->rand, 0, width) * 10,
                  max = min + g_rand_int_range(sim->rand, 2, 20);
        char ns[8];
        g_snprintf(ns, sizeof(ns), "db.c%d", g_rand_int_range(sim->rand, 0, COLLECTIONS));
        sim->steps[i].w = g_rand_int_range(sim->rand, 0, 5) == 0
                              ? work_make_split(sim->work, ns, min, max, shard_name(from), min + 1)
                              : work_make_move(sim->work, ns, min, max, shard_name(from), shard_name(to),
                                               g_rand_int_range(sim->rand, -1, 100));
    }
}

static bool overlap(const struct work_step *a, const struct work_step *b)
{
    return strcmp(a->coll->ns, b->coll->ns) == 0 && g_bytes_compare(a->enc_min, b->enc_max) < 0 &&
           g_bytes_compare(b->enc_min, a->enc_max) < 0;
}

/* --- what the hands say --- */

static char *name_of(bool median, const char *ns, const bson_t *min)
{
    bson_iter_t it;
    if (!bson_iter_init_find(&it, min, "x"))
        g_error("a bound without x");
    return g_strdup_printf("%s%s %d", median ? "/" : "", ns, (int)bson_iter_as_int64(&it));
}

static struct did *did_of(struct sim *sim, const char *name)
{
    struct did *d = g_hash_table_lookup(sim->did, name);
    if (d == NULL) {
        d = g_new0(struct did, 1);
        d->next = g_str_hash(name) ^ (sim->seed * 2654435761U);
        g_hash_table_insert(sim->did, g_strdup(name), d);
    }
    return d;
}

/* Below `n`. */
static int draw(struct did *d, int n)
{
    d->next = d->next * 1664525U + 1013904223U;
    return (int)((d->next >> 8) % (uint32_t)n);
}

static void free_did(gpointer data)
{
    struct did *d = data;
    g_free(d->from);
    g_free(d->to);
    g_free(d);
}

/* Whoever is being settled keeps its shards. */
static void check_unknown(struct sim *sim, const struct hands_job *job)
{
    GHashTableIter it;
    gpointer value;
    g_hash_table_iter_init(&it, sim->did);
    while (g_hash_table_iter_next(&it, NULL, &value)) {
        const struct did *d = value;
        if (d->unknown &&
            (strcmp(d->from, job->from) == 0 || g_strcmp0(d->to, job->from) == 0 ||
             (job->to != NULL && (strcmp(d->from, job->to) == 0 || g_strcmp0(d->to, job->to) == 0))))
            sim->fault = "a shard whose migration is not settled takes part in another";
    }
}

static const char *any_answer(struct did *d, enum hands_kind kind)
{
    static const struct {
        int weight;
        const char *answer;
    } moves[] = {{120, "ok"}, {12, "lost"},   {12, "24"},     {10, "117"},       {8, "13388"},
                 {6, "153"},  {6, "already"}, {6, "changed"}, {4, "notAllowed"}, {8, "unreachable"},
                 {4, "72"},   {2, "118"},     {2, "70"},      {2, "67"},         {4, "125"},
                 {3, "6"},    {2, "void"},    {1, "13"}};
    const int all = kind == HANDS_SPLIT_MEDIAN ? 132 : 212;
    int at = draw(d, all);
    for (size_t i = 0; i < G_N_ELEMENTS(moves); i++)
        if ((at -= moves[i].weight) < 0)
            return moves[i].answer;
    return "ok";
}

/* What the answer to a command makes of the world. */
static void happen(struct sim *sim, struct did *d, const struct hands_job *job, const char *answer)
{
    const int code = atoi(answer);
    const bool lost =
        strcmp(answer, "lost") == 0 ||
        (code > 0 && error_class_of(code, job->to == NULL ? ERROR_OF_SPLIT : ERROR_OF_MOVE, NULL)->unknown);
    const bool ok = strcmp(answer, "ok") == 0;
    d->sent += lost || ok || code > 0 ? 1 : 0;
    d->committed += ok ? 1 : 0;
    d->truth = ok || (lost && draw(d, 2) == 0);
    d->unknown = lost;
    sim->lost += lost ? 1 : 0;
    g_free(d->from);
    g_free(d->to);
    d->from = g_strdup(job->from);
    d->to = g_strdup(job->to);
}

static const char *settle(struct did *d)
{
    switch (draw(d, 8)) {
    case 0:
        return "inFlight";
    case 1:
        return "unreachable";
    default:
        d->unknown = false;
        d->committed += d->truth ? 1 : 0;
        return d->truth ? "committed" : "notCarriedOut";
    }
}

static const char *decide(void *data, const struct hands_job *job)
{
    struct sim *sim = data;
    const bool median = job->kind == HANDS_SPLIT_MEDIAN || (job->kind == HANDS_SETTLE && job->to == NULL &&
                                                            (job->at == NULL || job->at->len == 0));
    g_autofree char *name = name_of(median, job->ns, job->min);
    struct did *d = did_of(sim, name);
    if (job->kind == HANDS_SETTLE)
        return settle(d);
    check_unknown(sim, job);
    if (draw(d, 8) == 0) {
        g_ptr_array_add(sim->stuck, g_steal_pointer(&name));
        happen(sim, d, job, ""); /* till we say more */
        return NULL;
    }
    const char *answer = any_answer(d, job->kind);
    happen(sim, d, job, answer);
    return answer;
}

/* Lets those go on that wait for us; the hands are still then. */
static void unstick(struct sim *sim)
{
    for (guint i = 0; i < sim->stuck->len; i++) {
        const char *name = sim->stuck->pdata[i];
        struct did *d = did_of(sim, name);
        const bool ok = g_rand_boolean(sim->rand);
        d->sent++;
        d->committed += ok ? 1 : 0;
        d->truth = ok;
        fake_hands_say(sim->r.hands, name, ok ? "ok" : "24");
    }
    g_ptr_array_set_size(sim->stuck, 0);
}

/* --- what is told --- */

static void check_start(const struct sim *sim, const struct seen *st)
{
    for (const struct seen *o = sim->steps; o < st; o++) {
        if (!overlap(o->w, st->w))
            continue;
        CHECK(sim, o->ended, "step %u starts before %u has ended", st->w->id, o->w->id);
        CHECK(sim, o->done, "step %u starts, and rests on %u, which was not done", st->w->id, o->w->id);
    }
}

static void watch(void *data, const struct executor_event *e)
{
    struct sim *sim = data;
    if (e->step == NULL)
        return;
    struct seen *st = &sim->steps[e->step->id - 1];
    const unsigned id = e->step->id;
    CHECK(sim, !st->ended || e->kind == EXECUTOR_RETRY, "step %u goes on after its end: %s", id, e->code);
    switch (e->kind) {
    case EXECUTOR_STARTED:
        check_start(sim, st);
        st->open++;
        break;
    case EXECUTOR_ENDED:
        CHECK(sim, st->open > 0, "step %u ends, and has no row", id);
        st->ended = --st->open == 0;
        st->done = strcmp(e->code, "committed") == 0 || strcmp(e->code, "already") == 0;
        break;
    case EXECUTOR_DROPPED:
        CHECK(sim, st->open == 0, "step %u is dropped, and has a row", id);
        st->ended = true;
        st->done = strcmp(e->code, "already") == 0;
        break;
    case EXECUTOR_RETRY:
        CHECK(sim, !st->ended || strcmp(e->code, "notCarriedOut") == 0, "step %u: %s", id, e->code);
        st->ended = false;
        sim->retried++;
        break;
    default:
        CHECK(sim, st->open > 0, "step %u is unknown, and has no row", id);
        break;
    }
}

/* --- the run --- */

static void begin(struct sim *sim, uint32_t seed)
{
    *sim = (struct sim){.seed = seed, .rand = g_rand_new_with_seed(seed)};
    sim->did = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_did);
    sim->stuck = g_ptr_array_new_with_free_func(g_free);
    sim->opt = rig_options();
    random_work(sim);
    sim->opt.seed = seed;
    sim->opt.jumbo = (enum executor_jumbo)g_rand_int_range(sim->rand, 0, 3);
    sim->opt.max_concurrent = (unsigned)g_rand_int_range(sim->rand, 0, 6);
    rig_init(&sim->r);
    fake_hands_decide(sim->r.hands, decide, sim);
    sim->r.watch = watch;
    sim->r.watch_data = sim;
    rig_put_plan(&sim->r, sim->work);
    rig_start(&sim->r, &sim->opt);
    executor_add(sim->r.x, sim->work, NULL, sim->work->plan_id);
}

/* Leaves what is under way, lets it end unseen, and takes it all up anew from the journal. */
static void leave_and_return(struct sim *sim)
{
    struct rig *r = &sim->r;
    const size_t n = sim->work->steps->len;
    g_autofree bool *done = g_new0(bool, n + 1);
    struct err err = {0};
    GPtrArray *rows;
    CHECK(sim, executor_leave(r->x, &err), "%s", err.msg);
    CHECK(sim, executor_inside(r->x) == sim->stuck->len, "%u inside, not %u", executor_inside(r->x),
          sim->stuck->len);
    for (guint i = 0; i < sim->stuck->len; i++) {
        struct did *d = did_of(sim, sim->stuck->pdata[i]);
        d->unknown = true;
        d->truth = g_rand_boolean(sim->rand); /* nobody was told */
        fake_hands_say(r->hands, sim->stuck->pdata[i], d->truth ? "ok" : "24");
    }
    g_ptr_array_set_size(sim->stuck, 0);
    g_clear_pointer(&r->x, executor_free);
    fake_hands_end(r->hands);
    fake_hands_otherwise(r->hands, NULL);
    CHECK(sim, journal_open_rows(r->j, &rows, &err), "%s", err.msg);
    CHECK(sim, journal_plan_done(r->j, sim->work->plan_id, done, n, &err), "%s", err.msg);
    sim->left += rows->len;
    for (size_t i = 0; i < n; i++)
        sim->steps[i] = (struct seen){sim->steps[i].w, 0, done[i + 1], done[i + 1]};
    sim->returned = true;
    rig_start(r, &sim->opt);
    executor_add(r->x, sim->work, done, sim->work->plan_id);
    executor_inherit(r->x, rows);
}

static void disturb(struct sim *sim)
{
    const int what = g_rand_int_range(sim->rand, 0, 40);
    if (what == 0)
        leave_and_return(sim);
    else if (what == 1 && sim->seed % 3 == 0)
        executor_stop(sim->r.x, "cancelled");
    else if (what < 8)
        executor_hold(sim->r.x, "paused");
    else
        executor_hold(sim->r.x, NULL);
}

static void run(struct sim *sim)
{
    for (unsigned i = 0; !executor_finished(sim->r.x); i++) {
        CHECK(sim, i < 10000, "it does not end: %s", sim->r.events->str);
        disturb(sim);
        if (g_rand_boolean(sim->rand))
            unstick(sim);
        rig_run(&sim->r, g_rand_int_range(sim->rand, 0, 3000));
    }
}

/* --- the end --- */

static bool take_row(void *data, const struct history_row *row, struct err *err)
{
    struct sim *sim = data;
    (void)err;
    g_autofree char *name = name_of(row->kind == JOURNAL_SPLIT && row->step == 0, row->ns, row->min);
    struct did *d = did_of(sim, name);
    CHECK(sim, migration_state_final(row->state), "%s stays %s", name, migration_state_text(row->state));
    d->row_attempts += row->attempts;
    d->rows_committed += row->state == MIGRATION_COMMITTED ? 1 : 0;
    return true;
}

static void check_journal(struct sim *sim)
{
    const struct history_filter all = {0};
    struct err err = {0};
    GHashTableIter it;
    gpointer name, value;
    CHECK(sim, history_rows(sim->r.j, &all, take_row, sim, &err), "%s", err.msg);
    g_hash_table_iter_init(&it, sim->did);
    while (g_hash_table_iter_next(&it, &name, &value)) {
        const struct did *d = value;
        CHECK(sim, d->sent == d->row_attempts, "%s: %u sent, %u in the journal", (char *)name, d->sent,
              d->row_attempts);
        CHECK(sim, d->committed == d->rows_committed, "%s: %u committed, %u in the journal", (char *)name,
              d->committed, d->rows_committed);
        CHECK(sim, !d->unknown, "%s was never settled", (char *)name);
    }
}

/* Of the last executor, the one that had to end it. */
static void check_totals(struct sim *sim)
{
    struct executor_status s;
    unsigned done = 0;
    executor_status(sim->r.x, &s);
    for (guint i = 0; i < sim->work->steps->len; i++) {
        const struct seen *st = &sim->steps[i];
        CHECK(sim, st->ended && st->open == 0, "step %u has not ended", i + 1);
        done += st->done ? 1 : 0;
    }
    CHECK(sim, s.under_way + s.settling + s.waiting == 0 && s.bytes_left == 0, "something is left");
    CHECK(sim, s.remaining_seconds == 0 && s.holds == NULL, "something is still to be done");
    CHECK(sim, executor_wait_ms(sim->r.x) == -1, "it waits for something");
    CHECK(sim, sim->returned || s.committed + s.already + s.splits >= done, "%u done, %u counted", done,
          s.committed + s.already + s.splits);
    CHECK(sim,
          sim->returned || s.committed + s.already + s.failed + s.dropped + s.splits >= sim->work->steps->len,
          "not all are counted");
}

static void end(struct sim *sim)
{
    CHECK(sim, sim->fault == NULL, "%s", sim->fault);
    g_autofree char *fault = fake_hands_fault(sim->r.hands);
    CHECK(sim, fault == NULL, "%s", fault);
    check_journal(sim);
    check_totals(sim);
    rig_clear(&sim->r);
    work_free(sim->work);
    g_hash_table_unref(sim->did);
    g_ptr_array_unref(sim->stuck);
    g_rand_free(sim->rand);
}

static void test_rules(void **state)
{
    unsigned left = 0, retried = 0, lost = 0;
    (void)state;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        struct sim sim;
        begin(&sim, seed);
        run(&sim);
        left += sim.left;
        retried += sim.retried;
        lost += sim.lost;
        end(&sim);
    }
    print_message("%u retries, %u lost, %u left\n", retried, lost, left);
    assert_true(left > SEEDS / 8 && retried > SEEDS && lost > SEEDS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
