#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""--uri against `evenkeel sandbox`: a plan read over the wire is the plan of the file that is served."""
import json
import os
import pathlib
import re
import selectors
import socket
import stat
import subprocess
import tempfile
import time
import unittest

from evenkeel_cli import EVENKEEL, CommandCase, REAL, environment, run, snapshot

SECRET = "t1ger"
STATES = sorted(path.parent.name for path in REAL.glob("*/snapshot.json"))
READY = 20  # seconds


class Sandbox:
    """A running sandbox; `uri` is its address."""

    def __init__(self, *args):
        self.process = subprocess.Popen([EVENKEEL, "sandbox", *map(str, args), "--port", "0"], env=environment(),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.address = self.wait_for_address()
        self.uri = f"mongodb://{self.address}"

    def wait_for_address(self):
        end = time.monotonic() + READY
        text = b""
        with selectors.DefaultSelector() as ready:
            ready.register(self.process.stdout, selectors.EVENT_READ)
            while time.monotonic() < end:
                if not ready.select(timeout=1):
                    continue
                piece = os.read(self.process.stdout.fileno(), 4096)
                text += piece
                found = re.search(rb"([\w.\[\]]+:\d+)\s", text)
                if found:
                    return found.group(1).decode()
                if not piece:
                    break
        error = self.close()
        raise AssertionError(f"the sandbox does not say where it listens: {text!r} {error!r}")

    def close(self):
        self.process.terminate()
        _, error = self.process.communicate(timeout=READY)
        return error

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def has_sandbox():
    return run("sandbox", "--help").returncode == 0


def decided(plan):
    """What a plan says but for where and when it was read, and that a cluster tells of orphans where a file may not."""
    plan = json.loads(plan)
    for key in ("planId", "generatedAt", "source"):
        plan.pop(key)
    for peak in plan["peak"]:
        peak["orphanBytes"] = peak["orphanBytes"] or 0
    return plan


def renamed(plan):
    """The shape of a plan: all numbers, and names and keys by the order in which they are met."""
    names = {}

    def walk(value, key=None, ns=None):
        if key in ("planId", "generatedAt", "source", "why", "message", "todo", "commands", "tool"):
            return None
        if key == "version":
            return value.partition("||")[0]  # behind it stands the collection's object id
        if key in ("min", "max", "shardKey", "at"):
            return names.setdefault((ns, key, json.dumps(value)), len(names))  # a key means something in one collection
        if isinstance(value, dict):
            return {k: walk(v, k, value.get("ns", ns)) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(v, key, ns) for v in value]
        if key in ("ns", "shard", "from", "to", "zone", "zones") and value is not None:
            kind = {"from": "shard", "to": "shard", "zones": "zone"}.get(key, key)
            return names.setdefault((kind, value), len(names))
        return value

    return walk(json.loads(plan))


PLAN = ("--until-balanced", "--format", "json")

GENERATOR = pathlib.Path(os.environ.get("EVENKEEL_BUILD", "/nonexistent"), "tests", "bench", "gen_cluster")
SHAPE = ("chunks=300", "shards=7", "collections=9", "zones=3", "key=any", "misaligned=0.3", "violations=0.2", "draining=1",
         "jumbo=0.05", "ragged=1", "excluded=2", "shuffled=1", "skew=0.5", "sizes=skewed")


def generate(folder, seed, generation):
    """A generated cluster of that seed, as a snapshot."""
    path = pathlib.Path(folder, f"generated-{seed}.json")
    version = {"ns": "4.4.0", "uuid": "7.0.5"}[generation]
    subprocess.run([GENERATOR, "snapshot", path, f"seed={seed}", f"generation={generation}", f"version={version}", *SHAPE],
                   check=True, stdout=subprocess.DEVNULL, timeout=READY)
    return path


GENERATED = [(seed, generation) for seed in range(1, 7) for generation in ("ns", "uuid")]


class Anonymised(CommandCase):
    def anonymised(self, source):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder, "out.json")
            self.ok("snapshot", "--snapshot", source, "--anonymize", "-o", out)
            again = pathlib.Path(folder, "again.json")
            self.ok("snapshot", "--snapshot", source, "--anonymize", "-o", again)
            text = out.read_text(encoding="utf-8")
            self.assertEqual(text, again.read_text(encoding="utf-8"))
            return self.ok("plan", "--snapshot", out, *PLAN), text

    def test_the_same_plan_up_to_names(self):
        for state in STATES:
            with self.subTest(state=state):
                want = self.ok("plan", "--snapshot", snapshot(state), *PLAN)
                got, _ = self.anonymised(snapshot(state))
                self.assertEqual(renamed(got), renamed(want))

    @unittest.skipUnless(GENERATOR.exists(), "this build has no generator")
    def test_the_same_plan_of_generated_clusters(self):
        with tempfile.TemporaryDirectory() as folder:
            for seed, generation in GENERATED:
                with self.subTest(seed=seed, generation=generation):
                    path = generate(folder, seed, generation)
                    got, _ = self.anonymised(path)
                    self.assertEqual(renamed(got), renamed(self.ok("plan", "--snapshot", path, *PLAN)))

    def test_no_name_is_left(self):
        for state in STATES:
            source = json.loads(snapshot(state).read_text(encoding="utf-8"))
            secret = {"shop", "ARCHIVE", "userId", "shop.users", "vm:", "clientAddr"}
            secret |= {c["_id"].partition(".")[2] for c in source["collections"]
                       if not c["_id"].partition(".")[2].startswith("system.")}
            secret |= {tag["tag"] for tag in source.get("tags", [])}
            secret |= {field for c in source["collections"] for field in c.get("key", {}) if field != "_id"}
            _, text = self.anonymised(snapshot(state))
            quoted = set(re.findall(r'"((?:[^"\\]|\\.)*)"', text))
            for word in sorted(secret):
                with self.subTest(state=state, word=word):
                    self.assertFalse([q for q in quoted if word == q or (len(word) > 3 and word in q)], word)

    def test_a_planted_secret_anywhere(self):
        """A text put into every field of every document must not come out."""
        source = json.loads(snapshot("imbalanced").read_text(encoding="utf-8"))

        def plant(value):
            if isinstance(value, dict):
                if any(key.startswith("$") for key in value):
                    return
                for inner in list(value.values()):
                    plant(inner)
                value["extra" + SECRET] = SECRET
            elif isinstance(value, list):
                for inner in value:
                    plant(inner)

        for kind in ("shards", "databases", "settings", "changelog", "mongos"):
            for doc in source.get(kind, []):
                plant(doc)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "in.json")
            path.write_text(json.dumps(source), encoding="utf-8")
            _, text = self.anonymised(path)
            self.assertNotIn(SECRET, text)


class Files(CommandCase):
    """`snapshot` from a file: formats, permissions, refusals."""

    def test_every_format_gives_the_same_plan(self):
        want = decided(self.ok("plan", "--snapshot", snapshot("imbalanced"), *PLAN))
        with tempfile.TemporaryDirectory() as folder:
            for name, args in (("a.json", ()), ("a.json.gz", ()), ("a.bson", ()), ("a.bson.gz", ()),
                               ("plain", ("--format", "bson")), ("b.bson", ("--format", "json"))):
                with self.subTest(name=name):
                    out = pathlib.Path(folder, name)
                    self.ok("snapshot", "--snapshot", snapshot("imbalanced"), "-o", out, *args)
                    self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o600)
                    self.assertEqual(out.read_bytes()[:2] == b"\x1f\x8b", name.endswith(".gz"))
                    self.assertEqual(decided(self.ok("plan", "--snapshot", out, *PLAN)), want)
            self.assertEqual(len(list(pathlib.Path(folder).iterdir())), 6, "temporary files are left")

    def test_from_a_dump(self):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder, "out.json")
            self.ok("snapshot", "--dump", REAL / "imbalanced" / "config", "-o", out, "--quiet")
            self.assertEqual(decided(self.ok("plan", "--snapshot", out, *PLAN)),
                             decided(self.ok("plan", "--dump", REAL / "imbalanced" / "config", *PLAN)))

    def test_refusals(self):
        source = ("--snapshot", snapshot("balanced"))
        self.refused(64, "snapshot", *source, says="-o FILE")
        self.refused(64, "snapshot", *source, "-o", "-", says="-o FILE")
        self.refused(64, "snapshot", *source, "-o", "x", "--format", "yaml", says="json, bson")
        self.refused(64, "snapshot", *source, "-o", "x", "--ns", "a", says="--ns")
        self.refused(73, "snapshot", *source, "-o", "/nowhere/at/all", says="/nowhere")
        self.refused(73, "snapshot", *source, "-o", "/dev/null", says="not a file")
        with tempfile.TemporaryDirectory() as folder:
            bad = pathlib.Path(folder, "bad.json")
            bad.write_text('{"shards": [', encoding="utf-8")
            out = pathlib.Path(folder, "out.json")
            out.write_text("before", encoding="utf-8")
            self.refused(65, "snapshot", "--snapshot", bad, "-o", out)
            self.assertEqual(out.read_text(encoding="utf-8"), "before")
            self.assertEqual(len(list(pathlib.Path(folder).iterdir())), 2, "temporary files are left")


class Nobody(CommandCase):
    """A port where nobody listens."""

    def setUp(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.uri = f"mongodb://admin:{SECRET}@127.0.0.1:{self.port}/?authSource=admin"

    def check(self, *args, **kwargs):
        start = time.monotonic()
        line = self.refused(69, *args, says=(f"127.0.0.1:{self.port}", "mongos"), **kwargs)
        self.assertLess(time.monotonic() - start, 10)
        self.assertNotIn(SECRET, line)
        self.assertNotIn("admin", line)

    def test_every_way_to_name_it(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder, "evenkeel.yaml")
            config.write_text(f"cluster:\n  uri: {self.uri}\n", encoding="utf-8")
            config.chmod(0o600)  # else it is warned of
            file = pathlib.Path(folder, "uri")
            file.write_text(f"{self.uri}\nsecond line\n", encoding="utf-8")
            file.chmod(0o600)
            by_file = pathlib.Path(folder, "by-file.yaml")
            by_file.write_text(f"cluster:\n  uriFile: {file}\n", encoding="utf-8")
            self.check("plan", "--uri", self.uri)
            self.check("plan", env={"EVENKEEL_URI": self.uri})
            self.check("plan", "--config", config)
            self.check("plan", "--config", by_file)
            self.check("snapshot", "--uri", self.uri, "-o", pathlib.Path(folder, "out"))
            self.assertFalse(pathlib.Path(folder, "out").exists())
            # The option goes before the variable, and that before the configuration.
            wrong = "mongodb://127.0.0.1:1"
            self.check("plan", "--uri", self.uri, env={"EVENKEEL_URI": wrong})
            self.check("plan", "--config", config, "--uri", self.uri)
            config.write_text(f"cluster:\n  uri: {wrong}\n", encoding="utf-8")
            self.check("plan", "--config", config, env={"EVENKEEL_URI": self.uri})

    def test_uri_file(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "uri")
            config = pathlib.Path(folder, "evenkeel.yaml")
            config.write_text(f"cluster:\n  uriFile: {file}\n", encoding="utf-8")
            self.refused(66, "plan", "--config", config, says="uriFile")
            file.write_text("\n", encoding="utf-8")
            self.refused(78, "plan", "--config", config, says="no URI")
            file.write_text(self.uri, encoding="utf-8")
            file.chmod(0o644)
            done = run("plan", "--config", config)
            self.assertEqual(done.returncode, 69)
            self.assertIn("warning", done.stderr)
            self.assertIn("chmod 600", done.stderr)
            self.assertNotIn(SECRET, done.stderr)

    def test_bad_uris(self):
        for uri in (f"mongodb://u:{SECRET}@x@h", f"mongodb://u:{SECRET}/x@h", f"u:{SECRET}@h", f"http://u:{SECRET}@h"):
            with self.subTest(uri=uri):
                self.assertNotIn(SECRET, self.refused(64, "plan", "--uri", uri, says="URI"))


@unittest.skipUnless(has_sandbox(), "this build has no `evenkeel sandbox`")
class Live(CommandCase):
    def test_a_plan_is_the_file_s(self):
        for path in [snapshot(state) for state in STATES]:
            with self.subTest(path=path.parent.name), Sandbox("--snapshot", path) as sb:
                want = self.ok("plan", "--snapshot", path, *PLAN)
                got = self.ok("plan", "--uri", sb.uri, *PLAN)
                self.assertEqual(decided(got), decided(want))
                source = json.loads(got)["source"]
                self.assertEqual((source["kind"], source["name"]), ("cluster", sb.uri))

    @unittest.skipUnless(GENERATOR.exists(), "this build has no generator")
    def test_a_plan_is_the_file_s_of_generated_clusters(self):
        with tempfile.TemporaryDirectory() as folder:
            for seed, generation in GENERATED:
                path = generate(folder, seed, generation)
                with self.subTest(seed=seed, generation=generation), Sandbox("--snapshot", path) as sb:
                    self.assertEqual(decided(self.ok("plan", "--uri", sb.uri, *PLAN)),
                                     decided(self.ok("plan", "--snapshot", path, *PLAN)))

    def test_what_if_is_the_file_s(self):
        path = snapshot("imbalanced")
        with Sandbox("--snapshot", path) as sb, tempfile.TemporaryDirectory() as folder:
            zones = pathlib.Path(folder, "zones.json")
            zones.write_text('{"namespaces": ["shop.users"], "shards": [{"_id": "new", "tags": ["US"]}]}', encoding="utf-8")
            what_if = ("--drain", "shard1", "--add-shard", "new:EU", "--weight", "new=2", "--zones", zones)
            live, file = (self.ok("plan", *source, *PLAN, *what_if) for source in (("--uri", sb.uri), ("--snapshot", path)))
            self.assertEqual(decided(live), decided(file))
            self.assertEqual(len(json.loads(live)["whatIf"]), 4)
            for command in (("explain", "shop.users"), ("drain", "shard0")):
                live, file = (self.ok_json(*command, *source, *what_if, "--format", "json")
                              for source in (("--uri", sb.uri), ("--snapshot", path)))
                self.assertEqual((live.pop("source")["kind"], file.pop("source")["kind"]), ("cluster", "snapshot"))
                self.assertEqual(live, file)

    def test_every_reader(self):
        commands = (("explain", "shop.users"), ("drain", "shard0"), ("zones", "show"),
                    ("route", "shop.users", '{"userId": 7}'))
        with Sandbox("--snapshot", snapshot("draining")) as sb:
            for command in commands:
                with self.subTest(command=command):
                    live = self.ok_json(*command, "--uri", sb.uri, "--format", "json")
                    file = self.ok_json(*command, "--snapshot", snapshot("draining"), "--format", "json")
                    self.assertEqual(live.pop("source")["kind"], "cluster")
                    self.assertEqual(file.pop("source")["kind"], "snapshot")
                    self.assertEqual(live, file)

    def test_sizes_of_a_file_instead_of_the_cluster_s(self):
        with Sandbox("--snapshot", snapshot("imbalanced")) as sb, tempfile.TemporaryDirectory() as folder:
            sizes = pathlib.Path(folder, "sizes.json")
            sizes.write_text('{"shop.users": {"shard0": 1000, "shard1": 3, "shard2": 2, "shard3": 1}}', encoding="utf-8")
            plan = self.ok_json("plan", "--uri", sb.uri, "--sizes", sizes, "--format", "json")
            users = [c for c in plan["collections"] if c["ns"] == "shop.users"][0]
            self.assertEqual([s["bytes"] for s in users["shards"]], [1000, 3, 2, 1])

    def test_a_snapshot_of_a_cluster_plans_as_the_cluster(self):
        with Sandbox("--snapshot", snapshot("imbalanced")) as sb, tempfile.TemporaryDirectory() as folder:
            want = decided(self.ok("plan", "--uri", sb.uri, *PLAN))
            for name in ("a.json", "a.bson.gz"):
                out = pathlib.Path(folder, name)
                self.ok("snapshot", "--uri", sb.uri, "-o", out)
                self.assertEqual(decided(self.ok("plan", "--snapshot", out, *PLAN)), want)
            out = pathlib.Path(folder, "hidden.json")
            self.ok("snapshot", "--uri", sb.uri, "--anonymize", "-o", out)
            self.assertEqual(renamed(self.ok("plan", "--snapshot", out, *PLAN)),
                             renamed(self.ok("plan", "--uri", sb.uri, *PLAN)))

    def test_both_generations(self):
        """The sandbox serves chunks by uuid where it plays a newer server; sizes then come all at once."""
        for version in ("4.4.0", "5.0.20", "6.0.14", "7.0.14", "8.0.4"):
            with self.subTest(version=version), \
                    Sandbox("--snapshot", snapshot("imbalanced"), "--server-version", version) as sb, \
                    tempfile.TemporaryDirectory() as folder:
                got = json.loads(self.ok("plan", "--uri", sb.uri, *PLAN))
                self.assertEqual(got["source"]["serverVersion"], version)
                self.assertFalse([c for c in got["collections"] if c["excludedReason"] == "metadataInvalid"])
                self.assertFalse([w for w in got["warnings"] if w["code"] == "sizesUnavailable"], got["warnings"])
                out = pathlib.Path(folder, "out.json")
                self.ok("snapshot", "--uri", sb.uri, "-o", out)
                self.assertEqual(decided(self.ok("plan", "--snapshot", out, *PLAN)), decided(json.dumps(got)))
                hidden = pathlib.Path(folder, "hidden.bson")
                self.ok("snapshot", "--snapshot", out, "--anonymize", "-o", hidden)
                self.assertEqual(renamed(self.ok("plan", "--snapshot", hidden, *PLAN)), renamed(json.dumps(got)))

    def test_logging_in(self):
        with tempfile.TemporaryDirectory() as folder:
            password = pathlib.Path(folder, "password")
            password.write_text(SECRET + "\n", encoding="utf-8")
            password.chmod(0o600)
            with Sandbox("--snapshot", snapshot("balanced"), "--user", "scott", "--password-file", password) as sb:
                good = f"mongodb://scott:{SECRET}@{sb.address}/?authSource=admin"
                got = self.ok("plan", "--uri", good, "--format", "json")
                self.assertNotIn(SECRET, got)
                self.assertNotIn("scott", got)
                bad = f"mongodb://scott:{SECRET}x@{sb.address}/?authSource=admin"
                line = self.refused(77, "plan", "--uri", bad, says=(sb.address, "log in"))
                self.assertNotIn(SECRET, line)
                self.refused(77, "plan", "--uri", sb.uri, says=sb.address)

    def test_named_by_the_environment_and_the_configuration(self):
        with Sandbox("--snapshot", snapshot("balanced")) as sb, tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder, "evenkeel.yaml")
            config.write_text(f"cluster:\n  uri: {sb.uri}\n  readPreference: secondaryPreferred\n", encoding="utf-8")
            want = decided(self.ok("plan", "--uri", sb.uri, "--format", "json"))
            self.assertEqual(decided(self.ok("plan", "--format", "json", env={"EVENKEEL_URI": sb.uri})), want)
            self.assertEqual(decided(self.ok("plan", "--format", "json", "--config", config)), want)


if __name__ == "__main__":
    unittest.main()
