# SPDX-License-Identifier: Apache-2.0
"""`evenkeel run` under the soak: its configuration, its process, its doors, and what it uses."""
import contextlib
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

from soak_cluster import EVENKEEL, TIMEOUT

PAGE = os.sysconf("SC_PAGE_SIZE")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Service:
    def __init__(self, clock, folder, port):
        self.clock, self.folder, self.port = clock, folder, port
        self.journal, self.socket, self.config_file = folder / "journal.db", folder / "s", folder / "evenkeel.yaml"
        self.config = {
            "cluster": {"uri": f"mongodb://127.0.0.1:{port}/?heartbeatFrequencyMS=600000", "builtinBalancer": "stopAndRestore"},
            "balancer": {"interval": "30m", "busyInterval": "30s"},
            "migrations": {"timeout": "2h", "jumbo": "split", "retry": {"attempts": 3, "backoff": "30s", "maxBackoff": "10m"}},
            "journal": {"path": str(self.journal), "retention": "365d"}, "lease": {"ttl": "15m"}, "control": {"socket": str(self.socket)},
            "http": {"listen": ""}, "log": {"level": "info", "format": "text"}}
        self.process, self.starts, self.restarts = None, 0, 0

    # --- the process ---

    def write_config(self, **changes):
        """Sections of the configuration, changed for a while; all others as they were at the start."""
        config = json.loads(json.dumps(self.config))
        for section, values in changes.items():
            config[section].update(values)
        self.config_file.write_text(json.dumps(config), encoding="utf-8")

    def start(self):
        self.http = free_port()
        self.config["http"]["listen"] = f"127.0.0.1:{self.http}"
        self.write_config()
        self.log = open(self.folder / "service.log", "ab")
        self.process = subprocess.Popen([EVENKEEL, "run", "--config", str(self.config_file)], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env={**os.environ, **self.clock.environment()})
        self.starts += 1
        self.begun = self.clock.now()
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                return self.ask("status")
            except (OSError, ValueError):
                pass
            self.check_alive()
            if time.monotonic() > end:
                raise AssertionError("the service does not answer on its socket")
            time.sleep(0.005)

    def check_alive(self):
        code = self.process.poll()
        if code is not None:
            raise AssertionError(f"the service ended with {code}")

    def ended(self):
        self.clock.forget(self.process.pid)
        self.log.close()
        self.process = None

    def kill(self):
        self.check_alive()
        self.process.kill()
        self.process.wait()
        self.ended()

    def terminate(self, again=False):
        """An orderly end, as long as it takes; `again`: without patience."""
        self.check_alive()
        self.process.send_signal(signal.SIGTERM)
        self.clock.pace(500)
        if again:
            time.sleep(0.02)
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            raise AssertionError("the service did not end after SIGTERM") from None
        finally:
            self.clock.pace(20)
        self.ended()
        if code != 0:
            raise AssertionError(f"the service ended with {code} after SIGTERM")

    def signal(self, number):
        self.check_alive()
        self.process.send_signal(number)

    # --- its doors ---

    def ask(self, op, **more):
        with self.clock.slowly(), socket.socket(socket.AF_UNIX) as s:
            s.settimeout(TIMEOUT)
            s.connect(str(self.socket))
            s.sendall(json.dumps({"v": 1, "op": op, **more}).encode() + b"\n")
            line = s.makefile("rb").readline()
        return json.loads(line)

    def status(self):
        return self.ask("status")["status"]

    def browse(self, rng):
        """What monitoring and people ask for over HTTP, some of whom hang up."""
        for path in rng.sample(["/", "/metrics", "/healthz", "/readyz", "/api/v1/status", "/api/v1/history", "/nothing"], 4):
            c = http.client.HTTPConnection("127.0.0.1", self.http, timeout=TIMEOUT)
            c.request("GET", path)
            if rng.random() < 0.7:
                c.getresponse().read()
            c.close()
        with socket.create_connection(("127.0.0.1", self.http)) as s:
            s.sendall(b"GET / HT")

    # --- what it uses ---

    def use(self):
        """Resident bytes, open descriptors but for connections to the cluster, and these connections."""
        of = pathlib.Path("/proc", str(self.process.pid))
        resident = int((of / "statm").read_text().split()[1]) * PAGE
        port = f":{self.port:04X}"
        to_cluster = {f"socket:[{row[9]}]" for row in map(str.split, (of / "net/tcp").read_text().splitlines()) if row[2].endswith(port)}
        files = []
        for f in (of / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                files.append(os.readlink(f))
        return resident, sum(f not in to_cluster for f in files), sum(f in to_cluster for f in files)


def variation(rng: random.Random):
    """Sections of a configuration that is as good as the other."""
    return rng.choice([
        {"migrations": {"jumbo": "skip"}}, {"migrations": {"jumbo": "force"}}, {"migrations": {"maxConcurrent": 1}}, {"migrations": {"waitForDelete": True}},
        {"migrations": {"maxBytesPerHour": "2GiB"}}, {"migrations": {"pauseWhen": {"orphans": 1000000}}}, {"balancer": {"policy": "size"}}, {"balancer": {"policy": "count"}},
        {"balancer": {"windows": [{"start": "22:00", "stop": "06:00", "timezone": "UTC"}]}}, {"balancer": {"namespaces": ["*", "!iot.*"]}},
        {"balancer": {"shards": {"shard0": {"weight": 2.0}}}}, {"balancer": {"shards": {"shard1": {"receive": False}}}}, {"cluster": {"builtinBalancer": "requireStopped"}},
        {"log": {"format": "json"}}, {"log": {"level": "debug"}}])
