// SPDX-License-Identifier: Apache-2.0
/* Values of options that several commands take. */
#include "balancer/cli/cli.h"

#include "common/text.h"

#include <string.h>

bool cli_parse_policy(const char *name, const struct policy **ret_policy, struct err *err)
{
    const struct policy *found = policy_find(name);
    if (found == NULL && strcmp(name, "auto") != 0)
        return err_set(err, ERR_USAGE, "unknown policy '%s'; use auto, count, size or optimal", name);
    *ret_policy = found;
    return true;
}

bool cli_parse_max_bytes(const char *arg, int64_t *ret, struct err *err)
{
    int64_t bytes;
    if (!text_parse_bytes(arg, &bytes, err))
        return false;
    if (bytes == 0)
        return err_set(err, ERR_USAGE, "'%s' would let nothing move; give a size from 1 byte up", arg);
    *ret = bytes;
    return true;
}

bool cli_parse_max_time(const char *arg, int64_t *ret_ms, struct err *err)
{
    int64_t ms;
    if (!text_parse_duration(arg, &ms, err))
        return false;
    if (ms == 0)
        return err_set(err, ERR_USAGE, "'%s' would let nothing move; give a time from 1ms up", arg);
    *ret_ms = ms;
    return true;
}
