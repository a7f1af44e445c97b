// SPDX-License-Identifier: Apache-2.0
/* gen_options.h - the parameters of generated clusters as words of a command line: "chunks=1000000
 * key=compound". Owns: the names. Never: prints or ends the process.
 */
#pragma once

#include "tests/support/generate.h"

#include <stdio.h>

/* Sets one parameter from "name=value". ERR_USAGE names what is wrong. */
bool gen_option(const char *word, struct gen_params *params, struct err *err);

/* One line for each name. */
void gen_options_help(FILE *out);
