// SPDX-License-Identifier: Apache-2.0
/* Builds the tree from libfyaml's events. Its document builder is not used: events come before any alias is
 * followed, so that nothing in a file can multiply, and depth and number of nodes are ours to limit. */
#include "common/config/yaml.h"

#include <libfyaml.h>
#include <string.h>

enum { MAX_DEPTH = 16, MAX_NODES = 100000 };

/* A list or map that is not closed yet. */
struct open_node {
    struct yaml_node *node; /* borrowed from its parent, or the root */
    GHashTable *seen;       /* of a map: key -> its first child, both borrowed */
    char *key;              /* of a map: the key that waits for its value */
    int key_line, key_column;
    bool twice; /* the key was there before: its value is read and dropped */
};

struct reader {
    struct faults *faults;
    struct yaml_node *root;
    GArray *open;       /* struct open_node, the innermost last */
    GPtrArray *dropped; /* nodes that no parent took */
    unsigned nodes, documents;
    int line, column; /* of the latest event that has a place */
};

void yaml_node_free(struct yaml_node *node)
{
    if (node == NULL)
        return;
    g_free(node->text);
    g_free(node->key);
    if (node->items != NULL)
        g_ptr_array_unref(node->items);
    g_free(node);
}

static void free_node(void *p)
{
    yaml_node_free(p);
}

static void clear_open(void *p)
{
    struct open_node *open = p;
    if (open->seen != NULL)
        g_hash_table_unref(open->seen);
    g_free(open->key);
}

static struct open_node *innermost(struct reader *r)
{
    return r->open->len == 0 ? NULL : &g_array_index(r->open, struct open_node, r->open->len - 1);
}

bool yaml_is_number(const char *text)
{
    char *end;
    if (strchr("+-.0123456789", *text) == NULL || *text == '\0')
        return false;
    g_ascii_strtod(text, &end);
    return end != text && *end == '\0';
}

static bool means_null(const char *text)
{
    return *text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
           strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0;
}

/* Puts a node where the reading stands. */
static void place(struct reader *r, struct yaml_node *node)
{
    struct open_node *open = innermost(r);
    if (open == NULL && r->root == NULL) {
        r->root = node;
    } else if (open == NULL || open->twice) {
        g_ptr_array_add(r->dropped, node);
    } else {
        node->key = g_steal_pointer(&open->key);
        node->key_line = open->key_line;
        node->key_column = open->key_column;
        g_ptr_array_add(open->node->items, node);
        if (node->key != NULL)
            g_hash_table_insert(open->seen, node->key, node);
    }
    if (open != NULL) {
        g_clear_pointer(&open->key, g_free);
        open->twice = false;
    }
}

/* Makes a node at the event's place (a value that is not there has none: then the place before it), counted.
 */
static struct yaml_node *make_node(struct reader *r, enum yaml_kind kind)
{
    struct yaml_node *node = g_new0(struct yaml_node, 1);
    node->kind = kind;
    node->line = r->line;
    node->column = r->column;
    if (kind == YAML_LIST || kind == YAML_MAP)
        node->items = g_ptr_array_new_with_free_func(free_node);
    r->nodes++;
    return node;
}

/* Whether the next event is a key. */
static bool wants_key(struct reader *r)
{
    const struct open_node *open = innermost(r);
    return open != NULL && open->node->kind == YAML_MAP && open->key == NULL;
}

/* Read by chunks: fy_token_get_text() of 0.7.12 leaks where a text has many escapes. */
static GString *token_text(struct fy_token *token)
{
    GString *text = g_string_new(NULL);
    struct fy_token_iter *iter = token == NULL ? NULL : fy_token_iter_create(token);
    const struct fy_iter_chunk *chunk = NULL;
    int failed = 0;
    while (iter != NULL && (chunk = fy_token_iter_chunk_next(iter, chunk, &failed)) != NULL)
        g_string_append_len(text, chunk->str, (gssize)chunk->len);
    fy_token_iter_destroy(iter);
    return text;
}

/* A scalar's text; NULL, with a fault, where it is not fit to be one. */
static char *scalar_text(struct reader *r, struct fy_event *event)
{
    g_autoptr(GString) text = token_text(event->scalar.value);
    if (g_utf8_validate(text->str, (gssize)text->len, NULL))
        return g_string_free(g_steal_pointer(&text), FALSE);
    faults_add(r->faults, r->line, r->column, "an escape in this text yields a byte that is not text");
    return NULL;
}

/* Keeps a key for its value. One that was there before makes its value go to `dropped`. */
static void take_key(struct reader *r, char *key)
{
    struct open_node *open = innermost(r);
    const struct yaml_node *first = g_hash_table_lookup(open->seen, key);
    if (first != NULL)
        faults_add(r->faults, r->line, r->column, "key '%s' is given twice, first on line %d; drop one", key,
                   first->key_line);
    open->twice = first != NULL;
    open->key = key;
    open->key_line = r->line;
    open->key_column = r->column;
}

static bool on_scalar(struct reader *r, struct fy_event *event, bool refused)
{
    bool plain = fy_token_scalar_style(event->scalar.value) == FYSS_PLAIN;
    char *text = scalar_text(r, event);
    if (wants_key(r)) {
        take_key(r, text == NULL ? g_strdup("") : text);
        return true;
    }
    enum yaml_kind kind = refused || text == NULL     ? YAML_BAD
                          : plain && means_null(text) ? YAML_NULL
                                                      : YAML_SCALAR;
    struct yaml_node *node = make_node(r, kind);
    node->text = text;
    node->plain = plain;
    place(r, node);
    return true;
}

/* Opens a list or map. */
static bool on_start(struct reader *r, enum yaml_kind kind)
{
    if (wants_key(r)) {
        faults_add(r->faults, r->line, r->column, "a key must be a word, not a list or a map");
        return false;
    }
    if (r->open->len >= MAX_DEPTH) {
        faults_add(r->faults, r->line, r->column, "nested too deeply: more than %d levels", MAX_DEPTH);
        return false;
    }
    struct yaml_node *node = make_node(r, kind);
    place(r, node);
    struct open_node open = {.node = node};
    if (kind == YAML_MAP)
        open.seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_array_append_val(r->open, open);
    return true;
}

/* An alias is never followed, so that a small file stays a small tree. */
static bool on_alias(struct reader *r)
{
    faults_add(r->faults, r->line, r->column,
               "aliases are not supported; quote a pattern that begins with '*', such as \"*.orders\"");
    if (wants_key(r))
        return false;
    place(r, make_node(r, YAML_BAD));
    return true;
}

static bool on_document(struct reader *r)
{
    if (++r->documents == 1)
        return true;
    faults_add(r->faults, r->line, r->column,
               "a second document starts here; a configuration file holds one");
    return false;
}

/* Anchors and tags: a fault, and what they stand before is not looked at further. */
static bool has_ornament(struct reader *r, struct fy_event *event)
{
    struct fy_token *anchor = fy_event_get_anchor_token(event);
    struct fy_token *tag = fy_event_get_tag_token(event);
    struct fy_token *token = anchor != NULL ? anchor : tag;
    if (token == NULL || event->type == FYET_ALIAS)
        return false;
    const struct fy_mark *mark = fy_token_start_mark(token);
    if (mark != NULL) {
        r->line = mark->line + 1;
        r->column = mark->column + (anchor != NULL && mark->column > 0 ? 0 : 1); /* marked behind its "&" */
    }
    if (anchor != NULL)
        faults_add(r->faults, r->line, r->column, "anchors are not supported; write the value out");
    else
        faults_add(r->faults, r->line, r->column,
                   "tags are not supported; quote a pattern that begins with '!', such as \"!shop.*\"");
    return true;
}

/* Where an event stands. A quoted text is marked behind its quote, an alias behind its star. */
static void take_place(struct reader *r, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (mark == NULL)
        return;
    r->line = mark->line + 1;
    r->column = mark->column + 1;
    bool behind = event->type == FYET_ALIAS;
    if (event->type == FYET_SCALAR && event->scalar.value != NULL) {
        enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
        behind = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
    }
    if (behind && mark->column > 0)
        r->column--;
}

/* Takes one event; false ends the reading. */
static bool on_event(struct reader *r, struct fy_event *event)
{
    take_place(r, event);
    bool refused = has_ornament(r, event);
    if (r->nodes >= MAX_NODES) {
        faults_add(r->faults, r->line, r->column, "more than %d values in one file", MAX_NODES);
        return false;
    }
    switch (event->type) {
    case FYET_DOCUMENT_START:
        return on_document(r);
    case FYET_SCALAR:
        return on_scalar(r, event, refused);
    case FYET_ALIAS:
        return on_alias(r);
    case FYET_SEQUENCE_START:
        return on_start(r, YAML_LIST);
    case FYET_MAPPING_START:
        return on_start(r, YAML_MAP);
    case FYET_SEQUENCE_END:
    case FYET_MAPPING_END:
        g_array_set_size(r->open, r->open->len - 1);
        return true;
    default:
        return true;
    }
}

/* The mark that starts a pattern but means something else in YAML, if the line holds one; else 0. */
static char unquoted_mark(const char *text, gsize len, int line)
{
    const char *p = text, *end = text + len;
    for (; line > 1 && p < end; p++)
        line -= *p == '\n';
    for (char before = ' '; p < end && *p != '\n'; before = *p++) {
        if ((*p == '!' || *p == '*') && strchr(" [,", before) != NULL)
            return *p;
    }
    return 0;
}

/* libfyaml's own faults. Its text may quote the file only by position, never by content. */
static void take_syntax_faults(struct reader *r, struct fy_diag *diag, const char *text, gsize len)
{
    void *at = NULL;
    struct fy_diag_error *e;
    unsigned before = faults_count(r->faults);
    while ((e = fy_diag_errors_iterate(diag, &at)) != NULL) {
        if (e->type != FYET_ERROR || e->msg == NULL)
            continue;
        char mark = unquoted_mark(text, len, e->line);
        g_autofree char *hint =
            mark == 0 ? g_strdup("") : g_strdup_printf("; put what begins with '%c' in quotes", mark);
        faults_add(r->faults, MAX(e->line, 1), MAX(e->column, 1), "not valid YAML: %s%s", e->msg, hint);
    }
    if (faults_count(r->faults) == before)
        faults_add(r->faults, MAX(r->line, 1), MAX(r->column, 1), "not valid YAML from here on");
}

/* Swallows what libfyaml would print: errors are collected instead. */
static void discard(struct fy_diag *diag, void *user, const char *buf, size_t len)
{
    (void)diag;
    (void)user;
    (void)buf;
    (void)len;
}

static struct fy_diag *new_diag(void)
{
    struct fy_diag_cfg cfg;
    fy_diag_cfg_default(&cfg);
    cfg.fp = NULL;
    cfg.output_fn = discard;
    cfg.level = FYET_ERROR;
    cfg.colorize = false;
    struct fy_diag *diag = fy_diag_create(&cfg);
    if (diag != NULL)
        fy_diag_set_collect_errors(diag, true);
    return diag;
}

/* Until the end, the first fault of syntax, or a refusal that leaves no sense in going on. */
static void read_events(struct reader *r, const char *text, gsize len)
{
    struct fy_diag *diag = new_diag();
    struct fy_parse_cfg cfg = {.search_path = "", .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG, .diag = diag};
    struct fy_parser *parser = diag == NULL ? NULL : fy_parser_create(&cfg);
    if (parser == NULL || fy_parser_set_string(parser, text, len) != 0) {
        faults_add(r->faults, 0, 0, "the YAML parser cannot be started");
    } else {
        struct fy_event *event;
        bool go_on = true;
        while (go_on && (event = fy_parser_parse(parser)) != NULL) {
            go_on = on_event(r, event);
            fy_parser_event_free(parser, event);
        }
        if (go_on && fy_parser_get_stream_error(parser))
            take_syntax_faults(r, diag, text, len);
    }
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
}

/* The place of a byte, for text that cannot be given to the parser. */
static void add_byte_fault(struct faults *f, const char *text, const char *at, const char *what)
{
    int line = 1, column = 1;
    for (const char *p = text; p < at; p++) {
        if (*p == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)*p & 0xC0) != 0x80) {
            column++;
        }
    }
    faults_add(f, line, column, "%s", what);
}

struct yaml_node *yaml_parse(const char *text, gsize len, struct faults *f)
{
    const char *bad = text;
    if (len == 0)
        return NULL;
    if (memchr(text, '\0', len) != NULL || !g_utf8_validate(text, (gssize)len, &bad)) {
        const char *nul = memchr(text, '\0', len);
        add_byte_fault(f, text, nul != NULL ? nul : bad,
                       nul != NULL ? "a NUL byte; this is not a text file" : "not valid UTF-8 text");
        return NULL;
    }
    struct reader r = {.faults = f, .line = 1, .column = 1};
    r.open = g_array_new(FALSE, FALSE, sizeof(struct open_node));
    g_array_set_clear_func(r.open, clear_open);
    r.dropped = g_ptr_array_new_with_free_func(free_node);
    read_events(&r, text, len);
    g_array_unref(r.open);
    g_ptr_array_unref(r.dropped);
    return r.root;
}
