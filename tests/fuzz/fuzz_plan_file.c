// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a plan file: taken or refused in one printable line. Then its rounds alone, whatever their
 * hash, against a small cluster: resolved, compared as planned and as half done, told as differences. */
#include "migrations/work/plan_file.h"
#include "migrations/work/plan_steps.h"
#include "migrations/work/stale.h"
#include "tests/support/layout.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_line(const char *line)
{
    check(*line != '\0' && g_utf8_validate(line, -1, NULL));
    for (const char *p = line; *p != '\0'; p++)
        check((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void check_work(const work *w)
{
    check(w->steps->len == w->n_splits + w->n_migrations && w->bytes >= 0);
    for (guint i = 0; i < w->steps->len; i++) {
        const struct work_step *s = w->steps->pdata[i];
        g_autofree char *text = work_step_text(s);
        check_line(text);
        check(s->id == i + 1 && s->round >= 1 && s->round <= w->n_rounds);
        check(g_bytes_compare(s->enc_min, s->enc_max) < 0);
        check((s->kind == WORK_SPLIT) == (s->at != NULL) && (s->kind == WORK_SPLIT) == (s->to == NULL));
        check(s->at == NULL || s->at->len > 0);
    }
}

static void parse(const char *text, size_t size)
{
    struct err err = {0};
    g_autoptr(work) w = NULL;
    if (plan_file_parse("plan.json", text, size, &w, &err)) {
        check(err.cls == ERR_NONE && strlen(w->plan_id) == 64);
        check_work(w);
    } else {
        check(err.cls == ERR_DATA && w == NULL);
        check_line(err.msg);
    }
}

static void check_stale(const work *w, const cluster *cl, const bool *done)
{
    g_autoptr(GPtrArray) found = stale_find(w, cl, done);
    uint32_t last = 0;
    for (guint i = 0; i < found->len; i++) {
        const struct stale *s = found->pdata[i];
        check(s->step > last && (done == NULL || !done[s->step]));
        check_line(s->text);
        last = s->step;
    }
}

static void compare(work *w, const uint8_t *data, size_t size)
{
    static const struct layout small = {"a b/EU c!/EU d", "a 10 a 20 b 30 a 90 c",
                                        .zones = "EU:10..25 US:30..40", .version = "6.0.14"};
    static cluster *cl;
    struct work_diff d;
    g_autofree bool *done = g_new0(bool, w->steps->len + 1);
    if (cl == NULL)
        cl = layout_cluster(&small);
    check_work(w);
    check_stale(w, cl, NULL);
    work_resolve(w, cl);
    check_work(w);
    for (guint i = 1; i <= w->steps->len; i++)
        done[i] = data[i % size] & 1;
    check_stale(w, cl, done);
    work_diff_make(w, w, 3, &d);
    check(d.same == w->steps->len && d.gone == 0 && d.added == 0 && d.lines->len == 0);
    work_diff_clear(&d);
}

struct parts {
    const char *collections, *rounds;
};

static void parse_rounds(const char *text, size_t size)
{
    static const struct field fields[] = {
        {"collections", FIELD_ARRAY, offsetof(struct parts, collections)},
        {"rounds", FIELD_ARRAY, offsetof(struct parts, rounds)},
    };
    g_autoptr(work) w = work_new();
    g_autoptr(GString) place = g_string_new(NULL);
    struct plan_reader r = {.name = "plan.json", .place = place};
    struct parts parts = {0};
    struct err err = {0};
    const char *doc;
    if (view_check(text, size, &doc, &err) &&
        record_read(&r, doc, fields, G_N_ELEMENTS(fields), &parts, &err) &&
        plan_steps_read(&r, parts.collections, parts.rounds, w, &err))
        compare(w, (const uint8_t *)text, size);
    else
        check_line(err.msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* a copy of just that size, so that reading behind its end is seen */
    g_autofree char *text = g_memdup2(data, size);
    parse(text, size);
    parse_rounds(text, size);
    return 0;
}
