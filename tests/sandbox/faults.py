# SPDX-License-Identifier: Apache-2.0
"""What the tables of faults share: a row is a fault (or several) in a small cluster, `apply` under it, and `apply` again without it.
After each of the two the journal is held against the cluster's changelog and against the commands that arrived there; in the end
every chunk has to be where a run that nobody disturbed puts it.

A row's `faults` are documents: of evenkeelSandboxFault where they have a `kind`, else of configureFailPoint. `COMMAND` in them is the
version's command for a migration. EVENKEEL_ROW in the environment runs only the rows whose name holds it."""
import collections
import concurrent.futures
import dataclasses
import functools
import json
import os
import pathlib
import sqlite3
import tempfile
import typing

from bson import json_util

from acting import ActingCase, approved, Cluster, Done
from sandbox_server import wait_until
from wire_proxy import Wire

ONLY = os.environ.get("EVENKEEL_ROW", "")
AT_ONCE = 4  # rows side by side: most of the time they wait
COMMAND = "<the command for a migration>"
SLOW = "400ms"  # of a migration: there is time to do something in between
OPEN = ("planned", "started", "unknown")
ALL = ("4.2.25", "5.0.31", "7.0.14")
DATA = "moveChunk command failed on source shard. :: caused by :: Data transfer error: "
SENT = ("moveChunk", "moveRange", "split")


def injected(kind, **more):
    return {"kind": kind, "command": COMMAND, **more}


def error(code, text="injected", times=1, **more):
    return injected("errorCode", code=code, errmsg=text, times=times, **more)


def fail_command(*commands, skip=0, times=1, **data):
    """failCommand at the n-th command; `times` 0: at every one."""
    mode = {"skip": skip, **({"times": times} if times else {})}
    return {"point": "failCommand", "mode": mode, "data": {"failCommands": list(commands or [COMMAND]), **data}}


@dataclasses.dataclass
class Row:
    name: str
    faults: tuple = ()
    versions: tuple = ("5.0.31",)
    config: str = ""  # of `migrations`
    attempts: int = 3  # of migrations.retry
    arguments: tuple = ()  # of the first apply
    latency: str = "2ms"
    sandbox: tuple = ()  # more of its arguments
    wire: typing.Callable = None  # (bench): the command speaks to bench.wire, set up by this
    during: typing.Callable = None  # (bench): while the first apply runs
    code: int = 0
    says: tuple = ()
    bad: tuple = ()  # rows that are not committed after the first apply: (kind, state, code, verdict), in their order
    committed: int = None  # migrations after the first apply; None: all
    between: typing.Callable = None  # (bench): before the second apply, after the faults are taken back
    again: int = 0
    again_says: tuple = ()
    again_bad: tuple = None  # None: none that were not there before
    same_end: bool = True  # as undisturbed
    by_others: tuple = ()  # migrations of the plan that somebody else carried out while ours were under way
    resent: int = 0  # commands that are a part of another's attempt


def later(name, *faults, bad=(), **more):
    """One step fails; the others are carried out, and the next call completes."""
    return Row(name, faults, code=1, bad=bad, **{"committed": 5, "says": ("call again to go on",), **more})


def step(bench, nth):
    """A migration of the plan."""
    return [m for r in bench.wanted["rounds"] for m in r["migrations"]][nth]


def meanwhile(act, nth=0):
    """`act(bench, client)` while the nth migration is under way."""
    def during(bench):
        bench.wait_for_commits(len(bench.before) + nth)
        wait_until(lambda: bench.in_flight() is not None)
        with bench.sandbox.client() as client:
            act(bench, client)
    return during


def fault(kind, **more):
    return meanwhile(lambda bench, client: client.admin.command({"evenkeelSandboxFault": kind, **more}))


def on(kind, nth, **more):
    """A fault at the nth chunk."""
    def act(bench, client):
        m = step(bench, nth)
        client.admin.command({"evenkeelSandboxFault": kind, "ns": m["ns"], "at": m["min"], **more})
    return meanwhile(act)


class Bench(Cluster):
    """A cluster with a plan of a few steps, one at a time: which step meets a fault is certain then."""
    state, rounds = "draining", ("--rounds", "3")

    def __init__(self, version="5.0.31", config="", latency="2ms", arguments=(), attempts=3, at_once=1):
        self.log_folder = tempfile.TemporaryDirectory(prefix="evenkeel-faults-")
        self.log = pathlib.Path(self.log_folder.name) / "commands.log"
        super().__init__(version, state=self.state, latency=latency, arguments=("--allow-faults", "--log", self.log, *self.snapshot(), *arguments))
        self.move = "moveRange" if version >= "6" else "moveChunk"
        self.configure(f"migrations: {{maxConcurrent: {at_once}, "
                       f"retry: {{attempts: {attempts}, backoff: 10ms, maxBackoff: 20ms}}{config and ', '}{config}}}\n")
        self.uri += "&serverSelectionTimeoutMS=1000"
        self.wanted = self.plan(rounds=self.rounds)
        self.before = self.commits()

    def snapshot(self):
        """Arguments for another snapshot than the state's."""
        return ()

    def fault(self, fault):
        fault = {k: self.move if v == COMMAND else v for k, v in fault.items()}
        with self.sandbox.client() as client:
            if "point" in fault:
                data = {**fault["data"], "failCommands": [self.move if c == COMMAND else c for c in fault["data"]["failCommands"]]}
                client.admin.command({"configureFailPoint": fault["point"], "mode": fault["mode"], "data": data})
            else:
                if fault["kind"] not in ("errorCode", "replyLostBefore", "replyLostAfter") or "step" in fault:
                    del fault["command"]
                client.admin.command({"evenkeelSandboxFault": fault.pop("kind"), **fault})

    def through_wire(self):
        self.wire = Wire(self.sandbox.port)
        self.stack.callback(self.wire.close)
        self.uri = self.uri.replace(str(self.sandbox.port), str(self.wire.port), 1)

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self.log_folder.cleanup()

    def clear(self):
        with self.sandbox.client() as client:
            client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
            client.admin.command({"evenkeelSandboxFault": "clear"})

    def fresh(self):
        """Commits since the plan was made."""
        return collections.Counter(self.commits()) - collections.Counter(self.before)

    def in_flight(self):
        """The shard that a migration is under way from; None: there is none."""
        with self.sandbox.client() as client:
            shards = [op["shard"] for op in client.admin.aggregate([{"$currentOp": {"allUsers": True}}]) if op.get("shard")]
        return next(iter(shards), None)

    def entries_or_none(self):
        """None: the journal has no tables yet."""
        try:
            return self.entries()
        except sqlite3.OperationalError:
            return None

    def entries(self):
        """The journal's rows: kind, state, code, verdict, key of the migration, attempts."""
        if not self.journal.exists():
            return []
        rows = self.rows("SELECT 'move', state, code, verdict, ns, min_json, donor, recipient, attempts, planned_at, id FROM migrations"
                         " UNION ALL SELECT 'split', state, code, verdict, ns, min_json, donor, NULL, attempts, planned_at, id FROM splits"
                         " ORDER BY planned_at, id")
        return [(*r[:4], (r[4], json_util.dumps(json_util.loads(r[5])), r[6], r[7]), r[8]) for r in rows]


@functools.lru_cache(maxsize=None)
def undisturbed(bench, version, config):
    with bench(version, config) as cluster:
        done = cluster.apply("--yes", "--quiet")
        assert done.code in (0, 1), done  # 1: what is too big stays
        return cluster.chunks()


class FaultCase(ActingCase):
    bench = Bench

    def run_rows(self, rows):
        todo = [(row, version) for row in rows for version in row.versions if ONLY in row.name]
        for version, config in {(version, row.config) for row, version in todo if row.same_end}:
            undisturbed(self.bench, version, config)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            results = [(row, version, pool.submit(self.run_row, row, version)) for row, version in todo]
            for row, version, result in results:
                with self.subTest(row=row.name, version=version):
                    result.result()

    def run_row(self, row, version):
        with self.bench(version, row.config, row.latency, row.sandbox, row.attempts) as bench:
            bench.resent = row.resent
            bench.by_others = collections.Counter(approved(bench.wanted)[i] for i in row.by_others)
            for fault in row.faults:
                bench.fault(fault)
            if row.wire is not None:
                bench.through_wire()
                row.wire(bench)
            if row.during is None:
                done = bench.apply("--yes", *row.arguments)
            else:
                process = bench.start_apply(*row.arguments)
                try:
                    row.during(bench)
                finally:
                    out, err = process.communicate(timeout=60)
                done = Done(process.returncode, out, err)
            self.code(row.code, done, *row.says)
            self.one_line(done)
            first = self.sound(bench, row.bad)
            committed = sum(e[1] == "committed" and e[0] == "move" for e in first)
            self.assertEqual(committed, len(approved(bench.wanted)) if row.committed is None else row.committed, done)
            bench.clear()
            if row.wire is not None:
                bench.wire.on_reply = None
            if row.between is not None:
                row.between(bench)
            self.again(row, bench, version, first)

    def again(self, row, bench, version, first):
        done = bench.apply("--yes")
        self.code(row.again, done, *row.again_says)
        self.one_line(done)
        closed = tuple(e[:4] for e in first if e[1] not in (*OPEN, "committed"))
        self.sound(bench, closed if row.again_bad is None else row.again_bad)
        if row.same_end:
            self.assertEqual(bench.chunks(), undisturbed(self.bench, version, row.config))
        if row.again == 75:
            self.renewed(bench)

    def renewed(self, bench):
        """A plan that is stale: a new one can be had, and carried out."""
        new = bench.folder / "new.json"
        self.code(0, bench.apply("--refresh", "-o", new))
        done = bench.apply("--yes", "--format", "json", path=new)
        left = {m["code"] for m in json.loads(done.out)["run"]["notCarriedOut"]}
        self.assertIn((done.code, left), ((0, set()), (1, {"jumbo"})), done)
        self.assertEqual([e for e in bench.entries() if e[1] in OPEN], [])

    def one_line(self, done):
        if done.code != 0:
            self.assertRegex(done.err.rstrip("\n").rsplit("\n", 1)[-1], r"^evenkeel apply: [^\n]*[^.\n]$")

    def sound(self, bench, bad):
        """The journal against the cluster. Returns its rows."""
        entries = bench.entries()
        self.assertEqual([e[:4] for e in entries if e[1] != "committed"], list(bad), entries)
        committed = collections.Counter(e[4] for e in entries if e[0] == "move" and e[1] == "committed")
        open_rows = {e[4] for e in entries if e[1] in OPEN}
        fresh = bench.fresh()
        self.assertEqual({m: n for m, n in (fresh + bench.by_others).items() if m not in open_rows}, committed)
        self.assertEqual({m: n for m, n in fresh.items() if n > 1}, {})
        self.assertEqual(set(fresh) - set(approved(bench.wanted)), set())
        sent = sum(line.split()[5] in SENT for line in bench.log.read_text().splitlines()) if bench.log.exists() else 0
        with_attempts = sum(e[5] for e in entries)
        attempts = bench.rows("SELECT count(*) FROM attempts")[0][0] if entries else 0
        self.assertEqual(attempts, with_attempts)
        self.assertEqual(sent, attempts + bench.resent, entries)
        self.zones(bench, fresh)
        return entries

    def zones(self, bench, fresh):
        """None of what moved went to a shard outside its zone."""
        zones = {m: z for m, z in zip(approved(bench.wanted), (m["zone"] for r in bench.wanted["rounds"] for m in r["migrations"]))}
        with bench.sandbox.client() as client:
            carried = {s["_id"]: s.get("tags", []) for s in client.config.shards.find()}
        for move in fresh:
            if zones[move] is not None and move[3] in carried:
                self.assertIn(zones[move], carried[move[3]], move)
