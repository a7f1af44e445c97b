// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_hands.h"

#include <pthread.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct range {
    int min, max;
};

struct fake_hands {
    char *journal_path;
    pthread_mutex_t lock; /* not a GMutex: sanitizers see this one */
    pthread_cond_t said, gone;
    GHashTable *answers; /* question -> GQueue of char * */
    GHashTable *ranges;  /* question -> struct range */
    GHashTable *busy;    /* shards with a command */
    GPtrArray *commands; /* const struct hands_job *, under way */
    char *otherwise;
    const char *(*decide)(void *data, const struct hands_job *job);
    void *decide_data;
    GString *asked;
    char *fault;
    GHashTable *waiting; /* questions of calls that found no answer; what they wait for may have come since */
    int threads;
    int fd;
};

const char *fake_hands_outcome(enum hands_outcome o)
{
    static const char *const texts[] = {
        [HANDS_COMMITTED] = "committed",     [HANDS_ALREADY] = "already",
        [HANDS_FAILED] = "failed",           [HANDS_UNKNOWN] = "unknown",
        [HANDS_CHANGED] = "changed",         [HANDS_NOT_ALLOWED] = "notAllowed",
        [HANDS_UNREACHABLE] = "unreachable", [HANDS_NOT] = "notCarriedOut",
        [HANDS_IN_FLIGHT] = "inFlight",      [HANDS_VOID] = "void",
    };
    return texts[o];
}

static void free_answers(gpointer q)
{
    g_queue_free_full(q, g_free);
}

fake_hands *fake_hands_new(const char *journal_path)
{
    fake_hands *h = g_new0(fake_hands, 1);
    h->journal_path = g_strdup(journal_path);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->said, NULL);
    pthread_cond_init(&h->gone, NULL);
    h->answers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_answers);
    h->ranges = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    h->busy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    h->waiting = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    h->commands = g_ptr_array_new();
    h->asked = g_string_new(NULL);
    h->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return h;
}

void fake_hands_free(fake_hands *h)
{
    if (h == NULL)
        return;
    close(h->fd);
    g_hash_table_unref(h->answers);
    g_hash_table_unref(h->ranges);
    g_hash_table_unref(h->busy);
    g_hash_table_unref(h->waiting);
    g_ptr_array_unref(h->commands);
    g_string_free(h->asked, TRUE);
    g_free(h->otherwise);
    g_free(h->fault);
    g_free(h->journal_path);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->said);
    pthread_cond_destroy(&h->gone);
    g_free(h);
}

/* --- what the test says --- */

/* With the lock held. */
static void put_answers(fake_hands *h, const char *question, const char *answers)
{
    g_auto(GStrv) words = g_strsplit(answers, " ", -1);
    GQueue *q = g_hash_table_lookup(h->answers, question);
    if (q == NULL) {
        q = g_queue_new();
        g_hash_table_insert(h->answers, g_strdup(question), q);
    }
    for (unsigned i = 0; words[i] != NULL; i++)
        g_queue_push_tail(q, g_strdup(words[i]));
    pthread_cond_broadcast(&h->said);
}

void fake_hands_say(fake_hands *h, const char *question, const char *answers)
{
    pthread_mutex_lock(&h->lock);
    put_answers(h, question, answers);
    pthread_mutex_unlock(&h->lock);
}

void fake_hands_decide(fake_hands *h, const char *(*decide)(void *data, const struct hands_job *job),
                       void *data)
{
    pthread_mutex_lock(&h->lock);
    h->decide = decide;
    h->decide_data = data;
    pthread_mutex_unlock(&h->lock);
}

void fake_hands_otherwise(fake_hands *h, const char *answer)
{
    pthread_mutex_lock(&h->lock);
    g_free(h->otherwise);
    h->otherwise = g_strdup(answer);
    pthread_cond_broadcast(&h->said);
    pthread_mutex_unlock(&h->lock);
}

void fake_hands_range(fake_hands *h, const char *question, int min, int max)
{
    const struct range r = {min, max};
    pthread_mutex_lock(&h->lock);
    g_hash_table_insert(h->ranges, g_strdup(question), g_memdup2(&r, sizeof(r)));
    pthread_mutex_unlock(&h->lock);
}

/* --- what it saw --- */

/* With the lock held. */
static bool has_answer(const fake_hands *h, const char *question)
{
    GQueue *q = g_hash_table_lookup(h->answers, question);
    return h->otherwise != NULL || (q != NULL && !g_queue_is_empty(q));
}

unsigned fake_hands_waiting(fake_hands *h)
{
    uint64_t n;
    unsigned waiting = 0;
    GHashTableIter it;
    gpointer question;
    pthread_mutex_lock(&h->lock);
    (void)!read(h->fd, &n, sizeof(n));
    g_hash_table_iter_init(&it, h->waiting);
    while (g_hash_table_iter_next(&it, &question, NULL))
        waiting += has_answer(h, question) ? 0 : 1;
    pthread_mutex_unlock(&h->lock);
    return waiting;
}

int fake_hands_fd(const fake_hands *h)
{
    return h->fd;
}

char *fake_hands_asked(fake_hands *h)
{
    pthread_mutex_lock(&h->lock);
    char *asked = g_strdup(h->asked->str);
    pthread_mutex_unlock(&h->lock);
    return asked;
}

char *fake_hands_fault(fake_hands *h)
{
    pthread_mutex_lock(&h->lock);
    char *fault = g_strdup(h->fault);
    pthread_mutex_unlock(&h->lock);
    return fault;
}

void fake_hands_end(fake_hands *h)
{
    fake_hands_otherwise(h, "ok");
    pthread_mutex_lock(&h->lock);
    while (h->threads > 0)
        pthread_cond_wait(&h->gone, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

static void blame(fake_hands *h, const char *question, const char *what)
{
    if (h->fault == NULL)
        h->fault = g_strdup_printf("%s: %s", question, what);
}

/* --- the rules --- */

static int x_of(const bson_t *bound)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, bound, "x") ? (int)bson_iter_as_int64(&it) : -1;
}

/* Its own connection, past any VFS that a test has put in front: what is in the file, not in a cache. */
static bool is_durable(const fake_hands *h, const struct hands_job *job)
{
    const char *table = job->kind == HANDS_MOVE ? "migrations" : "splits";
    g_autofree char *query = g_strdup_printf(
        "SELECT count(*) FROM %s WHERE state = 'started' AND ns = ? AND donor = ? AND min = ?", table);
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    int n = 0;
    if (sqlite3_open_v2(h->journal_path, &db, SQLITE_OPEN_READONLY, "unix") == SQLITE_OK &&
        sqlite3_busy_timeout(db, 10000) == SQLITE_OK &&
        sqlite3_prepare_v2(db, query, -1, &s, NULL) == SQLITE_OK) {
        sqlite3_bind_text(s, 1, job->ns, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, job->from, -1, SQLITE_STATIC);
        sqlite3_bind_blob(s, 3, bson_get_data(job->min), (int)job->min->len, SQLITE_STATIC);
        n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n == 1;
}

static void check_ranges(fake_hands *h, const char *question, const struct hands_job *job)
{
    for (guint i = 0; i < h->commands->len; i++) {
        const struct hands_job *o = h->commands->pdata[i];
        if (strcmp(o->ns, job->ns) == 0 && x_of(o->min) < x_of(job->max) && x_of(job->min) < x_of(o->max))
            blame(h, question, "two commands are about ranges that overlap");
    }
}

static void occupy(fake_hands *h, const char *question, const struct hands_job *job, bool on)
{
    const char *const both[] = {job->from, job->to};
    if (on) {
        check_ranges(h, question, job);
        g_ptr_array_add(h->commands, (gpointer)job);
    } else {
        g_ptr_array_remove_fast(h->commands, (gpointer)job);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(both); i++) {
        if (both[i] == NULL)
            continue;
        if (on && !g_hash_table_add(h->busy, g_strdup(both[i])))
            blame(h, question, "a shard takes part in two commands");
        if (!on)
            g_hash_table_remove(h->busy, both[i]);
    }
}

/* --- calls --- */

static char *question_of(const struct hands_job *job)
{
    static const char *const marks[] = {
        [HANDS_MOVE] = "", [HANDS_SPLIT] = "", [HANDS_SPLIT_MEDIAN] = "/", [HANDS_SETTLE] = "?"};
    return g_strdup_printf("%s%s %d", marks[job->kind], job->ns, x_of(job->min));
}

/* With the lock held. */
static char *wait_for_answer(fake_hands *h, const char *question)
{
    const uint64_t one = 1;
    while (!has_answer(h, question)) {
        if (g_hash_table_add(h->waiting, g_strdup(question)))
            (void)!write(h->fd, &one, sizeof(one));
        pthread_cond_wait(&h->said, &h->lock);
    }
    GQueue *q = g_hash_table_lookup(h->answers, question);
    g_hash_table_remove(h->waiting, question);
    return q != NULL && !g_queue_is_empty(q) ? g_queue_pop_head(q) : g_strdup(h->otherwise);
}

static void fill_code(const struct hands_job *job, int code, struct hands_result *ret)
{
    ret->code = code;
    ret->class = *error_class_of(code, job->to == NULL ? ERROR_OF_SPLIT : ERROR_OF_MOVE, &ret->code_name);
    ret->outcome = ret->class.unknown ? HANDS_UNKNOWN : HANDS_FAILED;
    ret->message = g_strdup_printf("error %d", code);
    ret->sent = true;
}

static void fill(const struct hands_job *job, const char *answer, struct hands_result *ret)
{
    *ret = (struct hands_result){.code_name = ""};
    if (g_ascii_isdigit(answer[0])) {
        fill_code(job, atoi(answer), ret);
        return;
    }
    if (strcmp(answer, "lost") == 0)
        ret->outcome = HANDS_UNKNOWN;
    else if (strcmp(answer, "ok") != 0)
        for (enum hands_outcome o = HANDS_COMMITTED; o <= HANDS_VOID; o++)
            if (strcmp(answer, fake_hands_outcome(o)) == 0)
                ret->outcome = o;
    ret->sent = job->kind != HANDS_SETTLE && (ret->outcome == HANDS_COMMITTED ||
                                              ret->outcome == HANDS_FAILED || ret->outcome == HANDS_UNKNOWN);
    if (ret->outcome != HANDS_COMMITTED)
        ret->message = g_strdup_printf("said %s", answer);
}

static bson_t *bound(int x)
{
    bson_t *b = bson_new();
    BSON_APPEND_INT32(b, "x", x);
    return b;
}

static void act(void *data, void *thread, const struct hands_job *job, struct hands_result *ret)
{
    fake_hands *h = data;
    const bool command = job->kind != HANDS_SETTLE;
    g_autofree char *question = question_of(job);
    const bool durable = !command || h->journal_path == NULL || is_durable(h, job);
    pthread_mutex_lock(&h->lock);
    if (thread != h)
        blame(h, question, "the thread is not what enter() gave");
    if (!durable)
        blame(h, question, "the command comes before its row");
    g_string_append_printf(h->asked, "%s%s", h->asked->len > 0 ? "; " : "", question);
    if (!command)
        g_string_append_printf(h->asked, "..%d", x_of(job->max));
    if (job->force_jumbo)
        g_string_append(h->asked, " forced");
    if (command)
        occupy(h, question, job, true);
    const char *decided = h->decide == NULL ? NULL : h->decide(h->decide_data, job);
    if (decided != NULL)
        put_answers(h, question, decided);
    g_autofree char *answer = wait_for_answer(h, question);
    if (command)
        occupy(h, question, job, false);
    const struct range *r = g_hash_table_lookup(h->ranges, question);
    fill(job, answer, ret);
    if (r != NULL) {
        ret->min = bound(r->min);
        ret->max = bound(r->max);
    }
    pthread_mutex_unlock(&h->lock);
}

static void *enter(void *data)
{
    fake_hands *h = data;
    pthread_mutex_lock(&h->lock);
    h->threads++;
    pthread_mutex_unlock(&h->lock);
    return h;
}

static void leave(void *data, void *thread)
{
    fake_hands *h = data;
    pthread_mutex_lock(&h->lock);
    h->threads--;
    if (thread != h)
        blame(h, "leave", "the thread is not what enter() gave");
    pthread_cond_broadcast(&h->gone);
    pthread_mutex_unlock(&h->lock);
}

struct hands fake_hands_table(fake_hands *h)
{
    return (struct hands){.data = h, .enter = enter, .leave = leave, .act = act};
}
