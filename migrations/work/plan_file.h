// SPDX-License-Identifier: Apache-2.0
/* plan_file.h - reads the plan that `evenkeel plan --format json` wrote, for carrying it out.
 * Owns: what of it is believed: everything is checked (schemaVersion, types, ranges, ids that follow one
 * another, shards and zones as text), and what does not fit is refused with its place
 * ("rounds[2].migrations[5].min"). Never: repairs a plan, or takes one whose planId is not the hash of its
 * content.
 */
#pragma once

#include "common/err.h"
#include "migrations/work/work.h"

enum { PLAN_FILE_MAX = 512 * 1024 * 1024 };

/* ERR_NO_INPUT: not there or not readable; ERR_DATA: not a plan, damaged, changed after it was made, or of a
 * schema that this version does not know. "-" reads stdin. */
bool plan_file_read(const char *path, work **ret, struct err *err);
/* The same of `len` bytes; `name` stands for the file in messages. */
bool plan_file_parse(const char *name, const char *text, gsize len, work **ret, struct err *err);
