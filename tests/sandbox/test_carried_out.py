#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A plan carried out by hand, over the wire: planned on the live sandbox, every split and migration of it sent as commands,
and planned again. What the planner projects and what the simulated cluster does are written apart from each other; here
they must agree."""
import json
import os
import subprocess
import unittest

from bson import json_util
from sandbox_server import EVENKEEL, TIMEOUT, main, Sandbox


def plan(uri, *arguments):
    done = subprocess.run([EVENKEEL, "plan", "--uri", uri, "--format", "json", *arguments], capture_output=True,
                          timeout=TIMEOUT, check=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
    return json.loads(done.stdout), json_util.loads(done.stdout)


def carry_out(admin, wanted, move_range):
    for a_round in wanted["rounds"]:
        for split in a_round["splits"]:
            for point in split["at"]:
                admin.command("split", split["ns"], middle=point)
        for m in a_round["migrations"]:
            if move_range:
                admin.command("moveRange", m["ns"], min=m["min"], toShard=m["to"],
                              **({} if m["openMax"] else {"max": m["max"]}))
            else:
                admin.command("moveChunk", m["ns"], bounds=[m["min"], m["max"]], to=m["to"])


class CarriedOut(unittest.TestCase):
    def check(self, state, version, policy):
        sandbox = Sandbox("--server-version", version, "--latency", "1ms", "--orphan-delay", "0s", state=state)
        self.addCleanup(sandbox.errors.close)
        self.addCleanup(sandbox.stop)
        uri = f"mongodb://127.0.0.1:{sandbox.port}/"
        with sandbox.client() as client:
            raw, wanted = plan(uri, "--policy", policy, "--until-balanced")
            self.assertTrue(raw["summary"]["complete"])
            self.assertGreater(raw["summary"]["migrations"], -1 if state == "balanced" else 20)
            self.assertFalse(any(m["openMin"] for r in raw["rounds"] for m in r["migrations"]))
            carry_out(client.admin, wanted, not version.startswith(("4.", "5.")))
            again, _ = plan(uri, "--policy", policy)
            self.assertEqual((again["summary"]["migrations"], again["summary"]["splits"]), (0, 0))
            for before, now in zip(raw["collections"], again["collections"]):
                promised = {s["shard"]: s["chunksAfter"] for s in before["shards"] if s["chunksAfter"]}
                achieved = {s["shard"]: s["chunks"] for s in now["shards"] if s["chunks"]}
                self.assertEqual(achieved, promised, before["ns"])

    def test_count(self):
        for state in ("imbalanced", "after-moves", "draining", "balanced"):
            for version in ("4.2.0", "4.4.29", "5.0.31"):
                with self.subTest(state=state, version=version):
                    self.check(state, version, "count")

    def test_count_with_move_range(self):
        with self.subTest():
            self.check("imbalanced", "6.0.2", "count")


if __name__ == "__main__":
    main()
