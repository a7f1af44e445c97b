// SPDX-License-Identifier: Apache-2.0
#include "balancer/key/show.h"
#include "balancer/watch/http_private.h"
#include "common/globs.h"

#include <string.h>

enum { NS_MAX = 100, REASON_MAX = 1000 };

void ask_body_clear(struct ask_body *b)
{
    if (b->ns != NULL)
        g_ptr_array_unref(b->ns);
    g_free(b->reason);
    *b = (struct ask_body){0};
}

static bool take_bool(const bson_iter_t *it, bool *ret, struct err *err)
{
    if (!BSON_ITER_HOLDS_BOOL(it))
        return err_set(err, ERR_USAGE, "'%s' must be true or false", bson_iter_key(it));
    *ret = bson_iter_bool(it);
    return true;
}

static bool take_text(const bson_iter_t *it, char **ret, struct err *err)
{
    uint32_t len = 0;
    const char *text = BSON_ITER_HOLDS_UTF8(it) ? bson_iter_utf8(it, &len) : NULL;
    if (text == NULL || len > REASON_MAX || strlen(text) != len || !g_utf8_validate(text, (gssize)len, NULL))
        return err_set(err, ERR_USAGE, "'%s' must be a text of at most %d bytes", bson_iter_key(it),
                       REASON_MAX);
    *ret = g_strdup(text);
    return true;
}

static bool take_globs(const bson_iter_t *it, GPtrArray **ret, struct err *err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(globs) judge = globs_new();
    bson_iter_t in;
    if (!BSON_ITER_HOLDS_ARRAY(it) || !bson_iter_recurse(it, &in))
        return err_set(err, ERR_USAGE, "'%s' must be an array of names", bson_iter_key(it));
    while (bson_iter_next(&in)) {
        char *name = NULL;
        if (names->len == NS_MAX)
            return err_set(err, ERR_USAGE, "'%s' has more than %d names", bson_iter_key(it), NS_MAX);
        if (!take_text(&in, &name, err))
            return err_wrap(err, "%s", bson_iter_key(it));
        g_ptr_array_add(names, name);
        if (!globs_add(judge, name, err))
            return err_wrap(err, "%s", bson_iter_key(it));
    }
    *ret = names->len == 0 ? NULL : g_steal_pointer(&names);
    return true;
}

static bool take_field(const bson_iter_t *it, bool for_round, struct ask_body *b, struct err *err)
{
    const char *key = bson_iter_key(it);
    if (strcmp(key, "reason") == 0 && b->reason == NULL)
        return take_text(it, &b->reason, err);
    if (for_round && strcmp(key, "ignoreWindow") == 0)
        return take_bool(it, &b->ignore_window, err);
    if (for_round && strcmp(key, "dryRun") == 0)
        return take_bool(it, &b->dry_run, err);
    if (for_round && strcmp(key, "ns") == 0 && b->ns == NULL)
        return take_globs(it, &b->ns, err);
    return err_set(err, ERR_USAGE, "'%s' is not known here, or given twice; there is %s", key,
                   for_round ? "ignoreWindow, dryRun, ns and reason" : "reason");
}

bool ask_body_parse(const char *text, size_t len, bool for_round, struct ask_body *ret, struct err *err)
{
    g_autofree char *json = g_strndup(text, len);
    struct ask_body b = {0};
    bson_t doc;
    bson_iter_t it;
    bool fine = true;
    g_strstrip(json);
    if (strlen(json) == 0 || *json != '{' || memchr(text, '\0', len) != NULL)
        return err_set(err, ERR_USAGE, "the body must be a JSON object, at least {}");
    if (!key_parse_doc(json, &doc, err))
        return false;
    bson_iter_init(&it, &doc);
    while (fine && bson_iter_next(&it))
        fine = take_field(&it, for_round, &b, err);
    bson_destroy(&doc);
    if (!fine)
        ask_body_clear(&b);
    else
        *ret = b;
    return fine;
}
