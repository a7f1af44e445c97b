#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`evenkeel round --standalone` on the simulated cluster: one round, inside the window, of which it tells what it does."""
import datetime
import json
import signal

from acting import ActingCase, approved, run, Terminal
from sandbox_server import main, TIMEOUT


def clock(minutes):
    """A time of day so far from now, UTC."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    return at.strftime("%H:%M")


def window(start, stop):
    return f'balancer: {{windows: [{{days: [sun, mon, tue, wed, thu, fri, sat], start: "{clock(start)}", stop: "{clock(stop)}", timezone: UTC}}]}}\n'


CLOSED, OPEN = (120, 240), (-120, 120)


class Round(ActingCase):
    def test_usage(self):
        self.refused(69, run("round"), "--standalone")
        self.refused(64, run("round", "--standalone"), "--yes")
        self.refused(64, run("round", "--standalone", "x", "--yes"), "x")
        self.refused(64, run("round", "--standalone", "--policy", "nosuch"), "auto, count, size or optimal")
        self.refused(64, run("round", "--standalone", "--reason", ""), "--reason")
        self.refused(64, run("round", "--standalone", "--yes", "--format", "commands"), "text, json")
        self.code(0, run("round", "--help"), "--ignore-window", "--standalone")

    def test_one_round(self):
        cluster = self.cluster()
        wanted = cluster.plan(rounds=())
        before = cluster.commits()
        done = self.code(0, cluster.round("--yes", "--policy", "count", "--reason", "before the\033 sale"), "The round is complete", "promised")
        self.assertEqual(sorted(cluster.commits()[len(before):]), sorted(approved(wanted)))
        self.assertNotIn("\033", done.out + done.err)
        (kind, state, reason, plan_id), = cluster.rows("SELECT kind, state, reason, plan_id FROM v_rounds")
        self.assertEqual((kind, state, reason, plan_id), ("forced", "done", "before the\\x1B sale", None))
        self.assertEqual(cluster.rows("SELECT count(*) FROM v_migrations WHERE state = 'committed'"), [(len(approved(wanted)),)])

    def test_json(self):
        cluster = self.cluster("7.0.14")
        wanted = cluster.plan(rounds=(), policy="size")
        done = self.code(0, cluster.round("--yes", "--format", "json", "--quiet"))
        said = json.loads(done.out)
        self.assertEqual((said["command"], said["state"], said["complete"], said["planId"], said["left"]), ("round", "complete", True, None, 0))
        self.assertEqual(said["promised"]["migrations"], wanted["summary"]["migrations"])
        self.assertEqual(said["achieved"]["migrations"], wanted["summary"]["migrations"])
        self.assertEqual(done.err, "")

    def test_to_the_end(self):
        cluster = self.cluster()
        for _ in range(200):
            said = json.loads(self.code(0, cluster.round("--yes", "--format", "json", "--quiet", "--policy", "count")).out)
            if said["state"] == "nothingToDo":
                break
        self.assertEqual(said["state"], "nothingToDo")
        self.balanced(cluster)
        done = self.code(0, cluster.round("--yes", "--policy", "count"), "Nothing to do")
        self.assertEqual(done.err, "")

    def test_dry_run(self):
        cluster = self.cluster()
        wanted, before = cluster.plan(rounds=()), cluster.chunks()
        self.code(0, cluster.round("--dry-run", "--policy", "count"), "Round 1")
        said = json.loads(self.code(0, cluster.round("--dry-run", "--policy", "count", "--format", "json")).out)
        self.assertEqual((said["planId"], cluster.chunks(), cluster.journal.exists()), (wanted["planId"], before, False))

    def test_narrowed(self):
        cluster = self.cluster()
        cluster.plan()
        before = cluster.commits()
        said = json.loads(self.code(0, cluster.round("--yes", "--ns", "shop.carts", "--max-moves", 1, "--format", "json")).out)
        self.assertEqual(said["achieved"]["migrations"], 1)
        self.assertEqual([c[0] for c in cluster.commits()[len(before):]], ["shop.carts"])

    def test_window(self):
        cluster = self.cluster(config=window(*CLOSED))
        before = cluster.commits()
        self.refused(75, cluster.round("--yes"), "is closed until 20", "--ignore-window", "UTC")
        self.assertEqual(cluster.commits(), before)
        self.code(0, cluster.round("--dry-run"), "is closed until")
        self.code(0, cluster.round("--yes", "--ignore-window"), "is complete")
        cluster.configure(window(*OPEN))
        self.code(0, cluster.round("--yes"), "is complete")

    def test_window_of_the_cluster(self):
        cluster = self.cluster()
        for (start, stop), code in ((CLOSED, 75), (OPEN, 0)):
            with cluster.sandbox.client() as client:
                client.config.settings.update_one({"_id": "balancer"}, {"$set": {"activeWindow": {"start": clock(start), "stop": clock(stop)}}}, upsert=True)
            self.code(code, cluster.round("--yes"))
        with cluster.sandbox.client() as client:
            client.config.settings.update_one({"_id": "balancer"}, {"$set": {"activeWindow": {"start": clock(CLOSED[0]), "stop": clock(CLOSED[1])}}})
        cluster.configure(window(*OPEN))
        self.code(0, cluster.round("--yes"), "is complete")

    def test_builtin_balancer(self):
        cluster = self.cluster()
        cluster.set_balancer(True)
        self.refused(75, cluster.round("--yes"), cluster.address)
        cluster.configure("cluster: {builtinBalancer: stopAndRestore}\n")
        self.code(0, cluster.round("--yes"), "stopping the built-in balancer", "is started again")
        self.assertEqual(cluster.balancer(), "full")

    def test_asked(self):
        cluster = self.cluster()
        before = cluster.commits()
        for answer, want in (("n\n", 1), ("y\n", 0)):
            terminal = Terminal("round", "--standalone", *cluster.common(), "--policy", "count")
            self.addCleanup(terminal.process.kill)
            terminal.until("[y/N] ")
            self.assertIn("carry out ", terminal.text.decode())
            self.assertEqual(cluster.commits(), before)
            terminal.type(answer)
            code, text = terminal.end()
            self.assertEqual(code, want, text)

    def test_cancelled(self):
        cluster = self.cluster(latency="500ms")
        cluster.plan()
        terminal = Terminal("round", "--standalone", *cluster.common(), "--yes", TERM="dumb")
        self.addCleanup(terminal.process.kill)
        terminal.until("migration started")
        terminal.process.send_signal(signal.SIGTERM)
        code, text = terminal.end()
        self.assertIn("stopping", text)
        self.assertIn(code, (0, 1))
        self.assertEqual(cluster.rows("SELECT count(*) FROM v_migrations WHERE state IN ('planned', 'started', 'unknown')"), [(0,)])
        self.assertGreater(TIMEOUT, 0)


if __name__ == "__main__":
    main()
