#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A migration is answered with an error that ends more than one step, fails at a step of its own on the donor, or is answered with an error
though it was carried out."""
from faults import ALL, DATA, error, fail_command, FaultCase, later, Row
from sandbox_server import main

# What else is dropped: of the collection (5 steps are shop.users'), of the recipient (3 go to shard3), of both, everything.
WIDER = (
    later("no index", fail_command(skip=1, errorCode=27), versions=ALL, committed=1, bad=(("move", "failed", 27, "collection"),)),
    later("not sharded", fail_command(skip=1, errorCode=118), committed=1, bad=(("move", "failed", 118, "collection"),)),
    later("migrations not allowed", error(117, "Collection is undergoing changes and chunks cannot be moved"), versions=("5.0.31", "7.0.14"),
          bad=(("move", "failed", 117, "collection"),)),
    later("recipient cannot create the index", fail_command(skip=1, errorCode=67), versions=ALL, committed=3,
          bad=(("move", "failed", 67, "collection"),)),
    later("recipient cannot create it, wrapped", error(96, DATA + "IndexOptionsConflict: the index exists with other options"),
          bad=(("move", "failed", 96, "collection"),)),
    later("recipient is no shard", error(70), versions=ALL, committed=3, bad=(("move", "failed", 70, "round"),)),
    later("recipient drains", error(20, "shard3 is currently draining."), versions=("4.2.25", "5.0.31"), committed=3,
          bad=(("move", "failed", 20, "round"),)),
    later("recipient's disk is full", error(96, DATA + "OutOfDiskSpace: no space left on device"), versions=ALL, committed=3,
          bad=(("move", "failed", 96, "round"),)),
    later("not permitted", error(13, "not authorized on admin to execute command"), versions=ALL, committed=0, says=("stopped: ", "clusterManager"),
          bad=(("move", "failed", 13, "stop"),)),
    later("not permitted, without a code", error(0, "not authorized on admin"), committed=0, says=("stopped: ", "clusterManager"),
          bad=(("move", "failed", None, "stop"),)),
    later("not permitted, in the middle", fail_command(skip=2, errorCode=13), committed=2, says=("stopped: ", "clusterManager"),
          bad=(("move", "failed", 13, "stop"),)),
    later("no such command", error(59), versions=("4.2.25", "5.0.31"), committed=0, says=("stopped: ", "mongos"), bad=(("move", "failed", 59, "stop"),)),
    Row("no such command: the older one does", (error(59),), ("7.0.14",), resent=1),
    later("write concern of no shard", error(100), committed=0, says=("stopped: ", "secondaryThrottle"), bad=(("move", "failed", 100, "stop"),)),
    later("log in again, for ever", error(391, times=0), committed=0, bad=(("move", "failed", 391, "soon"),) * 6),
    later("lock busy, for ever", error(46, times=0), committed=0, bad=(("move", "failed", 46, "soon"),) * 6),
)
# The migration goes wrong on the donor, at a step of its own.
AT_STEP = tuple(
    Row(f"donor steps down at step {step}", (error(11602, "operation was interrupted", step=step),), ("4.2.25", "7.0.14"),
        bad=(("move", "failed", 96, "soon"),)) for step in (1, 3, 4, 6)) + (
    later("donor's disk at step 4", error(14031, "no space left", step=4), versions=ALL, committed=3, bad=(("move", "failed", 14031, "round"),)),
)
# The command was carried out all the same.
CONCERN = (
    Row("write concern failed after the commit", (fail_command(writeConcernError={"code": 64, "errmsg": "waiting for replication timed out"}),), ALL),
    Row("unsatisfiable write concern after the commit", (fail_command(writeConcernError={"code": 100, "errmsg": "Not enough data-bearing nodes"}),)),
)


class Wider(FaultCase):
    def test_wider(self):
        self.run_rows(WIDER)

    def test_at_step(self):
        self.run_rows(AT_STEP)

    def test_write_concern(self):
        self.run_rows(CONCERN)


if __name__ == "__main__":
    main()
