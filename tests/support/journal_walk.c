// SPDX-License-Identifier: Apache-2.0
#include "tests/support/journal_walk.h"

#include "tests/support/journal_fixture.h"

#include <sqlite3.h>
#include <string.h>

enum { NEVER = -1, WRITES_MAX = 8, SETTINGS = 3, SHARDS = 4 };

struct model_round {
    int64_t id, started, ended;
    enum round_state state;
    uint32_t migrations;
};
struct model_row {
    int64_t id, round, planned, started, ended, bytes;
    enum journal_kind kind;
    enum migration_state state;
    uint32_t attempts;
    char message[16];
};
struct model_event {
    int64_t id, at, round;
};

/* What the journal holds. Plain values, so that a copy is a copy. */
struct model {
    GArray *rounds, *rows, *events;
    int64_t next_round, next_row[2], next_event;
    int settings[SETTINGS]; /* a number, 0: none */
    int balancer;           /* likewise */
};
struct journal_walk {
    GRand *rand;
    int64_t now;
    struct model m;
};

static struct model model_copy(const struct model *m)
{
    struct model c = *m;
    c.rounds = g_array_copy(m->rounds);
    c.rows = g_array_copy(m->rows);
    c.events = g_array_copy(m->events);
    return c;
}

static void model_clear(struct model *m)
{
    g_array_unref(m->rounds);
    g_array_unref(m->rows);
    g_array_unref(m->events);
}

journal_walk *journal_walk_new(uint32_t seed)
{
    journal_walk *w = g_new0(journal_walk, 1);
    w->rand = g_rand_new_with_seed(seed);
    w->now = TEST_T0;
    w->m = (struct model){.rounds = g_array_new(FALSE, FALSE, sizeof(struct model_round)),
                          .rows = g_array_new(FALSE, FALSE, sizeof(struct model_row)),
                          .events = g_array_new(FALSE, FALSE, sizeof(struct model_event)),
                          .next_round = 1,
                          .next_row = {1, 1},
                          .next_event = 1};
    return w;
}

void journal_walk_free(journal_walk *w)
{
    if (w == NULL)
        return;
    g_rand_free(w->rand);
    model_clear(&w->m);
    g_free(w);
}

static struct model_round *round_at(journal_walk *w, guint i)
{
    return &g_array_index(w->m.rounds, struct model_round, i);
}

static struct model_row *row_at(const journal_walk *w, guint i)
{
    return &g_array_index(w->m.rows, struct model_row, i);
}

static int below(journal_walk *w, guint n)
{
    return g_rand_int_range(w->rand, 0, (gint32)n);
}

static bool start_round(journal_walk *w, journal *j, struct err *err)
{
    int64_t id = 0;
    struct model_round r = {.id = w->m.next_round++, .started = w->now, .ended = NEVER, .migrations = 1};
    const struct journal_round round = {.kind = "scheduled",
                                        .policy = "size",
                                        .who = "walk",
                                        .planned_migrations = 1,
                                        .started_at = r.started};
    g_array_append_val(w->m.rounds, r);
    return j == NULL || (journal_round_start(j, &round, &id, err) && id == r.id);
}

static bool end_or_extend_round(journal_walk *w, journal *j, struct err *err)
{
    struct model_round *r = round_at(w, (guint)below(w, w->m.rounds->len));
    bool extend = below(w, 2) == 0;
    if (r->state != ROUND_RUNNING)
        return true;
    if (extend) {
        r->migrations += 2;
        return j == NULL || journal_round_extend(j, r->id, 2, 0, 0, 0, err);
    }
    r->state = ROUND_DONE;
    r->ended = w->now;
    return j == NULL || journal_round_end(j, r->id, r->state, r->ended, NULL, err);
}

static bool plan_row(journal_walk *w, journal *j, struct err *err)
{
    enum journal_kind kind = below(w, 4) == 0 ? JOURNAL_SPLIT : JOURNAL_MIGRATION;
    const struct model_round *r = round_at(w, (guint)below(w, w->m.rounds->len));
    struct model_row row = {.id = w->m.next_row[kind]++,
                            .round = r->id,
                            .kind = kind,
                            .planned = w->now,
                            .started = NEVER,
                            .ended = NEVER,
                            .bytes = 1 << 20};
    int64_t min = below(w, 1000), id = 0;
    g_autofree char *from = g_strdup_printf("shard%d", below(w, SHARDS));
    g_array_append_val(w->m.rows, row);
    if (j == NULL)
        return true;
    g_autoptr(test_step) t =
        test_step_new("shop.users", min, min + 10, from, kind == JOURNAL_SPLIT ? NULL : "shard9");
    return journal_row_planned(j, kind, row.round, NULL, &t->s, row.planned, &id, err) && id == row.id;
}

static bool set_state(journal_walk *w, journal *j, struct model_row *row, enum migration_state to,
                      const struct journal_outcome *o, struct err *err)
{
    row->state = to;
    if (to == MIGRATION_STARTED)
        row->started = w->now;
    if (migration_state_final(to))
        row->ended = w->now;
    if (o != NULL) {
        g_strlcpy(row->message, o->message, sizeof(row->message));
        row->bytes = o->bytes > 0 ? o->bytes : row->bytes;
    }
    return j == NULL || journal_row_state(j, row->kind, row->id, to, w->now, o, err);
}

static bool move_row(journal_walk *w, journal *j, struct err *err)
{
    struct model_row *row = row_at(w, (guint)below(w, w->m.rows->len));
    enum migration_state to = (enum migration_state)below(w, MIGRATION_STATE_COUNT);
    g_autofree char *message = g_strdup_printf("m%d", below(w, 100));
    const struct journal_outcome o = {.message = message, .bytes = below(w, 2) * 777};
    bool told = below(w, 2) == 0;
    if (!migration_edge(row->state, to))
        return true;
    return set_state(w, j, row, to, told ? &o : NULL, err);
}

static bool add_attempt(journal_walk *w, journal *j, struct err *err)
{
    struct model_row *row = row_at(w, (guint)below(w, w->m.rows->len));
    const struct journal_attempt a = {.kind = row->kind,
                                      .row = row->id,
                                      .number = row->attempts + 1,
                                      .started_at = w->now - 5,
                                      .ended_at = w->now,
                                      .ok = true};
    row->attempts++;
    return j == NULL || journal_attempt_put(j, &a, err);
}

static bool add_event(journal_walk *w, journal *j, struct err *err)
{
    const struct model_round *r = round_at(w, (guint)below(w, w->m.rounds->len));
    struct model_event e = {.id = w->m.next_event++, .at = w->now, .round = r->id};
    g_array_append_val(w->m.events, e);
    return j == NULL || journal_event(j, e.at, "walk", e.round, "step", err);
}

static bool change_memory(journal_walk *w, journal *j, struct err *err)
{
    int value = below(w, 5), which = below(w, SETTINGS + 1);
    g_autofree char *text = value == 0 ? NULL : g_strdup_printf("%d", value);
    if (which < SETTINGS) {
        g_autofree char *name = g_strdup_printf("name%d", which);
        w->m.settings[which] = value;
        return j == NULL || journal_setting_put(j, name, text, w->now, err);
    }
    if (value == 0) {
        w->m.balancer = 0;
        return j == NULL || journal_balancer_forget(j, w->now, err);
    }
    if (w->m.balancer == 0)
        w->m.balancer = value;
    return j == NULL || journal_balancer_remember(j, text, w->now, err);
}

/* Whether a row keeps its round: it is open, or ended at that moment or later. */
static bool keeps(const journal_walk *w, int64_t round, int64_t before)
{
    for (guint i = 0; i < w->m.rows->len; i++) {
        const struct model_row *row = row_at(w, i);
        if (row->round == round && (row->ended == NEVER || row->ended >= before))
            return true;
    }
    return false;
}

static void drop_round(journal_walk *w, guint i)
{
    int64_t id = round_at(w, i)->id;
    for (guint k = w->m.rows->len; k-- > 0;)
        if (row_at(w, k)->round == id)
            g_array_remove_index(w->m.rows, k);
    for (guint k = 0; k < w->m.events->len; k++) {
        struct model_event *e = &g_array_index(w->m.events, struct model_event, k);
        e->round = e->round == id ? 0 : e->round;
    }
    g_array_remove_index(w->m.rounds, i);
}

static bool prune(journal_walk *w, journal *j, struct err *err)
{
    int64_t before = w->now - 200;
    uint32_t n = 0, want = 0;
    for (guint i = w->m.rounds->len; i-- > 0;) {
        const struct model_round *r = round_at(w, i);
        if (r->ended == NEVER || r->ended >= before || keeps(w, r->id, before))
            continue;
        drop_round(w, i);
        want++;
    }
    for (guint k = w->m.events->len; k-- > 0;)
        if (g_array_index(w->m.events, struct model_event, k).at < before)
            g_array_remove_index(w->m.events, k);
    return j == NULL || (journal_prune(j, before, 0, &n, err) && n == want);
}

static bool write_something(journal_walk *w, journal *j, struct err *err)
{
    int die = below(w, 100);
    w->now += below(w, 10);
    if (w->m.rounds->len == 0 || die < 6)
        return start_round(w, j, err);
    if (die < 12)
        return end_or_extend_round(w, j, err);
    if (w->m.rows->len == 0 || die < 35)
        return plan_row(w, j, err);
    if (die < 80)
        return move_row(w, j, err);
    if (die < 88)
        return add_attempt(w, j, err);
    if (die < 93)
        return add_event(w, j, err);
    return die < 98 ? change_memory(w, j, err) : prune(w, j, err);
}

/* Takes a final row along an edge that there is not; the transaction must be refused. */
static bool spoil(journal_walk *w, journal *j)
{
    for (guint i = 0; i < w->m.rows->len; i++) {
        const struct model_row *row = row_at(w, i);
        if (migration_state_final(row->state) &&
            journal_row_state(j, row->kind, row->id, MIGRATION_STARTED, w->now, NULL, NULL))
            return false;
    }
    return true;
}

/* Ends a transaction that is not to be kept: refused or given up. False: something of it was taken. */
static bool give_up(journal_walk *w, journal *j)
{
    const struct journal_outcome o = {0};
    bool spoilt =
        spoil(w, j) && !journal_row_state(j, JOURNAL_SPLIT, 1 << 30, MIGRATION_STARTED, 0, &o, NULL);
    if (!spoilt || journal_commit(j, NULL))
        return false;
    return true;
}

bool journal_walk_step(journal_walk *w, journal *j, struct err *err)
{
    struct model before = model_copy(&w->m);
    int n = 1 + below(w, WRITES_MAX);
    bool kept = below(w, 10) > 0, alone = n == 1 && kept;
    bool ok = j == NULL || alone || journal_begin(j, err);
    for (int i = 0; ok && i < n; i++)
        ok = write_something(w, j, err);
    if (ok && j != NULL && !alone)
        ok = kept ? journal_commit(j, err) : give_up(w, j);
    if (!ok && j != NULL)
        journal_rollback(j);
    if (!ok || !kept) {
        struct model changed = w->m;
        w->m = before;
        before = changed;
    }
    model_clear(&before);
    return ok;
}

static int64_t last_of(const journal_walk *w, const struct model_round *r, int64_t at)
{
    int64_t last = r->started;
    for (guint i = 0; i < w->m.rows->len; i++) {
        const struct model_row *row = row_at(w, i);
        if (row->round == r->id)
            last = MAX(last, MAX(row->planned, MAX(row->started, row->ended)));
    }
    return MIN(last, at);
}

static bool recover(journal_walk *w, journal *j, struct err *err)
{
    uint32_t n = 0, want = 0;
    for (guint i = 0; i < w->m.rounds->len; i++) {
        struct model_round *r = round_at(w, i);
        if (r->state != ROUND_RUNNING)
            continue;
        r->state = ROUND_INTERRUPTED;
        r->ended = last_of(w, r, w->now);
        want++;
    }
    bool ok = j == NULL || (journal_rounds_interrupted(j, w->now, &n, err) && n == want);
    for (guint i = 0; ok && i < w->m.rows->len; i++) {
        struct model_row *row = row_at(w, i);
        if (row->state == MIGRATION_PLANNED)
            ok = set_state(w, j, row, MIGRATION_ABORTED, NULL, err);
        else if (row->state == MIGRATION_STARTED)
            ok = set_state(w, j, row, MIGRATION_UNKNOWN, NULL, err);
    }
    return ok;
}

bool journal_walk_restart(journal_walk *w, journal *j, struct err *err)
{
    struct model before = model_copy(&w->m);
    w->now += 50;
    bool ok =
        (j == NULL || journal_begin(j, err)) && recover(w, j, err) && (j == NULL || journal_commit(j, err));
    if (!ok) {
        struct model changed = w->m;
        w->m = before;
        before = changed;
    }
    model_clear(&before);
    return ok;
}

static void append_time(GString *out, int64_t t)
{
    g_string_append_printf(out, " %" G_GINT64_FORMAT, t == NEVER ? 0 : t);
}

static gint by_id(gconstpointer a, gconstpointer b)
{
    const struct model_row *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

char *journal_walk_expected(const journal_walk *w)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < w->m.rounds->len; i++) {
        const struct model_round *r = &g_array_index(w->m.rounds, struct model_round, i);
        g_string_append_printf(out, "round %d %s %u", (int)r->id, round_state_text(r->state), r->migrations);
        append_time(out, r->started);
        append_time(out, r->ended);
        g_string_append_c(out, '\n');
    }
    g_autoptr(GArray) rows = g_array_copy(w->m.rows);
    g_array_sort(rows, by_id);
    for (int kind = JOURNAL_MIGRATION; kind <= JOURNAL_SPLIT; kind++)
        for (guint i = 0; i < rows->len; i++) {
            const struct model_row *r = &g_array_index(rows, struct model_row, i);
            if ((int)r->kind != kind)
                continue;
            g_string_append_printf(out, "row%d %d %d %s %u %u %d '%s'", kind, (int)r->id, (int)r->round,
                                   migration_state_text(r->state), r->attempts, r->attempts, (int)r->bytes,
                                   r->message);
            append_time(out, r->planned);
            append_time(out, r->started);
            append_time(out, r->ended);
            g_string_append_c(out, '\n');
        }
    for (guint i = 0; i < w->m.events->len; i++) {
        const struct model_event *e = &g_array_index(w->m.events, struct model_event, i);
        g_string_append_printf(out, "event %d %d", (int)e->id, (int)e->round);
        append_time(out, e->at);
        g_string_append_c(out, '\n');
    }
    for (int i = 0; i < SETTINGS; i++)
        if (w->m.settings[i] != 0)
            g_string_append_printf(out, "setting name%d %d\n", i, w->m.settings[i]);
    if (w->m.balancer != 0)
        g_string_append_printf(out, "balancer %d\n", w->m.balancer);
    g_string_append(out, "ok\n");
    return g_string_free(out, FALSE);
}

char *journal_walk_found(const char *path)
{
#define ROWS(rows, row, n)                                                                                   \
    "SELECT 'row" n " ' || id || ' ' || round || ' ' || state || ' ' || attempts || ' ' ||"                  \
    " (SELECT count(*) FROM attempts WHERE " row " = m.id) || ' ' || bytes || ' ''' || ifnull(message, '')"  \
    " || ''' ' || planned_at || ' ' || ifnull(started_at, 0) || ' ' || ifnull(ended_at, 0) FROM " rows       \
    " m ORDER BY id"
    static const char *const queries[] = {
        "SELECT 'round ' || id || ' ' || state || ' ' || planned_migrations || ' ' || started_at || ' ' ||"
        " ifnull(ended_at, 0) FROM rounds ORDER BY id",
        ROWS("migrations", "migration", "0"),
        ROWS("splits", "split", "1"),
        "SELECT 'event ' || id || ' ' || ifnull(round, 0) || ' ' || at FROM events ORDER BY id",
        "SELECT 'setting ' || name || ' ' || value FROM settings ORDER BY name",
        "SELECT 'balancer ' || mode_before FROM builtin_balancer WHERE restored_at IS NULL",
        "PRAGMA integrity_check",
        "SELECT 'lost: ' || \"table\" FROM pragma_foreign_key_check",
        "SELECT 'change ' || n FROM (SELECT max(n) AS n FROM (SELECT max(change) AS n FROM rounds UNION ALL"
        " SELECT max(change) FROM migrations UNION ALL SELECT max(change) FROM splits))"
        " WHERE n > (SELECT change FROM counter)",
    };
    GString *out = g_string_new(NULL);
    sqlite3 *db = NULL;
    if (sqlite3_open(path, &db) != SQLITE_OK)
        g_error("%s: %s", path, sqlite3_errmsg(db));
    for (size_t i = 0; i < G_N_ELEMENTS(queries); i++) {
        sqlite3_stmt *stmt = NULL;
        if (sqlite3_prepare_v2(db, queries[i], -1, &stmt, NULL) != SQLITE_OK)
            g_error("%s: %s", queries[i], sqlite3_errmsg(db));
        int rc;
        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
            g_string_append_printf(out, "%s\n", sqlite3_column_text(stmt, 0));
        if (rc != SQLITE_DONE)
            g_string_append_printf(out, "error: %s\n", sqlite3_errmsg(db));
        sqlite3_finalize(stmt);
    }
    sqlite3_close(db);
    return g_string_free(out, FALSE);
}
