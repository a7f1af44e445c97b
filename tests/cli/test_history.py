#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""evenkeel history: what of a journal is told, in which format, and following one that grows."""
import csv
import io
import json
import os
import pathlib
import re
import selectors
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

from evenkeel_cli import EVENKEEL, CommandCase, environment, run

GENERATE = pathlib.Path(os.environ.get("EVENKEEL_BUILD", ".")) / "tests" / "bench" / "gen_journal"
DAY = 86400 * 1000
T0 = 1795219200000  # 2026-11-21T00:00:00Z
WAIT = 20  # seconds
STATES = "planned, started, committed, failed, aborted, unknown"
HOSTILE = "no \x1b[31mway, \"said\" the server\r"


class Writer:
    """A process that holds a journal open for writing."""

    def __init__(self, path):
        self.process = subprocess.Popen([GENERATE, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        encoding="utf-8", env=environment())

    def ask(self, *fields):
        print(*fields, sep="\t", file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().strip()
        if not answer.lstrip("-").isdigit():
            raise AssertionError(f"{fields}: {answer}")
        return int(answer)

    def row(self, round_, ns, low, high, donor, recipient, at, size=1 << 20):
        return self.ask("row", round_, ns, low, high, donor, recipient, size, at)

    def state(self, row, state, at, kind="migration", code=0, message=""):
        self.ask("state", kind, row, state, at, code, message)

    def moved(self, round_, ns, low, high, donor, recipient, at, took=2000, **kwargs):
        row = self.row(round_, ns, low, high, donor, recipient, at, **kwargs)
        self.state(row, "started", at + 1)
        self.state(row, "committed", at + 1 + took)
        return row

    def close(self):
        self.process.stdin.close()
        self.process.wait(WAIT)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def make(path):
    """A small history of three days: migrations 1 to 6, split 1, rounds 1 to 3."""
    with Writer(path) as w:
        first = w.ask("round", "scheduled", T0)
        w.moved(first, "shop.users", 0, 10, "shard0", "shard1", T0)
        w.moved(first, "shop.orders", 10, 20, "shard1", "shard2", T0 + 1000)
        w.ask("end", first, "done", T0 + 60000, "")
        second = w.ask("round", "forced", T0 + DAY)
        split = w.row(second, "hr.people", 0, 100, "shard2", "-", T0 + DAY)
        w.state(split, "started", T0 + DAY, kind="split")
        w.state(split, "committed", T0 + DAY + 300, kind="split")
        bad = w.row(second, "hr.people", 0, 50, "shard2", "shard0", T0 + DAY + 1000, size=-1)
        w.state(bad, "started", T0 + DAY + 1001)
        w.state(bad, "failed", T0 + DAY + 2001, code=117, message=HOSTILE)
        w.ask("end", second, "failed", T0 + DAY + 3000, "=1+1")
        third = w.ask("round", "scheduled", T0 + 2 * DAY)
        w.row(third, "=shop.sheet", 0, 1, "+shard0", "@shard1", T0 + 2 * DAY)
        lost = w.row(third, "shop.users", 10, 20, "shard0", "shard1", T0 + 2 * DAY + 1)
        w.state(lost, "started", T0 + 2 * DAY + 2)
        w.state(lost, "unknown", T0 + 2 * DAY + 3, message="the reply is missing")
        gone = w.row(third, "shop.users", 20, 30, "shard0", "shard1", T0 + 2 * DAY + 4)
        w.state(gone, "aborted", T0 + 2 * DAY + 5, message="-cancelled")


class HistoryCase(CommandCase):
    @classmethod
    def setUpClass(cls):
        if not GENERATE.exists():
            raise unittest.SkipTest(f"{GENERATE} is not built")
        cls.folder = tempfile.TemporaryDirectory()
        cls.journal = os.path.join(cls.folder.name, "journal.db")
        make(cls.journal)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def history(self, *args, **kwargs):
        return self.ok("history", "--journal", self.journal, *args, **kwargs)

    def rows(self, *args):
        return json.loads(self.history("--format", "json", *args))["rows"]

    def names(self, *args):
        """Migrations as m1, splits as s1, in their order."""
        return " ".join(f"{r['kind'][0]}{r['id']}" for r in self.rows(*args))

    def bad(self, code, *args, **kwargs):
        return self.refused(code, "history", *args, **kwargs)


class Filters(HistoryCase):
    ALL = "m1 m2 s1 m3 m4 m5 m6"

    def test_what_is_taken(self):
        rows = [
            ((), self.ALL),
            (("--since", "2026-11-22"), "s1 m3 m4 m5 m6"),
            (("--since", "2026-11-22T00:00:00Z"), "s1 m3 m4 m5 m6"),
            (("--since", "2026-11-22T00:00:01Z"), "m3 m4 m5 m6"),
            (("--since", "2026-11-22T00:00:00.500Z"), "m3 m4 m5 m6"),
            (("--since", "2026-11-22T01:00:01+01:00"), "m3 m4 m5 m6"),
            (("--since", "2026-11-21T19:00-05:00"), "s1 m3 m4 m5 m6"),
            (("--since", "2026-11-22 00:00:01"), "m3 m4 m5 m6"),
            (("--since", "2026-11-22T00:01"), "m4 m5 m6"),
            (("--until", "2026-11-22"), "m1 m2"),
            (("--until", "2026-11-22T00:01Z", "--since", "2026-11-22"), "s1 m3"),
            (("--ns", "shop.users"), "m1 m5 m6"),
            (("--ns", "shop.*"), "m1 m2 m5 m6"),
            (("--ns", "*", "--ns", "!shop.*"), "s1 m3 m4"),
            (("--ns", "hr.*", "--ns", "shop.orders"), "m2 s1 m3"),
            (("--shard", "shard2"), "m2 s1 m3"),
            (("--shard", "shard"), ""),
            (("--state", "committed"), "m1 m2 s1"),
            (("--state", "unknown"), "m5"),
            (("--state", "started"), ""),
            (("--round", "2"), "s1 m3"),
            (("--round", "99"), ""),
            (("--limit", "2"), "m5 m6"),
            (("--limit", "2", "--until", "2026-11-22"), "m1 m2"),
            (("--limit", "3", "--ns", "shop.users"), "m1 m5 m6"),
            (("--ns", "shop.users", "--shard", "shard1", "--state", "aborted", "--round", "3"), "m6"),
        ]
        for args, want in rows:
            with self.subTest(args=args):
                self.assertEqual(self.names(*args), want)

    def test_ago(self):
        now = int(time.time() * 1000)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "journal.db")
            with Writer(path) as w:
                round_ = w.ask("round", "scheduled", now - 3 * DAY)
                for i, ago in enumerate((3 * DAY, DAY, 3600 * 1000, 60 * 1000)):
                    w.row(round_, "a.b", i, i + 1, "s0", "s1", now - ago)
            for since, want in (("4d", 4), ("2d", 3), ("2h", 2), ("90m", 2), ("1h", 1), ("30m", 1), ("5s", 0)):
                done = self.ok_json("history", "--journal", path, "--format", "json", "--since", since)
                self.assertEqual(len(done["rows"]), want, since)

    def test_rounds(self):
        rows = [
            ((), [1, 2, 3]),
            (("--since", "2026-11-22"), [2, 3]),
            (("--until", "2026-11-22"), [1]),
            (("--round", "2"), [2]),
            (("--limit", "2"), [2, 3]),
            (("--state", "committed"), [1, 2]),
            (("--state", "failed"), [2]),
            (("--ns", "shop.users"), [1, 3]),
            (("--shard", "shard2"), [1, 2]),
            (("--ns", "shop.users", "--state", "committed"), [1]),
            (("--ns", "nosuch"), []),
        ]
        for args, want in rows:
            with self.subTest(args=args):
                doc = json.loads(self.history("--rounds", "--format", "json", *args))
                self.assertEqual([r["id"] for r in doc["rounds"]], want)

    def test_refused(self):
        rows = [
            (("--since", "yesterday"), ("--since", "yesterday", "2026-11-21")),
            (("--since", "5"), "--since"),
            (("--since", ""), "--since"),
            (("--since", "2026-13-01"), "--since"),
            (("--until", "2026-11-21T25:00Z"), "--until"),
            (("--until", "1969-01-01"), "1970"),
            (("--since", "2026-11-22", "--until", "2026-11-21"), "--since is not before --until"),
            (("--state", "done"), ("--state", "unknown state 'done'", STATES)),
            (("--state", "comitted"), ("did you mean 'committed'?", STATES)),
            (("--round", "0"), "--round"),
            (("--round", "x"), "--round"),
            (("--limit", "0"), "--limit"),
            (("--limit", "99999999999"), "--limit"),
            (("--ns", "!"), "--ns"),
            (("--ns", ""), "--ns"),
            (("--shard", ""), "--shard"),
            (("--journal", ""), "--journal"),
            (("--format", "yaml"), ("yaml", "text, json, csv")),
            (("--tail", "-o", "file"), "--tail"),
            (("surplus",), "surplus"),
            (("--snapshot", "x"), "--snapshot"),
        ]
        for args, says in rows:
            with self.subTest(args=args):
                self.bad(64, *args, says=says)


class Formats(HistoryCase):
    def test_json_row(self):
        doc = json.loads(self.history("--format", "json"))
        self.assertEqual(list(doc), ["schemaVersion", "tool", "rows"])
        self.assertEqual(doc["schemaVersion"], 1)
        self.assertEqual(doc["tool"]["name"], "evenkeel")
        first, failed = doc["rows"][0], doc["rows"][3]
        self.assertEqual(first, {
            "kind": "migration", "id": 1, "round": 1, "planId": None, "step": None, "state": "committed",
            "ns": "shop.users", "min": {"k": 0}, "max": {"k": 10}, "from": "shard0", "to": "shard1", "zone": None,
            "reason": "imbalance", "why": "shard0 has 9 chunks and shard1 has 1", "bytes": 1048576,
            "plannedAt": "2026-11-21T00:00:00Z", "startedAt": "2026-11-21T00:00:00Z",
            "endedAt": "2026-11-21T00:00:02Z", "seconds": 2.0, "attempts": 0, "code": None, "verdict": None,
            "message": None})
        self.assertEqual(failed["code"], 117)
        self.assertIsNone(failed["bytes"])
        self.assertEqual(failed["message"], 'no \\x1B[31mway, "said" the server\\x0D')

    def test_json_split(self):
        split = self.rows()[2]
        self.assertEqual((split["kind"], split["at"], split["to"]), ("split", [{"k": 50}], None))

    def test_json_rounds(self):
        doc = json.loads(self.history("--rounds", "--format", "json"))
        self.assertEqual(list(doc), ["schemaVersion", "tool", "rounds"])
        done, failed, running = doc["rounds"]
        self.assertEqual((done["committed"], done["bytes"], done["seconds"]), (2, 2 << 20, 60.0))
        self.assertEqual((failed["failed"], failed["splits"], failed["note"]), (1, 1, "=1+1"))
        self.assertEqual((running["state"], running["open"], running["aborted"]), ("running", 2, 1))
        self.assertEqual((running["endedAt"], running["seconds"]), (None, None))

    def test_csv(self):
        for args, width in ((("--format", "csv"), 23), (("--format", "csv", "--rounds"), 19)):
            out = subprocess.run([EVENKEEL, "history", "--journal", self.journal, *args], stdout=subprocess.PIPE,
                                 check=True, env=environment()).stdout
            self.assertEqual(out.count(b"\n"), out.count(b"\r\n"))
            table = list(csv.reader(io.StringIO(out.decode(), newline="")))
            self.assertEqual({len(row) for row in table}, {width})
            for row in table:
                for cell in row:
                    self.assertNotRegex(cell, r"\A[=+\-@\t\r]", row)
                    self.assertTrue(cell.isprintable(), row)

    def test_csv_cells(self):
        table = list(csv.DictReader(io.StringIO(self.history("--format", "csv"), newline="")))
        self.assertEqual([r["kind"][0] + r["id"] for r in table], Filters.ALL.split())
        self.assertEqual(table[3]["message"], 'no \\x1B[31mway, "said" the server\\x0D')
        self.assertEqual(table[2]["at"], '[{"k": 50}]')
        self.assertEqual((table[3]["bytes"], table[3]["code"]), ("", "117"))
        self.assertEqual((table[4]["ns"], table[4]["from"], table[4]["to"]), ("'=shop.sheet", "'+shard0", "'@shard1"))
        self.assertEqual(table[6]["message"], "'-cancelled")
        self.assertEqual((table[4]["startedAt"], table[6]["endedAt"]), ("", "2026-11-23T00:00:00Z"))

    def test_text(self):
        lines = self.history(env={"COLUMNS": "200"}).splitlines()
        self.assertRegex(lines[0], r"^planned +state +collection +shards +range +data +took +message +round$")
        self.assertRegex(lines[1], r"^2026-11-21T00:00:00Z  committed  shop.users +shard0 → shard1 +"
                                   r"\[\{ k: 0 \}, \{ k: 10 \}\) +1.00 MiB +2.0 s +1$")
        self.assertRegex(lines[3], r"shard2 split +at \{ k: 50 \} +0.3 s +2$")
        self.assertIn("?", lines[4])
        self.assertEqual(lines[-1], "7 rows: 1 planned, 3 committed, 1 failed, 1 aborted, 1 unknown; 1 of them is "
                                    "a split; 2.00 MiB moved")
        self.assertNotIn("\x1b", "".join(lines))

    def test_text_rounds(self):
        lines = self.history("--rounds", env={"COLUMNS": "200"}).splitlines()
        self.assertRegex(lines[2], r"^ +2  2026-11-22T00:00:00Z  forced +failed +0/3 +1 +0 +0 +1 +0 B +3.0 s +=1\+1"
                                   r" +alice \(uid 1000\) +test$")
        self.assertEqual(lines[-1], "3 rounds: 2 migrations committed, 1 failed; 2.00 MiB moved")

    def test_no_line_is_wider_than_the_terminal(self):
        for columns in (40, 60, 80, 100, 120):
            for args in ((), ("--rounds",)):
                for line in self.history(*args, env={"COLUMNS": str(columns)}).splitlines():
                    self.assertLessEqual(len(line), columns, line)

    def test_ascii(self):
        self.assertTrue(self.history(env={"LC_ALL": "C"}).isascii())

    def test_quiet_leaves_the_table(self):
        lines = self.history("--quiet").splitlines()
        self.assertEqual(len(lines), 8)

    def test_nothing_fits(self):
        self.assertEqual(self.history("--ns", "no.such"), "nothing in the journal fits\n")
        self.assertEqual(self.history("--ns", "no.such", "--quiet"), "")
        self.assertEqual(self.history("--ns", "no.such", "--rounds"), "nothing in the journal fits\n")
        self.assertEqual(self.history("--ns", "no.such", "--format", "csv").count("\n"), 1)
        self.assertEqual(self.rows("--ns", "no.such"), [])

    def test_output_file(self):
        path = os.path.join(self.folder.name, "out.json")
        self.assertEqual(self.history("--format", "json", "-o", path), "")
        with open(path, encoding="utf-8") as f:
            self.assertEqual(len(json.load(f)["rows"]), 7)


class Folding(CommandCase):
    @classmethod
    def setUpClass(cls):
        if not GENERATE.exists():
            raise unittest.SkipTest(f"{GENERATE} is not built")
        cls.folder = tempfile.TemporaryDirectory()
        cls.journal = os.path.join(cls.folder.name, "journal.db")
        with Writer(cls.journal) as w:
            for i in range(130):
                round_ = w.ask("round", "scheduled", T0 + i)
                w.row(round_, f"shop.c{i:03}", 0, 10, "shard0", "shard1", T0 + i)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def collections(self, *args):
        out = self.ok("history", "--journal", self.journal, *args)
        return re.findall(r"shop\.c(\d+)", out), out

    def test_the_newest_fifty(self):
        names, out = self.collections()
        self.assertEqual((len(names), names[0], names[-1]), (50, "080", "129"))
        self.assertTrue(out.startswith("… 80 earlier; --all shows them\n"), out[:100])
        self.assertIn("\n130 rows: 130 planned; 0 B moved\n", out)

    def test_all_and_limit(self):
        names, out = self.collections("--all")
        self.assertEqual(len(names), 130)
        self.assertNotIn("earlier", out)
        names, out = self.collections("--limit", "60")
        self.assertEqual((len(names), names[-1]), (60, "129"))
        self.assertIn("\n60 rows: 60 planned; 0 B moved\n", out)
        names, _ = self.collections("--format", "csv")
        self.assertEqual(len(names), 130)

    def test_rounds(self):
        out = self.ok("history", "--journal", self.journal, "--rounds")
        self.assertTrue(out.startswith("… 80 earlier"), out[:100])
        self.assertEqual(out.count("running"), 50)
        self.assertIn("\n130 rounds: 0 migrations committed, 0 failed; 0 B moved\n", out)

    def test_pieces_make_a_whole(self):
        doc = self.ok_json("history", "--journal", self.journal, "--format", "json")
        self.assertEqual([r["ns"] for r in doc["rows"]], [f"shop.c{i:03}" for i in range(130)])


class Journals(HistoryCase):
    """Which file is read, and what is said where it cannot be."""

    def test_missing(self):
        self.bad(66, "--journal", "/nosuch/journal.db", says="/nosuch/journal.db")
        self.bad(66, "--journal", self.folder.name, says="a folder")

    def test_of_the_configuration(self):
        config = os.path.join(self.folder.name, "evenkeel.yaml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(f"journal:\n  path: {self.journal}\n")
        self.assertIn("7 rows", self.ok("history", "--config", config))
        with open(config, "w", encoding="utf-8") as f:
            f.write("journal:\n  path: /nosuch/journal.db\n")
        self.bad(66, "--config", config, says="/nosuch/journal.db")
        self.assertIn("7 rows", self.history("--config", config))

    def test_empty_and_foreign(self):
        path = os.path.join(self.folder.name, "other.db")
        open(path, "wb").close()
        self.bad(66, "--journal", path, says="empty")
        with open(path, "wb") as f:
            f.write(b"not a database at all\n" * 100)
        self.bad(65, "--journal", path, says="damaged")
        os.unlink(path)
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE t (a)")
        db.close()
        self.bad(65, "--journal", path, says="another program")

    def test_while_somebody_writes(self):
        path = os.path.join(self.folder.name, "written.db")
        with Writer(path) as w:
            round_ = w.ask("round", "scheduled", T0)
            for i in range(5):
                w.row(round_, "a.b", i, i + 1, "s0", "s1", T0)
                self.assertEqual(len(self.ok_json("history", "--journal", path, "--format", "json")["rows"]), i + 1)
            done = subprocess.run([GENERATE, path], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                                  encoding="utf-8", env=environment())
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(f"in use by process {w.process.pid}", done.stderr + done.stdout)

    def test_following_what_cannot_be_followed(self):
        if os.getuid() != 0:
            self.skipTest("needs root")
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            path = os.path.join(folder, "journal.db")
            make(path)
            os.chmod(path, 0o644)
            os.unlink(path + "-wal")
            os.unlink(path + "-shm")
            args = ("history", "--journal", path)
            try:
                self.assertIn("7 rows", self.ok(*args, user=65534))
            except PermissionError:
                self.skipTest("another user cannot run the command where it is")
            self.refused(69, *args, "--tail", user=65534, says="cannot be followed")

    def test_a_full_device(self):
        with open("/dev/full", "wb") as full:
            done = run("history", "--journal", self.journal, stdout=full)
        self.assertEqual(done.returncode, 73)
        self.one_line(done.stderr)


class Follower:
    """`evenkeel history --tail`, and the lines that it prints."""

    def __init__(self, journal, *args):
        self.process = subprocess.Popen([EVENKEEL, "history", "--tail", "--journal", journal, *args],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=environment())
        self.text = b""

    def line(self):
        end = time.monotonic() + WAIT
        with selectors.DefaultSelector() as ready:
            ready.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.text and time.monotonic() < end:
                if ready.select(timeout=1):
                    piece = os.read(self.process.stdout.fileno(), 65536)
                    self.text += piece
                    if not piece:
                        break
        line, newline, self.text = self.text.partition(b"\n")
        if not newline:
            raise AssertionError(f"no line: {line!r} {self.process.poll()}")
        return line.decode().rstrip("\r")

    def end(self, with_signal=signal.SIGTERM):
        if with_signal is not None:
            self.process.send_signal(with_signal)
        code = self.process.wait(WAIT)
        error = self.process.stderr.read().decode()
        self.process.stdout.close()
        self.process.stderr.close()
        return code, error


class Tail(HistoryCase):
    def setUp(self):
        self.own = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.own.name, "journal.db")

    def tearDown(self):
        self.own.cleanup()

    def test_json_lines(self):
        with Writer(self.path) as w:
            round_ = w.ask("round", "scheduled", T0)
            w.moved(round_, "a.b", 0, 10, "s0", "s1", T0)
            f = Follower(self.path, "--format", "json")
            self.assertEqual(json.loads(f.line())["state"], "committed")
            row = w.row(round_, "a.b", 10, 20, "s0", "s1", T0 + 1)
            self.assertEqual(json.loads(f.line())["state"], "planned")
            w.state(row, "started", T0 + 2)
            self.assertEqual(json.loads(f.line())["state"], "started")
            w.state(row, "failed", T0 + 3, message="no")
            last = json.loads(f.line())
            self.assertEqual((last["id"], last["state"], last["message"]), (row, "failed", "no"))
            self.assertEqual(f.end(), (0, ""))

    def test_text_and_signals(self):
        for sig in (signal.SIGINT, signal.SIGTERM):
            path = f"{self.path}{sig}"
            with Writer(path) as w:
                round_ = w.ask("round", "scheduled", T0)
                w.moved(round_, "a.b", 0, 10, "s0", "s1", T0)
                f = Follower(path)
                self.assertEqual(f.line(), "2026-11-21T00:00:02Z  committed  a.b [{ k: 0 }, { k: 10 })  s0 → s1  "
                                           "1.00 MiB  2.0 s")
                w.row(round_, "a.c", 0, 10, "s0", "-", T0 + 5)
                self.assertEqual(f.line(), "2026-11-21T00:00:00Z  planned    a.c at { k: 5 }  s0 split")
                self.assertEqual(f.end(sig), (0, ""))

    def test_filters_hold(self):
        with Writer(self.path) as w:
            round_ = w.ask("round", "scheduled", T0)
            f = Follower(self.path, "--format", "csv", "--ns", "a.*", "--state", "planned")
            self.assertTrue(f.line().startswith("kind,id,"))
            for ns in ("b.b", "a.one", "b.c", "a.two"):
                w.row(round_, ns, 0, 10, "s0", "s1", T0)
            self.assertIn("a.one", f.line())
            self.assertIn("a.two", f.line())
            self.assertEqual(f.end(), (0, ""))

    def test_rounds(self):
        with Writer(self.path) as w:
            round_ = w.ask("round", "scheduled", T0)
            f = Follower(self.path, "--rounds")
            self.assertIn("round 1 (scheduled) running", f.line())
            w.ask("end", round_, "done", T0 + 1000, "well")
            self.assertRegex(f.line(), r"^2026-11-21T00:00:01Z  round 1 \(scheduled\) done: 0 of 3 migrations, 0 failed"
                                       r", 0 open, 0 splits  0 B  1.0 s  well$")
            self.assertEqual(f.end(), (0, ""))

    def test_writers_come_and_go(self):
        with Writer(self.path) as w:
            round_ = w.ask("round", "scheduled", T0)
        f = Follower(self.path)
        for i in range(3):
            with Writer(self.path) as w:
                w.row(round_, f"a.c{i}", 0, 10, "s0", "s1", T0)
            self.assertIn(f"a.c{i}", f.line())
        self.assertEqual(f.end(), (0, ""))

    def test_the_newest_first_fifty(self):
        with Writer(self.path) as w:
            round_ = w.ask("round", "scheduled", T0)
            for i in range(60):
                w.row(round_, f"a.c{i:02}", 0, 10, "s0", "s1", T0 + i)
        for args, first in (((), "a.c10"), (("--limit", "2"), "a.c58"), (("--all",), "a.c00")):
            f = Follower(self.path, *args)
            self.assertIn(first, f.line())
            f.end()

    def test_ends_when_nobody_reads(self):
        with Writer(self.path) as w:
            round_ = w.ask("round", "scheduled", T0)
            w.row(round_, "a.b", 0, 10, "s0", "s1", T0)
            for write in (False, True):
                f = Follower(self.path)
                f.line()
                f.process.stdout.close()
                if write:
                    w.row(round_, "a.b", 0, 10, "s0", "s1", T0)
                code = f.process.wait(WAIT)
                error = f.process.stderr.read()
                f.process.stderr.close()
                self.assertEqual((code, error), (0, b""))


if __name__ == "__main__":
    unittest.main()
