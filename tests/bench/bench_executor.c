// SPDX-License-Identifier: Apache-2.0
/* bench_executor - what the executor adds to the migrations it carries out: time against what no order can
 * beat, and its own CPU, the journal on the disk included.
 * bench_executor [--quick] [MIGRATIONS [SHARDS [MS [FOLDER]]]]
 * Hands sleep MS on the workers. Journals are made in FOLDER (default: a temporary one), one a run, and the
 * fastest of five runs counts: whatever else the machine does only adds. Exits with 1 where a target is
 * missed; with --quick there is one run, and nothing is asked of the times.
 */
#include "migrations/executor/executor.h"
#include "tests/support/journal_fixture.h"
#include "tests/support/measure.h"
#include "tests/support/work_make.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { COLLECTIONS = 10, RANGE = 10, COMMITS = 101, RUNS = 5 };
#define RATIO_MAX 1.3
#define CPU_MS_MAX 1.0

struct setting {
    bool quick;
    unsigned migrations, shards, ms;
    const char *folder;
};

/* --- hands --- */

struct sleeper {
    unsigned ms;
    atomic_llong cpu_ns; /* of all calls */
};

static int64_t thread_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void act(void *data, void *thread, const struct hands_job *job, struct hands_result *ret)
{
    struct sleeper *s = data;
    const int64_t begin = thread_cpu_ns();
    const struct timespec t = {.tv_sec = s->ms / 1000, .tv_nsec = (long)(s->ms % 1000) * 1000000};
    (void)thread;
    (void)job;
    nanosleep(&t, NULL);
    *ret = (struct hands_result){.outcome = HANDS_COMMITTED, .sent = true, .code_name = ""};
    atomic_fetch_add(&s->cpu_ns, thread_cpu_ns() - begin);
}

/* --- work --- */

/* Any shard to any other, ranges that do not touch: nothing but the shards is in the way. */
static work *random_work(const struct setting *set)
{
    GRand *rand = g_rand_new_with_seed(1);
    work *w = work_make();
    for (unsigned i = 0; i < set->migrations; i++) {
        const unsigned from = (unsigned)g_rand_int_range(rand, 0, (int)set->shards),
                       to = (from + (unsigned)g_rand_int_range(rand, 1, (int)set->shards)) % set->shards;
        const int min = (int)(i / COLLECTIONS) * RANGE;
        char ns[16], donor[16], recipient[16];
        snprintf(ns, sizeof(ns), "db.c%u", i % COLLECTIONS);
        snprintf(donor, sizeof(donor), "shard%u", from);
        snprintf(recipient, sizeof(recipient), "shard%u", to);
        work_make_move(w, ns, min, min + RANGE, donor, recipient, 1 << 20);
    }
    g_rand_free(rand);
    return w;
}

static unsigned uses_of(const work *w, const char *shard)
{
    unsigned n = 0;
    for (guint i = 0; i < w->steps->len; i++) {
        const struct work_step *s = w->steps->pdata[i];
        n += strcmp(s->from, shard) == 0 || strcmp(s->to, shard) == 0 ? 1 : 0;
    }
    return n;
}

/* Seconds that no order can beat: the longest shard's own work, and all of it over as many pairs as there
 * are. */
static double ideal(const struct setting *set, const work *w)
{
    unsigned longest = 0;
    for (unsigned i = 0; i < set->shards; i++) {
        char name[16];
        snprintf(name, sizeof(name), "shard%u", i);
        longest = MAX(longest, uses_of(w, name));
    }
    const double by_pairs = (double)set->migrations / MAX(set->shards / 2, 1);
    printf("longest shard: %u migrations; over all pairs: %.1f\n", longest, by_pairs);
    return MAX((double)longest, by_pairs) * set->ms / 1e3;
}

/* --- the run --- */

static double process_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

struct figures {
    double seconds, cpu, hands_cpu;
    double commit; /* median seconds of a transaction with one row, of nothing else */
    unsigned turns;
    struct executor_status status;
};

static void run(executor *x, struct figures *f)
{
    struct err err = {0};
    for (; !executor_finished(x); f->turns++) {
        struct pollfd fd = {.fd = executor_fd(x), .events = POLLIN};
        if (!executor_turn(x, &err)) {
            fprintf(stderr, "%s\n", err.msg);
            exit(1);
        }
        if (!executor_finished(x))
            poll(&fd, 1, (int)MIN(executor_wait_ms(x), 60000));
    }
}

static double commit_seconds(journal *j)
{
    double took[COMMITS];
    for (int i = 0; i < COMMITS; i++) {
        const double begin = measure_now();
        journal_event(j, TEST_T0, "bench", 0, "a row", NULL);
        took[i] = measure_now() - begin;
    }
    return measure_median(took, COMMITS);
}

static struct figures run_once(const struct setting *set, const work *w, const char *path)
{
    struct sleeper sleeper = {.ms = set->ms};
    const struct hands hands = {.data = &sleeper, .act = act};
    struct executor_options opt = executor_options_default();
    struct figures f = {0};
    struct err err = {0};
    executor *x;
    g_autoptr(journal) j = test_journal(path, JOURNAL_WRITE);
    const int64_t round = test_round(j, NULL, TEST_T0);
    opt.n_shards = set->shards;
    f.commit = commit_seconds(j);
    const double cpu = process_cpu(), begin = measure_now();
    if (!executor_new(&opt, &hands, j, round, NULL, NULL, &x, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    executor_add(x, w, NULL, NULL);
    run(x, &f);
    executor_status(x, &f.status);
    executor_free(x);
    f.seconds = measure_now() - begin;
    f.hands_cpu = (double)atomic_load(&sleeper.cpu_ns) * 1e-9;
    f.cpu = process_cpu() - cpu - f.hands_cpu;
    return f;
}

static struct figures measure(const struct setting *set, const work *w, const char *folder)
{
    struct figures best = {0};
    for (int i = 0; i < (set->quick ? 1 : RUNS); i++) {
        g_autofree char *name = g_strdup_printf("journal%d.db", i),
                        *path = g_build_filename(folder, name, NULL);
        const struct figures f = run_once(set, w, path);
        printf("run %d: %.3f s, %u turns\n", i + 1, f.seconds, f.turns);
        if (i == 0 || f.seconds < best.seconds)
            best = f;
    }
    return best;
}

static bool tell(const struct setting *set, const struct figures *f, double best)
{
    const double ratio = f->seconds / best, cpu_ms = f->cpu * 1e3 / set->migrations;
    printf("%u migrations of %u ms over %u shards: %.3f s, ideal %.3f s, ratio %.3f (at most %.1f)\n",
           set->migrations, set->ms, set->shards, f->seconds, best, ratio, RATIO_MAX);
    printf("CPU of the executor and its journal: %.3f ms a migration (under %.1f); of the hands: %.3f ms\n",
           cpu_ms, CPU_MS_MAX, f->hands_cpu * 1e3 / set->migrations);
    printf("turns, a transaction each: %u; the smallest transaction on this disk: %.3f ms\n", f->turns,
           f->commit * 1e3);
    if (f->status.committed != set->migrations) {
        fprintf(stderr, "%u of %u committed\n", f->status.committed, set->migrations);
        return false;
    }
    return set->quick || (ratio <= RATIO_MAX && cpu_ms < CPU_MS_MAX);
}

static struct setting setting_of(int argc, char **argv)
{
    struct setting set = {.migrations = 2000, .shards = 64, .ms = 10};
    unsigned *const numbers[] = {&set.migrations, &set.shards, &set.ms};
    int at = 1;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("bench_executor [--quick] [MIGRATIONS [SHARDS [MS [FOLDER]]]]");
        exit(0);
    }
    if (argc > 1 && strcmp(argv[1], "--quick") == 0) {
        set = (struct setting){.quick = true, .migrations = 60, .shards = 8, .ms = 1};
        at++;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(numbers) && at < argc; i++, at++)
        *numbers[i] = MAX((unsigned)strtoul(argv[at], NULL, 10), 1);
    set.shards = MAX(set.shards, 2);
    if (at < argc)
        set.folder = argv[at];
    return set;
}

int main(int argc, char **argv)
{
    const struct setting set = setting_of(argc, argv);
    g_autoptr(temp_dir) dir = set.folder == NULL ? temp_dir_new() : NULL;
    g_autoptr(work) w = random_work(&set);
    const double best = ideal(&set, w);
    const struct figures f = measure(&set, w, set.folder == NULL ? dir->path : set.folder);
    return tell(&set, &f, best) ? 0 : 1;
}
