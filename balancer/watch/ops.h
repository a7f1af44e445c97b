// SPDX-License-Identifier: Apache-2.0
/* ops.h - what may be asked of the running service, by whatever door: control socket, HTTP, signals.
 * Owns: the table of functions between the doors and the service. Never: knows sockets.
 * Everything is called on the loop thread and returns at once.
 */
#pragma once

#include "balancer/watch/view.h"
#include "common/err.h"

struct service_asker {
    const char *who;    /* "alice (uid 1000)", "http 127.0.0.1": for the journal */
    const char *reason; /* NULL: none given */
};

struct service_round_ask {
    bool ignore_window, dry_run;
    const char *const *ns; /* globs, NULL: all */
    size_t n_ns;
};

/* How a forced round goes, told to whoever asked; `done` is the last call. `line` is one JSON object. */
typedef void (*service_follow_fn)(void *data, const char *line, bool done);

struct service_ops {
    void *data;
    /* A fresh view; the caller frees. */
    service_view *(*view)(void *data);
    /* Queues a forced round. *ret_queued: one is running already, this one comes behind it (only one waits: a
     * further one is told so with ERR_RETRY_LATER). `follow` may be NULL; it is called until `done`, or until
     * service_unfollow with the same data. */
    bool (*round)(void *data, const struct service_asker *by, const struct service_round_ask *ask,
                  service_follow_fn follow, void *follow_data, int64_t *ret_round, bool *ret_queued,
                  struct err *err);
    void (*unfollow)(void *data, void *follow_data);
    bool (*pause)(void *data, const struct service_asker *by, struct err *err);
    bool (*resume)(void *data, const struct service_asker *by, struct err *err);
    bool (*reload)(void *data, const struct service_asker *by, struct err *err);
    /* The last plan as JSON (the contract's) on one line, NULL: none yet; a reference for the caller. */
    GBytes *(*plan_json)(void *data);
    /* Rows of the journal as JSON, the newest `limit` of them at most.
     * `query`: pairs as in a URL, "since=...&ns=...", values percent-encoded and as the asker wrote them, to
     * be read as `evenkeel history` reads them; keys are since, until, ns (may come several times), shard,
     * state, round. "": all. ERR_USAGE: a value that is none; ERR_RETRY_LATER: it would keep the loop for too
     * long. */
    bool (*history_json)(void *data, const char *query, unsigned limit, GString *out, struct err *err);
    /* Whether it is ready to work (connected, or in standby) and alive. */
    bool (*ready)(void *data, char **ret_why_not);
};
