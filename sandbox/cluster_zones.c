// SPDX-License-Identifier: Apache-2.0
/* Zones: of which shards, over which ranges. */
#include "sandbox/cluster_impl.h"
#include "sandbox/server_text.h"

#include <string.h>

/* Fields that lack get MinKey, in max as in min: so the server extends bounds, also where max is MaxKey. */
struct bound *sb_zone_bound(const struct coll *k, const bson_t *doc)
{
    bson_t full = BSON_INITIALIZER;
    bson_iter_t it;
    uint32_t n = 0;
    bool prefix = bson_iter_init(&it, doc);
    while (prefix && bson_iter_next(&it)) {
        prefix = n < k->key->n_fields && strcmp(bson_iter_key(&it), k->key->fields[n].name) == 0;
        if (prefix)
            bson_append_iter(&full, k->key->fields[n++].name, -1, &it);
    }
    prefix = prefix && n > 0;
    while (n < k->key->n_fields)
        bson_append_minkey(&full, k->key->fields[n++].name, -1);
    struct bound *b = prefix ? sb_bound_new(k->key, &full, NULL) : NULL;
    bson_destroy(&full);
    return b;
}

bool sb_zone_bounds(struct zone_range *z, const struct coll *k)
{
    if (!bson_oid_equal(&z->epoch, &k->epoch)) {
        sb_bound_unref(z->low);
        sb_bound_unref(z->high);
        z->low = sb_zone_bound(k, z->min);
        z->high = sb_zone_bound(k, z->max);
        z->epoch = k->epoch;
    }
    return z->low != NULL && z->high != NULL;
}

const char *sb_zone_of(const struct coll *k, const struct bound *min, const struct bound *max)
{
    for (guint i = 0; i < k->c->zones->len; i++) {
        struct zone_range *z = k->c->zones->pdata[i];
        if (strcmp(z->ns, k->ns) == 0 && sb_zone_bounds(z, k) && sb_bound_cmp(z->low, min) <= 0 &&
            sb_bound_cmp(max, z->high) <= 0)
            return z->zone;
    }
    return NULL;
}

/* Both fields of the two commands on a shard's zones. */
static bool read_shard_and_zone(struct request *rq, struct shard **ret_shard, const char **ret_zone)
{
    const char *id;
    if (!sb_rq_string(rq, rq->name, true, &id) || !sb_rq_string(rq, "zone", true, ret_zone))
        return false;
    *ret_shard = sb_find_shard(rq->c, id);
    return *ret_shard != NULL || sb_rq_fail(rq, SB_SHARD_NOT_FOUND, "shard %s does not exist", id);
}

void sb_cmd_add_shard_to_zone(struct request *rq)
{
    struct shard *s;
    const char *zone;
    if (!read_shard_and_zone(rq, &s, &zone))
        return;
    if (!sb_has_zone(s, zone))
        g_ptr_array_add(s->zones, g_strdup(zone));
    sb_changed(rq->c);
    sb_rq_reply(rq, NULL);
}

static guint shards_of(const sb_cluster *c, const char *zone)
{
    guint n = 0;
    for (guint i = 0; i < c->shards->len; i++)
        n += sb_has_zone(c->shards->pdata[i], zone);
    return n;
}

static bool zone_has_ranges(const sb_cluster *c, const char *zone)
{
    for (guint i = 0; i < c->zones->len; i++) {
        if (strcmp(((const struct zone_range *)c->zones->pdata[i])->zone, zone) == 0)
            return true;
    }
    return false;
}

/* A zone with ranges keeps its last shard. Where the shard is not in the zone there is nothing to do. */
void sb_cmd_remove_shard_from_zone(struct request *rq)
{
    struct shard *s;
    const char *zone;
    if (!read_shard_and_zone(rq, &s, &zone))
        return;
    if (sb_has_zone(s, zone) && shards_of(rq->c, zone) == 1 && zone_has_ranges(rq->c, zone)) {
        sb_rq_fail(rq, SB_ZONE_STILL_IN_USE,
                   "the shard '%s' is the only shard of zone '%s', and zone ranges still refer to the zone",
                   s->id, zone);
        return;
    }
    for (guint i = s->zones->len; i-- > 0;) {
        if (strcmp(s->zones->pdata[i], zone) == 0)
            g_ptr_array_remove_index(s->zones, i);
    }
    sb_changed(rq->c);
    sb_rq_reply(rq, NULL);
}

/* A range as asked for: of a sharded collection with full bounds, of another as given. */
struct asked {
    const char *ns, *zone; /* zone NULL: to be removed */
    bson_t *min, *max;
    const struct coll *k;
    struct bound *low, *high;
};

static bool check_prefix(struct request *rq, struct asked *a, const char *name, const bson_t *doc,
                         struct bound **ret)
{
    *ret = sb_zone_bound(a->k, doc);
    if (*ret != NULL)
        return true;
    g_autofree char *text = server_text(doc), *pattern = server_text(&a->k->key->doc);
    return sb_rq_fail(rq, SB_SHARD_KEY_NOT_FOUND, "%s: %s is not a prefix of the shard key %s of ns: %s",
                      name, text, pattern, a->ns);
}

/* Since 5.0: ranges of a hashed field are ranges of hashes. */
static bool check_hashed(struct request *rq, const struct asked *a, const bson_t *doc)
{
    int field = key_pattern_hashed_field(a->k->key);
    bson_iter_t it;
    if (!sb_since(rq->c, 5, 0) || field < 0 ||
        !bson_iter_init_find(&it, doc, a->k->key->fields[field].name) || BSON_ITER_HOLDS_INT64(&it) ||
        BSON_ITER_HOLDS_MINKEY(&it) || BSON_ITER_HOLDS_MAXKEY(&it))
        return true;
    g_autofree char *text = server_text(doc);
    return sb_rq_fail(rq, SB_INVALID_OPTIONS,
                      "The bound %s must be of type NumberLong in the hashed field '%s'", text,
                      a->k->key->fields[field].name);
}

/* Of the zone range `z`, whether it shares keys with what is asked, and is not the same range. */
static bool overlaps(const struct asked *a, struct zone_range *z, bool *ret_same)
{
    bool valid = sb_zone_bounds(z, a->k);
    *ret_same = valid && sb_bound_cmp(z->low, a->low) == 0 && sb_bound_cmp(z->high, a->high) == 0;
    return valid && sb_bound_cmp(z->low, a->high) < 0 && sb_bound_cmp(a->low, z->high) < 0;
}

static bool same_range(const struct asked *a, struct zone_range *z)
{
    bool same = false;
    if (strcmp(z->ns, a->ns) != 0)
        return false;
    if (a->k == NULL)
        return bson_equal(z->min, a->min) && bson_equal(z->max, a->max);
    overlaps(a, z, &same);
    return same;
}

/* The same range of the same zone may be given again. */
static bool check_overlap(struct request *rq, const struct asked *a)
{
    bool same;
    for (guint i = 0; a->k != NULL && i < rq->c->zones->len; i++) {
        struct zone_range *z = rq->c->zones->pdata[i];
        if (strcmp(z->ns, a->ns) != 0 || !overlaps(a, z, &same) || (same && strcmp(z->zone, a->zone) == 0))
            continue;
        g_autofree char *new_text = server_range_text(a->low->doc, a->high->doc, ", ");
        g_autofree char *old_text = server_range_text(z->min, z->max, ", ");
        return sb_rq_fail(rq, SB_RANGE_OVERLAP, "Zone range: %s is overlapping with existing: %s", new_text,
                          old_text);
    }
    return true;
}

/* In the server's order: the zone, the two bounds, their types, their order, then other ranges. */
static bool check_asked(struct request *rq, struct asked *a)
{
    if (a->zone != NULL && shards_of(rq->c, a->zone) == 0)
        return sb_rq_fail(rq, SB_ZONE_NOT_FOUND, "zone %s does not exist", a->zone);
    if (a->k == NULL)
        return true;
    if (!check_prefix(rq, a, "min", a->min, &a->low) || !check_prefix(rq, a, "max", a->max, &a->high) ||
        !check_hashed(rq, a, a->min) || !check_hashed(rq, a, a->max))
        return false;
    if (sb_bound_cmp(a->low, a->high) < 0)
        return a->zone == NULL || check_overlap(rq, a);
    g_autofree char *min = server_text(a->min), *max = server_text(a->max);
    return sb_rq_fail(rq, SB_FAILED_TO_PARSE, "min: %s should be less than max: %s", min, max);
}

static void put_range(sb_cluster *c, const struct asked *a)
{
    for (guint i = c->zones->len; i-- > 0;) {
        if (same_range(a, c->zones->pdata[i]))
            g_ptr_array_remove_index(c->zones, i);
    }
    if (a->zone != NULL)
        sb_zone_range_new(c, a->ns, a->low != NULL ? a->low->doc : a->min,
                          a->high != NULL ? a->high->doc : a->max, a->zone);
    sb_changed(c);
}

/* Ranges of a collection that is not sharded yet are kept as given. */
void sb_cmd_update_zone_key_range(struct request *rq)
{
    struct asked a = {0};
    bson_t min, max;
    bool there;
    bson_iter_t it;
    if (!sb_rq_ns(rq, &a.ns) || !sb_rq_doc(rq, "min", true, &min, &there) ||
        !sb_rq_doc(rq, "max", true, &max, &there))
        return;
    bool null = bson_iter_init_find(&it, rq->cmd, "zone") && BSON_ITER_HOLDS_NULL(&it);
    if (!null && !sb_rq_string(rq, "zone", true, &a.zone))
        return;
    a.min = &min;
    a.max = &max;
    a.k = sb_find_coll(rq->c, a.ns);
    if (check_asked(rq, &a)) {
        put_range(rq->c, &a);
        sb_rq_reply(rq, NULL);
    }
    sb_bound_unref(a.low);
    sb_bound_unref(a.high);
}
