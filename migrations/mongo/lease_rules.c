// SPDX-License-Identifier: Apache-2.0
#include "migrations/mongo/lease_rules.h"

#include <glib.h>
#include <string.h>

/* The millisecond is for clocks that are read in whole ones. */
static int64_t hold_ms(const struct lease_rules *r)
{
    return r->ttl_ms - r->ttl_ms / 10 - 1;
}

static int64_t wait_ms(const struct lease_rules *r)
{
    return r->longest_ttl + r->longest_ttl / 10 + 1;
}

void lease_rules_init(struct lease_rules *r, int64_t ttl_ms, const char *id)
{
    *r = (struct lease_rules){.ttl_ms = CLAMP(ttl_ms, LEASE_TTL_MIN_MS, LEASE_TTL_MAX_MS)};
    r->longest_ttl = r->ttl_ms;
    g_strlcpy(r->id, id, sizeof(r->id));
}

static enum lease_op ask(struct lease_rules *r, enum lease_op op, int64_t now, int64_t epoch)
{
    r->op = op;
    r->asked_at = now;
    r->next_epoch = epoch;
    return op;
}

enum lease_op lease_rules_start(struct lease_rules *r, int64_t now)
{
    r->renewed_by_reading = r->placed = r->made = false;
    return r->ours ? ask(r, LEASE_OP_RENEW, now, r->epoch) : ask(r, LEASE_OP_READ, now, 0);
}

/* Whoever holds a longer lease than ours is waited for as long. */
static void remember(struct lease_rules *r, const struct lease_seen *seen)
{
    r->highest_epoch = MAX(r->highest_epoch, seen->epoch);
    r->longest_ttl = MAX(r->longest_ttl, MIN(seen->ttl_ms, LEASE_TTL_MAX_MS));
}

static bool same_sight(const struct lease_rules *r, const struct lease_seen *seen)
{
    return r->watching && r->sight.doc == seen->doc && strcmp(r->sight.stamp, seen->stamp) == 0;
}

/* Somebody may have it: whether it has stood there long enough. */
static enum lease_op watch(struct lease_rules *r, int64_t now, const struct lease_seen *seen)
{
    if (!same_sight(r, seen)) {
        r->watching = true;
        r->sight = *seen;
        r->sight_since = now;
    }
    if (now - r->sight_since < wait_ms(r))
        return r->op = LEASE_OP_NONE;
    return ask(r, LEASE_OP_TAKE, now, r->highest_epoch + 1);
}

enum lease_op lease_rules_read(struct lease_rules *r, int64_t now, const struct lease_seen *seen)
{
    bool mine = seen->doc == LEASE_DOC_HELD && strcmp(seen->holder, r->id) == 0;
    remember(r, seen);
    if (seen->doc == LEASE_DOC_NONE) /* a second time: deleted again, the next try will see */
        return r->placed ? (r->op = LEASE_OP_NONE) : ask(r, LEASE_OP_PREPARE, now, 0);
    if (seen->doc == LEASE_DOC_FREE)
        return ask(r, LEASE_OP_TAKE, now, r->highest_epoch + 1);
    /* A write of ours whose answer was lost. */
    if (mine && !r->renewed_by_reading) {
        r->renewed_by_reading = true;
        return ask(r, LEASE_OP_RENEW, now, seen->epoch);
    }
    return watch(r, now, seen);
}

static enum lease_op confirmed(struct lease_rules *r)
{
    r->ours = true;
    r->lost = false;
    r->watching = false;
    r->epoch = r->next_epoch;
    r->highest_epoch = MAX(r->highest_epoch, r->epoch);
    r->held_until = r->asked_at + hold_ms(r);
    return r->op = LEASE_OP_NONE;
}

/* Ours was found to be another's, or nobody's. */
static enum lease_op lose(struct lease_rules *r, int64_t now)
{
    r->lost = r->lost || r->ours;
    r->ours = false;
    r->held_until = 0;
    return ask(r, LEASE_OP_READ, now, 0);
}

static enum lease_op prepared(struct lease_rules *r, int64_t now, bool made)
{
    r->made = made;
    r->made_at = r->asked_at;
    return ask(r, LEASE_OP_PLACE, now, r->highest_epoch);
}

/* Who comes after us to a new collection watches for eleven tenths of the ttl at least. */
static enum lease_op placed(struct lease_rules *r, int64_t now, bool matched)
{
    r->placed = true;
    if (matched && r->made && now < r->made_at + hold_ms(r))
        return ask(r, LEASE_OP_TAKE, now, r->highest_epoch + 1);
    return ask(r, LEASE_OP_READ, now, 0);
}

enum lease_op lease_rules_wrote(struct lease_rules *r, int64_t now, bool matched)
{
    switch (r->op) {
    case LEASE_OP_PREPARE:
        return prepared(r, now, matched);
    case LEASE_OP_PLACE:
        return placed(r, now, matched);
    case LEASE_OP_RENEW:
        return matched ? confirmed(r) : lose(r, now);
    default: /* another can have been faster */
        return matched ? confirmed(r) : (r->op = LEASE_OP_NONE);
    }
}

void lease_rules_failed(struct lease_rules *r)
{
    r->op = LEASE_OP_NONE;
}

void lease_rules_give_up(struct lease_rules *r, const char *new_id)
{
    r->ours = false;
    r->held_until = 0;
    r->watching = false;
    g_strlcpy(r->id, new_id, sizeof(r->id));
}

bool lease_rules_held(const struct lease_rules *r, int64_t now)
{
    return now < r->held_until;
}

int64_t lease_rules_due(const struct lease_rules *r, int64_t now, bool failed)
{
    if (failed)
        return now + r->ttl_ms / 10;
    if (r->ours)
        return r->asked_at + r->ttl_ms / 3;
    int64_t over = r->watching ? r->sight_since + wait_ms(r) : now;
    return CLAMP(over, now + r->ttl_ms / 10, now + r->ttl_ms / 3);
}
