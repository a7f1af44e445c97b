#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long the service's event loop is away at the most: with a large cluster that is read, planned on and moved in over and over,
with one that answers slowly, and with clients of both doors that ask much and read little. With --idle: what it costs when there is
nothing to do. Needs EVENKEEL, EVENKEEL_GEN_CLUSTER and EVENKEEL_LOOP_STOPS_LIBRARY in the environment."""
import argparse
import contextlib
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "sandbox"))
# pylint: disable=wrong-import-position
import sandbox_server  # noqa: E402
from serving import Control, Service  # noqa: E402

FIELDS, BUCKETS = ("stops", "longest", "own", "cpu", "disk"), 12
WAIT = 600


class Cluster:
    """A sandbox on a generated cluster, and a folder with the service's files."""

    def __init__(self, folder, words, latency):
        self.folder = pathlib.Path(folder)
        self.journal = self.folder / "journal.db"
        self.config_file = self.folder / "evenkeel.yaml"
        dump = self.folder / "dump"
        subprocess.run([os.environ["EVENKEEL_GEN_CLUSTER"], "dump", str(dump), *words], check=True)
        self.process = subprocess.Popen([sandbox_server.EVENKEEL, "sandbox", "--dump", str(dump), "--port", "0", "--latency", latency,
                                         "--orphan-delay", "0s", "--allow-faults"], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])
        self.uri = f"mongodb://127.0.0.1:{self.port}/?socketTimeoutMS=600000"

    def command(self, *args, **more):
        import pymongo
        with pymongo.MongoClient("127.0.0.1", self.port) as client:
            return client.admin.command(*args, **more)

    def slow(self, ms):
        """Every read and every migration waits."""
        mode = "alwaysOn" if ms else "off"
        self.command("configureFailPoint", "failCommand", mode=mode,
                     data={"failCommands": ["find", "getMore", "aggregate", "moveChunk", "moveRange", "update"], "blockConnection": True, "blockTimeMS": ms or 1})

    def configure(self, interval, busy="0s"):
        self.config_file.write_text(
            f"balancer: {{interval: {interval}, busyInterval: {busy}, policy: count}}\nlease: {{enabled: true, ttl: 2m}}\ncluster: {{builtinBalancer: ignore}}\n"
            f"control: {{socket: {self.folder}/control.sock}}\nhttp: {{listen: \"127.0.0.1:0\"}}\nlog: {{format: json}}\n")


class Stops:
    """What the preloaded library has seen since the last clear()."""

    def __init__(self, path):
        self.path = path
        self.size = 8 * (len(FIELDS) + BUCKETS)

    def clear(self):
        with open(self.path, "r+b") as f:
            f.write(bytes(self.size))

    def read(self):
        with open(self.path, "rb") as f:
            values = struct.unpack(f"{len(FIELDS) + BUCKETS}q", f.read(self.size))
        return dict(zip(FIELDS, values)), values[len(FIELDS):]


class Crowd:
    """Threads that do something over and over until the end."""

    def __init__(self):
        self.over = threading.Event()
        self.threads = []
        self.times = []

    def add(self, what, *args, n=1):
        def again():
            while not self.over.is_set():
                with contextlib.suppress(OSError, ValueError, TypeError):
                    what(*args)
        for _ in range(n):
            self.threads.append(threading.Thread(target=again, daemon=True))

    def run(self, seconds):
        for thread in self.threads:
            thread.start()
        time.sleep(seconds)
        self.over.set()
        for thread in self.threads:
            thread.join(timeout=20)

    # --- what they do ---

    def ask(self, path, op):
        control = Control(path)
        try:
            for _ in range(20):
                control.ask(op)
        finally:
            control.close()

    def ask_and_not_read(self, path, op):
        control = Control(path)
        control.socket.settimeout(0.5)
        try:
            while not self.over.is_set():
                control.send(b'{"v": 1, "op": "%s"}\n' % op.encode() * 50)
        finally:
            control.close()

    def dribble(self, path):
        control = Control(path)
        try:
            for byte in b'{"v": 1, "op": "status"}\n':
                control.send(bytes([byte]))
                time.sleep(0.02)
            control.line()
        finally:
            control.close()

    def get(self, port, path):
        began = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            answer.read()
        self.times.append((time.monotonic() - began, path))

    def get_and_not_read(self, port, path):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            self.over.wait(3)


def control_clients(crowd, cluster, _service):
    path = cluster.folder / "control.sock"
    crowd.add(crowd.ask, path, "status", n=2)
    crowd.add(crowd.ask, path, "plan", n=2)
    crowd.add(crowd.ask_and_not_read, path, "plan", n=4)
    crowd.add(crowd.ask_and_not_read, path, "status", n=4)
    crowd.add(crowd.dribble, path, n=4)


def http_clients(crowd, _cluster, service):
    for path in ("/metrics", "/api/v1/status", "/api/v1/plan", "/api/v1/collections", "/", "/api/v1/history?limit=1000",
                 "/api/v1/history?state=failed&ns=none.*"):
        crowd.add(crowd.get, service.http_port(), path)
        crowd.add(crowd.get_and_not_read, service.http_port(), path)


def report(name, stops, service, before):
    """A row; `before`: plans and migrations until then, and afterwards."""
    seen, buckets = stops.read()
    counters = service.status()["counters"]
    now = (counters["plans"], counters["migrationsCommitted"])
    print(f"{name:38} {now[0] - before[0]:5} {now[1] - before[1]:5} {seen['stops']:9} {seen['longest'] / 1e3:9.1f} {seen['own'] / 1e3:9.1f}"
          f" {seen['cpu'] / 1e3:9.1f} {seen['disk'] / 1e3:9.1f} {sum(buckets[6:]):6}", flush=True)
    return now


def loop(cluster, stops, service, seconds):
    print(f"{'':38} {'plans':>5} {'moves':>5} {'stops':>9} {'longest':>9} {'own':>9} {'CPU':>9} {'disk':>9}   > 32   (ms)")
    done = (0, 0)
    scenes = [("rounds", None, 0), ("rounds, slow cluster (200 ms a reply)", None, 200), ("rounds, control clients", control_clients, 0),
              ("rounds, HTTP clients", http_clients, 0), ("rounds, all of these", lambda *a: (control_clients(*a), http_clients(*a)), 20)]
    for name, clients, slow in scenes:
        cluster.slow(slow)
        stops.clear()
        crowd = Crowd()
        if clients is not None:
            clients(crowd, cluster, service)
        crowd.run(seconds)
        done = report(name, stops, service, done)
    cluster.slow(0)
    status = service.status()
    print(f"resident {status['process']['residentBytes'] / 2 ** 20:.0f} MiB, loopLongestStopSeconds {status['counters']['loopLongestStopSeconds']:.4f}")


def idle(service, seconds):
    def cpu():
        fields = pathlib.Path(f"/proc/{service.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    nanoseconds = pathlib.Path(f"/proc/{service.process.pid}/task")

    def exact():
        return sum(int((t / "schedstat").read_text().split()[0]) for t in nanoseconds.iterdir()) / 1e9
    time.sleep(5)
    before, ticks = exact(), cpu()
    time.sleep(seconds)
    used = exact() - before
    resident = service.status()["process"]["residentBytes"]
    print(f"idle for {seconds} s: {used * 1e3:.1f} ms of CPU ({used / seconds * 100:.3f} % of a core; by ticks {cpu() - ticks:.2f} s), resident {resident / 2 ** 20:.1f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=1000000)
    parser.add_argument("--collections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60, help="of each measurement")
    parser.add_argument("--idle", action="store_true", help="measure the cost of doing nothing, on a small balanced cluster")
    args = parser.parse_args()
    words = [f"chunks={args.chunks}", f"shards={100 if args.chunks > 100000 else 8}", f"collections={args.collections}", "zones=4", "skew=0.3", "version=7.0.14"]
    if args.idle:
        words = ["chunks=500", "shards=4", "collections=5", "zones=0", "skew=0", "version=7.0.14"]
    with tempfile.TemporaryDirectory(prefix="evenkeel-loop-") as folder:
        cluster = Cluster(folder, words, "100ms")
        cluster.configure("10s" if args.idle else "1s", "1s" if args.idle else "0s")
        stops = Stops(cluster.folder / "stops")
        preload = {} if args.idle else {"LD_PRELOAD": os.environ["EVENKEEL_LOOP_STOPS_LIBRARY"], "EVENKEEL_LOOP_STOPS": str(stops.path)}
        service = Service(cluster, *(["--verbose"] if args.idle else []), **preload)
        try:
            sandbox_server.wait_until(lambda: service.lines("cluster.connected") or service.process.poll() is not None, WAIT)
            if args.idle:
                sandbox_server.wait_until(lambda: service.lines("round.nothing"), WAIT)
                idle(service, args.seconds)
                if service.lines()[-1][0] != "round.nothing":
                    sys.exit(f"it was not idle: {service.lines()[-1]}")
            else:
                loop(cluster, stops, service, args.seconds)
            code = service.end()
            if code != 0:
                sys.exit(f"the service ended with {code}: {service.text()[-2000:]}")
        finally:
            for process in (service.process, cluster.process):
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
