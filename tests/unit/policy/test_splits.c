// SPDX-License-Identifier: Apache-2.0
/* Split points: the order in which ranges give them is tested by the vectors; here the sessions collection
 * and its rule. */
#include "balancer/policy/splits.h"
#include "tests/support/cluster_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIN_TO_MAX "{'ns':'%s','min':{'_id':{'$minKey':1}},'max':{'_id':{'$maxKey':1}},'shard':'a'}"

static cluster *sessions(const char *version, const char *ns, const char *zone_max)
{
    g_autofree char *chunk = g_strdup_printf(MIN_TO_MAX, ns);
    g_autofree char *tag =
        zone_max == NULL
            ? g_strdup("")
            : g_strdup_printf("{'ns':'%s','min':{'_id':{'$minKey':1}},'max':{'_id':%s},'tag':'Z'}", ns,
                              zone_max);
    g_autofree char *json =
        g_strdup_printf("{'evenkeelSnapshot':1,'serverVersion':'%s','shards':[{'_id':'a','tags':['Z']},"
                        "{'_id':'b','tags':['Z']}],'collections':[{'_id':'%s','key':{'_id':1}}],"
                        "'chunks':[%s],'tags':[%s]}",
                        version, ns, chunk, tag);
    return cluster_from_json(json);
}

static void test_sessions(void **state)
{
    (void)state;
    static const struct {
        const char *name, *version, *ns;
        bool by_size;
        const char *zone_max;
        guint points;
    } rows[] = {
        {"4.2 does nothing special", "4.2.0", "config.system.sessions", false, NULL, 0},
        {"4.2 splits at zones", "4.2.0", "config.system.sessions", false, "5", 1},
        {"4.4 makes 1024 chunks", "4.4.0", "config.system.sessions", false, NULL, 1023},
        {"4.4 does not look at zones", "4.4.0", "config.system.sessions", false, "5", 1023},
        {"by size it is left whole", "7.0.0", "config.system.sessions", true, NULL, 0},
        {"by size zones never split it", "7.0.0", "config.system.sessions", true, "5", 0},
        {"another collection", "4.4.0", "config.other", false, "5", 1},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(cluster) cl = sessions(rows[i].version, rows[i].ns, rows[i].zone_max);
        g_autoptr(GArray) splits = splits_find(cl, &cl->collections[0], rows[i].by_size);
        guint points = 0;
        for (guint k = 0; k < splits->len; k++)
            points += g_array_index(splits, struct split, k).points_enc->len;
        if (points != rows[i].points)
            fail_msg("%s: %u points, want %u", rows[i].name, points, rows[i].points);
        assert_int_equal(splits_zone_bounds_cut(&cl->collections[0]), rows[i].zone_max != NULL);
    }
}

/* The points go up by one in their first ten bits. */
static void test_session_points(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = sessions("5.0.0", "config.system.sessions", NULL);
    g_autoptr(GArray) splits = splits_find(cl, &cl->collections[0], false);
    assert_int_equal(splits->len, 1);
    const struct split *s = &g_array_index(splits, struct split, 0);
    assert_string_equal(split_reason_text(s->reason), "sessions");
    static const struct {
        guint index;
        const char *json;
    } want[] = {
        {0, "{ \"_id\" : { \"id\" : { \"$binary\" : { \"base64\" : \"AEAAAAAAAAAAAAAAAAAAAA==\", \"subType\" "
            ": \"04\" } } } }"},
        {511, "{ \"_id\" : { \"id\" : { \"$binary\" : { \"base64\" : \"gAAAAAAAAAAAAAAAAAAAAA==\", "
              "\"subType\" : \"04\" } } } }"},
        {1022, "{ \"_id\" : { \"id\" : { \"$binary\" : { \"base64\" : \"/8AAAAAAAAAAAAAAAAAAAA==\", "
               "\"subType\" : \"04\" } } } }"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(want); i++) {
        char *json = bson_as_canonical_extended_json(s->points_bson->pdata[want[i].index], NULL);
        assert_string_equal(json, want[i].json);
        bson_free(json);
    }
    for (guint i = 1; i < s->points_enc->len; i++)
        assert_true(g_bytes_compare(s->points_enc->pdata[i - 1], s->points_enc->pdata[i]) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sessions),
                                       cmocka_unit_test(test_session_points)};
    return cmocka_run_group_tests_name("splits", tests, NULL, NULL);
}
