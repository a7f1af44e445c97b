#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What other people do to the cluster while a plan is carried out: split, move, drain, remove, drop, interrupt."""
from faults import ALL, fault, FaultCase, later, meanwhile, on, Row, SLOW
from sandbox_server import main



def kill(bench, client):
    """Somebody ends the migration."""
    for op in client.admin.aggregate([{"$currentOp": {"allUsers": True}}]):
        if str(op.get("desc", "")).startswith("MoveChunk") or "moveChunk" in op.get("command", {}) or "moveRange" in op.get("command", {}):
            client.admin.command({"killOp": 1, "op": op["opid"]})


OTHERS = (
    Row("somebody moves a chunk of a later step away", latency=SLOW, during=on("chunkMoved", 2, to="shard0"), versions=ALL, code=1,
        committed=5, bad=(("move", "aborted", None, None),), again=75, again_says=("stale", "{ userId: 200 }"), same_end=False),
    Row("somebody moves a chunk of a later step where it is to go", latency=SLOW, during=on("chunkMoved", 2, to="shard1"), versions=ALL,
        committed=5, bad=(("move", "aborted", None, None),)),
    Row("somebody splits a chunk of a later step", latency=SLOW, during=on("chunkSplit", 2), versions=ALL, code=1, committed=5,
        bad=(("move", "aborted", None, None),), again=75, again_says=("stale",), same_end=False),
    Row("somebody splits the chunk under way", latency=SLOW, during=on("chunkSplit", 0), versions=ALL, code=1, committed=5,
        bad=(("move", "failed", 40165, "round"),), again=75, again_says=("stale",), same_end=False),
    Row("somebody moves the chunk under way away", latency=SLOW, during=on("chunkMoved", 0, to="shard1"), versions=ALL, code=1, committed=5,
        bad=(("move", "aborted", None, None),), again=75, again_says=("stale",), same_end=False),
    Row("somebody moves the chunk under way where it goes", latency=SLOW, during=on("chunkMoved", 0, to="shard3"), versions=ALL, committed=6,
        by_others=(0,)),
    later("somebody interrupts it", latency=SLOW, during=meanwhile(kill), versions=ALL, bad=(("move", "failed", 11601, "round"),)),
    Row("the recipient of later steps begins to drain", latency=SLOW, versions=("5.0.31", "7.0.14"), code=1, committed=3,
        during=meanwhile(lambda bench, client: client.admin.command({"removeShard": "shard1"})), bad=(("move", "aborted", None, None),) * 3,
        again=75, again_says=("stale", "shard1"), same_end=False),
    Row("the recipient of later steps is removed", latency=SLOW, versions=ALL, code=1, committed=3, during=fault("shardRemoved", shard="shard1"),
        bad=(("move", "aborted", None, None),) * 3, again=75, again_says=("stale", "shard1"), same_end=False),
    Row("the recipient is removed in flight", latency=SLOW, versions=ALL, code=1, committed=3, during=fault("shardRemoved", shard="shard3"),
        bad=(("move", "failed", 70, "round"),), again=75, again_says=("stale", "shard3"), same_end=False),
    Row("a zone is taken from the recipient", latency=SLOW, versions=ALL, code=1, committed=4, during=meanwhile(
        lambda bench, client: (client.admin.command({"addShardToZone": "shard2", "zone": "ARCHIVE"}),
                               client.admin.command({"removeShardFromZone": "shard3", "zone": "ARCHIVE"}))),
        bad=(("move", "aborted", None, None),) * 2, again=75, again_says=("stale", "shard3"), same_end=False),
    Row("the collection is dropped", latency=SLOW, versions=ALL, code=1, committed=1, during=meanwhile(
        lambda bench, client: client.shop.drop_collection("users")), bad=(("move", "aborted", None, None),) * 5,
        again=75, again_says=("stale", "shop.users"), same_end=False),
)


class Flight(FaultCase):
    def test_others(self):
        self.run_rows(OTHERS)


if __name__ == "__main__":
    main()
