// SPDX-License-Identifier: Apache-2.0
/* Each document's sort key is encoded once; sorting compares bytes. */
#include "sandbox/docpath.h"
#include "sandbox/shape.h"

#include <string.h>

enum { MAX_FIELDS = 32 };

struct order {
    unsigned n;
    const char *paths[MAX_FIELDS];
    bool descending[MAX_FIELDS];
    bool backwards; /* {$natural: -1} */
};

struct sort_key {
    bson_t *doc;
    guint position;
    uint32_t ends[MAX_FIELDS]; /* of each field's encoding */
    GByteArray *bytes;
};

/* $natural is the order that documents come in anyway. */
static bool parse_order(const bson_t *spec, struct order *ret, struct fault *f)
{
    bson_iter_t it;
    int64_t direction;
    bson_iter_init(&it, spec);
    while (bson_iter_next(&it)) {
        if (ret->n == MAX_FIELDS)
            return fault_say(f, SB_BAD_VALUE, "too many compound keys");
        if (!value_int64(&it, &direction) || (direction != 1 && direction != -1))
            return fault_say(f, SB_BAD_VALUE, "bad sort specification");
        if (strcmp(bson_iter_key(&it), "$natural") == 0) {
            ret->backwards = direction < 0;
            continue;
        }
        ret->paths[ret->n] = bson_iter_key(&it);
        ret->descending[ret->n++] = direction < 0;
    }
    return true;
}

/* The least (or greatest) encoding among the values that a path reaches. */
struct extreme {
    GByteArray *best;
    bool greatest, any;
};

/* A missing value sorts as null. */
static void offer(struct extreme *x, const bson_iter_t *value)
{
    static const uint8_t null_doc[] = {8, 0, 0, 0, 10, 'v', 0, 0};
    bson_t doc;
    bson_iter_t null_value;
    g_autoptr(GByteArray) enc = g_byte_array_new();
    if (value == NULL && bson_init_static(&doc, null_doc, sizeof null_doc) &&
        bson_iter_init(&null_value, &doc) && bson_iter_next(&null_value))
        value = &null_value;
    if (value == NULL || !key_encode_value(value, enc, NULL))
        return;
    int order = key_cmp(enc->data, enc->len, x->best->data, x->best->len);
    if (x->any && (x->greatest ? order <= 0 : order >= 0))
        return;
    x->any = true;
    g_byte_array_set_size(x->best, 0);
    g_byte_array_append(x->best, enc->data, enc->len);
}

/* An array counts by its smallest or greatest element; an empty one by itself. */
static bool offer_each(void *user, const bson_iter_t *value)
{
    bson_t array;
    bson_iter_t el;
    if (value == NULL || !BSON_ITER_HOLDS_ARRAY(value) || !doc_under(value, &array) || bson_empty(&array)) {
        offer(user, value);
        return false;
    }
    bson_iter_init(&el, &array);
    while (bson_iter_next(&el))
        offer(user, &el);
    return false;
}

static GByteArray *make_key(const bson_t *doc, const struct order *order, uint32_t *ends)
{
    /* Of some size, so that empty keys have an address too. */
    GByteArray *bytes = g_byte_array_sized_new(16);
    g_autoptr(GByteArray) best = g_byte_array_sized_new(16);
    for (unsigned i = 0; i < order->n; i++) {
        struct extreme x = {.best = best, .greatest = order->descending[i]};
        g_byte_array_set_size(best, 0);
        docpath_each(doc, order->paths[i], offer_each, &x);
        g_byte_array_append(bytes, best->data, best->len);
        ends[i] = bytes->len;
    }
    return bytes;
}

/* The position settles equal keys, which makes the sort stable and the output the same each time. */
static int compare_keys(gconstpointer pa, gconstpointer pb, gpointer user)
{
    const struct sort_key *a = pa, *b = pb;
    const struct order *order = user;
    uint32_t at_a = 0, at_b = 0;
    for (unsigned i = 0; i < order->n; i++) {
        int c = key_cmp(a->bytes->data + at_a, a->ends[i] - at_a, b->bytes->data + at_b, b->ends[i] - at_b);
        if (c != 0)
            return order->descending[i] ? -c : c;
        at_a = a->ends[i];
        at_b = b->ends[i];
    }
    return a->position < b->position ? -1 : a->position > b->position;
}

static void turn_round(GPtrArray *docs)
{
    for (guint i = 0, j = docs->len; i + 1 < j; i++) {
        gpointer last = docs->pdata[--j];
        docs->pdata[j] = docs->pdata[i];
        docs->pdata[i] = last;
    }
}

bool shape_sort(GPtrArray *docs, const bson_t *spec, struct fault *f)
{
    struct order order = {0};
    if (!parse_order(spec, &order, f))
        return false;
    if (order.backwards)
        turn_round(docs);
    if (order.n == 0 || docs->len < 2)
        return true;
    struct sort_key *keys = g_new(struct sort_key, docs->len);
    for (guint i = 0; i < docs->len; i++) {
        keys[i].doc = docs->pdata[i];
        keys[i].position = i;
        keys[i].bytes = make_key(docs->pdata[i], &order, keys[i].ends);
    }
    g_qsort_with_data(keys, (gint)docs->len, sizeof *keys, compare_keys, &order);
    for (guint i = 0; i < docs->len; i++) {
        docs->pdata[i] = keys[i].doc;
        g_byte_array_unref(keys[i].bytes);
    }
    g_free(keys);
    return true;
}
