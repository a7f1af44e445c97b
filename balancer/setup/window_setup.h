// SPDX-License-Identifier: Apache-2.0
/* window_setup.h - which windows count: the configuration's, else the cluster's own.
 * Owns: their order, and how the cluster's settings are read. Never: reads a clock.
 */
#pragma once

#include "balancer/cluster/cluster.h"
#include "balancer/window/window_config.h"

/* `cl` NULL: not read yet, so that only the configuration counts. The time zone of the cluster's config
 * servers is not known here; UTC is what they mostly have. ERR_CONFIG, ERR_DATA. */
bool setup_windows(const config *cfg, const cluster *cl, windows **ret, struct err *err);
