// SPDX-License-Identifier: Apache-2.0
#include "migrations/mongo/replication_lag.h"

#include "migrations/mongo/uri.h"

#include <string.h>

enum { WAIT_MS = 2000 };

/* Letters of host names, addresses, ports and set names: nothing that would be an option or a login in a URI.
 */
static bool is_plain(const char *s)
{
    return s[0] != '\0' &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[],") == strlen(s);
}

static void copy_text(mongoc_uri_t *to, const mongoc_uri_t *from, const char *option)
{
    const char *text = mongoc_uri_get_option_as_utf8(from, option, NULL);
    if (text != NULL)
        mongoc_uri_set_option_as_utf8(to, option, text);
}

static void copy_flag(mongoc_uri_t *to, const mongoc_uri_t *from, const char *option)
{
    if (mongoc_uri_has_option(from, option))
        mongoc_uri_set_option_as_bool(to, option, mongoc_uri_get_option_as_bool(from, option, false));
}

static void copy_tls(mongoc_uri_t *to, const mongoc_uri_t *from)
{
    static const char *const texts[] = {MONGOC_URI_TLSCAFILE, MONGOC_URI_TLSCERTIFICATEKEYFILE,
                                        MONGOC_URI_TLSCERTIFICATEKEYFILEPASSWORD};
    static const char *const flags[] = {
        MONGOC_URI_TLSALLOWINVALIDCERTIFICATES, MONGOC_URI_TLSALLOWINVALIDHOSTNAMES, MONGOC_URI_TLSINSECURE,
        MONGOC_URI_TLSDISABLECERTIFICATEREVOCATIONCHECK, MONGOC_URI_TLSDISABLEOCSPENDPOINTCHECK};
    if (!mongoc_uri_get_tls(from))
        return;
    mongoc_uri_set_option_as_bool(to, MONGOC_URI_TLS, true);
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        copy_text(to, from, texts[i]);
    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
        copy_flag(to, from, flags[i]);
}

static bool shard_uri(const char *cluster, const char *hosts, mongoc_uri_t **ret, struct err *err)
{
    g_autoptr(mongoc_uri_t) of_cluster = NULL;
    g_auto(GStrv) parts = g_strsplit(hosts, "/", -1);
    if (g_strv_length(parts) != 2 || !is_plain(parts[0]) || !is_plain(parts[1]))
        return err_set(err, ERR_DATA, "'%s' is not the hosts of a replica set; look at config.shards", hosts);
    if (!uri_parse(cluster, &of_cluster, err))
        return false;
    g_autofree char *text = g_strdup_printf("mongodb://%s/?replicaSet=%s", parts[1], parts[0]);
    if (!uri_parse(text, ret, err))
        return false;
    copy_tls(*ret, of_cluster);
    mongoc_uri_set_option_as_int32(*ret, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, WAIT_MS);
    mongoc_uri_set_option_as_int32(*ret, MONGOC_URI_CONNECTTIMEOUTMS, WAIT_MS);
    return true;
}

/* When its last write was made, milliseconds since 1970; -1: it does not say. */
static int64_t last_write(const mongoc_server_description_t *d)
{
    bson_iter_t it, at;
    const bson_t *hello = mongoc_server_description_hello_response(d);
    if (!bson_iter_init(&it, hello) || !bson_iter_find_descendant(&it, "lastWrite.lastWriteDate", &at) ||
        !BSON_ITER_HOLDS_DATE_TIME(&at))
        return -1;
    return bson_iter_date_time(&at);
}

static bool is_a(const mongoc_server_description_t *d, const char *type)
{
    return strcmp(mongoc_server_description_type(d), type) == 0;
}

static void find_furthest(mongoc_server_description_t *const *all, size_t n, int64_t *ret_ms,
                          char **ret_member)
{
    int64_t primary = -1;
    *ret_ms = 0;
    *ret_member = NULL;
    for (size_t i = 0; i < n; i++)
        if (is_a(all[i], "RSPrimary"))
            primary = last_write(all[i]);
    for (size_t i = 0; i < n; i++) {
        const int64_t at = is_a(all[i], "RSSecondary") || is_a(all[i], "RSOther") ? last_write(all[i]) : -1;
        const int64_t behind = MAX(primary - at, 0);
        if (at < 0 || (*ret_member != NULL && behind <= *ret_ms))
            continue;
        *ret_ms = behind;
        g_free(*ret_member);
        *ret_member =
            g_strdup(mongoc_server_description_host((mongoc_server_description_t *)all[i])->host_and_port);
    }
}

static bool ask(mongoc_client_t *client, const char *hosts, int64_t *ret_ms, char **ret_member,
                struct err *err)
{
    bson_error_t error = {0};
    size_t n = 0;
    mongoc_server_description_t *primary = mongoc_client_select_server(client, true, NULL, &error);
    if (primary == NULL)
        return err_set(
            err, ERR_UNAVAILABLE,
            "the replication lag of %s cannot be told, since its primary cannot be reached from here: %s",
            hosts, error.message);
    const int64_t at = last_write(primary);
    mongoc_server_description_destroy(primary);
    if (at < 0)
        return err_set(err, ERR_UNAVAILABLE, "the primary of %s does not tell its last write", hosts);
    mongoc_server_description_t **all = mongoc_client_get_server_descriptions(client, &n);
    find_furthest(all, n, ret_ms, ret_member);
    mongoc_server_descriptions_destroy_all(all, n);
    return true;
}

bool replication_lag(const char *uri, const char *hosts, int64_t *ret_ms, char **ret_member, struct err *err)
{
    bson_error_t error = {0};
    g_autoptr(mongoc_uri_t) parsed = NULL;
    mongoc_init();
    if (!shard_uri(uri, hosts, &parsed, err))
        return false;
    mongoc_client_t *client = mongoc_client_new_from_uri_with_error(parsed, &error);
    if (client == NULL)
        return err_set(err, ERR_UNAVAILABLE, "no client for %s: %s", hosts, error.message);
    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    bool told = ask(client, hosts, ret_ms, ret_member, err);
    mongoc_client_destroy(client);
    return told;
}
