// SPDX-License-Identifier: Apache-2.0
/* What is shown is put together from parsed parts, never cut out of the text: of a password with '/', '@' or
 * '?' in it nobody knows where it ends. */
#include "migrations/mongo/uri.h"

#include "common/text.h"

#include <string.h>

enum { SELECTION_TIMEOUT_MS = 10 * 1000, SOCKET_TIMEOUT_MS = 60 * 1000 };

/* Options that tell which cluster is meant and hold no secret. */
static const char *const public_options[] = {"directConnection", "loadBalanced", "replicaSet",
                                             "srvServiceName",   "ssl",          "tls"};

/* The option's name as people write it, or NULL where it is not to be seen. libmongoc has it in lower case.
 */
static const char *public_name(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(public_options); i++)
        if (g_ascii_strcasecmp(public_options[i], name) == 0)
            return public_options[i];
    return NULL;
}

/* Drops what libmongoc would log: it may quote commands and options, and what matters comes back as an
 * error. */
static void drop_log(mongoc_log_level_t level, const char *domain, const char *message, void *data)
{
    (void)level;
    (void)domain;
    (void)message;
    (void)data;
}

/* An '@' that did not end a user's name stands in a password, or so it must be taken: then what was read as
 * host, database or option may be a part of that. */
static mongoc_uri_t *parse_sound(const char *text, bson_error_t *why)
{
    mongoc_log_set_handler(drop_log, NULL);
    g_autoptr(mongoc_uri_t) uri = mongoc_uri_new_with_error(text, why);
    const char *at = strchr(text, '@');
    if (uri == NULL || (at != NULL && (mongoc_uri_get_username(uri) == NULL || strchr(at + 1, '@') != NULL)))
        return NULL;
    return g_steal_pointer(&uri);
}

/* libmongoc's own reason quotes what it could not read; it is passed on only where nothing is secret. */
static bool refuse(const char *text, const bson_error_t *why, struct err *err)
{
    if (!g_str_has_prefix(text, "mongodb://") && !g_str_has_prefix(text, "mongodb+srv://"))
        return err_set(
            err, ERR_USAGE,
            "the URI does not begin with mongodb:// or mongodb+srv://; give that of a mongos, like "
            "mongodb://localhost:27017");
    g_autofree char *lower = g_ascii_strdown(text, -1);
    bool harmless = strchr(text, '@') == NULL && strchr(text, '%') == NULL && strstr(lower, "pass") == NULL &&
                    strstr(lower, "auth") == NULL;
    if (harmless && why->message[0] != '\0')
        return err_set(err, ERR_USAGE, "the URI cannot be read: %s", why->message);
    return err_set(err, ERR_USAGE,
                   "the URI cannot be read; in user and password the characters : / ? # [ ] @ %% must be "
                   "percent-encoded, like p%%40ss for p@ss");
}

bool uri_parse(const char *text, mongoc_uri_t **ret, struct err *err)
{
    bson_error_t why = {0};
    g_autoptr(mongoc_uri_t) uri = parse_sound(text, &why);
    if (uri == NULL)
        return refuse(text, &why, err);
    if (mongoc_uri_get_appname(uri) == NULL)
        mongoc_uri_set_appname(uri, "evenkeel");
    if (!mongoc_uri_has_option(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS))
        mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, SELECTION_TIMEOUT_MS);
    if (!mongoc_uri_has_option(uri, MONGOC_URI_CONNECTTIMEOUTMS))
        mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, SELECTION_TIMEOUT_MS);
    if (!mongoc_uri_has_option(uri, MONGOC_URI_SOCKETTIMEOUTMS))
        mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, SOCKET_TIMEOUT_MS);
    *ret = g_steal_pointer(&uri);
    return true;
}

static void append_hosts(GString *out, const mongoc_uri_t *uri)
{
    const char *srv = mongoc_uri_get_srv_hostname(uri);
    g_string_append(out, srv != NULL ? "mongodb+srv://" : "mongodb://");
    if (srv != NULL)
        text_append_escaped(out, srv, -1);
    const mongoc_host_list_t *hosts = srv != NULL ? NULL : mongoc_uri_get_hosts(uri);
    for (const mongoc_host_list_t *h = hosts; h != NULL; h = h->next) {
        if (h != hosts)
            g_string_append_c(out, ',');
        text_append_escaped(out, h->host_and_port, -1);
    }
}

static void append_options(GString *out, const mongoc_uri_t *uri)
{
    bson_iter_t it;
    const char *mark = "/?";
    if (!bson_iter_init(&it, mongoc_uri_get_options(uri)))
        return;
    while (bson_iter_next(&it)) {
        const char *name = public_name(bson_iter_key(&it));
        if (name == NULL)
            continue;
        g_string_append_printf(out, "%s%s=", mark, name);
        if (BSON_ITER_HOLDS_UTF8(&it))
            text_append_escaped(out, bson_iter_utf8(&it, NULL), -1);
        else
            g_string_append(out, bson_iter_as_bool(&it) ? "true" : "false");
        mark = "&";
    }
}

char *uri_shown_parsed(const mongoc_uri_t *uri)
{
    GString *out = g_string_new(NULL);
    append_hosts(out, uri);
    append_options(out, uri);
    return g_string_free(out, FALSE);
}

char *uri_shown(const char *text)
{
    bson_error_t why;
    g_autoptr(mongoc_uri_t) uri = parse_sound(text, &why);
    if (uri != NULL)
        return uri_shown_parsed(uri);
    return g_strdup(g_str_has_prefix(text, "mongodb+srv://") ? "mongodb+srv://***" : "mongodb://***");
}
