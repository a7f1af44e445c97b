// SPDX-License-Identifier: Apache-2.0
/* plan_record.h - the records of a plan file: which keys each has, of which type, and where we are in it.
 * Owns: the reading of one object by a table, and the place in every message
 * ("plan.json: rounds[2].migrations[5].min: ..."). Never: knows what a plan means.
 */
#pragma once

#include "balancer/key/pattern.h"
#include "migrations/work/json_view.h"

enum field_kind {
    FIELD_TEXT,     /* char *, not empty; owned by the record */
    FIELD_MAY_TEXT, /* the same, or NULL for null */
    FIELD_COUNT,    /* uint32_t */
    FIELD_BYTES,    /* int64_t, 0 at least; SIZE_UNKNOWN (-1) for null */
    FIELD_SECONDS,  /* double, finite, 0 at least */
    FIELD_BOOL,     /* bool */
    FIELD_DOCUMENT, /* const char *, the value */
    FIELD_MAY_DOCUMENT,
    FIELD_ARRAY /* const char *, the value */
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset; /* in the record's struct */
};

struct plan_reader {
    const char *name; /* of the file */
    GString *place;   /* "rounds[2].migrations[5]"; empty: the document itself */
};

/* Reads the object at `value` into the struct at `ret` (zeroed before): every field of the table must be
 * there once and be of its type; other keys are passed over. The caller clears the record, failed or not. */
bool record_read(struct plan_reader *r, const char *value, const struct field *fields, size_t n, void *ret,
                 struct err *err);
void record_clear(const struct field *fields, size_t n, void *record);

/* Goes to a place inside the present one: "name", "name[7]" where `index` is not negative, or "[7]" where
 * there is no name. Returns what place_leave() needs. */
gsize place_enter(struct plan_reader *r, const char *name, int64_t index);
void place_leave(struct plan_reader *r, gsize before);

/* ERR_DATA, with file and place before it. */
bool place_fault(struct plan_reader *r, struct err *err, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* A document in Extended JSON; the caller destroys it. NULL: not one. */
bson_t *place_document(struct plan_reader *r, const char *value, struct err *err);
