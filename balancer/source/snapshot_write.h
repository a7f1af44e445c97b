// SPDX-License-Identifier: Apache-2.0
/* snapshot_write.h - writes a snapshot, document by document, as they come.
 * Owns: the format on the way out (Extended JSON or BSON, plain or gzip), and the file: complete or not there
 * at all, readable by its owner only. Never: changes a document, or holds more than one.
 */
#pragma once

#include "balancer/cluster/intake.h"
#include "common/err.h"

#include <glib.h>
#include <stdbool.h>

/* The number under the key evenkeelSnapshot, the only one yet; a later one may mean something else by the
 * same keys. */
enum { SNAPSHOT_FORMAT = 1 };

struct snapshot_format {
    bool bson; /* else canonical Extended JSON, which keeps every type */
    bool gzip;
};

typedef struct snapshot_writer snapshot_writer;

/* Begins a file aside of `path`. ERR_CANT_CREATE. */
snapshot_writer *snapshot_writer_new(const char *path, const struct snapshot_format *format, struct err *err);
/* Where the metadata goes. Warnings are not written: they are the caller's, who replaces `warn`. */
struct intake snapshot_writer_intake(snapshot_writer *w);
/* Completes the file and gives it its name. */
bool snapshot_writer_finish(snapshot_writer *w, struct err *err);
/* Removes what was not finished; NULL accepted. */
void snapshot_writer_free(snapshot_writer *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(snapshot_writer, snapshot_writer_free)
