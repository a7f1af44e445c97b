#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The operators' guide says what the program does: exit codes, what holds back, metrics, messages, keys; its scripts are sound."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROMTOOL = shutil.which("promtool", path=f"{os.environ['PATH']}:{ROOT}/build/tools/usr/bin")
DOCS = ROOT / "docs"


def read(*path):
    return ROOT.joinpath(*path).read_text(encoding="utf-8")


def table(text, name):
    """The rows between two marks, as lists of cells."""
    part = text.split(f"<!-- {name}: begin -->")[1].split(f"<!-- {name}: end -->")[0]
    rows = [line for line in part.strip().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def blocks(text, language):
    return re.findall(rf"(?ms)^ *```{language}\n(.*?)^ *```$", text)


def anchors(text):
    """As GitHub makes them of headings."""
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", text))}


def run(*args):
    return subprocess.run(list(map(str, args)), capture_output=True, text=True, timeout=60, check=False)


class Guide(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.text = read("docs", "operations.md")

    def test_exit_codes(self):
        rows = table(self.text, "exit codes")
        manual = read("man", "evenkeel.1.scd").split("# EXIT STATUS")[1].split("\n# ")[0]
        self.assertEqual([r[0] for r in rows], re.findall(r"(?m)^\*(\d+)\*$", manual))
        unit = read("systemd", "evenkeel.service")
        stay = re.search(r"(?m)^RestartPreventExitStatus=(.*)$", unit)[1].split()
        self.assertEqual([r[0] for r in rows if r[1] == "stays"], stay)
        self.assertEqual({r[0] for r in rows if r[1] not in ("stays", "again")}, {"0", "2"})
        for row in rows:
            self.assertEqual(len(row), 4, row)
            self.assertTrue(all(row), row)

    def test_hold_codes(self):
        source = read("balancer", "service", "service_holds.c")
        known = set(re.findall(r'\badd\(s->holds, "(\w+)"', source)) | set(re.findall(r'\{"(\w+)", "', source))
        self.assertGreater(len(known), 6)
        rows = table(self.text, "hold codes")
        self.assertEqual({r[0].strip("`") for r in rows}, known)

    def test_messages_and_metrics_exist(self):
        log, metrics = read("docs", "log.md"), read("docs", "metrics.md")
        keys = set(re.findall(r"(?m)^\*([\w.<>\[\]]+)\* \(", read("man", "evenkeel.yaml.5.scd")))
        components = "|".join(sorted({m.split(".")[0] for m in re.findall(r"(?m)^\| `([a-z]+\.[a-zA-Z]+)` \| \d", log)}))
        for event in re.findall(r"EVENKEEL_EVENT=([\w.]+)", self.text) + re.findall(rf"`((?:{components})\.[a-zA-Z]+)`", self.text):
            if event not in keys and not event.startswith(("config.settings", "config.changelog")):
                self.assertIn(f"| `{event}` |", log)
        for metric in set(re.findall(r"\bevenkeel_[a-z_]+", self.text)) - {"evenkeel_"}:
            if not re.search(rf"{metric}\d|{metric}NEW", self.text):
                self.assertIn(f"| `{metric}", metrics)

    def test_keys_exist(self):
        manual = read("man", "evenkeel.yaml.5.scd")
        keys = set(re.findall(r"(?m)^\*([\w.<>\[\]]+)\* \(", manual))
        heads = "|".join(sorted({k.split(".")[0] for k in keys}))
        named = re.findall(rf"`((?:{heads})\.[a-zA-Z.]+)", self.text)
        self.assertGreater(len(named), 8)
        log = read("docs", "log.md")
        for key in named:
            known = key in keys or any(k.startswith(key + ".") for k in keys) or f"| `{key}` |" in log
            self.assertTrue(known or key.endswith((".db", ".yaml")), key)

    def test_links(self):
        for path in DOCS.glob("*.md"):
            text = path.read_text(encoding="utf-8")
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if target.startswith(("http:", "https:")):
                    continue
                file, _, anchor = target.partition("#")
                there = path if file == "" else (path.parent / file)
                self.assertTrue(there.exists(), f"{path.name}: {target}")
                if anchor:
                    self.assertIn(anchor, anchors(there.read_text(encoding="utf-8")), f"{path.name}: {target}")

    def test_files_of_the_units_are_told(self):
        for path in ("/etc/evenkeel/evenkeel.yaml", "/etc/evenkeel/uri", "/var/lib/evenkeel/journal.db", "/run/evenkeel/control.sock"):
            self.assertIn(f"| `{path}` |", self.text)

    @unittest.skipUnless(PROMTOOL, "promtool is not installed")
    def test_alert_rules(self):
        rules, scrape = blocks(self.text, "yaml")
        with tempfile.TemporaryDirectory() as folder:
            for name, text, what in (("rules.yaml", rules, "rules"), ("prometheus.yaml", scrape, "config")):
                path = pathlib.Path(folder) / name
                path.write_text(text, encoding="utf-8")
                done = run(PROMTOOL, "check", what, path)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertNotIn("FAILED", done.stdout + done.stderr)

    def test_scripts_for_mongosh(self):
        node = shutil.which("node")
        if node is None:
            self.skipTest("node is not installed")
        for block in blocks(self.text, "js"):
            with tempfile.NamedTemporaryFile("w", suffix=".js", encoding="utf-8") as file:
                file.write("const passwordPrompt = () => '', db = {createRole: check, createUser: () => {}, getSiblingDB: () => lease};\n"
                           "const lease = {lease: {findOne: () => {}, updateOne: (q, u) => { if (!q._id || !u.$set) throw new Error(q); }}};\n"
                           "function check(role) {\n"
                           "  for (const p of role.privileges) if (!p.resource || !p.actions.length) throw new Error(JSON.stringify(p));\n"
                           "}\n" + re.sub(r"(?m)^use admin$", "", block))
                file.flush()
                done = run(node, file.name)
                self.assertEqual((done.returncode, done.stderr), (0, ""), block)


if __name__ == "__main__":
    unittest.main()
