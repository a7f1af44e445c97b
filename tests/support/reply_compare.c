// SPDX-License-Identifier: Apache-2.0
#include "tests/support/reply_compare.h"

#include "balancer/key/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Times, ids made of them, and counters. */
static bool by_type_only(const char *name)
{
    static const char *const names[] = {"millis", "numBalancerRounds", "validAfter", "collectionUUID", "time",
                                        "server", "clientAddr",        NULL};
    return g_strv_contains(names, name) || g_str_has_prefix(name, "step ");
}

static bool is_whole(bson_type_t t)
{
    return t == BSON_TYPE_INT32 || t == BSON_TYPE_INT64;
}

static guint compare_docs(const char *path, const bson_iter_t *want, const bson_iter_t *got, GString *out);

static bool same_value(const bson_iter_t *want, const bson_iter_t *got)
{
    if (is_whole(bson_iter_type(want)))
        return bson_iter_as_int64(want) == bson_iter_as_int64(got);
    if (BSON_ITER_HOLDS_DOUBLE(want))
        return bson_iter_as_double(want) == bson_iter_as_double(got);
    if (BSON_ITER_HOLDS_UTF8(want))
        return strcmp(bson_iter_utf8(want, NULL), bson_iter_utf8(got, NULL)) == 0;
    struct raw a = raw_of(want), b = raw_of(got);
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Lists the differences and counts them. */
static guint compare_value(const char *path, const bson_iter_t *want, const bson_iter_t *got, GString *out)
{
    bson_type_t a = bson_iter_type(want), b = bson_iter_type(got);
    bson_iter_t x, y;
    /* the recording does not tell int32 from int64 */
    if (a != b && !(is_whole(a) && is_whole(b))) {
        g_string_append_printf(out, "%s: type %#x, recorded %#x\n", path, (unsigned)b, (unsigned)a);
        return 1;
    }
    if (a == BSON_TYPE_DOCUMENT || a == BSON_TYPE_ARRAY) {
        assert_true(bson_iter_recurse(want, &x) && bson_iter_recurse(got, &y));
        return compare_docs(path, &x, &y, out);
    }
    if (by_type_only(bson_iter_key(want)) || same_value(want, got))
        return 0;
    g_string_append_printf(out, "%s: another value", path);
    if (a == BSON_TYPE_UTF8)
        g_string_append_printf(out, ": '%s', recorded '%s'", bson_iter_utf8(got, NULL),
                               bson_iter_utf8(want, NULL));
    g_string_append_c(out, '\n');
    return 1;
}

static bool find_field(const bson_iter_t *from, const char *name, bson_iter_t *ret)
{
    *ret = *from;
    return bson_iter_find(ret, name);
}

static guint compare_docs(const char *path, const bson_iter_t *want, const bson_iter_t *got, GString *out)
{
    guint n = 0;
    bson_iter_t it = *want, other;
    while (bson_iter_next(&it)) {
        g_autofree char *below = g_strdup_printf("%s.%s", path, bson_iter_key(&it));
        if (find_field(got, bson_iter_key(&it), &other)) {
            n += compare_value(below, &it, &other, out);
        } else {
            g_string_append_printf(out, "%s: missing\n", below);
            n++;
        }
    }
    it = *got;
    while (bson_iter_next(&it)) {
        if (!find_field(want, bson_iter_key(&it), &other)) {
            g_string_append_printf(out, "%s.%s: not recorded\n", path, bson_iter_key(&it));
            n++;
        }
    }
    return n;
}

guint reply_compare(const char *label, const bson_t *want, const bson_t *got)
{
    g_autoptr(GString) out = g_string_new(NULL);
    bson_iter_t a, b;
    assert_true(bson_iter_init(&a, want) && bson_iter_init(&b, got));
    guint n = compare_docs(label, &a, &b, out);
    if (n > 0) {
        char *text = bson_as_relaxed_extended_json(got, NULL);
        print_message("%s   answered %s\n", out->str, text);
        bson_free(text);
    }
    return n;
}
