#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`evenkeel run` on the simulated cluster: when it will be done, as a range, and what came of what was promised."""
import datetime

from sandbox_server import main
from serving import ServingCase


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def minutes_from_now(minutes):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)


class Finish(ServingCase):
    def forecast(self, service, wanted=lambda status: True):
        return service.wait_status(lambda s: s["forecast"] is not None and s["forecast"]["migrations"] > 0 and wanted(s))

    def in_order(self, low, expected, high):
        self.assertLessEqual(moment(low), moment(expected))
        self.assertLessEqual(moment(expected), moment(high))

    def test_waits_for_the_window(self):
        """The work is done in open windows only: no finish before the window has opened."""
        opens = minutes_from_now(120)
        cluster = self.served(balancer=f'windows: [{{start: "{opens:%H:%M}", stop: "{minutes_from_now(600):%H:%M}", timezone: UTC}}]')
        service = self.serve(cluster)
        status = self.forecast(service, lambda s: s["state"] == "held")
        forecast = status["forecast"]
        self.in_order(forecast["finishLow"], forecast["finishExpected"], forecast["finishHigh"])
        self.assertGreaterEqual(moment(forecast["finishLow"]), opens.replace(second=0, microsecond=0))
        self.assertTrue(forecast["complete"])
        self.assertEqual(status["speed"]["basis"], "changelog")
        self.code(0, service.cli("status"), f'to go: {forecast["migrations"]} migrations, ', "; done about ")
        self.assertGreaterEqual(status["speed"]["samples"], 3)
        self.ended(service)

    def test_no_finish_while_paused(self):
        cluster = self.served(latency="1s")
        service = self.serve(cluster)
        service.wait("migration.start")
        self.code(0, service.cli("pause"))
        status = self.forecast(service, lambda s: s["pause"]["paused"])
        self.assertEqual([status["forecast"][key] for key in ("finishLow", "finishExpected", "finishHigh")], [None] * 3)
        self.assertGreater(status["forecast"]["expectedSeconds"], 0)
        self.code(0, service.cli("status"), " of work")
        self.ended(service)

    def test_limit_of_bytes(self):
        cluster = self.served(config="migrations: {maxBytesPerHour: 200KiB}\n")
        service = self.serve(cluster)
        forecast = self.forecast(service, lambda s: s["state"] == "held")["forecast"]
        least = forecast["bytes"] / (200 * 1024) * 3600
        self.assertGreater(least, 3600)
        for key in ("lowSeconds", "expectedSeconds", "highSeconds"):
            self.assertGreaterEqual(forecast[key], least - 1)
        self.ended(service)

    def test_under_way(self):
        cluster = self.served(latency="2s")
        service = self.serve(cluster)
        status = service.wait_status(lambda s: s["round"] and [m for m in s["migrations"] if m["kind"] == "migration"])
        for migration in [m for m in status["migrations"] if m["kind"] == "migration"]:
            self.in_order(migration["expectedLow"], migration["expectedEnd"], migration["expectedHigh"])
        self.in_order(*(status["round"][key] for key in ("finishLow", "finishExpected", "finishHigh")))
        self.ended(service)

    def test_promised_and_achieved(self):
        """What was measured is what the next promises rest on; at the end nothing is left to promise."""
        cluster = self.served()
        service = self.serve(cluster, "--verbose")
        service.wait("round.nothing")
        status = service.status()
        self.assertEqual((status["speed"]["basis"], status["forecast"]["migrations"]), ("journal", 0))
        self.assertIsNone(status["forecast"]["finishExpected"])
        self.assertIn(status["speed"]["samples"], range(3, status["counters"]["migrationsCommitted"] + 1))
        done = [r for r in status["rounds"] if r["state"] == "done" and r["committed"] > 0]
        self.assertEqual(status["promise"]["rounds"], len(done))
        self.assertAlmostEqual(status["promise"]["promisedSeconds"], sum(r["plannedSeconds"] for r in done), 3)
        self.assertAlmostEqual(status["promise"]["achievedSeconds"], sum(r["seconds"] for r in done), 3)
        self.assertNotIn("to go:", self.code(0, service.cli("status"), "promised").out)
        metrics = dict(line.rsplit(" ", 1) for line in service.http("/metrics")[1].splitlines() if not line.startswith("#"))
        self.assertEqual(float(metrics["evenkeel_last_round_promised_seconds"]), done[0]["plannedSeconds"])
        self.assertGreater(float(metrics["evenkeel_last_round_seconds"]), 0)
        self.assertEqual(metrics["evenkeel_forecast_migrations"], "0")
        self.ended(service)


if __name__ == "__main__":
    main()
