#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mongos goes away, for a while or for good, before anything, before a migration is sent, before its reply; and a settlement that cannot ask."""
import threading

from faults import ALL, FaultCase, Row
from sandbox_server import main
from wire_proxy import MOVES, READS, refused, Replies

GONE_S = 1.2


def gone(bench):
    """mongos goes away, and comes back."""
    bench.wire.close()
    threading.Timer(GONE_S, bench.wire.open).start()


def gone_at(names, nth):
    def setup(bench):
        bench.wire.on_reply = Replies((names, nth, lambda reply: gone(bench)))
    return setup


def gone_for_good_at(names, nth):
    def setup(bench):
        bench.wire.on_reply = Replies((names, nth, lambda reply: bench.wire.close()))
    return setup


def impatient(setup):
    def both(bench):
        bench.uri = bench.uri.replace("TimeoutMS=1000", "TimeoutMS=200")
        setup(bench)
    return both


def back(bench):
    bench.wire.open()


def after_move(nth, script, reply=None):
    """Once a migration is answered, with `reply` (None: the connection breaks; True: as it was), the script begins."""
    def setup(bench):
        def begin(was):
            bench.wire.on_reply = Replies(*script(bench))
            return was if reply is True else reply
        bench.wire.on_reply = Replies((MOVES, nth, begin))
    return setup


def settling(times, reply=None):
    """A migration's reply is lost, after its commit; then reads go wrong so often."""
    return after_move(1, lambda bench: [(READS, n, reply) for n in range(times)])


def at_next_read(what, nth=0):
    """Between two migrations: at the last look before the next is sent."""
    return after_move(nth, lambda bench: [(READS, 0, lambda reply: what(bench))], True)


GONE = (
    Row("gone for good before anything", wire=lambda bench: bench.wire.close(), code=69, committed=0, between=back),
    Row("gone for good while the plan is checked", wire=gone_for_good_at(READS, 6), code=69, committed=0, between=back),
    Row("gone for a while before a command", wire=at_next_read(gone), versions=ALL),
    Row("gone for a while after a commit", wire=gone_at(MOVES, 2), versions=ALL),
    Row("gone for a while, twice", wire=lambda bench: setattr(bench.wire, "on_reply", Replies(
        (MOVES, 0, lambda reply: gone(bench)), (MOVES, 3, lambda reply: gone(bench))))),
    Row("gone for good before a command", attempts=1, wire=impatient(at_next_read(lambda bench: bench.wire.close(), 4)), code=1, committed=5, between=back,
        bad=(("move", "aborted", None, None),)),
    Row("gone for good before the reply", attempts=1, wire=impatient(gone_for_good_at(MOVES, 1)), code=69, committed=1, between=back,
        says=("1 left to the cluster",), bad=(("move", "unknown", None, "soon"),), again_bad=(), again_says=("recovered: 1 migration was under way",)),
)
SETTLING = (
    Row("the settling read fails once", wire=settling(1)),
    Row("the settling read fails three times", wire=settling(3), versions=ALL),
    Row("the settling read is refused once", wire=settling(1, refused(13, "not authorized"))),
    Row("the settling read fails for ever", attempts=1, wire=settling(1000, refused(133)), code=69, committed=1, bad=(("move", "unknown", None, "soon"),),
        says=("1 left to the cluster", "nobody could be asked what became of 1"), again_bad=(), again_says=("recovered: 1 migration was under way",)),
    Row("the settling read finds no primary, three times", wire=settling(3, refused(133))),
)


class Gone(FaultCase):
    def test_rows(self):
        self.run_rows(SETTLING + GONE[::-1])  # the longest first

    def test_round(self):
        """Likewise, of a round that plans by itself; the next one settles first."""
        with self.bench(attempts=1) as bench:
            bench.through_wire()
            impatient(gone_for_good_at(MOVES, 1))(bench)
            done = self.refused(69, bench.round("--yes", "--max-moves", "3"), "nobody could be asked what became of 1", "1 left to the cluster")
            self.assertEqual([e[1] for e in bench.entries()], ["committed", "unknown"], done)
            self.assertEqual(bench.rows("SELECT kind, state FROM v_rounds"), [("forced", "failed")])
            bench.wire.on_reply = None
            bench.wire.open()
            self.code(0, bench.round("--yes", "--max-moves", "1"), "recovered: 1 migration was under way")
            self.assertEqual({e[1] for e in bench.entries()}, {"committed"})
            self.assertLessEqual(set(bench.fresh()), {e[4] for e in bench.entries()})


if __name__ == "__main__":
    main()
