#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rights that docs/operations.md grants cover every command that reaches the cluster, and grant nothing that is not used."""
import pathlib
import re
import tempfile

from acting import VERSIONS, ActingCase, run
from sandbox_server import main

GUIDE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "operations.md"
# Anyone who is logged in may: the greeting, the end of a session of one's own, more of a cursor of one's own.
FREE = {"isMaster", "ismaster", "hello", "buildInfo", "endSessions", "getMore", "killCursors", "ping"}
# What each command asks of the server's authorization, as (resource, action); the resource is a namespace, a database, or "cluster".
# An aggregation shows in the log without its stages: $shardedDataDistribution for sizes, $currentOp where a reply was lost.
NEEDS = {
    "find": lambda db, coll: {(f"{db}.{coll}" if db != "config" else "config", "find")},
    "collStats": lambda db, coll: {("", "collStats")},
    "aggregate": lambda db, coll: {("cluster", "shardedDataDistribution"), ("cluster", "inprog")},
    "balancerStatus": lambda db, coll: {("config", "find")},
    "balancerStop": lambda db, coll: {("config.settings", "update")},
    "balancerStart": lambda db, coll: {("config.settings", "update")},
    "moveChunk": lambda db, coll: {("", "moveChunk")},
    "moveRange": lambda db, coll: {("", "moveChunk")},
    "split": lambda db, coll: {("", "splitChunk")},
    "create": lambda db, coll: {(f"{db}.{coll}", "createCollection")},
    "findAndModify": lambda db, coll: {(f"{db}.{coll}", a) for a in ("find", "insert", "update")},
}
LINE = re.compile(r"^\S+ client \d+ \d+ms (\S+) (\S+) (?:(\S+) )?\S+$")


def granted():
    """(resource, action) of the roles in the guide."""
    found = set()
    for block in re.findall(r"(?ms)^```js\n(.*?)^```$", GUIDE.read_text(encoding="utf-8")):
        for resource, actions in re.findall(r"\{ resource: (\{.*?\}), actions: \[(.*?)\] \}", block):
            db, coll = re.search(r'db: "(.*?)"', resource), re.search(r'collection: "(.*?)"', resource)
            name = "cluster" if "cluster: true" in resource else f"{db[1]}.{coll[1]}".rstrip(".")
            found |= {(name, action) for action in re.findall(r'"(\w+)"', actions)}
    return found


class Rights(ActingCase):
    def commands(self, version):
        """Every (database, command, collection) that the cluster saw of planning, a snapshot, acting, and the lease."""
        log = self.new_folder() / "log"
        cluster = self.cluster(version, config="cluster: {builtinBalancer: stopAndRestore}\nmigrations: {pauseWhen: {orphans: 1000000000}}\n",
                               arguments=("--log", log))
        self.code(0, run("plan", "--uri", cluster.uri, "--quiet"))
        self.code(0, run("snapshot", "--uri", cluster.uri, "-o", cluster.folder / "snapshot.json"))
        cluster.set_balancer(True)
        own = log.read_text(encoding="utf-8").count("\n")  # until here the balancer was switched on by the test
        self.code(0, cluster.round("--yes", "--policy", "count"), "is started again")
        lines = log.read_text(encoding="utf-8").splitlines()
        return {m.groups() for i, m in enumerate(map(LINE.match, lines)) if m and (i >= own or m[2] != "balancerStart")}

    def new_folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return pathlib.Path(folder.name)

    def test_granted_is_what_is_used(self):
        may, used = granted(), set()
        self.assertIn(("", "moveChunk"), may)
        optional = {("admin.system.version", "find")}  # in the text beside the roles
        for version in VERSIONS:
            for db, command, coll in self.commands(version):
                if command in FREE or command.startswith("sasl"):
                    continue
                self.assertIn(command, NEEDS, f"{version}: {db}.{command}: docs/operations.md must grant what it needs")
                needs = NEEDS[command](db, coll)
                self.assertFalse(needs - may - optional, f"{version}: {db}.{command} {coll}")
                used |= needs
        lease = {("evenkeel.lease", a) for a in ("createCollection", "find", "insert", "update")}
        for resource, action in may - used:
            self.assertTrue((resource, action) in lease or resource.startswith("metrics."), f"granted, and not used: {action} on '{resource}'")


if __name__ == "__main__":
    main()
