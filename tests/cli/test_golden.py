#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reports on the recorded metadata of a real cluster, byte for byte as they were when last looked at.

EVENKEEL_UPDATE_GOLDEN=1 writes them anew; read the difference before committing it.
"""
import os
import re
import unittest
import xml.etree.ElementTree

from evenkeel_cli import run

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
GOLDEN = os.path.join(ROOT, "tests", "data", "golden")
STATES = ("imbalanced", "after-moves", "draining", "balanced")

# name, columns, arguments ({data}: folder of the recorded state)
CASES = [
    ("{state}.count.txt", 80, "plan --snapshot {data}/snapshot.json --until-balanced"),
    ("{state}.size.txt", 200, "plan --snapshot {data}/snapshot.json --until-balanced --policy size --all"),
    ("{state}.dump.txt", 80, "plan --dump {data}/config --rounds 3"),
    ("{state}.count.json", 80, "plan --snapshot {data}/snapshot.json --until-balanced --format json"),
    ("{state}.size.js", 80, "plan --snapshot {data}/snapshot.json --until-balanced --policy size --format commands"),
    ("{state}.html", 80, "plan --snapshot {data}/snapshot.json --rounds 2 --format html"),
    ("{state}.explain.txt", 100, "explain shop.users --snapshot {data}/snapshot.json"),
    ("{state}.drain.txt", 100, "drain shard2 --snapshot {data}/snapshot.json"),
    ("{state}.zones.txt", 100, "zones check --snapshot {data}/snapshot.json"),
]


def report(columns, arguments):
    done = run(*arguments.split(), cwd=ROOT, env={"COLUMNS": str(columns)})
    if done.returncode not in (0, 65):
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    if "--format html" in arguments:
        return without_style_and_time(done.stdout)
    return re.sub(r'"generatedAt": "[^"]*"', '"generatedAt": "(now)"', done.stdout)


def without_style_and_time(html):
    """What of an HTML report is about the plan; and it must be XML, for what reads it so."""
    xml.etree.ElementTree.fromstring(html)
    html = re.sub(r"(<(style|script)>).*?(</\2>)", r"\1\3", html, flags=re.S)
    html = re.sub(r"sha256-[^']*", "sha256-(hash)", html)
    made = re.search(r'<time datetime="([^"]*)">', html).group(1)
    return html.replace(made, "(now)")


class Golden(unittest.TestCase):
    maxDiff = 4000


def add_case(state, name, columns, arguments):
    def test(self):
        path = os.path.join(GOLDEN, name)
        have = report(columns, arguments)
        if os.environ.get("EVENKEEL_UPDATE_GOLDEN"):
            os.makedirs(GOLDEN, exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(have)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(have, f.read(), f"{arguments} differs from {name}")
        if name.endswith(".txt"):
            wide = [line for line in have.split("\n") if len(line) > columns]
            self.assertEqual(wide, [])

    setattr(Golden, "test_" + re.sub(r"\W", "_", name), test)


for a_state in STATES:
    for a_name, a_columns, an_arguments in CASES:
        add_case(a_state, a_name.format(state=a_state), a_columns,
                 an_arguments.format(data=f"tests/data/real-4.2/{a_state}"))

if __name__ == "__main__":
    unittest.main()
