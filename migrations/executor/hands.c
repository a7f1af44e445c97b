// SPDX-License-Identifier: Apache-2.0
#include "migrations/executor/hands.h"

#include <glib.h>
#include <string.h>

void hands_result_clear(struct hands_result *r)
{
    g_free(r->message);
    bson_destroy(r->min);
    bson_destroy(r->max);
    memset(r, 0, sizeof(*r));
}
