// SPDX-License-Identifier: Apache-2.0
/* window_config.h - the windows that a configuration file asks for.
 * Owns: the step from balancer.windows to windows. Never: looks at the cluster's own window, which counts
 * only where the configuration has none: then the result is empty.
 */
#pragma once

#include "balancer/window/window.h"
#include "common/config/config.h"

/* ERR_CONFIG names the window, counted from 1. */
bool windows_from_config(const config *c, windows **ret, struct err *err);
