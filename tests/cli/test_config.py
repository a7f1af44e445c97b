#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""evenkeel config check: what it prints, where, and its exit codes."""
import os
import subprocess
import tempfile
import unittest

EVENKEEL = os.environ["EVENKEEL"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(*args, cwd=None, stdin=None):
    return subprocess.run([EVENKEEL, *args], capture_output=True, text=True, cwd=cwd, input=stdin, timeout=30,
                          env={**os.environ, "NO_COLOR": "1"})


class ConfigCheck(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)

    def write(self, text, name="evenkeel.yaml", mode=0o600):
        path = os.path.join(self.dir.name, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def check(self, text, *options):
        self.write(text)
        return run("config", "check", *options, "evenkeel.yaml", cwd=self.dir.name)

    def test_sound_file(self):
        r = self.check("balancer: {interval: 20s}\n")
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "evenkeel.yaml: ok\n", ""))

    def test_example_file(self):
        r = run("config", "check", os.path.join(ROOT, "systemd", "evenkeel.yaml"))
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertTrue(r.stdout.endswith("evenkeel.yaml: ok\n"))
        self.assertEqual(r.stderr, "")

    def test_every_fault_on_its_own_line(self):
        r = self.check('balancer:\n  interval: 10\n  windows:\n    - {start: "06:00", stop: "06:00"}\nlogg: {}\n')
        self.assertEqual(r.returncode, 78)
        self.assertEqual(r.stdout, "")
        lines = r.stderr.splitlines()
        self.assertEqual([x.split(": error: ")[0] for x in lines],
                         ["evenkeel.yaml:2:13", "evenkeel.yaml:4:30", "evenkeel.yaml:5:1"])
        self.assertIn("did you mean 'log'?", lines[2])

    def test_one_fault_is_told_once(self):
        r = self.check("polcy: size\n")
        self.assertEqual(r.returncode, 78)
        self.assertEqual(len(r.stderr.splitlines()), 1, r.stderr)

    def test_quiet(self):
        r = self.check("log: {level: debug}\n", "--quiet")
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "", ""))
        r = self.check("log: {level: loud}\n", "--quiet")
        self.assertEqual((r.returncode, r.stdout), (78, ""))
        self.assertIn("log.level", r.stderr)

    def test_file_by_option(self):
        path = self.write("log: {level: debug}\n")
        r = run("config", "check", "--config", path)
        self.assertEqual((r.returncode, r.stdout), (0, path + ": ok\n"))
        r = run("config", "check", "--config", path, path)
        self.assertEqual(r.returncode, 64)

    def test_missing_file(self):
        r = run("config", "check", os.path.join(self.dir.name, "none.yaml"))
        self.assertEqual((r.returncode, r.stdout), (66, ""))
        self.assertEqual(len(r.stderr.splitlines()), 1)
        self.assertIn("none.yaml", r.stderr)

    def test_folder(self):
        r = run("config", "check", self.dir.name)
        self.assertEqual(r.returncode, 66)

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_unreadable_file(self):
        r = run("config", "check", self.write("", mode=0))
        self.assertEqual(r.returncode, 77)

    def test_usage(self):
        self.assertEqual(run("config").returncode, 64)
        self.assertEqual(run("config", "chekc").returncode, 64)
        self.assertEqual(run("config", "check", "a", "b").returncode, 64)
        self.assertEqual(run("config", "check", "--nosuch").returncode, 64)
        self.assertEqual(run("config", "check", "--format", "json", self.write("")).returncode, 64)

    def test_output_to_a_file(self):
        out = os.path.join(self.dir.name, "out")
        r = self.check("log: {}\n", "-o", out)
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "", ""))
        with open(out, encoding="utf-8") as f:
            self.assertEqual(f.read(), "evenkeel.yaml: ok\n")
        r = self.check("log: {}\n", "-o", os.path.join(self.dir.name, "no", "out"))
        self.assertEqual(r.returncode, 73)

    def test_help(self):
        r = run("config", "--help")
        self.assertEqual(r.returncode, 0)
        self.assertIn("check [FILE]", r.stdout)

    def test_password_is_never_shown(self):
        for text in ("cluster: {uri: 'http://joe:hunter2@h'}\n", "cluster: {uriFile: 'mongodb://joe:hunter2@h'}\n",
                     "cluster: {uri: 'mongodb://joe:hunter2@h', uriFile: x, foo: 1}\n",
                     "cluster: {'mongodb://joe:hunter2@h': 1}\n", "journal: {retention: 'mongodb://joe:hunter2@h'}\n",
                     "mongodb://joe:hunter2@h\n"):
            r = self.check(text)
            self.assertEqual(r.returncode, 78, text)
            self.assertNotIn("hunter2", r.stderr + r.stdout, text)

    def test_public_file_with_password_warns(self):
        path = self.write("cluster: {uri: 'mongodb://joe:hunter2@h'}\n", mode=0o644)
        r = run("config", "check", path)
        self.assertEqual((r.returncode, r.stdout), (0, path + ": ok\n"))
        self.assertIn(": warning: others can read this file", r.stderr)
        self.assertEqual(run("config", "check", "--quiet", path).stderr, "")
        os.chmod(path, 0o640)
        self.assertEqual(run("config", "check", path).stderr, "")

    def test_control_characters_are_escaped(self):
        r = self.check('"\\e[31mlog\\n": 1\n')
        self.assertEqual(r.returncode, 78)
        self.assertNotIn("\x1b", r.stderr)
        self.assertEqual(len(r.stderr.splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
