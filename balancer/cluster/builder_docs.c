// SPDX-License-Identifier: Apache-2.0
/* config.shards, config.databases, config.mongos, and the server version. A shard that cannot be understood
 * ends the reading: no plan is right without it. The others are of use but not needed. */
#include "balancer/cluster/builder_private.h"

#include <string.h>

/* Largest maxSize or currSizeMB that is believed, in MB (1 EiB). */
#define SHARD_MB_MAX ((int64_t)1 << 40)

static bool read_megabytes(const bson_iter_t *it, int64_t *ret)
{
    int64_t mb;
    if (BSON_ITER_HOLDS_NULL(it))
        return true;
    if (!field_bytes(it, &mb) || mb > SHARD_MB_MAX)
        return false;
    *ret = mb;
    return true;
}

/* Zone names of a shard, repeated ones too; an empty one says nothing. */
static const char *read_tags(const bson_iter_t *it, GPtrArray *tags)
{
    bson_iter_t item;
    if (BSON_ITER_HOLDS_NULL(it))
        return NULL;
    if (!BSON_ITER_HOLDS_ARRAY(it) || !bson_iter_recurse(it, &item))
        return "tags is not an array";
    while (bson_iter_next(&item)) {
        const char *name;
        if (!field_text(&item, &name))
            return "an element of tags is not a UTF-8 string";
        if (name[0] != '\0')
            g_ptr_array_add(tags, g_strdup(name));
    }
    return walk_complete(&item) ? NULL : "corrupt BSON in tags";
}

/* One field of a shard; the constant text says what is wrong with it. */
static const char *read_shard_field(const bson_iter_t *it, struct shard *s, GPtrArray *tags)
{
    const char *name = bson_iter_key(it), *text;
    if (strcmp(name, "_id") == 0) {
        g_free(s->id);
        s->id = field_text(it, &text) && text[0] != '\0' ? g_strdup(text) : NULL;
        return s->id != NULL ? NULL : "_id is not a string, or empty, or not UTF-8";
    }
    if (strcmp(name, "host") == 0 && field_text(it, &text)) {
        g_free(s->host);
        s->host = g_strdup(text);
    }
    if (strcmp(name, "draining") == 0 && !field_bool(it, false, &s->draining))
        return "draining is not a boolean";
    if (strcmp(name, "maxSize") == 0 && !read_megabytes(it, &s->max_size_mb))
        return "maxSize is not a number of megabytes";
    if (strcmp(name, "currSizeMB") == 0 && !read_megabytes(it, &s->current_size_mb))
        return "currSizeMB is not a number of megabytes";
    if (strcmp(name, "tags") == 0)
        return read_tags(it, tags);
    return NULL;
}

static const char *read_shard(const uint8_t *doc, uint32_t len, struct shard *s, GPtrArray *tags)
{
    bson_iter_t it;
    const char *fault = NULL;
    if (!bson_iter_init_from_data(&it, doc, len))
        return "corrupt BSON";
    while (fault == NULL && bson_iter_next(&it))
        fault = read_shard_field(&it, s, tags);
    if (fault == NULL && !walk_complete(&it))
        fault = "corrupt BSON";
    if (fault == NULL && s->id == NULL)
        fault = "_id is missing";
    return fault;
}

static const char *number_shard(builder *b, const struct shard *s)
{
    uint16_t name = name_intern(b, s->id);
    if (name == SHARD_NONE)
        return "there are more than 65534 shards";
    if (name_at(b, name)->number != SHARD_NONE)
        return "a second document of this shard";
    name_at(b, name)->number = (uint16_t)b->shards->len;
    return NULL;
}

bool builder_add_shard(builder *b, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err)
{
    struct shard s = {.current_size_mb = SIZE_UNKNOWN, .orphan_bytes = SIZE_UNKNOWN};
    GPtrArray *tags = g_ptr_array_new_with_free_func(g_free);
    const char *fault = read_shard(doc, len, &s, tags);
    if (fault == NULL)
        fault = number_shard(b, &s);
    if (fault != NULL) {
        g_autofree char *where = doc_where(DOC_SHARD, index, doc, len);
        g_ptr_array_unref(tags);
        g_free(s.id);
        g_free(s.host);
        return err_set(err, ERR_DATA, "%s: %s", where, fault);
    }
    g_array_append_val(b->shards, s);
    g_ptr_array_add(b->shard_tags, tags);
    return true;
}

void builder_finish_shards(builder *b)
{
    for (guint i = 0; i < b->used_shards->len; i++) {
        const char *id = g_ptr_array_index(b->used_shards, i);
        guint name = GPOINTER_TO_UINT(g_hash_table_lookup(b->name_index, id));
        uint16_t number = name == 0 ? SHARD_NONE : name_at(b, (uint16_t)(name - 1))->number;
        if (number == SHARD_NONE)
            warn_add(b, "usedShardUnknown", NULL,
                     "usedShards names " NAME_FMT ", which is not in config.shards", id);
        else
            g_array_index(b->shards, struct shard, number).busy = true;
    }
    cluster *cl = b->cl;
    cl->databases = g_new0(struct database, b->databases->len);
    for (; cl->n_databases < b->databases->len; cl->n_databases++) {
        struct database_doc *d = &g_array_index(b->databases, struct database_doc, cl->n_databases);
        struct database *to = &cl->databases[cl->n_databases];
        guint name =
            d->primary == NULL ? 0 : GPOINTER_TO_UINT(g_hash_table_lookup(b->name_index, d->primary));
        to->name = g_steal_pointer(&d->name);
        to->primary = name == 0 ? SHARD_NONE : name_at(b, (uint16_t)(name - 1))->number;
    }
}

void builder_add_database(builder *b, uint64_t index, const uint8_t *doc, uint32_t len)
{
    bson_iter_t it;
    const char *name = NULL, *primary = NULL;
    bool whole = bson_iter_init_from_data(&it, doc, len);
    while (whole && bson_iter_next(&it)) {
        if (strcmp(bson_iter_key(&it), "_id") == 0)
            field_text(&it, &name);
        else if (strcmp(bson_iter_key(&it), "primary") == 0)
            field_text(&it, &primary);
    }
    if (!whole || !walk_complete(&it) || name == NULL || name[0] == '\0') {
        g_autofree char *where = doc_where(DOC_DATABASE, index, doc, len);
        warn_add(b, "metadataInvalid", NULL, "%s: not a database's document, so it is left out", where);
        return;
    }
    struct database_doc d = {.name = g_strdup(name), .primary = g_strdup(primary)};
    g_array_append_val(b->databases, d);
}

/* A number of a version, and the dot behind it where `dot`. */
static bool version_part(const char **s, bool dot, int *ret)
{
    int n = 0;
    if (!g_ascii_isdigit(**s))
        return false;
    for (; g_ascii_isdigit(**s); (*s)++) {
        n = n * 10 + g_ascii_digit_value(**s);
        if (n > 9999)
            return false;
    }
    if (dot && *(*s)++ != '.')
        return false;
    *ret = n;
    return true;
}

/* "7.0.14", "8.0.0-rc3"; what follows the patch level is not looked at. */
bool version_parse(const char *text, int *ret_major, int *ret_minor, int *ret_patch)
{
    int major, minor, patch = 0;
    if (!version_part(&text, true, &major) || !version_part(&text, false, &minor))
        return false;
    if (*text == '.' && (text++, !version_part(&text, false, &patch)))
        return false;
    if (*text != '\0' && *text != '-' && *text != '.' && *text != '+')
        return false;
    *ret_major = major;
    *ret_minor = minor;
    *ret_patch = patch;
    return true;
}

bool builder_server_version(builder *b, const char *version, struct err *err)
{
    cluster *cl = b->cl;
    if (!version_parse(version, &cl->server_major, &cl->server_minor, &cl->server_patch))
        return err_set(err, ERR_DATA, "server version " NAME_FMT " is not of the form 7.0.14", version);
    g_free(cl->server_version);
    cl->server_version = g_strdup(version);
    return true;
}

/* Believes the mongos that was seen last; a version that cannot be read is as good as none. */
void builder_add_mongos(builder *b, const uint8_t *doc, uint32_t len)
{
    bson_iter_t it;
    const char *version = NULL;
    int64_t ping = INT64_MIN;
    int part;
    if (!bson_iter_init_from_data(&it, doc, len))
        return;
    while (bson_iter_next(&it)) {
        if (strcmp(bson_iter_key(&it), "mongoVersion") == 0)
            field_text(&it, &version);
        else if (strcmp(bson_iter_key(&it), "ping") == 0 && BSON_ITER_HOLDS_DATE_TIME(&it))
            ping = bson_iter_date_time(&it);
    }
    if (version == NULL || !version_parse(version, &part, &part, &part))
        return;
    /* Of two seen at the same time the order of input must not decide. */
    if (b->mongos_version != NULL &&
        (ping < b->newest_ping_ms || (ping == b->newest_ping_ms && strcmp(version, b->mongos_version) <= 0)))
        return;
    g_free(b->mongos_version);
    b->mongos_version = g_strdup(version);
    b->newest_ping_ms = ping;
}

void builder_finish_version(builder *b)
{
    if (b->cl->server_version == NULL && b->mongos_version != NULL)
        builder_server_version(b, b->mongos_version, NULL);
}
