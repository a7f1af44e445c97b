# SPDX-License-Identifier: Apache-2.0
"""evenkeel plan on states of a real cluster: formats, limits, filters, and that the same input gives the same."""
import copy
import json
import pathlib
import re
import tempfile
import unittest

import plan_schema
from evenkeel_cli import CommandCase, dump, run, snapshot

STATES = ("imbalanced", "after-moves", "draining", "balanced")
MIB = 1024 * 1024


def migrations(plan):
    return [m for r in plan["rounds"] for m in r["migrations"]]


def moves(plan):
    """What would be done, without the estimates."""
    return [(r["round"], m["ns"], m["min"], m["max"], m["from"], m["to"], m["version"], m["reason"], m["zone"])
            for r in plan["rounds"] for m in r["migrations"]]


def dated(text):
    return re.sub(r'"generatedAt": "[^"]*"', '"generatedAt": ""', text)


class PlanCase(CommandCase):
    def plan(self, state, *args, **kwargs):
        """The plan as JSON, checked against the contract."""
        plan = self.ok_json("plan", "--snapshot", snapshot(state), "--format", "json", *args, **kwargs)
        self.assertEqual(plan_schema.faults(plan), [])
        return plan


class Formats(PlanCase):
    def test_json_is_what_the_contract_says(self):
        for state in STATES:
            for args in ((), ("--until-balanced",), ("--rounds", "3"), ("--policy", "size"),
                         ("--policy", "size", "--until-balanced"), ("--ns", "shop.*")):
                with self.subTest(state=state, args=args):
                    plan = self.plan(state, *args)
                    self.assertEqual(plan["source"], {"kind": "snapshot", "name": str(snapshot(state)),
                                                      "serverVersion": "4.2.0"})

    def test_schema_check_bites(self):
        sound = self.plan("imbalanced", "--until-balanced")
        first = {"from": migrations(sound)[0]["from"]}
        damages = [
            lambda p: p.pop("planId"),
            lambda p: p.update(schemaVersion=2),
            lambda p: p.update(extra=1),
            lambda p: p["summary"].update(migrations=0),
            lambda p: p["summary"].update(bytes="many"),
            lambda p: p["summary"]["time"].update(basis="guess"),
            lambda p: p["collections"][0].update(status="excluded"),
            lambda p: p["collections"][0]["shards"][0].update(chunksAfter=1000),
            lambda p: p["collections"][0].update(shards=[]),
            lambda p: p["rounds"][0].update(round=2),
            lambda p: p["rounds"][0]["migrations"][0].update(to=first["from"]),
            lambda p: p["rounds"][0]["migrations"][0].update(min={"other": 1}),
            lambda p: p["rounds"][0]["migrations"][0].update(reason="whim"),
            lambda p: p["rounds"][0]["migrations"][0].update(id=2),
            lambda p: p["rounds"][0]["migrations"].append(copy.deepcopy(p["rounds"][0]["migrations"][0])),
        ]
        for i, damage in enumerate(damages):
            with self.subTest(damage=i):
                plan = copy.deepcopy(sound)
                damage(plan)
                self.assertNotEqual(plan_schema.faults(plan), [])

    def test_text_tells_the_moves(self):
        plan = self.plan("imbalanced")
        text = self.ok("plan", "--snapshot", snapshot("imbalanced"), "--all")
        for m in migrations(plan):
            self.assertIn(m["ns"], text)
        self.assertIn(self.ok("plan", "--snapshot", snapshot("imbalanced"), "--quiet").splitlines()[0], text)

    def test_quiet_is_shorter_and_all_is_longer(self):
        args = ("plan", "--snapshot", snapshot("imbalanced"), "--until-balanced")
        lengths = [len(self.ok(*args, *extra)) for extra in (("--quiet",), (), ("--all",))]
        self.assertEqual(lengths, sorted(set(lengths)))

    def test_text_keeps_to_the_width(self):
        for columns in (40, 60, 80, 200):
            text = self.ok("plan", "--snapshot", snapshot("imbalanced"), "--until-balanced", "--all",
                           env={"COLUMNS": str(columns)})
            self.assertLessEqual(max(map(len, text.splitlines())), columns)

    def test_commands_carry_out_the_plan_in_order(self):
        plan = self.plan("imbalanced", "--until-balanced")
        script = self.ok("plan", "--snapshot", snapshot("imbalanced"), "--until-balanced", "--format", "commands")
        moved = re.findall(r'"?moveChunk"?: "([^"]+)"', script)
        self.assertEqual(moved, [m["ns"] for m in migrations(plan)])
        self.assertEqual(len(re.findall(r'"?\bsplit"?: "', script)),
                         sum(len(s["at"]) for r in plan["rounds"] for s in r["splits"]))

    def test_formats_agree_on_the_end(self):
        for fmt in ("text", "json", "commands"):
            text = self.ok("plan", "--snapshot", snapshot("balanced"), "--format", fmt)
            self.assertTrue(text.endswith("\n") and not text.endswith("\n\n"), fmt)


class ExitCode(PlanCase):
    def test_detailed(self):
        for state, want in (("imbalanced", 2), ("after-moves", 2), ("draining", 2), ("balanced", 0)):
            with self.subTest(state=state):
                args = ("plan", "--snapshot", snapshot(state))
                self.assertEqual(self.ok(*args, "--detailed-exitcode", code=want), self.ok(*args))

    def test_detailed_goes_by_what_is_planned(self):
        self.ok("plan", "--snapshot", snapshot("imbalanced"), "--ns", "nothing.*", "--detailed-exitcode")

    def test_detailed_counts_splits(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
            config.write("balancer: {shards: {" +
                         ", ".join(f"shard{i}: {{receive: false}}" for i in range(4)) + "}}\n")
            config.flush()
            args = ("imbalanced", "--config", config.name, "--detailed-exitcode")
            plan = self.plan(*args, code=2)
        self.assertEqual((plan["summary"]["migrations"], plan["summary"]["splits"]), (0, 1))

    def test_detailed_keeps_other_codes(self):
        self.refused(66, "plan", "--snapshot", "/nonexistent", "--detailed-exitcode")
        self.refused(73, "plan", "--snapshot", snapshot("imbalanced"), "--detailed-exitcode", "-o", "/nonexistent/x")


class Projection(PlanCase):
    def test_rounds(self):
        one = self.plan("imbalanced")
        self.assertEqual(len(one["rounds"]), 1)
        for n in (2, 3, 10):
            plan = self.plan("imbalanced", "--rounds", n)
            self.assertLessEqual(len(plan["rounds"]), n)
            self.assertEqual(moves(plan)[:len(moves(one))], moves(one))
        self.assertEqual(len(self.plan("imbalanced", "--rounds", 3)["rounds"]), 3)

    def test_until_balanced_ends_at_rest(self):
        for state in STATES:
            with self.subTest(state=state):
                plan = self.plan(state, "--until-balanced")
                self.assertTrue(plan["summary"]["complete"])
                more = self.plan(state, "--rounds", len(plan["rounds"]) + 5)
                self.assertEqual(moves(more), moves(plan))
                self.assertLessEqual(plan["summary"]["imbalanceAfter"], plan["summary"]["imbalanceBefore"])

    def test_draining_shard_is_emptied(self):
        plan = self.plan("draining", "--until-balanced")
        left = {c["ns"]: s["chunksAfter"] for c in plan["collections"] for s in c["shards"]
                if s["shard"] == "shard2" and s["chunksAfter"] > 0}
        blocked = {b["ns"] for b in plan["summary"]["blocked"] if b["shard"] == "shard2"}
        self.assertEqual(set(left) - blocked, set())
        self.assertTrue(any(m["reason"] == "drain" for m in migrations(plan)))
        self.assertFalse(any(m["to"] == "shard2" for m in migrations(plan)))

    def test_balanced_cluster_is_left_alone(self):
        plan = self.plan("balanced", "--until-balanced")
        self.assertEqual(migrations(plan), [])
        self.assertEqual(plan["summary"]["migrations"], 0)
        statuses = {c["ns"]: c["status"] for c in plan["collections"]}
        self.assertEqual(statuses["shop.users"], "balanced")
        self.assertEqual(statuses["shop.places"], "excluded")


class Repeatable(PlanCase):
    def test_same_input_gives_the_same_bytes(self):
        for args in ((), ("--format", "json", "--until-balanced"), ("--format", "commands", "--until-balanced"),
                     ("--format", "json", "--seed", "7", "--until-balanced")):
            with self.subTest(args=args):
                texts = {dated(self.ok("plan", "--snapshot", snapshot("imbalanced"), *args)) for _ in range(3)}
                if "commands" in args:
                    texts = {re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z", "", t) for t in texts}
                self.assertEqual(len(texts), 1)

    def test_seed(self):
        plans = {seed: self.plan("imbalanced", "--seed", seed, "--until-balanced") for seed in (0, 1, 2, 3, 4294967295)}
        for seed, plan in plans.items():
            self.assertEqual(self.plan("imbalanced", "--seed", seed, "--until-balanced")["planId"], plan["planId"])
        self.assertGreater(len({p["planId"] for p in plans.values()}), 1)

    def test_plan_id_tells_plans_apart(self):
        ids = [self.plan(state, *args)["planId"] for state in STATES[:3] for args in ((), ("--rounds", "2"))]
        self.assertEqual(len(set(ids)), len(ids))

    def test_dump_and_snapshot_of_one_state(self):
        for state in STATES:
            with self.subTest(state=state):
                args = ("--policy", "count", "--until-balanced", "--format", "json")
                from_dump = self.ok_json("plan", "--dump", dump(state), *args)
                self.assertEqual(plan_schema.faults(from_dump), [])
                self.assertEqual(from_dump["source"]["kind"], "dump")
                self.assertEqual(moves(from_dump), moves(self.plan(state, *args)))
                above = self.ok_json("plan", "--dump", dump(state).parent, *args)
                self.assertEqual(moves(above), moves(from_dump))


class Limits(PlanCase):
    def test_max_moves(self):
        total = len(migrations(self.plan("imbalanced", "--until-balanced")))
        self.assertGreater(total, 10)
        for n in (1, 2, 7, total, total + 1):
            with self.subTest(n=n):
                plan = self.plan("imbalanced", "--until-balanced", "--max-moves", n)
                self.assertEqual(len(migrations(plan)), min(n, total))
                self.assertEqual(plan["summary"]["complete"], n >= total)

    def test_max_bytes(self):
        free = self.plan("imbalanced", "--until-balanced")
        total = free["summary"]["bytes"]
        for limit in (total // 10, total // 2, total):
            with self.subTest(limit=limit):
                plan = self.plan("imbalanced", "--until-balanced", "--max-bytes", limit)
                self.assertLessEqual(plan["summary"]["bytes"], limit)
                self.assertGreater(len(migrations(plan)), 0)
        self.assertEqual(moves(self.plan("imbalanced", "--until-balanced", "--max-bytes", total)), moves(free))
        self.assertEqual(moves(self.plan("imbalanced", "--max-bytes", "1.5PiB")), moves(self.plan("imbalanced")))

    def test_max_time(self):
        free = self.plan("imbalanced", "--until-balanced")
        expected = free["summary"]["time"]["expectedSeconds"]
        plan = self.plan("imbalanced", "--until-balanced", "--max-time", f"{max(1, int(expected * 500))}ms")
        self.assertLess(len(migrations(plan)), len(migrations(free)))
        self.assertLessEqual(plan["summary"]["time"]["expectedSeconds"], expected / 2 + 0.001)
        self.assertEqual(moves(self.plan("imbalanced", "--until-balanced", "--max-time", "90d")), moves(free))


class When(PlanCase):
    """The calendar: where it is known when the plan begins."""

    def times(self, *args, config="", state="imbalanced"):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "evenkeel.yaml")
            file.write_text(config, encoding="utf-8")
            plan = self.plan(state, "--until-balanced", "--config", file, *args)
            return plan["planId"], plan["summary"]["time"]

    def test_the_calendar_is_asked_for(self):
        """Else a plan for programs would not be the same again."""
        _, time = self.times()
        self.assertNotIn("startsAt", time)
        _, time = self.times("--start", "2026-12-24T18:00")
        self.assertLess(time["startsAt"], time["expectedEnd"])
        self.assertLessEqual(time["earliestEnd"], time["expectedEnd"])
        self.assertLessEqual(time["expectedEnd"], time["latestEnd"])
        self.assertGreaterEqual(time["expectedSeconds"], time["lowerBoundSeconds"])
        self.assertGreater(time["barrierSeconds"], time["expectedSeconds"])

    def test_start_moves_the_calendar_alone(self):
        plan_id, time = self.times()
        later_id, later = self.times("--start", "2026-12-24T18:00:00Z")
        self.assertEqual(plan_id, later_id)
        self.assertEqual(later["startsAt"], "2026-12-24T18:00:00Z")
        self.assertEqual(later["expectedEnd"][:13], "2026-12-24T18")
        seconds = [{k: v for k, v in t.items() if k.endswith("Seconds")} for t in (time, later)]
        self.assertEqual(*seconds)
        _, now = self.times("--start", "now")
        self.assertGreater(now["startsAt"], "2026-11-20T22:04:43Z")

    def test_windows(self):
        window = 'balancer: {windows: [{days: [fri], start: "%s", stop: "%s", timezone: UTC}]}\n'
        _, time = self.times("--start", "2026-11-17", config=window % ("23:00", "23:30"))  # a Tuesday
        self.assertEqual(time["expectedEnd"][:16], "2026-11-20T23:00")
        _, time = self.times("--start", "2026-11-20T23:29:50Z", config=window % ("23:00", "23:30"))
        self.assertEqual(time["expectedEnd"][:16], "2026-11-27T23:00")
        text = self.ok("plan", "--snapshot", snapshot("imbalanced"), "--until-balanced", "--quiet", "--start",
                       "2026-11-17", "--config", self.write(window % ("23:00", "23:30")), env={"COLUMNS": "400"})
        self.assertIn("Begun 2026-11-17 00:00 UTC, it is done Friday 23:00.", text)
        text = self.ok("drain", "shard2", "--snapshot", snapshot("imbalanced"), "--config",
                       self.write(window % ("23:00", "23:30")), env={"COLUMNS": "400"})
        self.assertIn("Begun 2026-11-20 22:04 UTC, it is done 23:00.", text)

    def test_limits(self):
        _, free = self.times()
        _, slow = self.times(config="migrations: {maxBytesPerHour: 2MiB}\n")
        _, single = self.times(config="migrations: {maxConcurrent: 1}\n")
        self.assertGreater(slow["expectedSeconds"], 3600)
        self.assertGreaterEqual(single["expectedSeconds"], free["expectedSeconds"])
        self.assertLess(free["expectedSeconds"], 3600)

    def test_no_time(self):
        for word in ("yesterday", "", "25:00"):
            self.refused(64, "plan", "--snapshot", snapshot("balanced"), "--start", word, says="--start")

    def write(self, text):
        file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.addCleanup(file.close)
        file.write(text)
        file.flush()
        return file.name


class Namespaces(PlanCase):
    def planned(self, *args, **kwargs):
        plan = self.plan("imbalanced", *args, **kwargs)
        return ({c["ns"] for c in plan["collections"] if c["excludedReason"] == "filtered"},
                {m["ns"] for m in migrations(plan)})

    def test_globs(self):
        every = {c["ns"] for c in self.plan("imbalanced")["collections"]}
        shop = {ns for ns in every if ns.startswith("shop.")}
        rows = [
            (("--ns", "*"), every),
            (("--ns", "shop.*"), shop),
            (("--ns", "shop.users"), {"shop.users"}),
            (("--ns", "shop.users", "--ns", "telemetry.*"), {"shop.users"} | (every - shop)),
            (("--ns", "!shop.*"), every - shop),
            (("--ns", "shop.*", "--ns", "!shop.users"), shop - {"shop.users"}),
            (("--ns", "!shop.users", "--ns", "shop.*"), shop - {"shop.users"}),
            (("--ns", "s?op.users"), {"shop.users"}),
            (("--ns", "nothing"), set()),
        ]
        for args, want in rows:
            with self.subTest(args=args):
                filtered, moved = self.planned(*args, "--until-balanced")
                self.assertEqual(filtered, every - want)
                self.assertLessEqual(moved, want)

    def test_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder, "evenkeel.yaml")
            config.write_text('balancer:\n  namespaces: ["shop.*", "!shop.users"]\n', encoding="utf-8")
            self.assertEqual(self.planned("--config", config),
                             self.planned("--ns", "shop.*", "--ns", "!shop.users"))
            self.assertEqual(self.planned("--config", config, "--ns", "telemetry.*"),
                             self.planned("--ns", "telemetry.*"))


class Configuration(PlanCase):
    def with_config(self, text, *args, state="imbalanced"):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder, "evenkeel.yaml")
            config.write_text(text, encoding="utf-8")
            return self.plan(state, "--config", config, *args)

    def test_empty_changes_nothing(self):
        self.assertEqual(moves(self.with_config("balancer: {policy: auto}\n")), moves(self.plan("imbalanced")))

    def test_policy_and_the_option_before_it(self):
        self.assertEqual(self.with_config("balancer: {policy: size}\n")["policy"], {"name": "size", "unit": "bytes"})
        self.assertEqual(self.with_config("balancer: {policy: size}\n", "--policy", "count")["policy"]["name"],
                         "count")
        self.assertEqual(self.with_config("balancer: {policy: size}\n", "--policy", "auto")["policy"]["name"],
                         "count")

    def test_optimal(self):
        plan = self.with_config("balancer: {policy: optimal}\n", "--until-balanced")
        self.assertEqual(plan["policy"], {"name": "optimal", "unit": "bytes"})
        # Chunks of several sizes: whole ones seldom make up the very least.
        self.assertGreaterEqual(plan["summary"]["bytes"], plan["summary"]["lowerBound"]["bytes"])
        self.assertEqual(plan["summary"]["rounds"], plan["summary"]["lowerBound"]["rounds"])
        self.assertEqual(self.with_config("balancer: {policy: optimal, balance: cluster}\n")["policy"]["name"], "optimal")

    def test_faults_are_shown_with_their_place(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("balancer:\n  polcy: count\n  interval: often\n")
            file.flush()
            done = run("plan", "--snapshot", snapshot("balanced"), "--config", file.name)
            self.assertEqual(done.returncode, 78)
            self.assertEqual(done.stdout, "")
            self.assertIn(f"{file.name}:2:", done.stderr)
            self.assertIn(f"{file.name}:3:", done.stderr)

    def test_shard_that_does_not_receive(self):
        plan = self.with_config("balancer:\n  shards:\n    shard3: {receive: false}\n", "--until-balanced")
        self.assertGreater(len(migrations(plan)), 0)
        self.assertNotIn("shard3", {m["to"] for m in migrations(plan)})

    def test_collection_that_is_switched_off(self):
        plan = self.with_config("balancer:\n  collections:\n    shop.users: {enabled: false}\n", "--until-balanced")
        self.assertGreater(len(migrations(plan)), 0)
        self.assertNotIn("shop.users", {m["ns"] for m in migrations(plan)})


def skewed(version="8.0.4", **more):
    """Four shards, of which one holds all of a collection of 400 GiB."""
    key = [{"$minKey": 1}, 1, 2, 3, {"$maxKey": 1}]
    return {"evenkeelSnapshot": 1, "serverVersion": version, "shards": [{"_id": f"s{i}"} for i in range(4)],
            "collections": [{"_id": "a.b", "key": {"x": 1}}],
            "chunks": [{"ns": "a.b", "min": {"x": low}, "max": {"x": high}, "shard": "s0"} for low, high in zip(key, key[1:])],
            "sizes": {"a.b": {"s0": 400 * 1024 * MIB}}, **more}


class Advice(PlanCase):
    def advice(self, snapshot_, *args):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(snapshot_, file)
            file.flush()
            answer = self.ok_json(args[0], *args[1:], "--snapshot", file.name, "--format", "json")
            return {(a["code"], a["ns"]): a for a in answer["advice"]}

    def test_recorded_clusters(self):
        want = {"balanced": {("jumbo", "shop.carts"), ("unevenChunkSizes", "shop.carts")}, "imbalanced": set(),
                "after-moves": set(), "draining": set()}
        for state in STATES:
            with self.subTest(state=state):
                given = self.plan(state)["advice"]
                self.assertEqual({(a["code"], a["ns"]) for a in given}, want[state])
                again = self.plan(state)["advice"]
                self.assertEqual(given, again)

    def test_recorded_dumps(self):
        """A dump has the log of all splits: those by hand, when the cluster was made, are no sign of anything."""
        for state in STATES:
            with self.subTest(state=state):
                plan = self.ok_json("plan", "--dump", dump(state), "--format", "json")
                self.assertNotIn("ascendingKey", [a["code"] for a in plan["advice"]])

    def test_text(self):
        text = self.ok("plan", "--snapshot", snapshot("balanced"))
        self.assertIn("\nAdvice\n  jumbo shop.carts: 1 chunk on shard0", text)
        self.assertIn('db.adminCommand({split: "shop.carts"', text)
        self.assertNotIn("Advice", self.ok("plan", "--snapshot", snapshot("balanced"), "--quiet"))
        self.assertNotIn("Advice", self.ok("plan", "--snapshot", snapshot("imbalanced")))
        self.assertNotIn("jumbo", self.ok("plan", "--snapshot", snapshot("balanced"), "--format", "commands"))

    def test_resharding_for_plan_and_drain(self):
        command = 'db.adminCommand({reshardCollection: "a.b", key: { "x": NumberInt(1) }, forceRedistribution: true})'
        for args in (("plan",), ("drain", "s0")):
            with self.subTest(args=args):
                given = self.advice(skewed(), *args)
                self.assertEqual(given[("reshardFaster", "a.b")]["commands"], [command])
                self.assertEqual(self.advice(skewed("7.0.9"), *args), {})
        self.assertEqual(self.advice(skewed(), "drain", "s1"), {})

    def test_draining_by_an_option(self):
        """A zone whose only shard is taken away for the question."""
        zoned = skewed(tags=[{"ns": "a.b", "min": {"x": 1}, "max": {"x": 2}, "tag": "EU"}])
        zoned["shards"][0]["tags"] = ["EU"]
        self.assertNotIn(("zoneCannotBeMet", "a.b"), self.advice(zoned, "plan"))
        given = self.advice(zoned, "plan", "--drain", "s0")
        self.assertIn("s0 is draining", given[("zoneCannotBeMet", "a.b")]["message"])

    def test_a_limit_of_the_configuration(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("balancer: {shards: {s1: {maxBytes: 100GiB}}}\n")
            file.flush()
            self.assertEqual(self.advice(skewed(), "plan", "--config", file.name), {})


class Policies(PlanCase):
    def test_auto_goes_by_version(self):
        doc = json.loads(snapshot("imbalanced").read_text(encoding="utf-8"))
        for version, want in (("4.2.0", "count"), ("6.0.2", "count"), ("6.0.3", "size"), ("7.0.14", "size")):
            with self.subTest(version=version), tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                doc["serverVersion"] = version
                json.dump(doc, file)
                file.flush()
                plan = self.ok_json("plan", "--snapshot", file.name, "--format", "json")
                self.assertEqual(plan["policy"]["name"], want)

    def test_sizes_file_stands_in_for_sizes(self):
        doc = json.loads(snapshot("imbalanced").read_text(encoding="utf-8"))
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(doc["sizes"], file)
            file.flush()
            args = ("--policy", "size", "--until-balanced", "--format", "json")
            with_sizes = self.ok_json("plan", "--dump", dump("imbalanced"), "--sizes", file.name, *args)
            without = self.ok_json("plan", "--dump", dump("imbalanced"), *args)
        self.assertEqual(moves(with_sizes), moves(self.plan("imbalanced", *args)))
        self.assertIn("sizesAssumed", {w["code"] for w in without["warnings"]})
        self.assertNotIn("sizesAssumed", {w["code"] for w in with_sizes["warnings"]})


if __name__ == "__main__":
    unittest.main()
