// SPDX-License-Identifier: Apache-2.0
/* fault_vfs.h - SQLite's files, on a disk that breaks or loses power.
 * Owns: a VFS in front of the system's, which counts what changes a file, fails it from a given one on, and
 * remembers what was synced. Never: changes what SQLite asks for while no fault is set. One thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Makes it what SQLite opens files with; and the system's own again. */
void fault_vfs_install(void);
void fault_vfs_remove(void);

enum fault_kind { FAULT_IO, FAULT_FULL };
enum { FAULT_FOREVER = -1 };
/* The n-th (1..) write, truncation or sync from now on fails, and `more` after it. 0: none fails. A sync
 * fails with an I/O error whatever the kind. */
void fault_vfs_fail(unsigned n, int more, enum fault_kind kind);
/* Likewise, but syncs alone are counted and fail. */
void fault_vfs_fail_syncs(unsigned n, int more);
/* How many failed since. */
unsigned fault_vfs_struck(void);

/* What a power failure at this moment leaves of the database `path` and of its log, written as `to`: all that
 * was synced, and of what came after that any part, by sectors, as `r` has it. */
void fault_vfs_power_loss(const char *path, const char *to, GRand *r);
