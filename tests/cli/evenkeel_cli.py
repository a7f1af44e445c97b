# SPDX-License-Identifier: Apache-2.0
"""What the command's tests share: running the built command in a clean environment, and the recorded data."""
import json
import os
import pathlib
import re
import subprocess
import unittest

EVENKEEL = os.environ.get("EVENKEEL", "evenkeel")
DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
REAL = DATA / "real-4.2"
# What a coverage build adds to stderr where a test keeps it from writing its counts.
PROFILER = re.compile(r"^(libgcov )?profiling( error)?:.*\n", re.M)
TIMEOUT = 60  # seconds; a test that takes longer has hung


def environment(**extra):
    """The tests' own: nothing of the caller's that the command listens to."""
    env = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TERM": "xterm"}
    for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "LLVM_PROFILE_FILE", "GCOV_PREFIX"):
        if key in os.environ:
            env[key] = os.environ[key]
    env.update(extra)
    return env


def run(*args, env=None, **kwargs):
    """Runs `evenkeel args...`; the result has returncode, stdout and stderr as text."""
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    kwargs.setdefault("stdout", subprocess.PIPE)
    done = subprocess.run([EVENKEEL, *map(str, args)], stderr=subprocess.PIPE, env=environment(**(env or {})),
                          timeout=TIMEOUT, encoding="utf-8", check=False, **kwargs)
    done.stderr = PROFILER.sub("", done.stderr)
    return done


def snapshot(state):
    return REAL / state / "snapshot.json"


def dump(state):
    return REAL / state / "config"


class CommandCase(unittest.TestCase):
    """Assertions on a run of the command."""

    def ok(self, *args, code=0, **kwargs):
        """Runs, expects `code` and a silent stderr, and returns stdout."""
        done = run(*args, **kwargs)
        self.assertEqual(done.returncode, code, f"{args}: {done.stderr}")
        self.assertEqual(done.stderr, "", args)
        return done.stdout

    def ok_json(self, *args, **kwargs):
        return json.loads(self.ok(*args, **kwargs))

    def refused(self, code, *args, says=(), **kwargs):
        """Runs, expects the exit code, nothing on stdout, and one line on stderr in our form; returns it."""
        done = run(*args, **kwargs)
        self.assertEqual(done.returncode, code, f"{args}: {done.stderr}")
        self.assertEqual(done.stdout or "", "", args)
        self.one_line(done.stderr, args)
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, done.stderr, args)
        return done.stderr

    def one_line(self, text, args=()):
        self.assertRegex(text, r"\Aevenkeel( [a-z]+)?: [^\n]+\n\Z", args)
        self.assertFalse(text.endswith(".\n") and not text.endswith("...\n"), f"{args}: final stop: {text}")
        self.assertTrue(text.rstrip("\n").isprintable(), f"{args}: {text!r}")
