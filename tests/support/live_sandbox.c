// SPDX-License-Identifier: Apache-2.0
#include "tests/support/live_sandbox.h"

#include "migrations/mongo/uri.h"
#include "tests/support/sandbox_cluster.h"
#include "tests/support/temp_dir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mongoc/mongoc.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { START_MS = 60 * 1000, LINE_MAX_BYTES = 256 };

struct live_sandbox {
    pid_t pid;    /* 0: not running */
    int reserved; /* a bound socket that keeps the port from everybody else */
    char *port, *uri;
    GPtrArray *argv; /* NULL-terminated */
    temp_dir *dir;   /* of a snapshot written here, or NULL */
    mongoc_client_t *client;
};

/* Bound and never listening: the child may bind the same address, since both ask for SO_REUSEADDR, and nobody
 * is given the port by chance. */
static void reserve_port(live_sandbox *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    const int on = 1;
    s->reserved = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->reserved < 0 || setsockopt(s->reserved, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(s->reserved, (struct sockaddr *)&address, len) != 0 ||
        getsockname(s->reserved, (struct sockaddr *)&address, &len) != 0)
        fail_msg("cannot reserve a port: %s", g_strerror(errno));
    s->port = g_strdup_printf("%u", (unsigned)ntohs(address.sin_port));
    s->uri = g_strdup_printf("mongodb://127.0.0.1:%s", s->port);
}

static void build_arguments(live_sandbox *s, const char *const *args)
{
    const char *binary = g_getenv("EVENKEEL");
    const char *const first[] = {binary != NULL ? binary : EVENKEEL_BINARY, "sandbox", "--port", s->port,
                                 "--allow-faults"};
    s->argv = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < G_N_ELEMENTS(first); i++)
        g_ptr_array_add(s->argv, g_strdup(first[i]));
    for (; args != NULL && *args != NULL; args++)
        g_ptr_array_add(s->argv, g_strdup(*args));
    g_ptr_array_add(s->argv, NULL);
}

/* Only calls that are safe after fork() in a program with threads. */
static void become(char *const *argv, int out, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && dup2(out, STDOUT_FILENO) >= 0)
        execv(argv[0], argv);
    _exit(127);
}

/* Reads the child's first line; false at its end, or when that takes too long. */
static bool read_line(int fd, char line[LINE_MAX_BYTES])
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    gint64 until = g_get_monotonic_time() / 1000 + START_MS;
    for (size_t n = 0; n < LINE_MAX_BYTES - 1;) {
        gint64 left = until - g_get_monotonic_time() / 1000;
        int got = left > 0 ? poll(&ready, 1, (int)left) : 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || read(fd, line + n, 1) != 1)
            return false;
        line[++n] = '\0';
        if (line[n - 1] == '\n')
            return true;
    }
    return false;
}

static void start(live_sandbox *s)
{
    char line[LINE_MAX_BYTES] = "";
    int ends[2];
    pid_t parent = getpid();
    if (pipe(ends) != 0 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(ends[1], F_SETFD, FD_CLOEXEC) != 0)
        fail_msg("cannot make a pipe: %s", g_strerror(errno));
    s->pid = fork();
    if (s->pid == 0)
        become((char *const *)s->argv->pdata, ends[1], parent);
    close(ends[1]);
    bool listens = s->pid > 0 && read_line(ends[0], line) && g_str_has_prefix(line, "listening on ");
    close(ends[0]); /* it says nothing more */
    if (!listens)
        fail_msg("%s did not start: '%s'", (const char *)s->argv->pdata[0], line);
}

live_sandbox *live_sandbox_new(const char *const *args)
{
    live_sandbox *s = g_new0(live_sandbox, 1);
    struct err err = {0};
    g_autoptr(mongoc_uri_t) uri = NULL;
    mongoc_init();
    reserve_port(s);
    build_arguments(s, args);
    start(s);
    if (!uri_parse(s->uri, &uri, &err)) /* silences libmongoc's log, too */
        fail_msg("%s", err.msg);
    s->client = mongoc_client_new_from_uri(uri);
    mongoc_client_set_error_api(s->client, MONGOC_ERROR_API_VERSION_2);
    return s;
}

live_sandbox *live_sandbox_small(const char *server_version, const char *const *args)
{
    temp_dir *dir = temp_dir_new();
    g_autofree char *path =
        temp_dir_write(dir, "small.json", sandbox_small_state, strlen(sandbox_small_state));
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    const char *const first[] = {"--snapshot", path, "--server-version", server_version, "--latency", "30ms"};
    for (size_t i = 0; i < G_N_ELEMENTS(first); i++)
        g_ptr_array_add(all, (gpointer)first[i]);
    for (; args != NULL && *args != NULL; args++)
        g_ptr_array_add(all, (gpointer)*args);
    g_ptr_array_add(all, NULL);
    live_sandbox *s = live_sandbox_new((const char *const *)all->pdata);
    s->dir = dir;
    return s;
}

void live_sandbox_kill(live_sandbox *s)
{
    if (s->pid > 0 && kill(s->pid, SIGKILL) == 0)
        while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    s->pid = 0;
}

void live_sandbox_restart(live_sandbox *s)
{
    live_sandbox_kill(s);
    start(s);
}

void live_sandbox_free(live_sandbox *s)
{
    if (s == NULL)
        return;
    g_clear_pointer(&s->client, mongoc_client_destroy);
    live_sandbox_kill(s);
    close(s->reserved);
    temp_dir_free(s->dir);
    g_ptr_array_unref(s->argv);
    g_free(s->port);
    g_free(s->uri);
    g_free(s);
}

const char *live_sandbox_uri(const live_sandbox *s)
{
    return s->uri;
}

int live_sandbox_pid(const live_sandbox *s)
{
    return s->pid;
}

bson_t *live_sandbox_run(live_sandbox *s, const char *db, const bson_t *cmd)
{
    bson_t reply;
    bson_error_t error;
    bson_iter_t it;
    bool done = mongoc_client_command_simple(s->client, db, cmd, NULL, &reply, &error);
    if (!done && !bson_iter_init_find(&it, &reply, "ok"))
        fail_msg("the sandbox does not answer: %s", error.message);
    bson_t *copy = bson_copy(&reply);
    bson_destroy(&reply);
    return copy;
}

bson_t *live_sandbox_command_json(live_sandbox *s, const char *db, const char *json)
{
    bson_t *cmd = sandbox_json(json);
    bson_t *reply = live_sandbox_run(s, db, cmd);
    bson_destroy(cmd);
    return reply;
}

void live_sandbox_do(live_sandbox *s, const char *json)
{
    bson_t *reply = live_sandbox_command_json(s, "admin", json);
    if (!sandbox_ok(reply))
        fail_msg("%s: %s", json, sandbox_text(reply, "errmsg"));
    bson_destroy(reply);
}

/* The one document of a find, copied; NULL: none. */
static bson_t *find_one(live_sandbox *s, const char *coll, const bson_t *filter)
{
    const bson_t *doc;
    mongoc_collection_t *c = mongoc_client_get_collection(s->client, "config", coll);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, filter, NULL, NULL);
    bson_t *found = mongoc_cursor_next(cursor, &doc) ? bson_copy(doc) : NULL;
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(c);
    return found;
}

char *live_sandbox_owner(live_sandbox *s, const char *ns, const char *min)
{
    bson_iter_t it;
    bson_t *key = sandbox_json(min);
    bson_t *by_name = BCON_NEW("_id", ns);
    bson_t *coll = find_one(s, "collections", by_name);
    bson_t *filter = BCON_NEW("min", BCON_DOCUMENT(key));
    if (coll != NULL && bson_iter_init_find(&it, coll, "timestamp") && bson_iter_init_find(&it, coll, "uuid"))
        bson_append_iter(filter, "uuid", -1, &it);
    else
        BSON_APPEND_UTF8(filter, "ns", ns);
    bson_t *chunk = find_one(s, "chunks", filter);
    char *shard = chunk == NULL ? NULL : g_strdup(sandbox_text(chunk, "shard"));
    bson_t *const all[] = {key, by_name, coll, filter, chunk};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        bson_destroy(all[i]);
    return shard;
}
