// SPDX-License-Identifier: Apache-2.0
/* builder_private.h - what the parts of the builder share: what has been read so far, and how a part names
 * the document at fault.
 * Owns: struct builder and everything in it until builder_finish() hands the model over.
 * Never: included outside balancer/cluster and its tests.
 */
#pragma once

#include "balancer/cluster/builder.h"

/* Names are told in messages no longer than this, keys no longer than that. */
#define NAME_FMT "'%.255s'"
enum { KEY_SHOWN_MAX = 80 };

/* Sizes in bytes from outside are refused above 1 PiB a value and 1 EiB in all, so that no sum can overflow.
 */
#define SIZE_MAX_ONE ((int64_t)1 << 50)
#define SIZE_MAX_ALL ((int64_t)1 << 60)

enum { HISTORY_MAX = 10000 };

/* A chunk as read; its keys stand in the slot's arenas, each up to where the next row's begins. */
struct chunk_row {
    uint32_t min_at, max_at, pack_at;
    uint32_t index; /* of its document */
    uint64_t version;
    int64_t bytes;
    uint16_t shard; /* number in builder.names */
    uint8_t flags;
};

/* Chunks found under one name or uuid (or both, midway in an upgrade), whose collection may not be known yet.
 */
struct slot {
    uint8_t *key; /* 'n' ns, 'u' uuid, or 'b' uuid ns */
    uint32_t key_len;
    bool claimed;      /* some collection, or a dropped one, has looked here */
    uint64_t n_seen;   /* chunk documents, those not kept too */
    char *first_where; /* the first one, for messages */
    GString *names;    /* of the first one's bounds, see key_bound_names() */
    GByteArray *min, *max, *pack;
    GArray *rows; /* struct chunk_row */
    char *fault;  /* the first damage; then nothing else is kept */
};

/* A shard's name, met as a shard, as a chunk's owner, or in sizes. */
struct shard_name {
    char *name;
    uint16_t number; /* in cluster.shards; SHARD_NONE: not met as a shard */
    uint64_t first_index;
    char *first_where; /* the first chunk document that named it; NULL: none did */
};

struct tag_doc {
    char *where;
    char *ns;
    char *zone;        /* NULL: bad */
    GBytes *min, *max; /* NULL: bad */
    const char *fault; /* constant text; NULL: sound by itself */
    bool wished;       /* by builder_wish_tag(); all of one ns are, or none */
};

struct database_doc {
    char *name, *primary;
};

struct size_row {
    uint16_t name; /* number in builder.names */
    int64_t bytes;
    int64_t orphan_bytes; /* SIZE_UNKNOWN */
};
struct size_doc {
    char *ns;
    GArray *rows; /* struct size_row */
};

/* One side of a migration in the changelog; both sides have the same digest. */
struct history_row {
    uint8_t digest[32];    /* of ns, from, to, min */
    uint64_t ns, from, to; /* hashes of the names: rows come and go, and names may be as many as rows */
    int64_t time_ms;
    double seconds; /* moveChunk.from */
    int64_t bytes;  /* moveChunk.commit */
};

struct builder {
    cluster *cl; /* filled in as far as one document tells */

    GHashTable *name_index; /* char * of `names` -> number + 1 */
    GArray *names;          /* struct shard_name */
    GPtrArray *shard_tags;  /* per shard a GPtrArray of zone names */
    GArray *shards;         /* struct shard */

    GHashTable *slots; /* struct slot, owned, keyed by itself */
    GPtrArray *slot_order;
    struct slot *last_slot;
    GByteArray *slot_key;   /* scratch */
    uint64_t arena_max;     /* most bytes of keys a collection may have; UINT32_MAX but in tests */
    int64_t measured_bytes; /* of all chunks */

    GArray *collections;          /* struct collection */
    GHashTable *collection_index; /* ns (of `collections`' first claim, owned) -> index + 1 */
    GHashTable *dropped;          /* slot keys of dropped collections, GBytes */

    GPtrArray *tags;        /* struct tag_doc */
    int64_t tag_bytes;      /* of the documents kept in cluster.tags */
    GArray *databases;      /* struct database_doc */
    GPtrArray *sizes;       /* struct size_doc */
    GHashTable *size_index; /* ns -> struct size_doc */
    int64_t size_bytes;     /* of all sizes */
    GPtrArray *used_shards;
    GArray *moves_from, *moves_commit; /* struct history_row */
    GHashTable *activity;              /* ns -> struct activity, both owned */

    char *unknown_mode, *unknown_mode_where; /* settled when the version is known */
    int64_t newest_ping_ms;
    char *mongos_version;
};

/* Fields of a document. */

/* Whether a walk that has ended came to the document's end, not to damage. */
static inline bool walk_complete(const bson_iter_t *it)
{
    return it->err_off == 0;
}
/* int32, int64 or double. */
bool field_number(const bson_iter_t *it, double *ret);
/* A whole number in [min, max], of any of the three types. */
bool field_whole(const bson_iter_t *it, int64_t min, int64_t max, int64_t *ret);
/* A size in bytes: a number >= 0, not over SIZE_MAX_ONE; fractions are dropped. */
bool field_bytes(const bson_iter_t *it, int64_t *ret);
/* A boolean; `lenient`: or a number. Null leaves *ret. */
bool field_bool(const bson_iter_t *it, bool lenient, bool *ret);
/* A string of valid UTF-8 without NUL; borrowed. Empty ones too. */
bool field_text(const bson_iter_t *it, const char **ret);
/* BinData of 16 bytes, either uuid subtype; borrowed. */
bool field_uuid(const bson_iter_t *it, const uint8_t **ret);

/* "chunks[17] (_id "a")"; without the brackets where the document has no readable _id. Caller frees. */
char *doc_where(enum doc_kind kind, uint64_t index, const uint8_t *doc, uint32_t len);
/* Appends a bound as people read it; "corrupt BSON" where it is that. */
void show_bson(GString *out, const uint8_t *data, uint32_t len);
/* Appends the bound of this packed form, as people read it. */
void show_packed(GString *out, const key_pattern *key, const uint8_t *packed, uint32_t len);

/* Keeps the first: the words of `fmt`, made printable, where *fault is NULL. */
void fault_set(char **fault, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The same for a warning. */
void warn_add(builder *b, const char *code, const char *ns, const char *fmt, ...) G_GNUC_PRINTF(4, 5);

/* The number of a shard's name; SHARD_NONE: there are too many. `name` is valid UTF-8. */
uint16_t name_intern(builder *b, const char *name);
static inline struct shard_name *name_at(const builder *b, uint16_t number)
{
    return &g_array_index(b->names, struct shard_name, number);
}

/* builder_docs.c */
bool builder_add_shard(builder *b, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err);
void builder_add_database(builder *b, uint64_t index, const uint8_t *doc, uint32_t len);
void builder_add_mongos(builder *b, const uint8_t *doc, uint32_t len);
bool version_parse(const char *text, int *ret_major, int *ret_minor, int *ret_patch);
void builder_finish_version(builder *b);
void builder_finish_shards(builder *b);

/* builder_settings.c */
void builder_add_setting(builder *b, uint64_t index, const uint8_t *doc, uint32_t len);
void builder_finish_settings(builder *b);

/* builder_changelog.c */
void builder_add_changelog(builder *b, const uint8_t *doc, uint32_t len);
void builder_finish_changelog(builder *b);

/* builder_activity.c: `details` is the entry's, not yet walked. */
void builder_add_activity(builder *b, const char *what, const char *ns, int64_t time_ms,
                          const bson_iter_t *details);
void builder_finish_activity(builder *b);

/* builder_collections.c */
bool builder_add_collection(builder *b, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err);
/* Gives every collection its chunks. */
bool builder_finish_collections(builder *b, struct err *err);

/* builder_chunks.c */
bool builder_add_chunk(builder *b, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err);
/* NULL: no chunk had this name, or uuid, or both; NULL for what is not asked. */
struct slot *slot_find(builder *b, const uint8_t *uuid, const char *ns);
/* Puts the chunks of `from` behind those of `into` and empties `from`. */
bool slot_append(builder *b, struct slot *into, struct slot *from, struct err *err);
void slot_drop_keys(struct slot *s);
void slot_free(struct slot *s);
guint slot_hash(gconstpointer s);
gboolean slot_equal(gconstpointer a, gconstpointer b);

/* builder_tiling.c: sorts and checks the slot's chunks and moves them into the collection, or makes it
 * invalid. */
void slot_into_chunks(builder *b, struct slot *s, struct collection *c);

/* builder_zones.c */
bool builder_add_tag(builder *b, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err);
/* The same of a range that is only wished: `place` goes before the document's own in messages, and damage to
 * the collection's ranges ends builder_finish_zones() instead of excluding the collection. */
bool builder_wish_tag(builder *b, const char *place, uint64_t index, const uint8_t *doc, uint32_t len,
                      struct err *err);
void tag_doc_free(struct tag_doc *t);
/* Numbers the zones and gives shards and collections theirs. */
bool builder_finish_zones(builder *b, struct err *err);

/* builder_sizes.c */
void size_doc_free(struct size_doc *s);
bool builder_finish_sizes(builder *b, struct err *err);
