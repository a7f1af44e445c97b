#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`evenkeel apply` killed as by kill -9: at every commit of the journal, at every message to the cluster and every reply,
before and after it, and at random instants. Then it is called again, to the end. Whatever happened, the journal must agree with
the simulated cluster's own changelog: every migration that happened stands there once as committed, none that did not, none is
left open; and the cluster must end as after a run that nobody disturbed.

EVENKEEL_SEED and EVENKEEL_KILLS (kills at random instants) in the environment choose another series."""
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time
import unittest

from bson import json_util

from sandbox_server import EVENKEEL, TIMEOUT, main, Sandbox

PRELOAD = os.environ.get("EVENKEEL_KILL_AT_LIBRARY", "")
SEED = int(os.environ.get("EVENKEEL_SEED", "20261121"))
RANDOM_KILLS = int(os.environ.get("EVENKEEL_KILLS", "60"))
VERSIONS = ("4.2.25", "5.0.31", "7.0.14")
MOVES = 5


def spelled(value):
    """A document's relaxed Extended JSON, as the command prints it."""
    return json.dumps(json.loads(json_util.dumps(value, json_options=json_util.RELAXED_JSON_OPTIONS)))


class Bench:
    """A simulated cluster, a journal, and an approved plan of a few migrations."""

    def __init__(self, folder, version, *plan_arguments, latency="3ms"):
        self.folder = pathlib.Path(folder)
        self.sandbox = Sandbox("--server-version", version, "--latency", latency, "--bandwidth", "1GiB", "--orphan-delay", "0s",
                               state="imbalanced")
        self.uri = f"mongodb://127.0.0.1:{self.sandbox.port}/"
        self.journal = self.folder / "journal.db"
        self.plan = self.folder / "plan.json"
        self.config = self.folder / "evenkeel.yaml"
        # Who was killed gives no lease up, and the next would wait for its end each time: test_lease.py has that.
        self.config.write_text("lease: {enabled: false}\n", encoding="utf-8")
        self.run("plan", "--uri", self.uri, "--policy", "count", "--until-balanced", "--format", "json", "-o", str(self.plan), *plan_arguments)

    def environment(self, **more):
        return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **more}

    def run(self, *arguments, code=0):
        done = subprocess.run([EVENKEEL, *arguments], capture_output=True, text=True, timeout=TIMEOUT, env=self.environment(), check=False)
        if done.returncode != code:
            raise AssertionError(f"{arguments}: exit {done.returncode}, not {code}: {done.stdout}{done.stderr}")
        return done.stdout

    def apply_arguments(self):
        return ["apply", str(self.plan), "--uri", self.uri, "--journal", str(self.journal), "--config", str(self.config), "--yes", "--quiet"]

    def apply(self, **environment):
        """Runs it; the exit code, negative of a signal."""
        done = subprocess.run([EVENKEEL, *self.apply_arguments()], capture_output=True, text=True, timeout=TIMEOUT,
                              env=self.environment(**environment), check=False)
        return done.returncode, done.stdout + done.stderr

    def apply_killed_after(self, seconds):
        with subprocess.Popen([EVENKEEL, *self.apply_arguments()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env=self.environment()) as process:
            try:
                process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            return process.returncode

    def history(self):
        if not self.journal.exists():
            return []
        return json.loads(self.run("history", "--journal", str(self.journal), "--format", "json", "--all"))["rows"]

    def owners(self):
        with self.sandbox.client() as client:
            return [(spelled(c["min"]), c["shard"]) for c in client.config.chunks.find().sort([("ns", 1), ("uuid", 1), ("min", 1)])]

    def committed(self):
        """What the cluster's changelog tells: how often each move committed."""
        with self.sandbox.client() as client:
            return collections.Counter((e["ns"], spelled(e["details"]["min"]), e["details"]["from"], e["details"]["to"])
                                       for e in client.config.changelog.find({"what": "moveChunk.commit"}))

    def stop(self):
        self.sandbox.stop()
        self.sandbox.errors.close()


def journalled(rows):
    return collections.Counter((r["ns"], json.dumps(r["min"]), r["from"], r["to"]) for r in rows
                               if r["kind"] == "migration" and r["state"] == "committed")


class Killed(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if not PRELOAD:
            raise unittest.SkipTest("EVENKEEL_KILL_AT_LIBRARY is not set")

    def undisturbed(self, version, count_file=None):
        """Where chunks end when nobody disturbs, and how many calls there are of each kind."""
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(folder, version, "--max-moves", str(MOVES))
            try:
                before = bench.committed()
                counts = pathlib.Path(folder) / "counts"
                code, text = bench.apply(LD_PRELOAD=PRELOAD, EVENKEEL_KILL_COUNT=str(counts))
                self.assertEqual(code, 0, text)
                self.compare(bench, before, "undisturbed")
                calls = {name: int(n) for name, n in (line.split() for line in counts.read_text().splitlines())}
                return bench.owners(), calls
            finally:
                bench.stop()

    def compare(self, bench, before, told):
        rows = bench.history()
        self.assertEqual([r for r in rows if r["state"] in ("planned", "started", "unknown")], [], told)
        self.assertEqual(journalled(rows), bench.committed() - before, told)
        self.assertFalse([m for m, n in journalled(rows).items() if n > 1], told)

    def kill_once(self, version, at, owners):
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(folder, version, "--max-moves", str(MOVES))
            try:
                before = bench.committed()
                code, text = bench.apply(LD_PRELOAD=PRELOAD, EVENKEEL_KILL_AT=at)
                self.assertIn(code, (0, -signal.SIGKILL), f"{at}: {text}")
                again, text = bench.apply()
                self.assertEqual(again, 0, f"{at}: {text}")
                self.compare(bench, before, at)
                self.assertEqual(bench.owners(), owners, at)
                return code == -signal.SIGKILL
            finally:
                bench.stop()

    def test_every_transition(self):
        for version in VERSIONS:
            owners, calls = self.undisturbed(version)
            self.assertGreater(calls["fdatasync"], 2 * MOVES // 2)
            points = [f"{name}:{n}:{when}" for name, most in calls.items() for n in range(1, most + 1)
                      for when in ("before", "after") if name == "fdatasync" or (n + len(version)) % 6 == 0]
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                killed = list(pool.map(lambda at, v=version, o=owners: self.kill_once(v, at, o), points))
            print(f"{version}: killed at {sum(killed)} of {len(points)} points", flush=True)
            # The number of messages differs a little from run to run: the last points may lie behind the end.
            self.assertGreater(sum(killed), len(points) * 3 // 4, f"{version}: {sum(killed)} of {len(points)} points were reached")

    def test_random_instants(self):
        rng = random.Random(SEED)
        for version in VERSIONS:
            with self.subTest(version=version, seed=SEED), tempfile.TemporaryDirectory() as folder:
                bench = Bench(folder, version, latency="40ms")
                try:
                    before = bench.committed()
                    kills = 0
                    for _ in range(RANDOM_KILLS // len(VERSIONS)):
                        kills += bench.apply_killed_after(rng.uniform(0.02, 0.35)) == -signal.SIGKILL
                    code, text = bench.apply()
                    self.assertEqual(code, 0, text)
                    print(f"{version}: killed at {kills} random instants, seed {SEED}", flush=True)
                    self.assertGreater(kills, 0)
                    self.compare(bench, before, f"seed {SEED}")
                    again = json.loads(bench.run("plan", "--uri", bench.uri, "--policy", "count", "--format", "json"))
                    self.assertEqual(again["summary"]["migrations"], 0, f"seed {SEED}")
                finally:
                    bench.stop()


if __name__ == "__main__":
    main()
