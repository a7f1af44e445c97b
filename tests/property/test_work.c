// SPDX-License-Identifier: Apache-2.0
/* Plans of random clusters written to JSON, read back, and carried out step by step on plain lists of chunks:
 * what is read is what was planned, an interrupted plan is never stale by its own doing, and a change that
 * others make is told of the steps that it touches and of no others. */
#include "balancer/key/encode.h"
#include "migrations/work/plan_file.h"
#include "migrations/work/stale.h"
#include "tests/support/scenario.h"
#include "tests/support/slow_compare.h"
#include "tests/support/work_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    SEEDS = 320,
    LOOKS = 8,   /* at how many points of a run the cluster is compared */
    WINDOW = 8,  /* of so many steps next in the plan any may come first */
    CUT_ODDS = 7 /* in ten: the donor cuts where it may */
};

static uint32_t below(GRand *r, uint32_t n)
{
    return (uint32_t)g_rand_int_range(r, 0, (gint32)n);
}

static work *reread(const plan *p, char **ret_fault)
{
    g_autofree char *json = plan_json(p);
    struct err err = {0};
    work *w = NULL;
    if (!plan_file_parse("plan.json", json, strlen(json), &w, &err))
        *ret_fault = g_strdup(err.msg);
    return w;
}

static char *differ(const work *a, const work *b, bool types, const char *what)
{
    g_autofree char *x = work_text(a, types), *y = work_text(b, types);
    g_auto(GStrv) u = g_strsplit(x, "\n", -1), v = g_strsplit(y, "\n", -1);
    for (guint i = 0; u[i] != NULL && v[i] != NULL; i++)
        if (strcmp(u[i], v[i]) != 0)
            return g_strdup_printf("%s: '%s' became '%s'", what, u[i], v[i]);
    return strcmp(x, y) == 0 ? NULL : g_strdup_printf("%s: lines are missing", what);
}

static const struct policy *const both[] = {&policy_count, &policy_size};

/* Equal, and with the cluster's own bytes once it is resolved. */
static char *reads_back(struct scenario *s)
{
    char *fault = NULL;
    s->opt.until_balanced = true;
    for (size_t i = 0; i < G_N_ELEMENTS(both) && fault == NULL; i++) {
        s->opt.policy = both[i];
        g_autoptr(plan) p = scenario_plan(s, s->cl, &s->opt);
        g_autoptr(work) direct = work_from_plan(p, "cluster.json"), read = reread(p, &fault);
        if (fault != NULL)
            return fault;
        fault = differ(direct, read, false, "read back");
        work_resolve(read, s->cl);
        fault = fault != NULL ? fault : differ(direct, read, true, "resolved");
    }
    return fault;
}

/* --- a cluster as lists, in which steps are carried out --- */

struct run {
    const struct scenario *s;
    GRand *rand;
    work *w;
    naive_cluster *now;
    bool *done;
    guint n_done;
    char *fault;
};

static int cmp(const bson_t *a, const bson_t *b)
{
    return slow_compare_docs(a, b);
}

/* A value a little above that under `it`, appended to `out`. */
static void append_above(const bson_iter_t *it, bson_t *out, const char *name)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    bson_subtype_t subtype;
    const uint8_t *data;
    uint32_t len;
    switch (bson_iter_type(it)) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        bson_append_int64(out, name, -1, bson_iter_as_int64(it) + 1);
        break;
    case BSON_TYPE_UTF8: {
        g_autofree char *longer = g_strconcat(bson_iter_utf8(it, NULL), "!", NULL);
        bson_append_utf8(out, name, -1, longer, -1);
        break;
    }
    case BSON_TYPE_OID: {
        bson_oid_t oid = *bson_iter_oid(it);
        oid.bytes[11]++;
        bson_append_oid(out, name, -1, &oid);
        break;
    }
    case BSON_TYPE_BINARY:
        bson_iter_binary(it, &subtype, &len, &data);
        g_byte_array_append(bytes, data, len);
        if (len > 0)
            bytes->data[len - 1]++;
        bson_append_binary(out, name, -1, subtype, bytes->data, len);
        break;
    default: /* above MinKey, and a hash, too */
        bson_append_int64(out, name, -1, G_MININT64 + 1);
        break;
    }
}

/* A key strictly inside [min, max), in the run's pool; NULL: none was found. */
static const bson_t *inside(struct run *r, const bson_t *min, const bson_t *max)
{
    bson_t *key = bson_new();
    bson_iter_t it;
    uint32_t left = bson_count_keys(min);
    bson_iter_init(&it, min);
    while (bson_iter_next(&it)) {
        if (--left > 0)
            bson_append_iter(key, NULL, 0, &it);
        else
            append_above(&it, key, bson_iter_key(&it));
    }
    g_ptr_array_add(r->now->pool, key);
    return cmp(min, key) < 0 && cmp(key, max) < 0 ? key : NULL;
}

static uint32_t shard_number(const struct run *r, const char *id)
{
    uint32_t n = 0;
    while (strcmp(naive_shard_at(r->now, n)->id, id) != 0)
        n++;
    return n;
}

/* Cuts chunk `i` at `key`: the lower part stays `i`. */
static void cut_chunk(naive_collection *c, guint i, const bson_t *key)
{
    struct naive_chunk upper = *naive_chunk_at(c, i);
    upper.min = key;
    naive_chunk_at(c, i)->max = key;
    g_array_insert_val(c->chunks, i + 1, upper);
}

/* The chunk that a migration takes; -1: none. */
static int taken(const struct run *r, const struct work_step *s)
{
    const naive_collection *c = naive_find(r->now, s->coll->ns);
    uint32_t from = shard_number(r, s->from);
    for (guint i = 0; i < c->chunks->len; i++) {
        const struct naive_chunk *x = naive_chunk_at(c, i);
        if (cmp(x->min, s->min) < 0 || cmp(x->min, s->max) >= 0)
            continue;
        if (x->shard == from && (s->open_min || cmp(x->min, s->min) == 0))
            return cmp(x->max, s->max) <= 0 ? (int)i : -1;
        if (!s->open_min)
            return -1;
    }
    return -1;
}

static bool carry_out_split(struct run *r, const struct work_step *s)
{
    naive_collection *c = naive_find(r->now, s->coll->ns);
    for (guint k = 0; k < s->at->len; k++)
        for (guint i = 0; i < c->chunks->len; i++) {
            const bson_t *point = s->at->pdata[k];
            const struct naive_chunk *x = naive_chunk_at(c, i);
            if (cmp(x->min, point) < 0 && cmp(point, x->max) < 0) {
                bson_t *copy = bson_copy(point);
                g_ptr_array_add(r->now->pool, copy);
                cut_chunk(c, i, copy);
                break;
            }
        }
    return true;
}

/* False: there is nothing to carry out. The rest of a range may be nothing. */
static bool carry_out(struct run *r, const struct work_step *s)
{
    naive_collection *c = naive_find(r->now, s->coll->ns);
    if (s->kind == WORK_SPLIT)
        return carry_out_split(r, s);
    int at = taken(r, s);
    if (at < 0)
        return s->open_min;
    const struct naive_chunk x = *naive_chunk_at(c, (guint)at);
    const bson_t *key = s->open_max && below(r->rand, 10) < CUT_ODDS ? inside(r, x.min, x.max) : NULL;
    if (key != NULL)
        cut_chunk(c, (guint)at, key);
    naive_chunk_at(c, (guint)at)->shard = shard_number(r, s->to);
    return true;
}

static const struct work_step *step_at(const struct run *r, guint i)
{
    return r->w->steps->pdata[i];
}

static bool overlap(const struct work_step *a, const struct work_step *b)
{
    return a->coll == b->coll && g_bytes_compare(a->enc_min, b->enc_max) < 0 &&
           g_bytes_compare(b->enc_min, a->enc_max) < 0;
}

/* One of the next steps that rest on none before them. */
static guint next_step(struct run *r, bool in_order)
{
    guint first = 0;
    while (r->done[first + 1])
        first++;
    guint end = MIN(first + WINDOW, r->w->steps->len), pick = first + below(r->rand, WINDOW);
    if (in_order || pick >= end || r->done[pick + 1])
        return first;
    for (guint i = first; i < pick; i++)
        if (!r->done[i + 1] && overlap(step_at(r, i), step_at(r, pick)))
            return first;
    return pick;
}

static char *tell(const struct run *r, const GPtrArray *found, const char *what)
{
    const struct stale *x = found->pdata[0];
    return g_strdup_printf("%s, %u of %u steps done: step %u: %s: %s", what, r->n_done, r->w->steps->len,
                           x->step, stale_kind_text(x->kind), x->text);
}

/* Nothing is stale by our own doing. */
static char *look(const struct run *r)
{
    g_autoptr(cluster) cl = naive_build(r->now);
    g_autoptr(GPtrArray) found = stale_find(r->w, cl, r->done);
    return found->len == 0 ? NULL : tell(r, found, "carried out by us");
}

/* --- changes that others make --- */

struct change {
    const char *what;
    naive_collection *coll;
    const bson_t *min, *max; /* everything outside is as it was */
};

static const struct work_step *some_step_to_come(struct run *r)
{
    guint i = below(r->rand, r->w->steps->len);
    while (r->done[i + 1])
        i = (i + 1) % r->w->steps->len;
    return step_at(r, i);
}

static guint first_chunk_in(const naive_collection *c, const struct work_step *s)
{
    guint i = 0;
    while (cmp(naive_chunk_at(c, i)->max, s->min) <= 0)
        i++;
    return i;
}

static bool change_owner(struct run *r, struct change *ch, guint i)
{
    uint32_t n = r->now->shards->len;
    struct naive_chunk *x = naive_chunk_at(ch->coll, i);
    ch->what = "moved by others";
    x->shard = (x->shard + 1 + below(r->rand, n - 1)) % n;
    return true;
}

static bool change_split(struct run *r, struct change *ch, guint i)
{
    const struct naive_chunk x = *naive_chunk_at(ch->coll, i);
    const bson_t *key = inside(r, x.min, x.max);
    ch->what = "split by others";
    if (key != NULL)
        cut_chunk(ch->coll, i, key);
    return key != NULL;
}

static bool change_merge(struct run *r, struct change *ch, guint i)
{
    (void)r;
    ch->what = "merged by others";
    if (i + 1 == ch->coll->chunks->len)
        return false;
    ch->max = naive_chunk_at(ch->coll, i + 1)->max;
    naive_chunk_at(ch->coll, i)->max = ch->max;
    g_array_remove_index(ch->coll->chunks, i + 1);
    return true;
}

static bool touches(const struct change *ch, const struct work_step *s)
{
    return strcmp(s->coll->ns, ch->coll->ns) == 0 && cmp(s->min, ch->max) < 0 && cmp(ch->min, s->max) < 0;
}

/* A split at one of the plan's own points is no change to it. */
static bool is_planned(const struct run *r, const struct change *ch)
{
    for (guint i = 0; i < r->w->steps->len; i++) {
        const struct work_step *s = step_at(r, i);
        for (guint k = 0; s->at != NULL && touches(ch, s) && k < s->at->len; k++)
            for (guint j = 0; j < ch->coll->chunks->len; j++)
                if (cmp(naive_chunk_at(ch->coll, j)->min, s->at->pdata[k]) == 0)
                    return true;
    }
    return false;
}

/* Open-ended steps on its range that were carried out: what is left of it is known less exactly. */
static guint count_cuts(const struct run *r, const struct work_step *s)
{
    guint n = 0;
    for (guint i = 0; i < r->w->steps->len; i++)
        n += r->done[i + 1] && step_at(r, i)->open_max && overlap(step_at(r, i), s) ? 1 : 0;
    return n;
}

static guint count_parts(const naive_collection *c, const struct work_step *s)
{
    guint n = 0;
    for (guint i = 0; i < c->chunks->len; i++)
        n += cmp(naive_chunk_at(c, i)->min, s->max) < 0 && cmp(s->min, naive_chunk_at(c, i)->max) < 0 ? 1 : 0;
    return n;
}

static bool rests_on_none(const struct run *r, const struct work_step *s)
{
    for (guint i = 0; i + 1 < s->id; i++)
        if (!r->done[i + 1] && overlap(step_at(r, i), s))
            return false;
    return true;
}

/* Whether the change must be told of the step, which it touches. Always, but for ranges that open-ended steps
 * were carried out on: there a change may look like what the donors chose themselves, and must be told only
 * where the next step finds nothing to take though there are more parts than the donors can have taken. */
static bool must_tell(const struct run *r, const struct change *ch, const struct work_step *s, bool any_cut)
{
    if (!any_cut)
        return true;
    guint cuts = count_cuts(r, s);
    return s->kind == WORK_MOVE && cuts > 0 && rests_on_none(r, s) && taken(r, s) < 0 &&
           count_parts(ch->coll, s) > cuts;
}

static char *check_told(const struct run *r, const struct change *ch, const GPtrArray *found)
{
    bool any_cut = false;
    guint next = 0;
    for (guint i = 0; i < r->w->steps->len; i++)
        any_cut =
            any_cut || (!r->done[i + 1] && touches(ch, step_at(r, i)) && count_cuts(r, step_at(r, i)) > 0);
    for (guint i = 0; i < r->w->steps->len; i++) {
        const struct work_step *s = step_at(r, i);
        bool told = next < found->len && ((struct stale *)found->pdata[next])->step == s->id;
        next += told ? 1 : 0;
        if (told && (r->done[s->id] || !touches(ch, s)))
            return tell(r, found, "others changed something that it does not touch, but it is told");
        if (!told && !r->done[s->id] && touches(ch, s) && must_tell(r, ch, s, any_cut))
            return g_strdup_printf("%s, %u of %u steps done: step %u is not told", ch->what, r->n_done,
                                   r->w->steps->len, s->id);
    }
    return next == found->len ? NULL : g_strdup("steps are told twice, or not in order");
}

/* Makes one change that touches a step to come, and looks. The lists are spent afterwards. */
static char *change_and_look(struct run *r)
{
    static bool (*const ways[])(struct run *, struct change *, guint) = {change_owner, change_split,
                                                                         change_merge};
    const struct work_step *s = some_step_to_come(r);
    struct change ch = {.coll = naive_find(r->now, s->coll->ns)};
    guint i = first_chunk_in(ch.coll, s);
    ch.min = naive_chunk_at(ch.coll, i)->min;
    ch.max = naive_chunk_at(ch.coll, i)->max;
    uint32_t way = below(r->rand, G_N_ELEMENTS(ways));
    if (!ways[way](r, &ch, i) || (way == 1 && is_planned(r, &ch)))
        return NULL;
    g_autoptr(cluster) cl = naive_build(r->now);
    g_autoptr(GPtrArray) found = stale_find(r->w, cl, r->done);
    return check_told(r, &ch, found);
}

/* --- runs --- */

static bool run_init(struct run *r, const struct scenario *s, const plan *p)
{
    *r = (struct run){.s = s, .rand = g_rand_new_with_seed(s->seed), .w = reread(p, &r->fault)};
    if (r->w == NULL)
        return false;
    work_resolve(r->w, s->cl);
    r->now = scenario_naive(s);
    r->done = g_new0(bool, r->w->steps->len + 1);
    return true;
}

static void run_clear(struct run *r)
{
    g_rand_free(r->rand);
    work_free(r->w);
    naive_free(r->now);
    g_free(r->done);
}

/* Carries everything out, looking now and then; at one point others change something, and that is the end. */
static char *run_through(struct run *r)
{
    guint n = r->w->steps->len, end = n == 0 ? 0 : below(r->rand, n + n / 2);
    bool in_order = below(r->rand, 2) == 0;
    for (r->n_done = 0; r->n_done < n; r->n_done++) {
        if (r->n_done == end && r->n_done > 0)
            return change_and_look(r);
        guint i = next_step(r, in_order);
        if (!carry_out(r, step_at(r, i)))
            return g_strdup_printf("step %u cannot be carried out", step_at(r, i)->id);
        r->done[i + 1] = true;
        char *fault = below(r->rand, n) < LOOKS ? look(r) : NULL;
        if (fault != NULL)
            return fault;
    }
    return n == 0 ? NULL : look(r);
}

/* Before anything was carried out versions count. */
static char *check_untouched(struct run *r)
{
    g_autoptr(GPtrArray) found = stale_find(r->w, r->s->cl, NULL);
    if (found->len > 0)
        return tell(r, found, "nothing changed");
    if (r->w->steps->len == 0)
        return NULL;
    const struct work_step *s = some_step_to_come(r);
    struct collection *c = (struct collection *)cluster_find_collection(r->s->cl, s->coll->ns);
    struct change ch = {.what = "rewritten by others", .coll = naive_find(r->now, s->coll->ns)};
    guint i = first_chunk_in(ch.coll, s);
    ch.min = naive_chunk_at(ch.coll, i)->min;
    ch.max = naive_chunk_at(ch.coll, i)->max;
    c->chunks.version[i] += (uint64_t)1 << 32;
    g_autoptr(GPtrArray) changed = stale_find(r->w, r->s->cl, r->done);
    c->chunks.version[i] -= (uint64_t)1 << 32;
    return check_told(r, &ch, changed);
}

static char *stays_current(struct scenario *s)
{
    char *fault = NULL;
    s->opt.until_balanced = true;
    for (size_t i = 0; i < G_N_ELEMENTS(both) && fault == NULL; i++) {
        struct run r;
        s->opt.policy = both[i];
        g_autoptr(plan) p = scenario_plan(s, s->cl, &s->opt);
        if (run_init(&r, s, p)) {
            fault = check_untouched(&r);
            fault = fault != NULL ? fault : run_through(&r);
        } else {
            fault = r.fault;
        }
        run_clear(&r);
    }
    return fault;
}

static void test_reads_back(void **state)
{
    (void)state;
    scenario_for_seeds(SEEDS, reads_back);
}

static void test_stays_current(void **state)
{
    (void)state;
    scenario_for_seeds(SEEDS, stays_current);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_back),
        cmocka_unit_test(test_stays_current),
    };
    return cmocka_run_group_tests_name("work", tests, NULL, NULL);
}
