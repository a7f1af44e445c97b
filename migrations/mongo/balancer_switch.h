// SPDX-License-Identifier: Apache-2.0
/* balancer_switch.h - the balancer inside MongoDB: is it running, stop it, start it again.
 * Owns: the commands and their quirks (a stop that times out has stopped it). Never: remembers (the journal
 * does), decides.
 */
#pragma once

#include "common/err.h"

#include <mongoc/mongoc.h>

struct balancer_status {
    char mode[24]; /* "full", "autoSplitOnly", "off" */
    bool migrates; /* mode full: it moves chunks by itself */
    bool in_round;
};
bool balancer_status(mongoc_client_t *client, struct balancer_status *ret, struct err *err);
/* Waits for the round under way, `timeout_ms` at most, and looks whether it is off afterwards. */
bool balancer_stop(mongoc_client_t *client, int64_t timeout_ms, struct err *err);
bool balancer_start(mongoc_client_t *client, struct err *err);

/* Why evenkeel will not act beside it, and what stopping it stops too (draining, auto-merge, auto-split and
 * zone splits by version): sets ERR_RETRY_LATER. */
bool balancer_refuse(const char *uri_shown, const char *server_version, struct err *err);
