// SPDX-License-Identifier: Apache-2.0
/* The rules about a collection as a whole, and what all explanations share. */
#include "balancer/answer/explain.h"

#include "balancer/answer/explain_private.h"
#include "balancer/answer/lookup.h"
#include "balancer/key/show.h"
#include "balancer/plan/why.h"
#include "common/text.h"

#include <string.h>

enum { KEY_SHOWN = 80 };

const char *explain_answer_text(enum explain_answer a)
{
    static const char *const texts[] = {"YES", "NO", "WAIT"};
    return texts[a];
}

static void rule_clear(gpointer p)
{
    struct explain_rule *r = p;
    g_free(r->subject);
    g_free(r->why);
}

void explanation_free(explanation *e)
{
    if (e == NULL)
        return;
    g_array_unref(e->rules);
    g_free(e->outcome_why);
    g_free(e);
}

static char *printable(const char *fmt, va_list ap) G_GNUC_PRINTF(1, 0);
static char *printable(const char *fmt, va_list ap)
{
    g_autofree char *raw = g_strdup_vprintf(fmt, ap);
    return text_escaped(raw);
}

void asking_rule(struct asking *a, const char *code, enum explain_answer answer, const char *subject,
                 const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct explain_rule r = {
        .code = code, .answer = answer, .subject = g_strdup(subject), .why = printable(fmt, ap)};
    va_end(ap);
    g_array_append_val(a->out->rules, r);
}

void asking_outcome(struct asking *a, enum explain_answer answer, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_free(a->out->outcome_why);
    a->out->outcome = answer;
    a->out->outcome_why = printable(fmt, ap);
    va_end(ap);
}

static void scratch_clear(struct plan *p)
{
    for (guint i = 0; i < p->warnings->len; i++) {
        struct warning *w = &g_array_index(p->warnings, struct warning, i);
        g_free(w->code);
        g_free(w->ns);
        g_free(w->message);
    }
    g_array_unref(p->warnings);
}

bool asking_init(struct asking *a, const cluster *cl, const struct plan_options *opt, const char *ns,
                 enum explain_kind kind, struct err *err)
{
    const struct collection *coll;
    *a = (struct asking){.cl = cl};
    if (!lookup_collection(cl, ns, &coll, err))
        return false;
    a->scratch.warnings = g_array_new(FALSE, FALSE, sizeof(struct warning));
    if (!projection_init(&a->pr, cl, opt, &a->scratch, err) || !whole_prepare(a, opt, err)) {
        projection_clear(&a->pr);
        scratch_clear(&a->scratch);
        return false;
    }
    for (uint16_t s = 0; s < cl->n_shards; s++) {
        a->pr.free[s] = true;
        a->pr.full[s] = a->pr.max_bytes[s] > 0 && a->pr.shard_bytes[s] >= a->pr.max_bytes[s];
    }
    a->c = &a->pr.colls[coll->number];
    a->facts = projection_facts(&a->pr, a->c);
    a->out = g_new0(explanation, 1);
    *a->out = (explanation){
        .kind = kind, .coll = coll, .policy = a->pr.policy, .shard = SHARD_NONE, .zone = ZONE_NONE};
    a->out->rules = g_array_new(FALSE, FALSE, sizeof(struct explain_rule));
    g_array_set_clear_func(a->out->rules, rule_clear);
    return true;
}

explanation *asking_end(struct asking *a)
{
    projection_clear(&a->pr);
    scratch_clear(&a->scratch);
    plan_free(a->whole);
    return g_steal_pointer(&a->out);
}

GArray *asking_pick(struct asking *a)
{
    GArray *moves = g_array_new(FALSE, FALSE, sizeof(struct move));
    a->pr.policy->pick(&a->facts, a->c->place, moves);
    for (uint16_t s = 0; s < a->cl->n_shards; s++)
        a->pr.free[s] = true;
    return moves;
}

char *move_text(const struct asking *a, const struct move *m)
{
    const placement *p = a->c->place;
    uint32_t chunk = placement_chunk_of(p, m->entry);
    bson_t min = BSON_INITIALIZER, max = BSON_INITIALIZER;
    chunk_min(a->c->coll, p->chunks, chunk, &min);
    chunk_max(a->c->coll, p->chunks, chunk, &max);
    g_autofree char *why = why_move(&a->pr, a->c, m);
    GString *s = g_string_new("[");
    key_show(s, &min, KEY_SHOWN);
    g_string_append(s, ", ");
    key_show(s, &max, KEY_SHOWN);
    g_string_append_printf(s, ") from %s to %s: %s", a->cl->shards[m->from].id, a->cl->shards[m->to].id, why);
    bson_destroy(&min);
    bson_destroy(&max);
    return g_string_free(s, FALSE);
}

/* One condition under which a collection is left out, with both sentences. */
struct gate {
    const char *code;
    enum excluded excluded;
    enum explain_answer if_excluded;
    const char *yes, *no;
};

static const struct gate gates[] = {
    {"selected", EXCLUDED_FILTERED, EXPLAIN_NO, "--ns and the configuration do not leave it out",
     "--ns or the configuration leaves it out; change the pattern, or set enabled: true for it"},
    {"metadataSound", EXCLUDED_METADATA_INVALID, EXPLAIN_NO, "its chunks, zones and fields are sound", NULL},
    {"splittable", EXCLUDED_UNSPLITTABLE, EXPLAIN_NO, "it is sharded, not merely tracked",
     "it is tracked but not sharded (unsplittable), and no balancer moves it; moveCollection does, or shard "
     "it"},
    {"notTimeSeries", EXCLUDED_TIME_SERIES, EXPLAIN_NO,
     "it is no time-series collection, or they are spread evenly",
     "it is a time-series collection; '--time-series even' or balancer.timeSeries: even includes it"},
    {"notResharding", EXCLUDED_RESHARDING, EXPLAIN_WAIT, "it is not being resharded",
     "it is being resharded; it can move when that has ended"},
    {"notDefragmenting", EXCLUDED_DEFRAGMENTING, EXPLAIN_WAIT, "it is not being defragmented",
     "it is being defragmented by MongoDB's own balancer; it can move when that has ended, or when "
     "configureCollectionBalancing with defragmentCollection: false has stopped it"},
    {"balancingEnabled", EXCLUDED_NO_BALANCE, EXPLAIN_NO, "balancing is not disabled for it",
     "balancing is disabled for it (noBalance); sh.enableBalancing() enables it"},
    {"migrationsPermitted", EXCLUDED_MIGRATIONS_NOT_PERMITTED, EXPLAIN_WAIT, "migrations are permitted",
     "migrations are not permitted now (allowMigrations or permitMigrations is false); wait for the "
     "operation that "
     "forbids them, or call setAllowMigrations"},
};

/* Whether a condition holds, also where an earlier one excluded already. */
static bool gate_closed(const struct asking *a, const struct gate *g)
{
    const struct collection *c = a->c->coll;
    switch (g->excluded) {
    case EXCLUDED_FILTERED:
        return a->c->excluded == EXCLUDED_FILTERED;
    case EXCLUDED_METADATA_INVALID:
        return c->invalid != NULL;
    case EXCLUDED_UNSPLITTABLE:
        return c->unsplittable;
    case EXCLUDED_TIME_SERIES:
        return c->time_series && !a->pr.opt->time_series_even;
    case EXCLUDED_RESHARDING:
        return c->resharding;
    case EXCLUDED_DEFRAGMENTING:
        return c->defragmenting;
    case EXCLUDED_NO_BALANCE:
        return c->no_balance;
    case EXCLUDED_MIGRATIONS_NOT_PERMITTED:
        return c->migrations_not_permitted;
    default:
        return false;
    }
}

/* What MongoDB's own balancer is set to; it stands in nobody's way here. */
static void rule_settings(struct asking *a)
{
    static const char *const modes[] = {
        [BALANCER_FULL] = "on: it moves by its own rules at the same time",
        [BALANCER_AUTOSPLIT_ONLY] = "set to split only: it moves nothing",
        [BALANCER_OFF] = "off: it moves nothing",
    };
    const struct cluster_settings *s = &a->cl->settings;
    if (s->invalid != NULL)
        asking_rule(a, "settingsValid", EXPLAIN_NO, NULL,
                    "%s: MongoDB's own balancer skips every round; correct config.settings", s->invalid);
    else
        asking_rule(a, "settingsValid", EXPLAIN_YES, NULL, "config.settings is valid");
    if (s->window_start != NULL && s->window_stop != NULL)
        asking_rule(a, "builtinBalancer", EXPLAIN_YES, NULL,
                    "MongoDB's own balancer is %s, in the window %s to %s", modes[s->mode], s->window_start,
                    s->window_stop);
    else
        asking_rule(a, "builtinBalancer", EXPLAIN_YES, NULL, "MongoDB's own balancer is %s", modes[s->mode]);
}

bool asking_gates(struct asking *a)
{
    const struct collection *coll = a->c->coll;
    bool open = true;
    for (size_t i = 0; i < G_N_ELEMENTS(gates); i++) {
        const struct gate *g = &gates[i];
        bool closed = gate_closed(a, g);
        const char *no = g->no != NULL ? g->no : coll->invalid;
        asking_rule(a, g->code, closed ? g->if_excluded : EXPLAIN_YES, NULL, "%s", closed ? no : g->yes);
        if (closed && open)
            asking_outcome(a, g->if_excluded, "nothing of it moves: %s", no);
        open = open && !closed;
    }
    rule_settings(a);
    if (open && a->cl->n_shards < 2) {
        asking_rule(a, "enoughShards", EXPLAIN_NO, NULL, "there is only one shard; a migration needs two");
        asking_outcome(a, EXPLAIN_NO, "nothing of it moves: there is only one shard");
        return false;
    }
    return open && a->c->place != NULL;
}

bool asking_bounds(struct asking *a)
{
    if (a->c->held) {
        asking_rule(a, "zoneBounds", EXPLAIN_NO, NULL,
                    "a zone's bound lies inside a chunk that is never split: nothing moves until the zone is "
                    "aligned");
        asking_outcome(a, EXPLAIN_NO, "nothing of it moves until its zones end where chunks end");
        return false;
    }
    uint32_t n = a->c->splits->len;
    if (n > 0)
        asking_rule(a, "zoneBounds", EXPLAIN_WAIT, NULL,
                    "%u chunk%s must be split first at %s; what follows is judged as if that were done", n,
                    n == 1 ? "" : "s",
                    g_array_index(a->c->splits, struct split, 0).reason == SPLIT_SESSIONS
                        ? "even steps of the sessions' ids"
                        : "zone bounds");
    else
        asking_rule(a, "zoneBounds", EXPLAIN_YES, NULL,
                    a->c->coll->n_ranges == 0 ? "it has no zones" : "no zone bound lies inside a chunk");
    return true;
}

static void rule_sharded(struct asking *a)
{
    const struct collection *coll = a->c->coll;
    g_autoptr(GString) key = g_string_new(NULL);
    g_autofree char *chunks = text_count(coll->chunks.n);
    uint32_t holders = 0;
    for (uint16_t s = 0; s < a->cl->n_shards; s++)
        holders += a->c->before_chunks[s] > 0 ? 1 : 0;
    if (coll->key != NULL)
        key_show(key, &coll->key->doc, KEY_SHOWN);
    else
        g_string_append(key, "a key that cannot be read");
    asking_rule(a, "sharded", EXPLAIN_YES, NULL,
                "it is in config.collections with %s: %s chunk%s on %u of %u shards", key->str, chunks,
                coll->chunks.n == 1 ? "" : "s", holders, a->cl->n_shards);
}

/* Chunks of it on draining shards. */
static void rule_draining(struct asking *a)
{
    g_autoptr(GString) s = g_string_new(NULL);
    for (uint16_t i = 0; i < a->cl->n_shards; i++)
        if (a->facts.draining[i] && a->c->place->shard_chunks[i] > 0) {
            g_string_append_printf(s, "%s%s is draining and holds ", s->len > 0 ? "; " : "",
                                   a->cl->shards[i].id);
            why_append_load(s, LOAD_CHUNKS, a->c->place->shard_chunks[i]);
        }
    asking_rule(a, "draining", s->len > 0 ? EXPLAIN_YES : EXPLAIN_NO, NULL, "%s",
                s->len > 0 ? s->str : "no draining shard holds chunks of it");
}

/* Chunks on shards that do not carry their zone. */
static void rule_violations(struct asking *a)
{
    const placement *p = a->c->place;
    g_autoptr(GString) s = g_string_new(NULL);
    for (uint32_t slot = 0; slot < p->n_slots; slot++)
        for (uint16_t i = 0; i < a->cl->n_shards; i++) {
            int64_t n = p->slot_chunks[(size_t)slot * a->cl->n_shards + i];
            if (n == 0 || shard_has_zone(&a->cl->shards[i], p->slots[slot].zone))
                continue;
            g_string_append(s, s->len > 0 ? "; " : "");
            g_string_append_printf(s, "%s holds ", a->cl->shards[i].id);
            why_append_load(s, LOAD_CHUNKS, n);
            g_string_append_printf(s, " of zone '%s', which it does not carry",
                                   cluster_zone_name(a->cl, p->slots[slot].zone));
        }
    asking_rule(a, "zoneViolation", s->len > 0 ? EXPLAIN_YES : EXPLAIN_NO, NULL, "%s",
                s->len > 0                  ? s->str
                : a->c->coll->n_ranges == 0 ? "it has no zones"
                                            : "every chunk of a zone is on a shard that carries it");
}

static void conclude(struct asking *a)
{
    if (a->whole != NULL) {
        whole_conclude(a);
        return;
    }
    g_autoptr(GArray) moves = asking_pick(a);
    if (moves->len == 0) {
        asking_outcome(a, EXPLAIN_NO,
                       "nothing moves: no rule calls for a migration that a shard could receive");
        return;
    }
    g_autofree char *first = move_text(a, &g_array_index(moves, struct move, 0));
    asking_outcome(a, EXPLAIN_YES, "first goes %s%s", first,
                   a->c->splits->len > 0 ? " (after the splits)" : "");
}

bool explain_collection(const cluster *cl, const struct plan_options *opt, const char *ns, explanation **ret,
                        struct err *err)
{
    struct asking a;
    if (!asking_init(&a, cl, opt, ns, EXPLAIN_COLLECTION, err))
        return false;
    rule_sharded(&a);
    if (asking_gates(&a) && asking_bounds(&a)) {
        rule_draining(&a);
        rule_violations(&a);
        if (a.whole != NULL)
            whole_evenness(&a);
        for (uint32_t slot = 0; a.whole == NULL && slot < a.c->place->n_slots; slot++)
            asking_evenness(&a, slot);
        conclude(&a);
    }
    *ret = asking_end(&a);
    return true;
}
