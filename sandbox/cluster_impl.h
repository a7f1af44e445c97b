// SPDX-License-Identifier: Apache-2.0
/* cluster_impl.h - what the files of the simulated cluster share: its state, and what each file does for the
 * others. Owns: the state's shape. Never: included by anything but cluster*.c.
 */
#pragma once

#include "balancer/key/pattern.h"
#include "sandbox/cluster.h"
#include "sandbox/errors.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define MIB ((int64_t)1 << 20)

/* A bound: its BSON and its encoding, which memcmp orders. Shared by the chunks on its two sides. */
struct bound {
    bson_t *doc; /* bson_t wants more alignment than malloc gives: never inside another structure */
    uint8_t *enc;
    uint32_t len;
};

struct stamp {
    uint32_t t, i;
};

struct shard {
    char *id, *host;
    bool draining;
    GPtrArray *zones;       /* char* */
    int64_t max_size;       /* MB, 0: none */
    struct stamp topology;  /* topologyTime */
    struct migration *busy; /* the one it takes part in */
    int64_t down_until;     /* 0: up; G_MAXINT64: until told */
    double slow;            /* factor, 1 */
};

struct placed {
    struct stamp since;
    struct shard *shard;
};

struct chunk {
    struct coll *coll;
    struct bound *min, *max;
    struct shard *shard;
    uint64_t version; /* major in the high half */
    GArray *history;  /* struct placed, newest first */
    int8_t jumbo;     /* -1: the field is not there */
    int64_t bytes, documents;
    int64_t keys;  /* different key values, 0: not known */
    bson_oid_t id; /* from 4.4 on */
    bool told;
    bson_t *doc; /* as stored, made when asked for */
};

/* Documents of a range that a shard still has and no longer owns. */
struct orphans {
    struct coll *coll;
    struct shard *shard;
    struct bound *min, *max;
    int64_t bytes, documents;
    void *timer;
};

struct coll {
    sb_cluster *c;
    char *ns;
    key_pattern *key;
    bson_oid_t epoch;
    struct stamp timestamp;
    uint8_t uuid[16];
    int64_t lastmod;
    bool dropped, unique, no_balance, unsplittable, no_migrations, defragment, no_auto_merge;
    int64_t max_chunk_bytes; /* 0: the cluster's */
    bson_t *rest;            /* fields that nothing here looks at */
    GPtrArray *chunks;       /* struct chunk, by key */
    uint64_t version;        /* the highest of its chunks */
    GPtrArray *orphans;      /* struct orphans */
};

struct database {
    char *name, *primary;
    bool partitioned;
    uint8_t uuid[16];
    int32_t last_mod;
    struct stamp timestamp;
};

struct zone_range {
    char *ns, *zone;
    bson_t *min, *max;
    bson_oid_t id;
    struct bound *low,
        *high; /* made full keys for the collection of `epoch`; NULL: not a prefix of its key */
    bson_oid_t epoch;
};

struct command;

/* One client's request until it is answered. */
struct request {
    sb_cluster *c;
    const struct command *how;
    const char *name; /* into cmd */
    bson_t *cmd;
    char *db;
    int64_t op, started;
    sb_reply_fn reply;
    void *user;
    void *deadline; /* timer of maxTimeMS */
    void *delay;    /* timer of sb_rq_later() */
    void (*then)(struct request *rq);
    struct migration *migration;    /* whose end it waits for */
    struct coll *lock;              /* whose migrations' end it waits for, before its command runs again */
    const struct shard *lock_shard; /* only those of this shard */
    char *lock_text;
    bool lose_reply;
};

enum { STEPS = 6 };

/* What a moveChunk or moveRange asks, checked. */
struct move {
    struct coll *coll;
    struct shard *from, *to;
    struct bound *min, *max;
    bool force, wait_delete;
    bool open; /* the donor chose one of the bounds */
};

struct migration {
    sb_cluster *c;
    struct move move; /* coll NULL once the collection is gone */
    char *ns;
    int64_t op, started, bytes, documents;
    int step; /* being done, 1 to STEPS; STEPS + 1: clean-up */
    int64_t duration[STEPS + 1], took[STEPS + 1], step_began;
    void *timer;
    const char *hung_at; /* fail point that holds it */
    bool waits_orphans, waits_config;
    GPtrArray *waiters; /* struct request */
    struct stamp committed;
    uint64_t version; /* of the collection, at its start */
};

struct fail_point {
    char *name;
    int64_t times; /* -1: always */
    int64_t skip, count;
    double probability;
};

struct injected {
    int64_t id;
    char *kind, *command, *shard, *ns, *errmsg;
    int step, code;
    int64_t ms, times; /* times -1: always */
    double probability;
};

struct doc_cache {
    GPtrArray *docs; /* bson_t*, borrowed or own by its free function */
    uint64_t revision;
};

struct sb_cluster {
    struct sb_options opt;
    struct sb_clock clock;
    GRand *rand;
    bool ready;
    uint32_t last_secs, last_inc, next_oid;
    int64_t next_op, next_fault;
    uint64_t revision;  /* counts changes of any document */
    GHashTable *loaded; /* name -> GPtrArray of bson_t*: before ready, everything; after it, what nothing here
                           models */
    GPtrArray *shards, *colls, *databases, *zones, *settings, *changelog;
    GHashTable *shard_by_id, *coll_by_ns;
    GPtrArray *chunks; /* all, in natural order */
    GPtrArray *migrations, *requests, *fail_points, *faults;
    GHashTable *cache; /* name -> struct doc_cache */
    GPtrArray *outbox; /* replies on their way out */
    unsigned depth;
    int64_t config_down_until;
    int64_t rounds_since; /* when the balancer was switched on, 0: off */
    int64_t grown_ms;
    double grown_rest;
};

/* cluster.c: look-up, time, chance */
bool sb_since(const sb_cluster *c, int major, int minor);
int64_t sb_now_ms(const sb_cluster *c);
struct stamp sb_stamp_next(sb_cluster *c);
void sb_oid_next(sb_cluster *c, bson_oid_t *ret);
void sb_uuid_next(sb_cluster *c, uint8_t ret[16]);
void sb_changed(sb_cluster *c);
struct shard *sb_find_shard(const sb_cluster *c, const char *id);
struct coll *sb_find_coll(const sb_cluster *c, const char *ns); /* sharded ones only */
struct database *sb_find_database(const sb_cluster *c, const char *name);
void *sb_set_timer(sb_cluster *c, int64_t ms, void (*fn)(void *), void *user);
void sb_cancel_timer(sb_cluster *c, void **timer);
struct shard *sb_shard_new(sb_cluster *c, const char *id, const char *host);
void sb_shard_remove(sb_cluster *c, struct shard *s);
struct coll *sb_coll_new(sb_cluster *c, const char *ns, const bson_t *key, struct err *err);
void sb_coll_remove(sb_cluster *c, struct coll *k);
struct database *sb_database_new(sb_cluster *c, const char *name, const char *primary);
struct zone_range *sb_zone_range_new(sb_cluster *c, const char *ns, const bson_t *min, const bson_t *max,
                                     const char *zone);
void sb_bson_slot_free(void *doc); /* of arrays of bson_t* */
bool sb_has_zone(const struct shard *s, const char *zone);

/* cluster_load.c */
bool sb_load_all(sb_cluster *c, struct err *err);
/* The field, or NULL; helpers for documents that may hold anything. */
const char *sb_doc_string(const bson_t *doc, const char *name);
bool sb_doc_bool(const bson_t *doc, const char *name, bool dflt);
int64_t sb_doc_int(const bson_t *doc, const char *name, int64_t dflt);
double sb_doc_double(const bson_t *doc, const char *name, double dflt);
bool sb_doc_sub(const bson_t *doc, const char *name, bson_t *ret); /* borrowed; false: not a document */

/* cluster_chunks.c: bounds, chunks in order, versions, history */
struct bound *sb_bound_new(const key_pattern *key, const bson_t *doc, struct err *err);
/* The key that a query asks for by equality in every field of the pattern, hashed fields as the hash of their
 * value; NULL: it does not. */
struct bound *sb_bound_of_query(const struct coll *k, const bson_t *query);
struct bound *sb_bound_global(const key_pattern *key, bool max);
struct bound *sb_bound_ref(struct bound *b);
void sb_bound_unref(struct bound *b); /* NULL accepted */
int sb_bound_cmp(const struct bound *a, const struct bound *b);
struct chunk *sb_chunk_new(struct coll *k, struct bound *min, struct bound *max,
                           struct shard *s); /* takes both bounds */
void sb_chunk_free(void *chunk);
void sb_chunk_changed(struct chunk *ch);
guint sb_chunk_index(const struct coll *k, const struct bound *at); /* of the chunk that holds it */
struct chunk *sb_chunk_at(const struct coll *k, const struct bound *at);
struct chunk *sb_chunk_exact(const struct coll *k, const struct bound *min,
                             const struct bound *max); /* or NULL */
void sb_chunk_insert(struct coll *k, struct chunk *ch);
void sb_chunk_drop(struct coll *k, guint index);
void sb_chunk_set_version(struct chunk *ch, uint64_t version);
void sb_chunk_placed(struct chunk *ch, struct shard *to, struct stamp when);
void sb_chunk_history_reset(struct chunk *ch, struct stamp when);
uint64_t sb_version_major(uint64_t version); /* the next major, minor 0 */
/* Cuts a chunk at points inside it, ascending; the first piece stays `ch`. Versions are not touched. New
 * chunks are appended to `ret` (NULL: not wanted), `ch` first. */
void sb_chunk_cut(struct chunk *ch, struct bound **at, guint n, GPtrArray *ret);

/* cluster_middle.c: where inside a chunk a fraction of its documents ends */
bool sb_key_at(const struct coll *k, const bson_t *min, const bson_t *max, double fraction,
               struct bound **ret);
double sb_key_position(const struct coll *k, const bson_t *min, const bson_t *max, const bson_t *at);

/* cluster_sizes.c */
void sb_spread_sizes(sb_cluster *c);
int64_t sb_max_chunk_bytes(const struct coll *k);
void sb_grow(sb_cluster *c);
void sb_chunk_grow(struct chunk *ch, int64_t bytes);
void sb_orphans_add(struct coll *k, struct shard *s, struct bound *min, struct bound *max, int64_t bytes,
                    int64_t documents, int64_t delay_ms);
void sb_orphans_free(void *orphans);
bool sb_orphans_overlap(const struct coll *k, const struct shard *s, const struct bound *min,
                        const struct bound *max);

/* cluster_docs.c */
void sb_append_stamp(bson_t *doc, const char *name, struct stamp s);
void sb_append_version(bson_t *doc, const char *name, uint64_t version);
bson_t *sb_shard_doc(const sb_cluster *c, const struct shard *s);
void sb_doc_cache_free(void *cache);
const bson_t *sb_setting(const sb_cluster *c, const char *id); /* or NULL */
void sb_setting_put(sb_cluster *c, const bson_t *doc);

/* cluster_run.c: requests. Whatever answers also frees the request. */
void sb_rq_reply(struct request *rq, const bson_t *fields); /* with ok: 1 added; `fields` NULL: none */
/* Answers with a failure and is false; a macro only so that static analysis sees that. */
#define sb_rq_fail(...) (sb_rq_refuse(__VA_ARGS__), err_false())
void sb_rq_refuse(struct request *rq, int code, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
void sb_rq_fail_with(struct request *rq, int code, const char *text, const bson_t *more);
void sb_rq_later(struct request *rq, int64_t ms, void (*fn)(struct request *));
void sb_rq_drop(struct request *rq); /* its connection goes, unanswered */
void sb_rq_free(void *rq);
/* Around everything that comes from outside, a call or a timer: replies go out when the outermost has ended,
 * so that whoever gets one, and comes back with the next request, finds nothing half done. */
void sb_enter(sb_cluster *c);
void sb_leave(sb_cluster *c);
void sb_answer_free(void *answer);
void sb_rq_again(struct request *rq); /* runs its command from the beginning */
/* The namespace the command names; false: answered. */
bool sb_rq_ns(struct request *rq, const char **ret);
/* The sharded collection; otherwise answers NamespaceNotSharded. */
bool sb_rq_coll(struct request *rq, struct coll **ret);
/* In the manner of commands with declared fields: type and presence are checked; false: answered. */
bool sb_rq_string(struct request *rq, const char *name, bool required, const char **ret);
bool sb_rq_doc(struct request *rq, const char *name, bool required, bson_t *ret, bool *ret_there);
bool sb_rq_known_fields(struct request *rq, const char *const *names); /* NULL ends them */
const char *sb_bson_type_word(bson_type_t type);
/* Reads {min, max} out of an array of two documents. */
bool sb_two_bounds(const bson_t *cmd, const char *name, bson_t *ret_min, bson_t *ret_max);

typedef void command_fn(struct request *rq);

/* cluster_move.c, cluster_migration.c */
command_fn sb_cmd_move_chunk, sb_cmd_move_range;
void sb_migration_begin(struct request *rq, struct move *move); /* takes the move's bounds */
void sb_migration_fail(struct migration *m, int code, const char *text);
void sb_migration_fail_donor(struct migration *m, int code,
                             const char *text); /* as the config server passes it on */
void sb_migration_free(void *m);
void sb_migration_kill(sb_cluster *c, int64_t op);
void sb_migrations_resume(sb_cluster *c); /* after anything that one may have waited for has changed */
bool sb_coll_migrating(const sb_cluster *c, const struct coll *k, const struct shard *s); /* `s` NULL: any */
bson_t *sb_migration_doc(const struct migration *m);
/* Commits a move in the metadata; the chunk that moved, or NULL: no chunk holds the range on that shard any
 * more. */
struct chunk *sb_commit_move(sb_cluster *c, const struct move *move, struct stamp *ret_when);
bool sb_check_zone_and_drain(struct request *rq, const struct coll *k, const struct move *move);

/* cluster_split.c, cluster_merge.c */
command_fn sb_cmd_split, sb_cmd_merge_chunks, sb_cmd_merge_all, sb_cmd_clear_jumbo;
void sb_split_chunk(struct chunk *ch, struct bound **at, guint n);
/* Waits until no migration of the collection is under way, then runs the handler again. False: `rq` waits, or
 * was refused. */
bool sb_rq_collection_lock(struct request *rq, struct coll *k, const struct shard *s, const char *what);

/* cluster_zones.c, cluster_shards.c, cluster_collections.c, cluster_balancer.c */
command_fn sb_cmd_add_shard_to_zone, sb_cmd_remove_shard_from_zone, sb_cmd_update_zone_key_range;
command_fn sb_cmd_list_shards, sb_cmd_add_shard, sb_cmd_remove_shard, sb_cmd_move_primary,
    sb_cmd_enable_sharding;
command_fn sb_cmd_shard_collection, sb_cmd_drop, sb_cmd_drop_database, sb_cmd_configure_balancing,
    sb_cmd_set_allow_migrations;
command_fn sb_cmd_flush_router_config, sb_cmd_get_shard_version;
command_fn sb_cmd_balancer_start, sb_cmd_balancer_stop, sb_cmd_balancer_status,
    sb_cmd_balancer_collection_status;
/* A zone's bounds made full keys, MinKey behind both; NULL: not a prefix of the key. */
struct bound *sb_zone_bound(const struct coll *k, const bson_t *doc);
/* The range's two bounds, borrowed; false: they do not fit the collection's key. */
bool sb_zone_bounds(struct zone_range *z, const struct coll *k);
/* The zone whose range contains the whole chunk, or NULL. */
const char *sb_zone_of(const struct coll *k, const struct bound *min, const struct bound *max);

/* cluster_faults.c */
command_fn sb_cmd_configure_fail_point, sb_cmd_fault;
bool sb_fail_point_hit(sb_cluster *c, const char *name);
const struct fail_point *sb_fail_point_find(const sb_cluster *c, const char *name);
/* Takes one strike of a fault of this kind, for this command or step; NULL: none due. Borrowed until the next
 * call. */
struct injected *sb_fault_due(sb_cluster *c, const char *kind, const char *command, int step);
/* Faults that strike at a request's arrival; true: it is answered or dropped. */
bool sb_fault_on_arrival(struct request *rq);
bool sb_shard_down(sb_cluster *c, const struct shard *s);
bool sb_config_down(sb_cluster *c);

/* cluster_changelog.c */
void sb_log_move(const struct migration *m, const char *what, bool success, const char *errmsg);
void sb_log_split(struct coll *k, const struct bound *min, const struct bound *max, uint64_t before,
                  GPtrArray *pieces);
void sb_log_merge(struct coll *k, GPtrArray *merged, uint64_t before, uint64_t after);
void sb_log_config(sb_cluster *c, const char *what, const char *ns, const bson_t *details);
