// SPDX-License-Identifier: Apache-2.0
#include "sandbox/errors.h"

#include <glib.h>

static const struct {
    int code;
    const char *name;
} names[] = {
    {1, "InternalError"},
    {2, "BadValue"},
    {4, "NoSuchKey"},
    {6, "HostUnreachable"},
    {7, "HostNotFound"},
    {8, "UnknownError"},
    {9, "FailedToParse"},
    {11, "UserNotFound"},
    {12, "UnsupportedFormat"},
    {13, "Unauthorized"},
    {14, "TypeMismatch"},
    {15, "Overflow"},
    {16, "InvalidLength"},
    {17, "ProtocolError"},
    {18, "AuthenticationFailed"},
    {20, "IllegalOperation"},
    {22, "InvalidBSON"},
    {23, "AlreadyInitialized"},
    {24, "LockTimeout"},
    {26, "NamespaceNotFound"},
    {27, "IndexNotFound"},
    {28, "PathNotViable"},
    {40, "ConflictingUpdateOperators"},
    {43, "CursorNotFound"},
    {46, "LockBusy"},
    {47, "NoMatchingDocument"},
    {48, "NamespaceExists"},
    {50, "MaxTimeMSExpired"},
    {52, "DollarPrefixedFieldName"},
    {54, "NotSingleValueField"},
    {59, "CommandNotFound"},
    {61, "ShardKeyNotFound"},
    {63, "StaleShardVersion"},
    {64, "WriteConcernFailed"},
    {66, "ImmutableField"},
    {67, "CannotCreateIndex"},
    {70, "ShardNotFound"},
    {72, "InvalidOptions"},
    {73, "InvalidNamespace"},
    {77, "OperationIncomplete"},
    {79, "UnknownReplWriteConcern"},
    {85, "IndexOptionsConflict"},
    {86, "IndexKeySpecsConflict"},
    {87, "CannotSplit"},
    {89, "NetworkTimeout"},
    {91, "ShutdownInProgress"},
    {96, "OperationFailed"},
    {100, "UnsatisfiableWriteConcern"},
    {105, "IncompatibleShardingMetadata"},
    {112, "WriteConflict"},
    {115, "CommandNotSupported"},
    {117, "ConflictingOperationInProgress"},
    {118, "NamespaceNotSharded"},
    {125, "CommandFailed"},
    {133, "FailedToSatisfyReadPreference"},
    {134, "ReadConcernMajorityNotAvailableYet"},
    {146, "ExceededMemoryLimit"},
    {150, "StaleEpoch"},
    {153, "ChunkTooBig"},
    {163, "ZoneStillInUse"},
    {177, "ZoneNotFound"},
    {178, "RangeOverlapConflict"},
    {189, "PrimarySteppedDown"},
    {194, "BalancerInterrupted"},
    {200, "ChunkRangeCleanupPending"},
    {202, "NetworkInterfaceExceededTimeLimit"},
    {207, "InvalidUUID"},
    {237, "CursorKilled"},
    {242, "CannotCreateCollection"},
    {249, "StaleDbVersion"},
    {262, "ExceededTimeLimit"},
    {265, "OrphanedRangeCleanUpFailed"},
    {266, "FailPointSetFailed"},
    {272, "MigrationConflict"},
    {279, "ClientDisconnect"},
    {313, "ResumableRangeDeleterDisabled"},
    {334, "MechanismUnavailable"},
    {338, "ReshardCollectionInProgress"},
    {352, "UnsupportedOpQueryCommand"},
    {371, "UserWritesBlocked"},
    {391, "ReauthenticationRequired"},
    {402, "ResourceExhausted"},
    {9001, "SocketException"},
    {10107, "NotWritablePrimary"},
    {11000, "DuplicateKey"},
    {11600, "InterruptedAtShutdown"},
    {11601, "Interrupted"},
    {11602, "InterruptedDueToReplStateChange"},
    {12586, "BackgroundOperationInProgressForDatabase"},
    {12587, "BackgroundOperationInProgressForNamespace"},
    {13388, "StaleConfig"},
    {13435, "NotPrimaryNoSecondaryOk"},
    {13436, "NotPrimaryOrSecondary"},
    {14031, "OutOfDiskSpace"},
    {46841, "ClientMarkedKilled"},
};

const char *sb_code_name(int code, char buf[SB_CODE_NAME_MAX])
{
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (names[i].code == code)
            return names[i].name;
    }
    g_snprintf(buf, SB_CODE_NAME_MAX, "Location%d", code);
    return buf;
}

bool sb_code_wrapped(int code, bool newer)
{
    static const int codes[] = {6, 7, 89, 91, 189, 202, 9001, 10107, 11600, 11602, 13435, 13436};
    for (unsigned i = 0; i < G_N_ELEMENTS(codes); i++) {
        if (codes[i] == code)
            return true;
    }
    return newer && code == SB_EXCEEDED_TIME_LIMIT;
}
