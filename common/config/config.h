// SPDX-License-Identifier: Apache-2.0
/* config.h - the configuration file.
 * Owns: the table of every key (type, range, default, help), the struct it fills, and the faults found on the
 * way, each with its place, all of them in one run. Never: reads the environment, opens the files that a
 * value names, or acts on a value; shows what a URI holds.
 */
#pragma once

#include "common/err.h"

#include <glib.h>
#include <stdint.h>

enum { CONFIG_FILE_MAX = 1024 * 1024 };

enum config_read_preference {
    CONFIG_READ_PRIMARY,
    CONFIG_READ_PRIMARY_PREFERRED,
    CONFIG_READ_SECONDARY,
    CONFIG_READ_SECONDARY_PREFERRED,
    CONFIG_READ_NEAREST
};
enum config_builtin_balancer {
    CONFIG_BUILTIN_REQUIRE_STOPPED,
    CONFIG_BUILTIN_STOP_AND_RESTORE,
    CONFIG_BUILTIN_IGNORE
};
enum config_policy { CONFIG_POLICY_AUTO, CONFIG_POLICY_COUNT, CONFIG_POLICY_SIZE, CONFIG_POLICY_OPTIMAL };
enum config_balance { CONFIG_BALANCE_COLLECTION, CONFIG_BALANCE_CLUSTER };
enum config_time_series { CONFIG_TIME_SERIES_EXCLUDE, CONFIG_TIME_SERIES_EVEN };
enum config_jumbo { CONFIG_JUMBO_SKIP, CONFIG_JUMBO_SPLIT, CONFIG_JUMBO_FORCE };
enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARNING, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };
enum config_log_format { CONFIG_LOG_AUTO, CONFIG_LOG_TEXT, CONFIG_LOG_JSON, CONFIG_LOG_JOURNALD };

enum config_throttle_kind {
    CONFIG_THROTTLE_DEFAULT, /* what the cluster's own settings say */
    CONFIG_THROTTLE_OFF,
    CONFIG_THROTTLE_ON,
    CONFIG_THROTTLE_CONCERN /* on, with a write concern */
};

struct config_throttle {
    enum config_throttle_kind kind;
    int64_t members; /* of CONCERN: the number of members, or 0 where `mode` says it */
    char *mode;      /* of CONCERN: "majority" or the name of a mode; else NULL */
};

struct config_listen {
    char *host;    /* without brackets; NULL: do not listen */
    uint16_t port; /* 0, with a host: any free one */
};

/* start < stop: that stretch of each day; start > stop: over midnight, on the day it starts and the next. */
struct config_window {
    uint8_t days;  /* bit 0 Sunday ... bit 6 Saturday; never 0 */
    int start_min; /* minutes since midnight, 0..1439, never equal */
    int stop_min;
    char *timezone; /* an identifier that GTimeZone knows; "": the host's own */
};

struct config_shard {
    char *id;
    double weight;
    int64_t max_bytes; /* 0: no limit */
    bool receive;
};

struct config_collection {
    char *ns;
    int64_t priority;
    int64_t threshold; /* bytes; 0: as balancer.thresholds.bytes says */
    bool enabled;
};

typedef struct config config;

/* Durations are in milliseconds. Arrays stand in the order of the file. */
struct config {
    struct {
        char *uri;      /* may hold a password: never print it */
        char *uri_file; /* "": not given */
        enum config_read_preference read_preference;
        enum config_builtin_balancer builtin_balancer;
    } cluster;
    struct {
        enum config_policy policy;
        enum config_balance balance;
        int64_t interval;
        int64_t busy_interval;
        GArray *windows;       /* struct config_window */
        GPtrArray *namespaces; /* char *, patterns for globs_add() */
        enum config_time_series time_series;
        struct {
            int64_t chunks;
            int64_t bytes;
            double percent;
        } thresholds;
        GArray *shards;      /* struct config_shard */
        GArray *collections; /* struct config_collection */
    } balancer;
    struct {
        int64_t max_concurrent; /* 0: as many as shard pairs allow */
        struct config_throttle secondary_throttle;
        bool wait_for_delete;
        int64_t timeout;
        struct {
            int64_t attempts;
            int64_t backoff;
            int64_t max_backoff;
        } retry;
        int64_t max_bytes_per_hour; /* 0: no limit */
        struct {
            int64_t replication_lag; /* 0: not watched */
            int64_t orphans;         /* 0: not watched */
        } pause_when;
        enum config_jumbo jumbo;
    } migrations;
    struct {
        char *path;
        int64_t retention;
    } journal;
    struct {
        bool enabled;
        int64_t ttl;
        char *ns;
    } lease;
    struct {
        char *socket;
        int mode; /* permission bits */
    } control;
    struct {
        struct config_listen listen;
        char *token_file; /* "": read-only */
    } http;
    struct {
        enum config_log_level level;
        enum config_log_format format;
    } log;
    GHashTable *given; /* dotted keys that the file holds; ask config_is_set() */
};

/* Every key at its default. */
config *config_default(void);
void config_free(config *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(config, config_free)

/* Reads a file. *ret_faults (may be NULL) is set in every case, to an array of lines "file:line:col: error:
 * ..." or
 * "...: warning: ..." in the order of the file; warnings alone do not fail. The caller frees it with
 * g_ptr_array_unref(). ERR_CONFIG: faults, `err` counts them and tells the first; ERR_NO_INPUT,
 * ERR_NO_PERMISSION. */
bool config_load(const char *path, config **ret, GPtrArray **ret_faults, struct err *err);

/* The same from `len` bytes of text; `name` stands for the file in messages. */
bool config_parse(const char *name, const char *text, gsize len, config **ret, GPtrArray **ret_faults,
                  struct err *err);

/* What a reload may not change (config_key.reload) is taken over from `old`. `ret_changed` gets the names of
 * keys, borrowed from the table, in which the two differed. */
void config_keep_fixed(config *fresh, const config *old, GPtrArray *ret_changed);

/* Whether the file gave this key: "balancer.interval", "balancer.shards.shard0.weight", or a section as a
 * whole. */
bool config_is_set(const config *c, const char *dotted_key);

/* NULL where the file says nothing of it. Borrowed. */
const struct config_shard *config_shard_find(const config *c, const char *id);
const struct config_collection *config_collection_find(const config *c, const char *ns);

enum config_type {
    CONFIG_BOOL,
    CONFIG_INT,
    CONFIG_NUMBER,
    CONFIG_BYTES,
    CONFIG_DURATION,
    CONFIG_ENUM, /* one of `words` */
    CONFIG_TEXT,
    CONFIG_PATH,
    CONFIG_URI,
    CONFIG_NAMESPACE, /* db.coll */
    CONFIG_MODE,      /* octal permission bits */
    CONFIG_LISTEN,    /* host:port, or empty */
    CONFIG_THROTTLE,
    CONFIG_TIME, /* HH:MM */
    CONFIG_TIMEZONE,
    CONFIG_DAYS,  /* a list of sun ... sat */
    CONFIG_GLOBS, /* a list of patterns */
    CONFIG_LIST,  /* of records, whose keys are the rows "name[].key" */
    CONFIG_MAP    /* of records by a name of the operator's, whose keys are the rows "name.<id>.key" */
};

/* A row of the table. The name is the dotted path in the file. */
struct config_key {
    const char *name;
    enum config_type type;
    double min, max;    /* of INT, NUMBER, BYTES, DURATION (milliseconds): both may occur */
    const char *def;    /* as YAML; NULL: must be given (keys of a record only) */
    const char *words;  /* of ENUM: "auto|count|size", in the order of the enum */
    bool reload;        /* whether a reload applies a change; if not, it takes a restart */
    const char *help;   /* one line */
    size_t offset;      /* of the field, in struct config or in the record */
    size_t record_size; /* of LIST and MAP */
};

/* The table, in the order of the example file; rows of records follow the row of their list or map. */
const struct config_key *config_keys(size_t *ret_n);

/* "duration", "true or false", ...: the type for people. */
const char *config_type_text(enum config_type type);
