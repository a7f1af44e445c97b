// SPDX-License-Identifier: Apache-2.0
/* cluster.h - the model of a sharded cluster's balancing metadata, frozen once built.
 * Owns: shards, zones, databases, collections, their zone ranges, and their chunks in columns.
 * Never: reads files or sockets, changes after builder_finish(), or decides.
 * Ranges are half-open: min inclusive, max exclusive. Shards and collections keep the order of the input;
 * chunks of a collection and its zone ranges stand in key order; zones are numbered in byte order of their
 * names.
 */
#pragma once

#include "balancer/key/pattern.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SHARD_NONE UINT16_MAX      /* no shard; there are at most 65535 */
#define ZONE_NONE UINT32_MAX       /* no zone: the empty zone name */
#define COLLECTION_NONE UINT32_MAX /* no collection in particular */
#define SIZE_UNKNOWN (-1)          /* bytes not known */

struct shard {
    char *id;
    char *host; /* NULL: not given */
    bool draining;
    bool busy;               /* listed in `usedShards`: takes no part in the first round */
    int64_t max_size_mb;     /* 0: no limit */
    int64_t current_size_mb; /* SIZE_UNKNOWN where not given */
    int64_t orphan_bytes;    /* of all collections, as the sizes tell; SIZE_UNKNOWN where none does */
    uint32_t n_zones;
    uint32_t *zones; /* zone numbers, ascending */
};

struct database {
    char *name;
    uint16_t primary; /* SHARD_NONE: not a known shard */
};

/* Chunks of one collection, in key order, in columns. Chunk i is [key i, key i+1); the last ends at the
 * global max. */
struct chunks {
    uint32_t n;
    uint32_t
        *enc_at;  /* n + 1 offsets into `enc`: the encoded min of chunk i is enc[enc_at[i] .. enc_at[i+1]) */
    uint8_t *enc; /* arena, see key/encode.h */
    uint32_t *pack_at; /* n + 1 offsets into `pack`: the packed BSON of min */
    uint8_t *pack;
    uint16_t *shard;
    uint8_t *flags;    /* CHUNK_... */
    uint64_t *version; /* lastmod: major in the high 32 bits, minor in the low */
    int64_t *bytes;    /* own or shared-out size, see collection_bytes; SIZE_UNKNOWN: none */
};

enum {
    CHUNK_JUMBO = 1 << 0,
    CHUNK_MEASURED = 1 << 1, /* estimatedDataSizeBytes was given */
    CHUNK_PLANNED = 1 << 2,  /* made by a split that is only planned */
};

/* A zone's range over one collection, extended to the full shard key. */
struct zone_range {
    uint32_t zone;
    GBytes *enc_min, *enc_max; /* encoded */
    bson_t min, max;           /* full bounds */
    bool extended;             /* a stored bound was a prefix of the key */
    bool trap;                 /* the MaxKey trap was read as the global max */
};

/* Why a collection is left out; in order of precedence, the first that holds. EXCLUDED_FILTERED is the
 * planner's. */
enum excluded {
    EXCLUDED_NO,
    EXCLUDED_FILTERED,
    EXCLUDED_METADATA_INVALID,
    EXCLUDED_UNSPLITTABLE,
    EXCLUDED_TIME_SERIES,
    EXCLUDED_RESHARDING,
    EXCLUDED_DEFRAGMENTING,
    EXCLUDED_NO_BALANCE,
    EXCLUDED_MIGRATIONS_NOT_PERMITTED,
    EXCLUDED_COUNT
};

/* The contract's word: "timeSeries", ...; NULL for EXCLUDED_NO. */
const char *excluded_text(enum excluded e);

/* What config.changelog tells of a collection's splits and migrations; the log is capped and best effort. */
struct activity {
    uint32_t splits, top_splits; /* all, and those of the last chunk: its max is the global max */
    uint32_t moves, top_moves;
    int64_t top_first_ms, top_last_ms; /* when the oldest and the newest of the last chunk's took place */
};

struct collection {
    char *ns;
    uint32_t number; /* its place in cluster.collections */
    bool has_uuid;
    uint8_t uuid[16];
    key_pattern *key;   /* NULL only where the metadata is invalid */
    bson_oid_t epoch;   /* lastmodEpoch; zero where absent */
    bool has_timestamp; /* the 5.0+ layout: chunks by uuid */
    uint32_t timestamp_t, timestamp_i;

    bool time_series; /* has timeseriesFields */
    bool no_balance, unsplittable, defragmenting, resharding, migrations_not_permitted;
    char *invalid; /* why its metadata is damaged, naming the document; NULL: it is sound */

    int64_t max_chunk_bytes; /* own maxChunkSizeBytes; 0: the cluster's */
    struct chunks chunks;
    uint32_t n_ranges;
    struct zone_range *ranges; /* in key order, never overlapping (or the collection is invalid) */

    struct activity activity;

    bool sizes_known; /* some size was given for it, so `bytes` holds */
    int64_t *bytes;   /* per shard; SIZE_UNKNOWN: not known for it. NULL where !sizes_known */
};

/* Why it is excluded by its own metadata; time-series only unless `time_series_even`. Never
 * EXCLUDED_FILTERED. */
enum excluded collection_excluded(const struct collection *c, bool time_series_even);

/* "2|5||epoch" or, for 5.0+, "2|5||epoch||Timestamp(t, i)": how the server prints a chunk version. Caller
 * frees. */
char *collection_version_text(const struct collection *c, uint64_t version);

/* Appends chunk bounds' BSON to `out` (initialised, empty). `i` < n. */
void chunk_min(const struct collection *c, const struct chunks *ch, uint32_t i, bson_t *out);
void chunk_max(const struct collection *c, const struct chunks *ch, uint32_t i, bson_t *out);

/* The encoded min of chunk i; borrowed. */
static inline const uint8_t *chunk_enc(const struct chunks *ch, uint32_t i, uint32_t *ret_len)
{
    *ret_len = ch->enc_at[i + 1] - ch->enc_at[i];
    return ch->enc + ch->enc_at[i];
}

/* The chunk that holds the key (encoded, full): the last whose min is <= it. n > 0; a key below the first min
 * gives 0. */
uint32_t chunks_find(const struct chunks *ch, const uint8_t *enc, uint32_t len);

/* Whether the key is exactly the min of a chunk; *ret is that of chunks_find(). */
bool chunks_find_bound(const struct chunks *ch, const uint8_t *enc, uint32_t len, uint32_t *ret);

void chunks_clear(struct chunks *ch); /* frees the columns, zeroes the struct */

enum balancer_mode { BALANCER_FULL, BALANCER_AUTOSPLIT_ONLY, BALANCER_OFF };

/* An entry of activeWindowDOW: times "HH:MM"; start > stop is early and late on that same day. */
struct cluster_day_window {
    char *day; /* "Monday", ... */
    char *start, *stop;
};

/* config.settings, defaults filled in. */
struct cluster_settings {
    int64_t chunk_bytes; /* the chunk size, bytes; `chunk_bytes_given`: a document set it */
    bool chunk_bytes_given;
    enum balancer_mode mode;
    bool attempt_jumbo; /* attemptToBalanceJumboChunks */
    bool wait_for_delete;
    char *window_start, *window_stop; /* NULL: no window */
    /* struct cluster_day_window, 8.3+; NULL: none, else window_start counts for nothing. */
    GArray *day_windows;
    char *invalid; /* why the server would skip every round; NULL: valid */
};

/* What config.changelog, or the journal, tells of one past migration. */
struct past_migration {
    int64_t ended_ms;  /* unix time */
    double seconds;    /* all steps on the donor; the journal's: from the command to its end */
    int64_t bytes;     /* cloned; SIZE_UNKNOWN */
    uint16_t from, to; /* SHARD_NONE: not here any more */
    uint32_t coll;     /* number; COLLECTION_NONE: not here any more */
    bool running;      /* it has not ended: `seconds` are those so far, and it was not over by `ended_ms` */
};

struct warning {
    char *code; /* camelCase, stable */
    char *ns;   /* NULL: the cluster */
    char *message;
};

typedef struct cluster {
    uint16_t n_shards;
    struct shard *shards;
    uint32_t n_zones;
    char **zones; /* names, in byte order */
    uint32_t n_databases;
    struct database *databases;
    uint32_t n_collections;
    struct collection *collections;
    struct cluster_settings settings;
    char *server_version;                         /* "7.0.14"; NULL: not known */
    int server_major, server_minor, server_patch; /* 0 0 0: not known */
    int64_t taken_at_ms;                          /* 0: not known */
    GArray *history;      /* struct past_migration, oldest first; at most the newest 10,000 */
    bool history_is_ours; /* it is the journal's: estimate_prefer() */
    GArray *warnings;     /* struct warning, in the order found */
    GPtrArray *first_ns;  /* collections to look at first (`imbalanced_cache`), char*; empty mostly */
    GPtrArray *tags;      /* bson_t*, every config.tags document as read, in input order */
    int64_t key_bytes;    /* all arenas together, for the memory report */
} cluster;

void cluster_free(cluster *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cluster, cluster_free)

/* Look-ups by name; SHARD_NONE, ZONE_NONE, NULL where there is none. */
uint16_t cluster_find_shard(const cluster *c, const char *id);
uint32_t cluster_find_zone(const cluster *c, const char *name);
const struct collection *cluster_find_collection(const cluster *c, const char *ns);

/* Whether the shard carries the zone; every shard carries ZONE_NONE. */
bool shard_has_zone(const struct shard *s, uint32_t zone);

/* "EU", or "no zone". */
const char *cluster_zone_name(const cluster *c, uint32_t zone);

/* -1, 0, 1: the server's version against major.minor.patch; an unknown version (0.0.0) is older than all. */
int cluster_version_cmp(const cluster *c, int major, int minor, int patch);

/* M of the built-in: the collection's maxChunkSizeBytes, else the setting, else the version's default (64 MiB
 * to 5.x, 128 MiB from 6.0 or where the metadata is of the 5.0+ layout and the version unknown).
 * config.system.sessions in the size generations: 200000 bytes. */
int64_t cluster_max_chunk_bytes(const cluster *c, const struct collection *coll, bool by_size);

/* Whether shards understand moveRange (6.0+; unknown version: no). */
bool cluster_has_move_range(const cluster *c);
