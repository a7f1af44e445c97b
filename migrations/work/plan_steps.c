// SPDX-License-Identifier: Apache-2.0
#include "migrations/work/plan_steps.h"

#include <string.h>

struct coll_record {
    char *ns;
    const char *key; /* NULL: damaged metadata; nothing can be done to it */
};
static const struct field coll_fields[] = {
    {"ns", FIELD_TEXT, offsetof(struct coll_record, ns)},
    {"shardKey", FIELD_MAY_DOCUMENT, offsetof(struct coll_record, key)},
};

struct round_record {
    uint32_t number;
    const char *splits, *migrations;
};
static const struct field round_fields[] = {
    {"round", FIELD_COUNT, offsetof(struct round_record, number)},
    {"splits", FIELD_ARRAY, offsetof(struct round_record, splits)},
    {"migrations", FIELD_ARRAY, offsetof(struct round_record, migrations)},
};

/* A split or a migration; what the other one has stays zero. */
struct step_record {
    uint32_t id;
    char *ns, *from, *to, *version, *reason, *zone, *why;
    const char *min, *max, *at;
    int64_t bytes;
    bool force_jumbo, open_min, open_max;
};
static const struct field split_fields[] = {
    {"ns", FIELD_TEXT, offsetof(struct step_record, ns)},
    {"min", FIELD_DOCUMENT, offsetof(struct step_record, min)},
    {"max", FIELD_DOCUMENT, offsetof(struct step_record, max)},
    {"at", FIELD_ARRAY, offsetof(struct step_record, at)},
    {"shard", FIELD_TEXT, offsetof(struct step_record, from)},
    {"version", FIELD_TEXT, offsetof(struct step_record, version)},
    {"reason", FIELD_TEXT, offsetof(struct step_record, reason)},
};
static const struct field move_fields[] = {
    {"id", FIELD_COUNT, offsetof(struct step_record, id)},
    {"ns", FIELD_TEXT, offsetof(struct step_record, ns)},
    {"min", FIELD_DOCUMENT, offsetof(struct step_record, min)},
    {"max", FIELD_DOCUMENT, offsetof(struct step_record, max)},
    {"openMin", FIELD_BOOL, offsetof(struct step_record, open_min)},
    {"openMax", FIELD_BOOL, offsetof(struct step_record, open_max)},
    {"from", FIELD_TEXT, offsetof(struct step_record, from)},
    {"to", FIELD_TEXT, offsetof(struct step_record, to)},
    {"version", FIELD_TEXT, offsetof(struct step_record, version)},
    {"reason", FIELD_TEXT, offsetof(struct step_record, reason)},
    {"zone", FIELD_MAY_TEXT, offsetof(struct step_record, zone)},
    {"bytes", FIELD_BYTES, offsetof(struct step_record, bytes)},
    {"forceJumbo", FIELD_BOOL, offsetof(struct step_record, force_jumbo)},
    {"why", FIELD_MAY_TEXT, offsetof(struct step_record, why)},
};

/* A collection of the file; its copy in the work is made when the first step needs it. */
struct listed {
    const char *key;
    int64_t index;
    const struct work_collection *copy;
};

struct steps {
    struct plan_reader *r;
    GHashTable *listed; /* ns -> struct listed */
    work *w;
};

static bool fault_at(struct plan_reader *r, const char *name, struct err *err, const char *what)
{
    gsize before = place_enter(r, name, -1);
    place_fault(r, err, "%s", what);
    place_leave(r, before);
    return false;
}

static bool list_collection(struct steps *s, const char *value, int64_t index, struct err *err)
{
    struct coll_record c = {0};
    bool ok = record_read(s->r, value, coll_fields, G_N_ELEMENTS(coll_fields), &c, err);
    if (ok && g_hash_table_contains(s->listed, c.ns)) {
        ok = fault_at(s->r, "ns", err, "this collection is listed twice");
    } else if (ok) {
        struct listed *l = g_new0(struct listed, 1);
        *l = (struct listed){.key = c.key, .index = index};
        g_hash_table_insert(s->listed, g_steal_pointer(&c.ns), l);
    }
    record_clear(coll_fields, G_N_ELEMENTS(coll_fields), &c);
    return ok;
}

static const struct work_collection *copy_listed(struct steps *s, const char *ns, const struct listed *l,
                                                 struct err *err)
{
    g_autoptr(GString) there = g_string_new(NULL);
    struct plan_reader r = {.name = s->r->name, .place = there};
    struct err why = {0};
    place_enter(&r, "collections", l->index);
    place_enter(&r, "shardKey", -1);
    bson_t *key = place_document(&r, l->key, err);
    if (key == NULL)
        return NULL;
    const struct work_collection *c = work_add_collection(s->w, ns, key, &why);
    bson_destroy(key);
    if (c == NULL)
        place_fault(&r, err, "%s", why.msg);
    return c;
}

static const struct work_collection *find_collection(struct steps *s, const char *ns, struct err *err)
{
    struct listed *l = g_hash_table_lookup(s->listed, ns);
    if (l == NULL || l->key == NULL) {
        fault_at(s->r, "ns", err,
                 l == NULL ? "this collection is not among the collections" : "its shard key is not known");
        return NULL;
    }
    if (l->copy == NULL)
        l->copy = copy_listed(s, ns, l, err);
    return l->copy;
}

/* A bound and its encoding, both owned by the caller. */
static bool read_bound(struct plan_reader *r, const char *value, const struct work_collection *coll,
                       bson_t **ret, GBytes **ret_enc, struct err *err)
{
    struct err why = {0};
    *ret = place_document(r, value, err);
    if (*ret == NULL)
        return false;
    *ret_enc = step_encode(coll, *ret, &why);
    return *ret_enc != NULL || place_fault(r, err, "%s", why.msg);
}

static bool read_range(struct plan_reader *r, const struct step_record *x, struct work_step *s,
                       struct err *err)
{
    gsize before = place_enter(r, "min", -1);
    bool ok = read_bound(r, x->min, s->coll, &s->min, &s->enc_min, err);
    place_leave(r, before);
    if (!ok)
        return false;
    before = place_enter(r, "max", -1);
    ok = read_bound(r, x->max, s->coll, &s->max, &s->enc_max, err);
    if (ok && g_bytes_compare(s->enc_min, s->enc_max) >= 0)
        ok = place_fault(r, err, "it is not above min");
    place_leave(r, before);
    return ok;
}

/* Reads one point; *last, the one before it (or min), becomes it. */
static bool read_point(struct plan_reader *r, const char *value, struct work_step *s, GBytes **last,
                       struct err *err)
{
    g_autoptr(GBytes) enc = NULL;
    bson_t *point = NULL;
    bool ok = *value == '{' || place_fault(r, err, "this must be a document");
    ok = ok && read_bound(r, value, s->coll, &point, &enc, err);
    if (ok && (g_bytes_compare(*last, enc) >= 0 || g_bytes_compare(enc, s->enc_max) >= 0))
        ok = place_fault(r, err, "it is not between the bound before it and max");
    if (!ok) {
        if (point != NULL)
            bson_destroy(point);
        return false;
    }
    g_ptr_array_add(s->at, point);
    g_bytes_unref(*last);
    *last = g_steal_pointer(&enc);
    return true;
}

static bool read_points(struct plan_reader *r, const char *array, struct work_step *s, struct err *err)
{
    struct view_items it = view_items(array);
    GBytes *last = g_bytes_ref(s->enc_min);
    bool ok = true;
    for (int64_t i = 0; ok && view_next(&it); i++) {
        gsize before = place_enter(r, "at", i);
        ok = read_point(r, it.value, s, &last, err);
        place_leave(r, before);
    }
    g_bytes_unref(last);
    return ok && (s->at->len > 0 || fault_at(r, "at", err, "there is no point to split at"));
}

static bool skip_number(const char **p)
{
    gsize digits = strspn(*p, "0123456789");
    *p += digits;
    return digits > 0 && digits <= 10;
}

static bool skip_text(const char **p, const char *text)
{
    if (!g_str_has_prefix(*p, text))
        return false;
    *p += strlen(text);
    return true;
}

/* "2|5||epoch", "2|5||epoch||Timestamp(t, i)": see collection_version_text(). */
static bool is_version(const char *p)
{
    if (!skip_number(&p) || !skip_text(&p, "|") || !skip_number(&p) || !skip_text(&p, "||"))
        return false;
    if (strspn(p, "0123456789abcdef") != 24)
        return false;
    p += 24;
    if (*p == '\0')
        return true;
    return skip_text(&p, "||Timestamp(") && skip_number(&p) && skip_text(&p, ", ") && skip_number(&p) &&
           strcmp(p, ")") == 0;
}

static bool is_reason(enum work_kind kind, const char *word)
{
    if (kind == WORK_SPLIT)
        return strcmp(word, split_reason_text(SPLIT_ZONE_BOUNDARY)) == 0 ||
               strcmp(word, split_reason_text(SPLIT_SESSIONS)) == 0;
    for (int i = 0; i < MOVE_REASON_COUNT; i++)
        if (strcmp(word, move_reason_text((enum move_reason)i)) == 0)
            return true;
    return false;
}

static bool check_words(struct plan_reader *r, enum work_kind kind, const struct step_record *x,
                        struct err *err)
{
    if (!is_version(x->version))
        return fault_at(r, "version", err, "not a chunk's version, \"major|minor||epoch\"");
    if (!is_reason(kind, x->reason))
        return fault_at(r, "reason", err, "not a reason that this version of evenkeel knows");
    if (x->to != NULL && strcmp(x->from, x->to) == 0)
        return fault_at(r, "to", err, "the recipient is the donor");
    return true;
}

/* Takes the record's texts over. */
static bool add_step(struct steps *st, enum work_kind kind, uint32_t round, struct step_record *x,
                     struct err *err)
{
    const struct work_collection *coll = find_collection(st, x->ns, err);
    if (coll == NULL || !check_words(st->r, kind, x, err))
        return false;
    struct work_step *s = step_new(kind, coll);
    s->round = round;
    if (!read_range(st->r, x, s, err) || (kind == WORK_SPLIT && !read_points(st->r, x->at, s, err))) {
        step_free(s);
        return false;
    }
    s->from = g_steal_pointer(&x->from);
    s->to = g_steal_pointer(&x->to);
    s->version = g_steal_pointer(&x->version);
    s->reason = g_steal_pointer(&x->reason);
    s->zone = g_steal_pointer(&x->zone);
    s->why = g_steal_pointer(&x->why);
    s->bytes = kind == WORK_SPLIT ? SIZE_UNKNOWN : x->bytes;
    s->force_jumbo = x->force_jumbo;
    s->open_min = x->open_min;
    s->open_max = x->open_max;
    work_add(st->w, s);
    return true;
}

static bool read_split(struct steps *st, const char *value, uint32_t round, struct err *err)
{
    struct step_record x = {0};
    bool ok = record_read(st->r, value, split_fields, G_N_ELEMENTS(split_fields), &x, err) &&
              add_step(st, WORK_SPLIT, round, &x, err);
    record_clear(split_fields, G_N_ELEMENTS(split_fields), &x);
    return ok;
}

static bool read_move(struct steps *st, const char *value, uint32_t round, struct err *err)
{
    struct step_record x = {0};
    bool ok = record_read(st->r, value, move_fields, G_N_ELEMENTS(move_fields), &x, err);
    if (ok && x.id != st->w->n_migrations + 1)
        ok = fault_at(st->r, "id", err, "migrations must be numbered 1, 2, 3, ... over all rounds");
    ok = ok && add_step(st, WORK_MOVE, round, &x, err);
    record_clear(move_fields, G_N_ELEMENTS(move_fields), &x);
    return ok;
}

static bool read_list(struct steps *st, const char *name, const char *array, uint32_t round,
                      bool (*read)(struct steps *, const char *, uint32_t, struct err *), struct err *err)
{
    struct view_items it = view_items(array);
    bool ok = true;
    for (int64_t i = 0; ok && view_next(&it); i++) {
        gsize before = place_enter(st->r, name, i);
        ok = read(st, it.value, round, err);
        place_leave(st->r, before);
    }
    return ok;
}

static bool read_round(struct steps *st, const char *value, struct err *err)
{
    struct round_record x = {0};
    if (!record_read(st->r, value, round_fields, G_N_ELEMENTS(round_fields), &x, err))
        return false;
    if (x.number != st->w->n_rounds + 1)
        return fault_at(st->r, "round", err, "rounds must be numbered 1, 2, 3, ...");
    st->w->n_rounds = x.number;
    return read_list(st, "splits", x.splits, x.number, read_split, err) &&
           read_list(st, "migrations", x.migrations, x.number, read_move, err);
}

bool plan_steps_read(struct plan_reader *r, const char *collections, const char *rounds, work *w,
                     struct err *err)
{
    g_autoptr(GHashTable) listed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    struct steps st = {.r = r, .listed = listed, .w = w};
    struct view_items it = view_items(collections);
    bool ok = true;
    for (int64_t i = 0; ok && view_next(&it); i++) {
        gsize before = place_enter(r, "collections", i);
        ok = list_collection(&st, it.value, i, err);
        place_leave(r, before);
    }
    it = view_items(rounds);
    for (int64_t i = 0; ok && view_next(&it); i++) {
        gsize before = place_enter(r, "rounds", i);
        ok = read_round(&st, it.value, err);
        place_leave(r, before);
    }
    return ok;
}
