// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a snapshot, JSON or BSON. The first byte is the size of the reader's window at first. */
#include "balancer/source/readers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct err err = {0};
    g_autoptr(stream) st = stream_open_memory(data + 1, size - 1, data[0]);
    g_autoptr(builder) b = builder_new();
    cluster *model = NULL;
    bool ok = snapshot_read(st, b, &err) && builder_finish(b, &model, &err);
    g_assert(ok == (err.cls == ERR_NONE));
    cluster_free(model);
    return 0;
}
