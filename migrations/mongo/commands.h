// SPDX-License-Identifier: Apache-2.0
/* commands.h - the commands that change a cluster: moveChunk, moveRange, split.
 * Owns: their exact documents by server version, and the reading of their replies. Never: decides, retries,
 * checks before or after. A client is used by one thread at a time. Its socket timeout is the deadline of a
 * migration (mongo_pool.h).
 */
#pragma once

#include "common/err.h"
#include "migrations/mongo/error_class.h"

#include <mongoc/mongoc.h>

enum mongo_throttle { THROTTLE_DEFAULT, THROTTLE_OFF, THROTTLE_ON, THROTTLE_CONCERN };

/* Asked when the connection stands and the command is ready, directly before it leaves; false: it stays. What
 * the time of a lease allows must not be asked any earlier: to choose a server, connect and log in may take
 * seconds. */
struct mongo_gate {
    bool (*open)(void *data);
    void *data;
};

struct mongo_move {
    const char *ns, *to;
    const bson_t *min, *max; /* max NULL: the donor chooses it (moveRange only) */
    bool force_jumbo;
    bool wait_for_delete;
    enum mongo_throttle throttle;
    int throttle_members;          /* of THROTTLE_CONCERN; 0: throttle_mode */
    const char *throttle_mode;     /* "majority", ...; or NULL */
    bool move_range;               /* the cluster knows moveRange (6.0+) */
    const struct mongo_gate *gate; /* NULL: none */
};

struct mongo_split {
    const char *ns;
    const bson_t *middle; /* a split point; or NULL: the median of the chunk [min, max) */
    const bson_t *min, *max;
    const struct mongo_gate *gate; /* NULL: none */
};

/* What came back; to be cleared. */
struct mongo_result {
    bool ok;
    bool gated;            /* the gate was closed: nothing was sent, and the rest is empty */
    bool sent;             /* it left, for all that is known; false: no server was found to send it to */
    int code;              /* the server's, 0: none or no reply */
    const char *code_name; /* static */
    char *message;         /* NULL: went well */
    struct error_class class;
};
void mongo_result_clear(struct mongo_result *r);

/* The documents, for those who want to see them; the caller destroys. */
bson_t *mongo_move_command(const struct mongo_move *m);
bson_t *mongo_split_command(const struct mongo_split *s);

/* Sends and waits. CommandNotFound for moveRange (an older cluster behind this mongos) falls back to
 * moveChunk by itself where both bounds are given. */
void mongo_move_run(mongoc_client_t *client, const struct mongo_move *m, struct mongo_result *ret);
void mongo_split_run(mongoc_client_t *client, const struct mongo_split *s, struct mongo_result *ret);
