#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The end of a window, and that of the service's patience, in simulated time."""
import contextlib
import datetime
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import pymongo  # pylint: disable=unused-import
except ImportError:
    print("python3-pymongo is not installed")
    sys.exit(77)

from soak_clock import Clock, FASTEST, SLOW
from soak_cluster import Cluster, EVENKEEL, MIB, TIMEOUT
from soak_service import Service

LONG, SHORT = "iot.readings", "shop."
STEADY = 500  # times reality: what takes seconds takes seconds
LEFT = 150  # seconds, at least, of a window that closes soon: long enough for a short migration, not for a long one


class Uneven(Cluster):
    """Chunks that take about 25 s to move, on one shard, and some that take about 400 s, on another; each as long as the others like it."""
    OPTIONS = ("--spread", "0")

    def start(self, snapshot):
        snapshot["tags"] = []
        next(s for s in snapshot["settings"] if s["_id"] == "chunksize")["value"] = 1024
        for ns in snapshot["sizes"]:
            chunks = [c for c in snapshot["chunks"] if c["ns"] == ns]
            shard = "shard0" if ns == LONG else "shard1"
            for chunk in chunks:
                chunk["shard"] = shard
            snapshot["sizes"][ns] = {shard: len(chunks) * (800 if ns == LONG else 20) * MIB}
        super().start(snapshot)


class Ends(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="evenkeel-ends-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.clock = Clock(os.environ["EVENKEEL_FAST_CLOCK_LIBRARY"], self.folder / "clock")
        self.cluster = Uneven(self.clock, self.folder, random.Random(1), "5.0.31", 0)
        self.addCleanup(self.cluster.stop)
        self.service = Service(self.clock, self.folder, self.cluster.port)
        self.service.config["balancer"].update(policy="count", interval="10s", busyInterval="1s")
        self.service.config["log"]["format"] = "json"

    def start(self):
        self.service.start()
        self.addCleanup(lambda: self.service.process and self.service.kill())

    def reload(self, **balancer):
        """Is in force when it returns."""
        n = len(self.log("service.reload"))
        self.service.config["balancer"].update(balancer)
        self.service.write_config()
        self.service.signal(signal.SIGHUP)
        self.wait(lambda: len(self.log("service.reload")) > n, step=0.5)

    def wait(self, condition, step=5):
        end = time.monotonic() + TIMEOUT
        while not condition():
            self.assertLess(time.monotonic(), end, self.service.status())
            self.clock.run(step, FASTEST if step >= 60 else STEADY if step >= 1 else SLOW)

    def wait_hold(self, code):
        self.wait(lambda: code in self.holds(), step=0.2)

    def holds(self):
        return [h["code"] for h in self.service.status()["holds"]]

    def log(self, message):
        lines = (self.folder / "service.log").read_text(encoding="utf-8", errors="replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [line.get("attr", {}) for line in found if line["msg"] == message]

    def rows(self, query, *values):
        with contextlib.closing(sqlite3.connect(f"file:{self.service.journal}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()

    def number(self, what, ns, *values):
        """Of migrations in the journal."""
        return self.rows(f"SELECT count(*) FROM migrations WHERE {what} AND substr(ns, 1, length(?)) = ?", *values, ns, ns)[0][0]

    def learn(self):
        """It has measured how long both kinds take, and is at work on one of each."""
        self.start()
        self.wait(lambda: min(self.number("state = 'committed'", ns) for ns in (LONG, SHORT)) >= 3)
        self.wait(lambda: {LONG in m["ns"] for m in self.service.status()["migrations"]} == {True, False}, step=1)

    def closing(self):
        """A window that closes in LEFT to LEFT + 60 seconds: its configuration, and when that is (milliseconds)."""
        stop = (self.clock.now() // 1000 + LEFT + 59) // 60 * 60
        def hour(at):
            return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%H:%M")
        return [{"start": hour(stop - 4 * 3600), "stop": hour(stop), "timezone": "UTC"}], stop * 1000

    def told(self, **more):
        """A round asked for and followed: all that the service says of it."""
        with self.clock.slowly(), socket.socket(socket.AF_UNIX) as s:
            s.settimeout(TIMEOUT)
            s.connect(str(self.service.socket))
            s.sendall(json.dumps({"v": 1, "op": "round", "wait": True, **more}).encode() + b"\n")
            for line in s.makefile("rb"):
                answer = json.loads(line)
                if answer.get("event") == "end":
                    return answer
        raise AssertionError("no end")

    def test_nothing_that_would_outlast_the_window(self):
        """A window is set while a round is open: of that round, too, only what ends in time is begun."""
        self.learn()
        self.wait(lambda: self.number("state = 'started' AND started_at < ?", LONG, self.clock.now() - 300000), step=1)
        windows, stop = self.closing()
        self.reload(windows=windows)
        since = self.clock.now()
        self.assertLess(since, stop - 60000, "the machine is too slow for this test")
        self.clock.run_until(stop + 1000, STEADY)
        self.wait_hold("window")
        under_way = self.rows("SELECT id FROM migrations WHERE state = 'started'")
        self.assertEqual(self.number("state = 'started' AND started_at < ?", LONG, since), 0, "its shards were free")
        self.assertEqual(self.number("started_at >= ?", LONG, since), 0)
        self.assertGreater(self.number("started_at >= ?", SHORT, since), 0)
        self.clock.run(3600)
        self.assertEqual(self.number("started_at >= ?", "", stop), 0, "nothing new after the end")
        self.assertEqual(self.rows("SELECT DISTINCT state FROM migrations"), [("committed",)], "what was under way ended")
        self.assertLessEqual(len(under_way), 1)
        self.assertEqual(self.number("started_at >= ? AND ended_at > ?", SHORT, since, stop + 10000), 0)
        self.wait(lambda: self.service.status()["state"] == "held", step=0.2)

    def test_says_so(self):
        """Nothing would end in time: no round is opened, and the status has a code for it."""
        self.learn()
        self.service.ask("pause")
        self.wait(lambda: self.service.status()["round"] is None)
        windows, stop = self.closing()
        self.reload(windows=windows, namespaces=[LONG])
        self.service.ask("resume")
        self.wait_hold("windowTooShort")
        rounds = len(self.rows("SELECT id FROM rounds"))
        self.clock.run(40, SLOW)
        self.wait(lambda: self.service.status()["state"] == "held", step=0.2)
        status = self.service.status()
        self.assertLess(self.clock.now(), stop, "the machine is too slow for this test")
        self.assertEqual(([h["code"] for h in status["holds"]], status["window"]["open"]), (["windowTooShort"], True))
        self.assertIn("would end before the balancing window closes", status["holds"][0]["text"])
        self.assertEqual(sum(line["why"] == "windowTooShort" for line in self.log("round.skip")), 1, "told once")
        self.assertEqual(len(self.rows("SELECT id FROM rounds")), rounds)
        answer = self.told()
        self.assertEqual((answer["state"], answer["exit"], answer["note"]), ("held", 75, status["holds"][0]["text"]))
        self.assertLess(self.clock.now(), stop, "the machine is too slow for this test")
        self.service.ask("round", ignoreWindow=True)
        self.wait(lambda: self.service.status()["migrations"], step=1)
        self.assertNotIn("windowTooShort", self.holds())
        self.clock.run_until(stop + 2000 * 1000)
        self.assertGreater(self.number("state = 'committed' AND started_at < ? AND ended_at > ?", LONG, stop, stop), 0)

    def set_window(self):
        """Closes soon, for whoever starts next; when that is."""
        windows, stop = self.closing()
        self.service.config["balancer"].update(windows=windows)
        self.service.write_config()
        return stop

    def round(self, *arguments, pace=SLOW):
        """`evenkeel round --standalone`, followed to its end: exit code, and all that it says."""
        with open(self.folder / "round.out", "w+", encoding="utf-8") as out:
            process = subprocess.Popen([EVENKEEL, "round", "--standalone", "--yes", "--config", self.service.config_file, *arguments],
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **self.clock.environment()})
            self.addCleanup(lambda: process.poll() is None and process.kill())
            end = time.monotonic() + TIMEOUT
            while process.poll() is None:
                self.assertLess(time.monotonic(), end, "the round does not end")
                self.clock.run(1, pace)
            self.clock.forget(process.pid)
            out.seek(0)
            return process.returncode, " ".join(out.read().split())

    def test_round_without_a_service(self):
        """`round --standalone` begins only what ends inside the window, and says so of the rest."""
        self.learn()
        self.service.ask("pause")
        self.wait(lambda: self.service.status()["round"] is None)
        self.service.terminate()
        # One goes from shard0, the other from shard1: neither may take the other's shard for its recipient.
        self.service.config["balancer"]["shards"] = {"shard0": {"receive": False}, "shard1": {"receive": False}}
        since = self.clock.now()
        for arguments, wanted in (((), 75), (("--dry-run",), 0)):
            stop = self.set_window()
            code, said = self.round("--ns", LONG, *arguments)
            self.assertLess(self.clock.now(), stop, "the machine is too slow for this test")
            self.assertEqual(code, wanted, said)
            self.assertIn("nothing that is planned would end before the balancing window closes 20", said)
        self.assertEqual((self.number("started_at >= ?", "", since), len(self.rows("SELECT id FROM rounds WHERE started_at >= ?", since))), (0, 0))
        stop = self.set_window()
        code, said = self.round()
        ended = self.clock.now()
        self.assertLess(ended, stop, "the machine is too slow for this test")
        self.assertEqual(code, 1, said)
        self.assertIn("1 not to end before the balancing window closes", said)
        self.assertEqual((self.number("started_at >= ?", LONG, since), self.number("started_at >= ? AND state = 'committed'", SHORT, since)), (0, 1))
        self.assertEqual(self.round("--ns", LONG, "--ignore-window", pace=STEADY)[0], 0)
        self.assertEqual(self.number("started_at >= ? AND state = 'committed'", LONG, ended), 1)

    def test_grace(self):
        """After SIGTERM a minute passes; then what is under way is left to the cluster, and the next start finds out what came of it."""
        self.cluster.fault("stall", step=4, ms=3600 * 1000)
        self.start()
        self.wait(lambda: self.service.status()["migrations"], step=1)
        asked = self.clock.now()
        self.service.terminate()
        waited = (self.clock.now() - asked) / 1000
        self.assertTrue(60 <= waited < 1800, waited)
        self.assertEqual([line["grace"] for line in self.log("service.graceOver")], [60])
        self.assertEqual(self.rows("SELECT message FROM migrations WHERE state = 'unknown'"), [("left to the cluster while it was under way",)])
        self.assertEqual(self.number("state IN ('planned', 'started')", ""), 0)
        self.assertEqual(self.rows("SELECT state, note FROM rounds"), [("interrupted", "left while migrations were under way")])
        left, = self.rows("SELECT id FROM migrations WHERE state = 'unknown'")
        self.service.start()
        self.wait(lambda: self.log("recovery.end"), step=60)
        self.assertEqual([line["committed"] for line in self.log("recovery.end")], [1])
        self.assertEqual(self.rows("SELECT state FROM migrations WHERE id = ?", *left), [("committed",)])


if __name__ == "__main__":
    unittest.main()
