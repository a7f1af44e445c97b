// SPDX-License-Identifier: Apache-2.0
#include "migrations/work/stale.h"

#include "balancer/key/show.h"
#include "common/escape.h"
#include "migrations/work/overlay.h"

#include <string.h>

const char *stale_kind_text(enum stale_kind k)
{
    static const char *const texts[] = {
        [STALE_COLLECTION_GONE] = "collectionGone",
        [STALE_KEY] = "key",
        [STALE_BOUNDS] = "bounds",
        [STALE_OWNER] = "owner",
        [STALE_VERSION] = "version",
        [STALE_SHARD] = "shard",
        [STALE_RECIPIENT] = "recipient",
        [STALE_ZONE] = "zone",
    };
    return texts[k];
}

/* A collection of the work in the cluster. */
struct watch {
    const struct collection *coll;
    overlay *over; /* NULL where `gone` is set */
    char *epoch;   /* of its versions, what stands behind "major|minor" */
    enum stale_kind kind;
    char *gone; /* why none of its steps can be carried out; NULL */
};

struct check {
    const cluster *cl;
    bool resumed;
    GHashTable *shards;  /* id -> number + 1 */
    GHashTable *watches; /* struct work_collection * -> struct watch */
    GPtrArray *found;
};

static void watch_free(gpointer p)
{
    struct watch *w = p;
    overlay_free(w->over);
    g_free(w->epoch);
    g_free(w->gone);
    g_free(w);
}

static void stale_free(gpointer p)
{
    struct stale *s = p;
    g_free(s->text);
    g_free(s);
}

static bool same_key(const key_pattern *a, const key_pattern *b)
{
    if (!g_string_equal(a->names, b->names))
        return false;
    for (uint32_t i = 0; i < a->n_fields; i++)
        if (a->fields[i].hashed != b->fields[i].hashed || a->fields[i].descending != b->fields[i].descending)
            return false;
    return true;
}

static char *key_changed(const key_pattern *now, const key_pattern *then)
{
    g_autoptr(GString) a = g_string_new(NULL);
    g_autoptr(GString) b = g_string_new(NULL);
    key_show(a, &now->doc, 0);
    key_show(b, &then->doc, 0);
    return g_strdup_printf("the shard key is %s now, not %s", a->str, b->str);
}

static struct watch *watch_new(const cluster *cl, const struct work_collection *wc)
{
    struct watch *w = g_new0(struct watch, 1);
    const struct collection *coll = w->coll = cluster_find_collection(cl, wc->ns);
    w->kind = STALE_COLLECTION_GONE;
    if (coll == NULL) {
        w->gone = g_strdup("the collection is not sharded any more, or was dropped");
    } else if (coll->invalid != NULL || coll->key == NULL || coll->chunks.n == 0) {
        w->gone = g_strdup_printf("the collection's metadata is damaged: %s",
                                  coll->invalid != NULL ? coll->invalid : "it has no chunks");
    } else if (!same_key(coll->key, wc->key)) {
        w->kind = STALE_KEY;
        w->gone = key_changed(coll->key, wc->key);
    } else {
        g_autofree char *version = collection_version_text(coll, 0);
        w->epoch = g_strdup(strstr(version, "||"));
        w->over = overlay_new(cl, coll);
    }
    return w;
}

static uint16_t find_shard(const struct check *c, const char *id)
{
    guint n = id == NULL ? 0 : GPOINTER_TO_UINT(g_hash_table_lookup(c->shards, id));
    return n == 0 ? SHARD_NONE : (uint16_t)(n - 1);
}

static void report(struct check *c, const struct work_step *s, enum stale_kind kind, const char *what)
{
    struct stale *x = g_new0(struct stale, 1);
    g_autofree char *range = work_step_text(s);
    g_autofree char *line = g_strdup_printf("%s: %s", range, what);
    x->step = s->id;
    x->kind = kind;
    x->text = text_escaped(line);
    g_ptr_array_add(c->found, x);
}

G_GNUC_PRINTF(4, 5)
static bool fault(struct check *c, const struct work_step *s, enum stale_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    report(c, s, kind, what);
    return false;
}

/* The same of a fault that every later step on the range rests on. */
G_GNUC_PRINTF(5, 6)
static bool fault_range(struct check *c, const struct work_step *s, struct overlay_range *r,
                        enum stale_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    r->fault = kind;
    r->why = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    report(c, s, kind, r->why);
    return false;
}

/* The zone's range that begins last at or below the key; NULL: none. */
static const struct zone_range *range_below(const struct collection *coll, GBytes *enc)
{
    uint32_t lo = 0, hi = coll->n_ranges;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (g_bytes_compare(coll->ranges[mid].enc_min, enc) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo == 0 ? NULL : &coll->ranges[lo - 1];
}

/* The zone that holds all of the range; zones never apply to time-series collections. */
static uint32_t zone_of(const struct collection *coll, const struct work_step *s)
{
    const struct zone_range *z = coll->time_series ? NULL : range_below(coll, s->enc_min);
    return z != NULL && g_bytes_compare(s->enc_max, z->enc_max) <= 0 ? z->zone : ZONE_NONE;
}

static bool is_zone_bound(const struct collection *coll, GBytes *enc)
{
    const struct zone_range *z = range_below(coll, enc);
    if (z == NULL)
        return false;
    return g_bytes_equal(z->enc_min, enc) || g_bytes_equal(z->enc_max, enc);
}

static bool check_points(struct check *c, const struct watch *w, const struct work_step *s)
{
    if (strcmp(s->reason, split_reason_text(SPLIT_ZONE_BOUNDARY)) != 0)
        return true;
    for (guint i = 0; i < s->at->len; i++) {
        g_autoptr(GBytes) enc = step_encode(s->coll, s->at->pdata[i], NULL);
        if (is_zone_bound(w->coll, enc))
            continue;
        g_autoptr(GString) point = g_string_new(NULL);
        key_show(point, s->at->pdata[i], 0);
        return fault(c, s, STALE_ZONE, "no zone begins or ends at %s any more", point->str);
    }
    return true;
}

static bool fault_zone(struct check *c, const struct work_step *s, uint32_t zone)
{
    if (zone == ZONE_NONE)
        return fault(c, s, STALE_ZONE, "zone %s does not cover it any more", s->zone);
    if (s->zone == NULL)
        return fault(c, s, STALE_ZONE, "zone %s covers it now", c->cl->zones[zone]);
    return fault(c, s, STALE_ZONE, "zone %s covers it now, not %s", c->cl->zones[zone], s->zone);
}

static bool check_zone(struct check *c, const struct watch *w, const struct work_step *s, uint16_t to)
{
    const struct shard *recipient = &c->cl->shards[to];
    uint32_t zone = zone_of(w->coll, s);
    if (g_strcmp0(zone == ZONE_NONE ? NULL : c->cl->zones[zone], s->zone) != 0)
        return fault_zone(c, s, zone);
    if (recipient->draining)
        return fault(c, s, STALE_RECIPIENT, "recipient %s drains now", s->to);
    if (!shard_has_zone(recipient, zone))
        return fault(c, s, STALE_RECIPIENT, "recipient %s does not carry zone %s any more", s->to, s->zone);
    return true;
}

static bool check_owner(struct check *c, const struct work_step *s, struct overlay_range *r, uint16_t from)
{
    if (overlay_has(r, s, from))
        return true;
    if (s->open_min)
        return fault_range(c, s, r, STALE_OWNER, "nothing of it is owned by %s any more", s->from);
    if (r->first == SHARD_NONE)
        return fault_range(c, s, r, STALE_BOUNDS, "its first part is merged with what is beside it");
    return fault_range(c, s, r, STALE_OWNER, "owned by %s now, not %s", c->cl->shards[r->first].id, s->from);
}

static bool check_version(struct check *c, const struct watch *w, const struct work_step *s,
                          struct overlay_range *r)
{
    g_autofree char *now = collection_version_text(w->coll, r->version);
    if (c->resumed || r->any_version || strcmp(now, s->version) == 0)
        return true;
    return fault_range(
        c, s, r, STALE_VERSION, "its version is %.*s now, not %.*s: it moved and came back, or was rewritten",
        (int)(strstr(now, "||") - now), now, (int)(strstr(s->version, "||") - s->version), s->version);
}

/* Everything about the step itself; false: it is told. */
static bool judge(struct check *c, const struct watch *w, const struct work_step *s, struct overlay_range *r,
                  uint16_t from, uint16_t to)
{
    if (from == SHARD_NONE || (s->kind == WORK_MOVE && to == SHARD_NONE))
        return fault(c, s, STALE_SHARD, "shard %s is not in the cluster any more",
                     from == SHARD_NONE ? s->from : s->to);
    if (r->why != NULL) {
        report(c, s, r->fault, r->why);
        return false;
    }
    if (!check_owner(c, s, r, from) || !check_version(c, w, s, r))
        return false;
    return s->kind == WORK_SPLIT ? check_points(c, w, s) : check_zone(c, w, s, to);
}

static void check_step(struct check *c, const struct work_step *s)
{
    const struct watch *w = g_hash_table_lookup(c->watches, s->coll);
    const char *epoch = strstr(s->version, "||");
    if (w->gone != NULL) {
        report(c, s, w->kind, w->gone);
        return;
    }
    if (epoch == NULL || strcmp(epoch, w->epoch) != 0) {
        report(c, s, STALE_COLLECTION_GONE, "the collection was dropped or resharded and is another one now");
        return;
    }
    uint16_t from = find_shard(c, s->from), to = find_shard(c, s->to);
    struct overlay_range *r = overlay_find(w->over, s);
    judge(c, w, s, r, from, to);
    overlay_apply(w->over, r, s, from, to);
}

static void note_done(struct check *c, const work *w, const bool *done)
{
    for (guint i = 0; i < w->steps->len; i++) {
        const struct work_step *s = w->steps->pdata[i];
        const struct watch *x = g_hash_table_lookup(c->watches, s->coll);
        if (!done[s->id])
            continue;
        c->resumed = true;
        if (x->over != NULL)
            overlay_note_done(x->over, s);
    }
}

GPtrArray *stale_find(const work *w, const cluster *cl, const bool *done)
{
    struct check c = {
        .cl = cl,
        .shards = g_hash_table_new(g_str_hash, g_str_equal),
        .watches = g_hash_table_new_full(NULL, NULL, NULL, watch_free),
        .found = g_ptr_array_new_with_free_func(stale_free),
    };
    for (guint i = 0; i < cl->n_shards; i++)
        g_hash_table_insert(c.shards, cl->shards[i].id, GUINT_TO_POINTER(i + 1));
    for (guint i = 0; i < w->collections->len; i++)
        g_hash_table_insert(c.watches, w->collections->pdata[i], watch_new(cl, w->collections->pdata[i]));
    if (done != NULL)
        note_done(&c, w, done);
    for (guint i = 0; i < w->steps->len; i++) {
        const struct work_step *s = w->steps->pdata[i];
        if (done == NULL || !done[s->id])
            check_step(&c, s);
    }
    g_hash_table_unref(c.shards);
    g_hash_table_unref(c.watches);
    return c.found;
}
