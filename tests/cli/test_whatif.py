# SPDX-License-Identifier: Apache-2.0
"""What if: drained and added shards, weights, other zones, on states of a real cluster; what is told of them, what is
refused, and that such a plan is not carried out where the cluster is otherwise."""
import json
import pathlib
import tempfile
import unittest

import plan_schema
from evenkeel_cli import CommandCase, dump, run, snapshot

MIN, MAX = {"$minKey": 1}, {"$maxKey": 1}


def migrations(plan):
    return [m for r in plan["rounds"] for m in r["migrations"]]


def tag(ns, field, low, high, zone):
    return {"ns": ns, "min": {field: low}, "max": {field: high}, "tag": zone}


class WhatIfCase(CommandCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, content):
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def plan(self, *args, state="imbalanced"):
        plan = self.ok_json("plan", "--snapshot", snapshot(state), "--until-balanced", "--format", "json", *args)
        self.assertEqual(plan_schema.faults(plan), [])
        return plan

    def after(self, plan, shard, what="chunksAfter"):
        return sum(s[what] for c in plan["collections"] for s in c["shards"] if s["shard"] == shard)


class Changes(WhatIfCase):
    def test_a_shard_is_drained(self):
        plan = self.plan("--drain", "shard1")
        self.assertEqual(plan["whatIf"], [{"kind": "drain", "shard": "shard1"}])
        self.assertGreater(self.after(plan, "shard1", "chunks"), 0)
        # Zone US of shop.orders has nobody left but shard2, EU shard0; so it gets empty but for jumbo chunks.
        self.assertIn("drain", {m["reason"] for m in migrations(plan)})
        self.assertNotIn("shard1", {m["to"] for m in migrations(plan)})
        stay = sum(b["chunks"] for b in plan["summary"]["blocked"] if b["shard"] == "shard1")
        self.assertEqual(self.after(plan, "shard1"), stay)

    def test_a_shard_is_added(self):
        plan = self.plan("--add-shard", "shard9:ARCHIVE")
        self.assertEqual(plan["whatIf"], [{"kind": "addShard", "shard": "shard9", "zones": ["ARCHIVE"]}])
        self.assertIn("shard9", {m["to"] for m in migrations(plan) if m["zone"] == "ARCHIVE"})
        self.assertGreater(self.after(plan, "shard9"), 0)
        plain = self.plan("--add-shard", "shard9")
        self.assertNotIn("shard9", {m["to"] for m in migrations(plain) if m["zone"] is not None})
        self.assertIn("shard9", {m["to"] for m in migrations(plain)})

    def test_a_weight_is_passed_on(self):
        plan = self.plan("--weight", "shard0=2.5", "--policy", "size")
        self.assertEqual(plan["whatIf"], [{"kind": "weight", "shard": "shard0", "weight": 2.5}])
        self.assertIn("weightIgnored", {w["code"] for w in plan["warnings"]})

    def test_a_weight_goes_before_the_configuration(self):
        config = self.write("c.yaml", "balancer:\n  shards:\n    shard0: {weight: 3, receive: false}\n")
        plan = self.plan("--policy", "size", "--config", config, "--weight", "shard0=1", "--drain", "shard1")
        self.assertNotIn("weightIgnored", {w["code"] for w in plan["warnings"]})
        self.assertNotIn("shard0", {m["to"] for m in migrations(plan)})  # the rest of its entry stays in force

    def test_zones_are_replaced(self):
        path = self.write("zones.json", {"tags": [tag("shop.users", "userId", MIN, MAX, "HERE")],
                                         "shards": [{"_id": "shard3", "tags": ["HERE"]}]})
        plan = self.plan("--zones", path)
        self.assertEqual(plan["whatIf"], [{"kind": "zones", "file": str(path), "collections": ["shop.users"],
                                           "shards": ["shard3"]}])
        users = next(c for c in plan["collections"] if c["ns"] == "shop.users")
        self.assertEqual(users["zones"], ["HERE"])
        self.assertEqual([s["shard"] for s in users["shards"] if s["chunksAfter"] > 0], ["shard3"])
        logs = next(c for c in plan["collections"] if c["ns"] == "telemetry.logs")
        self.assertEqual(logs["zones"], ["ARCHIVE"])  # which shard3 no longer carries
        self.assertIn("zoneWithoutShard", {w["code"] for w in plan["warnings"]})

    def test_zones_are_taken_away(self):
        path = self.write("zones.json", {"namespaces": ["shop.users", "shop.orders"]})
        plan = self.plan("--zones", path)
        self.assertEqual({c["ns"]: c["zones"] for c in plan["collections"] if c["zones"]},
                         {"telemetry.logs": ["ARCHIVE"]})

    def test_the_zones_of_the_same_snapshot_change_nothing(self):
        plain, same = self.plan(), self.plan("--zones", snapshot("imbalanced"))
        self.assertEqual(same["planId"], plain["planId"])
        self.assertNotIn("whatIf", plain)

    def test_several_at_once_and_in_the_order_given(self):
        path = self.write("zones.json", {"shards": [{"_id": "new", "tags": ["EU"]}]})
        plan = self.plan("--zones", path, "--drain", "shard0", "--add-shard", "new", "--weight", "new=2", "--drain", "shard1")
        self.assertEqual([c["kind"] for c in plan["whatIf"]], ["zones", "drain", "addShard", "weight", "drain"])
        self.assertIn("new", {m["to"] for m in migrations(plan) if m["zone"] == "EU"})

    def test_a_dump_and_a_snapshot_say_the_same(self):
        args = ("--until-balanced", "--policy", "count", "--drain", "shard1", "--add-shard", "new:EU", "--format", "json")
        of_dump = self.ok_json("plan", "--dump", dump("imbalanced"), *args)
        of_snapshot = self.ok_json("plan", "--snapshot", snapshot("imbalanced"), *args)
        key = lambda p: [(m["ns"], m["min"], m["from"], m["to"]) for m in migrations(p)]
        self.assertEqual(key(of_dump), key(of_snapshot))


class Reports(WhatIfCase):
    def test_text_tells_it_first(self):
        for quiet in ((), ("--quiet",)):
            text = self.ok("plan", "--snapshot", snapshot("imbalanced"), "--drain", "shard1", "--add-shard", "n:EU,US",
                           *quiet, env={"COLUMNS": "200"})
            self.assertEqual(text.splitlines()[1:3], ["what if: shard 'shard1' is draining",
                                                      "what if: shard 'n' is added, in zones EU and US"])

    def test_many_are_folded(self):
        many = [x for i in range(25) for x in ("--add-shard", f"n{i}")]
        text = self.ok("plan", "--snapshot", snapshot("imbalanced"), "--quiet", *many)
        self.assertEqual(text.count("what if:"), 21)
        self.assertIn("5 more changes", text)
        text = self.ok("plan", "--snapshot", snapshot("imbalanced"), "--quiet", "--all", *many)
        self.assertEqual(text.count("what if:"), 25)

    def test_the_script_tells_it(self):
        script = self.ok("plan", "--snapshot", snapshot("imbalanced"), "--format", "commands", "--add-shard", "a\nb")
        self.assertIn("\n// WHAT IF, not done by this script: shard 'a\\x0Ab' is added, in no zone\n", script)

    def test_hostile_names_are_harmless(self):
        name = "\x1b[31m</script>\u202e'\"\n"
        args = ("--snapshot", snapshot("imbalanced"), "--add-shard", f"{name}:{name}", "--weight", f"{name}=2")
        for command in (["plan"], ["plan", "--format", "commands"], ["explain", "shop.users"], ["drain", "shard1"]):
            text = self.ok(*command, *args)
            self.assertTrue(text.replace("\n", "").isprintable(), command)
        for command in (["plan"], ["explain", "shop.users"], ["drain", "shard1"]):
            answer = self.ok_json(*command, *args, "--format", "json")
            self.assertEqual(answer["whatIf"][0], {"kind": "addShard", "shard": name, "zones": [name]})

    def test_explain(self):
        args = ("explain", "shop.users", "--snapshot", snapshot("imbalanced"))
        self.assertIn("what if: shard 'shard0' is draining", self.ok(*args, "--drain", "shard0"))
        path = self.write("zones.json", {"namespaces": ["shop.users"]})
        answer = self.ok_json(*args, "--zones", path, "--format", "json")
        self.assertEqual([c["kind"] for c in answer["whatIf"]], ["zones"])
        self.assertNotIn("whatIf", self.ok_json(*args, "--format", "json"))
        # The rules hold for the cluster as it is wished.
        self.assertIn("shard9", self.ok(*args, "--shard", "shard9", "--add-shard", "shard9:ARCHIVE"))

    def test_drain(self):
        args = ("drain", "shard1", "--snapshot", snapshot("imbalanced"))
        answer = self.ok_json(*args, "--drain", "shard2", "--format", "json")
        self.assertEqual(answer["whatIf"], [{"kind": "drain", "shard": "shard2"}])
        self.assertEqual(answer["otherDraining"], ["shard2"])
        self.assertTrue(answer["blocked"])  # zone US has nobody left
        answer = self.ok_json(*args, "--drain", "shard2", "--add-shard", "n:US", "--format", "json")
        self.assertNotIn("noEligibleShard", {b["code"] for b in answer["blockers"]})
        self.assertFalse(answer["draining"])
        self.refused(64, *args, "--drain", "shard1", says="'shard1' is the one that is asked about")


class ZoneChange(WhatIfCase):
    """The preview: what moves by zone and shard, what becomes impossible, who becomes too full."""

    def setUp(self):
        super().setUp()
        self.zones = self.write("zones.json", {
            "tags": [tag("shop.users", "userId", 0, 200, "EU"), tag("shop.users", "userId", 200, 800, "\x1b[1mASIA")],
            "shards": [{"_id": "shard1", "tags": ["EU"]}]})

    def test_moves_by_zone_and_shard(self):
        change = self.plan("--zones", self.zones)
        totals = {}
        for m in migrations(change):
            for shard, key in ((m["from"], "Out"), (m["to"], "In")):
                row = totals.setdefault((m["zone"], shard), {"migrationsOut": 0, "bytesOut": 0, "migrationsIn": 0, "bytesIn": 0})
                row["migrations" + key] += 1
                row["bytes" + key] += m["bytes"]
        rows = change["zoneChange"]["moves"]
        self.assertEqual({(r["zone"], r["shard"]): {k: r[k] for k in r if k not in ("zone", "shard")} for r in rows}, totals)
        self.assertEqual([(r["zone"] or "~", r["shard"]) for r in rows], sorted((r["zone"] or "~", r["shard"]) for r in rows))

    def test_impossible(self):
        faults = self.plan("--zones", self.zones)["zoneChange"]["impossible"]
        self.assertEqual([(f["zone"], f["reason"]) for f in faults], [("\x1b[1mASIA", "zoneWithoutShard")])
        text = self.ok("plan", "--snapshot", snapshot("imbalanced"), "--until-balanced", "--zones", self.zones)
        self.assertIn("The change of zones\n", text)
        self.assertIn("impossible: no shard carries zone '\\x1B[1mASIA'", text)

    def test_nothing_moves(self):
        text = self.ok("plan", "--snapshot", snapshot("balanced"), "--zones", snapshot("balanced"))
        self.assertIn("The change of zones\n  Nothing moves.\n", text)

    def test_too_full(self):
        config = self.write("c.yaml", "balancer:\n  shards:\n    shard1: {maxBytes: 4MiB}\n    shard2: {maxBytes: 9MiB}\n")
        plan = self.plan("--zones", self.zones, "--config", config)
        peaks = {p["shard"]: p for p in plan["peak"]}
        self.assertEqual([peaks[f"shard{i}"]["limitBytes"] for i in range(3)], [None, 4 << 20, 9 << 20])
        told = [w["message"] for w in plan["warnings"] if w["code"] == "shardTooFull"]
        full = [s for s, p in peaks.items() if p["limitBytes"] is not None and p["peakBytes"] > p["limitBytes"] and p["bytesIn"]]
        self.assertEqual(full, ["shard1"])
        self.assertEqual(len(told), 1)
        self.assertIn("shard 'shard1' comes to hold up to", told[0])

    def test_orphans_are_counted(self):
        document = json.loads(snapshot("imbalanced").read_text(encoding="utf-8"))
        for ns, shards in document["sizes"].items():
            for shard, size in shards.items():
                shards[shard] = {"bytes": size if isinstance(size, int) else size["bytes"], "orphanBytes": 1000}
        path = self.write("cluster.json", document)
        plan = self.ok_json("plan", "--snapshot", path, "--until-balanced", "--format", "json")
        self.assertEqual(plan_schema.faults(plan), [])
        before = {p["shard"]: p for p in self.plan()["peak"]}
        for p in plan["peak"]:
            n = sum(p["shard"] in shards for shards in document["sizes"].values())
            self.assertEqual(p["orphanBytes"], 1000 * n or None)
            self.assertEqual(p["peakBytes"], before[p["shard"]]["peakBytes"] + 1000 * n)
        self.assertIn("ORPHANS", self.ok("plan", "--snapshot", path, "--until-balanced", env={"COLUMNS": "200"}))


class Refusals(WhatIfCase):
    def test_options(self):
        rows = [("--drain", "shard11", "--drain: no shard 'shard11' in this cluster; did you mean 'shard1'?"),
                ("--drain", "other", "there are shard0, shard1, shard2, shard3"),
                ("--add-shard", "shard1", "--add-shard: shard 'shard1' is in this cluster already"),
                ("--add-shard", "n:", "--add-shard: behind ':' names of zones are expected"),
                ("--add-shard", ":EU", "--add-shard: the name of the shard is empty"),
                ("--weight", "shard1", "--weight: 'shard1' is not of the form SHARD=WEIGHT"),
                ("--weight", "shard1=no", "--weight: the weight 'no' of shard 'shard1' is not a number"),
                ("--weight", "x=1", "--weight: no shard 'x' in this cluster"),
                ("--zones", "", "--zones: the name of the file is empty")]
        for command in (["plan"], ["explain", "shop.users"], ["drain", "shard3"]):
            for option, value, says in rows:
                with self.subTest(command=command, option=option, value=value):
                    self.refused(64, *command, "--snapshot", snapshot("imbalanced"), option, value, says=says)

    def test_files(self):
        good = tag("shop.users", "userId", 1, 5, "A")
        rows = [("", "zones '"), ("[]", "neither Extended JSON"), ({}, "none of the keys tags, shards, namespaces"),
                ({"tag": [good]}, "did you mean 'tags'?"), ({"tags": []}, "it changes nothing"),
                ({"tags": [good, tag("shop.users", "userId", 4, 9, "B")]}, "tags[1]"),
                ({"tags": [tag("shop.users", "userId", 5, 1, "A")]}, "tags[0]: min is not less than max"),
                ({"tags": [tag("shop.users", "x", 1, 5, "A")]}, "tags[0]: min: field 1 is 'x'"),
                ({"tags": [tag("shop.user", "userId", 1, 5, "A")]}, "did you mean 'shop.users'?"),
                ({"shards": [{"_id": "shard5", "tags": []}]}, "shards[0]: no shard 'shard5'"),
                ({"shards": [{"_id": "shard1"}]}, "tags is missing"),
                ({"namespaces": ["none.such"]}, "no sharded collection 'none.such'")]
        for content, says in rows:
            with self.subTest(content=content):
                path = self.write("zones.json", content)
                self.refused(65, "plan", "--snapshot", snapshot("imbalanced"), "--zones", path, says=[str(path), says])
        self.refused(66, "plan", "--snapshot", snapshot("imbalanced"), "--zones", self.folder / "none", says="cannot open")
        one, two = self.write("a.json", {"tags": [good]}), self.write("b.json", {"tags": [good]})
        self.refused(65, "plan", "--snapshot", snapshot("imbalanced"), "--zones", one, "--zones", two,
                     says="has its zone ranges in")
        self.refused(64, "plan", "--snapshot", "-", "--zones", "-", says="both read standard input")

    def test_other_commands_know_nothing_of_it(self):
        self.refused(64, "zones", "check", "--snapshot", snapshot("imbalanced"), "--drain", "shard1", says="unknown option")
        self.refused(64, "round", "--add-shard", "x", says="unknown option")


class Apply(WhatIfCase):
    def test_a_plan_for_another_cluster_is_refused(self):
        zones = self.write("zones.json", {"namespaces": ["shop.users"]})
        for args, says in ((("--add-shard", "n"), "one more shard, which it has not"),
                           (("--zones", zones), "other zones, which it has not"),
                           (("--drain", "shard1", "--add-shard", "n"), "whatIf[1]")):
            path = self.folder / "plan.json"
            self.ok("plan", "--snapshot", snapshot("imbalanced"), "--format", "json", "-o", path, *args)
            self.refused(65, "apply", path, "--uri", "mongodb://127.0.0.1:1", "--yes", says=[str(path), says])

    def test_a_drained_or_weighed_shard_is_no_other_cluster(self):
        path = self.folder / "plan.json"
        self.ok("plan", "--snapshot", snapshot("imbalanced"), "--format", "json", "-o", path, "--drain", "shard1",
                "--weight", "shard0=2")
        done = run("apply", path, "--uri", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50", "--yes",
                   "--journal", self.folder / "journal.db")
        self.assertEqual(done.returncode, 69, done.stderr)  # the file is taken, and nobody is there


if __name__ == "__main__":
    unittest.main()
