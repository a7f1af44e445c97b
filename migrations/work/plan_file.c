// SPDX-License-Identifier: Apache-2.0
/* The text is checked as JSON first, as a whole; then its parts are taken in the order in which they need
 * each other, wherever they stand in the file; at the end the content is hashed. */
#include "migrations/work/plan_file.h"

#include "migrations/work/plan_record.h"
#include "migrations/work/plan_steps.h"
#include "migrations/work/work_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SCHEMA_VERSION = 1, READ_FIRST = 64 * 1024, ID_DIGITS = 64 };

struct head {
    char *plan_id;
    const char *source, *policy, *collections, *rounds, *summary;
};
static const struct field head_fields[] = {
    {"planId", FIELD_TEXT, offsetof(struct head, plan_id)},
    {"source", FIELD_DOCUMENT, offsetof(struct head, source)},
    {"policy", FIELD_DOCUMENT, offsetof(struct head, policy)},
    {"collections", FIELD_ARRAY, offsetof(struct head, collections)},
    {"rounds", FIELD_ARRAY, offsetof(struct head, rounds)},
    {"summary", FIELD_DOCUMENT, offsetof(struct head, summary)},
};

struct summary {
    uint32_t migrations, splits, rounds;
    int64_t bytes;
    const char *time;
};
static const struct field summary_fields[] = {
    {"migrations", FIELD_COUNT, offsetof(struct summary, migrations)},
    {"splits", FIELD_COUNT, offsetof(struct summary, splits)},
    {"rounds", FIELD_COUNT, offsetof(struct summary, rounds)},
    {"bytes", FIELD_BYTES, offsetof(struct summary, bytes)},
    {"time", FIELD_DOCUMENT, offsetof(struct summary, time)},
};
static const struct field time_fields[] = {
    {"expectedSeconds", FIELD_SECONDS, offsetof(work, expected_seconds)},
    {"lowSeconds", FIELD_SECONDS, offsetof(work, low_seconds)},
    {"highSeconds", FIELD_SECONDS, offsetof(work, high_seconds)},
};
static const struct field policy_fields[] = {{"name", FIELD_TEXT, offsetof(work, policy)}};
static const struct field source_fields[] = {{"name", FIELD_MAY_TEXT, offsetof(work, source)}};

/* Before anything else: what another schema means by its keys is not known. */
static bool check_schema(struct plan_reader *r, const char *doc, struct err *err)
{
    uint32_t version = 0;
    static const struct field fields[] = {{"schemaVersion", FIELD_COUNT, 0}};
    if (!record_read(r, doc, fields, 1, &version, NULL))
        return place_fault(r, err, "not a plan as 'evenkeel plan --format json' writes it: no schemaVersion");
    if (version == SCHEMA_VERSION)
        return true;
    return place_fault(r, err,
                       "schemaVersion is %u, and this version of evenkeel knows %d alone; make the plan anew",
                       (unsigned)version, (int)SCHEMA_VERSION);
}

/* A plan that takes shards as draining, or weighs them, may be carried out: it moves what is there to shards
 * that are there. One for shards or zones that the cluster has not may not, and so with wishes that nobody
 * knows. */
static bool check_wish(struct plan_reader *r, const char *wish, struct err *err)
{
    static const struct field fields[] = {{"kind", FIELD_TEXT, 0}};
    g_autofree char *kind = NULL;
    if (!record_read(r, wish, fields, 1, &kind, err))
        return false;
    if (strcmp(kind, "drain") == 0 || strcmp(kind, "weight") == 0)
        return true;
    return place_fault(r, err,
                       "this plan asks what if the cluster had %s, which it has not; make that change to the "
                       "cluster, then a new plan",
                       strcmp(kind, "addShard") == 0 ? "one more shard"
                       : strcmp(kind, "zones") == 0  ? "other zones"
                                                     : "another state");
}

static bool check_wishes(struct plan_reader *r, const char *doc, struct err *err)
{
    struct view_items it = view_items(doc);
    while (view_next(&it)) {
        if (!view_key_is(it.key, "whatIf"))
            continue;
        if (view_kind(it.value) != '[')
            return place_fault(r, err, "whatIf: this must be an array");
        struct view_items wishes = view_items(it.value);
        for (int64_t i = 0; view_next(&wishes); i++) {
            gsize before = place_enter(r, "whatIf", i);
            bool ok = check_wish(r, wishes.value, err);
            place_leave(r, before);
            if (!ok)
                return false;
        }
    }
    return true;
}

static bool check_id(struct plan_reader *r, const char *id, struct err *err)
{
    if (strlen(id) == ID_DIGITS && strspn(id, "0123456789abcdef") == ID_DIGITS)
        return true;
    return place_fault(r, err, "planId: this must be %d hexadecimal digits", (int)ID_DIGITS);
}

static bool read_part(struct plan_reader *r, const char *name, const char *value, const struct field *fields,
                      size_t n, void *ret, struct err *err)
{
    gsize before = place_enter(r, name, -1);
    bool ok = record_read(r, value, fields, n, ret, err);
    place_leave(r, before);
    return ok;
}

static bool check_sum(struct plan_reader *r, const char *what, int64_t told, int64_t found, struct err *err)
{
    if (told == found)
        return true;
    return place_fault(r, err, "summary.%s is %" G_GINT64_FORMAT ", but the rounds have %" G_GINT64_FORMAT,
                       what, told, found);
}

static bool read_summary(struct plan_reader *r, const char *value, work *w, struct err *err)
{
    struct summary s = {0};
    return read_part(r, "summary", value, summary_fields, G_N_ELEMENTS(summary_fields), &s, err) &&
           read_part(r, "summary.time", s.time, time_fields, G_N_ELEMENTS(time_fields), w, err) &&
           check_sum(r, "migrations", s.migrations, w->n_migrations, err) &&
           check_sum(r, "splits", s.splits, w->n_splits, err) &&
           check_sum(r, "rounds", s.rounds, w->n_rounds, err) &&
           check_sum(r, "bytes", MAX(s.bytes, 0), w->bytes, err);
}

static bool check_content(struct plan_reader *r, const work *w, struct err *err)
{
    g_autofree char *id = work_content_id(w);
    if (strcmp(id, w->plan_id) == 0)
        return true;
    return place_fault(r, err,
                       "planId is not the hash of what the plan does: the file was changed after it was made "
                       "(or a key in it is of a kind that JSON cannot carry); make the plan anew");
}

static bool read_parts(struct plan_reader *r, struct head *h, work *w, struct err *err)
{
    if (!check_id(r, h->plan_id, err))
        return false;
    w->plan_id = g_steal_pointer(&h->plan_id);
    return read_part(r, "policy", h->policy, policy_fields, G_N_ELEMENTS(policy_fields), w, err) &&
           read_part(r, "source", h->source, source_fields, G_N_ELEMENTS(source_fields), w, err) &&
           plan_steps_read(r, h->collections, h->rounds, w, err) && read_summary(r, h->summary, w, err) &&
           check_content(r, w, err);
}

bool plan_file_parse(const char *name, const char *text, gsize len, work **ret, struct err *err)
{
    g_autoptr(work) w = work_new();
    g_autoptr(GString) place = g_string_new(NULL);
    struct plan_reader r = {.name = name, .place = place};
    struct head h = {0};
    const char *doc;
    if (len > PLAN_FILE_MAX)
        return err_set(err, ERR_DATA, "%s: larger than a plan may be (%d MiB)", name, PLAN_FILE_MAX >> 20);
    if (!view_check(text, len, &doc, err))
        return err_wrap(err, "%s: not a plan in JSON", name);
    bool ok = check_schema(&r, doc, err) && check_wishes(&r, doc, err) &&
              record_read(&r, doc, head_fields, G_N_ELEMENTS(head_fields), &h, err) &&
              read_parts(&r, &h, w, err);
    record_clear(head_fields, G_N_ELEMENTS(head_fields), &h);
    if (ok)
        *ret = g_steal_pointer(&w);
    return ok;
}

/* All of it, one byte more than allowed at most. NULL: `errno` tells. */
static char *read_all(FILE *f, gsize *ret_len)
{
    gsize room = READ_FIRST, len = 0;
    g_autofree char *text = g_malloc(room);
    for (;;) {
        len += fread(text + len, 1, room - len, f);
        if (ferror(f))
            return NULL;
        if (len < room || len > PLAN_FILE_MAX)
            break;
        room = MIN(room * 2, (gsize)PLAN_FILE_MAX + 1);
        text = g_realloc(text, room);
    }
    *ret_len = len;
    return g_steal_pointer(&text);
}

bool plan_file_read(const char *path, work **ret, struct err *err)
{
    bool from_stdin = strcmp(path, "-") == 0;
    const char *name = from_stdin ? "standard input" : path;
    FILE *f = from_stdin ? stdin : fopen(path, "re");
    if (f == NULL)
        return err_set(err, ERR_NO_INPUT, "%s: cannot open the plan: %s", name, g_strerror(errno));
    gsize len = 0;
    errno = 0;
    g_autofree char *text = read_all(f, &len);
    int why = errno;
    if (!from_stdin)
        fclose(f);
    if (text == NULL)
        return err_set(err, ERR_NO_INPUT, "%s: cannot read the plan: %s", name, g_strerror(why));
    return plan_file_parse(name, text, len, ret, err);
}
