# SPDX-License-Identifier: Apache-2.0
"""Between the command and the sandbox, message by message: replies that never arrive, or say something else; connections that break;
a mongos that goes away and comes back."""
import contextlib
import socket
import struct
import threading

import bson

from sandbox_server import OP_MSG, receive_exactly

MOVES = ("moveChunk", "moveRange")
READS = ("find", "aggregate")


def read_message(sock):
    """Header and body, or None at the end."""
    with contextlib.suppress(OSError):
        header = receive_exactly(sock, 16)
        if header is not None:
            body = receive_exactly(sock, struct.unpack_from("<i", header)[0] - 16)
            return None if body is None else (header, body)
    return None


def document(header, body):
    """The document of an OP_MSG; {} of anything else."""
    return bson.decode(body[5:5 + struct.unpack_from("<i", body, 5)[0]]) if struct.unpack_from("<i", header, 12)[0] == OP_MSG else {}


class Wire:
    """`on_reply(name, command, reply)` is called with each reply before it is passed on: it returns the reply, another one, or None
    for a connection that breaks."""

    def __init__(self, port):
        self.target = port
        self.on_reply = None
        self.lock = threading.Lock()
        self.pairs = set()
        self.listener = None
        self.port = 0
        self.open()

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                client = listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.target))
                pair, names = (client, server), {}
                for sock in pair:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self.lock:
                    self.pairs.add(pair)
                threading.Thread(target=self.up, args=(pair, names), daemon=True).start()
                threading.Thread(target=self.down, args=(pair, names), daemon=True).start()

    def up(self, pair, names):
        while (message := read_message(pair[0])) is not None:
            command = document(*message)
            if command:
                names[struct.unpack_from("<i", message[0], 4)[0]] = command
            if not self.pass_on(pair[1], b"".join(message)):
                break
        self.end(pair)

    def down(self, pair, names):
        while (message := read_message(pair[1])) is not None:
            data, command = b"".join(message), names.get(struct.unpack_from("<i", message[0], 8)[0])
            if command and self.on_reply:
                was = document(*message)
                reply = self.on_reply(next(iter(command)), command, was)
                if reply is None:
                    break
                if reply is not was:
                    body = message[1][:5] + bson.encode(reply)
                    data = struct.pack("<i", 16 + len(body)) + message[0][4:] + body
            if not self.pass_on(pair[0], data):
                break
        self.end(pair)

    @staticmethod
    def pass_on(sock, data):
        with contextlib.suppress(OSError):
            sock.sendall(data)
            return True
        return False

    def end(self, pair):
        with self.lock:
            self.pairs.discard(pair)
        for sock in pair:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def cut(self):
        """Every connection breaks."""
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self.end(pair)

    def close(self):
        """It goes away: connections break, new ones are refused."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()


class Replies:
    """A script of what happens at replies: [(commands, which of them from 0 on, what)]; `what` is a reply, None for a broken
    connection, or a function that is called and gives either."""

    def __init__(self, *script):
        self.left = [[set(names), nth, what] for names, nth, what in script]
        self.lock = threading.Lock()

    def __call__(self, name, command, reply):
        with self.lock:
            due = None
            for entry in self.left:
                if name in entry[0]:
                    if entry[1] == 0 and due is None:
                        due = entry
                    entry[1] -= 1
            if due is None:
                return reply
            self.left.remove(due)
        return due[2](reply) if callable(due[2]) else due[2]


def at_reply(*script):
    def setup(bench):
        bench.wire.on_reply = Replies(*script)
    return setup


def refused(code, text="injected after the commit", **more):
    return {"ok": 0, "errmsg": text, **({"code": code} if code else {}), **more}
