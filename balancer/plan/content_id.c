// SPDX-License-Identifier: Apache-2.0
/* Every item goes in with its kind or its length before it, so that no two contents give the same bytes. */
#include "balancer/plan/content_id.h"

#include "balancer/key/encode.h"

#include <string.h>

struct content_id {
    GChecksum *sum;
    GByteArray *bytes, *enc; /* of the step at hand; of the bound at hand */
};

/* Raised when the form changes, or the encoding of keys does: plan files of both forms may be about. */
static const char form[] = "evenkeel plan 1";

static void put_number(GByteArray *out, uint64_t n)
{
    n = GUINT64_TO_BE(n);
    g_byte_array_append(out, (const uint8_t *)&n, sizeof n);
}

static void put_bytes(GByteArray *out, const void *data, size_t len)
{
    put_number(out, len);
    g_byte_array_append(out, data, (guint)len);
}

/* No text is not the empty text. */
static void put_text(GByteArray *out, const char *s)
{
    if (s == NULL)
        put_number(out, UINT64_MAX);
    else
        put_bytes(out, s, strlen(s));
}

/* A bound that cannot be encoded is in no model and in no file that is read; its bytes stand for it. */
static void put_bound(content_id *c, const key_pattern *key, plan_bound b)
{
    bson_t doc;
    plan_bound_bson(b, &doc);
    g_byte_array_set_size(c->enc, 0);
    if (key_encode_bound(b, doc.len, key->names, c->enc, NULL, NULL))
        put_bytes(c->bytes, c->enc->data, c->enc->len);
    else
        put_bytes(c->bytes, b, doc.len);
}

/* By its fields: 1, 1.0 and NumberLong(1) say the same. */
static void put_key(GByteArray *out, const key_pattern *key)
{
    put_number(out, key->n_fields);
    for (uint32_t i = 0; i < key->n_fields; i++) {
        put_text(out, key->fields[i].name);
        put_number(out, key->fields[i].hashed ? 2 : key->fields[i].descending ? 1 : 0);
    }
}

content_id *content_id_new(const char *policy)
{
    content_id *c = g_new0(content_id, 1);
    c->sum = g_checksum_new(G_CHECKSUM_SHA256);
    c->bytes = g_byte_array_new();
    c->enc = g_byte_array_new();
    put_text(c->bytes, form);
    put_text(c->bytes, policy);
    g_checksum_update(c->sum, c->bytes->data, (gssize)c->bytes->len);
    return c;
}

void content_id_add(content_id *c, const struct content_step *s)
{
    GByteArray *out = c->bytes;
    g_byte_array_set_size(out, 0);
    put_text(out, s->at != NULL ? "split" : "move");
    put_number(out, s->round);
    put_text(out, s->ns);
    put_key(out, s->key);
    put_bound(c, s->key, s->min);
    put_bound(c, s->key, s->max);
    put_number(out, s->n_at);
    for (size_t i = 0; s->at != NULL && i < s->n_at; i++)
        put_bound(c, s->key, s->at[i]);
    put_number(out, s->open_min);
    put_number(out, s->open_max);
    put_text(out, s->from);
    put_text(out, s->to);
    put_text(out, s->version);
    put_text(out, s->reason);
    put_text(out, s->zone);
    put_number(out, s->bytes < 0 ? UINT64_MAX : (uint64_t)s->bytes);
    put_number(out, s->force_jumbo);
    g_checksum_update(c->sum, out->data, (gssize)out->len);
}

char *content_id_end(content_id *c)
{
    char *id = g_strdup(g_checksum_get_string(c->sum));
    g_checksum_free(c->sum);
    g_byte_array_unref(c->bytes);
    g_byte_array_unref(c->enc);
    g_free(c);
    return id;
}
