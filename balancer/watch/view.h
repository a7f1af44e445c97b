// SPDX-License-Identifier: Apache-2.0
/* view.h - what the service shows of itself at one moment: one struct, from which status, metrics and the
 * page are written. Owns: the struct, its release, and its one JSON form (view_json.c). Never: computes
 * anything that decides; reads a clock. Times are milliseconds since 1970, 0: not known or never. Strings
 * from the cluster are as they are: whoever shows them escapes them.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum service_state {
    SERVICE_STARTING,    /* connecting, recovering */
    SERVICE_STANDBY,     /* another evenkeel holds the lease */
    SERVICE_IDLE,        /* nothing to do until next_round_at */
    SERVICE_PLANNING,    /* reading metadata, planning */
    SERVICE_MOVING,      /* steps are under way or wait for shards */
    SERVICE_HELD,        /* there would be work, but something holds back: `holds` */
    SERVICE_PAUSED,      /* by an operator */
    SERVICE_UNREACHABLE, /* the cluster does not answer; tried again at next_round_at */
    SERVICE_STOPPING
};
const char *service_state_text(enum service_state s); /* "starting", ... stable */

struct view_hold { /* one thing that holds back */
    char *code;    /* "paused", "window", "lease", "balancerRunning", "replicationLag", "orphans",
                      "maxBytesPerHour", "coolDown", "clusterUnreachable", "journal" ...: stable */
    char *text;    /* one sentence */
    int64_t until; /* 0: not known */
};

struct view_migration { /* under way */
    int64_t row;
    bool split, settling;
    char *ns, *from, *to, *min, *max; /* bounds as relaxed Extended JSON */
    char *reason;
    int64_t bytes;                       /* estimate, -1 */
    int64_t started_at, expected_end;    /* 0: not known, like: */
    int64_t expected_low, expected_high; /* nine in ten end between these */
    uint32_t attempt;
};

struct view_shard {
    char *id;
    bool draining;
    int64_t bytes, target_bytes; /* -1: not known */
    int64_t chunks, target_chunks;
    GPtrArray *zones; /* char *, made with g_ptr_array_new_with_free_func(g_free); NULL: none */
};

struct view_zone_range { /* for the zone map; at most the first VIEW_RANGES of a collection */
    char *zone, *min, *max;
};

struct view_collection {
    char *ns;
    char *status;   /* "balanced", "imbalanced", "excluded" */
    char *excluded; /* reason or NULL */
    double imbalance;
    int64_t chunks, bytes; /* -1 */
    uint32_t migrations;   /* planned in the last plan */
    GArray *shards;        /* view_shards_new(); only those that hold or shall hold some; NULL: none */
    GArray *ranges;        /* view_ranges_new(), in key order; NULL: none */
};

struct view_blocked {
    char *ns, *shard, *reason, *why;
    int64_t chunks;
};

struct view_round {
    int64_t id;
    char *kind, *state, *who, *reason, *note; /* who, reason, note may be NULL */
    int64_t started_at, ended_at;
    uint32_t planned, committed, failed, splits;
    int64_t planned_bytes, bytes;
    double planned_seconds;
};

struct view_point { /* of the history of imbalance */
    int64_t at;
    double imbalance;
};

enum { VIEW_RANGES = 200, VIEW_ROUNDS = 20, VIEW_POINTS = 500, VIEW_COLLECTIONS = 500, VIEW_BLOCKED = 50 };

typedef struct service_view {
    int64_t at;         /* when this was taken */
    int64_t started_at; /* the process */
    enum service_state state;
    char *version;
    struct {
        char *name;    /* URI as it may be shown */
        char *version; /* of the server; NULL: not known yet */
        char *id;      /* NULL */
    } cluster;
    struct {
        bool enabled, held;
        char *holder; /* who has it; NULL: nobody or unknown */
        int64_t since, epoch;
    } lease;
    struct {
        bool always, open;
        int64_t changes_at;
        char *text; /* "sat 23:00-06:00 Europe/Paris" */
    } window;
    struct {
        bool paused;
        char *who, *reason; /* NULL */
        int64_t since;
    } pause;
    char *policy,
        *builtin_balancer; /* mode of the balancer inside MongoDB: "full", "off", ...; NULL: not known */
    GArray *holds;         /* struct view_hold */
    int64_t next_round_at;
    struct { /* the round under way; id 0: none */
        int64_t id;
        char *kind;
        uint32_t steps, done, failed;
        int64_t bytes, bytes_done;
        double bytes_per_second;                          /* over the last minutes; 0: not known */
        int64_t finish_low, finish_expected, finish_high; /* window-aware; 0: not known */
    } round;
    struct {         /* what times are reckoned with */
        char *basis; /* "journal", "changelog": measured there; "default": assumed; NULL: not known yet */
        uint32_t samples;                         /* past migrations */
        double latency_seconds, bytes_per_second; /* a migration takes the one, and its bytes at the other */
    } speed;
    struct {                  /* until nothing more moves, by the last plan */
        bool known, complete; /* not complete: there is more than was looked ahead to */
        uint32_t migrations;
        int64_t bytes;
        double low_seconds, expected_seconds, high_seconds; /* of open windows */
        int64_t finish_low, finish_expected, finish_high;   /* windows and limits taken into account; 0: none
                                                               can be told, or nothing is to move */
    } forecast;
    GArray *migrations;  /* struct view_migration, oldest first */
    GArray *shards;      /* struct view_shard: the cluster's totals */
    GArray *collections; /* struct view_collection, the most imbalanced first */
    uint32_t n_collections, n_imbalanced;
    double imbalance;   /* of the cluster, see plan */
    GArray *history;    /* struct view_point, oldest first */
    GArray *rounds;     /* struct view_round, newest first */
    GArray *blocked;    /* struct view_blocked */
    int64_t planned_at; /* when the last plan was made */
    struct {            /* counters since the process started; seconds are doubles */
        uint64_t rounds, rounds_failed, migrations_committed, migrations_failed, migrations_aborted, splits,
            retries, unknown;
        uint64_t bytes_moved, cluster_errors, lease_losses, control_requests, http_requests, http_refused,
            reloads, log_dropped;
        double migration_seconds, plan_seconds, read_seconds, loop_longest_stop_seconds;
        uint64_t plans;
    } count;
    struct { /* of this process */
        int64_t resident_bytes;
        double cpu_seconds;
        int open_files;
    } process;
} service_view;

/* Empty, with every array of its own in place; whatever is put into it, it owns. */
service_view *service_view_new(void);
void service_view_free(service_view *v);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(service_view, service_view_free)

/* The arrays inside a collection: elements are cleared with them. */
GArray *view_shards_new(void);
GArray *view_ranges_new(void);

/* What was promised of the finished rounds in `rounds`, and what came of it. */
struct view_promise {
    uint32_t rounds;
    double promised_seconds, achieved_seconds; /* of all of them together */
};
struct view_promise view_promise(const service_view *v);
/* Whether this round was promised a time and has kept or broken that: it is done, and moved something. */
bool view_round_counts(const struct view_round *r);

/* The whole as JSON: {"schemaVersion": 1, "state": ..., ...}, but for the shards and ranges inside
 * collections: it is asked for every other second. docs/status.md tells every field. */
void service_view_json(const service_view *v, GString *out);
/* Only its collections, with shards and ranges. */
void service_view_collections_json(const service_view *v, GString *out);
