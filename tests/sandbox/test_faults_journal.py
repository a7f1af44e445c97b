#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The journal cannot be written, is not one, is damaged, is held by others, or goes away: a clear error, and no migration starts without it."""
import collections
import concurrent.futures
import contextlib
import os
import resource
import sqlite3
import stat
import time

from acting import approved
from faults import Bench, FaultCase
from sandbox_server import main

NOBODY = 65534
PAGE = 4096


class Journal(FaultCase):
    def begun(self, moves=1):
        """A cluster and a journal with a migration in it."""
        bench = self.bench_of()
        if moves:
            self.code(1, bench.apply("--yes", "--max-moves", str(moves)))
        return bench

    def bench_of(self, **options):
        bench = Bench(**options)
        bench.by_others, bench.resent = collections.Counter(), 0
        self.addCleanup(bench.__exit__, None, None, None)
        return bench

    def nothing_done(self, bench, code, *says, **options):
        """Refused before anything left for the cluster; twice."""
        before = bench.commits()
        for _ in range(2):
            done = self.refused(code, bench.apply("--yes", **options), *says)
            self.assertNotIn("migration started", done.err)
        self.assertEqual(bench.commits(), before)

    def completes(self, bench):
        self.code(0, bench.apply("--yes"))
        bench.resent = sum(e[1] == "committed" and e[5] == 0 for e in bench.entries())  # settled, their attempts were never written
        self.sound(bench, ())
        self.assertEqual(bench.fresh(), collections.Counter(approved(bench.wanted)))

    def changed(self, bench, change):
        """The file, all in one, after a change by somebody who knows SQLite."""
        with contextlib.closing(sqlite3.connect(bench.journal, isolation_level=None)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute(change)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # --- before anything ---

    def test_not_a_journal(self):
        bench = self.bench_of()
        path = bench.journal
        makers = (
            ("a folder", 73, path.mkdir),
            ("a pipe", 73, lambda: os.mkfifo(path)),
            ("/dev/full", 73, lambda: path.symlink_to("/dev/full")),
            ("a link to nothing", 73, lambda: path.symlink_to(bench.folder / "nosuch" / "journal.db")),
            ("a short text", 65, lambda: path.write_text("notes of mine\n")),
            ("a long text", 65, lambda: path.write_text("notes of mine\n" * 5000)),
            ("a header alone", 65, lambda: path.write_bytes(b"SQLite format 3\0")),
            ("a header and nothing", 65, lambda: path.write_bytes(b"SQLite format 3\0" + bytes(5000))),
            ("another program's", 65, self.of_another_program(path)),
            ("its lock is a folder", 73, lambda: path.with_name("journal.db.lock").mkdir()),
            ("its lock is a link", 73, lambda: path.with_name("journal.db.lock").symlink_to("/etc/hostname")),
        )
        for name, code, make in makers:
            with self.subTest(journal=name):
                make()
                before = path.read_bytes() if path.is_file() else None
                self.nothing_done(bench, code, "journal.db")
                if before is not None:
                    self.assertEqual(path.read_bytes(), before)
                for left in bench.folder.glob("journal.db*"):
                    left.rmdir() if stat.S_ISDIR(left.lstat().st_mode) else left.unlink()
        self.completes(bench)

    @staticmethod
    def of_another_program(path):
        def make():
            with contextlib.closing(sqlite3.connect(path)) as db:
                db.execute("CREATE TABLE notes (text)")
        return make

    def test_damaged(self):
        def cut(bench):
            os.truncate(bench.journal, bench.journal.stat().st_size // 2 // PAGE * PAGE)

        def overwrite(bench):
            with open(bench.journal, "r+b") as file:
                file.seek(bench.journal.stat().st_size // 2 // PAGE * PAGE)
                file.write(b"\xff" * 2 * PAGE)

        for name, harm, says in (("cut", cut, "damaged"), ("overwritten", overwrite, "damaged"),
                                 ("newer", lambda bench: self.changed(bench, "PRAGMA user_version = 99"), "newer evenkeel"),
                                 ("of another application", lambda bench: self.changed(bench, "PRAGMA application_id = 7"), "another program")):
            with self.subTest(journal=name):
                bench = self.begun()
                self.changed(bench, "SELECT 1")
                whole = bench.journal.read_bytes()
                harm(bench)
                self.nothing_done(bench, 65, says)
                bench.journal.write_bytes(whole)
                self.completes(bench)

    def test_not_permitted(self):
        if os.getuid() != 0:
            self.skipTest("needs root, to be somebody else")
        bench = self.begun()
        os.chmod(bench.folder, 0o755)
        for path in bench.folder.iterdir():
            os.chmod(path, 0o644)
        self.nothing_done(bench, 77, "journal.db", user=NOBODY, group=NOBODY)
        for path in bench.folder.glob("journal.db*"):  # the file, but not the folder
            os.chown(path, NOBODY, NOBODY)
        bench.journal.with_name("journal.db.lock").unlink()
        self.nothing_done(bench, 77, "journal.db", user=NOBODY, group=NOBODY)
        self.completes(bench)

    # --- others have it ---

    def held(self, how):
        bench = self.begun()
        with contextlib.closing(sqlite3.connect(bench.journal, isolation_level=None)) as db:
            db.execute(f"BEGIN {how}")
            before = bench.commits()
            self.refused(75, bench.apply("--yes"), "another program", "keeps a transaction on it open")
            self.assertEqual(bench.commits(), before)
        self.completes(bench)

    def held_on_the_way(self, seconds, code):
        bench = self.bench_of(latency="200ms")
        process = bench.start_apply()
        bench.wait_for_commits(len(bench.before) + 1)
        with contextlib.closing(sqlite3.connect(bench.journal, isolation_level=None, timeout=20)) as db:
            db.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, code, out + err)
        if code:
            self.assertLess(sum(bench.fresh().values()), 6)
        self.completes(bench)

    def test_held(self):
        """Shorter and longer than it is waited for."""
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for result in (pool.submit(self.held, "IMMEDIATE"), pool.submit(self.held, "EXCLUSIVE"),
                           pool.submit(self.held_on_the_way, 1, 0), pool.submit(self.held_on_the_way, 9, 75)):
                result.result()

    # --- no room ---

    def test_no_room(self):
        """From no room for the schema to room for nearly all: what was sent stands in the journal."""
        for limit in (8192, 40000, 130000, 220000, 260000, 300000):
            with self.subTest(limit=limit):
                bench = self.bench_of()
                done = bench.apply("--yes", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
                self.assertIn(done.code, (0, 73), done)
                if done.code:
                    self.refused(73, done, "journal.db", "ulimit -f")
                if bench.entries_or_none() is None:
                    self.assertEqual(bench.fresh(), {})
                self.assertLessEqual(sum(bench.fresh().values()), sum(e[1] != "planned" for e in bench.entries_or_none() or ()))
                self.completes(bench)

    # --- it goes away ---

    def gone(self, harm):
        bench = self.bench_of(latency="200ms")
        process = bench.start_apply()
        bench.wait_for_commits(len(bench.before) + 1)
        harm(bench)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 73, out + err)
        self.assertRegex(err.rstrip("\n").rsplit("\n", 1)[-1], r"journal\.db': the file was moved or deleted while in use; [^\n]*[^.]$")
        self.assertLessEqual(sum(bench.fresh().values()), 2)  # what was under way ends
        return bench

    def test_deleted(self):
        def delete(bench):
            for path in bench.folder.glob("journal.db*"):
                path.unlink()
        for harm in (lambda bench: bench.journal.unlink(), delete):
            bench = self.gone(harm)
            done = self.refused(75, bench.apply("--yes"), "stale")
            self.assertIn("shard3", done.out)
            self.renewed(bench)

    def test_moved_away_and_back(self):
        bench = self.gone(lambda bench: bench.journal.rename(bench.folder / "away.db"))
        (bench.folder / "away.db").rename(bench.journal)
        self.completes(bench)

    def test_replaced(self):
        def replace(bench):
            copy = bench.folder / "copy.db"
            copy.write_bytes(bench.journal.read_bytes())
            copy.rename(bench.journal)
        self.completes(self.gone(replace))


if __name__ == "__main__":
    main()
