// SPDX-License-Identifier: Apache-2.0
/* uri.h - connection strings: checked, given our defaults, and shown without what is secret in them.
 * Owns: which parts of a URI may be seen. Never: connects; repeats a piece of a URI that it did not
 * understand, since that piece may be the end of a password.
 */
#pragma once

#include "common/err.h"

#include <mongoc/mongoc.h>
#include <stdbool.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(mongoc_uri_t, mongoc_uri_destroy)

/* Reads mongodb:// or mongodb+srv://. ERR_USAGE tells what is wrong, and shows no more of it than
 * uri_shown(). Silences libmongoc's log. Where the URI does not say so itself: appname, and timeouts that
 * suit short reads. */
bool uri_parse(const char *text, mongoc_uri_t **ret, struct err *err);

/* Scheme, hosts, and options that are no secret: no user, no password, no database to authenticate with, no
 * paths of keys. The caller frees. */
char *uri_shown_parsed(const mongoc_uri_t *uri);

/* The same of any text; scheme and asterisks of one that is not a sound URI. */
char *uri_shown(const char *text);
