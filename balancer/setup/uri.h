// SPDX-License-Identifier: Apache-2.0
/* uri.h - which cluster is meant: an option, EVENKEEL_URI, the systemd credential `uri`, cluster.uri,
 * cluster.uriFile. Owns: their order, and reading a file that holds a URI. Never: shows a URI's credentials,
 * or connects.
 */
#pragma once

#include "common/config/config.h"

#include <mongoc/mongoc.h>

/* `given`: of an option, NULL: none; `cfg` NULL: not looked at. The URI may hold a password; the caller
 * frees. NULL where none is named anywhere (ERR_USAGE) or the file cannot be read. *ret_warning (may be
 * NULL): one sentence, to be freed, or NULL. */
char *setup_uri(const config *cfg, const char *given, char **ret_warning, struct err *err);

/* cluster.readPreference; primary where `cfg` is NULL. */
mongoc_read_mode_t setup_read_mode(const config *cfg);
