// SPDX-License-Identifier: Apache-2.0
/* cluster.h - the simulated sharded cluster: config metadata, zones, versions, migrations in flight, orphans,
 * changelog. Owns: the state behind every config.* query and the answers to every administrative command, by
 * server version. Never: speaks the wire protocol, reads sockets, or includes anything of balancer/policy,
 * balancer/plan, migrations: it must be able to disagree with them. The seam between the two halves of the
 * sandbox: the server half asks through these functions only.
 */
#pragma once

#include "common/err.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Time and timers, given by the host: real, accelerated, or stepped by a test. Milliseconds since 1970. */
struct sb_clock {
    int64_t (*now_ms)(void *host);
    /* Calls fn(user) once, `delay_ms` of simulated time from now, on the same thread; returns a handle. */
    void *(*after)(void *host, int64_t delay_ms, void (*fn)(void *user), void *user);
    void (*cancel)(void *host, void *handle); /* of a timer that has not fired */
    void *host;
};

struct sb_options {
    int version_major, version_minor,
        version_patch;  /* 4.2.0 ... 8.0.x: metadata generation and command set */
    int64_t bandwidth;  /* bytes per second of a migration's copy; 0: no copy time */
    int64_t latency_ms; /* fixed time of a migration */
    double spread;      /* 0..1: seeded relative spread of both */
    uint32_t seed;
    int64_t orphan_delay_ms; /* range deletion after a migration; negative: the server's default, 900 s (the
                                recorded cluster: 2 s) */
    double growth;           /* bytes per second of new data over the cluster, 0: none */
    bool allow_faults;       /* the command evenkeelSandboxFault, described below */
};

typedef struct sb_cluster sb_cluster;

sb_cluster *sb_cluster_new(const struct sb_options *opt, const struct sb_clock *clock);
void sb_cluster_free(sb_cluster *c); /* NULL accepted */

/* Loads a document of a config collection ("shards", "chunks", ...), or of "sizes" ({_id: ns, shards: {...}},
 * as in a snapshot). "sizes" may say of single chunks what no metadata tells: chunks: [{min, bytes,
 * documents, keys}], where keys is the number of different shard key values (1: cannot be split); the rest of
 * a shard's data is spread over its other chunks evenly. Documents may come in any order and in either
 * generation; they are looked at in sb_cluster_ready(). After that, a client's own write: as
 * sb_cluster_put(). */
bool sb_cluster_load(sb_cluster *c, const char *collection, const bson_t *doc, struct err *err);
/* After loading: checks and completes the state. */
bool sb_cluster_ready(sb_cluster *c, struct err *err);

/* A client's own write to config.settings (replaces the document of that _id) or to config.collections (only
 * noBalance is taken over): mongosh does that for chunk size, window, and per-collection balancing. False:
 * not writable. */
bool sb_cluster_put(sb_cluster *c, const char *collection, const bson_t *doc, struct err *err);

/* The documents of config.<collection> as they are now, in natural order, for queries; elements bson_t*,
 * borrowed until the next call into the cluster. NULL: the cluster does not own that collection. */
const GPtrArray *sb_cluster_docs(sb_cluster *c, const char *collection);

/* Whether this command (by name) is answered by sb_cluster_run(). What the simulated version does not have is
 * not; run all the same, it is answered CommandNotFound. "drop" and "dropDatabase" are for sharded
 * collections: NamespaceNotFound (26) means that the cluster half knows nothing of it. */
bool sb_cluster_has_command(const sb_cluster *c, const char *name);

/* One client's request. `reply` is called exactly once, now or later (migrations take time), with the whole
 * reply document
 * ({ok: 1, ...} or {ok: 0, errmsg, code?, codeName?}); when the client goes away first, sb_cluster_forget()
 * is called with the same `user`, the work goes on, and `reply` is not called any more. `op` identifies it to
 * currentOp and killOp. */
typedef void (*sb_reply_fn)(void *user, const bson_t *reply);
/* A reply with the field `$evenkeelDropConnection: true` (only ever from an injected fault) must not be sent:
 * the server half closes that connection instead. */
void sb_cluster_run(sb_cluster *c, const char *db, const bson_t *cmd, int64_t op, sb_reply_fn reply,
                    void *user);
void sb_cluster_forget(sb_cluster *c, void *user);

/* killOp: interrupts what the operation waits for (11601 to its client; a migration in flight goes on).
 * An operation of a shard, as sb_cluster_current_ops() numbers them ("shard0:N"): the migration is aborted.
 */
void sb_cluster_kill(sb_cluster *c, int64_t op);

/* $currentOp documents of migrations in flight; the caller frees the array (elements bson_t*, freed with it).
 */
GPtrArray *sb_cluster_current_ops(sb_cluster *c);

/* Sizes for collStats, $collStats, $shardedDataDistribution, dataSize; -1 where shard or collection is
 * unknown. Bytes and documents are those that the shard owns, without orphans; collStats and $collStats count
 * both together. */
int64_t sb_cluster_bytes(const sb_cluster *c, const char *ns, const char *shard);
int64_t sb_cluster_documents(const sb_cluster *c, const char *ns, const char *shard);
int64_t sb_cluster_orphan_bytes(const sb_cluster *c, const char *ns, const char *shard);
int64_t sb_cluster_orphan_documents(const sb_cluster *c, const char *ns, const char *shard);
/* Owned data of [min, max), over all shards; bounds that are not full shard keys, or an unknown collection,
 * give false. */
bool sb_cluster_range_size(sb_cluster *c, const char *ns, const bson_t *min, const bson_t *max,
                           int64_t *ret_bytes, int64_t *ret_documents);

/* The command evenkeelSandboxFault (database admin; only with sb_options.allow_faults, otherwise
 * CommandNotFound): {evenkeelSandboxFault: 1, kind: "...", command?, shard?, ns?, step?, code?, errmsg?, ms?,
 * factor?, at?, to?, bytes?, times?: 1 (0: always), probability?: 1.0 (seeded)}  ->  {id: <long>, ok: 1} or,
 * shorter, {evenkeelSandboxFault: "<kind>", ...}. kind, and what it does: replyLostBefore   the next
 * `command` (default: any of this file's) is not carried out; the connection drops replyLostAfter    it is
 * carried out; then the connection drops instead of its reply errorCode         with `step` 1-6: the next
 * migration fails there as if its donor had met `code` and `errmsg`; without: the next `command` is answered
 * with them and not carried out stall             the next migration stands still for `ms` at the end of
 * `step` (default 4) stepdown          the primary of `shard` steps down now and is back after `ms` (default
 * 3000); "config": the config servers, as configUnavailable configUnavailable the config servers have no
 * primary for `ms` (default 6000) shardUnreachable  the shard dies now, and is back after `ms` (0: when kind
 * "clear" is given) slowShard         migrations from and to `shard` take `factor` times as long (default 10)
 *   chunkSplit        somebody splits the chunk of `ns` that holds the key `at`, there or (at a bound) in its
 * middle chunkMoved        somebody moves the chunk of `ns` that holds `at` to shard `to`, at once
 *   chunkGrown        `bytes` of new data come into the chunk of `ns` that holds `at`, at once
 *   shardRemoved      somebody removes `shard`; its chunks are elsewhere at once
 *   clear             takes all faults back
 */
