// SPDX-License-Identifier: Apache-2.0
/* The what-if options: wishes, noted as they are given, and made when the source is read. */
#include "balancer/cli/cli.h"

#include "balancer/source/source.h"

#include <string.h>

enum { OPT_DRAIN = 0x1200, OPT_ADD_SHARD, OPT_WEIGHT, OPT_ZONES };

static error_t check(bool sound, const struct cli_source *s, const char *option)
{
    return sound ? 0 : cli_bad_value(s->err, option);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct cli_source *s = state->input;
    if (key >= OPT_DRAIN && key <= OPT_ZONES && s->whatif == NULL)
        s->whatif = changes_new();
    switch (key) {
    case OPT_DRAIN:
        return check(changes_drain(s->whatif, arg, s->err), s, "--drain");
    case OPT_ADD_SHARD:
        return check(changes_add_shard(s->whatif, arg, s->err), s, "--add-shard");
    case OPT_WEIGHT:
        return check(changes_weigh(s->whatif, arg, s->err), s, "--weight");
    case OPT_ZONES:
        return check(changes_zones_file(s->whatif, arg, s->err), s, "--zones");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"drain", OPT_DRAIN, "SHARD", 0, "As if this shard were draining; may be repeated", 0},
    {"add-shard", OPT_ADD_SHARD, "NAME[:ZONE,...]", 0,
     "As if there were this empty shard, in these zones; may be repeated", 0},
    {"weight", OPT_WEIGHT, "SHARD=N", 0, "As if this shard had this weight, like shard0=2; may be repeated",
     0},
    {"zones", OPT_ZONES, "FILE", 0,
     "As if zone ranges and the zones of shards were those of FILE: Extended JSON with tags, shards, "
     "namespaces; "
     "may be repeated",
     0},
    {0},
};

const struct argp cli_whatif_argp = {.options = options, .parser = parse};

bool cli_read_wishes(const struct cli_source *s, struct err *err)
{
    for (guint i = 0; s->whatif != NULL && i < s->whatif->list->len; i++) {
        const struct wished *ch = &g_array_index(s->whatif->list, struct wished, i);
        if (ch->kind != CHANGE_ZONES)
            continue;
        if (strcmp(ch->file, "-") == 0 && g_strcmp0(s->snapshot, "-") == 0)
            return err_set(err, ERR_USAGE,
                           "--zones and --snapshot both read standard input; give a file for one of them");
        if (!source_read_zones(ch->file, s->whatif, i, err))
            return false;
    }
    return true;
}
