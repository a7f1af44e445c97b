// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a configuration file: accepted or refused, never a crash, and never refused without a reason.
 */
#include "common/config/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold of every outcome. */
static void check(bool good, const config *c, const GPtrArray *faults, const struct err *err)
{
    unsigned errors = 0;
    for (guint i = 0; i < faults->len; i++) {
        const char *line = faults->pdata[i];
        if (strstr(line, ": error: ") != NULL)
            errors++;
        if (strchr(line, '\n') != NULL || strchr(line, '\033') != NULL || !g_utf8_validate(line, -1, NULL))
            abort();
    }
    if (good ? c == NULL || errors > 0 : c != NULL || errors == 0 || err->cls != ERR_CONFIG)
        abort();
}

/* The struct must be one that the service can rely on. */
static void check_fields(const config *c)
{
    for (guint i = 0; i < c->balancer.windows->len; i++) {
        const struct config_window *w = &g_array_index(c->balancer.windows, struct config_window, i);
        if (w->days == 0 || w->start_min == w->stop_min || w->start_min < 0 || w->stop_min > 1439)
            abort();
    }
    if (c->migrations.retry.backoff > c->migrations.retry.max_backoff || c->balancer.interval < 1000)
        abort();
    if (c->cluster.uri == NULL || c->journal.path == NULL || c->balancer.namespaces == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(config) c = NULL;
    g_autoptr(GPtrArray) faults = NULL;
    struct err err = {0};
    bool good = config_parse("fuzz.yaml", (const char *)data, size, &c, &faults, &err);
    check(good, c, faults, &err);
    if (good)
        check_fields(c);
    return 0;
}
