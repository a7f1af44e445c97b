// SPDX-License-Identifier: Apache-2.0
/* The one table of the configuration. The parser, the defaults, the units, the example file's check and the
 * tests read it: a new key is a new row here and a field in config.h. */
#include "common/config/config.h"

#include <stddef.h>

#define AT(field) .offset = offsetof(struct config, field)
#define OF(record, field) .offset = offsetof(struct record, field)

/* Milliseconds. */
#define SECOND 1e3
#define MINUTE 60e3
#define HOUR 3600e3
#define DAY 86400e3

/* The most that a number of bytes may be: 1 EiB. */
#define EXBI 0x1p60

static const struct config_key keys[] = {
    {"cluster.uri", CONFIG_URI, .def = "mongodb://localhost:27017", AT(cluster.uri),
     .help = "a mongos of the cluster; the variable EVENKEEL_URI or uriFile keeps a secret out of this file"},
    {"cluster.uriFile", CONFIG_PATH, .def = "\"\"", AT(cluster.uri_file),
     .help = "a file whose first line is the URI; instead of uri"},
    {"cluster.readPreference", CONFIG_ENUM, .def = "primary", AT(cluster.read_preference), .reload = true,
     .words = "primary|primaryPreferred|secondary|secondaryPreferred|nearest",
     .help = "where metadata is read; the read concern is always majority"},
    {"cluster.builtinBalancer", CONFIG_ENUM, .def = "requireStopped", AT(cluster.builtin_balancer),
     .words = "requireStopped|stopAndRestore|ignore",
     .help = "what to do about MongoDB's own balancer: refuse to act while it runs, stop it meanwhile, or "
             "nothing"},

    {"balancer.policy", CONFIG_ENUM, .def = "auto", AT(balancer.policy), .reload = true,
     .words = "auto|count|size|optimal",
     .help = "what balance means; auto: count or size, by server version"},
    {"balancer.balance", CONFIG_ENUM, .def = "collection", AT(balancer.balance), .reload = true,
     .words = "collection|cluster",
     .help = "optimal: each collection even, or the total of all of them, each within its threshold"},
    {"balancer.interval", CONFIG_DURATION, 1 * SECOND, 1 * DAY, "10s", AT(balancer.interval), .reload = true,
     .help = "pause after a round that had nothing to do"},
    {"balancer.busyInterval", CONFIG_DURATION, 0, 1 * DAY, "1s", AT(balancer.busy_interval), .reload = true,
     .help = "pause after a round that moved something"},
    {"balancer.windows", CONFIG_LIST, .def = "[]", AT(balancer.windows), .reload = true,
     .record_size = sizeof(struct config_window),
     .help = "when migrations may start; empty: the cluster's own activeWindow"},
    {"balancer.windows[].days", CONFIG_DAYS, .def = "[sun, mon, tue, wed, thu, fri, sat]", .reload = true,
     OF(config_window, days), .help = "the days on which the window opens"},
    {"balancer.windows[].start", CONFIG_TIME, .reload = true, OF(config_window, start_min),
     .help = "when it opens, HH:MM"},
    {"balancer.windows[].stop", CONFIG_TIME, .reload = true, OF(config_window, stop_min),
     .help = "when it closes, HH:MM; before start: on the next day"},
    {"balancer.windows[].timezone", CONFIG_TIMEZONE, .def = "\"\"", .reload = true,
     OF(config_window, timezone),
     .help = "time zone of the window, such as Europe/Paris; empty: the host's own"},
    {"balancer.namespaces", CONFIG_GLOBS, .def = "[\"*\"]", AT(balancer.namespaces), .reload = true,
     .help = "the collections to balance: patterns with * and ?, a leading ! excludes"},
    {"balancer.timeSeries", CONFIG_ENUM, .def = "exclude", AT(balancer.time_series), .reload = true,
     .words = "exclude|even", .help = "time-series collections: left alone, or spread evenly without zones"},
    {"balancer.thresholds.chunks", CONFIG_INT, 1, 1e6, "1", AT(balancer.thresholds.chunks), .reload = true,
     .help = "count: the difference in chunks that is still balance"},
    {"balancer.thresholds.bytes", CONFIG_BYTES, 0, EXBI, "384MiB", AT(balancer.thresholds.bytes),
     .reload = true,
     .help = "size, optimal: the difference in data that is still balance; unless given, three chunk sizes"},
    {"balancer.thresholds.percent", CONFIG_NUMBER, 0, 100, "0", AT(balancer.thresholds.percent),
     .reload = true, .help = "the difference in percent of the target that is still balance; 0: not used"},
    {"balancer.shards", CONFIG_MAP, .def = "{}", AT(balancer.shards), .reload = true,
     .record_size = sizeof(struct config_shard), .help = "what is special about a shard, by its id"},
    {"balancer.shards.<id>.weight", CONFIG_NUMBER, 0.001, 1e6, "1", .reload = true, OF(config_shard, weight),
     .help = "its capacity in relation to the others"},
    {"balancer.shards.<id>.maxBytes", CONFIG_BYTES, 0, EXBI, "0", .reload = true, OF(config_shard, max_bytes),
     .help = "receives nothing beyond this much data; 0: no limit"},
    {"balancer.shards.<id>.receive", CONFIG_BOOL, .def = "true", .reload = true, OF(config_shard, receive),
     .help = "whether it may receive chunks at all"},
    {"balancer.collections", CONFIG_MAP, .def = "{}", AT(balancer.collections), .reload = true,
     .record_size = sizeof(struct config_collection),
     .help = "what is special about a collection, by its namespace"},
    {"balancer.collections.<ns>.priority", CONFIG_INT, -1000, 1000, "0", .reload = true,
     OF(config_collection, priority), .help = "higher goes first"},
    {"balancer.collections.<ns>.threshold", CONFIG_BYTES, 0, EXBI, "0", .reload = true,
     OF(config_collection, threshold), .help = "its own thresholds.bytes; 0: the common one"},
    {"balancer.collections.<ns>.enabled", CONFIG_BOOL, .def = "true", .reload = true,
     OF(config_collection, enabled), .help = "whether it is balanced"},

    {"migrations.maxConcurrent", CONFIG_INT, 0, 512, "0", AT(migrations.max_concurrent), .reload = true,
     .help = "migrations at a time; 0: as many as shard pairs allow"},
    {"migrations.secondaryThrottle", CONFIG_THROTTLE, .def = "default", AT(migrations.secondary_throttle),
     .reload = true,
     .help = "wait for secondaries while copying: default (the cluster's setting), true, false, majority, "
             "a number of members, or the name of a write concern mode"},
    {"migrations.waitForDelete", CONFIG_BOOL, .def = "false", AT(migrations.wait_for_delete), .reload = true,
     .help = "a migration ends only when the donor has deleted its copy"},
    {"migrations.timeout", CONFIG_DURATION, 1 * SECOND, 365 * DAY, "6h", AT(migrations.timeout),
     .reload = true, .help = "a migration that takes longer is given up"},
    {"migrations.retry.attempts", CONFIG_INT, 1, 100, "3", AT(migrations.retry.attempts), .reload = true,
     .help = "how often a migration is tried"},
    {"migrations.retry.backoff", CONFIG_DURATION, 0, 1 * DAY, "5s", AT(migrations.retry.backoff),
     .reload = true, .help = "pause before the second attempt; it doubles each time"},
    {"migrations.retry.maxBackoff", CONFIG_DURATION, 0, 1 * DAY, "5m", AT(migrations.retry.max_backoff),
     .reload = true, .help = "the longest pause between attempts"},
    {"migrations.maxBytesPerHour", CONFIG_BYTES, 0, EXBI, "0", AT(migrations.max_bytes_per_hour),
     .reload = true, .help = "data moved in an hour; 0: no limit"},
    {"migrations.pauseWhen.replicationLag", CONFIG_DURATION, 0, 1 * DAY, "0s",
     AT(migrations.pause_when.replication_lag), .reload = true,
     .help = "start nothing while a member of the shard lags more than this; 0s: not watched"},
    {"migrations.pauseWhen.orphans", CONFIG_INT, 0, 1e15, "0", AT(migrations.pause_when.orphans),
     .reload = true,
     .help = "start nothing while a shard has more orphaned documents than this; 0: not watched"},
    {"migrations.jumbo", CONFIG_ENUM, .def = "skip", AT(migrations.jumbo), .reload = true,
     .words = "skip|split|force", .help = "chunks too large to move: leave, split first, or move by force"},

    {"journal.path", CONFIG_PATH, .def = "/var/lib/evenkeel/journal.db", AT(journal.path),
     .help = "the journal's SQLite file"},
    {"journal.retention", CONFIG_DURATION, 1 * HOUR, 36500 * DAY, "90d", AT(journal.retention),
     .reload = true, .help = "how long rounds and migrations are kept"},

    {"lease.enabled", CONFIG_BOOL, .def = "true", AT(lease.enabled),
     .help = "a lease in the cluster lets only one service act"},
    {"lease.ttl", CONFIG_DURATION, 5 * SECOND, 1 * HOUR, "30s", AT(lease.ttl),
     .help = "how long a lease that is not renewed stays valid"},
    {"lease.namespace", CONFIG_NAMESPACE, .def = "evenkeel.lease", AT(lease.ns),
     .help = "where the lease stands"},

    {"control.socket", CONFIG_PATH, .max = 107, .def = "/run/evenkeel/control.sock", AT(control.socket),
     .help = "the socket that status, pause and round speak to"},
    {"control.mode", CONFIG_MODE, .def = "\"0660\"", AT(control.mode), .help = "its permission bits, octal"},

    {"http.listen", CONFIG_LISTEN, .def = "127.0.0.1:29017", AT(http.listen),
     .help = "address of metrics, health and the status page; empty: none"},
    {"http.tokenFile", CONFIG_PATH, .def = "\"\"", AT(http.token_file), .reload = true,
     .help = "a file with the bearer token that lets HTTP change things; empty: HTTP is read-only"},

    {"log.level", CONFIG_ENUM, .def = "info", AT(log.level), .reload = true,
     .words = "error|warning|info|debug", .help = "the least important lines that are logged"},
    {"log.format", CONFIG_ENUM, .def = "auto", AT(log.format), .words = "auto|text|json|journald",
     .help = "auto: journald under systemd, else text"},
};

const struct config_key *config_keys(size_t *ret_n)
{
    *ret_n = G_N_ELEMENTS(keys);
    return keys;
}

const char *config_type_text(enum config_type type)
{
    static const char *const texts[] = {
        [CONFIG_BOOL] = "true or false",
        [CONFIG_INT] = "whole number",
        [CONFIG_NUMBER] = "number",
        [CONFIG_BYTES] = "size",
        [CONFIG_DURATION] = "duration",
        [CONFIG_ENUM] = "word",
        [CONFIG_TEXT] = "text",
        [CONFIG_PATH] = "path",
        [CONFIG_URI] = "MongoDB URI",
        [CONFIG_NAMESPACE] = "namespace",
        [CONFIG_MODE] = "octal mode",
        [CONFIG_LISTEN] = "host:port",
        [CONFIG_THROTTLE] = "true, false or write concern",
        [CONFIG_TIME] = "time of day",
        [CONFIG_TIMEZONE] = "time zone",
        [CONFIG_DAYS] = "list of days",
        [CONFIG_GLOBS] = "list of patterns",
        [CONFIG_LIST] = "list of records",
        [CONFIG_MAP] = "map of records",
    };
    return texts[type];
}
