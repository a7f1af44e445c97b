// SPDX-License-Identifier: Apache-2.0
/* cli_act.h - what `apply` and `round` share: a cluster that is acted on, and its journal.
 * Owns: their shared options, the connection, the writer's side of the journal, the lease, the built-in
 * balancer while it is stopped for us, the recovery of what an earlier run left open, the loop that carries
 * work out, and how that is shown. Never: decides what moves, or blocks on the cluster while work is under
 * way.
 *
 * The order is: act_open(), act_balancer_check(), act_recover(), then reading, checking and asking, then
 * act_balancer_stop(), act_run(), act_close(). Nothing in the cluster is changed before act_balancer_stop().
 */
#pragma once

#include "balancer/cli/cli.h"
#include "balancer/report/page.h"
#include "common/json_writer.h"
#include "migrations/executor/executor.h"
#include "migrations/executor/mongo_hands.h"
#include "migrations/journal/journal.h"
#include "migrations/mongo/connect.h"
#include "migrations/mongo/lease_keeper.h"
#include "migrations/work/work.h"

#include <argp.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { ACT_FOLD = 20, ACT_KEY_SHOWN = 60, ACT_SIGNALS = 3 };

/* --- options --- */

struct act_args {
    struct cli_common common;
    struct cli_source source; /* its uri and namespaces only */
    char *journal;            /* --journal; NULL: journal.path of the configuration */
    bool yes, dry_run, all;
    int64_t max_moves, max_bytes, max_ms; /* 0: no limit */
};
/* Its input is a struct act_args, whose `common` goes to cli_common_argp by itself. */
extern const struct argp act_argp;
void act_args_clear(struct act_args *args);

/* Off a terminal nobody can be asked: ERR_USAGE without --yes. */
bool act_may_act(const struct act_args *args, struct err *err);

/* --- the cluster and its journal --- */

struct act_progress;

struct act {
    const char *command; /* "apply", "round" */
    const struct act_args *args;
    const config *cfg;
    char *who;          /* "alice (uid 1000)" */
    char *uri;          /* may hold a password */
    char *journal_path; /* as it is opened */
    mongo_conn *conn;
    journal *journal; /* NULL: only looking, and there is none */
    mongo_pool *pool; /* these three: from the first executor on */
    guard *guard;
    struct mongo_hands *hands;
    struct act_loop *loop;         /* signals are taken from act_listen() on; NULL: not yet */
    struct act_progress *progress; /* while an executor runs; borrowed */
    lease_keeper *lease;           /* NULL: none is wanted, or not yet */
    bool lease_lost;               /* nothing may be started any more */
    bool lease_failing;            /* the newest try failed, and was told */
    int64_t lease_missed_at;       /* lease_boottime_ms() when it was first seen to have run out; 0: held */
    bool restore;                  /* the built-in balancer is stopped, and ours to start again */
    bool left;                     /* threads inside a command were left behind with what they use */
    unsigned n_left;               /* migrations and splits that were left to the cluster */
    char *unreachable; /* they were because it could not be asked about them: the sentence; NULL: not so */
};

enum act_mode {
    ACT_PLAN,     /* needs no journal */
    ACT_LOOK,     /* reads the journal where there is one, and writes nothing anywhere */
    ACT_CARRY_OUT /* opens the journal for writing, ties it to the cluster, and takes the lease */
};

/* Connects, opens the journal, takes the lease; `args`, `cfg` and `command` must outlive it. From
 * ACT_CARRY_OUT on signals are counted, see act_listen(). */
bool act_open(struct act *a, enum act_mode mode, const struct act_args *args, const config *cfg,
              const char *command, struct err *err);
/* Starts the built-in balancer again where it is ours to start, gives the lease up, and frees. Where that
 * fails and nothing else had, `err` is set; else it is said on stderr. */
void act_close(struct act *a, struct err *err);

int64_t act_now(void); /* milliseconds since 1970 */

/* The model of the cluster as it is now. */
bool act_read(struct act *a, cluster **ret, struct err *err);

/* What has the cluster carry out commands; made at the first call, for the cluster as just read. */
bool act_hands(struct act *a, const cluster *cl, struct hands *ret, struct err *err);

/* Prints "evenkeel COMMAND: ..." to stderr; nothing with --quiet. What comes from outside must be escaped. */
void act_say(const struct act *a, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* Asks on the terminal; *ret: yes. True at once with --yes. */
bool act_confirm(struct act *a, const char *question, struct err *err);

/* --- the built-in balancer --- */

/* ERR_RETRY_LATER where it runs and is to be stopped by hand (cluster.builtinBalancer: requireStopped). Where
 * an earlier run was killed after it had stopped it, it becomes ours to start (not where we only look). */
bool act_balancer_check(struct act *a, struct err *err);
/* Stops it where the configuration wants that; *ret_stopped: it ran until now, so what was read of the
 * cluster is to be read again. */
bool act_balancer_stop(struct act *a, bool *ret_stopped, struct err *err);
/* Called by act_close(). */
bool act_balancer_restore(struct act *a, struct err *err);

/* --- the lease --- */

/* Where the configuration wants one: gets it, which may take as long as a lease lasts where its holder may
 * have died. ERR_RETRY_LATER where another holds it and lives; ERR_FAILED where it was cancelled. */
bool act_lease_take(struct act *a, struct err *err);
/* Whether something may be started at this moment. True where none is wanted. */
bool act_lease_held(const struct act *a);
/* Takes in what the keeper found. To be called when it has news, and before anything is started. */
void act_lease_turn(struct act *a);
/* ERR_RETRY_LATER, and who has it now, where it is not held, or was lost on the way. */
bool act_lease_check(struct act *a, struct err *err);
/* Called by act_close(). */
void act_lease_close(struct act *a);

/* --- signals, and waiting for an executor --- */

/* From here on SIGINT, SIGTERM and SIGHUP are counted, and end nothing by themselves. */
bool act_listen(struct act *a, struct err *err);
/* Whether one came. */
bool act_cancelled(struct act *a);
void act_loop_free(struct act_loop *l);

/* Waits until `fd` is readable or a signal came; calls `readable` in the first case. */
bool act_wait(struct act *a, int fd, void (*readable)(void *data), void *data, struct err *err);

enum act_end {
    ACT_FINISHED,
    ACT_CANCELLED, /* asked to stop; what was under way has ended */
    ACT_LEFT,      /* asked twice; what was under way is left to the cluster */
    ACT_BLIND      /* left, too: the cluster could not be asked what became of it */
};
/* Turns the executor until it is finished. Nothing starts while the lease is not held, nor ever after it was
 * lost. False: the journal failed; what was under way has ended then. */
bool act_turn(struct act *a, executor *x, enum act_end *ret, struct err *err);

/* ERR_UNAVAILABLE: what an end by ACT_BLIND means for the caller. */
bool act_blind(const struct act *a, struct err *err);

/* Settles what an earlier run left open, and says so. ERR_FAILED where it was cancelled,
 * ERR_UNAVAILABLE where the cluster could not be asked. */
bool act_recover(struct act *a, struct err *err);

/* --- carrying work out --- */

#define ACT_WINDOW "windowTooShort" /* the code of what would have outlasted the window */

struct act_job {
    const work *work;
    const bool *done;    /* by step; NULL: none */
    const cluster *cl;   /* borrowed for the call */
    const char *plan_id; /* NULL: of no approved plan */
    const char *kind, *reason;
    bool wait_cool_down;
    int64_t window_end; /* nothing begins that would end later; what is left out has ACT_WINDOW; 0: none */
};

struct act_missed { /* a step that was not carried out */
    const struct work_step *step;
    char *code, *message; /* message may be NULL */
    bool failed;          /* tried; else never sent */
};

struct act_outcome {
    int64_t round; /* of the journal */
    struct executor_status status;
    double seconds;
    GPtrArray *missed; /* struct act_missed *, in the order in which they ended */
    GArray *already;   /* uint32_t: steps that were so before anything was sent */
    enum act_end end;
    char *stopped_by; /* an operator is needed: the sentence; NULL */
};
void act_outcome_clear(struct act_outcome *o);

/* Writes the round, carries the work out, ends the round. False: it could not begin, or the journal failed on
 * the way. */
bool act_run(struct act *a, const struct act_job *job, struct act_outcome *ret, struct err *err);

/* Why `left` of `all` steps are not done. `how`: how to go on, with what parts it from the sentence before,
 * where nothing else stood in the way. Always false. */
bool act_incomplete(struct act *a, const struct act_outcome *o, uint32_t left, uint32_t all, const char *how,
                    struct err *err);

/* --- words --- */

/* What a code says of all steps that it met, where it needs no list of them: "a limit was reached"; else
 * NULL. */
const char *act_code_text(const char *code);

/* "62 migrations and 1 split". */
void act_append_steps(GString *out, uint32_t migrations, uint32_t splits);
/* ", 5.72 MiB" where it is known. */
void act_append_bytes(GString *out, int64_t bytes);
/* "shop.users [{ _id: 0 }, { _id: 9 }) shard0 -> shard1"; of a split (`to` NULL): "... on shard0". */
void act_append_range(GString *out, const char *ns, const bson_t *min, const bson_t *max, const char *from,
                      const char *to);
void act_append_step(GString *out, const struct work_step *s);

/* --- what is shown while it runs --- */

struct act_progress *act_progress_new(const struct act *a, size_t total, size_t done_before);
void act_progress_free(struct act_progress *p); /* takes the block off the terminal */
void act_progress_event(struct act_progress *p, const struct executor_event *e);
/* Draws the block anew on a terminal; elsewhere says what holds, when that changes. */
void act_progress_draw(struct act_progress *p, const executor *x);
/* Takes the block off, so that something else can be printed; the next drawing brings it back. */
void act_progress_hide(struct act_progress *p);
/* Milliseconds between two drawings; 0: none are needed. */
unsigned act_progress_interval(const struct act_progress *p);

/* --- what is reported in the end --- */

struct act_amount {
    uint32_t migrations, splits;
    int64_t bytes;
    double seconds, low, high; /* low and high of what was promised only */
};

struct act_report {
    const char
        *state; /* "complete", "incomplete", "alreadyComplete", "nothingToDo", "stale", "dryRun", ... */
    const char *subject; /* "plan 3f2a...", "the round": what is complete or not */
    const char *plan_id; /* NULL: of no approved plan */
    bool complete;
    struct act_amount promised, achieved;
    uint32_t steps, left;              /* of the plan; left: not done */
    const struct act_outcome *outcome; /* NULL: nothing was carried out now */
};
void act_report_text(const struct act *a, const struct act_report *r, GString *out);
/* One object; `extra` (may be NULL) appends to it. */
void act_report_json(const struct act *a, const struct act_report *r,
                     void (*extra)(struct json_writer *w, const void *data), const void *data, GString *out);

/* A page for stdout. */
void act_page(const struct act_args *args, struct page *pg, GString *out);
