// SPDX-License-Identifier: Apache-2.0
/* evenkeel history: what the journal says was done, filtered; --tail follows it. */
#include "balancer/cli/cli.h"

#include "balancer/cli/history_out.h"
#include "common/text.h"
#include "migrations/journal/history_json.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
    OPT_SINCE = 0x3000,
    OPT_UNTIL,
    OPT_NS,
    OPT_SHARD,
    OPT_STATE,
    OPT_ROUND,
    OPT_LIMIT,
    OPT_ROUNDS,
    OPT_TAIL,
    OPT_ALL,
    OPT_JOURNAL
};
enum { FOLD = 50, TAIL_MS = 200, PIECE = 64 * 1024 };
enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };
static const char *const formats[] = {"text", "json", "csv", NULL};

struct history_args {
    struct cli_common common;
    struct history_filter filter; /* its patterns and shard are borrowed */
    GPtrArray *ns;
    char *shard, *journal;
    int64_t now;
    bool rounds, tail, all;
    enum format format;
};

static const struct argp_option options[] = {
    {"since", OPT_SINCE, "TIME", 0,
     "What was planned then or later (rounds: started): a time (2026-11-21, 2026-11-21T09:30Z), or how long "
     "ago "
     "(2h, 90d)",
     1},
    {"until", OPT_UNTIL, "TIME", 0, "What was planned (rounds: started) before then", 0},
    {"ns", OPT_NS, "GLOB", 0, "Only these collections; '!GLOB' leaves some out; may be repeated", 0},
    {"shard", OPT_SHARD, "ID", 0, "Only what moves from or to this shard", 0},
    {"state", OPT_STATE, "STATE", 0, "Only what is planned, started, committed, failed, aborted or unknown",
     0},
    {"round", OPT_ROUND, "N", 0, "Only this round", 0},
    {"limit", OPT_LIMIT, "N", 0, "Only the newest N", 0},
    {"rounds", OPT_ROUNDS, NULL, 0, "Tell rounds instead of migrations and splits", 2},
    {"tail", OPT_TAIL, NULL, 0, "Go on and tell each change as it comes, until interrupted", 0},
    {"all", OPT_ALL, NULL, 0, "Fold no long list", 0},
    {"journal", OPT_JOURNAL, "FILE", 0, "Read this journal (default: the configuration's journal.path)", 3},
    {0},
};

static const struct argp_child children[] = {{&cli_common_argp, 0, "Common options:", 10}, {0}};

static bool parse_number(const char *s, int64_t max, int64_t *ret, struct err *err)
{
    return text_parse_int(s, 1, max, ret, err);
}

static bool take_pattern(struct history_args *a, const char *pattern)
{
    g_autoptr(globs) checked = globs_new();
    g_ptr_array_add(a->ns, (gpointer)pattern);
    return globs_add(checked, pattern, a->common.err);
}

static bool take_text(char **field, const char *arg, struct err *err)
{
    g_free(*field);
    *field = g_strdup(arg);
    return arg[0] != '\0' || err_set(err, ERR_USAGE, "its argument is empty");
}

static error_t done(bool ok, struct history_args *a, const char *option)
{
    return ok ? 0 : cli_bad_value(a->common.err, option);
}

static error_t parse_filter(int key, char *arg, struct history_args *a)
{
    struct err *err = a->common.err;
    int64_t limit = 0;
    bool ok;
    switch (key) {
    case OPT_SINCE:
        return done(history_parse_time(arg, a->now, &a->filter.since, err), a, "--since");
    case OPT_UNTIL:
        return done(history_parse_time(arg, a->now, &a->filter.until, err), a, "--until");
    case OPT_NS:
        return done(take_pattern(a, arg), a, "--ns");
    case OPT_SHARD:
        return done(take_text(&a->shard, arg, err), a, "--shard");
    case OPT_STATE:
        return done(history_parse_state(arg, &a->filter, err), a, "--state");
    case OPT_ROUND:
        return done(parse_number(arg, G_MAXINT64, &a->filter.round, err), a, "--round");
    case OPT_LIMIT:
        ok = parse_number(arg, G_MAXUINT32, &limit, err);
        a->filter.limit = (uint32_t)limit;
        return done(ok, a, "--limit");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct history_args *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->common;
        return 0;
    case OPT_ROUNDS:
        a->rounds = true;
        return 0;
    case OPT_TAIL:
        a->tail = true;
        return 0;
    case OPT_ALL:
        a->all = true;
        return 0;
    case OPT_JOURNAL:
        return done(take_text(&a->journal, arg, a->common.err), a, "--journal");
    default:
        return parse_filter(key, arg, a);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Tell what the journal holds: migrations and splits with their states, or rounds, newest last. It is "
        "read while the service writes it, and without the service."
        "\vFormats: text (default), json, csv. The text shows the newest 50 unless --all or --limit says "
        "otherwise. With --tail and --format json each line is one object."
        "\n\nExamples:\n"
        "  evenkeel history --since 2h\n"
        "  evenkeel history --ns 'shop.*' --state failed --all\n"
        "  evenkeel history --rounds --since 2026-11-01 --format csv -o rounds.csv\n"
        "  evenkeel history --tail --format json\n",
    .children = children,
};

/* Where rows go: all at once, or piece by piece where they go to standard output. */
struct sink {
    const struct history_args *a;
    GString *out;
    struct page pg;
    page_table *table; /* of text that is not followed */
    struct json_writer json;
    uint32_t rounds, shown;
};

static bool is_stdout(const struct history_args *a)
{
    return a->common.output == NULL || strcmp(a->common.output, "-") == 0;
}

static bool flush(struct sink *s, gsize least, struct err *err)
{
    if (s->out->len <= least || !is_stdout(s->a))
        return true;
    bool ok = cli_write(&s->a->common, s->out, err);
    g_string_truncate(s->out, 0);
    return ok;
}

/* An object a line, complete in itself, when followed. */
static void begin_line(struct sink *s)
{
    if (s->a->tail)
        json_init(&s->json, s->out);
}

static void end_line(struct sink *s)
{
    if (s->a->tail)
        g_string_append_c(s->out, '\n');
}

static bool on_row(void *data, const struct history_row *r, struct err *err)
{
    struct sink *s = data;
    s->shown++;
    if (s->a->format == FORMAT_CSV) {
        history_row_csv(r, s->out);
    } else if (s->a->format == FORMAT_JSON) {
        begin_line(s);
        history_row_json(&s->json, r);
        end_line(s);
    } else if (s->table != NULL) {
        history_rows_table_add(s->table, &s->pg, r);
    } else {
        history_row_line(&s->pg, r, s->out);
    }
    return flush(s, PIECE, err);
}

static bool on_round(void *data, const struct history_round *r, struct err *err)
{
    struct sink *s = data;
    s->shown++;
    if (s->a->format == FORMAT_CSV) {
        history_round_csv(r, s->out);
    } else if (s->a->format == FORMAT_JSON) {
        begin_line(s);
        history_round_json(&s->json, r);
        end_line(s);
    } else if (s->table != NULL) {
        history_rounds_table_add(s->table, &s->pg, r);
    } else {
        history_round_line(&s->pg, r, s->out);
    }
    return flush(s, PIECE, err);
}

static bool tell(journal *j, const struct history_filter *f, struct sink *s, struct err *err)
{
    return s->a->rounds ? history_rounds(j, f, on_round, s, err) : history_rows(j, f, on_row, s, err);
}

struct round_totals {
    uint32_t rounds, committed, failed;
    int64_t bytes;
};

static bool sum_round(void *data, const struct history_round *r, struct err *err)
{
    struct round_totals *t = data;
    (void)err;
    t->rounds++;
    t->committed += r->committed;
    t->failed += r->failed;
    t->bytes += r->bytes;
    return true;
}

/* The line below the table, over all that the filter takes; *ret_n: how much that is. */
static bool totals(journal *j, const struct history_args *a, GString *out, uint32_t *ret_n, struct err *err)
{
    struct history_totals t = {0};
    struct round_totals r = {0};
    if (a->rounds ? !history_rounds(j, &a->filter, sum_round, &r, err)
                  : !history_totals(j, &a->filter, &t, err))
        return false;
    *ret_n = r.rounds;
    for (int s = 0; s < MIGRATION_STATE_COUNT; s++)
        *ret_n += t.rows[s];
    if (*ret_n == 0) {
        g_string_append(out, "nothing in the journal fits");
    } else if (!a->rounds) {
        history_totals_text(&t, out);
    } else {
        g_autofree char *moved = text_bytes(r.bytes);
        g_string_append_printf(out, "%u round%s: %u migration%s committed, %u failed; %s moved", r.rounds,
                               r.rounds == 1 ? "" : "s", r.committed, r.committed == 1 ? "" : "s", r.failed,
                               moved);
    }
    return true;
}

static bool text(journal *j, struct sink *s, struct err *err)
{
    const struct history_args *a = s->a;
    struct history_filter newest = a->filter;
    uint32_t n = 0;
    g_autoptr(GString) sum = g_string_new(NULL);
    if (newest.limit == 0 && !a->all)
        newest.limit = FOLD;
    g_autoptr(page_table) table = a->rounds ? history_rounds_table(&s->pg) : history_rows_table(&s->pg);
    s->table = table;
    bool ok = totals(j, a, sum, &n, err) && tell(j, &newest, s, err);
    s->table = NULL;
    if (!ok)
        return false;
    if (n > s->shown) {
        g_autofree char *more = text_count(n - s->shown);
        g_autofree char *line = g_strdup_printf("%s %s earlier; --all shows %s", page_dots(&s->pg), more,
                                                n - s->shown == 1 ? "it" : "them");
        page_paragraph(&s->pg, 0, INK_NONE, NULL, line);
    }
    if (s->shown > 0)
        page_table_print(table);
    if (a->common.quiet)
        return true;
    if (s->shown > 0)
        page_blank(&s->pg);
    page_paragraph(&s->pg, 0, INK_NONE, NULL, sum->str);
    return true;
}

static bool json(journal *j, struct sink *s, struct err *err)
{
    struct json_writer *w = &s->json;
    json_init(w, s->out);
    json_object(w, false);
    json_put_int(w, "schemaVersion", 1);
    json_key(w, "tool");
    json_object(w, true);
    json_put_string(w, "name", "evenkeel");
    json_put_string(w, "version", EVENKEEL_VERSION);
    json_end(w);
    json_key(w, s->a->rounds ? "rounds" : "rows");
    json_array(w, false);
    if (!tell(j, &s->a->filter, s, err))
        return false;
    json_end(w);
    json_end(w);
    g_string_append_c(s->out, '\n');
    return true;
}

static bool csv(journal *j, struct sink *s, struct err *err)
{
    history_csv_head(s->a->rounds, s->out);
    return tell(j, &s->a->filter, s, err);
}

/* Everything at one moment of the journal. */
static bool once(journal *j, struct sink *s, struct err *err)
{
    static bool (*const writers[])(journal *, struct sink *, struct err *) = {text, json, csv};
    return journal_begin(j, err) && writers[s->a->format](j, s, err) && journal_commit(j, err) &&
           cli_write(&s->a->common, s->out, err);
}

/* Nobody reads any more. */
static bool stdout_closed(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

/* Until a while has passed; false: it is time to go. `ends` are blocked, so that they arrive only in here. */
static bool wait_a_while(const sigset_t *ends)
{
    const struct timespec a_while = {.tv_nsec = TAIL_MS * 1000000L};
    return sigtimedwait(ends, NULL, &a_while) < 0 && !stdout_closed();
}

/* What changed since `*after`, which is moved on. */
static bool tell_news(journal *j, struct sink *s, struct history_filter *f, struct err *err)
{
    int64_t change;
    if (!history_change(j, &change, err))
        return false;
    if (change == f->after)
        return true;
    bool ok = journal_begin(j, err) && history_change(j, &change, err) && tell(j, f, s, err);
    journal_rollback(j);
    f->after = change;
    return ok && flush(s, 0, err);
}

static bool follow(journal *j, struct sink *s, const sigset_t *ends, struct err *err)
{
    struct history_filter f = s->a->filter;
    int64_t change;
    if (f.limit == 0 && !s->a->all)
        f.limit = FOLD;
    if (s->a->format == FORMAT_CSV)
        history_csv_head(s->a->rounds, s->out);
    if (!journal_begin(j, err) || !history_change(j, &change, err) || !tell(j, &f, s, err) ||
        !journal_commit(j, err) || !flush(s, 0, err))
        return false;
    f.limit = 0;
    f.after = change;
    while (wait_a_while(ends))
        if (!tell_news(j, s, &f, err))
            return false;
    return true;
}

/* Ends with SIGINT, SIGTERM and a closed standard output, none of which is a failure. */
static bool tail(journal *j, struct sink *s, struct err *err)
{
    sigset_t ends;
    if (journal_is_still(j))
        return err_set(
            err, ERR_UNAVAILABLE,
            "the journal cannot be followed: its -wal and -shm files are gone, which this user may not "
            "make; start what writes it first");
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    bool ok = follow(j, s, &ends, err);
    if (!ok && err->cls == ERR_CANT_CREATE && stdout_closed()) {
        *err = (struct err){0};
        ok = true;
    }
    return ok;
}

static bool check(struct history_args *a, struct err *err)
{
    const char *format = cli_format(&a->common, formats, err);
    if (format == NULL)
        return false;
    while (strcmp(formats[a->format], format) != 0)
        a->format++;
    if (a->tail && !is_stdout(a))
        return err_set(err, ERR_USAGE, "--tail does not go with --output; it writes to standard output");
    if (a->filter.since != 0 && a->filter.until != 0 && a->filter.since >= a->filter.until)
        return err_set(err, ERR_USAGE, "--since is not before --until, so that nothing can fit");
    a->filter.ns = (const char *const *)a->ns->pdata;
    a->filter.n_ns = a->ns->len;
    a->filter.shard = a->shard;
    return true;
}

static void run(struct history_args *a, struct err *err)
{
    g_autoptr(config) cfg = NULL;
    g_autoptr(journal) j = NULL;
    if (!check(a, err) || !cli_load_config(&a->common, &cfg, err) ||
        !journal_open(a->journal != NULL ? a->journal : cfg->journal.path, JOURNAL_READ, &j, err))
        return;
    g_autoptr(GString) out = g_string_new(NULL);
    struct sink s = {.a = a, .out = out};
    const struct report_style style = {.color = cli_color(&a->common),
                                       .width = cli_width(&a->common),
                                       .all = a->all,
                                       .quiet = a->common.quiet};
    page_init(&s.pg, &style, out);
    if (a->tail)
        tail(j, &s, err);
    else
        once(j, &s, err);
}

int cmd_history(int argc, char **argv, struct err *err)
{
    struct history_args a = {
        .common = {.err = err}, .ns = g_ptr_array_new(), .now = g_get_real_time() / 1000};
    if (cli_parse(&argp, argc, argv, &a, err))
        run(&a, err);
    cli_common_clear(&a.common);
    g_ptr_array_unref(a.ns);
    g_free(a.shard);
    g_free(a.journal);
    return 0;
}
