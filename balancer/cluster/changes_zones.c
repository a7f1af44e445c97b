// SPDX-License-Identifier: Apache-2.0
/* Files of zones: what they say of ranges and of shards takes the place of what the source says of the same.
 */
#include "balancer/cluster/builder_private.h"
#include "balancer/cluster/changes_private.h"
#include "common/nearest.h"

#include <string.h>

enum { ZONES_BYTES_MAX = 64 << 20 }; /* of all documents that are kept */

/* `at`: the change whose file says it; `index`: its place in the file's array. */
struct zone_tag {
    char *ns;
    guint at;
    uint64_t index;
    GBytes *doc;
};
struct zone_shard {
    char *id;
    guint at;
    uint64_t index;
    GPtrArray *zones;
};
struct zone_ns {
    char *ns;
    guint owner; /* as `at` */
    bool must;
};

struct changes_zones {
    GPtrArray *tags;   /* struct zone_tag */
    GPtrArray *shards; /* struct zone_shard */
    GHashTable *names; /* ns -> struct zone_ns, owned */
    GHashTable *ids;   /* shard id (of `shards`) */
    int64_t bytes;
};

static void zone_tag_free(gpointer p)
{
    struct zone_tag *t = p;
    g_free(t->ns);
    g_bytes_unref(t->doc);
    g_free(t);
}

static void zone_shard_free(gpointer p)
{
    struct zone_shard *s = p;
    g_free(s->id);
    g_ptr_array_unref(s->zones);
    g_free(s);
}

static void zone_ns_free(gpointer p)
{
    struct zone_ns *n = p;
    g_free(n->ns);
    g_free(n);
}

struct changes_zones *changes_zones_new(void)
{
    struct changes_zones *z = g_new0(struct changes_zones, 1);
    z->tags = g_ptr_array_new_with_free_func(zone_tag_free);
    z->shards = g_ptr_array_new_with_free_func(zone_shard_free);
    z->names = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, zone_ns_free);
    z->ids = g_hash_table_new(g_str_hash, g_str_equal);
    return z;
}

void changes_zones_free(struct changes_zones *z)
{
    g_hash_table_unref(z->ids);
    g_hash_table_unref(z->names);
    g_ptr_array_unref(z->shards);
    g_ptr_array_unref(z->tags);
    g_free(z);
}

bool changes_zones_file(change_list *c, const char *file, struct err *err)
{
    if (file[0] == '\0')
        return err_set(err, ERR_USAGE, "the name of the file is empty");
    for (guint i = 0; i < c->list->len; i++) {
        const struct wished *ch = &g_array_index(c->list, struct wished, i);
        if (ch->kind == CHANGE_ZONES && strcmp(ch->file, file) == 0)
            return err_set(err, ERR_USAGE, "'%s' is given twice", file);
    }
    struct wished ch = {.kind = CHANGE_ZONES,
                        .file = g_strdup(file),
                        .namespaces = g_ptr_array_new_with_free_func(g_free),
                        .shards = g_ptr_array_new_with_free_func(g_free)};
    g_array_append_val(c->list, ch);
    return true;
}

static struct wished *change_at(const change_list *c, guint at)
{
    return &g_array_index(c->list, struct wished, at);
}

/* Notes that this file replaces the ranges of `ns`. */
static bool note_namespace(change_list *c, guint at, const char *ns, bool must, struct err *err)
{
    struct zone_ns *known = g_hash_table_lookup(c->zones->names, ns);
    if (known != NULL && known->owner != at)
        return err_set(err, ERR_DATA,
                       "collection " NAME_FMT
                       " has its zone ranges in '%.255s' already; give them in one file",
                       ns, change_at(c, known->owner)->file);
    if (known != NULL) {
        known->must |= must;
        return true;
    }
    struct zone_ns *n = g_new0(struct zone_ns, 1);
    n->ns = g_strdup(ns);
    n->owner = at;
    n->must = must;
    g_hash_table_insert(c->zones->names, n->ns, n);
    g_ptr_array_add(change_at(c, at)->namespaces, g_strdup(ns));
    return true;
}

bool changes_zones_namespace(change_list *c, guint at, const char *ns, bool must, struct err *err)
{
    if (ns[0] == '\0')
        return err_set(err, ERR_DATA, "the name of a collection is empty");
    return note_namespace(c, at, ns, must, err);
}

static bool wrap_at(enum doc_kind kind, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err)
{
    g_autofree char *where = doc_where(kind, index, doc, len);
    return err_wrap(err, "%s", where);
}

static bool fault_at(enum doc_kind kind, uint64_t index, const uint8_t *doc, uint32_t len, const char *fault,
                     struct err *err)
{
    err_set(err, ERR_DATA, "%s", fault);
    return wrap_at(kind, index, doc, len, err);
}

static bool keep(change_list *c, uint32_t len, struct err *err)
{
    c->zones->bytes += len;
    return c->zones->bytes <= ZONES_BYTES_MAX ||
           err_set(err, ERR_DATA,
                   "zone ranges and shards up to here take more than 64 MiB, which is not supported");
}

bool changes_zones_tag(change_list *c, guint at, uint64_t index, const uint8_t *doc, uint32_t len,
                       struct err *err)
{
    bson_iter_t it;
    const char *ns = NULL;
    bool found = bson_iter_init_from_data(&it, doc, len) && bson_iter_find(&it, "ns");
    if (!found || !field_text(&it, &ns) || ns[0] == '\0')
        return fault_at(DOC_TAG, index, doc, len, "names no collection: ns is missing, empty, or no text",
                        err);
    if (!keep(c, len, err) || !note_namespace(c, at, ns, true, err))
        return wrap_at(DOC_TAG, index, doc, len, err);
    struct zone_tag *t = g_new0(struct zone_tag, 1);
    t->ns = g_strdup(ns);
    t->at = at;
    t->index = index;
    t->doc = g_bytes_new(doc, len);
    g_ptr_array_add(c->zones->tags, t);
    return true;
}

/* A document of config.collections, of which only the name counts. */
bool changes_zones_collection(change_list *c, guint at, uint64_t index, const uint8_t *doc, uint32_t len,
                              struct err *err)
{
    bson_iter_t it;
    const char *ns = NULL;
    bool dropped = false;
    if (bson_iter_init_from_data(&it, doc, len) && bson_iter_find(&it, "dropped"))
        field_bool(&it, true, &dropped);
    bool found = bson_iter_init_from_data(&it, doc, len) && bson_iter_find(&it, "_id");
    if (!found || !field_text(&it, &ns) || ns[0] == '\0')
        return fault_at(DOC_COLLECTION, index, doc, len, "_id is not the name of a collection", err);
    return dropped || note_namespace(c, at, ns, false, err) || wrap_at(DOC_COLLECTION, index, doc, len, err);
}

static const char *read_zones(const bson_iter_t *it, GPtrArray *zones)
{
    bson_iter_t item;
    if (!BSON_ITER_HOLDS_ARRAY(it) || !bson_iter_recurse(it, &item))
        return "tags is not an array";
    while (bson_iter_next(&item)) {
        const char *name;
        if (!field_text(&item, &name) || name[0] == '\0')
            return "an element of tags is not the name of a zone";
        g_ptr_array_add(zones, g_strdup(name));
    }
    return walk_complete(&item) ? NULL : "corrupt BSON in tags";
}

/* A document without tags is believed to mean none where it is one of config.shards, which has a host. */
static const char *read_zone_shard(const uint8_t *doc, uint32_t len, const char **ret_id, GPtrArray *zones)
{
    bson_iter_t it;
    const char *fault = NULL;
    bool tags = false, host = false;
    if (!bson_iter_init_from_data(&it, doc, len))
        return "corrupt BSON";
    while (fault == NULL && bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        host |= strcmp(key, "host") == 0;
        if (strcmp(key, "_id") == 0 && (!field_text(&it, ret_id) || (*ret_id)[0] == '\0'))
            fault = "_id is not the name of a shard";
        if (strcmp(key, "tags") != 0)
            continue;
        fault = tags ? "tags is there twice" : read_zones(&it, zones);
        tags = true;
    }
    if (fault == NULL && !walk_complete(&it))
        fault = "corrupt BSON";
    if (fault == NULL && *ret_id == NULL)
        fault = "_id is missing";
    if (fault == NULL && !tags && !host)
        fault = "tags is missing, the names of the shard's zones; [] takes all away";
    return fault;
}

bool changes_zones_shard(change_list *c, guint at, uint64_t index, const uint8_t *doc, uint32_t len,
                         struct err *err)
{
    const char *id = NULL;
    g_autoptr(GPtrArray) zones = g_ptr_array_new_with_free_func(g_free);
    const char *fault = read_zone_shard(doc, len, &id, zones);
    if (fault != NULL)
        return fault_at(DOC_SHARD, index, doc, len, fault, err);
    if (g_hash_table_contains(c->zones->ids, id))
        return fault_at(DOC_SHARD, index, doc, len, "the zones of this shard are given twice", err);
    if (!keep(c, len, err))
        return wrap_at(DOC_SHARD, index, doc, len, err);
    struct zone_shard *s = g_new0(struct zone_shard, 1);
    s->id = g_strdup(id);
    s->at = at;
    s->index = index;
    s->zones = g_steal_pointer(&zones);
    g_ptr_array_add(c->zones->shards, s);
    g_hash_table_add(c->zones->ids, s->id);
    g_ptr_array_add(change_at(c, at)->shards, g_strdup(id));
    return true;
}

/* Whether some range of the source is for this namespace. */
static bool has_ranges(const builder *b, const char *ns)
{
    for (guint i = 0; i < b->tags->len; i++)
        if (strcmp(((const struct tag_doc *)b->tags->pdata[i])->ns, ns) == 0)
            return true;
    return false;
}

static bool no_collection(const builder *b, const char *ns, struct err *err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 0; i < b->collections->len; i++)
        g_ptr_array_add(names, g_array_index(b->collections, struct collection, i).ns);
    const char *nearest = nearest_word(ns, (const char *const *)names->pdata, names->len);
    if (nearest != NULL)
        return err_set(err, ERR_DATA,
                       "no sharded collection " NAME_FMT " in this cluster; did you mean " NAME_FMT "?", ns,
                       nearest);
    return err_set(err, ERR_DATA,
                   "no sharded collection " NAME_FMT
                   " in this cluster; 'evenkeel zones show' lists those with "
                   "ranges",
                   ns);
}

/* Ranges may be made before the collection is: those that are there already may be changed. */
static bool check_names(const change_list *c, const builder *b, struct err *err)
{
    for (guint i = 0; i < c->list->len; i++) {
        const struct wished *ch = change_at(c, i);
        for (guint k = 0; ch->kind == CHANGE_ZONES && k < ch->namespaces->len; k++) {
            const struct zone_ns *n = g_hash_table_lookup(c->zones->names, ch->namespaces->pdata[k]);
            if (!n->must || g_hash_table_contains(b->collection_index, n->ns) || has_ranges(b, n->ns))
                continue;
            no_collection(b, n->ns, err);
            return err_wrap(err, "zones '%s'", ch->file);
        }
    }
    return true;
}

static bool is_replaced(const change_list *c, const char *ns)
{
    return g_hash_table_contains(c->zones->names, ns);
}

static bool doc_is_replaced(const change_list *c, const bson_t *doc)
{
    bson_iter_t it;
    const char *ns = NULL;
    return bson_iter_init_find(&it, doc, "ns") && field_text(&it, &ns) && is_replaced(c, ns);
}

/* Takes away what the source says of collections that a file speaks of: as read, and as documents. */
static void drop_ranges(const change_list *c, builder *b)
{
    GPtrArray *old_tags = b->tags, *old_docs = b->cl->tags;
    b->tags = g_ptr_array_new_with_free_func((GDestroyNotify)tag_doc_free);
    b->cl->tags = g_ptr_array_new_with_free_func((GDestroyNotify)bson_destroy);
    b->tag_bytes = 0;
    for (guint i = 0; i < old_tags->len; i++) {
        struct tag_doc *t = old_tags->pdata[i];
        if (is_replaced(c, t->ns))
            tag_doc_free(t);
        else
            g_ptr_array_add(b->tags, t);
    }
    for (guint i = 0; i < old_docs->len; i++) {
        bson_t *doc = old_docs->pdata[i];
        if (doc_is_replaced(c, doc)) {
            bson_destroy(doc);
            continue;
        }
        b->tag_bytes += doc->len;
        g_ptr_array_add(b->cl->tags, doc);
    }
    g_ptr_array_set_free_func(old_tags, NULL);
    g_ptr_array_set_free_func(old_docs, NULL);
    g_ptr_array_unref(old_tags);
    g_ptr_array_unref(old_docs);
}

static bool give_zones(const change_list *c, builder *b, struct err *err)
{
    for (guint i = 0; i < c->zones->shards->len; i++) {
        const struct zone_shard *s = c->zones->shards->pdata[i];
        uint16_t number = changes_find_shard(b, s->id);
        if (number == SHARD_NONE) {
            changes_no_shard(b, ERR_DATA, s->id, err);
            return err_wrap(err, "zones '%s': shards[%" G_GUINT64_FORMAT "]", change_at(c, s->at)->file,
                            s->index);
        }
        GPtrArray *tags = b->shard_tags->pdata[number];
        g_ptr_array_set_size(tags, 0);
        for (guint k = 0; k < s->zones->len; k++)
            g_ptr_array_add(tags, g_strdup(s->zones->pdata[k]));
    }
    return true;
}

bool changes_zones_make(const change_list *c, builder *b, struct err *err)
{
    if (!check_names(c, b, err) || !give_zones(c, b, err))
        return false;
    drop_ranges(c, b);
    for (guint i = 0; i < c->zones->tags->len; i++) {
        const struct zone_tag *t = c->zones->tags->pdata[i];
        gsize len;
        const uint8_t *doc = g_bytes_get_data(t->doc, &len);
        g_autofree char *place = g_strdup_printf("zones '%s': ", change_at(c, t->at)->file);
        if (!builder_wish_tag(b, place, t->index, doc, (uint32_t)len, err))
            return false;
    }
    return true;
}
