// SPDX-License-Identifier: Apache-2.0
/* look.h - one look at the cluster and the plan that follows from it: everything of a round that blocks or
 * takes long. Owns: connecting, reading, planning, writing the plan as JSON and as it is shown; what it
 * found. Never: touches the loop's state, writes to the cluster. Called on a thread of its own; it has copies
 * of what it needs, and a plan's model lives as long as it.
 */
#pragma once

#include "balancer/plan/estimate.h"
#include "balancer/report/report.h"
#include "balancer/setup/planning.h"
#include "balancer/watch/view.h"
#include "migrations/journal/journal.h"
#include "migrations/mongo/balancer_switch.h"
#include "migrations/mongo/connect.h"
#include "migrations/work/work.h"

/* A configuration that a thread may still read while a reload has put another in its place. */
struct shared_config {
    config *cfg;
    gatomicrefcount refs;
};
struct shared_config *shared_config_new(config *taken);
struct shared_config *shared_config_ref(struct shared_config *c);
void shared_config_unref(struct shared_config *c); /* NULL accepted */

/* What to look at and what for. */
struct look_ask {
    char *uri; /* owned */
    mongoc_read_mode_t read_mode;
    struct shared_config *cfg;
    globs *namespaces; /* of a forced round; owned; NULL: the configuration's */
    GPtrArray *busy;   /* shards under way (interned char *); owned; NULL: none */
    /* struct journal_speed, newest first, ended_at 0: under way, `seconds` so far; owned; NULL: none. */
    GArray *measured;
    int64_t max_bytes;  /* 0: no limit */
    double max_seconds; /* 0: no limit */
    bool ahead;         /* several rounds at once, where the policy knows its whole way */
};

/* Until nothing more moves, windows and limits aside. */
struct look_forecast {
    bool made, complete; /* complete: nothing that can move is left after it */
    uint32_t migrations;
    int64_t bytes;
    struct plan_time time;
};

struct look_found {
    struct err err; /* ERR_NONE: all below is there */
    cluster *cl;
    plan *plan;
    work *work;        /* NULL: a round has taken it over */
    guint n_steps;     /* of the work */
    GBytes *plan_json; /* the contract's, on one line */
    service_view
        *view; /* what of a view comes from the plan; its arrays are shared with the views that are shown */
    estimate *speed;
    char *cluster_id; /* NULL: the cluster has none */
    char *name;       /* the URI as it may be shown */
    struct balancer_status balancer;
    struct look_forecast forecast;
    int64_t orphans; /* documents, over all shards; -1: not known */
    double read_seconds, plan_seconds;
};

typedef struct look {
    unsigned refs;
    struct look_ask ask;
    struct look_found found;
    void *data; /* the service's */
} look;

/* Counted references, of the loop thread alone. NULL accepted. */
look *look_new(void);
look *look_ref(look *l);
void look_unref(look *l);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(look, look_unref)

/* Frees what it holds, which takes long for a large cluster: for a thread, and for a look that nobody else
 * refers to. */
void look_free(look *l);

/* Does it. Failures are in found.err. */
void look_run(look *l);

/* Expected seconds of a migration, by names; NULL: any. */
double look_seconds(const struct look_found *found, const char *ns, const char *from, const char *to,
                    int64_t bytes);

/* look_view.c: the part of a view that a plan tells; the caller frees. */
service_view *look_view(const struct look_found *found);

/* look_forecast.c: after the plan, with its options: looks ahead until nothing more moves. */
void look_forecast(look *l, const struct plan_options *opt);
