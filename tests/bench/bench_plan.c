// SPDX-License-Identifier: Apache-2.0
/* bench_plan - how long planning takes at growing numbers of chunks: one round (must grow no faster than the
 * chunks), and until balanced (must grow with the migrations, not with migrations times chunks). */
#include "balancer/plan/planner.h"
#include "common/text.h"
#include "tests/support/gen_options.h"
#include "tests/support/measure.h"

#include <string.h>

enum { REPEAT_MAX = 99, SIZES_MAX = 8 };

struct bench {
    struct gen_params params;
    unsigned repeat;
    int64_t max_moves; /* of --until-balanced */
    uint32_t sizes[SIZES_MAX];
    unsigned n_sizes;
    double round_ns[2], move_us[2]; /* of the size before, per policy */
};

static double time_plan(const cluster *cl, const struct plan_options *opt, struct plan_summary *ret)
{
    struct err err = {0};
    plan *p = NULL;
    double start = measure_now();
    if (!plan_make(cl, opt, &p, &err))
        g_error("%s", err.msg);
    double seconds = measure_now() - start;
    *ret = p->summary;
    plan_free(p);
    return seconds;
}

static void print_ratio(double now, double *before)
{
    if (*before > 0)
        printf("  (%.2f times the size before)", now / *before);
    printf("\n");
    *before = now;
}

static void bench_policy(struct bench *b, const cluster *cl, uint32_t chunks, int which)
{
    static const struct policy *const both[] = {&policy_count, &policy_size};
    struct plan_options opt = plan_options_default();
    struct plan_summary s = {0};
    double t[REPEAT_MAX];
    opt.policy = both[which];
    for (unsigned i = 0; i < b->repeat; i++)
        t[i] = time_plan(cl, &opt, &s);
    double round = measure_median(t, b->repeat);
    printf("%-5s  one round       %9.2f ms  %5u migrations  %8.1f ns a chunk", opt.policy->name, round * 1e3,
           s.n_migrations, round * 1e9 / chunks);
    print_ratio(round * 1e9 / chunks, &b->round_ns[which]);
    opt.until_balanced = true;
    opt.max_moves = b->max_moves;
    double all = time_plan(cl, &opt, &s);
    double each = (all - round) * 1e6 / MAX(s.n_migrations, 1);
    printf("%-5s  until balanced  %9.2f ms  %5u migrations in %u rounds%s  %.2f us a migration",
           opt.policy->name, all * 1e3, s.n_migrations, s.n_rounds, s.complete ? "" : ", cut short", each);
    print_ratio(each, &b->move_us[which]);
}

static int usage(FILE *out)
{
    fputs(
        "usage: bench_plan [--repeat N] [--max-moves N] [--chunks N[,N...]] [NAME=VALUE ...]\n"
        "Defaults: 10,000, 100,000 and 1,000,000 chunks, 100 shards, 50 collections of 4 zone ranges, sizes "
        "skewed.\n",
        out);
    gen_options_help(out);
    return out == stdout ? 0 : err_exit_code(ERR_USAGE);
}

static bool read_sizes(const char *list, struct bench *b, struct err *err)
{
    g_auto(GStrv) words = g_strsplit(list, ",", SIZES_MAX);
    b->n_sizes = 0;
    for (int i = 0; words[i] != NULL; i++) {
        int64_t n;
        if (!text_parse_int(words[i], 1, 100 * 1000 * 1000, &n, err))
            return false;
        b->sizes[b->n_sizes++] = (uint32_t)n;
    }
    return b->n_sizes > 0 || err_set(err, ERR_USAGE, "--chunks needs numbers");
}

static bool read_arguments(int argc, char **argv, struct bench *b, struct err *err)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        int64_t n = b->repeat;
        bool ok, has_value = true;
        if (strcmp(argv[i], "--repeat") == 0) {
            ok = text_parse_int(value, 1, REPEAT_MAX, &n, err);
            b->repeat = (unsigned)n;
        } else if (strcmp(argv[i], "--max-moves") == 0) {
            ok = text_parse_int(value, 0, INT32_MAX, &b->max_moves, err);
        } else if (strcmp(argv[i], "--chunks") == 0) {
            ok = read_sizes(value, b, err);
        } else {
            ok = gen_option(argv[i], &b->params, err);
            has_value = false;
        }
        if (!ok)
            return false;
        i += has_value ? 1 : 0;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct bench b = {
        .params = gen_params_default(), .repeat = 5, .sizes = {10000, 100000, 1000000}, .n_sizes = 3};
    struct err err = {0};
    b.params.shards = 100;
    b.params.collections = 50;
    b.params.zones = 4;
    b.params.skew = 0.02;
    b.params.violations = 0.01;
    b.params.sizes = GEN_SIZES_SKEWED;
    b.params.measured = true;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (!read_arguments(argc, argv, &b, &err)) {
        fprintf(stderr, "bench_plan: %s\n", err.msg);
        return usage(stderr);
    }
    for (unsigned i = 0; i < b.n_sizes; i++) {
        b.params.chunks = b.sizes[i];
        cluster *cl = generate_cluster(&b.params);
        printf("%u chunks, %u shards, %u collections, %u zone ranges each\n", b.params.chunks,
               b.params.shards, b.params.collections, b.params.zones);
        for (int which = 0; which < 2; which++)
            bench_policy(&b, cl, b.params.chunks, which);
        cluster_free(cl);
    }
    return 0;
}
