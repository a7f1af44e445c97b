#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The soak's own checks find what is planted."""
import collections
import contextlib
import datetime
import pathlib
import sqlite3
import sys
import tempfile
import unittest

try:
    import bson
except ImportError:
    print("python3-pymongo is not installed")
    sys.exit(77)

import soak_checks as checks
from bson.int64 import Int64
from soak_cluster import order, point

NS = "shop.users"
EPOCH = datetime.datetime(2026, 11, 1)


def bound(n):
    return point(NS, Int64(n))


def entry(what, seconds, low=0, high=100, donor="a", to="b"):
    return {"_id": f"{what}-{seconds}-{low}", "what": f"moveChunk.{what}", "ns": NS, "time": EPOCH + datetime.timedelta(seconds=seconds),
            "details": {"min": bound(low), "max": bound(high), "from": donor, "to": to}}


def state(since, until, ranges=(), zones=None, draining=()):
    at = [None if t is None else checks.milliseconds(EPOCH) + t * 1000 for t in (since, until)]
    return {"since": at[0], "until": at[1], "ranges": {NS: [(order(bound(a)), order(bound(b)), z) for a, b, z in ranges]},
            "zones": zones or {"a": {"Z"}, "b": set(), "c": {"Z"}}, "draining": set(draining)}


class Moves(unittest.TestCase):
    def wrong(self, states, *entries):
        return checks.Migrations().feed(entries, states)

    def test_zones(self):
        free, zoned = state(0, 100), state(90, None, [(50, 200, "Z")])
        for start, low, high, to, broken in ((10, 0, 100, "b", 0), (93, 0, 100, "b", 0), (104, 0, 100, "b", 0), (106, 0, 100, "b", 1), (106, 0, 100, "c", 0), (106, 0, 50, "b", 0),
                                             (106, 200, 300, "b", 0), (106, 60, 70, "b", 1), (106, 60, 70, "gone", 1)):
            with self.subTest(start=start, low=low, high=high, to=to):
                found = self.wrong([free, zoned], entry("start", start, low, high, "a", to), entry("commit", 500, low, high, "a", to))
                self.assertEqual(len(found), broken, found)

    def test_draining(self):
        self.assertEqual(len(self.wrong([state(0, None, draining="b")], entry("commit", 50))), 1)
        self.assertEqual(self.wrong([state(0, None, draining="a")], entry("commit", 50)), [])

    def test_counts(self):
        m = checks.Migrations()
        m.feed([entry("start", 1), entry("error", 2), entry("start", 3), entry("commit", 4), entry("start", 5, 7, 8, "b", "c")], [state(0, None)])
        self.assertEqual((sum(m.commits.values()), m.failed, m.shared()), (1, 1, []))
        m.feed([entry("start", 6, 9, 10, "c", "d")], [state(0, None)])
        self.assertEqual(m.shared(), ["c"])

    def test_status(self):
        move = {"kind": "migration", "from": "a", "to": "b"}
        self.assertEqual(checks.twice_busy({"migrations": [move, {"kind": "split", "from": "a", "to": "a"}]}), [])
        self.assertEqual(len(checks.twice_busy({"migrations": [move, {**move, "to": "c"}]})), 1)


class Journal(unittest.TestCase):
    def judge(self, rows, commits):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "j.db")
            with contextlib.closing(sqlite3.connect(path)) as db:
                db.execute("CREATE TABLE migrations (id INTEGER PRIMARY KEY, state, ns, min_json, donor, recipient, started_at, ended_at)")
                db.execute("CREATE TABLE splits (id INTEGER PRIMARY KEY, state, ended_at)")
                db.executemany("INSERT INTO migrations (state, ns, min_json, donor, recipient, started_at, ended_at) VALUES (?, 'x.y', '{\"k\":1}', ?, ?, ?, ?)", rows)
                db.commit()
            return checks.journal(path, collections.Counter(("x.y", '{"k": 1}', a, b) for a, b in commits))

    def test_rows(self):
        done = ("committed", "a", "b", 10, 20)
        for name, rows, commits, wrong in (
                ("equal", [done], [("a", "b")], 0), ("missing", [], [("a", "b")], 1), ("unknown to the cluster", [done], [], 1), ("twice", [done, ("committed", "a", "b", 30, 40)], [("a", "b")], 1),
                ("twice in both", [done, ("committed", "a", "b", 30, 40)], [("a", "b")] * 2, 0), ("failed", [("failed", "a", "b", 1, 2)], [], 0),
                ("left", [("started", "a", "b", 1, None)], [], 1), ("at once", [done, ("failed", "b", "c", 19, 30)], [("a", "b")], 1), ("after", [done, ("failed", "b", "c", 20, 30)], [("a", "b")], 0)):
            with self.subTest(name):
                self.assertEqual(len(self.judge(rows, commits)), wrong, self.judge(rows, commits))


class Flat(unittest.TestCase):
    def judge(self, use):
        return checks.flat([(t * 1000, *use(t / 100)) for t in range(101)])[0]

    def test_use(self):
        mib = 1 << 20
        self.assertEqual(self.judge(lambda part: (20 * mib, 16, 5)), [])
        self.assertEqual(self.judge(lambda part: (20 * mib + (5 * mib if 0.4 < part < 0.6 else 0), 16 if part != 0.9 else 99, 5)), [])
        self.assertEqual(len(self.judge(lambda part: (int((20 + 10 * part) * mib), 16, 5))), 1)
        self.assertEqual(len(self.judge(lambda part: (20 * mib, 16 + int(part * 10), 5))), 1)
        self.assertEqual(len(self.judge(lambda part: (20 * mib, 16, int(part * 30)))), 1)


if __name__ == "__main__":
    unittest.main()
