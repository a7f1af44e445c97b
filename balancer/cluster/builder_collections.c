// SPDX-License-Identifier: Apache-2.0
/* config.collections, and which chunks belong to which collection. The layout is told by the document: with a
 * `timestamp` (5.0 and later) chunks name the uuid, without one they name the namespace. Midway in an upgrade
 * or downgrade they may name both. */
#include "balancer/cluster/builder_private.h"
#include "balancer/key/pattern.h"

#include <string.h>

/* Largest chunk size that is believed (the server's own limit is 1 GiB). */
#define CHUNK_BYTES_MAX ((int64_t)1 << 36)

/* The flags that are a boolean, and where they go. `when` is the value that matters. */
static const struct flag {
    const char *name;
    bool when;
    size_t at;
} flags[] = {
    {"noBalance", true, offsetof(struct collection, no_balance)},
    {"unsplittable", true, offsetof(struct collection, unsplittable)},
    {"defragmentCollection", true, offsetof(struct collection, defragmenting)},
    {"allowMigrations", false, offsetof(struct collection, migrations_not_permitted)},
    {"permitMigrations", false, offsetof(struct collection, migrations_not_permitted)},
    {"allowChunkOperations", false, offsetof(struct collection, migrations_not_permitted)},
};

static const struct flag *find_flag(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
        if (strcmp(name, flags[i].name) == 0)
            return &flags[i];
    return NULL;
}

static bool read_flag(struct collection *c, const struct flag *f, const bson_iter_t *it)
{
    bool value = !f->when;
    if (!field_bool(it, false, &value))
        return false;
    if (value == f->when)
        *(bool *)((char *)c + f->at) = true;
    return true;
}

static void read_key(struct collection *c, const bson_iter_t *it, const char *where)
{
    const uint8_t *data = NULL;
    uint32_t len = 0;
    bson_t doc;
    struct err why = {0};
    if (BSON_ITER_HOLDS_DOCUMENT(it))
        bson_iter_document(it, &len, &data);
    g_clear_pointer(&c->key, key_pattern_free);
    if (data == NULL || !bson_init_static(&doc, data, len))
        fault_set(&c->invalid, "%s: key is not a document", where);
    else if (!key_pattern_parse(&doc, &c->key, &why))
        fault_set(&c->invalid, "%s: %s", where, why.msg);
}

/* The fields that tell which incarnation it is. */
static const char *read_identity(struct collection *c, const bson_iter_t *it)
{
    const char *name = bson_iter_key(it);
    const uint8_t *uuid;
    if (strcmp(name, "uuid") == 0) {
        if (!field_uuid(it, &uuid))
            return "uuid is not a UUID";
        memcpy(c->uuid, uuid, sizeof c->uuid);
        c->has_uuid = true;
    } else if (strcmp(name, "timestamp") == 0) {
        if (!BSON_ITER_HOLDS_TIMESTAMP(it))
            return "timestamp is not a timestamp";
        bson_iter_timestamp(it, &c->timestamp_t, &c->timestamp_i);
        c->has_timestamp = true;
    } else if (strcmp(name, "lastmodEpoch") == 0) {
        if (!BSON_ITER_HOLDS_OID(it))
            return "lastmodEpoch is not an ObjectId";
        bson_oid_copy(bson_iter_oid(it), &c->epoch);
    }
    return NULL;
}

static void read_field(struct collection *c, const bson_iter_t *it, const char *where)
{
    const char *name = bson_iter_key(it), *fault = read_identity(c, it);
    const struct flag *flag = find_flag(name);
    if (fault != NULL)
        fault_set(&c->invalid, "%s: %s", where, fault);
    else if (flag != NULL && !read_flag(c, flag, it))
        fault_set(&c->invalid, "%s: %s is not a boolean", where, name);
    else if (strcmp(name, "key") == 0)
        read_key(c, it, where);
    else if (strcmp(name, "timeseriesFields") == 0)
        c->time_series = BSON_ITER_HOLDS_DOCUMENT(it);
    else if (strcmp(name, "reshardingFields") == 0)
        c->resharding |= !BSON_ITER_HOLDS_NULL(it);
    else if (strcmp(name, "maxChunkSizeBytes") == 0 && !BSON_ITER_HOLDS_NULL(it) &&
             !field_whole(it, 1, CHUNK_BYTES_MAX, &c->max_chunk_bytes))
        fault_set(&c->invalid, "%s: maxChunkSizeBytes is not a chunk size in bytes", where);
}

/* "db.coll", both parts not empty. */
static bool is_namespace(const char *ns)
{
    const char *dot = strchr(ns, '.');
    return dot != NULL && dot != ns && dot[1] != '\0';
}

/* Notes everything the document says; what makes the collection unusable goes to c->invalid. */
static void read_collection(struct collection *c, const uint8_t *doc, uint32_t len, const char *where)
{
    bson_iter_t it;
    bson_iter_init_from_data(&it, doc, len);
    while (bson_iter_next(&it))
        read_field(c, &it, where);
    if (!walk_complete(&it))
        fault_set(&c->invalid, "%s: corrupt BSON", where);
    if (c->key == NULL)
        fault_set(&c->invalid, "%s: key is missing", where);
    if (!is_namespace(c->ns))
        fault_set(&c->invalid, "%s: _id is not a namespace such as \"db.collection\"", where);
    const char *dot = strchr(c->ns, '.');
    if (dot != NULL && g_str_has_prefix(dot + 1, "system.resharding."))
        c->resharding = true;
}

/* The name, and whether the document is only the memory of a dropped collection; NULL, or the fault. */
static const char *read_head(const uint8_t *doc, uint32_t len, const char **ret_ns, bool *ret_dropped)
{
    bson_iter_t it;
    const char *ns = NULL;
    if (!bson_iter_init_from_data(&it, doc, len))
        return "corrupt BSON";
    while (bson_iter_next(&it)) {
        if (strcmp(bson_iter_key(&it), "_id") == 0 && (!field_text(&it, &ns) || ns[0] == '\0'))
            return "_id is not a string, or empty, or not UTF-8";
        if (strcmp(bson_iter_key(&it), "dropped") == 0 && !field_bool(&it, true, ret_dropped))
            return "dropped is not a boolean";
    }
    *ret_ns = ns;
    return ns != NULL ? NULL : walk_complete(&it) ? "_id is missing" : "corrupt BSON";
}

static void collection_discard(struct collection *c)
{
    g_free(c->ns);
    g_free(c->invalid);
    key_pattern_free(c->key);
}

/* Remembers the names of a dropped collection, so that its chunks are not told as strays. */
static void note_dropped(builder *b, const struct collection *c)
{
    g_hash_table_add(b->dropped, g_bytes_new(c->ns, strlen(c->ns)));
    if (c->has_uuid)
        g_hash_table_add(b->dropped, g_bytes_new(c->uuid, sizeof c->uuid));
}

bool builder_add_collection(builder *b, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err)
{
    const char *ns = NULL;
    bool dropped = false;
    const char *fault = read_head(doc, len, &ns, &dropped);
    g_autofree char *where = doc_where(DOC_COLLECTION, index, doc, len);
    if (fault != NULL)
        return err_set(err, ERR_DATA, "%s: %s", where, fault);
    guint known = GPOINTER_TO_UINT(g_hash_table_lookup(b->collection_index, ns));
    if (known != 0 && !dropped) {
        struct collection *first = &g_array_index(b->collections, struct collection, known - 1);
        fault_set(&first->invalid, "%s: a second document of this collection", where);
        return true;
    }
    struct collection c = {.ns = g_strdup(ns), .number = b->collections->len};
    read_collection(&c, doc, len, where);
    if (dropped) {
        note_dropped(b, &c);
        collection_discard(&c);
        return true;
    }
    g_array_append_val(b->collections, c);
    g_hash_table_insert(b->collection_index, g_strdup(ns), GUINT_TO_POINTER(b->collections->len));
    return true;
}

/* Claims every slot that could be the collection's and puts those that are into `ret`. */
static unsigned find_slots(builder *b, const struct collection *c, struct slot *ret[2])
{
    struct slot *by_ns = slot_find(b, NULL, c->ns);
    struct slot *by_uuid = c->has_uuid ? slot_find(b, c->uuid, NULL) : NULL;
    struct slot *by_both = c->has_uuid ? slot_find(b, c->uuid, c->ns) : NULL;
    struct slot *found[] = {by_ns, by_uuid, by_both};
    for (size_t i = 0; i < G_N_ELEMENTS(found); i++)
        if (found[i] != NULL)
            found[i]->claimed = true;
    unsigned n = 0;
    struct slot *main = c->has_timestamp ? by_uuid : by_ns;
    if (main == NULL && by_both == NULL)
        main = c->has_timestamp ? by_ns : by_uuid;
    if (main != NULL)
        ret[n++] = main;
    if (by_both != NULL)
        ret[n++] = by_both;
    return n;
}

/* Whether the slot's bounds are made of the shard key's fields and nothing about it is damaged. */
static void check_slot(const struct slot *s, struct collection *c)
{
    if (s->fault != NULL)
        fault_set(&c->invalid, "%s", s->fault);
    else if (!g_string_equal(s->names, c->key->names))
        fault_set(&c->invalid, "%s: bounds whose fields are not the shard key's", s->first_where);
}

static bool give_chunks(builder *b, struct collection *c, struct err *err)
{
    struct slot *s[2] = {NULL, NULL};
    unsigned n = find_slots(b, c, s);
    for (unsigned i = 0; i < n && c->invalid == NULL; i++)
        check_slot(s[i], c);
    if (n == 0)
        fault_set(&c->invalid, "collection " NAME_FMT " has no chunks", c->ns);
    if (c->invalid == NULL && n == 2 && !slot_append(b, s[0], s[1], err))
        return false;
    if (c->invalid == NULL)
        slot_into_chunks(b, s[0], c);
    for (unsigned i = 0; i < n; i++)
        slot_drop_keys(s[i]);
    return true;
}

static bool is_dropped(const builder *b, const void *data, gsize len)
{
    g_autoptr(GBytes) key = g_bytes_new_static(data, len);
    return g_hash_table_contains(b->dropped, key);
}

static void warn_stray(builder *b, const struct slot *s)
{
    uint32_t uuid_len = s->key[0] == 'n' ? 0 : 16, ns_len = s->key_len - 1 - uuid_len;
    const uint8_t *ns = s->key + 1 + uuid_len;
    if ((uuid_len > 0 && is_dropped(b, s->key + 1, uuid_len)) || (ns_len > 0 && is_dropped(b, ns, ns_len)))
        return;
    g_autofree char *name = ns_len > 0 ? g_strndup((const char *)ns, ns_len) : NULL;
    const char *first = s->first_where != NULL ? s->first_where : s->fault;
    warn_add(b, "chunksWithoutCollection", name,
             "%" G_GUINT64_FORMAT " chunks belong to no collection of config.collections, from %s on",
             s->n_seen, first);
}

bool builder_finish_collections(builder *b, struct err *err)
{
    for (guint i = 0; i < b->collections->len; i++)
        if (!give_chunks(b, &g_array_index(b->collections, struct collection, i), err))
            return false;
    for (guint i = 0; i < b->slot_order->len; i++) {
        struct slot *s = g_ptr_array_index(b->slot_order, i);
        if (!s->claimed)
            warn_stray(b, s);
        slot_drop_keys(s);
    }
    return true;
}
