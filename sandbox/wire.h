// SPDX-License-Identifier: Apache-2.0
/* wire.h - the framing of the MongoDB wire protocol: bytes to requests, replies to bytes.
 * Owns: the header, OP_MSG with its sections, flags and checksum, OP_QUERY as far as greetings use it,
 * OP_REPLY, limits. Never: trusts a length, touches a socket, or knows a command.
 */
#pragma once

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    WIRE_HEADER_LEN = 16,
    WIRE_MESSAGE_MAX = 48000000,
    WIRE_DOCUMENT_MAX = 16 * 1024 * 1024,
    WIRE_INTERNAL_MAX = WIRE_DOCUMENT_MAX + 16 * 1024, /* commands may be that much larger than a document */
};

enum wire_opcode {
    WIRE_OP_REPLY = 1,
    WIRE_OP_QUERY = 2004,
    WIRE_OP_COMPRESSED = 2012,
    WIRE_OP_MSG = 2013,
};

enum wire_flag { WIRE_CHECKSUM_PRESENT = 1, WIRE_MORE_TO_COME = 2, WIRE_EXHAUST_ALLOWED = 1 << 16 };

struct wire_header {
    int32_t length, request_id, response_to, opcode;
};

/* What a message is worth: a request; an error that can be answered; or nothing that lets the connection live
 * on. */
enum wire_verdict { WIRE_REQUEST, WIRE_ANSWER_ERROR, WIRE_DROP };

/* One decoded request. `command` is the body with the document sequences appended as arrays; of an OP_QUERY
 * it is the query without a "$query" around it. */
struct wire_request {
    struct wire_header header;
    uint32_t flags;  /* of OP_MSG */
    char *ns;        /* of OP_QUERY, "admin.$cmd"; else NULL */
    bson_t *command; /* NULL unless WIRE_REQUEST */
    int code;        /* with WIRE_ANSWER_ERROR and WIRE_DROP: the server's error code and text */
    char *message;
};

/* Reads a header of WIRE_HEADER_LEN bytes. False: no message can have it, and the connection must be dropped.
 */
bool wire_read_header(const uint8_t *bytes, struct wire_header *ret);

/* Decodes a whole message of `len` bytes (header included, and header.length == len). `ret` is always set,
 * and is cleared by wire_request_clear(). */
enum wire_verdict wire_decode(const uint8_t *bytes, size_t len, struct wire_request *ret);
void wire_request_clear(struct wire_request *r);

/* Appends a reply as OP_MSG, or as OP_REPLY to an OP_QUERY; `checksum` adds one. */
void wire_encode_msg(GByteArray *out, int32_t request_id, int32_t response_to, bool checksum,
                     const bson_t *reply);
void wire_encode_reply(GByteArray *out, int32_t request_id, int32_t response_to, const bson_t *reply);

/* CRC-32C (Castagnoli) of `len` bytes. */
uint32_t wire_crc32c(const uint8_t *bytes, size_t len);

/* Whether the bytes are one well-formed document, nested no deeper than servers take (180 levels), with
 * strings of UTF-8 or not: servers do not look. Linear time, bounded stack. */
bool wire_document_ok(const uint8_t *bytes, size_t len);
