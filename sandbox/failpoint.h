// SPDX-License-Identifier: Apache-2.0
/* failpoint.h - the fail point failCommand: commands that fail, hang or lose their connection on request.
 * Owns: its state. Never: knows fail points of migrations (cluster.h).
 */
#pragma once

#include "sandbox/fault.h"

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct failpoints failpoints;

failpoints *failpoints_new(void);
void failpoints_free(failpoints *p); /* NULL accepted */

/* configureFailPoint for failCommand; *ret_count: how often it has struck. */
bool failpoints_configure(failpoints *p, const bson_t *cmd, int64_t *ret_count, struct fault *f);

struct failure {
    bool strikes;
    bool close;
    int64_t block_ms;
    bson_t *reply;               /* the error; NULL: the command runs */
    bson_t *write_concern_error; /* goes into the reply of a command that runs */
};
void failure_clear(struct failure *x);

/* What is to happen to this command; a strike is counted. */
void failpoints_ask(failpoints *p, const char *command, struct failure *ret);
