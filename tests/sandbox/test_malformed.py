# SPDX-License-Identifier: Apache-2.0
"""Messages that no driver would send: the sandbox answers them, or drops the connection, as servers do, and lives on."""
import os
import random
import socket
import struct
import threading
import time
import zlib

import bson
from bson.int64 import Int64

from sandbox_server import (OP_COMPRESSED, OP_MSG, OP_QUERY, SandboxCase, connection, main, message, op_msg, receive,
                            receive_exactly, wait_until)

PING = {"ping": 1, "$db": "admin"}
SEED = 20261121


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82f63b78 if crc & 1 else crc >> 1
    return crc ^ 0xffffffff


def with_checksum(command, spoil=0):
    plain = op_msg(command, flags=1)
    plain = struct.pack("<i", len(plain) + 4) + plain[4:]
    return plain + struct.pack("<I", crc32c(plain) ^ spoil)


def sequence(name, *docs):
    body = name.encode() + b"\0" + b"".join(bson.encode(d) for d in docs)
    return b"\1" + struct.pack("<i", len(body) + 4) + body


def query(ns, doc):
    return message(OP_QUERY, struct.pack("<i", 0) + ns.encode() + b"\0" + struct.pack("<ii", 0, -1) + bson.encode(doc))


class Malformed(SandboxCase):
    def ask(self, data):
        """Sends bytes and receives one reply; None: the connection was dropped."""
        with connection(self.sandbox) as sock:
            sock.sendall(data)
            return receive(sock)

    def tearDown(self):
        self.assertEqual(self.ask(op_msg(PING))[2]["ok"], 1)
        super().tearDown()

    def test_kinds_that_are_answered(self):
        body = struct.pack("<I", 0)
        cases = {
            "plain": (op_msg(PING), None),
            "sequences": (op_msg({"insert": "c", "$db": "raw"}, sections=sequence("documents", {}, {"a": 1})), None),
            "sequence before the body": (message(OP_MSG, body + sequence("documents", {"z": 1}) + b"\0" +
                                                 bson.encode({"insert": "c", "$db": "raw"})), None),
            "optional flags": (op_msg(PING, flags=1 << 16 | 1 << 31), None),
            "checksum": (with_checksum(PING), None),
            "no $db": (op_msg({"ping": 1}), 40571),
            "bad $db": (op_msg({"ping": 1, "$db": "a.b"}), 73),
            "empty command": (op_msg({"$db": "admin"}), 59),
            "no body": (message(OP_MSG, body), 40587),
            "two bodies": (op_msg(PING, sections=b"\0" + bson.encode(PING)), 40430),
            "unknown section": (op_msg(PING, sections=b"\2" + bson.encode(PING)), 40432),
            "sequence twice": (op_msg(PING, sections=sequence("a", {}) * 2), 40431),
            "sequence in the body": (op_msg(dict(PING, a=1), sections=sequence("a", {})), 40433),
            "sequence too long": (op_msg(PING, sections=b"\1" + struct.pack("<i", 500) + b"a\0"), 15),
            "sequence of negative length": (op_msg(PING, sections=b"\1" + struct.pack("<i", -5) + b"a\0"), 15),
            "sequence without name": (op_msg(PING, sections=b"\1" + struct.pack("<i", 7) + b"abc"), 15),
            "broken document in a sequence": (op_msg(PING, sections=b"\1\x0b\0\0\0a\0\5\0\0\0\1"), 22),
            "body longer than the message": (message(OP_MSG, body + b"\0" + struct.pack("<i", 4000) + b"\0"), 22),
            "body of negative length": (message(OP_MSG, body + b"\0" + struct.pack("<i", -1) + b"\0"), 22),
            "body without its end": (message(OP_MSG, body + b"\0\x05\0\0\0\1"), 22),
            "legacy greeting": (query("admin.$cmd", {"isMaster": 1}), None),
            "wrapped legacy greeting": (query("admin.$cmd", {"$query": {"ismaster": 1}}), None),
            "legacy command": (query("admin.$cmd", {"ping": 1}), 352),
            "legacy find": (query("config.chunks", {}), 352),
        }
        for name, (data, code) in cases.items():
            with self.subTest(name):
                reply = self.ask(data)
                self.assertIsNotNone(reply, "dropped")
                self.assertEqual(reply[0], 7)
                self.assertEqual((reply[2]["ok"], reply[2].get("code")), (1.0 if code is None else 0.0, code), reply[2])

    def test_kinds_that_are_dropped(self):
        plain = op_msg(PING)
        compressed = zlib.compress(plain[16:])
        cases = {
            "length zero": message(OP_MSG, b"", length=0),
            "length below a header": message(OP_MSG, b"", length=15),
            "negative length": message(OP_MSG, b"", length=-1),
            "length above the limit": message(OP_MSG, b"", length=48000001),
            "unknown opcode": message(1234, plain[16:]),
            "a reply": message(1, plain[16:]),
            "op insert": message(2002, plain[16:]),
            "no flags": message(OP_MSG, b"\0\0"),
            "unknown required flag": op_msg(PING, flags=4),
            "wrong checksum": with_checksum(PING, spoil=1),
            "checksum that does not fit": message(OP_MSG, struct.pack("<I", 1)),
            "three sequences": op_msg(PING, sections=sequence("a", {}) + sequence("b", {}) + sequence("c", {})),
            "compressed": message(OP_COMPRESSED, struct.pack("<iiB", OP_MSG, len(plain) - 16, 2) + compressed),
            "legacy without document": message(OP_QUERY, struct.pack("<i", 0) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1)),
            "legacy without end of name": message(OP_QUERY, struct.pack("<i", 0) + b"admin"),
            "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        }
        for name, data in cases.items():
            with self.subTest(name):
                self.assertIsNone(self.ask(data))

    def test_a_client_that_goes_in_the_middle(self):
        data = op_msg({"find": "chunks", "$db": "config"})
        for n in range(len(data)):
            with connection(self.sandbox) as sock:
                sock.sendall(data[:n])
        for n in (1, 15, 16, 17, len(data) - 1):  # and one that comes in pieces
            with connection(self.sandbox) as sock:
                sock.sendall(data[:n])
                time.sleep(0.01)
                sock.sendall(data[n:])
                self.assertEqual(receive(sock)[2]["ok"], 1)

    def test_more_to_come_is_not_answered(self):
        with connection(self.sandbox) as sock:
            sock.sendall(op_msg({"insert": "quiet", "documents": [{"_id": 1}], "$db": "raw"}, flags=2, request_id=1) +
                         op_msg({"count": "quiet", "$db": "raw"}, request_id=2))
            response_to, _, reply = receive(sock)
        self.assertEqual((response_to, reply["n"]), (2, 1))

    def test_replies_keep_the_order_of_requests(self):
        with connection(self.sandbox) as sock:
            sock.sendall(b"".join(op_msg({"count": "chunks", "limit": n, "$db": "config"}, request_id=n)
                                  for n in range(1, 101)))
            for n in range(1, 101):
                response_to, _, reply = receive(sock)
                self.assertEqual((response_to, reply["n"]), (n, n))

    def block(self, command, ms):
        self.assertEqual(self.ask(op_msg({"configureFailPoint": "failCommand", "mode": {"times": 1}, "$db": "admin",
                                          "data": {"failCommands": [command], "blockConnection": True,
                                                   "blockTimeMS": ms}}))[2]["ok"], 1)

    def test_a_slow_command_holds_up_its_own_connection_only(self):
        self.block("count", 400)
        with connection(self.sandbox) as sock:
            sock.sendall(op_msg({"count": "chunks", "$db": "config"}, request_id=1) + op_msg(PING, request_id=2))
            start = time.monotonic()
            time.sleep(0.1)
            self.assertEqual(self.ask(op_msg(PING))[2]["ok"], 1)
            ops = self.ask(op_msg({"currentOp": 1, "$db": "admin"}))[2]["inprog"]
            self.assertIn("chunks", [op["command"].get("count") for op in ops])
            self.assertLess(time.monotonic() - start, 0.35)
            self.assertEqual([receive(sock)[0], receive(sock)[0]], [1, 2])
            self.assertGreater(time.monotonic() - start, 0.35)

    def test_a_client_that_goes_while_its_command_waits(self):
        self.block("count", 200)
        with connection(self.sandbox) as sock:
            sock.sendall(op_msg({"count": "chunks", "$db": "config"}))
            time.sleep(0.05)
        wait_until(lambda: len(self.ask(op_msg({"currentOp": 1, "$db": "admin"}))[2]["inprog"]) == 1)
        time.sleep(0.3)

    def test_a_client_that_has_ended_its_side(self):
        with connection(self.sandbox) as sock:
            sock.sendall(op_msg(PING))
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(receive(sock)[2]["ok"], 1)
            self.assertIsNone(receive(sock))

    def test_a_checksum_is_answered_with_one(self):
        with connection(self.sandbox) as sock:
            sock.sendall(with_checksum(PING))
            header = sock.recv(16, socket.MSG_WAITALL)
            body = sock.recv(struct.unpack("<i", header[:4])[0] - 16, socket.MSG_WAITALL)
        self.assertEqual(struct.unpack("<I", body[:4])[0], 1)
        self.assertEqual(struct.unpack("<I", body[-4:])[0], crc32c(header + body[:-4]))

    def test_deep_nesting_is_refused(self):
        doc = {}
        for _ in range(175):
            doc = {"a": doc}
        self.assertEqual(self.ask(op_msg({"find": "chunks", "filter": {"x": doc}, "$db": "config"}))[2]["ok"], 1)
        raw = b"\5\0\0\0\0"
        for _ in range(5000):
            raw = struct.pack("<i", len(raw) + 8) + b"\3a\0" + raw + b"\0"
        self.assertEqual(self.ask(message(OP_MSG, struct.pack("<I", 0) + b"\0" + raw))[2]["code"], 22)

    def test_large_documents(self):
        large = {"_id": 1, "x": "x" * (16 * 1024 * 1024 - 100)}
        reply = self.ask(op_msg({"insert": "large", "$db": "raw"}, sections=sequence("documents", large)))
        self.assertEqual(reply[2].get("n"), 1, reply)
        found = self.ask(op_msg({"find": "large", "$db": "raw"}))[2]["cursor"]["firstBatch"]
        self.assertEqual(len(found[0]["x"]), len(large["x"]))
        larger = {"_id": 2, "x": "x" * (16 * 1024 * 1024 - 20)}
        reply = self.ask(op_msg({"insert": "large", "$db": "raw"}, sections=sequence("documents", larger)))
        self.assertEqual(reply[2]["writeErrors"][0]["code"], 10334)
        huge = {"_id": 3, "x": "x" * (17 * 1024 * 1024)}
        self.assertEqual(self.ask(op_msg({"insert": "large", "documents": [huge], "$db": "raw"}))[2]["code"], 22)
        two = [{"_id": n, "x": "x" * (9 * 1024 * 1024)} for n in (4, 5)]
        for doc in two:
            self.assertEqual(self.ask(op_msg({"insert": "halves", "$db": "raw"}, sections=sequence("documents", doc)))[2]["n"], 1)
        first = self.ask(op_msg({"find": "halves", "$db": "raw"}))[2]["cursor"]
        self.assertEqual(len(first["firstBatch"]), 1, "one reply holds no more than 16 MiB")
        more = self.ask(op_msg({"getMore": Int64(first["id"]), "collection": "halves", "$db": "raw"}))[2]["cursor"]
        self.assertEqual((len(more["nextBatch"]), more["id"]), (1, 0))
        for name in ("large", "halves"):
            self.assertEqual(self.ask(op_msg({"drop": name, "$db": "raw"}))[2]["ok"], 1)

    def test_a_client_that_does_not_read(self):
        """Its replies pile up to a limit; others are served meanwhile, and it gets them all when it reads."""
        request = op_msg({"find": "chunks", "batchSize": 200, "$db": "config"})
        n = 20000
        with connection(self.sandbox) as sock:
            sender = threading.Thread(target=sock.sendall, args=(request * n,), daemon=True)
            sender.start()
            time.sleep(1)
            self.assertEqual(self.ask(op_msg(PING))[2]["ok"], 1)
            resident = self.resident()
            total = 0
            for _ in range(n):
                length, _, response_to, _ = struct.unpack("<iiii", receive_exactly(sock, 16))
                receive_exactly(sock, length - 16)
                self.assertEqual(response_to, 7)
                total += length
            sender.join()
        self.assertGreater(total, 400 << 20)
        if resident is not None:
            self.assertLess(resident, 200 << 20, "bytes")

    def resident(self):
        """Bytes of memory in use; None under a sanitizer, which keeps what was freed."""
        folder = f"/proc/{self.sandbox.process.pid}"
        with open(f"{folder}/status", encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        return None if int(fields["VmSize"].split()[0]) > 1 << 30 else int(fields["VmRSS"].split()[0]) << 10

    def test_flipped_bits(self):
        """Whatever a bit turns into, the sandbox answers or drops, and goes on."""
        rng = random.Random(SEED)
        requests = [op_msg({"find": "chunks", "filter": {"ns": {"$regex": "^shop"}, "min": {"$lt": {"userId": 5}}},
                            "sort": {"min": 1}, "projection": {"min": 1, "max.userId": 1}, "limit": 3, "$db": "config"}),
                    op_msg({"aggregate": "chunks", "pipeline": [{"$group": {"_id": "$shard", "n": {"$sum": 1}}}],
                            "cursor": {}, "$db": "config"}),
                    op_msg({"update": "c", "$db": "raw"}, sections=sequence("updates", {"q": {"_id": 1}, "u": {
                        "$set": {"a.b": 1}, "$inc": {"n": Int64(1)}}, "upsert": True})),
                    op_msg({"split": "shop.users", "middle": {"userId": 5}, "$db": "admin"}),
                    query("admin.$cmd", {"isMaster": 1})]
        for i in range(600):
            data = bytearray(rng.choice(requests))
            for _ in range(rng.randint(1, 4)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            with connection(self.sandbox) as sock:
                sock.settimeout(10)
                try:
                    sock.sendall(bytes(data))
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(65536):
                        pass
                except ConnectionError:
                    pass
                except socket.timeout:
                    self.fail(f"no answer and no end: seed {SEED}, case {i}: {bytes(data)!r}")
            self.assertTrue(self.sandbox.alive(), f"seed {SEED}, case {i}: {bytes(data)!r}")

    def test_connections_do_not_leak(self):
        folder = f"/proc/{self.sandbox.process.pid}/fd"
        before, again = 0, -1
        while before != again:  # the connections of other tests may still be closing
            again = before
            time.sleep(0.3)
            before = len(os.listdir(folder))
        socks = [self.sandbox.raw() for _ in range(200)]
        wait_until(lambda: len(os.listdir(folder)) >= before + 200)
        for sock in socks:
            sock.close()
        wait_until(lambda: len(os.listdir(folder)) <= before)


if __name__ == "__main__":
    main()
