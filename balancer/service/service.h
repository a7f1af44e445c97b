// SPDX-License-Identifier: Apache-2.0
/* service.h - evenkeel as a service: one event loop that looks, plans, moves, waits, and can be asked.
 * Owns: the loop and everything on it, from start to an orderly end. Never: blocks on the cluster, on a
 * client, or on a plan: threads of offload.h and the executor do.
 */
#pragma once

#include "common/err.h"
#include "common/log/log.h"

#include <stdbool.h>

enum { SERVICE_LEVEL_CONFIGURED = -1 };

struct service_options {
    const char *config_path; /* NULL: the defaults; read again at a reload */
    const char *uri;         /* --uri; NULL: EVENKEEL_URI, credential, configuration */
    const char *journal;     /* --journal; NULL: journal.path */
    int level; /* enum log_level, whatever the configuration says; SERVICE_LEVEL_CONFIGURED: what it says */
};

/* Runs until SIGTERM or SIGINT, or until something only an operator can mend. True: it ended orderly.
 * *ret_left: threads were left behind that wait for the cluster: the process has to end without running what
 * is registered for its exit. */
bool service_run(const struct service_options *opt, bool *ret_left, struct err *err);
