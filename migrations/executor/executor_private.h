// SPDX-License-Identifier: Apache-2.0
/* executor_private.h - what the files of the executor share.
 * executor.c: the owner's calls and the turn; start.c: what starts; limits.c: whether it may; outcome.c: what
 * a result means; end.c: the one way in which anything ends; saving.c: what has still to be written; view.c:
 * what is told. Memory runs ahead of the journal by the records in `unsaved` only, never by a start.
 */
#pragma once

#include "migrations/executor/executor.h"
#include "migrations/executor/schedule.h"
#include "migrations/executor/workers.h"

enum phase {
    PHASE_RESTING, /* in back-off, its shards free; in the schedule it waits */
    PHASE_ACTING,  /* a command is with a worker */
    PHASE_CUTTING, /* too big: its chunk is being split, by a task of its own */
    PHASE_SETTLING
};

/* A step from its first row to its end; or an inherited row; or the split of a chunk that is too big. */
struct task {
    long number;                        /* in the schedule; -1: none */
    const struct work_step *step;       /* NULL: inherited */
    const char *plan_id;                /* borrowed; NULL: none */
    struct journal_open_row *inherited; /* in executor.inherited; NULL: none */
    struct task *parent;                /* of the split of a chunk that is too big: its migration */
    guint place;                        /* in executor.tasks */
    enum journal_kind kind;
    enum phase phase;
    int64_t row;                /* 0: none open */
    enum migration_state state; /* of the row */
    uint32_t sent;              /* commands, under this row */
    unsigned tries, waits;      /* that failed: by themselves; by contention or an unreachable cluster */
    unsigned looks;             /* settlements that told nothing */
    unsigned blind;             /* of these the last, in a row, that could not ask the cluster */
    int64_t started_at;         /* the row */
    int64_t handed_at;          /* the job to a worker */
    int64_t sent_at;            /* the row's first command; 0: none */
    int64_t look_at;            /* when to settle next, or to try again */
    int64_t bytes;              /* reserved under the limits while a row is open */
    bson_t *min, *max; /* as they were sent, where the step left them open, and it is being settled */
    bool with_worker;
    bool fresh;               /* the row is of this turn's transaction */
    bool force;               /* jumbo, too */
    const char *no_retry;     /* why there is no other try: a code; NULL */
    struct hands_result last; /* of the try that it rests after */
};

struct slot {          /* of a step, by its number */
    struct task *task; /* NULL: none yet, or no more */
    bool ended;
};

struct span { /* work that was added */
    size_t first, n;
    char *plan_id;
};

/* Something the journal has yet to be told. */
struct record {
    enum journal_kind kind;
    int64_t row;
    bool has_attempt, has_state;
    struct journal_attempt attempt;
    enum migration_state to;
    int64_t at;
    struct journal_outcome outcome;
    char *message; /* of both */
    bson_t *min, *max;
};

struct told { /* an event with what it points to */
    struct executor_event event;
    char *message;
};

struct executor {
    struct executor_options opt;
    workers *workers;
    journal *j;
    int64_t round;
    void (*observer)(void *data, const struct executor_event *e);
    void *observer_data;
    schedule *schedule;
    GRand *rand;
    int64_t born;
    int64_t until;          /* 0: no such time */
    const char *until_code; /* interned */

    GArray *slots;        /* struct slot */
    GArray *spans;        /* struct span */
    GPtrArray *tasks;     /* struct task *, all that are open; owned */
    GPtrArray *inherited; /* struct journal_open_row *; all that ever were */
    unsigned n_inherited; /* open ones */
    GQueue unsaved;       /* struct record * */
    guint written;        /* of these, in the open transaction */
    GQueue events;        /* struct told * */
    GPtrArray *cutting;   /* struct task *: too big, to be split in this turn */
    GPtrArray *starting;  /* struct task *: what this turn hands out once it is durable */

    const char *hold;  /* NULL: none */
    const char *stop;  /* NULL: goes on */
    char *stopped_by;  /* NULL: none */
    char *blind_why;   /* of the last settlement that could not ask the cluster; NULL: none */
    struct err broken; /* of the journal; ERR_NONE: works */
    bool left;
    const char *held_by; /* what held back in the last turn; NULL: nothing */
    int64_t held_until;  /* 0: not known */
    int64_t cooling;     /* until when a step waits for its cool-down; 0: none did */
    int64_t due;         /* the next turn without a result; INT64_MAX: none */

    struct executor_status count; /* committed .. splits, bytes, bytes_left */
    int64_t limited_bytes;        /* committed, unknown sizes as assumed */
    int64_t reserved_bytes;       /* of open rows of steps and of inherited ones */
    int64_t reserved_moves;       /* of steps */
};

int64_t executor_now(const executor *x);
struct slot *executor_slot(const executor *x, size_t number);

/* --- tasks --- */
struct task *executor_task_new(executor *x, long number); /* -1: of no step */
const char *task_ns(const struct task *t);
const char *task_from(const struct task *t);
const char *task_to(const struct task *t); /* NULL: a split */
const bson_t *task_min(const struct task *t);
const bson_t *task_max(const struct task *t);
/* What belongs to its row. */
void task_forget_row(struct task *t);
void task_free(struct task *t);
/* Its row is open in the journal from now on, or no more: limits count it while it is. */
void executor_reserve(executor *x, struct task *t, bool on);
/* The size that limits count. */
int64_t executor_size(const executor *x, const struct work_step *s);

/* --- saving.c --- */
void executor_save_attempt(executor *x, const struct task *t, const struct hands_result *r, int64_t now);
void executor_save_state(executor *x, const struct task *t, enum migration_state to, const char *message,
                         const struct hands_result *r);
void executor_tell(executor *x, enum executor_event_kind kind, const struct task *t, const char *code,
                   const char *message, int64_t wait_ms);
/* Writes what is unsaved and not written yet, within the open transaction. */
bool executor_write_unsaved(executor *x, struct err *err);
/* The transaction is durable, or it is not and all of it is to be written again. */
void executor_saved(executor *x, bool durable);
void executor_tell_all(executor *x);
void executor_record_free(gpointer record);
void executor_told_free(gpointer told);

/* --- end.c --- */
struct ending {
    enum migration_state state; /* of the row, where one is open */
    bool done;                  /* the step counts as done */
    const char *code;
    const char *message;               /* NULL: none, or the result's */
    const struct hands_result *result; /* NULL: none */
};
/* The row alone; the task stays, without one. */
void executor_end_row(executor *x, struct task *t, const struct ending *e);
/* The task, its row, its step, and what rests on that. The task is freed. */
void executor_end(executor *x, struct task *t, const struct ending *e);
/* Steps that will not start, or not again; `numbers` have left the schedule already. */
void executor_drop(executor *x, const GArray *numbers, const char *code, const char *message);
/* The step of that plan that an inherited row turned out to have done. */
void executor_step_done(executor *x, const struct journal_open_row *r);

/* --- outcome.c --- */
/* Whether one more try makes sense; `patient`: it was no fault of the step. */
bool executor_tries_left(const executor *x, unsigned before, bool patient);
void executor_take_result(executor *x, struct task *t, const struct worker_job *job);
/* What a task that rests or is cut short ends as: `code` is why it gets no other try. */
void executor_give_up(executor *x, struct task *t, const char *code);

/* --- limits.c --- */
enum may { MAY_START, MAY_LATER, MAY_HOLD, MAY_DROP, MAY_DROP_ALL };
struct permission {
    enum may may;
    const char *code;
    int64_t until; /* of MAY_LATER; of MAY_HOLD: 0 not known */
    char *message; /* of MAY_DROP and MAY_DROP_ALL; NULL */
};
/* Why nothing starts any more: the code, and *ret_message, which the caller frees; NULL: it goes on. */
const char *executor_limit_reached(const executor *x, int64_t now, char **ret_message);
/* False: the journal could not be asked. */
bool executor_may_start(executor *x, const struct work_step *s, const struct task *t, int64_t now,
                        struct permission *ret, struct err *err);

/* --- start.c --- */
/* Chooses and writes rows, within the open transaction; what is chosen stands in `starting`. */
bool executor_choose(executor *x, int64_t now, struct err *err);
/* The transaction failed: what was chosen does not start. */
void executor_unchoose(executor *x);
/* The transaction is durable: hands out what was chosen. */
void executor_hand_out(executor *x, int64_t now);
/* Settlements that are due. */
void executor_look(executor *x, int64_t now);
