// SPDX-License-Identifier: Apache-2.0
/* A migration from its registration to its end, step by step as the donor counts them:
 *   1 registered   2 checked (too big?)   3 recipient ready (its own orphans gone)   4 copied   5 critical
 * section 6 committed on the config servers; then the clean-up, and the answers to everyone who asked for it.
 * Both shards are taken from begin to end. The client that asked may go; the migration goes on. */
#include "sandbox/cluster_impl.h"
#include "sandbox/server_text.h"

#include <string.h>

enum {
    RECEIVE_WAIT = 10000,
    DONOR_LOOK_UP = 20000,
    RECIPIENT_LOOK_UP = 40000,
    FIRST_OP = 1000000000,
    OPS_EACH = 1000
};

static void enter_step(struct migration *m, int step);
static void step_timer(void *data);
static void step_passed(struct migration *m);

void sb_migration_free(void *data)
{
    struct migration *m = data;
    sb_cancel_timer(m->c, &m->timer);
    for (guint i = 0; i < m->waiters->len; i++)
        ((struct request *)m->waiters->pdata[i])->migration = NULL;
    g_ptr_array_unref(m->waiters);
    sb_bound_unref(m->move.min);
    sb_bound_unref(m->move.max);
    g_free(m->ns);
    g_free(m);
}

bool sb_coll_migrating(const sb_cluster *c, const struct coll *k, const struct shard *s)
{
    for (guint i = 0; i < c->migrations->len; i++) {
        const struct migration *m = c->migrations->pdata[i];
        if (m->move.coll == k && (s == NULL || m->move.from == s || m->move.to == s))
            return true;
    }
    return false;
}

/* Frees the shards and takes the migration out of the list; answers come last, they may bring new requests.
 */
static void migration_end(struct migration *m, int code, const char *text)
{
    sb_cluster *c = m->c;
    m->move.from->busy = NULL;
    m->move.to->busy = NULL;
    guint i;
    if (g_ptr_array_find(c->migrations, m, &i))
        g_ptr_array_steal_index(c->migrations, i);
    sb_changed(c);
    while (m->waiters->len > 0) {
        struct request *rq = m->waiters->pdata[0];
        bson_t *reply = bson_new();
        if (g_ascii_strcasecmp(rq->name, "moveChunk") == 0)
            BSON_APPEND_INT32(reply, "millis", (int32_t)MIN(sb_now_ms(c) - rq->started, G_MAXINT32));
        if (text != NULL)
            sb_rq_fail_with(rq, code, text, NULL);
        else
            sb_rq_reply(rq, reply);
        bson_destroy(reply);
    }
    sb_migration_free(m);
    sb_migrations_resume(c);
}

void sb_migration_fail(struct migration *m, int code, const char *text)
{
    g_autofree char *kept = g_strdup(text);
    m->took[MIN(m->step, STEPS)] = sb_now_ms(m->c) - m->step_began;
    if (m->step > 3)
        sb_log_move(m, "moveChunk.to", false, kept);
    sb_log_move(m, "moveChunk.error", false, kept);
    sb_log_move(m, "moveChunk.from", false, kept);
    migration_end(m, code, kept);
}

/* The config servers take some of a donor's errors for passing ones, and tell the client OperationFailed with
 * the cause in the text. */
void sb_migration_fail_donor(struct migration *m, int code, const char *text)
{
    bool newer = sb_since(m->c, 6, 0);
    char name[SB_CODE_NAME_MAX];
    if (!sb_code_wrapped(code, newer)) {
        sb_migration_fail(m, code, text);
        return;
    }
    g_autofree char *wrapped = g_strdup_printf("%s :: caused by :: %s: %s",
                                               newer ? "Command request failed on source shard."
                                                     : "moveChunk command failed on source shard.",
                                               sb_code_name(code, name), text);
    sb_migration_fail(m, SB_OPERATION_FAILED, wrapped);
}

/* Documents in the range against what a chunk of full size would have, by the donor's average document. */
static bool too_big(const struct migration *m, char **ret_text)
{
    const struct coll *k = m->move.coll;
    const char *id = m->move.from->id;
    int64_t factor = sb_since(m->c, 6, 0) ? 200 : 130, limit = 250001, average = 0;
    int64_t bytes = sb_cluster_bytes(m->c, k->ns, id) + sb_cluster_orphan_bytes(m->c, k->ns, id);
    int64_t documents = sb_cluster_documents(m->c, k->ns, id) + sb_cluster_orphan_documents(m->c, k->ns, id);
    if (documents > 0 && bytes > 0) {
        average = MAX(bytes / documents, 1);
        limit = sb_max_chunk_bytes(k) / average * factor / 100;
    }
    if (m->move.force || m->documents <= limit)
        return false;
    g_autofree char *min = server_text(m->move.min->doc), *max = server_text(m->move.max->doc);
    *ret_text = g_strdup_printf(
        "Cannot move %s: the maximum number of documents for a chunk is %" G_GINT64_FORMAT
        ", the maximum chunk size is %" G_GINT64_FORMAT ", average document size is %" G_GINT64_FORMAT
        ". Found %" G_GINT64_FORMAT " documents in chunk  ns: %s %s -> %s",
        sb_since(m->c, 6, 0) ? "range" : "chunk", limit, sb_max_chunk_bytes(k), average, m->documents, k->ns,
        min, max);
    return true;
}

/* What lies behind the range on a donor of this version stays behind as new chunks; ids as the server gives
 * them: the part that moves keeps the chunk's. */
static struct chunk *cut_out(struct chunk *ch, const struct move *move, uint64_t version)
{
    g_autoptr(GPtrArray) pieces = g_ptr_array_new();
    struct bound *points[2];
    guint n = 0;
    bool left = sb_bound_cmp(ch->min, move->min) < 0;
    if (left)
        points[n++] = move->min;
    if (sb_bound_cmp(move->max, ch->max) < 0)
        points[n++] = move->max;
    sb_chunk_cut(ch, points, n, pieces);
    struct chunk *moved = pieces->pdata[left ? 1 : 0];
    if (left) {
        bson_oid_t id = ch->id;
        ch->id = moved->id;
        moved->id = id;
    }
    uint64_t minor = 1;
    for (guint i = 0; i < pieces->len; i++) {
        if (pieces->pdata[i] != moved)
            sb_chunk_set_version(pieces->pdata[i], version + minor++);
    }
    return moved;
}

/* A chunk that stays on the donor shows the new major version, so that the donor's version changes too. */
static void bump_control_chunk(struct coll *k, const struct shard *donor, uint64_t version)
{
    for (guint i = 0; i < k->chunks->len; i++) {
        struct chunk *ch = k->chunks->pdata[i];
        if (ch->shard != donor)
            continue;
        if (ch->jumbo < 0)
            ch->jumbo = 0;
        sb_chunk_set_version(ch, version + 1);
        return;
    }
}

/* The one place where a chunk changes hands. A range inside a chunk (from 6.0 on) is cut out in the same
 * step. */
struct chunk *sb_commit_move(sb_cluster *c, const struct move *move, struct stamp *ret_when)
{
    struct coll *k = move->coll;
    struct chunk *ch = sb_chunk_at(k, move->min);
    if (ch == NULL || ch->shard != move->from || sb_bound_cmp(ch->min, move->min) > 0 ||
        sb_bound_cmp(move->max, ch->max) > 0)
        return NULL;
    uint64_t version = sb_version_major(k->version);
    bool whole = sb_bound_cmp(ch->min, move->min) == 0 && sb_bound_cmp(move->max, ch->max) == 0;
    struct chunk *moved = whole ? ch : cut_out(ch, move, version);
    *ret_when = sb_stamp_next(c);
    moved->jumbo = -1;
    sb_chunk_placed(moved, move->to, *ret_when);
    sb_chunk_set_version(moved, version);
    if (whole)
        bump_control_chunk(k, move->from, version);
    return moved;
}

static void clean_up(struct migration *m)
{
    if (sb_fail_point_hit(m->c, "moveChunkHangAtStep7")) {
        m->hung_at = "moveChunkHangAtStep7";
        return;
    }
    migration_end(m, SB_NO_CODE, NULL);
}

static void commit_again(void *data);

/* Nothing is committed without a primary of the config servers, nor, in later versions, onto a draining
 * shard: these find out only here, after all the copying. */
static void commit(struct migration *m)
{
    sb_cluster *c = m->c;
    const struct move *move = &m->move;
    if (sb_config_down(c)) {
        m->waits_config = true;
        m->timer = sb_set_timer(c, c->config_down_until - sb_now_ms(c), commit_again, m);
        return;
    }
    m->timer = NULL;
    m->waits_config = false;
    if (sb_since(c, 6, 0) && move->to->draining) {
        g_autofree char *text = g_strdup_printf("%s is currently draining.", move->to->id);
        sb_migration_fail(m, SB_SHARD_NOT_FOUND, text);
        return;
    }
    if (sb_since(c, 5, 0) && move->coll->no_migrations) {
        sb_migration_fail(m, SB_CONFLICT, "Collection is undergoing changes and chunks cannot be moved");
        return;
    }
    const struct chunk *moved = sb_commit_move(c, move, &m->committed);
    if (moved == NULL) {
        g_autofree char *range = server_range_text(move->min->doc, move->max->doc, ", ");
        g_autofree char *text =
            g_strdup_printf("Could not find the chunk (%s %s) on the shard. Cannot execute the "
                            "migration commit with invalid chunks.",
                            m->ns, range);
        sb_migration_fail(m, SB_COMMIT_NOT_ON_DONOR, text);
        return;
    }
    sb_orphans_add(move->coll, move->from, sb_bound_ref(move->min), sb_bound_ref(move->max), moved->bytes,
                   moved->documents, move->wait_delete ? 0 : c->opt.orphan_delay_ms);
    sb_log_move(m, "moveChunk.to", true, NULL);
    sb_log_move(m, "moveChunk.commit", true, NULL);
    sb_log_move(m, "moveChunk.from", true, NULL);
    m->step = STEPS + 1;
    sb_changed(c);
    clean_up(m);
}

static void commit_again(void *data)
{
    commit(data);
}

/* Where a fail point, a fault, or an orphan may hold it up. True: it goes on. */
static bool may_go_on(struct migration *m)
{
    static const struct {
        int step;
        const char *name;
    } points[] = {
        {1, "moveChunkHangAtStep1"},     {2, "moveChunkHangAtStep2"},     {3, "moveChunkHangAtStep3"},
        {4, "moveChunkHangAtStep4"},     {5, "moveChunkHangAtStep5"},     {6, "moveChunkHangAtStep6"},
        {3, "migrateThreadHangAtStep1"}, {4, "migrateThreadHangAtStep4"}, {5, "migrateThreadHangAtStep5"},
        {6, "migrateThreadHangAtStep6"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(points) && m->hung_at == NULL; i++) {
        if (points[i].step == m->step && sb_fail_point_hit(m->c, points[i].name))
            m->hung_at = points[i].name;
    }
    return m->hung_at == NULL;
}

/* A step's time is over: faults first, then fail points, then the step's own end. */
static void step_timer(void *data)
{
    struct migration *m = data;
    m->timer = NULL;
    m->took[m->step] = sb_now_ms(m->c) - m->step_began;
    const struct injected *f = sb_fault_due(m->c, "errorCode", NULL, m->step);
    if (f != NULL) {
        g_autofree char *text = g_strdup(f->errmsg != NULL ? f->errmsg : "injected error");
        sb_migration_fail_donor(m, f->code, text);
        return;
    }
    f = sb_fault_due(m->c, "stall", NULL, m->step);
    if (f != NULL) {
        m->timer = sb_set_timer(m->c, f->ms, step_timer, m);
        return;
    }
    if (may_go_on(m))
        step_passed(m);
}

static void receive_wait_over(void *data)
{
    struct migration *m = data;
    m->timer = NULL;
    g_autofree char *range = server_range_text(m->move.min->doc, m->move.max->doc, ", ");
    g_autofree char *text = g_strdup_printf(
        "%s :: caused by :: Data transfer error: ExceededTimeLimit: Failed to delete orphaned %s range %s "
        ":: caused by :: overlapping range deletion is still pending",
        sb_since(m->c, 6, 0) ? "Command request failed on source shard."
                             : "moveChunk command failed on source shard.",
        m->ns, range);
    sb_migration_fail(m, SB_OPERATION_FAILED, text);
}

/* A range that the recipient gave away lately is still being deleted there: 4.2 waits for the end of that,
 * later servers for a short time only. */
static bool recipient_ready(struct migration *m)
{
    if (!sb_orphans_overlap(m->move.coll, m->move.to, m->move.min, m->move.max))
        return true;
    m->waits_orphans = true;
    if (sb_since(m->c, 4, 4))
        m->timer = sb_set_timer(m->c, RECEIVE_WAIT, receive_wait_over, m);
    return false;
}

static void step_passed(struct migration *m)
{
    g_autofree char *text = NULL;
    if (m->step == 2 && too_big(m, &text)) {
        sb_migration_fail(m, SB_CHUNK_TOO_BIG, text);
    } else if (m->step == 3 && !recipient_ready(m)) {
        return;
    } else if (m->step == 5 && sb_fail_point_hit(m->c, "failMigrationCommit")) {
        sb_migration_fail(m, SB_INTERNAL_ERROR,
                          "commit clone failed :: caused by :: Failing _recvChunkCommit due to failpoint.");
    } else if (m->step == STEPS) {
        commit(m);
    } else {
        enter_step(m, m->step + 1);
    }
}

static void enter_step(struct migration *m, int step)
{
    m->step = step;
    m->step_began = sb_now_ms(m->c);
    m->timer = sb_set_timer(m->c, m->duration[step], step_timer, m);
}

/* The fixed time is divided as in the recordings; the copy comes on top of step 4. */
static void plan_time(struct migration *m)
{
    static const double share[STEPS + 1] = {0, 0, 0.08, 0.25, 0.25, 0.12, 0.30};
    const struct sb_options *o = &m->c->opt;
    double factor = MAX(m->move.from->slow, m->move.to->slow);
    if (o->spread > 0)
        factor *= 1 + o->spread * (2 * g_rand_double(m->c->rand) - 1);
    double copy = o->bandwidth > 0 ? (double)m->bytes * 1000 / (double)o->bandwidth : 0;
    for (int i = 1; i <= STEPS; i++) {
        double ms = factor * (share[i] * (double)o->latency_ms + (i == 4 ? copy : 0));
        m->duration[i] = (int64_t)CLAMP(ms + 0.5, 0, 1e12);
    }
}

static void measure(struct migration *m)
{
    struct chunk *ch = sb_chunk_at(m->move.coll, m->move.min);
    double from = sb_key_position(ch->coll, ch->min->doc, ch->max->doc, m->move.min->doc);
    double to = sb_key_position(ch->coll, ch->min->doc, ch->max->doc, m->move.max->doc);
    if (sb_bound_cmp(ch->min, m->move.min) == 0)
        from = 0;
    if (sb_bound_cmp(ch->max, m->move.max) == 0)
        to = 1;
    m->bytes = (int64_t)((double)ch->bytes * MAX(to - from, 0) + 0.5);
    m->documents = (int64_t)((double)ch->documents * MAX(to - from, 0) + 0.5);
}

static void wait_for(struct request *rq, struct migration *m)
{
    rq->migration = m;
    g_ptr_array_add(m->waiters, rq);
}

/* From here on both shards are taken. The start is logged before anything can fail. */
static void start(struct request *rq, const struct move *move)
{
    sb_cluster *c = rq->c;
    struct migration *m = g_new0(struct migration, 1);
    m->c = c;
    m->move = *move;
    m->ns = g_strdup(move->coll->ns);
    m->op = FIRST_OP + OPS_EACH * c->next_op++;
    m->started = sb_now_ms(c);
    m->version = move->coll->version;
    m->waiters = g_ptr_array_new();
    move->from->busy = m;
    move->to->busy = m;
    measure(m);
    plan_time(m);
    g_ptr_array_add(c->migrations, m);
    wait_for(rq, m);
    sb_changed(c);
    sb_log_move(m, "moveChunk.start", true, NULL);
    enter_step(m, 1);
}

/* The text names the other migration, from the side of the shard that is asked. */
static bool busy_refused(struct request *rq, const struct shard *s)
{
    const struct migration *m = s->busy;
    if (m == NULL)
        return false;
    bool donates = m->move.from == s;
    g_autofree char *range = server_range_text(m->move.min->doc, m->move.max->doc, ", ");
    sb_rq_fail(
        rq, SB_CONFLICT,
        "Unable to start new migration because this shard is currently %s %s %s for namespace %s %s %s",
        donates ? "donating" : "receiving", sb_since(rq->c, 6, 0) ? "range" : "chunk", range, m->ns,
        donates ? "to" : "from", donates ? m->move.to->id : m->move.from->id);
    return true;
}

/* killOp on a shard. Operations of a migration are numbered as sb_cluster_current_ops() shows them: 1 the
 * recipient's thread, 2 the donor's own (from 5.0 on), 3 and up the connections of those who asked, which do
 * the work themselves up to 4.4. */
void sb_migration_kill(sb_cluster *c, int64_t op)
{
    for (guint i = 0; i < c->migrations->len; i++) {
        struct migration *m = c->migrations->pdata[i];
        int64_t which = op - m->op;
        if (which < 1 || which >= OPS_EACH || m->step > STEPS)
            continue;
        if (which == 1)
            sb_migration_fail(m, SB_OPERATION_FAILED, "Data transfer error: operation was interrupted");
        else if (which == 2 || !sb_since(c, 5, 0))
            sb_migration_fail(m, SB_INTERRUPTED, "operation was interrupted");
        return;
    }
}

static struct migration *find_migration(const sb_cluster *c, const struct move *move)
{
    for (guint i = 0; i < c->migrations->len; i++) {
        struct migration *m = c->migrations->pdata[i];
        if (m->move.coll == move->coll && sb_bound_cmp(m->move.min, move->min) == 0)
            return m;
    }
    return NULL;
}

/* Up to 5.x a migration's document in config.migrations keeps its chunk: another destination meets that
 * unique key. */
static void duplicate_key(struct request *rq, const struct move *move)
{
    g_autofree char *id = server_chunk_id(move->coll->ns, move->min->doc);
    g_autofree char *text = g_strdup_printf(
        "E11000 duplicate key error collection: config.migrations index: _id_ dup key: { _id: \"%s\" }", id);
    bson_t *more = bson_new(), sub;
    BSON_APPEND_DOCUMENT_BEGIN(more, "keyPattern", &sub);
    BSON_APPEND_INT32(&sub, "_id", 1);
    bson_append_document_end(more, &sub);
    BSON_APPEND_DOCUMENT_BEGIN(more, "keyValue", &sub);
    bson_append_utf8(&sub, sb_since(rq->c, 4, 4) ? "_id" : "", -1, id, -1);
    bson_append_document_end(more, &sub);
    sb_rq_fail_with(rq, SB_DUPLICATE_KEY, text, more);
    bson_destroy(more);
}

/* 4.2 finds out on the donor that there is nothing to do, and writes that down. */
static void already_there(struct request *rq, const struct move *move)
{
    if (!sb_since(rq->c, 4, 4)) {
        struct migration m = {.c = rq->c, .move = *move, .ns = move->coll->ns, .step = 1};
        sb_log_move(&m, "moveChunk.from", false, NULL);
    }
    bson_t *reply = bson_new();
    if (g_ascii_strcasecmp(rq->name, "moveChunk") == 0)
        BSON_APPEND_INT32(reply, "millis", (int32_t)MIN(sb_now_ms(rq->c) - rq->started, G_MAXINT32));
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}

static void not_found(struct request *rq)
{
    const char *to = sb_doc_string(rq->cmd, "to"), *range_to = sb_doc_string(rq->cmd, "toShard");
    const struct shard *s = sb_find_shard(rq->c, to != NULL ? to : range_to);
    const char *id = s != NULL && sb_shard_down(rq->c, s) ? s->id : "csrs";
    sb_rq_fail(rq, SB_NO_PRIMARY,
               "Could not find host matching read preference { mode: \"primary\" } for set %s", id);
}

/* What the config servers and the two shards have against it. True: answered or waiting already. */
static bool refused(struct request *rq, const struct move *move)
{
    sb_cluster *c = rq->c;
    struct migration *running = find_migration(c, move);
    /* of a range whose end the donor chooses, the end may have come out otherwise this time */
    bool same = running != NULL && running->move.from == move->from && running->move.to == move->to &&
                running->step <= STEPS && (move->open || sb_bound_cmp(running->move.max, move->max) == 0);
    if (same) {
        wait_for(rq, running);
    } else if (move->from == move->to) {
        already_there(rq, move);
    } else if (running != NULL && !sb_since(c, 6, 0) && running->step <= STEPS) {
        duplicate_key(rq, move);
    } else if (sb_since(c, 5, 0) && move->coll->no_migrations) {
        sb_rq_fail(rq, SB_CONFLICT, "Collection is undergoing changes and chunks cannot be moved");
    } else if (sb_shard_down(c, move->to) || sb_shard_down(c, move->from)) {
        sb_rq_later(rq, sb_shard_down(c, move->to) ? RECIPIENT_LOOK_UP : DONOR_LOOK_UP, not_found);
    } else {
        return busy_refused(rq, move->from) || busy_refused(rq, move->to);
    }
    return true;
}

void sb_migration_begin(struct request *rq, struct move *move)
{
    if (!refused(rq, move)) {
        start(rq, move);
        return;
    }
    sb_bound_unref(move->min);
    sb_bound_unref(move->max);
}

/* One thing that can go on now; false: nothing can. */
static bool resume_one(sb_cluster *c)
{
    for (guint i = 0; i < c->migrations->len; i++) {
        struct migration *m = c->migrations->pdata[i];
        if (m->hung_at != NULL && sb_fail_point_find(c, m->hung_at) == NULL) {
            m->hung_at = NULL;
            if (m->step > STEPS)
                migration_end(m, SB_NO_CODE, NULL);
            else
                step_passed(m);
            return true;
        }
        if (m->waits_orphans && !sb_orphans_overlap(m->move.coll, m->move.to, m->move.min, m->move.max)) {
            m->waits_orphans = false;
            sb_cancel_timer(c, &m->timer);
            enter_step(m, m->step + 1);
            return true;
        }
    }
    for (guint i = 0; i < c->requests->len; i++) {
        struct request *rq = c->requests->pdata[i];
        if (rq->lock == NULL || sb_coll_migrating(c, rq->lock, rq->lock_shard))
            continue;
        rq->lock = NULL;
        sb_cancel_timer(c, &rq->delay);
        sb_rq_again(rq);
        return true;
    }
    return false;
}

void sb_migrations_resume(sb_cluster *c)
{
    while (resume_one(c))
        ;
}
