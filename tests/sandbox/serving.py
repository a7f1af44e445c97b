# SPDX-License-Identifier: Apache-2.0
"""What the tests of `evenkeel run` share: the service as a process beside a simulated cluster, its log, its doors, and a socket on
which a service manager might listen."""
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from bson import json_util
from bson.binary import UuidRepresentation

from acting import ActingCase, PROFILER, environment, run
from sandbox_server import EVENKEEL, TIMEOUT, wait_until

QUICK = "balancer: {{interval: 1s, busyInterval: 10ms, policy: count{balancer}}}\n"


class Manager:
    """A service manager's notification socket: keeps what it is told, with the time (monotonic) of each."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(0.05)
        self.told = []

    def read(self):
        while True:
            try:
                text = self.socket.recv(65536).decode()
            except (TimeoutError, socket.timeout):
                return self.told
            self.told.append((time.monotonic(), dict(line.split("=", 1) for line in text.splitlines())))

    def values(self, name):
        return [fields[name] for _, fields in self.read() if name in fields]

    def close(self):
        self.socket.close()


class Control:
    """A connection to the control socket, by hand."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        self.buffer = b""
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else json.dumps(data).encode() + b"\n")

    def line(self):
        """The next answer; None at the end."""
        while b"\n" not in self.buffer:
            try:
                piece = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not piece:
                return None
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def ask(self, op, **more):
        self.send({"v": 1, "op": op, **more})
        return self.line()

    def close(self):
        self.socket.close()


class Service:
    """`evenkeel run` on a Cluster of acting.py."""

    def __init__(self, cluster, *arguments, uri=None, **env):
        self.cluster = cluster
        self.socket = cluster.folder / "control.sock"
        self.log_file = cluster.folder / f"log.{time.monotonic_ns()}"
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                [EVENKEEL, "run", "--config", str(cluster.config_file), "--uri", uri or cluster.uri, "--journal", str(cluster.journal), *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environment(**env))

    # --- its log ---

    def text(self):
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def lines(self, message=None):
        """Of the JSON log: (message, fields) in order."""
        found = [json.loads(line) for line in PROFILER.sub("", self.text()).splitlines() if line.startswith("{") and line.endswith("}")]
        return [(line["msg"], line.get("attr", {})) for line in found if message is None or line["msg"] == message]

    def wait(self, message, n=1):
        """Until the log has so many of these; the fields of the last."""
        def there():
            if self.process.poll() is not None and len(self.lines(message)) < n:
                raise AssertionError(f"ended with {self.process.returncode}, no {message}: {self.text()}")
            return len(self.lines(message)) >= n
        try:
            wait_until(there)
        except AssertionError as error:
            raise AssertionError(f"no {message} ({n}): {self.text()}") from error
        return self.lines(message)[-1][1]

    # --- its doors ---

    def control(self):
        """As soon as it listens: a killed one's file may be there still."""
        made = []

        def connected():
            try:
                made.append(Control(self.socket))
            except (FileNotFoundError, ConnectionRefusedError):
                return False
            return True
        wait_until(connected)
        return made[0]

    def ask(self, op, **more):
        control = self.control()
        try:
            return control.ask(op, **more)
        finally:
            control.close()

    def status(self):
        return self.ask("status")["status"]

    def wait_status(self, wanted):
        """Until the status is as `wanted` says; that status."""
        kept = {}

        def as_wanted():
            kept["status"] = self.status()
            return wanted(kept["status"])
        try:
            wait_until(as_wanted)
        except AssertionError as error:
            raise AssertionError(f"{json.dumps(kept)[:3000]} {self.text()[-3000:]}") from error
        return kept["status"]

    def wait_state(self, state):
        return self.wait_status(lambda status: status["state"] == state)

    def cli(self, command, *arguments, **options):
        return run(command, "--socket", self.socket, "--config", self.cluster.config_file, *arguments, **options)

    def http_port(self):
        """That it drew, as its log tells it."""
        return int(self.wait("http.listen")["address"].rsplit(":", 1)[1])

    def http(self, path):
        """Code and body."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port()}{path}", timeout=TIMEOUT) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    # --- its end ---

    def tell(self, number):
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM):
        """Exit code after that signal (None: it ends by itself)."""
        if number is not None and self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not end: {self.text()[-3000:]}") from None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def canonical(text):
    options = json_util.JSONOptions(uuid_representation=UuidRepresentation.STANDARD)
    return json_util.dumps(json_util.loads(text, json_options=options), json_options=options)


class ServingCase(ActingCase):
    def served(self, *args, config="", balancer="", lease="{enabled: false}", log="info", **kwargs):
        """A cluster with the configuration of a quick service."""
        cluster = self.cluster(*args, **kwargs)
        self.configure(cluster, config, balancer, lease, log)
        return cluster

    def configure(self, cluster, config="", balancer="", lease="{enabled: false}", log="info"):
        cluster.configure(QUICK.format(balancer=f", {balancer}" if balancer else "") + f"lease: {lease}\n"
                          f"control: {{socket: {cluster.folder}/control.sock}}\n"
                          'http: {listen: "127.0.0.1:0"}\n'
                          f"log: {{format: json, level: {log}}}\n" + config)

    def serve(self, cluster, *arguments, **env):
        service = Service(cluster, *arguments, **env)
        self.addCleanup(self.put_away, service)
        return service

    def put_away(self, service):
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait()

    def ended(self, service, number=signal.SIGTERM, code=0):
        self.assertEqual(service.end(number), code, service.text()[-3000:])
        self.assertNotRegex(service.text(), r"Sanitizer|runtime error|CRITICAL|WARNING \*\*")

    def agree(self, cluster, before=0):
        """The journal's committed migrations are exactly those that the cluster says were made."""
        journal = cluster.rows("SELECT ns, min_json, donor, recipient FROM migrations WHERE state = 'committed'")
        made = sorted((ns, canonical(low), donor, to) for ns, low, donor, to in cluster.commits()[before:])
        self.assertEqual(sorted((ns, canonical(low), donor, to) for ns, low, donor, to in journal), made)
        self.assertEqual(cluster.rows("SELECT count(*) FROM migrations WHERE state IN ('planned', 'started', 'unknown')"), [(0,)])

    def events(self, cluster, code):
        return [text for text, in cluster.rows(f"SELECT text FROM events WHERE code = '{code}' ORDER BY rowid")]


ISO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
os.environ.setdefault("LC_ALL", "C.UTF-8")
