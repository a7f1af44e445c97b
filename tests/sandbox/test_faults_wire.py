#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replies that are lost, before the command is carried out or after, or that say something else than what the cluster did."""
from faults import ALL, FaultCase, injected, Row
from sandbox_server import main
from wire_proxy import at_reply, MOVES, refused

LOST = (
    Row("reply lost before", (injected("replyLostBefore"),), ALL, bad=(("move", "failed", None, "soon"),)),
    Row("reply lost after", (injected("replyLostAfter"),), ALL),
    Row("before, twice, and after", (injected("replyLostAfter"), injected("replyLostBefore", times=2)), bad=(("move", "failed", None, "soon"),) * 2),
    Row("every other reply lost after", (injected("replyLostAfter", times=0, probability=0.5),), ALL),
    Row("connection cut after the commit", wire=at_reply((MOVES, 0, None)), versions=ALL),
    Row("cut after each commit", wire=at_reply(*[(MOVES, n, None) for n in range(6)])),
)
SAYS_OTHERWISE = tuple(
    Row(f"after the commit: {what}", wire=at_reply((MOVES, 1, reply)), versions=versions) for what, reply, versions in (
        ("orphans not cleaned up", refused(265, codeName="OrphanedRangeCleanUpFailed"), ALL),
        ("wrapped", refused(96, "moveChunk command failed on source shard. :: caused by :: interrupted"), ALL),
        ("data transfer", refused(96, "Data transfer error: ExceededTimeLimit: range deletion"), ("5.0.31",)),
        ("disk full, wrapped", refused(96, "Data transfer error: OutOfDiskSpace: x"), ("5.0.31",)),
        ("not permitted, wrapped", refused(96, "not authorized"), ("5.0.31",)),
        ("too big, wrapped", refused(125, "chunk too big"), ("5.0.31",)),
        ("stepped down", refused(189), ALL),
        ("interrupted", refused(11601), ("5.0.31",)),
        ("commit: not on the donor", refused(40165), ("5.0.31",)),
        ("unsatisfiable write concern", refused(100), ("5.0.31",)),
        ("a code of no catalogue", refused(987654), ("5.0.31",)),
        ("no code", refused(0), ("5.0.31",)),
        ("neither ok nor not", {"hello": "there"}, ("5.0.31",)),
        ("nothing", {}, ("5.0.31",)),
        ("strange types", {"ok": "no", "code": "13", "errmsg": 7}, ("5.0.31",)),
    ))


class Wire(FaultCase):
    def test_lost(self):
        self.run_rows(LOST)

    def test_says_otherwise(self):
        self.run_rows(SAYS_OTHERWISE)


if __name__ == "__main__":
    main()
