// SPDX-License-Identifier: Apache-2.0
/* temp_dir.h - files that a test writes for itself.
 * Owns: a folder of its own in the system's temporary folder, removed with all that is in it.
 * Never: fails quietly: a file that cannot be written ends the test program.
 */
#pragma once

#include <glib.h>
#include <stddef.h>

typedef struct {
    char *path;
} temp_dir;

temp_dir *temp_dir_new(void);
void temp_dir_free(temp_dir *t); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(temp_dir, temp_dir_free)

/* Writes a file of that name, folders in front of it made as needed; the path, to be freed by the caller. */
char *temp_dir_write(temp_dir *t, const char *name, const void *data, size_t len);

/* The same, gzipped. */
char *temp_dir_write_gz(temp_dir *t, const char *name, const void *data, size_t len);

/* `data` gzipped; the caller frees. */
GByteArray *gzip_bytes(const void *data, size_t len);
