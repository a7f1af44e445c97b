// SPDX-License-Identifier: Apache-2.0
#include "balancer/setup/window_setup.h"

/* activeWindowDOW replaces activeWindow. */
static bool add_cluster(const struct cluster_settings *s, windows *w, struct err *err)
{
    if (s->day_windows == NULL)
        return s->window_start == NULL ||
               windows_add_cluster(w, NULL, s->window_start, s->window_stop, "UTC", err);
    for (guint i = 0; i < s->day_windows->len; i++) {
        const struct cluster_day_window *d = &g_array_index(s->day_windows, struct cluster_day_window, i);
        if (!windows_add_cluster(w, d->day, d->start, d->stop, "UTC", err))
            return false;
    }
    return true;
}

bool setup_windows(const config *cfg, const cluster *cl, windows **ret, struct err *err)
{
    g_autoptr(windows) w = NULL;
    if (!windows_from_config(cfg, &w, err) ||
        (cl != NULL && windows_count(w) == 0 && !add_cluster(&cl->settings, w, err)))
        return false;
    *ret = g_steal_pointer(&w);
    return true;
}
