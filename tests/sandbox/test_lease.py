#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several evenkeels on one simulated cluster: never do two start migrations. Each process has its own way to the cluster, through
this test, which sees every command in the order in which it goes on to the cluster, and can cut the way. What is compared in the
end is who sent migrations and splits with who had the lease by the cluster's own answers at that time."""
import collections
import concurrent.futures
import contextlib
import os
import re
import selectors
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

import bson

from acting import Cluster, environment, run, Terminal
from sandbox_server import EVENKEEL, main, TIMEOUT, wait_until

PRELOAD = os.environ.get("EVENKEEL_KILL_AT_LIBRARY", "")
TTL = 5  # seconds: the shortest that a configuration may ask for
LEASE = f"lease: {{ttl: {TTL}s}}\n"
OP_MSG = 2013
CHANGES = ("moveChunk", "moveRange", "split")

Event = collections.namedtuple("Event", "at side name reply")


class Way:
    """One process's way to the cluster: a port, and whether it is cut."""

    def __init__(self, name, listener):
        self.name = name
        self.listener = listener
        self.port = listener.getsockname()[1]
        self.cut = False
        self.heal = False


class Pipe:
    """One connection's two ends; `rest`: bytes of a message that is not whole yet, by direction."""

    def __init__(self, way, near, far):
        self.way, self.near, self.far = way, near, far
        self.rest = {near: b"", far: b""}
        self.asked = {}


class Ways:
    """All ways to one cluster, on one thread, so that there is one order of all that happens; a context manager."""

    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.selector = selectors.DefaultSelector()
        self.wake_out, self.wake_in = os.pipe()
        self.selector.register(self.wake_out, selectors.EVENT_READ, None)
        self.ways, self.pipes, self.events = {}, set(), []
        self.lock = threading.Lock()
        self.ended = False
        self.thread = threading.Thread(target=self.forward, daemon=True)
        self.thread.start()

    def close(self):
        self.ended = True
        os.write(self.wake_in, b"x")
        self.thread.join(TIMEOUT)
        for pipe in list(self.pipes):
            self.drop(pipe)
        for way in self.ways.values():
            way.listener.close()
        self.selector.close()
        os.close(self.wake_in)
        os.close(self.wake_out)

    def uri(self, name):
        """A new way; the connection string for it."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        listener.setblocking(False)
        way = Way(name, listener)
        with self.lock:
            self.ways[name] = way
            self.selector.register(listener, selectors.EVENT_READ, way)
        os.write(self.wake_in, b"x")
        return f"mongodb://127.0.0.1:{way.port}/"

    def cut(self, name):
        """What is sent from now on arrives nowhere, either way; nobody is told."""
        self.ways[name].cut = True

    def mend(self, name):
        """New connections work; the old ones are reset, since bytes of them are gone."""
        self.ways[name].heal = True
        os.write(self.wake_in, b"x")

    # --- the thread ---

    def forward(self):
        while not self.ended:
            for key, _ in self.selector.select():
                if key.data is None:
                    os.read(self.wake_out, 100)
                    self.heal()
                elif isinstance(key.data, Way):
                    self.accept(key.data)
                else:
                    self.pass_on(key.data, key.fileobj)

    def heal(self):
        for way in [w for w in self.ways.values() if w.heal]:
            way.cut = way.heal = False
            for pipe in [p for p in self.pipes if p.way is way]:
                self.drop(pipe)

    def accept(self, way):
        with contextlib.suppress(OSError):
            near, _ = way.listener.accept()
            far = socket.create_connection(self.target, timeout=TIMEOUT)
            pipe = Pipe(way, near, far)
            self.pipes.add(pipe)
            for sock in (near, far):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.selector.register(sock, selectors.EVENT_READ, pipe)

    def drop(self, pipe):
        if pipe in self.pipes:
            self.pipes.discard(pipe)
            for sock in (pipe.near, pipe.far):
                self.selector.unregister(sock)
                sock.close()

    def pass_on(self, pipe, sock):
        if pipe not in self.pipes:
            return
        other = pipe.far if sock is pipe.near else pipe.near
        try:
            data = sock.recv(1 << 16)
            if not data:
                raise ConnectionError
            if pipe.way.cut:
                return
            self.read(pipe, sock, data)
            other.sendall(data)
        except OSError:
            self.drop(pipe)

    def read(self, pipe, sock, data):
        rest = pipe.rest[sock] + data
        while len(rest) >= 16 and len(rest) >= struct.unpack_from("<i", rest)[0]:
            length, number, answers, opcode = struct.unpack_from("<iiii", rest)
            if opcode == OP_MSG:
                self.note(pipe, sock is pipe.near, number, answers, rest[21:length])
            rest = rest[length:]
        pipe.rest[sock] = rest

    def note(self, pipe, asks, number, answers, document):
        size = struct.unpack_from("<i", document)[0]
        if not asks:
            index = pipe.asked.pop(answers, None)
            if index is not None:
                self.events[index] = self.events[index]._replace(reply=bson.decode(document[:size]))
            return
        command = bson.decode(document[:size])
        name = next(iter(command))
        if name in CHANGES or (name == "findAndModify" and command[name] == "lease"):
            pipe.asked[number] = len(self.events)
            self.events.append(Event(time.monotonic(), pipe.way.name, name, None))

    # --- what was seen ---

    def changes(self, side=None, since=0):
        return [e for e in list(self.events)[since:] if e.name in CHANGES and side in (None, e.side)]

    def now(self):
        return len(self.events)

    def holders(self):
        """Who had the lease: (side or None, when its last write was sent, index), in order of sending."""
        had = None
        for index, event in enumerate(list(self.events)):
            if event.name == "findAndModify" and event.reply and event.reply.get("lastErrorObject", {}).get("n") == 1:
                value = event.reply["value"]
                free = value["released"] or value["holder"] == "nobody"
                had = (None, event.at) if free else (event.side, event.at)
            yield had, event

    def check(self):
        """The property: whoever started something had the lease then, by a write sent less than its life before."""
        changes = 0
        for had, event in self.holders():
            if event.name in CHANGES:
                changes += 1
                assert had is not None and had[0] == event.side, f"{event.side} sent {event.name}, {had and had[0]} had the lease"
                assert event.at - had[1] < TTL, f"{event.side} sent {event.name} {event.at - had[1]:.3f} s after its last renewal"
        assert changes > 0, "nothing was started"

    def released(self):
        """Whether anybody gave it up."""
        return any(e.name == "findAndModify" and e.reply and (e.reply.get("value") or {}).get("released") for e in list(self.events))

    def hands(self):
        """The holders, one after the other."""
        sides = [had[0] for had, _ in self.holders() if had is not None and had[0] is not None]
        return [s for i, s in enumerate(sides) if i == 0 or sides[i - 1] != s]


class Scene:
    """A cluster, ways to it, and processes; a context manager that ends them all and checks what they did."""

    def __init__(self, **cluster):
        cluster.setdefault("latency", "100ms")
        self.stack = contextlib.ExitStack()
        self.cluster = self.stack.enter_context(Cluster(config=LEASE, **cluster))
        self.ways = Ways(self.cluster.sandbox.port)
        self.stack.callback(self.ways.close)
        self.processes, self.arguments = {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        try:
            if exc[0] is None:
                self.ways.check()
            else:
                for name in self.processes:
                    print(f"--- {name}\n{self.text(name)[-2500:]}")
                print([(round(e.at, 3), e.side, e.name) for e in self.ways.events][-40:])
        finally:
            self.stack.close()

    def file(self, name, suffix):
        return self.cluster.folder / f"{name}.{suffix}"

    def common(self, name, config=""):
        path = self.file(name, "yaml")
        path.write_text(LEASE + f"control: {{socket: {self.file(name, 'sock')}}}\nhttp: {{listen: \"\"}}\n"
                        + "balancer: {interval: 1s, busyInterval: 100ms}\n" + config, encoding="utf-8")
        return ["--uri", self.ways.uri(name), "--config", path, "--journal", self.file(name, "db")]

    def start(self, name, *arguments, env=None, config=""):
        self.arguments[name] = self.common(name, config)
        with open(self.file(name, "log"), "wb") as log:
            self.processes[name] = subprocess.Popen([EVENKEEL, *map(str, arguments), *map(str, self.arguments[name])], stdin=subprocess.DEVNULL,
                                                    stdout=log, stderr=log, env=environment(**(env or {})))
        return self.processes[name]

    def service(self, name, **options):
        return self.start(name, "run", **options)

    def round(self, name, **options):
        return self.start(name, "round", "--standalone", "--yes", **options)

    def apply(self, name, **options):
        return self.start(name, "apply", self.cluster.plan_file, "--yes", **options)

    def text(self, name):
        return self.file(name, "log").read_text(encoding="utf-8", errors="replace")

    def said(self, name, text, times=1):
        wait_until(lambda: self.text(name).count(text) >= times)

    def moves(self, name, n, since=0):
        wait_until(lambda: len(self.ways.changes(name, since)) >= n)

    def end(self, name, code, *says):
        got = self.processes[name].wait(timeout=TIMEOUT)
        text = " ".join(self.text(name).split())
        assert got == code, f"{name}: exit {got}, not {code}: {text[-1500:]}"
        for piece in says:
            assert re.search(piece, text), f"{name}: no {piece!r} in {text[-1500:]}"

    def stop(self, name):
        """Stops it as SIGSTOP does, and waits until it stands."""
        process = self.processes[name]
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: self.stands(name))

    def stands(self, name):
        with open(f"/proc/{self.processes[name].pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "T"

    def go_on(self, name):
        self.processes[name].send_signal(signal.SIGCONT)


# --- scenes ---

def two_services(self):
    """The second stands by, and takes over at once when the first ends orderly."""
    self.service("first")
    self.moves("first", 2)
    self.service("second")
    self.said("second", "lease.standby")
    self.moves("first", 4)
    self.processes["first"].terminate()
    self.end("first", 0, "lease.released")
    self.moves("second", 2)
    assert self.ways.released(), "the second waited for the end of the lease"
    self.processes["second"].send_signal(signal.SIGINT)
    self.end("second", 0)
    assert self.ways.hands() == ["first", "second"]


def killed_service(self):
    """Nobody gives its lease up: the next one waits for the end of its time, and then settles nothing that is not its own."""
    self.service("first")
    self.moves("first", 2)
    self.service("second")
    self.said("second", "lease.standby")
    self.moves("first", 4)
    self.processes["first"].kill()
    self.moves("second", 2)
    assert not self.ways.released()
    assert self.ways.hands() == ["first", "second"]


def stopped_service(self):
    """Who was stopped for longer than its lease starts nothing when it goes on, until it has the lease again."""
    self.service("first")
    self.moves("first", 3)
    self.service("second")
    self.said("second", "lease.standby")
    self.stop("first")
    self.moves("second", 2)
    here = self.ways.now()
    self.go_on("first")
    self.said("first", "lease.lost")
    self.moves("second", 3, here)
    assert not self.ways.changes("first", here)
    self.processes["second"].terminate()
    self.end("second", 0)
    self.said("first", "lease.acquired", 2)
    self.moves("first", 1, here)
    assert self.ways.hands() == ["first", "second", "first"]


def cut_service(self):
    """Who cannot renew stops by itself before another may begin; and does not begin when it sees the cluster again."""
    self.service("first")
    self.moves("first", 3)
    self.service("second")
    self.said("second", "lease.standby")
    self.ways.cut("first")
    self.moves("second", 2)
    self.said("first", "lease.renewFailed")
    self.said("first", "lease.lost")
    here = self.ways.now()
    self.ways.mend("first")
    self.moves("second", 3, here)
    assert not self.ways.changes("first", here)
    self.processes["second"].terminate()
    self.end("second", 0)
    self.said("first", "lease.acquired", 2)
    assert self.ways.hands() == ["first", "second", "first"]


def round_beside_service(self):
    """A command refuses while a service lives, and goes on after one that died."""
    self.service("service")
    self.moves("service", 1)
    self.round("refused")
    self.end("refused", 75, r"the lease in evenkeel\.lease on mongodb://127\.0\.0\.1:\d+ is held by 'evenkeel run' on host \S+ \(process \d+\) since 20\S+Z, "
             r"until 20\S+Z unless it is renewed; stop it there, or try again then$")
    assert not self.ways.changes("refused")
    self.processes["service"].kill()
    self.round("round")
    self.end("round", 0, "looking whether it still runs", "The round is complete")
    self.round("again")
    self.end("again", 0)
    assert "looking whether" not in self.text("again"), "the round before gave its lease up"


def two_applies(self):
    """Of two with the same plan one goes on, and the other refuses."""
    self.cluster.plan()
    sides = {"one", "two"}
    for name in sides:
        self.apply(name)
    wait_until(lambda: any(p.poll() is not None for p in self.processes.values()))
    loser = next(name for name in sides if self.processes[name].poll() is not None)
    winner, = sides - {loser}
    self.end(loser, 75, "is held by 'evenkeel apply'", "unless it is renewed")
    assert not self.ways.changes(loser)
    self.moves(winner, 2)
    self.processes[winner].send_signal(signal.SIGINT)
    self.end(winner, 1, "not complete: .* left")
    self.round("three")
    self.moves("three", 1)
    assert "looking whether" not in self.text("three"), "the first gave its lease up"


def lost_by_apply(self):
    """Stopped for longer than its lease while another took over: it ends, says why, and leaves the other its peace."""
    self.cluster.plan()
    self.cluster.set_balancer(True)
    self.apply("apply", config="cluster: {builtinBalancer: stopAndRestore}\n")
    self.moves("apply", 2)
    self.stop("apply")
    self.service("service")
    self.moves("service", 2)
    since = self.ways.now()
    self.go_on("apply")
    self.end("apply", 75, "the lease was lost: nothing more is started", r"not complete: \d+ of \d+ left: the lease was lost: .* is held by 'evenkeel run'")
    self.end("apply", 75, "the built-in balancer is left stopped")
    assert not self.ways.changes("apply", since)
    assert self.cluster.balancer() == "off"
    self.processes["service"].terminate()
    self.end("service", 0)
    # Its next run, under the lease, puts the balancer back.
    done = run("apply", self.cluster.plan_file, "--yes", *self.arguments["apply"])
    assert self.cluster.balancer() == "full", done


def cut_and_mended_apply(self):
    """Cut off for longer than its lease, with nobody else there: it starts nothing meanwhile, and goes on after."""
    self.cluster.plan(rounds=("--rounds", "40"))
    self.apply("apply", config="migrations: {retry: {backoff: 100ms, maxBackoff: 500ms, attempts: 10}}\n")
    self.moves("apply", 2)
    self.ways.cut("apply")
    since = self.ways.now()
    self.said("apply", "warning: cannot")
    time.sleep(TTL)  # for the lease to run out
    self.ways.mend("apply")
    self.moves("apply", 2, since)
    assert self.ways.hands() == ["apply"]
    self.processes["apply"].terminate()
    self.processes["apply"].wait(TIMEOUT)


def cancelled_waiting(self):
    """Ctrl-C while it waits for a lease whose holder may be dead."""
    self.round("dead", env={})
    self.moves("dead", 1)
    self.processes["dead"].kill()
    self.round("waits")
    self.said("waits", "looking whether it still runs")
    self.processes["waits"].send_signal(signal.SIGINT)
    self.end("waits", 1, "cancelled while waiting for the lease; nothing was carried out")


def cancelled_at_the_question(self):
    """Who is asked has the lease already; Ctrl-C gives it up."""
    terminal = Terminal("round", "--standalone", *self.common("asked"))
    try:
        terminal.until("[y/N] ")
        terminal.type("\x03")
        code, text = terminal.end()
    finally:
        terminal.process.kill()
    assert code == 1 and "not confirmed; nothing was done" in text, text
    assert self.ways.released() and not self.ways.changes()
    self.round("next")
    self.end("next", 0)
    assert "looking whether" not in self.text("next")


def not_wanted(self):
    """lease.enabled: false asks nobody."""
    before = self.ways.now()
    done = run("round", "--standalone", "--yes", *self.common("round", ""), env={})
    assert done.code == 0, done.err
    with_lease = self.ways.now()
    assert any(e.name == "findAndModify" for e in self.ways.events[before:with_lease])
    arguments = self.common("none", "")
    arguments[3].write_text("lease: {enabled: false}\n", encoding="utf-8")
    done = run("round", "--standalone", "--yes", *arguments)
    assert done.code == 0, done.err
    assert self.ways.changes("none") and not [e for e in self.ways.events[with_lease:] if e.name == "findAndModify"]
    del self.ways.events[with_lease:]  # without a lease there is nothing to compare


def not_permitted(self):
    with self.cluster.sandbox.client() as client:
        client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn",
                             data={"failCommands": ["findAndModify"], "errorCode": 13})
        done = run("round", "--standalone", "--yes", *self.common("round"))
        assert done.code == 77 and "readWrite on database 'evenkeel'" in done.err and "lease.enabled" in done.err, done
        assert not self.ways.changes()
        client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn",
                             data={"failCommands": ["findAndModify"], "errorCode": 189})
        done = run("round", "--standalone", "--yes", *self.common("unavailable"))
        assert done.code == 69 and "cannot write the lease" in done.err, done
        client.admin.command("configureFailPoint", "failCommand", mode="off")
    done = run("round", "--standalone", "--yes", *self.common("again"))
    assert done.code == 0, done.err


def stopped_at(call):
    """The process stops itself exactly there, for longer than its lease: between looking and sending, too."""
    def scene(self):
        self.cluster.plan()
        self.apply("apply", env={"LD_PRELOAD": PRELOAD, "EVENKEEL_KILL_AT": call, "EVENKEEL_KILL_STOPS": "1"})
        wait_until(lambda: self.processes["apply"].poll() is not None or self.stands("apply"))
        self.service("service")
        self.moves("service", 2)
        since = self.ways.now()
        self.go_on("apply")
        self.end("apply", 75, "the lease was lost")
        assert not self.ways.changes("apply", since)
    scene.__name__ = f"stopped_at_{call}"
    return scene


class Lease(unittest.TestCase):
    def play(self, scenes):
        """Several at a time: they mostly wait."""
        def one(scene):
            with Scene() as stage:
                scene(stage)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            played = [(scene, pool.submit(one, scene)) for scene in scenes]
            for scene, result in played:
                with self.subTest(scene=scene.__name__):
                    result.result()

    def test_scenes(self):
        self.play([stopped_service, cut_service, cut_and_mended_apply, killed_service, lost_by_apply, round_beside_service, two_services,
                   two_applies, cancelled_waiting, cancelled_at_the_question, not_wanted, not_permitted])

    def test_stopped_anywhere(self):
        if not PRELOAD:
            raise unittest.SkipTest("EVENKEEL_KILL_AT_LIBRARY is not set")
        self.play([stopped_at(f"recv:{n}:after") for n in range(106, 160, 7)])


if __name__ == "__main__":
    main()
