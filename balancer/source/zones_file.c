// SPDX-License-Identifier: Apache-2.0
/* A file of zones has keys of a snapshot: `tags` and `shards`; a whole snapshot is one, too. What is neither
 * ours nor a snapshot's is a slip of the pen, and must not go for a wish that nothing is changed. */
#include "balancer/source/readers.h"
#include "balancer/source/source.h"
#include "balancer/source/walk.h"
#include "common/nearest.h"

#include <string.h>

enum zone_key { ZONE_TAGS, ZONE_SHARDS, ZONE_COLLECTIONS, ZONE_NAMESPACES, ZONE_KEY_COUNT };

static const struct {
    const char *name;
    enum shape shape;
} keys[ZONE_KEY_COUNT] = {
    [ZONE_TAGS] = {"tags", SHAPE_DOCUMENTS},
    [ZONE_SHARDS] = {"shards", SHAPE_DOCUMENTS},
    [ZONE_COLLECTIONS] = {"collections", SHAPE_DOCUMENTS},
    [ZONE_NAMESPACES] = {"namespaces", SHAPE_STRINGS},
};

/* Of a snapshot, and of no matter here. */
static const char *const others[] = {"evenkeelSnapshot",
                                     "takenAt",
                                     "serverVersion",
                                     "featureCompatibilityVersion",
                                     "sizes",
                                     "chunks",
                                     "databases",
                                     "settings",
                                     "changelog",
                                     "mongos",
                                     "usedShards",
                                     "imbalanced_cache"};

struct zones_file {
    change_list *to;
    guint at;
    enum zone_key key; /* the key at hand */
    bool seen[ZONE_KEY_COUNT], snapshot;
    char *unknown; /* the first key that nobody knows */
};

static bool is_other(const char *key)
{
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        if (strcmp(key, others[i]) == 0)
            return true;
    return false;
}

static bool on_key(void *data, const char *key, enum shape *ret, struct err *err)
{
    struct zones_file *f = data;
    unsigned k = 0;
    while (k < ZONE_KEY_COUNT && strcmp(keys[k].name, key) != 0)
        k++;
    f->key = (enum zone_key)k;
    f->snapshot |= strcmp(key, others[0]) == 0;
    *ret = SHAPE_SKIP;
    if (k == ZONE_KEY_COUNT) {
        if (!is_other(key) && f->unknown == NULL)
            f->unknown = g_strdup(key);
        return true;
    }
    if (f->seen[k])
        return err_set(err, ERR_DATA, "the key '%s' is there twice", key);
    f->seen[k] = true;
    *ret = keys[k].shape;
    return true;
}

static bool on_text(void *data, const char *text, struct err *err)
{
    struct zones_file *f = data;
    return changes_zones_namespace(f->to, f->at, text, true, err);
}

static bool on_document(void *data, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err)
{
    struct zones_file *f = data;
    if (f->key == ZONE_TAGS)
        return changes_zones_tag(f->to, f->at, index, doc, len, err);
    if (f->key == ZONE_SHARDS)
        return changes_zones_shard(f->to, f->at, index, doc, len, err);
    return changes_zones_collection(f->to, f->at, index, doc, len, err);
}

static bool check_keys(const struct zones_file *f, struct err *err)
{
    static const char *const known[] = {"tags", "shards", "collections", "namespaces"};
    if (f->unknown != NULL && !f->snapshot) {
        const char *nearest = nearest_word(f->unknown, known, G_N_ELEMENTS(known));
        return err_set(err, ERR_DATA, "the key '%.255s' is not one of a file of zones%s%s%s", f->unknown,
                       nearest == NULL ? "; these are: tags, shards, namespaces" : "; did you mean '",
                       nearest == NULL ? "" : nearest, nearest == NULL ? "" : "'?");
    }
    for (unsigned k = 0; k < ZONE_KEY_COUNT; k++)
        if (f->seen[k])
            return true;
    return err_set(err, ERR_DATA,
                   "there is none of the keys tags, shards, namespaces; expected is {\"tags\": [{\"ns\": "
                   "\"db.coll\", \"min\": ..., \"max\": ..., \"tag\": \"zone\"}], \"shards\": [{\"_id\": "
                   "\"shard0\", \"tags\": [\"zone\"]}]}");
}

/* {"tags": []} may be meant to take all ranges away, and does not. */
static bool check_effect(const struct zones_file *f, struct err *err)
{
    const struct wished *ch = &g_array_index(f->to->list, struct wished, f->at);
    return ch->namespaces->len + ch->shards->len > 0 ||
           err_set(err, ERR_DATA,
                   "it changes nothing; collections that are to lose their ranges stand in namespaces: "
                   "{\"namespaces\": [\"db.coll\"]}");
}

bool zones_read(stream *st, change_list *to, guint at, struct err *err)
{
    struct zones_file f = {.to = to, .at = at};
    const struct sink sink = {&f, on_key, NULL, on_text, on_document, NULL};
    bool ok = walk(st, &sink, err) && check_keys(&f, err) && check_effect(&f, err);
    g_free(f.unknown);
    return ok;
}

bool source_read_zones(const char *path, change_list *to, guint at, struct err *err)
{
    g_autoptr(stream) st = stream_open(path, err);
    if (st == NULL || !zones_read(st, to, at, err))
        return strcmp(path, "-") == 0 ? err_wrap(err, "zones from standard input")
                                      : err_wrap(err, "zones '%s'", path);
    return true;
}
