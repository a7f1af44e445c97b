// SPDX-License-Identifier: Apache-2.0
/* The configuration: read at the start, and again at SIGHUP. A bad file changes nothing. */
#include "balancer/service/service_private.h"

#include "balancer/setup/uri.h"
#include "migrations/mongo/uri.h"

/* Faults are told one by one. */
static bool read_config(const struct service *s, config **ret, struct err *err)
{
    GPtrArray *faults = NULL;
    if (s->opt.config_path == NULL) {
        *ret = config_default();
        return true;
    }
    bool read = config_load(s->opt.config_path, ret, &faults, err);
    for (guint i = 0; i < faults->len; i++)
        log_put(s->log, LOG_CONFIG_FAULT, log_str("fault", faults->pdata[i]));
    g_ptr_array_unref(faults);
    return read;
}

/* What a round needs of the configuration must be sound before it is taken. */
static bool check_planning(const config *cfg, struct err *err)
{
    struct planning planning = {0};
    if (!planning_init(cfg, NULL, &planning, err))
        return false;
    planning_clear(&planning);
    return true;
}

static char *find_uri(const struct service *s, const config *cfg, struct err *err)
{
    g_autofree char *warning = NULL;
    g_autofree char *uri = setup_uri(cfg, s->opt.uri, &warning, err);
    g_autoptr(mongoc_uri_t) parsed = NULL;
    if (warning != NULL)
        log_put(s->log, LOG_CONFIG_FAULT, log_str("fault", warning));
    mongoc_init();
    if (uri == NULL || !uri_parse(uri, &parsed, err))
        return NULL;
    return g_steal_pointer(&uri);
}

/* Keys that need a restart keep their old values, and it is told which. */
static void keep_fixed(const struct service *s, config *cfg)
{
    g_autoptr(GPtrArray) changed = g_ptr_array_new();
    config_keep_fixed(cfg, s->cfg->cfg, changed);
    for (guint i = 0; i < changed->len; i++)
        log_put(s->log, LOG_CONFIG_NEEDS_RESTART, log_str("key", changed->pdata[i]));
}

bool service_load(struct service *s, struct err *err)
{
    g_autoptr(config) cfg = NULL;
    g_autoptr(windows) w = NULL;
    if (!read_config(s, &cfg, err) ||
        !setup_windows(cfg, s->last == NULL ? NULL : s->last->found.cl, &w, err) || !check_planning(cfg, err))
        return false;
    if (s->cfg != NULL)
        keep_fixed(s, cfg);
    else if ((s->uri = find_uri(s, cfg, err)) == NULL)
        return false;
    windows_free(s->windows);
    s->windows = g_steal_pointer(&w);
    log_configure(s->log,
                  s->opt.level == SERVICE_LEVEL_CONFIGURED ? (enum log_level)cfg->log.level
                                                           : (enum log_level)s->opt.level,
                  (enum log_format)cfg->log.format);
    shared_config_unref(s->cfg);
    s->cfg = shared_config_new(g_steal_pointer(&cfg));
    return true;
}

bool service_reload(struct service *s, const struct service_asker *by, struct err *err)
{
    tell_reloading(s);
    bool loaded = service_load(s, err);
    s->counted->count.reloads++;
    struct err token = {0};
    if (loaded && s->http != NULL && !http_reload(s->http, s->cfg->cfg->http.token_file, &token))
        log_put(s->log, LOG_HTTP_FAILED, log_err(&token));
    if (loaded) {
        s->reload_acting = true;
        s->throttled_until = 0;
        log_put(s->log, LOG_SERVICE_RELOAD, log_str("who", by->who));
    } else {
        log_put(s->log, LOG_SERVICE_RELOAD_FAILED, log_str("who", by->who), log_err(err));
    }
    tell_ready(s);
    s->next_round_at = MIN(s->next_round_at, service_now(s) + s->cfg->cfg->balancer.interval);
    service_tick_at(s, service_now(s));
    return loaded;
}
