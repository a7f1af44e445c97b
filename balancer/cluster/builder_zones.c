// SPDX-License-Identifier: Apache-2.0
/* config.tags, and the numbering of zones. Ranges are extended to the full shard key as the server does it,
 * then put in key order; what overlaps makes the collection invalid, as it does for the server. Zones never
 * apply to a time-series collection, so damage there is only told. */
#include "balancer/cluster/builder_private.h"
#include "balancer/key/encode.h"
#include "balancer/key/show.h"

#include <string.h>

void tag_doc_free(struct tag_doc *t)
{
    g_free(t->where);
    g_free(t->ns);
    g_free(t->zone);
    g_clear_pointer(&t->min, g_bytes_unref);
    g_clear_pointer(&t->max, g_bytes_unref);
    g_free(t);
}

static GBytes *read_bound(const bson_iter_t *it)
{
    const uint8_t *data = NULL;
    uint32_t len = 0;
    if (BSON_ITER_HOLDS_DOCUMENT(it))
        bson_iter_document(it, &len, &data);
    return data != NULL && len >= 5 ? g_bytes_new(data, len) : NULL;
}

static void read_tag_field(struct tag_doc *t, const bson_iter_t *it)
{
    const char *name = bson_iter_key(it), *text;
    if (strcmp(name, "ns") == 0 && t->ns == NULL && field_text(it, &text))
        t->ns = g_strdup(text);
    else if (strcmp(name, "tag") == 0 && t->zone == NULL && field_text(it, &text) && text[0] != '\0')
        t->zone = g_strdup(text);
    else if (strcmp(name, "min") == 0 && t->min == NULL)
        t->min = read_bound(it);
    else if (strcmp(name, "max") == 0 && t->max == NULL)
        t->max = read_bound(it);
}

enum { TAG_BYTES_MAX = 64 << 20 };

/* The model keeps the documents as read, for the checks that the extended ranges no longer tell. */
static bool keep_document(builder *b, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err)
{
    b->tag_bytes += len;
    if (b->tag_bytes > TAG_BYTES_MAX) {
        g_autofree char *where = doc_where(DOC_TAG, index, doc, len);
        return err_set(err, ERR_DATA,
                       "%s: the zone ranges up to here take more than 64 MiB, which is not supported", where);
    }
    bson_t *copy = bson_new_from_data(doc, len);
    if (copy != NULL)
        g_ptr_array_add(b->cl->tags, copy);
    return true;
}

/* `place` stands before the document's own in every message. */
static bool add_tag(builder *b, const char *place, uint64_t index, const uint8_t *doc, uint32_t len,
                    struct tag_doc **ret, struct err *err)
{
    bson_iter_t it;
    if (!keep_document(b, index, doc, len, err))
        return false;
    struct tag_doc *t = g_new0(struct tag_doc, 1);
    bool complete = bson_iter_init_from_data(&it, doc, len);
    if (complete) {
        while (bson_iter_next(&it))
            read_tag_field(t, &it);
        complete = walk_complete(&it);
    }
    g_autofree char *where = doc_where(DOC_TAG, index, doc, len);
    t->where = g_strconcat(place, where, NULL);
    if (t->ns == NULL || t->ns[0] == '\0') {
        err_set(err, ERR_DATA, "%s names no collection: ns is missing, or not UTF-8", t->where);
        tag_doc_free(t);
        return false;
    }
    t->fault = !complete         ? "corrupt BSON"
               : t->zone == NULL ? "tag is not a zone's name"
               : t->min == NULL  ? "min is missing, or not a document"
               : t->max == NULL  ? "max is missing, or not a document"
                                 : NULL;
    g_ptr_array_add(b->tags, t);
    *ret = t;
    return true;
}

bool builder_add_tag(builder *b, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err)
{
    struct tag_doc *t;
    return add_tag(b, "", index, doc, len, &t, err);
}

bool builder_wish_tag(builder *b, const char *place, uint64_t index, const uint8_t *doc, uint32_t len,
                      struct err *err)
{
    struct tag_doc *t;
    if (!add_tag(b, place, index, doc, len, &t, err))
        return false;
    t->wished = true;
    return true;
}

/* A range while its place is not known yet. */
struct draft {
    struct zone_range range;
    const struct tag_doc *tag;
};

static void draft_free(gpointer p)
{
    struct draft *d = p;
    g_clear_pointer(&d->range.enc_min, g_bytes_unref);
    g_clear_pointer(&d->range.enc_max, g_bytes_unref);
    bson_destroy(&d->range.min);
    bson_destroy(&d->range.max);
    g_aligned_free(d);
}

/* libbson's documents ask for more alignment than malloc gives. */
static struct draft *draft_new(const struct tag_doc *tag, uint32_t zone)
{
    struct draft *d = g_aligned_alloc0(1, sizeof *d, G_ALIGNOF(struct draft));
    d->tag = tag;
    d->range.zone = zone;
    bson_init(&d->range.min);
    bson_init(&d->range.max);
    return d;
}

static bool extend(const key_pattern *key, GBytes *stored, bool is_max, struct zone_range *r,
                   GBytes **ret_enc, struct err *err)
{
    gsize size;
    const uint8_t *data = g_bytes_get_data(stored, &size);
    bson_t bound, *full = is_max ? &r->max : &r->min;
    bool extended = false, trap = false;
    if (!bson_init_static(&bound, data, size))
        return err_set(err, ERR_DATA, "corrupt BSON");
    if (!key_pattern_extend(key, &bound, is_max, full, &extended, &trap, err))
        return false;
    g_autoptr(GByteArray) enc = g_byte_array_new();
    if (!key_encode_bound(bson_get_data(full), full->len, key->names, enc, NULL, err))
        return false;
    r->extended |= extended;
    r->trap |= trap;
    *ret_enc = g_byte_array_free_to_bytes(g_steal_pointer(&enc));
    return true;
}

static void append_range(GString *out, const struct zone_range *r)
{
    g_string_append_c(out, '[');
    key_show(out, &r->min, KEY_SHOWN_MAX);
    g_string_append(out, ", ");
    key_show(out, &r->max, KEY_SHOWN_MAX);
    g_string_append_c(out, ')');
}

/* Makes the range of one document; the fault, in words, goes to *fault. */
static struct draft *make_draft(builder *b, const struct collection *c, const struct tag_doc *t, char **fault)
{
    struct err why = {0};
    if (t->fault != NULL) {
        fault_set(fault, "%s: %s", t->where, t->fault);
        return NULL;
    }
    struct draft *d = draft_new(t, cluster_find_zone(b->cl, t->zone));
    struct zone_range *r = &d->range;
    if (!extend(c->key, t->min, false, r, &r->enc_min, &why) ||
        !extend(c->key, t->max, true, r, &r->enc_max, &why)) {
        fault_set(fault, "%s: %s: %s", t->where, r->enc_min == NULL ? "min" : "max", why.msg);
    } else if (g_bytes_compare(r->enc_min, r->enc_max) >= 0) {
        g_autoptr(GString) range = g_string_new(NULL);
        append_range(range, r);
        fault_set(fault, "%s: min is not less than max in %s", t->where, range->str);
    } else {
        return d;
    }
    draft_free(d);
    return NULL;
}

static int by_range(gconstpointer pa, gconstpointer pb)
{
    const struct zone_range *a = &(*(struct draft *const *)pa)->range,
                            *b = &(*(struct draft *const *)pb)->range;
    int order = g_bytes_compare(a->enc_min, b->enc_min);
    if (order == 0)
        order = g_bytes_compare(a->enc_max, b->enc_max);
    return order != 0 ? order : (a->zone > b->zone) - (a->zone < b->zone);
}

/* The same range of the same zone given twice is no fault. */
static GPtrArray *without_duplicates(GPtrArray *drafts)
{
    GPtrArray *kept = g_ptr_array_new();
    for (guint i = 0; i < drafts->len; i++)
        if (i == 0 || by_range(&drafts->pdata[i - 1], &drafts->pdata[i]) != 0)
            g_ptr_array_add(kept, drafts->pdata[i]);
    return kept;
}

/* The first overlap of neighbours, in words; NULL: there is none. */
static char *find_overlap(const builder *b, const GPtrArray *drafts)
{
    for (guint i = 1; i < drafts->len; i++) {
        const struct draft *a = drafts->pdata[i - 1], *z = drafts->pdata[i];
        if (g_bytes_compare(a->range.enc_max, z->range.enc_min) <= 0)
            continue;
        g_autoptr(GString) first = g_string_new(NULL), second = g_string_new(NULL);
        append_range(first, &a->range);
        append_range(second, &z->range);
        char *text = NULL;
        fault_set(&text, "zone ranges overlap: %s %s of zone " NAME_FMT " and %s %s of zone " NAME_FMT,
                  a->tag->where, first->str, b->cl->zones[a->range.zone], z->tag->where, second->str,
                  b->cl->zones[z->range.zone]);
        return text;
    }
    return NULL;
}

static void keep_ranges(struct collection *c, GPtrArray *drafts)
{
    if (drafts->len == 0)
        return;
    c->ranges = g_aligned_alloc0(drafts->len, sizeof *c->ranges, G_ALIGNOF(struct zone_range));
    for (; c->n_ranges < drafts->len; c->n_ranges++) {
        struct zone_range *from = &((struct draft *)drafts->pdata[c->n_ranges])->range;
        struct zone_range *to = &c->ranges[c->n_ranges];
        to->zone = from->zone;
        to->extended = from->extended;
        to->trap = from->trap;
        to->enc_min = g_steal_pointer(&from->enc_min);
        to->enc_max = g_steal_pointer(&from->enc_max);
        bson_steal(&to->min, &from->min);
        bson_steal(&to->max, &from->max);
        bson_init(&from->min);
        bson_init(&from->max);
    }
}

/* What to tell of sound ranges that will not do what they look like. */
static void warn_ranges(builder *b, const struct collection *c, const bool *carried)
{
    g_autofree bool *told = g_new0(bool, b->cl->n_zones);
    bool trap = false;
    for (uint32_t i = 0; i < c->n_ranges; i++) {
        const struct zone_range *r = &c->ranges[i];
        if (r->trap && !trap) {
            g_autoptr(GString) range = g_string_new(NULL);
            append_range(range, r);
            warn_add(b, "maxKeyZoneBound", c->ns,
                     "a range of zone " NAME_FMT
                     " is stored with MaxKey followed by MinKey or nothing; it is read "
                     "as %s, up to the end of the key space",
                     b->cl->zones[r->zone], range->str);
            trap = true;
        }
        if (!carried[r->zone] && !told[r->zone]) {
            warn_add(b, "zoneWithoutShard", c->ns, "no shard carries zone " NAME_FMT, b->cl->zones[r->zone]);
            told[r->zone] = true;
        }
    }
}

/* What is wished in words that cannot be meant is refused; what stands in the cluster is left out and told.
 */
static bool refuse_wished(const GPtrArray *tags, const char *fault, struct err *err)
{
    return fault == NULL || tags->len == 0 || !((const struct tag_doc *)tags->pdata[0])->wished ||
           err_set(err, ERR_DATA, "%s", fault);
}

static bool give_ranges(builder *b, struct collection *c, const GPtrArray *tags, const bool *carried,
                        struct err *err)
{
    if (c->key == NULL)
        return true;
    g_autofree char *fault = NULL;
    g_autoptr(GPtrArray) drafts = g_ptr_array_new_with_free_func(draft_free);
    for (guint i = 0; i < tags->len; i++) {
        struct draft *d = make_draft(b, c, tags->pdata[i], &fault);
        if (d != NULL)
            g_ptr_array_add(drafts, d);
    }
    g_ptr_array_sort(drafts, by_range);
    g_autoptr(GPtrArray) kept = without_duplicates(drafts);
    g_autofree char *overlap = find_overlap(b, kept);
    if (overlap != NULL)
        fault_set(&fault, "%s", overlap);
    if (!refuse_wished(tags, fault, err))
        return false;
    if (fault == NULL || !c->time_series)
        keep_ranges(c, kept);
    if (c->time_series) {
        warn_add(b, "zonesOnTimeSeries", c->ns, "zone ranges do not apply to a time-series collection%s%s",
                 fault != NULL ? ", and they are damaged: " : "", fault != NULL ? fault : "");
    } else {
        if (overlap != NULL)
            warn_add(b, "zoneRangesOverlap", c->ns, "%s", overlap);
        if (fault != NULL)
            fault_set(&c->invalid, "%s", fault);
        warn_ranges(b, c, carried);
    }
    return true;
}

/* Documents by namespace, in the order in which namespaces were first met. */
static GPtrArray *group_tags(builder *b, GHashTable *by_ns)
{
    GPtrArray *order = g_ptr_array_new();
    for (guint i = 0; i < b->tags->len; i++) {
        struct tag_doc *t = b->tags->pdata[i];
        GPtrArray *group = g_hash_table_lookup(by_ns, t->ns);
        if (group == NULL) {
            group = g_ptr_array_new();
            g_hash_table_insert(by_ns, t->ns, group);
            g_ptr_array_add(order, group);
        }
        g_ptr_array_add(group, t);
    }
    return order;
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_names(GPtrArray *names)
{
    g_ptr_array_sort(names, by_name);
}

/* All names of shards' tags and of ranges on collections, each once, in byte order. */
static void number_zones(builder *b)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 0; i < b->shard_tags->len; i++)
        g_ptr_array_extend(names, b->shard_tags->pdata[i], NULL, NULL);
    for (guint i = 0; i < b->tags->len; i++) {
        const struct tag_doc *t = b->tags->pdata[i];
        if (t->zone != NULL && g_hash_table_contains(b->collection_index, t->ns))
            g_ptr_array_add(names, t->zone);
    }
    sort_names(names);
    cluster *cl = b->cl;
    cl->zones = g_new0(char *, names->len);
    for (guint i = 0; i < names->len; i++)
        if (i == 0 || strcmp(names->pdata[i - 1], names->pdata[i]) != 0)
            cl->zones[cl->n_zones++] = g_strdup(names->pdata[i]);
}

static void give_shard_zones(builder *b, bool *carried)
{
    for (guint i = 0; i < b->shards->len; i++) {
        struct shard *s = &g_array_index(b->shards, struct shard, i);
        GPtrArray *tags = b->shard_tags->pdata[i];
        sort_names(tags);
        s->zones = g_new(uint32_t, tags->len);
        for (guint t = 0; t < tags->len; t++) {
            uint32_t zone = cluster_find_zone(b->cl, tags->pdata[t]);
            if (s->n_zones > 0 && s->zones[s->n_zones - 1] == zone)
                continue;
            s->zones[s->n_zones++] = zone;
            carried[zone] = true;
        }
    }
}

bool builder_finish_zones(builder *b, struct err *err)
{
    g_autoptr(GHashTable) by_ns =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
    g_autoptr(GPtrArray) groups = group_tags(b, by_ns);
    number_zones(b);
    g_autofree bool *carried = g_new0(bool, b->cl->n_zones);
    give_shard_zones(b, carried);
    for (guint i = 0; i < b->collections->len; i++) {
        struct collection *c = &g_array_index(b->collections, struct collection, i);
        const GPtrArray *tags = g_hash_table_lookup(by_ns, c->ns);
        if (tags != NULL && !give_ranges(b, c, tags, carried, err))
            return false;
    }
    for (guint i = 0; i < groups->len; i++) {
        const GPtrArray *tags = groups->pdata[i];
        const struct tag_doc *t = tags->pdata[0];
        if (!g_hash_table_contains(b->collection_index, t->ns))
            warn_add(b, "zonesWithoutCollection", t->ns,
                     "%u zone ranges are for a collection that is not in config.collections, from %s on",
                     (unsigned)tags->len, t->where);
    }
    return true;
}
