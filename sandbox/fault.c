// SPDX-License-Identifier: Apache-2.0
#include "sandbox/fault.h"

#include <stdarg.h>
#include <stdio.h>

bool fault_say(struct fault *f, int code, const char *fmt, ...)
{
    va_list args;
    fault_clear(f);
    va_start(args, fmt);
    f->code = code;
    f->message = g_strdup_vprintf(fmt, args);
    va_end(args);
    return false;
}

void fault_clear(struct fault *f)
{
    g_clear_pointer(&f->message, g_free);
    g_clear_pointer(&f->details, bson_destroy);
    f->code = 0;
}

/* Failures without a code are how some old commands fail; drivers must live with that. */
void fault_append(const struct fault *f, bson_t *reply)
{
    char scratch[SB_CODE_NAME_MAX];
    bson_append_double(reply, "ok", -1, 0);
    bson_append_utf8(reply, "errmsg", -1, f->message == NULL ? "" : f->message, -1);
    if (f->code != 0) {
        bson_append_int32(reply, "code", -1, f->code);
        bson_append_utf8(reply, "codeName", -1, sb_code_name(f->code, scratch), -1);
    }
    if (f->details != NULL)
        bson_concat(reply, f->details);
}
