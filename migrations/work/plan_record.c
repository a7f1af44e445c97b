// SPDX-License-Identifier: Apache-2.0
#include "migrations/work/plan_record.h"

#include "balancer/key/show.h"

#include <math.h>
#include <string.h>

enum { FIELDS_MAX = 32 };

gsize place_enter(struct plan_reader *r, const char *name, int64_t index)
{
    gsize before = r->place->len;
    if (before > 0 && name != NULL)
        g_string_append_c(r->place, '.');
    if (name != NULL)
        g_string_append(r->place, name);
    if (index >= 0)
        g_string_append_printf(r->place, "[%" G_GINT64_FORMAT "]", index);
    return before;
}

void place_leave(struct plan_reader *r, gsize before)
{
    g_string_truncate(r->place, before);
}

bool place_fault(struct plan_reader *r, struct err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    return err_set(err, ERR_DATA, "%s: %s%s%s", r->name, r->place->str, r->place->len > 0 ? ": " : "", what);
}

bson_t *place_document(struct plan_reader *r, const char *value, struct err *err)
{
    g_autofree char *json = g_strndup(value, (gsize)(view_end(value) - value));
    struct err why = {0};
    bson_t doc;
    if (!key_parse_doc(json, &doc, &why)) {
        place_fault(r, err, "%s", why.msg);
        return NULL;
    }
    bson_t *ret = bson_copy(&doc);
    bson_destroy(&doc);
    return ret;
}

static bool read_bool(const char *value, bool *ret)
{
    *ret = *value == 't';
    return *value == 't' || *value == 'f';
}

static bool read_count(const char *value, uint32_t *ret)
{
    int64_t n;
    if (!view_int64(value, &n) || n < 0 || n > UINT32_MAX)
        return false;
    *ret = (uint32_t)n;
    return true;
}

static bool read_text(const char *value, char **ret)
{
    *ret = view_text(value);
    return *ret != NULL && **ret != '\0';
}

static bool read_bytes(const char *value, int64_t *ret)
{
    if (view_kind(value) == 'n') {
        *ret = -1;
        return true;
    }
    return view_int64(value, ret) && *ret >= 0;
}

/* Writes the value where the field belongs; false: it is not of that kind. */
static bool read_field(const char *value, enum field_kind kind, void *to)
{
    bool null = view_kind(value) == 'n';
    switch (kind) {
    case FIELD_TEXT:
        return read_text(value, to);
    case FIELD_MAY_TEXT:
        return null || read_text(value, to);
    case FIELD_COUNT:
        return read_count(value, to);
    case FIELD_BYTES:
        return read_bytes(value, to);
    case FIELD_SECONDS:
        return view_real(value, to) && isfinite(*(double *)to) && *(double *)to >= 0;
    case FIELD_BOOL:
        return read_bool(value, to);
    case FIELD_MAY_DOCUMENT:
        *(const char **)to = null ? NULL : value;
        return null || *value == '{';
    case FIELD_DOCUMENT:
        *(const char **)to = value;
        return *value == '{';
    default:
        *(const char **)to = value;
        return *value == '[';
    }
}

static const char *kind_text(enum field_kind kind)
{
    static const char *const texts[] = {
        [FIELD_TEXT] = "a text that is not empty",
        [FIELD_MAY_TEXT] = "a text that is not empty, or null",
        [FIELD_COUNT] = "a whole number from 0 to 4294967295",
        [FIELD_BYTES] = "a whole number of bytes, or null",
        [FIELD_SECONDS] = "a number of seconds",
        [FIELD_BOOL] = "true or false",
        [FIELD_DOCUMENT] = "a document",
        [FIELD_MAY_DOCUMENT] = "a document, or null",
        [FIELD_ARRAY] = "an array",
    };
    return texts[kind];
}

static int find_field(const struct field *fields, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (view_key_is(key, fields[i].name))
            return (int)i;
    return -1;
}

static bool take_field(struct plan_reader *r, const struct field *f, const char *value, bool seen,
                       void *record, struct err *err)
{
    gsize before = place_enter(r, f->name, -1);
    bool good = !seen && read_field(value, f->kind, (char *)record + f->offset);
    if (seen)
        place_fault(r, err, "it is given twice");
    else if (!good)
        place_fault(r, err, "this must be %s", kind_text(f->kind));
    place_leave(r, before);
    return good;
}

bool record_read(struct plan_reader *r, const char *value, const struct field *fields, size_t n, void *ret,
                 struct err *err)
{
    bool seen[FIELDS_MAX] = {false};
    g_assert(n <= FIELDS_MAX);
    if (*value != '{')
        return place_fault(r, err, "this must be a document");
    struct view_items it = view_items(value);
    while (view_next(&it)) {
        int i = find_field(fields, n, it.key);
        if (i < 0)
            continue;
        if (!take_field(r, &fields[i], it.value, seen[i], ret, err))
            return false;
        seen[i] = true;
    }
    for (size_t i = 0; i < n; i++)
        if (!seen[i])
            return place_fault(r, err, "'%s' is missing", fields[i].name);
    return true;
}

void record_clear(const struct field *fields, size_t n, void *record)
{
    for (size_t i = 0; i < n; i++) {
        char **text = (char **)(void *)((char *)record + fields[i].offset);
        if (fields[i].kind == FIELD_TEXT || fields[i].kind == FIELD_MAY_TEXT)
            g_clear_pointer(text, g_free);
    }
}
