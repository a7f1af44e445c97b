// SPDX-License-Identifier: Apache-2.0
/* Shards that are added and drained. What is added comes first, so that every other change may speak of it.
 */
#include "balancer/cluster/builder_private.h"
#include "balancer/cluster/changes_private.h"
#include "common/nearest.h"

#include <string.h>

enum { IDS_TOLD = 8 };

uint16_t changes_find_shard(const builder *b, const char *id)
{
    guint name = GPOINTER_TO_UINT(g_hash_table_lookup(b->name_index, id));
    return name == 0 ? SHARD_NONE : name_at(b, (uint16_t)(name - 1))->number;
}

bool changes_no_shard(const builder *b, enum err_class cls, const char *id, struct err *err)
{
    g_autoptr(GPtrArray) ids = g_ptr_array_new();
    for (guint i = 0; i < b->shards->len; i++)
        g_ptr_array_add(ids, g_array_index(b->shards, struct shard, i).id);
    const char *nearest = nearest_word(id, (const char *const *)ids->pdata, ids->len);
    if (nearest != NULL)
        return err_set(err, cls, "no shard " NAME_FMT " in this cluster; did you mean " NAME_FMT "?", id,
                       nearest);
    g_autoptr(GString) all = g_string_new(NULL);
    for (guint i = 0; i < MIN(ids->len, IDS_TOLD); i++)
        g_string_append_printf(all, "%s%.60s", i == 0 ? "" : ", ", (const char *)ids->pdata[i]);
    return err_set(err, cls, "no shard " NAME_FMT " in this cluster; there are %s%s", id,
                   ids->len == 0 ? "none" : all->str, ids->len > IDS_TOLD ? " and others" : "");
}

static bool add_shard(builder *b, const struct wished *ch, struct err *err)
{
    if (changes_find_shard(b, ch->shard) != SHARD_NONE)
        return err_set(err, ERR_USAGE,
                       "--add-shard: shard " NAME_FMT " is in this cluster already; give a new name",
                       ch->shard);
    bson_t doc = BSON_INITIALIZER, tags;
    bson_append_utf8(&doc, "_id", -1, ch->shard, -1);
    bson_append_array_begin(&doc, "tags", -1, &tags);
    for (guint i = 0; i < ch->zones->len; i++) {
        char buf[16];
        const char *key;
        bson_uint32_to_string(i, &key, buf, sizeof buf);
        bson_append_utf8(&tags, key, -1, ch->zones->pdata[i], -1);
    }
    bson_append_array_end(&doc, &tags);
    bool ok = builder_add_shard(b, b->shards->len, bson_get_data(&doc), doc.len, err);
    bson_destroy(&doc);
    return ok || err_wrap(err, "--add-shard");
}

static bool drain_shard(builder *b, const struct wished *ch, struct err *err)
{
    uint16_t s = changes_find_shard(b, ch->shard);
    if (s == SHARD_NONE) {
        changes_no_shard(b, ERR_USAGE, ch->shard, err);
        return err_wrap(err, "--drain");
    }
    g_array_index(b->shards, struct shard, s).draining = true;
    return true;
}

static bool check_weight(const builder *b, const struct wished *ch, struct err *err)
{
    if (changes_find_shard(b, ch->shard) != SHARD_NONE)
        return true;
    changes_no_shard(b, ERR_USAGE, ch->shard, err);
    return err_wrap(err, "--weight");
}

bool changes_make(const change_list *c, builder *b, struct err *err)
{
    for (guint i = 0; i < c->list->len; i++) {
        const struct wished *ch = &g_array_index(c->list, struct wished, i);
        if (ch->kind == CHANGE_ADD_SHARD && !add_shard(b, ch, err))
            return false;
    }
    for (guint i = 0; i < c->list->len; i++) {
        const struct wished *ch = &g_array_index(c->list, struct wished, i);
        if ((ch->kind == CHANGE_DRAIN && !drain_shard(b, ch, err)) ||
            (ch->kind == CHANGE_WEIGHT && !check_weight(b, ch, err)))
            return false;
    }
    return changes_zones_make(c, b, err);
}
