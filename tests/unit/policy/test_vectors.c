// SPDX-License-Identifier: Apache-2.0
/* Every vector of tests/data/vectors, each as a test of its own name: the plan's first round against what
 * MongoDB's own balancer decides. */
#include "balancer/key/encode.h"
#include "balancer/plan/planner.h"
#include "tests/support/cluster_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct vector {
    char *name; /* "count/Basic" */
    char *path;
};

/* The sub-document `name` of `doc`, as a copy; false: not there. */
static bool sub(const bson_t *doc, const char *name, bson_t *ret)
{
    bson_iter_t it;
    const uint8_t *data;
    uint32_t len;
    if (!bson_iter_init_find(&it, doc, name))
        return false;
    if (BSON_ITER_HOLDS_ARRAY(&it))
        bson_iter_array(&it, &len, &data);
    else
        bson_iter_document(&it, &len, &data);
    bson_t view;
    assert_true(bson_init_static(&view, data, len));
    bson_copy_to(&view, ret);
    return true;
}

static const char *text(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) ? bson_iter_utf8(&it, NULL) : NULL;
}

/* Equal as keys: values compare as the server compares them (1 and NumberLong(1) are equal), names too. */
static bool same_bound(const bson_t *a, const bson_t *b)
{
    g_autoptr(GByteArray) ea = g_byte_array_new();
    g_autoptr(GByteArray) eb = g_byte_array_new();
    bson_t wa = BSON_INITIALIZER, wb = BSON_INITIALIZER;
    bson_iter_t it;
    bson_append_document(&wa, "d", 1, a);
    bson_append_document(&wb, "d", 1, b);
    assert_true(bson_iter_init_find(&it, &wa, "d") && key_encode_value(&it, ea, NULL));
    assert_true(bson_iter_init_find(&it, &wb, "d") && key_encode_value(&it, eb, NULL));
    bson_destroy(&wa);
    bson_destroy(&wb);
    return ea->len == eb->len && memcmp(ea->data, eb->data, ea->len) == 0;
}

static void check_bound(const bson_t *want_doc, const char *field, plan_bound got)
{
    bson_t want, have;
    if (!sub(want_doc, field, &want))
        return;
    plan_bound_bson(got, &have);
    if (!same_bound(&want, &have)) {
        char *w = bson_as_relaxed_extended_json(&want, NULL), *h = bson_as_relaxed_extended_json(&have, NULL);
        print_error("%s: want %s, have %s\n", field, w, h);
        bson_free(w);
        bson_free(h);
        fail();
    }
    bson_destroy(&want);
}

static void check_migration(const plan *p, const bson_t *want, guint i)
{
    const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
    check_bound(want, "min", m->min);
    check_bound(want, "max", m->max);
    if (text(want, "from") != NULL)
        assert_string_equal(p->cl->shards[m->from].id, text(want, "from"));
    if (text(want, "to") != NULL)
        assert_string_equal(p->cl->shards[m->to].id, text(want, "to"));
    if (text(want, "reason") != NULL)
        assert_string_equal(move_reason_text(m->reason), text(want, "reason"));
}

static void check_migrations(const plan *p, const bson_t *expect)
{
    bson_t list;
    if (!sub(expect, "migrations", &list))
        return;
    assert_int_equal(p->migrations->len, bson_count_keys(&list));
    bson_iter_t it;
    bson_iter_init(&it, &list);
    for (guint i = 0; bson_iter_next(&it); i++) {
        const uint8_t *data;
        uint32_t len;
        bson_t want;
        bson_iter_document(&it, &len, &data);
        bson_init_static(&want, data, len);
        check_migration(p, &want, i);
    }
    bson_destroy(&list);
}

static void check_points(const bson_t *want, const struct plan_split *s)
{
    bson_t at;
    assert_true(sub(want, "at", &at));
    assert_int_equal(s->at->len, bson_count_keys(&at));
    for (guint k = 0; k < s->at->len; k++) {
        g_autofree char *index = g_strdup_printf("%u", k);
        check_bound(&at, index, s->at->pdata[k]);
    }
    bson_destroy(&at);
}

static void check_splits(const plan *p, const bson_t *expect)
{
    bson_t list;
    if (!sub(expect, "splits", &list))
        return;
    assert_int_equal(p->splits->len, bson_count_keys(&list));
    for (guint i = 0; i < p->splits->len; i++) {
        const struct plan_split *s = &g_array_index(p->splits, struct plan_split, i);
        g_autofree char *index = g_strdup_printf("%u", i);
        bson_t want;
        assert_true(sub(&list, index, &want));
        assert_string_equal(s->coll->ns, text(&want, "ns"));
        check_bound(&want, "min", s->min);
        check_bound(&want, "max", s->max);
        check_points(&want, s);
        bson_destroy(&want);
    }
    bson_destroy(&list);
}

/* Whether the array `field` of `expect` (strings) holds `value`; true where there is no such field. */
static bool listed(const bson_t *expect, const char *field, const char *value)
{
    bson_t list;
    bool found = false;
    if (!sub(expect, field, &list))
        return true;
    bson_iter_t it;
    bson_iter_init(&it, &list);
    while (bson_iter_next(&it))
        found = found || strcmp(bson_iter_utf8(&it, NULL), value) == 0;
    bson_destroy(&list);
    return found;
}

static void check_first(const plan *p, const bson_t *expect)
{
    const char *reason = text(expect, "first_reason");
    if (reason != NULL && strcmp(reason, "none") == 0)
        assert_int_equal(p->migrations->len, 0);
    if (p->migrations->len == 0)
        return;
    const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, 0);
    if (reason != NULL)
        assert_string_equal(move_reason_text(m->reason), reason);
    if (text(expect, "from") != NULL)
        assert_string_equal(p->cl->shards[m->from].id, text(expect, "from"));
    assert_true(listed(expect, "to_in", p->cl->shards[m->to].id));
    for (guint i = 0; i < p->migrations->len; i++)
        assert_true(
            listed(expect, "migrations_ns", g_array_index(p->migrations, struct plan_migration, i).coll->ns));
}

static void check_count(const bson_t *expect, const char *field, guint have)
{
    bson_iter_t it;
    if (bson_iter_init_find(&it, expect, field))
        assert_int_equal(have, bson_iter_as_int64(&it));
}

/* Upstream names the conflict; here the collection is excluded, and a warning says why. */
static void check_error(const plan *p, const bson_t *expect)
{
    const char *error = text(expect, "error");
    if (error == NULL)
        return;
    assert_string_equal(error, "RangeOverlapConflict");
    const struct plan_collection *c = &g_array_index(p->collections, struct plan_collection, 0);
    assert_int_equal(c->excluded, EXCLUDED_METADATA_INVALID);
    assert_non_null(strstr(c->coll->invalid, "overlap"));
}

static void run_vector(void **state)
{
    const struct vector *v = *state;
    struct err err = {0};
    g_autofree char *json = NULL;
    bson_t doc, snapshot, expect;
    assert_true(g_file_get_contents(v->path, &json, NULL, NULL));
    assert_true(bson_init_from_json(&doc, json, -1, NULL));
    assert_true(sub(&doc, "snapshot", &snapshot) && sub(&doc, "expect", &expect));
    char *snapshot_json = bson_as_canonical_extended_json(&snapshot, NULL);
    g_autoptr(cluster) cl = cluster_from_json(snapshot_json);
    struct plan_options opt = plan_options_default();
    opt.policy = policy_find(text(&doc, "policy"));
    assert_non_null(opt.policy);
    g_autoptr(plan) p = NULL;
    if (!plan_make(cl, &opt, &p, &err))
        fail_msg("%s", err.msg);
    check_count(&expect, "migrations_count", p->migrations->len);
    check_count(&expect, "splits_count", p->splits->len);
    check_migrations(p, &expect);
    check_splits(p, &expect);
    check_first(p, &expect);
    check_error(p, &expect);
    bson_free(snapshot_json);
    bson_destroy(&doc);
    bson_destroy(&snapshot);
    bson_destroy(&expect);
}

static int cmp_name(gconstpointer a, gconstpointer b)
{
    return strcmp(((const struct CMUnitTest *)a)->name, ((const struct CMUnitTest *)b)->name);
}

static void add_folder(GArray *tests, const char *folder)
{
    g_autofree char *path = g_build_filename(TEST_DATA_DIR, "vectors", folder, NULL);
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *file;
    while (dir != NULL && (file = g_dir_read_name(dir)) != NULL) {
        struct vector *v = g_new(struct vector, 1);
        g_autofree char *base = g_strndup(file, strlen(file) - strlen(".json"));
        v->name = g_strdup_printf("%s/%s", folder, base);
        v->path = g_build_filename(path, file, NULL);
        struct CMUnitTest t = {.name = v->name, .test_func = run_vector, .initial_state = v};
        g_array_append_val(tests, t);
    }
    if (dir != NULL)
        g_dir_close(dir);
}

int main(void)
{
    GArray *tests = g_array_new(FALSE, FALSE, sizeof(struct CMUnitTest));
    add_folder(tests, "count");
    add_folder(tests, "size");
    g_array_sort(tests, cmp_name);
    if (tests->len < 50) {
        fprintf(stderr, "only %u vectors found in " TEST_DATA_DIR "/vectors\n", tests->len);
        return 1;
    }
    int failed = _cmocka_run_group_tests("vectors", (const struct CMUnitTest *)(void *)tests->data,
                                         tests->len, NULL, NULL);
    for (guint i = 0; i < tests->len; i++) {
        struct vector *v = g_array_index(tests, struct CMUnitTest, i).initial_state;
        g_free(v->name);
        g_free(v->path);
        g_free(v);
    }
    g_array_unref(tests);
    return failed;
}
