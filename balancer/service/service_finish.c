// SPDX-License-Identifier: Apache-2.0
/* Finish times: what was measured goes into the next plan's estimates, and those into the view, as ranges. */
#include "balancer/service/service_private.h"

#include "balancer/plan/estimate.h"
#include "balancer/setup/measured.h"

enum { READ_MS = 25 };

/* Those that take long would else be told only when they have ended. A later attempt has waited in between.
 */
static void add_under_way(const struct service *s, GArray *speeds)
{
    g_autoptr(GArray) list = s->executor == NULL ? NULL : executor_list(s->executor);
    for (guint i = 0; list != NULL && i < list->len; i++) {
        const struct executor_under_way *u = &g_array_index(list, struct executor_under_way, i);
        if (u->split || u->settling || u->attempt > 1 || u->started_at == 0)
            continue;
        const struct journal_speed so_far = {.ns = g_strdup(u->ns),
                                             .from = g_strdup(u->from),
                                             .to = g_strdup(u->to),
                                             .seconds = (double)(service_now(s) - u->started_at) / 1000,
                                             .bytes = u->bytes};
        g_array_prepend_val(speeds, so_far);
    }
}

GArray *finish_measured(struct service *s)
{
    journal_bound_reads(s->journal, READ_MS);
    GArray *speeds = setup_speeds(s->journal, service_now(s));
    journal_bound_reads(s->journal, 0);
    if (speeds != NULL)
        add_under_way(s, speeds);
    return speeds;
}

double finish_of_round(const struct service *s, double added_seconds)
{
    struct executor_status st;
    executor_status(s->executor, &st);
    const double passed = (double)(service_now(s) - s->round_started_at) / 1000;
    return MAX(passed, 0) + MAX(st.remaining_seconds, added_seconds);
}

/* As long as windows are open: work of so many seconds from then ends when? 0: never, or nobody can tell. */
static int64_t finish(const struct service *s, int64_t from, double seconds)
{
    if (s->paused || s->stopping || seconds > 1e9)
        return 0;
    const int64_t at = windows_finish(s->windows, from, (int64_t)(seconds * 1000));
    return at == INT64_MAX ? 0 : at;
}

static void fill_speed(const estimate *speed, service_view *v)
{
    v->speed.basis = g_strdup(time_basis_text(speed->basis));
    v->speed.samples = speed->samples;
    v->speed.latency_seconds = speed->latency;
    v->speed.bytes_per_second = speed->seconds_per_byte > 0 ? 1 / speed->seconds_per_byte : 0;
}

static void fill_migrations(const struct look_found *found, service_view *v)
{
    for (guint i = 0; i < v->migrations->len; i++) {
        struct view_migration *m = &g_array_index(v->migrations, struct view_migration, i);
        const double takes = look_seconds(found, m->ns, m->from, m->to, m->bytes) * 1000;
        if (m->split || m->started_at == 0)
            continue;
        m->expected_low = m->started_at + (int64_t)(takes * found->speed->low);
        m->expected_high = m->started_at + (int64_t)(takes * found->speed->high);
    }
}

/* A limit of bytes an hour makes it no faster than that; part of this hour's may be used up. */
static void fill_forecast(const struct service *s, service_view *v)
{
    const struct look_forecast *f = &s->last->found.forecast;
    const int64_t per_hour = s->cfg->cfg->migrations.max_bytes_per_hour;
    const double least = per_hour > 0 ? (double)f->bytes / (double)per_hour * 3600 : 0;
    v->forecast.known = f->made;
    v->forecast.complete = f->complete;
    v->forecast.migrations = f->migrations;
    v->forecast.bytes = f->bytes;
    v->forecast.low_seconds = MAX(f->time.low, least);
    v->forecast.expected_seconds = MAX(f->time.expected, least);
    v->forecast.high_seconds = MAX(f->time.high, least);
    if (!f->made || f->migrations == 0 || !lease_ours(s))
        return;
    v->forecast.finish_low = finish(s, s->last_look_at, v->forecast.low_seconds);
    v->forecast.finish_expected = finish(s, s->last_look_at, v->forecast.expected_seconds);
    v->forecast.finish_high = finish(s, s->last_look_at, v->forecast.high_seconds);
}

void finish_fill(const struct service *s, service_view *v)
{
    if (s->last == NULL)
        return;
    fill_speed(s->last->found.speed, v);
    fill_migrations(&s->last->found, v);
    fill_forecast(s, v);
}
