// SPDX-License-Identifier: Apache-2.0
/* metrics.h - a view as metrics in the Prometheus text format, version 0.0.4.
 * Owns: names, help texts, labels and their bounds; docs/metrics.md lists them. Never: counts anything
 * itself.
 */
#pragma once

#include "balancer/watch/view.h"

/* Labels by which a family may have many samples at most; whoever comes after is left out. */
enum { METRICS_SHARDS = 1000, METRICS_COLLECTIONS = 50, METRICS_CODES = 50, METRICS_LABEL_CHARS = 256 };

/* Appends all families. What is not known has no sample. */
void metrics_write(const service_view *v, GString *out);
