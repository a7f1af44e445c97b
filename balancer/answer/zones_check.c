// SPDX-License-Identifier: Apache-2.0
#include "balancer/answer/zones_check.h"

#include "balancer/answer/lookup.h"
#include "balancer/answer/zones_check_private.h"
#include "balancer/answer/zones_map.h"
#include "balancer/key/show.h"
#include "balancer/policy/splits.h"
#include "common/text.h"

#include <string.h>

const char *zone_severity_text(enum zone_severity s)
{
    static const char *const texts[] = {"error", "warning", "info"};
    return texts[s];
}

static void finding_clear(gpointer p)
{
    struct zone_finding *f = p;
    g_free(f->ns);
    g_free(f->zone);
    g_free(f->place);
    g_free(f->message);
    g_ptr_array_unref(f->fix);
}

void range_min(const struct stored_range *r, bson_t *ret_static)
{
    if (!bson_init_static(ret_static, r->min_data, r->min_len))
        bson_init(ret_static);
}

void range_max(const struct stored_range *r, bson_t *ret_static)
{
    if (!bson_init_static(ret_static, r->max_data, r->max_len))
        bson_init(ret_static);
}

void range_append(GString *out, const struct stored_range *r)
{
    bson_t min, max;
    range_min(r, &min);
    range_max(r, &max);
    g_string_append_c(out, '[');
    key_show(out, &min, SHOWN_MAX);
    g_string_append(out, ", ");
    key_show(out, &max, SHOWN_MAX);
    g_string_append_c(out, ')');
}

struct zone_finding *finding_add(struct check *k, enum zone_severity severity, const char *code,
                                 const char *ns, const struct stored_range *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *raw = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    struct zone_finding f = {.severity = severity,
                             .code = code,
                             .ns = g_strdup(ns),
                             .zone = r == NULL ? NULL : g_strdup(r->zone),
                             .message = text_escaped(raw),
                             .fix = g_ptr_array_new_with_free_func(g_free)};
    if (r != NULL) {
        g_autoptr(GString) place = g_string_new(NULL);
        g_string_append_printf(place, "tags[%u]", r->index);
        if (r->min_data != NULL && r->max_data != NULL) {
            g_string_append_c(place, ' ');
            range_append(place, r);
        }
        f.place = g_strdup(place->str);
    }
    g_array_append_val(k->findings, f);
    return &g_array_index(k->findings, struct zone_finding, k->findings->len - 1);
}

/* "sh.NAME("ns", {...}, {...}, "zone")"; what is NULL is left out. */
static char *command(const char *name, const char *ns, const bson_t *a, const bson_t *b, const char *text)
{
    GString *out = g_string_new(name);
    g_string_append_c(out, '(');
    key_mongosh_string(out, ns);
    const bson_t *docs[] = {a, b};
    for (size_t i = 0; i < G_N_ELEMENTS(docs); i++)
        if (docs[i] != NULL) {
            g_string_append(out, ", ");
            key_mongosh(out, docs[i]);
        }
    if (text != NULL) {
        g_string_append(out, ", ");
        key_mongosh_string(out, text);
    }
    g_string_append_c(out, ')');
    return g_string_free(out, FALSE);
}

char *fix_remove(const struct stored_range *r)
{
    bson_t min, max;
    range_min(r, &min);
    range_max(r, &max);
    return command("sh.removeRangeFromZone", r->ns, &min, &max, NULL);
}

/* By _id, which every document has, else by what it says. */
char *fix_delete(const struct stored_range *r)
{
    bson_iter_t it;
    bson_t filter = BSON_INITIALIZER;
    if (bson_iter_init(&it, r->doc) && bson_iter_find(&it, "_id"))
        bson_append_iter(&filter, "_id", -1, &it);
    else
        bson_copy_to_excluding_noinit(r->doc, &filter, "", NULL);
    GString *out = g_string_new("db.getSiblingDB(\"config\").tags.deleteOne(");
    key_mongosh(out, &filter);
    g_string_append_c(out, ')');
    bson_destroy(&filter);
    return g_string_free(out, FALSE);
}

char *fix_set(const char *ns, const bson_t *min, const bson_t *max, const char *zone)
{
    return command("sh.updateZoneKeyRange", ns, min, max, zone);
}

char *fix_split(const char *ns, const bson_t *at)
{
    return command("sh.splitAt", ns, at, NULL, NULL);
}

char *fix_add_shard(const char *shard, const char *zone)
{
    return command("sh.addShardToZone", shard, NULL, NULL, zone);
}

/* A string or document field; false: missing or of another type. */
static bool read_field(struct stored_range *r, const bson_iter_t *it)
{
    const char *name = bson_iter_key(it);
    if (strcmp(name, "ns") == 0 && BSON_ITER_HOLDS_UTF8(it))
        r->ns = bson_iter_utf8(it, NULL);
    else if (strcmp(name, "tag") == 0 && BSON_ITER_HOLDS_UTF8(it))
        r->zone = bson_iter_utf8(it, NULL);
    else if (strcmp(name, "min") == 0 && BSON_ITER_HOLDS_DOCUMENT(it))
        bson_iter_document(it, &r->min_len, &r->min_data);
    else if (strcmp(name, "max") == 0 && BSON_ITER_HOLDS_DOCUMENT(it))
        bson_iter_document(it, &r->max_len, &r->max_data);
    return true;
}

static struct stored_range *range_read(const bson_t *doc, guint index)
{
    bson_iter_t it;
    struct stored_range *r = g_new0(struct stored_range, 1);
    r->index = index;
    r->doc = doc;
    if (bson_iter_init(&it, doc))
        while (bson_iter_next(&it))
            read_field(r, &it);
    if (r->zone != NULL && (r->zone[0] == '\0' || !g_utf8_validate(r->zone, -1, NULL)))
        r->zone = NULL;
    return r;
}

static void range_free(gpointer p)
{
    struct stored_range *r = p;
    g_clear_pointer(&r->enc_min, g_bytes_unref);
    g_clear_pointer(&r->enc_max, g_bytes_unref);
    g_free(r);
}

static bool check_readable(struct check *k, const struct stored_range *r)
{
    const char *what = r->zone == NULL       ? "'tag' is not the name of a zone"
                       : r->min_data == NULL ? "'min' is missing or not a document"
                       : r->max_data == NULL ? "'max' is missing or not a document"
                                             : NULL;
    if (what == NULL)
        return true;
    struct zone_finding *f =
        finding_add(k, ZONE_ERROR, "unreadable", r->ns, r, "%s; remove the document", what);
    g_ptr_array_add(f->fix, fix_delete(r));
    return false;
}

/* The shard, not draining, that holds the most of what lies in the zone; SHARD_NONE: all are draining. */
static uint16_t best_carrier(const struct check *k, const struct collection *coll, uint32_t zone)
{
    g_autofree uint32_t *held = g_new0(uint32_t, k->cl->n_shards);
    for (uint32_t i = 0; coll != NULL && coll->invalid == NULL && i < coll->chunks.n; i++) {
        struct chunk_zone z = lookup_chunk_zone(coll, i);
        if (z.range != UINT32_MAX && coll->ranges[z.range].zone == zone)
            held[coll->chunks.shard[i]]++;
    }
    uint16_t best = SHARD_NONE;
    for (uint16_t s = 0; s < k->cl->n_shards; s++)
        if (!k->cl->shards[s].draining && (best == SHARD_NONE || held[s] > held[best]))
            best = s;
    return best;
}

static void add_carrier_fix(const struct check *k, struct zone_finding *f, const struct collection *coll,
                            const char *zone)
{
    uint16_t s = best_carrier(k, coll, cluster_find_zone(k->cl, zone));
    if (s != SHARD_NONE)
        g_ptr_array_add(f->fix, fix_add_shard(k->cl->shards[s].id, zone));
}

/* Who carries the zones of one collection's ranges; each zone once. */
static void check_carriers(struct check *k, const struct collection *coll, GPtrArray *ranges)
{
    g_autoptr(GHashTable) told = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < ranges->len; i++) {
        const struct stored_range *r = ranges->pdata[i];
        uint32_t draining = 0;
        if (!g_hash_table_add(told, (gpointer)r->zone))
            continue;
        uint32_t zone = cluster_find_zone(k->cl, r->zone);
        g_autoptr(GArray) carriers = zone == ZONE_NONE ? g_array_new(FALSE, FALSE, sizeof(uint16_t))
                                                       : zones_carriers(k->cl, zone, &draining);
        if (carriers->len > 0 && draining < carriers->len)
            continue;
        struct zone_finding *f =
            carriers->len == 0
                ? finding_add(
                      k, ZONE_ERROR, "zoneWithoutShard", coll->ns, r,
                      "no shard carries zone '%s', so its chunks can go nowhere; add a shard to the zone, or "
                      "remove its ranges",
                      r->zone)
                : finding_add(k, ZONE_WARNING, "zoneDrainingOnly", coll->ns, r,
                              "all shards that carry zone '%s' are draining (%u), so its chunks can go "
                              "nowhere and the "
                              "draining never ends; add another shard to the zone",
                              r->zone, draining);
        add_carrier_fix(k, f, coll, r->zone);
    }
}

/* All ranges of a namespace that cannot have zones, as one finding. */
static void tell_unsharded(struct check *k, const char *ns, const GPtrArray *group, bool known)
{
    const struct stored_range *first = group->pdata[0];
    struct zone_finding *f =
        finding_add(k, ZONE_WARNING, known ? "notSharded" : "unknownCollection", ns, first,
                    known ? "%u zone range%s of a collection that is not sharded (it cannot be split) have "
                            "no effect; remove them"
                          : "%u zone range%s of a collection that is not in config.collections have no "
                            "effect until it is sharded; "
                            "remove them if it never will be",
                    group->len, group->len == 1 ? "" : "s");
    for (guint i = 0; i < group->len && i < FIX_MAX; i++)
        g_ptr_array_add(f->fix, fix_remove(group->pdata[i]));
}

static void check_collection(struct check *k, const struct collection *coll, GPtrArray *group)
{
    g_autoptr(GPtrArray) sound = g_ptr_array_new();
    if (coll->key == NULL) {
        finding_add(k, ZONE_INFO, "notChecked", coll->ns, group->pdata[0],
                    "the shard key cannot be read, so the %u ranges of the collection cannot be checked",
                    group->len);
        return;
    }
    for (guint i = 0; i < group->len; i++) {
        struct stored_range *r = group->pdata[i];
        check_range(k, coll, r);
        if (r->enc_min != NULL)
            g_ptr_array_add(sound, r);
    }
    check_carriers(k, coll, group);
    check_overlaps(k, coll, sound);
}

/* Documents by namespace, in the order in which namespaces were first met. */
static GPtrArray *group_ranges(struct check *k, GPtrArray *all)
{
    g_autoptr(GHashTable) by_ns = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *groups = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    for (guint i = 0; i < all->len; i++) {
        struct stored_range *r = all->pdata[i];
        if (r->ns == NULL || !check_readable(k, r))
            continue;
        GPtrArray *group = g_hash_table_lookup(by_ns, r->ns);
        if (group == NULL) {
            group = g_ptr_array_new();
            g_hash_table_insert(by_ns, (gpointer)r->ns, group);
            g_ptr_array_add(groups, group);
        }
        g_ptr_array_add(group, r);
    }
    return groups;
}

static void check_stored(struct check *k, zones_match *match, void *data)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(range_free);
    for (guint i = 0; k->cl->tags != NULL && i < k->cl->tags->len; i++) {
        struct stored_range *r = range_read(k->cl->tags->pdata[i], i);
        if (match == NULL || r->ns == NULL || match(r->ns, data))
            g_ptr_array_add(all, r);
        else
            range_free(r);
    }
    g_autoptr(GPtrArray) groups = group_ranges(k, all);
    for (guint i = 0; i < groups->len; i++) {
        GPtrArray *group = groups->pdata[i];
        const char *ns = ((struct stored_range *)group->pdata[0])->ns;
        const struct collection *coll = cluster_find_collection(k->cl, ns);
        if (coll == NULL || coll->unsplittable)
            tell_unsharded(k, ns, group, coll != NULL);
        else
            check_collection(k, coll, group);
    }
}

/* The zones that documents name, damaged ones too. */
static GHashTable *named_zones(const struct check *k)
{
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; k->cl->tags != NULL && i < k->cl->tags->len; i++) {
        struct stored_range *r = range_read(k->cl->tags->pdata[i], i);
        if (r->zone != NULL)
            g_hash_table_add(names, g_strdup(r->zone));
        range_free(r);
    }
    return names;
}

/* Zones that shards carry but no range uses. */
static void check_unused(struct check *k)
{
    g_autoptr(GHashTable) named = named_zones(k);
    for (uint32_t z = 0; z < k->cl->n_zones; z++) {
        g_autoptr(GArray) carriers = zones_carriers(k->cl, z, NULL);
        if (carriers->len == 0 || g_hash_table_contains(named, k->cl->zones[z]))
            continue;
        g_autoptr(GString) shards = g_string_new(NULL);
        lookup_append_shards(shards, k->cl, (const uint16_t *)(const void *)carriers->data, carriers->len, 5);
        struct zone_finding *f = finding_add(k, ZONE_INFO, "zoneWithoutRange", NULL, NULL,
                                             "zone '%s' has no range, so that it keeps nothing on %s",
                                             k->cl->zones[z], shards->str);
        f->zone = g_strdup(k->cl->zones[z]);
    }
}

static gint by_severity(gconstpointer pa, gconstpointer pb)
{
    const struct zone_finding *a = pa, *b = pb;
    return (gint)a->severity - (gint)b->severity;
}

GArray *zones_check(const cluster *cl, zones_match *match, void *data)
{
    struct check k = {.cl = cl, .findings = g_array_new(FALSE, FALSE, sizeof(struct zone_finding))};
    g_array_set_clear_func(k.findings, finding_clear);
    check_stored(&k, match, data);
    for (uint32_t i = 0; i < cl->n_collections; i++)
        if (match == NULL || match(cl->collections[i].ns, data))
            check_chunks(&k, &cl->collections[i]);
    if (match == NULL)
        check_unused(&k);
    g_array_sort(k.findings, by_severity); /* stable */
    return k.findings;
}
