// SPDX-License-Identifier: Apache-2.0
/* From a reply to its class: by its code, and where the code says little, by its text. */
#include "migrations/mongo/error_private.h"

#include <glib.h>
#include <limits.h>
#include <mongoc/mongoc.h>
#include <string.h>

enum { TEXT_MAX = 64 * 1024, NAME_MAX_BYTES = 64 };

const char *error_verdict_text(enum error_verdict v)
{
    static const char *const texts[VERDICT_COUNT] = {"",      "soon",       "round", "split",
                                                     "chunk", "collection", "stop"};
    return v < VERDICT_COUNT ? texts[v] : "";
}

static const struct error_row *find_code(int code)
{
    for (size_t i = 0; i < n_error_rows; i++)
        if (error_rows[i].code == code)
            return &error_rows[i];
    return NULL;
}

static const struct error_row *find_name(const char *name)
{
    for (size_t i = 0; i < n_error_rows; i++)
        if (strcmp(error_rows[i].name, name) == 0)
            return &error_rows[i];
    for (size_t i = 0; i < n_error_aliases; i++)
        if (strcmp(error_aliases[i].name, name) == 0)
            return find_code(error_aliases[i].code);
    return NULL;
}

const struct error_class *error_class_of(int code, enum error_command of, const char **ret_name)
{
    const struct error_row *row = find_code(code);
    if (row == NULL)
        row = &error_unknown;
    if (ret_name != NULL)
        *ret_name = row->name;
    return &row->class[of];
}

/* Those whose text says more than their code. */
static bool is_wrapper(int code)
{
    return code == 0 || code == CODE_OPERATION_FAILED || code == CODE_COMMAND_FAILED;
}

/* The innermost code that the text names, as in "OperationFailed: Data transfer error: OutOfDiskSpace: ...":
 * the last word before a colon that is the name of a code, wrappers aside. NULL: none. */
static const struct error_row *find_inner(const char *text, size_t len)
{
    const struct error_row *found = NULL;
    size_t start = 0;
    for (size_t i = 0; i < len; i++) {
        if (g_ascii_isalnum(text[i]))
            continue;
        if (text[i] == ':' && i > start && i - start < NAME_MAX_BYTES) {
            char word[NAME_MAX_BYTES];
            memcpy(word, text + start, i - start);
            word[i - start] = '\0';
            const struct error_row *row = find_name(word);
            if (row != NULL && !is_wrapper(row->code))
                found = row;
        }
        start = i + 1;
    }
    return found;
}

static const struct error_class *find_text(int code, const char *lower, enum error_command of)
{
    for (size_t i = 0; i < n_error_texts; i++) {
        const struct error_text *t = &error_texts[i];
        if ((t->code == TEXT_WRAPPER ? !is_wrapper(code) : t->code != code) ||
            strstr(lower, t->says) == NULL || (t->and != NULL && strstr(lower, t->and) == NULL))
            continue;
        return t->as != 0 ? error_class_of(t->as, of, NULL) : &t->class;
    }
    return NULL;
}

/* The class of a code and a text. A wrapper with a code never tells whether the migration was committed,
 * whatever it wraps. */
static struct error_class classify(int code, const char *text, enum error_command of, const char **ret_name)
{
    const struct error_class *by_code = error_class_of(code, of, ret_name), *found = NULL;
    gsize len = strnlen(text, TEXT_MAX);
    g_autofree char *lower = g_ascii_strdown(text, (gssize)len);
    const struct error_row *inner = is_wrapper(code) ? find_inner(text, len) : NULL;
    found = inner != NULL ? &inner->class[of] : find_text(code, lower, of);
    struct error_class class = found != NULL ? *found : *by_code;
    if (code != 0 && is_wrapper(code))
        class.unknown = true;
    if (of == ERROR_OF_SPLIT)
        class.drop_recipient = false;
    return class;
}

/* 0: it has none that a server would send. */
static int code_in(const bson_t *doc)
{
    bson_iter_t it;
    if (!bson_iter_init_find(&it, doc, "code") || !BSON_ITER_HOLDS_NUMBER(&it))
        return 0;
    if (BSON_ITER_HOLDS_DOUBLE(&it)) {
        double d = bson_iter_double(&it);
        return d > 0 && d <= INT_MAX ? (int)d : 0;
    }
    int64_t code = bson_iter_as_int64(&it);
    return code > 0 && code <= INT_MAX ? (int)code : 0;
}

static const char *text_in(const bson_t *doc)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, "errmsg") && BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL)
                                                                                : NULL;
}

static bool concern_of(const bson_t *reply, bson_t *ret)
{
    bson_iter_t it;
    uint32_t len;
    const uint8_t *data;
    if (!bson_iter_init_find(&it, reply, "writeConcernError") || !BSON_ITER_HOLDS_DOCUMENT(&it))
        return false;
    bson_iter_document(&it, &len, &data);
    return bson_init_static(ret, data, len);
}

/* Sets `ok`; false: the reply does not say, so that it is none of a server. */
static bool says_ok(const bson_t *reply, bool *ok)
{
    bson_iter_t it;
    if (reply == NULL || !bson_iter_init_find(&it, reply, "ok"))
        return false;
    *ok = bson_iter_as_bool(&it);
    return true;
}

/* What the driver says of a command that got no reply. Nothing was sent where no server was found. */
static const struct error_row *row_of_driver(const bson_error_t *error)
{
    switch (error->domain) {
    case MONGOC_ERROR_STREAM:
        return &error_lost;
    case MONGOC_ERROR_SERVER_SELECTION:
        return &error_unsent;
    case MONGOC_ERROR_SASL:
    case MONGOC_ERROR_SCRAM:
        return &error_login;
    case MONGOC_ERROR_CLIENT:
        return error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE ? &error_login : &error_unknown;
    case MONGOC_ERROR_BSON:
        return &error_malformed;
    case MONGOC_ERROR_COMMAND:
        return error->code == MONGOC_ERROR_COMMAND_INVALID_ARG ? &error_malformed : &error_unknown;
    default:
        return &error_unknown;
    }
}

static void see_driver(const bson_error_t *error, enum error_command of, struct error_seen *ret)
{
    static const bson_error_t silent = {.message = "no reply"};
    if (error == NULL || error->domain == 0)
        error = &silent;
    ret->message = error->message;
    ret->code_name = "";
    /* libmongoc gives its own number to a reply without a code */
    bool server = error->domain == MONGOC_ERROR_SERVER && error->code != MONGOC_ERROR_QUERY_FAILURE;
    ret->code = server && error->code <= INT_MAX ? (int)error->code : 0;
    if (ret->code != 0 || error->domain == MONGOC_ERROR_SERVER)
        ret->class = classify(ret->code, ret->message, of, &ret->code_name);
    else
        ret->class = row_of_driver(error)->class[of];
}

/* It was carried out, but perhaps not by as many as asked for. */
static void see_concern(const bson_t *concern, enum error_command of, struct error_seen *ret)
{
    const char *text = text_in(concern);
    ret->code = code_in(concern);
    ret->message = text != NULL ? text : "writeConcernError";
    ret->class = classify(ret->code, ret->message, of, &ret->code_name);
    ret->class.unknown = true;
}

void error_see(const bson_t *reply, const bson_error_t *error, enum error_command of, struct error_seen *ret)
{
    bson_t concern;
    bool ok = false;
    *ret = (struct error_seen){.code_name = "", .message = "", .class = error_none.class[of]};
    bool said = says_ok(reply, &ok), failed = error != NULL && error->domain != 0;
    if (ok && concern_of(reply, &concern)) {
        see_concern(&concern, of, ret);
    } else if (!said || (ok && failed)) { /* the driver did not take it for a success */
        see_driver(error, of, ret);
    } else if (!ok) {
        const char *text = text_in(reply);
        ret->code = code_in(reply);
        ret->message = text != NULL ? text : "no message";
        ret->class = classify(ret->code, ret->message, of, &ret->code_name);
    }
}
