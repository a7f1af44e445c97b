// SPDX-License-Identifier: Apache-2.0
#include "sandbox/load.h"

#include "sandbox/docpath.h"
#include "sandbox/host.h"
#include "sandbox/pipeline.h"
#include "sandbox/wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { READ_MAX = 1 << 30, READ_PART = 1 << 20 };

struct metadata {
    GHashTable *collections; /* name to GPtrArray of bson_t */
    char *version, *feature_version;
};

static metadata *metadata_new(void)
{
    metadata *m = g_new0(metadata, 1);
    m->collections =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    return m;
}

void metadata_free(metadata *m)
{
    if (m == NULL)
        return;
    g_hash_table_unref(m->collections);
    g_free(m->version);
    g_free(m->feature_version);
    g_free(m);
}

static GPtrArray *collection(metadata *m, const char *name)
{
    GPtrArray *docs = g_hash_table_lookup(m->collections, name);
    if (docs == NULL) {
        docs = docs_new();
        g_hash_table_insert(m->collections, g_strdup(name), docs);
    }
    return docs;
}

/* A whole file, unpacked where it is gzip. */
static GByteArray *read_file(const char *path, struct err *err)
{
    gzFile in = gzopen(path, "rbe");
    if (in == NULL) {
        err_set(err, ERR_NO_INPUT, "cannot open %s: %s", path, g_strerror(errno));
        return NULL;
    }
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree uint8_t *part = g_malloc(READ_PART);
    int n;
    while ((n = gzread(in, part, READ_PART)) > 0 && bytes->len <= READ_MAX)
        g_byte_array_append(bytes, part, (guint)n);
    int code;
    const char *reason = gzerror(in, &code);
    if (n < 0)
        err_set(err, code == Z_ERRNO ? ERR_NO_INPUT : ERR_DATA, "cannot read %s: %s", path,
                code == Z_ERRNO ? g_strerror(errno) : reason);
    else if (bytes->len > READ_MAX)
        err_set(err, ERR_DATA, "%s is larger than %d bytes, which is more than the sandbox loads", path,
                READ_MAX);
    gzclose(in);
    return n < 0 || bytes->len > READ_MAX ? NULL : g_steal_pointer(&bytes);
}

/* Documents are checked here once; the cluster may walk them freely. */
static bool add_document(metadata *m, const char *name, const uint8_t *data, uint32_t len, struct err *err)
{
    bson_t doc;
    if (!wire_document_ok(data, len) || !bson_init_static(&doc, data, len))
        return err_set(err, ERR_DATA, "a document of '%s' is not well-formed BSON", name);
    g_ptr_array_add(collection(m, name), bson_copy(&doc));
    return true;
}

static bool add_array(metadata *m, const bson_iter_t *it, struct err *err)
{
    bson_t array;
    bson_iter_t el;
    if (!doc_under(it, &array) || !bson_iter_init(&el, &array))
        return err_set(err, ERR_DATA, "'%s' is not well-formed", bson_iter_key(it));
    collection(m, bson_iter_key(it));
    while (bson_iter_next(&el)) {
        const uint8_t *data = NULL;
        uint32_t len = 0;
        if (!BSON_ITER_HOLDS_DOCUMENT(&el))
            return err_set(err, ERR_DATA, "an element of '%s' is not a document", bson_iter_key(it));
        bson_iter_document(&el, &len, &data);
        if (!add_document(m, bson_iter_key(it), data, len, err))
            return false;
    }
    return true;
}

/* {ns: {shard: ...}} becomes one {_id: ns, shards: {...}} each. */
static void add_sizes(metadata *m, const bson_iter_t *it)
{
    bson_t sizes;
    bson_iter_t el;
    if (!doc_under(it, &sizes) || !bson_iter_init(&el, &sizes))
        return;
    while (bson_iter_next(&el)) {
        bson_t *doc = bson_new();
        bson_append_utf8(doc, "_id", -1, bson_iter_key(&el), -1);
        doc_put(doc, "shards", &el);
        g_ptr_array_add(collection(m, "sizes"), doc);
    }
}

/* Arrays are collections; other fields are our own and mostly of no use here. */
static bool add_snapshot(metadata *m, const bson_t *doc, struct err *err)
{
    bson_iter_t it;
    m->version = g_strdup(doc_get_text(doc, "serverVersion"));
    m->feature_version = g_strdup(doc_get_text(doc, "featureCompatibilityVersion"));
    if (!bson_iter_init(&it, doc))
        return err_set(err, ERR_DATA, "it is not well-formed BSON");
    while (bson_iter_next(&it)) {
        if (BSON_ITER_HOLDS_ARRAY(&it) && !add_array(m, &it, err))
            return false;
        if (strcmp(bson_iter_key(&it), "sizes") == 0 && BSON_ITER_HOLDS_DOCUMENT(&it))
            add_sizes(m, &it);
    }
    return true;
}

static bool need_collections(const metadata *m, struct err *err)
{
    return (g_hash_table_contains(m->collections, "shards") &&
            g_hash_table_contains(m->collections, "collections")) ||
           err_set(
               err, ERR_DATA,
               "it has no 'shards' and 'collections'; is it a snapshot or a dump of the config database?");
}

/* JSON when it begins with '{' (a byte order mark and blanks aside), else BSON. */
static bool parse_snapshot(metadata *m, const GByteArray *bytes, struct err *err)
{
    size_t at = 0;
    bson_t doc;
    bson_error_t error;
    if (bytes->len >= 3 && memcmp(bytes->data, "\xef\xbb\xbf", 3) == 0)
        at = 3;
    while (at < bytes->len && g_ascii_isspace(bytes->data[at]))
        at++;
    if (at < bytes->len && bytes->data[at] == '{') {
        bson_t *parsed = bson_new_from_json(bytes->data + at, (ssize_t)(bytes->len - at), &error);
        if (parsed == NULL)
            return err_set(err, ERR_DATA, "not Extended JSON: %s", error.message);
        bool fine = add_snapshot(m, parsed, err);
        bson_destroy(parsed);
        return fine;
    }
    return bson_init_static(&doc, bytes->data, bytes->len)
               ? add_snapshot(m, &doc, err)
               : err_set(err, ERR_DATA, "it is neither JSON nor BSON");
}

bool metadata_read_snapshot(const char *path, metadata **ret, struct err *err)
{
    g_autoptr(GByteArray) bytes = read_file(path, err);
    if (bytes == NULL)
        return false;
    metadata *m = metadata_new();
    if (!parse_snapshot(m, bytes, err) || !need_collections(m, err)) {
        metadata_free(m);
        return err_wrap(err, "%s", path);
    }
    *ret = m;
    return true;
}

/* Documents one behind the other, as mongodump writes them. */
static bool parse_dump_file(metadata *m, const char *name, const GByteArray *bytes, struct err *err)
{
    collection(m, name);
    for (size_t at = 0; at < bytes->len;) {
        size_t have = bytes->len - at;
        const uint8_t *p = bytes->data + at;
        uint32_t len =
            have < 4 ? 0 : (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        if (len < 5 || len > have)
            return err_set(err, ERR_DATA, "at byte %zu: not BSON, or truncated", at);
        if (!add_document(m, name, p, len, err))
            return false;
        at += len;
    }
    return true;
}

/* Reads DIR/NAME.bson or DIR/NAME.bson.gz; neither there is fine. */
static bool read_dump_file(metadata *m, const char *dir, const char *name, struct err *err)
{
    static const char *const endings[] = {".bson", ".bson.gz"};
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
        g_autofree char *path = g_strconcat(dir, "/", name, endings[i], NULL);
        if (access(path, F_OK) != 0)
            continue;
        g_autoptr(GByteArray) bytes = read_file(path, err);
        return bytes != NULL && (parse_dump_file(m, name, bytes, err) || err_wrap(err, "%s", path));
    }
    return true;
}

/* Only files of known names are read: the folder may hold anything else. */
bool metadata_read_dump(const char *dir, metadata **ret, struct err *err)
{
    g_autofree char *below = g_strconcat(dir, "/config", NULL);
    const char *folder = access(below, F_OK) == 0 ? below : dir;
    if (access(folder, R_OK | X_OK) != 0)
        return err_set(err, ERR_NO_INPUT, "cannot read the folder %s: %s", folder, g_strerror(errno));
    metadata *m = metadata_new();
    bool fine = true;
    for (guint i = 0; fine && host_config_collections[i] != NULL; i++)
        fine = read_dump_file(m, folder, host_config_collections[i], err);
    if (fine && !need_collections(m, err))
        fine = err_wrap(err, "%s", folder);
    if (!fine) {
        metadata_free(m);
        return false;
    }
    *ret = m;
    return true;
}

/* The newest version among the routers, or by shape: chunks by uuid came with 5.0. */
static const char *guess_version(const metadata *m)
{
    const GPtrArray *routers = g_hash_table_lookup(m->collections, "mongos");
    const GPtrArray *chunks = g_hash_table_lookup(m->collections, "chunks");
    for (guint i = 0; routers != NULL && i < routers->len; i++) {
        const char *version = doc_get_text(routers->pdata[i], "mongoVersion");
        if (version != NULL && g_ascii_isdigit(version[0]))
            return version;
    }
    return chunks != NULL && chunks->len > 0 && bson_has_field(chunks->pdata[0], "uuid") ? "7.0.0" : "4.2.0";
}

const char *metadata_version(const metadata *m)
{
    return m->version != NULL ? m->version : guess_version(m);
}

const char *metadata_feature_version(const metadata *m)
{
    return m->feature_version;
}

/* Sizes come last; the cluster looks at nothing before all is there. */
bool metadata_feed(const metadata *m, sb_cluster *c, struct err *err)
{
    static const char *const more[] = {"sizes", NULL};
    const char *const *lists[] = {host_config_collections, more};
    for (size_t l = 0; l < G_N_ELEMENTS(lists); l++)
        for (guint n = 0; lists[l][n] != NULL; n++) {
            const GPtrArray *docs = g_hash_table_lookup(m->collections, lists[l][n]);
            for (guint i = 0; docs != NULL && i < docs->len; i++)
                if (!sb_cluster_load(c, lists[l][n], docs->pdata[i], err))
                    return err_wrap(err, "%s, document %u", lists[l][n], i);
        }
    return sb_cluster_ready(c, err);
}
