// SPDX-License-Identifier: Apache-2.0
/* Shared by lease.c and lease_commands.c. */
#pragma once

#include "migrations/mongo/lease.h"
#include "migrations/mongo/lease_rules.h"

/* Where the lease stands, and who asks. */
struct lease_place {
    char *db, *coll, *ns;
    char *cluster;
    int64_t max_ms; /* of one command on the server */
};

/* What identifies a holder in the document. */
struct lease_self {
    char *name, *host;
    int64_t pid;
};

/* The document as read; *ret_raw (NULL: there was none) is what lease_write() compares with, and the caller
 * destroys it. `ret_holder` is filled where the document is sound; to be cleared. */
bool lease_read(mongoc_client_t *client, const struct lease_place *p, struct lease_seen *ret,
                bson_t **ret_raw, struct lease_holder *ret_holder, struct err *err);

struct lease_write {
    enum lease_op op; /* all but READ; NONE: gives up, whatever the epoch */
    const char *id, *stamp;
    int64_t epoch, ttl_ms;
    const bson_t *raw; /* of TAKE: what must not have changed */
};
struct lease_written {
    bool matched;                 /* it was written, or made, and a majority has it */
    int64_t since_ms, renewed_ms; /* as the server wrote them; 0: not told */
    bson_t *raw;                  /* the document as it is now; the caller destroys it; NULL: !matched */
};
/* False: it is not known whether anything was written. */
bool lease_write(mongoc_client_t *client, const struct lease_place *p, const struct lease_self *self,
                 const struct lease_write *w, struct lease_written *ret, struct err *err);
