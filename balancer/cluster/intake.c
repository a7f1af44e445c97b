// SPDX-License-Identifier: Apache-2.0
#include "balancer/cluster/intake.h"

static bool on_document(void *data, enum doc_kind kind, uint64_t index, const uint8_t *doc, uint32_t len,
                        struct err *err)
{
    return builder_add(data, kind, index, doc, len, err);
}

static bool on_sizes(void *data, const char *ns, const uint8_t *doc, uint32_t len, struct err *err)
{
    return builder_sizes(data, ns, doc, len, err);
}

static bool on_text(void *data, enum intake_text what, const char *text, struct err *err)
{
    if (what == INTAKE_SERVER_VERSION)
        return builder_server_version(data, text, err);
    if (what == INTAKE_USED_SHARD)
        builder_used_shard(data, text);
    else if (what == INTAKE_FIRST_NS)
        builder_first_ns(data, text);
    return true;
}

static bool on_taken_at(void *data, int64_t unix_ms, struct err *err)
{
    (void)err;
    builder_taken_at(data, unix_ms);
    return true;
}

static void on_warn(void *data, const char *code, const char *ns, const char *message)
{
    builder_warn(data, code, ns, message);
}

struct intake intake_builder(builder *b)
{
    return (struct intake){b, on_document, on_sizes, on_text, on_taken_at, on_warn};
}
