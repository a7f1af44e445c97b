// SPDX-License-Identifier: Apache-2.0
/* Keys may come in any order, and each once; keys that nobody knows are passed over, so that a later version
 * can add some without a new format. */
#include "balancer/source/readers.h"
#include "balancer/source/snapshot_write.h"
#include "balancer/source/source.h"
#include "balancer/source/walk.h"

#include <string.h>

/* Keys of our own; those of the `config` collections are the kinds of document. */
enum own_key {
    OWN_FORMAT,
    OWN_TAKEN_AT,
    OWN_SERVER_VERSION,
    OWN_FCV,
    OWN_SIZES,
    OWN_USED_SHARDS,
    OWN_FIRST,
    OWN_COUNT
};

static const struct {
    const char *name;
    enum shape shape;
} own_keys[OWN_COUNT] = {
    [OWN_FORMAT] = {"evenkeelSnapshot", SHAPE_VALUE},
    [OWN_TAKEN_AT] = {"takenAt", SHAPE_VALUE},
    [OWN_SERVER_VERSION] = {"serverVersion", SHAPE_VALUE},
    [OWN_FCV] = {"featureCompatibilityVersion", SHAPE_SKIP},
    [OWN_SIZES] = {"sizes", SHAPE_MEMBERS},
    [OWN_USED_SHARDS] = {"usedShards", SHAPE_STRINGS},
    [OWN_FIRST] = {"imbalanced_cache", SHAPE_STRINGS},
};

struct snapshot {
    const struct intake *to;
    bool seen_kind[DOC_KIND_COUNT], seen_own[OWN_COUNT];
    enum doc_kind kind; /* of the key at hand */
    enum own_key own;   /* the same */
};

static enum own_key find_own(const char *key)
{
    unsigned i = 0;
    while (i < OWN_COUNT && strcmp(own_keys[i].name, key) != 0)
        i++;
    return (enum own_key)i;
}

static bool on_key(void *data, const char *key, enum shape *ret, struct err *err)
{
    struct snapshot *s = data;
    s->kind = doc_kind_find(key);
    s->own = find_own(key);
    bool *seen = s->kind != DOC_KIND_COUNT ? &s->seen_kind[s->kind]
                 : s->own != OWN_COUNT     ? &s->seen_own[s->own]
                                           : NULL;
    if (seen != NULL && *seen)
        return err_set(err, ERR_DATA, "the key '%s' is there twice", key);
    if (seen != NULL)
        *seen = true;
    *ret = s->kind != DOC_KIND_COUNT ? SHAPE_DOCUMENTS
           : s->own != OWN_COUNT     ? own_keys[s->own].shape
                                     : SHAPE_SKIP;
    return true;
}

/* A later format is refused rather than guessed at. An absent number is taken for the present format:
 * snapshots made by hand or by a script need only the collections. */
static bool check_format(const bson_iter_t *value, struct err *err)
{
    if (!BSON_ITER_HOLDS_NUMBER(value))
        return err_set(err, ERR_DATA, "the number of the snapshot's format was expected");
    double format = bson_iter_as_double(value);
    if (format == SNAPSHOT_FORMAT)
        return true;
    if (format > SNAPSHOT_FORMAT)
        return err_set(err, ERR_DATA,
                       "this is a newer format of snapshots (%.15g) than this version reads (%d); use a "
                       "newer evenkeel",
                       format, SNAPSHOT_FORMAT);
    return err_set(err, ERR_DATA, "no format of snapshots has this number; %d was expected", SNAPSHOT_FORMAT);
}

/* One of our own keys; null is the same as absent. */
static bool on_value(void *data, const bson_iter_t *value, struct err *err)
{
    struct snapshot *s = data;
    const char *text;
    if (s->own == OWN_FORMAT)
        return check_format(value, err);
    if (BSON_ITER_HOLDS_NULL(value))
        return true;
    if (s->own == OWN_SERVER_VERSION)
        return walk_text(value, &text, err) && s->to->text(s->to->data, INTAKE_SERVER_VERSION, text, err);
    if (!BSON_ITER_HOLDS_DATE_TIME(value))
        return err_set(err, ERR_DATA, "a date was expected, such as {\"$date\": \"2026-11-21T01:38:00Z\"}");
    return s->to->taken_at(s->to->data, bson_iter_date_time(value), err);
}

/* An unknown shard or collection named here does no harm; the model passes it over. */
static bool on_text(void *data, const char *text, struct err *err)
{
    struct snapshot *s = data;
    enum intake_text what = s->own == OWN_USED_SHARDS ? INTAKE_USED_SHARD : INTAKE_FIRST_NS;
    return s->to->text(s->to->data, what, text, err);
}

static bool on_document(void *data, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err)
{
    struct snapshot *s = data;
    return s->to->document(s->to->data, s->kind, index, doc, len, err);
}

static bool on_member(void *data, const char *name, const uint8_t *doc, uint32_t len, struct err *err)
{
    struct snapshot *s = data;
    return s->to->sizes(s->to->data, name, doc, len, err);
}

bool snapshot_read_into(stream *st, const struct intake *to, struct err *err)
{
    static const enum doc_kind required[] = {DOC_SHARD, DOC_COLLECTION};
    struct snapshot s = {.to = to};
    const struct sink sink = {&s, on_key, on_value, on_text, on_document, on_member};
    if (!walk(st, &sink, err))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(required); i++) {
        if (!s.seen_kind[required[i]])
            return err_set(err, ERR_DATA, "the key '%s' is missing; a snapshot needs '%s' and '%s'",
                           doc_kind_name(required[i]), doc_kind_name(required[0]),
                           doc_kind_name(required[1]));
    }
    return true;
}

bool snapshot_read(stream *st, builder *b, struct err *err)
{
    const struct intake to = intake_builder(b);
    return snapshot_read_into(st, &to, err);
}

bool source_snapshot_into(const char *path, const struct intake *to, struct err *err)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return err_set(
            err, ERR_NO_INPUT,
            "snapshot '%s': is a folder, not a file; for the folder that mongodump wrote, use --dump", path);
    g_autoptr(stream) st = stream_open(path, err);
    if (st == NULL || !snapshot_read_into(st, to, err))
        return strcmp(path, "-") == 0 ? err_wrap(err, "snapshot from standard input")
                                      : err_wrap(err, "snapshot '%s'", path);
    return true;
}

bool source_read_snapshot(const char *path, builder *b, struct err *err)
{
    const struct intake to = intake_builder(b);
    return source_snapshot_into(path, &to, err);
}
