// SPDX-License-Identifier: Apache-2.0
/* What stays as it was at the start, whatever a reload brings. */
#include "common/config/config.h"

#include <string.h>

static bool keep_text(void *to, const void *from)
{
    char **fresh = to;
    const char *old = *(char *const *)from;
    if (g_strcmp0(*fresh, old) == 0)
        return false;
    g_free(*fresh);
    *fresh = g_strdup(old);
    return true;
}

static bool keep_listen(void *to, const void *from)
{
    struct config_listen *fresh = to;
    const struct config_listen *old = from;
    bool port = fresh->port != old->port;
    fresh->port = old->port;
    return keep_text(&fresh->host, &old->host) || port;
}

static bool keep_bytes(void *to, const void *from, size_t n)
{
    if (memcmp(to, from, n) == 0)
        return false;
    memcpy(to, from, n);
    return true;
}

/* Whether they differed. Lists, maps and what else holds several values are all reloadable: a test sees to
 * that. */
static bool keep(const struct config_key *key, void *to, const void *from)
{
    switch (key->type) {
    case CONFIG_BOOL:
        return keep_bytes(to, from, sizeof(bool));
    case CONFIG_INT:
    case CONFIG_BYTES:
    case CONFIG_DURATION:
        return keep_bytes(to, from, sizeof(int64_t));
    case CONFIG_NUMBER:
        return keep_bytes(to, from, sizeof(double));
    case CONFIG_ENUM:
    case CONFIG_MODE:
    case CONFIG_TIME:
        return keep_bytes(to, from, sizeof(int));
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_URI:
    case CONFIG_NAMESPACE:
    case CONFIG_TIMEZONE:
        return keep_text(to, from);
    case CONFIG_LISTEN:
        return keep_listen(to, from);
    default:
        return false;
    }
}

void config_keep_fixed(config *fresh, const config *old, GPtrArray *ret_changed)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++)
        if (!keys[i].reload &&
            keep(&keys[i], (char *)fresh + keys[i].offset, (const char *)old + keys[i].offset))
            g_ptr_array_add(ret_changed, (gpointer)keys[i].name);
}
