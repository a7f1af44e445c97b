// SPDX-License-Identifier: Apache-2.0
/* stream.h - a file read from front to back through a window, gzip undone on the way.
 * Owns: the file, the window, and the words for what the file itself can do wrong (not there, not readable,
 * damaged or truncated gzip). Never: knows what the bytes mean, seeks, or holds more than one window. The
 * window grows only as far as the reader asks to see at once, so the reader bounds the memory.
 */
#pragma once

#include "common/err.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct stream stream;

/* Opens a file, or standard input for "-". Gzip is recognised by its magic. ERR_NO_INPUT where it cannot be
 * opened; a folder is ERR_NO_INPUT too, and the message suggests --dump. Messages name no path: the caller
 * wraps them. */
stream *stream_open(const char *path, struct err *err);

/* Reads memory, plain bytes only; borrowed until stream_free(). `block` is the size of the window at first,
 * so that tests can put its edge anywhere; 0 means 1. */
stream *stream_open_memory(const uint8_t *data, size_t len, size_t block);

void stream_free(stream *st); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(stream, stream_free)

/* Shows at least `want` bytes from the current place, or all there are up to the end: *ret_have tells how
 * many. They stay valid until the next call for this stream. NULL on failure only. */
const uint8_t *stream_peek(stream *st, size_t want, size_t *ret_have, struct err *err);

/* Goes on by `n` bytes, which must have been shown. */
void stream_consume(stream *st, size_t n);

/* Goes on by `n` bytes, shown or not; *ret_short is set where the end came first. */
bool stream_discard(stream *st, uint64_t n, bool *ret_short, struct err *err);

/* How many (uncompressed) bytes were consumed. */
uint64_t stream_offset(const stream *st);
