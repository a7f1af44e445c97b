// SPDX-License-Identifier: Apache-2.0
/* Shared by control.c (connections) and control_requests.c (what is asked over one). */
#pragma once

#include "balancer/service/control.h"

#include <bson/bson.h>
#include <event2/bufferevent.h>

struct control {
    struct event_base *base;
    struct service_ops ops;
    struct log *log;
    char *path;
    struct evconnlistener *listener;
    GPtrArray *clients; /* struct client * */
    uint64_t requests;
};

struct client {
    struct control *c;
    struct bufferevent *io;
    char *who;      /* "alice (uid 1000)" */
    bool following; /* its round's events go to it */
    bool refused;   /* it is cut off when it has its answer */
};

/* Bytes of answers that were not read yet. */
size_t control_waiting(const struct client *cl);
/* Answers one request. */
void control_answer(struct client *cl, const bson_t *request);
void control_refuse(struct client *cl, const struct err *err);
