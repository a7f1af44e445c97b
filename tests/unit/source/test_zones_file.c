// SPDX-License-Identifier: Apache-2.0
/* Files of zones: their keys, a snapshot as one, and what is refused, with the place. */
#include "balancer/source/source.h"
#include "tests/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TAG "{\"ns\":\"d.c\",\"min\":{\"a\":1},\"max\":{\"a\":2},\"tag\":\"A\"}"

static bool read_text(const char *json, change_list *c, struct err *err)
{
    g_autoptr(temp_dir) dir = temp_dir_new();
    g_autofree char *path = temp_dir_write(dir, "zones.json", json, strlen(json));
    return changes_zones_file(c, path, err) && source_read_zones(path, c, c->list->len - 1, err);
}

static void files_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *json, *namespaces, *shards;
    } rows[] = {
        {"{\"tags\":[" TAG "," TAG "]}", "d.c", ""},
        {" \n{\"shards\":[{\"_id\":\"s\",\"tags\":[]}],\"tags\":null}", "", "s"},
        {"{\"namespaces\":[\"d.e\"],\"tags\":[" TAG "]}", "d.e d.c", ""},
        {"{\"collections\":[{\"_id\":\"d.c\",\"key\":{\"a\":1}}]}", "d.c", ""},
        {"{\"evenkeelSnapshot\":1,\"ours\":5,\"chunks\":[1],\"takenAt\":7,\"tags\":[" TAG
         "],\"collections\":[{\"_id\":\"d.x\"}],\"shards\":[{\"_id\":\"s\",\"host\":\"h\"}]}",
         "d.c d.x", "s"},
        {"{\"ours\":5,\"tags\":[" TAG "],\"evenkeelSnapshot\":1}", "d.c", ""},
        {"{\"settings\":[],\"tags\":[" TAG "]}", "d.c", ""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        g_autoptr(change_list) c = changes_new();
        if (!read_text(rows[i].json, c, &err))
            fail_msg("%s: %s", rows[i].json, err.msg);
        struct wished *ch = &g_array_index(c->list, struct wished, 0);
        g_ptr_array_add(ch->namespaces, NULL);
        g_ptr_array_add(ch->shards, NULL);
        g_autofree char *namespaces = g_strjoinv(" ", (char **)ch->namespaces->pdata);
        g_autofree char *shards = g_strjoinv(" ", (char **)ch->shards->pdata);
        assert_string_equal(namespaces, rows[i].namespaces);
        assert_string_equal(shards, rows[i].shards);
    }
}

static void faults_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *says;
    } rows[] = {
        {"", "zones.json': "},
        {"[]", "neither Extended JSON"},
        {"{}", "there is none of the keys tags, shards, namespaces"},
        {"{\"evenkeelSnapshot\":1}", "there is none of the keys"},
        {"{\"tags\":[]}",
         "it changes nothing; collections that are to lose their ranges stand in namespaces"},
        {"{\"namespaces\":[],\"shards\":[]}", "it changes nothing"},
        {"{\"tag\":[],\"shards\":[]}", "the key 'tag' is not one of a file of zones; did you mean 'tags'?"},
        {"{\"Z\\u001b\":1}", "the key 'Z\\x1B' is not one of a file of zones; these are"},
        {"{\"tags\":[],\"tags\":[]}", "the key 'tags' is there twice"},
        {"{\"tags\":{}}", "tags"},
        {"{\"tags\":[\n" TAG ",\n{\"ns\":1}]}", "line 3, column 1: tags[1]: names no collection"},
        {"{\"tags\":[7]}", "tags[0]: a document was expected"},
        {"{\"shards\":[{\"_id\":\"s\",\"zones\":[\"A\"]}]}", "shards[0] (_id \"s\"): tags is missing"},
        {"{\"namespaces\":[7]}", "namespaces[0]: a string was expected"},
        {"{\"namespaces\":[\"\"]}", "the name of a collection is empty"},
        {"{\"collections\":[{}]}", "collections[0]: _id is not the name of a collection"},
        {"{\"tags\":[" TAG "]", "zones.json': "},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        g_autoptr(change_list) c = changes_new();
        if (read_text(rows[i].json, c, &err))
            fail_msg("%s: taken", rows[i].json);
        if (err.cls != ERR_DATA || strstr(err.msg, rows[i].says) == NULL)
            fail_msg("%s: class %d: %s", rows[i].json, (int)err.cls, err.msg);
    }
}

static void a_file_that_is_not_there(void **state)
{
    (void)state;
    struct err err = {0};
    g_autoptr(change_list) c = changes_new();
    assert_true(changes_zones_file(c, "/nonexistent/zones.json", &err));
    assert_false(source_read_zones("/nonexistent/zones.json", c, 0, &err));
    assert_int_equal(err.cls, ERR_NO_INPUT);
    assert_non_null(strstr(err.msg, "zones '/nonexistent/zones.json': cannot open"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(faults_are_refused),
        cmocka_unit_test(a_file_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
