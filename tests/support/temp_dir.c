// SPDX-License-Identifier: Apache-2.0
#include "tests/support/temp_dir.h"

#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

temp_dir *temp_dir_new(void)
{
    temp_dir *t = g_new0(temp_dir, 1);
    t->path = g_dir_make_tmp("evenkeel-test-XXXXXX", NULL);
    if (t->path == NULL)
        g_error("cannot make a temporary folder");
    return t;
}

/* Folders of a test are a level or two deep. */
static void remove_tree(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *inner = g_build_filename(path, name, NULL);
        if (unlink(inner) != 0)
            remove_tree(inner);
    }
    if (dir != NULL)
        g_dir_close(dir);
    rmdir(path);
}

void temp_dir_free(temp_dir *t)
{
    if (t == NULL)
        return;
    remove_tree(t->path);
    g_free(t->path);
    g_free(t);
}

char *temp_dir_write(temp_dir *t, const char *name, const void *data, size_t len)
{
    char *path = g_build_filename(t->path, name, NULL);
    g_autofree char *folder = g_path_get_dirname(path);
    if (g_mkdir_with_parents(folder, 0700) != 0 || !g_file_set_contents(path, data, (gssize)len, NULL))
        g_error("cannot write '%s'", path);
    return path;
}

GByteArray *gzip_bytes(const void *data, size_t len)
{
    z_stream z = {0};
    if (deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        g_error("cannot start zlib");
    GByteArray *out = g_byte_array_sized_new((guint)deflateBound(&z, len));
    g_byte_array_set_size(out, (guint)deflateBound(&z, len));
    g_autofree uint8_t *in = g_memdup2(data, len);
    z.next_in = in;
    z.avail_in = (uInt)len;
    z.next_out = out->data;
    z.avail_out = out->len;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        g_error("cannot gzip");
    g_byte_array_set_size(out, (guint)z.total_out);
    deflateEnd(&z);
    return out;
}

char *temp_dir_write_gz(temp_dir *t, const char *name, const void *data, size_t len)
{
    g_autoptr(GByteArray) gz = gzip_bytes(data, len);
    return temp_dir_write(t, name, gz->data, gz->len);
}
