#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""migrations.pauseWhen.replicationLag: `evenkeel run` asks the members of the shards, which here are played by threads."""
import datetime
import json
import pathlib
import socket
import struct
import tempfile
import threading

import bson

from sandbox_server import OP_MSG, OP_QUERY, OP_REPLY, REAL, main, message, receive_exactly
from serving import ServingCase

CONFIG = "migrations: {pauseWhen: {replicationLag: 10s}}\n"


class Member:
    """A mongod that says hello, and nothing else."""

    def __init__(self, name, primary):
        self.name, self.primary, self.lag, self.silent, self.all = name, primary, 0, False, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def hello(self):
        at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=self.lag)
        return {"ismaster": self.primary, "isWritablePrimary": self.primary, "secondary": not self.primary, "setName": self.name, "setVersion": 1,
                "hosts": [m.address for m in self.all], "primary": self.all[0].address, "me": self.address, "maxBsonObjectSize": 16777216,
                "maxMessageSizeBytes": 48000000, "maxWriteBatchSize": 100000, "minWireVersion": 0, "maxWireVersion": 13,
                "lastWrite": {"lastWriteDate": at}, "localTime": at, "ok": 1.0}

    def serve(self, peer):
        with peer:
            while not self.silent:
                header = receive_exactly(peer, 16)
                if header is None:
                    return
                length, request, _, opcode = struct.unpack("<iiii", header)
                receive_exactly(peer, length - 16)
                body = bson.encode(self.hello())
                if opcode == OP_QUERY:
                    answer = message(OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + body)
                else:
                    answer = message(OP_MSG, struct.pack("<I", 0) + b"\0" + body)
                peer.sendall(answer[:8] + struct.pack("<i", request) + answer[12:])

    def close(self):
        self.listener.close()


class Lag(ServingCase):
    def setUp(self):
        """Each shard a primary and a secondary; the second one has an arbiter's silence besides."""
        folder = tempfile.TemporaryDirectory(prefix="evenkeel-lag-")
        self.addCleanup(folder.cleanup)
        snapshot = json.loads((REAL / "imbalanced" / "snapshot.json").read_text(encoding="utf-8"))
        self.members = {}
        for shard in snapshot["shards"]:
            pair = [Member(shard["_id"], True), Member(shard["_id"], False)]
            for member in pair:
                member.all = pair
                self.addCleanup(member.close)
            self.members[shard["_id"]] = pair
            shard["host"] = f"{shard['_id']}/{pair[0].address},{pair[1].address}"
        path = pathlib.Path(folder.name) / "snapshot.json"
        path.write_text(json.dumps(snapshot), encoding="utf-8")
        self.state = folder.name

    def test_a_member_that_lags(self):
        cluster = self.served(config=CONFIG, state=self.state)
        secondary = self.members["shard2"][1]
        secondary.lag = 60
        before = len(cluster.commits())
        service = self.serve(cluster)
        service.wait("throttle.hold")
        status = service.wait_status(lambda s: any("behind its primary" in h["text"] for h in s["holds"]))
        self.assertEqual(([h["code"] for h in status["holds"]]), ["replicationLag"])
        text = status["holds"][0]["text"]
        self.assertTrue(text.startswith(f"{secondary.address} of shard2 is "), text)
        self.assertIn("more than the 10 s of migrations.pauseWhen.replicationLag", text)
        self.assertEqual((service.lines("migration.start"), len(cluster.commits())), ([], before))
        secondary.lag = 3
        service.wait("migration.commit")
        self.ended(service)
        self.agree(cluster, before)

    def test_a_secondary_that_does_not_answer_has_none(self):
        cluster = self.served(config=CONFIG, state=self.state)
        self.members["shard1"][1].close()
        service = self.serve(cluster)
        service.wait("migration.commit")
        self.ended(service)

    def test_no_primary(self):
        cluster = self.served(config=CONFIG, state=self.state)
        self.members["shard3"][0].close()
        service = self.serve(cluster)
        status = service.wait_status(lambda s: any("cannot be told" in h["text"] for h in s["holds"]))
        self.assertEqual(([h["code"] for h in status["holds"]]), ["replicationLag"])
        self.assertIn("shard3/", status["holds"][0]["text"])
        self.configure(cluster)
        self.assertEqual(service.ask("reload")["ok"], True)
        service.wait("migration.commit")
        self.ended(service)

    def test_not_watched(self):
        cluster = self.served(state=self.state)
        for pair in self.members.values():
            pair[1].lag = 1000
        service = self.serve(cluster)
        service.wait("migration.commit")
        self.ended(service)


if __name__ == "__main__":
    main()
