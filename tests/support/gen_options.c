// SPDX-License-Identifier: Apache-2.0
#include "tests/support/gen_options.h"

#include "common/text.h"

#include <stddef.h>
#include <string.h>

enum kind { NUMBER, SHARE, FLAG, KEY, SIZES, GENERATION, TEXT };

static const struct {
    const char *name;
    enum kind kind;
    size_t at;
    const char *help;
} options[] = {
    {"chunks", NUMBER, offsetof(struct gen_params, chunks), "chunks over all collections"},
    {"shards", NUMBER, offsetof(struct gen_params, shards), "shards"},
    {"collections", NUMBER, offsetof(struct gen_params, collections), "collections"},
    {"zones", NUMBER, offsetof(struct gen_params, zones), "zone ranges per collection"},
    {"skew", SHARE, offsetof(struct gen_params, skew), "0: owners drawn evenly, 1: all on one shard"},
    {"violations", SHARE, offsetof(struct gen_params, violations),
     "share of zoned chunks outside their zone"},
    {"key", KEY, offsetof(struct gen_params, key),
     "objectid, int64, string, compound, hashed, uuid, mixed, or any (each collection draws one)"},
    {"generation", GENERATION, offsetof(struct gen_params, generation),
     "ns or uuid: how chunks name their collection"},
    {"draining", NUMBER, offsetof(struct gen_params, draining), "draining shards"},
    {"jumbo", SHARE, offsetof(struct gen_params, jumbo), "share of the chunks"},
    {"misaligned", SHARE, offsetof(struct gen_params, misaligned), "share of zone bounds inside chunks"},
    {"excluded", NUMBER, offsetof(struct gen_params, excluded), "collections that are not balanced"},
    {"sizes", SIZES, offsetof(struct gen_params, sizes),
     "none, even, skewed, or large (over the chunk size)"},
    {"measured", FLAG, offsetof(struct gen_params, measured), "1: chunks carry their size"},
    {"ragged", FLAG, offsetof(struct gen_params, ragged), "1: collections of different numbers of chunks"},
    {"shuffled", FLAG, offsetof(struct gen_params, shuffled), "1: chunks and tags in random order"},
    {"chunk_mb", NUMBER, offsetof(struct gen_params, chunk_mb), "chunk size in MB; 0: not set"},
    {"version", TEXT, offsetof(struct gen_params, version), "server version"},
    {"seed", NUMBER, offsetof(struct gen_params, seed), "seed"},
};

static bool set_word(enum kind kind, const char *value, struct gen_params *params)
{
    static const char *const sizes[] = {"none", "even", "skewed", "large"}, *const generations[] = {"ns",
                                                                                                    "uuid"};
    if (kind == KEY) {
        params->any_key = strcmp(value, "any") == 0;
        params->key = params->any_key ? GEN_KEY_OBJECTID : gen_key_find(value);
        return params->key != GEN_KEY_COUNT;
    }
    for (unsigned i = 0; kind == SIZES && i < G_N_ELEMENTS(sizes); i++)
        if (strcmp(sizes[i], value) == 0) {
            params->sizes = (enum gen_sizes)i;
            return true;
        }
    for (unsigned i = 0; kind == GENERATION && i < G_N_ELEMENTS(generations); i++)
        if (strcmp(generations[i], value) == 0) {
            params->generation = (enum gen_generation)i;
            return true;
        }
    return false;
}

static bool set(enum kind kind, size_t at, const char *value, struct gen_params *params, struct err *err)
{
    char *field = (char *)params + at, *end;
    int64_t n;
    double share;
    switch (kind) {
    case NUMBER:
        return text_parse_int(value, 0, INT32_MAX, &n, err) &&
               ((*(uint32_t *)(void *)field = (uint32_t)n), true);
    case FLAG:
        return text_parse_int(value, 0, 1, &n, err) && ((*(bool *)field = n == 1), true);
    case SHARE:
        share = g_ascii_strtod(value, &end);
        if (end == value || *end != '\0' || !(share >= 0 && share <= 1))
            return err_set(err, ERR_USAGE, "'%s' is not a share from 0 to 1", value);
        *(double *)(void *)field = share;
        return true;
    case TEXT:
        *(const char **)(void *)field = value;
        return true;
    default:
        return set_word(kind, value, params) || err_set(err, ERR_USAGE, "'%s' is not known", value);
    }
}

bool gen_option(const char *word, struct gen_params *params, struct err *err)
{
    const char *value = strchr(word, '=');
    for (size_t i = 0; value != NULL && i < G_N_ELEMENTS(options); i++)
        if (strlen(options[i].name) == (size_t)(value - word) &&
            strncmp(options[i].name, word, (size_t)(value - word)) == 0)
            return set(options[i].kind, options[i].at, value + 1, params, err) ||
                   err_wrap(err, "%s", options[i].name);
    return err_set(err, ERR_USAGE, "'%s' is not a parameter", word);
}

void gen_options_help(FILE *out)
{
    for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
        fprintf(out, "  %-12s %s\n", options[i].name, options[i].help);
}
