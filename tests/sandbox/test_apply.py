#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`evenkeel apply` on the simulated cluster: what was approved is what is carried out, or it is refused; interrupted, it goes
on; and whatever happens, it says so and exits with the code for it."""
import collections
import json
import os
import re
import signal

from acting import ActingCase, approved, Cluster, run, Terminal, VERSIONS
from sandbox_server import main, REAL, TIMEOUT, Sandbox, wait_until

MOVES = "--max-moves"


class Refusals(ActingCase):
    """What is wrong before anything is done."""

    def test_usage(self):
        cases = [
            ((), "no plan is named"),
            (("a.json", "b.json"), "b.json"),
            (("a.json", "--refresh", "--dry-run"), "exclude each other"),
            (("a.json", "--ns", "shop.*", "--yes"), "as it was approved"),
            (("a.json", "--refresh", "--max-moves", "3"), "limits have no meaning"),
            (("a.json",), "--yes"),
            (("a.json", "--max-moves", "0"), "--max-moves"),
            (("a.json", "--max-bytes", "much"), "--max-bytes"),
            (("a.json", "--max-time", "0"), "--max-time"),
            (("a.json", "--yess"), "--yes"),
            (("a.json", "--journal", ""), "--journal"),
            (("a.json", "--journal", "x", "--journal", "y"), "twice"),
            (("a.json", "--yes", "--format", "yaml"), "text, json"),
        ]
        for arguments, says in cases:
            with self.subTest(arguments=arguments):
                self.refused(64, run("apply", *arguments), says)

    def test_help(self):
        done = self.code(0, run("apply", "--help"), "--refresh", "PLAN.json", "--journal=FILE", "Ctrl-C")
        self.assertEqual(done.err, "")

    def test_files_and_cluster(self):
        cluster = self.cluster()
        cluster.plan()
        good = cluster.plan_file.read_text()
        bad = cluster.folder / "bad.json"
        self.refused(66, cluster.apply("--yes", path="nosuch.json"), "nosuch.json")
        for text, says in [("", "bad.json"), ("{}", "bad.json"), ("[1, 2", "bad.json"), (good[:-20], "bad.json"),
                           (good.replace('"to": "shard1"', '"to": "shard2"', 1), "changed"),
                           (good.replace('"schemaVersion": 1', '"schemaVersion": 99', 1), "schema")]:
            with self.subTest(text=text[:40]):
                bad.write_text(text)
                self.refused(65, cluster.apply("--yes", path=bad), says)
        self.assertFalse(cluster.journal.exists())
        self.refused(64, run("apply", cluster.plan_file, "--yes", "--journal", cluster.journal), "--uri")
        self.refused(64, run("apply", cluster.plan_file, "--yes", "--uri", "http://x"), "mongodb://")
        self.refused(69, run("apply", cluster.plan_file, "--yes", "--uri", "mongodb://127.0.0.1:1/"), "127.0.0.1:1")
        cluster.configure("cluster: {uri: 7}\nnosuch: 1\n")
        self.refused(78, cluster.apply("--yes"), "nosuch")
        self.assertEqual(cluster.commits(), cluster.commits())

    def test_journal_that_cannot_be_written(self):
        cluster = self.cluster()
        cluster.plan()
        before = cluster.commits()
        arguments = ["apply", cluster.plan_file, "--uri", cluster.uri, "--yes", "--config", cluster.config_file]
        done = self.refused(73, run(*arguments, "--journal", "/proc/nosuch/journal.db"), "/proc/nosuch/journal.db")
        self.assertNotIn("--journal", done.err)
        if not os.path.exists("/var/lib/evenkeel"):
            self.refused(73, run(*arguments), "/var/lib/evenkeel/journal.db", "--journal FILE")
        cluster.journal.write_text("not a database, but long enough to be looked at as one, which it is not" * 20)
        self.refused(65, cluster.apply("--yes"), "journal.db")
        self.assertEqual(cluster.commits(), before)

    def test_journal_of_another_cluster(self):
        cluster, other = self.cluster(), self.cluster(state="balanced", arguments=("--seed", "7"))
        cluster.plan()
        with cluster.sandbox.client() as one, other.sandbox.client() as two:
            self.assertNotEqual(one.config.version.find_one()["clusterId"], two.config.version.find_one()["clusterId"])
        self.code(1, cluster.apply("--yes", MOVES, 1))
        done = run("apply", cluster.plan_file, "--uri", other.uri, "--journal", cluster.journal, "--config", cluster.config_file, "--yes")
        self.refused(78, done, cluster.address, other.address)
        self.assertEqual(len(other.commits()), len(other.commits()))

    def test_second_writer(self):
        cluster = self.cluster(latency="300ms")
        cluster.plan()
        first = cluster.start_apply("--quiet")
        self.addCleanup(first.communicate)
        wait_until(cluster.journal.exists)
        cluster.wait_for_commits(len(cluster.commits()) + 1)
        self.refused(75, cluster.apply("--yes"), "journal")
        looked = self.code(0, cluster.apply("--dry-run"), "Would carry out")
        self.assertIn("are done already", looked.out)
        first.send_signal(signal.SIGINT)
        first.wait(timeout=TIMEOUT)

    def test_login(self):
        password = "t1ger-in-the-night"
        cluster = self.cluster()
        secret = cluster.folder / "password"
        secret.write_text(password)
        locked = Sandbox("--user", "keeper", "--password-file", secret, "--server-version", "5.0.31", "--latency", "2ms", state="imbalanced")
        self.addCleanup(locked.errors.close)
        self.addCleanup(locked.stop)
        address = f"127.0.0.1:{locked.port}"
        cluster.uri = f"mongodb://keeper:{password}@{address}/?authSource=admin"
        cluster.plan()
        options = ("--journal", cluster.journal, "--config", cluster.config_file, "--yes")
        seen = []
        for who, want in [("", (69, 77)), (f"keeper:{password}x@", (77,)), (f"keeper:{password}@", (0,))]:
            uri = f"mongodb://{who}{address}/?authSource=admin"
            done = run("apply", cluster.plan_file, "--uri", uri, "-v", *options)
            self.assertIn(done.code, want, done.err)
            seen.append(done.out + done.err)
        done = run("apply", cluster.plan_file, *options, "--format", "json", env={"EVENKEEL_URI": f"mongodb://keeper:{password}@{address}/?authSource=admin"})
        self.code(0, done, "alreadyComplete")
        seen.append(done.out + done.err)
        for path in cluster.folder.glob("journal.db*"):
            seen.append(path.read_bytes().decode("latin-1"))
        for text in seen:
            self.assertNotIn(password, text)
            self.assertNotIn("keeper", text)


class CarriesOut(ActingCase):
    def check(self, version, policy):
        with Cluster(version) as cluster:
            plan = cluster.plan(policy=policy)
            wanted = approved(plan)
            before = cluster.commits()
            done = self.code(0, cluster.apply("--yes", "--format", "json"))
            said = json.loads(done.out)
            self.assertEqual(collections.Counter(cluster.commits()) - collections.Counter(before), collections.Counter(wanted))
            self.assertEqual(len(cluster.commits()) - len(before), len(wanted))
            self.assertEqual((said["state"], said["complete"], said["left"], said["planId"]), ("complete", True, 0, plan["planId"]))
            self.assertEqual(said["promised"]["migrations"], len(wanted))
            self.assertEqual(said["achieved"]["migrations"], len(wanted))
            self.assertEqual(said["achieved"]["splits"], plan["summary"]["splits"])
            self.assertEqual(said["run"]["notCarriedOut"], [])
            for collection in plan["collections"]:
                promised = {s["shard"]: s["chunksAfter"] for s in collection["shards"] if s["chunksAfter"]}
                if not any(m["ns"] == collection["ns"] and m["openMax"] for r in plan["rounds"] for m in r["migrations"]):
                    self.assertEqual(collections.Counter(c[3] for c in cluster.chunks() if c[0] == collection["ns"]), promised, collection["ns"])
            self.balanced(cluster, policy)
            self.assertEqual(cluster.rows("SELECT count(*) FROM v_migrations WHERE state = 'committed'"), [(len(wanted),)])
            self.assertEqual(cluster.rows("SELECT DISTINCT kind, state FROM v_rounds"), [("apply", "done")])

    def test_what_was_approved(self):
        for version in VERSIONS:
            for policy in ("count", "size"):
                with self.subTest(version=version, policy=policy):
                    self.check(version, policy)

    def test_lines(self):
        cluster = self.cluster()
        plan = cluster.plan()
        done = self.code(0, cluster.apply("--yes"), "is complete", "promised", "achieved")
        n = plan["summary"]["migrations"]
        self.assertEqual(len(re.findall(r"^migration started: ", done.err, re.M)), n)
        self.assertEqual(len(re.findall(r"^migration committed: \S+ \[.*\) shard\d -> shard\d, in .*; \d+ of \d+ done$", done.err, re.M)), n)
        self.assertIn(f"; {n + plan['summary']['splits']} of {n + plan['summary']['splits']} done", done.err)
        self.assertNotIn("\033", done.err + done.out)
        again = self.code(0, cluster.apply("--yes"), "is complete", "Nothing was left to do")
        self.assertEqual(again.err, "")
        quiet = self.code(0, cluster.apply("--yes", "--quiet"), "is complete")
        self.assertEqual(quiet.err, "")

    def test_output_file(self):
        cluster = self.cluster()
        cluster.plan()
        result = cluster.folder / "result.json"
        done = self.code(0, cluster.apply("--yes", "--quiet", "--format", "json", "-o", result))
        self.assertEqual((done.out, done.err), ("", ""))
        self.assertTrue(json.loads(result.read_text())["complete"])

    def test_nothing_planned(self):
        cluster = self.cluster(state="balanced")
        cluster.plan()
        before = cluster.chunks()
        self.code(0, cluster.apply("--yes"), "Nothing was left to do")
        self.assertEqual(cluster.chunks(), before)

    def test_dry_run(self):
        cluster = self.cluster()
        plan = cluster.plan()
        before = cluster.chunks()
        n = plan["summary"]["migrations"]
        done = self.code(0, cluster.apply("--dry-run"), f"Would carry out {n} migrations and ", "--all shows them")
        self.assertEqual(done.err, "")
        whole = self.code(0, cluster.apply("--dry-run", "--all"))
        self.assertEqual(len(re.findall(r"^  move ", whole.out, re.M)), n)
        said = json.loads(self.code(0, cluster.apply("--dry-run", "--format", "json")).out)
        self.assertEqual((said["state"], said["complete"], said["promised"]["migrations"]), ("dryRun", False, n))
        self.assertFalse(cluster.journal.exists())
        self.assertEqual(cluster.chunks(), before)

    def test_limits_and_going_on(self):
        cluster = self.cluster()
        plan = cluster.plan()
        wanted, before = approved(plan), cluster.commits()
        done = self.refused(1, cluster.apply("--yes", MOVES, 3), "not complete", "a limit was reached", "call again")
        self.assertEqual(len(cluster.commits()) - len(before), 3, done.err)
        said = json.loads(self.code(1, cluster.apply("--yes", MOVES, 2, "--format", "json")).out)
        self.assertEqual((said["state"], said["achieved"]["migrations"], said["run"]["steps"]["committed"]), ("incomplete", 5, 2))
        self.assertEqual({m["code"] for m in said["run"]["notCarriedOut"]}, {"limit"})
        self.assertEqual(said["left"], len(said["run"]["notCarriedOut"]))
        self.code(1, cluster.apply("--yes", "--max-bytes", "300KiB"))
        self.code(0, cluster.apply("--dry-run"), "are done already")
        self.code(0, cluster.apply("--yes"), "is complete")
        self.assertEqual(collections.Counter(cluster.commits()) - collections.Counter(before), collections.Counter(wanted))
        self.assertEqual(len(cluster.commits()) - len(before), len(wanted))
        self.code(0, cluster.apply("--dry-run"), "is complete")

    def test_who_and_what_is_journalled(self):
        cluster = self.cluster()
        plan = cluster.plan()
        self.code(0, cluster.apply("--yes", env={"SUDO_USER": "ali\033ce"}))
        (who, plan_id), = cluster.rows("SELECT who, plan_id FROM v_rounds")
        self.assertRegex(who, r"^\S+ \(uid \d+\) for ali\\x1Bce$")
        self.assertEqual(plan_id, plan["planId"])


class Stale(ActingCase):
    def stale(self, change, kind, says, version="5.0.31"):
        cluster = self.cluster(version)
        plan = cluster.plan()
        first = [m for r in plan["rounds"] for m in r["migrations"] if m["ns"] == "shop.carts"][0]
        before = cluster.commits()
        change(cluster, first)
        moved = cluster.commits()
        done = self.refused(75, cluster.apply("--yes"), "the plan is stale", "does not fit the cluster any more", "--refresh", says)
        said = json.loads(self.code(75, cluster.apply("--yes", "--format", "json", "--quiet")).out)
        self.assertEqual((said["state"], said["complete"]), ("stale", False))
        self.assertIn(kind, {s["kind"] for s in said["stale"]}, said["stale"])
        self.code(75, cluster.apply("--dry-run"), says)
        self.assertEqual(cluster.commits(), moved)
        self.assertEqual(cluster.rows("SELECT count(*) FROM v_rounds"), [(0,)])
        self.assertGreaterEqual(len(moved), len(before))
        new = cluster.folder / "new.json"
        self.code(0, cluster.apply("--refresh", "-o", new), "fall away", says if kind != "collectionGone" else "")
        said = json.loads(self.code(0, cluster.apply("--refresh", "--format", "json", "--all")).out)
        self.assertEqual(said["state"], "refreshed")
        self.assertGreater(said["newPlan"]["gone"], 0)
        self.assertEqual(len(said["difference"]), said["newPlan"]["gone"] + said["newPlan"]["added"])
        self.assertEqual(cluster.read_plan(new)["planId"], said["newPlan"]["planId"])
        self.assertEqual(cluster.commits(), moved)
        self.code(0, cluster.apply("--yes", "--quiet", path=new))
        return done

    @staticmethod
    def command(cluster, *args, **kwargs):
        with cluster.sandbox.client() as client:
            return client.admin.command(*args, **kwargs)

    def test_moved_by_hand(self):
        self.stale(lambda c, m: self.command(c, "moveChunk", m["ns"], bounds=[m["min"], m["max"]], to="shard3"), "owner", "shard3")

    def test_moved_and_back(self):
        def there_and_back(cluster, m):
            for to in ("shard3", m["from"]):
                self.command(cluster, "moveChunk", m["ns"], bounds=[m["min"], m["max"]], to=to)
        cluster = self.cluster()
        plan = cluster.plan()
        there_and_back(cluster, [m for r in plan["rounds"] for m in r["migrations"] if m["ns"] == "shop.carts"][0])
        self.refused(75, cluster.apply("--yes"), "version")

    def test_split_by_hand(self):
        self.stale(lambda c, m: self.command(c, "split", m["ns"], find=m["min"]), "bounds", "shop.carts")

    def test_zone_lost(self):
        cluster = self.cluster()
        cluster.plan()
        self.command(cluster, "addShardToZone", "shard0", zone="ARCHIVE")
        self.command(cluster, "removeShardFromZone", "shard3", zone="ARCHIVE")
        self.refused(75, cluster.apply("--yes"), "shard3")

    def test_zone_changed(self):
        cluster = self.cluster()
        plan = cluster.plan()
        first = [m for r in plan["rounds"] for m in r["migrations"] if m["ns"] == "shop.carts"][0]
        self.command(cluster, "updateZoneKeyRange", "shop.carts", min=first["min"], max=first["max"], zone="ARCHIVE")
        self.refused(75, cluster.apply("--yes"), "ARCHIVE")

    def test_dropped(self):
        cluster = self.cluster()
        cluster.plan()
        with cluster.sandbox.client() as client:
            client.shop.drop_collection("carts")
        self.refused(75, cluster.apply("--yes"), "shop.carts")

    def test_folded(self):
        cluster = self.cluster()
        plan = cluster.plan()
        with cluster.sandbox.client() as client:
            client.shop.drop_collection("carts")
            client.shop.drop_collection("users")
        gone = sum(s["ns"] in ("shop.carts", "shop.users") for r in plan["rounds"] for s in r["migrations"] + r["splits"])
        done = self.refused(75, cluster.apply("--yes"), "--all shows them", f"{gone} of")
        self.assertEqual(len(re.findall(r"^  shop\.", done.out, re.M)), 20)
        self.assertEqual(len(re.findall(r"^  shop\.", self.code(75, cluster.apply("--yes", "--all")).out, re.M)), gone)

    def test_fresh(self):
        cluster = self.cluster()
        plan = cluster.plan()
        done = self.code(0, cluster.apply("--refresh"), "0 fall away, 0 are new", "-o FILE keeps the new plan")
        self.assertEqual(done.err, "")
        said = json.loads(self.code(0, cluster.apply("--refresh", "--format", "json")).out)
        self.assertEqual((said["newPlan"]["planId"], said["difference"], said["stale"]), (plan["planId"], [], []))
        narrow = json.loads(self.code(0, cluster.apply("--refresh", "--ns", "shop.carts", "--format", "json")).out)
        self.assertGreater(narrow["newPlan"]["gone"], 0)
        self.assertFalse(cluster.journal.exists())


class OnATerminal(ActingCase):
    def start(self, cluster, *arguments, **options):
        terminal = Terminal("apply", cluster.plan_file, *cluster.common(), *arguments, **options)
        self.addCleanup(terminal.process.kill)
        return terminal

    def test_asked(self):
        cluster = self.cluster()
        plan = cluster.plan()
        before = cluster.commits()
        n = plan["summary"]["migrations"]
        for answer in ("n\n", "\n", "nonsense\n", "\x04", "\x03"):
            with self.subTest(answer=answer):
                terminal = self.start(cluster)
                terminal.until("[y/N] ")
                self.assertIn(f"apply {n} migrations and {plan['summary']['splits']} split", terminal.text.decode())
                self.assertIn(f"to mongodb://{cluster.address}", terminal.text.decode())
                terminal.type(answer)
                code, text = terminal.end()
                self.assertIn(code, (1, -signal.SIGINT))
                self.assertEqual("nothing was done" in text, code == 1)
                self.assertEqual(cluster.commits(), before)
        terminal = self.start(cluster)
        terminal.until("[y/N] ")
        terminal.type("Yes\n")
        code, text = terminal.end()
        self.assertEqual(code, 0, text)
        self.assertIn("is complete", text)

    def test_block(self):
        cluster = self.cluster(latency="60ms")
        cluster.plan()
        code, text = self.start(cluster, "--yes", columns=60, rows=12).end()
        self.assertEqual(code, 0, text)
        blocks = re.split(r"\x1b\[\d+A\r\x1b\[J", text)
        self.assertGreater(len(blocks), 3)
        for block in blocks[1:-1]:
            rows = [row for row in block.replace("\r", "").split("\n") if row]
            self.assertLessEqual(len(rows), 9)
            self.assertTrue(all(len(row) < 60 for row in rows), rows)
            self.assertRegex(rows[0], r"^\d+ of \d+ done, ")
        self.assertRegex(text, r"  shop\.\S+ \[")
        self.assertNotRegex(text, r"\x1b\[(?!\d+A\r|J|0?m|[0-9;]+m)")
        self.assertIn("is complete", blocks[-1])

    def test_cancelled(self):
        cluster = self.cluster(latency="150ms")
        cluster.plan()
        before = len(cluster.commits())
        terminal = self.start(cluster, "--yes")
        cluster.wait_for_commits(before + 1)
        terminal.type("\x03")
        code, text = terminal.end()
        self.assertEqual(code, 1, text)
        self.assertIn("stopping", text)
        self.assertIn("call again to go on", text)

    def test_quiet_and_dumb(self):
        cluster = self.cluster()
        cluster.plan()
        code, text = self.start(cluster, "--yes", MOVES, "2", TERM="dumb").end()
        self.assertEqual(code, 1, text)
        self.assertIn("migration started: ", text)
        code, text = self.start(cluster, "--yes", "--quiet").end()
        self.assertEqual(code, 0, text)
        self.assertNotIn("\x1b[J", text)

    def test_hang_up(self):
        cluster = self.cluster(latency="100ms", config="cluster: {builtinBalancer: stopAndRestore}\n")
        cluster.plan()
        cluster.set_balancer(True)
        process = cluster.start_apply()
        cluster.wait_for_commits(len(cluster.commits()) + 1)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=TIMEOUT)
        self.assertEqual((process.returncode, cluster.balancer()), (1, "full"))


class HostileNames(ActingCase):
    """Names that would do something to a terminal or a page."""
    NAMES = {"shop.carts": "shop.<script>alert(1)\x1b[31mcarts", "shard0": "sh\x1b]0;owned\x07ard0", "ARCHIVE": "AR\x1b[2J\u202eCHIVE"}

    def test_escaped(self):
        cluster = self.cluster()
        text = (REAL / "imbalanced" / "snapshot.json").read_text(encoding="utf-8")
        for plain, hostile in self.NAMES.items():
            text = text.replace(f'"{plain}"', json.dumps(hostile)).replace(f'"{plain}-', f'{json.dumps(hostile)[:-1]}-')
        snapshot = cluster.folder / "hostile.json"
        snapshot.write_text(text, encoding="utf-8")
        sandbox = Sandbox("--snapshot", snapshot, "--server-version", "5.0.31", "--latency", "2ms", "--orphan-delay", "0s")
        self.addCleanup(sandbox.errors.close)
        self.addCleanup(sandbox.stop)
        cluster.uri = f"mongodb://127.0.0.1:{sandbox.port}/"
        cluster.plan()
        outputs = [cluster.apply("--dry-run", "--all"), cluster.apply("--yes", MOVES, 2)]
        with sandbox.client() as client:
            client.shop.drop_collection(self.NAMES["shop.carts"].split(".", 1)[1])
        outputs += [cluster.apply("--yes", "--all"), cluster.apply("--yes", "--format", "json"),
                    cluster.apply("--refresh", "--all"), cluster.apply("--refresh", "--all", "--format", "json")]
        self.assertEqual([done.code for done in outputs], [0, 1, 75, 75, 0, 0], outputs)
        for done in outputs:
            self.assertNotRegex(done.out + done.err, "[\x00-\x09\x0b-\x1f\x7f\u202e]")
        self.assertIn("<script>", outputs[0].out)
        terminal = Terminal("apply", cluster.plan_file, *cluster.common(), "--all", "--no-color")
        code, text = terminal.end()
        self.assertEqual(code, 75, text)
        self.assertNotRegex(text.replace("\r\n", "\n"), "[\x00-\x09\x0b-\x1f\x7f\u202e]")


if __name__ == "__main__":
    main()
