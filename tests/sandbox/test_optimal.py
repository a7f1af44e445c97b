#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The policy `optimal` where it is used: a whole plan carried out, one round after the other, and the service until it rests."""
import json

from acting import Cluster, run
from sandbox_server import REAL, Sandbox, main
from serving import ServingCase
from test_service_rounds import CLOSED, window

VERSIONS = ("4.2.25", "5.0.31", "6.0.14", "7.0.14", "8.0.4")
WHOLE = ("--until-balanced",)


class Sized(Cluster):
    """The recorded cluster with other amounts of data: of each collection named, so many times as much."""
    FITTING = {"shop.orders": 0.5}  # no chunk that a donor without moveRange refuses as too large
    LARGE = {"shop.users": 25, "telemetry.events": 25}  # a ranged and a hashed key: the simulated donor cuts numbers finely

    def __init__(self, version, state="imbalanced", times=None):
        super().__init__(version)
        snapshot = json.loads((REAL / state / "snapshot.json").read_text(encoding="utf-8"))
        for ns, factor in (times or self.FITTING).items():
            for size in snapshot["sizes"][ns].values():
                size["bytes"] = {"$numberLong": str(int(int(size["bytes"]["$numberLong"]) * factor))}
        path = self.folder / "sized.json"
        path.write_text(json.dumps(snapshot), encoding="utf-8")
        self.sandbox.stop()
        self.sandbox.errors.close()
        self.sandbox = Sandbox("--snapshot", path, "--server-version", version, "--latency", "1ms", "--orphan-delay", "0s")
        self.uri = f"mongodb://127.0.0.1:{self.sandbox.port}/"


def migrations(plan):
    return [m for r in plan["rounds"] for m in r["migrations"]]


def loads(plan, which):
    return {(c["ns"], s["shard"]): s[which] for c in plan["collections"] for s in c["shards"] if s[which]}


class Optimal(ServingCase):
    def at_rest(self, cluster, *arguments, some=()):
        """Planned again, nothing is left, and every chunk of a zone is where it belongs; that plan."""
        again = cluster.plan(*arguments, *some, policy="optimal", rounds=WHOLE, path=cluster.folder / "again.json")
        self.assertEqual((again["summary"]["migrations"], again["summary"]["splits"]), (0, 0), [m["why"] for m in migrations(again)])
        checked = json.loads(self.code(0, run("zones", "check", "--uri", cluster.uri, *some, "--format", "json")).out)
        self.assertEqual([f for f in checked["findings"] if f["severity"] != "info"], [])
        return again


class Applied(Optimal):
    def applied(self, cluster, parts=False):
        plan = cluster.plan(policy="optimal", rounds=WHOLE)
        wanted, before = migrations(plan), len(cluster.commits())
        self.assertEqual(plan["policy"]["name"], "optimal")
        self.assertTrue(wanted)
        self.assertEqual([m for m in wanted if m["openMin"]] != [], parts)
        for r in plan["rounds"]:
            shards = [m[end] for m in r["migrations"] for end in ("from", "to")]
            self.assertEqual(len(shards), len(set(shards)), "a shard is twice in a round")
        said = json.loads(self.code(0, cluster.apply("--yes", "--format", "json")).out)
        self.assertEqual((said["state"], said["complete"], said["left"], said["run"]["notCarriedOut"]), ("complete", True, 0, []))
        for what in ("migrations", "splits", "bytes"):
            self.assertEqual(said["achieved"][what], said["promised"][what], what)
        self.assertEqual(sorted((ns, a, b) for ns, _, a, b in cluster.commits()[before:]), sorted((m["ns"], m["from"], m["to"]) for m in wanted))
        again = self.at_rest(cluster)
        promised, achieved = loads(plan, "bytesAfter"), loads(again, "bytes")
        for place in promised.keys() | achieved.keys():
            total = sum(b for (ns, _), b in promised.items() if ns == place[0])
            self.assertAlmostEqual(promised.get(place, 0), achieved.get(place, 0), delta=total / 50, msg=place)
        self.assertEqual(cluster.rows("SELECT DISTINCT kind, state, policy FROM rounds"), [("apply", "done", "optimal")])

    def test_every_version(self):
        for version in VERSIONS:
            with self.subTest(version=version), Sized(version) as cluster:
                self.applied(cluster)

    def test_draining(self):
        for version in VERSIONS:
            with self.subTest(version=version), Sized(version, state="draining") as cluster:
                self.applied(cluster)
                with cluster.sandbox.client() as client:
                    gone = {s["_id"] for s in client.config.shards.find({"draining": True})}
                self.assertTrue(gone)
                self.assertEqual([c for c in cluster.chunks() if c[3] in gone], [])

    def test_parts(self):
        for version in ("6.0.14", "8.0.4"):
            with self.subTest(version=version), Sized(version, times=Sized.LARGE) as cluster:
                self.applied(cluster, parts=True)


class RoundByRound(Optimal):
    def test_until_nothing_is_left(self):
        cluster = self.cluster("7.0.14")
        some = ("--ns", "telemetry.*")
        plan = cluster.plan(*some, policy="optimal", rounds=WHOLE)
        self.assertGreater(len(plan["rounds"]), 1)
        for _ in plan["rounds"]:
            self.code(0, cluster.round("--yes", "--policy", "optimal", *some))
        self.at_rest(cluster, some=some)
        self.assertEqual(cluster.rows("SELECT count(*), policy FROM rounds"), [(len(plan["rounds"]), "optimal")])


class Served(Optimal):
    def at_work(self, version, balance="collection"):
        cluster = Sized(version)
        self.addCleanup(cluster.__exit__, None, None, None)
        self.configure(cluster, balancer=f"balance: {balance}")
        cluster.configure(cluster.config_file.read_text(encoding="utf-8").replace("policy: count", "policy: optimal"))
        plan = cluster.plan("--balance", balance, policy="optimal", rounds=WHOLE)
        before = len(cluster.commits())
        service = self.serve(cluster, "--verbose")
        service.wait("round.nothing")
        status = service.wait_state("idle")
        self.ended(service)
        self.agree(cluster, before)
        self.at_rest(cluster, "--balance", balance)
        return plan, cluster, status

    def test_rests(self):
        """A look plans as far ahead as is sound: fewer rounds are journalled than the plan has."""
        for version, balance in (("4.2.25", "collection"), ("7.0.14", "collection"), ("8.0.4", "cluster")):
            with self.subTest(version=version, balance=balance):
                plan, cluster, _ = self.at_work(version, balance)
                rounds = cluster.rows("SELECT DISTINCT kind, state, policy FROM rounds")
                self.assertEqual(rounds, [("scheduled", "done", "optimal")])
                (n, most, moved), = cluster.rows("SELECT count(*), max(planned_migrations), (SELECT count(*) FROM migrations) FROM rounds")
                self.assertLess(n, len(plan["rounds"]))
                self.assertGreater(most, 2, "more than one round's, with four shards")
                self.assertEqual(moved, plan["summary"]["migrations"])

    def test_one_round_is_one_round(self):
        """One that somebody asks for does not go beyond it; with --ns it does not grow while it is open, either."""
        cluster = self.served("7.0.14", balancer=window(*CLOSED))
        cluster.configure(cluster.config_file.read_text(encoding="utf-8").replace("policy: count", "policy: optimal"))
        plan = cluster.plan(policy="optimal", rounds=())
        service = self.serve(cluster)
        service.wait("window.closed")
        self.code(0, service.cli("round", "--wait", "--ignore-window", "--ns", "*"))
        self.ended(service)
        self.assertEqual(cluster.rows("SELECT kind, planned_migrations FROM rounds"), [("forced", plan["summary"]["migrations"])])


if __name__ == "__main__":
    main()
