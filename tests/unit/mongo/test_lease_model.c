// SPDX-License-Identifier: Apache-2.0
/* The rules of the lease: every order in which two holders' commands can be sent, carried out, answered or
 * lost, with clocks that run too fast or too slow. */
#include "migrations/mongo/lease_rules.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { TTL = 1000, SIDES = 2 };

/* A command on its way. Ids and stamps are small numbers; 0: none. */
struct command {
    enum lease_op op; /* NONE: gives up */
    int id, stamp, read_stamp;
    int64_t epoch;
};

struct document {
    bool collection;
    enum lease_doc doc;
    int holder, stamp;
    int64_t epoch;
};

/* A holder, what it waits for, and a command that it waits for no more but that may still arrive. */
struct side {
    struct lease_rules rules;
    enum { IDLE, SENT, DONE } at;
    struct command command, ghost;
    bool has_ghost, matched;
    struct document answer; /* of READ and PLACE */
};

struct world {
    struct document doc;
    struct side side[SIDES];
    int now; /* by a clock that is right */
    int ids, stamps;
    int by_hand, give_ups; /* what is still allowed to happen */
    guint step;            /* that made this world */
};

/* Tenths of the speed that a clock should have; and how far time goes on at once. */
struct speeds {
    int of[SIDES], tick;
};

static int64_t local(const struct speeds *s, const struct world *w, int i)
{
    return (int64_t)w->now * s->of[i] / 10 + 1000000 * (i + 1);
}

static void name_of(int number, char *into)
{
    g_snprintf(into, LEASE_TEXT_MAX, "%d", number);
}

static int number_of(const char *name)
{
    return (int)g_ascii_strtoll(name, NULL, 10);
}

/* Sends what the rules ask for next. */
static void send(struct world *w, struct side *s)
{
    struct command c = {.op = s->rules.op, .id = number_of(s->rules.id), .epoch = s->rules.next_epoch};
    s->at = c.op == LEASE_OP_NONE ? IDLE : SENT;
    c.read_stamp = c.op == LEASE_OP_TAKE ? s->answer.stamp : 0;
    c.stamp = c.op == LEASE_OP_READ ? 0 : ++w->stamps;
    s->command = c;
    s->matched = false;
    s->answer = (struct document){0};
}

static bool matches(const struct document *d, const struct command *c)
{
    switch (c->op) {
    case LEASE_OP_PREPARE:
        return !d->collection;
    case LEASE_OP_PLACE:
        return d->doc == LEASE_DOC_NONE;
    case LEASE_OP_TAKE:
        return d->stamp == c->read_stamp;
    case LEASE_OP_RENEW:
        return d->doc == LEASE_DOC_HELD && d->holder == c->id && d->epoch == c->epoch;
    default:
        return d->doc == LEASE_DOC_HELD && d->holder == c->id;
    }
}

/* The server carries a command out. */
static bool carry_out(struct document *d, const struct command *c)
{
    if (c->op == LEASE_OP_READ || !matches(d, c))
        return false;
    d->collection = true;
    if (c->op == LEASE_OP_PREPARE)
        return true;
    d->doc = c->op == LEASE_OP_NONE ? LEASE_DOC_FREE : LEASE_DOC_HELD;
    d->holder = c->op == LEASE_OP_PLACE ? 0 : c->id;
    d->stamp = c->stamp;
    d->epoch = c->op == LEASE_OP_NONE ? d->epoch : c->epoch;
    return true;
}

static void arrive(const struct speeds *speeds, struct world *w, int i)
{
    struct side *s = &w->side[i];
    struct lease_seen seen = {.doc = s->answer.doc, .epoch = s->answer.epoch};
    name_of(s->answer.holder, seen.holder);
    name_of(s->answer.stamp, seen.stamp);
    struct document read = s->answer;
    if (s->command.op == LEASE_OP_READ)
        lease_rules_read(&s->rules, local(speeds, w, i), &seen);
    else if (s->command.op != LEASE_OP_NONE)
        lease_rules_wrote(&s->rules, local(speeds, w, i), s->matched);
    s->answer = read;
    send(w, s);
}

/* No answer: the command may have been carried out, may be some day, or never. */
static void lose(struct side *s, bool arrives_later)
{
    if (arrives_later) {
        s->has_ghost = true;
        s->ghost = s->command;
    }
    lease_rules_failed(&s->rules);
    s->at = IDLE;
}

static void give_up(struct world *w, struct side *s)
{
    char id[LEASE_TEXT_MAX];
    s->command = (struct command){.op = LEASE_OP_NONE, .id = number_of(s->rules.id), .stamp = ++w->stamps};
    name_of(++w->ids, id);
    lease_rules_give_up(&s->rules, id);
    s->at = SENT;
    w->give_ups--;
}

enum { PER_SIDE = 7, ACTIONS = 3 + PER_SIDE * SIDES };

static bool act_side(const struct speeds *speeds, struct world *w, int i, int action)
{
    struct side *s = &w->side[i];
    switch (action) {
    case 0:
        if (s->at != IDLE)
            return false;
        lease_rules_start(&s->rules, local(speeds, w, i));
        send(w, s);
        return true;
    case 1:
        if (s->at != SENT)
            return false;
        s->matched = carry_out(&w->doc, &s->command);
        s->answer = w->doc;
        s->at = DONE;
        return true;
    case 2:
        if (s->at != DONE)
            return false;
        arrive(speeds, w, i);
        return true;
    case 3: /* its answer is lost */
        if (s->at != DONE)
            return false;
        lose(s, false);
        return true;
    case 4: /* it is late itself */
        if (s->at != SENT || s->has_ghost || s->command.op == LEASE_OP_READ)
            return false;
        lose(s, true);
        return true;
    case 5:
        if (!s->has_ghost)
            return false;
        carry_out(&w->doc, &s->ghost);
        s->has_ghost = false;
        return true;
    default:
        if (s->at != IDLE || w->give_ups == 0)
            return false;
        give_up(w, s);
        return true;
    }
}

/* False: it cannot happen now. */
static bool happens(const struct speeds *speeds, struct world *w, int action)
{
    if (action == 0) {
        w->now += speeds->tick;
        return true;
    }
    if (action <= 2) { /* somebody deletes the document, or overwrites it */
        if (w->by_hand == 0 || w->doc.doc == LEASE_DOC_NONE)
            return false;
        w->by_hand--;
        w->doc = action == 1 ? (struct document){true, LEASE_DOC_NONE, 0, 0, 0}
                             : (struct document){true, LEASE_DOC_DAMAGED, 0, ++w->stamps, 0};
        return true;
    }
    return act_side(speeds, w, (action - 3) / PER_SIDE, (action - 3) % PER_SIDE);
}

/* Whether it can match something, now or later. */
static bool is_alive(const struct world *w, const struct command *c)
{
    return c->op == LEASE_OP_READ || c->op == LEASE_OP_NONE || (c->op == LEASE_OP_PLACE && w->by_hand > 0) ||
           matches(&w->doc, c);
}

/* Forgets commands that can match nothing any more: they are as good as lost. */
static void bury(struct world *w)
{
    for (int i = 0; i < SIDES; i++)
        w->side[i].has_ghost = w->side[i].has_ghost && is_alive(w, &w->side[i].ghost);
}

static bool act(const struct speeds *speeds, struct world *w, int action)
{
    bool happened = happens(speeds, w, action);
    bury(w);
    return happened;
}

/* Worlds that differ only in names, in times that decide nothing any more, and in commands that can match
 * nothing any more, are one: a stamp never comes back, nor does an epoch of the same holder. */
struct print {
    int8_t bytes[64];
    unsigned n;
};

static void put(struct print *p, int64_t value)
{
    g_assert(p->n < sizeof(p->bytes) && value >= INT8_MIN && value <= INT8_MAX);
    p->bytes[p->n++] = (int8_t)value;
}

/* What is over, or long enough, is one. */
static void put_time(struct print *p, int64_t ms, int64_t most)
{
    int64_t time = CLAMP(ms, 0, most);
    put(p, time / 100);
    put(p, time % 100);
}

static void put_command(struct print *p, const struct world *w, const struct side *s, int64_t now)
{
    const struct command *c = &s->command;
    bool reading = c->op == LEASE_OP_READ;
    put(p, c->op);
    if (s->at == SENT)
        put(p, is_alive(w, c) + matches(&w->doc, c));
    else
        put(p, s->matched);
    if (!reading && c->op != LEASE_OP_NONE && (s->at == SENT ? is_alive(w, c) : s->matched))
        put_time(p, now - s->rules.asked_at, TTL);
    put(p, c->id == number_of(s->rules.id));
    put(p, s->has_ghost && c->id == s->ghost.id);
    if (s->rules.made && c->op != LEASE_OP_NONE)
        put_time(p, now - s->rules.made_at, TTL);
    if (s->at == SENT || (!reading && c->op != LEASE_OP_PLACE))
        return;
    put(p, s->answer.doc);
    put(p, s->answer.holder == number_of(s->rules.id));
    put(p, s->answer.stamp == w->doc.stamp);
    put(p, s->answer.holder == number_of(s->rules.id) && s->answer.holder == w->doc.holder &&
               s->answer.epoch == w->doc.epoch);
}

static void put_side(struct print *p, const struct world *w, const struct side *s, int64_t now)
{
    const struct lease_rules *r = &s->rules;
    int sight = number_of(r->sight.stamp);
    bool reading = s->at == DONE && s->command.op == LEASE_OP_READ;
    bool in_answer = reading && sight == s->answer.stamp && r->sight.doc == s->answer.doc;
    bool in_doc = sight == w->doc.stamp && r->sight.doc == w->doc.doc;
    bool ghost = s->has_ghost;
    bool trying = s->at != IDLE && s->command.op != LEASE_OP_NONE;
    put(p, (int)s->at | (r->ours ? 4 : 0) | (ghost ? 8 : 0) | (trying && r->renewed_by_reading ? 16 : 0) |
               (trying && r->placed ? 32 : 0) | (trying && r->made ? 64 : 0));
    put(p, w->doc.holder == number_of(r->id));
    put(p, r->ours && w->doc.holder == number_of(r->id) && w->doc.epoch == r->epoch);
    put_time(p, r->held_until - now, TTL);
    if (s->at != IDLE)
        put_command(p, w, s, now);
    if (ghost)
        put(p, (int)s->ghost.op + (matches(&w->doc, &s->ghost) ? 8 : 0) +
                   (s->ghost.id == number_of(r->id) ? 16 : 0));
    put(p, r->watching ? (in_answer ? 1 : 0) | (in_doc ? 2 : 0) : 0);
    if (r->watching && (in_answer || in_doc))
        put_time(p, now - r->sight_since, TTL + TTL / 10 + 1);
}

static uint64_t print_of(const struct speeds *speeds, const struct world *w)
{
    struct print p = {.n = 0};
    put(&p, w->doc.doc + (w->doc.collection ? 8 : 0));
    put(&p, w->by_hand);
    put(&p, w->give_ups);
    for (int i = 0; i < SIDES; i++)
        put_side(&p, w, &w->side[i], local(speeds, w, i));
    uint64_t h = UINT64_C(0x9E3779B97F4A7C15);
    for (unsigned i = 0; i < p.n; i++) {
        h = (h ^ (uint8_t)p.bytes[i]) * UINT64_C(0xBF58476D1CE4E5B9);
        h ^= h >> 29;
    }
    return h;
}

static void begin(struct world *w, int by_hand, int give_ups)
{
    *w = (struct world){.ids = SIDES, .by_hand = by_hand, .give_ups = give_ups};
    for (int i = 0; i < SIDES; i++) {
        char id[LEASE_TEXT_MAX];
        name_of(i + 1, id);
        lease_rules_init(&w->side[i].rules, TTL, id);
    }
}

struct found {
    unsigned worlds, held[SIDES], both, handed_over;
    char *how; /* the first time that both held it: what happened; to be freed */
};

struct step {
    guint before;
    int action;
};

/* "tick; 0 starts; 0 sends; ..." */
static char *steps_text(const GArray *steps, guint last)
{
    static const char *const names[PER_SIDE] = {
        "tries", "is served", "is answered", "loses the answer", "times out", "is served late", "gives up"};
    GString *text = g_string_new(NULL);
    for (guint i = last; i > 0; i = g_array_index(steps, struct step, i).before) {
        int action = g_array_index(steps, struct step, i).action, of_side = action - 3;
        g_autofree char *one = action == 0 ? g_strdup("tick")
                               : action < 3
                                   ? g_strdup(action == 1 ? "deleted by hand" : "damaged by hand")
                                   : g_strdup_printf("%d %s", of_side / PER_SIDE, names[of_side % PER_SIDE]);
        g_string_prepend(text, "; ");
        g_string_prepend(text, one);
    }
    return g_string_free(text, FALSE);
}

static void look(const struct speeds *speeds, const struct world *w, const GArray *steps, struct found *f)
{
    bool held[SIDES];
    f->worlds++;
    for (int i = 0; i < SIDES; i++) {
        held[i] = lease_rules_held(&w->side[i].rules, local(speeds, w, i));
        f->held[i] += held[i] ? 1 : 0;
    }
    f->both += held[0] && held[1] ? 1 : 0;
    f->handed_over += (held[0] || held[1]) && w->doc.epoch > 1 ? 1 : 0;
    if (held[0] && held[1] && f->how == NULL)
        f->how = steps_text(steps, w->step);
}

/* Two worlds of the same print: whatever happens to them, their prints stay the same. */
static void expect_alike(const struct speeds *speeds, const struct world *a, const struct world *b)
{
    for (int action = 0; action < ACTIONS; action++) {
        struct world x = *a, y = *b;
        bool of_x = act(speeds, &x, action), of_y = act(speeds, &y, action);
        assert_int_equal(of_x, of_y);
        if (of_x)
            assert_true(print_of(speeds, &x) == print_of(speeds, &y));
    }
}

struct walk {
    const struct speeds *speeds;
    bool compare; /* keep each world, to compare it with those of the same print */
    GHashTable *seen;
    GQueue *open;
    GArray *steps;
    struct found found;
};

static void visit(struct walk *k, const struct world *from, int action)
{
    struct world next = *from;
    if (!act(k->speeds, &next, action))
        return;
    const struct step step = {from->step, action};
    uint64_t print = print_of(k->speeds, &next);
    if (g_hash_table_contains(k->seen, &print)) {
        if (k->compare)
            expect_alike(k->speeds, g_hash_table_lookup(k->seen, &print), &next);
        return;
    }
    next.step = k->steps->len;
    g_array_append_val(k->steps, step);
    g_hash_table_insert(k->seen, g_memdup2(&print, sizeof(print)),
                        k->compare ? g_memdup2(&next, sizeof(next)) : NULL);
    look(k->speeds, &next, k->steps, &k->found);
    g_queue_push_tail(k->open, g_memdup2(&next, sizeof(next)));
}

/* Every world that can come about, those of the fewest steps first. */
static struct found explore(const struct speeds *speeds, int by_hand, int give_ups, bool compare)
{
    struct world first;
    const struct step none = {0, 0};
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    g_autoptr(GArray) steps = g_array_new(FALSE, FALSE, sizeof(struct step));
    g_autoptr(GQueue) open = g_queue_new();
    struct walk k = {.speeds = speeds, .compare = compare, .seen = seen, .open = open, .steps = steps};
    begin(&first, by_hand, give_ups);
    g_array_append_val(steps, none);
    g_queue_push_tail(open, g_memdup2(&first, sizeof(first)));
    while (!g_queue_is_empty(open)) {
        g_autofree struct world *w = g_queue_pop_head(open);
        for (int action = 0; action < ACTIONS; action++)
            visit(&k, w, action);
    }
    return k.found;
}

/* By hand, or with one that gives up, it is enough to look at fewer moments. */
static void test_never_two(void **state)
{
    static const struct {
        struct speeds speeds;
        int by_hand, give_ups;
    } rows[] = {
        {{{10, 10}, 100}, 0, 0}, {{{9, 11}, 100}, 0, 0}, {{{11, 9}, 100}, 0, 0},  {{{10, 10}, 250}, 1, 0},
        {{{9, 11}, 250}, 1, 0},  {{{11, 9}, 250}, 1, 0}, {{{10, 10}, 250}, 0, 1}, {{{9, 11}, 250}, 0, 1},
        {{{11, 9}, 250}, 0, 1},  {{{9, 11}, 500}, 2, 0}, {{{10, 10}, 500}, 0, 2}, {{{9, 11}, 500}, 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct speeds *speeds = &rows[i].speeds;
        struct found f = explore(speeds, rows[i].by_hand, rows[i].give_ups, false);
        print_message("clocks %d and %d, ticks of %d: %u worlds, held in %u and %u, handed over in %u\n",
                      speeds->of[0], speeds->of[1], speeds->tick, f.worlds, f.held[0], f.held[1],
                      f.handed_over);
        if (f.both > 0)
            fail_msg("both hold it in %u worlds: %s", f.both, f.how);
        assert_true(f.held[0] > 0 && f.held[1] > 0 && f.handed_over > 0);
    }
}

/* With clocks that are worse than allowed it finds what must not be. */
static void test_finds_two(void **state)
{
    static const struct speeds speeds[] = {{{8, 12}, 50}, {{12, 8}, 50}, {{10, 13}, 50}};
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(speeds); i++) {
        struct found f = explore(&speeds[i], 0, 0, false);
        assert_true(f.both > 0);
        assert_non_null(f.how);
        g_free(f.how);
    }
}

/* What is left out of the prints makes no difference. */
static void test_prints(void **state)
{
    static const struct speeds right = {{10, 10}, 250}, wrong = {{9, 11}, 500};
    (void)state;
    explore(&right, 0, 0, true);
    explore(&wrong, 1, 0, true);
    explore(&wrong, 0, 1, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_two),
        cmocka_unit_test(test_finds_two),
        cmocka_unit_test(test_prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
