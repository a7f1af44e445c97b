// SPDX-License-Identifier: Apache-2.0
#include "sandbox/cursors.h"

#include "sandbox/wire.h"

#include <string.h>

enum { MAX_OPEN = 1000, IDLE_MS = 600000 };

struct cursor {
    int64_t id;
    char *ns;
    GPtrArray *docs;
    guint next;
    int64_t used_ms;
};

struct cursors {
    GHashTable *open; /* by id */
    GQueue order;     /* struct cursor, least recently used first */
    GRand *rand;
};

static void cursor_free(gpointer p)
{
    struct cursor *cur = p;
    g_free(cur->ns);
    g_ptr_array_unref(cur->docs);
    g_free(cur);
}

cursors *cursors_new(uint32_t seed)
{
    cursors *c = g_new0(cursors, 1);
    c->open = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, cursor_free);
    c->rand = g_rand_new_with_seed(seed);
    g_queue_init(&c->order);
    return c;
}

void cursors_free(cursors *c)
{
    if (c == NULL)
        return;
    g_queue_clear(&c->order);
    g_hash_table_unref(c->open);
    g_rand_free(c->rand);
    g_free(c);
}

static void end(cursors *c, struct cursor *cur)
{
    g_queue_remove(&c->order, cur);
    g_hash_table_remove(c->open, &cur->id);
}

/* The queue is in order of use, so the search ends at the first that is young enough. */
void cursors_expire(cursors *c, int64_t now_ms)
{
    struct cursor *oldest;
    while ((oldest = g_queue_peek_head(&c->order)) != NULL && oldest->used_ms + IDLE_MS < now_ms)
        end(c, oldest);
}

/* Positive, never 0 (which ends a cursor), and not in use. */
static int64_t new_id(cursors *c)
{
    int64_t id;
    do
        id = (int64_t)((uint64_t)g_rand_int(c->rand) << 31 ^ g_rand_int(c->rand)) & INT64_MAX;
    while (id == 0 || g_hash_table_contains(c->open, &id));
    return id;
}

/* Room is made by ending the one that was asked for longest ago. */
static struct cursor *keep(cursors *c, const char *ns, GPtrArray *docs, int64_t now_ms)
{
    struct cursor *cur = g_new0(struct cursor, 1);
    cursors_expire(c, now_ms);
    if (g_hash_table_size(c->open) >= MAX_OPEN)
        end(c, g_queue_peek_head(&c->order));
    cur->id = new_id(c);
    cur->ns = g_strdup(ns);
    cur->docs = g_ptr_array_ref(docs);
    cur->used_ms = now_ms;
    g_hash_table_insert(c->open, &cur->id, cur);
    g_queue_push_tail(&c->order, cur);
    return cur;
}

/* Documents from *next on, as long as the reply stays within what a reply may hold; at least one, where one
 * is wanted. */
static void append_batch(bson_t *cursor, const char *name, const GPtrArray *docs, guint *next, int64_t batch)
{
    bson_t array;
    uint32_t n = 0;
    int64_t bytes = 0;
    bson_append_array_begin(cursor, name, -1, &array);
    for (; *next < docs->len && (int64_t)n < batch; (*next)++, n++) {
        const bson_t *doc = docs->pdata[*next];
        char key[16];
        const char *index;
        bytes += doc->len + 16;
        if (n > 0 && bytes > WIRE_DOCUMENT_MAX)
            break;
        bson_uint32_to_string(n, &index, key, sizeof key);
        bson_append_document(&array, index, -1, doc);
    }
    bson_append_array_end(cursor, &array);
}

/* A cursor is made only where something is left; clients need not ask for an empty end. */
void cursors_reply_first(cursors *c, const char *ns, GPtrArray *docs, int64_t batch, bool single,
                         int64_t now_ms, bson_t *reply)
{
    bson_t cursor;
    guint next = 0;
    int64_t id = 0;
    bson_append_document_begin(reply, "cursor", -1, &cursor);
    append_batch(&cursor, "firstBatch", docs, &next, batch);
    if (next < docs->len && !single) {
        struct cursor *cur = keep(c, ns, docs, now_ms);
        cur->next = next;
        id = cur->id;
    }
    bson_append_int64(&cursor, "id", -1, id);
    bson_append_utf8(&cursor, "ns", -1, ns, -1);
    bson_append_document_end(reply, &cursor);
    g_ptr_array_unref(docs);
}

/* The namespace must be the cursor's own: an id alone opens no other collection. */
bool cursors_reply_next(cursors *c, int64_t id, const char *ns, int64_t batch, int64_t now_ms, bson_t *reply)
{
    struct cursor *cur = g_hash_table_lookup(c->open, &id);
    bson_t cursor;
    if (cur == NULL || strcmp(cur->ns, ns) != 0)
        return false;
    g_queue_remove(&c->order, cur);
    g_queue_push_tail(&c->order, cur);
    cur->used_ms = now_ms;
    bson_append_document_begin(reply, "cursor", -1, &cursor);
    append_batch(&cursor, "nextBatch", cur->docs, &cur->next, batch == 0 ? INT64_MAX : batch);
    bool more = cur->next < cur->docs->len;
    bson_append_int64(&cursor, "id", -1, more ? id : 0);
    bson_append_utf8(&cursor, "ns", -1, ns, -1);
    bson_append_document_end(reply, &cursor);
    if (!more)
        end(c, cur);
    return true;
}

bool cursors_kill(cursors *c, int64_t id)
{
    struct cursor *cur = g_hash_table_lookup(c->open, &id);
    if (cur == NULL)
        return false;
    end(c, cur);
    return true;
}

guint cursors_open(const cursors *c)
{
    return g_hash_table_size(c->open);
}
