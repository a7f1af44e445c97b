#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands of the systemd units as systemd would start them: the cluster's URI as a credential, which shows nowhere; the
round of the timer, with the exit codes that its unit takes for success."""
import os
import pathlib
import select
import shlex
import shutil
import socket
import subprocess
import tempfile
import time

from acting import ActingCase, environment, run
from sandbox_server import EVENKEEL, TIMEOUT, main

UNITS = pathlib.Path(__file__).resolve().parent.parent.parent / "systemd"
USER, PASSWORD = "carl-the-keeper", "swordfish-7%21-keel"  # as it stands in a URI
SECRETS = (USER, PASSWORD, "swordfish-7!-keel")


def setting(unit, key):
    """The last value of a key."""
    lines = [line for line in (UNITS / unit).read_text(encoding="utf-8").splitlines() if line.startswith(key + "=")]
    return lines[-1].split("=", 1)[1]


class Unit:
    """What systemd makes for a unit: its folders, the credential, the notify socket. A context manager."""

    def __init__(self, unit, uri, more="", credential=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="evenkeel-unit-"))
        self.unit, self.process = unit, None
        self.config = self.folder / "evenkeel.yaml"
        self.config.write_text(f"journal: {{path: {self.folder}/journal.db}}\ncontrol: {{socket: {self.folder}/control.sock}}\n"
                               f"http: {{listen: \"\"}}\nlog: {{level: debug, format: text}}\n{more}", encoding="utf-8")
        self.credentials = self.folder / "credentials"
        self.credentials.mkdir(mode=0o700)
        (self.credentials / "uri").write_text(uri + "\n" if credential is None else credential, encoding="utf-8")
        (self.credentials / "uri").chmod(0o400)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.folder / "notify"))
        self.log = open(self.folder / "log", "w+b")
        self.told = ""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.notify.close()
        self.log.close()
        shutil.rmtree(self.folder)

    def command(self):
        words = shlex.split(setting(self.unit, "ExecStart"))
        assert words[0] == "/usr/bin/evenkeel", words
        return [EVENKEEL, *(str(self.config) if w == "/etc/evenkeel/evenkeel.yaml" else w for w in words[1:])]

    def start(self):
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env=environment(CREDENTIALS_DIRECTORY=str(self.credentials), NOTIFY_SOCKET=str(self.folder / "notify"),
                                                        WATCHDOG_USEC="1000000"))

    def until(self, text):
        """Waits until the service manager has been told so."""
        end = time.monotonic() + TIMEOUT
        while text not in self.told:
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError(f"no {text!r}: {self.told!r} {self.output()}")
            if select.select([self.notify], [], [], 0.2)[0]:
                self.told += self.notify.recv(65536).decode() + "\n"

    def wait(self):
        return self.process.wait(timeout=TIMEOUT)

    def output(self):
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.process.pid}/{name}").read_bytes().decode(errors="replace")


class Credential(ActingCase):
    def secure_cluster(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        password = pathlib.Path(folder.name) / "password"
        password.write_text(SECRETS[2] + "\n", encoding="utf-8")
        cluster = self.cluster(arguments=("--user", USER, "--password-file", str(password)))
        return cluster, f"mongodb://{USER}:{PASSWORD}@{cluster.address}/?authSource=admin"

    def silent(self, unit, where, text):
        for secret in SECRETS:
            self.assertNotIn(secret, text, f"{unit.unit}: {where}")

    def test_service(self):
        cluster, uri = self.secure_cluster()
        with Unit("evenkeel.service", uri, "cluster: {builtinBalancer: ignore}\nbalancer: {policy: count}\n") as unit:
            unit.start()
            unit.until("READY=1")
            unit.until("WATCHDOG=1")
            end = time.monotonic() + TIMEOUT
            while "migration.commit" not in unit.output() and time.monotonic() < end:
                time.sleep(0.05)
            self.assertIn("migration.commit", unit.output())
            for name in ("cmdline", "environ", "comm"):
                self.silent(unit, name, unit.proc(name))
            status = subprocess.run([EVENKEEL, "status", "--json", "--socket", unit.folder / "control.sock"], env=environment(),
                                    capture_output=True, text=True, timeout=TIMEOUT, check=True).stdout
            self.assertIn(cluster.address, status)
            self.silent(unit, "status", status)
            unit.process.terminate()
            self.assertEqual(unit.wait(), 0, unit.output())
            self.silent(unit, "notify", unit.told)
            self.silent(unit, "log", unit.output())
            for path in unit.folder.glob("journal.db*"):
                self.silent(unit, path.name, path.read_bytes().decode("latin-1"))

    def test_refused_password(self):
        """What the cluster refuses is told without what was refused."""
        _, uri = self.secure_cluster()
        with Unit("evenkeel-round.service", uri.replace(PASSWORD, "wrong-" + PASSWORD)) as unit:
            unit.start()
            self.assertEqual(unit.wait(), 77, unit.output())
            self.silent(unit, "log", unit.output())
            self.assertEqual(unit.output().count("\n"), 1)

    def test_malformed(self):
        for uri, code in (("mongodb//" + PASSWORD, 78), (f"mongodb://{USER}:{PASSWORD}@[::1", 78)):
            with Unit("evenkeel-round.service", uri) as unit:
                unit.start()
                self.assertIn(unit.wait(), (64, 65, code), unit.output())
                self.silent(unit, "log", unit.output())

    def test_no_file_for_it(self):
        """LoadCredential= without a file: the empty line of SetCredential= stands in, and the configuration names the cluster."""
        self.assertEqual(setting("evenkeel.service", "SetCredential"), "uri:\\n")
        cluster = self.cluster()
        with Unit("evenkeel-round.service", "", f"cluster: {{uri: '{cluster.uri}'}}\nbalancer: {{policy: count}}\n", credential="\n") as unit:
            unit.start()
            self.assertEqual(unit.wait(), 0, unit.output())
        with Unit("evenkeel-round.service", "", credential="\n") as unit:
            unit.start()
            self.assertEqual(unit.wait(), 64, unit.output())
            self.assertIn("no cluster named", unit.output())

    def test_goes_before_the_configuration(self):
        cluster = self.cluster()
        with Unit("evenkeel-round.service", cluster.uri, "cluster: {uri: 'mongodb://127.0.0.1:1/'}\nbalancer: {policy: count}\n") as unit:
            unit.start()
            self.assertEqual(unit.wait(), 0, unit.output())

    def test_plan_takes_it_too(self):
        cluster = self.cluster()
        with Unit("evenkeel.service", cluster.uri) as unit:
            done = run("plan", "--quiet", "--config", unit.config, env={"CREDENTIALS_DIRECTORY": str(unit.credentials)})
            self.code(0, done, "1 migration")


class Round(ActingCase):
    """ExecStart= of evenkeel-round.service, which the timer starts."""

    def round(self, cluster, more="", want=0, unit=None):
        with Unit("evenkeel-round.service", cluster.uri, "balancer: {policy: count}\n" if more == "" else more) as made:
            if unit is not None:
                made.config.write_text(unit.config.read_text(encoding="utf-8"), encoding="utf-8")
            made.start()
            self.assertEqual(made.wait(), want, made.output())
            return made.output()

    def test_one_after_the_other(self):
        """Each goes on where the last one left the cluster and the journal."""
        cluster = self.cluster("7.0.14")
        with Unit("evenkeel-round.service", cluster.uri, "balancer: {policy: size}\n") as unit:
            done = [len(cluster.commits())]
            for _ in range(3):
                unit.start()
                self.assertEqual(unit.wait(), 0, unit.output())
                done.append(len(cluster.commits()))
            history = self.code(0, run("history", "--rounds", "--format", "csv", "--journal", unit.folder / "journal.db")).out
        self.assertGreater(done[3], done[0])
        self.assertEqual(sorted(done), done)
        self.assertGreaterEqual(history.count("forced"), 1)

    def test_codes_that_are_no_failure(self):
        accepted = {0, *map(int, setting("evenkeel-round.service", "SuccessExitStatus").split())}
        self.assertEqual(accepted, {0, 75})
        cluster = self.cluster()
        now = time.gmtime(time.time() + 7200)
        start, stop = f"{now.tm_hour:02}:00", f"{(now.tm_hour + 1) % 24:02}:00"
        said = self.round(cluster, f'balancer: {{windows: [{{start: "{start}", stop: "{stop}", timezone: UTC}}]}}\n', want=75)
        self.assertIn("is closed until", said)

    def test_beside_the_service(self):
        """The journal is the service's; the round says so and changes nothing."""
        cluster = self.cluster()
        cluster.set_balancer(True)  # so that the service itself moves nothing
        with Unit("evenkeel.service", cluster.uri, "balancer: {policy: count}\n") as service:
            service.start()
            service.until("READY=1")
            before = cluster.commits()
            self.assertIn("journal", self.round(cluster, unit=service, want=75))
            self.assertEqual(cluster.commits(), before)
            service.process.terminate()
            self.assertEqual(service.wait(), 0, service.output())

    def test_cluster_away(self):
        with Unit("evenkeel-round.service", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300") as unit:
            unit.start()
            self.assertEqual(unit.wait(), 69, unit.output())


if __name__ == "__main__":
    main()
