// SPDX-License-Identifier: Apache-2.0
/* Wished changes: how they are spelt, what becomes of the model with them, and what is refused. */
#include "balancer/cluster/changes.h"
#include "balancer/key/show.h"
#include "tests/support/cluster_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Three shards, two collections of one chunk, a range each, and one for a collection that is not there yet.
 */
static const char metadata[] =
    "{'shards': [{'_id': 's0', 'host': 'h:1', 'tags': ['A', 'B']}, {'_id': 's1', 'host': 'h:2'},"
    " {'_id': 's2', 'host': 'h:3', 'draining': true}],"
    "'collections': [{'_id': 'd.c', 'key': {'a': 1}}, {'_id': 'd.e', 'key': {'a': 1}}],"
    "'tags': [{'ns': 'd.c', 'min': {'a': 1}, 'max': {'a': 2}, 'tag': 'A'},"
    " {'ns': 'd.c', 'min': {'a': 5}, 'max': {'a': 6}, 'tag': 'B'},"
    " {'ns': 'd.e', 'min': {'a': 1}, 'max': {'a': 2}, 'tag': 'A'},"
    " {'ns': 'd.later', 'min': {'a': 1}, 'max': {'a': 2}, 'tag': 'A'}],"
    "'chunks': [{'ns': 'd.c', 'min': {'a': {'$minKey': 1}}, 'max': {'a': {'$maxKey': 1}}, 'shard': 's0'},"
    " {'ns': 'd.e', 'min': {'a': {'$minKey': 1}}, 'max': {'a': {'$maxKey': 1}}, 'shard': 's1'}]}";

/* One wish: an option's argument, or, for CHANGE_ZONES, what a file says, a word and a document each. */
static bool wish(change_list *c, char option, const char *arg, struct err *err)
{
    if (option == 'd')
        return changes_drain(c, arg, err);
    if (option == 'a')
        return changes_add_shard(c, arg, err);
    if (option == 'w')
        return changes_weigh(c, arg, err);
    if (option == 'z')
        return changes_zones_file(c, arg, err);
    if (option == 'n')
        return changes_zones_namespace(c, c->list->len - 1, arg, true, err);
    g_autofree char *json = g_strdelimit(g_strdup(arg), "'", '"');
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_non_null(doc);
    guint at = c->list->len - 1;
    bool ok = option == 't'   ? changes_zones_tag(c, at, 7, bson_get_data(doc), doc->len, err)
              : option == 's' ? changes_zones_shard(c, at, 7, bson_get_data(doc), doc->len, err)
                              : changes_zones_collection(c, at, 7, bson_get_data(doc), doc->len, err);
    bson_destroy(doc);
    return ok;
}

/* Wishes are separated by '|'; the first letter of each says which option. */
static bool wish_all(change_list *c, const char *wishes, struct err *err)
{
    g_auto(GStrv) each = g_strsplit(wishes, "|", -1);
    for (char **w = each; *w != NULL; w++)
        if (!wish(c, (*w)[0], *w + 1, err))
            return false;
    return true;
}

static bool build(const char *wishes, change_list *c, cluster **ret, struct err *err)
{
    g_autoptr(builder) b = builder_new();
    return wish_all(c, wishes, err) && cluster_json_feed(b, metadata, err) && changes_make(c, b, err) &&
           builder_finish(b, ret, err);
}

/* "s0:A,B s2! | d.c A[1,2) ..." */
static char *model(const cluster *cl)
{
    GString *out = g_string_new(NULL);
    for (uint16_t s = 0; s < cl->n_shards; s++) {
        const struct shard *sh = &cl->shards[s];
        g_string_append_printf(out, "%s%s", s > 0 ? " " : "", sh->id);
        for (uint32_t z = 0; z < sh->n_zones; z++)
            g_string_append_printf(out, "%s%s", z > 0 ? "," : ":", cl->zones[sh->zones[z]]);
        g_string_append(out, sh->draining ? "!" : "");
    }
    for (uint32_t i = 0; i < cl->n_collections; i++) {
        const struct collection *c = &cl->collections[i];
        g_string_append_printf(out, " | %s", c->ns);
        for (uint32_t r = 0; r < c->n_ranges; r++) {
            g_string_append_printf(out, " %s", cl->zones[c->ranges[r].zone]);
            key_show(out, &c->ranges[r].min, 0);
        }
    }
    g_string_append_printf(out, " | %u", cl->tags->len);
    return g_string_free(out, FALSE);
}

#define AS_IS_C " | d.c A{ a: 1 } B{ a: 5 }"
#define AS_IS_E " | d.e A{ a: 1 }"
#define TAG_C "t{'ns': 'd.c', 'min': {'a': 3}, 'max': {'a': 4}, 'tag': 'N'}"

static void changes_are_made(void **state)
{
    (void)state;
    static const struct {
        const char *wishes, *want;
    } rows[] = {
        {"ds1", "s0:A,B s1! s2!" AS_IS_C AS_IS_E " | 4"},
        {"ds1|ds1", "s0:A,B s1! s2!" AS_IS_C AS_IS_E " | 4"},
        {"as9", "s0:A,B s1 s2! s9" AS_IS_C AS_IS_E " | 4"},
        {"as9:Z,A,Z", "s0:A,B s1 s2! s9:A,Z" AS_IS_C AS_IS_E " | 4"},
        {"ds9|as9|ws9=2", "s0:A,B s1 s2! s9!" AS_IS_C AS_IS_E " | 4"},
        {"zf|" TAG_C, "s0:A,B s1 s2! | d.c N{ a: 3 }" AS_IS_E " | 3"},
        {"zf|nd.c", "s0:A,B s1 s2! | d.c" AS_IS_E " | 2"},
        {"zf|nd.c|nd.c|c{'_id': 'd.e'}|c{'_id': 'd.none'}|c{'_id': 'd.x', 'dropped': true}",
         "s0:A,B s1 s2! | d.c | d.e | 1"},
        {"zf|nd.later", "s0:A,B s1 s2!" AS_IS_C AS_IS_E " | 3"},
        {"zf|s{'_id': 's0', 'tags': ['X']}|s{'_id': 's2', 'host': 'h:3'}",
         "s0:X s1 s2!" AS_IS_C AS_IS_E " | 4"},
        {"zf|s{'_id': 's0', 'tags': []}|zg|" TAG_C, "s0 s1 s2! | d.c N{ a: 3 }" AS_IS_E " | 3"},
        {"as9:Z|zf|s{'_id': 's9', 'tags': ['A']}", "s0:A,B s1 s2! s9:A" AS_IS_C AS_IS_E " | 4"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        g_autoptr(change_list) c = changes_new();
        cluster *got = NULL;
        if (!build(rows[i].wishes, c, &got, &err))
            fail_msg("%s: %s", rows[i].wishes, err.msg);
        g_autoptr(cluster) cl = got;
        g_autofree char *text = model(cl);
        if (strcmp(text, rows[i].want) != 0)
            fail_msg("%s: %s, wanted %s", rows[i].wishes, text, rows[i].want);
    }
}

static void faults_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *wishes;
        enum err_class cls;
        const char *says;
    } rows[] = {
        {"d", ERR_USAGE, "the name of the shard is empty"},
        {"d\xff", ERR_USAGE, "is not UTF-8"},
        {"ds11", ERR_USAGE, "--drain: no shard 's11' in this cluster; did you mean 's1'?"},
        {"dnobody", ERR_USAGE, "no shard 'nobody' in this cluster; there are s0, s1, s2"},
        {"a", ERR_USAGE, "the name of the shard is empty"},
        {"a:Z", ERR_USAGE, "the name of the shard is empty"},
        {"as9:", ERR_USAGE, "names of zones are expected"},
        {"as9:A,", ERR_USAGE, "the name of a zone is empty"},
        {"as9:A,\xff", ERR_USAGE, "is not UTF-8"},
        {"as9|as9:A", ERR_USAGE, "shard 's9' is added twice"},
        {"as1", ERR_USAGE, "--add-shard: shard 's1' is in this cluster already"},
        {"ws1", ERR_USAGE, "is not of the form SHARD=WEIGHT"},
        {"w=2", ERR_USAGE, "is not of the form SHARD=WEIGHT"},
        {"w\xff=2", ERR_USAGE, "is not UTF-8"},
        {"ws1=", ERR_USAGE, "the weight '' of shard 's1' is not a number from 0.001 to 1000000"},
        {"ws1=0", ERR_USAGE, "the weight '0'"},
        {"ws1=-1", ERR_USAGE, "the weight '-1'"},
        {"ws1=1e9", ERR_USAGE, "the weight '1e9'"},
        {"ws1=nan", ERR_USAGE, "the weight 'nan'"},
        {"ws1=2x", ERR_USAGE, "the weight '2x'"},
        {"ws1=1|ws1=2", ERR_USAGE, "shard 's1' is given a weight twice"},
        {"wother=2", ERR_USAGE, "--weight: no shard 'other'"},
        {"z", ERR_USAGE, "the name of the file is empty"},
        {"zf|zf", ERR_USAGE, "'f' is given twice"},
        {"zf|n", ERR_DATA, "the name of a collection is empty"},
        {"zf|nd.cc", ERR_DATA,
         "zones 'f': no sharded collection 'd.cc' in this cluster; did you mean 'd.c'?"},
        {"zf|nwholly.different", ERR_DATA, "zones 'f': no sharded collection 'wholly.different'"},
        {"zf|nd.c|zg|nd.c", ERR_DATA, "collection 'd.c' has its zone ranges in 'f' already"},
        {"zf|t{'min': {'a': 3}}", ERR_DATA, "tags[7]: names no collection"},
        {"zf|t{'ns': 5}", ERR_DATA, "tags[7]: names no collection"},
        {"zf|t{'ns': 'd.c', 'min': {'a': 3}, 'max': {'a': 4}}", ERR_DATA,
         "zones 'f': tags[7]: tag is not a zone's name"},
        {"zf|t{'ns': 'd.c', 'min': {'a': 4}, 'max': {'a': 3}, 'tag': 'A'}", ERR_DATA,
         "zones 'f': tags[7]: min is not less than max"},
        {"zf|t{'ns': 'd.c', 'min': {'b': 3}, 'max': {'a': 4}, 'tag': 'A'}", ERR_DATA,
         "zones 'f': tags[7]: min"},
        {"zf|" TAG_C "|t{'ns': 'd.c', 'min': {'a': 3}, 'max': {'a': 9}, 'tag': 'A'}", ERR_DATA,
         "zone ranges overlap: zones 'f': tags[7]"},
        {"zf|c{'_id': 5}", ERR_DATA, "collections[7] (_id 5): _id is not the name"},
        {"zf|s{'tags': []}", ERR_DATA, "shards[7]: _id is missing"},
        {"zf|s{'_id': '', 'tags': []}", ERR_DATA, "_id is not the name of a shard"},
        {"zf|s{'_id': 's0'}", ERR_DATA, "tags is missing"},
        {"zf|s{'_id': 's0', 'tags': 'A'}", ERR_DATA, "tags is not an array"},
        {"zf|s{'_id': 's0', 'tags': ['']}", ERR_DATA, "an element of tags is not the name of a zone"},
        {"zf|s{'_id': 's0', 'tags': [], 'tags': []}", ERR_DATA, "tags is there twice"},
        {"zf|s{'_id': 's0', 'tags': []}|zg|s{'_id': 's0', 'tags': []}", ERR_DATA, "are given twice"},
        {"zf|s{'_id': 's7', 'tags': []}", ERR_DATA,
         "zones 'f': shards[7]: no shard 's7' in this cluster; did"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        g_autoptr(change_list) c = changes_new();
        g_autoptr(cluster) cl = NULL;
        if (build(rows[i].wishes, c, &cl, &err))
            fail_msg("%s: taken", rows[i].wishes);
        if (err.cls != rows[i].cls || strstr(err.msg, rows[i].says) == NULL)
            fail_msg("%s: class %d: %s", rows[i].wishes, (int)err.cls, err.msg);
    }
}

static void changes_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *wishes, *want;
    } rows[] = {
        {"ds1", "shard 's1' is draining"},
        {"d\x1b[31m", "shard '\\x1B[31m' is draining"},
        {"ws1=2.50", "shard 's1' weighs 2.5"},
        {"as9", "shard 's9' is added, in no zone"},
        {"as9:A", "shard 's9' is added, in zone A"},
        {"as9:A,B,C", "shard 's9' is added, in zones A, B and C"},
        {"as9:A,B,C,D,E", "shard 's9' is added, in zones A, B, C and 2 more"},
        {"zf|nd.c|nd.e", "the zone ranges of d.c and d.e are those of 'f'"},
        {"zf|nd.c|s{'_id': 's0', 'tags': []}",
         "the zone ranges of d.c, and the zones of s0 are those of 'f'"},
        {"zf|s{'_id': 's0', 'tags': []}", "the zones of s0 are those of 'f'"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        g_autoptr(change_list) c = changes_new();
        if (!wish_all(c, rows[i].wishes, &err))
            fail_msg("%s: %s", rows[i].wishes, err.msg);
        g_autofree char *text = change_text(&g_array_index(c->list, struct wished, 0));
        assert_string_equal(text, rows[i].want);
        assert_true(changes_have(c, g_array_index(c->list, struct wished, 0).kind));
    }
    assert_string_equal(change_kind_text(CHANGE_ADD_SHARD), "addShard");
}

/* A range that the cluster has in a collection which is damaged stays damage of the collection. */
static void ranges_of_the_source_are_only_told(void **state)
{
    (void)state;
    struct err err = {0};
    g_autoptr(change_list) c = changes_new();
    g_autoptr(builder) b = builder_new();
    g_autoptr(cluster) cl = NULL;
    static const char more[] = "{'ns': 'd.c', 'min': {'a': 9}, 'max': {'a': 8}, 'tag': 'A'}";
    g_autofree char *json = g_strdelimit(g_strdup(more), "'", '"');
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_true(wish_all(c, "zf|nd.e", &err));
    assert_true(cluster_json_feed(b, metadata, &err));
    assert_true(builder_add(b, DOC_TAG, 4, bson_get_data(doc), doc->len, &err));
    assert_true(changes_make(c, b, &err));
    assert_true(builder_finish(b, &cl, &err));
    assert_non_null(cl->collections[0].invalid);
    assert_null(cl->collections[1].invalid);
    bson_destroy(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_made),
        cmocka_unit_test(faults_are_refused),
        cmocka_unit_test(changes_are_told),
        cmocka_unit_test(ranges_of_the_source_are_only_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
