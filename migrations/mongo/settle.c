// SPDX-License-Identifier: Apache-2.0
#include "migrations/mongo/settle.h"

#include "common/escape.h"
#include "migrations/mongo/probe_private.h"

#include <string.h>

enum { BETWEEN_LOOKS_US = 200 * 1000, CHUNKS_MAX = 10000, READ_TRIES = 4 };

/* What one look found. */
struct finding {
    enum settle_outcome outcome;
    char *text;
    bson_t *max;
};

static void finding_clear(struct finding *f)
{
    g_free(f->text);
    bson_destroy(f->max);
    *f = (struct finding){0};
}

static bool found(struct finding *f, enum settle_outcome outcome, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
static bool found(struct finding *f, enum settle_outcome outcome, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_free(f->text);
    f->text = text_escaped(text);
    f->outcome = outcome;
    return true;
}

/* Hands over what was found last. */
static void answer(struct finding *f, enum settle_outcome *ret, bson_t **ret_max, char **ret_text)
{
    *ret = f->outcome;
    if (ret_max != NULL)
        *ret_max = g_steal_pointer(&f->max);
    if (ret_text != NULL)
        *ret_text = g_steal_pointer(&f->text);
    finding_clear(f);
}

/* ---- who owns the range ---- */

/* The chunks that count for the question. */
static bool read_chunks(mongoc_client_t *client, const struct settle_question *q,
                        const struct probe_collection *coll, GPtrArray **ret, struct err *err)
{
    for (unsigned i = 0; i < READ_TRIES; i++) {
        g_autoptr(GPtrArray) chunks = NULL;
        bool sound = false;
        if (!probe_chunks_in(client, q->ns, coll, q->min, q->max, q->open_max ? 1 : CHUNKS_MAX, &chunks,
                             err) ||
            !probe_covers(chunks, q->min, q->open_max ? q->min : q->max, &sound, err))
            return false;
        if (sound || chunks->len >= CHUNKS_MAX) {
            *ret = g_steal_pointer(&chunks);
            return true;
        }
    }
    return err_set(err, ERR_UNAVAILABLE,
                   "the chunks of %s change faster than they can be read, or have gaps; try again", q->ns);
}

static bool all_owned(const GPtrArray *chunks, const char *shard)
{
    for (guint i = 0; i < chunks->len; i++)
        if (strcmp(((const struct probe_chunk *)chunks->pdata[i])->shard, shard) != 0)
            return false;
    return chunks->len > 0 && chunks->len < CHUNKS_MAX;
}

/* "shard1 owns all of it", or who owns the first piece. */
static const char *first_other(const GPtrArray *chunks, const char *shard)
{
    for (guint i = 0; i < chunks->len; i++) {
        const struct probe_chunk *c = chunks->pdata[i];
        if (strcmp(c->shard, shard) != 0)
            return c->shard;
    }
    return shard;
}

/* ---- is it on its way ---- */

/* Where operations may not be seen. `why` says what is missing. */
static bool ask_changelog(mongoc_client_t *client, const struct settle_question *q, const char *range,
                          const char *why, struct finding *f, struct err *err)
{
    enum probe_log log = PROBE_LOG_SILENT;
    if (q->sent_at > 0 && !probe_changelog(client, q->ns, q->min, q->from, q->sent_at, &log, err))
        return false;
    if (log == PROBE_LOG_ENDED)
        return found(f, SETTLE_NOT,
                     "%s still owns %s of %s, and the changelog tells that the attempt has ended (%s)",
                     q->from, range, q->ns, why);
    return found(f, SETTLE_IN_FLIGHT,
                 "%s still owns %s of %s, and the changelog does not tell whether the attempt has ended: %s",
                 q->from, range, q->ns, why);
}

static bool ask_donor(mongoc_client_t *client, const struct settle_question *q, const char *range,
                      struct finding *f, struct err *err)
{
    struct err why = {0};
    bool busy = false;
    if (!probe_registered(client, q->ns, q->min, &busy, err))
        return false;
    if (!busy && !probe_under_way(client, q->ns, q->min, q->from, q->to, &busy, &why)) {
        if (why.cls == ERR_NO_PERMISSION)
            return ask_changelog(client, q, range, why.msg, f, err);
        return err_set(err, why.cls, "%s", why.msg);
    }
    if (busy)
        return found(f, SETTLE_IN_FLIGHT, "%s still owns %s of %s, and a migration of it is under way",
                     q->from, range, q->ns);
    return found(f, SETTLE_NOT, "%s still owns %s of %s, and no migration of it is under way", q->from, range,
                 q->ns);
}

static bool look_at_chunks(mongoc_client_t *client, const struct settle_question *q,
                           const struct probe_collection *coll, struct finding *f, struct err *err)
{
    g_autoptr(GPtrArray) chunks = NULL;
    if (!read_chunks(client, q, coll, &chunks, err))
        return false;
    const struct probe_chunk *first = chunks->pdata[0];
    g_autofree char *range =
        q->open_max ? probe_range_text(q->min, first->max) : probe_range_text(q->min, q->max);
    if (all_owned(chunks, q->to)) {
        f->max = bson_copy(first->max);
        return found(f, SETTLE_COMMITTED, "%s owns %s of %s now", q->to, range, q->ns);
    }
    if (all_owned(chunks, q->from))
        return ask_donor(client, q, range, f, err);
    return found(f, SETTLE_VOID, "others have changed %s of %s: %u chunks lie in it, and %s owns one of them",
                 range, q->ns, chunks->len, first_other(chunks, q->from));
}

static bool look(mongoc_client_t *client, const struct settle_question *q, struct finding *f, struct err *err)
{
    struct probe_collection coll = {0};
    finding_clear(f);
    if (!probe_collection(client, q->ns, &coll, err))
        return false;
    bool done = true;
    if (!coll.there)
        found(f, SETTLE_VOID, "%s is not a sharded collection any more", q->ns);
    else if (q->version != NULL && !probe_same_incarnation(q->version, &coll))
        found(f, SETTLE_VOID, "%s has been made anew, refined or resharded since", q->ns);
    else
        done = look_at_chunks(client, q, &coll, f, err);
    probe_collection_clear(&coll);
    return done;
}

bool settle_move(mongoc_client_t *client, const struct settle_question *q, enum settle_outcome *ret,
                 bson_t **ret_max, char **ret_text, struct err *err)
{
    struct finding f = {0};
    bool done = look(client, q, &f, err);
    if (done && f.outcome == SETTLE_NOT) {
        g_usleep(BETWEEN_LOOKS_US);
        done = look(client, q, &f, err);
    }
    if (!done) {
        finding_clear(&f);
        return err_wrap(err, "cannot settle the migration of %s", q->ns);
    }
    answer(&f, ret, ret_max, ret_text);
    return true;
}

/* ---- splits ---- */

static bool look_at_points(mongoc_client_t *client, const char *ns, const struct probe_collection *coll,
                           const GPtrArray *at, struct finding *f, struct err *err)
{
    struct err why = {0};
    unsigned n;
    bool busy = false;
    if (!probe_begins(client, ns, coll, at, &n, err))
        return false;
    if (n >= at->len)
        return found(f, SETTLE_COMMITTED, "%s is split at all %u points", ns, at->len);
    bool seen = probe_under_way(client, ns, NULL, NULL, NULL, &busy, &why);
    if (!seen && why.cls != ERR_NO_PERMISSION)
        return err_set(err, why.cls, "%s", why.msg);
    /* a split that comes later does no harm: the point is there then */
    return found(f, busy ? SETTLE_IN_FLIGHT : SETTLE_NOT, "%s is split at %u of %u points%s%s", ns, n,
                 at->len,
                 busy   ? ", and a split is under way"
                 : seen ? ""
                        : "; ",
                 seen ? "" : why.msg);
}

static bool look_at_split(mongoc_client_t *client, const char *ns, const GPtrArray *at, struct finding *f,
                          struct err *err)
{
    struct probe_collection coll = {0};
    finding_clear(f);
    if (!probe_collection(client, ns, &coll, err))
        return false;
    bool done = coll.there ? look_at_points(client, ns, &coll, at, f, err)
                           : found(f, SETTLE_VOID, "%s is not a sharded collection any more", ns);
    probe_collection_clear(&coll);
    return done;
}

bool settle_split(mongoc_client_t *client, const char *ns, const GPtrArray *at, enum settle_outcome *ret,
                  char **ret_text, struct err *err)
{
    struct finding f = {0};
    bool done = look_at_split(client, ns, at, &f, err);
    if (done && f.outcome == SETTLE_NOT) {
        g_usleep(BETWEEN_LOOKS_US);
        done = look_at_split(client, ns, at, &f, err);
    }
    if (!done) {
        finding_clear(&f);
        return err_wrap(err, "cannot settle the split of %s", ns);
    }
    answer(&f, ret, NULL, ret_text);
    return true;
}
