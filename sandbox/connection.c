// SPDX-License-Identifier: Apache-2.0
/* A connection does one command at a time, so that replies keep the order of requests. While one waits, at
 * most one message more is read; while much is unsent, none is answered. */
#include "sandbox/server_private.h"
#include "sandbox/wire.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum {
    UNSENT_MAX = 64 * 1024 * 1024, /* above this nothing more is answered, */
    UNSENT_LOW = 1024 * 1024,      /* until it is below this */
    INPUT_MAX = WIRE_MESSAGE_MAX + 64 * 1024,
};

struct connection {
    server *s;
    struct bufferevent *bev;
    struct client *client;
    bool busy;       /* a command is on its way */
    bool processing; /* the loop over messages runs: it frees what died */
    bool closing;    /* to be freed when all is sent */
    bool dead;
    int32_t request_id; /* of the command on its way */
    bool legacy, silent, checksum;
};

/* Also takes back what its client still waits for. */
void connection_free(struct connection *conn)
{
    g_hash_table_remove(conn->s->connections, conn);
    host_client_gone(conn->s->host, conn->client);
    bufferevent_free(conn->bev);
    g_free(conn);
}

/* Inside the loop over messages the connection must live until the loop ends. */
static void drop(struct connection *conn)
{
    if (conn->processing)
        conn->dead = true;
    else
        connection_free(conn);
}

static void process(struct connection *conn);

static void send_reply(struct connection *conn, const bson_t *reply)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    int32_t id = conn->s->next_request_id =
        conn->s->next_request_id == INT32_MAX ? 1 : conn->s->next_request_id + 1;
    if (conn->legacy)
        wire_encode_reply(bytes, id, conn->request_id, reply);
    else
        wire_encode_msg(bytes, id, conn->request_id, conn->checksum, reply);
    bufferevent_write(conn->bev, bytes->data, bytes->len);
}

/* Called at once or later, by the host; then whatever has come in meanwhile gets its turn. */
static void replied(void *user, const bson_t *reply, bool close)
{
    struct connection *conn = user;
    conn->busy = false;
    if (reply == NULL) {
        drop(conn);
        return;
    }
    if (!conn->silent)
        send_reply(conn, reply);
    conn->closing = conn->closing || close;
    if (!conn->processing)
        process(conn);
}

static bool is_greeting(const bson_t *cmd)
{
    bson_iter_t it;
    return bson_iter_init(&it, cmd) && bson_iter_next(&it) &&
           (g_ascii_strcasecmp(bson_iter_key(&it), "ismaster") == 0 ||
            strcmp(bson_iter_key(&it), "hello") == 0);
}

/* The old form of requests is for greetings only, as with servers from 5.1 on. */
static void run_legacy(struct connection *conn, const struct wire_request *r)
{
    bson_iter_t it;
    struct fault f = {0};
    if (strcmp(r->ns, "admin.$cmd") == 0 && is_greeting(r->command)) {
        host_run(conn->s->host, conn->client, "admin", r->command, replied, conn);
        return;
    }
    bool named = g_str_has_suffix(r->ns, ".$cmd") && bson_iter_init(&it, r->command) && bson_iter_next(&it);
    fault_say(
        &f, SB_UNSUPPORTED_OP_QUERY,
        "Unsupported OP_QUERY command: %s. The client driver may require an upgrade. For more details see "
        "https://dochub.mongodb.org/core/legacy-opcode-removal",
        named ? bson_iter_key(&it) : "find");
    host_refuse(conn->s->host, &f, replied, conn);
    fault_clear(&f);
}

/* A message that asks for no answer (moreToCome) is run like any other, in its turn. */
static void run_message(struct connection *conn, const uint8_t *bytes, size_t len)
{
    struct wire_request r;
    enum wire_verdict verdict = wire_decode(bytes, len, &r);
    conn->busy = true;
    conn->request_id = r.header.request_id;
    conn->legacy = r.header.opcode == WIRE_OP_QUERY;
    conn->silent = !conn->legacy && (r.flags & WIRE_MORE_TO_COME) != 0;
    conn->checksum = !conn->legacy && (r.flags & WIRE_CHECKSUM_PRESENT) != 0;
    if (verdict == WIRE_DROP) {
        conn->dead = true;
    } else if (verdict == WIRE_ANSWER_ERROR) {
        struct fault f = {0};
        fault_say(&f, r.code, "%s", r.message);
        host_refuse(conn->s->host, &f, replied, conn);
        fault_clear(&f);
    } else if (conn->legacy) {
        run_legacy(conn, &r);
    } else {
        host_run(conn->s->host, conn->client, NULL, r.command, replied, conn);
    }
    wire_request_clear(&r);
}

/* Takes one whole message, if there is one. */
static bool next_message(struct connection *conn)
{
    struct evbuffer *in = bufferevent_get_input(conn->bev);
    uint8_t bytes[WIRE_HEADER_LEN];
    struct wire_header header;
    size_t have = evbuffer_get_length(in);
    if (have < WIRE_HEADER_LEN) {
        bufferevent_setwatermark(conn->bev, EV_READ, WIRE_HEADER_LEN, INPUT_MAX);
        return false;
    }
    evbuffer_copyout(in, bytes, sizeof bytes);
    if (!wire_read_header(bytes, &header)) {
        conn->dead = true;
        return false;
    }
    size_t len = (size_t)header.length;
    if (have < len) {
        bufferevent_setwatermark(conn->bev, EV_READ, len, INPUT_MAX);
        return false;
    }
    g_autofree uint8_t *message = g_malloc(len);
    evbuffer_remove(in, message, len);
    run_message(conn, message, len);
    return true;
}

static size_t unsent(const struct connection *conn)
{
    return evbuffer_get_length(bufferevent_get_output(conn->bev));
}

/* Answers what has come in, as far as order and limits let it. May free the connection. */
static void process(struct connection *conn)
{
    conn->processing = true;
    while (!conn->busy && !conn->closing && !conn->dead && unsent(conn) <= UNSENT_MAX && next_message(conn))
        ;
    conn->processing = false;
    if (conn->dead || (conn->closing && unsent(conn) == 0)) {
        connection_free(conn);
        return;
    }
    bufferevent_setwatermark(conn->bev, EV_WRITE, conn->closing ? 0 : UNSENT_LOW, 0);
}

static void can_read(struct bufferevent *bev, void *user)
{
    (void)bev;
    process(user);
}

static void has_written(struct bufferevent *bev, void *user)
{
    (void)bev;
    process(user);
}

/* A client that has ended its side still gets what is written already; what runs for it is forgotten. */
static void happened(struct bufferevent *bev, short what, void *user)
{
    struct connection *conn = user;
    (void)bev;
    if ((what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) != 0 || ((what & BEV_EVENT_EOF) != 0 && conn->busy)) {
        drop(conn);
    } else if ((what & BEV_EVENT_EOF) != 0) {
        conn->closing = true;
        process(conn);
    }
}

/* Reading begins with a header's worth of bytes; the mark moves with each message that is incomplete. Nothing
 * is held back to be sent with more: the end of a large reply would wait until its beginning is acknowledged.
 */
void connection_new(server *s, evutil_socket_t fd, const char *address)
{
    struct bufferevent *bev = NULL;
    SSL *ssl = s->tls == NULL ? NULL : SSL_new(s->tls);
    const int on = 1;
    evutil_make_socket_nonblocking(fd);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (s->tls == NULL)
        bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
    else if (ssl != NULL)
        bev = bufferevent_openssl_socket_new(s->base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                             BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        SSL_free(ssl);
        evutil_closesocket(fd);
        return;
    }
    struct connection *conn = g_new0(struct connection, 1);
    conn->s = s;
    conn->bev = bev;
    conn->client = host_client_new(s->host, address);
    g_hash_table_add(s->connections, conn);
    if (ssl != NULL)
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    bufferevent_setcb(bev, can_read, has_written, happened, conn);
    bufferevent_setwatermark(bev, EV_READ, WIRE_HEADER_LEN, INPUT_MAX);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}
