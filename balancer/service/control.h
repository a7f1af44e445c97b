// SPDX-License-Identifier: Apache-2.0
/* control.h - the control socket: one JSON object a line each way, over a Unix socket.
 * Owns: the socket's file with its mode, the connections, who is at the other end (peer credentials), the
 * protocol. Never: decides anything: ops.h does.
 *
 *   -> {"v": 1, "op": "status" | "round" | "pause" | "resume" | "reload" | "plan", "reason"?: text,
 *       "ignoreWindow"?: bool, "dryRun"?: bool, "ns"?: [globs], "wait"?: bool}
 *   <- {"v": 1, "ok": true, ...}  or  {"v": 1, "ok": false, "exit": 75, "error": text}
 * Requests of a connection are answered one by one, in order. With "wait" a round's answer is followed by its
 * events, one a line, until {"event": "end", "state": text, "note": text,
 * "exit": the code for who waited}. "status" answers with the view under "status", "plan" with
 * the contract's plan under "plan". Another version is refused in words that both understand.
 */
#pragma once

#include "balancer/watch/ops.h"
#include "common/log/log.h"

#include <event2/event.h>

enum {
    CONTROL_VERSION = 1,
    CONTROL_LINE_MAX = 64 * 1024, /* of a request */
    CONTROL_CLIENTS_MAX = 32,
    CONTROL_PAUSE_BYTES =
        64 * 1024, /* of answers that wait for a reader: until it reads, no request of it is taken */
    CONTROL_BACKLOG_MAX =
        16 * 1024 * 1024,     /* of events that wait for a follower who does not read; then it is cut off */
    CONTROL_IDLE_SECONDS = 60 /* without a request, or without reading what was answered */
};

struct control_options {
    const char *path; /* a socket file nobody listens on is replaced */
    unsigned mode;    /* permission bits */
};

struct control;
/* ERR_RETRY_LATER: another service listens there; ERR_CANT_CREATE, ERR_NO_PERMISSION. */
bool control_new(struct event_base *base, const struct control_options *opt, const struct service_ops *ops,
                 struct log *log, struct control **ret, struct err *err);
void control_free(struct control *c); /* removes the file; NULL accepted */
uint64_t control_requests(const struct control *c);
