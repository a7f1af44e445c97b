// SPDX-License-Identifier: Apache-2.0
/* Fills a view from the service's state. */
#include "balancer/service/service_private.h"

#include "balancer/key/show.h"
#include "common/text.h"
#include "migrations/journal/history.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void fill_pause(const struct service *s, service_view *v)
{
    v->pause.paused = s->paused;
    v->pause.who = g_strdup(s->pause_who);
    v->pause.reason = g_strdup(s->pause_reason);
    v->pause.since = s->paused_at;
    const struct window_now w = service_window(s, v->at);
    v->window.always = w.always;
    v->window.open = w.open || w.always;
    v->window.changes_at = w.always ? 0 : w.changes_at;
    v->window.text = windows_text(s->windows);
    for (guint i = 0; i < s->holds->len; i++) {
        const struct view_hold *from = &g_array_index(s->holds, struct view_hold, i);
        const struct view_hold h = {g_strdup(from->code), g_strdup(from->text), from->until};
        g_array_append_val(v->holds, h);
    }
}

static void fill_migrations(const struct service *s, service_view *v)
{
    if (s->executor == NULL)
        return;
    g_autoptr(GArray) list = executor_list(s->executor);
    for (guint i = 0; i < list->len; i++) {
        const struct executor_under_way *u = &g_array_index(list, struct executor_under_way, i);
        double takes = u->split ? 0 : look_seconds(&s->last->found, u->ns, u->from, u->to, u->bytes);
        const struct view_migration m = {.row = u->row,
                                         .split = u->split,
                                         .settling = u->settling,
                                         .ns = g_strdup(u->ns),
                                         .from = g_strdup(u->from),
                                         .to = g_strdup(u->to),
                                         .min = key_json_text(u->min),
                                         .max = key_json_text(u->max),
                                         .bytes = u->bytes,
                                         .started_at = u->started_at,
                                         .expected_end = u->started_at + (int64_t)(takes * 1000),
                                         .attempt = u->attempt};
        g_array_append_val(v->migrations, m);
    }
}

/* As long as windows are open: work of so many seconds from now ends when? */
static int64_t finish(const struct service *s, int64_t now, double seconds)
{
    int64_t at = windows_finish(s->windows, now, (int64_t)(seconds * 1000));
    return at == INT64_MAX ? 0 : at;
}

/* How the rest of a round may differ from what is expected of it: as the newest plan as a whole may; single
 * migrations stray further. */
static void range_of_round(const struct service *s, double *ret_low, double *ret_high)
{
    const struct look_found *found = &s->last->found;
    const struct plan_time *t = &found->plan->summary.time;
    *ret_low = t->expected > 0 ? t->low / t->expected : found->speed->low;
    *ret_high = t->expected > 0 ? t->high / t->expected : found->speed->high;
}

static void fill_round(struct service *s, service_view *v)
{
    struct executor_status st;
    if (s->executor == NULL || s->round == 0)
        return;
    executor_status(s->executor, &st);
    double low, high;
    range_of_round(s, &low, &high);
    v->round.id = s->round;
    v->round.kind = g_strdup(s->running != NULL ? "forced" : "scheduled");
    v->round.done = st.committed + st.already + st.splits;
    v->round.failed = st.failed + st.dropped;
    v->round.steps = v->round.done + v->round.failed + (uint32_t)st.waiting + st.under_way;
    v->round.bytes = st.bytes + st.bytes_left;
    v->round.bytes_done = st.bytes;
    double took = (double)(v->at - s->round_started_at) / 1000;
    v->round.bytes_per_second = took > 1 ? (double)st.bytes / took : 0;
    v->round.finish_low = finish(s, v->at, st.remaining_seconds * low);
    v->round.finish_expected = finish(s, v->at, st.remaining_seconds);
    v->round.finish_high = finish(s, v->at, st.remaining_seconds * high);
}

static void share(GArray **to, GArray *from)
{
    g_array_unref(*to);
    *to = g_array_ref(from);
}

static void fill_plan(const struct service *s, service_view *v)
{
    if (s->last == NULL)
        return;
    const service_view *from = s->last->found.view;
    share(&v->collections, from->collections);
    share(&v->shards, from->shards);
    share(&v->blocked, from->blocked);
    v->n_collections = from->n_collections;
    v->n_imbalanced = from->n_imbalanced;
    v->imbalance = from->imbalance;
    v->planned_at = s->last_look_at;
    v->policy = g_strdup(from->policy);
    v->cluster.name = g_strdup(from->cluster.name);
    v->cluster.version = g_strdup(from->cluster.version);
    v->cluster.id = g_strdup(from->cluster.id);
    v->builtin_balancer = g_strdup(from->builtin_balancer);
}

static bool on_round(void *data, const struct history_round *r, struct err *err)
{
    service_view *v = data;
    const struct view_round vr = {.id = r->id,
                                  .kind = g_strdup(r->kind),
                                  .state = g_strdup(r->state),
                                  .who = g_strdup(r->who),
                                  .reason = g_strdup(r->reason),
                                  .note = g_strdup(r->note),
                                  .started_at = r->started_at,
                                  .ended_at = r->ended_at,
                                  .planned = r->planned_migrations,
                                  .committed = r->committed,
                                  .failed = r->failed,
                                  .splits = r->splits,
                                  .planned_bytes = r->planned_bytes,
                                  .bytes = r->bytes,
                                  .planned_seconds = r->planned_seconds};
    (void)err;
    g_array_prepend_val(v->rounds, vr);
    return true;
}

/* Read again only when something was written: a service is looked at more often than it does something. */
static void fill_rounds(struct service *s, service_view *v)
{
    struct err ignored = {0};
    int64_t change = 0;
    const struct history_filter newest = {.limit = VIEW_ROUNDS};
    if (!history_change(s->journal, &change, &ignored) || change != s->counted_change) {
        g_autoptr(service_view) fresh = service_view_new();
        history_rounds(s->journal, &newest, on_round, fresh, &ignored);
        share(&s->counted->rounds, fresh->rounds);
        s->counted_change = change;
    }
    share(&v->rounds, s->counted->rounds);
}

/* The second number of statm is in pages. */
static int64_t resident_bytes(void)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents("/proc/self/statm", &text, NULL, NULL))
        return 0;
    const char *second = strchr(text, ' ');
    return second == NULL ? 0 : (int64_t)g_ascii_strtoull(second, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static void fill_process(service_view *v)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    v->process.cpu_seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
                             (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    v->process.resident_bytes = resident_bytes();
    g_autoptr(GDir) fds = g_dir_open("/proc/self/fd", 0, NULL);
    while (fds != NULL && g_dir_read_name(fds) != NULL)
        v->process.open_files++;
}

/* A round is open, and everything in it waits for something. */
static bool waits(const struct service *s)
{
    struct executor_status st;
    executor_status(s->executor, &st);
    return st.under_way == 0 && s->holds->len > 0;
}

static enum service_state state_of(const struct service *s)
{
    if (s->stopping)
        return SERVICE_STOPPING;
    if (s->failures > 0 || (s->lease_failures > 0 && !lease_ours(s)))
        return SERVICE_UNREACHABLE;
    if (!lease_ours(s))
        return lease_stands_by(s) ? SERVICE_STANDBY : SERVICE_STARTING;
    if (s->paused)
        return SERVICE_PAUSED;
    if (s->last == NULL)
        return SERVICE_STARTING;
    if (s->executor != NULL)
        return waits(s) ? SERVICE_HELD : SERVICE_MOVING;
    if (s->looking)
        return SERVICE_PLANNING;
    bool to_do = s->last->found.n_steps > 0;
    return s->holds->len > 0 && to_do ? SERVICE_HELD : SERVICE_IDLE;
}

service_view *service_fill_view(struct service *s)
{
    service_view *v = service_view_new();
    v->at = service_now(s);
    v->started_at = s->started_at;
    v->version = g_strdup(EVENKEEL_VERSION);
    v->state = state_of(s);
    v->next_round_at = s->next_round_at;
    lease_fill(s, v);
    fill_pause(s, v);
    fill_plan(s, v);
    fill_migrations(s, v);
    fill_round(s, v);
    fill_rounds(s, v);
    finish_fill(s, v);
    g_array_append_vals(v->history, s->history->data, s->history->len);
    v->count = s->counted->count;
    v->count.control_requests = s->control == NULL ? 0 : control_requests(s->control);
    struct http_counts h = {0};
    if (s->http != NULL)
        h = http_counts(s->http);
    v->count.http_requests = h.requests;
    v->count.http_refused = h.refused;
    v->count.log_dropped = log_dropped(s->log);
    fill_process(v);
    return v;
}

static char *moving_line(struct service *s)
{
    g_autoptr(service_view) v = service_view_new();
    v->at = service_now(s);
    fill_round(s, v);
    struct executor_status st;
    executor_status(s->executor, &st);
    g_autofree char *left = text_bytes(MAX(v->round.bytes - v->round.bytes_done, 0));
    g_autofree char *at = text_iso8601(v->round.finish_expected);
    return g_strdup_printf("moving %u of %u, %s left, done about %.5s UTC", st.under_way,
                           v->round.steps - v->round.done - v->round.failed, left,
                           v->round.finish_expected == 0 ? "?" : at + strlen("2026-11-21T"));
}

/* "moving 3 of 128, 41 GiB left, done about 03:20 UTC". */
char *service_status_line(struct service *s)
{
    const enum service_state state = state_of(s);
    if (state == SERVICE_MOVING && s->round != 0)
        return moving_line(s);
    if (s->holds->len > 0)
        return g_strdup_printf("%s: %s", service_state_text(state),
                               g_array_index(s->holds, struct view_hold, 0).text);
    if (state != SERVICE_IDLE)
        return g_strdup(service_state_text(state));
    const service_view *seen = s->last->found.view;
    return g_strdup_printf("idle, %u of %u collections imbalanced", seen->n_imbalanced, seen->n_collections);
}
