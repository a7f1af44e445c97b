// SPDX-License-Identifier: Apache-2.0
/* The lease as others use it: the rules, driven by commands, and what other threads may see of them. */
#include "migrations/mongo/lease.h"

#include "common/text.h"
#include "migrations/mongo/lease_private.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct lease {
    struct lease_rules rules; /* of the trying thread */
    struct lease_place place;
    struct lease_self self;
    struct lease_options opt;   /* its texts are not ours to use after lease_new() */
    bool written;               /* a document may bear our id */
    char other[LEASE_TEXT_MAX]; /* the stamp of the other holder that was seen last; "": none */
    bool other_alive;           /* it has had another one before */
    /* For the other threads. */
    _Atomic int64_t held_until, due_at, epoch;
    pthread_mutex_t lock;       /* not a GMutex: sanitizers see this one */
    struct lease_holder holder; /* behind the lock */
};

int64_t lease_boottime_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t now_ms(const lease *l)
{
    return l->opt.now_ms != NULL ? l->opt.now_ms(l->opt.now_data) : lease_boottime_ms();
}

lease *lease_new(const struct lease_options *opt)
{
    lease *l = g_new0(lease, 1);
    g_autofree char *id = g_uuid_string_random();
    lease_rules_init(&l->rules, opt->ttl_ms, id);
    l->opt = *opt;
    const char *dot = strchr(opt->ns, '.');
    l->place = (struct lease_place){.db = g_strndup(opt->ns, (gsize)(dot - opt->ns)),
                                    .coll = g_strdup(dot + 1),
                                    .ns = g_strdup(opt->ns),
                                    .cluster = g_strdup(opt->cluster),
                                    .max_ms = l->rules.ttl_ms / 3};
    l->self = (struct lease_self){g_strdup(opt->name), g_strdup(g_get_host_name()), getpid()};
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void lease_free(lease *l)
{
    if (l == NULL)
        return;
    lease_holder_clear(&l->holder);
    pthread_mutex_destroy(&l->lock);
    g_free(l->place.db);
    g_free(l->place.coll);
    g_free(l->place.ns);
    g_free(l->place.cluster);
    g_free(l->self.name);
    g_free(l->self.host);
    g_free(l);
}

bool lease_held(const lease *l, int64_t now)
{
    return now < atomic_load(&l->held_until);
}

int64_t lease_due_at(const lease *l)
{
    return atomic_load(&l->due_at);
}

int64_t lease_epoch(const lease *l)
{
    return atomic_load(&l->epoch);
}

void lease_holder_clear(struct lease_holder *h)
{
    g_free(h->name);
    g_free(h->host);
    *h = (struct lease_holder){0};
}

void lease_holder_get(const lease *l, struct lease_holder *ret)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&l->lock; /* asking changes nothing */
    pthread_mutex_lock(lock);
    *ret = l->holder;
    ret->name = g_strdup(ret->name);
    ret->host = g_strdup(ret->host);
    pthread_mutex_unlock(lock);
}

/* Takes what `h` owns. */
static void set_holder(lease *l, struct lease_holder *h)
{
    pthread_mutex_lock(&l->lock);
    lease_holder_clear(&l->holder);
    l->holder = *h;
    pthread_mutex_unlock(&l->lock);
    *h = (struct lease_holder){0};
}

/* A lease that ends is to be seen before anything else is done about it. */
static void publish(lease *l)
{
    atomic_store(&l->held_until, l->rules.held_until);
    if (l->rules.ours)
        atomic_store(&l->epoch, l->rules.epoch);
}

/* Whether the other holder has written anything since it was first seen. */
static bool is_alive(lease *l, const struct lease_seen *seen, const struct lease_holder *h)
{
    bool other = h->known && !h->ours;
    if (!other || (l->other[0] != '\0' && strcmp(l->other, seen->stamp) != 0))
        l->other_alive = other;
    g_strlcpy(l->other, other ? seen->stamp : "", sizeof(l->other));
    return l->other_alive;
}

/* Reads the document and lets the rules see it; *raw is replaced. */
static bool step_read(lease *l, mongoc_client_t *client, bson_t **raw, struct err *err)
{
    struct lease_seen seen;
    struct lease_holder holder = {0};
    g_clear_pointer(raw, bson_destroy);
    if (!lease_read(client, &l->place, &seen, raw, &holder, err))
        return false;
    holder.ours = holder.known && strcmp(seen.holder, l->rules.id) == 0;
    holder.alive = is_alive(l, &seen, &holder);
    set_holder(l, &holder);
    lease_rules_read(&l->rules, now_ms(l), &seen);
    return true;
}

static void set_own_holder(lease *l, const struct lease_written *written)
{
    struct lease_holder h = {.known = true,
                             .ours = true,
                             .name = g_strdup(l->self.name),
                             .host = g_strdup(l->self.host),
                             .pid = l->self.pid,
                             .epoch = l->rules.epoch,
                             .since_ms = written->since_ms,
                             .renewed_ms = written->renewed_ms,
                             .until_ms =
                                 written->renewed_ms != 0 ? written->renewed_ms + l->rules.ttl_ms : 0};
    l->other[0] = '\0';
    l->other_alive = false;
    set_holder(l, &h);
}

/* Sends what the rules ask for; *raw becomes the document as written, where that went well. */
static bool step_write(lease *l, mongoc_client_t *client, bson_t **raw, struct err *err)
{
    g_autofree char *stamp = g_uuid_string_random();
    const struct lease_write w = {.op = l->rules.op,
                                  .id = l->rules.id,
                                  .stamp = stamp,
                                  .epoch = l->rules.next_epoch,
                                  .ttl_ms = l->rules.ttl_ms,
                                  .raw = *raw};
    struct lease_written written;
    bool for_us = w.op != LEASE_OP_PREPARE && w.op != LEASE_OP_PLACE;
    l->written = l->written || for_us;
    if (!lease_write(client, &l->place, &l->self, &w, &written, err))
        return false;
    lease_rules_wrote(&l->rules, now_ms(l), written.matched);
    publish(l);
    if (written.matched && for_us)
        set_own_holder(l, &written);
    bson_destroy(*raw);
    *raw = written.raw;
    return true;
}

bool lease_try(lease *l, enum lease_state *ret, struct err *err)
{
    bool good = true;
    bson_t *raw = NULL;
    mongoc_client_t *client = l->opt.take(l->opt.data);
    lease_rules_start(&l->rules, now_ms(l));
    while (good && l->rules.op != LEASE_OP_NONE)
        good =
            l->rules.op == LEASE_OP_READ ? step_read(l, client, &raw, err) : step_write(l, client, &raw, err);
    l->opt.give(l->opt.data, client);
    bson_destroy(raw);
    if (!good)
        lease_rules_failed(&l->rules);
    atomic_store(&l->due_at, lease_rules_due(&l->rules, now_ms(l), !good));
    if (!good)
        return false;
    *ret = l->rules.ours ? LEASE_HELD : l->rules.lost ? LEASE_LOST : LEASE_WAITED;
    l->rules.lost = false;
    return true;
}

bool lease_release(lease *l, struct err *err)
{
    g_autofree char *old_id = g_strdup(l->rules.id), *new_id = g_uuid_string_random();
    g_autofree char *stamp = g_uuid_string_random();
    const struct lease_write w = {
        .op = LEASE_OP_NONE, .id = old_id, .stamp = stamp, .ttl_ms = l->rules.ttl_ms};
    struct lease_holder nobody = {0};
    struct lease_written written = {0};
    bool good = true;
    lease_rules_give_up(&l->rules, new_id);
    publish(l);
    if (l->written) {
        mongoc_client_t *client = l->opt.take(l->opt.data);
        good = lease_write(client, &l->place, &l->self, &w, &written, err);
        l->opt.give(l->opt.data, client);
        l->written = false;
    }
    if (written.matched)
        set_holder(l, &nobody);
    bson_destroy(written.raw);
    atomic_store(&l->due_at, 0);
    return good;
}

static char *time_text(int64_t ms)
{
    return ms != 0 ? text_iso8601(ms) : g_strdup("an unknown time");
}

bool lease_refuse(const lease *l, struct err *err)
{
    struct lease_holder h;
    lease_holder_get(l, &h);
    g_autofree char *since = time_text(h.since_ms), *until = time_text(h.until_ms);
    if (h.known)
        err_set(err, ERR_RETRY_LATER,
                "the lease in %s on %s is held by '%.64s' on host %.255s (process %" G_GINT64_FORMAT
                ") since %s, until %s unless it is renewed; stop it there, or try again then",
                l->place.ns, l->place.cluster, h.name, h.host, h.pid, since, until);
    else
        err_set(
            err, ERR_RETRY_LATER,
            "the lease in %s on %s may still be held by one whose document was deleted or damaged; try again "
            "in %d s",
            l->place.ns, l->place.cluster, (int)(l->rules.ttl_ms * 11 / 10000 + 1));
    lease_holder_clear(&h);
    return err_false();
}
