#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manual pages: one for each command, with every option and format that its --help has and no other; every exit code; and
sound in the eyes of mandoc and man."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from evenkeel_cli import run

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MAN = ROOT / "man"
OWN_LINE = re.compile(r"(?m)^(?:\*(?:-\w|--[a-z-]+)\*.*)$")  # of an option's description
COMMON = "COMMON OPTIONS"


def source(name):
    return (MAN / name).read_text(encoding="utf-8")


def sections(text):
    """Of a page's source, by heading."""
    parts = re.split(r"(?m)^# (.+)$", text)
    return dict(zip(parts[1::2], parts[2::2]))


def described(text):
    """The long options that have a description of their own."""
    return {o for line in OWN_LINE.findall(text) for o in re.findall(r"\*--([a-z-]+)\*", line)}


def help_of(command):
    done = run(command, "--help", env={"ARGP_HELP_FMT": "rmargin=10000"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def options_of(text):
    return set(re.findall(r"(?m)^ {2,6}(?:-\w, )?--([a-z-]+)", text))


def formats_of(text):
    """The words that follow `Formats:`, without what is said of them."""
    found = re.search(r"Formats?: (.+?)\.(?:\s|$)", text, re.S)
    return set(re.findall(r"[a-z]+", re.sub(r"\([^)]*\)", "", found[1].split(";")[0]))) if found else set()


def commands():
    return re.findall(r"(?m)^  ([a-z]+) ", run("--help").stdout.split("Commands:")[1].split("\n\n")[0])


class Pages(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.main = sections(source("evenkeel.1.scd"))
        self.common = described(self.main[COMMON]) - {"version"}
        self.sources = described(self.main["SOURCES"])

    def test_a_page_for_each_command(self):
        pages = {p.name for p in MAN.glob("*.scd")}
        self.assertEqual(pages, {f"evenkeel-{c}.1.scd" for c in commands()} | {"evenkeel.1.scd", "evenkeel.yaml.5.scd"})
        listed = re.findall(r"(?m)^\*([a-z]+)\*(?: \[.*)?$", self.main["COMMANDS"])
        self.assertEqual(listed, commands() + ["help"])
        for command in commands():
            self.assertIn(f"*evenkeel-{command}*(1)", self.main["COMMANDS"])
            self.assertIn(f"*evenkeel-{command}*(1)", self.main["SEE ALSO"])

    def test_options(self):
        """Each page has what --help has, once, and no other; sources and common options may stand in evenkeel(1)."""
        for command in commands():
            page = source(f"evenkeel-{command}.1.scd")
            told = options_of(help_of(command))
            own = described(sections(page).get("OPTIONS", ""))
            elsewhere = self.common | (self.sources if "# SOURCES" in page or "*SOURCES*" in page else set())
            self.assertEqual(told, (own | elsewhere) & (told | own), command)
            self.assertFalse(own - told, f"{command}: described, and there is no such option")
            self.assertFalse(own & self.common, f"{command}: described twice")
            self.assertFalse(self.common - told, f"{command}: {self.common - told} is not common")
            self.assertIn("*COMMON OPTIONS*", page, command)

    def test_sources_only_where_they_are(self):
        for command in commands():
            if "# SOURCES" in source(f"evenkeel-{command}.1.scd"):
                self.assertFalse(self.sources - options_of(help_of(command)), command)

    def test_formats(self):
        for command in commands():
            page = sections(source(f"evenkeel-{command}.1.scd"))["COMMON OPTIONS AND EXIT STATUS"]
            for word in formats_of(help_of(command)):
                self.assertIn(f"*{word}*", page, f"{command}: format {word}")
            for word in re.findall(r"\*([a-z]+)\*", page.split("*--format*")[-1].split(": ")[0]):
                self.assertIn(word, help_of(command).split("Format", 1)[-1] + " text", f"{command}: format {word}")

    def test_short_descriptions(self):
        for command in commands():
            self.assertRegex(source(f"evenkeel-{command}.1.scd"), rf"\Aevenkeel-{command}\(1\)\n\n# NAME\n\nevenkeel-{command} - [a-z][^\n]+[^.\n]\n")

    def test_exit_codes(self):
        table = dict(re.findall(r"(?m)^    ERR_(\w+), +/\* (\d+) ", (ROOT / "common" / "err.h").read_text(encoding="utf-8")))
        self.assertEqual(len(table), 9)
        told = re.findall(r"(?m)^\*(\d+)\*$", self.main["EXIT STATUS"])
        self.assertEqual(told, sorted({*table.values(), "0", "2"}, key=int))

    def test_examples_are_understood(self):
        """Each option of an example is one of the command's; the same holds for the operators' guide."""
        known = {c: options_of(help_of(c)) for c in commands()}
        for path in [*MAN.glob("*.scd"), *(ROOT / "docs").glob("*.md")]:
            for block in re.findall(r"(?ms)^```[a-z]*\n(.*?)^```$", path.read_text(encoding="utf-8")):
                for command, rest in re.findall(r"\bevenkeel ([a-z]+)\b([^\n|;&]*)", block.replace("\\\n", " ")):
                    if command not in known:
                        continue
                    used = set(re.findall(r"(?:^|\s)--([a-z-]+)", re.sub(r"'[^']*'|\"[^\"]*\"", "", rest)))
                    self.assertFalse(used - known[command], f"{path.name}: evenkeel {command}{rest}")

    def test_configuration_keys_that_are_named_exist(self):
        keys = set(re.findall(r"(?m)^\*([\w.<>\[\]]+)\* \(", source("evenkeel.yaml.5.scd")))
        sections_ = {k.split(".")[0] for k in keys if "." in k} - {"evenkeel"}
        for path in MAN.glob("*.scd"):
            for key in re.findall(r"\*((?:" + "|".join(sections_) + r")\.[A-Za-z.]+)\*", path.read_text(encoding="utf-8")):
                self.assertTrue(any(k == key or k.startswith(key + ".") for k in keys), f"{path.name}: {key}")

    def test_keys_that_need_a_restart(self):
        """As the table of the configuration has them; the example marks each of them, or the head of its section."""
        table = (ROOT / "common" / "config" / "table.c").read_text(encoding="utf-8")
        rows = re.findall(r'\n    \{"([\w.<>\[\]]+)",(.*?)\},(?=\n)', table, re.S)
        fixed = [key for key, row in rows if ".reload = true" not in row]
        self.assertGreater(len(rows), 40)
        told = sections(source("evenkeel.yaml.5.scd"))["DESCRIPTION"].split("until the service is started anew")[1].split("\n\n")[0]
        self.assertEqual(re.findall(r"\*([\w.]+)\*", told), fixed)
        example = (ROOT / "systemd" / "evenkeel.yaml").read_text(encoding="utf-8")
        self.assertEqual(example.count("(restart)") - 1, len(fixed) - len(("uriFile", "ttl", "namespace", "mode")))


@unittest.skipUnless(shutil.which("scdoc"), "scdoc is not installed")
class Rendered(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.pages = []
        for path in sorted(MAN.glob("*.scd")):
            with open(path, "rb") as text:
                done = subprocess.run(["scdoc"], stdin=text, capture_output=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, b""), path.name)
            self.pages.append(pathlib.Path(folder.name) / path.stem)
            self.pages[-1].write_bytes(done.stdout)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_mandoc(self):
        for page in self.pages:
            said = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, timeout=60, check=False).stdout
            # scdoc writes paragraph macros that mandoc finds superfluous.
            self.assertEqual([line for line in said.splitlines() if "skipping paragraph macro" not in line], [])

    @unittest.skipUnless(shutil.which("man") and shutil.which("groff"), "man and groff are not installed")
    def test_man(self):
        for page in self.pages:
            done = subprocess.run(["man", "--warnings=w", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  text=True, timeout=60, check=False, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"})
            self.assertEqual((done.returncode, done.stderr), (0, ""), page.name)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_options_are_printed(self):
        """A description that scdoc takes for something else would not show."""
        for page in self.pages:
            text = subprocess.run(["mandoc", "-T", "ascii", page], capture_output=True, text=True, timeout=60, check=True).stdout
            text = re.sub(r".\x08", "", text)
            for option in described(source(page.name + ".scd")):
                self.assertRegex(text, rf"(?m)^ {{2,8}}.*--{option}\b", page.name)


if __name__ == "__main__":
    unittest.main()
