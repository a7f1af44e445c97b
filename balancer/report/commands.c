// SPDX-License-Identifier: Apache-2.0
/* A mongosh script that carries a plan out by hand. It stops at its first failure, also where it is fed to
 * the shell line by line: `stopped` holds from the start of each step to its success, and keeps all others
 * from running. Steps are functions, so that a key which the script cannot write stops it in the same way. */
#include "balancer/key/show.h"
#include "balancer/report/report.h"
#include "common/text.h"

#include <bson/bson.h>
#include <string.h>

/* var and function, not const and let: the script may be loaded twice into one shell. */
static const char prelude[] =
    "var stopped = true, done = 0;\n"
    "\n"
    "// Runs the command that make() gives; the script stops where it fails. null: nothing is left to do.\n"
    "function run(make) {\n"
    "  if (stopped) throw new Error(\"not run: the script has stopped before\");\n"
    "  stopped = true;\n"
    "  done++;\n"
    "  var step = \"[\" + done + \"/\" + total + \"] \";\n"
    "  var cmd = make();\n"
    "  if (cmd === null) {\n"
    "    print(step + \"nothing is left of this range on its shard; passed over\");\n"
    "  } else {\n"
    "    var name = Object.keys(cmd)[0];\n"
    "    var target = cmd.to || cmd.toShard;\n"
    "    print(step + name + \" \" + JSON.stringify(cmd[name]) + (target ? \" to \" + JSON.stringify(target) "
    ": \"\"));\n"
    "    var res = db.adminCommand(cmd);\n"
    "    if (!res || Number(res.ok) !== 1) throw new Error(step + \"failed: \" + JSON.stringify(res));\n"
    "  }\n"
    "  stopped = false;\n"
    "}\n";

/* Needed only where the lower part of a chunk was cut off by an earlier step, at a point that the server
 * chose.
 */
static const char prelude_rest[] =
    "\n"
    "// Completes a command for what earlier steps left of [min, max) on shard `from`: its lower bound is "
    "the\n"
    "// server's choice and is looked up here. Returns null where nothing is left.\n"
    "function rest(of, min, max, from, cmd, openMax) {\n"
    "  var chunks = db.getSiblingDB(\"config\").getCollection(\"chunks\");\n"
    "  var within = Object.assign({}, of, {shard: from, min: {$gte: min}, max: {$lte: max}});\n"
    "  var last = Object.assign({}, of, {shard: from, min: {$gte: min}, max: {$eq: max}});\n"
    "  var c = chunks.findOne(last) || chunks.find(within).sort({min: 1}).limit(1).toArray()[0];\n"
    "  if (!c) return null;\n"
    "  if (cmd.moveChunk) {\n"
    "    cmd.bounds = [c.min, c.max];\n"
    "  } else {\n"
    "    cmd.min = c.min;\n"
    "    if (!openMax) cmd.max = c.max;\n"
    "  }\n"
    "  return cmd;\n"
    "}\n";

static const char balancer_check[] = "\n"
                                     "stopped = sh.getBalancerState() !== false;\n"
                                     "if (stopped) {\n"
                                     "  throw new Error(\"the balancer is on; run sh.stopBalancer() first, "
                                     "then this script, then sh.startBalancer()\");\n"
                                     "}\n"
                                     "\n";

/* A line comment; whatever stands in it, it ends where it ends. */
static void comment(GString *out, const char *text)
{
    g_string_append(out, "// ");
    text_append_escaped(out, text, -1);
    g_string_append_c(out, '\n');
}

static void header(const plan *p, const struct report_source *src, GString *out)
{
    const char *version = p->cl->server_version == NULL ? "of unknown version" : p->cl->server_version;
    g_autofree char *title = g_strdup_printf("evenkeel " EVENKEEL_VERSION ", plan %s", p->id);
    g_autofree char *source = g_strdup_printf("source: %s %s; MongoDB %s; policy %s", src->kind, src->name,
                                              version, p->policy->name);
    g_autofree char *counts =
        g_strdup_printf("migrations: %u, splits: %u, rounds: %u", p->summary.n_migrations,
                        p->summary.n_splits, p->summary.n_rounds);
    comment(out, title);
    comment(out, source);
    comment(out, counts);
    for (guint i = 0; p->whatif != NULL && i < p->whatif->list->len; i++) {
        g_autofree char *text = change_text(&g_array_index(p->whatif->list, struct wished, i));
        g_autofree char *line = g_strdup_printf("WHAT IF, not done by this script: %s", text);
        comment(out, line);
    }
    g_string_append(
        out,
        "//\n"
        "// Run with mongosh against a mongos, by a user who may move chunks: mongosh URI --file THIS\n"
        "// Stop the balancer first with sh.stopBalancer(). While it is off, nothing else balances, empties\n"
        "// draining shards, splits at zone bounds or merges chunks (and up to 6.0.2 chunks are not split\n"
        "// automatically). The script stops at the first command that fails. What was done until then "
        "stays:\n"
        "// make a new plan rather than run the rest.\n"
        "\n");
}

/* `{"uuid": BinData(4, "...")}` or `{"ns": "..."}`: how config.chunks names the collection. */
static void append_chunks_of(GString *out, const struct collection *c)
{
    if (!c->has_timestamp || !c->has_uuid) {
        g_string_append(out, "{\"ns\": ");
        key_mongosh_string(out, c->ns);
        g_string_append_c(out, '}');
        return;
    }
    bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_BINARY(&doc, "uuid", BSON_SUBTYPE_UUID, c->uuid, sizeof c->uuid);
    key_mongosh(out, &doc);
    bson_destroy(&doc);
}

static void append_bound(GString *out, plan_bound b)
{
    bson_t doc;
    plan_bound_bson(b, &doc);
    key_mongosh(out, &doc);
}

static void append_split(GString *out, const struct plan_split *s)
{
    for (guint i = 0; i < s->at->len; i++) {
        g_string_append(out, "run(() => ({split: ");
        key_mongosh_string(out, s->coll->ns);
        g_string_append(out, ", middle: ");
        append_bound(out, g_ptr_array_index(s->at, i));
        g_string_append(out, "}));\n");
    }
}

/* "{moveRange: NS, min: ..., max: ..., toShard: ...}"; the bounds are left out where rest() adds them. */
static void append_move(GString *out, const plan *p, const struct plan_migration *m)
{
    bool by_range = cluster_has_move_range(p->cl);
    g_string_append(out, by_range ? "{moveRange: " : "{moveChunk: ");
    key_mongosh_string(out, m->coll->ns);
    if (!m->open_min) {
        g_string_append(out, by_range ? ", min: " : ", bounds: [");
        append_bound(out, m->min);
        if (!by_range || !m->open_max) {
            g_string_append(out, by_range ? ", max: " : ", ");
            append_bound(out, m->max);
        }
        g_string_append(out, by_range ? "" : "]");
    }
    g_string_append(out, by_range ? ", toShard: " : ", to: ");
    key_mongosh_string(out, p->cl->shards[m->to].id);
    g_string_append(out, m->force_jumbo ? ", forceJumbo: true}" : "}");
}

static void append_migration(GString *out, const plan *p, const struct plan_migration *m)
{
    g_autofree char *note = g_strdup_printf("%u, from %s: %s", m->id, p->cl->shards[m->from].id,
                                            m->why == NULL ? move_reason_text(m->reason) : m->why);
    comment(out, note);
    g_string_append(out, m->open_min ? "run(() => rest(" : "run(() => (");
    if (m->open_min) {
        append_chunks_of(out, m->coll);
        g_string_append(out, ", ");
        append_bound(out, m->min);
        g_string_append(out, ", ");
        append_bound(out, m->max);
        g_string_append(out, ", ");
        key_mongosh_string(out, p->cl->shards[m->from].id);
        g_string_append(out, ", ");
    }
    append_move(out, p, m);
    if (m->open_min)
        g_string_append(out, m->open_max ? ", true" : ", false");
    g_string_append(out, "));\n");
}

static void append_round(GString *out, const plan *p, const struct plan_round *r)
{
    g_string_append_printf(out, "// Round %u\n", r->number);
    for (uint32_t i = 0; i < r->n_splits; i++)
        append_split(out, &g_array_index(p->splits, struct plan_split, r->first_split + i));
    for (uint32_t i = 0; i < r->n_migrations; i++)
        append_migration(out, p,
                         &g_array_index(p->migrations, struct plan_migration, r->first_migration + i));
    g_string_append_c(out, '\n');
}

/* How many commands the script runs. */
static uint64_t count_steps(const plan *p, bool *ret_needs_rest)
{
    uint64_t n = p->migrations->len;
    *ret_needs_rest = false;
    for (guint i = 0; i < p->splits->len; i++)
        n += g_array_index(p->splits, struct plan_split, i).at->len;
    for (guint i = 0; i < p->migrations->len && !*ret_needs_rest; i++)
        *ret_needs_rest = g_array_index(p->migrations, struct plan_migration, i).open_min;
    return n;
}

void report_commands(const plan *p, const struct report_source *src, GString *out)
{
    bool needs_rest;
    uint64_t steps = count_steps(p, &needs_rest);
    header(p, src, out);
    if (steps == 0) {
        g_string_append(out, "print(\"evenkeel: there is nothing to do\");\n");
        return;
    }
    g_string_append_printf(out, "var total = %" G_GUINT64_FORMAT ";\n%s", steps, prelude);
    if (needs_rest)
        g_string_append(out, prelude_rest);
    g_string_append(out, balancer_check);
    for (guint i = 0; i < p->rounds->len; i++)
        append_round(out, p, &g_array_index(p->rounds, struct plan_round, i));
    g_string_append(out, "if (!stopped) {\n"
                         "  print(\"evenkeel: done; sh.startBalancer() starts the balancer again\");\n"
                         "}\n");
}
