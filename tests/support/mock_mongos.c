// SPDX-License-Identifier: Apache-2.0
#include "tests/support/mock_mongos.h"

#include <arpa/inet.h>
#include <bson/bson.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OP_REPLY = 1, OP_QUERY = 2004, OP_MSG = 2013, MESSAGE_MAX = 1 << 24 };

struct source {
    char *ns;
    GPtrArray *versions; /* bson_t * arrays */
    unsigned reads, cuts;
};

struct mock_mongos {
    int listener;
    uint16_t port;
    int stop[2]; /* a pipe; closing its end stops the thread */
    GThread *thread;
    GMutex lock;    /* of log */
    GPtrArray *log; /* bson_t * */
    GPtrArray *sources;
    GHashTable *replies; /* command -> bson_t * */
    GHashTable *faults;  /* command or ns -> code */
    bool is_mongos;
    char *version;
    unsigned batch;
    /* The one cursor that is open. */
    char *cursor_ns;
    GPtrArray *cursor_docs; /* bson_t * */
    guint cursor_at;
};

static void source_free(gpointer data)
{
    struct source *s = data;
    g_free(s->ns);
    g_ptr_array_unref(s->versions);
    g_free(s);
}

static bson_t *from_json(const char *json)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (doc == NULL)
        g_error("mock_mongos: %s: %s", error.message, json);
    return doc;
}

static struct source *source_of(mock_mongos *m, const char *ns)
{
    for (guint i = 0; i < m->sources->len; i++)
        if (strcmp(((struct source *)m->sources->pdata[i])->ns, ns) == 0)
            return m->sources->pdata[i];
    struct source *s = g_new0(struct source, 1);
    s->ns = g_strdup(ns);
    s->versions = g_ptr_array_new_with_free_func((GDestroyNotify)bson_destroy);
    g_ptr_array_add(m->sources, s);
    return s;
}

static bool read_exact(const mock_mongos *m, int fd, void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        struct pollfd wait[] = {{.fd = fd, .events = POLLIN}, {.fd = m->stop[0], .events = POLLIN}};
        if (poll(wait, 2, -1) < 0 || wait[1].revents != 0)
            return false;
        ssize_t n = recv(fd, (char *)data + done, len - done, 0);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static uint32_t u32(const uint8_t *p)
{
    uint32_t n;
    memcpy(&n, p, sizeof n);
    return GUINT32_FROM_LE(n);
}

static void put_u32(GByteArray *out, uint32_t n)
{
    n = GUINT32_TO_LE(n);
    g_byte_array_append(out, (const guint8 *)&n, sizeof n);
}

static bool send_reply(int fd, uint32_t op, uint32_t id, const bson_t *doc)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    put_u32(out, 0);
    put_u32(out, 1);
    put_u32(out, id);
    put_u32(out, op == OP_QUERY ? OP_REPLY : OP_MSG);
    put_u32(out, 0); /* flags */
    if (op == OP_QUERY)
        for (unsigned i = 0; i < 4; i++) /* cursor id (8), start, number returned */
            put_u32(out, i == 3 ? 1 : 0);
    else
        g_byte_array_append(out, (const guint8 *)"", 1);
    g_byte_array_append(out, bson_get_data(doc), doc->len);
    uint32_t len = GUINT32_TO_LE(out->len);
    memcpy(out->data, &len, sizeof len);
    return send(fd, out->data, out->len, MSG_NOSIGNAL) == (ssize_t)out->len;
}

static void reply_hello(const mock_mongos *m, bson_t *reply)
{
    BSON_APPEND_BOOL(reply, "ismaster", true);
    if (m->is_mongos)
        BSON_APPEND_UTF8(reply, "msg", "isdbgrid");
    BSON_APPEND_INT32(reply, "maxBsonObjectSize", 16 * 1024 * 1024);
    BSON_APPEND_INT32(reply, "maxMessageSizeBytes", 48000000);
    BSON_APPEND_INT32(reply, "maxWriteBatchSize", 100000);
    BSON_APPEND_INT32(reply, "minWireVersion", 0);
    BSON_APPEND_INT32(reply, "maxWireVersion", 9);
    BSON_APPEND_INT32(reply, "logicalSessionTimeoutMinutes", 30);
    BSON_APPEND_DATE_TIME(reply, "localTime", 1);
    BSON_APPEND_INT32(reply, "ok", 1);
}

static void reply_fault(int code, bson_t *reply)
{
    BSON_APPEND_INT32(reply, "ok", 0);
    /* Servers name the user in these. */
    bool names_user = code == 13 || code == 18;
    BSON_APPEND_UTF8(reply, "errmsg", names_user ? "refused for user scott" : "as the test says");
    BSON_APPEND_INT32(reply, "code", code);
}

static bool equal_value(const bson_iter_t *a, const bson_t *doc, const char *name)
{
    bson_iter_t b;
    bson_t x = BSON_INITIALIZER, y = BSON_INITIALIZER;
    if (!bson_iter_init_find(&b, doc, name))
        return false;
    bson_append_iter(&x, "v", -1, a);
    bson_append_iter(&y, "v", -1, &b);
    bool equal = bson_equal(&x, &y);
    bson_destroy(&x);
    bson_destroy(&y);
    return equal;
}

/* Operators match everything. */
static bool matches(const bson_t *filter, const bson_t *doc)
{
    bson_iter_t it;
    if (!bson_iter_init(&it, filter))
        return false;
    while (bson_iter_next(&it))
        if (!BSON_ITER_HOLDS_DOCUMENT(&it) && !equal_value(&it, doc, bson_iter_key(&it)))
            return false;
    return true;
}

static void open_cursor(mock_mongos *m, struct source *s, const bson_t *filter)
{
    g_free(m->cursor_ns);
    m->cursor_ns = g_strdup(s->ns);
    g_ptr_array_set_size(m->cursor_docs, 0);
    m->cursor_at = 0;
    if (s->versions->len == 0)
        return;
    bson_iter_t it;
    bson_iter_init(&it, s->versions->pdata[MIN(s->reads, s->versions->len - 1)]);
    s->reads++;
    while (bson_iter_next(&it)) {
        const uint8_t *data;
        uint32_t len;
        bson_t doc;
        bson_iter_document(&it, &len, &data);
        bson_init_static(&doc, data, len);
        if (matches(filter, &doc))
            g_ptr_array_add(m->cursor_docs, bson_copy(&doc));
    }
}

static void reply_batch(mock_mongos *m, const char *name, bson_t *reply)
{
    bson_t cursor, batch;
    guint end = MIN(m->cursor_at + m->batch, m->cursor_docs->len);
    BSON_APPEND_DOCUMENT_BEGIN(reply, "cursor", &cursor);
    BSON_APPEND_INT64(&cursor, "id", end < m->cursor_docs->len ? 77 : 0);
    BSON_APPEND_UTF8(&cursor, "ns", m->cursor_ns);
    BSON_APPEND_ARRAY_BEGIN(&cursor, name, &batch);
    for (unsigned n = 0; m->cursor_at < end; m->cursor_at++, n++) {
        char number[16];
        snprintf(number, sizeof number, "%u", n);
        BSON_APPEND_DOCUMENT(&batch, number, m->cursor_docs->pdata[m->cursor_at]);
    }
    bson_append_array_end(&cursor, &batch);
    bson_append_document_end(reply, &cursor);
    BSON_APPEND_INT32(reply, "ok", 1);
}

/* False: the connection is to be cut. */
static bool answer_find(mock_mongos *m, const bson_t *cmd, const char *db, bson_t *reply)
{
    bson_iter_t it;
    bson_t filter = BSON_INITIALIZER;
    const uint8_t *data;
    uint32_t len;
    bson_iter_init(&it, cmd);
    bson_iter_next(&it);
    g_autofree char *ns = g_strdup_printf("%s.%s", db, bson_iter_utf8(&it, NULL));
    int code = GPOINTER_TO_INT(g_hash_table_lookup(m->faults, ns));
    if (code != 0) {
        reply_fault(code, reply);
        return true;
    }
    if (bson_iter_init_find(&it, cmd, "filter")) {
        bson_iter_document(&it, &len, &data);
        bson_init_static(&filter, data, len);
    }
    open_cursor(m, source_of(m, ns), &filter);
    reply_batch(m, "firstBatch", reply);
    return true;
}

static bool answer(mock_mongos *m, const bson_t *cmd, bson_t *reply)
{
    bson_iter_t it;
    bson_iter_init(&it, cmd);
    bson_iter_next(&it);
    const char *name = bson_iter_key(&it);
    const char *db = bson_iter_init_find(&it, cmd, "$db") ? bson_iter_utf8(&it, NULL) : "admin";
    int code = GPOINTER_TO_INT(g_hash_table_lookup(m->faults, name));
    const bson_t *fixed = g_hash_table_lookup(m->replies, name);
    if (code != 0) {
        reply_fault(code, reply);
    } else if (fixed != NULL) {
        bson_concat(reply, fixed);
    } else if (g_ascii_strcasecmp(name, "isMaster") == 0 || strcmp(name, "hello") == 0) {
        reply_hello(m, reply);
    } else if (strcmp(name, "buildInfo") == 0) {
        BSON_APPEND_UTF8(reply, "version", m->version);
        BSON_APPEND_INT32(reply, "ok", 1);
    } else if (strcmp(name, "find") == 0) {
        return answer_find(m, cmd, db, reply);
    } else if (strcmp(name, "getMore") == 0) {
        struct source *s = source_of(m, m->cursor_ns);
        if (s->cuts > 0) {
            s->cuts--;
            return false;
        }
        reply_batch(m, "nextBatch", reply);
    } else if (strcmp(name, "endSessions") == 0 || strcmp(name, "killCursors") == 0) {
        BSON_APPEND_INT32(reply, "ok", 1);
    } else {
        reply_fault(59, reply);
    }
    return true;
}

/* The command in a message; false where there is none. */
static bool command_of(const uint8_t *message, uint32_t len, uint32_t op, bson_t *ret)
{
    size_t at = 16 + 4;
    if (op == OP_MSG)
        at += 1;
    else
        at += strlen((const char *)message + at) + 1 + 8;
    return at + 5 <= len && u32(message + at) <= len - at &&
           bson_init_static(ret, message + at, u32(message + at));
}

/* `{$query: {...}}` of an old message is the command inside. */
static void unwrap(bson_t *cmd)
{
    bson_iter_t it;
    const uint8_t *data;
    uint32_t len;
    if (!bson_iter_init_find(&it, cmd, "$query") || !BSON_ITER_HOLDS_DOCUMENT(&it))
        return;
    bson_iter_document(&it, &len, &data);
    bson_init_static(cmd, data, len);
}

static bool serve_message(mock_mongos *m, int fd)
{
    uint8_t head[16];
    bson_t cmd;
    if (!read_exact(m, fd, head, sizeof head))
        return false;
    uint32_t len = u32(head), op = u32(head + 12);
    if (len < 26 || len > MESSAGE_MAX || (op != OP_QUERY && op != OP_MSG))
        return false;
    g_autofree uint8_t *message = g_malloc(len);
    memcpy(message, head, sizeof head);
    if (!read_exact(m, fd, message + 16, len - 16) || !command_of(message, len, op, &cmd))
        return false;
    unwrap(&cmd);
    g_mutex_lock(&m->lock);
    g_ptr_array_add(m->log, bson_copy(&cmd));
    g_mutex_unlock(&m->lock);
    bson_t reply = BSON_INITIALIZER;
    bool done = answer(m, &cmd, &reply) && send_reply(fd, op, u32(head + 4), &reply);
    bson_destroy(&reply);
    return done;
}

/* One connection after the other: the client under test has one. */
static gpointer serve(gpointer data)
{
    mock_mongos *m = data;
    for (;;) {
        struct pollfd wait[] = {{.fd = m->listener, .events = POLLIN}, {.fd = m->stop[0], .events = POLLIN}};
        if (poll(wait, 2, -1) < 0 || wait[1].revents != 0)
            return NULL;
        int fd = accept(m->listener, NULL, NULL);
        while (fd >= 0 && serve_message(m, fd))
            ;
        if (fd >= 0)
            close(fd);
    }
}

mock_mongos *mock_mongos_new(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    mock_mongos *m = g_new0(mock_mongos, 1);
    m->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (m->listener < 0 || bind(m->listener, (struct sockaddr *)&address, len) != 0 ||
        listen(m->listener, 8) != 0 || getsockname(m->listener, (struct sockaddr *)&address, &len) != 0 ||
        pipe(m->stop) != 0)
        g_error("mock_mongos: %s", g_strerror(errno));
    m->port = ntohs(address.sin_port);
    g_mutex_init(&m->lock);
    m->log = g_ptr_array_new_with_free_func((GDestroyNotify)bson_destroy);
    m->sources = g_ptr_array_new_with_free_func(source_free);
    m->replies = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)bson_destroy);
    m->faults = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    m->cursor_docs = g_ptr_array_new_with_free_func((GDestroyNotify)bson_destroy);
    m->is_mongos = true;
    m->version = g_strdup("4.4.0");
    m->batch = 2;
    m->thread = g_thread_new("mock", serve, m);
    return m;
}

void mock_mongos_free(mock_mongos *m)
{
    if (m == NULL)
        return;
    close(m->stop[1]);
    g_thread_join(m->thread);
    close(m->stop[0]);
    close(m->listener);
    g_mutex_clear(&m->lock);
    g_ptr_array_unref(m->log);
    g_ptr_array_unref(m->sources);
    g_hash_table_unref(m->replies);
    g_hash_table_unref(m->faults);
    g_ptr_array_unref(m->cursor_docs);
    g_free(m->cursor_ns);
    g_free(m->version);
    g_free(m);
}

char *mock_mongos_uri(const mock_mongos *m, const char *credentials)
{
    return g_strdup_printf("mongodb://%s127.0.0.1:%u", credentials, m->port);
}

void mock_mongos_role(mock_mongos *m, bool is_mongos, const char *version)
{
    m->is_mongos = is_mongos;
    g_free(m->version);
    m->version = g_strdup(version);
}

void mock_mongos_add(mock_mongos *m, const char *ns, const char *json)
{
    g_ptr_array_add(source_of(m, ns)->versions, from_json(json));
}

void mock_mongos_reply(mock_mongos *m, const char *command, const char *json)
{
    g_hash_table_replace(m->replies, g_strdup(command), from_json(json));
}

void mock_mongos_batch(mock_mongos *m, unsigned n)
{
    m->batch = n;
}

void mock_mongos_fail(mock_mongos *m, const char *command_or_ns, int code)
{
    g_hash_table_replace(m->faults, g_strdup(command_or_ns), GINT_TO_POINTER(code));
}

void mock_mongos_cut(mock_mongos *m, const char *ns, unsigned times)
{
    source_of(m, ns)->cuts = times;
}

GPtrArray *mock_mongos_log(mock_mongos *m, const char *command)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    g_mutex_lock(&m->lock);
    for (guint i = 0; i < m->log->len; i++) {
        bson_iter_t it;
        if (!bson_iter_init(&it, m->log->pdata[i]) || !bson_iter_next(&it) ||
            strcmp(bson_iter_key(&it), command) != 0)
            continue;
        char *json = bson_as_relaxed_extended_json(m->log->pdata[i], NULL);
        g_ptr_array_add(found, g_strdup(json));
        bson_free(json);
    }
    g_mutex_unlock(&m->lock);
    return found;
}
