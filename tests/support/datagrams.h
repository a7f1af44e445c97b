// SPDX-License-Identifier: Apache-2.0
/* datagrams.h - a socket on which a service manager or a journal might listen.
 * Owns: the socket and its folder. Never: waits: what has not arrived yet does not come.
 */
#pragma once

#include <glib.h>

typedef struct datagrams datagrams;

datagrams *datagrams_new(void);
void datagrams_free(datagrams *d); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(datagrams, datagrams_free)

const char *datagrams_path(const datagrams *d);

/* Stops listening, and listens again; the path stays. */
void datagrams_close(datagrams *d);
void datagrams_open(datagrams *d);

/* The next one, NULL: there is none. *ret_fd (may be NULL) is a descriptor that came with it, or -1; the
 * caller closes it. */
GString *datagrams_next(datagrams *d, int *ret_fd);
