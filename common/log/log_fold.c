// SPDX-License-Identifier: Apache-2.0
#include "common/log/log_private.h"

enum { MINUTE_MS = 60 * 1000 };

void log_fold_free(void *fold)
{
    struct log_fold *f = fold;
    if (f != NULL)
        g_free(f->ns);
    g_free(f);
}

void log_folds_init(struct log_folds *f, unsigned per_minute)
{
    *f = (struct log_folds){.items = g_ptr_array_new_with_free_func(log_fold_free), .per_minute = per_minute};
}

void log_folds_clear(struct log_folds *f)
{
    g_ptr_array_unref(f->items);
}

static struct log_fold *find(const struct log_folds *f, enum log_id id, const char *ns)
{
    for (guint i = 0; i < f->items->len; i++) {
        struct log_fold *item = g_ptr_array_index(f->items, i);
        if (item->id == id && g_strcmp0(item->ns, ns) == 0)
            return item;
    }
    return NULL;
}

bool log_folds_pass(struct log_folds *f, enum log_id id, const char *ns, int64_t now_ms)
{
    struct log_fold *item = find(f, id, ns);
    if (item == NULL && ns != NULL && f->items->len >= LOG_FOLDS_MAX) {
        ns = NULL; /* a cluster has more collections than are worth remembering */
        item = find(f, id, ns);
    }
    if (item == NULL) {
        item = g_new(struct log_fold, 1);
        *item = (struct log_fold){.id = id, .ns = g_strdup(ns), .since_ms = now_ms};
        g_ptr_array_add(f->items, item);
    }
    if (item->written < f->per_minute) {
        item->written++;
        return true;
    }
    item->folded++;
    return false;
}

struct log_fold *log_folds_take(struct log_folds *f, int64_t now_ms, bool all)
{
    for (guint i = 0; i < f->items->len; i++) {
        const struct log_fold *item = g_ptr_array_index(f->items, i);
        /* A clock that was set back ends the minute, too: nothing is held for hours. */
        if (all || now_ms >= item->since_ms + MINUTE_MS || now_ms < item->since_ms)
            return g_ptr_array_steal_index(f->items, i);
    }
    return NULL;
}
