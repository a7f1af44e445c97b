#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Faults of every kind by chance, several pairs of shards at once, `apply` again and again: after each the journal agrees with the cluster, and
in the end every chunk is where an undisturbed run puts it.

EVENKEEL_SEED and EVENKEEL_RUNS (for each version) in the environment choose another series."""
import collections
import concurrent.futures
import os
import random

from acting import approved
from faults import ALL, Bench, COMMAND, DATA, FaultCase, injected, OPEN
from sandbox_server import main

SEED = int(os.environ.get("EVENKEEL_SEED", "20261121"))
RUNS = int(os.environ.get("EVENKEEL_RUNS", "3"))
CALLS = 4  # of apply, under faults
CODES = ((189, "stepped down"), (6, "host unreachable"), (46, "lock busy"), (117, "currently donating"), (13388, "stale"), (96, DATA + "no space left"),
         (96, "moveChunk command failed on source shard. :: caused by :: interrupted"), (64, "waiting for replication timed out"), (72, "invalid"),
         (27, "no index"), (70, "no shard"), (153, "chunk too big"), (265, "orphans"), (13, "not authorized"), (0, "never heard of"), (424242, "new"))


class WideBench(Bench):
    rounds = ("--until-balanced", "--max-moves", "14")

    def __init__(self, version="5.0.31", config=""):
        super().__init__(version, config, arguments=("--seed", SEED % 1000), attempts=2, at_once=0)


class ByChance(FaultCase):
    def hurt(self, bench, rng):
        for command in (COMMAND, "split"):
            for kind in ("replyLostBefore", "replyLostAfter"):
                if rng.random() < 0.6:
                    bench.fault(injected(kind, command=command, times=0, probability=rng.uniform(0.02, 0.2)))
            for code, text in rng.sample(CODES, 3):
                bench.fault(injected("errorCode", command=command, code=code, errmsg=text, times=0, probability=rng.uniform(0.02, 0.15)))
        bench.fault(injected("errorCode", step=rng.randint(1, 6), code=rng.choice((11602, 14031, 8)), errmsg="by chance", times=0,
                             probability=rng.uniform(0.02, 0.15)))

    def whole(self, version, seed):
        rng = random.Random(seed)
        with WideBench(version) as bench:
            bench.by_others, bench.resent = collections.Counter(), 0
            ends = []
            for _ in range(CALLS):
                self.hurt(bench, rng)
                done = bench.apply("--yes", "--quiet")
                self.assertIn(done.code, (0, 1), done)
                self.one_line(done)
                entries = bench.entries()
                self.assertEqual([e for e in entries if e[1] in OPEN], [], done)
                self.sound(bench, tuple(e[:4] for e in entries if e[1] != "committed"))
                bench.clear()
                ends.append(done.code)
            self.code(0, bench.apply("--yes"))
            self.sound(bench, tuple(e[:4] for e in bench.entries() if e[1] != "committed"))
            self.assertEqual(bench.fresh(), collections.Counter(approved(bench.wanted)))
            self.assertEqual(bench.chunks(), self.end[version])
            return ends

    def test_by_chance(self):
        self.end = {}
        for version in ALL:
            with WideBench(version) as bench:
                self.code(0, bench.apply("--yes"))
                self.end[version] = bench.chunks()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            runs = [(version, SEED + i, pool.submit(self.whole, version, SEED + i)) for version in ALL for i in range(RUNS)]
            for version, seed, result in runs:
                with self.subTest(version=version, seed=seed):
                    print(f"{version}, seed {seed}: exit codes {result.result()}", flush=True)


if __name__ == "__main__":
    main()
