// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a message of the wire protocol; what decodes to a filter, a sort, a projection, an update or a
 * pipeline is used as one on a few documents. */
#include "sandbox/match.h"
#include "sandbox/pipeline.h"
#include "sandbox/shape.h"
#include "sandbox/store.h"
#include "sandbox/update.h"
#include "sandbox/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* A fault has a text; success has none. */
static void check_fault(bool fine, struct fault *f)
{
    check(fine == (f->message == NULL));
    fault_clear(f);
}

static void try_match(const bson_t *part, const GPtrArray *docs)
{
    struct fault f = {0};
    match *m = NULL;
    bool fine = match_parse(part, &m, &f);
    check_fault(fine, &f);
    for (guint i = 0; fine && i < docs->len; i++)
        match_test(m, docs->pdata[i]);
    match_free(m);
}

static void try_shape(const bson_t *part, const GPtrArray *docs)
{
    struct fault f = {0};
    projection *p = NULL;
    g_autoptr(GPtrArray) borrowed = g_ptr_array_new();
    for (guint i = 0; i < docs->len; i++)
        g_ptr_array_add(borrowed, docs->pdata[i]);
    check_fault(shape_sort(borrowed, part, &f), &f);
    check(borrowed->len == docs->len);
    bool fine = projection_parse(part, true, &p, &f);
    check_fault(fine, &f);
    for (guint i = 0; fine && i < docs->len; i++) {
        bson_t *out = projection_apply(p, docs->pdata[i], &f);
        check_fault(out != NULL, &f);
        bson_destroy(out);
    }
    projection_free(p);
}

static void try_update(const bson_t *part, const GPtrArray *docs)
{
    struct fault f = {0};
    for (guint i = 0; i < docs->len; i++) {
        bson_t *out = update_apply(docs->pdata[i], part, i == 0, 0, &f);
        check_fault(out != NULL, &f);
        bson_destroy(out);
    }
    bson_t *made = store_upserted(part, part, 0, &f);
    check_fault(made != NULL, &f);
    bson_destroy(made);
}

static bool knows_nothing(void *user, const char *stage)
{
    (void)user, (void)stage;
    return false;
}

static GPtrArray *no_source(void *user, const char *stage, const bson_t *spec, struct fault *f)
{
    (void)user, (void)stage, (void)spec, (void)f;
    return NULL;
}

static const GPtrArray *same_collection(void *user, const char *name)
{
    (void)name;
    return user;
}

static void try_pipeline(const bson_t *part, GPtrArray *docs)
{
    struct fault f = {0};
    const struct pipeline_host host = {
        .user = docs, .knows = knows_nothing, .source = no_source, .collection = same_collection};
    GPtrArray *out = pipeline_run(part, docs, &host, &f);
    check_fault(out != NULL, &f);
    if (out != NULL)
        g_ptr_array_unref(out);
}

/* Every document and array of the command, at its top. */
static void try_command(const bson_t *command)
{
    bson_iter_t it;
    g_autoptr(GPtrArray) docs = docs_new();
    g_ptr_array_add(docs, bson_copy(command));
    g_ptr_array_add(docs, BCON_NEW("_id", BCON_INT32(1), "a", "[", BCON_INT32(1), "{", "b", BCON_INT32(2),
                                   "}", "]", "n", BCON_INT64(5)));
    check(bson_iter_init(&it, command));
    while (bson_iter_next(&it)) {
        const uint8_t *data = NULL;
        uint32_t len = 0;
        bson_t part;
        bool array = BSON_ITER_HOLDS_ARRAY(&it);
        if (array)
            bson_iter_array(&it, &len, &data);
        else if (BSON_ITER_HOLDS_DOCUMENT(&it))
            bson_iter_document(&it, &len, &data);
        if (data == NULL || !bson_init_static(&part, data, len))
            continue;
        if (array) {
            try_pipeline(&part, docs);
            continue;
        }
        try_match(&part, docs);
        try_shape(&part, docs);
        try_update(&part, docs);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_request r;
    enum wire_verdict verdict = wire_decode(data, size, &r);
    check((verdict == WIRE_REQUEST) == (r.command != NULL) &&
          (verdict == WIRE_REQUEST) == (r.message == NULL));
    if (r.command != NULL) {
        check(wire_document_ok(bson_get_data(r.command), r.command->len));
        try_command(r.command);
    }
    wire_request_clear(&r);
    return 0;
}
