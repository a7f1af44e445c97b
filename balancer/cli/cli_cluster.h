// SPDX-License-Identifier: Apache-2.0
/* cli_cluster.h - a live cluster as the source of metadata.
 * Owns: connecting to it and reading it, for commands that read files as well. Never: shows a URI's
 * credentials.
 */
#pragma once

#include "balancer/cli/cli.h"
#include "balancer/cluster/intake.h"
#include "migrations/mongo/connect.h"

#include <stdbool.h>

/* The URI, which may hold a password; the caller frees. NULL: ERR_USAGE where none is named anywhere. */
char *cli_cluster_uri(const struct cli_source *s, struct err *err);

/* The model of the cluster as it is now. */
bool cli_cluster_model(const mongo_conn *c, cluster **ret, struct err *err);

/* Connects and reads. *ret_name is the URI without credentials, interned. */
bool cli_cluster_into(const struct cli_source *s, bool fcv, const struct intake *to, const char **ret_name,
                      struct err *err);

/* Reads the source that the options name, of whatever kind; see cli_read_cluster(). */
bool cli_read_into(const struct cli_source *s, bool fcv, const struct intake *to, const char **ret_kind,
                   const char **ret_name, struct err *err);
