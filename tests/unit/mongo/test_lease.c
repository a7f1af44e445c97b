// SPDX-License-Identifier: Apache-2.0
/* The lease over the wire: on a simulated cluster with several holders, each with a clock of its own; and
 * against a mongos that refuses or answers oddly. */
#include "migrations/mongo/lease.h"
#include "tests/support/live_sandbox.h"
#include "tests/support/mock_mongos.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ttl 30 s: held for 26,999 ms, waited for 33,001. */
enum { TTL = 30000, HOLD = 26999, WAIT = 33001 };
#define NOBODY_ANSWERS "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=1&serverSelectionTryOnce=true"

struct holder {
    mongoc_client_t *client;
    lease *lease;
    int64_t now;
    unsigned lent, clock_reads;
    /* What happens when the clock is read for that time, between two commands. */
    unsigned at_read;
    void (*then)(void *data);
    void *then_data;
};

static mongoc_client_t *take(void *data)
{
    struct holder *h = data;
    assert_int_equal(h->lent++, 0);
    return h->client;
}

static void give(void *data, mongoc_client_t *client)
{
    struct holder *h = data;
    assert_ptr_equal(client, h->client);
    assert_int_equal(h->lent--, 1);
}

static int64_t read_clock(void *data)
{
    struct holder *h = data;
    if (++h->clock_reads == h->at_read && h->then != NULL)
        h->then(h->then_data);
    return h->now;
}

static void connect_to(struct holder *h, const char *uri)
{
    mongoc_client_destroy(h->client);
    h->client = mongoc_client_new(uri);
    assert_non_null(h->client);
    mongoc_client_set_error_api(h->client, MONGOC_ERROR_API_VERSION_2);
}

static void holder_init(struct holder *h, const char *uri, const char *name, int64_t now)
{
    *h = (struct holder){.now = now};
    connect_to(h, uri);
    const struct lease_options opt = {.ns = "evenkeel.lease",
                                      .ttl_ms = TTL,
                                      .name = name,
                                      .cluster = "mongodb://test",
                                      .take = take,
                                      .give = give,
                                      .data = h,
                                      .now_ms = read_clock,
                                      .now_data = h};
    h->lease = lease_new(&opt);
}

static void holder_clear(struct holder *h)
{
    lease_free(h->lease);
    mongoc_client_destroy(h->client);
}

static enum lease_state try(struct holder *h)
{
    struct err err = {0};
    enum lease_state state;
    if (!lease_try(h->lease, &state, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(lease_held(h->lease, h->now), state == LEASE_HELD);
    return state;
}

static void expect_no_answer(struct holder *h, enum err_class cls, const char *words)
{
    struct err err = {0};
    enum lease_state state;
    assert_false(lease_try(h->lease, &state, &err));
    if (err.cls != cls || strstr(err.msg, words) == NULL)
        fail_msg("class %d: %s", (int)err.cls, err.msg);
    assert_int_equal(lease_due_at(h->lease), h->now + TTL / 10);
}

/* Only as long as that. */
static void expect_held_from(const struct holder *h, int64_t sent)
{
    assert_true(lease_held(h->lease, sent + HOLD - 1));
    assert_false(lease_held(h->lease, sent + HOLD));
}

static void release(struct holder *h)
{
    struct err err = {0};
    if (!lease_release(h->lease, &err))
        fail_msg("%s", err.msg);
    assert_false(lease_held(h->lease, h->now));
    assert_int_equal(lease_due_at(h->lease), 0);
}

/* Single quotes stand for double ones. The caller destroys the reply. */
static bson_t *command(live_sandbox *s, const char *db, const char *json)
{
    g_autofree char *text = g_strdelimit(g_strdup(json), "'", '"');
    return live_sandbox_command_json(s, db, text);
}

static void fail_point(live_sandbox *s, const char *data)
{
    g_autofree char *json = g_strdup_printf("{'configureFailPoint': 'failCommand', 'mode': {'times': 1}, "
                                            "'data': {'failCommands': ['findAndModify'], %s}}",
                                            data);
    bson_destroy(command(s, "admin", json));
}

static bson_t *document(live_sandbox *s)
{
    bson_iter_t it, batch, first;
    bson_t *reply = command(s, "evenkeel", "{'find': 'lease', 'filter': {}}"), *doc = NULL;
    if (bson_iter_init(&it, reply) && bson_iter_find_descendant(&it, "cursor.firstBatch", &batch) &&
        bson_iter_recurse(&batch, &first) && bson_iter_next(&first)) {
        const uint8_t *data;
        uint32_t len;
        bson_iter_document(&first, &len, &data);
        doc = bson_new_from_data(data, len);
        assert_false(bson_iter_next(&first));
    }
    bson_destroy(reply);
    return doc;
}

static void expect_refused(const struct holder *h, const char *words)
{
    struct err err = {0};
    assert_false(lease_refuse(h->lease, &err));
    if (err.cls != ERR_RETRY_LATER || strstr(err.msg, words) == NULL)
        fail_msg("%s", err.msg);
}

/* Whether another's was seen to be renewed. */
static void expect_alive(const struct holder *h, bool alive)
{
    struct lease_holder seen;
    lease_holder_get(h->lease, &seen);
    assert_true(seen.known);
    assert_int_equal(seen.until_ms, seen.renewed_ms + TTL);
    if (seen.alive != alive)
        fail_msg("%s: alive %d", seen.name, (int)seen.alive);
    lease_holder_clear(&seen);
}

static const char *const versions[] = {"4.2.24", "5.0.9", "8.0.4"};

static void two_holders(live_sandbox *s)
{
    struct holder a, b;
    holder_init(&a, live_sandbox_uri(s), "first", 1000);
    holder_init(&b, live_sandbox_uri(s), "second", 77000);
    assert_int_equal(lease_due_at(a.lease), 0);
    assert_int_equal(lease_epoch(a.lease), 0);
    assert_int_equal(try(&a), LEASE_HELD);
    expect_held_from(&a, 1000);
    assert_int_equal(lease_due_at(a.lease), 1000 + TTL / 3);
    assert_int_equal(try(&b), LEASE_WAITED);
    expect_refused(&b, "is held by 'first' on host ");
    expect_refused(&b, "Z unless it is renewed; stop it there, or try again then");
    expect_alive(&b, false);
    assert_int_equal(try(&b), LEASE_WAITED);
    expect_alive(&b, false);
    /* Renewed each third of its life, it stays; the other sees another stamp each time. */
    for (int i = 1; i <= 10; i++) {
        a.now += TTL / 3;
        b.now += TTL / 3;
        assert_int_equal(try(&a), LEASE_HELD);
        expect_held_from(&a, a.now);
        assert_int_equal(try(&b), LEASE_WAITED);
        expect_alive(&b, true);
    }
    /* Not renewed any more: over for the first before the second may take it. */
    b.now += WAIT - 1;
    assert_int_equal(try(&b), LEASE_WAITED);
    assert_int_equal(lease_due_at(b.lease), b.now + TTL / 10);
    b.now += 1;
    a.now += (WAIT - 1) * 9 / 11;
    assert_false(lease_held(a.lease, a.now));
    assert_int_equal(try(&b), LEASE_HELD);
    expect_alive(&b, false);
    assert_int_equal(lease_epoch(b.lease), 2);
    assert_int_equal(try(&a), LEASE_LOST);
    expect_alive(&a, false);
    assert_int_equal(try(&a), LEASE_WAITED);
    expect_alive(&a, false);
    assert_int_equal(lease_epoch(a.lease), 1);
    expect_refused(&a, "is held by 'second' on host ");
    /* Given up, it passes on at once. */
    release(&b);
    release(&b);
    assert_int_equal(try(&a), LEASE_HELD);
    assert_int_equal(lease_epoch(a.lease), 3);
    assert_int_equal(try(&b), LEASE_WAITED);
    holder_clear(&a);
    holder_clear(&b);
}

static void test_two_holders(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        g_autoptr(live_sandbox) s = live_sandbox_small(versions[i], NULL);
        two_holders(s);
    }
}

static void test_document(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("7.0.5", NULL);
    struct holder a;
    struct lease_holder seen;
    bson_iter_t it;
    holder_init(&a, live_sandbox_uri(s), "na\x1bme", 0);
    lease_holder_get(a.lease, &seen);
    assert_false(seen.known);
    assert_int_equal(try(&a), LEASE_HELD);
    a.now += 10;
    assert_int_equal(try(&a), LEASE_HELD);
    bson_t *doc = document(s);
    static const struct {
        const char *name;
        bson_type_t type;
    } fields[] = {
        {"_id", BSON_TYPE_UTF8},        {"holder", BSON_TYPE_UTF8},      {"name", BSON_TYPE_UTF8},
        {"host", BSON_TYPE_UTF8},       {"pid", BSON_TYPE_INT64},        {"epoch", BSON_TYPE_INT64},
        {"ttlMs", BSON_TYPE_INT64},     {"stamp", BSON_TYPE_UTF8},       {"released", BSON_TYPE_BOOL},
        {"since", BSON_TYPE_DATE_TIME}, {"renewed", BSON_TYPE_DATE_TIME}};
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
        if (!bson_iter_init_find(&it, doc, fields[i].name) || bson_iter_type(&it) != fields[i].type)
            fail_msg("%s", fields[i].name);
    assert_int_equal(bson_count_keys(doc), G_N_ELEMENTS(fields));
    lease_holder_get(a.lease, &seen);
    assert_true(seen.known && seen.ours);
    assert_string_equal(seen.name, "na\x1bme");
    assert_string_equal(seen.host, g_get_host_name());
    assert_int_equal(seen.pid, getpid());
    assert_int_equal(seen.epoch, 1);
    bson_iter_init_find(&it, doc, "since");
    assert_int_equal(seen.since_ms, bson_iter_date_time(&it));
    bson_iter_init_find(&it, doc, "renewed");
    assert_int_equal(seen.renewed_ms, bson_iter_date_time(&it));
    assert_int_equal(seen.until_ms, seen.renewed_ms + TTL);
    assert_false(seen.alive);
    expect_refused(&a, "'na\\x1Bme'");
    lease_holder_clear(&seen);
    bson_destroy(doc);
    release(&a);
    lease_holder_get(a.lease, &seen);
    assert_false(seen.known);
    lease_holder_clear(&seen);
    holder_clear(&a);
}

/* A holder that reaches nobody: over for it, by its own clock, before another can have it. */
static void test_cut_off(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("6.0.3", NULL);
    struct holder a, b;
    holder_init(&a, live_sandbox_uri(s), "a", 0);
    holder_init(&b, live_sandbox_uri(s), "b", 0);
    assert_int_equal(try(&a), LEASE_HELD);
    assert_int_equal(try(&b), LEASE_WAITED);
    connect_to(&a, NOBODY_ANSWERS);
    for (; a.now < HOLD; a.now += 1000) {
        expect_no_answer(&a, ERR_UNAVAILABLE, "cannot write the lease in evenkeel.lease on mongodb://test");
        assert_true(lease_held(a.lease, a.now));
        b.now = a.now;
        assert_int_equal(try(&b), LEASE_WAITED);
    }
    assert_false(lease_held(a.lease, a.now));
    b.now = WAIT;
    assert_int_equal(try(&b), LEASE_HELD);
    connect_to(&a, live_sandbox_uri(s));
    assert_int_equal(try(&a), LEASE_LOST);
    /* Giving up without reaching anybody ends it here, and there with time; what comes back is another. */
    connect_to(&b, NOBODY_ANSWERS);
    struct err err = {0};
    assert_false(lease_release(b.lease, &err));
    assert_int_equal(err.cls, ERR_UNAVAILABLE);
    assert_false(lease_held(b.lease, b.now));
    connect_to(&b, live_sandbox_uri(s));
    assert_int_equal(try(&b), LEASE_WAITED);
    holder_clear(&a);
    holder_clear(&b);
}

/* What people do to the document; the holder must know before another has it. */
static const struct by_hand {
    const char *name, *command;
    bool healed; /* the next renewal puts it right */
} by_hand[] = {
    {"deleted", "{'delete': 'lease', 'deletes': [{'q': {}, 'limit': 0}]}", false},
    {"emptied", "{'update': 'lease', 'updates': [{'q': {}, 'u': {'_id': 'evenkeel'}}]}", false},
    {"other holder", "{'update': 'lease', 'updates': [{'q': {}, 'u': {'$set': {'holder': 'x'}}}]}", false},
    {"long holder",
     "{'update': 'lease', 'updates': [{'q': {}, 'u': {'$set': {'holder': "
     "'0123456789012345678901234567890123456789'}}}]}",
     false},
    {"holder is a pattern",
     "{'update': 'lease', 'updates': [{'q': {}, 'u': {'$set': {'holder': {'$regularExpression': {'pattern': "
     "'.', 'options': ''}}}}}]}",
     false},
    {"epoch is text", "{'update': 'lease', 'updates': [{'q': {}, 'u': {'$set': {'epoch': '1'}}}]}", false},
    {"epoch is negative", "{'update': 'lease', 'updates': [{'q': {}, 'u': {'$set': {'epoch': -1}}}]}", false},
    {"epoch is huge", "{'update': 'lease', 'updates': [{'q': {}, 'u': {'$set': {'epoch': 1e300}}}]}", false},
    {"no stamp", "{'update': 'lease', 'updates': [{'q': {}, 'u': {'$unset': {'stamp': 1}}}]}", true},
    {"stamp is a list", "{'update': 'lease', 'updates': [{'q': {}, 'u': {'$set': {'stamp': [1, 2]}}}]}",
     true},
    {"other stamp", "{'update': 'lease', 'updates': [{'q': {}, 'u': {'$set': {'stamp': 'x'}}}]}", true},
    {"no ttl", "{'update': 'lease', 'updates': [{'q': {}, 'u': {'$unset': {'ttlMs': 1}}}]}", true},
};

static void damage(live_sandbox *s, const struct by_hand *row)
{
    bson_iter_t it;
    bson_t *reply = command(s, "evenkeel", row->command);
    assert_true(bson_iter_init_find(&it, reply, "n") && bson_iter_as_int64(&it) == 1);
    assert_false(bson_iter_init_find(&it, reply, "writeErrors"));
    bson_destroy(reply);
}

/* `comes_back`: the holder tries once more before the other has waited for long enough. */
static void damaged_by_hand(live_sandbox *s, const struct by_hand *row, bool comes_back)
{
    struct holder a, b;
    holder_init(&a, live_sandbox_uri(s), "a", 0);
    holder_init(&b, live_sandbox_uri(s), "b", 0);
    assert_int_equal(try(&a), LEASE_HELD);
    damage(s, row);
    assert_int_equal(try(&b), LEASE_WAITED);
    b.now = WAIT - 1;
    if (try(&b) != LEASE_WAITED)
        fail_msg("%s: too early", row->name);
    a.now = comes_back ? 1 : WAIT;
    bool healed = comes_back && row->healed;
    if (comes_back && try(&a) != (healed ? LEASE_HELD : LEASE_LOST))
        fail_msg("%s: not as the holder expects", row->name);
    b.now = WAIT;
    if (try(&b) != (healed ? LEASE_WAITED : LEASE_HELD))
        fail_msg("%s: not as the other expects", row->name);
    if (!comes_back)
        assert_int_equal(try(&a), LEASE_LOST);
    release(&a);
    release(&b);
    holder_clear(&a);
    holder_clear(&b);
}

static void test_damaged_by_hand(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("7.0.5", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(by_hand); i++) {
        damaged_by_hand(s, &by_hand[i], false);
        damaged_by_hand(s, &by_hand[i], true);
    }
}

static void test_deleted_under_waiter(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("5.0.9", NULL);
    struct holder a, b;
    holder_init(&a, live_sandbox_uri(s), "a", 0);
    holder_init(&b, live_sandbox_uri(s), "b", 0);
    assert_int_equal(try(&a), LEASE_HELD);
    damage(s, &by_hand[0]);
    assert_int_equal(try(&b), LEASE_WAITED);
    expect_refused(&b, "document was deleted or damaged; try again in 34 s");
    assert_int_equal(try(&a), LEASE_LOST);
    damage(s, &by_hand[0]);
    a.now = b.now = WAIT;
    assert_int_equal(try(&a), LEASE_WAITED);
    assert_int_equal(try(&b), LEASE_WAITED);
    a.now = b.now = 2 * WAIT;
    assert_int_equal(try(&b), LEASE_HELD);
    assert_int_equal(lease_epoch(b.lease), 2);
    assert_int_equal(try(&a), LEASE_WAITED);
    holder_clear(&a);
    holder_clear(&b);
}

static void try_other(void *data)
{
    struct holder *h = data;
    h->then = NULL;
    (void)try(h);
}

/* Another comes in between any two commands of the first's try: one of them has it then, and one only. */
static void race(live_sandbox *s, unsigned at_read, bool over)
{
    struct holder a, b;
    holder_init(&a, live_sandbox_uri(s), "a", 0);
    holder_init(&b, live_sandbox_uri(s), "b", 0);
    if (over) { /* both have waited for one that is gone */
        struct holder gone;
        holder_init(&gone, live_sandbox_uri(s), "gone", 0);
        assert_int_equal(try(&gone), LEASE_HELD);
        assert_int_equal(try(&a), LEASE_WAITED);
        assert_int_equal(try(&b), LEASE_WAITED);
        holder_clear(&gone);
        a.now = b.now = WAIT;
    }
    a.clock_reads = 0;
    a.at_read = at_read;
    a.then = try_other;
    a.then_data = &b;
    enum lease_state first = try(&a);
    bool second = lease_held(b.lease, b.now);
    if ((first == LEASE_HELD) + second > 1)
        fail_msg("both have it when the other comes at %u", at_read);
    /* Where both stepped back, one has it after the time of a lease. */
    a.now = b.now = 2 * WAIT;
    a.then = NULL;
    bool now_first = try(&a) == LEASE_HELD, now_second = try(&b) == LEASE_HELD;
    assert_int_equal(now_first + now_second, 1);
    release(&a);
    release(&b);
    holder_clear(&a);
    holder_clear(&b);
}

static void test_races(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 6; i++) {
        g_autoptr(live_sandbox) s = live_sandbox_small("6.0.3", NULL);
        race(s, i, false); /* nothing there */
        race(s, i, false); /* given up */
        race(s, i, true);
    }
}

static char *field_of_document(live_sandbox *s, const char *name)
{
    bson_iter_t it;
    bson_t *doc = document(s);
    char *text = doc != NULL && bson_iter_init_find(&it, doc, name) ? bson_iter_dup_utf8(&it, NULL) : NULL;
    bson_destroy(doc);
    return text;
}

static void stop_sandbox(void *data)
{
    assert_int_equal(kill(live_sandbox_pid(data), SIGSTOP), 0);
}

/* Until the document bears another stamp than that. */
static void wait_for_change(live_sandbox *s, const char *stamp)
{
    gint64 until = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    for (bool changed = false; !changed;) {
        g_autofree char *now = field_of_document(s, "stamp");
        changed = strcmp(now, stamp) != 0;
        if (!changed && g_get_monotonic_time() > until)
            fail_msg("the late command never arrives");
    }
}

/* A command that the server carries out long after its sender has stopped waiting. */
static void test_late_command(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("6.0.3", NULL);
    g_autofree char *hasty = g_strconcat(live_sandbox_uri(s), "/?socketTimeoutMS=2000", NULL);
    struct holder a, b;
    holder_init(&a, live_sandbox_uri(s), "a", 0);
    holder_init(&b, hasty, "b", 0);
    assert_int_equal(try(&a), LEASE_HELD);
    assert_int_equal(try(&b), LEASE_WAITED);
    g_autofree char *stamp = field_of_document(s, "stamp");
    /* The server stands still between its answer to the reading and the taking over. */
    b.now = WAIT;
    b.clock_reads = 0;
    b.at_read = 2;
    b.then = stop_sandbox;
    b.then_data = s;
    expect_no_answer(&b, ERR_UNAVAILABLE, "cannot write the lease");
    assert_false(lease_held(b.lease, b.now));
    assert_int_equal(kill(live_sandbox_pid(s), SIGCONT), 0);
    wait_for_change(s, stamp);
    /* Taken over by one who does not know it yet: the first is out, the second counts from its renewal. */
    a.now = WAIT;
    assert_int_equal(try(&a), LEASE_LOST);
    b.now += 500;
    b.then = NULL;
    assert_int_equal(try(&b), LEASE_HELD);
    expect_held_from(&b, WAIT + 500);
    assert_int_equal(lease_epoch(b.lease), 2);
    holder_clear(&a);
    holder_clear(&b);
}

static void test_not_confirmed(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("6.0.3", NULL);
    struct holder a;
    holder_init(&a, live_sandbox_uri(s), "a", 0);
    assert_int_equal(try(&a), LEASE_HELD);
    fail_point(s, "'writeConcernError': {'code': 64, 'errmsg': 'waiting for replication timed out'}");
    a.now = 10000;
    expect_no_answer(&a, ERR_UNAVAILABLE,
                     "was not confirmed by a majority: waiting for replication timed out (code 64)");
    expect_held_from(&a, 0);
    a.now = 11000;
    assert_int_equal(try(&a), LEASE_HELD);
    expect_held_from(&a, 11000);
    holder_clear(&a);
}

#define READ_NONE                                                                                            \
    "{\"cursor\": {\"id\": {\"$numberLong\": \"0\"}, \"ns\": \"evenkeel.lease\", \"firstBatch\": []}, "      \
    "\"ok\": 1}"
#define WRITTEN(n) "{\"lastErrorObject\": {\"n\": " n "}, \"value\": {\"_id\": \"evenkeel\"}, \"ok\": 1}"

/* Replies of a mongos; NULL: as READ_NONE, collection there, WRITTEN. */
static const struct odd {
    const char *name, *find, *create, *write;
    int find_code, create_code, write_code;
    enum err_class cls; /* NONE: no error, and it waits */
    const char *words;
} odd[] = {
    {"may not read", .find_code = 13, .cls = ERR_NO_PERMISSION, .words = "readWrite on database 'evenkeel'"},
    {"may not create", .create_code = 13, .cls = ERR_NO_PERMISSION,
     .words = "not permitted to write the lease in"},
    {"may not write", .write_code = 13, .cls = ERR_NO_PERMISSION,
     .words = "readWrite on database 'evenkeel'"},
    {"logged out", .find_code = 18, .cls = ERR_NO_PERMISSION, .words = "cannot log in to mongodb://test"},
    {"no primary", .write_code = 189, .cls = ERR_UNAVAILABLE, .words = "as the test says (code 189)"},
    {"reading fails", .find_code = 50, .cls = ERR_UNAVAILABLE, .words = "cannot read the lease in"},
    {"there already", .write_code = 11000, .cls = ERR_NONE},
    {"no cursor", .find = "{\"ok\": 1}", .cls = ERR_UNAVAILABLE, .words = "without a cursor"},
    {"a cursor that is a number", .find = "{\"cursor\": 1, \"ok\": 1}", .cls = ERR_UNAVAILABLE,
     .words = "without a cursor"},
    {"no lastErrorObject", .write = "{\"ok\": 1}", .cls = ERR_UNAVAILABLE,
     .words = "without lastErrorObject"},
    {"no value", .write = "{\"lastErrorObject\": {\"n\": 1}, \"ok\": 1}", .cls = ERR_UNAVAILABLE,
     .words = "without a value"},
    {"create not confirmed",
     .create = "{\"writeConcernError\": {\"code\": 64, \"errmsg\": \"slow\"}, \"ok\": 1}",
     .cls = ERR_UNAVAILABLE, .words = "slow (code 64)"},
};

static void test_odd_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(odd); i++) {
        const struct odd *row = &odd[i];
        g_autoptr(mock_mongos) m = mock_mongos_new();
        g_autofree char *uri = mock_mongos_uri(m, "");
        struct holder a;
        struct err err = {0};
        enum lease_state got = LEASE_HELD;
        mock_mongos_reply(m, "find", row->find != NULL ? row->find : READ_NONE);
        mock_mongos_reply(m, "findAndModify", row->write != NULL ? row->write : WRITTEN("1"));
        if (row->create != NULL)
            mock_mongos_reply(m, "create", row->create);
        mock_mongos_fail(m, "find", row->find_code);
        mock_mongos_fail(m, "create",
                         row->create != NULL     ? 0
                         : row->create_code != 0 ? row->create_code
                                                 : 48);
        mock_mongos_fail(m, "findAndModify", row->write_code);
        holder_init(&a, uri, "a", 0);
        bool done = lease_try(a.lease, &got, &err);
        if (done != (row->cls == ERR_NONE) || err.cls != row->cls ||
            (!done && strstr(err.msg, row->words) == NULL) || strstr(err.msg, "scott") != NULL)
            fail_msg("%s: %s", row->name, err.msg);
        assert_false(lease_held(a.lease, 0));
        assert_true(!done || got == LEASE_WAITED);
        holder_clear(&a);
    }
}

struct asked {
    const lease *lease;
    volatile gint stop;
    unsigned answers;
};

static gpointer ask_on(gpointer data)
{
    struct asked *q = data;
    struct lease_holder h;
    struct err err;
    while (g_atomic_int_get(&q->stop) == 0) {
        q->answers += lease_held(q->lease, lease_boottime_ms()) ? 1 : 0;
        q->answers += lease_due_at(q->lease) > 0 ? 1 : 0;
        lease_holder_get(q->lease, &h);
        assert_true(!h.known || (strcmp(h.name, "a") == 0 && h.epoch >= lease_epoch(q->lease)) ||
                    h.epoch > 0);
        lease_holder_clear(&h);
        lease_refuse(q->lease, &err);
    }
    return NULL;
}

/* The clock of the machine, and others who ask while one tries. */
static void test_threads(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("6.0.3", NULL);
    struct holder a = {0};
    connect_to(&a, live_sandbox_uri(s));
    const struct lease_options opt = {.ns = "evenkeel.lease",
                                      .ttl_ms = 60 * 60 * 1000,
                                      .name = "a",
                                      .cluster = "mongodb://test",
                                      .take = take,
                                      .give = give,
                                      .data = &a};
    a.lease = lease_new(&opt);
    struct asked q = {.lease = a.lease};
    GThread *thread = g_thread_new("asks", ask_on, &q);
    for (int i = 0; i < 50; i++) {
        struct err err = {0};
        enum lease_state got;
        if (!lease_try(a.lease, &got, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(got, LEASE_HELD);
        assert_true(lease_held(a.lease, lease_boottime_ms()));
        if (i % 10 == 9) {
            assert_true(lease_release(a.lease, &err));
            assert_false(lease_held(a.lease, lease_boottime_ms()));
        }
    }
    assert_int_equal(lease_epoch(a.lease), 5);
    g_atomic_int_set(&q.stop, 1);
    g_thread_join(thread);
    holder_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_holders),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_damaged_by_hand),
        cmocka_unit_test(test_deleted_under_waiter),
        cmocka_unit_test(test_races),
        cmocka_unit_test(test_late_command),
        cmocka_unit_test(test_not_confirmed),
        cmocka_unit_test(test_odd_answers),
        cmocka_unit_test(test_threads),
    };
    mongoc_init();
    lease_free(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mongoc_cleanup();
    return failed;
}
