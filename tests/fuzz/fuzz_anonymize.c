// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a snapshot that is to be anonymised; what comes out is read again. */
#include "balancer/source/anonymize.h"
#include "balancer/source/readers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct err err = {0};
    g_autoptr(stream) st = stream_open_memory(data + 1, size - 1, data[0]);
    g_autoptr(anonymizer) a = anonymizer_new();
    g_autoptr(builder) b = builder_new();
    const struct intake in = anonymizer_intake(a), out = intake_builder(b);
    cluster *model = NULL;
    bool ok = snapshot_read_into(st, &in, &err) && anonymizer_emit(a, &out, &err) &&
              builder_finish(b, &model, &err);
    g_assert(ok == (err.cls == ERR_NONE));
    cluster_free(model);
    return 0;
}
