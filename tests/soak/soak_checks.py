# SPDX-License-Identifier: Apache-2.0
"""What must hold all the time, and at the end. Each function returns what is wrong, as sentences."""
import collections
import contextlib
import json
import sqlite3
import statistics

from soak_cluster import milliseconds, order, spelled

# The service looks at zones right before a command leaves; so much simulated time may lie between that and the cluster's beginning.
LOOK_MS = 5000
FLAT_BYTES, FLAT_PART, FLAT_FILES = 2 << 20, 0.10, 2
CONNECTIONS = 16  # three migrations with seven shards, one in reserve, looks, the lease; each with one that watches, and before that the old ones


def _move(e):
    d = e["details"]
    return e["ns"], spelled(d["min"]), d["from"], d["to"]


class Migrations:
    """Those of the cluster's changelog, from their start to their end; fed in the order of time."""

    def __init__(self):
        self.under_way = {}   # by _move()
        self.commits = collections.Counter()
        self.failed = 0

    def feed(self, entries, states):
        """New entries; what they tell against the states that were in force."""
        wrong = []
        for e in sorted(entries, key=lambda e: (e["time"], e["_id"])):
            if e["what"] == "moveChunk.start":
                self.under_way[_move(e)] = e
            elif e["what"] == "moveChunk.error":
                self.failed += 1
                self.under_way.pop(_move(e), None)
            elif e["what"] == "moveChunk.commit":
                self.commits[_move(e)] += 1
                begun = self.under_way.pop(_move(e), e)
                wrong += judge(e, milliseconds(begun["time"]), states)
        return wrong

    def shared(self):
        """Shards that take part in two at a time."""
        count = collections.Counter(s for e in self.under_way.values() for s in (e["details"]["from"], e["details"]["to"]))
        return [s for s, n in count.items() if n > 1]


def allowed(e, state):
    """None, or why this migration must not happen in that state."""
    low, high, to = order(e["details"]["min"]), order(e["details"]["max"]), e["details"]["to"]
    if to in state["draining"]:
        return f"{to} is draining"
    for start, end, zone in state["ranges"].get(e["ns"], ()):
        if start < high and low < end and zone not in state["zones"].get(to, ()):
            return f"the range lies in zone {zone}, which {to} does not carry"
    return None


def judge(e, begun, states):
    """Right where any state that was in force when the command left allows it."""
    since = begun - LOOK_MS
    whys = [allowed(e, s) for s in states if s["since"] <= begun and (s["until"] is None or s["until"] >= since)]
    if None in whys:
        return []
    return [f"{e['ns']} [{spelled(e['details']['min'])}, {spelled(e['details']['max'])}) went from {e['details']['from']} to {e['details']['to']} "
            f"(begun at {begun}): {'; '.join(sorted(set(whys)))}"]


def twice_busy(status):
    """Shards that the service itself says take part in two migrations."""
    count = collections.Counter(s for m in status["migrations"] if m["kind"] == "migration" for s in (m["from"], m["to"]))
    return [f"{s} takes part in {n} migrations at once" for s, n in count.items() if n > 1]


def _rows(journal, query):
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


def journal_rows(journal):
    return dict(_rows(journal, "SELECT state, count(*) FROM migrations GROUP BY state"))


def journal(path, commits):
    """Every commit of the changelog is there once as committed, and nothing else is; nothing is left open."""
    rows = _rows(path, "SELECT ns, min_json, donor, recipient FROM migrations WHERE state = 'committed'")
    told = collections.Counter((ns, json.dumps(json.loads(low)), donor, to) for ns, low, donor, to in rows)
    wrong = [f"committed {n} times in the changelog and not in the journal: {m}" for m, n in (commits - told).items()]
    wrong += [f"committed {n} times in the journal and not in the changelog: {m}" for m, n in (told - commits).items()]
    wrong += [f"row {i} is left {state}" for i, state in
              _rows(path, "SELECT id, state FROM migrations WHERE ended_at IS NULL UNION ALL SELECT id, state FROM splits WHERE ended_at IS NULL")]
    return wrong + overlaps(path)


def overlaps(path):
    """Two rows of one shard under way at the same time."""
    wrong, busy = [], collections.defaultdict(lambda: (0, None))
    for i, donor, to, start, end in _rows(path, "SELECT id, donor, recipient, started_at, ended_at FROM migrations WHERE started_at IS NOT NULL "
                                                "AND ended_at IS NOT NULL ORDER BY started_at, id"):
        for shard in (donor, to):
            if busy[shard][0] > start:
                wrong.append(f"rows {busy[shard][1]} and {i} had {shard} at the same time")
            busy[shard] = max(busy[shard], (end, i), key=lambda b: b[0])
    return wrong


def flat(samples):
    """Of the process that lived to the end: medians in the last quarter of its life against those after a tenth of it, which is for warming up, and up to
    35 %. `samples`: [(time, resident bytes, descriptors, of these connections to the cluster)], taken while it was idle. Connections are kept for as
    many migrations at a time as there are shard pairs, and made when they are first needed: of them only the most there ever were is judged.
    Returns what is wrong, and a sentence."""
    first, last = samples[0][0], samples[-1][0]
    part = [(s[0] - first) / max(last - first, 1) for s in samples]
    early = [s for s, p in zip(samples, part) if 0.10 <= p <= 0.35]
    late = [s for s, p in zip(samples, part) if p >= 0.75]
    if len(early) < 3 or len(late) < 3:
        return [], f"not judged, {len(samples)} samples are too few"
    (bytes1, files1), (bytes2, files2) = [[statistics.median(s[i] for s in some) for i in (1, 2)] for some in (early, late)]
    connections = max(s[3] for s in samples)
    text = (f"resident {bytes1 / (1 << 20):.1f} MiB, then {bytes2 / (1 << 20):.1f} MiB; descriptors {files1:g}, then {files2:g}; at most {connections} connections to the "
            f"cluster besides; over {(last - first) / 86400e3:.1f} days, {len(samples)} samples")
    wrong = []
    if bytes2 > bytes1 * (1 + FLAT_PART) + FLAT_BYTES:
        wrong.append(f"memory grows: {text}")
    if files2 > files1 + FLAT_FILES:
        wrong.append(f"descriptors grow: {text}")
    if connections > CONNECTIONS:
        wrong.append(f"more connections than there is work for: {text}")
    return wrong, text
