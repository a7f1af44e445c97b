#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the service does over hours, in simulated time."""
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time
import unittest

try:
    import pymongo  # pylint: disable=unused-import
except ImportError:
    print("python3-pymongo is not installed")
    sys.exit(77)

import soak_checks as checks
from soak_clock import Clock
from soak_cluster import Cluster
from soak_service import Service


class Long(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="evenkeel-long-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.clock = Clock(os.environ["EVENKEEL_FAST_CLOCK_LIBRARY"], self.folder / "clock")
        self.cluster = Cluster(self.clock, self.folder, random.Random(1), "5.0.31", 0)
        self.addCleanup(self.cluster.stop)
        self.service = Service(self.clock, self.folder, self.cluster.port)

    def start(self, **sections):
        for section, values in sections.items():
            self.service.config[section].update(values)
        self.service.start()
        self.addCleanup(lambda: self.service.process and self.service.kill())

    def wait(self, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end, self.service.status())
            self.clock.run(5)

    def test_failures_beside_a_long_migration(self):
        """One migration takes two hours and keeps the round open; all others are refused. They are tried again, ever less often."""
        self.cluster.fault("stall", step=4, ms=2 * 3600 * 1000)
        self.start(balancer={"busyInterval": "1s"}, migrations={"retry": {"attempts": 1, "backoff": "1s", "maxBackoff": "10s"}})
        self.wait(lambda: any(e["what"] == "moveChunk.start" for e in self.cluster.read_changelog()))
        self.cluster.fault("errorCode", command="moveChunk", code=14031, times=0)
        self.clock.run(5000)
        status = self.service.status()
        rows = checks.journal_rows(self.service.journal)
        self.assertEqual(status["round"]["id"], 1, status)
        self.assertGreater(rows["failed"], 5)
        self.assertLess(rows["failed"], 40)

    def test_work_beside_a_long_migration(self):
        """Other shards go on meanwhile, in the same round."""
        self.cluster.fault("stall", step=4, ms=3 * 3600 * 1000)
        self.start()
        self.wait(lambda: checks.journal_rows(self.service.journal).get("committed", 0) > 0)
        self.clock.run(5000)
        self.assertGreater(checks.journal_rows(self.service.journal)["committed"], 5)
        self.assertEqual(self.service.status()["round"]["id"], 1)


if __name__ == "__main__":
    unittest.main()
