// SPDX-License-Identifier: Apache-2.0
#include "balancer/key/hash.h"

#include <glib.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bson_t *from_json(const char *json)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (doc == NULL)
        fail_msg("%s: %s", json, error.message);
    return doc;
}

static int64_t hash_of_json(const char *value)
{
    g_autofree char *json = g_strdup_printf("{\"v\": %s}", value);
    bson_t *doc = from_json(json);
    bson_iter_t it;
    int64_t hash;
    struct err err = {0};
    assert_true(bson_iter_init_find(&it, doc, "v"));
    if (!key_hash_value(&it, &hash, &err))
        fail_msg("%s: %s", value, err.msg);
    bson_destroy(doc);
    return hash;
}

#define OID "{\"$oid\": \"010203040506070809101112\"}"
#define CODE "\"$code\": \"func f() { return 1; }\""

/* Hashes that servers give, of values as Extended JSON. */
static const struct {
    const char *value;
    int64_t hash;
} vectors[] = {
    {"0", 4854801880128277513},
    {"0.456", 4854801880128277513},
    {"-0.0", 4854801880128277513},
    {"{\"$numberDouble\": \"NaN\"}", 4854801880128277513},
    {"{\"$numberDecimal\": \"NaN\"}", 4854801880128277513},
    {"1", 5902408780260971510},
    {"{\"$numberLong\": \"1\"}", 5902408780260971510},
    {"1.0", 5902408780260971510},
    {"1.987", 5902408780260971510},
    {"{\"$numberDecimal\": \"1.00\"}", 5902408780260971510},
    {"{\"$numberDecimal\": \"1.499\"}", 5902408780260971510},
    {"2", 848411777775835583},
    {"{\"$numberDecimal\": \"1.987\"}", 848411777775835583},
    {"{\"$numberDecimal\": \"1.5\"}", 848411777775835583},
    {"{\"$numberDecimal\": \"2.5\"}", 848411777775835583},
    {"{\"$numberDecimal\": \"0.5\"}", 4854801880128277513},
    {"{\"$numberDecimal\": \"0.50001\"}", 5902408780260971510},
    {"{\"$numberDecimal\": \"0.06\"}", 4854801880128277513},
    {"8", -6200100076853976706},
    {"10", 7766103514953448109},
    {"{\"$numberDecimal\": \"1E1\"}", 7766103514953448109},
    {"15", 6704049549995522780},
    {"42", -944302157085130861},
    {"-1", 1140205862565771219},
    {"-1.789", 1140205862565771219},
    {"{\"$numberDecimal\": \"-1.4\"}", 1140205862565771219},
    {"100", -5582987830488433087},
    {"{\"$numberLong\": \"9007199254740993\"}", -4223421864049415010},
    {"{\"$numberDecimal\": \"9007199254740993\"}", -4223421864049415010},
    {"-2147483648", 6165898260261354870},
    {"2147483647", 1143184177162245883},
    {"{\"$numberLong\": \"9223372036854775807\"}", 921523596458303250},
    {"1.7e308", 921523596458303250},
    {"{\"$numberDouble\": \"Infinity\"}", 921523596458303250},
    {"{\"$numberDecimal\": \"Infinity\"}", 921523596458303250},
    {"{\"$numberDecimal\": \"9223372036854775807.4\"}", 921523596458303250},
    {"{\"$numberDecimal\": \"9223372036854775807.9\"}", 921523596458303250},
    {"{\"$numberDecimal\": \"9223372036854775808\"}", 921523596458303250},
    {"{\"$numberDecimal\": \"1E20\"}", 921523596458303250},
    {"{\"$numberLong\": \"-9223372036854775808\"}", 4532067210535695462},
    {"-1.7e308", 4532067210535695462},
    {"9223372036854775808.0", 4532067210535695462},
    {"-9223372036854775808.0", 4532067210535695462},
    {"{\"$numberDouble\": \"-Infinity\"}", 4532067210535695462},
    {"{\"$numberDecimal\": \"-Infinity\"}", 4532067210535695462},
    {"{\"$numberDecimal\": \"-9223372036854775808\"}", 4532067210535695462},
    {"{\"$numberDecimal\": \"-9.9E99\"}", 4532067210535695462},
    {"null", 2338878944348059895},
    {"{\"$undefined\": true}", 40158834000849533},
    {"{\"$minKey\": 1}", 7961148599568647290},
    {"{\"$maxKey\": 1}", 5504842513779440750},
    {"\"abc\"", 8478485326885698097},
    {"{\"$symbol\": \"abc\"}", 8478485326885698097},
    {"\"\"", 2049396243249673340},
    {"true", 6405873908747105701},
    {"false", 6289544573401934092},
    {OID, -5588663249627035708},
    {"{\"$oid\": \"000000000000000000000000\"}", -4293118519463489418},
    {"{\"$date\": {\"$numberLong\": \"0\"}}", -1178696894582842035},
    {"{\"$date\": {\"$numberLong\": \"6153737367135073092\"}}", 4476222765095560467},
    {"{\"$timestamp\": {\"t\": 0, \"i\": 0}}", -7867208682377458672},
    {"{\"$timestamp\": {\"t\": 1432778632, \"i\": 287454020}}", 4873046866288452390},
    {"{}", 7980500913326740417},
    {"{\"a\": \"abc\", \"b\": {\"$numberLong\": \"123\"}}", 4771603801758380216},
    {"{\"a\": \"abc\", \"b\": 123}", 4771603801758380216},
    {"[]", 8849948234993459283},
    {"[\"bar\", \"baz\", \"qux\"]", -2938911267422831539},
    {"{\"$binary\": {\"base64\": \"AAECAwQG\", \"subType\": \"00\"}}", 7252465090394235301},
    {"{\"$binary\": {\"base64\": \"AAECAwQG\", \"subType\": \"80\"}}", 5736670452907618262},
    {"{\"$binary\": {\"base64\": \"AAECAwQFBgcICQoLDA0ODw==\", \"subType\": \"04\"}}", 6084661258071355978},
    {"{\"$regularExpression\": {\"pattern\": \"mongodb\", \"options\": \"\"}}", -7275792090268217043},
    {"{\"$regularExpression\": {\"pattern\": \".*\", \"options\": \"i\"}}", 7095855029187981886},
    {"{" CODE "}", 6861638109178014270},
    {"{" CODE ", \"$scope\": {\"c\": true}}", 501342939894575968},
    {"{\"$dbPointer\": {\"$ref\": \"c\", \"$id\": " OID "}}", 940175826736461384},
};

static void hashes_as_the_server(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(vectors); i++) {
        int64_t got = hash_of_json(vectors[i].value);
        if (got != vectors[i].hash)
            fail_msg("%s: got %" PRId64 ", want %" PRId64, vectors[i].value, got, vectors[i].hash);
    }
}

static void missing_is_as_null(void **state)
{
    (void)state;
    assert_true(key_hash_missing() == hash_of_json("null"));
}

/* A chunk [hash(something), hash(10)). */
static void routes_to_a_known_chunk(void **state)
{
    (void)state;
    const int64_t min = 4470791281878691347, max = 7766103514953448109;
    static const struct {
        const char *value;
        bool inside;
    } rows[] = {{"1", true}, {"15", true}, {"8", false}, {"10", false}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int64_t h = hash_of_json(rows[i].value);
        if ((min <= h && h < max) != rows[i].inside)
            fail_msg("%s: %" PRId64, rows[i].value, h);
    }
}

/* Names of inner fields take part, the name of the value itself does not. */
static void names_count_inside_only(void **state)
{
    (void)state;
    bson_t *doc = from_json("{\"a\": {\"x\": 1}, \"b\": {\"x\": 1}, \"c\": {\"y\": 1}}");
    int64_t hash[3];
    bson_iter_t it;
    struct err err = {0};
    assert_true(bson_iter_init(&it, doc));
    for (int i = 0; i < 3; i++)
        assert_true(bson_iter_next(&it) && key_hash_value(&it, &hash[i], &err));
    assert_true(hash[0] == hash[1]);
    assert_true(hash[0] != hash[2]);
    bson_destroy(doc);
}

static void refuses_damage_and_depth(void **state)
{
    (void)state;
    static const uint8_t inner_is_bad[] = {16, 0, 0, 0, 3, 'v', 0, 8, 0, 0, 0, 0x55, 'a', 0, 0, 0};
    bson_t doc;
    bson_iter_t it;
    int64_t hash = 7;
    struct err err = {0};
    assert_true(bson_init_static(&doc, inner_is_bad, sizeof inner_is_bad));
    assert_true(bson_iter_init_find(&it, &doc, "v"));
    assert_false(key_hash_value(&it, &hash, &err));
    assert_int_equal(err.cls, ERR_DATA);

    bson_t *nested = bson_new();
    for (int i = 0; i < 200; i++) {
        bson_t *outer = BCON_NEW("v", BCON_DOCUMENT(nested));
        bson_destroy(nested);
        nested = outer;
    }
    assert_true(bson_iter_init_find(&it, nested, "v"));
    assert_false(key_hash_value(&it, &hash, &err));
    assert_true(strstr(err.msg, "nested") != NULL);
    assert_int_equal(hash, 7);
    bson_destroy(nested);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_as_the_server),     cmocka_unit_test(missing_is_as_null),
        cmocka_unit_test(routes_to_a_known_chunk),  cmocka_unit_test(names_count_inside_only),
        cmocka_unit_test(refuses_damage_and_depth),
    };
    return cmocka_run_group_tests_name("key hash", tests, NULL, NULL);
}
