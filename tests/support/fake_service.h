// SPDX-License-Identifier: Apache-2.0
/* fake_service.h - a service that is only its operations: shows a canned view and notes what it was asked
 * for. Owns: the notes. Never: does anything.
 */
#pragma once

#include "balancer/watch/ops.h"

#include <glib.h>
#include <stdbool.h>

struct fake_service {
    const char *scene;
    int64_t shift; /* added to the view's time: what changes from one look to the next */
    bool paused;   /* the scene, but paused */
    bool not_ready;
    GString *plan;        /* NULL: none yet */
    enum err_class fails; /* what every request to act, and history, fails with; ERR_NONE: nothing */
    GString *asked;       /* one line a call: "pause by http 127.0.0.1: maintenance" */
};

void fake_service_init(struct fake_service *f, const char *scene);
void fake_service_clear(struct fake_service *f);
struct service_ops fake_service_ops(struct fake_service *f);
