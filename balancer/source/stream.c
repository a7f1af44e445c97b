// SPDX-License-Identifier: Apache-2.0
/* The window is a buffer with a read place and an end. What is left of it moves to the front before more is
 * read, and the buffer grows until at least half of it is free then, so that the moving costs less than the
 * reading. */
#include "balancer/source/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
    WINDOW_BYTES = 1 << 20, /* more than twice GZ_BYTES: zlib then reads plain files straight into it */
    GZ_BYTES = 256 << 10,
};

struct stream {
    gzFile gz;            /* NULL: memory */
    const uint8_t *bytes; /* memory not read yet */
    size_t n_bytes;
    uint8_t *buf;
    size_t cap, at, end; /* the window is buf[at .. end) */
    uint64_t offset;     /* of buf[at] in the stream */
    bool finished;
};

/* Not zeroed: pages of the window that are never read into are never touched. */
static stream *stream_new(size_t cap)
{
    stream *st = g_new0(stream, 1);
    st->cap = cap;
    st->buf = g_malloc(cap);
    return st;
}

/* The descriptor, or -1 with err set. Opening a folder for reading succeeds, hence the second look. */
static int open_path(const char *path, struct err *err)
{
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        err_set(err, ERR_NO_INPUT, "cannot open: %s", g_strerror(errno));
        return -1;
    }
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        close(fd);
        err_set(err, ERR_NO_INPUT, "is a folder, not a file");
        return -1;
    }
    return fd;
}

stream *stream_open(const char *path, struct err *err)
{
    int fd = open_path(path, err);
    if (fd < 0)
        return NULL;
    gzFile gz = gzdopen(fd, "rb");
    if (gz == NULL) {
        close(fd);
        err_set(err, ERR_FAILED, "cannot open: not enough memory to read it");
        return NULL;
    }
    gzbuffer(gz, GZ_BYTES);
    stream *st = stream_new(WINDOW_BYTES);
    st->gz = gz;
    return st;
}

stream *stream_open_memory(const uint8_t *data, size_t len, size_t block)
{
    stream *st = stream_new(MAX(block, 1));
    st->bytes = data;
    st->n_bytes = len;
    return st;
}

void stream_free(stream *st)
{
    if (st == NULL)
        return;
    if (st->gz != NULL)
        gzclose_r(st->gz);
    g_free(st->buf);
    g_free(st);
}

/* What zlib says went wrong. Z_BUF_ERROR at the end means that the gzip data stops in the middle. */
static bool gz_fault(const stream *st, struct err *err)
{
    int saved = errno, code;
    const char *why = gzerror(st->gz, &code);
    switch (code) {
    case Z_ERRNO:
        return err_set(err, ERR_NO_INPUT, "cannot read: %s", g_strerror(saved));
    case Z_BUF_ERROR:
        return err_set(err, ERR_DATA,
                       "truncated: the gzip data ends too early, after %" G_GUINT64_FORMAT
                       " uncompressed bytes; copy the file again",
                       st->offset + (st->end - st->at));
    case Z_MEM_ERROR:
        return err_set(err, ERR_FAILED, "cannot read: not enough memory");
    default:
        return err_set(err, ERR_DATA,
                       "damaged gzip data after about %" G_GUINT64_FORMAT " uncompressed bytes: %s",
                       st->offset + (st->end - st->at), why);
    }
}

/* Reads up to `n` bytes to `out`; 0 is the end. zlib tells of gzip data that stops short only through
 * gzerror(), after all that could be unpacked was handed out. */
static bool read_some(stream *st, uint8_t *out, size_t n, size_t *ret_n, struct err *err)
{
    if (st->gz == NULL) {
        *ret_n = MIN(n, st->n_bytes);
        if (*ret_n > 0) {
            memcpy(out, st->bytes, *ret_n);
            st->bytes += *ret_n;
            st->n_bytes -= *ret_n;
        }
        return true;
    }
    int got = gzread(st->gz, out, (unsigned)MIN(n, (size_t)INT_MAX));
    int code = Z_OK;
    if (got == 0)
        gzerror(st->gz, &code);
    if (got < 0 || code != Z_OK)
        return gz_fault(st, err);
    *ret_n = (size_t)got;
    return true;
}

/* Makes room for `want` bytes from the front on. */
static void make_room(stream *st, size_t want)
{
    size_t have = st->end - st->at, cap = st->cap;
    while (cap < want || (have > cap / 2 && cap > 1))
        cap *= 2;
    if (cap == st->cap) {
        memmove(st->buf, st->buf + st->at, have);
    } else {
        uint8_t *grown = g_malloc(cap);
        memcpy(grown, st->buf + st->at, have);
        g_free(st->buf);
        st->buf = grown;
        st->cap = cap;
    }
    st->at = 0;
    st->end = have;
}

const uint8_t *stream_peek(stream *st, size_t want, size_t *ret_have, struct err *err)
{
    if (st->end - st->at < want && !st->finished)
        make_room(st, want);
    while (st->end - st->at < want && !st->finished) {
        size_t got = 0;
        if (!read_some(st, st->buf + st->end, st->cap - st->end, &got, err))
            return NULL;
        st->end += got;
        st->finished = got == 0;
    }
    *ret_have = st->end - st->at;
    return st->buf + st->at;
}

void stream_consume(stream *st, size_t n)
{
    g_assert(n <= st->end - st->at);
    st->at += n;
    st->offset += n;
}

bool stream_discard(stream *st, uint64_t n, bool *ret_short, struct err *err)
{
    while (n > 0) {
        size_t have;
        if (stream_peek(st, 1, &have, err) == NULL)
            return false;
        if (have == 0)
            break;
        size_t step = (size_t)MIN(n, (uint64_t)have);
        stream_consume(st, step);
        n -= step;
    }
    *ret_short = n > 0;
    return true;
}

uint64_t stream_offset(const stream *st)
{
    return st->offset;
}
