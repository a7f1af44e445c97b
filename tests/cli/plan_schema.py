# SPDX-License-Identifier: Apache-2.0
"""Checks a plan in JSON against the contract: the keys and types of every record, and what must agree between
them. faults(plan) lists what is wrong; as a program it takes files, and exits 1 when one has a fault."""
import json
import math
import re
import sys

EXCLUDED = ("timeSeries", "noBalance", "unsplittable", "defragmenting", "resharding", "migrationsNotPermitted",
            "filtered", "metadataInvalid")


def text(x):
    return isinstance(x, str) and x != ""


def count(x):
    return isinstance(x, int) and not isinstance(x, bool) and x >= 0


def number(x):
    return isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x) and x >= 0


def boolean(x):
    return isinstance(x, bool)


def document(x):
    return isinstance(x, dict)


def array(x):
    return isinstance(x, list)


def texts(x):
    return array(x) and all(map(text, x))


def maybe(check):
    def either(x):
        return x is None or check(x)
    either.__name__ = f"null or {check.__name__}"
    return either


def one_of(*words):
    def known(x):
        return x in words
    known.__name__ = "one of " + ", ".join(map(str, words))
    return known


def matching(pattern):
    def matches(x):
        return isinstance(x, str) and re.fullmatch(pattern, x) is not None
    matches.__name__ = f"text like {pattern}"
    return matches


MOMENT = matching(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

# Record: (what the contract asks for, what may stand there besides).
PLAN = ({"schemaVersion": one_of(1), "planId": matching("[0-9a-f]{16,64}"), "tool": document,
         "generatedAt": MOMENT, "source": document, "policy": document,
         "collections": array, "rounds": array, "summary": document, "warnings": array},
        {"whatIf": array, "peak": array, "zoneChange": document, "advice": array})
CHANGE = ({"kind": one_of("drain", "addShard", "weight", "zones")},
          {"shard": text, "zones": texts, "weight": number, "file": text, "collections": texts, "shards": texts})
PEAK = ({"shard": text, "bytes": count, "orphanBytes": maybe(count), "bytesIn": count, "bytesOut": count, "peakBytes": count,
         "promptPeakBytes": count, "bytesAfter": count, "limitBytes": maybe(count), "sizesAssumed": boolean}, {})
ZONE_CHANGE = ({"moves": array, "impossible": array}, {})
ZONE_MOVE = ({"zone": maybe(text), "shard": text, "migrationsOut": count, "bytesOut": count, "migrationsIn": count,
              "bytesIn": count}, {})
ZONE_FAULT = ({"ns": text, "zone": text, "reason": one_of("zoneWithoutShard", "noEligibleShard"), "ranges": count, "chunks": count,
               "bytes": maybe(count), "why": text}, {})
TOOL = ({"name": one_of("evenkeel"), "version": matching(r"\d+\.\d+\.\d+.*")}, {})
SOURCE = ({"kind": one_of("snapshot", "dump", "cluster"), "name": text, "serverVersion": maybe(text)}, {})
POLICY = ({"name": one_of("count", "size", "optimal"), "unit": one_of("chunks", "bytes")}, {})
COLLECTION = ({"ns": text, "shardKey": maybe(document), "status": one_of("balanced", "imbalanced", "excluded"),
               "excludedReason": one_of(None, *EXCLUDED), "zones": texts, "shards": array},
              {"violation": maybe(text), "chunks": count, "bytes": maybe(count), "sizesAssumed": boolean,
               "imbalanceBefore": number, "imbalanceAfter": number})
SHARD = ({"shard": text, "chunks": count, "bytes": maybe(count), "targetBytes": maybe(count), "chunksAfter": count,
          "bytesAfter": maybe(count)}, {"targetChunks": count})
ROUND = ({"round": count, "splits": array, "migrations": array}, {})
SPLIT = ({"ns": text, "min": document, "max": document, "at": array, "reason": one_of("zoneBoundary", "sessions")},
         {"shard": text, "version": text})
MIGRATION = ({"id": count, "ns": text, "min": document, "max": document, "from": text, "to": text, "version": text,
              "reason": one_of("drain", "zoneViolation", "imbalance"), "zone": maybe(text), "bytes": maybe(count),
              "forceJumbo": boolean, "why": text}, {"openMin": boolean, "openMax": boolean})
SUMMARY = ({"migrations": count, "splits": count, "bytes": maybe(count), "rounds": count, "time": document,
            "lowerBound": document, "imbalanceBefore": number, "imbalanceAfter": number, "blocked": array},
           {"complete": boolean})
TIME = ({"minimumSeconds": number, "expectedSeconds": number, "lowSeconds": number, "highSeconds": number,
         "basis": one_of("changelog", "journal", "default")},
        {"lowerBoundSeconds": number, "barrierSeconds": number, "startsAt": MOMENT, "earliestEnd": maybe(MOMENT),
         "expectedEnd": maybe(MOMENT), "latestEnd": maybe(MOMENT)})
LOWER_BOUND = ({"bytes": maybe(count), "rounds": count}, {})
BLOCKED = ({"ns": maybe(text), "min": maybe(document), "shard": maybe(text), "reason": matching("[a-z][A-Za-z]*"),
            "why": text}, {"chunks": count, "bytes": maybe(count)})
ADVICE = ({"code": matching("[a-z][A-Za-z]*"), "ns": maybe(text), "shard": maybe(text), "message": text, "todo": text},
          {"commands": texts})
WARNING = ({"code": matching("[a-z][A-Za-z]*"), "ns": maybe(text), "message": text}, {})


class Checker:
    def __init__(self):
        self.faults = []

    def fault(self, where, what):
        self.faults.append(f"{where}: {what}")

    def expect(self, holds, where, what):
        if not holds:
            self.fault(where, what)

    def record(self, x, shape, where):
        """Whether `x` has all its keys, each of its type, and none that nobody knows."""
        asked, allowed = shape
        before = len(self.faults)
        if not isinstance(x, dict):
            self.fault(where, "is not a document")
            return False
        for key, check in asked.items():
            if key not in x:
                self.fault(where, f"lacks {key}")
        for key, value in x.items():
            check = asked.get(key, allowed.get(key))
            if check is None:
                self.fault(where, f"has the unknown key {key}")
            elif not check(value):
                self.fault(where, f"{key} is {json.dumps(value)[:80]}, not {check.__name__}")
        return len(self.faults) == before

    def records(self, xs, shape, where):
        # A list, so that one fault does not hide those behind it.
        return all([self.record(x, shape, f"{where}[{i}]") for i, x in enumerate(xs)])

    def shapes(self, plan):
        if not self.record(plan, PLAN, "plan"):
            return
        self.record(plan["tool"], TOOL, "tool")
        self.record(plan["source"], SOURCE, "source")
        self.record(plan["policy"], POLICY, "policy")
        self.records(plan.get("whatIf", []), CHANGE, "whatIf")
        self.records(plan.get("peak", []), PEAK, "peak")
        if "zoneChange" in plan and self.record(plan["zoneChange"], ZONE_CHANGE, "zoneChange"):
            self.records(plan["zoneChange"]["moves"], ZONE_MOVE, "zoneChange.moves")
            self.records(plan["zoneChange"]["impossible"], ZONE_FAULT, "zoneChange.impossible")
        if self.records(plan["collections"], COLLECTION, "collections"):
            for c in plan["collections"]:
                self.records(c["shards"], SHARD, f"collection {c['ns']}, shards")
        if self.records(plan["rounds"], ROUND, "rounds"):
            for r in plan["rounds"]:
                self.records(r["splits"], SPLIT, f"round {r['round']}, splits")
                self.records(r["migrations"], MIGRATION, f"round {r['round']}, migrations")
        self.records(plan["warnings"], WARNING, "warnings")
        self.records(plan.get("advice", []), ADVICE, "advice")
        if self.record(plan["summary"], SUMMARY, "summary"):
            self.record(plan["summary"]["time"], TIME, "summary.time")
            self.record(plan["summary"]["lowerBound"], LOWER_BOUND, "summary.lowerBound")
            self.records(plan["summary"]["blocked"], BLOCKED, "summary.blocked")

    def rounds(self, plan, collections):
        next_id = 1
        for number_, r in enumerate(plan["rounds"], 1):
            where = f"round {number_}"
            self.expect(r["round"] == number_, where, f"is called {r['round']}")
            busy = set()
            for m in r["migrations"]:
                at = f"{where}, migration {m['id']}"
                self.expect(m["id"] == next_id, at, f"ought to have the id {next_id}")
                next_id += 1
                self.expect(m["from"] != m["to"], at, "goes nowhere")
                self.expect(not busy & {m["from"], m["to"]}, at, "takes a shard that is taken in this round")
                busy |= {m["from"], m["to"]}
                self.range_of(m, collections, at)
            for i, s in enumerate(r["splits"]):
                at = f"{where}, split {i}"
                self.expect(s["at"] != [], at, "cuts nowhere")
                self.range_of(s, collections, at)
                for point in s["at"]:
                    self.expect(list(point) == list(s["min"]), at, "a point's fields are not the bounds'")
                    self.expect(point not in (s["min"], s["max"]), at, "a point is one of the bounds")

    def range_of(self, x, collections, where):
        c = collections.get(x["ns"])
        if c is None:
            self.fault(where, f"{x['ns']} is not among the collections")
            return
        self.expect(c["status"] != "excluded", where, f"{x['ns']} is excluded")
        for end in ("min", "max"):
            self.expect(list(x[end]) == list(c["shardKey"]), where, f"fields of {end} are not the shard key's")
        self.expect(x["min"] != x["max"], where, "the range is empty")
        if x.get("zone") is not None:
            self.expect(x["zone"] in c["zones"], where, f"zone {x['zone']} has no range there")

    def totals(self, plan):
        migrations = [m for r in plan["rounds"] for m in r["migrations"]]
        splits = [s for r in plan["rounds"] for s in r["splits"]]
        summary = plan["summary"]
        self.expect(summary["migrations"] == len(migrations), "summary", "migrations is not their number")
        self.expect(summary["splits"] == len(splits), "summary", "splits is not their number")
        self.expect(summary["rounds"] == len(plan["rounds"]), "summary", "rounds is not their number")
        if all(m["bytes"] is not None for m in migrations) and summary["bytes"] is not None:
            self.expect(summary["bytes"] == sum(m["bytes"] for m in migrations), "summary", "bytes is not their sum")
        time = summary["time"]
        self.expect(time["lowSeconds"] <= time["expectedSeconds"] <= time["highSeconds"], "summary.time",
                    "low, expected, high are not in order")
        self.expect(summary["lowerBound"]["rounds"] <= summary["rounds"], "summary.lowerBound",
                    "more rounds than the plan has")

    def peaks(self, plan):
        """Each is what is there, what was there and is not deleted, and what comes; what comes has left elsewhere."""
        for p in plan.get("peak", []):
            where = f"peak of {p['shard']}"
            start = p["bytes"] + (p["orphanBytes"] or 0)
            self.expect(p["peakBytes"] == start + p["bytesIn"], where, "peakBytes is not the sum")
            self.expect(start <= p["promptPeakBytes"] <= p["peakBytes"], where, "promptPeakBytes is out of bounds")
            self.expect(p["bytesAfter"] == p["bytes"] + p["bytesIn"] - p["bytesOut"], where, "bytesAfter is not the sum")
        migrations = [m for r in plan["rounds"] for m in r["migrations"]]
        for key, end in (("bytesIn", "to"), ("bytesOut", "from")):
            for p in plan.get("peak", []):
                self.expect(p[key] == sum(m["bytes"] or 0 for m in migrations if m[end] == p["shard"]),
                            f"peak of {p['shard']}", f"{key} is not what the migrations move")

    def collection(self, c, plan):
        """What stays, comes and goes adds up."""
        where = f"collection {c['ns']}"
        self.expect((c["excludedReason"] is not None) == (c["status"] == "excluded"), where,
                    "status and excludedReason disagree")
        self.expect(c["shardKey"] is not None or c["excludedReason"] == "metadataInvalid", where, "has no shard key")
        names = [s["shard"] for s in c["shards"]]
        self.expect(len(names) == len(set(names)), where, "lists a shard twice")
        migrations = [m for r in plan["rounds"] for m in r["migrations"] if m["ns"] == c["ns"]]
        parts = sum(len(s["at"]) for r in plan["rounds"] for s in r["splits"] if s["ns"] == c["ns"])
        before, after = (sum(s[k] for s in c["shards"]) for k in ("chunks", "chunksAfter"))
        self.expect(c.get("chunks", before) == before, where, "chunks is not the sum over its shards")
        if not any(m.get("openMax") for m in migrations):
            self.expect(after == before + parts, where, f"{before} chunks and {parts} cuts, but {after} chunks after")
        if all(s["bytes"] is not None and s["bytesAfter"] is not None for s in c["shards"]):
            before, after = (sum(s[k] for s in c["shards"]) for k in ("bytes", "bytesAfter"))
            self.expect(before == after, where, f"{before} bytes before, {after} after")
        for m in migrations:
            self.expect(m["from"] in names and m["to"] in names, where, f"lacks a shard of migration {m['id']}")


def faults(plan):
    """What is wrong with the plan, one line each; an empty list for a sound one."""
    checker = Checker()
    checker.shapes(plan)
    if checker.faults:
        return checker.faults
    collections = {c["ns"]: c for c in plan["collections"]}
    checker.expect(len(collections) == len(plan["collections"]), "collections", "one is listed twice")
    checker.rounds(plan, collections)
    checker.totals(plan)
    checker.peaks(plan)
    for c in plan["collections"]:
        checker.collection(c, plan)
    return checker.faults


def main(paths):
    bad = False
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for line in faults(json.load(file)):
                print(f"{path}: {line}")
                bad = True
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
