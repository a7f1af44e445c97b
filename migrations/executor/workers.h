// SPDX-License-Identifier: Apache-2.0
/* workers.h - threads that run hands: jobs in, results out.
 * Owns: the threads (started when one is wanted and none is idle), the two queues, and the descriptor that
 * tells of results. Never: knows what a result means. One thread calls everything here. A job owns all that
 * its call borrows, so that a worker needs nothing of whoever asked.
 */
#pragma once

#include "common/err.h"
#include "migrations/executor/hands.h"

#include <glib.h>

struct worker_job {
    struct hands_job ask; /* points to what the job owns */
    struct hands_result result;
    void *tag; /* the asker's; workers only carry it */
};

/* Copies everything `ask` points to. */
struct worker_job *worker_job_new(const struct hands_job *ask, void *tag);
void worker_job_free(struct worker_job *job); /* NULL accepted */

typedef struct workers workers;

/* `max` threads at most, 1 at least; the first is started now. ERR_UNAVAILABLE: it could not be, or there are
 * no descriptors left. */
bool workers_new(const struct hands *hands, unsigned max, workers **ret, struct err *err);
/* Jobs not begun and results not taken are freed. Waits for idle threads to end (they do at once), not for
 * those that act: they end when they come back, and until then use the hands' data. NULL accepted. */
void workers_free(workers *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(workers, workers_free)

/* Takes the job over. */
void workers_put(workers *w, struct worker_job *job);
/* A job that came back, the oldest first; NULL: none. The caller frees. */
struct worker_job *workers_take(workers *w);
/* Readable while results wait. */
int workers_fd(const workers *w);
/* Threads that act now. */
unsigned workers_inside(workers *w);
