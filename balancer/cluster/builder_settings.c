// SPDX-License-Identifier: Apache-2.0
/* config.settings. What the server would refuse to work with is kept as the reason why, not as a fault of the
 * input: it is for the plan to say that the server would skip every round. */
#include "balancer/cluster/builder_private.h"
#include "common/text.h"

#include <string.h>

#define MIB ((int64_t)1024 * 1024)

/* Fields of a window as they stand in the document. */
struct window_doc {
    const char *day; /* borrowed; NULL: absent */
    int start, stop; /* minutes; -1: absent */
};

/* NULL, or what is wrong with it. */
static const char *read_window_doc(const bson_iter_t *window, struct window_doc *ret)
{
    bson_iter_t it;
    const char *text;
    *ret = (struct window_doc){NULL, -1, -1};
    if (!BSON_ITER_HOLDS_DOCUMENT(window) || !bson_iter_recurse(window, &it))
        return "activeWindow is not a document";
    while (bson_iter_next(&it)) {
        int *to = strcmp(bson_iter_key(&it), "start") == 0  ? &ret->start
                  : strcmp(bson_iter_key(&it), "stop") == 0 ? &ret->stop
                                                            : NULL;
        if (to != NULL && (!field_text(&it, &text) || !text_parse_clock(text, to)))
            return "start or stop of activeWindow is not a time of day such as \"23:00\"";
        if (strcmp(bson_iter_key(&it), "day") == 0 && !field_text(&it, &ret->day))
            return "day of activeWindowDOW is not a string";
    }
    if (!walk_complete(&it))
        return "corrupt BSON";
    if (ret->start < 0 || ret->stop < 0)
        return "activeWindow needs both start and stop";
    return ret->start == ret->stop ? "activeWindow starts when it stops" : NULL;
}

static char *clock_text(int minutes)
{
    return g_strdup_printf("%02d:%02d", minutes / 60, minutes % 60);
}

static const char *read_window(const bson_iter_t *window, struct cluster_settings *s)
{
    struct window_doc d;
    const char *fault = read_window_doc(window, &d);
    if (fault != NULL)
        return fault;
    g_free(s->window_start);
    g_free(s->window_stop);
    s->window_start = clock_text(d.start);
    s->window_stop = clock_text(d.stop);
    return NULL;
}

static bool is_weekday(const char *name)
{
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday",  "Wednesday",
                                       "Thursday", "Friday", "Saturday", NULL};
    return name != NULL && g_strv_contains(days, name);
}

static void day_window_clear(void *data)
{
    struct cluster_day_window *w = data;
    g_free(w->day);
    g_free(w->start);
    g_free(w->stop);
}

/* activeWindowDOW, an array of {day, start, stop}; an empty one is as none. */
static const char *read_day_windows(const bson_iter_t *list, struct cluster_settings *s)
{
    bson_iter_t it;
    const char *fault = NULL;
    if (!BSON_ITER_HOLDS_ARRAY(list) || !bson_iter_recurse(list, &it))
        return "activeWindowDOW is not an array";
    g_clear_pointer(&s->day_windows, g_array_unref);
    while (fault == NULL && bson_iter_next(&it)) {
        struct window_doc d;
        fault = read_window_doc(&it, &d);
        if (fault == NULL && !is_weekday(d.day))
            fault = "activeWindowDOW has an entry whose day is none of Sunday to Saturday";
        if (fault != NULL)
            break;
        if (s->day_windows == NULL) {
            s->day_windows = g_array_new(FALSE, FALSE, sizeof(struct cluster_day_window));
            g_array_set_clear_func(s->day_windows, day_window_clear);
        }
        const struct cluster_day_window w = {g_strdup(d.day), clock_text(d.start), clock_text(d.stop)};
        g_array_append_val(s->day_windows, w);
    }
    return fault != NULL || walk_complete(&it) ? fault : "corrupt BSON";
}

/* The fields of {_id: "balancer"} before they are weighed against each other. */
struct balancer_doc {
    bool stopped;
    const char *mode; /* borrowed; NULL: absent */
};

static const char *read_balancer_field(const bson_iter_t *it, struct cluster_settings *s,
                                       struct balancer_doc *d)
{
    const char *name = bson_iter_key(it);
    if (strcmp(name, "stopped") == 0)
        return field_bool(it, false, &d->stopped) ? NULL : "stopped is not a boolean";
    if (strcmp(name, "mode") == 0)
        return field_text(it, &d->mode) ? NULL : "mode is not a string";
    if (strcmp(name, "_waitForDelete") == 0)
        return field_bool(it, false, &s->wait_for_delete) ? NULL : "_waitForDelete is not a boolean";
    if (strcmp(name, "attemptToBalanceJumboChunks") == 0)
        return field_bool(it, false, &s->attempt_jumbo) ? NULL
                                                        : "attemptToBalanceJumboChunks is not a boolean";
    if (strcmp(name, "activeWindow") == 0)
        return read_window(it, s);
    if (strcmp(name, "activeWindowDOW") == 0)
        return read_day_windows(it, s);
    return NULL;
}

/* `stopped` wins over whatever `mode` says. */
static void settle_mode(builder *b, const struct balancer_doc *d, const char *where)
{
    struct cluster_settings *s = &b->cl->settings;
    g_clear_pointer(&b->unknown_mode, g_free);
    if (d->stopped || g_strcmp0(d->mode, "off") == 0) {
        s->mode = BALANCER_OFF;
    } else if (d->mode == NULL || strcmp(d->mode, "full") == 0) {
        s->mode = BALANCER_FULL;
    } else if (strcmp(d->mode, "autoSplitOnly") == 0) {
        s->mode = BALANCER_AUTOSPLIT_ONLY;
    } else {
        s->mode = BALANCER_OFF;
        b->unknown_mode = g_strdup(d->mode);
        g_free(b->unknown_mode_where);
        b->unknown_mode_where = g_strdup(where);
    }
}

static const char *read_balancer(builder *b, bson_iter_t *it, const char *where)
{
    struct balancer_doc d = {0};
    const char *fault = NULL;
    while (fault == NULL && bson_iter_next(it))
        fault = read_balancer_field(it, &b->cl->settings, &d);
    if (fault == NULL)
        settle_mode(b, &d, where);
    return fault;
}

static const char *read_chunk_size(bson_iter_t *it, struct cluster_settings *s)
{
    int64_t mb = 0;
    while (bson_iter_next(it))
        if (strcmp(bson_iter_key(it), "value") == 0 && !field_whole(it, 1, 1024, &mb))
            return "value is not a whole number of megabytes from 1 to 1024";
    if (mb == 0)
        return "value is missing";
    s->chunk_bytes = mb * MIB;
    s->chunk_bytes_given = true;
    return NULL;
}

void builder_add_setting(builder *b, uint64_t index, const uint8_t *doc, uint32_t len)
{
    bson_iter_t it;
    const char *id, *fault = NULL;
    if (!bson_iter_init_from_data(&it, doc, len) || !bson_iter_find(&it, "_id") || !field_text(&it, &id))
        return; /* names no setting */
    bool balancer = strcmp(id, "balancer") == 0;
    if (!balancer && strcmp(id, "chunksize") != 0)
        return;
    g_autofree char *where = doc_where(DOC_SETTING, index, doc, len);
    bson_iter_init_from_data(&it, doc, len);
    fault = balancer ? read_balancer(b, &it, where) : read_chunk_size(&it, &b->cl->settings);
    if (fault == NULL && !walk_complete(&it))
        fault = "corrupt BSON";
    if (fault != NULL)
        fault_set(&b->cl->settings.invalid, "%s: %s", where, fault);
}

static bool any_timestamp(const builder *b)
{
    for (guint i = 0; i < b->collections->len; i++)
        if (g_array_index(b->collections, struct collection, i).has_timestamp)
            return true;
    return false;
}

/* Defaults and unknown modes depend on the server's version. */
void builder_finish_settings(builder *b)
{
    struct cluster_settings *s = &b->cl->settings;
    bool known = b->cl->server_version != NULL;
    if (!s->chunk_bytes_given) {
        bool large = known ? cluster_version_cmp(b->cl, 6, 0, 0) >= 0 : any_timestamp(b);
        s->chunk_bytes = (large ? 128 : 64) * MIB;
    }
    if (b->unknown_mode == NULL)
        return;
    if (cluster_version_cmp(b->cl, 7, 0, 0) < 0)
        fault_set(&s->invalid, "%s: mode " NAME_FMT " is not known", b->unknown_mode_where, b->unknown_mode);
    else
        warn_add(b, "unknownBalancerMode", NULL,
                 "%s: mode " NAME_FMT " is not known; the server takes it as \"off\"", b->unknown_mode_where,
                 b->unknown_mode);
}
