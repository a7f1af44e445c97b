// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a collection of a dump; the first byte says which. Two shards and a collection are there
 * before, so that chunks and zones find what they belong to. */
#include "balancer/source/readers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(builder *b, enum doc_kind kind, uint64_t index, const char *json)
{
    bson_t doc;
    bool ok = bson_init_from_json(&doc, json, -1, NULL);
    g_assert(ok);
    ok = builder_add(b, kind, index, bson_get_data(&doc), doc.len, NULL);
    g_assert(ok);
    bson_destroy(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct err err = {0};
    g_autoptr(stream) st = stream_open_memory(data + 1, size - 1, 16);
    g_autoptr(builder) b = builder_new();
    add(b, DOC_SHARD, 0, "{\"_id\": \"s0\", \"host\": \"s0/h:1\"}");
    add(b, DOC_SHARD, 1, "{\"_id\": \"s1\", \"host\": \"s1/h:2\", \"tags\": [\"EU\"]}");
    add(b, DOC_COLLECTION, 0,
        "{\"_id\": \"d.c\", \"lastmodEpoch\": {\"$oid\": \"5f0000000000000000000001\"}, \"key\": {\"k\": "
        "1}}");
    cluster *model = NULL;
    bool ok = documents_read(st, (enum doc_kind)(data[0] % DOC_KIND_COUNT), b, &err) &&
              builder_finish(b, &model, &err);
    g_assert(ok == (err.cls == ERR_NONE));
    cluster_free(model);
    return 0;
}
