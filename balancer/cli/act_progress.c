// SPDX-License-Identifier: Apache-2.0
/* What is shown while work is carried out, on stderr: on a terminal a block that is drawn anew in place,
 * elsewhere a line for each thing that happens. */
#include "balancer/cli/cli_act.h"

#include "balancer/key/show.h"
#include "common/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    DRAW_MS = 250,
    REDRAW_US = 100000, /* not oftener, however much happens */
    ROWS_MIN = 5,
    ROWS_MAX = 12,
    HEIGHT_DEFAULT = 24,
    WIDTH_MIN = 20,
    WIDTH_DEFAULT = 80
};

struct act_progress {
    const struct act *act;
    bool terminal, quiet;
    size_t total, done; /* steps of the work; done: committed, now or before */
    unsigned rows;      /* of the block that stands on the terminal */
    gint64 began;       /* monotonic, microseconds */
    gint64 drawn;
    char *holds; /* what was last said to hold */
};

struct act_progress *act_progress_new(const struct act *a, size_t total, size_t done_before)
{
    const char *term = getenv("TERM");
    struct act_progress *p = g_new0(struct act_progress, 1);
    *p = (struct act_progress){.act = a,
                               .terminal = isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0,
                               .quiet = a->args->common.quiet,
                               .total = total,
                               .done = done_before,
                               .began = g_get_monotonic_time()};
    return p;
}

void act_progress_free(struct act_progress *p)
{
    if (p == NULL)
        return;
    act_progress_hide(p);
    g_free(p->holds);
    g_free(p);
}

unsigned act_progress_interval(const struct act_progress *p)
{
    return p->terminal && !p->quiet ? DRAW_MS : 0;
}

void act_progress_hide(struct act_progress *p)
{
    if (p->rows > 0)
        fprintf(stderr, "\033[%uA\r\033[J", p->rows);
    p->rows = 0;
}

/* --- lines --- */

static void append_what(GString *out, const struct executor_event *e)
{
    if (e->step != NULL) {
        act_append_step(out, e->step);
        return;
    }
    const struct journal_open_row *r = e->inherited;
    act_append_range(out, r->ns, r->min, r->max, r->from, r->kind == JOURNAL_SPLIT ? NULL : r->to);
}

static const char *verb_of(const struct executor_event *e)
{
    switch (e->kind) {
    case EXECUTOR_STARTED:
        return "started";
    case EXECUTOR_ENDED:
        return migration_state_text(e->state);
    case EXECUTOR_UNKNOWN:
        return "without an answer, looking what became of it";
    case EXECUTOR_RETRY:
        return "to be tried again";
    case EXECUTOR_DROPPED:
        return "not carried out";
    case EXECUTOR_INHERITED:
        return "left open by an earlier run, looking what became of it";
    }
    return "";
}

static void append_message(GString *out, const struct executor_event *e)
{
    if (e->message == NULL)
        return;
    g_string_append(out, ": ");
    text_append_escaped(out, e->message, -1);
}

/* "migration committed: shop.users [..) shard0 -> shard1, 45.0 KiB in 1.2 s; 3 of 62 done" */
static void append_line(GString *out, const struct act_progress *p, const struct executor_event *e)
{
    bool split = e->step != NULL ? e->step->kind == WORK_SPLIT : e->inherited->kind == JOURNAL_SPLIT;
    g_string_append_printf(out, "%s %s: ", split ? "split" : "migration", verb_of(e));
    append_what(out, e);
    if (e->kind == EXECUTOR_STARTED && e->step != NULL && !split)
        act_append_bytes(out, e->step->bytes);
    if (e->kind == EXECUTOR_ENDED && e->state == MIGRATION_COMMITTED) {
        g_string_append(out, ", in ");
        text_append_duration(out, (double)e->took_ms / 1000);
        if (e->step != NULL)
            g_string_append_printf(out, "; %zu of %zu done", p->done, p->total);
        return;
    }
    if (e->kind == EXECUTOR_RETRY) {
        g_string_append(out, ", in ");
        text_append_duration(out, (double)e->wait_ms / 1000);
    }
    append_message(out, e);
}

/* Of what goes well the block tells enough. */
static bool is_trouble(const struct executor_event *e)
{
    return e->kind == EXECUTOR_UNKNOWN || (e->kind == EXECUTOR_ENDED && e->state != MIGRATION_COMMITTED) ||
           (e->kind == EXECUTOR_RETRY && e->message != NULL);
}

/* What a limit or a signal kept from starting is told at the end, all of it in one line. */
static bool is_told_later(const struct executor_event *e)
{
    return e->kind == EXECUTOR_DROPPED && act_code_text(e->code) != NULL;
}

static bool is_done(const struct executor_event *e)
{
    return (e->kind == EXECUTOR_ENDED || e->kind == EXECUTOR_DROPPED) && e->step != NULL &&
           (e->state == MIGRATION_COMMITTED || strcmp(e->code, "already") == 0);
}

void act_progress_event(struct act_progress *p, const struct executor_event *e)
{
    if (is_done(e))
        p->done++;
    if (p->quiet || is_told_later(e) || (p->terminal && !is_trouble(e)))
        return;
    g_autoptr(GString) line = g_string_new(NULL);
    append_line(line, p, e);
    act_progress_hide(p);
    fprintf(stderr, "%s\n", line->str);
}

/* --- the block --- */

static void append_rate(GString *out, const struct act_progress *p, const struct executor_status *s)
{
    double seconds = (double)(g_get_monotonic_time() - p->began) / 1e6;
    if (s->bytes > 0 && seconds >= 1) {
        g_string_append(out, ", ");
        text_append_bytes(out, (int64_t)((double)s->bytes / seconds));
        g_string_append(out, "/s");
    }
    if (s->remaining_seconds > 0) {
        g_string_append(out, ", about ");
        text_append_duration(out, ceil(s->remaining_seconds));
        g_string_append(out, " left");
    }
}

static char *summary_line(const struct act_progress *p, const struct executor_status *s)
{
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "%zu of %zu done, ", p->done, p->total);
    text_append_bytes(out, s->bytes);
    g_string_append(out, " of ");
    text_append_bytes(out, s->bytes + MAX(s->bytes_left, 0));
    append_rate(out, p, s);
    return g_string_free(out, FALSE);
}

static char *under_way_line(const struct executor_under_way *u, int64_t now)
{
    GString *out = g_string_new("  ");
    act_append_range(out, u->ns, u->min, u->max, u->from, u->split ? NULL : u->to);
    if (!u->split)
        act_append_bytes(out, u->bytes);
    g_string_append(out, ", ");
    text_append_duration(out, (double)MAX(now - u->started_at, 0) / 1000);
    if (u->settling)
        g_string_append(out, ", looking what became of it");
    else if (u->attempt > 1)
        g_string_append_printf(out, ", attempt %u", u->attempt);
    return g_string_free(out, FALSE);
}

/* What a word of executor_status.holds means. */
static char *holds_text(const struct executor_status *s)
{
    static const struct {
        const char *word, *text;
    } known[] = {
        {"coolDown", "a range must not go back to the shard that it came from so soon"},
        {"backoff", "what failed is tried again"},
        {"maxBytesPerHour", "the limit of bytes an hour is reached"},
        {"lease", "the lease ran out and could not be renewed yet"},
    };
    GString *out = g_string_new("waiting");
    if (s->holds_until > 0) {
        g_autofree char *until = text_iso8601(s->holds_until);
        g_string_append_printf(out, " until %s", until);
    }
    const char *text = s->holds;
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (strcmp(known[i].word, s->holds) == 0)
            text = known[i].text;
    g_string_append_printf(out, ": %s", text);
    return g_string_free(out, FALSE);
}

/* Elsewhere than on a terminal: once for each thing that holds everything up; of a retry there was a line. */
static void say_holds(struct act_progress *p, const struct executor_status *s)
{
    const char *holds = s->under_way == 0 && g_strcmp0(s->holds, "backoff") != 0 ? s->holds : NULL;
    if (g_strcmp0(holds, p->holds) == 0)
        return;
    g_free(p->holds);
    p->holds = g_strdup(holds);
    if (holds == NULL)
        return;
    g_autofree char *text = holds_text(s);
    fprintf(stderr, "%s\n", text);
}

/* The terminal as it is now: it may have another size each time. */
struct terminal {
    struct page page;
    unsigned width, rows; /* rows: for what is under way */
};

static struct terminal measure(void)
{
    struct winsize size = {0};
    struct terminal t;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0;
    unsigned height = known && size.ws_row > 0 ? size.ws_row : HEIGHT_DEFAULT;
    t.width = known && size.ws_col > 0 ? MAX(size.ws_col, WIDTH_MIN) : WIDTH_DEFAULT;
    t.rows = CLAMP(height, ROWS_MIN, ROWS_MAX) - 3; /* the summary, what holds, and the cursor's line */
    page_init(&t.page, &(struct report_style){.width = t.width}, NULL);
    return t;
}

static void print_row(struct act_progress *p, const struct terminal *t, const char *text)
{
    g_autofree char *cut = page_elide(&t->page, text, t->width - 1);
    fprintf(stderr, "%s\n", cut);
    p->rows++;
}

static void draw_list(struct act_progress *p, const struct terminal *t, const executor *x)
{
    g_autoptr(GArray) list = executor_list(x);
    int64_t now = act_now();
    guint shown = list->len <= t->rows ? list->len : t->rows - 1;
    for (guint i = 0; i < shown; i++) {
        g_autofree char *text = under_way_line(&g_array_index(list, struct executor_under_way, i), now);
        print_row(p, t, text);
    }
    if (shown < list->len) {
        g_autofree char *text = g_strdup_printf("  and %u more under way", list->len - shown);
        print_row(p, t, text);
    }
}

static void draw_block(struct act_progress *p, const struct executor_status *s, const executor *x)
{
    const struct terminal t = measure();
    g_autofree char *summary = summary_line(p, s);
    act_progress_hide(p);
    print_row(p, &t, summary);
    draw_list(p, &t, x);
    if (s->holds != NULL) {
        g_autofree char *text = holds_text(s);
        print_row(p, &t, text);
    }
    fflush(stderr);
}

void act_progress_draw(struct act_progress *p, const executor *x)
{
    struct executor_status s;
    gint64 now = g_get_monotonic_time();
    if (!p->terminal && !p->quiet) {
        executor_status(x, &s);
        say_holds(p, &s);
    }
    if (!p->terminal || p->quiet || (p->rows > 0 && now - p->drawn < REDRAW_US))
        return;
    p->drawn = now;
    executor_status(x, &s);
    draw_block(p, &s, x);
}
