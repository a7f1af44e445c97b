// SPDX-License-Identifier: Apache-2.0
/* model_text.h - a model written out line by line, so that two can be compared and the difference read.
 * Owns: the lines. Never: changes the model.
 */
#pragma once

#include "balancer/cluster/cluster.h"

/* `all` false leaves out what a dump and a snapshot of the same cluster do not share: sizes, history, the
 * server's version, the time, and warnings. The caller frees. */
char *model_text(const cluster *c, bool all);
