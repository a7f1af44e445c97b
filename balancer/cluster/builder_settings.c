// SPDX-License-Identifier: Apache-2.0
/* config.settings. What the server would refuse to work with is kept as the reason why, not as a fault of the
 * input: it is for the plan to say that the server would skip every round. */
#include "balancer/cluster/builder_private.h"

#include <string.h>

#define MIB ((int64_t)1024 * 1024)

/* Reads "hh:mm" as leniently as the server: "9:00" and "7:5" too. What stands behind is not looked at. */
static bool parse_time(const char *s, int *ret_minutes)
{
    int part[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        while (g_ascii_isspace(*s))
            s++;
        if (!g_ascii_isdigit(*s))
            return false;
        for (; g_ascii_isdigit(*s) && part[i] < 100; s++)
            part[i] = part[i] * 10 + g_ascii_digit_value(*s);
        if (i == 0 && *s++ != ':')
            return false;
    }
    *ret_minutes = part[0] * 60 + part[1];
    return part[0] < 24 && part[1] < 60;
}

static const char *read_window(const bson_iter_t *window, struct cluster_settings *s)
{
    bson_iter_t it;
    const char *text;
    int start = -1, stop = -1;
    if (!BSON_ITER_HOLDS_DOCUMENT(window) || !bson_iter_recurse(window, &it))
        return "activeWindow is not a document";
    while (bson_iter_next(&it)) {
        int *to = strcmp(bson_iter_key(&it), "start") == 0  ? &start
                  : strcmp(bson_iter_key(&it), "stop") == 0 ? &stop
                                                            : NULL;
        if (to != NULL && (!field_text(&it, &text) || !parse_time(text, to)))
            return "start or stop of activeWindow is not a time of day such as \"23:00\"";
    }
    if (!walk_complete(&it))
        return "corrupt BSON";
    if (start < 0 || stop < 0)
        return "activeWindow needs both start and stop";
    if (start == stop)
        return "activeWindow starts when it stops";
    g_free(s->window_start);
    g_free(s->window_stop);
    s->window_start = g_strdup_printf("%02d:%02d", start / 60, start % 60);
    s->window_stop = g_strdup_printf("%02d:%02d", stop / 60, stop % 60);
    return NULL;
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
