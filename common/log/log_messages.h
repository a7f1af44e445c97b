// SPDX-License-Identifier: Apache-2.0
/* log_messages.h - every message that the service can log: one table.
 * Owns: a message's symbol, its number, severity, component, its constant text, and what it means and asks of
 * its reader. docs/log.md shows the same table, and a test holds the two together.
 * Never: gives a number a second time or a new meaning: alerts rest on them. Gaps are free.
 */
#pragma once

/* In the order of the configuration's log.level: each shows itself and those before it. */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* X(symbol behind LOG_, number, level behind LOG_LEVEL_, component, message, what it means and what to do).
 * The symbol is the message in capitals: "round.start" is LOG_ROUND_START, "http.tlsOff" LOG_HTTP_TLS_OFF. */
#define LOG_MESSAGES(X)                                                                                      \
    X(SERVICE_START, 1001, INFO, SERVICE, "service.start", "The process has begun; nothing to do.")          \
    X(SERVICE_READY, 1002, INFO, SERVICE, "service.ready",                                                   \
      "It is at work, or standing by for the lease; nothing to do.")                                         \
    X(SERVICE_STOP, 1003, INFO, SERVICE, "service.stop",                                                     \
      "It was asked to end and starts no new migration; those under way get the grace time.")                \
    X(SERVICE_GRACE_OVER, 1004, WARNING, SERVICE, "service.graceOver",                                       \
      "The grace time ended with migrations under way: they are left to the cluster, journalled "            \
      "unknown and settled by the next start.")                                                              \
    X(SERVICE_FAILED, 1005, ERROR, SERVICE, "service.failed",                                                \
      "It cannot go on and ends; mend what the error names, then start it again.")                           \
    X(SERVICE_RELOAD, 1006, INFO, SERVICE, "service.reload",                                                 \
      "The configuration was read anew and is in force.")                                                    \
    X(SERVICE_RELOAD_FAILED, 1007, ERROR, SERVICE, "service.reloadFailed",                                   \
      "The new configuration is faulty and the old one stays in force; mend the faults that config.fault "   \
      "lists and reload again.")                                                                             \
    X(PAUSE, 1008, INFO, SERVICE, "pause",                                                                   \
      "Somebody paused the service: no migration starts until `evenkeel resume`, not even after a restart.") \
    X(RESUME, 1009, INFO, SERVICE, "resume", "Somebody ended the pause; migrations start again.")            \
    X(NOTIFY_FAILED, 1010, WARNING, SERVICE, "notify.failed",                                                \
      "The service manager could not be told the state; unless it mends itself, look whether NOTIFY_SOCKET " \
      "can be reached, or the watchdog will restart the service.")                                           \
    X(ROUND_START, 2001, INFO, ROUND, "round.start", "A round has work and begins it.")                      \
    X(ROUND_END, 2002, INFO, ROUND, "round.end", "All splits and migrations of a round have ended.")         \
    X(ROUND_NOTHING, 2003, DEBUG, ROUND, "round.nothing", "There is nothing to move; nothing to do.")        \
    X(ROUND_SKIP, 2004, INFO, ROUND, "round.skip",                                                           \
      "Rounds do not take place from now on, for the reason given (paused, window, standby).")               \
    X(ROUND_FAILED, 2005, ERROR, ROUND, "round.failed",                                                      \
      "A round ended early; it is tried again after the interval. If it goes on, mend what the error "       \
      "names.")                                                                                              \
    X(PLAN_WARNING, 2006, WARNING, PLAN, "plan.warning",                                                     \
      "The plan rests on something that deserves a look; `evenkeel plan` shows it with its context.")        \
    X(PLAN_BLOCKED, 2007, DEBUG, PLAN, "plan.blocked",                                                       \
      "A range ought to move and cannot; `evenkeel explain` tells what would change it.")                    \
    X(SPLIT_START, 2101, INFO, SPLIT, "split.start", "A split at a zone's bound goes to the cluster.")       \
    X(SPLIT_COMMIT, 2102, INFO, SPLIT, "split.commit", "The cluster has split the chunk.")                   \
    X(SPLIT_FAILED, 2103, ERROR, SPLIT, "split.failed",                                                      \
      "The cluster refused a split; what rests on it waits for a later round, which reads anew.")            \
    X(MIGRATION_START, 3001, INFO, MIGRATION, "migration.start",                                             \
      "A migration is journalled and its command goes to the cluster.")                                      \
    X(MIGRATION_COMMIT, 3002, INFO, MIGRATION, "migration.commit",                                           \
      "The cluster has handed the range to its new shard.")                                                  \
    X(MIGRATION_FAILED, 3003, ERROR, MIGRATION, "migration.failed",                                          \
      "A migration failed for good and its range stays where it was; the error says why, and a later round " \
      "plans anew.")                                                                                         \
    X(MIGRATION_ABORTED, 3004, WARNING, MIGRATION, "migration.aborted",                                      \
      "A migration was given up (stale plan, window, lease or shutdown); its range stays where it was.")     \
    X(MIGRATION_UNKNOWN, 3005, WARNING, MIGRATION, "migration.unknown",                                      \
      "The answer to a migration was lost; it is settled from the cluster's own metadata, never guessed.")   \
    X(MIGRATION_RETRY, 3006, WARNING, MIGRATION, "migration.retry",                                          \
      "A migration failed in a way that may pass and is tried again after the wait given.")                  \
    X(MIGRATION_SETTLED, 3007, INFO, MIGRATION, "migration.settled",                                         \
      "The cluster's metadata have told how a migration of unknown end came out.")                           \
    X(MIGRATION_OVERDUE, 3008, WARNING, MIGRATION, "migration.overdue",                                      \
      "A migration runs longer than migrations.timeout; look at the load of both shards and the cluster's "  \
      "own log.")                                                                                            \
    X(MIGRATION_JUMBO, 3009, WARNING, MIGRATION, "migration.jumbo",                                          \
      "The range is too large to move; migrations.jumbo says what is done about it.")                        \
    X(MIGRATION_PROGRESS, 3010, DEBUG, MIGRATION, "migration.progress", "How far a migration has come.")     \
    X(RECOVERY_START, 3101, INFO, RECOVERY, "recovery.start",                                                \
      "The journal holds migrations whose end is not known; the cluster is asked.")                          \
    X(RECOVERY_END, 3102, INFO, RECOVERY, "recovery.end", "Every one of them that could be is settled.")     \
    X(RECOVERY_FAILED, 3103, ERROR, RECOVERY, "recovery.failed",                                             \
      "They could not be settled, and until then their shards take no new work; it is tried again.")         \
    X(LEASE_ACQUIRED, 4001, INFO, LEASE, "lease.acquired", "This process is the one that balances.")         \
    X(LEASE_LOST, 4002, WARNING, LEASE, "lease.lost",                                                        \
      "The lease ran out or went to another: no migration starts here; look for a stalled process or a "     \
      "cluster that was out of reach.")                                                                      \
    X(LEASE_STANDBY, 4003, INFO, LEASE, "lease.standby",                                                     \
      "Another process balances and this one stands by to take over.")                                       \
    X(LEASE_RELEASED, 4004, INFO, LEASE, "lease.released", "The lease was given back; another may take it.") \
    X(LEASE_RENEW_FAILED, 4005, WARNING, LEASE, "lease.renewFailed",                                         \
      "The lease could not be renewed just now; it is tried again until its time is over.")                  \
    X(WINDOW_OPEN, 4101, INFO, WINDOW, "window.open", "The time window has opened; migrations may start.")   \
    X(WINDOW_CLOSED, 4102, INFO, WINDOW, "window.closed",                                                    \
      "The time window has closed; no migration starts, those under way finish.")                            \
    X(BALANCER_STOPPED, 4201, INFO, BALANCER, "balancer.stopped",                                            \
      "The cluster's own balancer was stopped, as cluster.builtinBalancer asks; it is restored at the end.") \
    X(BALANCER_RESTORED, 4202, INFO, BALANCER, "balancer.restored",                                          \
      "The cluster's own balancer is as it was found.")                                                      \
    X(BALANCER_RUNNING, 4203, WARNING, BALANCER, "balancer.running",                                         \
      "The cluster's own balancer is on and nothing is moved beside it: stop it with sh.stopBalancer(), or " \
      "set cluster.builtinBalancer.")                                                                        \
    X(BALANCER_RESTORE_FAILED, 4204, ERROR, BALANCER, "balancer.restoreFailed",                              \
      "The cluster's own balancer could not be switched back on: do it with sh.startBalancer().")            \
    X(THROTTLE_HOLD, 4301, INFO, THROTTLE, "throttle.hold",                                                  \
      "New migrations wait, since a limit of migrations.pauseWhen or maxBytesPerHour is reached.")           \
    X(THROTTLE_RELEASE, 4302, INFO, THROTTLE, "throttle.release", "They may start again.")                   \
    X(CLUSTER_CONNECTED, 5001, INFO, CLUSTER, "cluster.connected",                                           \
      "A mongos answered, of the version given.")                                                            \
    X(CLUSTER_UNREACHABLE, 5002, ERROR, CLUSTER, "cluster.unreachable",                                      \
      "No mongos answers; it is tried again. Check cluster.uri, the network and the mongos.")                \
    X(CLUSTER_BACK, 5003, INFO, CLUSTER, "cluster.back", "The cluster answers again.")                       \
    X(CLUSTER_REFUSED, 5004, ERROR, CLUSTER, "cluster.refused",                                              \
      "The cluster answers and does not serve us (no mongos, version too old, not permitted): mend what "    \
      "the "                                                                                                 \
      "error names.")                                                                                        \
    X(CLUSTER_CHANGED, 5005, INFO, CLUSTER, "cluster.changed",                                               \
      "Its version or set of shards is another than before; what follows rests on the new one.")             \
    X(CONTROL_LISTEN, 6001, INFO, CONTROL, "control.listen", "The control socket is open.")                  \
    X(CONTROL_REQUEST, 6002, INFO, CONTROL, "control.request",                                               \
      "Somebody asked for a change over the socket.")                                                        \
    X(CONTROL_REFUSED, 6003, WARNING, CONTROL, "control.refused",                                            \
      "A request over the control socket was refused, for the reason given.")                                \
    X(CONTROL_FAILED, 6004, ERROR, CONTROL, "control.failed",                                                \
      "The control socket does not work; check control.socket and the rights of its folder.")                \
    X(HTTP_LISTEN, 6101, INFO, HTTP, "http.listen", "The HTTP side is open.")                                \
    X(HTTP_REQUEST, 6102, DEBUG, HTTP, "http.request", "An HTTP request was answered.")                      \
    X(HTTP_REFUSED, 6103, WARNING, HTTP, "http.refused",                                                     \
      "An HTTP request was refused (no token, wrong token, too large, malformed); if you do not know the "   \
      "client, find out who it is.")                                                                         \
    X(HTTP_FAILED, 6104, ERROR, HTTP, "http.failed",                                                         \
      "The HTTP side does not work; check http.listen, and http.tokenFile and its rights.")                  \
    X(HTTP_EXPOSED, 6105, WARNING, HTTP, "http.exposed",                                                     \
      "The HTTP side can be reached from other machines, and without TLS: whoever reaches it may read, and " \
      "the token crosses the network in clear. Listen on loopback, with a proxy that speaks TLS in front.")  \
    X(JOURNAL_FAILED, 7001, ERROR, JOURNAL, "journal.failed",                                                \
      "The journal cannot be written, and no migration starts without it; check the disk's room and the "    \
      "rights of journal.path.")                                                                             \
    X(JOURNAL_PRUNED, 7002, INFO, JOURNAL, "journal.pruned", "Rows older than journal.retention are gone.")  \
    X(CONFIG_FAULT, 8001, WARNING, CONFIG, "config.fault",                                                   \
      "One fault of the configuration file, with its place; `evenkeel config check` shows them all.")        \
    X(CONFIG_NEEDS_RESTART, 8002, WARNING, CONFIG, "config.needsRestart",                                    \
      "A changed key takes effect only when the service is started anew.")                                   \
    X(LOG_DROPPED, 9001, WARNING, LOG, "log.dropped",                                                        \
      "So many lines were lost because nothing read the log in time; look at what reads it.")

enum log_id {
#define LOG_MESSAGE_ID(symbol, number, level, component, message, help) LOG_##symbol,
    LOG_MESSAGES(LOG_MESSAGE_ID)
#undef LOG_MESSAGE_ID
        LOG_ID_COUNT
};

struct log_message {
    const char *symbol; /* "ROUND_START" */
    int number;
    enum log_level level;
    const char *component; /* "ROUND" */
    const char *text;      /* "round.start" */
    const char *help;      /* sentences, with their final stop */
};

/* The row of an id; never NULL. */
const struct log_message *log_message_of(enum log_id id);
