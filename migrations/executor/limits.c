// SPDX-License-Identifier: Apache-2.0
/* Whether a step that could start may. A row that is open has its place under every limit already: a retry is
 * held up by time alone. */
#include "migrations/executor/executor_private.h"

#include "common/text.h"

enum { HOUR_MS = 60 * 60 * 1000 };

int64_t executor_size(const executor *x, const struct work_step *s)
{
    return s->bytes >= 0 ? s->bytes : MAX(x->opt.assumed_bytes, 0);
}

void executor_reserve(executor *x, struct task *t, bool on)
{
    const int sign = on ? 1 : -1;
    if (t->kind != JOURNAL_MIGRATION)
        return;
    if (on)
        t->bytes = t->step == NULL ? MAX(x->opt.assumed_bytes, 0) : executor_size(x, t->step);
    x->reserved_bytes += sign * t->bytes;
    if (t->step != NULL)
        x->reserved_moves += sign;
}

/* --- of this executor --- */

const char *executor_limit_reached(const executor *x, int64_t now, char **ret_message)
{
    const struct executor_options *o = &x->opt;
    const bool over = o->max_ms > 0 && now - x->born >= o->max_ms;
    if (o->max_moves > 0 && x->count.committed >= o->max_moves) {
        *ret_message =
            g_strdup_printf("the limit of %" G_GINT64_FORMAT " migrations is reached", o->max_moves);
        return "limit";
    }
    if (!over && (x->until == 0 || now < x->until))
        return NULL;
    *ret_message = g_strdup("the time is up");
    return over ? "limit" : x->until_code;
}

static void check_time(const executor *x, const struct work_step *s, int64_t now, struct permission *p)
{
    const double bytes = s->kind == WORK_MOVE && s->bytes > 0 ? (double)s->bytes : 0;
    const double ms = (x->opt.latency_seconds + x->opt.seconds_per_byte * bytes) * 1000;
    const bool limit = x->opt.max_ms > 0 && (double)(now - x->born) + ms > (double)x->opt.max_ms;
    if (!limit && (x->until == 0 || (double)now + ms <= (double)x->until))
        return;
    *p = (struct permission){.may = MAY_DROP, .code = limit ? "limit" : x->until_code};
    p->message = g_strdup("it would not end in time");
}

/* Others under way may fail and leave room; when there are none, nothing more fits. */
static void check_totals(const executor *x, const struct work_step *s, struct permission *p)
{
    const struct executor_options *o = &x->opt;
    if (o->max_moves > 0 && x->count.committed + x->reserved_moves >= o->max_moves)
        *p = (struct permission){.may = MAY_HOLD, .code = "limit"};
    if (o->max_bytes <= 0 || x->limited_bytes + x->reserved_bytes + executor_size(x, s) <= o->max_bytes)
        return;
    *p = (struct permission){.may = MAY_HOLD, .code = "limit"};
    if (x->reserved_moves > 0)
        return;
    g_autofree char *limit = text_bytes(o->max_bytes);
    p->may = MAY_DROP_ALL;
    p->message = g_strdup_printf("the limit of %s would be passed", limit);
}

/* --- of the journal's last hour --- */

/* One that is bigger than the limit would never fit: it goes alone. */
static bool has_room(const executor *x, int64_t before, int64_t size)
{
    return before == 0 || before + size <= x->opt.max_bytes_per_hour;
}

/* When so much will have been long enough ago that `size` fits; 0: that hangs on what is under way. */
static bool find_room(const executor *x, int64_t size, int64_t now, int64_t *ret_until, struct err *err)
{
    int64_t low = now - HOUR_MS,
            high = now + 1; /* counted from `low` on there is no room, from `high` on there is */
    *ret_until = 0;
    if (!has_room(x, x->reserved_bytes, size))
        return true;
    while (high - low > 1) {
        const int64_t mid = low + (high - low) / 2;
        int64_t bytes;
        if (!journal_bytes_since(x->j, mid, x->opt.assumed_bytes, &bytes, err))
            return false;
        if (has_room(x, bytes + x->reserved_bytes, size))
            high = mid;
        else
            low = mid;
    }
    *ret_until = high + HOUR_MS;
    return true;
}

static bool check_hour(const executor *x, const struct work_step *s, int64_t now, struct permission *p,
                       struct err *err)
{
    const int64_t size = executor_size(x, s);
    int64_t bytes;
    if (x->opt.max_bytes_per_hour <= 0)
        return true;
    if (!journal_bytes_since(x->j, now - HOUR_MS, x->opt.assumed_bytes, &bytes, err))
        return false;
    if (has_room(x, bytes + x->reserved_bytes, size))
        return true;
    *p = (struct permission){.may = MAY_HOLD, .code = "maxBytesPerHour"};
    return find_room(x, size, now, &p->until, err);
}

/* --- of the range --- */

static bool check_cool_down(const executor *x, const struct work_step *s, int64_t now, struct permission *p,
                            struct err *err)
{
    int64_t moved_at;
    if (x->opt.cool_down_ms <= 0)
        return true;
    if (!journal_moved_at(x->j, s->coll->ns, s->enc_min, s->enc_max, s->from, s->to,
                          now - x->opt.cool_down_ms, &moved_at, err))
        return false;
    if (moved_at == 0 || moved_at + x->opt.cool_down_ms <= now)
        return true;
    *p = (struct permission){.may = x->opt.wait_cool_down ? MAY_LATER : MAY_DROP, .code = "coolDown"};
    p->until = moved_at + x->opt.cool_down_ms;
    g_autofree char *at = text_iso8601(moved_at);
    p->message = g_strdup_printf("it came from %s at %s, and does not go back so soon", s->to, at);
    return true;
}

bool executor_may_start(executor *x, const struct work_step *s, const struct task *t, int64_t now,
                        struct permission *ret, struct err *err)
{
    *ret = (struct permission){.may = MAY_START};
    check_time(x, s, now, ret);
    if (ret->may != MAY_START || s->kind == WORK_SPLIT || (t != NULL && t->row > 0))
        return true;
    if (!check_cool_down(x, s, now, ret, err))
        return false;
    if (ret->may == MAY_START)
        check_totals(x, s, ret);
    return ret->may != MAY_START || check_hour(x, s, now, ret, err);
}
