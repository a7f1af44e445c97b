// SPDX-License-Identifier: Apache-2.0
#include "tests/support/layout.h"

#include "tests/support/cluster_json.h"

#include <string.h>

static void comma(GString *out)
{
    if (out->len > 0 && out->str[out->len - 1] != '[' && out->str[out->len - 1] != '{')
        g_string_append_c(out, ',');
}

static void append_shards(GString *out, const char *spec)
{
    g_auto(GStrv) words = g_strsplit(spec, " ", -1);
    for (char **w = words; *w != NULL; w++) {
        g_auto(GStrv) parts = g_strsplit(*w, "/", -1);
        size_t last = strlen(parts[0]);
        bool draining = parts[0][last - 1] == '!';
        if (draining)
            parts[0][last - 1] = '\0';
        comma(out);
        g_string_append_printf(out, "{\"_id\":\"%s\",\"host\":\"%s/h:1\",\"draining\":%s,\"tags\":[",
                               parts[0], parts[0], draining ? "true" : "false");
        for (char **z = parts + 1; *z != NULL; z++)
            g_string_append_printf(out, "%s\"%s\"", z == parts + 1 ? "" : ",", *z);
        g_string_append(out, "]}");
    }
}

static void append_bound(GString *out, const char *name, const char *value)
{
    if (strcmp(value, "min") == 0)
        g_string_append_printf(out, "\"%s\":{\"x\":{\"$minKey\":1}}", name);
    else if (strcmp(value, "max") == 0)
        g_string_append_printf(out, "\"%s\":{\"x\":{\"$maxKey\":1}}", name);
    else
        g_string_append_printf(out, "\"%s\":{\"x\":%s}", name, value);
}

static void append_chunks(GString *out, const char *spec)
{
    g_auto(GStrv) words = g_strsplit(spec, " ", -1);
    for (guint i = 0; words[i] != NULL; i += 2) {
        g_autofree char *owner = g_strdup(words[i]);
        char *star = strchr(owner, '*');
        if (star != NULL)
            *star = '\0';
        comma(out);
        g_string_append(out, "{\"ns\":\"t.c\",");
        append_bound(out, "min", i == 0 ? "min" : words[i - 1]);
        g_string_append_c(out, ',');
        append_bound(out, "max", words[i + 1] == NULL ? "max" : words[i + 1]);
        g_string_append_printf(
            out, ",\"shard\":\"%s\",\"jumbo\":%s,\"lastmod\":{\"$timestamp\":{\"t\":1,\"i\":%u}}}", owner,
            star != NULL ? "true" : "false", i / 2);
        if (words[i + 1] == NULL)
            break;
    }
}

static void append_zones(GString *out, const char *spec)
{
    g_auto(GStrv) words = g_strsplit(spec, " ", -1);
    for (char **w = words; *w != NULL; w++) {
        g_auto(GStrv) name = g_strsplit(*w, ":", 2);
        g_auto(GStrv) ends = g_strsplit(name[1], "..", 2);
        comma(out);
        g_string_append(out, "{\"ns\":\"t.c\",");
        append_bound(out, "min", ends[0]);
        g_string_append_c(out, ',');
        append_bound(out, "max", ends[1]);
        g_string_append_printf(out, ",\"tag\":\"%s\"}", name[0]);
    }
}

static void append_sizes(GString *out, const char *spec)
{
    g_auto(GStrv) words = g_strsplit(spec, " ", -1);
    for (char **w = words; *w != NULL; w++) {
        g_auto(GStrv) pair = g_strsplit(*w, "=", 2);
        char *unit;
        gint64 n = g_ascii_strtoll(pair[1], &unit, 10);
        comma(out);
        g_string_append_printf(out, "\"%s\":{\"$numberLong\":\"%" G_GINT64_FORMAT "\"}", pair[0],
                               *unit == 'M' ? n * (1 << 20) : n);
    }
}

char *layout_json(const struct layout *l)
{
    GString *s = g_string_new("{\"evenkeelSnapshot\":1,\"shards\":[");
    append_shards(s, l->shards);
    g_string_append(s, "],\"collections\":[{\"_id\":\"t.c\",\"key\":{\"x\":1}");
    if (l->more != NULL)
        g_string_append_printf(s, ",%s", l->more);
    g_string_append(s, "}],\"chunks\":[");
    append_chunks(s, l->chunks);
    g_string_append(s, "],\"tags\":[");
    if (l->zones != NULL)
        append_zones(s, l->zones);
    g_string_append(s, "],\"settings\":[");
    g_string_append(s, l->settings != NULL ? l->settings : "");
    g_string_append(s, "]");
    if (l->sizes != NULL) {
        g_string_append(s, ",\"sizes\":{\"t.c\":{");
        append_sizes(s, l->sizes);
        g_string_append(s, "}}");
    }
    if (l->version != NULL)
        g_string_append_printf(s, ",\"serverVersion\":\"%s\"", l->version);
    if (l->top != NULL)
        g_string_append_printf(s, ",%s", l->top);
    g_string_append(s, "}");
    return g_string_free(s, FALSE);
}

cluster *layout_cluster(const struct layout *l)
{
    g_autofree char *json = layout_json(l);
    return cluster_from_json(json);
}

/* The first field's value of a bound: "min", "max" or a number. */
static void append_value(GString *out, plan_bound b)
{
    bson_t doc;
    bson_iter_t it;
    plan_bound_bson(b, &doc);
    bson_iter_init(&it, &doc);
    if (!bson_iter_next(&it))
        g_string_append(out, "{}");
    else if (bson_iter_type(&it) == BSON_TYPE_MINKEY)
        g_string_append(out, "min");
    else if (bson_iter_type(&it) == BSON_TYPE_MAXKEY)
        g_string_append(out, "max");
    else
        g_string_append_printf(out, "%" G_GINT64_FORMAT, bson_iter_as_int64(&it));
}

static void append_splits(GString *out, const plan *p)
{
    for (guint i = 0; i < p->splits->len; i++) {
        const struct plan_split *s = &g_array_index(p->splits, struct plan_split, i);
        g_string_append_printf(out, "%s%u split ", out->len > 0 ? "; " : "", s->round);
        append_value(out, s->min);
        for (guint k = 0; k < s->at->len; k++) {
            g_string_append(out, k == 0 ? " at " : ",");
            append_value(out, s->at->pdata[k]);
        }
    }
}

char *layout_plan_text(const plan *p)
{
    GString *out = g_string_new(NULL);
    append_splits(out, p);
    for (guint i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
        g_string_append_printf(out, "%s%u %s %s", out->len > 0 ? "; " : "", m->round,
                               move_reason_text(m->reason), m->open_min ? "~" : "");
        append_value(out, m->min);
        g_string_append_printf(out, "%s %s>%s", m->open_max ? "+" : "", p->cl->shards[m->from].id,
                               p->cl->shards[m->to].id);
    }
    return g_string_free(out, FALSE);
}
