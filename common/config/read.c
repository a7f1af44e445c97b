// SPDX-License-Identifier: Apache-2.0
/* Walks the tree by the table. A key's row is found by its dotted name; what has rows below it is a section.
 */
#include "common/config/read.h"
#include "common/nearest.h"

#include <string.h>

/* The name of a record of a map stands first in it. */
G_STATIC_ASSERT(offsetof(struct config_shard, id) == 0);
G_STATIC_ASSERT(offsetof(struct config_collection, ns) == 0);

/* Of one list or map. */
enum { MAX_RECORDS = 10000 };

struct walk {
    struct config *config;
    struct faults *faults;
    GHashTable *refused; /* set of nodes whose value is not one of the key's, and was not taken */
    GHashTable *nodes; /* dotted key as shown -> struct yaml_node *, borrowed: where the checks find places */
};

/* A place in the table: names below it start with `rows`; people see `shown`; fields count from `base`. */
struct level {
    const char *rows, *shown;
    void *base;
};

static void read_section(struct walk *w, const struct yaml_node *map, struct level at);

static bool holds_records(const struct config_key *key)
{
    return key->type == CONFIG_LIST || key->type == CONFIG_MAP;
}

static bool is_record_row(const struct config_key *key)
{
    return strpbrk(key->name, "[<") != NULL;
}

static const struct config_key *find_row(const char *name)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

/* What the names of a list's or map's record start with; NULL for other rows. Rows of records follow theirs.
 */
static char *record_prefix(const struct config_key *key)
{
    if (!holds_records(key))
        return NULL;
    const char *end = strrchr(key[1].name, '.');
    return g_strndup(key[1].name, (gsize)(end - key[1].name) + 1);
}

/* The records' own strings first, by their rows; then the array. */
static void clear_records(const struct config_key *key, GArray **array)
{
    g_autofree char *prefix = record_prefix(key);
    size_t n;
    const struct config_key *keys = config_keys(&n);
    if (*array == NULL)
        return;
    for (guint i = 0; i < (*array)->len; i++) {
        char *record = (*array)->data + i * key->record_size;
        for (size_t k = 0; k < n; k++) {
            if (g_str_has_prefix(keys[k].name, prefix))
                value_clear(&keys[k], record + keys[k].offset);
        }
        if (key->type == CONFIG_MAP)
            g_free(*(char **)(void *)record);
    }
    g_clear_pointer(array, g_array_unref);
}

/* Rows of records are skipped: their fields lie in the arrays, which clear_records() goes through. */
void read_clear(struct config *c)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        char *field = (char *)c + keys[i].offset;
        if (is_record_row(&keys[i]))
            continue;
        if (holds_records(&keys[i]))
            clear_records(&keys[i], (GArray **)(void *)field);
        else
            value_clear(&keys[i], field);
    }
}

/* A default as the node that the file would give; a quoted one holds no escapes. */
static struct yaml_node *default_node(const char *def, struct faults *f)
{
    if (*def == '[')
        return yaml_parse(def, strlen(def), f);
    struct yaml_node *node = g_new0(struct yaml_node, 1);
    bool quoted = *def == '"';
    node->kind = YAML_SCALAR;
    node->plain = !quoted;
    node->text = quoted ? g_strndup(def + 1, strlen(def) - 2) : g_strdup(def);
    return node;
}

/* Fills the fields whose rows start with `prefix` and go no deeper into records. */
static void fill_defaults(const char *prefix, void *base)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    g_autoptr(faults) none = faults_new("default");
    for (size_t i = 0; i < n; i++) {
        void *field = (char *)base + keys[i].offset;
        if (!g_str_has_prefix(keys[i].name, prefix) || keys[i].def == NULL ||
            strpbrk(keys[i].name + strlen(prefix), "[<") != NULL)
            continue;
        if (holds_records(&keys[i])) {
            *(GArray **)field = g_array_new(FALSE, TRUE, (guint)keys[i].record_size);
            continue;
        }
        g_autoptr(yaml_node) node = default_node(keys[i].def, none);
        value_read(&keys[i], node, keys[i].name, field, none);
    }
    g_assert(faults_count(none) == 0);
}

void read_defaults(struct config *c)
{
    fill_defaults("", c);
}

/* The words that may stand at a level, each once. */
static GPtrArray *words_at(struct level at)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (!g_str_has_prefix(keys[i].name, at.rows))
            continue;
        const char *rest = keys[i].name + strlen(at.rows);
        g_autofree char *word = g_strndup(rest, strcspn(rest, ".["));
        if (!g_ptr_array_find_with_equal_func(words, word, g_str_equal, NULL))
            g_ptr_array_add(words, g_steal_pointer(&word));
    }
    return words;
}

/* A row elsewhere whose last word is this one: a key that slipped out of its section. */
static const struct config_key *row_ending_in(const char *word)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        const char *dot = strrchr(keys[i].name, '.');
        if (dot != NULL && strcmp(dot + 1, word) == 0)
            return &keys[i];
    }
    return NULL;
}

/* The best guess at what was meant, in this order: dots instead of nesting, a slip of the pen, the wrong
 * section. */
static void refuse_unknown(struct walk *w, const struct yaml_node *child, struct level at)
{
    g_autoptr(GPtrArray) words = words_at(at);
    g_autofree char *shown = value_shown(child->key);
    const char *near = nearest_word(child->key, (const char *const *)words->pdata, words->len);
    const struct config_key *row = row_ending_in(child->key);
    g_autofree char *where = g_strndup(at.shown, strlen(at.shown) - (*at.shown == '\0' ? 0 : 1));
    g_autofree char *in = *where == '\0' ? g_strdup("") : g_strdup_printf(" in %s", where);
    if (find_row(child->key) != NULL)
        faults_add(w->faults, child->key_line, child->key_column,
                   "unknown key '%s'%s; write it as nested keys, not with dots", shown, in);
    else if (near != NULL)
        faults_add(w->faults, child->key_line, child->key_column, "unknown key '%s'%s; did you mean '%s'?",
                   shown, in, near);
    else if (row != NULL)
        faults_add(w->faults, child->key_line, child->key_column, "unknown key '%s'%s; did you mean '%s'?",
                   shown, in, row->name);
    else
        faults_add(w->faults, child->key_line, child->key_column, "unknown key '%s'%s", shown, in);
}

/* Reports the keys of a record that have no default and are not given. */
static void require_keys(struct walk *w, const struct yaml_node *map, struct level at)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (keys[i].def != NULL || !g_str_has_prefix(keys[i].name, at.rows))
            continue;
        const char *word = keys[i].name + strlen(at.rows);
        g_autofree char *path = g_strconcat(at.shown, word, NULL);
        if (!g_hash_table_contains(w->nodes, path))
            faults_add(w->faults, map->line, map->column, "%s is missing (%s)", path, keys[i].help);
    }
}

/* The operator's own names in a map: any shard id, or a namespace. */
static bool is_sound_id(struct walk *w, const struct config_key *key, const struct yaml_node *child)
{
    g_autofree char *shown = value_shown(child->key);
    const char *dot = strchr(child->key, '.');
    bool wants_ns = strstr(key[1].name, "<ns>") != NULL;
    if (*child->key == '\0')
        faults_add(w->faults, child->key_line, child->key_column, "%s: a name is empty", key->name);
    else if (wants_ns && (dot == NULL || dot == child->key || dot[1] == '\0'))
        faults_add(w->faults, child->key_line, child->key_column,
                   "%s: '%s' is not a namespace; write it like database.collection", key->name, shown);
    else
        return true;
    return false;
}

/* One record of a list or map: defaults first, then what is given. */
static void read_record(struct walk *w, const struct config_key *key, const struct yaml_node *node,
                        const char *shown, GArray *array)
{
    g_autofree char *prefix = record_prefix(key);
    g_autofree char *below = g_strconcat(shown, ".", NULL);
    if (key->type == CONFIG_MAP && !is_sound_id(w, key, node))
        return;
    g_array_set_size(array, array->len + 1);
    char *record = array->data + (array->len - 1) * key->record_size;
    struct level at = {prefix, below, record};
    if (key->type == CONFIG_MAP)
        *(char **)(void *)record = g_strdup(node->key);
    fill_defaults(prefix, record);
    if (node->kind == YAML_LIST || node->kind == YAML_SCALAR) {
        faults_add(w->faults, node->line, node->column, "%s: keys are wanted here, such as '%s'", shown,
                   key[1].name + strlen(prefix));
    } else if (node->kind != YAML_BAD) {
        read_section(w, node, at);
        require_keys(w, node, at);
    }
}

/* Nothing below the key is the same as an empty list or map: its entries may all be commented out. */
static void read_records(struct walk *w, const struct config_key *key, const struct yaml_node *node,
                         const char *shown, GArray *array)
{
    enum yaml_kind wanted = key->type == CONFIG_LIST ? YAML_LIST : YAML_MAP;
    if (node->kind == YAML_NULL || node->kind == YAML_BAD)
        return;
    if (node->kind != wanted) {
        faults_add(w->faults, node->line, node->column, "%s: a %s is wanted; for none write %s", shown,
                   config_type_text(key->type), key->def);
        return;
    }
    if (node->items->len > MAX_RECORDS)
        faults_add(w->faults, node->line, node->column, "%s: more than %d entries", shown, MAX_RECORDS);
    for (guint i = 0; i < MIN(node->items->len, MAX_RECORDS); i++) {
        const struct yaml_node *item = node->items->pdata[i];
        g_autofree char *path = key->type == CONFIG_MAP ? g_strdup_printf("%s.%s", shown, item->key)
                                                        : g_strdup_printf("%s[%u]", shown, i + 1);
        g_hash_table_replace(w->nodes, g_strdup(path), (void *)(uintptr_t)item);
        read_record(w, key, item, path, array);
    }
}

/* Whether the table has rows below this name. */
static bool is_section(const char *name)
{
    g_autofree char *prefix = g_strconcat(name, ".", NULL);
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (g_str_has_prefix(keys[i].name, prefix))
            return true;
    }
    return false;
}

/* One key of a section or record: found, remembered with its place, and read by its type. */
static void read_child(struct walk *w, const struct yaml_node *child, struct level at)
{
    /* Dots, brackets and angles are marks of the table's names, never part of a key. */
    bool plain_word = *child->key != '\0' && strpbrk(child->key, ".[]<>") == NULL;
    g_autofree char *name = g_strconcat(at.rows, child->key, NULL);
    g_autofree char *shown = g_strconcat(at.shown, child->key, NULL);
    const struct config_key *key = plain_word ? find_row(name) : NULL;
    bool section = key == NULL && plain_word && is_section(name);
    if (key == NULL && !section) {
        refuse_unknown(w, child, at);
        return;
    }
    g_hash_table_replace(w->nodes, g_strdup(shown), (void *)(uintptr_t)child);
    if (section) {
        g_autofree char *rows = g_strconcat(name, ".", NULL);
        g_autofree char *below = g_strconcat(shown, ".", NULL);
        read_section(w, child, (struct level){rows, below, at.base});
    } else if (holds_records(key)) {
        read_records(w, key, child, shown, *(GArray **)(void *)((char *)at.base + key->offset));
    } else if (!value_read(key, child, shown, (char *)at.base + key->offset, w->faults)) {
        g_hash_table_add(w->refused, (void *)(uintptr_t)child);
    }
}

/* A section with nothing in it is one whose keys are all commented out. */
static void read_section(struct walk *w, const struct yaml_node *map, struct level at)
{
    if (map->kind == YAML_NULL || map->kind == YAML_BAD)
        return;
    if (map->kind != YAML_MAP) {
        g_autofree char *what = *at.shown == '\0'
                                    ? g_strdup("a configuration file")
                                    : g_strdup_printf("section '%.*s'", (int)strlen(at.shown) - 1, at.shown);
        faults_add(w->faults, map->line, map->column, "%s must hold keys, each as \"key: value\"", what);
        return;
    }
    for (guint i = 0; i < map->items->len; i++)
        read_child(w, map->items->pdata[i], at);
}

/* The node of a key that was given; NULL if it was not. */
static const struct yaml_node *given(const struct walk *w, const char *path)
{
    return g_hash_table_lookup(w->nodes, path);
}

/* The same; NULL also where its value was refused, so that what is made of the value means nothing. */
static const struct yaml_node *taken(const struct walk *w, const char *path)
{
    const struct yaml_node *node = given(w, path);
    return node != NULL && !g_hash_table_contains(w->refused, node) ? node : NULL;
}

/* Equal times could mean never or always; MongoDB's own settings refuse them too. */
static void check_windows(struct walk *w)
{
    const GArray *windows = w->config->balancer.windows;
    for (guint i = 0; i < windows->len; i++) {
        const struct config_window *window = &g_array_index(windows, struct config_window, i);
        g_autofree char *stop_path = g_strdup_printf("balancer.windows[%u].stop", i + 1);
        g_autofree char *start_path = g_strdup_printf("balancer.windows[%u].start", i + 1);
        const struct yaml_node *start = taken(w, start_path), *stop = taken(w, stop_path);
        if (start == NULL || stop == NULL || window->start_min != window->stop_min)
            continue;
        faults_add(
            w->faults, stop->line, stop->column,
            "window %u stops when it starts (\"%02d:%02d\"); give two different times, or drop the window",
            i + 1, window->stop_min / 60, window->stop_min % 60);
    }
}

/* What no key alone can show. */
static void check_between(struct walk *w)
{
    const struct config *c = w->config;
    const struct yaml_node *uri = given(w, "cluster.uri");
    const struct yaml_node *uri_file = given(w, "cluster.uriFile");
    if (uri != NULL && uri_file != NULL && *c->cluster.uri_file != '\0')
        faults_add(w->faults, uri_file->key_line, uri_file->key_column,
                   "cluster.uri (line %d) and cluster.uriFile are both given; drop one", uri->key_line);
    const struct yaml_node *backoff = given(w, "migrations.retry.backoff");
    const struct yaml_node *most = given(w, "migrations.retry.maxBackoff");
    const struct yaml_node *at = most != NULL ? most : backoff;
    if (at != NULL && c->migrations.retry.max_backoff < c->migrations.retry.backoff)
        faults_add(w->faults, at->line, at->column,
                   "migrations.retry.maxBackoff is shorter than migrations.retry.backoff; raise it, or lower "
                   "backoff");
    check_windows(w);
}

void read_document(struct config *c, const struct yaml_node *root, struct faults *f)
{
    struct walk w = {.config = c,
                     .faults = f,
                     .refused = g_hash_table_new(NULL, NULL),
                     .nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
    unsigned before = faults_count(f);
    if (root != NULL)
        read_section(&w, root, (struct level){"", "", c});
    check_between(&w);
    if (faults_count(f) == before)
        c->given = g_hash_table_ref(w.nodes);
    g_hash_table_unref(w.nodes);
    g_hash_table_unref(w.refused);
}
