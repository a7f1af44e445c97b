// SPDX-License-Identifier: Apache-2.0
/* The builder's frame: what it holds, which part reads which document, and the order of the end. Documents
 * come in any order, so a part only notes what its documents say; whatever needs two documents waits for
 * builder_finish(). */
#include "balancer/cluster/builder.h"

#include "balancer/cluster/builder_private.h"

#include <string.h>

static const char *const kind_names[DOC_KIND_COUNT] = {
    [DOC_SHARD] = "shards",        [DOC_DATABASE] = "databases", [DOC_COLLECTION] = "collections",
    [DOC_CHUNK] = "chunks",        [DOC_TAG] = "tags",           [DOC_SETTING] = "settings",
    [DOC_CHANGELOG] = "changelog", [DOC_MONGOS] = "mongos",
};

const char *doc_kind_name(enum doc_kind kind)
{
    return kind_names[kind];
}

enum doc_kind doc_kind_find(const char *name)
{
    unsigned kind = 0;
    while (kind < DOC_KIND_COUNT && strcmp(kind_names[kind], name) != 0)
        kind++;
    return (enum doc_kind)kind;
}

static void shard_name_clear(gpointer p)
{
    struct shard_name *n = p;
    g_free(n->name);
    g_free(n->first_where);
}

static void database_doc_clear(gpointer p)
{
    struct database_doc *d = p;
    g_free(d->name);
    g_free(d->primary);
}

static void warning_clear(gpointer p)
{
    struct warning *w = p;
    g_free(w->code);
    g_free(w->ns);
    g_free(w->message);
}

static cluster *cluster_new(void)
{
    cluster *cl = g_new0(cluster, 1);
    cl->history = g_array_new(FALSE, FALSE, sizeof(struct past_migration));
    cl->warnings = g_array_new(FALSE, FALSE, sizeof(struct warning));
    g_array_set_clear_func(cl->warnings, warning_clear);
    cl->first_ns = g_ptr_array_new_with_free_func(g_free);
    cl->tags = g_ptr_array_new_with_free_func((GDestroyNotify)bson_destroy);
    return cl;
}

builder *builder_new(void)
{
    builder *b = g_new0(builder, 1);
    b->cl = cluster_new();
    b->name_index = g_hash_table_new(g_str_hash, g_str_equal);
    b->names = g_array_new(FALSE, FALSE, sizeof(struct shard_name));
    g_array_set_clear_func(b->names, shard_name_clear);
    b->shard_tags = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    b->shards = g_array_new(FALSE, FALSE, sizeof(struct shard));
    b->slots = g_hash_table_new(slot_hash, slot_equal);
    b->slot_order = g_ptr_array_new_with_free_func((GDestroyNotify)slot_free);
    b->slot_key = g_byte_array_new();
    b->arena_max = UINT32_MAX;
    b->collections = g_array_new(FALSE, FALSE, sizeof(struct collection));
    b->collection_index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    b->dropped = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    b->tags = g_ptr_array_new_with_free_func((GDestroyNotify)tag_doc_free);
    b->databases = g_array_new(FALSE, FALSE, sizeof(struct database_doc));
    g_array_set_clear_func(b->databases, database_doc_clear);
    b->sizes = g_ptr_array_new_with_free_func((GDestroyNotify)size_doc_free);
    b->size_index = g_hash_table_new(g_str_hash, g_str_equal);
    b->used_shards = g_ptr_array_new_with_free_func(g_free);
    b->moves_from = g_array_new(FALSE, FALSE, sizeof(struct history_row));
    b->moves_commit = g_array_new(FALSE, FALSE, sizeof(struct history_row));
    b->activity = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    b->newest_ping_ms = INT64_MIN;
    return b;
}

/* Shards and collections belong to the model, whose destructor knows what is in them. */
static void hand_over_arrays(builder *b)
{
    b->cl->n_shards = (uint16_t)b->shards->len;
    b->cl->shards = (struct shard *)(void *)g_array_free(b->shards, FALSE);
    b->shards = NULL;
    b->cl->n_collections = b->collections->len;
    b->cl->collections = (struct collection *)(void *)g_array_free(b->collections, FALSE);
    b->collections = NULL;
}

void builder_free(builder *b)
{
    if (b == NULL)
        return;
    if (b->shards != NULL)
        hand_over_arrays(b);
    cluster_free(b->cl);
    g_hash_table_unref(b->name_index);
    g_array_unref(b->names);
    g_ptr_array_unref(b->shard_tags);
    g_hash_table_unref(b->slots);
    g_ptr_array_unref(b->slot_order);
    g_byte_array_unref(b->slot_key);
    g_hash_table_unref(b->collection_index);
    g_hash_table_unref(b->dropped);
    g_ptr_array_unref(b->tags);
    g_array_unref(b->databases);
    g_hash_table_unref(b->size_index);
    g_ptr_array_unref(b->sizes);
    g_ptr_array_unref(b->used_shards);
    g_array_unref(b->moves_from);
    g_array_unref(b->moves_commit);
    g_hash_table_unref(b->activity);
    g_free(b->unknown_mode);
    g_free(b->unknown_mode_where);
    g_free(b->mongos_version);
    g_free(b);
}

bool builder_add(builder *b, enum doc_kind kind, uint64_t index, const uint8_t *doc, uint32_t len,
                 struct err *err)
{
    switch (kind) {
    case DOC_CHUNK:
        return builder_add_chunk(b, index, doc, len, err);
    case DOC_SHARD:
        return builder_add_shard(b, index, doc, len, err);
    case DOC_COLLECTION:
        return builder_add_collection(b, index, doc, len, err);
    case DOC_TAG:
        return builder_add_tag(b, index, doc, len, err);
    case DOC_DATABASE:
        builder_add_database(b, index, doc, len);
        return true;
    case DOC_SETTING:
        builder_add_setting(b, index, doc, len);
        return true;
    case DOC_CHANGELOG:
        builder_add_changelog(b, doc, len);
        return true;
    case DOC_MONGOS:
        builder_add_mongos(b, doc, len);
        return true;
    case DOC_KIND_COUNT:
        break;
    }
    return true;
}

uint16_t name_intern(builder *b, const char *name)
{
    uint16_t number = GPOINTER_TO_UINT(g_hash_table_lookup(b->name_index, name)) & UINT16_MAX;
    if (number != 0)
        return (uint16_t)(number - 1);
    if (b->names->len >= SHARD_NONE - 1)
        return SHARD_NONE;
    struct shard_name n = {.name = g_strdup(name), .number = SHARD_NONE};
    g_array_append_val(b->names, n);
    g_hash_table_insert(b->name_index, n.name, GUINT_TO_POINTER(b->names->len));
    return (uint16_t)(b->names->len - 1);
}

void builder_taken_at(builder *b, int64_t unix_ms)
{
    b->cl->taken_at_ms = unix_ms;
}

void builder_used_shard(builder *b, const char *id)
{
    g_ptr_array_add(b->used_shards, g_strdup(id));
}

void builder_first_ns(builder *b, const char *ns)
{
    g_ptr_array_add(b->cl->first_ns, g_strdup(ns));
}

void builder_warn(builder *b, const char *code, const char *ns, const char *message)
{
    warn_add(b, code, ns, "%s", message);
}

/* Says which collections are left out for damage, once all that can damage them was looked at. */
static void warn_invalid(builder *b)
{
    for (guint i = 0; i < b->collections->len; i++) {
        const struct collection *c = &g_array_index(b->collections, struct collection, i);
        if (c->invalid != NULL)
            warn_add(b, "metadataInvalid", c->ns, "collection " NAME_FMT " is left out: %s", c->ns,
                     c->invalid);
    }
}

static void sum_key_bytes(cluster *cl)
{
    for (uint32_t i = 0; i < cl->n_collections; i++) {
        const struct chunks *ch = &cl->collections[i].chunks;
        if (ch->n > 0)
            cl->key_bytes += (int64_t)ch->enc_at[ch->n] + ch->pack_at[ch->n];
    }
}

bool builder_finish(builder *b, cluster **ret, struct err *err)
{
    builder_finish_version(b);
    builder_finish_shards(b);
    builder_finish_settings(b);
    if (!builder_finish_collections(b, err))
        return false;
    if (!builder_finish_zones(b, err) || !builder_finish_sizes(b, err))
        return false;
    warn_invalid(b);
    hand_over_arrays(b);
    builder_finish_changelog(b); /* names what is in the model by now */
    builder_finish_activity(b);
    sum_key_bytes(b->cl);
    *ret = g_steal_pointer(&b->cl);
    return true;
}
