// SPDX-License-Identifier: Apache-2.0
/* yaml.h - YAML text as a small tree whose nodes know their place.
 * Owns: the nodes, the faults list, and what of YAML is refused: anchors, aliases, tags, several documents,
 * keys that are not words, keys given twice, nesting or size beyond reason. Never: knows which keys there
 * are.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

enum yaml_kind {
    YAML_NULL, /* nothing, "~" or "null" */
    YAML_SCALAR,
    YAML_LIST,
    YAML_MAP,
    YAML_BAD /* refused, with a fault: say nothing more about it */
};

struct yaml_node {
    enum yaml_kind kind;
    bool plain;       /* a scalar without quotes */
    int line, column; /* from 1 */
    char *text;       /* of a scalar: valid UTF-8 */
    char *key;        /* of a map's child; NULL elsewhere */
    int key_line, key_column;
    GPtrArray *items; /* of lists and maps: struct yaml_node * */
};

void yaml_node_free(struct yaml_node *node);
typedef struct yaml_node yaml_node;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(yaml_node, yaml_node_free)

/* A word's YAML meaning as a plain scalar: "true" and "12" are not text unless quoted. */
bool yaml_is_number(const char *text);

/* The faults of one file, each with its place. */
typedef struct faults faults;

struct faults *faults_new(const char *file);
void faults_free(struct faults *f);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(faults, faults_free)

/* Adds a fault at a place; line 0: the file as a whole. The text is made printable. Long lists are cut short.
 */
void faults_add(struct faults *f, int line, int column, const char *fmt, ...) G_GNUC_PRINTF(4, 5);
void faults_warn(struct faults *f, int line, int column, const char *fmt, ...) G_GNUC_PRINTF(4, 5);

/* Faults, warnings not counted. */
unsigned faults_count(const struct faults *f);

/* "file:line:col: error: text" lines in the order of the file. The caller frees the array. */
GPtrArray *faults_lines(const struct faults *f);

/* Reads text. Faults go to `f`; what was read before a fault that ends the reading is returned as far as it
 * is sound. NULL: an empty document. */
struct yaml_node *yaml_parse(const char *text, gsize len, struct faults *f);
