# SPDX-License-Identifier: Apache-2.0
"""The command line as a whole: help, version, refusals with their exit codes, sources, and where output goes."""
import os
import pathlib
import pty
import resource
import signal
import stat
import subprocess
import tempfile
import unittest

from evenkeel_cli import EVENKEEL, TIMEOUT, CommandCase, dump, environment, run, snapshot

COMMON = ("--format", "--output", "-o,", "--config", "--verbose", "-v,", "--quiet", "--no-color", "--help", "--usage")
SOURCE = ("--snapshot", "--dump", "--uri", "--sizes", "--ns")
OWN = {
    "plan": ("--rounds", "--until-balanced", "--policy", "--max-moves", "--max-bytes", "--max-time", "--all",
             "--detailed-exitcode", "--seed", "--time-series", *SOURCE),
    "explain": SOURCE,
    "drain": SOURCE,
    "zones": SOURCE,
    "route": SOURCE,
    "snapshot": ("--snapshot", "--dump", "--uri", "--anonymize"),
    "sandbox": ("--snapshot", "--dump", "--port", "--server-version", "--bandwidth", "--latency", "--speed"),
    "history": ("--since", "--until", "--ns", "--shard", "--state", "--round", "--limit", "--rounds", "--tail", "--all",
                "--journal"),
    "hash": (),
    "config": (),
}
# Each command that reads metadata, with the arguments it needs besides.
READERS = (("plan",), ("explain", "shop.users"), ("drain", "shard0"), ("zones", "check"),
           ("route", "shop.users", '{"_id": 1}'))
SECRET = "s3cr3t"
URI = f"mongodb://admin:{SECRET}@db.example.net:27017/?replicaSet=rs0"


class Help(CommandCase):
    def test_every_command_tells_its_options_and_an_example(self):
        for command, own in OWN.items():
            with self.subTest(command=command):
                text = self.ok(command, "--help")
                self.assertTrue(text.startswith(f"Usage: evenkeel {command} "), text[:60])
                for option in (*own, *COMMON):
                    self.assertIn(option, text)
                self.assertIn(f"  evenkeel {command} ", text)
                self.assertEqual(self.ok(command, "-h"), text)
                self.assertEqual(self.ok(command, "-?"), text)
                self.assertEqual(self.ok("help", command), text)
                self.assertTrue(all(len(line) < 80 for line in text.splitlines()), text)

    def test_usage(self):
        for command in OWN:
            with self.subTest(command=command):
                self.assertTrue(self.ok(command, "--usage").startswith(f"Usage: evenkeel {command} "))

    def test_help_wins_over_what_stands_behind_it(self):
        self.assertEqual(self.ok("plan", "--help", "--bogus"), self.ok("plan", "--help"))

    def test_main_help_lists_the_commands(self):
        text = self.ok("--help")
        for command in OWN:
            self.assertRegex(text, rf"(?m)^  {command} +\w")
        self.assertEqual(self.ok("help"), text)
        self.assertEqual(self.ok("-h"), text)

    def test_version(self):
        lines = self.ok("--version").splitlines()
        self.assertRegex(lines[0], r"^evenkeel \d+\.\d+\.\d+$")
        self.assertEqual([line.split()[0] for line in lines[1:]],
                         ["libmongoc", "libbson", "libevent", "SQLite", "GLib", "libfyaml", "zlib", "libsmartcols"])
        for line in lines:
            self.assertRegex(line, r"^[A-Za-z]+ \d+\.\d+[.\w-]*$")
        self.assertEqual(self.ok("-V").splitlines(), lines)


class Refusals(CommandCase):
    def test_commands(self):
        rows = [
            ((), ("no command",)),
            (("plam",), ("'plam'", "'plan'", "explain", "route")),
            (("exlpain",), ("'explain'",)),
            (("frobnicate",), ("'frobnicate'", "plan, apply, round, explain")),
            (("apply", "plan.json"), ("nobody can be asked", "--yes")),
            (("run",), ("no cluster named", "--uri")),
            (("",), ("''",)),
            (("PLAN",), ("'PLAN'",)),
            (("help", "plam"), ("'plam'",)),
            (("--snapshot", "x", "plan"), ("behind the command",)),
            (("pl\x1b[31man",), ("\\x1B",)),
        ]
        for args, says in rows:
            with self.subTest(args=args):
                self.refused(64, *args, says=says)

    def test_unknown_options_of_every_command(self):
        for command in OWN:
            with self.subTest(command=command):
                line = self.refused(64, command, "--bogus", says="'--bogus'")
                self.assertTrue(line.startswith(f"evenkeel {command}: "), line)
                self.refused(64, command, "-Z", says="'-Z'")
                self.refused(64, command, "--verbos=1", says="takes no argument")
                self.refused(64, command, "-o", says="needs an argument")
                self.refused(64, command, "--format", says="needs an argument")

    def test_bad_values_of_plan(self):
        rows = [
            (("--rounds", "0"), "--rounds"),
            (("--rounds", "1000001"), "1000000"),
            (("--rounds", "-1"), "--rounds"),
            (("--rounds", "1.5"), "1.5"),
            (("--rounds", "99999999999999999999"), "--rounds"),
            (("--rounds", ""), "--rounds"),
            (("--rounds=x",), "'x'"),
            (("--rounds", "2", "--until-balanced"), "--until-balanced"),
            (("--policy", "best"), "auto, count, size or optimal"),
            (("--policy", ""), "--policy"),
            (("--policy", "Count"), "'Count'"),
            (("--max-moves", "0"), "--max-moves"),
            (("--max-moves", "many"), "--max-moves"),
            (("--max-bytes", "5Q"), "--max-bytes"),
            (("--max-bytes", "-5"), "--max-bytes"),
            (("--max-bytes", "0"), "--max-bytes"),
            (("--max-bytes", "9999999TiB"), "--max-bytes"),
            (("--max-time", "10"), "unit"),
            (("--max-time", "0"), "--max-time"),
            (("--max-time", "soon"), "--max-time"),
            (("--seed", "-1"), "--seed"),
            (("--seed", "4294967296"), "--seed"),
            (("--time-series", "odd"), "'odd'"),
            (("--format", "xml"), "text, json, html, commands"),
            (("--format", "JSON"), "text, json, html, commands"),
            (("--format", ""), "--format"),
            (("--ns", ""), "--ns"),
            (("--ns", "!"), "--ns"),
            (("--ns", b"\xff"), "\\xFF"),
            (("--output", ""), "--output"),
            (("extra",), "'extra'"),
            (("--", "--rounds"), "'--rounds'"),
            (("--s", "x"), "ambiguous"),
            (("--until-balanced=yes",), "takes no argument"),
            (("--polcy", "count"), "'--policy'"),
            (("-vZ",), "'-Z'"),
        ]
        for args, says in rows:
            with self.subTest(args=args):
                args = [os.fsdecode(a) if isinstance(a, bytes) else a for a in args]
                self.refused(64, "plan", "--snapshot", snapshot("balanced"), *args, says=says)

    def test_abbreviated_options_are_taken(self):
        self.assertEqual(self.ok("plan", "--snap", snapshot("balanced"), "--quiet"),
                         self.ok("plan", "--snapshot", snapshot("balanced"), "--quiet"))


class Sources(CommandCase):
    def test_none(self):
        for args in READERS:
            with self.subTest(args=args):
                self.refused(64, *args, says=("--snapshot", "--dump"))

    def test_more_than_one(self):
        both = ("--snapshot", snapshot("balanced"), "--dump", dump("balanced"))
        for args in READERS:
            with self.subTest(args=args):
                self.refused(64, *args, *both, says="more than one")
                self.refused(64, *args, "--snapshot", snapshot("balanced"), "--uri", URI, says="more than one")
                self.refused(64, *args, "--dump", "a", "--dump", "b", says="twice")

    def test_a_file_goes_before_a_uri_that_no_option_names(self):
        want = self.ok("plan", "--snapshot", snapshot("balanced"), "--quiet")
        got = self.ok("plan", "--snapshot", snapshot("balanced"), "--quiet", env={"EVENKEEL_URI": URI})
        self.assertEqual(got, want)

    def test_a_password_in_the_wrong_place_is_not_echoed(self):
        for args in ((URI,), ("plan", URI), ("plan", "--snapshot", URI), ("plan", "--dump", URI), ("hash", URI),
                     ("plan", f"--url={URI}"), ("plan", f"--quiet={URI}"), ("plan", "--policy", URI),
                     ("plan", "--config", URI), ("plan", "--format", URI), ("plan", "--rounds", URI),
                     ("plan", "--snapshot", snapshot("balanced"), "-o", URI),
                     ("plan", "--snapshot", snapshot("balanced"), "--sizes", URI),
                     ("explain", URI, "--snapshot", snapshot("balanced")),
                     ("drain", URI, "--snapshot", snapshot("balanced")),
                     ("config", "check", URI)):
            with self.subTest(args=args):
                done = run(*args)
                self.assertNotEqual(done.returncode, 0)
                self.assertNotIn(SECRET, done.stdout + done.stderr)

    def test_missing_and_wrong_kinds_of_file(self):
        with tempfile.TemporaryDirectory() as folder:
            empty = pathlib.Path(folder, "empty")
            empty.touch()
            bare = pathlib.Path(folder, "bare")
            bare.mkdir()
            text = pathlib.Path(folder, "text")
            text.write_text("hello\n", encoding="utf-8")
            rows = [
                (66, ("--snapshot", "/nonexistent/x.json"), "/nonexistent/x.json"),
                (66, ("--dump", "/nonexistent"), "/nonexistent"),
                (66, ("--snapshot", snapshot("balanced"), "--sizes", "/nonexistent"), "/nonexistent"),
                (66, ("--snapshot", folder), folder),
                (66, ("--dump", bare), "bare"),
                (66, ("--dump", snapshot("balanced")), "snapshot.json"),
                (65, ("--snapshot", empty), "empty"),
                (65, ("--snapshot", text), "text"),
                (65, ("--snapshot", "/dev/null"), "/dev/null"),
            ]
            for code, args, says in rows:
                with self.subTest(args=args):
                    self.refused(code, "plan", *args, says=says)

    def test_unreadable_file(self):
        def become_nobody():
            if os.geteuid() == 0:  # who reads everything
                os.setuid(65534)
        with tempfile.NamedTemporaryFile() as file:
            os.chmod(file.name, 0)
            try:
                self.refused(66, "plan", "--snapshot", file.name, says=file.name, preexec_fn=become_nobody)
            except PermissionError:
                self.skipTest("nobody may not run the command")

    def test_config_that_is_not_there(self):
        self.refused(66, "plan", "--snapshot", snapshot("balanced"), "--config", "/nonexistent.yaml",
                     says="/nonexistent.yaml")

    def test_standard_input(self):
        with open(snapshot("imbalanced"), "rb") as file:
            piped = self.ok("plan", "--snapshot", "-", "--format", "commands", stdin=file)
        named = self.ok("plan", "--snapshot", snapshot("imbalanced"), "--format", "commands")
        commands = [line for line in named.splitlines() if line.startswith("run(")]
        self.assertNotEqual(commands, [])
        self.assertEqual([line for line in piped.splitlines() if line.startswith("run(")], commands)


class Output(CommandCase):
    PLAN = ("plan", "--snapshot", snapshot("imbalanced"), "--until-balanced")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = self.folder / "plan.txt"

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            for args in (self.PLAN, ("--help",), ("--version",), ("plan", "--help"), ("hash", "1")):
                with self.subTest(args=args):
                    self.refused(73, *args, says="No space left", stdout=full)

    def private_device(self, name, minor):
        """A memory device (major 1) in the test's own folder: a command that wrongly replaces its output must
        never be let near /dev, where root could."""
        path = self.folder / name
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
            with open(path, "wb"):
                return path
        except PermissionError:
            self.skipTest("no device can be made here")

    def test_full_device_as_the_file(self):
        full = self.private_device("full", 7)
        self.refused(73, *self.PLAN, "-o", full, says=("full", "No space left"))
        self.assertTrue(stat.S_ISCHR(full.stat().st_mode))

    def test_closed_stdout(self):
        for args in (self.PLAN, ("--help",), ("--version",), ("plan", "--help"), ("hash", "1")):
            with self.subTest(args=args):
                self.refused(73, *args, says="standard output", preexec_fn=lambda: os.close(1))

    def test_closed_stdout_does_not_matter_with_a_file(self):
        self.ok(*self.PLAN, "-o", self.file, preexec_fn=lambda: os.close(1))
        self.assertIn("shop.users", self.file.read_text(encoding="utf-8"))

    def test_closed_descriptors_are_given_to_no_file(self):
        pipe = self.folder / "snapshot.json"
        os.mkfifo(pipe)

        def close_all():
            for fd in (0, 1, 2):
                os.close(fd)
        with subprocess.Popen([EVENKEEL, "plan", "--snapshot", pipe, "-v", "-o", self.file], env=environment(),
                              preexec_fn=close_all) as process:
            with open(pipe, "wb") as writer:  # waits until the command has opened it
                held = {os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in (0, 1, 2)}
                writer.write(snapshot("imbalanced").read_bytes())
            self.assertEqual(process.wait(timeout=TIMEOUT), 0)
        self.assertEqual(held, {"/dev/null"})
        self.assertNotIn("peak memory", self.file.read_text(encoding="utf-8"))

    def test_reader_that_went_away(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        try:
            self.refused(73, *self.PLAN, says="Broken pipe", stdout=write_end,
                         preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL))
        finally:
            os.close(write_end)

    def test_file_holds_what_stdout_would(self):
        want = self.ok(*self.PLAN)
        self.assertEqual(self.ok(*self.PLAN, "-o", self.file), "")
        self.assertEqual(self.file.read_text(encoding="utf-8"), want)
        self.assertEqual(self.ok(*self.PLAN, "-o", "-"), want)
        self.assertEqual(os.listdir(self.folder), ["plan.txt"])

    def test_permissions_follow_the_umask_and_stay(self):
        self.ok(*self.PLAN, "-o", self.file, preexec_fn=lambda: os.umask(0o027))
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o640)
        os.chmod(self.file, 0o600)
        self.ok(*self.PLAN, "-o", self.file, preexec_fn=lambda: os.umask(0o022))
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)

    def test_places_that_cannot_be_written(self):
        (self.folder / "file").touch()
        rows = [("/nonexistent/plan.txt", "/nonexistent/plan.txt"), (self.folder, "directory"),
                (self.folder / "file" / "plan.txt", "plan.txt"), (self.folder / ("x" * 300), "xxx")]
        for path, says in rows:
            with self.subTest(path=path):
                self.refused(73, *self.PLAN, "-o", path, says=says)

    def test_old_content_stays_where_writing_fails(self):
        self.file.write_text("old", encoding="utf-8")

        def limit():
            # Below what the plan takes, above the page of counters that libmongoc makes when it is loaded.
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
        self.refused(73, *self.PLAN, "-o", self.file, says="plan.txt", preexec_fn=limit)
        self.assertEqual(self.file.read_text(encoding="utf-8"), "old")
        self.assertEqual(os.listdir(self.folder), ["plan.txt"])

    def test_old_content_stays_where_planning_fails(self):
        self.file.write_text("old", encoding="utf-8")
        self.refused(66, "plan", "--snapshot", "/nonexistent", "-o", self.file)
        self.assertEqual(self.file.read_text(encoding="utf-8"), "old")

    def test_symbolic_link_is_followed(self):
        link = self.folder / "link"
        link.symlink_to(self.file)
        self.file.write_text("old", encoding="utf-8")
        want = self.ok(*self.PLAN)
        self.ok(*self.PLAN, "-o", link)
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.file.read_text(encoding="utf-8"), want)

    def test_device_is_written_in_place(self):
        null = self.private_device("null", 3)
        before = null.stat().st_ino
        self.ok(*self.PLAN, "-o", null)
        self.assertTrue(stat.S_ISCHR(null.stat().st_mode))
        self.assertEqual(null.stat().st_ino, before)

    def test_named_pipe_is_written_in_place(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        try:
            self.ok("plan", "--snapshot", snapshot("imbalanced"), "--quiet", "-o", pipe)
            self.assertEqual(os.read(reader, 65536).decode(),
                             self.ok("plan", "--snapshot", snapshot("imbalanced"), "--quiet"))
        finally:
            os.close(reader)
        self.assertTrue(stat.S_ISFIFO(pipe.stat().st_mode))

    def test_verbose_tells_on_stderr_only(self):
        done = run(*self.PLAN, "-v")
        self.assertEqual(done.returncode, 0)
        self.one_line(done.stderr)
        self.assertRegex(done.stderr, r"read in .*planned in .*peak memory \d")
        self.assertEqual(done.stdout, self.ok(*self.PLAN))

    def on_terminal(self, *args, **env):
        """What the command writes to a terminal."""
        ours, theirs = pty.openpty()
        try:
            with subprocess.Popen([EVENKEEL, *map(str, args)], stdout=theirs, stderr=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL, env=environment(**env)) as process:
                os.close(theirs)
                text = b""
                while True:
                    try:
                        part = os.read(ours, 65536)
                    except OSError:  # the other end is closed
                        break
                    if not part:
                        break
                    text += part
                self.assertEqual(process.wait(timeout=TIMEOUT), 0)
        finally:
            os.close(ours)
        return text.decode()

    def test_colour_only_on_a_terminal_that_wants_it(self):
        self.assertIn("\x1b[", self.on_terminal(*self.PLAN))
        self.assertNotIn("\x1b[", self.on_terminal(*self.PLAN, "--no-color"))
        self.assertNotIn("\x1b[", self.on_terminal(*self.PLAN, NO_COLOR="1"))
        self.assertIn("\x1b[", self.on_terminal(*self.PLAN, NO_COLOR=""))
        self.assertNotIn("\x1b[", self.on_terminal(*self.PLAN, TERM="dumb"))
        self.assertNotIn("\x1b[", self.on_terminal(*self.PLAN, "--format", "json"))
        self.assertNotIn("\x1b[", self.ok(*self.PLAN))
        self.on_terminal(*self.PLAN, "-o", self.file)
        self.assertNotIn("\x1b[", self.file.read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
