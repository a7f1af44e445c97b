// SPDX-License-Identifier: Apache-2.0
/* ascendingKey: a key whose first field grows with time, so that the last chunk takes every insert. The
 * metadata cannot prove it; three signs that do not depend on each other speak for it, and two are asked for.
 */
#include "balancer/plan/advice_private.h"

#include "balancer/key/show.h"
#include "common/text.h"

#include <math.h>

/* Fewer chunks, or fewer entries in the changelog, tell nothing; nor do entries of less than an hour: who
 * splits a new collection by hand, from the lowest bound to the highest, splits its last chunk each time. */
enum { CHUNKS_LEAST = 8, ENTRIES_LEAST = 4, LOG_SPAN_MS = 3600 * 1000, DAY_MS = 24 * 3600 * 1000 };

/* The value of a bound's first field, as far as it grows with time. */
struct first_value {
    bson_type_t type;
    bool time; /* of the type: a date, a timestamp, an ObjectId */
    bool number;
    int64_t ms; /* unix time */
};

static struct first_value first_value(const struct collection *coll, uint32_t chunk)
{
    struct first_value v = {.type = BSON_TYPE_EOD};
    bson_t min = BSON_INITIALIZER;
    bson_iter_t it;
    chunk_min(coll, &coll->chunks, chunk, &min);
    if (bson_iter_init(&it, &min) && bson_iter_next(&it)) {
        uint32_t seconds, increment;
        v.type = bson_iter_type(&it);
        v.time = true;
        switch (v.type) {
        case BSON_TYPE_OID:
            v.ms = (int64_t)bson_oid_get_time_t(bson_iter_oid(&it)) * 1000;
            break;
        case BSON_TYPE_DATE_TIME:
            v.ms = bson_iter_date_time(&it);
            break;
        case BSON_TYPE_TIMESTAMP:
            bson_iter_timestamp(&it, &seconds, &increment);
            v.ms = (int64_t)seconds * 1000;
            break;
        default:
            v.time = false;
            v.number = v.type == BSON_TYPE_INT32 || v.type == BSON_TYPE_INT64 || v.type == BSON_TYPE_DOUBLE ||
                       v.type == BSON_TYPE_DECIMAL128;
        }
    }
    bson_destroy(&min);
    return v;
}

struct signs {
    struct first_value first, last; /* of the lowest bound that is a value, and of the highest */
    int64_t age_ms;                 /* of the last bound when the metadata were taken */
    bool clock, log, version;
    int64_t log_all, log_top;
};

/* The last bound keeps up with the clock: it is no older than a tenth of the time that all bounds span, a
 * month at most, and a day is always near enough. */
static bool keeps_up(const struct advisor *a, struct signs *s)
{
    const int64_t now = a->cl->taken_at_ms, sane = (int64_t)1 << 50;
    if (!s->last.time || now <= 0 || now > sane || s->last.ms < 0 || s->last.ms > sane || s->first.ms < 0 ||
        s->first.ms >= s->last.ms)
        return false;
    const int64_t tenth = (s->last.ms - s->first.ms) / 10;
    s->age_ms = now - s->last.ms;
    return s->age_ms >= -DAY_MS && s->age_ms <= MAX(MIN(tenth, 30 * (int64_t)DAY_MS), DAY_MS);
}

static struct signs look(const struct advisor *a, const struct coll_facts *f)
{
    const struct activity *act = &f->coll->activity;
    struct signs s = {.first = first_value(f->coll, 1), .last = first_value(f->coll, f->coll->chunks.n - 1)};
    s.log_all = (int64_t)act->splits + act->moves;
    s.log_top = (int64_t)act->top_splits + act->top_moves;
    s.log = s.log_all >= ENTRIES_LEAST && 2 * s.log_top >= s.log_all &&
            act->top_last_ms - act->top_first_ms >= LOG_SPAN_MS;
    s.version = f->newer <= MAX(f->coll->chunks.n / 20, 1) - 1;
    s.clock = s.first.type == s.last.type && keeps_up(a, &s);
    return s;
}

static const char *kind_text(const struct first_value *v)
{
    return v->type == BSON_TYPE_OID         ? "ObjectIds"
           : v->type == BSON_TYPE_DATE_TIME ? "dates"
           : v->type == BSON_TYPE_TIMESTAMP ? "timestamps"
                                            : "numbers";
}

static void say_clock(GString *s, const struct signs *g)
{
    g_autofree char *when = text_iso8601(g->last.ms);
    g_string_append_printf(s, "; the last bound is of %s, ", when);
    if (g->age_ms >= 0)
        text_append_duration(s, floor((double)g->age_ms / 1000));
    g_string_append(s, g->age_ms >= 0 ? " before the metadata were taken"
                                      : "about when the metadata were taken");
}

static void say_version(GString *s, const struct coll_facts *f)
{
    const struct chunks *ch = &f->coll->chunks;
    const uint64_t v = ch->version[ch->n - 1];
    g_string_append_printf(s, "; the last chunk's version, %u|%u, is ", (unsigned)(v >> 32),
                           (unsigned)(v & UINT32_MAX));
    if (f->newer == 0)
        g_string_append(s, "the newest of all ");
    else
        g_string_append_printf(s, "older than that of %u only of ", f->newer);
    text_append_count(s, ch->n);
}

static char *message(const struct advisor *a, const struct coll_facts *f, const struct signs *g)
{
    GString *s = g_string_new("the shard key ");
    advice_say_key(s, f->coll);
    g_string_append(s, " likely grows with time, so that all inserts go to the last chunk, on ");
    advice_say_name(s, a->cl->shards[f->coll->chunks.shard[f->coll->chunks.n - 1]].id);
    g_string_append(s, ", and migrations run after them; what speaks for it: its first field holds ");
    g_string_append(s, kind_text(&g->last));
    if (g->clock)
        say_clock(s, g);
    if (g->log) {
        g_string_append(s, "; ");
        text_append_count(s, g->log_top);
        g_string_append(s, " of the ");
        advice_say_n(s, g->log_all, "split");
        g_string_append(s, " and migrations in the changelog were of the last chunk");
    }
    if (g->version)
        say_version(s, f);
    return g_string_free(s, FALSE);
}

static char *commands(const struct coll_facts *f)
{
    GString *s = g_string_new(NULL);
    advice_command(s, "reshardCollection", f->coll);
    g_string_append(s, ", key: {");
    key_mongosh_string(s, f->coll->key->fields[0].name);
    g_string_append(s, ": \"hashed\"}})");
    return g_string_free(s, FALSE);
}

void advice_ascending(struct advisor *a, const struct coll_facts *f)
{
    const struct key_field *field = &f->coll->key->fields[0];
    if (f->coll->chunks.n < CHUNKS_LEAST || f->coll->time_series || field->hashed || field->descending)
        return;
    const struct signs g = look(a, f);
    if ((!g.last.time && !g.last.number) || g.clock + g.log + g.version < 2)
        return;
    const bool reshard = advice_may(a, 5, 0);
    const char *todo =
        reshard
            ? "ask the application's queries first: where they do not need ranges of that field, reshard to "
              "a key "
              "whose first field does not grow (hashed, as below, or another field before it; from 5.0, "
              "docs/advice.md has what it demands); refining the key does not help, as its first field "
              "stays; "
              "where ranges are needed, put a zone on recent data and let it move when it is old"
            : "a shard key cannot be changed before 5.0, and refining it does not help, as its first field "
              "stays: copy the data to a collection whose key begins with a field that does not grow, or "
              "with "
              "a hashed one, when it is due for a change; until then a zone on recent data keeps the load on "
              "shards that are made for it";
    g_autofree char *text = message(a, f, &g);
    g_autofree char *cmd = reshard ? commands(f) : NULL;
    advice_add(a, "ascendingKey", f->coll, f->coll->chunks.shard[f->coll->chunks.n - 1], text, todo, cmd);
}
