// SPDX-License-Identifier: Apache-2.0
/* What is older than journal.retention goes: once an hour, while no round is open, a few rounds at a time so
 * that the loop is not kept. */
#include "balancer/service/service_private.h"

enum { EVERY_MS = 60 * 60 * 1000, PIECE_ROUNDS = 4, BETWEEN_PIECES_MS = 20 };

static bool put_event(struct service *s, int64_t now, struct err *err)
{
    g_autofree char *text =
        g_strdup_printf("%u rounds that ended longer ago than journal.retention are gone", s->pruned);
    return journal_event(s->journal, now, "pruned", 0, text, err);
}

static bool end_sweep(struct service *s, int64_t now, struct err *err)
{
    s->prune_at = now + EVERY_MS;
    if (s->pruned == 0)
        return true;
    bool done = put_event(s, now, err);
    log_put(s->log, LOG_JOURNAL_PRUNED, log_i64("rounds", s->pruned));
    s->pruned = 0;
    return done;
}

/* Where the journal fails here, it is tried again later: no migration rests on it. */
void prune_tick(struct service *s, int64_t now)
{
    struct err err = {0};
    uint32_t n = 0;
    if (s->executor != NULL || s->stopping)
        return;
    if (now >= s->prune_at) {
        bool done = journal_prune(s->journal, now - s->cfg->cfg->journal.retention, PIECE_ROUNDS, &n, &err);
        s->pruned += n;
        s->prune_at = now + BETWEEN_PIECES_MS;
        if (done && n < PIECE_ROUNDS)
            done = end_sweep(s, now, &err);
        if (!done) {
            s->prune_at = now + EVERY_MS;
            log_put(s->log, LOG_JOURNAL_FAILED, log_err(&err));
        }
    }
    service_tick_at(s, s->prune_at);
}
