// SPDX-License-Identifier: Apache-2.0
/* What is told about the executor; nothing here changes it. */
#include "migrations/executor/executor_private.h"

const char *executor_stopped_by(const executor *x)
{
    return x->stopped_by;
}

unsigned executor_inside(executor *x)
{
    return workers_inside(x->workers);
}

/* The split of a chunk that is too big belongs to its migration. */
static bool is_under_way(const struct task *t)
{
    return t->phase != PHASE_RESTING && t->parent == NULL;
}

unsigned executor_blind(const executor *x, const char **ret_why)
{
    unsigned n = 0;
    for (guint i = 0; !x->left && i < x->tasks->len; i++) {
        const struct task *t = x->tasks->pdata[i];
        n += t->phase == PHASE_SETTLING && !executor_tries_left(x, t->blind, true) ? 1 : 0;
    }
    *ret_why = n == 0 ? NULL : x->blind_why != NULL ? x->blind_why : "";
    return n;
}

static void tell_holds(const executor *x, struct executor_status *s)
{
    if (x->broken.cls != ERR_NONE)
        s->holds = "journal";
    else if (s->waiting > 0 && x->hold != NULL)
        s->holds = x->hold;
    else if (s->waiting > 0)
        s->holds = x->held_by;
    s->holds_until = s->holds != NULL && s->holds == x->held_by ? x->held_until : 0;
}

void executor_status(const executor *x, struct executor_status *ret)
{
    *ret = x->count;
    for (guint i = 0; !x->left && i < x->tasks->len; i++) {
        const struct task *t = x->tasks->pdata[i];
        ret->under_way += is_under_way(t) ? 1 : 0;
        ret->settling += is_under_way(t) && t->phase == PHASE_SETTLING ? 1 : 0;
    }
    ret->waiting = schedule_waiting(x->schedule);
    ret->remaining_seconds = x->left ? 0 : schedule_remaining_seconds(x->schedule);
    tell_holds(x, ret);
}

static gint by_age(gconstpointer a, gconstpointer b)
{
    const struct executor_under_way *u = a, *v = b;
    if (u->started_at != v->started_at)
        return u->started_at < v->started_at ? -1 : 1;
    if (u->split != v->split) /* rows of both kinds are numbered from 1 */
        return u->split ? 1 : -1;
    return u->row < v->row ? -1 : u->row > v->row ? 1 : 0;
}

GArray *executor_list(const executor *x)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(struct executor_under_way));
    for (guint i = 0; !x->left && i < x->tasks->len; i++) {
        const struct task *t = x->tasks->pdata[i];
        if (!is_under_way(t))
            continue;
        const struct executor_under_way u = {
            .ns = task_ns(t),
            .from = task_from(t),
            .to = task_to(t),
            .min = task_min(t),
            .max = task_max(t),
            .row = t->row,
            .bytes = t->step != NULL ? t->step->bytes : -1,
            .started_at = t->started_at,
            .attempt = t->sent + (t->phase == PHASE_ACTING ? 1 : 0),
            .settling = t->phase == PHASE_SETTLING,
            .split = t->kind == JOURNAL_SPLIT,
        };
        g_array_append_val(list, u);
    }
    g_array_sort(list, by_age);
    return list;
}

GPtrArray *executor_busy_shards(const executor *x)
{
    GPtrArray *busy = g_ptr_array_new();
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    for (guint i = 0; !x->left && i < x->tasks->len; i++) {
        const struct task *t = x->tasks->pdata[i];
        const char *both[] = {task_from(t), task_to(t)};
        for (unsigned k = 0; is_under_way(t) && k < G_N_ELEMENTS(both); k++) {
            gpointer name = (gpointer)g_intern_string(both[k]);
            if (name != NULL && g_hash_table_add(seen, name))
                g_ptr_array_add(busy, name);
        }
    }
    return busy;
}
