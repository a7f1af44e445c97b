#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`evenkeel run` on the simulated cluster: rounds that happen by themselves, and what holds them back."""
import datetime
import signal

from sandbox_server import main
from serving import ISO, ServingCase


def clock(minutes):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    return at.strftime("%H:%M")


def window(start, stop):
    return f'windows: [{{start: "{clock(start)}", stop: "{clock(stop)}", timezone: UTC}}]'


CLOSED, OPEN = (120, 240), (-120, 120)


class Rounds(ServingCase):
    def test_by_themselves(self):
        for version in ("4.2.25", "7.0.14"):
            with self.subTest(version=version):
                cluster = self.served(version)
                before = len(cluster.commits())
                service = self.serve(cluster, "--verbose")
                service.wait("round.nothing")
                status = service.wait_state("idle")
                self.assertEqual(status["holds"], [])
                self.assertRegex(status["nextRoundAt"], ISO)
                self.assertEqual(self.code(0, service.cli("status"), "idle").err, "")
                self.ended(service)
                self.agree(cluster, before)
                self.assertGreater(len(cluster.commits()), before)
                self.balanced(cluster)
                rounds = cluster.rows("SELECT DISTINCT kind, state, who FROM rounds")
                self.assertEqual(rounds, [("scheduled", "done", "scheduler")])
                self.assertEqual([m for m, _ in service.lines()][-1], "service.stop")

    def test_interval_and_busy_interval(self):
        """With a long interval only rounds that moved something are followed by another one soon."""
        cluster = self.served()
        self.configure(cluster)
        cluster.configure(cluster.config_file.read_text().replace("interval: 1s", "interval: 1h"))
        service = self.serve(cluster, "--verbose")
        service.wait("round.nothing")
        rounds = len(service.lines("round.end"))
        self.assertGreater(rounds, 3)
        next_at = datetime.datetime.fromisoformat(service.status()["nextRoundAt"].replace("Z", "+00:00"))
        self.assertGreater(next_at - datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(minutes=55))
        self.balanced(cluster)
        self.ended(service)

    def test_grows_while_shards_are_free(self):
        """Migrations do not wait for the slowest of their round."""
        cluster = self.served("7.0.14", balancer="", latency="40ms", arguments=("--spread", "0.9"))
        service = self.serve(cluster)
        service.wait("round.end")
        service.wait_state("idle")
        self.ended(service)
        self.agree(cluster, len(cluster.commits()) - cluster.rows("SELECT count(*) FROM migrations WHERE state = 'committed'")[0][0])

    def test_settings_are_seen_in_the_next_round(self):
        cluster = self.served()
        with cluster.sandbox.client() as client:
            for name in ("shop.users", "shop.mixed", "shop.carts", "telemetry.logs", "telemetry.events"):
                client.config.collections.update_one({"_id": name}, {"$set": {"noBalance": True}})
        service = self.serve(cluster, "--verbose")
        service.wait("round.nothing")
        self.assertEqual(service.lines("migration.start"), [])
        with cluster.sandbox.client() as client:
            client.config.collections.update_one({"_id": "shop.carts"}, {"$set": {"noBalance": False}})
        service.wait("migration.commit")
        self.assertEqual({f["ns"] for _, f in service.lines("migration.start")}, {"shop.carts"})
        self.ended(service)


class HeldBack(ServingCase):
    def held(self, cluster, code, message="round.skip"):
        before = len(cluster.commits())
        service = self.serve(cluster)
        status = service.wait_status(lambda s: [h["code"] for h in s["holds"]] == [code] and s["plannedAt"] and s["state"] == "held")
        service.wait(message)
        service.wait_status(lambda s, at=status["plannedAt"]: s["plannedAt"] != at)
        self.assertEqual(len(service.lines(message)), 1, "told once")
        self.assertEqual((len(cluster.commits()), service.lines("migration.start")), (before, []))
        text = status["holds"][0]["text"]
        self.code(0, service.cli("status"), "held", text)
        return service, status

    def test_window(self):
        cluster = self.served(balancer=window(*CLOSED))
        service, status = self.held(cluster, "window", "window.closed")
        self.assertRegex(status["holds"][0]["until"], ISO)
        self.assertEqual((status["window"]["open"], status["window"]["always"]), (False, False))
        self.configure(cluster, balancer=window(*OPEN))
        service.tell(signal.SIGHUP)
        service.wait("migration.commit")
        self.assertEqual(len(service.lines("window.open")), 1)
        self.ended(service)

    def test_window_of_the_cluster(self):
        cluster = self.served()
        with cluster.sandbox.client() as client:
            client.config.settings.update_one({"_id": "balancer"}, {"$set": {"activeWindow": {"start": clock(CLOSED[0]), "stop": clock(CLOSED[1])}}}, upsert=True)
        service, _ = self.held(cluster, "window", "window.closed")
        with cluster.sandbox.client() as client:
            client.config.settings.update_one({"_id": "balancer"}, {"$set": {"activeWindow": {"start": clock(OPEN[0]), "stop": clock(OPEN[1])}}})
        service.wait("migration.commit")
        self.ended(service)

    def test_builtin_balancer(self):
        cluster = self.served()
        cluster.set_balancer(True)
        service, _ = self.held(cluster, "balancerRunning", "balancer.running")
        cluster.set_balancer(False)
        service.wait("migration.commit")
        self.ended(service)
        self.assertEqual(cluster.balancer(), "off")

    def test_orphans(self):
        cluster = self.served("7.0.14", arguments=("--orphan-delay", "1h"), config="migrations: {pauseWhen: {orphans: 1}}\n")
        service = self.serve(cluster)
        service.wait("throttle.hold")
        status = service.wait_status(lambda s: [h["code"] for h in s["holds"]] == ["orphans"])
        self.assertIn("migrations.pauseWhen.orphans", status["holds"][0]["text"])
        made = len(service.lines("migration.start"))
        service.wait_status(lambda s, at=status["plannedAt"]: s["plannedAt"] != at)
        self.assertEqual(len(service.lines("migration.start")), made)
        self.configure(cluster)
        service.tell(signal.SIGHUP)
        service.wait("throttle.release")
        service.wait("migration.start", made + 1)
        self.ended(service)

    def test_bytes_per_hour(self):
        cluster = self.served(config="migrations: {maxBytesPerHour: 200KiB}\n")
        service = self.serve(cluster)
        status = service.wait_status(lambda s: s["state"] == "held")
        self.assertEqual([h["code"] for h in status["holds"]], ["maxBytesPerHour"])
        self.assertEqual(len(service.lines("throttle.hold")), 1)
        moved = cluster.rows("SELECT sum(bytes) FROM migrations WHERE state = 'committed'")[0][0]
        self.assertLessEqual(moved, 200 * 1024)
        self.assertTrue(any(h["until"] for h in status["holds"]), status["holds"])
        self.ended(service)


class BuiltinBalancer(ServingCase):
    CONFIG = "cluster: {builtinBalancer: stopAndRestore}\n"

    def test_stopped_and_restored(self):
        cluster = self.served(config=self.CONFIG)
        cluster.set_balancer(True)
        service = self.serve(cluster)
        service.wait("balancer.stopped")
        service.wait("migration.commit")
        self.assertEqual(cluster.balancer(), "off")
        self.ended(service)
        self.assertEqual(len(service.lines("balancer.restored")), 1)
        self.assertEqual(cluster.balancer(), "full")
        self.assertEqual(cluster.rows("SELECT count(*) FROM builtin_balancer WHERE restored_at IS NULL"), [(0,)])

    def test_left_as_it_was(self):
        cluster = self.served(config=self.CONFIG)
        cluster.set_balancer(False)
        service = self.serve(cluster)
        service.wait("migration.commit")
        self.ended(service)
        self.assertEqual((service.lines("balancer.stopped"), service.lines("balancer.restored"), cluster.balancer()), ([], [], "off"))

    def test_restored_after_kill(self):
        cluster = self.served(config=self.CONFIG, latency="50ms")
        cluster.set_balancer(True)
        first = self.serve(cluster)
        first.wait("migration.start")
        first.end(signal.SIGKILL)
        self.assertEqual(cluster.balancer(), "off")
        second = self.serve(cluster)
        second.wait("migration.commit")
        self.assertEqual(second.lines("balancer.stopped"), [], "it is off already")
        self.ended(second)
        self.assertEqual(cluster.balancer(), "full")

    def failing(self, cluster, command, on=True):
        with cluster.sandbox.client() as client:
            client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn" if on else "off",
                                 data={"failCommands": [command], "errorCode": 8})

    def test_it_cannot_be_stopped(self):
        cluster = self.served(config=self.CONFIG)
        cluster.set_balancer(True)
        before = len(cluster.commits())
        self.failing(cluster, "balancerStop")
        service = self.serve(cluster)
        service.wait("balancer.running", 2)
        self.assertEqual(service.lines("migration.start"), [])
        self.assertNotEqual(service.cli("round", "--wait").code, 0)
        self.failing(cluster, "balancerStop", False)
        service.wait("balancer.stopped")
        service.wait("migration.commit")
        self.ended(service)
        self.assertEqual(cluster.balancer(), "full")
        self.agree(cluster, before)

    def test_it_cannot_be_started_again(self):
        """What is remembered stays so until a later end of the service."""
        cluster = self.served(config=self.CONFIG)
        cluster.set_balancer(True)
        service = self.serve(cluster)
        service.wait("migration.commit")
        self.failing(cluster, "balancerStart")
        self.ended(service)
        self.assertEqual((len(service.lines("balancer.restoreFailed")), cluster.balancer()), (1, "off"))
        self.failing(cluster, "balancerStart", False)
        again = self.serve(cluster)
        again.wait("cluster.connected")
        self.ended(again)
        self.assertEqual((len(again.lines("balancer.restored")), cluster.balancer()), (1, "full"))


if __name__ == "__main__":
    main()
