// SPDX-License-Identifier: Apache-2.0
/* The grammar is checked here (json_scan), a value at a time; what a value means is libbson's to say, to
 * which nothing is given that is too long or too deep. */
#include "balancer/source/bson_stream.h"
#include "balancer/source/json_scan.h"
#include "balancer/source/walk.h"

#include <string.h>

/* A name between its quotes, each byte of it written as \uNNNN. */
enum { KEY_TEXT_MAX = 6 * WALK_KEY_MAX + 2 };

struct json {
    stream *st;
    const struct sink *sink;
    uint64_t line, line_start; /* from 0; the offset of the line's first byte */
    const char *key;           /* the top-level key whose value we are in; NULL: none */
    int64_t index;             /* the element of its array; -1: none */
    GString *wrapped;          /* {"v": ...} around a value that is no document */
    bson_t doc;                /* what was read last */
};

/* "line 3, column 7" of the byte `ahead` of the current place, all shown. The caller frees. */
static char *place(struct json *j, size_t ahead)
{
    uint64_t line = j->line, start = j->line_start, at = stream_offset(j->st);
    size_t have;
    const uint8_t *p = stream_peek(j->st, 0, &have, NULL);
    for (size_t i = 0; i < ahead; i++) {
        if (p[i] == '\n') {
            line++;
            start = at + i + 1;
        }
    }
    return g_strdup_printf("line %" G_GUINT64_FORMAT ", column %" G_GUINT64_FORMAT, line + 1,
                           at + ahead - start + 1);
}

/* The same with the element behind it: "line 3, column 7: chunks[17]". The caller frees. */
static char *place_of_element(struct json *j, size_t ahead)
{
    g_autofree char *where = place(j, ahead);
    if (j->key == NULL)
        return g_steal_pointer(&where);
    if (j->index < 0)
        return g_strdup_printf("%s: %.100s", where, j->key);
    return g_strdup_printf("%s: %.100s[%" G_GINT64_FORMAT "]", where, j->key, j->index);
}

/* A fault of the byte `ahead` of the current place. */
static bool fault(struct json *j, size_t ahead, const char *why, struct err *err)
{
    g_autofree char *where = place_of_element(j, ahead);
    return err_set(err, ERR_DATA, "%s: %s", where, why);
}

static bool wrap_element(struct json *j, struct err *err)
{
    g_autofree char *where = place_of_element(j, 0);
    return err_wrap(err, "%s", where);
}

/* For what the sink says of a document: it names the element itself. */
static bool wrap_place(struct json *j, struct err *err)
{
    g_autofree char *where = place(j, 0);
    return err_wrap(err, "%s", where);
}

/* Goes on by `n` bytes, all shown, and counts their lines. */
static void consume(struct json *j, size_t n)
{
    size_t have;
    const uint8_t *p = stream_peek(j->st, 0, &have, NULL), *end = p + n, *from = p, *nl;
    while (from < end && (nl = memchr(from, '\n', (size_t)(end - from))) != NULL) {
        from = nl + 1;
        j->line++;
        j->line_start = stream_offset(j->st) + (uint64_t)(from - p);
    }
    stream_consume(j->st, n);
}

/* The next byte that is not blank, not taken; -1 at the end. */
static bool peek_token(struct json *j, int *ret, struct err *err)
{
    for (;;) {
        size_t have, i = 0;
        const uint8_t *p = stream_peek(j->st, 1, &have, err);
        if (p == NULL)
            return false;
        while (i < have && (p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t'))
            i++;
        int c = i < have ? p[i] : -1;
        consume(j, i);
        if (c >= 0 || have == 0) {
            *ret = c;
            return true;
        }
    }
}

/* The file ends where something has to follow; placed where the unfinished thing starts. */
static bool truncated(struct json *j, const char *within, struct err *err)
{
    g_autofree char *why = g_strdup_printf("truncated: the file ends within %s", within);
    return fault(j, 0, why, err);
}

/* Takes the blanks and then the byte `want`. */
static bool expect(struct json *j, char want, const char *why, struct err *err)
{
    int c;
    if (!peek_token(j, &c, err))
        return false;
    if (c == -1)
        return truncated(j, "the document", err);
    if (c != want)
        return fault(j, 0, why, err);
    consume(j, 1);
    return true;
}

/* Shows the text of the value that starts here, without taking it. */
static bool show_value(struct json *j, size_t limit, const uint8_t **ret, size_t *ret_n, struct err *err)
{
    struct json_scan scan = {0};
    size_t have, used, done = 0;
    const uint8_t *p;
    for (bool ended = false; !ended;) {
        const char *why;
        p = stream_peek(j->st, done + 1, &have, err);
        if (p == NULL)
            return false;
        if (have == done && !json_scan_complete(&scan))
            return truncated(j, "the value that starts here", err);
        enum json_scan_result what = json_scan_feed(&scan, p + done, have - done, &used, &why);
        ended = what == JSON_SCAN_DONE || have == done;
        done += used;
        if (what == JSON_SCAN_BAD)
            return fault(j, done, why, err);
        if (done > limit) {
            g_autofree char *text = g_strdup_printf("longer than %zu bytes, more than belongs here", limit);
            return fault(j, 0, text, err);
        }
    }
    *ret = p;
    *ret_n = done;
    return true;
}

/* Takes the value that starts here, keeping nothing of it. */
static bool skip_value(struct json *j, struct err *err)
{
    struct json_scan scan = {0};
    for (;;) {
        size_t have, used;
        const char *why;
        const uint8_t *p = stream_peek(j->st, 1, &have, err);
        if (p == NULL)
            return false;
        if (have == 0)
            return json_scan_complete(&scan) || truncated(j, "a value", err);
        enum json_scan_result what = json_scan_feed(&scan, p, have, &used, &why);
        if (what == JSON_SCAN_BAD)
            return fault(j, used, why, err);
        consume(j, used);
        if (what == JSON_SCAN_DONE)
            return true;
    }
}

/* Reads the text of a document into j->doc. A parser for each document, not one for all: libbson's ends a
 * document only when it sees the next one, and keeps state between the two. */
static bool read_doc(struct json *j, const char *text, size_t n, struct err *err)
{
    bson_error_t why;
    bson_destroy(&j->doc);
    if (!bson_init_from_json(&j->doc, text, (ssize_t)n, &why)) {
        bson_init(&j->doc);
        return err_set(err, ERR_DATA, "not Extended JSON: %s", why.message);
    }
    if (j->doc.len > BSON_DOC_MAX)
        return err_set(err, ERR_DATA,
                       "the document is larger than a server stores: %" G_GUINT32_FORMAT " bytes of BSON",
                       j->doc.len);
    return true;
}

/* The value of the text, as the value of key "v" in j->doc. */
static bool read_value(struct json *j, const uint8_t *text, size_t n, bson_iter_t *ret, struct err *err)
{
    g_string_assign(j->wrapped, "{\"v\":");
    g_string_append_len(j->wrapped, (const char *)text, (gssize)n);
    g_string_append_c(j->wrapped, '}');
    if (!read_doc(j, j->wrapped->str, j->wrapped->len, err))
        return false;
    if (!bson_iter_init_find(ret, &j->doc, "v"))
        return err_set(err, ERR_DATA, "not a value of Extended JSON");
    return true;
}

/* Takes a key and its colon. libbson decodes the name as a value, since as a key "$oid" would have a meaning.
 * The caller frees it. */
static bool take_key(struct json *j, char **ret, struct err *err)
{
    int c;
    if (!peek_token(j, &c, err))
        return false;
    if (c == -1)
        return truncated(j, "the document", err);
    if (c != '"')
        return fault(j, 0, "a key in double quotes was expected here", err);
    const uint8_t *text;
    size_t n;
    if (!show_value(j, KEY_TEXT_MAX, &text, &n, err))
        return false;
    bson_iter_t value;
    const char *name;
    if (!read_value(j, text, n, &value, err) || !walk_text(&value, &name, err))
        return wrap_element(j, err);
    g_autofree char *copy = g_strdup(name);
    consume(j, n);
    if (!expect(j, ':', "':' was expected here", err))
        return false;
    *ret = g_steal_pointer(&copy);
    return true;
}

/* Whether a list (of the bracket `close`) goes on after an item, or from its start where `first`. */
static bool goes_on(struct json *j, char close, bool first, bool *ret, struct err *err)
{
    int c;
    if (!peek_token(j, &c, err))
        return false;
    *ret = c != close;
    if (c == -1)
        return truncated(j, close == ']' ? "an array" : "the document", err);
    if (first && c != close)
        return true;
    if (c != close && c != ',')
        return fault(j, 0, close == ']' ? "',' or ']' was expected here" : "',' or '}' was expected here",
                     err);
    consume(j, 1);
    return true;
}

/* Reads the object that starts here into j->doc; the stream goes on behind it when the caller has used it. */
static bool show_object(struct json *j, size_t *ret_n, struct err *err)
{
    int c;
    const uint8_t *text;
    if (!peek_token(j, &c, err))
        return false;
    if (c != -1 && c != '{')
        return fault(j, 0, "a document was expected here", err);
    if (!show_value(j, WALK_JSON_MAX, &text, ret_n, err))
        return false;
    return read_doc(j, (const char *)text, *ret_n, err) || wrap_element(j, err);
}

/* The text is let go only after the sink is done, so that its faults are placed where the document starts. */
static bool take_document(struct json *j, uint64_t index, struct err *err)
{
    size_t n;
    if (!show_object(j, &n, err))
        return false;
    if (!j->sink->document(j->sink->data, index, bson_get_data(&j->doc), j->doc.len, err))
        return wrap_place(j, err);
    consume(j, n);
    return true;
}

static bool take_member(struct json *j, struct err *err)
{
    g_autofree char *name = NULL;
    size_t n;
    if (!take_key(j, &name, err) || !show_object(j, &n, err))
        return false;
    if (!j->sink->member(j->sink->data, name, bson_get_data(&j->doc), j->doc.len, err))
        return wrap_place(j, err);
    consume(j, n);
    return true;
}

/* A short value for value(), or a string for text(). */
static bool take_value(struct json *j, bool as_text, struct err *err)
{
    int c;
    const uint8_t *text;
    size_t n;
    bson_iter_t value;
    const char *string;
    if (!peek_token(j, &c, err) || !show_value(j, WALK_VALUE_MAX, &text, &n, err))
        return false;
    if (!read_value(j, text, n, &value, err))
        return wrap_element(j, err);
    if (as_text ? !walk_text(&value, &string, err) || !j->sink->text(j->sink->data, string, err)
                : !j->sink->value(j->sink->data, &value, err))
        return wrap_element(j, err);
    consume(j, n);
    return true;
}

/* Takes the opening bracket; null instead of the whole is taken too, and *ret_null is set. */
static bool take_open(struct json *j, char open, bool *ret_null, struct err *err)
{
    int c;
    if (!peek_token(j, &c, err))
        return false;
    *ret_null = c == 'n';
    if (c == 'n')
        return skip_value(j, err);
    return expect(j, open, open == '[' ? "an array was expected here" : "a document was expected here", err);
}

/* An array's elements, each a string or a document. */
static bool take_array(struct json *j, bool of_text, struct err *err)
{
    bool none, more;
    if (!take_open(j, '[', &none, err))
        return false;
    if (none)
        return true;
    for (uint64_t i = 0;; i++) {
        j->index = -1;
        if (!goes_on(j, ']', i == 0, &more, err))
            return false;
        if (!more)
            return true;
        j->index = (int64_t)i;
        if (!(of_text ? take_value(j, true, err) : take_document(j, i, err)))
            return false;
    }
}

/* A document's members, each a document. */
static bool take_members(struct json *j, struct err *err)
{
    bool none, more;
    if (!take_open(j, '{', &none, err))
        return false;
    if (none)
        return true;
    for (bool first = true;; first = false) {
        if (!goes_on(j, '}', first, &more, err))
            return false;
        if (!more)
            return true;
        if (!take_member(j, err))
            return false;
    }
}

static bool take_shape(struct json *j, enum shape shape, struct err *err)
{
    int c;
    switch (shape) {
    case SHAPE_VALUE:
        return take_value(j, false, err);
    case SHAPE_STRINGS:
    case SHAPE_DOCUMENTS:
        return take_array(j, shape == SHAPE_STRINGS, err);
    case SHAPE_DOCUMENT:
        return take_document(j, 0, err);
    case SHAPE_MEMBERS:
        return take_members(j, err);
    default:
        return peek_token(j, &c, err) && skip_value(j, err);
    }
}

/* The whole file: one object, and blanks behind it. */
static bool take_top(struct json *j, struct err *err)
{
    bool more;
    int c;
    if (!expect(j, '{', "'{' was expected here", err))
        return false;
    for (bool first = true;; first = false) {
        if (!goes_on(j, '}', first, &more, err))
            return false;
        if (!more)
            break;
        g_autofree char *key = NULL;
        enum shape shape;
        if (!take_key(j, &key, err))
            return false;
        if (!j->sink->key(j->sink->data, key, &shape, err))
            return wrap_place(j, err);
        j->key = key;
        j->index = -1;
        if (!take_shape(j, shape, err))
            return false;
        j->key = NULL;
    }
    if (!peek_token(j, &c, err))
        return false;
    return c == -1 || fault(j, 0, "something stands behind the end of the document", err);
}

bool walk_json(stream *st, const struct sink *sink, struct err *err)
{
    struct json j = {.st = st, .sink = sink};
    size_t have;
    const uint8_t *p = stream_peek(st, 3, &have, err);
    if (p == NULL)
        return false;
    if (have >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
        stream_consume(st, 3);
    bson_init(&j.doc);
    j.wrapped = g_string_new(NULL);
    bool ok = take_top(&j, err);
    g_string_free(j.wrapped, TRUE);
    bson_destroy(&j.doc);
    return ok;
}
