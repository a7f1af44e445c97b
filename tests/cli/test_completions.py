#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The completions of bash, zsh and fish: made of what the built command says of itself, and tried in the shells."""
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from evenkeel_cli import EVENKEEL, run

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "packaging" / "completions"


def load_generator():
    spec = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shell(name, script, *args, cwd=None):
    return subprocess.run([name, *args, "-c", script], capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, cwd=cwd,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": cwd or "/nonexistent", "TERM": "dumb"})


def commands():
    return re.findall(r"(?m)^  ([a-z]+) ", run("--help").stdout.split("Commands:")[1].split("\n\n")[0])


def options(command):
    """All of --help, as a person reads it; but those of commands that print no result are of no use to them."""
    text = run(command, "--help", env={"ARGP_HELP_FMT": "rmargin=10000"}).stdout
    found = set(re.findall(r"(?m)^ {2,6}(?:-\w, )?(--[a-z-]+)", text))
    return found if re.search(r"\bFormats?:", text) else found - {"--format", "--output"}


class Made(unittest.TestCase):
    maxDiff = 2000

    def test_files_are_those_of_this_command(self):
        """Fails after a change of options: run packaging/completions/generate.py BINARY."""
        for name, text in load_generator().make(os.path.abspath(EVENKEEL)).items():
            self.assertEqual((FOLDER / name).read_text(encoding="utf-8"), text, f"{name}; make it anew with packaging/completions/generate.py")


class Bash(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for name in ("plan.json", "notes.txt"):
            (pathlib.Path(self.folder) / name).write_text("", encoding="utf-8")
        (pathlib.Path(self.folder) / "dump").mkdir()

    def complete(self, line):
        """What bash offers for the last word of a line; its words as bash splits them, = for itself."""
        words = [w for part in line.split(" ") for w in (re.split(r"(=)", part) if "=" in part else [part])]
        if len(words) > 1 and words[-1] == "" and words[-2] == "=":
            words.pop()  # right behind the =, that is the word
        listed = " ".join("'" + w.replace("'", "'\\''") + "'" for w in words)
        done = shell("bash", f"set -u; source {FOLDER}/evenkeel.bash; COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; COMPREPLY=(); "
                             f"_evenkeel; printf '%s\\n' \"${{COMPREPLY[@]-}}\"", "--norc", cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""), line)
        return set(done.stdout.split())

    def test_sourced(self):
        done = shell("bash", f"source {FOLDER}/evenkeel.bash && complete -p evenkeel", "--norc")
        self.assertEqual((done.returncode, done.stderr, done.stdout.split()[-1]), (0, "", "evenkeel"))

    def test_commands(self):
        self.assertEqual(self.complete("evenkeel "), {*commands(), "help", "--help", "--version"})
        self.assertEqual(self.complete("evenkeel st"), {"status"})
        self.assertEqual(self.complete("evenkeel help zo"), {"zones"})

    def test_every_option_of_every_command(self):
        for command in commands():
            self.assertEqual({o for o in self.complete(f"evenkeel {command} -") if o.startswith("--")}, options(command), command)

    def test_values(self):
        for line, want in (("plan --policy ", {"auto", "count", "size", "optimal"}), ("plan --policy c", {"count"}), ("plan --policy=si", {"size"}),
                           ("plan --format=", {"text", "json", "html", "commands"}), ("history --state unk", {"unknown"}),
                           ("zones ", {"show", "check"}), ("zones --all c", {"check"}), ("zones --ns x s", {"show"}), ("config ", {"check"}),
                           ("plan --rounds ", set()), ("nosuch -", set()), ("nosuch ", set())):
            self.assertEqual(self.complete("evenkeel " + line), want, line)

    def test_files(self):
        for line, want in (("apply p", {"plan.json"}), ("apply ", {"plan.json", "notes.txt", "dump"}), ("plan --dump ", {"dump"}),
                           ("plan --snapshot no", {"notes.txt"}), ("plan --snapshot=no", {"notes.txt"}), ("plan -o no", {"notes.txt"}),
                           ("config check no", {"notes.txt"}), ("explain ", set())):
            self.assertEqual(self.complete("evenkeel " + line), want, line)

    def test_shellcheck(self):
        if not shutil.which("shellcheck"):
            self.skipTest("shellcheck is not installed")
        done = subprocess.run(["shellcheck", "--shell=bash", FOLDER / "evenkeel.bash"], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))


@unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
class Zsh(unittest.TestCase):
    def test_syntax(self):
        done = subprocess.run(["zsh", "-f", "-n", FOLDER / "evenkeel.zsh"], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_every_option_of_every_command(self):
        """What is handed to _arguments and _describe, which stand-ins print."""
        script = (FOLDER / "evenkeel.zsh").read_text(encoding="utf-8").replace('_evenkeel "$@"', "")
        stand_ins = "_arguments() { print -rl -- \"$@\" }; _describe() { print -rl -- ${(P)4} }; compdef() { : };\n" + script
        done = shell("zsh", stand_ins + "\nCURRENT=2; words=(evenkeel ''); _evenkeel", "-f")
        self.assertEqual(done.stderr, "")
        self.assertEqual(set(re.findall(r"(?m)^([a-z]+):", done.stdout)), {*commands(), "help"})
        for command in commands():
            done = shell("zsh", stand_ins + f"\nCURRENT=3; words=(evenkeel {command} ''); _evenkeel", "-f")
            self.assertEqual((done.returncode, done.stderr), (0, ""), command)
            self.assertEqual(set(re.findall(r"(?m)^(?:\([^)]*\)|\*)?(--[a-z-]+)", done.stdout)), options(command), command)


@unittest.skipUnless(shutil.which("fish"), "fish is not installed")
class Fish(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def complete(self, *lines):
        script = f"source {FOLDER}/evenkeel.fish; " + "; echo ---; ".join(f"complete -C '{line}'" for line in lines)
        done = shell("fish", script, "--no-config", cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [{w.split("\t")[0] for w in part.split("\n") if w} for part in done.stdout.split("---\n")]

    def test_commands_and_values(self):
        got = self.complete("evenkeel ", "evenkeel plan --policy ", "evenkeel zones ", "evenkeel help st")
        self.assertEqual(got, [{*commands(), "help"}, {"auto", "count", "size", "optimal"}, {"show", "check"}, {"status"}])

    def test_every_option_of_every_command(self):
        for command, got in zip(commands(), self.complete(*(f"evenkeel {c} --" for c in commands()))):
            self.assertEqual({o.rstrip("=") for o in got}, options(command), command)


if __name__ == "__main__":
    unittest.main()
