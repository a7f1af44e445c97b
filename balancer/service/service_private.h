// SPDX-License-Identifier: Apache-2.0
/* Shared by service*.c: the state that the loop thread owns. */
#pragma once

#include "balancer/service/control.h"
#include "balancer/service/look.h"
#include "balancer/service/offload.h"
#include "balancer/service/service.h"
#include "balancer/setup/acting.h"
#include "balancer/setup/uri.h"
#include "balancer/setup/window_setup.h"
#include "balancer/watch/http.h"
#include "balancer/watch/ops.h"
#include "common/config/config.h"
#include "common/json_writer.h"
#include "migrations/executor/executor.h"
#include "migrations/mongo/lease_keeper.h"
#include "migrations/mongo/mongo_pool.h"

#include <event2/event.h>

/* The longest wait for a cluster that does not answer, or after something that would come again at once. */
enum { BACKOFF_MAX_MS = 5 * 60 * 1000 };

/* A round that somebody asked for. */
struct forced {
    char *who, *reason;
    GPtrArray *ns; /* char *; NULL: all */
    bool ignore_window, dry_run;
    GArray *followers; /* struct follower */
};
struct follower {
    service_follow_fn fn;
    void *data;
};
void forced_free(struct forced *f);
/* One JSON line to all who follow; `done`: they are told no more. */
void forced_tell(struct forced *f, const char *line, bool done);

/* What is needed to act in the cluster, made when it was first read. */
struct acting {
    mongo_pool *pool;
    guard *guard;
    struct mongo_hands *hands;
};

struct service {
    struct service_options opt;
    struct event_base *base;
    struct log *log;
    struct shared_config *cfg;
    char *uri; /* may hold a password */
    journal *journal;
    windows *windows; /* the configuration's, else the cluster's own as last read */
    offload *brain;   /* looks, the built-in balancer's switch */
    offload *lagger;  /* asks the shards how far they lag; NULL: nobody wanted that yet */
    bool asking_lag, lag_known;
    char *lag;           /* what is too much, or cannot be told; NULL: nothing */
    int64_t lag_at;      /* when they are asked again */
    lease_keeper *lease; /* NULL: not wanted */
    struct event *lease_event;
    bool had_lease, told_lease; /* as last told */
    struct acting acting;
    struct event *timer, *heartbeat, *watchdog, *executor_event, *signals[4];
    char *told_status;      /* to the service manager, the last time */
    struct service_ops ops; /* what the doors ask */
    http *http;
    struct control *control;

    enum service_state state;
    bool leave;          /* at once: what is under way is left to the cluster */
    bool left;           /* threads are inside something and were left behind with what they use */
    bool reload_acting;  /* pool and guard are of an older configuration */
    gint64 heartbeat_at; /* monotonic, microseconds */
    bool stopping, looking, switching, recovered;
    bool restored;    /* or tried in vain: the balancer inside MongoDB, at the end */
    int64_t stop_at;  /* when grace ends; 0: not stopping */
    struct err fatal; /* why it must end; ERR_NONE: it need not */
    int64_t started_at, next_round_at, last_look_at;
    unsigned failures;       /* looks that failed, one after the other */
    unsigned lease_failures; /* tries of the lease that nobody answered, one after the other */
    struct err unreachable;  /* what the last of either said */
    bool window_short;       /* what is left of the window is too short for all that was found */
    int64_t throttled_until; /* migrations.maxBytesPerHour leaves no room before; 0: it does */
    int64_t prune_at;        /* when old rows are looked for again */
    uint32_t pruned;         /* rounds, in the sweep under way */
    bool connected;          /* at least one look went well since the last failure */
    bool paused;
    char *pause_who, *pause_reason;
    int64_t paused_at;

    executor *executor; /* while a round is open */
    int64_t round;      /* its row; 0: recovery */
    int64_t round_started_at;
    uint32_t
        settled[MIGRATION_STATE_COUNT]; /* of the rows that an earlier run had left open, by how they ended */
    GPtrArray *round_works; /* work *: borrowed by the executor; the looks they were found in may be gone */
    struct forced *running, *waiting;    /* forced rounds */
    struct executor_status round_before; /* counted into `count` already */
    look *last;                          /* the newest that went well; NULL: none yet */
    GArray *holds;                       /* struct view_hold, of the last tick */
    char *told_hold;                     /* the code of the first one as last logged; NULL: none */
    GArray *history;                     /* struct view_point */
    service_view *counted;               /* its `count`, and the rounds as last read from the journal */
    int64_t counted_change;              /* of the journal, then */
};

/* service.c */
int64_t service_now(const struct service *s);
void service_tick(struct service *s); /* decides what is next; called after everything that happens */
void service_tick_at(struct service *s, int64_t at);
void service_fail(struct service *s, const struct err *err); /* ends the service with that */

/* service_pulse.c: signs of life, and what the service manager is told. */
bool pulse_start(struct service *s, struct err *err);
void pulse_stop(struct service *s);
void pulse_took(struct service *s, gint64 since); /* the loop was busy since then (monotonic) until now */
void tell_ready(const struct service *s);
void tell_reloading(const struct service *s);
void tell_stopping(const struct service *s, int64_t grace_ms);

/* service_prune.c */
void prune_tick(struct service *s, int64_t now);

/* service_rounds.c */
void rounds_tick(struct service *s, int64_t now);
void rounds_stop(struct service *s, const char *code); /* no new migrations */
void rounds_leave(struct service *s);                  /* what is under way is left to the cluster */
bool rounds_idle(const struct service *s);
/* The forced round that runs, if there is one, ends: `exit_code` is for whoever waits for it. */
void rounds_end_forced(struct service *s, const char *state, const char *note, int exit_code);
/* The work of a look that found some; an error is the journal's or means that there are no threads. */
bool rounds_begin_work(struct service *s, look *l, int64_t now, struct err *err);
/* Whether anything of the work that was found would end inside the window, by its estimate. */
bool rounds_fit_window(const struct service *s, const look *l, int64_t now);
/* After the first look: what an earlier run left open is settled before anything is begun. */
void rounds_recover(struct service *s, int64_t now);

/* service_events.c */
void rounds_on_event(void *data, const struct executor_event *e);

/* service_looks.c */
void looks_start(struct service *s);
void rounds_forget_acting(struct service *s); /* after a reload; no round is open */

/* service_holds.c */
struct window_now service_window(const struct service *s, int64_t now);

/* service_holds.c: what holds back now, into s->holds; NULL: nothing, else the first one's code. */
const char *holds_find(struct service *s, int64_t now);
void holds_clear(GArray *holds);
void holds_tell(struct service *s); /* what came or went, to the log */

/* service_lag.c */
void lag_tick(struct service *s, int64_t now);
char *lag_holds(const struct service *s); /* a sentence, or NULL; the caller frees */

/* service_lease.c */
bool lease_open(struct service *s, struct err *err);
void lease_tick(struct service *s);
bool lease_ours(const struct service *s);
bool lease_stands_by(const struct service *s); /* it saw that another has it */
void lease_stop(struct service *s);
void lease_fill(const struct service *s, service_view *v);

/* service_switch.c: the balancer inside MongoDB. */
bool switch_wanted(const struct service *s); /* it must be stopped by us first */
void switch_stop_builtin(struct service *s);
bool switch_restore_builtin(
    struct service *s); /* at the end; false: there is nothing to do, or nothing more */

/* service_view.c */
service_view *service_fill_view(struct service *s);
char *service_status_line(struct service *s); /* for the service manager; the caller frees */

/* service_finish.c: how long things took, take and will take. */
/* What the journal knows of newest migrations (struct past_migration, oldest first); the caller unrefs. */
GArray *finish_measured(struct service *s);
/* Seconds that the round under way takes as a whole when work of so many seconds is added now. */
double finish_of_round(const struct service *s, double added_seconds);
/* Speeds, forecast, and the ranges of what is under way; after all else of the view. */
void finish_fill(const struct service *s, service_view *v);

/* service_reload.c */
bool service_load(struct service *s, struct err *err);
bool service_reload(struct service *s, const struct service_asker *by, struct err *err);

/* service_ops.c */
struct service_ops service_ops_of(struct service *s);
bool service_remember_pause(struct service *s, struct err *err); /* of an earlier run */

/* service_history.c */
bool service_history_json(void *data, const char *query, unsigned limit, GString *out, struct err *err);
