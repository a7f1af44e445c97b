// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a BSON document (every value encoded, hashed, and written in the three spellings; the whole as
 * a bound and back; as a shard key pattern), and as JSON text. */
#include "balancer/key/encode.h"
#include "balancer/key/hash.h"
#include "balancer/key/show.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* Valid UTF-8 without control characters, whatever went in. */
static void check_text(const GString *text)
{
    check(g_utf8_validate(text->str, (gssize)text->len, NULL));
    for (gsize i = 0; i < text->len; i++)
        check((unsigned char)text->str[i] >= 0x20 && text->str[i] != 0x7f);
}

static void try_spellings(const bson_t *doc)
{
    g_autoptr(GString) out = g_string_new(NULL);
    key_show(out, doc, 0);
    check_text(out);
    g_string_truncate(out, 0);
    key_show(out, doc, 40);
    check_text(out);
    check(g_utf8_strlen(out->str, -1) <= 40);
    g_string_truncate(out, 0);
    key_json(out, doc);
    check_text(out);
    g_string_truncate(out, 0);
    key_mongosh(out, doc);
    check_text(out);
}

static void try_values(const bson_t *doc)
{
    bson_iter_t it;
    if (!bson_iter_init(&it, doc))
        return;
    while (bson_iter_next(&it)) {
        g_autoptr(GByteArray) enc = g_byte_array_new();
        g_autoptr(GString) out = g_string_new(NULL);
        struct err err = {0};
        int64_t hash;
        if (!key_encode_value(&it, enc, &err))
            check(enc->len == 0 && err.cls == ERR_DATA);
        key_hash_value(&it, &hash, &err);
        key_show_value(out, &it, 0);
        check_text(out);
    }
}

/* The pattern that has the document's fields, or NULL where there is none. */
static key_pattern *pattern_of_fields(const bson_t *doc)
{
    bson_t pattern = BSON_INITIALIZER;
    key_pattern *p = NULL;
    bson_iter_t it;
    struct err err = {0};
    if (bson_iter_init(&it, doc)) {
        while (bson_iter_next(&it))
            bson_append_int32(&pattern, bson_iter_key(&it), -1, 1);
    }
    if (!key_pattern_parse(&pattern, &p, &err))
        check(err.cls == ERR_DATA);
    bson_destroy(&pattern);
    return p;
}

static void try_bound(const bson_t *doc)
{
    g_autoptr(key_pattern) p = pattern_of_fields(doc);
    g_autoptr(GByteArray) enc = g_byte_array_new();
    g_autoptr(GByteArray) packed = g_byte_array_new();
    struct err err = {0};
    if (p == NULL || !key_encode_bound(bson_get_data(doc), doc->len, p->names, enc, packed, &err))
        return;
    bson_t back = BSON_INITIALIZER;
    bson_t extended = BSON_INITIALIZER;
    bool was_extended, trap;
    key_unpack(p, packed->data, packed->len, &back);
    check(bson_equal(doc, &back));
    check(key_pattern_extend(p, doc, true, &extended, &was_extended, &trap, &err));
    check(!was_extended && (trap || bson_equal(doc, &extended)));
    bson_destroy(&back);
    bson_destroy(&extended);
}

static void try_document(const uint8_t *data, uint32_t size)
{
    bson_t doc;
    key_pattern *p = NULL;
    struct err err = {0};
    if (!bson_init_static(&doc, data, size))
        return;
    try_values(&doc);
    try_spellings(&doc);
    try_bound(&doc);
    if (key_pattern_parse(&doc, &p, &err))
        key_pattern_free(p);
}

static void try_json(const char *text)
{
    bson_t doc;
    struct err err = {0};
    if (key_parse_doc(text, &doc, &err)) {
        try_spellings(&doc);
        bson_destroy(&doc);
    }
    if (key_parse_value(text, &doc, &err)) {
        check(bson_count_keys(&doc) == 1 && bson_has_field(&doc, "v"));
        bson_destroy(&doc);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    try_json(text);
    if (size < 5 || size > 1 << 20)
        return 0;
    /* the frame put right, so that what it holds is reached */
    g_autofree uint8_t *framed = g_malloc(size);
    uint32_t len = GUINT32_TO_LE((uint32_t)size);
    memcpy(framed, data, size);
    memcpy(framed, &len, sizeof len);
    framed[size - 1] = 0;
    try_document(framed, (uint32_t)size);
    return 0;
}
