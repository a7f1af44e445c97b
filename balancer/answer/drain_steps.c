// SPDX-License-Identifier: Apache-2.0
/* What stands in the way of a draining, and its steps in order. */
#include "balancer/answer/drain_private.h"

#include "balancer/answer/lookup.h"
#include "balancer/key/show.h"
#include "common/text.h"

#include <string.h>

static void add_blocker(drain *d, const char *code, const char *ns, char *fix, const char *fmt, ...)
    G_GNUC_PRINTF(5, 6);
static void add_blocker(drain *d, const char *code, const char *ns, char *fix, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *raw = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    struct drain_blocker b = {.code = code, .ns = g_strdup(ns), .why = text_escaped(raw), .fix = fix};
    g_array_append_val(d->blockers, b);
}

/* "db.adminCommand({NAME: "value", to: "shard"})" */
static char *admin_command(const char *name, const char *value, const char *to_key, const char *to)
{
    GString *s = g_string_new("db.adminCommand({");
    g_string_append_printf(s, "%s: ", name);
    key_mongosh_string(s, value);
    if (to_key != NULL) {
        g_string_append_printf(s, ", %s: ", to_key);
        key_mongosh_string(s, to);
    }
    g_string_append(s, "})");
    return g_string_free(s, FALSE);
}

static char *enable_command(const char *ns)
{
    GString *s = g_string_new("sh.enableBalancing(");
    key_mongosh_string(s, ns);
    g_string_append_c(s, ')');
    return g_string_free(s, FALSE);
}

static char *allow_command(const char *ns)
{
    GString *s = g_string_new("db.adminCommand({setAllowMigrations: ");
    key_mongosh_string(s, ns);
    g_string_append(s, ", allowMigrations: true})");
    return g_string_free(s, FALSE);
}

/* A collection that is left out keeps its chunks there for ever. */
static void block_excluded(drain *d, const struct drain_collection *c)
{
    static const char *const what[EXCLUDED_COUNT] = {
        [EXCLUDED_FILTERED] = "is left out by --ns or the configuration; include it",
        [EXCLUDED_METADATA_INVALID] = "has damaged metadata; 'evenkeel explain' names the damage",
        [EXCLUDED_TIME_SERIES] = "is a time-series collection; include it with --time-series even",
        [EXCLUDED_RESHARDING] = "is being resharded; wait until that has ended",
        [EXCLUDED_DEFRAGMENTING] = "is being defragmented; wait until that has ended, or stop it",
        [EXCLUDED_NO_BALANCE] = "has balancing disabled; enable it",
        [EXCLUDED_MIGRATIONS_NOT_PERMITTED] = "does not permit migrations; permit them",
    };
    g_autofree char *count = text_count(c->chunks);
    char *fix = c->excluded == EXCLUDED_NO_BALANCE                 ? enable_command(c->coll->ns)
                : c->excluded == EXCLUDED_MIGRATIONS_NOT_PERMITTED ? allow_command(c->coll->ns)
                                                                   : NULL;
    add_blocker(d, excluded_text(c->excluded), c->coll->ns, fix,
                "%s %s, else its %s chunk%s stay%s on the shard", c->coll->ns, what[c->excluded], count,
                c->chunks == 1 ? "" : "s", c->chunks == 1 ? "s" : "");
}

static void block_jumbo(drain *d, const struct drain_collection *c)
{
    bool one = c->jumbo == 1;
    g_autofree char *count = text_count(c->jumbo);
    add_blocker(
        d, "jumbo", c->coll->ns, NULL,
        "%s chunk%s of %s there %s flagged jumbo and never chosen; split %s, clear the flag with "
        "clearJumboFlag%s",
        count, one ? "" : "s", c->coll->ns, one ? "is" : "are", one ? "it" : "them",
        cluster_version_cmp(d->cl, 8, 0, 0) >= 0
            ? ", or reshard to the same key with forceRedistribution: true once the draining has begun"
        : cluster_version_cmp(d->cl, 4, 4, 0) >= 0 ? ", or move them by hand with forceJumbo: true"
                                                   : " (from 4.2.3)");
}

static void block_zone(drain *d, const struct drain_zone *z)
{
    g_autofree char *count = text_count(z->chunks);
    if (z->receivers->len > 0)
        return;
    if (z->zone == ZONE_NONE)
        add_blocker(
            d, "noEligibleShard", z->coll->ns, NULL,
            "no other shard may receive the %s chunk%s of %s: all others are draining or configured not to "
            "receive",
            count, z->chunks == 1 ? "" : "s", z->coll->ns);
    else
        add_blocker(d, "noEligibleShard", z->coll->ns, NULL,
                    "no other shard that may receive carries zone '%s', which %s chunk%s of %s there "
                    "belong%s to; add "
                    "another shard to the zone",
                    cluster_zone_name(d->cl, z->zone), count, z->chunks == 1 ? "" : "s", z->coll->ns,
                    z->chunks == 1 ? "s" : "");
}

/* What the projection found besides. */
static void block_rest(drain *d, const plan *p)
{
    for (guint i = 0; i < p->blocked->len; i++) {
        const struct plan_blocked *b = &g_array_index(p->blocked, struct plan_blocked, i);
        bool told = strcmp(b->reason, "jumbo") == 0 || strcmp(b->reason, "excluded") == 0;
        for (guint k = 0; k < d->zones->len && !told; k++) {
            const struct drain_zone *z = &g_array_index(d->zones, struct drain_zone, k);
            told = z->coll == b->coll && z->receivers->len == 0 && strcmp(b->reason, "noEligibleShard") == 0;
        }
        if (b->shard == d->shard && !told)
            add_blocker(d, b->reason, b->coll == NULL ? NULL : b->coll->ns, NULL, "%s", b->why);
    }
    for (guint i = 0; i < d->collections->len; i++) {
        const struct drain_collection *c = &g_array_index(d->collections, struct drain_collection, i);
        if (c->excluded == EXCLUDED_NO && !c->coll->time_series && c->n_migrations == 0 &&
            splits_zone_bounds_cut(c->coll))
            add_blocker(d, "zoneBounds", c->coll->ns, NULL,
                        "zone bounds of %s lie inside chunks, and nothing of it moves until those are split; "
                        "'evenkeel "
                        "zones check' has the commands",
                        c->coll->ns);
    }
}

void drain_find_blockers(drain *d, const plan *p)
{
    bool receivers = false;
    for (uint16_t s = 0; s < d->cl->n_shards; s++)
        receivers |= s != d->shard && !d->cl->shards[s].draining;
    if (!receivers)
        add_blocker(d, "allDraining", NULL, NULL,
                    "all other shards are draining, too: add a shard, or stop one of the drainings");
    if (d->others->len > 0 && !d->already && d->cl->server_version != NULL &&
        cluster_version_cmp(d->cl, 4, 4, 0) < 0)
        add_blocker(
            d, "otherDraining", NULL, NULL,
            "'%s' is draining already, and servers of this version drain one shard at a time; wait for it",
            d->cl->shards[g_array_index(d->others, uint16_t, 0)].id);
    for (guint i = 0; i < d->collections->len; i++) {
        const struct drain_collection *c = &g_array_index(d->collections, struct drain_collection, i);
        if (c->excluded != EXCLUDED_NO)
            block_excluded(d, c);
        if (c->jumbo > 0)
            block_jumbo(d, c);
    }
    for (guint i = 0; i < d->zones->len && receivers; i++)
        block_zone(d, &g_array_index(d->zones, struct drain_zone, i));
    block_rest(d, p);
}

static struct drain_step *add_step(drain *d, char *what)
{
    struct drain_step s = {.what = what, .commands = g_ptr_array_new_with_free_func(g_free)};
    g_array_append_val(d->steps, s);
    return &g_array_index(d->steps, struct drain_step, d->steps->len - 1);
}

static bool is_config_shard(const drain *d)
{
    return strcmp(d->cl->shards[d->shard].id, "config") == 0;
}

/* The command that starts the draining, is asked how far it is, and ends it. */
static char *removal_command(const drain *d)
{
    return is_config_shard(d) ? g_strdup("db.adminCommand({transitionToDedicatedConfigServer: 1})")
                              : admin_command("removeShard", d->cl->shards[d->shard].id, NULL, NULL);
}

/* Where databases and unsharded collections could go: of the shards that stay, the config server left out,
 * the one that is the primary of the fewest databases, those given a home here included. NULL: there is none.
 */
static const char *new_home(const drain *d, int64_t *primaries)
{
    uint16_t home = SHARD_NONE;
    for (uint16_t s = 0; s < d->cl->n_shards; s++) {
        const struct shard *shard = &d->cl->shards[s];
        if (s == d->shard || shard->draining || strcmp(shard->id, "config") == 0)
            continue;
        if (home == SHARD_NONE || primaries[s] < primaries[home])
            home = s;
    }
    if (home == SHARD_NONE)
        return NULL;
    primaries[home]++;
    return d->cl->shards[home].id;
}

static void step_migrations(drain *d)
{
    g_autofree char *n = text_count(d->migrations);
    g_autofree char *time = text_duration(d->seconds);
    GString *s = g_string_new("migrate its chunks away: ");
    g_string_append_printf(s, "%s migration%s in %u round%s", n, d->migrations == 1 ? "" : "s", d->rounds,
                           d->rounds == 1 ? "" : "s");
    if (d->bytes_moved >= 0) {
        g_string_append(s, ", ");
        text_append_bytes(s, d->bytes_moved);
    }
    g_string_append_printf(s, ", about %s", time);
    g_string_append(s, d->cl->settings.mode == BALANCER_FULL
                           ? " (MongoDB's own balancer is on and does it)"
                           : " (MongoDB's own balancer does not run, so evenkeel has to)");
    add_step(d, g_string_free(s, FALSE));
}

static void add_home(const drain *d, struct drain_step *step, int64_t *primaries, const char *command,
                     const char *name, const char *to_key)
{
    const char *home = new_home(d, primaries);
    if (home != NULL)
        g_ptr_array_add(step->commands, admin_command(command, name, to_key, home));
}

static void step_homes(drain *d)
{
    g_autofree int64_t *primaries = g_new0(int64_t, d->cl->n_shards);
    for (uint32_t i = 0; i < d->cl->n_databases; i++)
        if (d->cl->databases[i].primary != SHARD_NONE)
            primaries[d->cl->databases[i].primary]++;
    if (d->unsplittable->len > 0) {
        struct drain_step *s =
            add_step(d, g_strdup_printf("move the %u unsharded collection%s that the cluster tracks there",
                                        d->unsplittable->len, d->unsplittable->len == 1 ? "" : "s"));
        for (guint i = 0; i < d->unsplittable->len; i++)
            add_home(d, s, primaries, "moveCollection",
                     g_array_index(d->unsplittable, const struct collection *, i)->ns, "toShard");
    }
    if (d->databases->len > 0) {
        struct drain_step *s =
            add_step(d, g_strdup_printf("give the %u database%s whose primary it is, with all unsharded "
                                        "collections, another home; writes to them stop meanwhile",
                                        d->databases->len, d->databases->len == 1 ? "" : "s"));
        for (guint i = 0; i < d->databases->len; i++)
            add_home(d, s, primaries, "movePrimary", g_array_index(d->databases, char *, i), "to");
    }
}

void drain_list_steps(drain *d)
{
    if (d->blockers->len > 0)
        add_step(d, g_strdup_printf("mend what stands in the way (%u)", d->blockers->len));
    if (!d->already)
        g_ptr_array_add(add_step(d, g_strdup("start the draining: no chunk comes any more"))->commands,
                        removal_command(d));
    if (d->chunks > 0)
        step_migrations(d);
    step_homes(d);
    g_ptr_array_add(add_step(d, g_strdup("ask until the answer is state: \"completed\""))->commands,
                    removal_command(d));
}
