// SPDX-License-Identifier: Apache-2.0
#include "tests/support/work_text.h"

#include "balancer/report/report.h"

char *plan_json(const plan *p)
{
    const struct report_source src = {.kind = "snapshot", .name = "cluster.json", .generated_ms = 0};
    GString *out = g_string_new(NULL);
    report_json(p, &src, out);
    return g_string_free(out, FALSE);
}

static void append_hex(GString *out, GBytes *enc)
{
    gsize n;
    const uint8_t *data = g_bytes_get_data(enc, &n);
    for (gsize i = 0; i < n; i++)
        g_string_append_printf(out, "%02x", data[i]);
}

static void append_bound(GString *out, const char *name, const bson_t *b)
{
    char *json = bson_as_canonical_extended_json(b, NULL);
    g_string_append_printf(out, " %s=%s", name, json);
    bson_free(json);
}

static void append_step(GString *out, const struct work_step *s, bool types)
{
    g_string_append_printf(out, "%u %s migration=%u round=%u ns=%s", s->id,
                           s->kind == WORK_SPLIT ? "split" : "move", s->migration, s->round, s->coll->ns);
    g_string_append(out, " enc=");
    append_hex(out, s->enc_min);
    g_string_append_c(out, '-');
    append_hex(out, s->enc_max);
    if (types) {
        append_bound(out, "min", s->min);
        append_bound(out, "max", s->max);
        for (guint i = 0; s->at != NULL && i < s->at->len; i++)
            append_bound(out, "at", s->at->pdata[i]);
    }
    g_string_append_printf(out,
                           " points=%d from=%s to=%s version=%s reason=%s zone=%s bytes=%" G_GINT64_FORMAT,
                           s->at == NULL ? -1 : (int)s->at->len, s->from, s->to == NULL ? "-" : s->to,
                           s->version, s->reason, s->zone == NULL ? "-" : s->zone, s->bytes);
    g_string_append_printf(out, "%s%s%s why=%s\n", s->force_jumbo ? " force" : "",
                           s->open_min ? " openMin" : "", s->open_max ? " openMax" : "",
                           s->why == NULL ? "-" : s->why);
}

char *work_text(const work *w, bool types)
{
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "%s policy=%s source=%s splits=%u migrations=%u rounds=%u", w->plan_id,
                           w->policy, w->source == NULL ? "-" : w->source, w->n_splits, w->n_migrations,
                           w->n_rounds);
    g_string_append_printf(out, " bytes=%" G_GINT64_FORMAT " seconds=%.17g %.17g %.17g\n", w->bytes,
                           w->expected_seconds, w->low_seconds, w->high_seconds);
    for (guint i = 0; i < w->collections->len; i++) {
        const struct work_collection *c = w->collections->pdata[i];
        char *key = bson_as_relaxed_extended_json(&c->key->doc, NULL);
        g_string_append_printf(out, "%s %s\n", c->ns, key);
        bson_free(key);
    }
    for (guint i = 0; i < w->steps->len; i++)
        append_step(out, w->steps->pdata[i], types);
    return g_string_free(out, FALSE);
}
