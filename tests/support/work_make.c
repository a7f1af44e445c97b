// SPDX-License-Identifier: Apache-2.0
#include "tests/support/work_make.h"

#include "balancer/key/encode.h"
#include "migrations/work/work_private.h"

#include <stdio.h>
#include <string.h>

work *work_make(void)
{
    work *w = work_new();
    w->plan_id = g_strnfill(64, 'p');
    w->policy = g_strdup("count");
    w->source = g_strdup("mongodb://localhost:27017");
    w->n_rounds = 1;
    return w;
}

static bson_t *bound(int n)
{
    bson_t *b = bson_new();
    BSON_APPEND_INT32(b, "x", n);
    return b;
}

static GBytes *encode(const bson_t *b)
{
    GByteArray *enc = g_byte_array_new();
    GString *names = g_string_new_len("x", 2);
    struct err err = {0};
    if (!key_encode_bound(bson_get_data(b), b->len, names, enc, NULL, &err))
        g_error("%s", err.msg);
    g_string_free(names, TRUE);
    return g_byte_array_free_to_bytes(enc);
}

GBytes *work_make_key(int n)
{
    bson_t *b = bound(n);
    GBytes *enc = encode(b);
    bson_destroy(b);
    return enc;
}

static const struct work_collection *collection(work *w, const char *ns)
{
    for (guint i = 0; i < w->collections->len; i++) {
        const struct work_collection *known = w->collections->pdata[i];
        if (strcmp(known->ns, ns) == 0)
            return known;
    }
    struct work_collection *c = g_new0(struct work_collection, 1);
    bson_t *key = bound(1);
    struct err err = {0};
    c->ns = g_strdup(ns);
    if (!key_pattern_parse(key, &c->key, &err))
        g_error("%s", err.msg);
    bson_destroy(key);
    g_ptr_array_add(w->collections, c);
    return c;
}

static struct work_step *step(work *w, const char *ns, int min, int max, const char *from)
{
    struct work_step *s = g_new0(struct work_step, 1);
    g_ptr_array_add(w->steps, s);
    s->id = w->steps->len;
    s->round = 1;
    s->coll = collection(w, ns);
    s->min = bound(min);
    s->max = bound(max);
    s->enc_min = encode(s->min);
    s->enc_max = encode(s->max);
    s->from = g_strdup(from);
    s->version = g_strdup("1|0||0123456789abcdef01234567");
    return s;
}

struct work_step *work_make_move(work *w, const char *ns, int min, int max, const char *from, const char *to,
                                 int64_t bytes)
{
    struct work_step *s = step(w, ns, min, max, from);
    s->kind = WORK_MOVE;
    s->migration = ++w->n_migrations;
    s->to = g_strdup(to);
    s->reason = g_strdup("imbalance");
    s->why = g_strdup("a test wants it");
    s->bytes = bytes;
    w->bytes += MAX(bytes, 0);
    return s;
}

struct work_step *work_make_split(work *w, const char *ns, int min, int max, const char *from, int at)
{
    struct work_step *s = step(w, ns, min, max, from);
    s->kind = WORK_SPLIT;
    w->n_splits++;
    s->at = g_ptr_array_new_with_free_func((GDestroyNotify)bson_destroy);
    g_ptr_array_add(s->at, bound(at));
    s->reason = g_strdup("zoneBoundary");
    s->bytes = 0;
    return s;
}

static void add_step(work *w, const char *text)
{
    char ns[32] = "db.c", from[16], to[16];
    int min, max, at;
    long long bytes = 1;
    if (strncmp(text, "db.", 3) == 0 && sscanf(text, "%31s", ns) == 1)
        text += strlen(ns) + 1;
    if (sscanf(text, "%15[a-z]>%15[a-z] %d..%d %lld", from, to, &min, &max, &bytes) >= 4)
        work_make_move(w, ns, min, max, from, to, bytes);
    else if (sscanf(text, "%15[a-z]|%d %d..%d", from, &at, &min, &max) == 4)
        work_make_split(w, ns, min, max, from, at);
    else
        g_error("'%s' is not a step", text);
}

work *work_make_text(const char *steps)
{
    work *w = work_make();
    g_auto(GStrv) all = g_strsplit(steps, "; ", -1);
    for (unsigned i = 0; all[i] != NULL; i++)
        add_step(w, all[i]);
    return w;
}
