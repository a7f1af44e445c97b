// SPDX-License-Identifier: Apache-2.0
/* The outer document may have up to 2 GiB; it is never held, only the value at hand. Each length is checked
 * against what is left of the level around it before it is believed. */
#include "balancer/source/bson_stream.h"
#include "balancer/source/walk.h"

#include <string.h>

struct bson_walk {
    stream *st;
    const struct sink *sink;
    uint64_t left[2]; /* bytes left of the outer document, and of the array or document in it */
    unsigned level;
    GString *key, *name; /* names of the value at hand, on level 0 and 1 */
    int64_t index;       /* of the array element at hand; -1: none */
    uint64_t at;         /* where the element at hand starts */
    bool named;          /* the sink found the fault, and has named the element */
};

static bool beyond(struct err *err)
{
    return err_set(err, ERR_DATA, "a length points beyond the end of the document around it");
}

static bool truncated(const struct bson_walk *w, struct err *err)
{
    return err_set(err, ERR_DATA,
                   "truncated: the document goes on, and the file ends at byte %" G_GUINT64_FORMAT,
                   stream_offset(w->st));
}

/* Shows exactly the next `n` bytes of this level. */
static bool show(struct bson_walk *w, uint64_t n, const uint8_t **ret, struct err *err)
{
    if (n > w->left[w->level])
        return beyond(err);
    size_t have;
    const uint8_t *p = stream_peek(w->st, (size_t)n, &have, err);
    if (p == NULL)
        return false;
    if (have < n) {
        stream_consume(w->st, have);
        return truncated(w, err);
    }
    *ret = p;
    return true;
}

/* What is consumed inside an array is consumed of the outer document as well. */
static void count(struct bson_walk *w, uint64_t n)
{
    for (unsigned i = 0; i <= w->level; i++)
        w->left[i] -= n;
}

/* Goes on by `n` bytes that were shown. */
static void consume(struct bson_walk *w, size_t n)
{
    stream_consume(w->st, n);
    count(w, n);
}

static bool discard(struct bson_walk *w, uint64_t n, struct err *err)
{
    bool cut;
    if (n > w->left[w->level])
        return beyond(err);
    if (!stream_discard(w->st, n, &cut, err))
        return false;
    if (cut)
        return truncated(w, err);
    count(w, n);
    return true;
}

/* Takes the name of an element. */
static bool take_name(struct bson_walk *w, GString *name, struct err *err)
{
    size_t have, want = (size_t)MIN(w->left[w->level], (uint64_t)WALK_KEY_MAX + 1);
    const uint8_t *p = stream_peek(w->st, want, &have, err);
    if (p == NULL)
        return false;
    have = MIN(have, want);
    const uint8_t *end = have == 0 ? NULL : memchr(p, 0, have);
    if (end == NULL && have > WALK_KEY_MAX)
        return err_set(err, ERR_DATA, "a name is longer than %d bytes", WALK_KEY_MAX);
    if (end == NULL && have == w->left[w->level])
        return beyond(err);
    if (end == NULL)
        return truncated(w, err);
    size_t n = (size_t)(end - p);
    if (!g_utf8_validate((const char *)p, (gssize)n, NULL))
        return err_set(err, ERR_DATA, "a name is not UTF-8");
    g_string_truncate(name, 0);
    g_string_append_len(name, (const char *)p, (gssize)n);
    consume(w, n + 1);
    return true;
}

/* Takes the head of the next element of this level; type 0 is the end of the level, which must be where it
 * was said. */
static bool take_head(struct bson_walk *w, uint8_t *ret_type, struct err *err)
{
    const uint8_t *p;
    w->at = stream_offset(w->st);
    if (!show(w, 1, &p, err))
        return false;
    uint8_t type = *p;
    consume(w, 1);
    *ret_type = type;
    if (type != 0)
        return take_name(w, w->level == 0 ? w->key : w->name, err);
    if (w->left[w->level] > 0)
        return err_set(err, ERR_DATA, "a document ends %" G_GUINT64_FORMAT " bytes before its length says",
                       w->left[w->level]);
    return true;
}

/* How a value's size is told: a fixed number of bytes, plus, where there is a length, that. */
struct size_rule {
    bool known;
    uint8_t fixed, has_length;
    uint8_t least; /* the least that the length may be */
};

enum { LEN = 1, TYPE_REGEX = 0x0B, TYPE_MINKEY = 0xFF, TYPE_MAXKEY = 0x7F };

static struct size_rule size_rule(uint8_t type)
{
    static const struct size_rule rules[0x14] = {
        [0x01] = {true, 8, 0, 0},    /* double */
        [0x02] = {true, 4, LEN, 1},  /* string */
        [0x03] = {true, 0, LEN, 5},  /* document: its length counts itself */
        [0x04] = {true, 0, LEN, 5},  /* array */
        [0x05] = {true, 5, LEN, 0},  /* binary */
        [0x06] = {true, 0, 0, 0},    /* undefined */
        [0x07] = {true, 12, 0, 0},   /* ObjectId */
        [0x08] = {true, 1, 0, 0},    /* bool */
        [0x09] = {true, 8, 0, 0},    /* date */
        [0x0A] = {true, 0, 0, 0},    /* null */
        [0x0C] = {true, 16, LEN, 1}, /* DBPointer */
        [0x0D] = {true, 4, LEN, 1},  /* code */
        [0x0E] = {true, 4, LEN, 1},  /* symbol */
        [0x0F] = {true, 0, LEN, 14}, /* code with scope */
        [0x10] = {true, 4, 0, 0},    /* int32 */
        [0x11] = {true, 8, 0, 0},    /* timestamp */
        [0x12] = {true, 8, 0, 0},    /* int64 */
        [0x13] = {true, 16, 0, 0},   /* decimal128 */
    };
    if (type == TYPE_MINKEY || type == TYPE_MAXKEY)
        return (struct size_rule){true, 0, 0, 0};
    return type < G_N_ELEMENTS(rules) ? rules[type] : (struct size_rule){false, 0, 0, 0};
}

/* The size of the value that starts here; any type but regex. */
static bool value_size(struct bson_walk *w, uint8_t type, uint64_t *ret, struct err *err)
{
    struct size_rule rule = size_rule(type);
    if (!rule.known)
        return err_set(err, ERR_DATA, "BSON has no type 0x%02X", type);
    uint64_t size = rule.fixed;
    if (rule.has_length) {
        const uint8_t *p;
        if (!show(w, 4, &p, err))
            return false;
        uint32_t len = bson_u32(p);
        if (len > INT32_MAX || len < rule.least)
            return err_set(err, ERR_DATA, "a length of %" G_GINT32_FORMAT " is not possible here",
                           (gint32)len);
        size += len;
    }
    if (size > w->left[w->level])
        return beyond(err);
    *ret = size;
    return true;
}

/* The one kind of value whose size no length tells; it may be as long as the document. */
static bool skip_cstring(struct bson_walk *w, struct err *err)
{
    for (bool ended = false; !ended;) {
        size_t have;
        if (w->left[w->level] == 0)
            return beyond(err);
        const uint8_t *p = stream_peek(w->st, 1, &have, err);
        if (p == NULL)
            return false;
        if (have == 0)
            return truncated(w, err);
        have = (size_t)MIN((uint64_t)have, w->left[w->level]);
        const uint8_t *end = memchr(p, 0, have);
        ended = end != NULL;
        consume(w, ended ? (size_t)(end - p) + 1 : have);
    }
    return true;
}

static bool skip_value(struct bson_walk *w, uint8_t type, struct err *err)
{
    uint64_t size;
    if (type == TYPE_REGEX && !skip_cstring(w, err)) /* the pattern; its flags are a second one */
        return false;
    if (type == TYPE_REGEX)
        return skip_cstring(w, err);
    return value_size(w, type, &size, err) && discard(w, size, err);
}

/* Shows the document that is the value at hand. */
static bool show_document(struct bson_walk *w, uint8_t type, const uint8_t **ret, uint32_t *ret_len,
                          struct err *err)
{
    const uint8_t *p;
    if (type != BSON_TYPE_DOCUMENT)
        return err_set(err, ERR_DATA, "a document was expected, not a value of type 0x%02X", type);
    if (!show(w, 4, &p, err))
        return false;
    uint32_t len = bson_u32(p);
    if (!bson_check_length(len, err) || !show(w, len, &p, err))
        return false;
    if (p[len - 1] != 0)
        return err_set(err, ERR_DATA, "the document does not end with a zero byte");
    *ret = p;
    *ret_len = len;
    return true;
}

/* Hands a short value over, put into a document of its own so that libbson checks and reads it. */
static bool take_value(struct bson_walk *w, uint8_t type, bool as_text, struct err *err)
{
    uint64_t size;
    const uint8_t *p;
    const char *text;
    if (type == TYPE_REGEX)
        return err_set(err, ERR_DATA, "a regular expression does not belong here");
    if (!value_size(w, type, &size, err))
        return false;
    if (size > WALK_VALUE_MAX)
        return err_set(err, ERR_DATA, "longer than %d bytes, which is more than belongs here",
                       WALK_VALUE_MAX);
    if (!show(w, size, &p, err))
        return false;
    uint32_t len = GUINT32_TO_LE((uint32_t)size + 8);
    g_autoptr(GByteArray) raw = g_byte_array_new();
    g_byte_array_append(raw, (const uint8_t *)&len, 4);
    g_byte_array_append(raw, &type, 1);
    g_byte_array_append(raw, (const uint8_t *)"v", 2);
    g_byte_array_append(raw, p, (guint)size);
    g_byte_array_append(raw, (const uint8_t *)"", 1);
    consume(w, (size_t)size);
    bson_iter_t value;
    if (!bson_iter_init_from_data(&value, raw->data, raw->len) || !bson_iter_next(&value))
        return err_set(err, ERR_DATA, "the value is damaged");
    if (as_text)
        return walk_text(&value, &text, err) && w->sink->text(w->sink->data, text, err);
    return w->sink->value(w->sink->data, &value, err);
}

/* The sink sees the bytes in the window itself; they are let go when it is done. */
static bool take_document(struct bson_walk *w, uint8_t type, uint64_t index, struct err *err)
{
    const uint8_t *doc;
    uint32_t len;
    if (!show_document(w, type, &doc, &len, err))
        return false;
    w->named = !w->sink->document(w->sink->data, index, doc, len, err);
    if (w->named)
        return false;
    consume(w, len);
    return true;
}

static bool take_member(struct bson_walk *w, uint8_t type, struct err *err)
{
    const uint8_t *doc;
    uint32_t len;
    if (!show_document(w, type, &doc, &len, err))
        return err_wrap(err, "'%.100s'", w->name->str);
    w->named = !w->sink->member(w->sink->data, w->name->str, doc, len, err);
    if (w->named)
        return false;
    consume(w, len);
    return true;
}

/* Steps into the array or document at hand. */
static bool enter(struct bson_walk *w, struct err *err)
{
    uint64_t size;
    if (!value_size(w, BSON_TYPE_DOCUMENT, &size, err) || !discard(w, 4, err))
        return false;
    w->level = 1;
    w->left[1] = size - 4;
    return true;
}

static bool take_item(struct bson_walk *w, enum shape shape, uint8_t type, uint64_t index, struct err *err)
{
    if (shape == SHAPE_MEMBERS)
        return take_member(w, type, err);
    w->index = (int64_t)index;
    return shape == SHAPE_STRINGS ? take_value(w, type, true, err) : take_document(w, type, index, err);
}

/* The elements of an array or the members of a document. Names of array elements are not compared with their
 * numbers; servers do not either. */
static bool take_items(struct bson_walk *w, uint8_t type, enum shape shape, struct err *err)
{
    bool array = shape != SHAPE_MEMBERS;
    if (type == BSON_TYPE_NULL)
        return true;
    if (type != (array ? BSON_TYPE_ARRAY : BSON_TYPE_DOCUMENT))
        return err_set(err, ERR_DATA, "%s was expected, not a value of type 0x%02X",
                       array ? "an array" : "a document", type);
    if (!enter(w, err))
        return false;
    for (uint64_t i = 0;; i++) {
        uint8_t item;
        if (!take_head(w, &item, err))
            return false;
        if (item == 0)
            break;
        if (!take_item(w, shape, item, i, err))
            return false;
        w->index = -1;
    }
    w->level = 0;
    return true;
}

static bool take_shape(struct bson_walk *w, uint8_t type, struct err *err)
{
    enum shape shape;
    w->named = !w->sink->key(w->sink->data, w->key->str, &shape, err);
    if (w->named)
        return false;
    switch (shape) {
    case SHAPE_VALUE:
        return take_value(w, type, false, err);
    case SHAPE_STRINGS:
    case SHAPE_DOCUMENTS:
    case SHAPE_MEMBERS:
        return take_items(w, type, shape, err);
    case SHAPE_DOCUMENT:
        return take_document(w, type, 0, err);
    default:
        return skip_value(w, type, err);
    }
}

/* The whole file: one document, whose length is the file's. */
static bool take_top(struct bson_walk *w, struct err *err)
{
    size_t have;
    const uint8_t *p = stream_peek(w->st, 4, &have, err);
    if (p == NULL)
        return false;
    if (have < 4)
        return err_set(err, ERR_DATA, "neither Extended JSON, which starts with '{', nor BSON");
    uint32_t len = bson_u32(p);
    if (len < BSON_DOC_MIN || len > INT32_MAX)
        return err_set(err, ERR_DATA,
                       "neither Extended JSON, which starts with '{', nor BSON: read as BSON, its "
                       "length would be %" G_GINT32_FORMAT,
                       (gint32)len);
    w->left[0] = len;
    consume(w, 4);
    for (;;) {
        uint8_t type;
        g_string_truncate(w->key, 0);
        if (!take_head(w, &type, err))
            return false;
        if (type == 0)
            break;
        if (!take_shape(w, type, err))
            return false;
    }
    w->at = stream_offset(w->st);
    if (stream_peek(w->st, 1, &have, err) == NULL)
        return false;
    return have == 0 || err_set(err, ERR_DATA, "something stands behind the end of the document");
}

/* Puts the place and, unless the sink did, the element before the message. */
static bool wrap_element(const struct bson_walk *w, struct err *err)
{
    if (!w->named && w->key->len > 0 && w->index >= 0)
        err_wrap(err, "%.100s[%" G_GINT64_FORMAT "]", w->key->str, w->index);
    else if (!w->named && w->key->len > 0)
        err_wrap(err, "%.100s", w->key->str);
    return err_wrap(err, "at byte %" G_GUINT64_FORMAT, w->at);
}

bool walk_bson(stream *st, const struct sink *sink, struct err *err)
{
    struct bson_walk w = {
        .st = st, .sink = sink, .key = g_string_new(NULL), .name = g_string_new(NULL), .index = -1};
    bool ok = take_top(&w, err) || wrap_element(&w, err);
    g_string_free(w.key, TRUE);
    g_string_free(w.name, TRUE);
    return ok;
}
