// SPDX-License-Identifier: Apache-2.0
/* The wishes: how a command line spells them, and how they are told. */
#include "balancer/cluster/changes_private.h"

#include "common/escape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_TOLD = 3 };
static const double weight_min = 0.001, weight_max = 1e6; /* as in the configuration */

static const char *const kinds[CHANGE_KIND_COUNT] = {
    [CHANGE_DRAIN] = "drain",
    [CHANGE_ADD_SHARD] = "addShard",
    [CHANGE_WEIGHT] = "weight",
    [CHANGE_ZONES] = "zones",
};

const char *change_kind_text(enum change_kind kind)
{
    return kinds[kind];
}

static void change_clear(gpointer p)
{
    struct wished *ch = p;
    g_free(ch->shard);
    g_free(ch->file);
    g_clear_pointer(&ch->zones, g_ptr_array_unref);
    g_clear_pointer(&ch->namespaces, g_ptr_array_unref);
    g_clear_pointer(&ch->shards, g_ptr_array_unref);
}

change_list *changes_new(void)
{
    change_list *c = g_new0(change_list, 1);
    c->list = g_array_new(FALSE, TRUE, sizeof(struct wished));
    g_array_set_clear_func(c->list, change_clear);
    c->zones = changes_zones_new();
    return c;
}

void changes_free(change_list *c)
{
    if (c == NULL)
        return;
    g_array_unref(c->list);
    changes_zones_free(c->zones);
    g_free(c);
}

/* The change of this kind to this shard; NULL: none. */
static const struct wished *find_change(const change_list *c, enum change_kind kind, const char *shard)
{
    for (guint i = 0; i < c->list->len; i++) {
        const struct wished *ch = &g_array_index(c->list, struct wished, i);
        if (ch->kind == kind && strcmp(ch->shard, shard) == 0)
            return ch;
    }
    return NULL;
}

static bool check_name(const char *name, const char *what, struct err *err)
{
    if (name[0] == '\0')
        return err_set(err, ERR_USAGE, "the name of %s is empty", what);
    return g_utf8_validate(name, -1, NULL) ||
           err_set(err, ERR_USAGE, "'%s' is not UTF-8, which names of shards and zones are", name);
}

bool changes_drain(change_list *c, const char *arg, struct err *err)
{
    struct wished ch = {.kind = CHANGE_DRAIN};
    if (!check_name(arg, "the shard", err))
        return false;
    if (find_change(c, CHANGE_DRAIN, arg) != NULL)
        return true;
    ch.shard = g_strdup(arg);
    g_array_append_val(c->list, ch);
    return true;
}

/* "EU,US"; a zone that is named twice is carried once. */
static bool parse_zones(const char *text, GPtrArray *zones, struct err *err)
{
    g_auto(GStrv) names = g_strsplit(text, ",", -1);
    if (names[0] == NULL)
        return err_set(
            err, ERR_USAGE,
            "behind ':' names of zones are expected; leave ':' away for none: NAME, NAME:zone,zone");
    for (char **n = names; *n != NULL; n++) {
        if (!check_name(*n, "a zone", err))
            return false;
        if (!g_ptr_array_find_with_equal_func(zones, *n, g_str_equal, NULL))
            g_ptr_array_add(zones, g_strdup(*n));
    }
    return true;
}

bool changes_add_shard(change_list *c, const char *arg, struct err *err)
{
    const char *colon = strchr(arg, ':');
    g_autofree char *name = colon == NULL ? g_strdup(arg) : g_strndup(arg, (gsize)(colon - arg));
    g_autoptr(GPtrArray) zones = g_ptr_array_new_with_free_func(g_free);
    if (!check_name(name, "the shard", err) || (colon != NULL && !parse_zones(colon + 1, zones, err)))
        return false;
    if (find_change(c, CHANGE_ADD_SHARD, name) != NULL)
        return err_set(err, ERR_USAGE, "shard '%s' is added twice", name);
    struct wished ch = {.kind = CHANGE_ADD_SHARD};
    ch.shard = g_steal_pointer(&name);
    ch.zones = g_steal_pointer(&zones);
    g_array_append_val(c->list, ch);
    return true;
}

bool changes_weigh(change_list *c, const char *arg, struct err *err)
{
    const char *sign = strrchr(arg, '=');
    if (sign == NULL || sign == arg)
        return err_set(err, ERR_USAGE, "'%s' is not of the form SHARD=WEIGHT, like shard0=2", arg);
    g_autofree char *name = g_strndup(arg, (gsize)(sign - arg));
    char *end = NULL;
    double weight = g_ascii_isdigit(sign[1]) || sign[1] == '.' ? g_ascii_strtod(sign + 1, &end) : NAN;
    if (end == NULL || *end != '\0' || !(weight >= weight_min && weight <= weight_max))
        return err_set(err, ERR_USAGE, "the weight '%s' of shard '%s' is not a number from 0.001 to 1000000",
                       sign + 1, name);
    if (!check_name(name, "the shard", err))
        return false;
    if (find_change(c, CHANGE_WEIGHT, name) != NULL)
        return err_set(err, ERR_USAGE, "shard '%s' is given a weight twice", name);
    struct wished ch = {.kind = CHANGE_WEIGHT, .weight = weight};
    ch.shard = g_steal_pointer(&name);
    g_array_append_val(c->list, ch);
    return true;
}

bool changes_have(const change_list *c, enum change_kind kind)
{
    for (guint i = 0; c != NULL && i < c->list->len; i++)
        if (g_array_index(c->list, struct wished, i).kind == kind)
            return true;
    return false;
}

/* "a, b and c", "a, b, c and 9 more". */
static void append_names(GString *out, const GPtrArray *names)
{
    guint told = names->len <= NAMES_TOLD + 1 ? names->len : NAMES_TOLD;
    for (guint i = 0; i < told; i++) {
        g_string_append(out, i == 0 ? "" : i + 1 == names->len ? " and " : ", ");
        text_append_escaped(out, names->pdata[i], -1);
    }
    if (names->len > told)
        g_string_append_printf(out, " and %u more", names->len - told);
}

static void append_shard(GString *out, const struct wished *ch)
{
    g_string_append(out, "shard '");
    text_append_escaped(out, ch->shard, -1);
    g_string_append_c(out, '\'');
}

static void append_zone_change(GString *out, const struct wished *ch)
{
    if (ch->namespaces->len > 0) {
        g_string_append(out, "the zone ranges of ");
        append_names(out, ch->namespaces);
    }
    if (ch->shards->len > 0) {
        g_string_append(out, ch->namespaces->len > 0 ? ", and the zones of " : "the zones of ");
        append_names(out, ch->shards);
    }
    g_string_append(out, " are those of '");
    text_append_escaped(out, ch->file, -1);
    g_string_append_c(out, '\'');
}

char *change_text(const struct wished *ch)
{
    GString *out = g_string_new(NULL);
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    if (ch->kind == CHANGE_ZONES)
        append_zone_change(out, ch);
    else
        append_shard(out, ch);
    if (ch->kind == CHANGE_DRAIN)
        g_string_append(out, " is draining");
    if (ch->kind == CHANGE_WEIGHT)
        g_string_append_printf(out, " weighs %s", g_ascii_formatd(number, sizeof number, "%.6g", ch->weight));
    if (ch->kind == CHANGE_ADD_SHARD) {
        g_string_append(out, " is added, ");
        g_string_append(out, ch->zones->len == 0   ? "in no zone"
                             : ch->zones->len == 1 ? "in zone "
                                                   : "in zones ");
        append_names(out, ch->zones);
    }
    return g_string_free(out, FALSE);
}
