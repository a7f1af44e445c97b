// SPDX-License-Identifier: Apache-2.0
/* A cluster that is acted on: the connection, the journal, and their end. */
#include "balancer/cli/cli_act.h"

#include "balancer/cli/cli_cluster.h"
#include "balancer/setup/acting.h"
#include "balancer/setup/uri.h"
#include "common/escape.h"
#include "migrations/mongo/probe.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So that those which start together read once. The servers do not look at zones themselves (from 6.0 on). */
enum { GUARD_AGE_MS = 100 };

int64_t act_now(void)
{
    return g_get_real_time() / 1000;
}

void act_say(const struct act *a, const char *fmt, ...)
{
    if (a->args->common.quiet)
        return;
    if (a->progress != NULL)
        act_progress_hide(a->progress);
    va_list args;
    va_start(args, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, args);
    va_end(args);
    fprintf(stderr, "evenkeel %s: %s\n", a->command, text);
}

/* "alice (uid 1000)", "root (uid 0) for alice" under sudo. */
static char *who_acts(void)
{
    enum { ROOM = 16 * 1024 };
    g_autofree char *room = g_malloc(ROOM);
    struct passwd entry, *found = NULL;
    uid_t uid = getuid();
    GString *out = g_string_new(NULL);
    if (getpwuid_r(uid, &entry, room, ROOM, &found) == 0 && found != NULL)
        text_append_escaped(out, found->pw_name, -1);
    else
        g_string_append(out, "unknown");
    g_string_append_printf(out, " (uid %lu)", (unsigned long)uid);
    const char *sudo = getenv("SUDO_USER");
    if (sudo != NULL && sudo[0] != '\0') {
        g_string_append(out, " for ");
        text_append_escaped(out, sudo, -1);
    }
    return g_string_free(out, FALSE);
}

static bool connect_cluster(struct act *a, struct err *err)
{
    g_autofree char *warning = NULL;
    a->uri = setup_uri(a->cfg, a->args->source.uri, &warning, err);
    if (warning != NULL)
        act_say(a, "warning: %s", warning);
    return a->uri != NULL && mongo_connect(a->uri, setup_read_mode(a->cfg), &a->conn, err);
}

/* A path that nobody chose may well be one that cannot be written. */
static bool advise_journal(const struct act *a, struct err *err)
{
    if (a->args->journal != NULL || config_is_set(a->cfg, "journal.path") || err->cls == ERR_RETRY_LATER)
        return false;
    const struct err was = *err;
    return err_set(err, was.cls, "%s; --journal FILE names another", was.msg);
}

static bool open_journal(struct act *a, enum act_mode mode, struct err *err)
{
    a->journal_path = g_strdup(a->args->journal != NULL ? a->args->journal : a->cfg->journal.path);
    if (journal_open(a->journal_path, mode == ACT_LOOK ? JOURNAL_READ : JOURNAL_WRITE, &a->journal, err))
        return true;
    if (mode == ACT_LOOK && err->cls == ERR_NO_INPUT) {
        *err = (struct err){0};
        return true;
    }
    return advise_journal(a, err);
}

static bool claim_journal(struct act *a, struct err *err)
{
    g_autofree char *id = NULL;
    if (!probe_cluster_id(a->conn->client, &id, err))
        return false;
    return journal_claim(a->journal, id != NULL ? id : "", a->conn->name, act_now(), err);
}

bool act_open(struct act *a, enum act_mode mode, const struct act_args *args, const config *cfg,
              const char *command, struct err *err)
{
    *a = (struct act){.args = args, .cfg = cfg, .command = command};
    a->who = who_acts();
    return connect_cluster(a, err) && (mode == ACT_PLAN || open_journal(a, mode, err)) &&
           (mode != ACT_CARRY_OUT || (claim_journal(a, err) && act_lease_take(a, err)));
}

void act_close(struct act *a, struct err *err)
{
    struct err failed = {0};
    if (a->restore && !act_balancer_restore(a, &failed)) {
        if (err->cls == ERR_NONE)
            *err = failed;
        else
            fprintf(stderr, "evenkeel %s: %s\n", a->command, failed.msg);
    }
    act_lease_close(a);
    /* Threads that were left inside a command still use these; they end with the process. */
    if (!a->left) {
        mongo_hands_free(a->hands);
        guard_free(a->guard);
        mongo_pool_free(a->pool);
    }
    act_loop_free(a->loop);
    journal_free(a->journal);
    mongo_conn_free(a->conn);
    g_free(a->journal_path);
    g_free(a->unreachable);
    g_free(a->uri);
    g_free(a->who);
}

bool act_read(struct act *a, cluster **ret, struct err *err)
{
    return cli_cluster_model(a->conn, ret, err);
}

bool act_hands(struct act *a, const cluster *cl, struct hands *ret, struct err *err)
{
    /* A thread for each pair of shards, and some room; libmongoc connects only as many as are used. */
    enum { CLIENTS = 64 };
    if (a->hands == NULL) {
        const struct mongo_hands_options opt = acting_hands(a->cfg, cl, a->lease);
        g_autoptr(GArray) wishes = acting_wishes(a->cfg);
        if (!mongo_pool_new(a->uri, a->cfg->migrations.timeout, CLIENTS, &a->pool, err))
            return false;
        a->guard = guard_new(GUARD_AGE_MS, (const struct guard_wish *)(void *)wishes->data, wishes->len);
        a->hands = mongo_hands_new(a->pool, a->guard, &opt);
    }
    *ret = mongo_hands_table(a->hands);
    return true;
}

/* A line from the terminal; false at its end, or where a signal came. Not by stdio, which would go on reading
 * after a signal. */
static bool read_answer(struct act *a, GString *line)
{
    enum { LOOK_MS = 250 };
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    for (;;) {
        char c;
        int ready = poll(&in, 1, a->loop != NULL ? LOOK_MS : -1); /* a signal may come just before */
        if (a->loop != NULL && (ready == 0 || (ready < 0 && errno == EINTR)) && !act_cancelled(a))
            continue;
        if (ready <= 0 || read(STDIN_FILENO, &c, 1) != 1)
            return false;
        if (c == '\n')
            return true;
        g_string_append_c(line, c);
    }
}

bool act_confirm(struct act *a, const char *question, struct err *err)
{
    if (a->args->yes)
        return true;
    g_autoptr(GString) line = g_string_new(NULL);
    fprintf(stderr, "%s [y/N] ", question);
    bool answered = read_answer(a, line);
    if (!answered)
        fputc('\n', stderr);
    const char *word = g_strstrip(line->str);
    if (answered && (g_ascii_strcasecmp(word, "y") == 0 || g_ascii_strcasecmp(word, "yes") == 0))
        return true;
    return err_set(err, ERR_FAILED, "not confirmed; nothing was done");
}
