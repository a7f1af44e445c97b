// SPDX-License-Identifier: Apache-2.0
/* Shared by window*.c. */
#pragma once

#include "balancer/window/window.h"

struct window {
    unsigned days;           /* bit 0 Sunday */
    int start_min, stop_min; /* since midnight, never equal */
    bool one_day;            /* start > stop: early and late on that day, not over midnight */
    GTimeZone *zone;
    char *zone_name; /* "": the host's own */
};

struct windows {
    GArray *list; /* struct window */
};
