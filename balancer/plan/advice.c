// SPDX-License-Identifier: Apache-2.0
/* Facts for all pieces of advice: of the shards, then of one collection at a time in a single pass over its
 * chunks. */
#include "balancer/plan/advice_private.h"

#include "balancer/key/encode.h"
#include "balancer/key/show.h"
#include "balancer/plan/arena.h"
#include "common/text.h"

#include <string.h>

void advice_add(struct advisor *a, const char *code, const struct collection *coll, uint16_t shard,
                const char *message, const char *todo, const char *commands)
{
    const struct plan_advice advice = {
        .code = code,
        .coll = coll,
        .shard = shard,
        .message = plan_arena_text(a->p->arena, message),
        .todo = plan_arena_text(a->p->arena, todo),
        .commands = plan_arena_text(a->p->arena, commands == NULL ? "" : commands),
    };
    g_array_append_val(a->p->advice, advice);
}

void advice_say_n(GString *s, int64_t n, const char *thing)
{
    text_append_count(s, n);
    g_string_append_printf(s, " %s%s", thing, n == 1 ? "" : "s");
}

void advice_say_name(GString *s, const char *name)
{
    text_append_escaped(s, name, -1);
}

void advice_say_shards(GString *s, const cluster *cl, const bool *in)
{
    enum { MAX = 4 };
    uint32_t n = 0, said = 0;
    for (uint16_t i = 0; i < cl->n_shards; i++)
        n += in[i] ? 1 : 0;
    const uint32_t shown = n <= MAX ? n : MAX - 1;
    for (uint16_t i = 0; i < cl->n_shards && said < shown; i++) {
        if (!in[i])
            continue;
        said++;
        g_string_append(s, said == 1 ? "" : said == n ? " and " : ", ");
        advice_say_name(s, cl->shards[i].id);
    }
    if (n > shown)
        g_string_append_printf(s, " and %u more", n - shown);
}

void advice_say_key(GString *s, const struct collection *coll)
{
    key_show(s, &coll->key->doc, 200);
}

void advice_command(GString *s, const char *name, const struct collection *coll)
{
    g_string_append_printf(s, "%sdb.adminCommand({%s: ", s->len > 0 ? "\n" : "", name);
    key_mongosh_string(s, coll->ns);
}

void advice_bounds(GString *s, const struct collection *coll, uint32_t first, uint32_t end)
{
    bson_t min = BSON_INITIALIZER, max = BSON_INITIALIZER;
    chunk_min(coll, &coll->chunks, first, &min);
    chunk_max(coll, &coll->chunks, end - 1, &max);
    g_string_append(s, "bounds: [");
    key_mongosh(s, &min);
    g_string_append(s, ", ");
    key_mongosh(s, &max);
    g_string_append_c(s, ']');
    bson_destroy(&min);
    bson_destroy(&max);
}

bool advice_may(const struct advisor *a, int major, int minor)
{
    return a->cl->server_major == 0 || cluster_version_cmp(a->cl, major, minor, 0) >= 0;
}

/* Limits and wishes; a limit of the configuration goes before the metadata's maxSize. */
static void init_limits(struct advisor *a)
{
    for (uint16_t s = 0; s < a->cl->n_shards; s++) {
        const struct shard *shard = &a->cl->shards[s];
        a->stays[s] = !shard->draining;
        a->max_bytes[s] = MIN(shard->max_size_mb, INT64_MAX >> 20) << 20;
        a->full[s] = shard->max_size_mb > 0 && shard->current_size_mb >= shard->max_size_mb;
    }
    for (size_t i = 0; i < a->opt->n_shard_wishes; i++) {
        const struct shard_wish *w = &a->opt->shard_wishes[i];
        const uint16_t s = cluster_find_shard(a->cl, w->shard);
        if (s == SHARD_NONE)
            continue;
        a->closed[s] = !w->receive;
        if (w->max_bytes > 0)
            a->max_bytes[s] = w->max_bytes;
    }
    for (size_t i = 0; i < a->opt->n_drain; i++) {
        const uint16_t s = cluster_find_shard(a->cl, a->opt->drain[i]);
        if (s != SHARD_NONE)
            a->stays[s] = false;
    }
}

/* What shards hold: nothing is known of one where a collection's size there is not. */
static void init_held(struct advisor *a)
{
    for (guint i = 0; i < a->p->collections->len; i++) {
        const struct plan_collection *pc = &g_array_index(a->p->collections, struct plan_collection, i);
        for (uint32_t k = 0; k < pc->n_shards; k++) {
            int64_t *held = &a->held[pc->shards[k].shard];
            const int64_t bytes = pc->coll->sizes_known ? pc->shards[k].bytes : SIZE_UNKNOWN;
            *held =
                *held < 0 || (bytes < 0 && pc->shards[k].chunks > 0) ? SIZE_UNKNOWN : *held + MAX(bytes, 0);
        }
    }
    for (uint16_t s = 0; s < a->cl->n_shards; s++) {
        a->full[s] |= a->max_bytes[s] > 0 && a->held[s] >= a->max_bytes[s];
        a->takes[s] = a->stays[s] && !a->closed[s] && !a->full[s];
    }
}

static void advisor_init(struct advisor *a, plan *p, const struct plan_options *opt, const estimate *est)
{
    const uint16_t n = p->cl->n_shards;
    *a = (struct advisor){.p = p, .cl = p->cl, .opt = opt, .est = est};
    a->stays = g_new0(bool, n);
    a->takes = g_new0(bool, n);
    a->closed = g_new0(bool, n);
    a->full = g_new0(bool, n);
    a->max_bytes = g_new0(int64_t, n);
    a->held = g_new0(int64_t, n);
    a->zone_bytes = g_new0(int64_t, p->cl->n_zones);
    init_limits(a);
    init_held(a);
}

static void advisor_clear(struct advisor *a)
{
    g_free(a->stays);
    g_free(a->takes);
    g_free(a->closed);
    g_free(a->full);
    g_free(a->max_bytes);
    g_free(a->held);
    g_free(a->zone_bytes);
    g_free(a->busy);
}

/* Walks the zone ranges along with the chunks, both being in key order. */
struct zone_walk {
    const struct collection *coll;
    GByteArray *global_max;
    uint32_t range;    /* the first that ends above the chunk */
    uint32_t *slot_of; /* per range */
};

static int cmp_range(GBytes *bound, const uint8_t *key, uint32_t len)
{
    gsize n;
    const uint8_t *data = g_bytes_get_data(bound, &n);
    return key_cmp(data, (uint32_t)n, key, len);
}

/* The range that contains the chunk; UINT32_MAX: none does. Chunks are asked for in order. */
static uint32_t walk_range(struct zone_walk *w, uint32_t i)
{
    const struct chunks *ch = &w->coll->chunks;
    uint32_t min_len, max_len = w->global_max->len;
    const uint8_t *min = chunk_enc(ch, i, &min_len);
    const uint8_t *max = i + 1 < ch->n ? chunk_enc(ch, i + 1, &max_len) : w->global_max->data;
    while (w->range < w->coll->n_ranges && cmp_range(w->coll->ranges[w->range].enc_max, min, min_len) <= 0)
        w->range++;
    if (w->range == w->coll->n_ranges)
        return UINT32_MAX;
    const struct zone_range *r = &w->coll->ranges[w->range];
    const bool inside = cmp_range(r->enc_min, min, min_len) <= 0 && cmp_range(r->enc_max, max, max_len) >= 0;
    return inside ? w->range : UINT32_MAX;
}

/* Numbers the zones of the collection in the order of their first range. */
static void init_slots(const struct advisor *a, struct coll_facts *f, uint32_t *slot_of_range)
{
    const struct collection *coll = f->coll;
    const uint16_t n = a->cl->n_shards;
    g_autofree uint32_t *slot_of_zone = g_new(uint32_t, MAX(a->cl->n_zones, 1));
    memset(slot_of_zone, 0xff, sizeof *slot_of_zone * a->cl->n_zones);
    f->slots = g_new0(struct slot_facts, (gsize)MIN(coll->n_ranges, a->cl->n_zones) + 1);
    for (uint32_t r = 0; r < coll->n_ranges; r++) {
        uint32_t *slot = &slot_of_zone[coll->ranges[r].zone];
        if (*slot == UINT32_MAX) {
            *slot = f->n_slots;
            f->slots[f->n_slots++].zone = coll->ranges[r].zone;
        }
        slot_of_range[r] = *slot;
    }
    f->slots[f->n_slots++].zone = ZONE_NONE;
    f->tallies = g_new0(int64_t, 2 * (gsize)f->n_slots * n);
    for (uint32_t s = 0; s < f->n_slots; s++) {
        f->slots[s].chunks = f->tallies + (gsize)s * n;
        f->slots[s].bytes = f->tallies + (gsize)(f->n_slots + s) * n;
    }
}

static void note_jumbo(struct coll_facts *f, uint32_t i)
{
    const struct chunks *ch = &f->coll->chunks;
    if (f->jumbo < ADVICE_JUMBO_SHOWN)
        f->jumbo_first[f->jumbo] = i;
    f->jumbo++;
    f->jumbo_on[ch->shard[i]]++;
    const bool known = f->jumbo_bytes >= 0 && (ch->flags[i] & CHUNK_MEASURED) != 0 && ch->bytes[i] >= 0;
    f->jumbo_bytes = known ? f->jumbo_bytes + ch->bytes[i] : SIZE_UNKNOWN;
}

static void note_join(struct coll_facts *f, uint32_t i)
{
    f->mergeable[f->coll->chunks.shard[i]]++;
    if (f->merge_first == UINT32_MAX)
        f->merge_first = f->merge_end = i;
    if (f->merge_end == i)
        f->merge_end = i + 1;
}

/* The one pass over the chunks. */
static void scan(const struct advisor *a, struct coll_facts *f, struct zone_walk *walk)
{
    const struct chunks *ch = &f->coll->chunks;
    const bool zones = f->coll->n_ranges > 0 && !f->coll->time_series;
    const uint32_t none = f->n_slots - 1;
    uint32_t range_before = UINT32_MAX;
    int64_t run_bytes = 0; /* of the chunk that those before i were merged into */
    for (uint32_t i = 0; i < ch->n; i++) {
        const uint32_t range = zones ? walk_range(walk, i) : UINT32_MAX;
        const gsize at =
            (gsize)(range == UINT32_MAX ? none : walk->slot_of[range]) * a->cl->n_shards + ch->shard[i];
        const int64_t bytes = MAX(ch->bytes[i], 0);
        f->tallies[at]++;
        f->tallies[(gsize)f->n_slots * a->cl->n_shards + at] += bytes;
        if (ch->flags[i] & CHUNK_JUMBO)
            note_jumbo(f, i);
        if (ch->version[i] >= ch->version[ch->n - 1])
            f->newer++;
        const bool joins = i > 0 && ch->shard[i] == ch->shard[i - 1] && range == range_before &&
                           ((ch->flags[i] | ch->flags[i - 1]) & CHUNK_JUMBO) == 0 &&
                           (!f->merge_by_size || run_bytes + bytes <= f->max_chunk_bytes);
        if (joins)
            note_join(f, i);
        f->merged += joins ? 0 : 1;
        run_bytes = joins ? run_bytes + bytes : bytes;
        range_before = range;
    }
    f->newer -= ch->n > 0 ? 1 : 0; /* the last itself */
}

static void facts_init(struct advisor *a, struct coll_facts *f, const struct plan_collection *pc)
{
    *f = (struct coll_facts){.pc = pc, .coll = pc->coll, .merge_first = UINT32_MAX};
    f->max_chunk_bytes = cluster_max_chunk_bytes(a->cl, pc->coll, a->p->policy->unit == LOAD_BYTES);
    f->merge_by_size = cluster_version_cmp(a->cl, 6, 0, 3) < 0;
    f->jumbo_on = g_new0(int64_t, a->cl->n_shards);
    f->mergeable = g_new0(int64_t, a->cl->n_shards);
    struct zone_walk walk = {.coll = pc->coll, .global_max = g_byte_array_new()};
    walk.slot_of = g_new(uint32_t, MAX(pc->coll->n_ranges, 1));
    key_encode_global(pc->coll->key, true, walk.global_max);
    init_slots(a, f, walk.slot_of);
    scan(a, f, &walk);
    for (uint32_t s = 0; s < f->n_slots; s++)
        for (uint16_t k = 0; k < a->cl->n_shards && f->slots[s].zone != ZONE_NONE; k++)
            a->zone_bytes[f->slots[s].zone] += f->slots[s].bytes[k];
    g_byte_array_unref(walk.global_max);
    g_free(walk.slot_of);
}

static void facts_clear(struct coll_facts *f)
{
    g_free(f->jumbo_on);
    g_free(f->mergeable);
    g_free(f->slots);
    g_free(f->tallies);
}

static void advise_collection(struct advisor *a, const struct plan_collection *pc)
{
    struct coll_facts f;
    facts_init(a, &f, pc);
    advice_reshard(a, &f);
    advice_ascending(a, &f);
    advice_jumbo(a, &f);
    advice_zones(a, &f);
    advice_merge(a, &f);
    advice_sizes(a, &f);
    facts_clear(&f);
}

void advice_fill(plan *p, const struct plan_options *opt, const estimate *est)
{
    struct advisor a;
    advisor_init(&a, p, opt, est);
    for (guint i = 0; i < p->collections->len; i++) {
        const struct plan_collection *pc = &g_array_index(p->collections, struct plan_collection, i);
        /* The sessions collection is the server's own affair. */
        if (pc->excluded == EXCLUDED_NO && pc->coll->key != NULL && pc->coll->chunks.n > 0 &&
            strcmp(pc->coll->ns, "config.system.sessions") != 0)
            advise_collection(&a, pc);
    }
    advice_zone_room(&a);
    advisor_clear(&a);
}
