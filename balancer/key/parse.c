// SPDX-License-Identifier: Apache-2.0
/* Reading Extended JSON from a command line. libbson does the reading; before that the text is looked through
 * for what libbson passes over: a second value behind the first, numbers that do not fit, words like NaN. */
#include "balancer/key/show.h"

#include <string.h>

enum {
    NESTING_MAX = 90, /* libbson stops at 100 */
    SHOWN_MAX = 60    /* of the text in an error message */
};

static const char white_space[] = " \t\r\n";

/* Moves behind a string's closing quote; false where there is none. */
static bool skip_string(const char **p)
{
    const char *s = *p + 1;
    while (*s != '"' && *s != '\0')
        s += *s == '\\' && s[1] != '\0' ? 2 : 1;
    if (*s == '\0')
        return false;
    *p = s + 1;
    return true;
}

static const char *skip_digits(const char *s)
{
    return s + strspn(s, "0123456789");
}

/* A word outside of strings: true, false, null, or a number that we can hold. NULL: it is right. */
static const char *check_word(const char *word)
{
    const char *s = word + (*word == '-' ? 1 : 0);
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0 || strcmp(word, "null") == 0)
        return NULL;
    const char *after = skip_digits(s);
    if (after == s || (*s == '0' && after > s + 1))
        return "it is neither a number nor true, false or null";
    if (*after == '\0')
        return g_ascii_string_to_signed(word, 10, G_MININT64, G_MAXINT64, NULL, NULL)
                   ? NULL
                   : "it does not fit 64 bits; write {\"$numberDecimal\": \"...\"}";
    if (*after == '.') {
        s = after + 1;
        after = skip_digits(s);
        if (after == s)
            return "digits are missing";
    }
    if (*after == 'e' || *after == 'E') {
        s = after + (after[1] == '+' || after[1] == '-' ? 2 : 1);
        after = skip_digits(s);
        if (after == s)
            return "digits are missing";
    }
    return *after == '\0' ? NULL : "it is not a number";
}

static bool check_next_word(const char **p, GString *why)
{
    gsize len = strcspn(*p, " \t\r\n,:[]{}\"");
    g_autofree char *word = g_strndup(*p, len);
    const char *fault = check_word(word);
    if (fault != NULL)
        g_string_printf(why, "at '%.40s': %s", word, fault);
    *p += len;
    return fault == NULL;
}

/* Finds the end of the one value that begins at `p`; how brackets and commas follow each other is libbson's
 * concern. NULL: `why` says what is wrong. */
static const char *find_end(const char *p, GString *why)
{
    unsigned depth = 0;
    do {
        p += strspn(p, white_space);
        if (*p == '\0') {
            g_string_assign(why, depth > 0 ? "a bracket is not closed" : "there is nothing to read");
            return NULL;
        }
        if (*p == '"') {
            if (!skip_string(&p)) {
                g_string_assign(why, "a string is not closed");
                return NULL;
            }
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']' || *p == ',' || *p == ':') {
            if (depth == 0) {
                g_string_printf(why, "'%c' where a value should begin", *p);
                return NULL;
            }
            depth -= *p == '}' || *p == ']' ? 1 : 0;
            p++;
        } else if (!check_next_word(&p, why)) {
            return NULL;
        }
        if (depth > NESTING_MAX) {
            g_string_printf(why, "nested more than %d deep", (int)NESTING_MAX);
            return NULL;
        }
    } while (depth > 0);
    return p;
}

static bool check_text(const char *json, GString *why)
{
    if (!g_utf8_validate(json, -1, NULL)) {
        g_string_assign(why, "it is not UTF-8");
        return false;
    }
    const char *end = find_end(json, why);
    if (end == NULL)
        return false;
    end += strspn(end, white_space);
    if (*end != '\0')
        g_string_printf(why, "something follows the value: '%.40s'", end);
    return *end == '\0';
}

/* Reads a text that check_text() has passed. */
static bool read_json(const char *json, bson_t *ret, GString *why)
{
    bson_error_t error;
    if (!bson_init_from_json(ret, json, -1, &error)) {
        g_string_assign(why, error.message);
        return false;
    }
    if (bson_validate(ret, BSON_VALIDATE_UTF8 | BSON_VALIDATE_UTF8_ALLOW_NULL, NULL))
        return true;
    bson_destroy(ret);
    g_string_assign(why, "it holds text that BSON cannot");
    return false;
}

/* The beginning of the text, for an error message. */
static char *shown(const char *json)
{
    if (!g_utf8_validate(json, -1, NULL) || g_utf8_strlen(json, -1) <= SHOWN_MAX)
        return g_strndup(json, (gsize)SHOWN_MAX * 4);
    g_autofree char *start = g_utf8_substring(json, 0, SHOWN_MAX);
    return g_strconcat(start, "...", NULL);
}

bool key_parse_doc(const char *json, bson_t *ret, struct err *err)
{
    g_autoptr(GString) why = g_string_new(NULL);
    const char *start = json + strspn(json, white_space);
    bool ok = check_text(json, why);
    if (ok && *start != '{') {
        g_string_assign(why, "it does not begin with '{'");
        ok = false;
    }
    if (ok && read_json(json, ret, why))
        return true;
    g_autofree char *text = shown(json);
    return err_set(
        err, ERR_USAGE,
        "'%s' is not a document in Extended JSON: %s; names and strings stand in double quotes, as in "
        "{\"region\": \"EU\"}",
        text, why->str);
}

bool key_parse_value(const char *json, bson_t *ret, struct err *err)
{
    g_autoptr(GString) why = g_string_new(NULL);
    g_autofree char *doc = g_strconcat("{\"v\": ", json, "}", NULL);
    if (check_text(json, why) && read_json(doc, ret, why))
        return true;
    g_autofree char *text = shown(json);
    return err_set(
        err, ERR_USAGE,
        "'%s' is not a value in Extended JSON: %s; a string needs its double quotes, as in '\"abc\"'", text,
        why->str);
}
