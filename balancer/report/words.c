// SPDX-License-Identifier: Apache-2.0
#include "balancer/report/words.h"

#include "common/text.h"

#include <string.h>

void words_n(GString *out, int64_t n, const char *thing)
{
    text_append_count(out, n);
    g_string_append_printf(out, " %s%s", thing, n == 1 ? "" : "s");
}

const char *words_basis(enum time_basis basis)
{
    static const char *const bases[] = {
        [TIME_DEFAULT] = "by default speeds, nothing measured",
        [TIME_CHANGELOG] = "from the cluster's own changelog",
        [TIME_JOURNAL] = "from the journal of past migrations",
    };
    return bases[basis];
}

void words_work(GString *out, const struct plan_summary *s)
{
    if (s->n_migrations > 0) {
        words_n(out, s->n_migrations, "migration");
        g_string_append(out, s->n_splits > 0 ? " and " : "");
    }
    if (s->n_splits > 0)
        words_n(out, s->n_splits, "split");
    g_string_append(out, " in ");
    words_n(out, s->n_rounds, "round");
    if (s->n_migrations == 0) {
        g_string_append(out, ", no migration");
    } else if (s->bytes >= 0) {
        g_string_append(out, s->n_migrations + s->n_splits == 1 ? " moves " : " move ");
        text_append_bytes(out, s->bytes);
    } else {
        g_string_append(out, ", data size not known");
    }
}

/* UTC. "03:20" of the same day as `near`, "Tuesday 03:20" of the six behind it, else with its date. */
static void append_moment(GString *out, int64_t unix_ms, int64_t near)
{
    static const char *const days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};
    const int64_t day_ms = INT64_C(24) * 3600 * 1000, days_on = unix_ms / day_ms - near / day_ms;
    g_autofree char *iso = text_iso8601(unix_ms);
    if (days_on > 6 || days_on < 0)
        g_string_append_printf(out, "%.10s ", iso);
    else if (days_on > 0) /* 1970 began on a Thursday */
        g_string_append_printf(out, "%s ", days[(unix_ms / day_ms + 3) % 7]);
    g_string_append_printf(out, "%.5s", iso + strlen("2026-11-21T"));
}

/* Where it is short, when it ends can be seen by its length. */
enum { MINUTE_MS = 60 * 1000, TOLD_MS = 10 * MINUTE_MS };

void words_ends(GString *out, const struct plan_time *t)
{
    if (t->starts_at == 0 || (t->latest_end != 0 && t->latest_end - t->starts_at < TOLD_MS))
        return;
    g_string_append(out, " Begun ");
    append_moment(out, t->starts_at, 0);
    g_string_append(out, " UTC, it is ");
    if (t->expected_end == 0) {
        g_string_append(out, "not done in any balancing window of the next 400 days.");
        return;
    }
    g_string_append(out, "done ");
    append_moment(out, t->expected_end, t->starts_at);
    if (t->latest_end == 0) {
        g_string_append(out, ", at the latest after 400 days");
    } else if (t->latest_end / MINUTE_MS > t->expected_end / MINUTE_MS) {
        g_string_append(out, ", at the latest ");
        append_moment(out, t->latest_end, t->expected_end);
    }
    g_string_append_c(out, '.');
}

void words_time(GString *out, const struct plan_summary *s)
{
    const struct plan_time *t = &s->time;
    g_autofree char *low = text_duration(t->low), *high = text_duration(t->high);
    g_string_append(out, "; about ");
    text_append_duration(out, t->expected);
    g_string_append(out, " (");
    if (strcmp(low, high) != 0)
        g_string_append_printf(out, "%s to %s, ", low, high);
    g_string_append_printf(out, "%s).", words_basis(t->basis));
    words_ends(out, t);
}

void words_lower_bound(GString *out, const struct plan_summary *s)
{
    if (s->lower_rounds == 0 && s->lower_bytes <= 0)
        return;
    if (s->lower_rounds >= s->n_rounds && s->lower_bytes >= s->bytes) {
        g_string_append(out, " No plan to the same end moves less, or takes fewer rounds.");
        return;
    }
    g_string_append(out, " At least ");
    if (s->lower_bytes > 0) {
        text_append_bytes(out, s->lower_bytes);
        g_string_append(out, " and ");
    }
    words_n(out, s->lower_rounds, "round");
    g_string_append(out, s->lower_rounds == 1 && s->lower_bytes <= 0 ? " is needed." : " are needed.");
}

/* "45 %", "0.4 %", "over 1,000 %" of an imbalance. */
void words_percent(GString *out, double imbalance)
{
    char buf[G_ASCII_DTOSTR_BUF_SIZE];
    double x = imbalance * 100;
    if (!(x <= 1000))
        g_string_append(out, "over 1,000");
    else
        g_string_append(out, g_ascii_formatd(buf, sizeof buf, x > 0 && x < 9.95 ? "%.1f" : "%.0f", x));
    g_string_append(out, " %");
}

void words_imbalance(GString *out, const struct plan_summary *s)
{
    if (!(s->imbalance_before > 0))
        return;
    g_string_append(out, " The fullest shard holds ");
    words_percent(out, s->imbalance_before);
    g_string_append(out, " more than its share, ");
    words_percent(out, s->imbalance_after);
    g_string_append(out, " afterwards.");
}

void words_blocked(GString *out, const plan *p)
{
    int64_t chunks = 0;
    for (guint i = 0; i < p->blocked->len; i++)
        chunks += MAX(g_array_index(p->blocked, struct plan_blocked, i).chunks, 0);
    if (p->blocked->len == 0)
        return;
    g_string_append_c(out, ' ');
    if (chunks == 0) {
        words_n(out, p->blocked->len, "obstacle");
        g_string_append(out, p->blocked->len == 1 ? " remains." : " remain.");
        return;
    }
    words_n(out, chunks, "chunk");
    g_string_append(out, " should move and cannot.");
}

static void count_statuses(const plan *p, unsigned counts[3])
{
    memset(counts, 0, 3 * sizeof counts[0]);
    for (guint i = 0; i < p->collections->len; i++)
        counts[g_array_index(p->collections, struct plan_collection, i).status]++;
}

void words_nothing(GString *out, const plan *p)
{
    unsigned n[3];
    count_statuses(p, n);
    if (p->collections->len == 0) {
        g_string_append(out, "there is no sharded collection.");
        return;
    }
    const char *sep = "";
    static const char *const words[] = {
        [PLAN_BALANCED] = "balanced", [PLAN_IMBALANCED] = "imbalanced", [PLAN_EXCLUDED] = "left out"};
    for (unsigned s = 0; s < G_N_ELEMENTS(words); s++) {
        if (n[s] == 0)
            continue;
        g_string_append(out, sep);
        if (*sep == '\0')
            words_n(out, n[s], "collection");
        else
            text_append_count(out, n[s]);
        g_string_append_printf(out, " %s %s", n[s] == 1 ? "is" : "are", words[s]);
        sep = ", ";
    }
    g_string_append_c(out, '.');
}

bool words_stuck(const plan *p)
{
    unsigned n[3];
    count_statuses(p, n);
    return n[PLAN_IMBALANCED] > 0 || p->blocked->len > 0;
}

void words_left(GString *out, const struct plan_summary *s)
{
    if (!s->complete)
        g_string_append(out, " More is left for later rounds: --until-balanced shows all of it.");
}
