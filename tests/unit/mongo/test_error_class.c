// SPDX-License-Identifier: Apache-2.0
/* Every code of the catalogue, every reply that was recorded from a real cluster, and texts that mean harm.
 */
#include "migrations/mongo/error_class.h"
#include "tests/support/sandbox_cluster.h"

#include <mongoc/mongoc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { U = 1, C = 2, D = 4, L = 8 }; /* unknown, contention, drop recipient, long wait */

static unsigned flags_of(const struct error_class *c)
{
    return (c->unknown ? U : 0U) | (c->contention ? C : 0U) | (c->drop_recipient ? D : 0U) |
           (c->long_wait ? L : 0U);
}

static void expect(const char *what, const struct error_class *c, const char *verdict, unsigned flags)
{
    if (strcmp(error_verdict_text(c->verdict), verdict) != 0 || flags_of(c) != flags)
        fail_msg("%s: %s, flags %u; expected %s, flags %u", what, error_verdict_text(c->verdict), flags_of(c),
                 verdict, flags);
    if (c->advice == NULL || (c->verdict == VERDICT_NONE) != (c->advice[0] == '\0') ||
        g_str_has_suffix(c->advice, "."))
        fail_msg("%s: advice '%s'", what, c->advice);
}

/* The catalogue. Where it says "unknown, then by text" the row has what holds without a text. `split`: the
 * verdict of a split where that is another. */
static const struct {
    int code;
    const char *name, *verdict;
    unsigned flags;
    const char *split;
} catalogue[] = {
    /* contention and staleness */
    {117, "ConflictingOperationInProgress", "round", C},
    {46, "LockBusy", "soon", C},
    {24, "LockTimeout", "soon", 0},
    {11000, "DuplicateKey", "round", C},
    {13388, "StaleConfig", "round", 0},
    {63, "StaleShardVersion", "round", 0},
    {150, "StaleEpoch", "round", 0},
    {105, "IncompatibleShardingMetadata", "round", 0},
    {249, "StaleDbVersion", "round", 0},
    {118, "NamespaceNotSharded", "collection", 0},
    {26, "NamespaceNotFound", "collection", 0},
    {4, "NoSuchKey", "collection", 0},
    {70, "ShardNotFound", "round", D},
    {20, "IllegalOperation", "collection", 0},
    {178, "RangeOverlapConflict", "collection", 0},
    {272, "MigrationConflict", "round", 0},
    {87, "CannotSplit", "chunk", 0},
    {47, "NoMatchingDocument", "round", 0},
    {338, "ReshardCollectionInProgress", "collection", 0},
    {12587, "BackgroundOperationInProgressForNamespace", "round", L},
    {12586, "BackgroundOperationInProgressForDatabase", "round", L},
    {319, "MovePrimaryInProgress", "round", L},
    {414, "AddOrRemoveShardInProgress", "round", 0},
    {406, "MigrationBlockingOperationCoordinatorCleaningUp", "round", 0},
    {412, "UpdatesStillPending", "round", 0},
    {453, "InterruptedDueToReshardingCriticalSection", "round", 0},
    {10045600, "InterruptedDueToFCVChange", "round", 0},
    /* size, capacity, data */
    {153, "ChunkTooBig", "split", 0},
    {146, "ExceededMemoryLimit", "split", 0},
    {262, "ExceededTimeLimit", "round", L},
    {200, "ChunkRangeCleanupPending", "round", L},
    {265, "OrphanedRangeCleanUpFailed", "round", U},
    {313, "ResumableRangeDeleterDisabled", "chunk", D},
    {27, "IndexNotFound", "collection", 0},
    {67, "CannotCreateIndex", "collection", D},
    {85, "IndexOptionsConflict", "collection", D},
    {86, "IndexKeySpecsConflict", "collection", D},
    {242, "CannotCreateCollection", "collection", D},
    {207, "InvalidUUID", "collection", D},
    {14031, "OutOfDiskSpace", "round", D | L, "stop"},
    {402, "ResourceExhausted", "soon", 0},
    {433, "AdmissionQueueOverflow", "soon", 0},
    {449, "RateLimitExceeded", "soon", 0},
    {450, "PooledConnectionAcquisitionRejected", "soon", 0},
    {462, "IngressRequestRateLimitExceeded", "soon", 0},
    {77, "OperationIncomplete", "round", 0},
    {125, "CommandFailed", "round", U},
    {96, "OperationFailed", "round", U},
    {40165, "", "round", U},
    {4914702, "", "round", U},
    {4683300, "", "round", U},
    {656450, "", "round", 0},
    {656451, "", "round", 0},
    {656452, "", "round", 0},
    {11089203, "", "round", 0},
    {51261, "", "round", 0},
    {9, "FailedToParse", "chunk", 0},
    {14, "TypeMismatch", "chunk", 0},
    {72, "InvalidOptions", "chunk", 0},
    {2, "BadValue", "chunk", 0},
    {12, "UnsupportedFormat", "chunk", 0},
    {40414, "IDLFailedToParse", "chunk", 0},
    {40415, "IDLUnknownField", "chunk", 0},
    {73, "InvalidNamespace", "chunk", 0},
    {13334, "ShardKeyTooBig", "chunk", 0},
    /* connectivity, interruption, authority */
    {6, "HostUnreachable", "soon", U},
    {7, "HostNotFound", "soon", U},
    {89, "NetworkTimeout", "soon", U},
    {9001, "SocketException", "soon", U},
    {10107, "NotWritablePrimary", "soon", U},
    {13435, "NotPrimaryNoSecondaryOk", "soon", U},
    {13436, "NotPrimaryOrSecondary", "soon", U},
    {189, "PrimarySteppedDown", "soon", U},
    {11602, "InterruptedDueToReplStateChange", "soon", U},
    {11600, "InterruptedAtShutdown", "soon", U},
    {91, "ShutdownInProgress", "soon", U},
    {11601, "Interrupted", "round", U},
    {237, "CursorKilled", "round", U},
    {279, "ClientDisconnect", "round", U},
    {46841, "ClientMarkedKilled", "round", U},
    {50, "MaxTimeMSExpired", "round", U},
    {202, "NetworkInterfaceExceededTimeLimit", "soon", U},
    {407, "PooledConnectionAcquisitionExceededTimeLimit", "soon", U},
    {64, "WriteConcernFailed", "round", U},
    {100, "UnsatisfiableWriteConcern", "stop", U},
    {79, "UnknownReplWriteConcern", "stop", U},
    {75, "WriteConcernLegacyOK", "stop", U},
    {133, "FailedToSatisfyReadPreference", "soon", 0},
    {134, "ReadConcernMajorityNotAvailableYet", "soon", 0},
    {194, "BalancerInterrupted", "soon", U},
    {91331, "RetriableRemoteCommandFailure", "soon", U},
    {13, "Unauthorized", "stop", 0},
    {18, "AuthenticationFailed", "stop", 0},
    {334, "MechanismUnavailable", "stop", 0},
    {391, "ReauthenticationRequired", "soon", 0},
    {59, "CommandNotFound", "stop", 0},
    {115, "CommandNotSupported", "stop", 0},
    {371, "UserWritesBlocked", "round", L},
    {8, "UnknownError", "round", U},
    {1, "InternalError", "round", U},
    /* any other: not known, next round */
    {0, "", "round", U},
    {3, "", "round", U},
    {17, "", "round", U},
    {13390, "", "round", U},
    {999999, "", "round", U},
    {-1, "", "round", U},
};

static void every_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(catalogue); i++) {
        const char *name;
        g_autofree char *what = g_strdup_printf("code %d", catalogue[i].code);
        expect(what, error_class_of(catalogue[i].code, ERROR_OF_MOVE, &name), catalogue[i].verdict,
               catalogue[i].flags);
        assert_string_equal(name, catalogue[i].name);
        bool other = catalogue[i].split != NULL;
        expect(what, error_class_of(catalogue[i].code, ERROR_OF_SPLIT, NULL),
               other ? catalogue[i].split : catalogue[i].verdict,
               other ? 0 : catalogue[i].flags & ~(unsigned)D); /* a split has no recipient */
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(catalogue[i].code, catalogue[j].code);
    }
    print_message("%zu codes\n", G_N_ELEMENTS(catalogue));
}

/* ---- recorded from a real cluster ---- */

struct recorded {
    const char *name; /* the case; in the transcript: its note */
    const char *verdict;
    unsigned flags;
    int code;
    /* why */
};

static const struct recorded faults[] = {
    /* the donor is at another one: as soon as that ends */
    {"another chunk of the donor while it donates", "soon", C, 117},
    /* somebody moves the same chunk elsewhere: then it is not where the plan has it */
    {"the same chunk elsewhere while it migrates", "round", C, 11000},
    /* the lock is held for as long as the migration takes */
    {"split of the migrating chunk", "soon", C, 46},
    {"the first of two identical requests", "", 0, 0},
    {"the second, joined", "", 0, 0},
    /* the recording shows it committed later */
    {"maxTimeMS 1500 on a move that hangs", "round", U, 50},
    /* not committed here; but a commit that failed may look the same */
    {"recipient cannot commit (donor fail point)", "round", U, 1},
    {"config commit reply lost", "", 0, 0},
    /* wrapped HostUnreachable */
    {"recipient killed while cloning", "soon", U, 96},
    {"donor killed while cloning", "soon", U, 96},
    /* wrapped InterruptedDueToReplStateChange */
    {"donor steps down while cloning", "soon", U, 96},
    {"config server steps down meanwhile", "", 0, 0},
    /* the recording shows it committed */
    {"killOp on mongos", "round", U, 11601},
    /* nothing began */
    {"recipient down before the start", "soon", 0, 133},
};

static const struct recorded transcript[] = {
    /* code-less: refresh */
    {"bounds match no chunk", "round", 0, 0},
    {"find without shard key", "round", 0, 0},
    /* code-less: our request is wrong */
    {"find and bounds", "chunk", 0, 0},
    {"unknown shard", "round", D, 70},
    {"unknown collection", "collection", 0, 118},
    {"no to", "chunk", 0, 14},
    {"to is a number", "chunk", 0, 14},
    {"writeConcern without secondaryThrottle", "chunk", 0, 12},
    {"chunk too big, one key value", "split", 0, 153},
    {"split of one key value", "chunk", 0, 87},
    /* the recipient lacks the zone: another may have it */
    {"out of its zone", "round", D, 20},
    /* it is split there: to be found out by looking */
    {"split again at the same point", "round", U, 0},
    {"split point with a foreign field", "chunk", 0, 0},
    {"concurrent", "soon", C, 117},
    {"to a draining shard", "round", D, 20},
};

/* Replies hold numbers and texts only; what else there is may be of any dialect of Extended JSON. */
static bson_t *read_recorded(const char *name)
{
    g_autofree char *path = g_build_filename(TEST_DATA_DIR, "recorded", name, NULL);
    g_autofree char *json = NULL;
    if (!g_file_get_contents(path, &json, NULL, NULL))
        fail_msg("cannot read %s", path);
    g_autoptr(GString) wrapped = g_string_new(NULL);
    g_string_printf(wrapped, "{\"all\": %s}", json);
    g_string_replace(wrapped, "\"$", "\"", 0);
    return sandbox_json(wrapped->str);
}

static void see_recorded(const char *name, enum error_command of, const bson_t *reply,
                         const struct recorded *rows, size_t n)
{
    struct error_seen seen;
    error_see(reply, NULL, of, &seen);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].name, name) != 0 || (sandbox_ok(reply) && rows[i].verdict[0] != '\0'))
            continue; /* one note stands at several replies */
        expect(name, &seen.class, rows[i].verdict, rows[i].flags);
        assert_int_equal(seen.code, rows[i].code);
        assert_true((seen.message[0] == '\0') == (seen.class.verdict == VERDICT_NONE));
        return;
    }
    if (seen.class.verdict != VERDICT_NONE)
        fail_msg("%s: no row for '%s'", name, seen.message);
}

/* `text` names a case; replies of moves and splits, where the document has a command. */
static unsigned see_all(const char *file, const char *text, const struct recorded *rows, size_t n)
{
    bson_t *doc = read_recorded(file), one, reply, command;
    bson_iter_t it, item;
    unsigned seen = 0;
    assert_true(bson_iter_init_find(&it, doc, "all") && bson_iter_recurse(&it, &item));
    while (bson_iter_next(&item)) {
        uint32_t len;
        const uint8_t *data;
        bson_iter_document(&item, &len, &data);
        assert_true(bson_init_static(&one, data, len));
        bool split = false;
        if (sandbox_sub(&one, "command", &command)) {
            split = bson_has_field(&command, "split");
            if (!split && !bson_has_field(&command, "moveChunk"))
                continue;
        }
        if (!sandbox_sub(&one, "reply", &reply) || bson_has_field(&reply, "clientException"))
            continue;
        const char *name = sandbox_text(&one, text);
        if (split || g_str_has_prefix(name, "split"))
            see_recorded(name, ERROR_OF_SPLIT, &reply, rows, n);
        else
            see_recorded(name, ERROR_OF_MOVE, &reply, rows, n);
        seen++;
    }
    bson_destroy(doc);
    return seen;
}

static void every_recorded_reply(void **state)
{
    (void)state;
    unsigned a = see_all("faults.json", "case", faults, G_N_ELEMENTS(faults));
    unsigned b = see_all("transcript.json", "note", transcript, G_N_ELEMENTS(transcript));
    assert_int_equal(a, G_N_ELEMENTS(faults));
    assert_int_equal(b, 25);
    print_message("%u replies of faults, %u of the transcript\n", a, b);
}

/* ---- what a text says ---- */

#define SOURCE "moveChunk command failed on source shard. :: caused by :: "
#define NEWER "Command request failed on source shard. :: caused by :: "

static const struct {
    int code; /* 0: the reply has none */
    const char *text, *verdict;
    unsigned flags;
    enum error_command of;
} texts[] = {
    {96, SOURCE "InterruptedDueToReplStateChange: operation was interrupted", "soon", U},
    {96, SOURCE "HostUnreachable: Connection closed by peer", "soon", U},
    {96, SOURCE "NotMaster: not master while writing", "soon", U},
    {96, NEWER "PrimarySteppedDown: Primary stepped down while waiting for replication", "soon", U},
    {96, NEWER "ExceededTimeLimit: Timed out waiting for the recipient to catch up", "round", U | L},
    {96, NEWER "OperationFailed: Data transfer error: ExceededTimeLimit: Failed to delete orphaned d.c range",
     "round", U | L},
    {96, "Data transfer error: migrate failed: waiting for range deletions of an overlapping range", "round",
     U | L},
    {96, "Data transfer error: OutOfDiskSpace: available disk space is less than required", "round",
     U | D | L},
    {96, "Data transfer error: write failed: No space left on device", "round", U | D | L},
    {96, "Data transfer error: CannotCreateIndex: cannot create the index", "collection", U | D},
    {96, "Data transfer error: InvalidUUID: Cannot create collection", "collection", U | D},
    {96, "Data transfer error: the shard key index is missing here", "collection", U | D},
    {96, "Data transfer error: IndexNotFound: no index", "collection", U},
    {96, "ResumableRangeDeleterDisabled: orphaned documents overlap", "chunk", U | D},
    {96, "Data transfer error: operation was interrupted", "soon", U},
    {96, "Data transfer error: nothing that anybody knows", "round", U},
    {96, SOURCE "ChunkTooBig: Cannot move chunk: the maximum number of documents for a chunk is 751", "split",
     U},
    {96, SOURCE "WriteConcernTimeout: waiting for replication timed out", "round", U},
    {96, "OperationFailed: OperationFailed: OperationFailed:", "round", U},
    {96, "", "round", U},
    {125, "Failed to wait for final transfer: recipient is not steady", "round", U},
    {125, "the donor stepped down", "soon", U},
    {117, "this shard is currently receiving range [..) for namespace d.c from s1", "soon", C},
    {117, "Collection d.c is undergoing changes so moveChunk is not allowed.", "collection", 0},
    {117, "Migrations are disallowed on this collection", "collection", 0},
    {117, "Unable to start new balancer operation because the ActiveMigrationsRegistry is locked", "round",
     C},
    {117, "collection was dropped or recreated", "round", C},
    {20, "shard2 has already reached the maximum total chunk size.", "round", D},
    {20, "Can't move chunks when only one shard was ever added", "collection", 0},
    {20, "shard2 is currently draining.", "round", 0, ERROR_OF_SPLIT},
    {178, "overlaps an incoming range", "round", C},
    {178, "zone range overlaps another", "collection", 0},
    {13, "not authorized on admin to execute command { moveChunk: \"d.c\" }", "stop", 0},
    {13, "not authorized on d.system.buckets.c to execute command", "collection", 0},
    {14031, "the config server has no disk space", "stop", 0},
    {1, "commit clone failed :: caused by :: something", "round", U},
    {8, "whatever", "round", U},
    {0, "metadata lock is already taken", "round", 0},
    {0, "Unable to start new migration because this shard is currently donating chunk", "soon", C},
    {0, "Not primary so cannot do it", "soon", U},
    {0, "NOT MASTER", "soon", U},
    {0, "node is stepping down", "soon", U},
    {0, "chunk too big to move", "split", 0},
    {0, "not authorized on admin to execute command", "stop", 0},
    {0, "split failed :: caused by :: could not acquire collection lock for d.c", "soon", C, ERROR_OF_SPLIT},
    {0, "timed out waiting for d.c", "soon", C, ERROR_OF_SPLIT},
    {0, "split failed :: caused by :: LockBusy: somebody", "soon", C, ERROR_OF_SPLIT},
    {0, "Unable to find median in chunk", "chunk", 0, ERROR_OF_SPLIT},
    {0, "Collection d.c is not sharded.", "collection", 0},
    {0, "shard key bounds [..) are not valid for shard key pattern { a: 1 }", "chunk", 0},
    {0, "you have to specify where you want to move the chunk", "chunk", 0},
    {0, "an answer from another world", "round", U},
    {0, "", "round", U},
    /* what a code says for certain no text overrules */
    {153, "not master, interrupted, currently donating", "split", 0},
    {13388, "OutOfDiskSpace: no", "round", 0},
};

static bson_t *failed(int code, const char *text)
{
    bson_t *reply = BCON_NEW("ok", BCON_DOUBLE(0), "errmsg", BCON_UTF8(text));
    if (code != 0)
        BSON_APPEND_INT32(reply, "code", code);
    return reply;
}

static void every_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct error_seen seen;
        bson_t *reply = failed(texts[i].code, texts[i].text);
        error_see(reply, NULL, texts[i].of, &seen);
        expect(texts[i].text, &seen.class, texts[i].verdict, texts[i].flags);
        assert_int_equal(seen.code, texts[i].code);
        bson_destroy(reply);
    }
    print_message("%zu texts\n", G_N_ELEMENTS(texts));
}

/* ---- shapes of replies ---- */

static const struct {
    const char *reply; /* JSON; NULL: none */
    uint32_t domain, code;
    int want_code;
    const char *verdict;
    unsigned flags;
    const char *message;
} shapes[] = {
    {"{\"ok\": 1}", 0, 0, 0, "", 0, ""},
    {"{\"ok\": 1.0, \"millis\": 3}", 0, 0, 0, "", 0, ""},
    {"{\"ok\": true}", 0, 0, 0, "", 0, ""},
    /* carried out, but not on as many members as asked for: whoever looks later may not find it */
    {"{\"ok\": 1, \"writeConcernError\": {\"code\": 64, \"errmsg\": \"timed out\"}}", MONGOC_ERROR_SERVER, 64,
     64, "round", U, "timed out"},
    {"{\"ok\": 1, \"writeConcernError\": {\"code\": 100, \"errmsg\": \"no\"}}", 0, 0, 100, "stop", U, "no"},
    {"{\"ok\": 1, \"writeConcernError\": {}}", 0, 0, 0, "round", U, "writeConcernError"},
    {"{\"ok\": 1, \"writeConcernError\": 5}", 0, 0, 0, "", 0, ""},
    /* the server's number, not the driver's */
    {"{\"ok\": 0, \"code\": 17, \"errmsg\": \"m\"}", MONGOC_ERROR_QUERY, 59, 17, "round", U, "m"},
    {"{\"ok\": 0, \"code\": 13390, \"errmsg\": \"m\"}", MONGOC_ERROR_QUERY, 59, 13390, "round", U, "m"},
    {"{\"ok\": 0, \"errmsg\": \"no chunk found with the shard key bounds\"}", MONGOC_ERROR_SERVER, 17, 0,
     "round", 0, "no chunk found with the shard key bounds"},
    /* numbers of any type, and none that are no codes */
    {"{\"ok\": 0, \"code\": 153.0}", 0, 0, 153, "split", 0, "no message"},
    {"{\"ok\": 0, \"code\": {\"$numberLong\": \"153\"}}", 0, 0, 153, "split", 0, "no message"},
    {"{\"ok\": 0, \"code\": {\"$numberLong\": \"99999999999999\"}}", 0, 0, 0, "round", U, "no message"},
    {"{\"ok\": 0, \"code\": -5}", 0, 0, 0, "round", U, "no message"},
    {"{\"ok\": 0, \"code\": {\"$numberDouble\": \"NaN\"}}", 0, 0, 0, "round", U, "no message"},
    {"{\"ok\": 0, \"code\": \"153\", \"errmsg\": 5}", 0, 0, 0, "round", U, "no message"},
    {"{\"ok\": \"no\", \"code\": 153}", 0, 0, 0, "", 0, ""}, /* any string is true to the driver, too */
    /* ok, but the driver does not take it for that */
    {"{\"ok\": 1}", MONGOC_ERROR_PROTOCOL, MONGOC_ERROR_PROTOCOL_INVALID_REPLY, 0, "round", U, "driver"},
    /* no reply */
    {NULL, 0, 0, 0, "round", U, "no reply"},
    {"{}", 0, 0, 0, "round", U, "no reply"},
    {"{}", MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET, 0, "soon", U, "driver"},
    {NULL, MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_CONNECT, 0, "soon", U, "driver"},
    {"{\"errorLabels\": [\"x\"]}", MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET, 0, "soon", U, "driver"},
    /* no server was found: nothing was sent */
    {"{}", MONGOC_ERROR_SERVER_SELECTION, MONGOC_ERROR_SERVER_SELECTION_FAILURE, 0, "soon", 0, "driver"},
    {"{}", MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_AUTHENTICATE, 0, "stop", 0, "driver"},
    {"{}", MONGOC_ERROR_SASL, 1, 0, "stop", 0, "driver"},
    {"{}", MONGOC_ERROR_SCRAM, 1, 0, "stop", 0, "driver"},
    {"{}", MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_NOT_READY, 0, "round", U, "driver"},
    {"{}", MONGOC_ERROR_BSON, MONGOC_ERROR_BSON_INVALID, 0, "chunk", 0, "driver"},
    {"{}", MONGOC_ERROR_COMMAND, MONGOC_ERROR_COMMAND_INVALID_ARG, 0, "chunk", 0, "driver"},
    {"{}", MONGOC_ERROR_COMMAND, 99, 0, "round", U, "driver"},
    {"{}", MONGOC_ERROR_PROTOCOL, 1, 0, "round", U, "driver"},
    /* a server's code without the reply it came in */
    {NULL, MONGOC_ERROR_SERVER, 153, 153, "split", 0, "driver"},
    {NULL, MONGOC_ERROR_SERVER, 17, 0, "round", U, "driver"},
};

static void every_shape(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++) {
        struct error_seen seen;
        bson_error_t error = {.domain = shapes[i].domain, .code = shapes[i].code, .message = "driver"};
        bson_t *reply = shapes[i].reply != NULL ? sandbox_json(shapes[i].reply) : NULL;
        g_autofree char *what = g_strdup_printf("shape %zu", i);
        error_see(reply, shapes[i].domain != 0 ? &error : NULL, ERROR_OF_MOVE, &seen);
        expect(what, &seen.class, shapes[i].verdict, shapes[i].flags);
        assert_int_equal(seen.code, shapes[i].want_code);
        assert_string_equal(seen.message, shapes[i].message);
        bson_destroy(reply);
    }
    print_message("%zu shapes\n", G_N_ELEMENTS(shapes));
}

/* ---- texts that mean harm ---- */

static void see_sound(const bson_t *reply)
{
    for (int of = ERROR_OF_MOVE; of <= ERROR_OF_SPLIT; of++) {
        struct error_seen seen;
        error_see(reply, NULL, (enum error_command)of, &seen);
        assert_true(seen.class.verdict < VERDICT_COUNT);
        assert_non_null(seen.message);
        assert_non_null(seen.code_name);
        assert_non_null(seen.class.advice);
        if (of == ERROR_OF_SPLIT)
            assert_false(seen.class.drop_recipient);
    }
}

static void hostile(void **state)
{
    (void)state;
    static const int codes[] = {0, 1, 13, 20, 96, 117, 125, 153, 178, 14031, 424242};
    GString *huge = g_string_new(NULL);
    while (huge->len < 8U << 20)
        g_string_append(huge, "caused by :: OperationFailed: currently donatin not maste interrupte: : :::");
    g_string_append(huge, "OutOfDiskSpace: at the end"); /* beyond what is looked at */
    g_autofree char *word = g_strnfill(100000, 'N');
    g_autofree char *long_name = g_strconcat(word, ": x", NULL);
    const char *const all[] = {huge->str, long_name, ":", "::::", "\xff\xfe\x80:\x01 not \xc3\x28 primary",
                               "%s%n%s"};
    for (size_t c = 0; c < G_N_ELEMENTS(codes); c++) {
        for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
            bson_t *reply = bson_new();
            BSON_APPEND_DOUBLE(reply, "ok", 0);
            bson_append_utf8(reply, "errmsg", -1, all[i], (int)strlen(all[i]));
            if (codes[c] != 0)
                BSON_APPEND_INT32(reply, "code", codes[c]);
            see_sound(reply);
            bson_destroy(reply);
        }
    }
    bson_t *nul = BCON_NEW("ok", BCON_DOUBLE(0)); /* ends at the NUL */
    bson_append_utf8(nul, "errmsg", -1, "abc\0OutOfDiskSpace: x", 21);
    see_sound(nul);
    bson_destroy(nul);
    g_string_free(huge, TRUE);
}

static void random_texts(void **state)
{
    (void)state;
    static const char *const pieces[] = {"OutOfDiskSpace",
                                         ":",
                                         " ",
                                         "::",
                                         "OperationFailed",
                                         "not ",
                                         "master",
                                         "\x01",
                                         "data transfer error",
                                         "index",
                                         "\xf0\x9f",
                                         "draining",
                                         "commit",
                                         "zone",
                                         "Interrupted",
                                         "config"};
    guint32 seed = g_getenv("SEED") != NULL ? (guint32)strtoul(g_getenv("SEED"), NULL, 10) : g_random_int();
    GRand *rand = g_rand_new_with_seed(seed);
    print_message("seed %u\n", seed);
    for (unsigned n = 0; n < 20000; n++) {
        g_autoptr(GString) text = g_string_new(NULL);
        for (int i = g_rand_int_range(rand, 0, 12); i > 0; i--)
            g_string_append(text, pieces[g_rand_int_range(rand, 0, G_N_ELEMENTS(pieces))]);
        int row = g_rand_int_range(rand, 0, G_N_ELEMENTS(catalogue));
        bson_t *reply = failed(catalogue[row].code, text->str);
        see_sound(reply);
        struct error_seen seen;
        error_see(reply, NULL, ERROR_OF_MOVE, &seen);
        /* whatever the text: what may have been committed stays unknown */
        if (catalogue[row].code > 0 && (catalogue[row].flags & U) != 0 && !seen.class.unknown)
            fail_msg("seed %u: code %d, '%s': said to be known", seed, catalogue[row].code, text->str);
        bson_destroy(reply);
    }
    g_rand_free(rand);
}

static void verdicts_have_words(void **state)
{
    (void)state;
    for (int a = 0; a < VERDICT_COUNT; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(error_verdict_text((enum error_verdict)a),
                                    error_verdict_text((enum error_verdict)b));
    assert_string_equal(error_verdict_text(VERDICT_COUNT), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code),
        cmocka_unit_test(every_recorded_reply),
        cmocka_unit_test(every_text),
        cmocka_unit_test(every_shape),
        cmocka_unit_test(hostile),
        cmocka_unit_test(random_texts),
        cmocka_unit_test(verdicts_have_words),
    };
    return cmocka_run_group_tests_name("error_class", tests, NULL, NULL);
}
