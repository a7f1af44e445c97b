// SPDX-License-Identifier: Apache-2.0
/* offload.h - one thread for what blocks, so that the event loop does not.
 * Owns: the thread, its queue, and the way back to the loop. Never: looks into what it carries.
 * Work of one offload is done one by one, in order.
 */
#pragma once

#include "common/err.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct offload offload;

/* `name`: of the thread, at most 15 bytes. ERR_UNAVAILABLE: no thread. */
bool offload_new(struct event_base *base, const char *name, offload **ret, struct err *err);

/* Drops what has not begun, and waits for what has, `wait_ms` at most: `done` is not called any more, `drop`
 * is. False: it is still at it, and was left behind with what it uses, which may not be freed as long as the
 * process lives; neither `done` nor `drop` is called for that. NULL accepted. */
bool offload_free(offload *o, int64_t wait_ms);

/* `work` is called on the thread, then `done` on the loop, each once; both with `data`. `drop` takes the
 * place of `done` where the offload ends before. */
void offload_submit(offload *o, void (*work)(void *data), void (*done)(void *data), void (*drop)(void *data),
                    void *data);
