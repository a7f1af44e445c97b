// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_service.h"

#include "tests/support/canned_view.h"

void fake_service_init(struct fake_service *f, const char *scene)
{
    *f = (struct fake_service){.scene = scene, .asked = g_string_new(NULL)};
}

void fake_service_clear(struct fake_service *f)
{
    g_string_free(f->asked, TRUE);
    if (f->plan != NULL)
        g_string_free(f->plan, TRUE);
}

static service_view *view(void *data)
{
    const struct fake_service *f = data;
    service_view *v = canned_view(f->scene);
    v->at += f->shift;
    if (f->paused) {
        v->state = SERVICE_PAUSED;
        v->pause.paused = true;
    }
    return v;
}

static bool note(struct fake_service *f, const char *what, const struct service_asker *by, struct err *err)
{
    g_string_append_printf(f->asked, "%s by %s: %s\n", what, by->who, by->reason == NULL ? "-" : by->reason);
    return f->fails == ERR_NONE || err_set(err, f->fails, "it failed as it was told to");
}

static bool ask_round(void *data, const struct service_asker *by, const struct service_round_ask *ask,
                      service_follow_fn follow, void *follow_data, int64_t *ret_round, bool *ret_queued,
                      struct err *err)
{
    struct fake_service *f = data;
    g_autoptr(GString) what = g_string_new("round");
    (void)follow, (void)follow_data;
    g_string_append(what, ask->ignore_window ? " ignoreWindow" : "");
    g_string_append(what, ask->dry_run ? " dryRun" : "");
    for (size_t i = 0; i < ask->n_ns; i++)
        g_string_append_printf(what, " %s", ask->ns[i]);
    *ret_round = 17;
    *ret_queued = ask->dry_run;
    return note(f, what->str, by, err);
}

static void unfollow(void *data, void *follow_data)
{
    (void)data, (void)follow_data;
}

static bool pause_service(void *data, const struct service_asker *by, struct err *err)
{
    struct fake_service *f = data;
    f->paused = f->fails == ERR_NONE;
    return note(f, "pause", by, err);
}

static bool resume_service(void *data, const struct service_asker *by, struct err *err)
{
    struct fake_service *f = data;
    f->paused = false;
    return note(f, "resume", by, err);
}

static bool reload(void *data, const struct service_asker *by, struct err *err)
{
    return note(data, "reload", by, err);
}

static GBytes *plan_json(void *data)
{
    const struct fake_service *f = data;
    return f->plan == NULL ? NULL : g_bytes_new(f->plan->str, f->plan->len);
}

static bool history_json(void *data, const char *query, unsigned limit, GString *out, struct err *err)
{
    struct fake_service *f = data;
    g_string_append_printf(f->asked, "history %s limit %u\n", query, limit);
    g_string_append(out, "{\"rows\": []}\n");
    return f->fails == ERR_NONE || err_set(err, f->fails, "it failed as it was told to");
}

static bool ready(void *data, char **ret_why_not)
{
    const struct fake_service *f = data;
    if (f->not_ready)
        *ret_why_not = g_strdup("the cluster was not reached yet");
    return !f->not_ready;
}

struct service_ops fake_service_ops(struct fake_service *f)
{
    return (struct service_ops){.data = f,
                                .view = view,
                                .round = ask_round,
                                .unfollow = unfollow,
                                .pause = pause_service,
                                .resume = resume_service,
                                .reload = reload,
                                .plan_json = plan_json,
                                .history_json = history_json,
                                .ready = ready};
}
