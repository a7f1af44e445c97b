// SPDX-License-Identifier: Apache-2.0
/* cli_apply.h - the parts of `evenkeel apply`, for its own files only.
 * Owns: a plan file beside a live cluster: which steps are done, which do not fit any more.
 * Never: carries anything out (cli_act.h does).
 */
#pragma once

#include "balancer/cli/cli_act.h"
#include "migrations/work/stale.h"

struct apply {
    struct act_args args;
    bool refresh;
    const char *path; /* of the plan file; "-": stdin */
    const char *format;
    config *cfg;
    work *work;
    bool *done; /* by step; as many as the work has, and one */
    uint32_t n_done;
    bool begun; /* an earlier run left a step of it under way, which may have been carried out since */
    cluster *cl;
    struct act act;
};

/* Adds the steps that the journal knows as carried out; none without a journal. */
bool apply_find_done(struct apply *in, struct err *err);
/* Reads the cluster, and compares. Of a plan that is resumed, steps that somebody else has carried out
 * meanwhile count as done. Where the plan is stale the ranges are printed, and `err` is ERR_RETRY_LATER. */
bool apply_check(struct apply *in, struct err *err);

/* --dry-run and --refresh. Nothing is written but the new plan of --refresh -o. */
bool apply_look(struct apply *in, struct err *err);
bool apply_refresh(struct apply *in, struct err *err);

/* What the plan promised, and what all runs of it achieved so far; `outcome` may be NULL. */
bool apply_report(struct apply *in, const char *state, const struct act_outcome *outcome, struct err *err);

/* "plan 3f2a91c04d7e": as much of the plan's id as tells it from others. The caller frees. */
char *apply_name(const struct apply *in);
/* What is left to do: "40 migrations and 1 split, 1.20 GiB". */
void apply_append_left(const struct apply *in, GString *out);
