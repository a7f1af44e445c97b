// SPDX-License-Identifier: Apache-2.0
/* answers.h - what the read-only answers (explain, drain, zones, route) have in common on the command line.
 * Owns: their shared arguments, reading the source for them, and how bounds and lists are written.
 * Never: computes an answer; that is plan/.
 */
#pragma once

#include "balancer/cli/cli.h"
#include "balancer/report/page.h"
#include "balancer/setup/planning.h"
#include "common/json_writer.h"

#include <bson/bson.h>

enum { ANSWER_WORDS_MAX = 4, ANSWER_FOLD = 20, ANSWER_KEY_SHOWN = 60, ANSWER_JSON_MAX = 1000 };

struct answer_args {
    struct cli_common common;
    struct cli_source source;
    const char *words[ANSWER_WORDS_MAX]; /* positional arguments, borrowed */
    unsigned n_words;
    bool all;
    bool has_policy;
    const struct policy *policy; /* NULL: auto */
    bool has_time_series, time_series_even;
};

/* Option keys that a command may list in its own argp_option table. */
enum { ANSWER_OPT_ALL = 0x3000, ANSWER_OPT_POLICY, ANSWER_OPT_TIME_SERIES };
extern const struct argp_child answer_children[];
/* The same with the what-if options. */
extern const struct argp_child answer_whatif_children[];

/* To be called by a command's parser for every key that is not its own; `a` must be what the parser gets. */
error_t answer_parse(int key, char *arg, struct argp_state *state, struct answer_args *a);
void answer_clear(struct answer_args *a);

/* What a command works on. */
struct answer_input {
    config *cfg;
    cluster *cl;
    struct planning planning;
    const char *kind, *name;   /* of the source, borrowed */
    const change_list *whatif; /* borrowed; NULL: none */
};
bool answer_read(struct answer_args *a, struct answer_input *ret, struct err *err);
void answer_input_clear(struct answer_input *in);

/* Text. */
void answer_page(const struct answer_args *a, struct page *pg, GString *out);
/* How many of `n` items a list shows. */
guint answer_shown(const struct answer_args *a, guint n);
/* "… 318 more; --all shows them", where there are more. */
void answer_more(struct page *pg, unsigned indent, guint n);
/* Ready cells; each is to be freed by the table that takes it. */
char *answer_doc(const struct page *pg, const bson_t *doc);
/* The values of a bound alone, for a table that stands below its key: "EU", MinKey. */
char *answer_bound(const struct page *pg, const bson_t *bound);
char *answer_name(const struct page *pg, const char *name);
char *answer_count(int64_t n);
char *answer_bytes(int64_t bytes); /* "?" where not known */

/* Bounds of a chunk; both to be freed with bson_destroy(). */
void answer_chunk(const struct collection *coll, uint32_t chunk, bson_t **ret_min, bson_t **ret_max);

/* JSON. */
void answer_put_doc(struct json_writer *w, const char *key, const bson_t *doc);
void answer_put_bytes(struct json_writer *w, const char *key, int64_t bytes); /* null where not known */
void answer_put_zone(struct json_writer *w, const char *key, const cluster *cl, uint32_t zone);
void answer_put_strings(struct json_writer *w, const char *key, const GPtrArray *strings);
void answer_put_shards(struct json_writer *w, const char *key, const cluster *cl, const GArray *shards);
/* The head of every answer: schemaVersion, tool, source, whatIf; opens the object. */
void answer_begin_json(struct json_writer *w, GString *out, const struct answer_input *in);
