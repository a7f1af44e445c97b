#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Splits that fail, or whose reply is lost; and chunks that are too big to move: left, split, or forced."""
import json

from faults import ALL, Bench, error, fail_command, FaultCase, injected, later, Row
from sandbox_server import main, REAL

TOO_BIG = ("move", "failed", 153, "split")


class SplitBench(Bench):
    """A split, a migration that rests on it, and two that do not."""
    state = "imbalanced"


class BigBench(Bench):
    """The second migration's chunk is too big for every version, its halves are not."""

    def snapshot(self):
        snapshot = json.loads((REAL / self.state / "snapshot.json").read_text(encoding="utf-8"))
        users = snapshot["sizes"]["shop.users"]["shard0"]
        more = {name: int(users[name]["$numberLong"]) + n for name, n in (("bytes", 2300 << 10), ("documents", 2300))}
        snapshot["sizes"]["shop.users"]["shard0"] = more
        big = {"min": {"userId": {"$minKey": 1}}, "bytes": 2300 << 10, "documents": 2300}
        snapshot["sizes"] = [{"_id": ns, "shards": shards, "chunks": [big] if ns == "shop.users" else []} for ns, shards in snapshot["sizes"].items()]
        path = self.log.with_name("big.json")
        path.write_text(json.dumps(snapshot), encoding="utf-8")
        return ("--snapshot", path)


def split_error(code, text="injected", times=1):
    return error(code, text, times, command="split")


def without_split(name, *faults, **more):
    """The split fails, and what rests on it is dropped."""
    return later(name, *faults, committed=2, **more)


SPLITS = (
    Row("lock busy, twice", (split_error(46, times=2),), ALL),
    Row("reply lost before", (injected("replyLostBefore", command="split"),), ALL, bad=(("split", "failed", None, "soon"),)),
    Row("reply lost after", (injected("replyLostAfter", command="split"),), ALL),
    Row("stepped down", (split_error(189),), ALL, bad=(("split", "failed", 189, "soon"),)),
    Row("shard without a primary for a while", (injected("stepdown", shard="shard0", ms=20),), ALL),
    Row("split by somebody else already", (injected("chunkSplit", ns="shop.users", at={"userId": 3050}),), ALL,
        bad=(("split", "aborted", None, None),)),
    without_split("key too big", split_error(13334), versions=("4.2.25",), bad=(("split", "failed", 13334, "chunk"),)),
    without_split("cannot split", split_error(87), versions=ALL, bad=(("split", "failed", 87, "chunk"),)),
    without_split("a bound already, it says", split_error(0, "new split key { userId: 3050 } is a boundary key of existing chunk"), versions=ALL,
                  bad=(("split", "failed", None, "round"),)),
    without_split("stale", split_error(13388), bad=(("split", "failed", 13388, "round"),)),
    without_split("no code, a text of no catalogue", split_error(0, "never heard of"), versions=ALL, bad=(("split", "failed", None, "round"),)),
    without_split("lock busy, for ever", split_error(46, times=0), bad=(("split", "failed", 46, "soon"),)),
    later("not sharded", split_error(118), committed=0, bad=(("split", "failed", 118, "collection"),)),
    later("not permitted", split_error(13, "not authorized"), committed=0, says=("stopped: ", "clusterManager"), bad=(("split", "failed", 13, "stop"),)),
    later("config servers' disk is full", split_error(14031), committed=0, says=("stopped: ", "config servers"), bad=(("split", "failed", 14031, "stop"),)),
)
LOST = ("split", "failed", None, "soon")
BIG = (
    later("left", versions=ALL, bad=(TOO_BIG,), says=("jumbo",), again=1, again_bad=(TOO_BIG,) * 2),
    later("split", versions=ALL, config="jumbo: split", bad=(TOO_BIG,), says=("has been split",), again=75, again_says=("stale", "shop.users")),
    later("split: no median", split_error(87), versions=ALL, config="jumbo: split", bad=(TOO_BIG, ("split", "failed", 87, "chunk")),
          says=("jumbo",), again=1, again_says=("has been split",), again_bad=(TOO_BIG, ("split", "failed", 87, "chunk"), TOO_BIG)),
    later("split: reply lost before", injected("replyLostBefore", command="split"), versions=ALL, config="jumbo: split", bad=(TOO_BIG, LOST),
          again=1, again_says=("has been split",), again_bad=(TOO_BIG, LOST, TOO_BIG)),
    later("split: reply lost after", injected("replyLostAfter", command="split"), versions=ALL, config="jumbo: split", bad=(TOO_BIG,), again=75),
    Row("forced", versions=("5.0.31", "7.0.14"), config="jumbo: force"),
    Row("forced, and stepped down", (fail_command(skip=2, errorCode=189),), versions=("5.0.31", "7.0.14"), config="jumbo: force",
        bad=(("move", "failed", 189, "soon"),)),
    later("forced, which this version cannot", versions=("4.2.25",), config="jumbo: force", bad=(TOO_BIG,), again=1, again_bad=(TOO_BIG,) * 2),
)


class Splits(FaultCase):
    bench = SplitBench

    def test_splits(self):
        self.run_rows(SPLITS)


class Big(FaultCase):
    bench = BigBench

    def test_big(self):
        self.run_rows(BIG)


if __name__ == "__main__":
    main()
