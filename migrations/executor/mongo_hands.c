// SPDX-License-Identifier: Apache-2.0
#include "migrations/executor/mongo_hands.h"

#include "balancer/key/encode.h"
#include "migrations/mongo/settle.h"

#include <stdatomic.h>
#include <string.h>

enum { CHUNKS_MAX = 8192, CODE_UNAUTHORIZED = 13 };

/* Threads hold it as long as they run: one that is left behind in a command may end after its owner. */
struct mongo_hands {
    atomic_uint users;
    mongo_pool *pool;
    guard *guard;
    struct mongo_hands_options opt;
    char *throttle_mode;
};

/* One call. */
struct call {
    const struct mongo_hands *h;
    const struct hands_job *job;
    struct hands_result *ret;
    mongoc_client_t *reads;
};

/* --- results --- */

static void put(const struct call *c, enum hands_outcome outcome, const char *message)
{
    c->ret->outcome = outcome;
    g_free(c->ret->message);
    c->ret->message = g_strdup(message);
}

/* The cluster could not be asked, or refused to be: nothing was sent for this. */
static void put_error(const struct call *c, const struct err *err)
{
    put(c, err->cls == ERR_NO_PERMISSION ? HANDS_FAILED : HANDS_UNREACHABLE, err->msg);
    if (err->cls == ERR_DATA)
        c->ret->outcome = HANDS_CHANGED;
    if (err->cls != ERR_NO_PERMISSION)
        return;
    c->ret->code = CODE_UNAUTHORIZED;
    c->ret->class = *error_class_of(CODE_UNAUTHORIZED, c->job->to == NULL ? ERROR_OF_SPLIT : ERROR_OF_MOVE,
                                    &c->ret->code_name);
}

static void put_reply(const struct call *c, const struct mongo_result *r)
{
    if (r->gated) {
        put(c, HANDS_UNREACHABLE, "not sent: the lease is not held at this moment");
        return;
    }
    const enum hands_outcome failed = !r->sent           ? HANDS_UNREACHABLE
                                      : r->class.unknown ? HANDS_UNKNOWN
                                                         : HANDS_FAILED;
    c->ret->sent = c->ret->sent || r->sent; /* of several splits one may have left */
    c->ret->code = r->code;
    c->ret->code_name = r->code_name;
    c->ret->class = r->class;
    put(c, r->ok ? HANDS_COMMITTED : failed, r->message);
}

/* False: the answer is given, nothing is to be sent. */
static bool look(const struct call *c, const struct guard_question *q, struct guard_found *found)
{
    static const enum hands_outcome outcomes[] = {[GUARD_DONE] = HANDS_ALREADY,
                                                  [GUARD_CHANGED] = HANDS_CHANGED,
                                                  [GUARD_NOT_ALLOWED] = HANDS_NOT_ALLOWED};
    struct err err = {0};
    enum guard_answer answer;
    if (!guard_ask(c->h->guard, c->reads, q, &answer, found, &err)) {
        put_error(c, &err);
        return false;
    }
    if (answer != GUARD_GO)
        put(c, outcomes[answer], found->text);
    return answer == GUARD_GO;
}

static struct guard_question question_of(const struct hands_job *job)
{
    return (struct guard_question){
        .ns = job->ns,
        .min = job->min,
        .max = job->max,
        .from = job->from,
        .to = job->to,
        .version = job->version,
        .open_min = job->open_min,
        .open_max = job->open_max,
        .draining_ok = g_strcmp0(job->reason, "drain") == 0,
    };
}

static const struct mongo_gate *gate_of(const struct call *c)
{
    return c->h->opt.gate.open == NULL ? NULL : &c->h->opt.gate;
}

/* --- moves --- */

/* Whole chunks go with the bytes that the cluster has for their bounds. */
static struct mongo_move move_of(const struct call *c, const struct guard_found *found)
{
    const struct mongo_hands_options *o = &c->h->opt;
    const struct hands_job *job = c->job;
    struct mongo_move m = {
        .ns = job->ns,
        .to = job->to,
        .min = found->move_range_sub && !job->open_min ? job->min : found->min,
        .max = found->move_range_sub ? job->max : found->max,
        .force_jumbo = job->force_jumbo,
        .wait_for_delete = o->wait_for_delete,
        .throttle = o->throttle,
        .throttle_members = o->throttle_members,
        .throttle_mode = c->h->throttle_mode,
        .move_range = o->move_range,
        .gate = gate_of(c),
    };
    if (job->open_max && o->move_range)
        m.max = NULL;
    return m;
}

/* Where the donor chose the end, the chunk that begins there tells it. */
static void read_end(const struct call *c, const bson_t *min)
{
    struct probe_collection coll = {0};
    struct probe_chunk chunk = {0};
    if (probe_collection(c->reads, c->job->ns, &coll, NULL) && coll.there &&
        probe_chunk_at(c->reads, c->job->ns, &coll, min, &chunk, NULL) && chunk.there &&
        strcmp(chunk.shard, c->job->to) == 0)
        c->ret->max = g_steal_pointer(&chunk.max);
    probe_chunk_clear(&chunk);
    probe_collection_clear(&coll);
}

static void send_move(const struct call *c, const struct mongo_move *m)
{
    mongoc_client_t *client = mongo_pool_take(c->h->pool, true);
    struct mongo_result r;
    mongo_move_run(client, m, &r);
    mongo_pool_give(c->h->pool, true, client);
    put_reply(c, &r);
    mongo_result_clear(&r);
    if (c->job->open_min)
        c->ret->min = bson_copy(m->min);
    if (c->ret->outcome == HANDS_COMMITTED && m->max == NULL)
        read_end(c, m->min);
}

static void act_move(const struct call *c)
{
    const struct guard_question q = question_of(c->job);
    struct guard_found found = {0};
    if (look(c, &q, &found)) {
        const struct mongo_move m = move_of(c, &found);
        if (found.move_range_sub && !c->h->opt.move_range)
            put(c, HANDS_CHANGED, "the range is a part of a chunk, and this version moves whole chunks only");
        else
            send_move(c, &m);
    }
    guard_found_clear(&found);
}

/* --- splits --- */

static bool encode(const bson_t *key, GByteArray *out)
{
    bson_iter_t it;
    bool ok = bson_iter_init(&it, key);
    while (ok && bson_iter_next(&it))
        ok = key_encode_value(&it, out, NULL);
    return ok;
}

/* Numbers of different types may be equal. */
static bool same_key(const bson_t *a, const bson_t *b)
{
    g_autoptr(GByteArray) x = g_byte_array_new(), y = g_byte_array_new();
    return encode(a, x) && encode(b, y) && key_cmp(x->data, x->len, y->data, y->len) == 0;
}

static bool begins_at(const GPtrArray *chunks, const bson_t *point)
{
    for (guint i = 0; i < chunks->len; i++)
        if (same_key(((const struct probe_chunk *)chunks->pdata[i])->min, point))
            return true;
    return false;
}

/* The chunks of the job's range as they are now. */
static bool read_chunks(const struct call *c, GPtrArray **ret, struct err *err)
{
    struct probe_collection coll = {0};
    bool ok = probe_collection(c->reads, c->job->ns, &coll, err);
    if (ok && !coll.there)
        ok = err_set(err, ERR_DATA, "%s is not a sharded collection any more", c->job->ns);
    ok = ok && probe_chunks_in(c->reads, c->job->ns, &coll, c->job->min, c->job->max, CHUNKS_MAX, ret, err);
    probe_collection_clear(&coll);
    return ok;
}

/* Whether a chunk begins at the point by now: then it does not matter what the command said, or whether it
 * said anything. */
static bool has_become_bound(const struct call *c, const bson_t *point)
{
    g_autoptr(GPtrArray) chunks = NULL;
    return read_chunks(c, &chunks, NULL) && begins_at(chunks, point);
}

/* False: it went wrong, and the answer is given. */
static bool send_split(const struct call *c, const struct mongo_split *s)
{
    mongoc_client_t *client = mongo_pool_take(c->h->pool, true);
    struct mongo_result r;
    mongo_split_run(client, s, &r);
    mongo_pool_give(c->h->pool, true, client);
    bool ok = r.ok;
    if (!ok && !r.gated && s->middle != NULL && has_become_bound(c, s->middle)) {
        const bool sent = r.sent;
        mongo_result_clear(&r);
        r.sent = sent;
        r.ok = ok = true;
    }
    put_reply(c, &r);
    mongo_result_clear(&r);
    return ok;
}

/* An earlier run may have got half through: its points are bounds already, and the first chunk is shorter
 * than the planned one. */
static void act_split(const struct call *c)
{
    struct guard_question q = question_of(c->job);
    struct guard_found found = {0};
    g_autoptr(GPtrArray) chunks = NULL;
    struct err err = {0};
    q.open_max = true;
    const bool go = look(c, &q, &found);
    guard_found_clear(&found);
    if (!go)
        return;
    if (!read_chunks(c, &chunks, &err)) {
        put_error(c, &err);
        return;
    }
    put(c, HANDS_ALREADY, NULL);
    for (guint i = 0; i < c->job->at->len; i++) {
        const struct mongo_split s = {.ns = c->job->ns, .middle = c->job->at->pdata[i], .gate = gate_of(c)};
        if (!begins_at(chunks, s.middle) && !send_split(c, &s))
            return;
    }
}

/* The chunk at the job's begin, whole; where the job left ends open, as found. */
static void act_median(const struct call *c)
{
    struct guard_question q = question_of(c->job);
    struct guard_found found = {0};
    q.open_max = true;
    if (!look(c, &q, &found)) {
        guard_found_clear(&found);
        return;
    }
    const struct mongo_split s = {.ns = c->job->ns, .min = found.min, .max = found.max, .gate = gate_of(c)};
    send_split(c, &s);
    c->ret->min = g_steal_pointer(&found.min);
    c->ret->max = g_steal_pointer(&found.max);
    guard_found_clear(&found);
}

/* --- settlements --- */

static void put_settled(const struct call *c, enum settle_outcome outcome, const char *text)
{
    static const enum hands_outcome outcomes[] = {[SETTLE_COMMITTED] = HANDS_COMMITTED,
                                                  [SETTLE_NOT] = HANDS_NOT,
                                                  [SETTLE_IN_FLIGHT] = HANDS_IN_FLIGHT,
                                                  [SETTLE_VOID] = HANDS_VOID};
    put(c, outcomes[outcome], text);
}

static void settle_a_move(const struct call *c)
{
    const struct hands_job *job = c->job;
    const struct settle_question q = {
        .ns = job->ns,
        .min = job->min,
        .max = job->max,
        .open_max = job->open_max,
        .from = job->from,
        .to = job->to,
        .version = job->version,
        .sent_at = job->sent_at,
    };
    g_autofree char *text = NULL;
    struct err err = {0};
    enum settle_outcome outcome;
    if (!settle_move(c->reads, &q, &outcome, job->open_max ? &c->ret->max : NULL, &text, &err)) {
        put(c, HANDS_UNREACHABLE, err.msg);
        return;
    }
    put_settled(c, outcome, text);
}

static void settle_points(const struct call *c)
{
    g_autofree char *text = NULL;
    struct err err = {0};
    enum settle_outcome outcome;
    if (settle_split(c->reads, c->job->ns, c->job->at, &outcome, &text, &err))
        put_settled(c, outcome, text);
    else
        put(c, HANDS_UNREACHABLE, err.msg);
}

/* Nobody was told where the median would be: the chunk is whole still, or it is not. */
static void settle_median(const struct call *c)
{
    g_autoptr(GPtrArray) chunks = NULL;
    struct err err = {0};
    if (!read_chunks(c, &chunks, &err))
        put(c, err.cls == ERR_DATA ? HANDS_VOID : HANDS_UNREACHABLE, err.msg);
    else if (chunks->len > 1)
        put(c, HANDS_COMMITTED, NULL);
    else
        put(c, HANDS_NOT, "the chunk has not been split");
}

static void settle(const struct call *c)
{
    if (c->job->to != NULL)
        settle_a_move(c);
    else if (c->job->at != NULL && c->job->at->len > 0)
        settle_points(c);
    else
        settle_median(c);
}

/* --- the table --- */

static void act(void *data, void *thread, const struct hands_job *job, struct hands_result *ret)
{
    struct mongo_hands *h = data;
    (void)thread;
    *ret = (struct hands_result){.code_name = ""};
    const struct call c = {h, job, ret, mongo_pool_take(h->pool, false)};
    switch (job->kind) {
    case HANDS_MOVE:
        act_move(&c);
        break;
    case HANDS_SPLIT:
        act_split(&c);
        break;
    case HANDS_SPLIT_MEDIAN:
        act_median(&c);
        break;
    case HANDS_SETTLE:
        settle(&c);
        break;
    }
    mongo_pool_give(h->pool, false, c.reads);
}

static void *enter(void *data)
{
    struct mongo_hands *h = data;
    atomic_fetch_add(&h->users, 1);
    return NULL;
}

static void unref(struct mongo_hands *h)
{
    if (atomic_fetch_sub(&h->users, 1) > 1)
        return;
    g_free(h->throttle_mode);
    g_free(h);
}

static void leave(void *data, void *thread)
{
    (void)thread;
    unref(data);
}

struct mongo_hands *mongo_hands_new(mongo_pool *pool, guard *g, const struct mongo_hands_options *opt)
{
    struct mongo_hands *h = g_new0(struct mongo_hands, 1);
    atomic_init(&h->users, 1);
    h->pool = pool;
    h->guard = g;
    h->opt = *opt;
    h->opt.throttle_mode = h->throttle_mode = g_strdup(opt->throttle_mode);
    return h;
}

void mongo_hands_free(struct mongo_hands *h)
{
    if (h != NULL)
        unref(h);
}

struct hands mongo_hands_table(struct mongo_hands *h)
{
    return (struct hands){.data = h, .enter = enter, .leave = leave, .act = act};
}
