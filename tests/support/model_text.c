// SPDX-License-Identifier: Apache-2.0
#include "tests/support/model_text.h"

#include <inttypes.h>

static void append_hex(GString *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        g_string_append_printf(out, "%02x", p[i]);
}

static void append_bytes(GString *out, GBytes *bytes)
{
    gsize n;
    const uint8_t *p = g_bytes_get_data(bytes, &n);
    append_hex(out, p, n);
}

static void append_shards(GString *out, const cluster *c, bool all)
{
    for (unsigned i = 0; i < c->n_shards; i++) {
        const struct shard *s = &c->shards[i];
        g_string_append_printf(out, "shard %s host=%s draining=%d max=%" PRId64, s->id, s->host, s->draining,
                               s->max_size_mb);
        if (all)
            g_string_append_printf(out, " busy=%d", s->busy);
        for (uint32_t z = 0; z < s->n_zones; z++)
            g_string_append_printf(out, " zone=%s", c->zones[s->zones[z]]);
        g_string_append_c(out, '\n');
    }
    for (uint32_t i = 0; i < c->n_databases; i++)
        g_string_append_printf(out, "database %s primary=%u\n", c->databases[i].name,
                               c->databases[i].primary);
}

static void append_chunks(GString *out, const struct collection *coll, bool all)
{
    const struct chunks *ch = &coll->chunks;
    for (uint32_t i = 0; i < ch->n; i++) {
        uint32_t len;
        const uint8_t *enc = chunk_enc(ch, i, &len);
        g_string_append_printf(out, " chunk %" PRIu32 " shard=%u flags=%u version=%" PRIx64 " enc=", i,
                               ch->shard[i], ch->flags[i], ch->version[i]);
        append_hex(out, enc, len);
        g_string_append(out, " min=");
        append_hex(out, ch->pack + ch->pack_at[i], ch->pack_at[i + 1] - ch->pack_at[i]);
        if (all && coll->sizes_known)
            g_string_append_printf(out, " bytes=%" PRId64, ch->bytes[i]);
        g_string_append_c(out, '\n');
    }
}

static void append_collection(GString *out, const cluster *c, const struct collection *coll, bool all)
{
    g_string_append_printf(
        out, "collection %s chunks=%" PRIu32 " noBalance=%d timeSeries=%d invalid=%s uuid=", coll->ns,
        coll->chunks.n, coll->no_balance, coll->time_series, coll->invalid == NULL ? "no" : coll->invalid);
    append_hex(out, coll->uuid, sizeof coll->uuid);
    g_string_append(out, " epoch=");
    append_hex(out, coll->epoch.bytes, sizeof coll->epoch.bytes);
    g_string_append_c(out, '\n');
    for (unsigned i = 0; all && coll->bytes != NULL && i < c->n_shards; i++)
        g_string_append_printf(out, " bytes on %s: %" PRId64 "\n", c->shards[i].id, coll->bytes[i]);
    for (uint32_t i = 0; i < coll->n_ranges; i++) {
        g_string_append_printf(out, " range zone=%s min=", c->zones[coll->ranges[i].zone]);
        append_bytes(out, coll->ranges[i].enc_min);
        g_string_append(out, " max=");
        append_bytes(out, coll->ranges[i].enc_max);
        g_string_append_c(out, '\n');
    }
    append_chunks(out, coll, all);
}

static void append_rest(GString *out, const cluster *c)
{
    g_string_append_printf(out, "version=%s taken=%" PRId64 "\n", c->server_version, c->taken_at_ms);
    for (guint i = 0; i < c->history->len; i++) {
        const struct past_migration *m = &g_array_index(c->history, struct past_migration, i);
        g_string_append_printf(out, "history %" PRId64 " %.3f %" PRId64 " %s %s %s\n", m->ended_ms,
                               m->seconds, m->bytes, m->from == SHARD_NONE ? "-" : c->shards[m->from].id,
                               m->to == SHARD_NONE ? "-" : c->shards[m->to].id,
                               m->coll == COLLECTION_NONE ? "-" : c->collections[m->coll].ns);
    }
    for (guint i = 0; i < c->first_ns->len; i++)
        g_string_append_printf(out, "first %s\n", (const char *)c->first_ns->pdata[i]);
    for (guint i = 0; i < c->warnings->len; i++) {
        const struct warning *w = &g_array_index(c->warnings, struct warning, i);
        g_string_append_printf(out, "warning %s %s %s\n", w->code, w->ns, w->message);
    }
}

char *model_text(const cluster *c, bool all)
{
    GString *out = g_string_new(NULL);
    append_shards(out, c, all);
    for (uint32_t i = 0; i < c->n_collections; i++)
        append_collection(out, c, &c->collections[i], all);
    g_string_append_printf(out,
                           "settings chunk=%" PRId64 " mode=%d jumbo=%d wait=%d window=%s-%s invalid=%s\n",
                           c->settings.chunk_bytes_given ? c->settings.chunk_bytes : 0, (int)c->settings.mode,
                           c->settings.attempt_jumbo, c->settings.wait_for_delete, c->settings.window_start,
                           c->settings.window_stop, c->settings.invalid);
    if (all)
        append_rest(out, c);
    return g_string_free(out, FALSE);
}
