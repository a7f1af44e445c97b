# SPDX-License-Identifier: Apache-2.0
"""The read-only answers (zones, route, explain, drain) on metadata recorded from a real cluster."""

import json
import os
import subprocess
import tempfile
import unittest

EVENKEEL = os.environ["EVENKEEL"]
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "real-4.2")
STATES = ["imbalanced", "after-moves", "draining", "balanced"]
COLLECTIONS = ["shop.orders", "shop.users", "telemetry.events", "shop.carts", "shop.mixed", "shop.places",
               "telemetry.logs"]


def snapshot(state):
    return os.path.join(DATA, state, "snapshot.json")


def run(*args, env=None):
    merged = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "100", **(env or {})}
    return subprocess.run([EVENKEEL, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, env=merged, check=False)


class Answers(unittest.TestCase):
    def ask(self, *args, state="imbalanced", code=0):
        """Runs on a recorded state; standard error must be empty."""
        done = run(*args, "--snapshot", snapshot(state))
        self.assertEqual(done.stderr, "", args)
        self.assertEqual(done.returncode, code, args)
        return done.stdout

    def ask_json(self, *args, state="imbalanced", code=0):
        answer = json.loads(self.ask(*args, "--format", "json", state=state, code=code))
        self.assertEqual(answer["schemaVersion"], 1)
        self.assertEqual(answer["source"]["kind"], "snapshot")
        return answer

    def refuse(self, code, words, *args):
        """One line on standard error, nothing on standard output."""
        done = run(*args)
        self.assertEqual(done.returncode, code, (args, done.stderr))
        self.assertEqual(done.stdout, "", args)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(words, done.stderr)


class Zones(Answers):
    def test_show(self):
        for state in STATES:
            text = self.ask("zones", "show", state=state)
            for word in ("shop.orders", "shop.users", "telemetry.logs", "ARCHIVE", "(gap)", "shard3"):
                self.assertIn(word, text)
            self.assertNotIn("shop.carts", text)

    def test_show_one(self):
        answer = self.ask_json("zones", "show", "shop.users")
        self.assertEqual([c["ns"] for c in answer["collections"]], ["shop.users"])
        gap, archive = answer["collections"][0]["ranges"]
        self.assertTrue(gap["gap"])
        self.assertEqual(gap["max"], {"userId": 3050})
        self.assertEqual((gap["chunks"], gap["chunksCrossing"]), (31, 1))
        self.assertEqual((archive["zone"], archive["shards"]), ("ARCHIVE", ["shard3"]))
        self.assertEqual((archive["chunks"], archive["chunksCrossing"]), (9, 1))
        zones = {z["zone"]: z["shards"] for z in answer["zones"]}
        self.assertEqual(zones, {"ARCHIVE": ["shard3"], "EU": ["shard0", "shard1"], "US": ["shard1", "shard2"]})

    def test_show_without_ranges(self):
        self.assertIn("shop.carts", self.ask("zones", "show", "shop.carts"))
        self.assertIn("No collection", self.ask("zones", "show", "--ns", "shop.carts"))

    def test_check(self):
        answer = self.ask_json("zones", "check")
        self.assertEqual((answer["errors"], answer["warnings"]), (0, 1))
        crossing = answer["findings"][0]
        self.assertEqual((crossing["severity"], crossing["code"], crossing["ns"]),
                         ("warning", "chunksCross", "shop.users"))
        self.assertEqual(crossing["fix"], ['sh.splitAt("shop.users", { "userId": NumberInt(3050) })'])
        self.assertEqual(self.ask_json("zones", "check", state="balanced")["warnings"], 0)

    def test_check_errors(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "bad.json")
            with open(snapshot("balanced"), encoding="utf-8") as source:
                metadata = json.load(source)
            metadata["tags"].append({"_id": 1, "ns": "shop.carts", "min": {"tenant": "b"}, "max": {"tenant": "a"},
                                     "tag": "EU"})
            with open(path, "w", encoding="utf-8") as target:
                json.dump(metadata, target)
            done = run("zones", "check", "--snapshot", path)
            self.assertEqual((done.returncode, done.stderr), (65, ""))
            self.assertIn("error invertedRange: shop.carts tags[4]", done.stdout)
            quiet = run("zones", "check", "--snapshot", path, "--quiet")
            self.assertNotIn("info", quiet.stdout)
            self.assertIn("invertedRange", quiet.stdout)
            out = os.path.join(folder, "out.json")
            written = run("zones", "check", "--snapshot", path, "--format", "json", "-o", out)
            self.assertEqual((written.returncode, written.stdout, written.stderr), (65, "", ""))
            with open(out, encoding="utf-8") as answer:
                self.assertEqual(json.load(answer)["errors"], 1)
            elsewhere = run("zones", "check", "--snapshot", path, "--ns", "shop.users")
            self.assertEqual(elsewhere.returncode, 0)

    def test_refused(self):
        self.refuse(64, "zones show [NS]", "zones")
        self.refuse(64, "'mend'", "zones", "mend", "--snapshot", snapshot("balanced"))
        self.refuse(64, "'check' with 1 argument", "zones", "check", "x", "--snapshot", snapshot("balanced"))
        self.refuse(64, "there are shop.orders", "zones", "show", "no.such", "--snapshot", snapshot("balanced"))
        self.refuse(66, "nosuch.json", "zones", "check", "--snapshot", "nosuch.json")


class Route(Answers):
    def test_verdicts(self):
        for ns, query, verdict, reached in [
                ("shop.orders", {"region": "EU", "orderId": 5}, "one", 1),
                ("shop.orders", {"region": {"$in": ["EU", "US"]}}, "some", 2),
                ("shop.orders", {}, "all", 5),
                ("shop.orders", {"orderId": 5}, "all", 5),
                ("telemetry.events", {"deviceId": 5}, "one", 1),
                ("telemetry.events", {"deviceId": {"$gt": 5}}, "all", 32),
                ("shop.users", {"userId": {"$gte": 100, "$lt": 150}}, "one", 1),
                ("shop.users", {"userId": {"$in": []}}, "none", 0)]:
            answer = self.ask_json("route", ns, json.dumps(query))
            self.assertEqual((answer["verdict"], answer["chunksReached"]), (verdict, reached), query)
            self.assertEqual(sum(s["chunks"] for s in answer["shards"]), reached)
            self.assertEqual(sum(z["chunks"] for z in answer["zones"]), reached)
            self.assertEqual(len(answer["chunks"]), reached)

    def test_hashed_chunk(self):
        """The chunk is that of the hash, which `evenkeel hash` gives, too."""
        for value in (5, 17, 4000, "x", None):
            key = int(run("hash", json.dumps(value)).stdout)
            chunk, = self.ask_json("route", "telemetry.events", json.dumps({"deviceId": value}))["chunks"]
            low, high = chunk["min"]["deviceId"], chunk["max"]["deviceId"]
            self.assertTrue(not isinstance(low, int) or low <= key, (value, chunk))
            self.assertTrue(not isinstance(high, int) or key < high, (value, chunk))

    def test_text(self):
        text = self.ask("route", "shop.orders", '{"region": "EU", "x": 1, "$expr": {}}')
        for word in ("Targeted to", "fixes 'region'", "$expr does not narrow", "shard"):
            self.assertIn(word, text)
        folded = self.ask("route", "shop.users", "{}")
        self.assertIn("--all shows them", folded)
        self.assertNotIn("--all", self.ask("route", "shop.users", "{}", "--all"))
        self.assertLess(len(self.ask("route", "shop.users", "{}", "--quiet")), len(folded))

    def test_refused(self):
        source = ["--snapshot", snapshot("balanced")]
        self.refuse(64, "neither a collection nor a filter", "route")
        self.refuse(64, "no filter", "route", "shop.users", *source)
        self.refuse(64, "too many", "route", "shop.users", "{}", "{}", *source)
        self.refuse(64, "the filter", "route", "shop.users", "{userId:", *source)
        self.refuse(64, "the filter", "route", "shop.users", "[]", *source)
        self.refuse(64, "$in needs an array", "route", "shop.users", '{"userId": {"$in": 5}}', *source)
        self.refuse(64, "no sharded collection named 'a.b'", "route", "a.b", "{}", *source)
        self.refuse(64, "", "route", "shop.users", "{}", "--format", "html", *source)
        self.refuse(64, "", "route", "shop.users", "{}")


class Explain(Answers):
    def test_agrees_with_plan(self):
        """What is said to move first is what the plan moves first for that collection alone."""
        for state in STATES:
            for ns in COLLECTIONS:
                for policy in ("count", "size"):
                    answer = self.ask_json("explain", ns, "--policy", policy, state=state)
                    plan = json.loads(self.ask("plan", "--ns", ns, "--policy", policy, "--format", "json", state=state))
                    moves = [m for r in plan["rounds"] for m in r["migrations"]]
                    self.assertEqual(answer["outcome"]["answer"] == "YES", bool(moves), (state, ns, policy))
                    if moves:
                        self.assertIn(f"from {moves[0]['from']} to {moves[0]['to']}", answer["outcome"]["why"])
                        self.assertIn(moves[0]["why"], answer["outcome"]["why"])

    def test_chunks(self):
        answer = self.ask_json("explain", "shop.users", "--chunk", '{"userId": 5}')
        self.assertEqual(answer["chunk"]["min"], {"userId": 0})
        self.assertEqual(answer["chunk"]["shard"], "shard0")
        self.assertIn("firstInOrder", [r["code"] for r in answer["rules"]])
        self.assertEqual([r["subject"] for r in answer["rules"] if r["code"] == "receiver"],
                         ["shard1", "shard2", "shard3"])

    def whole(self, ns, *args, state):
        answer = self.ask_json("explain", ns, *args, "--policy", "optimal", state=state)
        return answer, {r["code"]: r for r in answer["rules"]}

    def test_optimal_is_the_whole_plan(self):
        """What is said of a collection, its shards and its chunks is what the plan of all collections does."""
        for state in STATES:
            plan = json.loads(self.ask("plan", "--until-balanced", "--policy", "optimal", "--format", "json", state=state))
            for ns in COLLECTIONS:
                moves = [m | {"round": r["round"]} for r in plan["rounds"] for m in r["migrations"] if m["ns"] == ns]
                answer, rules = self.whole(ns, state=state)
                self.assertEqual(answer["outcome"]["answer"] == "YES", bool(moves), (state, ns))
                for shard in ("shard0", "shard2"):
                    answer, rules = self.whole(ns, "--shard", shard, state=state)
                    gives, gets = ([m for m in moves if m[end] == shard] for end in ("from", "to"))
                    self.assertEqual(answer["outcome"]["answer"] == "YES", bool(gives + gets), (state, ns, shard))
                    for code, some in (("gives", gives), ("gets", gets)):
                        if code in rules:
                            self.assertEqual(rules[code]["answer"] == "YES", bool(some), (state, ns, shard, code))
                            self.assertIn(f" in {len(some)} migration" if some else "nothing", rules[code]["why"])
                if moves:
                    answer, rules = self.whole(ns, state=state)
                    self.assertIn(f"in round {moves[0]['round']} of {len(plan['rounds'])}: ", answer["outcome"]["why"])
                    self.assertIn(moves[0]["why"], answer["outcome"]["why"])
                    self.assertNotIn("holds the most", str(rules))

    def test_optimal_chunks(self):
        plan = json.loads(self.ask("plan", "--until-balanced", "--policy", "optimal", "--format", "json"))
        where = {m["min"]["userId"]: (r["round"], m) for r in plan["rounds"] for m in r["migrations"]
                 if m["ns"] == "shop.users" and isinstance(m["min"]["userId"], int)}
        goes = stays = 0
        for key in range(0, 4000, 400):
            answer, rules = self.whole("shop.users", "--chunk", '{"userId": %d}' % key, state="imbalanced")
            self.assertNotIn("firstInOrder", rules)
            self.assertEqual(rules["donor"]["answer"], "YES")
            if key in where:
                goes += 1
                n, move = where[key]
                self.assertIn(f"in round {n}", rules["chosen"]["why"])
                self.assertIn(f"from {move['from']} to {move['to']}: {move['why']}", answer["outcome"]["why"])
            else:
                stays += 1
                self.assertEqual((rules["chosen"]["answer"], answer["outcome"]["answer"]), ("NO", "NO"))
                self.assertIn("other chunks", answer["outcome"]["why"])
        self.assertTrue(goes and stays)

    def test_every_kind(self):
        for state in STATES:
            for ns in COLLECTIONS:
                self.assertIn("YES", self.ask("explain", ns, state=state))
                for shard in ("shard0", "shard2"):
                    answer = self.ask_json("explain", ns, "--shard", shard, state=state)
                    self.assertEqual(answer["rules"][0]["code"], "holds")

    def test_excluded(self):
        answer = self.ask_json("explain", "shop.places")
        self.assertEqual(answer["outcome"]["answer"], "NO")
        self.assertIn("sh.enableBalancing", answer["outcome"]["why"])

    def test_refused(self):
        source = ["--snapshot", snapshot("balanced")]
        self.refuse(64, "no collection is given", "explain")
        self.refuse(64, "no sharded collection named 'x.y'", "explain", "x.y", *source)
        self.refuse(64, "exclude each other", "explain", "shop.users", "--chunk", "{}", "--shard", "shard0", *source)
        self.refuse(64, "--chunk", "explain", "shop.users", "--chunk", "{", *source)
        self.refuse(64, "the key of the chunk", "explain", "shop.users", "--chunk", '{"x": 1}', *source)
        self.refuse(64, "no shard 'shard9'", "explain", "shop.users", "--shard", "shard9", *source)
        self.refuse(64, "unknown policy", "explain", "shop.users", "--policy", "best", *source)


class Drain(Answers):
    def test_draining(self):
        answer = self.ask_json("drain", "shard2", state="draining")
        self.assertTrue(answer["draining"])
        self.assertFalse(answer["blocked"])
        self.assertEqual(answer["chunksLeft"], 0)
        self.assertEqual(answer["projection"]["migrations"], answer["chunks"])
        self.assertEqual(sum(c["chunks"] for c in answer["collections"]), answer["chunks"])

    def test_blocked(self):
        answer = self.ask_json("drain", "shard0", state="imbalanced")
        self.assertTrue(answer["blocked"])
        self.assertEqual(answer["databases"], ["shop", "telemetry"])
        places, = [c for c in answer["collections"] if c["ns"] == "shop.places"]
        self.assertEqual((places["excludedReason"], places["migrations"]), ("noBalance", 0))
        self.assertIn('sh.enableBalancing("shop.places")', [b["fix"] for b in answer["blockers"]])
        commands = [c for s in answer["steps"] for c in s["commands"]]
        self.assertEqual(commands[0], 'db.adminCommand({removeShard: "shard0"})')
        self.assertEqual(len([c for c in commands if "movePrimary" in c]), 2)

    def test_only_carrier(self):
        """shard3 alone carries ARCHIVE, which all of telemetry.logs belongs to."""
        answer = self.ask_json("drain", "shard3")
        self.assertIn("noEligibleShard", [b["code"] for b in answer["blockers"]])
        self.assertIn("nowhere", self.ask("drain", "shard3"))

    def test_text(self):
        for state in STATES:
            for shard in ("shard0", "shard1", "shard2", "shard3"):
                text = self.ask("drain", shard, state=state)
                self.assertIn("Steps", text)
                self.assertNotIn("Steps", self.ask("drain", shard, "--quiet", state=state))

    def test_refused(self):
        source = ["--snapshot", snapshot("balanced")]
        self.refuse(64, "no shard is given", "drain", *source)
        self.refuse(64, "more than one", "drain", "shard0", "shard1", *source)
        self.refuse(64, "there are shard0, shard1, shard2 and shard3", "drain", "shard9", *source)


class Everywhere(Answers):
    COMMANDS = [("zones", "show"), ("zones", "check"), ("route", "shop.users", '{"userId": 5}'),
                ("explain", "shop.users"), ("drain", "shard0")]

    def test_same_from_dump(self):
        """A dump tells the same as the snapshot, but for what it does not hold."""
        for command in self.COMMANDS[:3]:
            ours = self.ask_json(*command)
            done = run(*command, "--dump", os.path.join(DATA, "imbalanced", "config"), "--format", "json")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            theirs = json.loads(done.stdout)
            for answer in (ours, theirs):
                del answer["source"]
                for collection in answer.get("collections", []):
                    for part in collection["ranges"]:
                        del part["bytes"]
            self.assertEqual(ours, theirs)

    def test_help(self):
        for name in ("zones", "route", "explain", "drain"):
            done = run(name, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("Examples:", done.stdout)

    def test_repeatable(self):
        for command in self.COMMANDS:
            self.assertEqual(self.ask(*command), self.ask(*command))

    def test_narrow(self):
        """No line of prose or table is wider than the terminal; commands may be, they are to be copied."""
        for command in self.COMMANDS:
            done = run(*command, "--snapshot", snapshot("draining"), env={"COLUMNS": "50"})
            self.assertEqual(done.returncode, 0, done.stderr)
            for line in done.stdout.splitlines():
                if not line.lstrip().startswith(("db.", "sh.")):
                    self.assertLessEqual(len(line), 50, line)


if __name__ == "__main__":
    unittest.main()
