// SPDX-License-Identifier: Apache-2.0
/* Which fields of each kind of document are kept, and which are replaced. A field that is not named here is
 * left out: what it may hold is not known. */
#include "balancer/source/anonymize_private.h"

#include <string.h>

static const char *text_of(const bson_iter_t *it)
{
    return BSON_ITER_HOLDS_UTF8(it) && g_utf8_validate(bson_iter_utf8(it, NULL), -1, NULL)
               ? bson_iter_utf8(it, NULL)
               : NULL;
}

static const char *text_field(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) ? text_of(&it) : NULL;
}

static bool sub_document(const bson_iter_t *it, bson_t *ret)
{
    const uint8_t *data;
    uint32_t len;
    if (!BSON_ITER_HOLDS_DOCUMENT(it))
        return false;
    bson_iter_document(it, &len, &data);
    return bson_init_static(ret, data, len);
}

static bool sub_field(const bson_t *doc, const char *name, bson_t *ret)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) && sub_document(&it, ret);
}

static bool is_plain(const bson_iter_t *it)
{
    return BSON_ITER_HOLDS_BOOL(it) || BSON_ITER_HOLDS_NUMBER(it) || BSON_ITER_HOLDS_DATE_TIME(it) ||
           BSON_ITER_HOLDS_TIMESTAMP(it) || BSON_ITER_HOLDS_NULL(it);
}

/* Copies these fields (NULL ends the list) where they hold numbers, times, truth values. */
static void copy_plain(const bson_t *doc, const char *const *fields, bson_t *out)
{
    bson_iter_t it;
    for (; *fields != NULL; fields++)
        if (bson_iter_init_find(&it, doc, *fields) && is_plain(&it))
            bson_append_iter(out, *fields, -1, &it);
}

static GBytes *id_bytes(const bson_iter_t *it)
{
    const uint8_t *data;
    uint32_t len;
    bson_subtype_t subtype;
    if (BSON_ITER_HOLDS_OID(it))
        return g_bytes_new(bson_iter_oid(it)->bytes, 12);
    if (!BSON_ITER_HOLDS_BINARY(it))
        return NULL;
    bson_iter_binary(it, &subtype, &len, &data);
    return g_bytes_new(data, len);
}

/* A uuid or an object id becomes its number among those seen. */
static void append_id(anonymizer *a, const bson_t *doc, const char *name, bson_t *out)
{
    bson_iter_t it;
    GBytes *bytes = bson_iter_init_find(&it, doc, name) ? id_bytes(&it) : NULL;
    if (bytes == NULL)
        return;
    guint number = GPOINTER_TO_UINT(g_hash_table_lookup(a->ids, bytes));
    if (number == 0) {
        number = g_hash_table_size(a->ids) + 1;
        g_hash_table_insert(a->ids, g_bytes_ref(bytes), GUINT_TO_POINTER(number));
    }
    g_bytes_unref(bytes);
    uint8_t id[16] = {0};
    uint32_t big = GUINT32_TO_BE(number);
    if (BSON_ITER_HOLDS_OID(&it)) {
        bson_oid_t oid;
        memcpy(id + 8, &big, sizeof big);
        bson_oid_init_from_data(&oid, id);
        bson_append_oid(out, name, -1, &oid);
    } else {
        id[6] = 0x40; /* version 4, as the server's are */
        id[8] = 0x80;
        memcpy(id + 12, &big, sizeof big);
        bson_append_binary(out, name, -1, BSON_SUBTYPE_UUID, id, sizeof id);
    }
}

static void append_name(const anonymizer *a, enum name_kind kind, const bson_t *doc, const char *field,
                        bson_t *out)
{
    const char *text = text_field(doc, field);
    if (text == NULL)
        return;
    g_autofree char *hidden = names_get(a->names, kind, text);
    bson_append_utf8(out, field, -1, hidden, -1);
}

static void append_ns(const anonymizer *a, const bson_t *doc, const char *field, bson_t *out)
{
    const char *text = text_field(doc, field);
    if (text == NULL)
        return;
    g_autofree char *hidden = names_get_ns(a->names, text);
    bson_append_utf8(out, field, -1, hidden, -1);
}

/* The collection of a chunk, or NULL. */
static const char *ns_of(const anonymizer *a, const bson_t *doc)
{
    bson_iter_t it;
    const char *ns = NULL;
    if (bson_iter_init_find(&it, doc, "uuid")) {
        g_autoptr(GBytes) bytes = id_bytes(&it);
        ns = bytes == NULL ? NULL : g_hash_table_lookup(a->ns_of_uuid, bytes);
    }
    return ns != NULL ? ns : text_field(doc, "ns");
}

static void gather_bound(anonymizer *a, const char *ns, const bson_t *doc, const char *field)
{
    bson_t bound;
    bson_iter_t it;
    if (ns == NULL || !sub_field(doc, field, &bound) || !bson_iter_init(&it, &bound))
        return;
    while (bson_iter_next(&it)) {
        names_add_path(a->names, bson_iter_key(&it));
        names_add_value(a->names, ns, bson_iter_key(&it), &it);
    }
}

static void append_bound(const anonymizer *a, const char *ns, const bson_t *doc, const char *field,
                         bson_t *out)
{
    bson_t bound, hidden;
    bson_iter_t it;
    if (ns == NULL || !sub_field(doc, field, &bound) || !bson_iter_init(&it, &bound))
        return;
    bson_append_document_begin(out, field, -1, &hidden);
    while (bson_iter_next(&it)) {
        g_autofree char *as = names_get_path(a->names, bson_iter_key(&it));
        names_append_value(a->names, ns, bson_iter_key(&it), &it, as, &hidden);
    }
    bson_append_document_end(out, &hidden);
}

static void gather_name(anonymizer *a, enum name_kind kind, const bson_t *doc, const char *field)
{
    const char *text = text_field(doc, field);
    if (text != NULL)
        names_add(a->names, kind, text);
}

static void gather_shard(anonymizer *a, const bson_t *doc)
{
    bson_iter_t it, tag;
    gather_name(a, NAME_SHARD, doc, "_id");
    if (!bson_iter_init_find(&it, doc, "tags") || !BSON_ITER_HOLDS_ARRAY(&it) ||
        !bson_iter_recurse(&it, &tag))
        return;
    while (bson_iter_next(&tag))
        if (text_of(&tag) != NULL)
            names_add(a->names, NAME_ZONE, text_of(&tag));
}

static void gather_database(anonymizer *a, const bson_t *doc)
{
    gather_name(a, NAME_DATABASE, doc, "_id");
    gather_name(a, NAME_SHARD, doc, "primary");
}

static void gather_collection(anonymizer *a, const bson_t *doc)
{
    const char *ns = text_field(doc, "_id");
    bson_iter_t it;
    bson_t sub;
    if (ns == NULL)
        return;
    names_add_ns(a->names, ns);
    if (bson_iter_init_find(&it, doc, "uuid")) {
        GBytes *bytes = id_bytes(&it);
        if (bytes != NULL)
            g_hash_table_replace(a->ns_of_uuid, bytes, g_strdup(ns));
    }
    if (sub_field(doc, "key", &sub) && bson_iter_init(&it, &sub))
        while (bson_iter_next(&it)) {
            names_add_path(a->names, bson_iter_key(&it));
            if (BSON_ITER_HOLDS_UTF8(&it))
                names_set_hashed(a->names, ns, bson_iter_key(&it));
        }
    if (sub_field(doc, "timeseriesFields", &sub)) {
        static const char *const fields[] = {"timeField", "metaField"};
        for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
            if (text_field(&sub, fields[i]) != NULL)
                names_add_path(a->names, text_field(&sub, fields[i]));
    }
}

static void gather_chunk(anonymizer *a, const bson_t *doc)
{
    const char *ns = ns_of(a, doc);
    if (text_field(doc, "ns") != NULL)
        names_add_ns(a->names, text_field(doc, "ns"));
    gather_name(a, NAME_SHARD, doc, "shard");
    gather_bound(a, ns, doc, "min");
    gather_bound(a, ns, doc, "max");
}

static void gather_tag(anonymizer *a, const bson_t *doc)
{
    const char *ns = text_field(doc, "ns");
    if (ns != NULL)
        names_add_ns(a->names, ns);
    gather_name(a, NAME_ZONE, doc, "tag");
    gather_bound(a, ns, doc, "min");
    gather_bound(a, ns, doc, "max");
}

static bool is_migration(const bson_t *doc)
{
    const char *what = text_field(doc, "what");
    return what != NULL && (strcmp(what, "moveChunk.from") == 0 || strcmp(what, "moveChunk.commit") == 0);
}

static void gather_changelog(anonymizer *a, const bson_t *doc)
{
    bson_t details;
    const char *ns = text_field(doc, "ns");
    if (!is_migration(doc) || ns == NULL || !sub_field(doc, "details", &details))
        return;
    names_add_ns(a->names, ns);
    gather_name(a, NAME_SHARD, &details, "from");
    gather_name(a, NAME_SHARD, &details, "to");
    gather_bound(a, ns, &details, "min");
    gather_bound(a, ns, &details, "max");
}

static void gather_nothing(anonymizer *a, const bson_t *doc)
{
    (void)a;
    (void)doc;
}

void (*anonymize_gatherer(enum doc_kind kind))(anonymizer *, const bson_t *)
{
    switch (kind) {
    case DOC_SHARD:
        return gather_shard;
    case DOC_DATABASE:
        return gather_database;
    case DOC_COLLECTION:
        return gather_collection;
    case DOC_CHUNK:
        return gather_chunk;
    case DOC_TAG:
        return gather_tag;
    case DOC_CHANGELOG:
        return gather_changelog;
    default:
        return gather_nothing;
    }
}

static void make_shard(const anonymizer *a, const bson_t *doc, bson_t *out)
{
    static const char *const plain[] = {"state", "draining", "maxSize", "currSizeMB", NULL};
    const char *id = text_field(doc, "_id");
    bson_iter_t it, tag;
    bson_t tags;
    append_name(a, NAME_SHARD, doc, "_id", out);
    if (id != NULL) {
        g_autofree char *name = names_get(a->names, NAME_SHARD, id);
        g_autofree char *host = g_strdup_printf("%s/%s.invalid:27018", name, name);
        bson_append_utf8(out, "host", -1, host, -1);
    }
    copy_plain(doc, plain, out);
    if (!bson_iter_init_find(&it, doc, "tags") || !BSON_ITER_HOLDS_ARRAY(&it) ||
        !bson_iter_recurse(&it, &tag))
        return;
    bson_append_array_begin(out, "tags", -1, &tags);
    while (bson_iter_next(&tag)) {
        if (text_of(&tag) == NULL)
            continue;
        g_autofree char *zone = names_get(a->names, NAME_ZONE, text_of(&tag));
        bson_append_utf8(&tags, bson_iter_key(&tag), -1, zone, -1);
    }
    bson_append_array_end(out, &tags);
}

static void make_database(const anonymizer *a, const bson_t *doc, bson_t *out)
{
    static const char *const plain[] = {"partitioned", NULL};
    append_name(a, NAME_DATABASE, doc, "_id", out);
    append_name(a, NAME_SHARD, doc, "primary", out);
    copy_plain(doc, plain, out);
}

static void make_key(const anonymizer *a, const bson_t *doc, bson_t *out)
{
    bson_t key, hidden;
    bson_iter_t it;
    if (!sub_field(doc, "key", &key) || !bson_iter_init(&it, &key))
        return;
    bson_append_document_begin(out, "key", -1, &hidden);
    while (bson_iter_next(&it)) {
        g_autofree char *as = names_get_path(a->names, bson_iter_key(&it));
        if (BSON_ITER_HOLDS_UTF8(&it))
            bson_append_utf8(&hidden, as, -1, "hashed", -1);
        else if (is_plain(&it))
            bson_append_iter(&hidden, as, -1, &it);
    }
    bson_append_document_end(out, &hidden);
}

static void make_time_series(const anonymizer *a, const bson_t *doc, bson_t *out)
{
    static const char *const fields[] = {"timeField", "metaField"};
    bson_t sub, hidden;
    if (!sub_field(doc, "timeseriesFields", &sub))
        return;
    bson_append_document_begin(out, "timeseriesFields", -1, &hidden);
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        const char *text = text_field(&sub, fields[i]);
        if (text == NULL)
            continue;
        g_autofree char *path = names_get_path(a->names, text);
        bson_append_utf8(&hidden, fields[i], -1, path, -1);
    }
    bson_append_document_end(out, &hidden);
}

static void make_collection(anonymizer *a, const bson_t *doc, bson_t *out)
{
    static const char *const plain[] = {"timestamp",
                                        "unique",
                                        "dropped",
                                        "noBalance",
                                        "allowMigrations",
                                        "permitMigrations",
                                        "allowChunkOperations",
                                        "maxChunkSizeBytes",
                                        "noAutoSplit",
                                        "enableAutoMerge",
                                        "defragmentCollection",
                                        "unsplittable",
                                        NULL};
    bson_t sub, empty;
    append_ns(a, doc, "_id", out);
    append_id(a, doc, "lastmodEpoch", out);
    append_id(a, doc, "uuid", out);
    make_key(a, doc, out);
    copy_plain(doc, plain, out);
    make_time_series(a, doc, out);
    if (sub_field(doc, "reshardingFields", &sub)) {
        bson_append_document_begin(out, "reshardingFields", -1, &empty);
        bson_append_document_end(out, &empty);
    }
}

static void make_history(const anonymizer *a, const bson_t *doc, bson_t *out)
{
    static const char *const plain[] = {"validAfter", NULL};
    bson_iter_t it, item;
    bson_t history, entry, hidden;
    if (!bson_iter_init_find(&it, doc, "history") || !BSON_ITER_HOLDS_ARRAY(&it) ||
        !bson_iter_recurse(&it, &item))
        return;
    bson_append_array_begin(out, "history", -1, &history);
    while (bson_iter_next(&item)) {
        /* Shards of long ago may be gone from everywhere else: only the newest entry is one that counts. */
        if (!sub_document(&item, &entry) || strcmp(bson_iter_key(&item), "0") != 0)
            continue;
        bson_append_document_begin(&history, "0", -1, &hidden);
        copy_plain(&entry, plain, &hidden);
        append_name(a, NAME_SHARD, &entry, "shard", &hidden);
        bson_append_document_end(&history, &hidden);
    }
    bson_append_array_end(out, &history);
}

static void make_chunk(anonymizer *a, uint64_t index, const bson_t *doc, bson_t *out)
{
    static const char *const plain[] = {"lastmod", "lastmodTimestamp",       "onCurrentShardSince",
                                        "jumbo",   "estimatedDataSizeBytes", NULL};
    const char *ns = ns_of(a, doc);
    bson_append_int64(out, "_id", -1, (int64_t)index);
    append_id(a, doc, "uuid", out);
    append_ns(a, doc, "ns", out);
    append_bound(a, ns, doc, "min", out);
    append_bound(a, ns, doc, "max", out);
    append_name(a, NAME_SHARD, doc, "shard", out);
    append_id(a, doc, "lastmodEpoch", out);
    copy_plain(doc, plain, out);
    make_history(a, doc, out);
}

static void make_tag(const anonymizer *a, uint64_t index, const bson_t *doc, bson_t *out)
{
    const char *ns = text_field(doc, "ns");
    bson_append_int64(out, "_id", -1, (int64_t)index);
    append_ns(a, doc, "ns", out);
    append_bound(a, ns, doc, "min", out);
    append_bound(a, ns, doc, "max", out);
    append_name(a, NAME_ZONE, doc, "tag", out);
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; text != NULL && *words != NULL; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

/* "HH:MM", nothing else. */
static bool is_clock(const char *text)
{
    return text != NULL && strlen(text) <= 5 && strspn(text, "0123456789:") == strlen(text);
}

static void make_window(const bson_t *doc, bson_t *out)
{
    bson_t window, copy;
    if (!sub_field(doc, "activeWindow", &window) || !is_clock(text_field(&window, "start")) ||
        !is_clock(text_field(&window, "stop")))
        return;
    bson_append_document_begin(out, "activeWindow", -1, &copy);
    bson_append_utf8(&copy, "start", -1, text_field(&window, "start"), -1);
    bson_append_utf8(&copy, "stop", -1, text_field(&window, "stop"), -1);
    bson_append_document_end(out, &copy);
}

static void make_setting(const bson_t *doc, uint64_t index, bson_t *out)
{
    static const char *const known[] = {"chunksize", "balancer", "autosplit", "automerge", NULL};
    static const char *const modes[] = {"full", "autoSplitOnly", "off", NULL};
    static const char *const plain[] = {
        "value",         "stopped", "_secondaryThrottle",          "_waitForDelete",
        "waitForDelete", "enabled", "attemptToBalanceJumboChunks", NULL};
    const char *id = text_field(doc, "_id"), *mode = text_field(doc, "mode");
    bson_t throttle;
    if (!is_one_of(id, known)) {
        bson_append_int64(out, "_id", -1, (int64_t)index);
        return;
    }
    bson_append_utf8(out, "_id", -1, id, -1);
    copy_plain(doc, plain, out);
    if (is_one_of(mode, modes))
        bson_append_utf8(out, "mode", -1, mode, -1);
    make_window(doc, out);
    if (sub_field(doc, "_secondaryThrottle", &throttle)) /* a write concern may name tags of hosts */
        bson_append_bool(out, "_secondaryThrottle", -1, true);
}

/* "step 1 of 6", with nothing between or behind. */
static bool is_step(const char *name)
{
    static const char digits[] = "0123456789", first[] = "step ", between[] = " of ";
    if (!g_str_has_prefix(name, first) || strlen(name) > sizeof "step 99 of 99")
        return false;
    name += strlen(first);
    name += strspn(name, digits);
    if (!g_str_has_prefix(name, between))
        return false;
    name += strlen(between);
    return strspn(name, digits) == strlen(name);
}

static void make_details(const anonymizer *a, const char *ns, const bson_t *details, bson_t *out)
{
    static const char *const notes[] = {"success", "aborted", NULL};
    static const char *const counts[] = {"cloned", "clonedBytes", "catchup", "steady", NULL};
    bson_t sub, copy;
    bson_iter_t it;
    const char *note = text_field(details, "note");
    append_bound(a, ns, details, "min", out);
    append_bound(a, ns, details, "max", out);
    append_name(a, NAME_SHARD, details, "from", out);
    append_name(a, NAME_SHARD, details, "to", out);
    if (bson_iter_init(&it, details))
        while (bson_iter_next(&it)) {
            const char *name = bson_iter_key(&it);
            if (is_step(name) && is_plain(&it))
                bson_append_iter(out, name, -1, &it);
        }
    if (sub_field(details, "counts", &sub)) {
        bson_append_document_begin(out, "counts", -1, &copy);
        copy_plain(&sub, counts, &copy);
        bson_append_document_end(out, &copy);
    }
    if (is_one_of(note, notes))
        bson_append_utf8(out, "note", -1, note, -1);
}

static void make_changelog(const anonymizer *a, uint64_t index, const bson_t *doc, bson_t *out)
{
    static const char *const plain[] = {"time", NULL};
    const char *ns = text_field(doc, "ns");
    bson_t details, hidden;
    bson_append_int64(out, "_id", -1, (int64_t)index);
    copy_plain(doc, plain, out);
    if (!is_migration(doc) || ns == NULL || !sub_field(doc, "details", &details))
        return;
    bson_append_utf8(out, "what", -1, text_field(doc, "what"), -1);
    append_ns(a, doc, "ns", out);
    bson_append_document_begin(out, "details", -1, &hidden);
    make_details(a, ns, &details, &hidden);
    bson_append_document_end(out, &hidden);
}

/* A version is digits and dots and little more. */
static void make_mongos(uint64_t index, const bson_t *doc, bson_t *out)
{
    static const char *const plain[] = {"ping", "up", "waiting", NULL};
    const char *version = text_field(doc, "mongoVersion");
    bson_append_int64(out, "_id", -1, (int64_t)index);
    copy_plain(doc, plain, out);
    if (version != NULL && strlen(version) <= 16)
        bson_append_utf8(out, "mongoVersion", -1, version, -1);
}

void anonymize_document(anonymizer *a, enum doc_kind kind, uint64_t index, const bson_t *doc, bson_t *out)
{
    switch (kind) {
    case DOC_SHARD:
        make_shard(a, doc, out);
        break;
    case DOC_DATABASE:
        make_database(a, doc, out);
        break;
    case DOC_COLLECTION:
        make_collection(a, doc, out);
        break;
    case DOC_CHUNK:
        make_chunk(a, index, doc, out);
        break;
    case DOC_TAG:
        make_tag(a, index, doc, out);
        break;
    case DOC_SETTING:
        make_setting(doc, index, out);
        break;
    case DOC_CHANGELOG:
        make_changelog(a, index, doc, out);
        break;
    case DOC_MONGOS:
        make_mongos(index, doc, out);
        break;
    case DOC_KIND_COUNT:
        break;
    }
}

void anonymize_sizes(const anonymizer *a, const bson_t *doc, bson_t *out)
{
    static const char *const plain[] = {"bytes", "documents", "orphanBytes", "orphans", NULL};
    bson_iter_t it;
    bson_t sub, copy;
    if (!bson_iter_init(&it, doc))
        return;
    while (bson_iter_next(&it)) {
        g_autofree char *shard = names_get(a->names, NAME_SHARD, bson_iter_key(&it));
        if (sub_document(&it, &sub)) {
            bson_append_document_begin(out, shard, -1, &copy);
            copy_plain(&sub, plain, &copy);
            bson_append_document_end(out, &copy);
        } else if (is_plain(&it)) {
            bson_append_iter(out, shard, -1, &it);
        }
    }
}
