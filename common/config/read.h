// SPDX-License-Identifier: Apache-2.0
/* read.h - the way from a tree to the struct, inside this folder.
 * Owns: what each type accepts, how the table is walked, and the checks between keys.
 * Never: opens a file.
 */
#pragma once

#include "common/config/config.h"
#include "common/config/yaml.h"

/* Reads one value into its field, whose old content is released. On a fault the field stays as it is. `path`
 * is the key as shown. Lists and maps of records are not for this function. */
bool value_read(const struct config_key *key, const struct yaml_node *node, const char *path, void *field,
                struct faults *f);

/* Releases what a field holds and zeroes its pointers. Lists and maps of records are not for this function.
 */
void value_clear(const struct config_key *key, void *field);

/* A word from the file as it may be shown: cut short, and hidden where it may be a URI. The caller frees it.
 */
char *value_shown(const char *text);

/* Fills every field with its default. `c` is zeroed. */
void read_defaults(struct config *c);

/* Releases every field that the table names. */
void read_clear(struct config *c);

/* Fills `c`, which holds the defaults, from a tree (NULL: an empty document), and checks it. */
void read_document(struct config *c, const struct yaml_node *root, struct faults *f);
