// SPDX-License-Identifier: Apache-2.0
#include "balancer/window/window_config.h"

bool windows_from_config(const config *c, windows **ret, struct err *err)
{
    g_autoptr(windows) w = windows_new();
    for (guint i = 0; i < c->balancer.windows->len; i++) {
        const struct config_window *from = &g_array_index(c->balancer.windows, struct config_window, i);
        if (!windows_add(w, from->days, from->start_min, from->stop_min, from->timezone, err))
            return err_wrap(err, "balancer.windows[%u]", i + 1);
    }
    *ret = g_steal_pointer(&w);
    return true;
}
