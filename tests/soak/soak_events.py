# SPDX-License-Identifier: Apache-2.0
"""What happens to cluster and service during the soak: each event is a method of Events, its weight how often it comes."""
import signal
import time

import bson
from bson.int64 import Int64
from bson.max_key import MaxKey

from soak_cluster import KEYS, MIB, REGIONS, end, point
from soak_service import variation

HOUR = 3600
WEIGHTS = {
    "data_grows": 8, "somebody_splits": 5, "somebody_moves": 9, "shard_added": 4, "shard_drained": 4, "shard_lost": 1, "zone_of_shard": 4, "zone_of_range": 6,
    "balancer_on": 4, "reply_lost": 5, "error": 8, "stall": 3, "stepdown": 4, "config_down": 3, "shard_down": 4, "slow_shard": 2, "hang": 4, "commit_fails": 4, "fail_command": 5,
    "killed": 9, "terminated": 5, "impatient": 2, "reloaded": 6, "bad_reload": 2, "forced_by_signal": 3, "forced": 5, "paused": 3, "browsed": 5, "cluster_restarted": 2}
RESTARTS = ("killed", "terminated", "impatient")
CODES = (6, 8, 13, 24, 46, 50, 64, 70, 89, 91, 96, 112, 117, 189, 262, 11601, 11602, 13388, 14031, 40165, 46841)
COMMANDS = ("moveChunk", "moveRange", "split")


class Events:
    def __init__(self, clock, cluster, service):
        self.clock, self.cluster, self.service = clock, cluster, service
        self.later = []       # (time, function): what takes something back
        self.browsing = True
        self.counts = {}

    def happen(self, name, rng):
        self.counts[name] = self.counts.get(name, 0) + 1
        return getattr(self, name)(rng) or ""

    def after(self, seconds, function):
        self.later.append((self.clock.now() + int(seconds * 1000), function))

    def due(self, everything=False):
        """What is to be taken back by now."""
        now = self.clock.now()
        ready = [f for at, f in self.later if everything or at <= now]
        self.later = [] if everything else [(at, f) for at, f in self.later if at > now]
        for function in ready:
            function()

    # --- the data ---

    def place(self, rng):
        """A random chunk, and a key that lies in it."""
        ns, chunk = rng.choice([c for c in self.cluster.chunks() if c[0] != "shop.notes"])
        return ns, chunk["min"], chunk["shard"]

    def data_grows(self, rng):
        shard = rng.choice(self.cluster.shards())
        mine = [c for c in self.cluster.chunks() if c[1]["shard"] == shard and c[0] != "shop.notes"]
        for ns, chunk in rng.sample(mine, min(len(mine), 10)):
            self.cluster.fault("chunkGrown", ns=ns, at=chunk["min"], bytes=Int64(rng.randrange(1, 90) * MIB))
        return f"by up to {min(len(mine), 10) * 90} MiB on {shard}"

    def somebody_splits(self, rng):
        for _ in range(rng.randrange(1, 12)):
            ns, low, _shard = self.place(rng)
            self.cluster.fault("chunkSplit", ns=ns, at=low)

    def somebody_moves(self, rng):
        to, n = rng.choice(self.cluster.shards()), rng.randrange(1, 15)
        for _ in range(n):
            ns, low, _shard = self.place(rng)
            self.cluster.fault("chunkMoved", ns=ns, at=low, to=to)
        return f"{n} chunks to {to}"

    # --- shards ---

    def shard_added(self, rng):
        if len(self.cluster.shards()) >= 7:
            return "seven are enough"
        name = f"shard{self.cluster.next_shard}"
        self.cluster.next_shard += 1
        zones = sorted({z for zs in self.cluster.state()["zones"].values() for z in zs})
        with self.cluster.changing():
            self.cluster.admin("addShard", f"{name}/127.0.0.1:{27100 + self.cluster.next_shard}", name=name)
            if zones and rng.random() < 0.5:
                self.cluster.admin("addShardToZone", name, zone=rng.choice(zones))
        return name

    def leave_carriers(self, shard):
        """Every zone of a shard that goes is carried by one that stays."""
        state = self.cluster.state()
        staying = [s for s in self.cluster.staying() if s != shard]
        for zone in state["zones"][shard]:
            if not any(zone in state["zones"][s] for s in staying):
                self.cluster.admin("addShardToZone", staying[0], zone=zone)

    def may_go(self, rng):
        staying = self.cluster.staying()
        return rng.choice(staying) if len(staying) >= 4 and not self.cluster.state()["draining"] else None

    def shard_drained(self, rng):
        shard = self.may_go(rng)
        if shard is None:
            return "none can be spared"
        with self.cluster.changing():
            self.leave_carriers(shard)
            self.cluster.admin("removeShard", shard)
        return shard

    def shard_lost(self, rng):
        shard = self.may_go(rng)
        if shard is None:
            return "none can be spared"
        with self.cluster.changing():
            self.leave_carriers(shard)
            reply = self.cluster.fault("shardRemoved", shard=shard)
        return f"{shard} {reply.get('errmsg', '')}"

    def go_on_draining(self):
        """As an operator does until the shard is gone; the collection that is not to be balanced is moved by hand."""
        for shard in sorted(self.cluster.state()["draining"]):
            with self.cluster.changing():
                reply = self.cluster.admin("removeShard", shard)
                for name in reply.get("dbsToMove", ()):
                    self.cluster.admin("movePrimary", name, to=self.cluster.staying()[0])
                for ns, chunk in self.cluster.chunks("shop.notes"):
                    if chunk["shard"] == shard:
                        self.cluster.fault("chunkMoved", ns=ns, at=chunk["min"], to=self.cluster.staying()[0])

    # --- zones ---

    def zone_of_shard(self, rng):
        state, shard = self.cluster.state(), rng.choice(self.cluster.staying())
        zone = rng.choice(["EU", "COLD", "FAST"])
        with self.cluster.changing():
            if zone not in state["zones"][shard]:
                self.cluster.admin("addShardToZone", shard, zone=zone)
                return f"{shard} carries {zone}"
            others = [s for s in self.cluster.staying() if s != shard and zone in state["zones"][s]]
            if others:
                self.cluster.admin("removeShardFromZone", shard, zone=zone)
                return f"{shard} no longer carries {zone}"
        return "nothing"

    def zone_of_range(self, rng):
        ns = rng.choice(["shop.orders", "shop.users", "iot.readings", "shop.items"])
        have = [t for t in self.cluster.reading(lambda: list(self.cluster.client.config.tags.find({"ns": ns})))]
        zones = sorted({z for s, zs in self.cluster.state()["zones"].items() if s in self.cluster.staying() for z in zs})
        with self.cluster.changing():
            if have and rng.random() < 0.5 or not zones:
                for tag in have[:1]:
                    self.cluster.admin("updateZoneKeyRange", ns, min=tag["min"], max=tag["max"], zone=None)
                return f"one of {ns} is gone"
            low, high = self.some_range(ns, rng)
            reply = self.cluster.admin("updateZoneKeyRange", ns, min=low, max=high, zone=rng.choice(zones))
        return f"{ns} {reply.get('errmsg', 'has one more')}"

    def some_range(self, ns, rng):
        if ns == "shop.orders":
            i = rng.randrange(len(REGIONS))
            return point(ns, REGIONS[i]), point(ns, REGIONS[i + 1]) if i + 1 < len(REGIONS) else end(ns)
        if ns == "shop.items":
            a, b = sorted(rng.randrange(-(1 << 62), 1 << 62) for _ in range(2))
            return point(ns, Int64(a)), point(ns, Int64(b))
        a = rng.randrange(0, 4000)
        return point(ns, Int64(a)), point(ns, Int64(a + rng.randrange(50, 3000))) if rng.random() < 0.8 else bson.SON([(KEYS[ns][0], MaxKey())])

    # --- faults ---

    def balancer_on(self, rng):
        self.cluster.admin("balancerStart")
        if rng.random() < 0.5:
            self.after(rng.uniform(0.5, 4) * HOUR, lambda: self.cluster.admin("balancerStop"))

    def reply_lost(self, rng):
        kind = rng.choice(["replyLostBefore", "replyLostAfter"])
        self.cluster.fault(kind, command=rng.choice(COMMANDS), times=rng.randrange(1, 4))
        return kind

    def error(self, rng):
        code, more = rng.choice(CODES), {"command": rng.choice(COMMANDS)} if rng.random() < 0.4 else {"step": rng.randrange(1, 7)}
        self.cluster.fault("errorCode", code=code, times=rng.randrange(1, 6), probability=rng.choice([1.0, 0.5]), **more)
        return f"{code} {more}"

    def stall(self, rng):
        self.cluster.fault("stall", step=rng.randrange(1, 7), ms=rng.randrange(60, 5400) * 1000)

    def stepdown(self, rng):
        self.cluster.fault("stepdown", shard=rng.choice(self.cluster.shards()), ms=rng.randrange(3, 120) * 1000)

    def config_down(self, rng):
        self.cluster.fault("configUnavailable", ms=rng.randrange(5, 900) * 1000)

    def shard_down(self, rng):
        self.cluster.fault("shardUnreachable", shard=rng.choice(self.cluster.shards()), ms=rng.randrange(10, 3600) * 1000)

    def slow_shard(self, rng):
        self.cluster.fault("slowShard", shard=rng.choice(self.cluster.shards()), factor=float(rng.randrange(2, 30)))
        self.after(rng.uniform(1, 8) * HOUR, lambda: self.cluster.fault("clear"))

    def fail_point(self, name, mode, **more):
        self.cluster.admin("configureFailPoint", name, mode=mode, **more)

    def hang(self, rng):
        name = rng.choice([f"moveChunkHangAtStep{i}" for i in range(1, 8)] + [f"migrateThreadHangAtStep{i}" for i in (1, 4, 5, 6)])
        self.fail_point(name, "alwaysOn")
        self.after(rng.uniform(0.1, 3) * HOUR, lambda: self.fail_point(name, "off"))
        return name

    def commit_fails(self, rng):
        name = rng.choice(["failMigrationCommit", "migrationCommitNetworkError"])
        self.fail_point(name, {"times": rng.randrange(1, 4)})
        return name

    def fail_command(self, rng):
        how = rng.choice([{"errorCode": rng.choice(CODES)}, {"closeConnection": True}])
        what = rng.choice(["find", "aggregate", "collStats", "findAndModify", "moveChunk", "moveRange", "split", "balancerStatus", "hello", "isMaster"])
        self.fail_point("failCommand", {"times": rng.randrange(1, 8)}, data={"failCommands": [what], **how})
        return f"{what} {how}"

    def cluster_restarted(self, rng):
        self.service.signal(signal.SIGSTOP)
        try:
            self.cluster.restart()
        finally:
            self.service.signal(signal.SIGCONT)

    # --- the service ---

    def busy_a_while(self, rng):
        """So that there is something to disturb, most of the time."""
        if rng.random() < 0.8:
            self.somebody_moves(rng)
            self.service.signal(signal.SIGUSR1)
        self.clock.pace(1000)
        time.sleep(rng.uniform(0, 0.2))
        self.clock.pace(20)

    def back_after(self, rng):
        self.clock.run(rng.choice([0, 1, 600, rng.uniform(0, 3) * HOUR]))
        self.service.start()

    def killed(self, rng):
        self.busy_a_while(rng)
        self.service.kill()
        self.back_after(rng)

    def terminated(self, rng):
        self.busy_a_while(rng)
        self.service.terminate()
        self.back_after(rng)

    def impatient(self, rng):
        self.busy_a_while(rng)
        self.service.terminate(again=True)
        self.back_after(rng)

    def reload_base(self):
        self.service.write_config()
        self.service.signal(signal.SIGHUP)

    def reloaded(self, rng):
        changes = variation(rng)
        self.service.write_config(**changes)
        self.service.signal(signal.SIGHUP)
        self.after(rng.uniform(1, 12) * HOUR, self.reload_base)
        return str(changes)

    def bad_reload(self, rng):
        text = self.service.config_file.read_text(encoding="utf-8")
        self.service.config_file.write_text(rng.choice(["balancer: {interval: often}", "{", "nonsense: 1", ""]), encoding="utf-8")
        self.service.signal(signal.SIGHUP)
        self.clock.run(120)
        self.service.config_file.write_text(text, encoding="utf-8")
        self.service.signal(signal.SIGHUP)

    def forced_by_signal(self, rng):
        self.service.signal(signal.SIGUSR1)

    def forced(self, rng):
        more = rng.choice([{}, {"ignoreWindow": True}, {"dryRun": True}, {"ns": ["shop.*"]}])
        answer = self.service.ask("round", reason="a soak", **more)
        return f"{more} {answer.get('error', 'taken')}"

    def paused(self, rng):
        self.service.ask("pause", reason="a soak")
        self.after(rng.uniform(0.5, 6) * HOUR, lambda: self.service.ask("resume", reason="a soak"))

    def browsed(self, rng):
        for _ in range(5):
            self.service.browse(rng)
