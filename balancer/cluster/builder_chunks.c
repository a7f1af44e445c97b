// SPDX-License-Identifier: Apache-2.0
/* config.chunks, by far the most documents: one pass over each, no allocation but where an arena grows.
 * Chunks gather in slots by what names their collection; its document may come later. */
#include "balancer/cluster/builder_private.h"
#include "balancer/key/encode.h"

#include <string.h>

/* What one document says; all borrowed from it. */
struct chunk_doc {
    const char *ns; /* NULL: absent */
    uint32_t ns_len;
    const uint8_t *uuid;
    const uint8_t *min, *max; /* NULL: absent */
    uint32_t min_len, max_len;
    const char *shard;
    uint32_t shard_len;
    uint64_t version;
    int64_t bytes;
    uint8_t flags;
    const char *fault; /* constant text: the first field at fault */
};

guint slot_hash(gconstpointer p)
{
    const struct slot *s = p;
    guint h = 5381;
    for (uint32_t i = 0; i < s->key_len; i++)
        h = h * 33 + s->key[i];
    return h;
}

gboolean slot_equal(gconstpointer pa, gconstpointer pb)
{
    const struct slot *a = pa, *b = pb;
    return a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0;
}

/* Frees what the chunks take; what is told of the slot stays. */
void slot_drop_keys(struct slot *s)
{
    g_clear_pointer(&s->min, g_byte_array_unref);
    g_clear_pointer(&s->max, g_byte_array_unref);
    g_clear_pointer(&s->pack, g_byte_array_unref);
    g_clear_pointer(&s->rows, g_array_unref);
}

void slot_free(struct slot *s)
{
    slot_drop_keys(s);
    if (s->names != NULL)
        g_string_free(s->names, TRUE);
    g_free(s->key);
    g_free(s->first_where);
    g_free(s->fault);
    g_free(s);
}

/* Makes the key into the builder's scratch and a probe of it. */
static struct slot make_probe(builder *b, const uint8_t *uuid, const char *ns, uint32_t ns_len)
{
    uint8_t kind = uuid == NULL ? 'n' : ns == NULL ? 'u' : 'b';
    g_byte_array_set_size(b->slot_key, 0);
    g_byte_array_append(b->slot_key, &kind, 1);
    if (uuid != NULL)
        g_byte_array_append(b->slot_key, uuid, 16);
    if (ns != NULL)
        g_byte_array_append(b->slot_key, (const uint8_t *)ns, ns_len);
    return (struct slot){.key = b->slot_key->data, .key_len = b->slot_key->len};
}

struct slot *slot_find(builder *b, const uint8_t *uuid, const char *ns)
{
    struct slot probe = make_probe(b, uuid, ns, ns == NULL ? 0 : (uint32_t)strlen(ns));
    return g_hash_table_lookup(b->slots, &probe);
}

static struct slot *slot_add(builder *b, const struct slot *probe)
{
    struct slot *s = g_new0(struct slot, 1);
    s->key = g_memdup2(probe->key, probe->key_len);
    s->key_len = probe->key_len;
    s->min = g_byte_array_new();
    s->max = g_byte_array_new();
    s->pack = g_byte_array_new();
    s->rows = g_array_new(FALSE, FALSE, sizeof(struct chunk_row));
    g_hash_table_add(b->slots, s);
    g_ptr_array_add(b->slot_order, s);
    return s;
}

/* The slot of the document's collection, new where it is the first; NULL: its ns is not text. */
static struct slot *slot_of(builder *b, const struct chunk_doc *d)
{
    struct slot probe = make_probe(b, d->uuid, d->ns, d->ns_len);
    if (b->last_slot != NULL && slot_equal(b->last_slot, &probe))
        return b->last_slot;
    struct slot *s = g_hash_table_lookup(b->slots, &probe);
    if (s == NULL && d->ns != NULL && !g_utf8_validate(d->ns, (gssize)d->ns_len, NULL))
        return NULL;
    if (s == NULL)
        s = slot_add(b, &probe);
    b->last_slot = s;
    return s;
}

static void note(struct chunk_doc *d, const char *fault)
{
    if (d->fault == NULL)
        d->fault = fault;
}

static void read_shard(struct chunk_doc *d, const bson_iter_t *it)
{
    if (BSON_ITER_HOLDS_UTF8(it))
        d->shard = bson_iter_utf8(it, &d->shard_len);
    else if (BSON_ITER_HOLDS_BINARY(it))
        note(d, "shard is a UUID, as some development releases store it, where a name is needed");
    else
        note(d, "shard is not a string");
}

static void read_version(struct chunk_doc *d, const bson_iter_t *it)
{
    if (BSON_ITER_HOLDS_TIMESTAMP(it)) {
        uint32_t major, minor;
        bson_iter_timestamp(it, &major, &minor);
        d->version = (uint64_t)major << 32 | minor;
    } else if (BSON_ITER_HOLDS_DATE_TIME(it)) {
        d->version = (uint64_t)bson_iter_date_time(it); /* as releases before 3.0 stored it */
    } else {
        note(d, "lastmod is not a timestamp");
    }
}

static void read_bound(struct chunk_doc *d, const bson_iter_t *it, const uint8_t **data, uint32_t *len,
                       const char *fault)
{
    if (BSON_ITER_HOLDS_DOCUMENT(it))
        bson_iter_document(it, len, data);
    else
        note(d, fault);
}

static void read_flag(struct chunk_doc *d, const bson_iter_t *it)
{
    bool jumbo = false;
    if (!field_bool(it, true, &jumbo))
        note(d, "jumbo is not a boolean");
    if (jumbo)
        d->flags |= CHUNK_JUMBO;
}

static void read_measured(struct chunk_doc *d, const bson_iter_t *it)
{
    if (BSON_ITER_HOLDS_NULL(it))
        return;
    if (!field_bytes(it, &d->bytes))
        note(d, "estimatedDataSizeBytes is not a size in bytes");
    d->flags |= CHUNK_MEASURED;
}

static void read_name(struct chunk_doc *d, const bson_iter_t *it)
{
    if (BSON_ITER_HOLDS_UTF8(it))
        d->ns = bson_iter_utf8(it, &d->ns_len);
    else
        note(d, "ns is not a string");
}

static void read_field(struct chunk_doc *d, const bson_iter_t *it)
{
    const char *name = bson_iter_key(it);
    switch (name[0]) {
    case 'n':
        if (strcmp(name, "ns") == 0)
            read_name(d, it);
        break;
    case 'u':
        if (strcmp(name, "uuid") == 0 && !field_uuid(it, &d->uuid))
            note(d, "uuid is not a UUID");
        break;
    case 'm':
        if (strcmp(name, "min") == 0)
            read_bound(d, it, &d->min, &d->min_len, "min is not a document");
        else if (strcmp(name, "max") == 0)
            read_bound(d, it, &d->max, &d->max_len, "max is not a document");
        break;
    case 's':
        if (strcmp(name, "shard") == 0)
            read_shard(d, it);
        break;
    case 'l':
        if (strcmp(name, "lastmod") == 0)
            read_version(d, it);
        break;
    case 'j':
        if (strcmp(name, "jumbo") == 0)
            read_flag(d, it);
        break;
    case 'e':
        if (strcmp(name, "estimatedDataSizeBytes") == 0)
            read_measured(d, it);
        break;
    default:
        break;
    }
}

static void read_chunk(const uint8_t *doc, uint32_t len, struct chunk_doc *d)
{
    bson_iter_t it;
    if (!bson_iter_init_from_data(&it, doc, len)) {
        d->fault = "corrupt BSON";
        return;
    }
    while (bson_iter_next(&it))
        read_field(d, &it);
    if (!walk_complete(&it))
        note(d, "corrupt BSON");
    if (d->min == NULL)
        note(d, "min is missing");
    if (d->max == NULL)
        note(d, "max is missing");
    if (d->shard == NULL)
        note(d, "shard is missing");
}

/* The first damage decides; from then on the slot only counts. */
static void slot_damage(struct slot *s, uint64_t index, const uint8_t *doc, uint32_t len, const char *what)
{
    g_autofree char *where = doc_where(DOC_CHUNK, index, doc, len);
    fault_set(&s->fault, "%s: %s", where, what);
    slot_drop_keys(s);
}

/* The owner's number among all names met; SHARD_NONE with the reason in d->fault. */
static uint16_t intern_owner(builder *b, struct chunk_doc *d, uint64_t index, const uint8_t *doc,
                             uint32_t len)
{
    if (d->shard_len == 0 || strlen(d->shard) != d->shard_len) {
        note(d, "shard is empty, or holds NUL");
        return SHARD_NONE;
    }
    guint known = GPOINTER_TO_UINT(g_hash_table_lookup(b->name_index, d->shard));
    if (known == 0 && !g_utf8_validate(d->shard, (gssize)d->shard_len, NULL)) {
        note(d, "shard is not UTF-8");
        return SHARD_NONE;
    }
    uint16_t number = known != 0 ? (uint16_t)(known - 1) : name_intern(b, d->shard);
    if (number == SHARD_NONE) {
        note(d, "there are more than 65534 names of shards");
        return SHARD_NONE;
    }
    struct shard_name *n = name_at(b, number);
    if (n->first_where == NULL) {
        n->first_where = doc_where(DOC_CHUNK, index, doc, len);
        n->first_index = index;
    }
    return number;
}

/* A min that is not below max, shown from the document. */
static void damage_order(struct slot *s, uint64_t index, const uint8_t *doc, uint32_t len,
                         const struct chunk_doc *d)
{
    g_autoptr(GString) what = g_string_new("min ");
    show_bson(what, d->min, d->min_len);
    g_string_append(what, " is not less than max ");
    show_bson(what, d->max, d->max_len);
    slot_damage(s, index, doc, len, what->str);
}

/* Encodes both bounds behind the slot's others; on failure the arenas may hold remains, which damage
 * drops. */
static bool add_bounds(struct slot *s, const struct chunk_doc *d, uint64_t index, const uint8_t *doc,
                       uint32_t len, struct chunk_row *row)
{
    struct err why;
    row->min_at = s->min->len;
    row->max_at = s->max->len;
    row->pack_at = s->pack->len;
    bool min_good = key_encode_bound(d->min, d->min_len, s->names, s->min, s->pack, &why);
    if (!min_good || !key_encode_bound(d->max, d->max_len, s->names, s->max, NULL, &why)) {
        g_autofree char *what = g_strdup_printf("%s: %s", min_good ? "max" : "min", why.msg);
        slot_damage(s, index, doc, len, what);
        return false;
    }
    if (key_cmp(s->min->data + row->min_at, s->min->len - row->min_at, s->max->data + row->max_at,
                s->max->len - row->max_at) >= 0) {
        damage_order(s, index, doc, len, d);
        return false;
    }
    return true;
}

/* What is asked of a slot's first chunk only. */
static const char *open_slot(struct slot *s, const struct chunk_doc *d, uint64_t index, const uint8_t *doc,
                             uint32_t len)
{
    s->first_where = doc_where(DOC_CHUNK, index, doc, len);
    s->names = g_string_new(NULL);
    if (!key_bound_names(d->min, d->min_len, s->names))
        return "corrupt BSON in min";
    return s->names->len > 0 ? NULL : "min has no fields";
}

/* An encoded key takes no more than four times its BSON. */
static bool room_for(const builder *b, const struct slot *s, uint32_t len)
{
    uint64_t most = MAX(MAX(s->min->len, s->max->len), s->pack->len);
    return most + 4 * (uint64_t)len <= b->arena_max;
}

static bool too_large(const struct slot *s, struct err *err)
{
    const char *text = (const char *)s->key + (s->key[0] == 'n' ? 1 : 17);
    g_autofree char *ns = s->key[0] == 'u'
                              ? g_strdup("of one uuid")
                              : g_strdup_printf("of '%.*s'", (int)MIN(s->key_len - 1, 255), text);
    return err_set(err, ERR_DATA, "the keys of the chunks %s (first: %s) take more than 4 GiB", ns,
                   s->first_where);
}

bool builder_add_chunk(builder *b, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err)
{
    struct chunk_doc d = {.bytes = SIZE_UNKNOWN};
    read_chunk(doc, len, &d);
    struct slot *s = d.ns == NULL && d.uuid == NULL ? NULL : slot_of(b, &d);
    if (s == NULL) {
        g_autofree char *where = doc_where(DOC_CHUNK, index, doc, len);
        return err_set(err, ERR_DATA, "%s names no collection: %s", where,
                       d.fault != NULL && d.ns == NULL ? d.fault : "neither a readable ns nor a uuid");
    }
    s->n_seen++;
    if (s->fault != NULL)
        return true;
    if (d.fault == NULL && s->first_where == NULL)
        d.fault = open_slot(s, &d, index, doc, len);
    if (index > INT32_MAX)
        note(&d, "there are more than 2^31 chunks");
    struct chunk_row row = {
        .index = (uint32_t)index, .version = d.version, .bytes = d.bytes, .flags = d.flags};
    if (d.fault == NULL)
        row.shard = intern_owner(b, &d, index, doc, len);
    if (d.flags & CHUNK_MEASURED && d.fault == NULL && (b->measured_bytes += d.bytes) > SIZE_MAX_ALL)
        return err_set(err, ERR_DATA,
                       "chunks[%" G_GUINT64_FORMAT "]: all estimatedDataSizeBytes together are over 1 EiB",
                       index);
    if (d.fault != NULL) {
        slot_damage(s, index, doc, len, d.fault);
        return true;
    }
    if (!room_for(b, s, len))
        return too_large(s, err);
    if (add_bounds(s, &d, index, doc, len, &row))
        g_array_append_val(s->rows, row);
    return true;
}

bool slot_append(builder *b, struct slot *into, struct slot *from, struct err *err)
{
    uint64_t most =
        MAX(MAX((uint64_t)into->min->len + from->min->len, (uint64_t)into->max->len + from->max->len),
            (uint64_t)into->pack->len + from->pack->len);
    if (most > b->arena_max)
        return too_large(into, err);
    for (guint i = 0; i < from->rows->len; i++) {
        struct chunk_row row = g_array_index(from->rows, struct chunk_row, i);
        row.min_at += into->min->len;
        row.max_at += into->max->len;
        row.pack_at += into->pack->len;
        g_array_append_val(into->rows, row);
    }
    g_byte_array_append(into->min, from->min->data, from->min->len);
    g_byte_array_append(into->max, from->max->data, from->max->len);
    g_byte_array_append(into->pack, from->pack->data, from->pack->len);
    slot_drop_keys(from);
    return true;
}
