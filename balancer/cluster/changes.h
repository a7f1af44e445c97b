// SPDX-License-Identifier: Apache-2.0
/* changes.h - what if: wished changes to a cluster, made to its metadata on the way into the model.
 * Owns: the list of wishes, their spelling on a command line, and making them to what a builder has read: the
 * frozen model stays frozen, and every check of it is made with the changes in place. Never: reads files,
 * decides. A weight is a wish towards the planner, no metadata: it is kept and checked here, and used by who
 * makes the planner's options. Untrusted: all names and documents.
 */
#pragma once

#include "balancer/cluster/builder.h"
#include "common/err.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum change_kind { CHANGE_DRAIN, CHANGE_ADD_SHARD, CHANGE_WEIGHT, CHANGE_ZONES, CHANGE_KIND_COUNT };

struct wished {
    enum change_kind kind;
    char *shard;           /* of the first three */
    GPtrArray *zones;      /* char *, CHANGE_ADD_SHARD: what it carries, in the order given */
    double weight;         /* CHANGE_WEIGHT */
    char *file;            /* CHANGE_ZONES: where it comes from */
    GPtrArray *namespaces; /* char *, CHANGE_ZONES: collections all of whose ranges are replaced */
    GPtrArray *shards;     /* char *, CHANGE_ZONES: shards whose zones are replaced */
};

/* "drain", "addShard", "weight", "zones": stable. */
const char *change_kind_text(enum change_kind kind);

typedef struct change_list {
    GArray *list; /* struct wished, in the order of the wishes */
    struct changes_zones *zones;
} change_list;

change_list *changes_new(void);
void changes_free(change_list *c); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(change_list, changes_free)

/* Wishes as a command line spells them: "SHARD", "NAME" or "NAME:zone,zone", "SHARD=2" (0.001 to 1,000,000).
 * A shard that is drained twice is drained; one that is added or weighed twice is refused. ERR_USAGE. */
bool changes_drain(change_list *c, const char *arg, struct err *err);
bool changes_add_shard(change_list *c, const char *arg, struct err *err);
bool changes_weigh(change_list *c, const char *arg, struct err *err);

/* A file of zones: its name is a wish, ERR_USAGE where it is given twice; what is in it comes with its
 * reading, for the change at `at` in the list. A collection or a shard that is spoken of twice is refused.
 * ERR_DATA. */
bool changes_zones_file(change_list *c, const char *file, struct err *err);
bool changes_zones_tag(change_list *c, guint at, uint64_t index, const uint8_t *doc, uint32_t len,
                       struct err *err);
bool changes_zones_shard(change_list *c, guint at, uint64_t index, const uint8_t *doc, uint32_t len,
                         struct err *err);
/* All ranges of this collection are replaced, also where no tag names it. `must`: the cluster must have it;
 * else it is passed over where it has not. */
bool changes_zones_namespace(change_list *c, guint at, const char *ns, bool must, struct err *err);
/* The same of a document of config.collections, which names its collection; that of a dropped one is passed
 * over. */
bool changes_zones_collection(change_list *c, guint at, uint64_t index, const uint8_t *doc, uint32_t len,
                              struct err *err);

/* Makes the changes to what `b` has read, after the source and before builder_finish(). A shard that is not
 * there is ERR_USAGE where an option names it and ERR_DATA where a file does; the nearest name is told.
 * Ranges of a file that are damaged end builder_finish() with ERR_DATA. */
bool changes_make(const change_list *c, builder *b, struct err *err);

/* Whether there is one of this kind; NULL: no. */
bool changes_have(const change_list *c, enum change_kind kind);

/* "shard 'shard9' is added, with zones EU and US", printable. The caller frees. */
char *change_text(const struct wished *ch);
