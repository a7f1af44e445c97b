// SPDX-License-Identifier: Apache-2.0
/* readers.h - the readers of source.h, from a stream instead of a path.
 * Owns: what the keys of a snapshot and of a size file mean.
 * Never: names the file in an error; the functions of source.h do.
 */
#pragma once

#include "balancer/cluster/builder.h"
#include "balancer/cluster/changes.h"
#include "balancer/cluster/intake.h"
#include "balancer/source/stream.h"

#include <stdbool.h>

bool snapshot_read(stream *st, builder *b, struct err *err);
bool snapshot_read_into(stream *st, const struct intake *to, struct err *err);
bool sizes_read(stream *st, builder *b, struct err *err);
bool zones_read(stream *st, change_list *to, guint at, struct err *err);

/* One collection of a dump: plain documents, one behind the other. */
bool documents_read(stream *st, enum doc_kind kind, builder *b, struct err *err);
