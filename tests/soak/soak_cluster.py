# SPDX-License-Identifier: Apache-2.0
"""The simulated cluster of the soak: made from a seed, changed by an operator who tries again, and restarted with all it knows. Which
zones, carriers and draining shards there were at what time is remembered, to judge migrations by."""
import contextlib
import datetime
import json
import os
import subprocess

import bson
import pymongo
from bson import json_util
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey

EVENKEEL = os.environ.get("EVENKEEL", "evenkeel")
CANONICAL = json_util.JSONOptions(document_class=bson.SON, json_mode=json_util.JSONMode.CANONICAL)
MIB = 1 << 20
TIMEOUT = 60  # of reality, in seconds: what takes longer has hung
CHUNK_MB = 64
AGAIN = (6, 7, 24, 46, 50, 89, 91, 112, 133, 189, 262, 9001, 10107, 11600, 11601, 11602, 13435)  # worth another try
REGIONS = ("AP", "EU", "US")
KEYS = {"shop.orders": ("region", "id"), "shop.users": ("userId",), "shop.items": ("sku",), "shop.notes": ("n",), "iot.readings": ("device",)}
HASHED = ("shop.items",)


def point(ns, *values):
    """A bound: the values given, the rest MinKey."""
    names = KEYS[ns]
    return bson.SON((name, values[i] if i < len(values) else MinKey()) for i, name in enumerate(names))


def order(bound):
    """What Python compares as MongoDB does, for the types that stand in these keys."""
    def rank(value):
        if isinstance(value, MinKey):
            return (0,)
        if isinstance(value, MaxKey):
            return (3,)
        return (2, value) if isinstance(value, str) else (1, int(value))
    return tuple(rank(v) for v in bound.values())


def spelled(bound):
    return json.dumps(json.loads(json_util.dumps(bound, json_options=json_util.RELAXED_JSON_OPTIONS)))


def milliseconds(when):
    """Of a date as pymongo tells it: UTC."""
    return int(when.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)


def cuts(ns, rng):
    if ns == "shop.orders":
        return [point(ns, r, *([] if i == 0 else [Int64(i * 1000 + rng.randrange(900))])) for r in REGIONS for i in range(14)]
    if ns in HASHED:
        step = (1 << 64) // 40
        return [point(ns, Int64(-(1 << 63) + i * step)) for i in range(1, 40)]
    n = {"shop.users": 50, "shop.notes": 10, "iot.readings": 80}[ns]
    return [point(ns, Int64(i * 100 + rng.randrange(90))) for i in range(n)]


def end(ns):
    return bson.SON((name, MaxKey()) for name in KEYS[ns])


def make_snapshot(rng, version):
    """Four shards, five collections, unevenly spread, two zones."""
    shards = [f"shard{i}" for i in range(4)]
    doc = {"evenkeelSnapshot": 1, "serverVersion": version, "featureCompatibilityVersion": ".".join(version.split(".")[:2]),
           "shards": [{"_id": s, "host": f"{s}/127.0.0.1:{27100 + i}", "state": 1} for i, s in enumerate(shards)],
           "databases": [{"_id": "shop", "primary": "shard0", "partitioned": True}, {"_id": "iot", "primary": "shard1", "partitioned": True}],
           "collections": [], "chunks": [], "tags": [], "settings": [{"_id": "chunksize", "value": CHUNK_MB}, {"_id": "balancer", "stopped": True, "mode": "off"}],
           "version": [{"_id": 1, "clusterId": bson.ObjectId(rng.randbytes(12))}], "sizes": {}}
    for ns, names in KEYS.items():
        doc["collections"].append({"_id": ns, "key": {name: "hashed" if ns in HASHED else 1 for name in names}, "unique": False,
                                   "lastmodEpoch": bson.ObjectId(rng.randbytes(12)), **({"noBalance": True} if ns == "shop.notes" else {})})
        bounds = [point(ns), *cuts(ns, rng), end(ns)]
        sizes = {}
        for low, high in zip(bounds, bounds[1:]):
            shard = rng.choice(shards[:2] if rng.random() < 0.5 else shards)
            sizes[shard] = sizes.get(shard, 0) + rng.randrange(4, 40) * MIB
            doc["chunks"].append({"_id": f"{ns}-{spelled(low)}", "ns": ns, "min": low, "max": high, "shard": shard})
        doc["sizes"][ns] = sizes
    doc["tags"] = [{"_id": {"ns": ns, "min": low}, "ns": ns, "min": low, "max": high, "tag": tag} for ns, low, high, tag in (
        ("shop.orders", point("shop.orders", "EU"), point("shop.orders", "EV"), "EU"), ("shop.users", point("shop.users", Int64(4000)), end("shop.users"), "COLD"))]
    for shard, tags in zip(doc["shards"], (["EU"], ["EU", "COLD"], ["COLD"], [])):
        shard["tags"] = tags
    return doc


class Cluster:
    OPTIONS = ()  # of the sandbox, in place of the usual ones

    def __init__(self, clock, folder, rng, version, growth):
        self.clock, self.folder, self.version, self.growth = clock, folder, version, growth
        self.seed = rng.randrange(1 << 31)
        self.port, self.process, self.starts = 0, None, 0
        self.states = []      # what was in force from when to when: see changing()
        self.next_shard = 4
        self.changelog = {}   # every entry about a migration, by _id
        self.read_to = 0
        self.problems = 0     # commands of the operator that had to be tried again
        self.start(make_snapshot(rng, version))
        self.states.append(self.read_state(0))

    # --- the process ---

    def start(self, snapshot):
        path = self.folder / f"cluster-{self.starts}.json"
        path.write_text(json_util.dumps(snapshot, json_options=CANONICAL), encoding="utf-8")
        self.errors = open(self.folder / "sandbox.err", "ab")
        self.process = subprocess.Popen(
            [EVENKEEL, "sandbox", "--snapshot", str(path), "--port", str(self.port), "--server-version", self.version, "--latency", "15s", "--bandwidth", "2MiB",
             "--spread", "0.5", "--seed", str(self.seed + self.starts), "--orphan-delay", "15m", "--growth", str(self.growth), "--allow-faults", "--log",
             str(self.folder / "commands.log"), *self.OPTIONS], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, text=True, env={**os.environ, **self.clock.environment()})
        line = self.process.stdout.readline()
        if not line.startswith("listening on 127.0.0.1:"):
            raise AssertionError(f"the sandbox did not start: {line!r}")
        self.port = int(line.rsplit(":", 1)[1])
        self.starts += 1
        self.client = pymongo.MongoClient("127.0.0.1", self.port, document_class=bson.SON, serverSelectionTimeoutMS=10000, socketTimeoutMS=TIMEOUT * 1000,
                                          heartbeatFrequencyMS=9e8, retryReads=True)

    def stop(self):
        self.client.close()
        self.process.terminate()
        code = self.process.wait(timeout=TIMEOUT)
        self.clock.forget(self.process.pid)
        self.process.stdout.close()
        self.errors.close()
        return code

    def capture(self):
        """All that a cluster keeps through a restart of everything: metadata, sizes, and the lease."""
        config = self.client.config
        doc = {"evenkeelSnapshot": 1, "serverVersion": self.version, "featureCompatibilityVersion": ".".join(self.version.split(".")[:2]),
               **{name: list(config[name].find()) for name in ("shards", "databases", "collections", "chunks", "tags", "settings", "version", "changelog")}, "sizes": {}}
        for ns in KEYS:
            db, name = ns.split(".")
            shards = self.client[db].command("collStats", name)["shards"]
            doc["sizes"][ns] = {s: int(stats["size"]) for s, stats in shards.items()}
        return doc, list(self.client.evenkeel.lease.find())

    # --- the operator ---

    def admin(self, name, value=1, /, **more):
        """Tries until it is done, as whoever operates a cluster that has faults; a refusal is an answer."""
        for _ in range(60):
            try:
                return self.client.admin.command(bson.SON([(name, value), *more.items()]))
            except pymongo.errors.OperationFailure as e:
                if e.code not in AGAIN:
                    return {"ok": 0, "code": e.code, "errmsg": str(e)}
            except pymongo.errors.ConnectionFailure:
                pass
            self.problems += 1
            self.clock.run(30, pace=2000)
        raise AssertionError(f"{name} {value} {more} cannot be done")

    def reading(self, read):
        for _ in range(60):
            try:
                return read()
            except pymongo.errors.PyMongoError:
                self.problems += 1
                self.clock.run(30, pace=2000)
        raise AssertionError("the cluster cannot be read")

    def fault(self, kind, **more):
        return self.admin("evenkeelSandboxFault", 1, kind=kind, **more)

    def read_state(self, since):
        config = self.client.config
        shards = self.reading(lambda: list(config.shards.find()))
        ranges = {}
        for tag in self.reading(lambda: list(config.tags.find())):
            ranges.setdefault(tag["ns"], []).append((order(tag["min"]), order(tag["max"]), tag["tag"]))
        return {"since": since, "until": None, "ranges": ranges, "zones": {s["_id"]: set(s.get("tags", ())) for s in shards},
                "draining": {s["_id"] for s in shards if s.get("draining")}}

    @contextlib.contextmanager
    def changing(self):
        """Around whatever changes zones or shards: before it ends both what was and what comes may be acted on."""
        before = self.clock.now()
        yield
        state = self.read_state(before)
        self.states[-1]["until"] = self.clock.now()
        self.states.append(state)

    def state(self):
        return self.states[-1]

    def shards(self):
        return sorted(self.state()["zones"])

    def staying(self):
        return [s for s in self.shards() if s not in self.state()["draining"]]

    def chunks(self, ns=None):
        names = {c.get("uuid"): c["_id"] for c in self.reading(lambda: list(self.client.config.collections.find()))}
        found = self.reading(lambda: list(self.client.config.chunks.find()))
        return [(c.get("ns") or names[c["uuid"]], c) for c in found if ns is None or (c.get("ns") or names[c["uuid"]]) == ns]

    # --- what it tells ---

    def read_changelog(self):
        """New entries about migrations. The collection is capped: it has to be read often enough."""
        since = datetime.datetime.fromtimestamp(max(self.read_to - 60000, 0) / 1000, datetime.timezone.utc)
        entries = self.reading(lambda: list(self.client.config.changelog.find({"time": {"$gte": since}})))
        fresh = [e for e in entries if e["_id"] not in self.changelog and e["what"].startswith("moveChunk.")]
        for e in fresh:
            self.changelog[e["_id"]] = e
        if entries:
            self.read_to = max(self.read_to, max(milliseconds(e["time"]) for e in entries))
        return fresh

    def restart(self):
        """Everything of it is down, and comes back with what it has on its disks. Migrations under way are lost. The caller sees to it that
        nobody acts meanwhile."""
        self.read_changelog()
        self.clock.pace(0)
        snapshot, leases = self.capture()
        self.stop()
        self.start(snapshot)
        if leases:
            self.client.evenkeel.lease.insert_many(leases)
        self.clock.pace(20)
