// SPDX-License-Identifier: Apache-2.0
/* config.changelog: how long past migrations took and how much they moved. The log is best effort, so
 * whatever is odd in it is passed over. The donor's steps (moveChunk.from) and the bytes (moveChunk.commit)
 * stand in two documents that name the same range and shards, written close in time. */
#include "balancer/cluster/builder_private.h"

#include <string.h>

/* The two sides are of one migration when the commit came no earlier before the donor's end than its steps
 * took, give or take this. */
enum { JOIN_SLACK_MS = 60 * 1000 };
#define STEP_MS_MAX 1e11 /* three years */

struct log_doc {
    const char *what, *ns;
    int64_t time_ms;
    bool has_time, has_details;
    bson_iter_t details;
};

static bool read_log_doc(const uint8_t *doc, uint32_t len, struct log_doc *d)
{
    bson_iter_t it;
    if (!bson_iter_init_from_data(&it, doc, len))
        return false;
    while (bson_iter_next(&it)) {
        const char *name = bson_iter_key(&it);
        if (strcmp(name, "what") == 0) {
            field_text(&it, &d->what);
        } else if (strcmp(name, "ns") == 0) {
            field_text(&it, &d->ns);
        } else if (strcmp(name, "time") == 0 && BSON_ITER_HOLDS_DATE_TIME(&it)) {
            d->time_ms = bson_iter_date_time(&it);
            d->has_time = true;
        } else if (strcmp(name, "details") == 0 && BSON_ITER_HOLDS_DOCUMENT(&it)) {
            d->has_details = bson_iter_recurse(&it, &d->details);
        }
    }
    /* Year 1 to 9999 or so: differences of such times cannot overflow. */
    bool sane = d->time_ms > -((int64_t)1 << 58) && d->time_ms < ((int64_t)1 << 58);
    return walk_complete(&it) && d->what != NULL && d->ns != NULL && d->has_time && sane && d->has_details;
}

/* What both sides and only one of them say. */
struct log_details {
    const char *from, *to, *note;
    const uint8_t *min;
    uint32_t min_len;
    double steps_ms;
    unsigned n_steps;
    int64_t cloned_bytes; /* SIZE_UNKNOWN: not said */
};

static void read_counts(const bson_iter_t *counts, struct log_details *d)
{
    bson_iter_t it;
    if (BSON_ITER_HOLDS_DOCUMENT(counts) && bson_iter_recurse(counts, &it) &&
        bson_iter_find(&it, "clonedBytes"))
        field_bytes(&it, &d->cloned_bytes);
}

static bool read_details(bson_iter_t *it, struct log_details *d)
{
    while (bson_iter_next(it)) {
        const char *name = bson_iter_key(it);
        double ms;
        if (strcmp(name, "from") == 0) {
            field_text(it, &d->from);
        } else if (strcmp(name, "to") == 0) {
            field_text(it, &d->to);
        } else if (strcmp(name, "note") == 0) {
            field_text(it, &d->note);
        } else if (strcmp(name, "min") == 0 && BSON_ITER_HOLDS_DOCUMENT(it)) {
            bson_iter_document(it, &d->min_len, &d->min);
        } else if (g_str_has_prefix(name, "step ")) {
            if (!field_number(it, &ms) || ms < 0 || ms > STEP_MS_MAX)
                return false;
            d->steps_ms += ms;
            d->n_steps++;
        } else if (strcmp(name, "counts") == 0) {
            read_counts(it, d);
        }
    }
    return walk_complete(it) && d->from != NULL && d->to != NULL && d->min != NULL;
}

/* FNV-1a. A name that is taken for another costs an estimate some of its quality, no more. */
static uint64_t name_hash(const char *name)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (const char *c = name; *c != '\0'; c++)
        h = (h ^ (unsigned char)*c) * UINT64_C(1099511628211);
    return h;
}

static void make_digest(const char *ns, const struct log_details *d, uint8_t *ret)
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    const char *const names[] = {ns, d->from, d->to};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        g_checksum_update(sum, (const guchar *)names[i], (gssize)strlen(names[i]) + 1);
    g_checksum_update(sum, d->min, (gssize)d->min_len);
    gsize len = 32;
    g_checksum_get_digest(sum, ret, &len);
    g_checksum_free(sum);
}

/* Newest first; every field takes part, so that the order of input never shows. */
static int by_newest(gconstpointer pa, gconstpointer pb)
{
    const struct history_row *a = pa, *b = pb;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? 1 : -1;
    int order = memcmp(a->digest, b->digest, sizeof a->digest);
    if (order == 0)
        order = (a->seconds > b->seconds) - (a->seconds < b->seconds);
    return order != 0 ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

/* Keeps the newest HISTORY_MAX, sorting only once in a while. */
static void add_row(GArray *rows, const struct history_row *row)
{
    g_array_append_vals(rows, row, 1);
    if (rows->len < 2 * HISTORY_MAX)
        return;
    g_array_sort(rows, by_newest);
    g_array_set_size(rows, HISTORY_MAX);
}

void builder_add_changelog(builder *b, const uint8_t *doc, uint32_t len)
{
    struct log_doc d = {0};
    struct log_details details = {.cloned_bytes = SIZE_UNKNOWN};
    if (!read_log_doc(doc, len, &d))
        return;
    builder_add_activity(b, d.what, d.ns, d.time_ms, &d.details);
    bool from = strcmp(d.what, "moveChunk.from") == 0, commit = strcmp(d.what, "moveChunk.commit") == 0;
    if ((!from && !commit) || !read_details(&d.details, &details))
        return;
    if (from && (g_strcmp0(details.note, "success") != 0 || details.n_steps == 0))
        return;
    if (commit && details.cloned_bytes == SIZE_UNKNOWN)
        return;
    struct history_row row = {
        .time_ms = d.time_ms,
        .seconds = details.steps_ms / 1000,
        .bytes = details.cloned_bytes,
        .ns = name_hash(d.ns),
        .from = name_hash(details.from),
        .to = name_hash(details.to),
    };
    make_digest(d.ns, &details, row.digest);
    add_row(from ? b->moves_from : b->moves_commit, &row);
}

static int by_digest(gconstpointer pa, gconstpointer pb)
{
    const struct history_row *a = pa, *b = pb;
    int order = memcmp(a->digest, b->digest, sizeof a->digest);
    return order != 0 ? order : by_newest(pa, pb);
}

/* The bytes of this migration: those of the newest fitting commit not after the donor's end. Commits stand
 * sorted by digest, newest first. */
static int64_t find_bytes(const GArray *commits, const struct history_row *from)
{
    guint lo = 0, hi = commits->len;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        const struct history_row *row = &g_array_index(commits, struct history_row, mid);
        if (memcmp(row->digest, from->digest, sizeof row->digest) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    int64_t latest = from->time_ms + JOIN_SLACK_MS;
    int64_t earliest = from->time_ms - (int64_t)(from->seconds * 1000) - JOIN_SLACK_MS;
    for (; lo < commits->len; lo++) {
        const struct history_row *row = &g_array_index(commits, struct history_row, lo);
        if (memcmp(row->digest, from->digest, sizeof row->digest) != 0 || row->time_ms < earliest)
            break;
        if (row->time_ms <= latest)
            return row->bytes;
    }
    return SIZE_UNKNOWN;
}

/* Hashes of names -> number + 1. */
struct numbers {
    GHashTable *shards, *collections;
};

static void number_name(GHashTable *table, const char *name, uint32_t number)
{
    const uint64_t h = name_hash(name);
    g_hash_table_insert(table, g_memdup2(&h, sizeof h), GUINT_TO_POINTER(number + 1));
}

static uint32_t number_of(GHashTable *table, uint64_t hash, uint32_t none)
{
    gpointer known = g_hash_table_lookup(table, &hash);
    return known == NULL ? none : GPOINTER_TO_UINT(known) - 1;
}

static struct numbers number_names(const cluster *cl)
{
    const struct numbers n = {g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL),
                              g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL)};
    for (uint16_t s = 0; s < cl->n_shards; s++)
        number_name(n.shards, cl->shards[s].id, s);
    for (uint32_t i = 0; i < cl->n_collections; i++)
        number_name(n.collections, cl->collections[i].ns, i);
    return n;
}

void builder_finish_changelog(builder *b)
{
    g_array_sort(b->moves_from, by_newest);
    g_array_sort(b->moves_commit, by_digest);
    const struct numbers n = number_names(b->cl);
    for (guint i = MIN(b->moves_from->len, HISTORY_MAX); i-- > 0;) {
        const struct history_row *row = &g_array_index(b->moves_from, struct history_row, i);
        const struct past_migration m = {
            .ended_ms = row->time_ms,
            .seconds = row->seconds,
            .bytes = find_bytes(b->moves_commit, row),
            .from = (uint16_t)number_of(n.shards, row->from, SHARD_NONE),
            .to = (uint16_t)number_of(n.shards, row->to, SHARD_NONE),
            .coll = number_of(n.collections, row->ns, COLLECTION_NONE),
        };
        g_array_append_val(b->cl->history, m);
    }
    g_hash_table_unref(n.shards);
    g_hash_table_unref(n.collections);
}
