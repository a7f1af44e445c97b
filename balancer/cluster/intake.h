// SPDX-License-Identifier: Apache-2.0
/* intake.h - who takes the metadata that a source finds, piece by piece: a builder, or a writer of snapshots.
 * Owns: the table of functions between the two.
 * Never: keeps anything. All that is handed over is borrowed for the call.
 */
#pragma once

#include "balancer/cluster/builder.h"

/* Short texts of a source besides its documents. */
enum intake_text {
    INTAKE_SERVER_VERSION, /* "7.0.14" */
    INTAKE_FCV,            /* "7.0"; of no use to a model */
    INTAKE_USED_SHARD,     /* see builder_used_shard() */
    INTAKE_FIRST_NS,       /* see builder_first_ns() */
    INTAKE_TEXT_COUNT
};

/* The functions may come in any order, but all documents of one kind come together, and so do all sizes. */
struct intake {
    void *data;
    /* See builder_add(): the length of `doc` is sound, its contents are not checked. */
    bool (*document)(void *data, enum doc_kind kind, uint64_t index, const uint8_t *doc, uint32_t len,
                     struct err *err);
    bool (*sizes)(void *data, const char *ns, const uint8_t *doc, uint32_t len, struct err *err);
    bool (*text)(void *data, enum intake_text what, const char *text, struct err *err);
    bool (*taken_at)(void *data, int64_t unix_ms, struct err *err);
    void (*warn)(void *data, const char *code, const char *ns, const char *message);
};

/* Hands everything to `b`, which must outlive the result. */
struct intake intake_builder(builder *b);
