// SPDX-License-Identifier: Apache-2.0
/* The tables, the views for people, and how a file gets them: version by version. Comments inside the texts
 * are what `.schema` shows in the sqlite3 shell. A step that was released is never changed: a change is a new
 * step. */
#include "migrations/journal/journal_private.h"

#include <string.h>

#define TIME_TEXT(ms) "strftime('%Y-%m-%dT%H:%M:%SZ', " ms " / 1000, 'unixepoch')"
#define BYTES_TEXT(b)                                                                                        \
    "CASE WHEN " b " < 1024 THEN " b " || ' B' WHEN " b " < 1048576 THEN printf('%.1f KiB', " b              \
    " / 1024.0) WHEN " b " < 1073741824 THEN printf('%.1f MiB', " b " / 1048576.0) WHEN " b                  \
    " < 1099511627776 THEN printf('%.1f GiB', " b " / 1073741824.0) WHEN " b                                 \
    " IS NOT NULL THEN printf('%.2f TiB', " b " / 1099511627776.0) END"
/* Of milliseconds. */
#define TOOK_TEXT(ms)                                                                                        \
    "CASE WHEN " ms " < 60000 THEN printf('%.1f s', (" ms ") / 1000.0) WHEN " ms                             \
    " < 3600000 THEN printf('%d min %d s', (" ms ") / 60000, (" ms ") / 1000 % 60) WHEN " ms                 \
    " < 86400000 THEN printf('%d h %d min', (" ms ") / 3600000, (" ms ") / 60000 % 60) WHEN " ms             \
    " IS NOT NULL THEN printf('%d d %d h', (" ms ") / 86400000, (" ms ") / 3600000 % 24) END"
/* Names are stored as the cluster has them; an escape character would reach the terminal. */
#define CLEAN(name) "replace(" name ", char(27), '\\x1B')"

static const char cluster_1[] =
    "CREATE TABLE cluster (           -- the one that this journal belongs to\n"
    "  id INTEGER PRIMARY KEY CHECK (id = 1),\n"
    "  cluster_id TEXT NOT NULL, name TEXT NOT NULL,\n"
    "  claimed_at INTEGER NOT NULL    -- times are milliseconds since 1970, UTC\n"
    ") STRICT;\n"
    "CREATE TABLE counter (           -- the last `change` that was given to a row\n"
    "  id INTEGER PRIMARY KEY CHECK (id = 1), change INTEGER NOT NULL\n"
    ") STRICT;\n"
    "INSERT INTO counter VALUES (1, 0);\n"
    "CREATE TABLE settings (          -- what is remembered under a name\n"
    "  name TEXT PRIMARY KEY CHECK (name <> ''), value TEXT NOT NULL, changed_at INTEGER NOT NULL\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE TABLE builtin_balancer (  -- each time that we stopped the cluster's own balancer\n"
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "  mode_before TEXT NOT NULL, stopped_at INTEGER NOT NULL,\n"
    "  restored_at INTEGER            -- NULL: still to be restored\n"
    ") STRICT;\n"
    "CREATE UNIQUE INDEX builtin_balancer_stopped ON builtin_balancer (restored_at IS NULL)\n"
    "  WHERE restored_at IS NULL;\n";

static const char plans_1[] =
    "CREATE TABLE plans (             -- those that were approved\n"
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "  plan_id TEXT NOT NULL UNIQUE CHECK (plan_id <> ''), -- content hash\n"
    "  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'complete', 'abandoned')),\n"
    "  source TEXT, policy TEXT NOT NULL, who TEXT NOT NULL,\n"
    "  migrations INTEGER NOT NULL CHECK (migrations >= 0), splits INTEGER NOT NULL CHECK (splits >= 0),\n"
    "  bytes INTEGER NOT NULL, expected_seconds REAL NOT NULL,\n"
    "  approved_at INTEGER NOT NULL, closed_at INTEGER,\n"
    "  CHECK ((state = 'open') = (closed_at IS NULL))\n"
    ") STRICT;\n"
    "CREATE TABLE rounds (\n"
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "  kind TEXT NOT NULL CHECK (kind <> ''), -- apply, forced, scheduled\n"
    "  state TEXT NOT NULL\n"
    "    CHECK (state IN ('running', 'done', 'failed', 'cancelled', 'interrupted')),\n"
    "  change INTEGER NOT NULL,\n"
    "  plan INTEGER REFERENCES plans (id), -- NULL: of no approved plan\n"
    "  policy TEXT NOT NULL, who TEXT NOT NULL, reason TEXT,\n"
    "  planned_migrations INTEGER NOT NULL, planned_splits INTEGER NOT NULL,\n"
    "  planned_bytes INTEGER NOT NULL, planned_seconds REAL NOT NULL,\n"
    "  started_at INTEGER NOT NULL,\n"
    "  ended_at INTEGER,              -- of an interrupted one: the last that was heard of it\n"
    "  note TEXT,\n"
    "  CHECK ((state = 'running') = (ended_at IS NULL))\n"
    ") STRICT;\n"
    "CREATE INDEX rounds_started ON rounds (started_at);\n"
    "CREATE INDEX rounds_change ON rounds (change);\n"
    "CREATE INDEX rounds_plan ON rounds (plan) WHERE plan IS NOT NULL;\n"
    "CREATE INDEX rounds_ended ON rounds (ended_at);\n"
    "CREATE TABLE events (\n"
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "  at INTEGER NOT NULL, code TEXT NOT NULL CHECK (code <> ''),\n"
    "  round INTEGER REFERENCES rounds (id) ON DELETE SET NULL,\n"
    "  text TEXT NOT NULL\n"
    ") STRICT;\n"
    "CREATE INDEX events_at ON events (at);\n"
    "CREATE INDEX events_round ON events (round) WHERE round IS NOT NULL;\n";

/* Of a step, in the plan as in the rows. */
#define STEP_TABLE                                                                                           \
    "  ns TEXT NOT NULL, donor TEXT NOT NULL,\n"                                                             \
    "  min BLOB NOT NULL, max BLOB NOT NULL,  -- BSON; the range is [min, max)\n"                            \
    "  min_key BLOB, max_key BLOB,            -- the same, so that blobs compare as keys do\n"               \
    "  min_json TEXT NOT NULL, max_json TEXT NOT NULL,\n"                                                    \
    "  version TEXT, reason TEXT, zone TEXT, why TEXT,\n"                                                    \
    "  bytes INTEGER CHECK (bytes >= 0),      -- an estimate, until it is known; NULL: not known\n"
#define MIGRATION_TABLE                                                                                      \
    "  force_jumbo INTEGER NOT NULL CHECK (force_jumbo IN (0, 1)),\n"                                        \
    "  open_max INTEGER NOT NULL CHECK (open_max IN (0, 1)), -- 1: the donor chooses the end, at most max\n"
#define SPLIT_TABLE "  at BLOB NOT NULL, at_json TEXT NOT NULL, -- the points, as a BSON array\n"
#define ROW_TABLE                                                                                            \
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"                                                              \
    "  round INTEGER NOT NULL REFERENCES rounds (id) ON DELETE CASCADE,\n"                                   \
    "  plan INTEGER REFERENCES plans (id), step INTEGER, -- NULL: of no approved plan\n"                     \
    "  state TEXT NOT NULL\n"                                                                                \
    "    CHECK (state IN ('planned', 'started', 'committed', 'failed', 'aborted', 'unknown')),\n"            \
    "  change INTEGER NOT NULL,               -- grows with every write of any row\n"                        \
    "  planned_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER,\n"                                 \
    "  attempts INTEGER NOT NULL DEFAULT 0,   -- commands that were sent\n"                                  \
    "  code INTEGER, verdict TEXT, message TEXT,\n"
/* Ends with what the row's dates must be in each state. */
#define ROW_CHECKS                                                                                           \
    "  CHECK ((state IN ('committed', 'failed', 'aborted')) = (ended_at IS NOT NULL)),\n"                    \
    "  CHECK (state <> 'planned' OR started_at IS NULL),\n"                                                  \
    "  CHECK (state IN ('planned', 'aborted') OR started_at IS NOT NULL),\n"                                 \
    "  CHECK (min_key < max_key)\n"                                                                          \
    ") STRICT;\n"
#define ROW_INDEXES(rows)                                                                                    \
    "CREATE INDEX " rows "_round ON " rows " (round, state, bytes);\n"                                       \
    "CREATE INDEX " rows "_plan ON " rows " (plan, step) WHERE plan IS NOT NULL;\n"                          \
    "CREATE INDEX " rows "_planned ON " rows " (planned_at);\n"                                              \
    "CREATE INDEX " rows "_change ON " rows " (change);\n"                                                   \
    "CREATE INDEX " rows "_open ON " rows " (planned_at) WHERE ended_at IS NULL;\n"

static const char plan_steps_1[] =
    "CREATE TABLE plan_steps (        -- as approved\n"
    "  plan INTEGER NOT NULL REFERENCES plans (id) ON DELETE CASCADE,\n"
    "  step INTEGER NOT NULL CHECK (step > 0),\n"
    "  kind TEXT NOT NULL CHECK (kind IN ('migration', 'split')),\n" STEP_TABLE
    "  recipient TEXT, at BLOB, at_json TEXT,\n" MIGRATION_TABLE "  PRIMARY KEY (plan, step),\n"
    "  CHECK ((kind = 'split') = (at IS NOT NULL)),\n"
    "  CHECK ((kind = 'migration') = (recipient IS NOT NULL)),\n"
    "  CHECK (min_key < max_key)\n"
    ") STRICT, WITHOUT ROWID;\n";

static const char migrations_1[] =
    "CREATE TABLE migrations (\n" ROW_TABLE STEP_TABLE
    "  recipient TEXT NOT NULL,\n" MIGRATION_TABLE ROW_CHECKS ROW_INDEXES(
        "migrations") "CREATE INDEX migrations_committed ON migrations (ended_at) WHERE state = "
                      "'committed';\n"
                      "CREATE INDEX migrations_way ON migrations (ns, donor, recipient, ended_at)\n"
                      "  WHERE state = 'committed';\n";

static const char splits_1[] =
    "CREATE TABLE splits (\n" ROW_TABLE STEP_TABLE SPLIT_TABLE ROW_CHECKS ROW_INDEXES("splits");

static const char attempts_1[] =
    "CREATE TABLE attempts (          -- one command that was sent, and what came back\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  migration INTEGER REFERENCES migrations (id) ON DELETE CASCADE,\n"
    "  split INTEGER REFERENCES splits (id) ON DELETE CASCADE,\n"
    "  number INTEGER NOT NULL CHECK (number > 0),\n"
    "  started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,\n"
    "  ok INTEGER NOT NULL CHECK (ok IN (0, 1)),\n"
    "  code INTEGER, code_name TEXT, verdict TEXT, message TEXT,\n"
    "  CHECK ((migration IS NULL) <> (split IS NULL))\n"
    ") STRICT;\n"
    "CREATE UNIQUE INDEX attempts_migration ON attempts (migration, number) WHERE migration IS NOT NULL;\n"
    "CREATE UNIQUE INDEX attempts_split ON attempts (split, number) WHERE split IS NOT NULL;\n";

#define COUNT_ROWS(rows, states)                                                                             \
    "(SELECT count(*) FROM " rows " m WHERE m.round = r.id AND m.state " states ")"
#define MOVED "(SELECT sum(m.bytes) FROM migrations m WHERE m.round = r.id AND m.state = 'committed')"
#define VIEW_ROW                                                                                             \
    " m.id, m.round, m.state, " CLEAN(                                                                       \
        "m.ns") " AS ns,"                                                                                    \
                " '[' || m.min_json || ', ' || m.max_json || ')' AS range, " CLEAN("m.donor") " AS donor,"
#define VIEW_TIMES                                                                                           \
    " " TIME_TEXT("m.planned_at") " AS planned, " TIME_TEXT("m.started_at") " AS started, " TIME_TEXT(       \
        "m.ended_at") " AS ended, " TOOK_TEXT("m.ended_at - m.started_at") " AS took, m.attempts,"           \
                                                                           " m.reason, " CLEAN(              \
                                                                               "m.zone") " AS zone, "        \
                                                                                         "m.code, "          \
                                                                                         "m.verdict, "       \
                                                                                         "m.message, m.why," \
                                                                                         " (SELECT "         \
                                                                                         "p.plan_id FROM "   \
                                                                                         "plans p WHERE "    \
                                                                                         "p.id = m.plan) "   \
                                                                                         "AS plan_id, "      \
                                                                                         "m.step"

static const char view_rounds_1[] =
    "CREATE VIEW v_rounds AS -- for people\n"
    "  SELECT id, kind, state, " TIME_TEXT("started_at") " AS started, " TIME_TEXT(
        "ended_at") " AS ended, " TOOK_TEXT("ended_at - started_at") " AS took, planned_migrations, "
                                                                     "committed, failed, aborted, "
                                                                     "open,"
                                                                     " planned_splits, "
                                                                     "splits, " BYTES_TEXT(
                                                                         "planned_"
                                                                         "bytes") " AS "
                                                                                  "planned_data,"
                                                                                  " " BYTES_TEXT(
                                                                                      "bytes") " AS data,"
                                                                                               " policy, "
                                                                                               "(SELECT "
                                                                                               "p.plan_id "
                                                                                               "FROM "
                                                                                               "plans p "
                                                                                               "WHERE "
                                                                                               "p.id = plan) "
                                                                                               "AS "
                                                                                               "plan_id, "
                                                                                               "who, "
                                                                                               "reason, note "
                                                                                               "FROM (SELECT "
                                                                                               "*,"
                                                                                               " " COUNT_ROWS("migrations", "= 'committed'") " AS committed, " COUNT_ROWS("migrations", "= 'failed'") " AS failed, " COUNT_ROWS(
                                                                                                   "migration"
                                                                                                   "s",
                                                                                                   "= "
                                                                                                   "'aborted"
                                                                                                   "'") " AS "
                                                                                                        "abor"
                                                                                                        "ted,"
                                                                                                        " " COUNT_ROWS(
                                                                                                            "migrations",
                                                                                                            "IN "
                                                                                                            "('planned', "
                                                                                                            "'started', "
                                                                                                            "'unknown')") " AS open, " COUNT_ROWS("splits",
                                                                                                                                                  "= 'committed'") " AS splits, " MOVED
                                                                                                                                                                   " AS bytes FROM rounds r);\n";

static const char view_migrations_1[] =
    "CREATE VIEW v_migrations AS -- for people\n"
    "  SELECT" VIEW_ROW
    " " CLEAN("m.recipient") " AS recipient, " BYTES_TEXT("m.bytes") " AS data," VIEW_TIMES
                                                                     " FROM migrations m;\n";

static const char view_splits_1[] = "CREATE VIEW v_splits AS -- for people\n"
                                    "  SELECT" VIEW_ROW " m.at_json AS at," VIEW_TIMES " FROM splits m;\n";

static const char *const step_1[] = {cluster_1,  plans_1,       plan_steps_1,      migrations_1,  splits_1,
                                     attempts_1, view_rounds_1, view_migrations_1, view_splits_1, NULL};

const char *const *const schema_steps[] = {step_1};
const int schema_version = G_N_ELEMENTS(schema_steps);

static bool number_of(journal *j, const char *text, int64_t *ret, struct err *err)
{
    g_auto(sql) q = {0};
    return sql_open_once(j, text, &q, err) && sql_number(&q, 0, ret, err);
}

bool schema_identify(journal *j, int *ret_version, struct err *err)
{
    int64_t application, version, objects;
    if (!number_of(j, "PRAGMA application_id", &application, err) ||
        !number_of(j, "PRAGMA user_version", &version, err) ||
        !number_of(j, "SELECT count(*) FROM sqlite_schema", &objects, err))
        return false;
    bool empty = application == 0 && version == 0 && objects == 0;
    if (!empty && (application != JOURNAL_APPLICATION_ID || version < 1))
        return err_set(err, ERR_DATA,
                       "'%s' is an SQLite file of another program (application_id %" G_GINT64_FORMAT
                       "), not a journal; it was left as it is: name another file (journal.path)",
                       j->path, application);
    if (version > schema_version)
        return err_set(
            err, ERR_DATA,
            "journal '%s' was written by a newer evenkeel (schema %" G_GINT64_FORMAT
            ", this version knows up to %d); use that version, or name another file (journal.path)",
            j->path, version, schema_version);
    *ret_version = (int)version;
    return true;
}

/* One step and the numbers that say that it was made, all or nothing. */
static bool apply_step(journal *j, int version, const char *const *texts, struct err *err)
{
    g_autofree char *numbers = g_strdup_printf("PRAGMA user_version = %d; PRAGMA application_id = %d",
                                               version, JOURNAL_APPLICATION_ID);
    if (!journal_begin(j, err))
        return false;
    for (; *texts != NULL; texts++)
        if (!sql_exec(j, *texts, err))
            break;
    if (*texts == NULL && sql_exec(j, numbers, err) && journal_commit(j, err))
        return true;
    journal_rollback(j);
    return false;
}

bool schema_apply(journal *j, int version, const char *const *const *steps, int n, struct err *err)
{
    for (; version < n; version++)
        if (!apply_step(j, version + 1, steps[version], err))
            return err_wrap(err, "bringing the schema to version %d", version + 1);
    return true;
}
