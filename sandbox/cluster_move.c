// SPDX-License-Identifier: Apache-2.0
/* moveChunk and moveRange: reading the request, and what is refused before a migration begins. Up to 5.x
 * moveChunk reads its fields one by one and refuses much without a code; from 6.0 on fields are declared and
 * every refusal has one. */
#include "sandbox/cluster_impl.h"
#include "sandbox/server_text.h"

#include <string.h>

static void move_clear(struct move *m)
{
    sb_bound_unref(m->min);
    sb_bound_unref(m->max);
}

/* The recipient, in the manner of the version. */
static bool read_to(struct request *rq, const struct coll *k, const char *field, struct shard **ret)
{
    const char *to = sb_doc_string(rq->cmd, field);
    if (to == NULL && !sb_since(rq->c, 6, 0))
        return sb_rq_fail(rq, SB_TYPE_MISMATCH, "'to' must be of type String");
    if (to == NULL && !sb_rq_string(rq, field, true, &to))
        return false;
    if (to[0] == '\0' && !sb_since(rq->c, 6, 0))
        return sb_rq_fail(rq, SB_NO_CODE, "you have to specify where you want to move the chunk");
    *ret = sb_find_shard(rq->c, to);
    return *ret != NULL ||
           sb_rq_fail(rq, SB_SHARD_NOT_FOUND,
                      "Could not move chunk in '%s' to shard '%s' because that shard does not exist", k->ns,
                      to);
}

static bool range_of_find(struct request *rq, const bson_t *find, struct move *move)
{
    struct bound *at = sb_bound_of_query(move->coll, find);
    if (at == NULL) {
        g_autofree char *text = server_text(find);
        return sb_rq_fail(rq, sb_since(rq->c, 6, 0) ? SB_MOVE_NO_KEY : SB_NO_CODE,
                          "no shard key found in chunk query %s", text);
    }
    const struct chunk *ch = sb_chunk_at(move->coll, at);
    sb_bound_unref(at);
    move->min = sb_bound_ref(ch->min);
    move->max = sb_bound_ref(ch->max);
    return true;
}

/* Bounds must be those of one chunk, exactly. */
static bool range_of_bounds(struct request *rq, const bson_t *min, const bson_t *max, struct move *move)
{
    const struct coll *k = move->coll;
    bool newer = sb_since(rq->c, 6, 0);
    g_autofree char *range = server_range_text(min, max, ", ");
    move->min = sb_bound_new(k->key, min, NULL);
    move->max = move->min != NULL ? sb_bound_new(k->key, max, NULL) : NULL;
    if (move->max == NULL) {
        g_autofree char *pattern = server_text(&k->key->doc);
        g_autofree char *tight = server_range_text(min, max, ",");
        return sb_rq_fail(rq, newer ? SB_MOVE_NOT_KEYS : SB_NO_CODE,
                          "shard key bounds %s are not valid for shard key pattern %s", tight, pattern);
    }
    return sb_chunk_exact(k, move->min, move->max) != NULL ||
           sb_rq_fail(rq, newer ? SB_MOVE_NO_CHUNK : SB_NO_CODE,
                      "no chunk found with the shard key bounds %s", range);
}

static bool read_range(struct request *rq, struct move *move)
{
    bson_t find, min, max;
    bool by_find = sb_doc_sub(rq->cmd, "find", &find) && !bson_empty(&find);
    bool by_bounds = bson_has_field(rq->cmd, "bounds");
    if (by_find == by_bounds || (by_bounds && !sb_two_bounds(rq->cmd, "bounds", &min, &max)))
        return sb_rq_fail(rq, sb_since(rq->c, 6, 0) ? SB_INVALID_OPTIONS : SB_NO_CODE,
                          "need to specify either a find query, or both lower and upper bounds.");
    return by_find ? range_of_find(rq, &find, move) : range_of_bounds(rq, &min, &max, move);
}

/* forceJumbo is unknown to 4.2, which takes no notice of it; then it had to be a bool; later a number does as
 * well. */
static bool read_force(struct request *rq, struct move *move)
{
    bson_iter_t it;
    move->force = false;
    if (!sb_since(rq->c, 4, 4) || !bson_iter_init_find(&it, rq->cmd, "forceJumbo"))
        return true;
    const char *word = sb_bson_type_word(bson_iter_type(&it));
    bool number = BSON_ITER_HOLDS_NUMBER(&it);
    if (!BSON_ITER_HOLDS_BOOL(&it) && !sb_since(rq->c, 6, 0))
        return sb_rq_fail(rq, SB_TYPE_MISMATCH, "\"forceJumbo\" had the wrong type. Expected bool, found %s",
                          word);
    if (!BSON_ITER_HOLDS_BOOL(&it) && !number)
        return sb_rq_fail(
            rq, SB_TYPE_MISMATCH,
            "BSON field '%s.forceJumbo' is the wrong type '%s', expected types '[bool, long, int, decimal, "
            "double']",
            rq->name, word);
    move->force = bson_iter_as_bool(&it);
    return true;
}

static bool read_flags(struct request *rq, struct move *move)
{
    bool throttle =
        sb_doc_bool(rq->cmd, "_secondaryThrottle", sb_doc_bool(rq->cmd, "secondaryThrottle", false));
    if (!read_force(rq, move))
        return false;
    move->wait_delete = sb_doc_bool(rq->cmd, "_waitForDelete", sb_doc_bool(rq->cmd, "waitForDelete", false));
    return sb_since(rq->c, 6, 0) || throttle || !bson_has_field(rq->cmd, "writeConcern") ||
           sb_rq_fail(rq, SB_UNSUPPORTED_FORMAT,
                      "Cannot specify write concern when secondaryThrottle is not set");
}

static int64_t used_bytes(const sb_cluster *c, const struct shard *s)
{
    int64_t sum = 0;
    for (guint i = 0; i < c->chunks->len; i++) {
        const struct chunk *ch = c->chunks->pdata[i];
        sum += ch->shard == s ? ch->bytes : 0;
    }
    return sum;
}

/* Up to 5.x the config server holds the recipient against the same rules as the balancer's own moves. */
bool sb_check_zone_and_drain(struct request *rq, const struct coll *k, const struct move *move)
{
    const char *zone = sb_zone_of(k, move->min, move->max);
    if (sb_since(rq->c, 6, 0))
        return true;
    if (move->to->max_size > 0 && used_bytes(rq->c, move->to) >= move->to->max_size * MIB)
        return sb_rq_fail(rq, SB_ILLEGAL_OPERATION, "%s has already reached the maximum total chunk size.",
                          move->to->id);
    if (move->to->draining)
        return sb_rq_fail(rq, SB_ILLEGAL_OPERATION, "%s is currently draining.", move->to->id);
    if (zone != NULL && !sb_has_zone(move->to, zone))
        return sb_rq_fail(rq, SB_ILLEGAL_OPERATION, "%s is not in the correct zone %s", move->to->id, zone);
    return true;
}

/* Commands with declared fields refuse what they do not know; older ones take no notice. */
static bool check_fields(struct request *rq)
{
    static const char *const chunk_fields[] = {"find",
                                               "bounds",
                                               "to",
                                               "forceJumbo",
                                               "secondaryThrottle",
                                               "_secondaryThrottle",
                                               "waitForDelete",
                                               "_waitForDelete",
                                               "maxChunkSizeBytes",
                                               NULL};
    static const char *const range_fields[] = {"toShard",
                                               "min",
                                               "max",
                                               "forceJumbo",
                                               "secondaryThrottle",
                                               "_secondaryThrottle",
                                               "waitForDelete",
                                               "_waitForDelete",
                                               "maxChunkSizeBytes",
                                               NULL};
    bool range = strcmp(rq->name, "moveRange") == 0;
    return !sb_since(rq->c, 6, 0) || sb_rq_known_fields(rq, range ? range_fields : chunk_fields);
}

static void begin_or_clear(struct request *rq, struct move *move, bool good)
{
    if (good)
        sb_migration_begin(rq, move);
    else
        move_clear(move);
}

void sb_cmd_move_chunk(struct request *rq)
{
    struct move move = {0};
    if (!check_fields(rq) || !sb_rq_coll(rq, &move.coll) || !read_to(rq, move.coll, "to", &move.to))
        return;
    bool good = read_range(rq, &move) && read_flags(rq, &move);
    if (good)
        move.from = sb_chunk_at(move.coll, move.min)->shard;
    begin_or_clear(rq, &move, good && sb_check_zone_and_drain(rq, move.coll, &move));
}

/* Where the donor ends a range of which only the begin was given: about one chunk size further, the whole
 * chunk where that leaves little, its half in between. `fraction` of the chunk's data; 1: all of it. */
static double donors_choice(const struct coll *k, const struct chunk *ch)
{
    double size = (double)sb_max_chunk_bytes(k), bytes = (double)ch->bytes;
    int64_t local = sb_cluster_bytes(k->c, k->ns, ch->shard->id);
    if ((double)local < size || ch->keys == 1 || bytes < size * 4 / 3)
        return 1;
    return bytes < size * 1.8 ? 0.5 : size / bytes;
}

/* The same seen from the other end where only max is given. */
static void open_range(struct move *move)
{
    struct chunk *ch;
    bool from_min = move->min != NULL;
    if (from_min) {
        ch = sb_chunk_at(move->coll, move->min);
    } else {
        guint i = sb_chunk_index(move->coll, move->max);
        ch = move->coll->chunks->pdata[i];
        if (sb_bound_cmp(ch->min, move->max) == 0 && i > 0)
            ch = move->coll->chunks->pdata[i - 1];
    }
    move->open = true;
    double fraction = donors_choice(move->coll, ch);
    struct bound *low = from_min ? move->min : ch->min, *high = from_min ? ch->max : move->max, *cut = NULL;
    if (fraction < 1)
        sb_key_at(move->coll, low->doc, high->doc, from_min ? fraction : 1 - fraction, &cut);
    if (from_min)
        move->max = cut != NULL ? cut : sb_bound_ref(high);
    else
        move->min = cut != NULL ? cut : sb_bound_ref(low);
}

static bool read_bound(struct request *rq, const struct coll *k, const char *name, struct bound **ret)
{
    bson_t doc;
    bool there;
    *ret = NULL;
    if (!sb_rq_doc(rq, name, false, &doc, &there))
        return false;
    if (!there)
        return true;
    *ret = sb_bound_new(k->key, &doc, NULL);
    if (*ret != NULL)
        return true;
    g_autofree char *text = server_text(&doc), *pattern = server_text(&k->key->doc);
    return sb_rq_fail(rq, SB_INVALID_OPTIONS, "The %s bound %s does not match the shard key pattern %s", name,
                      text, pattern);
}

/* [min, max) has to lie inside one chunk. */
static bool check_inside(struct request *rq, const struct move *move)
{
    const struct chunk *ch = sb_chunk_at(move->coll, move->min);
    bool newest = sb_since(rq->c, 8, 3);
    if (sb_bound_cmp(move->min, move->max) < 0 && sb_bound_cmp(move->max, ch->max) <= 0)
        return true;
    g_autofree char *range = server_range_text(move->min->doc, move->max->doc, ", ");
    return sb_rq_fail(rq, newest ? SB_RANGE_NOT_ONE_CHUNK : SB_STALE_CONFIG,
                      "Range %s is not contained within a single chunk of %s", range, move->coll->ns);
}

static bool read_open_range(struct request *rq, struct move *move)
{
    bool early = !sb_since(rq->c, 6, 1) && rq->c->opt.version_patch < 3;
    if (!read_bound(rq, move->coll, "min", &move->min) || !read_bound(rq, move->coll, "max", &move->max))
        return false;
    if (move->min == NULL && (move->max == NULL || early))
        return sb_rq_fail(rq, SB_INVALID_OPTIONS,
                          early ? "BSON field 'moveRange.min' is missing but a required field"
                                : "need to specify at least one of min or max");
    if (move->min == NULL || move->max == NULL)
        open_range(move);
    return check_inside(rq, move);
}

void sb_cmd_move_range(struct request *rq)
{
    struct move move = {0};
    if (!check_fields(rq) || !sb_rq_coll(rq, &move.coll) || !read_to(rq, move.coll, "toShard", &move.to))
        return;
    bool good = read_open_range(rq, &move) && read_flags(rq, &move);
    if (good)
        move.from = sb_chunk_at(move.coll, move.min)->shard;
    begin_or_clear(rq, &move, good);
}
