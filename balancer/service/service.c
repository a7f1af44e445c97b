// SPDX-License-Identifier: Apache-2.0
/* The loop: what lives on it, how it starts, and how it ends. */
#include "balancer/service/service_private.h"

#include "balancer/service/control.h"
#include "balancer/watch/http.h"
#include "common/notify/notify.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* After SIGTERM migrations under way get this long to end; then they are left to the cluster. systemd's own
 * patience (TimeoutStopSec) is longer. */
enum { GRACE_MS = 60 * 1000, END_MS = 100 };

int64_t service_now(const struct service *s)
{
    (void)s;
    return g_get_real_time() / 1000;
}

static void on_timer(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    service_tick(data);
}

void service_tick_at(struct service *s, int64_t at)
{
    int64_t wait = MAX(at - service_now(s), 0);
    struct timeval pending = {0};
    const struct timeval tv = {(time_t)(wait / 1000), (suseconds_t)(wait % 1000 * 1000)};
    if (event_pending(s->timer, EV_TIMEOUT, &pending) != 0) {
        struct timeval now;
        event_base_gettimeofday_cached(s->base, &now);
        int64_t left = ((int64_t)pending.tv_sec - now.tv_sec) * 1000 + (pending.tv_usec - now.tv_usec) / 1000;
        if (left <= wait)
            return;
    }
    event_add(s->timer, &tv);
}

void service_fail(struct service *s, const struct err *err)
{
    if (s->fatal.cls == ERR_NONE)
        s->fatal = *err;
    service_tick_at(s, service_now(s));
}

static void begin_stop(struct service *s, const char *why)
{
    if (s->stopping)
        return;
    s->stopping = true;
    s->stop_at = service_now(s) + GRACE_MS;
    log_put(s->log, LOG_SERVICE_STOP, log_str("why", why));
    tell_stopping(s, GRACE_MS);
    rounds_stop(s, "stopping");
}

/* Migrations that are under way end, or their time does; then the cluster gets its own balancer back. */
static void stop_tick(struct service *s, int64_t now)
{
    if (now >= s->stop_at && s->executor != NULL)
        log_put(s->log, LOG_SERVICE_GRACE_OVER, log_seconds("grace", GRACE_MS / 1000.0));
    if (now >= s->stop_at || s->leave)
        rounds_leave(s);
    else if (!rounds_idle(s) || switch_restore_builtin(s)) {
        service_tick_at(s, s->stop_at);
        return;
    }
    event_base_loopbreak(s->base);
}

void service_tick(struct service *s)
{
    const gint64 began = g_get_monotonic_time();
    const int64_t now = service_now(s);
    if (s->fatal.cls != ERR_NONE)
        begin_stop(s, s->fatal.msg);
    lease_tick(s);
    if (s->reload_acting && s->executor == NULL) {
        rounds_forget_acting(s);
        s->reload_acting = false;
    }
    rounds_tick(s, now);
    prune_tick(s, now);
    lag_tick(s, now);
    holds_find(s, now);
    holds_tell(s);
    if (s->stopping)
        stop_tick(s, now);
    pulse_took(s, began);
}

static void on_signal(evutil_socket_t number, short what, void *data)
{
    struct service *s = data;
    struct err err = {0};
    const struct service_asker by = {.who = "signal"};
    const struct service_round_ask ask = {0};
    bool queued;
    int64_t round;
    (void)what;
    if (number == SIGHUP) {
        service_reload(s, &by, &err);
    } else if (number == SIGUSR1) {
        if (!s->ops.round(s, &by, &ask, NULL, NULL, &round, &queued, &err))
            log_put(s->log, LOG_CONTROL_REFUSED, log_str("op", "round"), log_str("who", by.who),
                    log_err(&err));
    } else if (s->stopping)
        s->leave = true;
    else
        begin_stop(s, number == SIGTERM ? "SIGTERM" : "SIGINT");
    service_tick(s);
}

/* --- start and end --- */

static const int signal_numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

static bool add_signals(struct service *s, struct err *err)
{
    for (size_t i = 0; i < G_N_ELEMENTS(signal_numbers); i++) {
        s->signals[i] = evsignal_new(s->base, signal_numbers[i], on_signal, s);
        if (s->signals[i] == NULL || event_add(s->signals[i], NULL) != 0)
            return err_set(err, ERR_UNAVAILABLE, "cannot watch signal %d", signal_numbers[i]);
    }
    return true;
}

/* Who asks once more, so late, does not make an orderly end a death: what libevent puts back kills. */
static void forget_signals(struct service *s)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < G_N_ELEMENTS(signal_numbers); i++)
        sigaddset(&set, signal_numbers[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(signal_numbers); i++) {
        if (s->signals[i] != NULL)
            event_free(s->signals[i]);
        signal(signal_numbers[i], SIG_IGN);
    }
}

static bool open_loop(struct service *s, struct err *err)
{
    s->base = event_base_new();
    if (s->base == NULL)
        return err_set(err, ERR_UNAVAILABLE, "no event loop: out of memory or descriptors");
    s->timer = evtimer_new(s->base, on_timer, s);
    if (s->timer == NULL)
        return err_set(err, ERR_UNAVAILABLE, "no timers: out of memory");
    return pulse_start(s, err) && add_signals(s, err) && offload_new(s->base, "brain", &s->brain, err);
}

static void on_refused(void *data, const char *peer, const char *code)
{
    const struct service *s = data;
    log_put(s->log, LOG_HTTP_REFUSED, log_str("peer", peer), log_str("code", code));
}

static bool open_http(struct service *s, struct err *err)
{
    const config *cfg = s->cfg->cfg;
    const struct http_options opt = {.base = s->base,
                                     .ops = &s->ops,
                                     .host = cfg->http.listen.host,
                                     .port = cfg->http.listen.port,
                                     .token_file = cfg->http.token_file,
                                     .refused = on_refused,
                                     .refused_data = s};
    if (opt.host == NULL)
        return true;
    if (!http_new(&opt, &s->http, err))
        return false;
    g_autofree char *address = http_address(s->http);
    log_put(s->log, LOG_HTTP_LISTEN, log_str("address", address));
    if (http_is_exposed(s->http))
        log_put(s->log, LOG_HTTP_EXPOSED, log_str("address", address));
    return true;
}

static bool open_doors(struct service *s, struct err *err)
{
    const config *cfg = s->cfg->cfg;
    s->ops = service_ops_of(s);
    const struct control_options control = {.path = cfg->control.socket, .mode = (unsigned)cfg->control.mode};
    if (!control_new(s->base, &control, &s->ops, s->log, &s->control, err))
        return false;
    log_put(s->log, LOG_CONTROL_LISTEN, log_str("socket", control.path));
    return open_http(s, err);
}

static bool open_journal(struct service *s, struct err *err)
{
    const char *path = s->opt.journal != NULL ? s->opt.journal : s->cfg->cfg->journal.path;
    return journal_open(path, JOURNAL_WRITE, &s->journal, err) && service_remember_pause(s, err);
}

/* Workers that wait for the cluster use the pool and the guard. */
static void close_acting(struct service *s)
{
    if (!s->left)
        rounds_forget_acting(s);
}

static void close_threads(struct service *s)
{
    s->left |= !offload_free(s->brain, END_MS);
    s->brain = NULL;
    s->left |= !offload_free(s->lagger, END_MS);
    s->lagger = NULL;
    lease_stop(s);
}

static void close_all(struct service *s)
{
    control_free(s->control);
    http_free(s->http);
    if (s->base != NULL)
        close_threads(s);
    close_acting(s);
    pulse_stop(s);
    forget_signals(s);
    g_clear_pointer(&s->timer, event_free);
    g_clear_pointer(&s->base, event_base_free);
    journal_free(s->journal);
}

static void service_clear(struct service *s)
{
    forced_free(s->running);
    forced_free(s->waiting);
    look_unref(s->last);
    g_ptr_array_unref(s->round_works);
    holds_clear(s->holds);
    g_array_unref(s->holds);
    g_free(s->told_hold);
    g_free(s->lag);
    g_array_unref(s->history);
    service_view_free(s->counted);
    windows_free(s->windows);
    shared_config_unref(s->cfg);
    log_free(s->log);
    g_free(s->pause_who);
    g_free(s->pause_reason);
    g_free(s->uri);
}

static void drop_work(gpointer w)
{
    work_free(w);
}

static void init(struct service *s, const struct service_options *opt)
{
    const enum log_level level =
        opt->level == SERVICE_LEVEL_CONFIGURED ? LOG_LEVEL_INFO : (enum log_level)opt->level;
    *s = (struct service){.opt = *opt, .windows = windows_new()};
    s->holds = g_array_new(FALSE, TRUE, sizeof(struct view_hold));
    s->history = g_array_new(FALSE, TRUE, sizeof(struct view_point));
    s->round_works = g_ptr_array_new_with_free_func(drop_work);
    s->counted = service_view_new();
    s->counted_change = -1;
    s->started_at = service_now(s);
    s->log = log_new(&(struct log_options){.level = level});
}

static void go(struct service *s)
{
    log_put(s->log, LOG_SERVICE_START, log_str("version", EVENKEEL_VERSION), log_i64("pid", getpid()),
            log_str("journal", s->opt.journal != NULL ? s->opt.journal : s->cfg->cfg->journal.path));
    tell_ready(s);
    service_tick_at(s, service_now(s));
    event_base_dispatch(s->base);
    rounds_leave(s);
}

bool service_run(const struct service_options *opt, bool *ret_left, struct err *err)
{
    struct service s;
    init(&s, opt);
    bool started = service_load(&s, err) && open_journal(&s, err) && open_loop(&s, err) &&
                   lease_open(&s, err) && open_doors(&s, err);
    if (started)
        go(&s);
    close_all(&s);
    if (started && s.fatal.cls != ERR_NONE) {
        log_put(s.log, LOG_SERVICE_FAILED, log_err(&s.fatal));
        *err = s.fatal;
        started = false;
    }
    *ret_left = s.left;
    service_clear(&s);
    return started;
}
