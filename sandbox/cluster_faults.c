// SPDX-License-Identifier: Apache-2.0
/* What goes wrong when it is asked for: the server's own fail points of migrations, and the faults of
 * evenkeelSandboxFault (cluster.h). */
#include "sandbox/cluster_impl.h"
#include "sandbox/server_text.h"

#include <string.h>

#define GROWN_MAX ((int64_t)1 << 50)
enum { STEPDOWN_MS = 3000, CONFIG_MS = 6000, STALL_STEP = 4, SLOW = 10 };

/* Those that are honoured; the server has many more. */
static const char *const fail_points[] = {"moveChunkHangAtStep1",        "moveChunkHangAtStep2",
                                          "moveChunkHangAtStep3",        "moveChunkHangAtStep4",
                                          "moveChunkHangAtStep5",        "moveChunkHangAtStep6",
                                          "moveChunkHangAtStep7",        "migrateThreadHangAtStep1",
                                          "migrateThreadHangAtStep4",    "migrateThreadHangAtStep5",
                                          "migrateThreadHangAtStep6",    "failMigrationCommit",
                                          "migrationCommitNetworkError", NULL};

const struct fail_point *sb_fail_point_find(const sb_cluster *c, const char *name)
{
    for (guint i = 0; i < c->fail_points->len; i++) {
        const struct fail_point *f = c->fail_points->pdata[i];
        if (strcmp(f->name, name) == 0)
            return f;
    }
    return NULL;
}

/* Counts a strike where one is due: `skip` of them pass first, then `times`, each with the probability given.
 */
bool sb_fail_point_hit(sb_cluster *c, const char *name)
{
    struct fail_point *f = name[0] != '\0' ? (struct fail_point *)sb_fail_point_find(c, name) : NULL;
    if (f == NULL)
        return false;
    if (f->skip > 0) {
        f->skip--;
        return false;
    }
    if (f->times == 0 || (f->probability < 1 && g_rand_double(c->rand) >= f->probability))
        return false;
    f->count++;
    if (f->times > 0)
        f->times--;
    return true;
}

/* "alwaysOn", "off", {times}, {skip}, {activationProbability}; false: answered. */
static bool read_mode(struct request *rq, struct fail_point *f, bool *ret_off)
{
    bson_t doc;
    const char *mode = sb_doc_string(rq->cmd, "mode");
    *ret_off = mode != NULL && strcmp(mode, "off") == 0;
    f->times = -1;
    f->probability = 1;
    if (*ret_off || (mode != NULL && strcmp(mode, "alwaysOn") == 0))
        return true;
    if (!sb_doc_sub(rq->cmd, "mode", &doc))
        return sb_rq_fail(rq, SB_BAD_VALUE, "'mode' must be either 'off', 'alwaysOn', or a document");
    f->times = sb_doc_int(&doc, "times", -1);
    f->skip = sb_doc_int(&doc, "skip", 0);
    f->probability = sb_doc_double(&doc, "activationProbability", 1);
    if (f->skip < 0 || f->times < -1 || !(f->probability >= 0 && f->probability <= 1))
        return sb_rq_fail(rq, SB_BAD_VALUE, "'mode' has a value out of range");
    return true;
}

/* Setting one again replaces it; the count of the one before is told, as the server does. */
void sb_cmd_configure_fail_point(struct request *rq)
{
    sb_cluster *c = rq->c;
    struct fail_point f = {0};
    const char *name = sb_doc_string(rq->cmd, rq->name);
    bool off;
    int64_t count = 0;
    if (name == NULL || !g_strv_contains(fail_points, name)) {
        sb_rq_fail(rq, SB_FAIL_POINT_FAILED, "%s not found", name != NULL ? name : "failpoint");
        return;
    }
    if (!read_mode(rq, &f, &off))
        return;
    for (guint i = c->fail_points->len; i-- > 0;) {
        const struct fail_point *old = c->fail_points->pdata[i];
        if (strcmp(old->name, name) == 0) {
            count = old->count;
            g_ptr_array_remove_index(c->fail_points, i);
        }
    }
    if (!off) {
        f.name = g_strdup(name);
        g_ptr_array_add(c->fail_points, g_memdup2(&f, sizeof f));
    }
    bson_t *reply = bson_new();
    if (sb_since(c, 4, 4))
        BSON_APPEND_INT64(reply, "count", count);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
    sb_migrations_resume(c);
}

struct injected *sb_fault_due(sb_cluster *c, const char *kind, const char *command, int step)
{
    for (guint i = 0; i < c->faults->len; i++) {
        struct injected *f = c->faults->pdata[i];
        if (f->times == 0 || strcmp(f->kind, kind) != 0 || f->step != step ||
            (f->command != NULL && g_strcmp0(f->command, command) != 0 && command != NULL))
            continue;
        if (f->probability < 1 && g_rand_double(c->rand) >= f->probability)
            continue;
        if (f->times > 0)
            f->times--;
        return f;
    }
    return NULL;
}

/* A command whose reply is to be lost after it is carried out goes on, marked. */
bool sb_fault_on_arrival(struct request *rq)
{
    sb_cluster *c = rq->c;
    if (strcmp(rq->name, "evenkeelSandboxFault") == 0 || strcmp(rq->name, "configureFailPoint") == 0)
        return false;
    if (sb_fault_due(c, "replyLostBefore", rq->name, 0) != NULL) {
        sb_rq_drop(rq);
        return true;
    }
    if (sb_fault_due(c, "replyLostAfter", rq->name, 0) != NULL)
        rq->lose_reply = true;
    const struct injected *f = sb_fault_due(c, "errorCode", rq->name, 0);
    if (f == NULL)
        return false;
    sb_rq_fail(rq, f->code, "%s", f->errmsg != NULL ? f->errmsg : "injected error");
    return true;
}

bool sb_shard_down(sb_cluster *c, const struct shard *s)
{
    return s->down_until > sb_now_ms(c);
}

bool sb_config_down(sb_cluster *c)
{
    return c->config_down_until > sb_now_ms(c);
}

/* The first migration in flight that a shard takes part in as donor, or as recipient. */
static struct migration *part_in(const sb_cluster *c, const struct shard *s)
{
    for (guint i = 0; i < c->migrations->len; i++) {
        struct migration *m = c->migrations->pdata[i];
        if (m->step <= STEPS && (m->move.from == s || m->move.to == s))
            return m;
    }
    return NULL;
}

static void break_migrations(sb_cluster *c, const struct shard *s, int code, const char *text)
{
    struct migration *m;
    while ((m = part_in(c, s)) != NULL) {
        g_autofree char *recipient = g_strdup_printf(
            "Failed to contact recipient shard to monitor data transfer :: caused by :: %s", text);
        sb_migration_fail_donor(m, code, m->move.from == s ? text : recipient);
    }
}

/* An action that a fault carries out at once. Returns what is wrong with it, or NULL. */
typedef const char *action_fn(sb_cluster *c, const bson_t *cmd, struct shard *s);

static int64_t duration(const bson_t *cmd, int64_t dflt)
{
    return CLAMP(sb_doc_int(cmd, "ms", dflt), 0, (int64_t)1 << 40);
}

static const char *act_config_down(sb_cluster *c, const bson_t *cmd, struct shard *s)
{
    (void)s;
    c->config_down_until = sb_now_ms(c) + duration(cmd, CONFIG_MS);
    return NULL;
}

static const char *act_stepdown(sb_cluster *c, const bson_t *cmd, struct shard *s)
{
    if (g_strcmp0(sb_doc_string(cmd, "shard"), "config") == 0)
        return act_config_down(c, cmd, s);
    if (s == NULL)
        return "shard is missing or unknown";
    s->down_until = sb_now_ms(c) + duration(cmd, STEPDOWN_MS);
    break_migrations(c, s, SB_INTERRUPTED_STATE_CHANGE, "operation was interrupted");
    return NULL;
}

static const char *act_unreachable(sb_cluster *c, const bson_t *cmd, struct shard *s)
{
    int64_t ms = duration(cmd, 0);
    if (s == NULL)
        return "shard is missing or unknown";
    s->down_until = ms > 0 ? sb_now_ms(c) + ms : G_MAXINT64;
    break_migrations(c, s, SB_HOST_UNREACHABLE, "Connection closed by peer");
    return NULL;
}

static const char *act_slow(sb_cluster *c, const bson_t *cmd, struct shard *s)
{
    double factor = sb_doc_double(cmd, "factor", SLOW);
    (void)c;
    if (s == NULL)
        return "shard is missing or unknown";
    if (!(factor > 0 && factor <= 1e6))
        return "factor is out of range";
    s->slow = factor;
    return NULL;
}

/* The chunk of `ns` that holds `at`; the bound is the caller's. */
static struct chunk *chunk_of(sb_cluster *c, const bson_t *cmd, struct bound **ret_at)
{
    bson_t at;
    struct coll *k = sb_find_coll(c, sb_doc_string(cmd, "ns"));
    *ret_at = k != NULL && sb_doc_sub(cmd, "at", &at) ? sb_bound_new(k->key, &at, NULL) : NULL;
    return *ret_at != NULL ? sb_chunk_at(k, *ret_at) : NULL;
}

/* At a bound of a chunk there is nothing to split: then in the middle. */
static const char *act_split(sb_cluster *c, const bson_t *cmd, struct shard *s)
{
    struct bound *at;
    struct chunk *ch = chunk_of(c, cmd, &at);
    bool good = ch != NULL;
    (void)s;
    if (good && (sb_bound_cmp(ch->min, at) == 0 || sb_bound_cmp(ch->max, at) == 0)) {
        sb_bound_unref(at);
        at = NULL;
        good = sb_key_at(ch->coll, ch->min->doc, ch->max->doc, 0.5, &at);
    }
    if (good)
        sb_split_chunk(ch, &at, 1);
    sb_bound_unref(at);
    return good ? NULL : "no chunk of 'ns' can be split at 'at'";
}

static const char *act_grow(sb_cluster *c, const bson_t *cmd, struct shard *s)
{
    struct bound *at;
    struct chunk *ch = chunk_of(c, cmd, &at);
    int64_t bytes = sb_doc_int(cmd, "bytes", 0);
    (void)s;
    sb_bound_unref(at);
    if (ch == NULL || bytes <= 0 || bytes > GROWN_MAX)
        return "no chunk of 'ns' holds 'at', or 'bytes' is out of range";
    sb_chunk_grow(ch, bytes);
    return NULL;
}

static void teleport(struct chunk *ch, struct shard *to)
{
    struct move move = {.coll = ch->coll,
                        .from = ch->shard,
                        .to = to,
                        .min = sb_bound_ref(ch->min),
                        .max = sb_bound_ref(ch->max)};
    struct stamp when;
    sb_commit_move(ch->coll->c, &move, &when);
    sb_bound_unref(move.min);
    sb_bound_unref(move.max);
}

static const char *act_move(sb_cluster *c, const bson_t *cmd, struct shard *s)
{
    struct bound *at;
    struct chunk *ch = chunk_of(c, cmd, &at);
    struct shard *to = sb_find_shard(c, sb_doc_string(cmd, "to"));
    (void)s;
    sb_bound_unref(at);
    if (ch == NULL || to == NULL)
        return "no chunk of 'ns' holds 'at', or 'to' is unknown";
    if (ch->shard != to)
        teleport(ch, to);
    return NULL;
}

/* As if the shard had been drained by somebody in no time. Migrations from or to it fail first. */
static const char *act_remove(sb_cluster *c, const bson_t *cmd, struct shard *s)
{
    (void)cmd;
    if (s == NULL || c->shards->len < 2)
        return "shard is missing, unknown, or the last";
    struct shard *heir = c->shards->pdata[c->shards->pdata[0] == s ? 1 : 0];
    break_migrations(c, s, SB_SHARD_NOT_FOUND, "Shard not found");
    if (s->busy != NULL)
        return "shard is still cleaning up after a migration";
    for (guint i = 0; i < c->chunks->len; i++) {
        struct chunk *ch = c->chunks->pdata[i];
        if (ch->shard == s)
            teleport(ch, heir);
    }
    for (guint i = 0; i < c->databases->len; i++) {
        struct database *d = c->databases->pdata[i];
        if (strcmp(d->primary, s->id) == 0) {
            g_free(d->primary);
            d->primary = g_strdup(heir->id);
        }
    }
    sb_shard_remove(c, s);
    return NULL;
}

/* Shards that were down come back; fail points stay, they are the server's own. */
static const char *act_clear(sb_cluster *c, const bson_t *cmd, struct shard *s)
{
    (void)cmd;
    (void)s;
    g_ptr_array_set_size(c->faults, 0);
    c->config_down_until = 0;
    for (guint i = 0; i < c->shards->len; i++) {
        struct shard *each = c->shards->pdata[i];
        each->down_until = 0;
        each->slow = 1;
    }
    return NULL;
}

static const struct {
    const char *name;
    action_fn *act; /* NULL: strikes later */
} kinds[] = {
    {"replyLostBefore", NULL},
    {"replyLostAfter", NULL},
    {"errorCode", NULL},
    {"stall", NULL},
    {"stepdown", act_stepdown},
    {"configUnavailable", act_config_down},
    {"shardUnreachable", act_unreachable},
    {"slowShard", act_slow},
    {"chunkSplit", act_split},
    {"chunkMoved", act_move},
    {"chunkGrown", act_grow},
    {"shardRemoved", act_remove},
    {"clear", act_clear},
};

static void keep_fault(sb_cluster *c, const bson_t *cmd, const char *kind)
{
    struct injected *f = g_new0(struct injected, 1);
    int64_t times = sb_doc_int(cmd, "times", 1);
    f->id = c->next_fault;
    f->kind = g_strdup(kind);
    f->command = g_strdup(sb_doc_string(cmd, "command"));
    f->shard = g_strdup(sb_doc_string(cmd, "shard"));
    f->ns = g_strdup(sb_doc_string(cmd, "ns"));
    f->errmsg = g_strdup(sb_doc_string(cmd, "errmsg"));
    f->code = (int)CLAMP(sb_doc_int(cmd, "code", SB_INTERNAL_ERROR), 0, G_MAXINT32);
    f->step = (int)CLAMP(sb_doc_int(cmd, "step", strcmp(kind, "stall") == 0 ? STALL_STEP : 0), 0, STEPS);
    f->ms = duration(cmd, 0);
    f->times = times <= 0 ? -1 : times;
    f->probability = sb_doc_double(cmd, "probability", 1);
    g_ptr_array_add(c->faults, f);
}

void sb_cmd_fault(struct request *rq)
{
    sb_cluster *c = rq->c;
    const char *kind = sb_doc_string(rq->cmd, "kind"), *wrong = NULL;
    if (kind == NULL)
        kind = sb_doc_string(rq->cmd, rq->name);
    unsigned i = 0;
    while (i < G_N_ELEMENTS(kinds) && g_strcmp0(kind, kinds[i].name) != 0)
        i++;
    if (i == G_N_ELEMENTS(kinds)) {
        sb_rq_fail(rq, SB_BAD_VALUE, "there is no fault of kind '%s'", kind != NULL ? kind : "");
        return;
    }
    c->next_fault++;
    if (kinds[i].act == NULL)
        keep_fault(c, rq->cmd, kind);
    else
        wrong = kinds[i].act(c, rq->cmd, sb_find_shard(c, sb_doc_string(rq->cmd, "shard")));
    if (wrong != NULL) {
        sb_rq_fail(rq, SB_BAD_VALUE, "%s: %s", kind, wrong);
        return;
    }
    bson_t *reply = bson_new();
    BSON_APPEND_INT64(reply, "id", c->next_fault);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
    sb_migrations_resume(c);
}
