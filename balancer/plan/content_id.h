// SPDX-License-Identifier: Apache-2.0
/* content_id.h - the planId: a hash of everything that carrying a plan out goes by.
 * Owns: what is covered, and in which form. Who makes a plan and who reads one from a file hash here, so that
 * a file which was changed after it was made is found out. Never: covers what only explains (sentences,
 * times, tables, the source's name), or what relaxed Extended JSON cannot carry: bounds are taken encoded
 * (key/encode.h), where int32, int64, double and Decimal128 of equal value are equal.
 * SHA-256 over the policy and, step by step in the plan's order: round, namespace, shard key, range, split
 * points, open ends, shards, version, reason, zone, bytes, forceJumbo.
 */
#pragma once

#include "balancer/key/pattern.h"
#include "balancer/plan/plan.h"

typedef struct content_id content_id;

struct content_step {
    uint32_t round;
    const char *ns;
    const key_pattern *key;
    plan_bound min, max;
    const plan_bound *at; /* of a split: its points; NULL: a migration */
    size_t n_at;
    const char *from, *to; /* `to` NULL of a split */
    const char *version;   /* as collection_version_text() has it */
    const char *reason;
    const char *zone; /* NULL: none */
    int64_t bytes;    /* negative: not known */
    bool force_jumbo, open_min, open_max;
};

/* Everything that is handed over is borrowed for the call. */
content_id *content_id_new(const char *policy);
void content_id_add(content_id *c, const struct content_step *s);
/* Frees `c`; 64 hex digits, which the caller frees. */
char *content_id_end(content_id *c);
