#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A soak: the service on the sandbox through days or weeks of simulated time, in which data grows, shards come and go, zones change, faults strike, and
the service is killed, restarted, reloaded, paused and asked. README.md tells what is checked. Which events come when is drawn from the seed; how they
meet what is under way is not.

    EVENKEEL=build/debug/evenkeel EVENKEEL_FAST_CLOCK_LIBRARY=build/debug/tests/libfast_clock.so tests/soak/soak.py --days 30 --seed 1"""
import argparse
import collections
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

try:
    import pymongo  # pylint: disable=unused-import
except ImportError:
    print("python3-pymongo is not installed")
    sys.exit(77)

import soak_checks as checks
from soak_clock import Clock
from soak_cluster import EVENKEEL, TIMEOUT, Cluster
from soak_events import HOUR, RESTARTS, WEIGHTS, Events
from soak_service import Service

VERSIONS = ("4.2.25", "4.4.29", "5.0.31", "6.0.14", "7.0.14", "8.0.4")
DAY = 24 * HOUR
CALM = 0.6          # from this part of the time on the service is not restarted: its memory is to be compared with itself
SETTLE_DAYS = 10    # how long balance may take when everything is well again
QUIET = 20 * 60     # seconds between two samples


class Failed(Exception):
    """Something that must hold did not."""


class Soak:
    def __init__(self, options):
        self.options = options
        self.rng = random.Random(options.seed)
        self.version = options.server_version or self.rng.choice(VERSIONS)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="evenkeel-soak-"))
        self.clock = Clock(os.environ["EVENKEEL_FAST_CLOCK_LIBRARY"], self.folder / "clock")
        self.cluster = self.service = None
        self.migrations = checks.Migrations()
        self.samples = []    # of the present process, while idle: (time, bytes, descriptors, connections)
        self.sampled_at = 0
        self.told_day = 0
        self.began = time.monotonic()
        self.story = open(self.folder / "story.log", "w", encoding="utf-8")
        self.uses = open(self.folder / "uses.csv", "w", encoding="utf-8")

    def tell(self, text):
        print(f"{time.monotonic() - self.began:6.1f} s  day {self.clock.days():5.2f}  {text}", flush=True)

    # --- what is watched ---

    def watch(self):
        """Called all the time while the clock runs."""
        if self.cluster.process.poll() is not None:
            raise Failed(f"the sandbox ended with {self.cluster.process.returncode}")
        if self.service.process is None:
            return
        self.service.check_alive()
        now = self.clock.now()
        if now - self.sampled_at >= QUIET * 1000:
            self.sampled_at = now
            self.sample(now)

    def sample(self, now):
        status = self.service.status()
        wrong = checks.twice_busy(status)
        if wrong:
            raise Failed("; ".join(wrong))
        if status["state"] == "idle" and not status["migrations"]:
            self.samples.append((now, *self.service.use()))
            print(self.service.starts, *self.samples[-1], sep=",", file=self.uses, flush=True)

    def look(self):
        """What the cluster tells of migrations since the last look."""
        self.watch()
        wrong = self.migrations.feed(self.cluster.read_changelog(), self.cluster.states)
        if wrong:
            raise Failed("\n".join(wrong))

    def tell_day(self):
        day = int(self.clock.days())
        if day == self.told_day or not self.samples:
            return
        self.told_day = day
        rows = checks.journal_rows(self.service.journal)
        _, resident, files, connections = self.samples[-1]
        self.tell(f"{len(self.cluster.shards())} shards, {len(self.cluster.chunks())} chunks, {sum(self.migrations.commits.values())} migrations in the changelog, {self.migrations.failed} failed there; "
                  f"journal {rows}; resident {resident / (1 << 20):.1f} MiB, {files} descriptors, {connections} connections")

    # --- the way ---

    def plan(self):
        """Every event with its time in seconds and a seed of its own."""
        total = self.options.days * DAY
        names, weights = zip(*WEIGHTS.items())
        calm = [0 if n in RESTARTS else w for n, w in zip(names, weights)]
        times = sorted(self.rng.uniform(0.01, 1) * total for _ in range(int(self.options.days * self.options.events)))
        return [(at, self.rng.choices(names, weights if at < total * CALM else calm)[0], self.rng.randrange(1 << 32)) for at in times]

    def one(self, events, at, name, seed):
        """One event; before it, and up to it, time passes."""
        begin = self.clock.started
        while True:
            next_due = min([t for t, _ in events.later] + [begin + int(at * 1000)])
            self.clock.run_until(next_due, watch=self.watch)
            events.due()
            if next_due >= begin + int(at * 1000):
                break
        self.look()
        events.go_on_draining()
        process = self.service.process
        print(f"{self.clock.now()} day {self.clock.days():.3f} {name}", file=self.story, flush=True)
        what = events.happen(name, random.Random(seed))
        print(f"{self.clock.now()} day {self.clock.days():.3f} {name}: {what}", file=self.story, flush=True)
        if self.service.process is not process:
            self.samples.clear()
        self.look()
        self.tell_day()

    def settle(self, events):
        """All is taken back; the cluster must come to rest."""
        events.due(everything=True)
        self.cluster.fault("clear")
        for name in ["failCommand", "failMigrationCommit", "migrationCommitNetworkError"] + [f"moveChunkHangAtStep{i}" for i in range(1, 8)] + [
                f"migrateThreadHangAtStep{i}" for i in (1, 4, 5, 6)]:
            events.fail_point(name, "off")
        self.service.ask("resume", reason="the end of the soak")
        events.reload_base()
        begun = self.clock.now()
        while True:
            self.clock.run(HOUR, watch=self.watch)
            self.look()
            events.go_on_draining()
            code, out = self.left_to_do()
            status = self.service.status()
            if code == 0 and status["state"] == "idle" and not self.cluster.state()["draining"]:
                return (self.clock.now() - begun) / 3600e3
            if self.clock.now() - begun > SETTLE_DAYS * DAY * 1000:
                raise Failed(f"not balanced after {SETTLE_DAYS} days: plan exits with {code}, the service is {status['state']} {status['holds']}, draining "
                             f"{self.cluster.state()['draining']}:\n{out[-3000:]}")

    def left_to_do(self):
        done = subprocess.run([EVENKEEL, "plan", "--config", str(self.service.config_file), "--uri", f"mongodb://127.0.0.1:{self.cluster.port}/", "--detailed-exitcode"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT, check=False)
        if done.returncode not in (0, 2):
            raise Failed(f"plan exits with {done.returncode}: {done.stdout}")
        return done.returncode, done.stdout

    def judge(self):
        """The end: the service is stopped, so that journal and changelog stand still."""
        wrong, text = checks.flat(self.samples) if self.samples else ([], "not judged, no samples")
        if self.options.any_memory:
            wrong = [w for w in wrong if not w.startswith("memory")]
        self.tell(f"the last process of {self.service.starts}: {text}")
        counters = self.service.status()["counters"]
        self.service.terminate()
        self.look()
        if self.migrations.under_way:
            wrong.append(f"still under way: {list(self.migrations.under_way)}")
        wrong += checks.journal(self.service.journal, self.migrations.commits)
        commits = sum(self.migrations.commits.values())
        self.tell(f"{commits} migrations committed, each once in changelog and journal; {self.migrations.failed} failed in the cluster; journal "
                  f"{checks.journal_rows(self.service.journal)}; no zone broken" if not wrong else f"{len(wrong)} faults")
        self.tell(f"the last process counted {counters}")
        return wrong

    def drive(self):
        growth = self.options.growth
        self.cluster = Cluster(self.clock, self.folder, self.rng, self.version, growth)
        self.service = Service(self.clock, self.folder, self.cluster.port)
        self.service.start()
        events = Events(self.clock, self.cluster, self.service)
        self.tell(f"seed {self.options.seed}, server version {self.version}, {self.options.days:g} days, logs in {self.folder}")
        for at, name, seed in self.plan():
            self.one(events, at, name, seed)
        self.clock.run_until(self.clock.started + int(self.options.days * DAY * 1000), watch=self.watch)
        hours = self.settle(events)
        self.tell(f"balanced {hours:g} hours after the last event, with {len(self.cluster.shards())} shards; {self.service.starts} processes of the service, {self.cluster.starts} of the cluster")
        self.tell("events: " + ", ".join(f"{n} {name}" for name, n in sorted(events.counts.items())))
        wrong = self.judge()
        if self.cluster.stop() != 0 or (self.folder / "sandbox.err").stat().st_size:
            wrong.append("the sandbox did not end well")
        if wrong:
            raise Failed("\n".join(wrong[:20]))

    def fallen(self):
        """Which process has ended, if one has: what failed first is often only its consequence."""
        time.sleep(0.5)
        return "".join(f"; {what} ended with {owner.process.poll()}" for what, owner in (("the service", self.service), ("the sandbox", self.cluster))
                       if owner is not None and owner.process is not None and owner.process.poll() is not None)

    def clean(self, keep):
        for owner in (self.service, self.cluster):
            if owner is not None and owner.process is not None and owner.process.poll() is None:
                owner.process.kill()
                owner.process.wait()
        self.story.close()
        self.uses.close()
        if not keep:
            shutil.rmtree(self.folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--days", type=float, default=2, help="simulated days (default 2)")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("EVENKEEL_SEED", "20261121")), help="draws the cluster and the events")
    parser.add_argument("--server-version", choices=VERSIONS, help="of the simulated cluster (default: drawn from the seed)")
    parser.add_argument("--events", type=float, default=10, help="a simulated day (default 10)")
    parser.add_argument("--growth", type=int, default=4000, help="bytes a second over the whole cluster (default 4000)")
    parser.add_argument("--any-memory", action="store_true", help="do not judge resident memory: a sanitizer's own grows")
    parser.add_argument("--keep", action="store_true", help="keep the logs, though all is well")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    soak = Soak(options)
    good = False
    try:
        soak.drive()
        good = True
    except (Failed, AssertionError, OSError, ValueError, KeyError) as e:
        if not isinstance(e, Failed):
            traceback.print_exc()
        soak.tell(f"FAILED: {e}{soak.fallen()}")
        print(f"seed {options.seed}, server version {soak.version}, {options.days:g} days; story, logs and journal are in {soak.folder}", flush=True)
    finally:
        soak.clean(keep=options.keep or not good)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
