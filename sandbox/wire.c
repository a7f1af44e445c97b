// SPDX-License-Identifier: Apache-2.0
/* Every read goes through a reader that knows where its bytes end; what does not fit sets `broken`. */
#include "sandbox/wire.h"

#include "balancer/key/raw.h"

#include <string.h>

enum {
    CODE_OVERFLOW = 15,
    CODE_INVALID_BSON = 22,
    CODE_ILLEGAL_FLAG = 223,
    CODE_TOO_MANY_SEQUENCES = 233,
    CODE_CHECKSUM = 288,
    CODE_TWO_BODIES = 40430,
    CODE_SAME_SEQUENCE = 40431,
    CODE_SECTION_KIND = 40432,
    CODE_SEQUENCE_IN_BODY = 40433,
    CODE_NO_BODY = 40587,
    MAX_SEQUENCES = 2,
    MAX_DEPTH = 180,
};

/* Required flags stand in the low half; the high half may be ignored. */
static const uint32_t known_required = WIRE_CHECKSUM_PRESENT | WIRE_MORE_TO_COME;

struct reader {
    const uint8_t *at, *end;
    bool broken;
};

static size_t left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

/* The next `n` bytes, or NULL; after a failure every further reading fails too. */
static const uint8_t *take(struct reader *r, size_t n)
{
    if (r->broken || n > left(r)) {
        r->broken = true;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += n;
    return p;
}

static uint32_t take_u32(struct reader *r)
{
    const uint8_t *p = take(r, 4);
    return p == NULL ? 0 : raw_u32(p);
}

/* Up to and with its NUL. */
static const char *take_cstring(struct reader *r)
{
    const uint8_t *nul = r->broken || left(r) == 0 ? NULL : memchr(r->at, 0, left(r));
    return nul == NULL ? (const char *)take(r, left(r) + 1)
                       : (const char *)take(r, (size_t)(nul - r->at) + 1);
}

/* The table is made anew for each message that carries a checksum: they are rare, and it keeps no state. */
uint32_t wire_crc32c(const uint8_t *bytes, size_t len)
{
    uint32_t table[256];
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;
        for (int bit = 0; bit < 8; bit++)
            v = (v & 1) != 0 ? v >> 1 ^ 0x82f63b78u : v >> 1;
        table[i] = v;
    }
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < len; i++)
        crc = table[(crc ^ bytes[i]) & 0xff] ^ crc >> 8;
    return ~crc;
}

/* What is out of these bounds cannot be skipped either: there is no telling where the next message begins. */
bool wire_read_header(const uint8_t *bytes, struct wire_header *ret)
{
    *ret = (struct wire_header){.length = (int32_t)raw_u32(bytes),
                                .request_id = (int32_t)raw_u32(bytes + 4),
                                .response_to = (int32_t)raw_u32(bytes + 8),
                                .opcode = (int32_t)raw_u32(bytes + 12)};
    return ret->length >= WIRE_HEADER_LEN && ret->length <= WIRE_MESSAGE_MAX;
}

/* A document or an array inside another, by its bytes; the depth is bounded before recursion. */
static bool document_ok(const uint8_t *bytes, size_t len, unsigned depth)
{
    bson_iter_t it;
    if (depth > MAX_DEPTH || len > WIRE_MESSAGE_MAX || !raw_open(&it, bytes, (uint32_t)len))
        return false;
    while (bson_iter_next(&it)) {
        struct raw v = raw_of(&it);
        if (raw_size(v.type, v.data, v.len) != v.len)
            return false;
        if ((v.type == BSON_TYPE_DOCUMENT || v.type == BSON_TYPE_ARRAY) &&
            !document_ok(v.data, v.len, depth + 1))
            return false;
        struct raw_text text;
        if (v.type == BSON_TYPE_CODEWSCOPE &&
            (!raw_text(v, &text) || !document_ok(text.scope, text.scope_len, depth + 1)))
            return false;
    }
    return !raw_broken(&it);
}

bool wire_document_ok(const uint8_t *bytes, size_t len)
{
    return len >= 5 && document_ok(bytes, len, 0);
}

/* A document of a section: its own length is believed only as far as the section reaches, and it is walked to
 * its end before anybody uses it. */
static const uint8_t *take_document(struct reader *r, uint32_t *ret_len)
{
    if (r->broken || left(r) < 4 || raw_u32(r->at) > left(r) || raw_u32(r->at) > WIRE_INTERNAL_MAX ||
        !wire_document_ok(r->at, raw_u32(r->at))) {
        r->broken = true;
        return NULL;
    }
    *ret_len = raw_u32(r->at);
    return take(r, *ret_len);
}

/* Sets why a message is refused, and passes the verdict on. */
static enum wire_verdict refuse(struct wire_request *ret, enum wire_verdict verdict, int code,
                                const char *message)
{
    ret->code = code;
    ret->message = g_strdup(message);
    return verdict;
}

static enum wire_verdict refuse_text(struct wire_request *ret, int code, const char *what, const char *name)
{
    g_autofree char *message = g_strconcat(what, name, NULL);
    return refuse(ret, WIRE_ANSWER_ERROR, code, message);
}

struct sequence {
    const char *name;
    struct reader docs;
};

struct sections {
    const uint8_t *body;
    uint32_t body_len;
    struct sequence sequences[MAX_SEQUENCES];
    unsigned n_sequences;
};

/* Kind 1: its size, the name of the field that it stands for, and documents up to its end. More than two are
 * fatal to a connection, as with the server; what else is wrong can be answered. */
static enum wire_verdict read_sequence(struct reader *r, struct sections *s, struct wire_request *ret)
{
    if (s->n_sequences == MAX_SEQUENCES)
        return refuse(ret, WIRE_DROP, CODE_TOO_MANY_SEQUENCES, "Too many document sequences in OP_MSG");
    uint32_t size = take_u32(r);
    const uint8_t *start = size < 4 ? NULL : take(r, size - 4);
    if (start == NULL)
        return refuse(ret, WIRE_ANSWER_ERROR, CODE_OVERFLOW, "a document sequence does not fit its message");
    struct sequence seq = {.docs = {.at = start, .end = start + size - 4}};
    seq.name = take_cstring(&seq.docs);
    if (seq.name == NULL || !raw_is_utf8(seq.name, (uint32_t)strlen(seq.name)))
        return refuse(ret, WIRE_ANSWER_ERROR, CODE_OVERFLOW, "a document sequence has no name");
    for (unsigned i = 0; i < s->n_sequences; i++)
        if (strcmp(s->sequences[i].name, seq.name) == 0)
            return refuse_text(ret, CODE_SAME_SEQUENCE, "Duplicate document sequence: ", seq.name);
    s->sequences[s->n_sequences++] = seq;
    return WIRE_REQUEST;
}

static enum wire_verdict read_section(struct reader *r, struct sections *s, struct wire_request *ret)
{
    uint8_t kind = *take(r, 1);
    if (kind == 1)
        return read_sequence(r, s, ret);
    if (kind != 0) {
        g_autofree char *number = g_strdup_printf("%u", kind);
        return refuse_text(ret, CODE_SECTION_KIND, "Unknown section kind ", number);
    }
    if (s->body != NULL)
        return refuse(ret, WIRE_ANSWER_ERROR, CODE_TWO_BODIES, "Multiple body sections in message");
    s->body = take_document(r, &s->body_len);
    if (s->body == NULL)
        return refuse(ret, WIRE_ANSWER_ERROR, CODE_INVALID_BSON,
                      "the body is not a well-formed BSON document");
    return WIRE_REQUEST;
}

/* Appends the sequences to the body as arrays: what the commands' own form is. */
static enum wire_verdict assemble(struct sections *s, struct wire_request *ret)
{
    bson_t body;
    if (!bson_init_static(&body, s->body, s->body_len))
        return refuse(ret, WIRE_ANSWER_ERROR, CODE_INVALID_BSON,
                      "the body is not a well-formed BSON document");
    bson_t *command = bson_copy(&body);
    for (unsigned i = 0; i < s->n_sequences; i++) {
        struct sequence *seq = &s->sequences[i];
        bson_t array;
        if (bson_has_field(&body, seq->name)) {
            bson_destroy(command);
            return refuse_text(ret, CODE_SEQUENCE_IN_BODY,
                               "Duplicate field between body and document sequence ", seq->name);
        }
        bson_append_array_begin(command, seq->name, -1, &array);
        for (uint32_t n = 0; left(&seq->docs) > 0 && !seq->docs.broken; n++) {
            char key[16];
            const char *index;
            uint32_t len = 0;
            const uint8_t *doc = take_document(&seq->docs, &len);
            bson_t one;
            if (doc != NULL && bson_init_static(&one, doc, len)) {
                size_t key_len = bson_uint32_to_string(n, &index, key, sizeof key);
                bson_append_document(&array, index, (int)key_len, &one);
            }
        }
        bson_append_array_end(command, &array);
        if (seq->docs.broken) {
            bson_destroy(command);
            return refuse(ret, WIRE_ANSWER_ERROR, CODE_INVALID_BSON, "a document sequence holds broken BSON");
        }
    }
    ret->command = command;
    return WIRE_REQUEST;
}

/* Flags, sections, and the checksum where one is announced. It covers the header too, so it needs the message
 * whole. */
static enum wire_verdict decode_msg(const uint8_t *bytes, size_t len, struct wire_request *ret)
{
    struct reader r = {.at = bytes + WIRE_HEADER_LEN, .end = bytes + len};
    ret->flags = take_u32(&r);
    if (r.broken)
        return refuse(ret, WIRE_DROP, CODE_OVERFLOW, "an OP_MSG message has no flags");
    if ((ret->flags & 0xffffu & ~known_required) != 0)
        return refuse(ret, WIRE_DROP, CODE_ILLEGAL_FLAG, "Message contains illegal flags value");
    if ((ret->flags & WIRE_CHECKSUM_PRESENT) != 0) {
        if (left(&r) < 4)
            return refuse(ret, WIRE_DROP, CODE_OVERFLOW, "an OP_MSG message has no checksum");
        r.end -= 4;
        if (raw_u32(r.end) != wire_crc32c(bytes, len - 4))
            return refuse(ret, WIRE_DROP, CODE_CHECKSUM, "OP_MSG checksum does not match contents");
    }
    struct sections s = {0};
    while (left(&r) > 0) {
        enum wire_verdict verdict = read_section(&r, &s, ret);
        if (verdict != WIRE_REQUEST)
            return verdict;
    }
    if (s.body == NULL)
        return refuse(ret, WIRE_ANSWER_ERROR, CODE_NO_BODY, "OP_MSG messages must have a body");
    return assemble(&s, ret);
}

/* {"$query": {...}, "$readPreference": ...}: the greeting may come so. */
static bson_t *unwrap_query(const bson_t *doc)
{
    bson_iter_t it;
    const uint8_t *data;
    uint32_t len;
    bson_t inner;
    if (bson_iter_init(&it, doc) && bson_iter_next(&it) &&
        (strcmp(bson_iter_key(&it), "$query") == 0 || strcmp(bson_iter_key(&it), "query") == 0) &&
        BSON_ITER_HOLDS_DOCUMENT(&it)) {
        bson_iter_document(&it, &len, &data);
        if (bson_init_static(&inner, data, len))
            return bson_copy(&inner);
    }
    return bson_copy(doc);
}

/* Malformed greetings are not answered: whoever sends them is no client of ours. */
static enum wire_verdict decode_query(const uint8_t *bytes, size_t len, struct wire_request *ret)
{
    struct reader r = {.at = bytes + WIRE_HEADER_LEN, .end = bytes + len};
    uint32_t doc_len = 0;
    bson_t doc;
    take_u32(&r); /* flags */
    const char *ns = take_cstring(&r);
    take_u32(&r); /* numberToSkip */
    take_u32(&r); /* numberToReturn */
    const uint8_t *query = take_document(&r, &doc_len);
    if (query == NULL || !raw_is_utf8(ns, (uint32_t)strlen(ns)) || !bson_init_static(&doc, query, doc_len))
        return refuse(ret, WIRE_DROP, CODE_INVALID_BSON, "an OP_QUERY message is malformed");
    ret->ns = g_strdup(ns);
    ret->command = unwrap_query(&doc);
    return WIRE_REQUEST;
}

enum wire_verdict wire_decode(const uint8_t *bytes, size_t len, struct wire_request *ret)
{
    memset(ret, 0, sizeof *ret);
    if (len < WIRE_HEADER_LEN || !wire_read_header(bytes, &ret->header) || (size_t)ret->header.length != len)
        return refuse(ret, WIRE_DROP, CODE_OVERFLOW, "the length of a message is wrong");
    switch (ret->header.opcode) {
    case WIRE_OP_MSG:
        return decode_msg(bytes, len, ret);
    case WIRE_OP_QUERY:
        return decode_query(bytes, len, ret);
    case WIRE_OP_COMPRESSED: /* no compressor is ever agreed upon */
        return refuse(ret, WIRE_DROP, CODE_INVALID_BSON,
                      "a compressed message, and no compressor was agreed upon");
    default:
        return refuse(ret, WIRE_DROP, CODE_INVALID_BSON, "an operation that this server does not know");
    }
}

void wire_request_clear(struct wire_request *r)
{
    g_free(r->ns);
    g_free(r->message);
    if (r->command != NULL)
        bson_destroy(r->command);
    memset(r, 0, sizeof *r);
}

static void put_u32(GByteArray *out, uint32_t v)
{
    const uint8_t bytes[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    g_byte_array_append(out, bytes, sizeof bytes);
}

static void put_header(GByteArray *out, uint32_t len, int32_t request_id, int32_t response_to,
                       enum wire_opcode op)
{
    put_u32(out, len);
    put_u32(out, (uint32_t)request_id);
    put_u32(out, (uint32_t)response_to);
    put_u32(out, (uint32_t)op);
}

/* Lengths fit: replies are bounded by what cursors and commands put into them, far below INT32_MAX. */
void wire_encode_msg(GByteArray *out, int32_t request_id, int32_t response_to, bool checksum,
                     const bson_t *reply)
{
    const uint8_t body_kind = 0;
    guint start = out->len;
    put_header(out, WIRE_HEADER_LEN + 4 + 1 + reply->len + (checksum ? 4 : 0), request_id, response_to,
               WIRE_OP_MSG);
    put_u32(out, checksum ? WIRE_CHECKSUM_PRESENT : 0);
    g_byte_array_append(out, &body_kind, 1);
    g_byte_array_append(out, bson_get_data(reply), reply->len);
    if (checksum)
        put_u32(out, wire_crc32c(out->data + start, out->len - start));
}

void wire_encode_reply(GByteArray *out, int32_t request_id, int32_t response_to, const bson_t *reply)
{
    const uint32_t await_capable = 8;
    put_header(out, WIRE_HEADER_LEN + 20 + reply->len, request_id, response_to, WIRE_OP_REPLY);
    put_u32(out, await_capable);
    put_u32(out, 0); /* cursor id, 64 bits */
    put_u32(out, 0);
    put_u32(out, 0); /* starting from */
    put_u32(out, 1); /* documents */
    g_byte_array_append(out, bson_get_data(reply), reply->len);
}
