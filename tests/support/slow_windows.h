// SPDX-License-Identifier: Apache-2.0
/* slow_windows.h - windows of time by walking through it minute by minute, to check the fast ones against.
 * Owns: a walk of a clock on the wall per window, which keeps the furthest that it has shown. Never: shares
 * code with balancer/window, or computes when something will be: it goes there.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct slow_window {
    unsigned days; /* bit 0 Sunday */
    int start_min, stop_min;
    bool one_day; /* start > stop: early and late on the same day */
    const char *zone;
};

/* For each minute of [from_min, to_min), in minutes of UTC since 1970, whether a window is open; no window:
 * always. Right where clocks change at whole minutes. The caller unrefs. */
GByteArray *slow_windows_walk(const struct slow_window *list, size_t n, int64_t from_min, int64_t to_min);
