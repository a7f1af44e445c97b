#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signals to `evenkeel run`, what it tells a service manager, and its configuration read anew."""
import os
import signal
import time

from acting import run
from sandbox_server import TIMEOUT, main, wait_until
from serving import Manager, ServingCase
from test_service_rounds import CLOSED, window


class Ends(ServingCase):
    def test_grace(self):
        """SIGTERM: what is under way ends, and nothing else begins."""
        for number, name in ((signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "SIGINT")):
            with self.subTest(signal=name):
                cluster = self.served(latency="600ms")
                before = len(cluster.commits())
                service = self.serve(cluster)
                service.wait("migration.start")
                service.tell(number)
                self.assertEqual(service.wait("service.stop")["why"], name)
                self.assertEqual(service.status()["state"], "stopping")
                self.assertEqual(service.ask("round")["exit"], 69)
                code, body = service.http("/readyz")
                self.assertEqual((code, "stopping" in body), (503, True))
                self.ended(service, None)
                self.assertEqual(len(service.lines("migration.start")), len(service.lines("migration.commit")))
                self.assertEqual(cluster.rows("SELECT state FROM rounds"), [("cancelled",)])
                self.agree(cluster, before)

    def test_twice_leaves_at_once(self):
        cluster = self.served(latency="4s")
        before = len(cluster.commits())
        service = self.serve(cluster)
        service.wait("migration.start")
        began = time.monotonic()
        service.tell(signal.SIGINT)
        service.wait("service.stop")
        self.ended(service, signal.SIGINT)
        self.assertLess(time.monotonic() - began, 3)
        self.assertEqual(cluster.rows("SELECT DISTINCT state FROM migrations"), [("unknown",)])
        self.assertEqual(cluster.rows("SELECT state, note FROM rounds"), [("interrupted", "left while migrations were under way")])
        again = self.serve(cluster)
        again.wait("recovery.end")
        self.assertEqual(cluster.rows("SELECT state FROM migrations WHERE id = 1"), [("committed",)])
        self.ended(again)
        self.agree(cluster, before)

    def test_stop_does_not_wait_for_the_cluster(self):
        """In the middle of reading metadata that do not come."""
        cluster = self.served()
        with cluster.sandbox.client() as client:
            client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn",
                                 data={"failCommands": ["find", "aggregate"], "blockConnection": True, "blockTimeMS": 10000})
        service = self.serve(cluster)
        service.wait_state("starting")
        began = time.monotonic()
        self.ended(service)
        self.assertLess(time.monotonic() - began, 5)

    def test_idle(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        self.ended(service, signal.SIGINT)


class Reload(ServingCase):
    def test_good_file(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        self.configure(cluster, log="debug")
        service.tell(signal.SIGHUP)
        self.assertEqual(service.wait("service.reload")["who"], "signal")
        service.wait("migration.commit")
        service.wait("round.nothing")
        self.assertEqual(service.status()["window"]["always"], True)
        self.ended(service)

    def test_bad_file_changes_nothing(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        good = cluster.config_file.read_text()
        for n, (text, says) in enumerate([("balancer: {interval: soon}\n", "balancer.interval"), ("x: 1\n", "x"), ("balancer: [\n", ""), (None, "")], 1):
            if text is None:
                cluster.config_file.unlink()
            else:
                cluster.configure(text)
            service.tell(signal.SIGHUP)
            failed = service.wait("service.reloadFailed", n)
            self.assertIn(says, failed["error"])
        self.assertEqual(service.lines("service.reload"), [])
        status = service.wait_state("held")
        self.assertEqual(([h["code"] for h in status["holds"]], status["counters"]["reloads"]), (["window"], 4))
        cluster.configure(good)
        self.ended(service)

    def test_what_needs_a_restart(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        text = cluster.config_file.read_text().replace("control.sock", "other.sock").replace("format: json", "format: text")
        cluster.configure(text + f"journal: {{path: {cluster.folder}/other.db, retention: 1h}}\ncluster: {{uri: mongodb://127.0.0.1:1/, builtinBalancer: ignore}}\n")
        service.tell(signal.SIGHUP)
        service.wait("service.reload")
        keys = {fields["key"] for _, fields in service.lines("config.needsRestart")}
        self.assertEqual(keys, {"control.socket", "log.format", "journal.path", "cluster.uri", "cluster.builtinBalancer"})
        cluster.set_balancer(True)
        service.wait_status(lambda s: [h["code"] for h in s["holds"]] == ["window", "balancerRunning"])
        self.assertFalse((cluster.folder / "other.db").exists() or (cluster.folder / "other.sock").exists())
        self.ended(service)

    def test_token_is_read_anew(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        token = cluster.folder / "token"
        token.write_text("x" * 32)
        token.chmod(0o644)
        cluster.configure(cluster.config_file.read_text().replace('http: {', f'http: {{tokenFile: "{token}", '))
        service.tell(signal.SIGHUP)
        self.assertIn("token", service.wait("http.failed")["error"])
        token.chmod(0o600)
        service.tell(signal.SIGHUP)
        service.wait("service.reload", 2)
        self.ended(service)


class Forces(ServingCase):
    def test_round(self):
        cluster = self.served()
        cluster.configure(cluster.config_file.read_text().replace("interval: 1s", "interval: 1h"))
        service = self.serve(cluster, "--verbose")
        service.wait("round.nothing")
        service.tell(signal.SIGUSR1)
        service.wait("round.nothing", 2)
        self.ended(service)

    def test_refused(self):
        cluster = self.served(latency="700ms")
        service = self.serve(cluster)
        service.wait("migration.start")
        service.tell(signal.SIGUSR1)
        service.status()
        service.tell(signal.SIGUSR1)
        self.assertIn("waits already", service.wait("control.refused")["error"])
        service.wait("round.end", 2)
        self.assertEqual(cluster.rows("SELECT kind, who FROM rounds WHERE id = 2"), [("forced", "signal")])
        self.ended(service)


class Notifies(ServingCase):
    def managed(self, cluster, **env):
        manager = Manager(cluster.folder)
        self.addCleanup(manager.close)
        service = self.serve(cluster, NOTIFY_SOCKET=manager.path, **env)
        return service, manager

    def test_life(self):
        cluster = self.served(latency="1500ms")
        service, manager = self.managed(cluster, WATCHDOG_USEC="400000")
        service.wait("migration.start")
        wait_until(lambda: any(text.startswith("moving 1 of ") for text in manager.values("STATUS")))
        first = manager.told[0][1]
        self.assertEqual(first["READY"], "1")
        moving = next(text for text in manager.values("STATUS") if text.startswith("moving"))
        self.assertRegex(moving, r"^moving 1 of 1, [\d.]+ KiB left, done about \d\d:\d\d UTC$")
        service.tell(signal.SIGHUP)
        wait_until(lambda: manager.values("RELOADING"))
        service.tell(signal.SIGTERM)
        wait_until(lambda: manager.values("STOPPING"))
        stopping = next(fields for _, fields in manager.told if "STOPPING" in fields)
        self.assertEqual((stopping["STOPPING"], stopping["EXTEND_TIMEOUT_USEC"]), ("1", "60000000"))
        self.ended(service, None)
        manager.read()
        (index, reloading), = [(i, f) for i, (_, f) in enumerate(manager.told) if "RELOADING" in f]
        self.assertEqual(reloading["RELOADING"], "1")
        self.assertLessEqual(abs(int(reloading["MONOTONIC_USEC"]) / 1e6 - manager.told[index][0]), TIMEOUT)
        self.assertTrue(any(f.get("READY") == "1" for _, f in manager.told[index + 1:]), "READY ends the reload")
        self.assertTrue(all("\n" not in text for text in manager.values("STATUS")))

    def test_watchdog(self):
        """As often as half of what the manager waits, from the loop itself; without one, never."""
        cluster = self.served(balancer=window(*CLOSED))
        service, manager = self.managed(cluster, WATCHDOG_USEC="400000")
        wait_until(lambda: len(manager.values("WATCHDOG")) >= 10)
        times = [at for at, fields in manager.told if "WATCHDOG" in fields]
        self.assertGreater(times[-1] - times[0], 0.2 * (len(times) - 1) * 0.5)
        self.assertTrue(len(manager.values("STATUS")) <= 4, "the same status is told once")
        service.tell(signal.SIGSTOP)
        time.sleep(0.3)
        n = len(manager.values("WATCHDOG"))
        time.sleep(0.7)
        self.assertLessEqual(len(manager.values("WATCHDOG")), n, "a loop that stands still gives no sign of life")
        service.tell(signal.SIGCONT)
        wait_until(lambda: len(manager.values("WATCHDOG")) > n)
        self.ended(service)

    def test_no_watchdog(self):
        cluster = self.served(balancer=window(*CLOSED))
        service, manager = self.managed(cluster)
        service.wait_state("held")
        wait_until(lambda: any("window" in text for text in manager.values("STATUS")))
        self.assertEqual(manager.values("WATCHDOG"), [])
        self.ended(service)

    def test_watchdog_of_another_process(self):
        cluster = self.served(balancer=window(*CLOSED))
        service, manager = self.managed(cluster, WATCHDOG_USEC="200000", WATCHDOG_PID="1")
        service.wait_state("held")
        self.assertEqual(manager.values("WATCHDOG"), [])
        self.ended(service)

    def test_nobody_listens(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster, NOTIFY_SOCKET=str(cluster.folder / "none"))
        service.wait("notify.failed")
        service.wait_state("held")
        self.ended(service)


class DoesNotStart(ServingCase):
    def refusal(self, code, cluster, *says, **env):
        manager = Manager(cluster.folder)
        done = run("run", "--config", cluster.config_file, env={"NOTIFY_SOCKET": manager.path, **env})
        self.code(code, done, *says)
        self.assertEqual(manager.values("READY"), [])
        self.assertRegex(done.err, r"(^|\n)evenkeel run: [^\n]*[^.\n]\n$")
        manager.close()
        (cluster.folder / "notify").unlink()

    def test_what_is_wrong_is_told(self):
        cluster = self.served()
        good = cluster.config_file.read_text() + f"journal: {{path: {cluster.journal}}}\n"
        uri = {"EVENKEEL_URI": cluster.uri}
        for text, code, says, env in [
                (good, 64, "no cluster named", {}),
                (good, 64, "mongodb://", {"EVENKEEL_URI": "http://x"}),
                (good.replace("interval: 1s", "interval: x"), 78, "balancer.interval", uri),
                (good.replace("policy: count", "policy: optimum"), 78, "optimal", uri),
                (good.replace(str(cluster.journal), "/nowhere/journal.db"), 73, "/nowhere/journal.db", uri),
                (good.replace("control.sock}", "none/control.sock}"), 73, "control.sock", uri),
                (good.replace(f"{cluster.folder}/control.sock", str(cluster.config_file)), 73, "something else than a socket", uri)]:
            with self.subTest(says=says):
                cluster.configure(text)
                self.refusal(code, cluster, says, **env)
        self.assertFalse(os.path.exists(cluster.folder / "control.sock"))

    def test_port_is_taken(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        port = service.http_port()
        cluster.configure(cluster.config_file.read_text().replace("control.sock", "other.sock").replace("127.0.0.1:0", f"127.0.0.1:{port}") +
                          f"journal: {{path: {cluster.folder}/other.db}}\n")
        self.refusal(69, cluster, str(port), EVENKEEL_URI=cluster.uri)
        self.ended(service)

    def test_journal_of_another_cluster(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        self.ended(service)
        import sqlite3
        with sqlite3.connect(cluster.journal) as db:
            db.execute("UPDATE cluster SET cluster_id = 'another'")
        db.close()
        service = self.serve(cluster)
        self.ended(service, None, 78)
        self.assertIn("(another), not to", service.text())


if __name__ == "__main__":
    main()
