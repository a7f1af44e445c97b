#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The control socket of `evenkeel run`, by the commands that ask it and by hand: status, pause and resume, forced rounds, the plan,
a reload; and what it does with those who ask wrongly, slowly, or may not ask at all."""
import json
import os
import pwd
import signal
import stat
import subprocess
import time

from acting import Terminal, environment, run
from sandbox_server import EVENKEEL, TIMEOUT, main, wait_until
from serving import Control, ServingCase
from test_service_rounds import CLOSED, window

WHO = f"{pwd.getpwuid(os.getuid()).pw_name} (uid {os.getuid()})"


class Status(ServingCase):
    def test_forms(self):
        cluster = self.served(config="cluster: {builtinBalancer: ignore}\n")
        service = self.serve(cluster)
        service.wait("round.start")
        done = self.code(0, service.cli("status", "--json"))
        status = json.loads(done.out)
        self.assertEqual((status["schemaVersion"], status["cluster"]["version"], status["lease"]["enabled"]), (1, "5.0.31", False))
        self.assertEqual({s["id"] for s in status["shards"]}, {"shard0", "shard1", "shard2", "shard3"})
        self.assertEqual(json.loads(self.code(0, service.cli("status", "--format", "json")).out)["cluster"], status["cluster"])
        text = self.code(0, service.cli("status"), cluster.address, "shard0", "shop.users")
        self.assertNotIn("\033", text.out)
        path = cluster.folder / "status.json"
        self.code(0, service.cli("status", "--json", "-o", path))
        self.assertEqual(json.loads(path.read_text())["cluster"], status["cluster"])
        self.refused_by("status", 64, service.cli("status", "--watch"), "--watch redraws a terminal")
        self.refused_by("status", 64, service.cli("status", "--format", "csv"), "text, json")
        self.ended(service)

    def refused_by(self, command, code, done, *says):
        self.code(code, done, *says)
        self.assertRegex(done.err, rf"^evenkeel {command}: [^\n]*[^.\n]\n$")

    def test_watch(self):
        cluster = self.served()
        service = self.serve(cluster)
        wait_until(service.socket.exists)
        terminal = Terminal("status", "--watch", "--socket", service.socket, "--config", cluster.config_file, rows=60, columns=100)
        self.addCleanup(terminal.process.kill)
        terminal.until("\033[H")
        terminal.until("shop.users")
        wait_until(lambda: terminal.read(0.1) and terminal.text.count(b"\033[H") >= 3)
        terminal.process.send_signal(signal.SIGINT)
        code, text = terminal.end()
        self.assertEqual(code, 0, text)
        self.ended(service)

    def test_watch_sees_the_service_go(self):
        cluster = self.served()
        service = self.serve(cluster)
        wait_until(service.socket.exists)
        terminal = Terminal("status", "--watch", "--socket", service.socket, "--config", cluster.config_file)
        self.addCleanup(terminal.process.kill)
        terminal.until("\033[H")
        self.ended(service)
        code, text = terminal.end()
        self.assertEqual(code, 69, text)
        self.assertIn("went away", text)

    def test_no_service(self):
        cluster = self.served()
        for command in ("status", "pause", "resume", "round"):
            done = run(command, "--socket", cluster.folder / "none.sock", "--config", cluster.config_file)
            self.refused_by(command, 69, done, "none.sock", "systemctl start evenkeel")
        self.code(78, run("status", "--socket", "/" + 200 * "x", "--config", cluster.config_file), "too long")
        (cluster.folder / "file").write_text("")
        self.refused_by("status", 69, run("status", "--socket", cluster.folder / "file", "--config", cluster.config_file))

    def test_no_permission(self):
        if os.getuid() != 0:
            self.skipTest("not root: nobody else to be")
        cluster = self.served()
        service = self.serve(cluster)
        wait_until(service.socket.exists)
        self.assertEqual(stat.S_IMODE(os.stat(service.socket).st_mode), 0o660)
        os.chmod(cluster.folder, 0o755)
        done = run("status", "--socket", service.socket, "--config", cluster.config_file, user=65534, group=65534, extra_groups=[])
        self.refused_by("status", 77, done, "not permitted", "group")
        os.chmod(service.socket, 0o666)
        done = run("pause", "--socket", service.socket, "--config", cluster.config_file, user=65534, group=65534, extra_groups=[])
        self.code(0, done)
        self.assertRegex(service.status()["pause"]["who"], r"^(\w+ \(uid 65534\)|uid 65534)$")
        self.ended(service)

    def test_mode_of_the_configuration(self):
        cluster = self.served()
        cluster.configure(cluster.config_file.read_text().replace("control.sock}", 'control.sock, mode: "0600"}'))
        service = self.serve(cluster)
        service.control().close()
        self.assertEqual(stat.S_IMODE(os.stat(service.socket).st_mode), 0o600)
        self.ended(service)
        self.assertFalse(service.socket.exists(), "the socket's file goes with the service")

    def test_socket_is_taken(self):
        cluster = self.served()
        service = self.serve(cluster)
        service.control().close()
        other = run("run", "--uri", cluster.uri, "--config", cluster.config_file, "--journal", cluster.folder / "other.db")
        self.code(75, other, "another evenkeel service listens")
        again = run("run", "--uri", cluster.uri, "--config", cluster.config_file, "--journal", cluster.journal)
        self.code(75, again)
        service.end(signal.SIGKILL)
        self.assertTrue(service.socket.exists())
        second = self.serve(cluster)
        second.wait("cluster.connected")
        self.ended(second)


class Pause(ServingCase):
    def test_pause_and_resume(self):
        cluster = self.served(latency="100ms")
        service = self.serve(cluster)
        service.wait("migration.start")
        self.code(0, service.cli("pause", "--reason", "index build \033[1m on <b>"), "paused")
        status = service.wait_status(lambda s: s["state"] == "paused" and not s["migrations"])
        made = len(service.lines("migration.start"))
        self.assertEqual((status["pause"]["paused"], status["pause"]["who"]), (True, WHO))
        self.assertEqual(status["pause"]["reason"], "index build \033[1m on <b>")
        self.assertEqual([h["code"] for h in status["holds"]], ["paused"])
        self.assertNotIn("\033", self.code(0, service.cli("status"), "paused by " + WHO).out)
        self.assertEqual(self.events(cluster, "paused"), [f"by {WHO}: index build \\x1B[1m on <b>"])
        service.wait_status(lambda s, at=status["plannedAt"]: s["plannedAt"] != at)
        self.assertEqual(len(service.lines("migration.start")), made)
        self.ended(service)

        again = self.serve(cluster)
        status = again.wait_status(lambda s: s["state"] == "paused" and s["plannedAt"])
        self.assertEqual((status["pause"]["who"], status["pause"]["reason"]), (WHO, "index build \033[1m on <b>"))
        self.assertEqual(again.lines("migration.start"), [])
        self.code(0, again.cli("resume", "--reason", "done"), "resumed")
        again.wait("migration.commit")
        self.assertEqual(self.events(cluster, "resumed"), [f"by {WHO}: done"])
        self.assertEqual(again.status()["pause"], {"paused": False, "who": None, "reason": None, "since": None})
        self.ended(again)

    def test_quiet(self):
        cluster = self.served()
        service = self.serve(cluster)
        wait_until(service.socket.exists)
        for command in ("pause", "resume"):
            self.assertEqual(tuple(self.code(0, service.cli(command, "--quiet"))), (0, "", ""))
        self.ended(service)


class Forced(ServingCase):
    def test_wait_follows_it(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        before = cluster.commits()
        done = service.cli("round", "--wait")
        self.code(75, done, "a round begins", "outside the balancing window")
        self.assertEqual(cluster.commits(), before)
        done = self.code(0, service.cli("round", "--wait", "--ignore-window", "--reason", "before the sale"), "a round begins", "planned: 1 migrations")
        self.assertRegex(done.out, r"started shop\.users at .* shard0 -> shard\d")
        self.assertRegex(done.out, r"committed shop\.users at .* shard0 -> shard\d")
        self.assertRegex(done.out, r"done: \d+ migrations committed, 0 failed")
        (kind, state, who, reason), = cluster.rows("SELECT kind, state, who, reason FROM rounds")
        self.assertEqual((kind, state, who, reason), ("forced", "done", WHO, "before the sale"))
        self.agree(cluster, len(before))
        self.ended(service)

    def test_first_byte(self):
        """It answers before it looks at the cluster."""
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        with cluster.sandbox.client() as client:
            client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn",
                                 data={"failCommands": ["find", "aggregate"], "blockConnection": True, "blockTimeMS": 3000})
        control = service.control()
        answer = control.ask("round", wait=True, ignoreWindow=True)
        self.assertEqual(answer, {"v": 1, "ok": True, "queued": answer["queued"], "behind": 0})
        with cluster.sandbox.client() as client:
            client.admin.command("configureFailPoint", "failCommand", mode="off")
        self.assertEqual(control.line()["event"], "plan")
        control.close()
        service.wait("round.end")
        self.ended(service)

    def test_json(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        done = self.code(0, service.cli("round", "--wait", "--ignore-window", "--format", "json"))
        events = [json.loads(line) for line in done.out.splitlines()]
        told = [e["event"] for e in events if e.get("kind") != "split"]
        self.assertEqual((told[:2], told[-2:], set(told)), (["plan", "started"], ["committed", "end"], {"plan", "started", "committed", "end"}))
        self.assertEqual((events[-1]["state"], events[-1]["exit"]), ("done", 0))
        self.ended(service)

    def test_dry_run(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        before = cluster.chunks()
        self.code(0, service.cli("round", "--wait", "--dry-run"), "planned: 1 migrations", "nothing was carried out")
        self.assertEqual((cluster.chunks(), cluster.rows("SELECT count(*) FROM rounds")), (before, [(0,)]))
        self.ended(service)

    def test_namespaces(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        for _ in range(2):
            self.code(0, service.cli("round", "--wait", "--ignore-window", "--ns", "shop.c*", "--ns", "telemetry.*", "--ns", "!telemetry.events"), "done")
        moved = {ns for ns, in cluster.rows("SELECT ns FROM migrations")}
        self.assertTrue(moved and moved <= {"shop.carts", "telemetry.logs"}, moved)
        self.code(0, service.cli("round", "--wait", "--ignore-window", "--ns", "none.*"), "nothing to do")
        self.code(64, service.cli("round", "--ns", ""), "--ns")
        self.assertEqual(service.ask("round", ns=["!"])["exit"], 64)
        self.ended(service)

    def test_one_waits_behind_one(self):
        cluster = self.served(balancer=window(*CLOSED), latency="700ms")
        service = self.serve(cluster)
        service.wait_state("held")
        first = service.control()
        self.assertEqual(first.ask("round", wait=True, ignoreWindow=True)["queued"], False)
        service.wait("migration.start")
        running = service.status()["round"]["id"]
        second = service.control()
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        self.assertEqual(second.ask("round", wait=True, ignoreWindow=True, reason="two"), {"v": 1, "ok": True, "queued": True, "behind": running})
        third = service.cli("round", "--ignore-window")
        self.code(75, third, "waits already behind the one that runs", WHO)
        events = []
        while not events or events[-1]["event"] != "end":
            events.append(second.line())
        self.assertEqual((events[0]["event"], events[-1]["state"]), ("plan", "done"))
        self.assertEqual(cluster.rows("SELECT kind, state, reason FROM rounds ORDER BY id"), [("forced", "done", None), ("forced", "done", "two")])
        self.code(0, service.cli("round", "--ignore-window", "--quiet"))
        service.wait("round.end", 3)
        self.ended(service)

    def test_who_follows_may_go(self):
        cluster = self.served(balancer=window(*CLOSED), latency="300ms")
        service = self.serve(cluster)
        service.wait_state("held")
        control = service.control()
        control.ask("round", wait=True, ignoreWindow=True)
        service.wait("migration.start")
        control.close()
        service.wait("round.end")
        self.assertEqual(service.lines("round.end")[0][1]["state"], "done")
        self.ended(service)

    def test_paused(self):
        cluster = self.served()
        service = self.serve(cluster)
        self.code(0, self.waiting(service).cli("pause", "--reason", "no"))
        service.wait_status(lambda s: s["state"] == "paused" and s["plannedAt"] and not s["round"])
        self.code(75, service.cli("round", "--wait"), "paused by " + WHO, "no")
        self.ended(service)

    def waiting(self, service):
        wait_until(service.socket.exists)
        return service

    def test_options_that_do_not_go_together(self):
        cluster = self.served()
        for option in (("--uri", cluster.uri), ("--journal", "x"), ("--policy", "count"), ("--max-moves", "1")):
            self.code(64, run("round", "--socket", cluster.folder / "none", *option), "--standalone")

    def test_service_goes_meanwhile(self):
        cluster = self.served(balancer=window(*CLOSED), latency="20s")
        service = self.serve(cluster)
        service.wait_state("held")
        asker = subprocess.Popen([EVENKEEL, "round", "--socket", str(service.socket), "--config", str(cluster.config_file), "--wait", "--ignore-window"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        self.addCleanup(asker.kill)
        service.wait("migration.start")
        service.end(signal.SIGKILL)
        out, err = asker.communicate(timeout=TIMEOUT)
        self.assertEqual(asker.returncode, 69, out + err)
        self.assertIn("went away", err)


class PlanAndReload(ServingCase):
    def test_plan(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        plan = service.ask("plan")["plan"]
        wanted = cluster.plan(rounds=())
        self.assertEqual((plan["schemaVersion"], plan["planId"], plan["summary"]["migrations"]), (1, wanted["planId"], 1))
        self.assertEqual(json.loads(service.http("/api/v1/plan")[1]), plan)
        self.ended(service)

    def test_no_plan_yet(self):
        cluster = self.served()
        with cluster.sandbox.client() as client:
            client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn",
                                 data={"failCommands": ["find"], "blockConnection": True, "blockTimeMS": 2000})
        service = self.serve(cluster)
        answer = service.ask("plan")
        self.assertEqual((answer["ok"], answer["exit"]), (False, 75))
        self.assertIn("made no plan yet", answer["error"])
        began = time.monotonic()
        self.ended(service)
        self.assertLess(time.monotonic() - began, TIMEOUT / 2)

    def test_reload(self):
        cluster = self.served(balancer=window(*CLOSED))
        service = self.serve(cluster)
        service.wait_state("held")
        cluster.configure(cluster.config_file.read_text() + "nonsense: 1\n")
        answer = service.ask("reload")
        self.assertEqual((answer["ok"], answer["exit"]), (False, 78))
        self.assertIn("nonsense", answer["error"])
        self.assertEqual(service.wait("service.reloadFailed")["who"], WHO)
        self.configure(cluster)
        self.assertEqual(service.ask("reload"), {"v": 1, "ok": True})
        service.wait("migration.commit")
        self.ended(service)


class Wrongly(ServingCase):
    def setUp(self):
        self.own = self.served(balancer=window(*CLOSED))
        self.service = self.serve(self.own)
        self.service.wait_state("held")

    def tearDown(self):
        self.service.wait_state("held")
        self.ended(self.service)

    def test_another_version(self):
        control = self.service.control()
        for request in ({"v": 2, "op": "status"}, {"op": "status"}, {"v": "1", "op": "status"}, {"v": None, "op": "pause"}):
            control.send(request)
            answer = control.line()
            self.assertEqual((answer["ok"], answer["exit"]), (False, 69), request)
            self.assertIn("version 1 of the control protocol", answer["error"])
        self.assertEqual(control.ask("status")["ok"], True)
        control.close()
        self.assertFalse(self.service.status()["pause"]["paused"])

    def test_malformed_lines(self):
        control = self.service.control()
        for line in (b"\n", b"{\n", b"[]\n", b"1\n", b'"x"\n', b"null\n", b'{"v": 1, "op": "status"} x\n', b"\xff\xfe\n", b"\0\0\n",
                     b'{"v": 1, "op"\0: "status"}\n', b'{"v": 1, "op": "st\xc3\x28tus"}\n', b"{" * 5000 + b"\n", b"GET / HTTP/1.1\r\n"):
            control.send(line)
            answer = control.line()
            self.assertEqual((answer["v"], answer["ok"], answer["exit"]), (1, False, 64), line[:40])
        for op in ("", "stat", "STATUS", "status ", None, 7, {"a": 1}, "x" * 3000, "\033[1m"):
            answer = control.ask(op)
            self.assertEqual((answer["ok"], answer["exit"]), (False, 64), op)
            self.assertNotIn("\033", json.dumps(answer))
        for more in ({"ns": "x"}, {"ns": [1]}, {"ns": []}, {"wait": "yes"}, {"dryRun": 1}, {"reason": 5}):
            answer = control.ask("round", **{"dryRun": True, **more})
            self.assertEqual((answer["ok"], answer.get("exit")), (False, 64), more)
        self.assertEqual(control.ask("status")["ok"], True)
        control.close()

    def test_oversized_lines(self):
        for end in (b"", b"\n"):
            control = self.service.control()
            try:
                control.send(b'{"v": 1, "op": "' + b"x" * 100000 + end)
                answer = control.line()
                self.assertEqual((answer["ok"], answer["exit"]), (False, 64))
                self.assertIn("longer than 65536", answer["error"])
                self.assertIsNone(control.line(), "cut off")
            except BrokenPipeError:
                pass
            control.close()
        self.service.wait("control.refused")
        control = self.service.control()
        self.assertEqual(control.ask("status", reason="y" * 60000)["ok"], True)
        control.close()

    def test_in_pieces_and_at_once(self):
        control = self.service.control()
        for byte in json.dumps({"v": 1, "op": "status"}).encode() + b"\n":
            control.send(bytes([byte]))
        self.assertEqual(control.line()["ok"], True)
        control.send(b'{"v": 1, "op": "status"}\n' * 20)
        for _ in range(20):
            self.assertEqual(control.line()["ok"], True)
        control.close()

    def test_who_does_not_read(self):
        """Requests without end, of which no answer is read: others are served, and memory does not grow."""
        control = self.service.control()
        control.socket.settimeout(0.3)
        sent = 0
        try:
            while sent < 5000:
                control.send(b'{"v": 1, "op": "plan"}\n' * 100)
                sent += 100
        except TimeoutError:
            pass
        before = self.service.status()["process"]["residentBytes"]
        self.assertLess(before, 200 * 1024 * 1024)
        control.socket.settimeout(TIMEOUT)
        self.assertEqual(control.line()["ok"], True)
        control.close()

    def test_too_many(self):
        many = [self.service.control() for _ in range(32)]
        for control in many:
            self.assertEqual(control.ask("resume")["ok"], True)
        extra = Control(self.service.socket)
        try:
            extra.send({"v": 1, "op": "status"})
            self.assertIsNone(extra.line())
        except BrokenPipeError:
            pass
        extra.close()
        self.service.wait("control.refused")
        for control in many:
            control.close()

        def served():
            try:
                return self.service.ask("status") is not None
            except BrokenPipeError:
                return False
        wait_until(served)

    def test_another_service_behind_the_socket(self):
        """What the commands say to something that is no evenkeel, or of another version."""
        import socket
        import threading
        path = self.own.folder / "other.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()

        def reply(data):
            peer, _ = listener.accept()
            peer.recv(1000)
            peer.sendall(data)
            peer.close()
        for data, code, says in ((b"hello\n", 69, "something else than JSON"), (b"", 69, "went away"), (b'{"v": 2, "ok": true}\n', 69, "of another version"),
                                 (b'{"v": 1, "ok": false, "exit": 75, "error": "no \\u001b[1m"}\n', 75, "no "), (b'{"v": 1, "ok": false}\n', 1, "without a word")):
            thread = threading.Thread(target=reply, args=(data,))
            thread.start()
            done = run("status", "--socket", path, "--config", self.own.config_file)
            thread.join()
            self.code(code, done, says)
            self.assertNotIn("\033", done.err)
        listener.close()


if __name__ == "__main__":
    main()
