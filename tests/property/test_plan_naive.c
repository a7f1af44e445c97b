// SPDX-License-Identifier: Apache-2.0
/* Plans of random clusters against the built-in's rules written down a second time. */
#include "tests/support/naive_policy.h"
#include "tests/support/scenario.h"
#include "tests/support/slow_compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *differ(const plan *p, guint i, const struct naive_choice *want)
{
    const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
    bson_t min, max;
    plan_bound_bson(m->min, &min);
    plan_bound_bson(m->max, &max);
    if (strcmp(m->coll->ns, want->coll->ns) == 0 && slow_compare_docs(&min, want->min) == 0 &&
        slow_compare_docs(&max, want->max) == 0 && m->from == want->from && m->to == want->to &&
        strcmp(move_reason_text(m->reason), want->reason) == 0 && m->bytes == want->bytes &&
        m->open_max == want->open_max && m->force_jumbo == want->force_jumbo)
        return NULL;
    return g_strdup_printf("migration %u: %s %u>%u %s %" G_GINT64_FORMAT
                           ", naively %s %u>%u %s %" G_GINT64_FORMAT,
                           m->id, m->coll->ns, m->from, m->to, move_reason_text(m->reason), m->bytes,
                           want->coll->ns, want->from, want->to, want->reason, want->bytes);
}

/* One round of the plan against the naive choice, which is then carried out. */
static char *compare_round(const plan *p, const struct plan_round *r, naive_cluster *n,
                           const struct plan_options *opt)
{
    g_autoptr(GArray) want = naive_round(n, r->number, plan_is_by_size(p), opt->time_series_even);
    for (guint i = 0; i < want->len; i++) {
        const struct naive_choice *choice = &g_array_index(want, struct naive_choice, i);
        if (i >= r->n_migrations)
            break;
        char *fault = differ(p, r->first_migration + i, choice);
        if (fault != NULL)
            return fault;
    }
    if (want->len != r->n_migrations)
        return g_strdup_printf("round %u: %u migrations, naively %u", r->number, r->n_migrations, want->len);
    for (guint i = 0; i < want->len; i++) {
        const struct naive_choice *choice = &g_array_index(want, struct naive_choice, i);
        naive_collection *c = naive_find(n, choice->coll->ns);
        naive_move(c, (guint)naive_locate(c, choice->min, choice->max, choice->from), choice->to,
                   choice->bytes);
    }
    return NULL;
}

/* Chooses the same as the naive policies, round by round. */
static char *agrees_with_naive(struct scenario *s)
{
    if (s->opt.policy == &policy_optimal) /* it is no rule of the built-in's */
        s->opt.policy = NULL;
    s->opt.has_seed = false;
    s->opt.until_balanced = false;
    s->opt.rounds = 8;
    s->opt.time_series_even = s->seed % 2 == 0;
    g_autoptr(plan) p = scenario_plan(s, s->cl, &s->opt);
    g_autoptr(naive_cluster) n = scenario_naive(s);
    guint splits = naive_do_splits(n);
    char *fault = NULL;
    if (splits != p->splits->len)
        return g_strdup_printf("%u splits, naively %u", p->splits->len, splits);
    for (guint i = 0; i < s->opt.rounds && fault == NULL; i++) {
        struct plan_round none = {.number = i + 1}; /* the naive choice must be empty, too */
        bool there = i < p->rounds->len;
        fault = compare_round(p, there ? &g_array_index(p->rounds, struct plan_round, i) : &none, n, &s->opt);
    }
    return fault;
}

/* The naive reading of the documents and the model agree before anything is planned. */
static char *reads_alike(struct scenario *s)
{
    for (guint i = 0; i < s->before->colls->len; i++) {
        const naive_collection *c = s->before->colls->pdata[i];
        const struct collection *m = cluster_find_collection(s->cl, c->ns);
        if (m == NULL || m->invalid != NULL || m->chunks.n != c->chunks->len)
            return g_strdup_printf("%s: %s", c->ns, m == NULL ? "not there" : m->invalid);
        for (uint32_t k = 0; k < m->chunks.n; k++) {
            const struct naive_chunk *chunk = naive_chunk_at(c, k);
            bson_t min = BSON_INITIALIZER;
            chunk_min(m, &m->chunks, k, &min);
            bool same = bson_equal(&min, chunk->min) && m->chunks.shard[k] == chunk->shard;
            bson_destroy(&min);
            if (!same)
                return g_strdup_printf("%s: chunk %u differs", c->ns, k);
        }
    }
    return NULL;
}

PROPERTY(reads_alike)
PROPERTY(agrees_with_naive)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_alike),
        cmocka_unit_test(test_agrees_with_naive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
