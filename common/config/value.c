// SPDX-License-Identifier: Apache-2.0
/* What each type of value accepts. A fault names the key and the value, says why, and shows how to write it.
 */
#include "common/config/read.h"
#include "common/nearest.h"

#include "common/globs.h"
#include "common/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One value being read: the arguments of value_read(). */
struct value {
    const struct config_key *key;
    const struct yaml_node *node;
    const char *path;
    void *field;
    struct faults *faults;
};

char *value_shown(const char *text)
{
    if (strstr(text, "://") != NULL || strchr(text, '@') != NULL)
        return g_strdup("(hidden)");
    if (g_utf8_strlen(text, -1) <= 60)
        return g_strdup(text);
    g_autofree char *start = g_utf8_substring(text, 0, 57);
    return g_strconcat(start, "...", NULL);
}

/* Adds "path: ..." at the value's place. Returns false. */
static bool G_GNUC_PRINTF(2, 3) refuse(const struct value *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    faults_add(v->faults, v->node->line, v->node->column, "%s: %s", v->path, text);
    return false;
}

/* The same with the message of a parser below. */
static bool refuse_err(const struct value *v, const struct err *err)
{
    return refuse(v, "%s", err->msg);
}

static bool reads_as_bool(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

/* YAML 1.1's yes and on are refused, and so is a quoted word: it would be text to every other reader. */
static bool read_bool(const struct value *v)
{
    const char *text = v->node->text;
    bool value = strcmp(text, "true") == 0;
    g_autofree char *shown = value_shown(text);
    if (!reads_as_bool(text))
        return refuse(v, "'%s' is not true or false", shown);
    if (!v->node->plain)
        return refuse(v, "text where true or false is wanted; write %s without quotes", shown);
    *(bool *)v->field = value;
    return true;
}

static bool read_int(const struct value *v)
{
    struct err err = {0};
    int64_t x;
    if (!v->node->plain)
        return refuse(v, "text where a whole number is wanted; write it without quotes");
    if (!text_parse_int(v->node->text, (int64_t)v->key->min, (int64_t)v->key->max, &x, &err))
        return refuse_err(v, &err);
    *(int64_t *)v->field = x;
    return true;
}

/* Locale-independent; what the C library reads beside decimals (hexadecimal, infinities) is refused. */
static bool read_number(const struct value *v)
{
    const char *text = v->node->text;
    g_autofree char *shown = value_shown(text);
    if (!v->node->plain)
        return refuse(v, "text where a number is wanted; write it without quotes");
    if (!yaml_is_number(text) || strspn(text, "+-.0123456789eE") != strlen(text))
        return refuse(v, "'%s' is not a number; write it like 2 or 0.5", shown);
    double x = g_ascii_strtod(text, NULL);
    if (!isfinite(x) || x < v->key->min || x > v->key->max) {
        char min[G_ASCII_DTOSTR_BUF_SIZE], max[G_ASCII_DTOSTR_BUF_SIZE];
        g_ascii_formatd(min, sizeof min, "%.10g", v->key->min);
        g_ascii_formatd(max, sizeof max, "%.10g", v->key->max);
        return refuse(v, "%s is out of range; it must be from %s to %s", shown, min, max);
    }
    *(double *)v->field = x;
    return true;
}

static bool read_bytes(const struct value *v)
{
    struct err err = {0};
    int64_t x;
    if (!text_parse_bytes(v->node->text, &x, &err))
        return refuse_err(v, &err);
    if ((double)x < v->key->min || (double)x > v->key->max) {
        g_autofree char *min = text_bytes((int64_t)v->key->min);
        g_autofree char *max = text_bytes((int64_t)v->key->max);
        return refuse(v, "'%s' is out of range; it must be from %s to %s", v->node->text, min, max);
    }
    *(int64_t *)v->field = x;
    return true;
}

static bool read_duration(const struct value *v)
{
    struct err err = {0};
    int64_t x;
    if (!text_parse_duration(v->node->text, &x, &err))
        return refuse_err(v, &err);
    if ((double)x < v->key->min || (double)x > v->key->max) {
        g_autofree char *min = text_duration(v->key->min / 1000);
        g_autofree char *max = text_duration(v->key->max / 1000);
        return refuse(v, "'%s' is out of range; it must be from %s to %s", v->node->text, min, max);
    }
    *(int64_t *)v->field = x;
    return true;
}

/* The index of a word in the list; -1, with a fault, where it is not in it. */
static int word_index(const struct value *v, const char *text, char **words)
{
    guint n = g_strv_length(words);
    for (guint i = 0; i < n; i++) {
        if (strcmp(words[i], text) == 0)
            return (int)i;
    }
    g_autofree char *shown = value_shown(text);
    const char *near = nearest_word(text, (const char *const *)words, n);
    g_autofree char *all = g_strjoinv(", ", words);
    if (near != NULL)
        refuse(v, "'%s' is not known; did you mean '%s'? (one of: %s)", shown, near, all);
    else
        refuse(v, "'%s' is not known; use one of: %s", shown, all);
    return -1;
}

static bool read_enum(const struct value *v)
{
    g_auto(GStrv) words = g_strsplit(v->key->words, "|", -1);
    int at = word_index(v, v->node->text, words);
    if (at < 0)
        return false;
    /* Every enum of config.h starts at 0 and is as large as an unsigned number. */
    unsigned value = (unsigned)at;
    G_STATIC_ASSERT(sizeof(enum config_policy) == sizeof value);
    memcpy(v->field, &value, sizeof value);
    return true;
}

static bool store_text(const struct value *v, const char *text)
{
    g_free(*(char **)v->field);
    *(char **)v->field = g_strdup(text);
    return true;
}

/* A plain scalar that YAML reads as a number or a truth value is not text, although it could be kept as such.
 */
static bool read_text(const struct value *v)
{
    const char *text = v->node->text;
    if (v->node->plain && (reads_as_bool(text) || yaml_is_number(text)))
        return refuse(v, "%s is not text; put it in quotes if it is meant", text);
    return store_text(v, text);
}

/* Only a key whose default is empty may be empty. `max` limits the bytes: a socket's address has room for
 * 107. */
static bool read_path(const struct value *v)
{
    const char *text = v->node->text;
    bool may_be_empty = v->key->def != NULL && strcmp(v->key->def, "\"\"") == 0;
    if (*text == '\0' && !may_be_empty)
        return refuse(v, "the path is empty");
    if (v->key->max > 0 && (double)strlen(text) > v->key->max)
        return refuse(v, "the path is longer than the %.0f bytes that the system allows here", v->key->max);
    return read_text(v);
}

/* The scheme alone: the rest is the driver's to judge. Nothing of the value is shown, it may hold a password.
 */
static bool read_uri(const struct value *v)
{
    const char *text = v->node->text;
    if (!g_str_has_prefix(text, "mongodb://") && !g_str_has_prefix(text, "mongodb+srv://"))
        return refuse(v, "not a MongoDB URI; it starts with mongodb:// or mongodb+srv://");
    if (strstr(text, "://")[3] == '\0')
        return refuse(v, "the URI names no host");
    return store_text(v, text);
}

/* What no server would take as database and collection. */
static bool read_namespace(const struct value *v)
{
    const char *text = v->node->text;
    const char *dot = strchr(text, '.');
    g_autofree char *shown = value_shown(text);
    if (dot == NULL || dot == text || dot[1] == '\0' || strpbrk(text, " $/\\\"") != NULL)
        return refuse(v, "'%s' is not a namespace; write it like database.collection", shown);
    return read_text(v);
}

/* The text counts, whatever number a YAML reader would make of it: 0660, "0660" and 660 are the same. */
static bool read_mode(const struct value *v)
{
    const char *text = v->node->text;
    size_t len = strlen(text);
    g_autofree char *shown = value_shown(text);
    if (strspn(text, "01234567") != len || len < 3 || len > 4 || (len == 4 && *text != '0'))
        return refuse(v, "'%s' is not a file mode; write it in octal, like \"0660\"", shown);
    *(int *)v->field = (int)strtol(text, NULL, 8);
    return true;
}

/* Splits "host:port" and "[host]:port"; false where it is neither. Port 0: any free one. */
static bool split_listen(const char *text, char **ret_host, int64_t *ret_port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || !text_parse_int(colon + 1, 0, 65535, ret_port, NULL))
        return false;
    g_autofree char *host = g_strndup(text, (gsize)(colon - text));
    size_t len = strlen(host);
    if (host[0] == '[') {
        if (len < 4 || host[len - 1] != ']' || strspn(host + 1, "0123456789abcdefABCDEF:.%") != len - 2)
            return false;
        *ret_host = g_strndup(host + 1, len - 2);
        return true;
    }
    for (const char *p = host; *p != '\0'; p++) {
        if (!g_ascii_isalnum(*p) && strchr("-._", *p) == NULL)
            return false;
    }
    *ret_host = g_steal_pointer(&host);
    return true;
}

/* Empty text turns listening off: no host, port 0. */
static bool read_listen(const struct value *v)
{
    struct config_listen *listen = v->field;
    g_autofree char *host = NULL;
    g_autofree char *shown = value_shown(v->node->text);
    int64_t port = 0;
    if (*v->node->text != '\0' && !split_listen(v->node->text, &host, &port))
        return refuse(v, "'%s' is not an address; write it like \"127.0.0.1:29017\" or \"[::1]:29017\"",
                      shown);
    g_free(listen->host);
    *listen = (struct config_listen){g_steal_pointer(&host), (uint16_t)port};
    return true;
}

/* A word that is not the name of a mode but nearly one of ours is a slip of the pen, not a mode. */
static bool read_throttle(const struct value *v)
{
    static const char *const words[] = {"default", "false", "true", "majority"};
    struct config_throttle *throttle = v->field;
    struct config_throttle value = {.kind = CONFIG_THROTTLE_CONCERN};
    const char *text = v->node->text;
    g_autofree char *shown = value_shown(text);
    const char *near = nearest_word(text, words, G_N_ELEMENTS(words));
    if (strcmp(text, "default") == 0) {
        value.kind = CONFIG_THROTTLE_DEFAULT;
    } else if (reads_as_bool(text)) {
        value.kind = strcmp(text, "true") == 0 ? CONFIG_THROTTLE_ON : CONFIG_THROTTLE_OFF;
    } else if (yaml_is_number(text)) {
        if (!text_parse_int(text, 1, 50, &value.members, NULL))
            return refuse(v, "%s is not a number of members; use 1 to 50", shown);
    } else if (near != NULL && strcmp(near, text) != 0) {
        return refuse(v, "'%s' is not known; did you mean '%s'?", shown, near);
    } else if (*text == '\0' || strlen(text) > 100) {
        return refuse(v, "'%s' is not a write concern; use default, true, false, majority or a number",
                      shown);
    } else {
        value.mode = g_strdup(text);
    }
    g_free(throttle->mode);
    *throttle = value;
    return true;
}

/* "H:MM" or "HH:MM". Midnight at the end of a day is 00:00, with a stop before its start. */
static bool read_time(const struct value *v)
{
    const char *text = v->node->text;
    const char *colon = strchr(text, ':');
    g_autofree char *shown = value_shown(text);
    size_t hour_len = colon == NULL ? 0 : (size_t)(colon - text);
    if (hour_len < 1 || hour_len > 2 || strlen(colon) != 3 || strspn(text, "0123456789") != hour_len ||
        strspn(colon + 1, "0123456789") != 2)
        return refuse(v, "'%s' is not a time of day; write it like \"06:30\"", shown);
    int hour = (int)strtol(text, NULL, 10), minute = (int)strtol(colon + 1, NULL, 10);
    if (hour > 23 || minute > 59)
        return refuse(v, "'%s' is not a time of day; hours go from 00 to 23, minutes from 00 to 59", shown);
    *(int *)v->field = hour * 60 + minute;
    return true;
}

/* Names alone: no rules, no paths, and none of the plain files that stand beside the zones. */
static bool is_zone_name(const char *text)
{
    bool upper = false;
    for (const char *p = text; *p != '\0'; p++) {
        upper = upper || g_ascii_isupper(*p);
        if (!g_ascii_isalnum(*p) && strchr("/_+-", *p) == NULL)
            return false;
    }
    return upper && *text != '/' && strlen(text) < 64;
}

static bool read_timezone(const struct value *v)
{
    const char *text = v->node->text;
    g_autofree char *shown = value_shown(text);
    if (*text == '\0')
        return store_text(v, text);
    g_autoptr(GTimeZone) zone = is_zone_name(text) ? g_time_zone_new_identifier(text) : NULL;
    if (zone == NULL)
        return refuse(v, "time zone '%s' is not known here; write it like Europe/Paris or UTC", shown);
    return store_text(v, text);
}

static bool is_list(const struct value *v, const char *of_what)
{
    if (v->node->kind == YAML_LIST)
        return true;
    return refuse(v, "a list of %s is wanted, in brackets or with a dash before each", of_what);
}

/* The value of a list's item: one text, else a fault. */
static bool is_item_text(const struct value *item, const char *what)
{
    if (item->node->kind == YAML_SCALAR)
        return true;
    return item->node->kind == YAML_BAD ? false : refuse(item, "each item must be a %s", what);
}

/* Goes through all items before it fails, so that each fault is told. */
static bool read_days(const struct value *v)
{
    static char *days[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
    uint8_t mask = 0;
    bool good = is_list(v, "days");
    if (!good)
        return false;
    for (guint i = 0; i < v->node->items->len; i++) {
        struct value item = *v;
        item.node = v->node->items->pdata[i];
        int day = is_item_text(&item, "day") ? word_index(&item, item.node->text, days) : -1;
        if (day >= 0 && (mask & 1U << day) != 0)
            good = refuse(&item, "'%s' is given twice", days[day]);
        good = good && day >= 0;
        if (day >= 0)
            mask = (uint8_t)(mask | 1U << day);
    }
    if (v->node->items->len == 0)
        return refuse(v, "no day; name some, or drop the key for every day");
    if (good)
        *(uint8_t *)v->field = mask;
    return good;
}

/* Each pattern is judged by the code that will match with it. */
static bool read_globs(const struct value *v)
{
    bool good = is_list(v, "patterns");
    if (!good)
        return false;
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(globs) check = globs_new();
    for (guint i = 0; i < v->node->items->len; i++) {
        struct value item = *v;
        struct err err = {0};
        item.node = v->node->items->pdata[i];
        if (!is_item_text(&item, "pattern")) {
            good = false;
        } else if (!globs_add(check, item.node->text, &err)) {
            good = refuse_err(&item, &err);
        } else {
            g_ptr_array_add(list, g_strdup(item.node->text));
        }
    }
    if (!good)
        return false;
    value_clear(v->key, v->field);
    *(GPtrArray **)v->field = g_steal_pointer(&list);
    return true;
}

/* The types that take one value; records are read.c's. */
static bool (*const readers[])(const struct value *v) = {
    [CONFIG_BOOL] = read_bool,           [CONFIG_INT] = read_int,           [CONFIG_NUMBER] = read_number,
    [CONFIG_BYTES] = read_bytes,         [CONFIG_DURATION] = read_duration, [CONFIG_ENUM] = read_enum,
    [CONFIG_TEXT] = read_text,           [CONFIG_PATH] = read_path,         [CONFIG_URI] = read_uri,
    [CONFIG_NAMESPACE] = read_namespace, [CONFIG_MODE] = read_mode,         [CONFIG_LISTEN] = read_listen,
    [CONFIG_THROTTLE] = read_throttle,   [CONFIG_TIME] = read_time,         [CONFIG_TIMEZONE] = read_timezone,
    [CONFIG_DAYS] = read_days,           [CONFIG_GLOBS] = read_globs,
};

/* A password must not come back in a message because its URI stands behind the wrong key. */
static bool is_misplaced_uri(const struct value *v)
{
    return v->key->type != CONFIG_URI && strstr(v->node->text, "://") != NULL;
}

bool value_read(const struct config_key *key, const struct yaml_node *node, const char *path, void *field,
                struct faults *f)
{
    struct value v = {key, node, path, field, f};
    bool wants_list = key->type == CONFIG_DAYS || key->type == CONFIG_GLOBS;
    if (node->kind == YAML_BAD)
        return false;
    if (node->kind == YAML_NULL)
        return refuse(&v, "no value is given; give a %s, or drop the key", config_type_text(key->type));
    if (node->kind != YAML_SCALAR && !wants_list)
        return refuse(&v, "a %s where a %s is wanted", node->kind == YAML_LIST ? "list" : "map",
                      config_type_text(key->type));
    if (node->kind == YAML_SCALAR && is_misplaced_uri(&v))
        return refuse(&v, "a URI where a %s is wanted; it belongs to cluster.uri",
                      config_type_text(key->type));
    return readers[key->type](&v);
}

void value_clear(const struct config_key *key, void *field)
{
    switch (key->type) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_URI:
    case CONFIG_NAMESPACE:
    case CONFIG_TIMEZONE:
        g_clear_pointer((char **)field, g_free);
        break;
    case CONFIG_LISTEN:
        g_clear_pointer(&((struct config_listen *)field)->host, g_free);
        break;
    case CONFIG_THROTTLE:
        g_clear_pointer(&((struct config_throttle *)field)->mode, g_free);
        break;
    case CONFIG_GLOBS:
        g_clear_pointer((GPtrArray **)field, g_ptr_array_unref);
        break;
    default:
        break;
    }
}
