#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`evenkeel run` when the cluster cannot be reached, at the start or in the middle, and when it is itself killed."""
import json
import signal
import socket
import sqlite3
import subprocess
import time

from sandbox_server import EVENKEEL, REAL, TIMEOUT, main, wait_until
from serving import ServingCase, free_port
from test_service_rounds import CLOSED, window


class Unreachable(ServingCase):
    def waits(self, service):
        return [fields["retry"] for _, fields in service.lines("cluster.unreachable")]

    def backs_off(self, service, lease):
        """Longer from time to time, with jitter, and told everywhere."""
        status = service.wait_state("unreachable")
        self.assertEqual([h["code"] for h in status["holds"]], ["clusterUnreachable"])
        self.assertIn("tried again, since", status["holds"][0]["text"])
        code, body = service.http("/readyz")
        self.assertEqual((code, json.loads(body)["error"]["code"]), (503, "notReady"))
        self.assertEqual(service.http("/healthz")[0], 200)
        self.code(0, service.cli("status"), "unreachable")
        self.code(0, service.cli("pause"))
        self.code(0, service.cli("resume"))
        if not lease:
            service.wait("cluster.unreachable", 3)
            waits = self.waits(service)
            for n, wait in enumerate(waits):
                self.assertTrue(0.75 * 2 ** n <= wait <= 1.0 * 2 ** n, waits)

    def test_at_the_start(self):
        for lease in ("{enabled: false}", "{enabled: true, ttl: 5s}"):
            with self.subTest(lease=lease):
                cluster = self.served(lease=lease)
                port = free_port()
                service = self.serve(cluster, uri=f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=300&connectTimeoutMS=300")
                self.backs_off(service, "true" in lease)
                self.assertEqual(service.ask("plan")["exit"], 75)
                sandbox = subprocess.Popen([EVENKEEL, "sandbox", "--snapshot", str(REAL / "imbalanced" / "snapshot.json"), "--port", str(port),
                                            "--latency", "2ms"], stdout=subprocess.DEVNULL)
                self.addCleanup(sandbox.wait)
                self.addCleanup(sandbox.terminate)
                service.tell(signal.SIGUSR1)
                service.wait("migration.commit")
                code, _ = service.http("/readyz")
                self.assertEqual((code, service.status()["state"] in ("moving", "planning", "idle")), (200, True))
                self.ended(service)

    def test_nobody_there_and_a_forced_round(self):
        cluster = self.served()
        service = self.serve(cluster, uri="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300")
        service.wait_state("unreachable")
        done = service.cli("round", "--wait")
        self.code(69, done, "127.0.0.1:1")
        self.ended(service)

    def test_not_a_mongos_and_no_permission(self):
        password = "s3cret" * 3
        cluster = self.served()
        file = cluster.folder / "password"
        file.write_text(password)
        locked = self.cluster(arguments=("--user", "admin", "--password-file", file))
        service = self.serve(cluster, uri=f"mongodb://admin:wr0ng-{password}@{locked.address}/?authSource=admin")
        service.wait("cluster.refused")
        status = service.wait_state("unreachable")
        self.assertIn("cannot log in", status["holds"][0]["text"])
        self.ended(service)
        self.assertNotIn("wr0ng", service.text() + json.dumps(status))

    def test_in_the_middle(self):
        cluster = self.served(latency="30ms")
        before = len(cluster.commits())
        proxy = Proxy(cluster.sandbox.port)
        self.addCleanup(proxy.close)
        service = self.serve(cluster, uri=f"mongodb://127.0.0.1:{proxy.port}/?serverSelectionTimeoutMS=300&connectTimeoutMS=300")
        service.wait("migration.commit", 3)
        proxy.stop()
        service.wait("cluster.unreachable")
        service.wait_state("unreachable")
        self.assertEqual(service.http("/readyz")[0], 503)
        proxy.start()
        service.tell(signal.SIGUSR1)
        service.wait("cluster.back")
        service.wait("migration.commit", len(service.lines("migration.commit")) + 3)
        self.assertEqual(service.http("/readyz")[0], 200)
        self.ended(service)
        self.agree(cluster, before)


class Proxy:
    """A TCP relay that can be cut."""

    def __init__(self, target):
        self.target, self.process = target, None
        self.port = free_port()
        self.start()

    def start(self):
        code = ("import asyncio,sys\n"
                "async def pump(r,w):\n"
                "    try:\n"
                "        while d := await r.read(65536):\n"
                "            w.write(d); await w.drain()\n"
                "    except OSError: pass\n"
                "    finally: w.close()\n"
                "async def serve(r,w):\n"
                f"    a,b=await asyncio.open_connection('127.0.0.1',{self.target})\n"
                "    await asyncio.gather(pump(r,b),pump(a,w))\n"
                "async def main():\n"
                f"    s=await asyncio.start_server(serve,'127.0.0.1',{self.port})\n"
                "    await s.serve_forever()\n"
                "asyncio.run(main())\n")
        self.process = subprocess.Popen(["/usr/bin/python3", "-c", code], stderr=subprocess.DEVNULL)

        def listens():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        wait_until(listens)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.stop()


class Killed(ServingCase):
    def test_in_the_middle_of_a_round(self):
        """At several instants; the next start settles what was open, from the cluster itself."""
        cluster = self.served(latency="60ms", balancer="")
        before = len(cluster.commits())
        recovered = 0
        for n in range(8):
            service = self.serve(cluster)
            service.wait("migration.start")
            time.sleep(0.011 * n)
            service.end(signal.SIGKILL)
            recovered += len(service.lines("recovery.end"))
        interrupted = cluster.rows("SELECT count(*) FROM rounds WHERE state IN ('running', 'interrupted')")[0][0]
        self.assertGreater(interrupted, 0)
        service = self.serve(cluster, "--verbose")
        service.wait("round.nothing")
        self.ended(service)
        self.assertGreater(recovered + len(service.lines("recovery.end")), 0)
        self.agree(cluster, before)
        self.assertEqual(cluster.rows("SELECT count(*) FROM rounds WHERE state = 'running'"), [(0,)])
        self.assertGreater(len(self.events(cluster, "recovered")), 0)
        self.balanced(cluster)

    def test_under_the_lease(self):
        """Its own old lease has to run out first."""
        cluster = self.served(latency="50ms", lease="{enabled: true, ttl: 5s}")
        before = len(cluster.commits())
        first = self.serve(cluster)
        first.wait("migration.start")
        first.end(signal.SIGKILL)
        second = self.serve(cluster, "--verbose")
        second.wait_state("standby")
        self.assertEqual(second.http("/readyz")[0], 200)
        second.wait("lease.acquired")
        second.wait("round.nothing")
        self.ended(second)
        self.assertEqual(len(second.lines("lease.released")), 1)
        self.agree(cluster, before)

    def test_a_forced_round_does_not_end_with_the_recovery(self):
        cluster = self.served(latency="600ms")
        before = len(cluster.commits())
        first = self.serve(cluster)
        first.wait("migration.start")
        first.end(signal.SIGKILL)
        second = self.serve(cluster)
        done = self.code(0, self.there(second).cli("round", "--wait"), "done")
        self.assertIn("migrations committed", done.out)
        self.ended(second)
        self.agree(cluster, before)

    def there(self, service):
        wait_until(lambda: service.socket.exists() and service.lines("control.listen"))
        return service


class Retention(ServingCase):
    def test_old_rounds_go(self):
        cluster = self.served(config="journal: {retention: 1h}\n")
        first = self.serve(cluster, "--verbose")
        first.wait("round.nothing")
        self.ended(first)
        with sqlite3.connect(cluster.journal) as db:
            (rounds,), = db.execute("SELECT count(*) FROM rounds").fetchall()
            db.execute("UPDATE rounds SET started_at = started_at - 7200000, ended_at = ended_at - 7200000 WHERE id < ?", (rounds,))
            db.execute("UPDATE migrations SET ended_at = ended_at - 7200000 WHERE round < ?", (rounds,))
            db.execute("UPDATE splits SET ended_at = ended_at - 7200000 WHERE round < ?", (rounds,))
        db.close()
        self.assertGreater(rounds, 5)
        second = self.serve(cluster)
        self.assertEqual(second.wait("journal.pruned")["rounds"], rounds - 1)
        self.assertEqual(cluster.rows("SELECT count(*) FROM rounds WHERE id <= " + str(rounds)), [(1,)])
        self.assertEqual(self.events(cluster, "pruned"), [f"{rounds - 1} rounds that ended longer ago than journal.retention are gone"])
        self.ended(second)


class History(ServingCase):
    def test_over_http(self):
        """The same filters as `evenkeel history`."""
        cluster = self.served()
        service = self.serve(cluster, "--verbose")
        service.wait("round.nothing")

        def rows(query, code=200):
            got, body = service.http("/api/v1/history?limit=1000&" + query)
            self.assertEqual(got, code, body)
            return json.loads(body).get("rows")
        every = rows("")
        self.assertEqual(len(every), sum(n for n, in cluster.rows("SELECT count(*) FROM migrations UNION ALL SELECT count(*) FROM splits")))
        self.assertEqual(rows("since=1h"), every)
        self.assertEqual(rows("since=2020-01-01"), every)
        self.assertEqual(rows("until=1h"), [])
        self.assertEqual(rows("since=2099-01-01T00:00:00%2B01:00"), [])
        some = rows("ns=shop.*&ns=!shop.users")
        self.assertTrue(some and {r["ns"] for r in some} <= {"shop.mixed", "shop.carts"})
        self.assertEqual({r["ns"] for r in rows("ns=shop.users&ns=shop.carts")}, {"shop.users", "shop.carts"})
        self.assertTrue(all("shard3" in (r["from"], r["to"]) for r in rows("shard=shard3")))
        self.assertEqual(rows("state=committed"), every)
        self.assertEqual({r["round"] for r in rows("round=2")}, {2})
        for bad in ("since=yesterday", "state=nosuch", "round=0", "ns=", "since="):
            rows(bad, 400)
        self.ended(service)


class HeldJournal(ServingCase):
    """Somebody's sqlite3 shell has a write transaction open."""

    def shell(self, cluster):
        db = sqlite3.connect(cluster.journal, isolation_level=None, timeout=TIMEOUT)
        self.addCleanup(db.close)
        db.execute("BEGIN IMMEDIATE")
        return db

    def test_for_a_moment(self):
        cluster = self.served(latency="200ms")
        before = len(cluster.commits())
        service = self.serve(cluster)
        service.wait("migration.start")
        db = self.shell(cluster)
        time.sleep(1)
        db.close()
        service.wait("migration.start", len(service.lines("migration.start")) + 1)
        self.ended(service)
        self.agree(cluster, before)

    def test_for_long(self):
        """Nothing starts without its row, and what was under way is settled by the next start."""
        cluster = self.served(latency="1s")
        before = len(cluster.commits())
        service = self.serve(cluster)
        service.wait("migration.start")
        db = self.shell(cluster)
        service.process.wait(timeout=4 * TIMEOUT)  # several writes, each of which waits
        self.ended(service, None, code=75)
        self.assertIn("keeps a transaction on it open", service.wait("service.failed")["error"])
        self.assertLessEqual(len(cluster.commits()) - before, len(cluster.rows("SELECT 1 FROM migrations")))
        self.ended(self.serve(cluster), None, code=75)
        db.close()
        again = self.serve(cluster)
        again.wait("migration.commit")
        self.ended(again)
        self.agree(cluster, before)


if __name__ == "__main__":
    main()
