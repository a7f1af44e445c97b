#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`evenkeel apply` interrupted, killed, refused by the cluster, beside MongoDB's own balancer: called again it goes on, and ends as
a run that nobody disturbed."""
import collections
import json
import os
import random
import resource
import signal
import subprocess
import time

from acting import ActingCase, approved, environment
from sandbox_server import EVENKEEL, main, TIMEOUT

SEED = int(os.environ.get("EVENKEEL_SEED", "20261121"))
MOVES = "--max-moves"
SMALL = (MOVES, 12)  # of a plan


class Interrupted(ActingCase):
    def undisturbed(self, version, *limits):
        cluster = self.cluster(version)
        cluster.plan(*limits)
        self.code(0, cluster.apply("--yes", "--quiet"))
        return cluster.chunks()

    def finish(self, cluster, wanted):
        done = self.code(0, cluster.apply("--yes"))
        self.assertEqual(cluster.chunks(), wanted)
        rows = dict(cluster.rows("SELECT state, count(*) FROM v_migrations GROUP BY state"))
        self.assertEqual([s for s in ("planned", "started", "unknown") if s in rows], [])
        return done

    def test_gently(self):
        wanted = self.undisturbed("5.0.31", *SMALL)
        cluster = self.cluster("5.0.31", latency="200ms")
        plan = cluster.plan(*SMALL)
        before = len(cluster.commits())
        process = cluster.start_apply()
        cluster.wait_for_commits(before + 2)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 1, err)
        self.assertIn("stopping; waiting for", err)
        self.assertIn("call again to go on", err)
        self.assertIn("is not complete", out)
        states = cluster.rows("SELECT DISTINCT state FROM migrations WHERE started_at IS NOT NULL")
        self.assertEqual(states, [("committed",)])
        self.assertEqual(cluster.rows("SELECT state FROM v_rounds"), [("cancelled",)])
        self.assertLess(len(cluster.commits()) - before, plan["summary"]["migrations"])
        done = self.finish(cluster, wanted)
        self.assertNotIn("recovered", done.err)

    def test_at_once(self):
        cluster = self.cluster("5.0.31", latency="3s")
        cluster.plan()
        starts = cluster.starts()
        process = cluster.start_apply()
        self.addCleanup(self.reap, process)
        cluster.wait_for_start(starts)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        self.assertIn("stopping; waiting for", self.line_with(process, "stopping"))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 1, err)
        self.assertLess(time.monotonic() - began, 2.9)
        self.assertIn("left to the cluster", err)
        self.assertEqual(cluster.rows("SELECT DISTINCT state FROM migrations WHERE started_at IS NOT NULL"), [("unknown",)])
        done = self.code(1, cluster.apply("--yes", MOVES, 1), "recovered: ")
        self.assertRegex(done.err, r"recovered: .+ under way when an earlier run ended: [1-9]\d* committed, 0 not carried out")
        self.assertEqual(dict(cluster.rows("SELECT state, count(*) FROM migrations WHERE started_at IS NOT NULL GROUP BY state")).keys(), {"committed"})

    @staticmethod
    def reap(process):
        process.kill()
        process.communicate()

    @staticmethod
    def line_with(process, text):
        for line in process.stderr:
            if text in line:
                return line
        return ""

    def test_killed(self):
        rng = random.Random(SEED)
        for version in ("4.2.25", "7.0.14"):
            with self.subTest(version=version, seed=SEED):
                wanted = self.undisturbed(version)
                cluster = self.cluster(version, latency="40ms")
                cluster.plan()
                for _ in range(6):
                    process = cluster.start_apply("--quiet")
                    try:
                        process.communicate(timeout=rng.uniform(0.05, 0.6))
                    except subprocess.TimeoutExpired:
                        process.kill()
                        process.communicate()
                self.finish(cluster, wanted)


class BuiltinBalancer(ActingCase):
    def test_required_to_be_stopped(self):
        cluster = self.cluster()
        cluster.plan()
        before = cluster.commits()
        cluster.set_balancer(True)
        self.refused(75, cluster.apply("--yes"), cluster.address)
        self.refused(75, cluster.apply("--dry-run"), cluster.address)
        self.code(0, cluster.apply("--refresh"))
        self.assertEqual((cluster.commits(), cluster.balancer()), (before, "full"))
        cluster.set_balancer(False)
        self.code(0, cluster.apply("--yes"))
        self.assertEqual(cluster.balancer(), "off")

    def test_ignored(self):
        cluster = self.cluster(config="cluster: {builtinBalancer: ignore}\n")
        cluster.plan()
        cluster.set_balancer(True)
        self.code(0, cluster.apply("--yes"))
        self.assertEqual(cluster.balancer(), "full")

    def test_stopped_and_restored(self):
        cluster = self.cluster(config="cluster: {builtinBalancer: stopAndRestore}\n", latency="100ms")
        cluster.plan(*SMALL)
        cluster.set_balancer(True)
        process = cluster.start_apply()
        cluster.wait_for_commits(len(cluster.commits()) + 1)
        self.assertEqual(cluster.balancer(), "off")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=TIMEOUT)
        self.assertIn("stopping the built-in balancer", err)
        self.assertIn("the built-in balancer is started again", err)
        self.assertEqual((process.returncode, cluster.balancer()), (1, "full"))
        done = self.code(0, cluster.apply("--yes", "--quiet"))
        self.assertEqual((done.err, cluster.balancer()), ("", "full"))
        cluster.set_balancer(False)
        self.code(0, cluster.apply("--yes"))
        self.assertEqual(cluster.balancer(), "off")

    def test_restored_after_a_refusal(self):
        cluster = self.cluster(config="cluster: {builtinBalancer: stopAndRestore}\n")
        cluster.plan()
        with cluster.sandbox.client() as client:
            client.shop.drop_collection("carts")
        cluster.set_balancer(True)
        self.code(75, cluster.apply("--yes"))
        self.assertEqual(cluster.balancer(), "full")

    def test_killed_in_between(self):
        """Also where the next run would not have stopped it itself."""
        for setting in ("stopAndRestore", "requireStopped", "ignore"):
            with self.subTest(setting=setting):
                cluster = self.cluster(config="cluster: {builtinBalancer: stopAndRestore}\n", latency="50ms")
                cluster.plan(*SMALL)
                cluster.set_balancer(True)
                process = cluster.start_apply()
                cluster.wait_for_commits(len(cluster.commits()) + 1)
                process.kill()
                process.communicate()
                self.assertEqual(cluster.balancer(), "off")
                cluster.configure(f"cluster: {{builtinBalancer: {setting}}}\n")
                self.code(0, cluster.apply("--dry-run"))
                self.assertEqual(cluster.balancer(), "off")
                self.code(0, cluster.apply("--yes"), "an earlier run stopped the built-in balancer", "is started again")
                self.assertEqual(cluster.balancer(), "full")
                cluster.set_balancer(False)
                self.code(0, cluster.apply("--yes"))
                self.assertEqual(cluster.balancer(), "off")

    def test_killed_and_started_by_hand(self):
        cluster = self.cluster(config="cluster: {builtinBalancer: stopAndRestore}\n", latency="50ms")
        cluster.plan()
        cluster.set_balancer(True)
        process = cluster.start_apply()
        cluster.wait_for_commits(len(cluster.commits()) + 1)
        process.kill()
        process.communicate()
        cluster.set_balancer(True)
        cluster.configure("")
        self.refused(75, cluster.apply("--yes"), cluster.address)
        cluster.set_balancer(False)
        self.code(0, cluster.apply("--yes"))
        self.assertEqual(cluster.balancer(), "off")


class Disturbed(ActingCase):
    """The cluster refuses, or goes away."""
    arguments = ("--allow-faults",)

    def fault(self, cluster, kind, **more):
        with cluster.sandbox.client() as client:
            client.admin.command({"evenkeelSandboxFault": kind, **more})

    def test_retried(self):
        cluster = self.cluster(arguments=self.arguments, config="migrations: {retry: {backoff: 10ms, maxBackoff: 20ms}}\n")
        cluster.plan()
        self.fault(cluster, "errorCode", command="moveChunk", code=189, errmsg="stepped \033[31mdown", times=2)
        done = self.code(0, cluster.apply("--yes"), "is complete")
        self.assertNotIn("\033", done.err)
        self.assertRegex(done.err, r"(?m)^migration (to be tried again|without an answer)")

    def test_refused_for_good(self):
        cluster = self.cluster(arguments=self.arguments, config="migrations: {retry: {attempts: 1}}\n")
        cluster.plan()
        self.fault(cluster, "errorCode", command="moveChunk", code=153, errmsg="chunk too big <script>", times=1)
        done = self.refused(1, cluster.apply("--yes"), "not complete", "Not carried out")
        self.assertRegex(done.err, r"(?m)^migration failed: ")
        said = json.loads(self.code(0, cluster.apply("--yes", "--format", "json")).out)
        self.assertTrue(said["complete"])

    def test_not_authorized(self):
        cluster = self.cluster(arguments=self.arguments)
        cluster.plan()
        self.fault(cluster, "errorCode", command="moveChunk", code=13, errmsg="not authorized", times=0)
        self.refused(1, cluster.apply("--yes"), "stopped: ", "not complete")
        self.fault(cluster, "clear")
        self.code(0, cluster.apply("--yes"))

    def test_reply_lost(self):
        cluster = self.cluster(arguments=self.arguments, config="migrations: {retry: {backoff: 10ms, maxBackoff: 20ms}}\n")
        wanted, before = approved(cluster.plan()), cluster.commits()
        self.fault(cluster, "replyLostAfter", command="moveChunk", times=1)
        self.fault(cluster, "replyLostBefore", command="moveChunk", times=1)
        self.code(0, cluster.apply("--yes"), "is complete")
        self.assertEqual(collections.Counter(cluster.commits()) - collections.Counter(before), collections.Counter(wanted))

    def test_journal_full_on_the_way(self):
        cluster = self.cluster(latency="20ms", config="cluster: {builtinBalancer: stopAndRestore}\n")
        wanted, before = approved(cluster.plan()), cluster.commits()
        self.code(1, cluster.apply("--yes", MOVES, 1))
        full = max(path.stat().st_size for path in cluster.folder.glob("journal.db*")) + 20000
        done = subprocess.run([EVENKEEL, "apply", str(cluster.plan_file), *map(str, cluster.common()), "--yes"], capture_output=True, text=True,
                              timeout=TIMEOUT, env=environment(), check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (full, full)))
        self.assertEqual(done.returncode, 73, done.stderr)
        self.assertIn("journal", done.stderr)
        self.assertLess(len(cluster.commits()) - len(before), len(wanted))
        self.code(0, cluster.apply("--yes"), "is complete")
        self.assertEqual(collections.Counter(cluster.commits()) - collections.Counter(before), collections.Counter(wanted))


if __name__ == "__main__":
    main()
