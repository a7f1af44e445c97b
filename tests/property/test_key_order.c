// SPDX-License-Identifier: Apache-2.0
/* The encoding orders as the slow comparison does, on random values and on an order that a server made; and a
 * bound's BSON comes back from its packed form. Seeds are fixed; KEY_ORDER_SEED in a failure's text repeats
 * it.
 */
#include "balancer/key/encode.h"
#include "tests/support/random_bson.h"
#include "tests/support/slow_compare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { PAIRS = 300000, PLANTED_PAIRS = 20000, BOUNDS = 50000, SEED = 20261121 };

typedef int compare_fn(const bson_t *a, const bson_t *b);

static int sign(int c)
{
    return (c > 0) - (c < 0);
}

/* Appends the encodings of all fields, or the test fails. */
static void encode_all(const bson_t *doc, GByteArray *out)
{
    bson_iter_t it;
    struct err err = {0};
    assert_true(bson_iter_init(&it, doc));
    while (bson_iter_next(&it)) {
        if (!key_encode_value(&it, out, &err))
            fail_msg("%s", err.msg);
    }
}

static int compare_encoded(const bson_t *a, const bson_t *b)
{
    g_autoptr(GByteArray) ea = g_byte_array_new();
    g_autoptr(GByteArray) eb = g_byte_array_new();
    encode_all(a, ea);
    encode_all(b, eb);
    return sign(key_cmp(ea->data, ea->len, eb->data, eb->len));
}

/* One pair: numbers near to each other, values of one type, or compound bounds of the same fields. */
static void random_pair(GRand *r, bson_t *a, bson_t *b)
{
    bson_iter_t it;
    gint32 kind = g_rand_int_range(r, 0, 8);
    bson_type_t type = random_type(r);
    if (kind < 2) {
        random_number(r, a, "x");
        random_number(r, b, "x");
    } else if (kind < 4) {
        random_number(r, a, "x");
        assert_true(bson_iter_init_find(&it, a, "x"));
        random_near(r, &it, b, "x");
    } else if (kind < 6) {
        random_value_of(r, a, "x", type, 3);
        random_value_of(r, b, "x", type, 3);
    } else if (kind < 7) {
        random_value(r, a, "x", 3);
        random_value(r, b, "x", 3);
    } else {
        for (int i = 0; i < 3; i++) {
            char name[2] = {(char)('x' + i), '\0'};
            type = random_type(r);
            random_value_of(r, a, name, type, 2);
            random_value_of(r, b, name, type, 2);
        }
    }
}

static void print_pair(const bson_t *a, const bson_t *b)
{
    char *ta = bson_as_canonical_extended_json(a, NULL);
    char *tb = bson_as_canonical_extended_json(b, NULL);
    print_error("a: %s\nb: %s\n", ta, tb);
    bson_free(ta);
    bson_free(tb);
}

/* How often the encoding and `compare` disagree over random pairs; the first few are printed where `verbose`.
 */
static unsigned count_disagreements(guint32 seed, unsigned pairs, compare_fn *compare, bool verbose)
{
    g_autoptr(GRand) r = g_rand_new_with_seed(seed);
    unsigned found = 0;
    for (unsigned i = 0; i < pairs; i++) {
        bson_t a = BSON_INITIALIZER, b = BSON_INITIALIZER;
        random_pair(r, &a, &b);
        if (compare_encoded(&a, &b) != sign(compare(&a, &b))) {
            if (verbose && found < 3) {
                print_error("seed %u, pair %u:\n", seed, i);
                print_pair(&a, &b);
            }
            found++;
        }
        bson_destroy(&a);
        bson_destroy(&b);
    }
    return found;
}

static void orders_as_the_slow_comparison(void **state)
{
    (void)state;
    assert_int_equal(count_disagreements(SEED, PAIRS, slow_compare_docs, true), 0);
}

static bool is_number(const bson_iter_t *it)
{
    return BSON_ITER_HOLDS_NUMBER(it) || BSON_ITER_HOLDS_DECIMAL128(it);
}

/* Wrong on purpose: int64 and double compared as doubles. */
static int compare_ints_as_doubles(const bson_t *a, const bson_t *b)
{
    bson_iter_t ia, ib;
    bool both = bson_iter_init_find(&ia, a, "x") && bson_iter_init_find(&ib, b, "x") && is_number(&ia) &&
                is_number(&ib) && !BSON_ITER_HOLDS_DECIMAL128(&ia) && !BSON_ITER_HOLDS_DECIMAL128(&ib);
    if (!both || isnan(bson_iter_as_double(&ia)) || isnan(bson_iter_as_double(&ib)))
        return slow_compare_docs(a, b);
    double da = bson_iter_as_double(&ia), db = bson_iter_as_double(&ib);
    return (da > db) - (da < db);
}

/* Wrong on purpose: shorter strings first. */
static int compare_strings_by_length(const bson_t *a, const bson_t *b)
{
    bson_iter_t ia, ib;
    uint32_t la, lb;
    if (!bson_iter_init_find(&ia, a, "x") || !bson_iter_init_find(&ib, b, "x") ||
        !BSON_ITER_HOLDS_UTF8(&ia) || !BSON_ITER_HOLDS_UTF8(&ib))
        return slow_compare_docs(a, b);
    bson_iter_utf8(&ia, &la);
    bson_iter_utf8(&ib, &lb);
    return la != lb ? (la > lb) - (la < lb) : slow_compare_docs(a, b);
}

static void planted_errors_are_found(void **state)
{
    (void)state;
    assert_int_not_equal(count_disagreements(SEED, PLANTED_PAIRS, compare_ints_as_doubles, false), 0);
    assert_int_not_equal(count_disagreements(SEED, PLANTED_PAIRS, compare_strings_by_length, false), 0);
}

static void read_order(bson_t *ret)
{
    g_autofree char *text = NULL;
    gsize len;
    bson_error_t error;
    assert_true(g_file_get_contents(TEST_DATA_DIR "/order.json", &text, &len, NULL));
    if (!bson_init_from_json(ret, text, (gssize)len, &error))
        fail_msg("%s", error.message);
}

/* 872 different values, as a MongoDB 4.2 server sorted them. */
static void orders_as_a_server_did(void **state)
{
    (void)state;
    bson_t order;
    bson_iter_t it, last;
    struct err err = {0};
    g_autoptr(GByteArray) before = g_byte_array_new();
    unsigned n = 0;
    read_order(&order);
    assert_true(bson_iter_init(&it, &order));
    for (; bson_iter_next(&it); n++, last = it) {
        g_autoptr(GByteArray) enc = g_byte_array_new();
        assert_true(key_encode_value(&it, enc, &err));
        if (n > 0 && key_cmp(before->data, before->len, enc->data, enc->len) >= 0)
            fail_msg("value %u is not above the one before it", n);
        if (n > 0 && slow_compare_values(&last, &it) >= 0)
            fail_msg("the slow comparison does not put value %u above the one before it", n);
        g_byte_array_set_size(before, 0);
        g_byte_array_append(before, enc->data, enc->len);
    }
    assert_int_equal(n, 872);
    bson_destroy(&order);
}

static void bounds_come_back_unchanged(void **state)
{
    (void)state;
    g_autoptr(GRand) r = g_rand_new_with_seed(SEED);
    bson_t *doc = BCON_NEW("x", BCON_INT32(1), "y.z", BCON_INT32(1), "h", BCON_UTF8("hashed"));
    g_autoptr(key_pattern) p = NULL;
    struct err err = {0};
    assert_true(key_pattern_parse(doc, &p, &err));
    for (unsigned i = 0; i < BOUNDS; i++) {
        bson_t bound = BSON_INITIALIZER, back = BSON_INITIALIZER;
        g_autoptr(GByteArray) enc = g_byte_array_new();
        g_autoptr(GByteArray) packed = g_byte_array_new();
        for (uint32_t f = 0; f < p->n_fields; f++)
            random_value(r, &bound, p->fields[f].name, 3);
        if (!key_encode_bound(bson_get_data(&bound), bound.len, p->names, enc, packed, &err))
            fail_msg("seed %u, bound %u: %s", (unsigned)SEED, i, err.msg);
        key_unpack(p, packed->data, packed->len, &back);
        if (!bson_equal(&bound, &back)) {
            print_pair(&bound, &back);
            fail_msg("seed %u, bound %u came back changed", (unsigned)SEED, i);
        }
        bson_destroy(&bound);
        bson_destroy(&back);
    }
    bson_destroy(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_as_the_slow_comparison),
        cmocka_unit_test(planted_errors_are_found),
        cmocka_unit_test(orders_as_a_server_did),
        cmocka_unit_test(bounds_come_back_unchanged),
    };
    return cmocka_run_group_tests_name("key order", tests, NULL, NULL);
}
