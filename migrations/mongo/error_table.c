// SPDX-License-Identifier: Apache-2.0
/* The tables. One row a code, in the catalogue's order; advice is for the operator, one sentence without a
 * final stop. */
#include "migrations/mongo/error_private.h"

/* Flags of a row. */
#define UNK 1U     /* outcome unknown */
#define BUSY 2U    /* contention */
#define DROP 4U    /* the recipient's fault; of a move only */
#define MINUTES 8U /* long wait */

#define CLASS(v, f, text)                                                                                    \
    {                                                                                                        \
        .verdict = VERDICT_##v, .unknown = ((f)&UNK) != 0, .contention = ((f)&BUSY) != 0,                    \
        .drop_recipient = ((f)&DROP) != 0, .long_wait = ((f)&MINUTES) != 0, .advice = (text)                 \
    }
#define ROW(code, name, v, f, text)                                                                          \
    {                                                                                                        \
        code, name,                                                                                          \
        {                                                                                                    \
            CLASS(v, f, text), CLASS(v, (f) & ~DROP, text)                                                   \
        }                                                                                                    \
    }
#define ROW_BY_COMMAND(code, name, move, split)                                                              \
    {                                                                                                        \
        code, name,                                                                                          \
        {                                                                                                    \
            move, split                                                                                      \
        }                                                                                                    \
    }

/* Advice that several rows give. */
#define A_WAIT "nothing to do: it is tried again when the other migration has ended"
#define A_LOCK "nothing to do: it is tried again; if it stays, look who holds the collection's lock"
#define A_REFRESH "nothing to do: the next round reads the metadata afresh"
#define A_GONE "check that the collection is still sharded and exists on every shard that owns chunks of it"
#define A_DAMAGED "check the collection's documents in config: its metadata is incomplete"
#define A_RECIPIENT "check the recipient: whether it is part of the cluster, and draining"
#define A_INDEX "build an index on the shard key on every shard, with the collection's own options"
#define A_CREATE "compare the collection's options and indexes on donor and recipient, and make them the same"
#define A_DISK "free or add disk space on the recipient"
#define A_BIG "split it, or allow jumbo chunks to be forced"
#define A_DDL "nothing to do: wait until the operation on the collection or the cluster has ended"
#define A_RESHARD "wait until resharding has ended, or stop it"
#define A_LOAD "nothing to do: it is tried again more slowly; the cluster is overloaded"
#define A_VERIFY "nothing to do: what became of it is read from the metadata"
#define A_ELECTION "nothing to do: it is tried again when the replica set has a primary"
#define A_NETWORK "check the network between mongos and the shards if it stays"
#define A_PRIMARY "check that both shards and the config servers have a primary"
#define A_INTERRUPTED "somebody or something interrupted it: look who does so before it is tried again"
#define A_BUG "report this with the server's version: it did not accept the request as it was made"
#define A_THROTTLE "correct migrations.secondaryThrottle: the shards cannot satisfy its write concern"
#define A_ROLE "give the user the role clusterManager on admin"
#define A_LOGIN "check user, password, authSource and authMechanism in the URI"
#define A_MONGOS "give the URI of a mongos of the cluster's own version"
#define A_UNKNOWN "look into the logs of the donor and of the config servers if it stays"
#define A_ORPHANS "check the recipient's range deletions: orphaned documents there cannot be removed"
#define A_MOVE_BACK                                                                                          \
    "nothing to do: wait until the shard has deleted what it gave away earlier, 15 min or more"
#define A_ONE_VALUE "nothing can be split: the chunk holds one shard key value; refine the shard key"

const struct error_row error_rows[] = {
    /* contention and staleness */
    ROW(117, "ConflictingOperationInProgress", ROUND, BUSY, A_WAIT),
    ROW(46, "LockBusy", SOON, BUSY, A_LOCK),
    ROW(24, "LockTimeout", SOON, 0, A_LOCK),
    ROW(11000, "DuplicateKey", ROUND, BUSY, A_WAIT),
    ROW(13388, "StaleConfig", ROUND, 0, A_REFRESH),
    ROW(63, "StaleShardVersion", ROUND, 0, A_REFRESH),
    ROW(150, "StaleEpoch", ROUND, 0, A_REFRESH),
    ROW(105, "IncompatibleShardingMetadata", ROUND, 0, A_DAMAGED),
    ROW(249, "StaleDbVersion", ROUND, 0, A_REFRESH),
    ROW(118, "NamespaceNotSharded", COLLECTION, 0, A_GONE),
    ROW(26, "NamespaceNotFound", COLLECTION, 0, A_GONE),
    ROW(4, "NoSuchKey", COLLECTION, 0, A_DAMAGED),
    ROW(70, "ShardNotFound", ROUND, DROP, A_RECIPIENT),
    ROW(20, "IllegalOperation", COLLECTION, 0,
        "read the server's message: this cluster or collection does not allow it"),
    ROW(178, "RangeOverlapConflict", COLLECTION, 0, "run `evenkeel zones check`: zone ranges overlap"),
    ROW(272, "MigrationConflict", ROUND, 0, A_REFRESH),
    ROW(87, "CannotSplit", CHUNK, 0, A_ONE_VALUE),
    ROW(47, "NoMatchingDocument", ROUND, 0, A_REFRESH),
    ROW(338, "ReshardCollectionInProgress", COLLECTION, 0, A_RESHARD),
    ROW(12587, "BackgroundOperationInProgressForNamespace", ROUND, MINUTES, A_DDL),
    ROW(12586, "BackgroundOperationInProgressForDatabase", ROUND, MINUTES, A_DDL),
    ROW(319, "MovePrimaryInProgress", ROUND, MINUTES, A_DDL),
    ROW(414, "AddOrRemoveShardInProgress", ROUND, 0, A_DDL),
    ROW(406, "MigrationBlockingOperationCoordinatorCleaningUp", ROUND, 0, A_DDL),
    ROW(412, "UpdatesStillPending", ROUND, 0, A_DDL),
    ROW(453, "InterruptedDueToReshardingCriticalSection", ROUND, 0, A_DDL),
    ROW(10045600, "InterruptedDueToFCVChange", ROUND, 0, A_DDL),

    /* size, capacity, data */
    ROW(153, "ChunkTooBig", SPLIT, 0, A_BIG),
    ROW(146, "ExceededMemoryLimit", SPLIT, 0, "move it when fewer writes reach it, or split it"),
    ROW(262, "ExceededTimeLimit", ROUND, MINUTES, A_MOVE_BACK),
    ROW(200, "ChunkRangeCleanupPending", ROUND, MINUTES, A_MOVE_BACK),
    ROW(265, "OrphanedRangeCleanUpFailed", ROUND, UNK, A_VERIFY),
    ROW(313, "ResumableRangeDeleterDisabled", CHUNK, DROP, A_ORPHANS),
    ROW(27, "IndexNotFound", COLLECTION, 0, A_INDEX),
    ROW(67, "CannotCreateIndex", COLLECTION, DROP, A_CREATE),
    ROW(85, "IndexOptionsConflict", COLLECTION, DROP, A_CREATE),
    ROW(86, "IndexKeySpecsConflict", COLLECTION, DROP, A_CREATE),
    ROW(242, "CannotCreateCollection", COLLECTION, DROP, A_CREATE),
    ROW(207, "InvalidUUID", COLLECTION, DROP, A_CREATE),
    /* a split writes to the config servers alone */
    ROW_BY_COMMAND(14031, "OutOfDiskSpace", CLASS(ROUND, DROP | MINUTES, A_DISK),
                   CLASS(STOP, 0, "free disk space on the config servers")),
    ROW(402, "ResourceExhausted", SOON, 0, A_LOAD),
    ROW(433, "AdmissionQueueOverflow", SOON, 0, A_LOAD),
    ROW(449, "RateLimitExceeded", SOON, 0, A_LOAD),
    ROW(450, "PooledConnectionAcquisitionRejected", SOON, 0, A_LOAD),
    ROW(462, "IngressRequestRateLimitExceeded", SOON, 0, A_LOAD),
    ROW(77, "OperationIncomplete", ROUND, 0, A_WAIT),
    ROW(125, "CommandFailed", ROUND, UNK, A_VERIFY),
    ROW(96, "OperationFailed", ROUND, UNK, A_UNKNOWN),
    ROW(40165, "", ROUND, UNK, A_VERIFY),   /* commit: the chunk is not on the donor */
    ROW(4914702, "", ROUND, UNK, A_VERIFY), /* commit: neither owns it */
    ROW(4683300, "", ROUND, UNK, A_VERIFY), /* commit: no version */
    ROW(656450, "", ROUND, 0, A_REFRESH),   /* no shard key in find */
    ROW(656451, "", ROUND, 0, A_REFRESH),   /* bounds are not shard keys */
    ROW(656452, "", ROUND, 0, A_REFRESH),   /* no chunk with these bounds */
    ROW(11089203, "", ROUND, 0, A_REFRESH), /* not inside one chunk */
    ROW(51261, "", ROUND, 0, A_REFRESH),    /* no such chunk */
    ROW(9, "FailedToParse", CHUNK, 0, A_BUG),
    ROW(14, "TypeMismatch", CHUNK, 0, A_BUG),
    ROW(72, "InvalidOptions", CHUNK, 0, A_BUG),
    ROW(2, "BadValue", CHUNK, 0, A_BUG),
    ROW(12, "UnsupportedFormat", CHUNK, 0, A_BUG),
    ROW(40414, "IDLFailedToParse", CHUNK, 0, A_BUG),
    ROW(40415, "IDLUnknownField", CHUNK, 0, A_BUG),
    ROW(73, "InvalidNamespace", CHUNK, 0, A_BUG),
    ROW(13334, "ShardKeyTooBig", CHUNK, 0,
        "choose another split point: this version limits keys to 512 bytes"),

    /* connectivity, interruption, authority */
    ROW(6, "HostUnreachable", SOON, UNK, A_NETWORK),
    ROW(7, "HostNotFound", SOON, UNK, A_NETWORK),
    ROW(89, "NetworkTimeout", SOON, UNK, A_NETWORK),
    ROW(9001, "SocketException", SOON, UNK, A_NETWORK),
    ROW(384, "ConnectionError", SOON, UNK, A_NETWORK),
    ROW(317, "ConnectionPoolExpired", SOON, UNK, A_NETWORK),
    ROW(56846, "ConfigServerUnreachable", SOON, UNK, A_NETWORK),
    ROW(10107, "NotWritablePrimary", SOON, UNK, A_ELECTION),
    ROW(10058, "LegacyNotPrimary", SOON, UNK, A_ELECTION),
    ROW(13435, "NotPrimaryNoSecondaryOk", SOON, UNK, A_ELECTION),
    ROW(13436, "NotPrimaryOrSecondary", SOON, UNK, A_ELECTION),
    ROW(189, "PrimarySteppedDown", SOON, UNK, A_ELECTION),
    ROW(11602, "InterruptedDueToReplStateChange", SOON, UNK, A_ELECTION),
    ROW(11600, "InterruptedAtShutdown", SOON, UNK, A_ELECTION),
    ROW(91, "ShutdownInProgress", SOON, UNK, A_ELECTION),
    ROW(333, "ServiceExecutorInShutdown", SOON, UNK, A_ELECTION),
    ROW(11601, "Interrupted", ROUND, UNK, A_INTERRUPTED),
    ROW(237, "CursorKilled", ROUND, UNK, A_INTERRUPTED),
    ROW(279, "ClientDisconnect", ROUND, UNK, A_INTERRUPTED),
    ROW(46841, "ClientMarkedKilled", ROUND, UNK, A_INTERRUPTED),
    ROW(50, "MaxTimeMSExpired", ROUND, UNK, A_VERIFY),
    ROW(202, "NetworkInterfaceExceededTimeLimit", SOON, UNK, A_NETWORK),
    ROW(407, "PooledConnectionAcquisitionExceededTimeLimit", SOON, UNK, A_LOAD),
    ROW(64, "WriteConcernFailed", ROUND, UNK, A_VERIFY),
    ROW(100, "UnsatisfiableWriteConcern", STOP, UNK, A_THROTTLE),
    ROW(79, "UnknownReplWriteConcern", STOP, UNK, A_THROTTLE),
    ROW(75, "WriteConcernLegacyOK", STOP, UNK, A_THROTTLE),
    ROW(133, "FailedToSatisfyReadPreference", SOON, 0, A_PRIMARY),
    ROW(134, "ReadConcernMajorityNotAvailableYet", SOON, 0, A_PRIMARY),
    ROW(194, "BalancerInterrupted", SOON, UNK, A_ELECTION),
    ROW(91331, "RetriableRemoteCommandFailure", SOON, UNK, A_NETWORK),
    ROW(13, "Unauthorized", STOP, 0, A_ROLE),
    ROW(18, "AuthenticationFailed", STOP, 0, A_LOGIN),
    ROW(334, "MechanismUnavailable", STOP, 0, A_LOGIN),
    ROW(391, "ReauthenticationRequired", SOON, 0, A_LOGIN), /* a new connection may mend it */
    ROW(59, "CommandNotFound", STOP, 0, A_MONGOS),
    ROW(115, "CommandNotSupported", STOP, 0, A_MONGOS),
    ROW(371, "UserWritesBlocked", ROUND, MINUTES, "lift the cluster's write block: setUserWriteBlockMode"),
    ROW(8, "UnknownError", ROUND, UNK, A_UNKNOWN),
    ROW(1, "InternalError", ROUND, UNK, A_UNKNOWN),
};
const size_t n_error_rows = sizeof(error_rows) / sizeof(error_rows[0]);

const struct error_row error_unknown = ROW(0, "", ROUND, UNK, A_UNKNOWN);

const struct error_row error_lost = ROW(0, "", SOON, UNK, A_NETWORK);
const struct error_row error_unsent = ROW(0, "", SOON, 0, "check that a mongos answers at the URI's hosts");
const struct error_row error_login = ROW(0, "", STOP, 0, A_LOGIN);
const struct error_row error_malformed = ROW(0, "", CHUNK, 0, A_BUG);
const struct error_row error_none = {0, "", {{.advice = ""}, {.advice = ""}}};

const struct error_alias error_aliases[] = {
    {"NotMaster", 10107},
    {"NotMasterNoSlaveOk", 13435},
    {"NotMasterOrSecondary", 13436},
    {"WriteConcernTimeout", 64},
};
const size_t n_error_aliases = sizeof(error_aliases) / sizeof(error_aliases[0]);

#define SAME(code, says, and, as)                                                                            \
    {                                                                                                        \
        code, says, and, as,                                                                                 \
        {                                                                                                    \
            0                                                                                                \
        }                                                                                                    \
    }
#define OWN(code, says, and, v, f, text)                                                                     \
    {                                                                                                        \
        code, says, and, 0, CLASS(v, f, text)                                                                \
    }

const struct error_text error_texts[] = {
    /* 117 has several causes */
    OWN(117, "currently donating", NULL, SOON, BUSY, A_WAIT),
    OWN(117, "currently receiving", NULL, SOON, BUSY, A_WAIT),
    OWN(117, "undergoing changes", NULL, COLLECTION, 0, A_DDL),
    OWN(117, "migrations", "disallow", COLLECTION, 0, A_DDL),
    OWN(117, "migrations", "not allowed", COLLECTION, 0, A_DDL),

    /* 20 of a recipient that must not have it (to 5.x) */
    OWN(20, "draining", NULL, ROUND, DROP, A_RECIPIENT),
    OWN(20, "correct zone", NULL, ROUND, DROP, "give the recipient the zone, or leave the range where it is"),
    OWN(20, "maximum total chunk size", NULL, ROUND, DROP,
        "raise the recipient's maxSize, or leave the range where it is"),

    OWN(178, "incoming", NULL, ROUND, BUSY, A_WAIT),
    OWN(13, "system.buckets", NULL, COLLECTION, 0,
        "give the user a role that may move system.buckets collections, or exclude the collection"),
    OWN(14031, "config", NULL, STOP, 0, "free disk space on the config servers"),
    OWN(1, "commit", NULL, ROUND, UNK, "look into the recipient's log: it could not commit the migration"),

    /* what wrappers hold besides a code's name; "data transfer error" is the recipient's */
    OWN(TEXT_WRAPPER, "range delet", NULL, ROUND, UNK | MINUTES, A_MOVE_BACK),
    OWN(TEXT_WRAPPER, "orphaned", NULL, ROUND, UNK | MINUTES, A_MOVE_BACK),
    SAME(TEXT_WRAPPER, "no space left", NULL, CODE_DISK_FULL),
    SAME(TEXT_WRAPPER, "out of disk space", NULL, CODE_DISK_FULL),
    OWN(TEXT_WRAPPER, "data transfer error", "index", COLLECTION, UNK | DROP, A_CREATE),
    OWN(TEXT_WRAPPER, "currently donating", NULL, SOON, BUSY, A_WAIT),
    OWN(TEXT_WRAPPER, "currently receiving", NULL, SOON, BUSY, A_WAIT),
    SAME(TEXT_WRAPPER, "chunk too big", NULL, CODE_TOO_BIG),
    SAME(TEXT_WRAPPER, "the maximum number of documents", NULL, CODE_TOO_BIG),
    SAME(TEXT_WRAPPER, "not authorized", NULL, CODE_UNAUTHORIZED),
    SAME(TEXT_WRAPPER, "not primary", NULL, CODE_STEPPED_DOWN),
    SAME(TEXT_WRAPPER, "not master", NULL, CODE_STEPPED_DOWN),
    SAME(TEXT_WRAPPER, "stepped down", NULL, CODE_STEPPED_DOWN),
    SAME(TEXT_WRAPPER, "stepping down", NULL, CODE_STEPPED_DOWN),
    SAME(TEXT_WRAPPER, "interrupted", NULL, CODE_STEPPED_DOWN),

    /* refusals without a code: up to 5.x, and `split` in every version */
    SAME(0, "no chunk found with the shard key bounds", NULL, CODE_STALE),
    SAME(0, "no shard key found in chunk query", NULL, CODE_STALE),
    SAME(0, "metadata lock is already taken", NULL, CODE_STALE),
    /* somebody has split there before us */
    OWN(0, "is a boundary key of existing chunk", NULL, ROUND, UNK, A_VERIFY),
    SAME(0, "could not acquire collection lock", NULL, CODE_LOCK_BUSY),
    SAME(0, "timed out waiting for", NULL, CODE_LOCK_BUSY),
    SAME(0, "unable to find median", NULL, CODE_CANNOT_SPLIT),
    SAME(0, "is not sharded", NULL, CODE_NOT_SHARDED),
    SAME(0, "is not valid for shard key pattern", NULL, CODE_BAD_VALUE),
    SAME(0, "are not valid for shard key pattern", NULL, CODE_BAD_VALUE),
    SAME(0, "need to specify", NULL, CODE_BAD_VALUE),
    SAME(0, "you have to specify", NULL, CODE_BAD_VALUE),
};
const size_t n_error_texts = sizeof(error_texts) / sizeof(error_texts[0]);
