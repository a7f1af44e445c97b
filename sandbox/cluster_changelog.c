// SPDX-License-Identifier: Apache-2.0
/* What the members of the cluster write into config.changelog, in the shape of the recordings. */
#include "sandbox/cluster_impl.h"
#include "sandbox/server_text.h"

#include <string.h>

enum { ENTRIES_MAX = 20000 }; /* the server's collection is capped too, at 200 MB */

/* "rs/h1:p,h2:p" -> "h1:p" */
static char *first_host(const char *host)
{
    const char *slash = strchr(host, '/');
    const char *start = slash != NULL ? slash + 1 : host;
    return g_strndup(start, strcspn(start, ","));
}

/* One entry, by a member of the cluster (`s` NULL: the config servers). The id is made of the same things as
 * the server's. */
static void append(sb_cluster *c, const struct shard *s, const char *what, const char *ns,
                   const bson_t *details)
{
    bson_t *doc = bson_new();
    bson_oid_t oid;
    char hex[25];
    int64_t now = sb_now_ms(c);
    g_autofree char *server = s != NULL ? first_host(s->host) : g_strdup("127.0.0.1:27019");
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(now / 1000);
    g_autofree char *date = when != NULL ? g_date_time_format(when, "%Y-%m-%dT%H:%M:%S") : g_strdup("");
    sb_oid_next(c, &oid);
    bson_oid_to_string(&oid, hex);
    g_autofree char *id = g_strdup_printf("%s-%s.%03d+0000-%s", server, date, (int)(now % 1000), hex);
    BSON_APPEND_UTF8(doc, "_id", id);
    BSON_APPEND_UTF8(doc, "server", server);
    BSON_APPEND_UTF8(doc, "shard", s != NULL ? s->id : "config");
    BSON_APPEND_UTF8(doc, "clientAddr", strcmp(what, "moveChunk.to") == 0 ? "" : "127.0.0.1:44142");
    BSON_APPEND_DATE_TIME(doc, "time", now);
    BSON_APPEND_UTF8(doc, "what", what);
    BSON_APPEND_UTF8(doc, "ns", ns);
    BSON_APPEND_DOCUMENT(doc, "details", details);
    g_ptr_array_add(c->changelog, doc);
    if (c->changelog->len > ENTRIES_MAX)
        g_ptr_array_remove_range(c->changelog, 0, ENTRIES_MAX / 10);
    sb_changed(c);
}

void sb_log_config(sb_cluster *c, const char *what, const char *ns, const bson_t *details)
{
    append(c, NULL, what, ns, details);
}

static void put_steps(bson_t *d, const struct migration *m, bool recipient)
{
    char name[32];
    for (int i = 1; i <= STEPS && i <= m->step; i++) {
        g_snprintf(name, sizeof name, "step %d of %d", i, STEPS);
        int64_t took = recipient ? m->took[i] / 2 : m->took[i];
        bson_append_int32(d, name, -1, (int32_t)MIN(took, G_MAXINT32));
    }
}

static void put_counts(bson_t *d, const struct migration *m)
{
    bson_t counts;
    BSON_APPEND_DOCUMENT_BEGIN(d, "counts", &counts);
    BSON_APPEND_INT64(&counts, "cloned", m->documents);
    BSON_APPEND_INT64(&counts, "clonedBytes", m->bytes);
    BSON_APPEND_INT64(&counts, "catchup", 0);
    BSON_APPEND_INT64(&counts, "steady", 0);
    bson_append_document_end(d, &counts);
}

/* moveChunk.start, .commit, .error say where from and to before anything else; .from and .to list the steps
 * first. */
void sb_log_move(const struct migration *m, const char *what, bool success, const char *errmsg)
{
    bool to = strcmp(what, "moveChunk.to") == 0, from = strcmp(what, "moveChunk.from") == 0;
    bson_t *d = bson_new();
    BSON_APPEND_DOCUMENT(d, "min", m->move.min->doc);
    BSON_APPEND_DOCUMENT(d, "max", m->move.max->doc);
    if (to || from)
        put_steps(d, m, to);
    if (from) {
        BSON_APPEND_UTF8(d, "to", m->move.to->id);
        BSON_APPEND_UTF8(d, "from", m->move.from->id);
    } else if (!to) {
        BSON_APPEND_UTF8(d, "from", m->move.from->id);
        BSON_APPEND_UTF8(d, "to", m->move.to->id);
    }
    if (strcmp(what, "moveChunk.commit") == 0)
        put_counts(d, m);
    if (to || from)
        BSON_APPEND_UTF8(d, "note", success ? "success" : "aborted");
    if ((to || from) && errmsg != NULL && sb_since(m->c, 4, 4))
        BSON_APPEND_UTF8(d, "errmsg", errmsg);
    append(m->c, to ? m->move.to : m->move.from, what, m->ns, d);
    bson_destroy(d);
}

static void put_piece(bson_t *d, const char *name, const struct coll *k, const struct bound *min,
                      const struct bound *max, uint64_t version)
{
    bson_t piece;
    bson_append_document_begin(d, name, -1, &piece);
    BSON_APPEND_DOCUMENT(&piece, "min", min->doc);
    BSON_APPEND_DOCUMENT(&piece, "max", max->doc);
    sb_append_version(&piece, "lastmod", version);
    BSON_APPEND_OID(&piece, "lastmodEpoch", &k->epoch);
    bson_append_document_end(d, &piece);
}

/* `before` is the version of the collection, not of the chunk: so the server writes it. */
void sb_log_split(struct coll *k, const struct bound *min, const struct bound *max, uint64_t before,
                  GPtrArray *pieces)
{
    for (guint i = 0; i < pieces->len; i++) {
        const struct chunk *ch = pieces->pdata[i];
        bson_t *d = bson_new();
        put_piece(d, "before", k, min, max, before);
        if (pieces->len == 2) {
            const struct chunk *right = pieces->pdata[1];
            put_piece(d, "left", k, ch->min, ch->max, ch->version);
            put_piece(d, "right", k, right->min, right->max, right->version);
            i = 1;
        } else {
            BSON_APPEND_INT32(d, "number", (int32_t)i + 1);
            BSON_APPEND_INT32(d, "of", (int32_t)pieces->len);
            put_piece(d, "chunk", k, ch->min, ch->max, ch->version);
        }
        append(k->c, NULL, pieces->len == 2 ? "split" : "multi-split", k->ns, d);
        bson_destroy(d);
    }
}

/* A merged chunk as the server logs it: without its version. */
static void put_merged(bson_t *array, guint index, const struct chunk *ch)
{
    bson_t item;
    char name[16];
    const char *key;
    bson_uint32_to_string(index, &key, name, sizeof name);
    bson_append_document_begin(array, key, -1, &item);
    if (sb_since(ch->coll->c, 4, 4)) {
        BSON_APPEND_OID(&item, "_id", &ch->id);
    } else {
        g_autofree char *id = server_chunk_id(ch->coll->ns, ch->min->doc);
        BSON_APPEND_UTF8(&item, "_id", id);
    }
    if (sb_since(ch->coll->c, 5, 0))
        bson_append_binary(&item, "uuid", -1, BSON_SUBTYPE_UUID, ch->coll->uuid, 16);
    else
        BSON_APPEND_UTF8(&item, "ns", ch->coll->ns);
    BSON_APPEND_DOCUMENT(&item, "min", ch->min->doc);
    BSON_APPEND_DOCUMENT(&item, "max", ch->max->doc);
    BSON_APPEND_UTF8(&item, "shard", ch->shard->id);
    bson_append_document_end(array, &item);
}

/* The fields are called after shard versions, but hold those of the collection. */
void sb_log_merge(struct coll *k, GPtrArray *merged, uint64_t before, uint64_t after)
{
    bson_t *d = bson_new(), array;
    BSON_APPEND_ARRAY_BEGIN(d, "merged", &array);
    for (guint i = 0; i < merged->len; i++)
        put_merged(&array, i, merged->pdata[i]);
    bson_append_array_end(d, &array);
    sb_append_version(d, "prevShardVersion", before);
    BSON_APPEND_OID(d, "prevShardVersionEpoch", &k->epoch);
    sb_append_version(d, "mergedVersion", after);
    BSON_APPEND_OID(d, "mergedVersionEpoch", &k->epoch);
    append(k->c, NULL, "merge", k->ns, d);
    bson_destroy(d);
}
