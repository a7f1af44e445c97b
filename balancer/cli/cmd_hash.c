// SPDX-License-Identifier: Apache-2.0
/* evenkeel hash: the hashed shard key value of values given as Extended JSON. */
#include "balancer/cli/cli.h"

#include "balancer/key/hash.h"
#include "balancer/key/show.h"

#include <string.h>

struct hash_args {
    struct cli_common common;
    GPtrArray *values; /* char *, as given */
};

/* A digit taken for an option is the first of a negative number. */
#define NEGATIVE(digit)                                                                                      \
    {                                                                                                        \
        NULL, digit, "N", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, NULL, 0                                       \
    }

static const struct argp_option options[] = {
    NEGATIVE('0'), NEGATIVE('1'), NEGATIVE('2'), NEGATIVE('3'), NEGATIVE('4'), NEGATIVE('5'),
    NEGATIVE('6'), NEGATIVE('7'), NEGATIVE('8'), NEGATIVE('9'), {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct hash_args *in = state->input;
    if (key == ARGP_KEY_INIT)
        state->child_inputs[0] = &in->common;
    else if (key == ARGP_KEY_ARG)
        g_ptr_array_add(in->values, g_strdup(arg));
    else if (key > 0 && key < 0x80 && g_ascii_isdigit(key))
        g_ptr_array_add(in->values, g_strdup_printf("-%c%s", key, arg == NULL ? "" : arg));
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const struct argp_child children[] = {{&cli_common_argp, 0, "Common options:", 10}, {0}};
static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "VALUE...",
    .doc =
        "The hashed shard key value of each VALUE, as MongoDB's convertShardKeyToHashed: one number a line."
        "\vVALUE is Extended JSON, so a string stands in double quotes. Formats: text (default), json."
        "\n\nExamples:\n"
        "  evenkeel hash 42 -5\n"
        "  evenkeel hash '\"EU\"' '{\"$oid\": \"5f2d1c000000000000000001\"}'\n"
        "  evenkeel hash --format json '{\"$numberLong\": \"7\"}'\n",
    .children = children,
};

static const char *const formats[] = {"text", "json", NULL};

/* {"value": ..., "hash": {"$numberLong": "..."}}: a JSON reader would round so large a number. */
static void append_json(GString *out, const bson_value_t *value, int64_t hash)
{
    bson_t doc = BSON_INITIALIZER;
    bson_append_value(&doc, "value", -1, value);
    key_json(out, &doc);
    bson_destroy(&doc);
    while (out->len > 0 && (out->str[out->len - 1] == '}' || out->str[out->len - 1] == ' ')) {
        bool closing = out->str[out->len - 1] == '}';
        g_string_truncate(out, out->len - 1);
        if (closing)
            break;
    }
    g_string_append_printf(out, ", \"hash\": {\"$numberLong\": \"%" G_GINT64_FORMAT "\"}}\n", hash);
}

static bool hash_one(const char *json, bool as_json, GString *out, struct err *err)
{
    bson_t doc;
    bson_iter_t it;
    int64_t hash = 0;
    if (!key_parse_value(json, &doc, err))
        return false;
    bool hashed = bson_iter_init(&it, &doc) && bson_iter_next(&it) && key_hash_value(&it, &hash, err);
    if (hashed && as_json)
        append_json(out, bson_iter_value(&it), hash);
    else if (hashed)
        g_string_append_printf(out, "%" G_GINT64_FORMAT "\n", hash);
    bson_destroy(&doc);
    return hashed;
}

static bool hash_all(const struct hash_args *in, struct err *err)
{
    if (in->values->len == 0)
        return err_set(err, ERR_USAGE, "no value given; for example: evenkeel hash 42 '\"EU\"'");
    const char *format = cli_format(&in->common, formats, err);
    if (format == NULL)
        return false;
    g_autoptr(GString) out = g_string_new(NULL);
    for (guint i = 0; i < in->values->len; i++)
        if (!hash_one(in->values->pdata[i], strcmp(format, "json") == 0, out, err))
            return err_wrap(err, "value %u", i + 1);
    return cli_write(&in->common, out, err);
}

int cmd_hash(int argc, char **argv, struct err *err)
{
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
    struct hash_args in = {.common = {.err = err}, .values = values};
    if (cli_parse(&argp, argc, argv, &in, err))
        hash_all(&in, err);
    cli_common_clear(&in.common);
    return 0;
}
