#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shards and config servers that cannot be reached, elections, and stalls, before a migration is sent and while it is under way."""
from faults import ALL, fault, FaultCase, injected, later, Row, SLOW
from sandbox_server import main

SPEED = ("--speed", "40")  # what takes the servers 40 s takes 1 s
UNHEARD = -1  # commands that the sandbox answered when nobody listened any more: it does not log them

REACH = (
    Row("recipient unreachable for a while", (injected("shardUnreachable", shard="shard3", ms=30000),), ALL, sandbox=SPEED),
    Row("donor unreachable for a while", (injected("shardUnreachable", shard="shard2", ms=30000),), ALL, sandbox=SPEED),
    later("recipient unreachable for good", injected("shardUnreachable", shard="shard3"), attempts=1, sandbox=SPEED, committed=3,
          bad=(("move", "failed", 133, "soon"),) * 3),
    Row("config servers without a primary for a while", (injected("configUnavailable", ms=5000),), ALL, sandbox=("--speed", "5")),
    Row("config servers without a primary for long", (injected("configUnavailable", ms=10000000),), ALL, sandbox=SPEED, code=69, committed=0),
    Row("donor dies in flight", latency=SLOW, during=fault("shardUnreachable", shard="shard2", ms=500), versions=ALL,
        bad=(("move", "failed", 96, "soon"),)),
    Row("recipient dies in flight", latency=SLOW, during=fault("shardUnreachable", shard="shard3", ms=500), versions=ALL,
        bad=(("move", "failed", 96, "soon"),)),
    Row("donor steps down in flight", latency=SLOW, during=fault("stepdown", shard="shard2", ms=500), versions=ALL,
        bad=(("move", "failed", 96, "soon"),)),
    Row("config servers without a primary at the commit", latency=SLOW, during=fault("configUnavailable", ms=2000), versions=ALL),
    Row("a stall", (injected("stall", ms=1500, step=4),), ALL),
    Row("a stall beyond our own deadline", (injected("stall", ms=3000, step=4),), ALL, config="timeout: 1s", resent=UNHEARD),
    Row("a stall beyond our own deadline, at the commit", (injected("stall", ms=2500, step=6),), ALL, config="timeout: 1s", resent=UNHEARD),
)


class Reach(FaultCase):
    def test_reach(self):
        self.run_rows(REACH)


if __name__ == "__main__":
    main()
