// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a file of zones, JSON or BSON, for a cluster of two shards and two collections. The first byte
 * is the size of the reader's window at first. */
#include "balancer/source/readers.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char metadata[] =
    "{\"shards\":[{\"_id\":\"s0\",\"tags\":[\"A\"]},{\"_id\":\"s1\"}],"
    "\"collections\":[{\"_id\":\"d.c\",\"key\":{\"a\":1,\"b\":1}},{\"_id\":\"d.e\",\"key\":{\"h\":\"hashed\"}"
    "}],"
    "\"tags\":[{\"ns\":\"d.c\",\"min\":{\"a\":1},\"max\":{\"a\":2},\"tag\":\"A\"}],"
    "\"chunks\":[{\"ns\":\"d.c\",\"min\":{\"a\":{\"$minKey\":1},\"b\":{\"$minKey\":1}},"
    "\"max\":{\"a\":{\"$maxKey\":1},\"b\":{\"$maxKey\":1}},\"shard\":\"s0\"},"
    "{\"ns\":\"d.e\",\"min\":{\"h\":{\"$minKey\":1}},\"max\":{\"h\":{\"$maxKey\":1}},\"shard\":\"s1\"}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct err err = {0};
    g_autoptr(stream) cluster_file = stream_open_memory((const uint8_t *)metadata, strlen(metadata), 512);
    g_autoptr(stream) st = stream_open_memory(data + 1, size - 1, data[0]);
    g_autoptr(change_list) wishes = changes_new();
    g_autoptr(builder) b = builder_new();
    cluster *model = NULL;
    g_assert(changes_zones_file(wishes, "zones.json", &err) && snapshot_read(cluster_file, b, &err));
    bool ok =
        zones_read(st, wishes, 0, &err) && changes_make(wishes, b, &err) && builder_finish(b, &model, &err);
    g_assert(ok == (err.cls == ERR_NONE));
    for (uint32_t i = 0; ok && i < model->n_collections; i++)
        g_assert(model->collections[i].invalid == NULL); /* damage that is wished is refused */
    g_free(change_text(&g_array_index(wishes->list, struct wished, 0)));
    cluster_free(model);
    return 0;
}
