#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A migration is answered with an error: every verdict of the catalogue, with and without a known outcome, wrapped, without a code. Here those
that are tried again, and those that end one step."""
from faults import ALL, DATA, error, FaultCase, later, Row
from sandbox_server import main


AGAIN = (
    Row("lock timeout", (error(24),)),
    Row("lock busy, twice", (error(46, times=2),), ALL),
    Row("overloaded", (error(462),), ("7.0.14",)),
    Row("no primary found", (error(133),)),
    Row("donating", (error(117, "this shard is currently donating chunk", times=2),), ALL),
    Row("stepped down", (error(189),), ALL, bad=(("move", "failed", 189, "soon"),)),
    Row("host unreachable, twice", (error(6, times=2),), bad=(("move", "failed", 6, "soon"),) * 2),
    Row("balancer interrupted", (error(194),), bad=(("move", "failed", 194, "soon"),)),
    Row("wrapped step-down", (error(96, "moveChunk command failed on source shard. :: caused by :: PrimarySteppedDown: x"),),
        bad=(("move", "failed", 96, "soon"),)),
    Row("wrapped not master", (error(96, "Data transfer error: not master"),), ALL, bad=(("move", "failed", 96, "soon"),)),
)
LATER = (
    later("stale config", error(13388), bad=(("move", "failed", 13388, "round"),)),
    later("no chunk with these bounds", error(0, "no chunk found with the shard key bounds [{ _id: 0 }, { _id: 1 })"), versions=("4.2.25", "5.0.31"),
          bad=(("move", "failed", None, "round"),)),
    later("no chunk with these bounds, with its code", error(656452), versions=("7.0.14",), bad=(("move", "failed", 656452, "round"),)),
    later("write concern", error(64, "waiting for replication timed out"), bad=(("move", "failed", 64, "round"),)),
    later("interrupted", error(11601, "operation was interrupted"), versions=ALL, bad=(("move", "failed", 11601, "round"),)),
    later("time limit", error(50), bad=(("move", "failed", 50, "round"),)),
    later("internal error", error(8), bad=(("move", "failed", 8, "round"),)),
    later("a code of no catalogue", error(123456789, "never heard of"), versions=ALL, bad=(("move", "failed", 123456789, "round"),)),
    later("no code, a text of no catalogue", error(0, "never heard of"), versions=ALL, bad=(("move", "failed", None, "round"),)),
    later("wrapped, a text of no catalogue", error(96, "never heard of"), versions=ALL, bad=(("move", "failed", 96, "round"),)),
    later("command failed", error(125, "recipient is not steady"), bad=(("move", "failed", 125, "round"),)),
    later("commit: not on the donor", error(40165), bad=(("move", "failed", 40165, "round"),)),
    later("orphans cannot be cleaned up", error(265), bad=(("move", "failed", 265, "round"),)),
    later("index build", error(12587), bad=(("move", "failed", 12587, "round"),)),
    later("write block", error(371), versions=("7.0.14",), bad=(("move", "failed", 371, "round"),)),
    later("back too soon", error(96, DATA + "ExceededTimeLimit: Failed to delete orphaned shop.orders range"), versions=ALL,
          bad=(("move", "failed", 96, "round"),)),
    later("hostile text", error(96, "\x1b]0;x\x07 </script> \u202e %s%n \n second line"), bad=(("move", "failed", 96, "round"),)),
    # nothing to be done for this chunk, and for the recipient
    later("invalid options", error(72), bad=(("move", "failed", 72, "chunk"),)),
    later("bad value", error(2), versions=ALL, bad=(("move", "failed", 2, "chunk"),)),
    later("recipient's range deleter is off", error(313), bad=(("move", "failed", 313, "chunk"),)),
    # too big: left as jumbo
    later("too big", error(153, "chunk too big to move"), versions=ALL, bad=(("move", "failed", 153, "split"),)),
    later("too big, wrapped", error(96, "Cannot move chunk: the maximum number of documents for a chunk is 3000"), versions=ALL,
          bad=(("move", "failed", 96, "split"),)),
    later("too many writes", error(146), bad=(("move", "failed", 146, "split"),)),
)


class Replies(FaultCase):
    def test_tried_again(self):
        self.run_rows(AGAIN)

    def test_later(self):
        self.run_rows(LATER)


if __name__ == "__main__":
    main()
