// SPDX-License-Identifier: Apache-2.0
#include "migrations/work/work.h"

#include "balancer/key/encode.h"
#include "balancer/key/show.h"
#include "common/escape.h"
#include "migrations/work/work_private.h"

#include <string.h>

enum { BOUND_SHOWN_MAX = 100 }; /* characters of a bound that people are shown */

static void collection_free(gpointer p)
{
    struct work_collection *c = p;
    g_free(c->ns);
    key_pattern_free(c->key);
    g_free(c);
}

static void bound_free(gpointer p)
{
    bson_destroy(p); /* NULL accepted */
}

void step_free(gpointer p)
{
    struct work_step *s = p;
    if (s == NULL)
        return;
    bound_free(s->min);
    bound_free(s->max);
    g_clear_pointer(&s->enc_min, g_bytes_unref);
    g_clear_pointer(&s->enc_max, g_bytes_unref);
    g_clear_pointer(&s->at, g_ptr_array_unref);
    g_free(s->from);
    g_free(s->to);
    g_free(s->version);
    g_free(s->reason);
    g_free(s->zone);
    g_free(s->why);
    g_free(s);
}

work *work_new(void)
{
    work *w = g_new0(work, 1);
    w->collections = g_ptr_array_new_with_free_func(collection_free);
    w->steps = g_ptr_array_new_with_free_func(step_free);
    return w;
}

void work_free(work *w)
{
    if (w == NULL)
        return;
    g_ptr_array_unref(w->steps);
    g_ptr_array_unref(w->collections);
    g_free(w->plan_id);
    g_free(w->policy);
    g_free(w->source);
    g_free(w);
}

const struct work_collection *work_add_collection(work *w, const char *ns, const bson_t *key, struct err *err)
{
    key_pattern *pattern;
    if (!key_pattern_parse(key, &pattern, err))
        return NULL;
    struct work_collection *c = g_new0(struct work_collection, 1);
    c->ns = g_strdup(ns);
    c->key = pattern;
    g_ptr_array_add(w->collections, c);
    return c;
}

struct work_step *step_new(enum work_kind kind, const struct work_collection *coll)
{
    struct work_step *s = g_new0(struct work_step, 1);
    s->kind = kind;
    s->coll = coll;
    s->bytes = SIZE_UNKNOWN;
    if (kind == WORK_SPLIT)
        s->at = g_ptr_array_new_with_free_func(bound_free);
    return s;
}

GBytes *step_encode(const struct work_collection *coll, const bson_t *bound, struct err *err)
{
    g_autoptr(GByteArray) enc = g_byte_array_new();
    if (!key_encode_bound(bson_get_data(bound), bound->len, coll->key->names, enc, NULL, err))
        return NULL;
    return g_bytes_new(enc->data, enc->len);
}

void work_add(work *w, struct work_step *s)
{
    g_ptr_array_add(w->steps, s);
    s->id = w->steps->len;
    if (s->kind == WORK_SPLIT) {
        w->n_splits++;
        return;
    }
    s->migration = ++w->n_migrations;
    if (s->bytes > 0)
        w->bytes += s->bytes;
}

static bson_t *copy_bound(plan_bound b)
{
    bson_t doc;
    plan_bound_bson(b, &doc);
    return bson_copy(&doc);
}

/* A plan's bounds were encoded before it was made, so they can be again. */
static struct work_step *copy_range(enum work_kind kind, const struct work_collection *coll, uint32_t round,
                                    plan_bound min, plan_bound max)
{
    struct work_step *s = step_new(kind, coll);
    s->round = round;
    s->min = copy_bound(min);
    s->max = copy_bound(max);
    s->enc_min = step_encode(coll, s->min, NULL);
    s->enc_max = step_encode(coll, s->max, NULL);
    return s;
}

static void add_split(work *w, const struct work_collection *coll, const plan *p, const struct plan_split *x)
{
    struct work_step *s = copy_range(WORK_SPLIT, coll, x->round, x->min, x->max);
    for (guint i = 0; i < x->at->len; i++)
        g_ptr_array_add(s->at, copy_bound(x->at->pdata[i]));
    s->from = g_strdup(p->cl->shards[x->shard].id);
    s->version = collection_version_text(x->coll, x->version);
    s->reason = g_strdup(split_reason_text(x->reason));
    work_add(w, s);
}

static void add_move(work *w, const struct work_collection *coll, const plan *p,
                     const struct plan_migration *x)
{
    struct work_step *s = copy_range(WORK_MOVE, coll, x->round, x->min, x->max);
    s->from = g_strdup(p->cl->shards[x->from].id);
    s->to = g_strdup(p->cl->shards[x->to].id);
    s->version = collection_version_text(x->coll, x->version);
    s->reason = g_strdup(move_reason_text(x->reason));
    s->zone = x->zone == ZONE_NONE ? NULL : g_strdup(cluster_zone_name(p->cl, x->zone));
    s->why = g_strdup(x->why);
    s->bytes = x->bytes;
    s->force_jumbo = x->force_jumbo;
    s->open_max = x->open_max;
    s->open_min = x->open_min;
    work_add(w, s);
}

/* The copy of a collection, made when its first step comes. */
static const struct work_collection *copy_of(work *w, GHashTable *copies, const struct collection *coll)
{
    const struct work_collection *c = g_hash_table_lookup(copies, coll);
    if (c == NULL) {
        c = work_add_collection(w, coll->ns, &coll->key->doc, NULL);
        g_hash_table_insert(copies, (gpointer)coll, (gpointer)c);
    }
    return c;
}

work *work_from_plan(const plan *p, const char *source)
{
    work *w = work_new();
    g_autoptr(GHashTable) copies = g_hash_table_new(NULL, NULL);
    w->plan_id = g_strdup(p->id);
    w->policy = g_strdup(p->policy->name);
    w->source = g_strdup(source);
    w->n_rounds = p->rounds->len;
    w->expected_seconds = p->summary.time.expected;
    w->low_seconds = p->summary.time.low;
    w->high_seconds = p->summary.time.high;
    for (guint r = 0; r < p->rounds->len; r++) {
        const struct plan_round *round = &g_array_index(p->rounds, struct plan_round, r);
        for (uint32_t i = 0; i < round->n_splits; i++) {
            const struct plan_split *x = &g_array_index(p->splits, struct plan_split, round->first_split + i);
            add_split(w, copy_of(w, copies, x->coll), p, x);
        }
        for (uint32_t i = 0; i < round->n_migrations; i++) {
            const struct plan_migration *x =
                &g_array_index(p->migrations, struct plan_migration, round->first_migration + i);
            add_move(w, copy_of(w, copies, x->coll), p, x);
        }
    }
    return w;
}

/* The plan's own bounds, for the hash. */
static void add_content(content_id *c, const struct work_step *s)
{
    g_autofree plan_bound *at = s->at == NULL ? NULL : g_new(plan_bound, MAX(s->at->len, 1));
    struct content_step step = {
        .round = s->round,
        .ns = s->coll->ns,
        .key = s->coll->key,
        .min = bson_get_data(s->min),
        .max = bson_get_data(s->max),
        .at = at,
        .n_at = s->at == NULL ? 0 : s->at->len,
        .from = s->from,
        .to = s->to,
        .version = s->version,
        .reason = s->reason,
        .zone = s->zone,
        .bytes = s->bytes,
        .force_jumbo = s->force_jumbo,
        .open_min = s->open_min,
        .open_max = s->open_max,
    };
    for (size_t i = 0; i < step.n_at; i++)
        at[i] = bson_get_data(s->at->pdata[i]);
    content_id_add(c, &step);
}

char *work_content_id(const work *w)
{
    content_id *c = content_id_new(w->policy);
    for (guint i = 0; i < w->steps->len; i++)
        add_content(c, w->steps->pdata[i]);
    return content_id_end(c);
}

char *work_step_text(const struct work_step *s)
{
    GString *out = g_string_new(NULL);
    text_append_escaped(out, s->coll->ns, -1);
    g_string_append(out, " [");
    key_show(out, s->min, BOUND_SHOWN_MAX);
    g_string_append(out, ", ");
    key_show(out, s->max, BOUND_SHOWN_MAX);
    g_string_append_c(out, ')');
    return g_string_free(out, FALSE);
}
