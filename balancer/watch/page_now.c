// SPDX-License-Identifier: Apache-2.0
/* The head of the page: what it is doing, what holds it back, the facts, the buttons. */
#include "balancer/watch/page_private.h"
#include "common/text.h"

#include <math.h>

static const struct {
    const char *title, *tone;
} states[] = {
    [SERVICE_STARTING] = {"Starting", "quiet"}, [SERVICE_STANDBY] = {"Standing by", "quiet"},
    [SERVICE_IDLE] = {"Idle", "good"},          [SERVICE_PLANNING] = {"Planning", "busy"},
    [SERVICE_MOVING] = {"Moving data", "busy"}, [SERVICE_HELD] = {"Held back", "hold"},
    [SERVICE_PAUSED] = {"Paused", "hold"},      [SERVICE_UNREACHABLE] = {"Cluster unreachable", "bad"},
    [SERVICE_STOPPING] = {"Stopping", "quiet"},
};

/* Idle only until the next round: there is more to move. */
static bool between_rounds(const service_view *v)
{
    return v->state == SERVICE_IDLE && v->forecast.known && v->forecast.migrations > 0;
}

const char *state_title(const service_view *v)
{
    if (between_rounds(v))
        return "Between rounds";
    if (v->state == SERVICE_IDLE && v->planned_at > 0 && v->n_imbalanced == 0)
        return "In balance";
    return states[v->state].title;
}

const char *state_tone(const service_view *v)
{
    return between_rounds(v) ? "busy" : states[v->state].tone;
}

/* One sign a tone: none of them is told by colour alone. */
static void put_glyph(GString *out, const char *tone)
{
    static const struct {
        const char *tone, *path;
    } glyphs[] = {
        {"good", "M5 12.5l4.5 4.5L19 7.5"},
        {"busy", "M4 8h13l-4-4M20 16H7l4 4"},
        {"hold", "M9 6v12M15 6v12"},
        {"bad", "M12 4v10M12 18.5v.5"},
        {"quiet", "M7 12h.01M12 12h.01M17 12h.01"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(glyphs); i++)
        if (g_str_equal(glyphs[i].tone, tone))
            putf(out,
                 "<svg class=\"glyph\" viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path d=\"%s\"/></svg>",
                 glyphs[i].path);
}

/* ---- one sentence on the state ---- */

static void lead_standby(GString *out, const service_view *v)
{
    put(out, "Another evenkeel holds the lease");
    if (v->lease.holder != NULL) {
        put(out, ": ");
        put_name(out, "inline", v->lease.holder);
    }
    put(out, ". This one takes over when it lets go.");
}

static void lead_paused(GString *out, const service_view *v)
{
    put(out, "Paused");
    if (v->pause.who != NULL) {
        put(out, " by ");
        put_name(out, "inline", v->pause.who);
    }
    if (v->pause.since > 0) {
        put(out, ", ");
        put_time(out, v->at, v->pause.since, TIME_AGO);
    }
    if (v->pause.reason != NULL) {
        put(out, ": ");
        put_name(out, "inline", v->pause.reason);
    }
    put(out, v->migrations->len > 0 ? ". What is under way is finished; nothing new starts."
                                    : ". Nothing starts.");
}

static void lead_idle(GString *out, const service_view *v)
{
    if (v->planned_at == 0)
        put(out, "Nothing to do.");
    else if (v->n_imbalanced == 0)
        put(out, "Nothing needs to move.");
    else if (between_rounds(v))
        putf(out, "%u of %u collections are not even.", v->n_imbalanced, v->n_collections);
    else
        putf(out, "%u of %u collections are not even, and nothing of them can move now.", v->n_imbalanced,
             v->n_collections);
    if (v->next_round_at > 0) {
        put(out, " Next look ");
        put_time(out, v->at, v->next_round_at, TIME_AGO);
        put(out, ".");
    }
}

static void lead_unreachable(GString *out, const service_view *v)
{
    put(out, "The cluster does not answer.");
    if (v->next_round_at > 0) {
        put(out, " Next try ");
        put_time(out, v->at, v->next_round_at, TIME_AGO);
        put(out, ".");
    }
    if (v->planned_at > 0) {
        put(out, " What is shown below was read ");
        put_time(out, v->at, v->planned_at, TIME_AGO);
        put(out, ".");
    }
}

static void put_lead(GString *out, const service_view *v)
{
    put(out, "<p class=\"lead\">");
    switch (v->state) {
    case SERVICE_STARTING:
        put(out, "Connecting to the cluster, and settling what an earlier run left open.");
        break;
    case SERVICE_STANDBY:
        lead_standby(out, v);
        break;
    case SERVICE_IDLE:
        lead_idle(out, v);
        break;
    case SERVICE_PLANNING:
        put(out, "Reading the cluster's metadata and deciding what should move.");
        break;
    case SERVICE_MOVING:
        putf(out, "%u under way.", v->migrations->len);
        break;
    case SERVICE_HELD:
        put(out, "There is something to do, but it must wait.");
        break;
    case SERVICE_PAUSED:
        lead_paused(out, v);
        break;
    case SERVICE_UNREACHABLE:
        lead_unreachable(out, v);
        break;
    case SERVICE_STOPPING:
        put(out, "No new migration starts; those under way get time to end.");
        break;
    }
    put(out, "</p>\n");
}

static void put_holds(GString *out, const service_view *v)
{
    put(out, "<ul class=\"holds\" aria-label=\"What holds back\">");
    for (guint i = 0; i < v->holds->len; i++) {
        const struct view_hold *h = &g_array_index(v->holds, struct view_hold, i);
        if (v->state == SERVICE_PAUSED && g_strcmp0(h->code, "paused") == 0)
            continue; /* told above, with who and why */
        put(out, "<li><span class=\"code\">");
        put_text(out, h->code);
        put(out, "</span> ");
        put_text(out, h->text);
        if (h->until > 0) {
            put(out, " <span class=\"dim\">until ");
            put_time(out, v->at, h->until, TIME_CLOCK);
            put(out, "</span>");
        }
        put(out, "</li>");
    }
    put(out, "</ul>\n");
}

/* ---- the round under way ---- */

static void put_round_finish(GString *out, const service_view *v)
{
    if (v->round.finish_expected <= 0)
        return;
    put(out, "<p class=\"finish\">Done about ");
    put_finish(out, v->at, v->round.finish_low, v->round.finish_expected, v->round.finish_high);
    put(out, "</p>");
}

static void put_round_numbers(GString *out, const service_view *v)
{
    putf(out, "<p><strong>%u</strong> of <strong>%u</strong> steps done", v->round.done, v->round.steps);
    if (v->round.failed > 0)
        putf(out, ", <strong class=\"alert\">%u failed</strong>", v->round.failed);
    if (v->round.bytes > 0) {
        put(out, " \xc2\xb7 ");
        put_bytes(out, MAX(v->round.bytes_done, 0));
        put(out, " of ");
        put_bytes(out, v->round.bytes);
    }
    if (v->round.bytes_per_second >= 1) {
        put(out, " \xc2\xb7 <span class=\"num\">");
        put_bytes(out, (int64_t)MIN(v->round.bytes_per_second, 1e18));
        put(out, "/s</span>");
    }
    put(out, "</p>");
}

static void put_progress(GString *out, const service_view *v)
{
    if (v->round.id == 0)
        return;
    const bool by_bytes = v->round.bytes > 0 && v->round.bytes_done >= 0;
    const double whole = by_bytes ? (double)v->round.bytes : (double)MAX(v->round.steps, 1U);
    const double done = by_bytes ? (double)v->round.bytes_done : v->round.done;
    g_autofree char *label =
        g_strdup_printf("%.0f %% of the round is done", floor(MIN(done / whole, 1) * 100));
    putf(out, "<div class=\"progress\"><p class=\"kicker\">Round %" G_GINT64_FORMAT, v->round.id);
    if (v->round.kind != NULL) {
        put(out, " \xc2\xb7 ");
        put_text(out, v->round.kind);
    }
    put(out, "</p>");
    draw_bar(out, &(struct draw_bar){done / whole, -1, -1, "tall", label});
    put_round_numbers(out, v);
    put_round_finish(out, v);
    put(out, "</div>\n");
}

/* ---- until nothing more moves ---- */

/* What the times rest on: whoever relies on them should know. */
static void put_basis(GString *out, const service_view *v)
{
    if (v->speed.basis == NULL || g_str_equal(v->speed.basis, "default"))
        put(out, "By assumed speeds: nothing was measured yet.");
    else
        putf(out, "By %u past migrations, from the %s.", v->speed.samples,
             g_str_equal(v->speed.basis, "journal") ? "journal" : "cluster's changelog");
}

static void put_to_go(GString *out, const service_view *v)
{
    putf(out, "<strong>%u</strong> %s", v->forecast.migrations,
         v->forecast.migrations == 1 ? "migration" : "migrations");
    if (v->forecast.bytes > 0) {
        put(out, ", <strong>");
        put_bytes(out, v->forecast.bytes);
        put(out, "</strong>");
    }
    put(out, v->forecast.complete ? " to go" : " to go at least");
}

static void put_forecast(GString *out, const service_view *v)
{
    if (!v->forecast.known || v->forecast.migrations == 0 || v->state == SERVICE_STANDBY)
        return;
    put(out, "<div class=\"forecast\"><p class=\"kicker\">Until nothing more moves</p><p>");
    put_to_go(out, v);
    put(out, "</p><p class=\"finish\">");
    if (v->forecast.finish_expected > 0) {
        put(out, "Done about ");
        put_finish(out, v->at, v->forecast.finish_low, v->forecast.finish_expected, v->forecast.finish_high);
    } else {
        put(out, "<strong>");
        text_append_duration(out, v->forecast.low_seconds);
        put(out, "</strong> to <strong>");
        text_append_duration(out, v->forecast.high_seconds);
        put(out, "</strong> of work");
    }
    put(out, "</p><p class=\"small dim\">");
    put_basis(out, v);
    put(out, "</p></div>\n");
}

/* ---- facts ---- */

static void fact(GString *out, const char *term)
{
    putf(out, "<div><dt>%s</dt><dd>", term);
}

static void put_balance_facts(GString *out, const service_view *v)
{
    fact(out, "Imbalance");
    if (v->planned_at > 0)
        put_percent(out, v->imbalance);
    else
        put(out, "\xe2\x80\x93");
    put(out, "</dd></div>");
    fact(out, "Collections");
    if (v->planned_at > 0)
        putf(out, "%u <span class=\"dim\">\xc2\xb7 %u uneven</span>", v->n_collections, v->n_imbalanced);
    else
        put(out, "\xe2\x80\x93");
    put(out, "</dd></div>");
    fact(out, "Last look");
    put_time(out, v->at, v->planned_at, TIME_AGO);
    put(out, "</dd></div>");
    fact(out, "Next look");
    put_time(out, v->at, v->next_round_at, TIME_AGO);
    put(out, "</dd></div>");
}

static void put_window_fact(GString *out, const service_view *v)
{
    fact(out, "Window");
    if (v->window.always) {
        put(out, "always open");
    } else {
        put(out, v->window.open ? "open" : "closed");
        if (v->window.changes_at > 0 && v->window.changes_at < INT64_MAX) {
            put(out, " <span class=\"dim\">until ");
            put_time(out, v->at, v->window.changes_at, TIME_CLOCK);
            put(out, "</span>");
        }
        if (v->window.text != NULL) {
            put(out, " ");
            put_name(out, "small dim", v->window.text);
        }
    }
    put(out, "</dd></div>");
}

static void put_lease_fact(GString *out, const service_view *v)
{
    fact(out, "Lease");
    if (!v->lease.enabled) {
        put(out, "not wanted");
    } else if (v->lease.held) {
        put(out, "held");
        if (v->lease.since > 0) {
            put(out, " <span class=\"dim\">since ");
            put_time(out, v->at, v->lease.since, TIME_CLOCK);
            put(out, "</span>");
        }
    } else if (v->lease.holder != NULL) {
        put(out, "<span class=\"dim\">with</span> ");
        put_name(out, "", v->lease.holder);
    } else {
        put(out, "not held");
    }
    put(out, "</dd></div>");
}

static void put_facts(GString *out, const service_view *v)
{
    put(out, "<dl class=\"facts\">");
    put_balance_facts(out, v);
    put_window_fact(out, v);
    put_lease_fact(out, v);
    fact(out, "Policy");
    put_name(out, "", v->policy);
    put(out, "</dd></div>");
    fact(out, "MongoDB's balancer");
    put_name(out, "", v->builtin_balancer);
    put(out, "</dd></div></dl>\n");
}

/* Buttons work with the script only, which shows them. */
static void put_actions(GString *out, const service_view *v, const struct page_facts *facts)
{
    if (!facts->may_act) {
        put(out, "<p class=\"readonly\">Read-only: no <code>http.tokenFile</code> is configured.</p>\n");
        return;
    }
    put(out, "<div class=\"actions\">");
    put(out, "<button type=\"button\" class=\"primary\" data-ask=\"round\" data-key=\"round\">Run a "
             "round</button>");
    if (v->pause.paused)
        put(out, "<button type=\"button\" data-ask=\"resume\" data-key=\"switch\">Resume</button>");
    else
        put(out, "<button type=\"button\" data-ask=\"pause\" data-key=\"switch\">Pause</button>");
    put(out, "</div>\n");
}

void put_now(GString *out, const service_view *v, const struct page_facts *facts)
{
    const char *tone = state_tone(v);
    putf(out, "<section class=\"now %s\" id=\"now\" aria-labelledby=\"state\"><div class=\"state\">", tone);
    put_glyph(out, tone);
    putf(out, "<div class=\"what\"><h1 id=\"state\">%s</h1>\n", state_title(v));
    put_lead(out, v);
    put_holds(out, v);
    put(out, "<div class=\"ahead\">");
    put_progress(out, v);
    put_forecast(out, v);
    put(out, "</div></div></div>\n<div class=\"aside\">");
    put_facts(out, v);
    put_actions(out, v, facts);
    put(out, "</div></section>\n");
}
