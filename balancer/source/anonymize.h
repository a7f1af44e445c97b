// SPDX-License-Identifier: Apache-2.0
/* anonymize.h - metadata without names and key values, so that it can be shared in a bug report.
 * Owns: what stays (structure, order, flags, sizes, times of migrations) and what is replaced: names of
 * shards, hosts, databases, collections, zones and fields, key values, uuids and object ids. The same input
 * gives the same output, and new names sort as the old ones did, so that plans are the same up to renaming.
 * Never: keeps a field that it does not know. Holds all of the metadata in memory: what a key value becomes
 * is known only when the last one has been seen.
 */
#pragma once

#include "balancer/cluster/intake.h"

#include <glib.h>
#include <stdbool.h>

typedef struct anonymizer anonymizer;

anonymizer *anonymizer_new(void);
void anonymizer_free(anonymizer *a); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(anonymizer, anonymizer_free)

/* Where the metadata goes; warnings are dropped. */
struct intake anonymizer_intake(anonymizer *a);
/* Hands all of it on, without what is to be hidden. */
bool anonymizer_emit(anonymizer *a, const struct intake *to, struct err *err);
