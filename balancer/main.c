// SPDX-License-Identifier: Apache-2.0
/* main.c - the process: hands the arguments to the command table. */
#include "balancer/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
