#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The systemd units: sound, closed to what the service can do without, and saying the same as program and documents."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
UNITS = ROOT / "systemd"
SERVICES = ("evenkeel.service", "evenkeel-round.service")
EXPOSURE = 15  # tenths; `systemd-analyze security` calls this OK
# Exit codes after which another try may do better; the others wait for a person.
MAY_PASS = {1, 69, 73, 75}


def analyze(*args):
    return subprocess.run(["systemd-analyze", *map(str, args)], capture_output=True, text=True, timeout=60, check=False,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "SYSTEMD_LOG_LEVEL": "notice"})


def read(name):
    """(section, key, value) of each line, and the lines themselves."""
    section, found, lines = None, [], (UNITS / name).read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.append((section, key, value))
    return found, lines


def values(name, key):
    return [v for _, k, v in read(name)[0] if k == key]


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
class Analyzed(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name in (*SERVICES, "evenkeel-round.timer"):
            text = (UNITS / name).read_text(encoding="utf-8")
            # Where the program is installed there is none yet.
            (self.folder / name).write_text(re.sub(r"(?m)^ExecStart=/usr/bin/evenkeel", "ExecStart=" + os.environ["EVENKEEL"], text))

    def verify(self, name):
        return analyze("verify", "--man=no", "--recursive-errors=no", self.folder / name)

    def test_verified(self):
        for name in (*SERVICES, "evenkeel-round.timer"):
            done = self.verify(name)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""), name)

    def test_verify_would_tell(self):
        with open(self.folder / "evenkeel.service", "a", encoding="utf-8") as f:
            f.write("[Service]\nNoSuchKey=1\n")
        done = self.verify("evenkeel.service")
        self.assertIn("NoSuchKey", done.stdout + done.stderr)

    def test_exposure(self):
        for name in SERVICES:
            done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", self.folder / name)
            self.assertEqual(done.returncode, 0, f"{name}: {(done.stdout + done.stderr)[-400:]}")

    def test_exposure_would_tell(self):
        text = (self.folder / "evenkeel.service").read_text(encoding="utf-8").replace("CapabilityBoundingSet=\n", "")
        (self.folder / "evenkeel.service").write_text(text, encoding="utf-8")
        done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", self.folder / "evenkeel.service")
        self.assertNotEqual(done.returncode, 0)


class Written(unittest.TestCase):
    def test_every_line_has_its_reason(self):
        """A comment stands before each group of settings; the round's service refers to the other."""
        lines = read("evenkeel.service")[1]
        for before, line in zip(lines, lines[1:]):
            if "=" in line and not line.startswith("#") and before == "":
                self.fail(f"no reason is given for {line}")
        for name in SERVICES:
            self.assertTrue(read(name)[1][0].startswith("# SPDX-License-Identifier"), name)

    def test_both_services_are_closed_alike(self):
        own = {"Type", "NotifyAccess", "ExecStart", "ExecReload", "WatchdogSec", "Restart", "RestartSec", "RestartPreventExitStatus",
               "RuntimeDirectory", "RuntimeDirectoryMode", "SuccessExitStatus", "TimeoutStopSec", "TimeoutStartSec", "ExecPaths"}
        one, other = ([(k, v) for s, k, v in read(name)[0] if s == "Service" and k not in own] for name in SERVICES)
        self.assertEqual(one, other)

    def test_restart_by_exit_code(self):
        """Every code that the manual names is either tried again or waits for a person."""
        manual = (ROOT / "man" / "evenkeel.1.scd").read_text(encoding="utf-8")
        codes = {int(c) for c in re.findall(r"(?m)^\*(\d+)\*$", manual.split("# EXIT STATUS")[1].split("\n# ")[0])}
        stay = {int(c) for c in values("evenkeel.service", "RestartPreventExitStatus")[0].split()}
        self.assertEqual(codes - {0, 2}, stay | MAY_PASS)
        self.assertFalse(stay & MAY_PASS)
        self.assertEqual(values("evenkeel.service", "Restart"), ["on-failure"])

    def test_stop_fits_the_service(self):
        """The service's grace time ends, with room for what follows it, before systemd's patience."""
        text = (ROOT / "balancer" / "service" / "service.c").read_text(encoding="utf-8")
        grace = re.search(r"\bGRACE_MS = (\d+) \* 1000", text)[1]
        self.assertLess(int(grace) + 30, int(values("evenkeel.service", "TimeoutStopSec")[0].rstrip("s")))
        self.assertEqual(values("evenkeel.service", "WatchdogSec"), ["30s"])

    def test_paths_are_those_of_the_program(self):
        example = (UNITS / "evenkeel.yaml").read_text(encoding="utf-8")
        self.assertEqual(values("evenkeel.service", "StateDirectory"), ["evenkeel"])
        self.assertIn("path: /var/lib/evenkeel/journal.db", example)
        self.assertEqual(values("evenkeel.service", "RuntimeDirectory"), ["evenkeel"])
        self.assertIn("socket: /run/evenkeel/control.sock", example)
        self.assertEqual(values("evenkeel.service", "LoadCredential"), ["uri:/etc/evenkeel/uri"])

    def test_commands_are_understood(self):
        """Each option of an ExecStart= is one of the command's."""
        for name in SERVICES:
            words = values(name, "ExecStart")[0].split()
            self.assertEqual(words[0], "/usr/bin/evenkeel")
            told = subprocess.run([os.environ["EVENKEEL"], words[1], "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
            for option in (w for w in words[2:] if w.startswith("--")):
                self.assertRegex(told, rf"(?m)^ .*{option}\b", name)

    def test_manual_pages_exist(self):
        for name in (*SERVICES, "evenkeel-round.timer"):
            for page, section in re.findall(r"man:([\w.-]+)\((\d)\)", values(name, "Documentation")[0]):
                self.assertTrue((ROOT / "man" / f"{page}.{section}.scd").exists(), f"{name}: {page}({section})")
            for document in re.findall(r"file:///usr/share/doc/evenkeel/(\S+)", values(name, "Documentation")[0]):
                self.assertTrue((ROOT / "docs" / document).exists(), document)


@unittest.skipUnless(shutil.which("systemd-sysusers") and os.geteuid() == 0, "needs systemd-sysusers, and root for a root of its own")
class Applied(unittest.TestCase):
    def test_user_and_folders(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "etc").mkdir()
            for command, file in (("systemd-sysusers", "evenkeel.sysusers"), ("systemd-tmpfiles", "evenkeel.tmpfiles")):
                extra = ["--create"] if command == "systemd-tmpfiles" else []
                done = subprocess.run([command, f"--root={root}", *extra, UNITS / file], capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
            user = [line.split(":") for line in (root / "etc/passwd").read_text().splitlines() if line.startswith("evenkeel:")][0]
            self.assertEqual((user[5], user[6]), ("/var/lib/evenkeel", "/usr/sbin/nologin"))
            state = os.stat(root / "var/lib/evenkeel")
            self.assertEqual((state.st_mode & 0o777, str(state.st_uid)), (0o750, user[2]))
            self.assertEqual(os.stat(root / "etc/evenkeel").st_uid, 0)


if __name__ == "__main__":
    unittest.main()
