// SPDX-License-Identifier: Apache-2.0
/* Shared by anonymize*.c. */
#pragma once

#include "balancer/source/anonymize.h"
#include "balancer/source/anonymize_names.h"

struct anonymizer {
    GPtrArray *docs[DOC_KIND_COUNT]; /* GBytes, in the order in which they came */
    GPtrArray *texts[INTAKE_TEXT_COUNT];
    GPtrArray *sizes; /* struct size_entry */
    bool has_taken_at;
    int64_t taken_at;
    names *names;
    GHashTable *ids;        /* GBytes of a uuid or object id -> its number, from 1 */
    GHashTable *ns_of_uuid; /* GBytes -> char * */
};

/* anonymize_docs.c: takes the names of a document; NULL for a kind that has none. */
void (*anonymize_gatherer(enum doc_kind kind))(anonymizer *, const bson_t *);
/* Makes the document anew. */
void anonymize_document(anonymizer *a, enum doc_kind kind, uint64_t index, const bson_t *doc, bson_t *out);
void anonymize_sizes(const anonymizer *a, const bson_t *doc, bson_t *out);
