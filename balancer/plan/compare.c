// SPDX-License-Identifier: Apache-2.0
/* The model is the same and so are the collections of every plan, in the same order; a plan lists of each the
 * shards that matter there, so loads and shares are laid out by shard number first. */
#include "balancer/plan/compare.h"

#include "balancer/plan/summary.h"

#include <string.h>

struct loads {
    int64_t *before, *after, *target; /* per shard, of one collection */
};

static void lay_out(const struct plan_collection *c, uint16_t n_shards, struct loads *l)
{
    size_t size = n_shards * sizeof *l->before;
    memset(l->before, 0, size);
    memset(l->after, 0, size);
    memset(l->target, 0, size);
    for (uint32_t i = 0; i < c->n_shards; i++) {
        const struct plan_shard *s = &c->shards[i];
        l->before[s->shard] = MAX(s->bytes, 0);
        l->after[s->shard] = MAX(s->bytes_after, 0);
        l->target[s->shard] = MAX(s->target_bytes, 0);
    }
}

static struct loads loads_new(uint16_t n_shards)
{
    return (struct loads){g_new0(int64_t, n_shards), g_new0(int64_t, n_shards), g_new0(int64_t, n_shards)};
}

static void loads_clear(struct loads *l)
{
    g_free(l->before);
    g_free(l->after);
    g_free(l->target);
}

static int64_t sum_over(const int64_t *load, const int64_t *target, uint16_t n)
{
    int64_t over = 0;
    for (uint16_t s = 0; s < n; s++)
        over += MAX(load[s] - target[s], 0);
    return over;
}

static void add(int64_t *to, const int64_t *from, uint16_t n)
{
    for (uint16_t s = 0; s < n; s++)
        to[s] += from[s];
}

static bool drains(const struct plan_options *opt, const char *id)
{
    for (size_t i = 0; i < opt->n_drain; i++)
        if (strcmp(opt->drain[i], id) == 0)
            return true;
    return false;
}

static uint32_t count_staying(const cluster *cl, const struct plan_options *opt)
{
    uint32_t n = 0;
    for (uint16_t s = 0; s < cl->n_shards; s++)
        n += cl->shards[s].draining || drains(opt, cl->shards[s].id) ? 0 : 1;
    return n;
}

/* `p` against the shares of `by`. */
static void measure(const plan *p, const plan *by, uint32_t staying, struct compared_load *ret_before,
                    struct compared_load *ret_after)
{
    uint16_t n = p->cl->n_shards;
    struct loads one = loads_new(n), its = loads_new(n), all = loads_new(n);
    *ret_before = *ret_after = (struct compared_load){0};
    for (guint i = 0; i < p->collections->len; i++) {
        const struct plan_collection *c = &g_array_index(p->collections, struct plan_collection, i);
        if (c->status == PLAN_EXCLUDED)
            continue;
        lay_out(c, n, &its);
        lay_out(&g_array_index(by->collections, struct plan_collection, i), n, &one);
        ret_before->over += sum_over(its.before, one.target, n);
        ret_after->over += sum_over(its.after, one.target, n);
        add(all.before, its.before, n);
        add(all.after, its.after, n);
        add(all.target, one.target, n);
    }
    ret_before->imbalance = summary_imbalance(all.before, all.target, n, staying);
    ret_after->imbalance = summary_imbalance(all.after, all.target, n, staying);
    loads_clear(&one);
    loads_clear(&its);
    loads_clear(&all);
}

/* The one whose shares measure all. */
static const plan *choose_measure(const comparison *c)
{
    for (guint i = 0; i < c->plans->len; i++) {
        const plan *p = g_array_index(c->plans, struct compared_plan, i).plan;
        if (p->policy != &policy_count && p->policy != &policy_size)
            return p;
    }
    return g_array_index(c->plans, struct compared_plan, 0).plan;
}

static void compared_plan_clear(gpointer p)
{
    plan_free(((struct compared_plan *)p)->plan);
}

bool comparison_make(const cluster *cl, const struct plan_options *opt, const char *const *names,
                     const struct policy *const *policies_asked, size_t n, comparison **ret, struct err *err)
{
    g_autoptr(comparison) c = g_new0(comparison, 1);
    c->plans = g_array_new(FALSE, TRUE, sizeof(struct compared_plan));
    g_array_set_clear_func(c->plans, compared_plan_clear);
    for (size_t i = 0; i < n; i++) {
        struct compared_plan one = {.name = names[i]};
        struct plan_options own = *opt;
        own.policy = policies_asked[i];
        if (!plan_make(cl, &own, &one.plan, err))
            return false;
        g_array_append_val(c->plans, one);
    }
    const plan *by = choose_measure(c);
    c->measure = by->policy->name;
    for (guint i = 0; i < c->plans->len; i++) {
        struct compared_plan *one = &g_array_index(c->plans, struct compared_plan, i);
        measure(one->plan, by, count_staying(cl, opt), &c->before, &one->after);
    }
    *ret = g_steal_pointer(&c);
    return true;
}

void comparison_free(comparison *c)
{
    if (c == NULL)
        return;
    g_array_unref(c->plans);
    g_free(c);
}
