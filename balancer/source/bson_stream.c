// SPDX-License-Identifier: Apache-2.0
/* A document's own header is the only guide to where the next one starts, so one bad length ends the reading:
 * there is no way to find the thread again that would not guess. */
#include "balancer/source/bson_stream.h"

uint32_t bson_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

bool bson_check_length(uint32_t len, struct err *err)
{
    if (len < BSON_DOC_MIN)
        return err_set(err, ERR_DATA,
                       "not BSON: its length is given as %" G_GUINT32_FORMAT
                       " bytes, and no document is shorter than %u",
                       len, BSON_DOC_MIN);
    if (len > BSON_DOC_MAX)
        return err_set(err, ERR_DATA,
                       "not BSON: its length is given as %" G_GUINT32_FORMAT
                       " bytes, and no document is longer than %u",
                       len, BSON_DOC_MAX);
    return true;
}

static bool next(stream *st, const uint8_t **ret_doc, uint32_t *ret_len, struct err *err)
{
    size_t have;
    const uint8_t *p = stream_peek(st, 4, &have, err);
    if (p == NULL)
        return false;
    if (have == 0) {
        *ret_doc = NULL;
        *ret_len = 0;
        return true;
    }
    if (have < 4)
        return err_set(err, ERR_DATA, "truncated: the file ends within the length of the document");
    uint32_t len = bson_u32(p);
    if (!bson_check_length(len, err))
        return false;
    /* The limit was checked first: this is what lets the window grow. */
    p = stream_peek(st, len, &have, err);
    if (p == NULL)
        return false;
    if (have < len)
        return err_set(err, ERR_DATA,
                       "truncated: the document has %" G_GUINT32_FORMAT
                       " bytes, and the file ends after %zu of them",
                       len, have);
    if (p[len - 1] != 0)
        return err_set(err, ERR_DATA,
                       "not BSON: the document of %" G_GUINT32_FORMAT " bytes does not end with a zero byte",
                       len);
    stream_consume(st, len);
    *ret_doc = p;
    *ret_len = len;
    return true;
}

bool bson_stream_next(stream *st, const uint8_t **ret_doc, uint32_t *ret_len, struct err *err)
{
    uint64_t at = stream_offset(st);
    if (!next(st, ret_doc, ret_len, err))
        return err_wrap(err, "at byte %" G_GUINT64_FORMAT, at);
    return true;
}
