# SPDX-License-Identifier: Apache-2.0
"""plan --compare: several policies' plans side by side, the same as each by itself, and what is refused."""
import pathlib
import re
import tempfile
import unittest

import plan_schema
from evenkeel_cli import CommandCase, run, snapshot

STATES = ("imbalanced", "after-moves", "draining", "balanced")


def policies():
    """Those of the built command, as the refusal of another names them."""
    return re.findall(r"\w+", run("plan", "--policy", "none").stderr.split("; use ")[1].replace(" or ", " "))


class Compare(CommandCase):
    def compare(self, names, *args, state="imbalanced", **kwargs):
        answer = self.ok_json("plan", "--snapshot", snapshot(state), "--compare", names, "--format", "json", *args, **kwargs)
        checker = plan_schema.Checker()
        for entry in answer["compare"]:
            checker.record(entry["summary"], plan_schema.SUMMARY, "summary")
            checker.record(entry["policy"], plan_schema.POLICY, "policy")
            checker.records(entry["warnings"], plan_schema.WARNING, "warnings")
        self.assertEqual(checker.faults, [])
        return answer

    def test_each_is_the_plan_that_it_is_by_itself(self):
        names = policies()
        self.assertLessEqual({"auto", "count", "size"}, set(names))
        for state in STATES:
            for args in (("--until-balanced",), ("--rounds", "2"), ("--max-moves", "3"), ("--add-shard", "new:EU")):
                with self.subTest(state=state, args=args):
                    answer = self.compare(",".join(names), *args, state=state)
                    self.assertEqual([e["name"] for e in answer["compare"]], names)
                    for entry in answer["compare"]:
                        alone = self.ok_json("plan", "--snapshot", snapshot(state), "--policy", entry["name"],
                                             "--format", "json", *args)
                        for key in ("planId", "policy", "summary", "warnings"):
                            self.assertEqual(entry[key], alone[key], key)
                        self.assertEqual(answer.get("whatIf"), alone.get("whatIf"))

    def test_all_are_measured_alike(self):
        answer = self.compare("size,count,auto", "--until-balanced")
        self.assertEqual(answer["sharesOf"], "size")
        by = {e["name"]: e for e in answer["compare"]}
        for entry in by.values():
            self.assertEqual(entry["before"], by["size"]["before"])
            self.assertLessEqual(entry["after"]["bytesOverShares"], entry["before"]["bytesOverShares"])
        self.assertEqual(by["auto"]["after"], by["count"]["after"])
        # Where data is what a policy balances, its own figure is this one.
        self.assertEqual(by["size"]["summary"]["imbalanceBefore"], by["size"]["before"]["imbalance"])
        self.assertEqual(by["size"]["summary"]["imbalanceAfter"], by["size"]["after"]["imbalance"])

    def test_text(self):
        for columns in ("60", "80", "200"):
            text = self.ok("plan", "--snapshot", snapshot("draining"), "--until-balanced", "--compare", "auto,size",
                           env={"COLUMNS": columns})
            self.assertLessEqual(max(map(len, text.splitlines())), int(columns))
            self.assertRegex(text, r"(?m)^ +auto \(count\) +size$")
            for row in ("migrations", "splits", "data moved", "rounds", "time", "fullest shard over its share",
                        "chunks that cannot move", "more left for later rounds"):
                self.assertRegex(text, rf"(?m)^{row} +\S")
        quiet = self.ok("plan", "--snapshot", snapshot("draining"), "--quiet", "--compare", "auto,size", "--drain", "shard1")
        self.assertIn("what if: shard 'shard1' is draining", quiet)
        self.assertNotIn("What shards hold", quiet)

    def test_a_warning_is_told_once(self):
        text = self.ok("plan", "--snapshot", snapshot("imbalanced"), "--compare", "count,size", "--weight", "shard0=2")
        self.assertEqual(text.count("weightIgnored"), 2)  # each policy's own
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "c.yaml"
            config.write_text("balancer:\n  shards:\n    nobody: {receive: false}\n", encoding="utf-8")
            text = self.ok("plan", "--snapshot", snapshot("imbalanced"), "--compare", "count,size", "--config", config)
        self.assertEqual(text.count("warning unknownShard"), 1)

    def test_exit_codes_and_output(self):
        args = ("plan", "--compare", "count,size", "--detailed-exitcode")
        self.ok(*args, "--snapshot", snapshot("imbalanced"), code=2)
        self.ok(*args, "--snapshot", snapshot("balanced"), "--ns", "none.such", code=0)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "out.txt"
            self.assertEqual(self.ok("plan", "--compare", "count,size", "--snapshot", snapshot("imbalanced"), "-o", path), "")
            self.assertIn("count", path.read_text(encoding="utf-8"))

    def test_refusals(self):
        rows = [("count", "is not two policies or more"), ("", "is not two policies or more"),
                ("count,", "the name of a policy is empty"), ("count,count", "policy 'count' is named twice"),
                ("count,none", "unknown policy 'none'")]
        for names, says in rows:
            with self.subTest(names=names):
                self.refused(64, "plan", "--snapshot", snapshot("balanced"), "--compare", names, says=["--compare", says])
        args = ("plan", "--snapshot", snapshot("balanced"), "--compare", "count,size")
        self.refused(64, *args, "--policy", "size", says="exclude each other")
        for name in ("commands", "html", "none"):
            self.refused(64, *args, "--format", name, says=["--compare", "this command writes: text, json"])
        self.refused(66, "plan", "--snapshot", "/none/such", "--compare", "count,size", says="cannot open")


if __name__ == "__main__":
    unittest.main()
