#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What stops a run without anything being wrong: a range that came lately and would go back, limits, signals; also while something is wrong."""
import collections
import concurrent.futures
import signal
import threading
import time

from acting import approved
from faults import ALL, Bench, error, FaultCase, injected
from sandbox_server import main, TIMEOUT, wait_until

RANGE = {"min": {"userId": 2000}, "max": {"userId": 2400}}  # four chunks of shop.users


class BalancedBench(Bench):
    state = "balanced"


class Limits(FaultCase):
    def bench_of(self, version="5.0.31", bench=Bench, **options):
        bench = bench(version, **options)
        bench.by_others, bench.resent = collections.Counter(), 0
        self.addCleanup(bench.__exit__, None, None, None)
        return bench

    # --- back where it came from ---

    def there(self, version, **options):
        """Four chunks have gone from shard0 to shard3; a plan that has them go back."""
        bench = self.bench_of(version, BalancedBench, **options)
        with bench.sandbox.client() as client:
            client.admin.command({"addShardToZone": "shard3", "zone": "NOW"})
            client.admin.command({"updateZoneKeyRange": "shop.users", **RANGE, "zone": "NOW"})
        self.moves(bench, "shard0", "shard3")
        self.code(0, bench.apply("--yes"))
        with bench.sandbox.client() as client:
            client.admin.command({"addShardToZone": "shard0", "zone": "NOW"})
            client.admin.command({"removeShardFromZone": "shard3", "zone": "NOW"})
        bench.before = bench.commits()
        self.moves(bench, "shard3", "shard0")
        return bench

    def moves(self, bench, donor, recipient):
        bench.wanted = bench.plan("--ns", "shop.users", "--max-moves", "4")
        self.assertEqual({(m[2], m[3]) for m in approved(bench.wanted)}, {(donor, recipient)})

    def test_cool_down(self):
        for version in ALL:
            with self.subTest(version=version):
                bench = self.there(version)
                done = self.refused(1, bench.apply("--yes", "--max-time", "2s"), "not complete")
                self.assertEqual(bench.fresh(), {}, done)
                self.assertNotIn("migration started", done.err)
                done = self.refused(1, bench.round("--yes", "--max-moves", "4"), "not complete", "does not go back so soon")
                self.assertEqual(bench.fresh(), {}, done)

    def test_cool_down_waited_for(self):
        bench = self.there("5.0.31")
        self.stopped(bench, self.line_with("must not go back to the shard that it came from so soon"))
        self.assertEqual(bench.fresh(), {})

    def test_back_too_soon(self):
        """Nobody remembers that it came from there: the servers refuse, or wait."""
        for version in ("5.0.31", "7.0.14"):
            with self.subTest(version=version):
                bench = self.there(version, arguments=("--orphan-delay", "15m", "--speed", "60"))
                bench.journal.unlink()
                done = self.refused(1, bench.apply("--yes"), "not complete", "range deletion")
                self.assertEqual(bench.fresh(), {}, done)
                self.assertEqual({e[1:4] for e in bench.entries()}, {("failed", 96, "round")})

    # --- limits ---

    def limited(self, arguments, most, fault=None, latency="2ms"):
        bench = self.bench_of(latency=latency)
        if fault is not None:
            bench.fault(fault)
        done = self.refused(1, bench.apply("--yes", *arguments), "not complete", "call again")
        moved = sum(bench.fresh().values())
        self.assertEqual(min(max(moved, 1), most), moved if latency != "2ms" else most, done)
        self.sound(bench, tuple(e[:4] for e in bench.entries() if e[1] != "committed"))
        self.assertEqual([e for e in bench.entries() if e[1] in ("planned", "started", "unknown")], [])
        self.completes(bench, tuple(e[:4] for e in bench.entries() if e[1] != "committed"))

    def test_limits(self):
        moves, size = ("--max-moves", "2"), ("--max-bytes", "1100KiB")
        cases = ((moves, 2), (moves, 2, error(72)), (moves, 2, injected("replyLostAfter")), (moves, 2, injected("replyLostBefore")),
                 (size, 2), (size, 2, injected("replyLostAfter")), (("--max-time", "1s"), 4, None, "400ms"))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for case, result in [(case, pool.submit(self.limited, *case)) for case in cases]:
                with self.subTest(case=case):
                    result.result()

    # --- signals, while something is wrong ---

    def stopped(self, bench, ready, signals=1):
        process = bench.start_apply()
        watch = threading.Timer(TIMEOUT, process.kill)
        watch.start()
        try:
            ready(process)
            for _ in range(signals):
                process.send_signal(signal.SIGINT)
                time.sleep(0.1)
            out, err = process.communicate(timeout=TIMEOUT)
        finally:
            watch.cancel()
            process.kill()
        self.assertEqual(process.returncode, 1, out + err)
        return out + err

    @staticmethod
    def line_with(text):
        def ready(process):
            for line in process.stderr:
                if text in line:
                    return
            raise AssertionError(f"no {text!r}")
        return ready

    def completes(self, bench, bad=()):
        bench.clear()
        self.code(0, bench.apply("--yes"))
        self.sound(bench, bad)
        self.assertEqual(bench.fresh(), collections.Counter(approved(bench.wanted)))

    def test_stopped_in_back_off(self):
        bench = self.bench_of()
        bench.configure("migrations: {maxConcurrent: 1, retry: {attempts: 9, backoff: 1h, maxBackoff: 1h}}\n")
        bench.fault(error(24, times=0))
        text = self.stopped(bench, self.line_with("to be tried again"))
        self.assertIn("not complete", text)
        self.assertEqual({e[1:4] for e in bench.entries()}, {("failed", 24, "soon")})
        self.completes(bench, tuple(e[:4] for e in bench.entries()))

    def test_stopped_while_settling(self):
        """Gently: what is under way is found out first. At once: the next run does."""
        for signals in (1, 2):
            with self.subTest(signals=signals):
                bench = self.bench_of(config="timeout: 1s")
                bench.fault(injected("stall", ms=2500, step=4))
                text = self.stopped(bench, self.line_with("without an answer"), signals)
                states = {e[1] for e in bench.entries()}
                self.assertEqual(states, {"committed"} if signals == 1 else {"unknown"}, text)
                bench.resent = -1  # nobody listened to its reply
                self.completes(bench)

    def test_looked_at_before_it_is_settled(self):
        """The only step that was begun was carried out, and nobody wrote that down: --dry-run settles nothing, and does not call it stale."""
        bench = self.bench_of(latency="200ms")
        process = bench.start_apply()
        wait_until(lambda: bench.in_flight() is not None)
        process.kill()
        process.communicate()
        bench.wait_for_commits(len(bench.before) + 1)
        self.assertEqual([e[1] for e in bench.entries()], ["started"])
        self.code(0, bench.apply("--dry-run"), "1 of 6 are done already")
        self.code(0, bench.apply("--yes"), "recovered: 1 migration was under way")
        self.assertEqual(bench.fresh(), collections.Counter(approved(bench.wanted)))

    def test_stopped_while_recovering(self):
        bench = self.bench_of(config="timeout: 1s")
        bench.fault(injected("stall", ms=4000, step=4))
        self.stopped(bench, self.line_with("without an answer"), 2)
        text = self.stopped(bench, lambda process: wait_until(lambda: self.recovering(bench)), 2)
        self.assertIn("settled", text)
        self.assertEqual([e[1] for e in bench.entries()], ["unknown"])
        bench.resent = -1
        self.completes(bench)

    @staticmethod
    def recovering(bench):
        time.sleep(0.5)
        return bench.in_flight() is not None


if __name__ == "__main__":
    main()
