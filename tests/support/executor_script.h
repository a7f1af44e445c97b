// SPDX-License-Identifier: Apache-2.0
/* executor_script.h - what is done to an executor, and what is to be seen of it, as lines of text.
 * Owns: the words. Never: goes on after a line that fails: it names the script and the line.
 *
 * Done: "add STEPS" (work_make_text), "plan STEPS" (the same, of the approved plan "ppp..."), "done 1 STEPS"
 * (likewise, step 1 done before), "left STATE STEPS" (open rows of an earlier run, in that state), "left plan
 * STATE STEPS" (the first of the steps of that plan), "inherit", "say ANSWERS" (rig_say), "all ANSWER" ("-":
 * none), "run [MS]", "time MS" (passes, and nobody looks), "hold CODE" ("-": released), "stop CODE", "leave",
 * "leave broken" (the journal cannot take it), "break N" (the disk fails from its N-th write on; needs
 * fault_vfs_install()), "mend", "back" (waits until no worker is inside: all its results wait together), "sql
 * STATEMENTS" (by somebody else, in the journal).
 *
 * Seen: "events ..." (since the last such line; see executor_rig.h), "rows ..." (rig_rows, sorted),
 * "under N", "settling N", "waiting N", "counts COMMITTED ALREADY FAILED DROPPED SPLITS", "bytes DONE LEFT",
 * "seconds S" (remaining), "holds CODE [MS]" ("-": nothing; until so long after the start), "wait MS",
 * "busy a,b", "list a>b#1;?c>d#2;/e>#1" (oldest first; #attempt, "?": settling, "/": a split), "asked ..."
 * (fake_hands_asked, since the last, sorted), "message TEXT" (of the last event), "stopped TEXT" ("-": by
 * nobody), "inside N", "finished yes|no", "failed TEXT" (the journal, in a turn).
 */
#pragma once

#include "tests/support/executor_rig.h"

enum { SCRIPT_LINES = 32 };

/* `lines` end with NULL. */
void script_run(const char *name, const struct executor_options *opt, const char *const *lines);
