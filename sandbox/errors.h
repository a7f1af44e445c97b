// SPDX-License-Identifier: Apache-2.0
/* errors.h - the server's error codes and their names, in one table.
 * Owns: which name goes with which number. A number without a name is called "Location<number>", as by the
 * server. Never: decides when an error is answered.
 */
#pragma once

#include <stdbool.h>

enum sb_code {
    SB_NO_CODE = 0, /* some refusals of old commands carry only a text */
    SB_INTERNAL_ERROR = 1,
    SB_BAD_VALUE = 2,
    SB_NO_SUCH_KEY = 4,
    SB_HOST_UNREACHABLE = 6,
    SB_FAILED_TO_PARSE = 9,
    SB_UNSUPPORTED_FORMAT = 12,
    SB_UNAUTHORIZED = 13,
    SB_TYPE_MISMATCH = 14,
    SB_AUTHENTICATION = 18,
    SB_ILLEGAL_OPERATION = 20,
    SB_INVALID_BSON = 22,
    SB_ALREADY_INITIALIZED = 23,
    SB_LOCK_TIMEOUT = 24,
    SB_NAMESPACE_NOT_FOUND = 26,
    SB_PATH_NOT_VIABLE = 28,
    SB_CURSOR_NOT_FOUND = 43,
    SB_LOCK_BUSY = 46,
    SB_NAMESPACE_EXISTS = 48,
    SB_MAX_TIME_EXPIRED = 50,
    SB_COMMAND_NOT_FOUND = 59,
    SB_SHARD_KEY_NOT_FOUND = 61,
    SB_IMMUTABLE_FIELD = 66,
    SB_SHARD_NOT_FOUND = 70,
    SB_INVALID_OPTIONS = 72,
    SB_INVALID_NAMESPACE = 73,
    SB_CANNOT_SPLIT = 87,
    SB_OPERATION_FAILED = 96,
    SB_NOT_SUPPORTED = 115,
    SB_CONFLICT = 117, /* ConflictingOperationInProgress */
    SB_NOT_SHARDED = 118,
    SB_NO_PRIMARY = 133, /* FailedToSatisfyReadPreference */
    SB_LIMIT = 146,
    SB_STALE_EPOCH = 150,
    SB_CHUNK_TOO_BIG = 153,
    SB_ZONE_STILL_IN_USE = 163,
    SB_ZONE_NOT_FOUND = 177,
    SB_RANGE_OVERLAP = 178,
    SB_EXCEEDED_TIME_LIMIT = 262,
    SB_FAIL_POINT_FAILED = 266,
    SB_UNSUPPORTED_OP_QUERY = 352,
    SB_DUPLICATE_KEY = 11000,
    SB_INTERRUPTED = 11601,
    SB_INTERRUPTED_STATE_CHANGE = 11602,
    SB_STALE_CONFIG = 13388,
    SB_COMMIT_NOT_ON_DONOR = 40165,
    SB_IDL_MISSING = 40414,
    SB_IDL_UNKNOWN = 40415,
    SB_JUMBO_FORM = 51260,
    SB_JUMBO_NO_CHUNK = 51261,
    SB_MOVE_NO_KEY = 656450,
    SB_MOVE_NOT_KEYS = 656451,
    SB_MOVE_NO_CHUNK = 656452,
    SB_RANGE_NOT_ONE_CHUNK = 11089203,
};

enum { SB_CODE_NAME_MAX = 40 };

/* The name of a code, static or in `buf`. */
const char *sb_code_name(int code, char buf[SB_CODE_NAME_MAX]);

/* Whether the config server takes an error of this code, when it comes from a donor, for one that may pass,
 * and wraps it in OperationFailed: lost connections, elections, shutdowns; from 6.0 on ExceededTimeLimit too.
 */
bool sb_code_wrapped(int code, bool newer);
