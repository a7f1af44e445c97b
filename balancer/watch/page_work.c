// SPDX-License-Identifier: Apache-2.0
/* What is under way, what was, what cannot be. */
#include "balancer/watch/page_private.h"
#include "common/text.h"

#include <math.h>
#include <string.h>

/* ---- under way ---- */

/* By time: the cluster does not tell how far a migration is. Never quite done while it runs. */
static double progress_of(const service_view *v, const struct view_migration *m)
{
    const double whole = (double)(m->expected_end - m->started_at);
    if (m->started_at <= 0 || whole <= 0)
        return 0;
    return CLAMP((double)(v->at - m->started_at) / whole, 0, 0.98);
}

static void put_move_facts(GString *out, const service_view *v, const struct view_migration *m)
{
    put(out, "<p class=\"meta\">");
    if (m->bytes >= 0) {
        put(out, "<span>");
        put_bytes(out, m->bytes);
        put(out, "</span>");
    }
    put(out, "<span>started ");
    put_time(out, v->at, m->started_at, TIME_AGO);
    put(out, "</span>");
    if (m->expected_end > 0) {
        const bool late = m->expected_end < v->at;
        put(out, late ? "<span class=\"late\">was expected " : "<span>done about ");
        put_finish(out, v->at, late ? 0 : m->expected_low, m->expected_end, m->expected_high);
        put(out, "</span>");
    }
    if (m->reason != NULL) {
        put(out, "<span>");
        put_text(out, m->reason);
        put(out, "</span>");
    }
    if (m->attempt > 1)
        putf(out, "<span class=\"late\">attempt %u</span>", m->attempt);
    put(out, "</p>");
}

static void put_move(GString *out, const service_view *v, const struct view_migration *m)
{
    const double done = progress_of(v, m);
    g_autofree char *label = g_strdup_printf("about %.0f %% by time", floor(done * 100));
    g_autofree char *range = range_text(m->min, m->max);
    putf(out, "<li class=\"move\" data-key=\"%c%" G_GINT64_FORMAT "\"><p class=\"title\">",
         m->split ? 's' : 'm', m->row);
    put_name(out, "strong", m->ns);
    if (m->split)
        put(out, "<span class=\"tag\">split</span>");
    if (m->settling)
        put(out, "<span class=\"tag warn\">asking the cluster</span>");
    put(out, "</p><p class=\"route\">");
    put_name(out, "", m->from);
    if (m->to != NULL) {
        put(out, "<span class=\"arrow\" role=\"img\" aria-label=\"to\">\xe2\x86\x92</span>");
        put_name(out, "", m->to);
    }
    put(out, "</p>");
    if (m->expected_end > 0)
        draw_bar(out, &(struct draw_bar){done, -1, -1, "", label});
    put_move_facts(out, v, m);
    put(out, "<p class=\"range\">");
    put_name(out, "key", range);
    put(out, "</p></li>\n");
}

static void put_moves(GString *out, const service_view *v, guint first, guint end)
{
    put(out, "<ul class=\"moves\">\n");
    for (guint i = first; i < end; i++)
        put_move(out, v, &g_array_index(v->migrations, struct view_migration, i));
    put(out, "</ul>\n");
}

void put_under_way(GString *out, const service_view *v)
{
    const guint shown = MIN(v->migrations->len, (guint)PAGE_MOVES), open = MIN(shown, (guint)PAGE_MOVES_OPEN);
    g_autofree char *note = v->migrations->len > 0 ? g_strdup_printf("%u", v->migrations->len) : NULL;
    card_open(out, "moves", "Under way", note);
    if (shown == 0)
        put_nothing(out, "No migration is under way.");
    else
        put_moves(out, v, 0, open);
    if (shown > open) {
        putf(out, "<details class=\"older\" data-key=\"younger moves\"><summary>%u younger</summary>",
             v->migrations->len - open);
        put_moves(out, v, open, shown);
        put_more(out, shown, v->migrations->len, NULL);
        put(out, "</details>\n");
    }
    card_close(out);
}

/* ---- rounds ---- */

static const char *round_tone(const char *state)
{
    static const struct {
        const char *state, *tone;
    } tones[] = {{"done", "good"},
                 {"running", "busy"},
                 {"failed", "bad"},
                 {"interrupted", "warn"},
                 {"cancelled", "warn"}};
    for (size_t i = 0; state != NULL && i < G_N_ELEMENTS(tones); i++)
        if (strcmp(tones[i].state, state) == 0)
            return tones[i].tone;
    return "quiet";
}

static void put_round_result(GString *out, const struct view_round *r)
{
    if (r->planned > 0 || r->committed > 0)
        putf(out, "<span>%u of %u moved</span>", r->committed, r->planned);
    if (r->failed > 0)
        putf(out, "<span class=\"alert\">%u failed</span>", r->failed);
    if (r->splits > 0)
        putf(out, "<span>%u %s</span>", r->splits, r->splits == 1 ? "split" : "splits");
    if (r->bytes > 0) {
        put(out, "<span>");
        put_bytes(out, r->bytes);
        put(out, "</span>");
    }
}

/* How long it took, and how long it was to take. */
static void put_round_times(GString *out, const struct view_round *r)
{
    const bool ended = r->ended_at > r->started_at && r->started_at > 0;
    put(out, "<span>");
    if (ended) {
        put(out, "took ");
        text_append_duration(out, (double)(r->ended_at - r->started_at) / 1000.0);
    }
    if (r->planned_seconds > 0 && (!ended || view_round_counts(r))) {
        put(out, ended ? ", promised " : "promised ");
        text_append_duration(out, r->planned_seconds);
    }
    put(out, "</span>");
}

static void put_words(GString *out, const char *before, const char *text, const char *after)
{
    if (text == NULL)
        return;
    put(out, before);
    put_text(out, text);
    put(out, after);
}

/* Who asked for it and why; what the scheduler does of itself needs no word. */
static void put_round_asker(GString *out, const struct view_round *r)
{
    if (r->reason == NULL && (r->who == NULL || g_strcmp0(r->kind, "scheduled") == 0))
        return;
    put(out, "<p class=\"why\">");
    put_words(out, "", r->who, r->reason != NULL && r->who != NULL ? ": " : "");
    put_words(out, "", r->reason, "");
    put(out, "</p>");
}

/* The note of a round that went well says in words what its numbers say. */
static void put_round_note(GString *out, const struct view_round *r)
{
    const bool well = g_strcmp0(r->state, "done") == 0 && r->failed == 0 && r->committed + r->splits > 0;
    if (!well)
        put_words(out, "<p class=\"why\">", r->note, "</p>");
}

static void put_round(GString *out, const service_view *v, const struct view_round *r)
{
    putf(out,
         "<li class=\"round\" data-key=\"r%" G_GINT64_FORMAT
         "\"><p class=\"title\"><span class=\"num\">%" G_GINT64_FORMAT "</span> <span class=\"tag %s\">",
         r->id, r->id, round_tone(r->state));
    put_text(out, r->state);
    put(out, "</span>");
    if (g_strcmp0(r->kind, "scheduled") != 0)
        put_name(out, "dim", r->kind);
    put(out, "<span class=\"when\">");
    put_time(out, v->at, r->started_at, TIME_AGO);
    put(out, "</span></p><p class=\"meta\">");
    put_round_result(out, r);
    put_round_times(out, r);
    put(out, "</p>");
    put_round_asker(out, r);
    put_round_note(out, r);
    put(out, "</li>\n");
}

/* "1.1 x the time promised", of all rounds shown that tell. */
static void put_kept(GString *out, const service_view *v)
{
    char buf[G_ASCII_DTOSTR_BUF_SIZE];
    const struct view_promise p = view_promise(v);
    if (p.rounds > 0)
        putf(out, "took %s\xc2\xa0\xc3\x97 the time promised",
             g_ascii_formatd(buf, sizeof buf, "%.2f", MIN(p.achieved_seconds / p.promised_seconds, 9999.0)));
}

static void put_rounds_from(GString *out, const service_view *v, guint first, guint end)
{
    put(out, "<ol class=\"rounds\">\n");
    for (guint i = first; i < end; i++)
        put_round(out, v, &g_array_index(v->rounds, struct view_round, i));
    put(out, "</ol>\n");
}

void put_rounds(GString *out, const service_view *v)
{
    const guint all = MIN(v->rounds->len, (guint)VIEW_ROUNDS), shown = MIN(all, (guint)PAGE_ROUNDS);
    g_autoptr(GString) kept = g_string_new(NULL);
    put_kept(kept, v);
    card_open(out, "rounds", "Last rounds", kept->len > 0 ? kept->str : NULL);
    if (all == 0)
        put_nothing(out, "No round has run yet.");
    else
        put_rounds_from(out, v, 0, shown);
    if (all > shown) {
        putf(out, "<details class=\"older\" data-key=\"older rounds\"><summary>%u older</summary>",
             all - shown);
        put_rounds_from(out, v, shown, all);
        put(out, "</details>\n");
    }
    card_close(out);
}

/* ---- blocked ---- */

static bool same_cause(const struct view_blocked *a, const struct view_blocked *b)
{
    return g_strcmp0(a->reason, b->reason) == 0 && g_strcmp0(a->why, b->why) == 0;
}

static void put_victim(GString *out, const struct view_blocked *b)
{
    put(out, "<li class=\"title\">");
    put_name(out, "strong", b->ns);
    if (b->shard != NULL) {
        put(out, "<span class=\"dim\">on</span>");
        put_name(out, "", b->shard);
    }
    if (b->chunks > 0) {
        put(out, "<span class=\"dim\">");
        put_count(out, b->chunks);
        put(out, b->chunks == 1 ? " chunk" : " chunks");
        put(out, "</span>");
    }
    put(out, "</li>");
}

/* One cause, and all that it keeps where it is. */
static void put_cause(GString *out, const service_view *v, guint first)
{
    const struct view_blocked *cause = &g_array_index(v->blocked, struct view_blocked, first);
    put(out, "<li class=\"block\"><p class=\"title\"><span class=\"tag warn\">");
    put_text(out, cause->reason);
    put(out, "</span></p>");
    put_words(out, "<p class=\"why\">", cause->why, "</p>");
    put(out, "<ul class=\"victims\">");
    for (guint i = first; i < v->blocked->len; i++)
        if (same_cause(cause, &g_array_index(v->blocked, struct view_blocked, i)))
            put_victim(out, &g_array_index(v->blocked, struct view_blocked, i));
    put(out, "</ul></li>\n");
}

static bool is_first_of_cause(const service_view *v, guint i)
{
    const struct view_blocked *b = &g_array_index(v->blocked, struct view_blocked, i);
    for (guint k = 0; k < i; k++)
        if (same_cause(&g_array_index(v->blocked, struct view_blocked, k), b))
            return false;
    return true;
}

void put_blocked(GString *out, const service_view *v)
{
    card_open(out, "blocked", "Blocked", NULL);
    if (v->blocked->len == 0) {
        put_nothing(out, v->planned_at > 0 ? "Nothing that should move is kept from it." : "Not known yet.");
    } else {
        put(out, "<ul class=\"blocks\">\n");
        for (guint i = 0; i < v->blocked->len; i++)
            if (is_first_of_cause(v, i))
                put_cause(out, v, i);
        put(out, "</ul>\n");
    }
    card_close(out);
}
