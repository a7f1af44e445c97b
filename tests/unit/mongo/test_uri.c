// SPDX-License-Identifier: Apache-2.0
/* What of a URI may be seen. */
#include "migrations/mongo/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Every password here holds this. */
#define SECRET "s3cret"

static const struct {
    const char *name, *uri, *want;
    bool sound;
} rows[] = {
    {"plain", "mongodb://localhost:27017", "mongodb://localhost:27017", true},
    {"default port", "mongodb://db1.example.com", "mongodb://db1.example.com:27017", true},
    {"credentials", "mongodb://admin:" SECRET "@h:1", "mongodb://h:1", true},
    {"user only", "mongodb://" SECRET "@h:1", "mongodb://h:1", true},
    {"encoded", "mongodb://admin:" SECRET "%40%2F%3A@h:1/admin", "mongodb://h:1", true},
    {"several hosts", "mongodb://a:" SECRET "@h1:1,h2:2,h3/?replicaSet=rs0",
     "mongodb://h1:1,h2:2,h3:27017/?replicaSet=rs0", true},
    {"IPv6", "mongodb://u:" SECRET "@[::1]:27018/", "mongodb://[::1]:27018", true},
    {"srv", "mongodb+srv://u:" SECRET "@cluster.example.com/?tls=true",
     "mongodb+srv://cluster.example.com/?tls=true", true},
    {"secret options",
     "mongodb://h:1/?tls=true&tlsCertificateKeyFile=/k.pem&tlsCertificateKeyFilePassword=" SECRET
     "&authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:" SECRET,
     "mongodb://h:1/?tls=true", true},
    {"database and appname are not shown",
     "mongodb://u:" SECRET "@h:1/" SECRET "?appname=" SECRET "&authSource=" SECRET, "mongodb://h:1", true},
    {"public options", "mongodb://h:1/?directConnection=true&loadBalanced=false",
     "mongodb://h:1/?directConnection=true&loadBalanced=false", true},
    {"unescaped @", "mongodb://u:" SECRET "@x@h:1", "mongodb://***", false},
    {"unescaped / after digits", "mongodb://u:12/" SECRET "@h:1", "mongodb://***", false},
    {"unescaped /", "mongodb://u:" SECRET "/x@h:1", "mongodb://***", false},
    {"unescaped ?", "mongodb://u:12/?" SECRET "@h:1", "mongodb://***", false},
    {"unescaped :", "mongodb://u:a:" SECRET "@h:1", "mongodb://***", false},
    {"unescaped %", "mongodb://u:" SECRET "%zz@h:1", "mongodb://***", false},
    {"bad port", "mongodb://h:" SECRET, "mongodb://***", false},
    {"bad srv", "mongodb+srv://u:" SECRET "@h:1", "mongodb+srv://***", false},
    {"another scheme", "https://u:" SECRET "@h", "mongodb://***", false},
    {"no scheme", "u:" SECRET "@h", "mongodb://***", false},
    {"empty", "", "mongodb://***", false},
};

static void hides(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = uri_shown(rows[i].uri);
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s: '%s', not '%s'", rows[i].name, got, rows[i].want);
    }
}

static void refuses_without_repeating(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(mongoc_uri_t) uri = NULL;
        struct err err = {0};
        bool sound = uri_parse(rows[i].uri, &uri, &err);
        if (sound != rows[i].sound || sound != (err.cls == ERR_NONE))
            fail_msg("%s: %s", rows[i].name, err.msg);
        if (!sound && err.cls != ERR_USAGE)
            fail_msg("%s: class %d", rows[i].name, (int)err.cls);
        if (strstr(rows[i].uri, "@") != NULL && strstr(err.msg, SECRET) != NULL)
            fail_msg("%s: shows the secret: %s", rows[i].name, err.msg);
    }
}

static const struct {
    const char *name, *uri;
    int32_t selection, socket;
    const char *appname;
} defaults[] = {
    {"none given", "mongodb://h", 10000, 60000, "evenkeel"},
    {"given ones stay", "mongodb://h/?serverSelectionTimeoutMS=7&socketTimeoutMS=8&appname=x", 7, 8, "x"},
};

static void gives_defaults(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(defaults); i++) {
        g_autoptr(mongoc_uri_t) uri = NULL;
        struct err err = {0};
        if (!uri_parse(defaults[i].uri, &uri, &err))
            fail_msg("%s: %s", defaults[i].name, err.msg);
        assert_int_equal(mongoc_uri_get_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, -1),
                         defaults[i].selection);
        assert_int_equal(mongoc_uri_get_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, -1),
                         defaults[i].socket);
        assert_string_equal(mongoc_uri_get_appname(uri), defaults[i].appname);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hides),
        cmocka_unit_test(refuses_without_repeating),
        cmocka_unit_test(gives_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
