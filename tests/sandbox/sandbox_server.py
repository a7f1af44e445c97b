# SPDX-License-Identifier: Apache-2.0
"""What the sandbox's tests share: starting `evenkeel sandbox` on a free port, and comparing documents with their types."""
import contextlib
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import bson
    import pymongo
    from bson import json_util
except ImportError:
    print("python3-pymongo is not installed")
    sys.exit(77)

EVENKEEL = os.environ.get("EVENKEEL", "evenkeel")
DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
REAL = DATA / "real-4.2"
RECORDED = DATA / "recorded"
TIMEOUT = 30  # seconds; what takes longer has hung


class Sandbox:
    """A running `evenkeel sandbox`."""

    def __init__(self, *args, state="balanced"):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [EVENKEEL, "sandbox", "--snapshot", str(REAL / state / "snapshot.json"), "--port", "0", *map(str, args)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on 127.0.0.1:"):
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not start: {line!r} {self.stderr()}")
        self.port = int(line.rsplit(":", 1)[1])

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def client(self, **options):
        options.setdefault("serverSelectionTimeoutMS", 5000)
        options.setdefault("socketTimeoutMS", TIMEOUT * 1000)
        return pymongo.MongoClient("127.0.0.1", self.port, document_class=bson.SON, **options)

    def raw(self):
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        """Ends it orderly; returns its exit code."""
        if self.alive():
            self.process.terminate()
        try:
            code = self.process.wait(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "killed"
        self.process.stdout.close()
        return code


class SandboxCase(unittest.TestCase):
    """One sandbox for the whole case; it must have lived through every test, and end well."""
    args = ()
    state = "balanced"

    @classmethod
    def setUpClass(cls):
        cls.sandbox = Sandbox(*cls.args, state=cls.state)

    @classmethod
    def tearDownClass(cls):
        alive = cls.sandbox.alive()
        code = cls.sandbox.stop()
        errors = cls.sandbox.stderr()
        cls.sandbox.errors.close()
        if not alive or code != 0 or errors:
            raise AssertionError(f"the sandbox ended with {code}, alive: {alive}: {errors}")

    def tearDown(self):
        self.assertTrue(self.sandbox.alive(), "the sandbox died")

    def refused(self, code, run, *args, **kwargs):
        with self.assertRaises(pymongo.errors.OperationFailure) as caught:
            run(*args, **kwargs)
        self.assertEqual(caught.exception.code, code, caught.exception)
        return caught.exception.details


def recorded(name):
    return json_util.loads((RECORDED / name).read_text(encoding="utf-8"),
                           json_options=json_util.JSONOptions(document_class=bson.SON, tz_aware=False,
                                                              json_mode=json_util.JSONMode.CANONICAL))


def difference(want, got, path=""):
    """Where two values differ, in type or value or order of fields; None where they are equal."""
    if type(want) is not type(got) and not (isinstance(want, dict) and isinstance(got, dict)):
        return f"{path}: {want!r} ({type(want).__name__}), not {got!r} ({type(got).__name__})"
    if isinstance(want, dict):
        if list(want) != list(got):
            return f"{path}: fields {list(want)}, not {list(got)}"
        pairs = [(k, want[k], got[k]) for k in want]
    elif isinstance(want, list):
        if len(want) != len(got):
            return f"{path}: {len(want)} elements, not {len(got)}"
        pairs = [(str(i), w, g) for i, (w, g) in enumerate(zip(want, got))]
    else:
        return None if want == got else f"{path}: {want!r}, not {got!r}"
    for name, w, g in pairs:
        found = difference(w, g, f"{path}.{name}")
        if found:
            return found
    return None


# ---- the wire, by hand ----

OP_MSG, OP_QUERY, OP_REPLY, OP_COMPRESSED = 2013, 2004, 1, 2012


def message(opcode, body, request_id=7, length=None):
    return struct.pack("<iiii", 16 + len(body) if length is None else length, request_id, 0, opcode) + body


def op_msg(command, flags=0, sections=b"", request_id=7):
    return message(OP_MSG, struct.pack("<I", flags) + b"\0" + bson.encode(command) + sections, request_id)


def receive_exactly(sock, n):
    data = b""
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            return None
        data += part
    return data


def receive(sock):
    """One reply as (response_to, flags, document), or None where the connection was closed."""
    try:
        header = receive_exactly(sock, 16)
        if header is None:
            return None
        length, _, response_to, opcode = struct.unpack("<iiii", header)
        body = receive_exactly(sock, length - 16)
    except ConnectionError:
        return None
    if opcode == OP_REPLY:
        return response_to, struct.unpack_from("<i", body)[0], bson.decode(body[20:])
    flags = struct.unpack_from("<I", body)[0]
    end = len(body) - (4 if flags & 1 else 0)
    return response_to, flags, bson.decode(body[5:end])


@contextlib.contextmanager
def connection(sandbox):
    sock = sandbox.raw()
    try:
        yield sock
    finally:
        sock.close()


def wait_until(condition, seconds=TIMEOUT):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.02)


def main():
    unittest.main()
