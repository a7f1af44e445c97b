# SPDX-License-Identifier: Apache-2.0
"""What the tests of `apply` and `round` share: a simulated cluster with a folder for plan, journal and configuration, the
command run against it, on a terminal or off one, and what the cluster itself says has happened."""
import atexit
import collections
import contextlib
import fcntl
import functools
import os
import pathlib
import pty
import re
import select
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import termios
import time
import unittest

from bson import json_util
from sandbox_server import EVENKEEL, TIMEOUT, Sandbox, wait_until

Done = collections.namedtuple("Done", "code out err")
PROFILER = re.compile(r"^(libgcov )?profiling( error)?:.*\n", re.M)
SANITIZERS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "LLVM_PROFILE_FILE", "GCOV_PREFIX")
VERSIONS = ("4.2.25", "5.0.31", "6.0.14", "7.0.14")


def environment(**more):
    """The tests' own: nothing of the caller's that the command listens to."""
    kept = {name: os.environ[name] for name in SANITIZERS if name in os.environ}
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm", **kept, **more}


@functools.cache
def anybodys_evenkeel():
    """The program where other users reach it: the checkout may lie in somebody's own folder."""
    folder = tempfile.mkdtemp(prefix="evenkeel-anybodys-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    return shutil.copy(EVENKEEL, folder)


def run(*arguments, env=None, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    program = anybodys_evenkeel() if "user" in options else EVENKEEL
    if "user" in options:
        options.setdefault("cwd", "/")
    done = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(**(env or {})),
                          timeout=TIMEOUT, check=False, **options)
    return Done(done.returncode, done.stdout.decode(), PROFILER.sub("", done.stderr.decode()))


class Terminal:
    """The command on a pseudo terminal of its own, as a person has it."""

    def __init__(self, *arguments, rows=24, columns=80, stdout=None, **env):
        self.fd, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.text = b""
        self.process = subprocess.Popen([EVENKEEL, *map(str, arguments)], stdin=other, stdout=stdout or other, stderr=other,
                                        start_new_session=True, env=environment(**env),
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(other)

    def read(self, seconds):
        """More of what it prints; false at the end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += piece
        return piece != b""

    def until(self, text):
        end = time.monotonic() + TIMEOUT
        while text.encode() not in self.text:
            if not self.read(0.5) or time.monotonic() > end:
                raise AssertionError(f"no {text!r} in {self.text!r}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """Waits for its end: exit code and all that was printed."""
        end = time.monotonic() + TIMEOUT
        while self.read(0.5):
            if time.monotonic() > end:
                self.process.kill()
                break
        code = self.process.wait(timeout=TIMEOUT)
        os.close(self.fd)
        return code, self.text.decode()


class Cluster:
    """A simulated cluster that is acted on; a context manager."""

    def __init__(self, version="5.0.31", state="imbalanced", latency="2ms", config="", arguments=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="evenkeel-acting-"))
        self.sandbox = Sandbox("--server-version", version, "--latency", latency, "--orphan-delay", "0s", *arguments, state=state)
        self.address = f"127.0.0.1:{self.sandbox.port}"
        # a driver that took a "not primary" for the mongos' own word looks again this often
        self.uri = f"mongodb://{self.address}/?heartbeatFrequencyMS=500"
        self.journal = self.folder / "journal.db"
        self.plan_file = self.folder / "plan.json"
        self.config_file = self.folder / "evenkeel.yaml"
        self.configure(config)
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stack.close()
        alive = self.sandbox.alive()
        self.sandbox.stop()
        errors = self.sandbox.stderr()
        self.sandbox.errors.close()
        for path in sorted(self.folder.rglob("*"), reverse=True):
            path.unlink() if not path.is_dir() else path.rmdir()
        self.folder.rmdir()
        if exc[0] is None and (not alive or errors):
            raise AssertionError(f"the sandbox: alive {alive}, {errors}")

    def configure(self, text):
        """A short lease, so that who comes after one that was killed does not wait for long."""
        lease = "" if "lease:" in text else "lease: {ttl: 5s}\n"
        self.config_file.write_text(text + lease, encoding="utf-8")

    def client(self):
        return self.stack.enter_context(self.sandbox.client())

    # --- the command ---

    def common(self):
        return ["--uri", self.uri, "--config", self.config_file, "--journal", self.journal]

    def plan(self, *arguments, policy="count", rounds=("--until-balanced",), path=None):
        done = run("plan", "--uri", self.uri, "--policy", policy, *rounds, "--format", "json", "-o", path or self.plan_file, *arguments)
        assert done.code == 0, done.err
        return self.read_plan(path)

    def read_plan(self, path=None):
        return json_util.loads((path or self.plan_file).read_text(encoding="utf-8"))

    def apply(self, *arguments, path=None, **options):
        return run("apply", path or self.plan_file, *self.common(), *arguments, **options)

    def start_apply(self, *arguments):
        """In the background, its lines to a pipe."""
        return subprocess.Popen([EVENKEEL, "apply", str(self.plan_file), *map(str, self.common()), "--yes", *arguments],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())

    def round(self, *arguments, **options):
        return run("round", "--standalone", *self.common(), *arguments, **options)

    # --- what the cluster says ---

    def commits(self):
        """Every migration that its changelog has: collection, min, donor, recipient."""
        with self.sandbox.client() as client:
            return [(e["ns"], json_util.dumps(e["details"]["min"]), e["details"]["from"], e["details"]["to"])
                    for e in client.config.changelog.find({"what": "moveChunk.commit"})]

    def chunks(self):
        """Every chunk with its owner, in key order."""
        with self.sandbox.client() as client:
            names = {c.get("uuid"): c["_id"] for c in client.config.collections.find()}
            found = [(c.get("ns") or names[c["uuid"]], json_util.dumps(c["min"]), json_util.dumps(c["max"]), c["shard"])
                     for c in client.config.chunks.find()]
        return sorted(found)

    def balancer(self):
        with self.sandbox.client() as client:
            return client.admin.command("balancerStatus")["mode"]

    def set_balancer(self, on):
        with self.sandbox.client() as client:
            client.admin.command("balancerStart" if on else "balancerStop")

    def wait_for_commits(self, n):
        wait_until(lambda: len(self.commits()) >= n)

    def starts(self):
        with self.sandbox.client() as client:
            return client.config.changelog.count_documents({"what": "moveChunk.start"})

    def wait_for_start(self, before):
        """Until the cluster, too, knows of a migration more; before that its command may still be on the way."""
        wait_until(lambda: self.starts() > before)

    def rows(self, query):
        """Of the journal, as anybody may read it."""
        with contextlib.closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as db:
            return db.execute(query).fetchall()


def approved(plan):
    """The migrations of a plan as Cluster.commits() tells them."""
    return [(m["ns"], json_util.dumps(m["min"]), m["from"], m["to"]) for r in plan["rounds"] for m in r["migrations"]]


class ActingCase(unittest.TestCase):
    maxDiff = None

    def cluster(self, *args, **kwargs):
        cluster = Cluster(*args, **kwargs)
        self.addCleanup(cluster.__exit__, None, None, None)
        return cluster

    def code(self, want, done, *says):
        """The exit code; on stderr or stdout what it says, wherever the lines end."""
        self.assertEqual(done.code, want, f"{done.out}{done.err}")
        for text in says:
            self.assertIn(" ".join(text.split()), " ".join((done.out + done.err).split()))
        return done

    def refused(self, want, done, *says):
        """The same, with exactly one line of ours as the last on stderr and nothing of a crash."""
        self.code(want, done, *says)
        last = done.err.rstrip("\n").rsplit("\n", 1)[-1]
        self.assertRegex(last, r"^evenkeel (apply|round): [^\n]*[^.\n]$")
        return done

    def balanced(self, cluster, policy="count"):
        again = cluster.plan(policy=policy, rounds=(), path=cluster.folder / "again.json")
        self.assertEqual((again["summary"]["migrations"], again["summary"]["splits"]), (0, 0))
