# SPDX-License-Identifier: Apache-2.0
"""Real drivers take the sandbox for a mongos: pymongo, plain and with log-in and TLS, and mongoengine."""
import datetime
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import bson
import pymongo
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from pymongo import errors, ReturnDocument

from sandbox_server import EVENKEEL, REAL, TIMEOUT, Sandbox, SandboxCase, connection, main, op_msg, receive, wait_until

try:
    import mongoengine
except ImportError:
    mongoengine = None


class Reading(SandboxCase):
    def setUp(self):
        self.client = self.sandbox.client()
        self.addCleanup(self.client.close)
        self.config = self.client["config"]

    def test_is_taken_for_a_mongos(self):
        self.assertEqual(self.client.admin.command("isMaster")["msg"], "isdbgrid")
        self.assertTrue(self.client.is_mongos)
        self.assertEqual(self.client.server_info()["version"], "4.2.0")

    def test_cursors(self):
        everything = list(self.config.chunks.find({}))
        self.assertEqual(len(everything), 115)
        open_before = self.client.admin.command("serverStatus")["metrics"]["cursor"]["open"]["total"]
        for batch in (1, 2, 50, 114, 115, 116):
            found = list(self.config.chunks.find({}, batch_size=batch))
            self.assertEqual(found, everything, f"in batches of {batch}")
            status = self.client.admin.command("serverStatus")
            self.assertEqual(status["metrics"]["cursor"]["open"]["total"], open_before, "an exhausted cursor stays open")
        self.assertEqual(list(self.config.chunks.find({}).skip(110)), everything[110:])
        self.assertEqual(list(self.config.chunks.find({}).limit(7).batch_size(3)), everything[:7])
        self.assertEqual(list(self.config.chunks.find({}).limit(-7)), everything[:7])

    def test_a_killed_cursor_is_gone(self):
        reply = self.config.command("find", "chunks", batchSize=2)
        cursor = reply["cursor"]["id"]
        self.assertGreater(cursor, 0)
        self.refused(43, self.config.command, "getMore", cursor, collection="shards")
        reply = self.config.command("killCursors", "chunks", cursors=[cursor, Int64(5)])
        self.assertEqual((reply["cursorsKilled"], reply["cursorsNotFound"]), ([cursor], [5]))
        self.refused(43, self.config.command, "getMore", cursor, collection="chunks")

    def test_idle_cursors_are_bounded(self):
        first = self.config.command("find", "chunks", batchSize=1)["cursor"]["id"]
        for _ in range(1000):
            self.config.command("find", "chunks", batchSize=1)
        self.refused(43, self.config.command, "getMore", first, collection="chunks")

    def test_sessions(self):
        with self.client.start_session() as session:
            self.assertEqual(self.config.shards.count_documents({}, session=session), 4)
        self.client.admin.command("refreshSessions", [])
        self.assertIn("id", self.client.admin.command("startSession"))

    def test_catalogue(self):
        self.assertEqual(self.client.list_database_names(), ["admin", "config", "shop", "telemetry"])
        self.assertEqual(self.client.shop.list_collection_names(), ["carts", "mixed", "orders", "places", "users"])
        self.assertIn("chunks", self.config.list_collection_names())
        self.assertEqual(sorted(self.client.shop.users.index_information()), ["_id_", "userId_1"])
        self.assertEqual(sorted(self.config.chunks.index_information()),
                         ["_id_", "ns_1_lastmod_1", "ns_1_min_1", "ns_1_shard_1_min_1"])
        self.refused(26, self.client.shop.command, "listIndexes", "nosuch")

    def test_sizes(self):
        stats = self.client.shop.command("collStats", "users")
        self.assertTrue(stats["sharded"])
        self.assertEqual(stats["size"], 3776000)
        self.assertEqual(stats["count"], 4000)
        self.assertEqual(sorted(stats["shards"]), ["shard0", "shard1", "shard2", "shard3"])
        rows = list(self.client.shop.users.aggregate([{"$collStats": {"storageStats": {}}},
                                                      {"$project": {"shard": 1, "size": "$storageStats.size"}}]))
        self.assertEqual(sum(row["size"] for row in rows), 3776000)
        self.refused(2, self.client.shop.command, "dataSize", "shop.users", keyPattern={"x": 1}, min={"x": 1}, max={"x": 2})

    def test_aggregation(self):
        rows = list(self.config.chunks.aggregate([
            {"$match": {"ns": {"$in": ["shop.users", "telemetry.events"]}}},
            {"$group": {"_id": {"ns": "$ns", "shard": "$shard"}, "n": {"$sum": 1}, "shards": {"$addToSet": "$shard"},
                        "least": {"$min": "$min"}, "first": {"$first": "$_id"}}},
            {"$sort": {"n": -1, "_id": 1}}, {"$skip": 1}, {"$limit": 3},
            {"$addFields": {"half": {"$divide": ["$n", 2]}}}, {"$project": {"_id": 0, "n": 1, "half": 1, "shards": 1}}]))
        self.assertEqual(len(rows), 3)
        for row in rows:
            self.assertEqual(list(row), ["n", "shards", "half"])
            self.assertEqual(row["half"], row["n"] / 2)
        unwound = list(self.config.shards.aggregate([{"$unwind": "$tags"}, {"$group": {"_id": "$tags", "n": {"$sum": 1}}},
                                                     {"$sort": {"_id": 1}}]))
        self.assertEqual(unwound, [{"_id": "ARCHIVE", "n": 1}, {"_id": "EU", "n": 2}, {"_id": "US", "n": 2}])
        joined = list(self.config.chunks.aggregate([
            {"$match": {"ns": "shop.users"}}, {"$limit": 1},
            {"$lookup": {"from": "collections", "localField": "ns", "foreignField": "_id", "as": "c"}}]))
        self.assertEqual(joined[0]["c"][0]["_id"], "shop.users")
        self.refused(40324, self.config.command, "aggregate", 1, pipeline=[{"$nosuch": {}}], cursor={})
        self.refused(9, self.config.command, "aggregate", "chunks", pipeline=[])
        self.refused(40324, self.client.admin.command, "aggregate", 1, pipeline=[{"$shardedDataDistribution": {}}],
                     cursor={})

    def test_distinct(self):
        self.assertEqual(sorted(self.config.chunks.distinct("shard")), ["shard0", "shard1", "shard2", "shard3"])
        self.assertEqual(sorted(self.config.shards.distinct("tags")), ["ARCHIVE", "EU", "US"])

    def test_what_runs_is_shown(self):
        ops = self.client.admin.command("currentOp")["inprog"]
        self.assertEqual([op["command"].get("currentOp") for op in ops], [1])
        ops = list(self.client.admin.aggregate([{"$currentOp": {"allUsers": True}}, {"$match": {"active": True}}]))
        self.assertEqual(len(ops), 1)

    def test_fcv(self):
        self.assertEqual(self.client.admin["system.version"].find_one({"_id": "featureCompatibilityVersion"})["version"],
                         "4.2")

    def test_refusals(self):
        for code, db, command in [
                (None, "admin", {"replSetGetStatus": 1}), (115, "admin", {"getLog": "global"}),
                (13, "shop", {"listDatabases": 1}), (13, "shop", {"configureFailPoint": "failCommand", "mode": "off"}),
                (73, "config", {"find": ""}), (59, "admin", {"nosuch": 1}), (14, "config", {"aggregate": "chunks"})]:
            with self.subTest(command=command):
                self.refused(code, self.client[db].command, command)


class Writing(SandboxCase):
    def setUp(self):
        self.client = self.sandbox.client()
        self.addCleanup(self.client.close)
        self.client.drop_database("evenkeel")
        self.docs = self.client["evenkeel"]["docs"]

    def test_insert_and_find(self):
        made = self.docs.insert_one({"a": 1})
        self.assertIsInstance(made.inserted_id, bson.ObjectId)
        values = [5, Int64(2**40), 2.5, Decimal128("1.50"), "x", b"bytes", True, None, datetime.datetime(2026, 1, 2),
                  bson.Timestamp(4, 5), bson.MinKey(), bson.MaxKey(), {"b": [1, {"c": 2}]}, [1, 2]]
        self.docs.insert_many([{"_id": i, "v": v} for i, v in enumerate(values)])
        for i, v in enumerate(values):
            self.assertEqual(self.docs.find_one({"_id": i})["v"], v)
        self.assertEqual(self.docs.count_documents({"v": {"$type": "number"}}), 5)
        with self.assertRaises(errors.DuplicateKeyError) as caught:
            self.docs.insert_one({"_id": 3})
        self.assertIn("E11000 duplicate key error collection: evenkeel.docs index: _id_ dup key: { _id: 3 }",
                      str(caught.exception))

    def test_a_batch_ends_at_its_first_error_unless_unordered(self):
        for ordered, left in ((True, 1), (False, 2)):
            self.docs.delete_many({})
            with self.assertRaises(errors.BulkWriteError) as caught:
                self.docs.insert_many([{"_id": 1}, {"_id": 1}, {"_id": 2}], ordered=ordered)
            self.assertEqual([e["index"] for e in caught.exception.details["writeErrors"]], [1])
            self.assertEqual(self.docs.count_documents({}), left)

    def test_updates(self):
        self.docs.insert_many([{"_id": i, "n": i, "t": {"x": 1}} for i in range(4)])
        done = self.docs.update_many({"n": {"$gte": 2}}, {"$set": {"t.y": 5, "z": [1]}, "$inc": {"n": 10}, "$unset": {"t.x": ""}})
        self.assertEqual((done.matched_count, done.modified_count), (2, 2))
        self.assertEqual(self.docs.find_one({"_id": 3}), {"_id": 3, "n": 13, "t": {"y": 5}, "z": [1]})
        self.assertEqual(self.docs.update_one({"_id": 0}, {"$set": {"n": 0}}).modified_count, 0)
        done = self.docs.update_one({"_id": 9, "k": "v"}, {"$setOnInsert": {"made": True}, "$set": {"n": 1}}, upsert=True)
        self.assertEqual(done.upserted_id, 9)
        self.assertEqual(self.docs.find_one({"_id": 9}), {"_id": 9, "k": "v", "made": True, "n": 1})
        self.docs.update_one({"_id": 9}, {"$setOnInsert": {"made": False}, "$currentDate": {"at": True}})
        self.assertIs(self.docs.find_one({"_id": 9})["made"], True)
        self.assertIsInstance(self.docs.find_one({"_id": 9})["at"], datetime.datetime)
        self.docs.replace_one({"_id": 9}, {"only": 1})
        self.assertEqual(self.docs.find_one({"_id": 9}), {"_id": 9, "only": 1})
        for code, update in ((66, {"$set": {"_id": 4}}), (9, {"$nope": {"a": 1}}), (40, {"$set": {"a": 1, "a.b": 2}}),
                             (28, {"$set": {"only.x": 1}}), (14, {"$inc": {"n": "x"}})):
            with self.subTest(update=update):
                with self.assertRaises(errors.WriteError) as caught:
                    self.docs.update_one({"_id": 9}, update)
                self.assertEqual(caught.exception.code, code)

    def test_a_lease(self):
        """As a service would hold one: taken when free or expired, kept by its holder only."""
        now = datetime.datetime(2026, 1, 1)

        def take(holder, at):
            try:
                return self.docs.find_one_and_update(
                    {"_id": "lease", "$or": [{"holder": holder}, {"until": {"$lte": at}}]},
                    {"$set": {"holder": holder, "until": at + datetime.timedelta(seconds=30)}, "$inc": {"term": 1}},
                    upsert=True, return_document=ReturnDocument.AFTER)
            except errors.DuplicateKeyError:
                return None

        self.assertEqual(take("a", now)["term"], 1)
        self.assertIsNone(take("b", now))
        self.assertEqual(take("a", now)["term"], 2)
        self.assertEqual(take("b", now + datetime.timedelta(seconds=31))["holder"], "b")
        before = self.docs.find_one_and_update({"_id": "lease"}, {"$set": {"holder": "c"}}, projection={"_id": 0, "holder": 1})
        self.assertEqual(before, {"holder": "b"})
        self.assertEqual(self.docs.find_one_and_delete({"_id": "lease"})["holder"], "c")
        self.assertIsNone(self.docs.find_one_and_delete({"_id": "lease"}))

    def test_deletes(self):
        self.docs.insert_many([{"_id": i} for i in range(5)])
        self.assertEqual(self.docs.delete_one({"_id": {"$gt": 2}}).deleted_count, 1)
        self.assertEqual(self.docs.delete_many({"_id": {"$gt": 0}}).deleted_count, 3)
        self.docs.drop()
        self.assertEqual(self.docs.count_documents({}), 0)

    def test_what_the_cluster_owns_is_read_only(self):
        with self.assertRaises(errors.WriteError) as caught:
            self.client.config.chunks.update_many({}, {"$set": {"shard": "shard0"}})
        self.assertEqual(caught.exception.code, 20)
        self.assertEqual(self.client.config.chunks.count_documents({"shard": "shard0"}) == 115, False)

    def test_settings_can_be_changed(self):
        self.client.config.settings.update_one({"_id": "chunksize"}, {"$set": {"value": 2}}, upsert=True)
        self.assertEqual(self.client.config.settings.find_one({"_id": "chunksize"})["value"], 2)

    def test_short_requests_cannot_take_all_memory(self):
        self.docs.insert_one({"_id": 1, "x": "x" * (8 << 20), "a": list(range(100000))})
        doubled = [{"$addFields": {"x": {"$concat": ["$x", "$x"]}}} for _ in range(30)]
        arrays = [{"$addFields": {"a": ["$a", "$a"]}} for _ in range(30)]
        for code, pipeline in ((10334, doubled), (10334, arrays), (146, [{"$unwind": "$a"}]),
                               (10334, [{"$project": {"y": {"$concat": ["$x"] * 1000}}}])):
            with self.subTest(pipeline=pipeline[0]):
                self.refused(code, self.docs.aggregate, pipeline)

    def test_balancing_of_a_collection_can_be_disabled(self):
        self.client.config.collections.update_one({"_id": "shop.users"}, {"$set": {"noBalance": True}})
        self.assertIs(self.client.config.collections.find_one({"_id": "shop.users"})["noBalance"], True)
        with self.assertRaises(errors.WriteError):
            self.client.config.tags.delete_many({})

    def test_dropping_what_is_sharded(self):
        sandbox = Sandbox()
        self.addCleanup(sandbox.errors.close)
        self.addCleanup(sandbox.stop)
        with sandbox.client() as client:
            client.shop.carts.drop()
            self.assertIsNone(client.config.collections.find_one({"_id": "shop.carts", "dropped": {"$ne": True}}))
            self.assertEqual(client.config.chunks.count_documents({"ns": "shop.carts"}), 0)
            client.telemetry.ordinary.insert_one({})
            client.drop_database("telemetry")
            self.assertEqual(client.telemetry.list_collection_names(), [])
            self.assertEqual(client.config.chunks.count_documents({"ns": "telemetry.logs"}), 0)

    def test_only_the_id_is_unique(self):
        self.refused(115, self.docs.create_index, "a", unique=True)
        self.docs.create_index("b")

    def test_fail_points(self):
        admin = self.client.admin
        admin.command("configureFailPoint", "failCommand", mode={"times": 2},
                      data={"failCommands": ["insert"], "errorCode": 189, "errorLabels": ["X"]})
        client = self.sandbox.client(retryWrites=False)
        self.addCleanup(client.close)
        for _ in range(2):
            with self.assertRaises(errors.NotMasterError):
                client.evenkeel.docs.insert_one({})
        client.evenkeel.docs.insert_one({})
        admin.command("configureFailPoint", "failCommand", mode="alwaysOn",
                      data={"failCommands": ["insert"], "closeConnection": True})
        with self.assertRaises(errors.AutoReconnect):
            client.evenkeel.docs.insert_one({})
        admin.command("configureFailPoint", "failCommand", mode={"times": 1},
                      data={"failCommands": ["insert"], "blockConnection": True, "blockTimeMS": 300})
        start = time.monotonic()
        client.evenkeel.docs.insert_one({})
        self.assertGreaterEqual(time.monotonic() - start, 0.3)
        self.refused(266, admin.command, "configureFailPoint", "nosuch", mode="off")
        admin.command("configureFailPoint", "failCommand", mode="off")


class Moving(unittest.TestCase):
    """Commands that take time, through the server: its clock, its timers, what runs, and who asks no more."""

    MOVE = bson.SON([("moveChunk", "shop.users"), ("bounds", [{"userId": 100}, {"userId": 200}]), ("to", "shard2")])

    def start(self, *args):
        sandbox = Sandbox(*args, state="imbalanced")
        self.addCleanup(sandbox.errors.close)
        self.addCleanup(sandbox.stop)
        client = sandbox.client()
        self.addCleanup(client.close)
        return sandbox, client

    def owner(self, client):
        return client.config.chunks.find_one({"ns": "shop.users", "min": {"userId": 100}})["shard"]

    def test_the_clock_can_run_faster(self):
        _, client = self.start("--latency", "60s", "--speed", "200")
        start = time.monotonic()
        reply = client.admin.command(self.MOVE)
        self.assertGreaterEqual(reply["millis"], 55000)
        self.assertLess(time.monotonic() - start, 5)
        self.assertGreaterEqual(time.monotonic() - start, 0.2)
        self.assertEqual(self.owner(client), "shard2")

    def test_a_migration_goes_on_without_its_client(self):
        sandbox, client = self.start("--latency", "1s")
        with connection(sandbox) as sock:
            sock.sendall(op_msg(dict(self.MOVE, **{"$db": "admin"})))
            time.sleep(0.3)
            self.assertEqual(self.owner(client), "shard0")
            ops = list(client.admin.aggregate([{"$currentOp": {}}, {"$match": {"command.moveChunk": "shop.users"}}]))
            self.assertTrue(ops)
        wait_until(lambda: self.owner(client) == "shard2")

    def test_a_migration_that_is_killed_answers_at_once(self):
        sandbox, client = self.start("--latency", "20s")
        with connection(sandbox) as sock:
            sock.sendall(op_msg(dict(self.MOVE, **{"$db": "admin"})))
            wait_until(lambda: len(client.admin.command("currentOp")["inprog"]) > 1)
            for op in client.admin.command("currentOp")["inprog"]:
                if op.get("command", {}).get("moveChunk") == "shop.users" and isinstance(op["opid"], int):
                    client.admin.command("killOp", 1, op=op["opid"])
            self.assertEqual(receive(sock)[2]["code"], 11601)

    def test_fail_points_of_migrations_are_the_clusters(self):
        _, client = self.start()
        client.admin.command("configureFailPoint", "moveChunkHangAtStep3", mode="alwaysOn")
        with self.assertRaises(errors.OperationFailure) as caught:
            client.admin.command(bson.SON(self.MOVE), maxTimeMS=500)
        self.assertEqual(caught.exception.code, 50)
        client.admin.command("configureFailPoint", "moveChunkHangAtStep3", mode="off")
        wait_until(lambda: self.owner(client) == "shard2")

    def test_a_lost_reply_drops_the_connection(self):
        sandbox, client = self.start("--allow-faults")
        client.admin.command(bson.SON([("evenkeelSandboxFault", 1), ("kind", "replyLostAfter"), ("command", "moveChunk")]))
        with connection(sandbox) as sock:
            sock.sendall(op_msg(dict(self.MOVE, **{"$db": "admin"})))
            self.assertIsNone(receive(sock))
        self.assertEqual(self.owner(client), "shard2")

    def test_ending_in_the_middle_of_a_migration(self):
        sandbox, _ = self.start("--latency", "20s")
        with connection(sandbox) as sock:
            sock.sendall(op_msg(dict(self.MOVE, **{"$db": "admin"})))
            time.sleep(0.2)
            self.assertEqual(sandbox.stop(), 0)
        self.assertEqual(sandbox.stderr(), "")


class Crowd(SandboxCase):
    def test_fifty_clients(self):
        """Each on a connection of its own, at once; everybody gets his own answers, in order."""
        failures = []

        def work(n):
            try:
                with self.sandbox.client(maxPoolSize=1) as client:
                    docs = client["crowd"][f"c{n}"]
                    for i in range(20):
                        docs.insert_one({"_id": i, "by": n})
                        if [d["by"] for d in docs.find({"_id": i})] != [n]:
                            failures.append((n, i))
                        if client["config"]["chunks"].count_documents({"ns": "shop.users"}) != 42:
                            failures.append((n, i, "chunks"))
            except Exception as error:  # pylint: disable=broad-except
                failures.append((n, repr(error)))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT * 2)
        self.assertEqual(failures, [])


@unittest.skipIf(mongoengine is None, "python3-mongoengine is not installed")
class MongoEngine(SandboxCase):
    def test_reads_chunks(self):
        class Chunk(mongoengine.DynamicDocument):
            meta = {"collection": "chunks", "db_alias": "sandbox"}
            id = mongoengine.StringField(primary_key=True)
            ns = mongoengine.StringField()
            shard = mongoengine.StringField()

        mongoengine.connect("config", host=f"mongodb://127.0.0.1:{self.sandbox.port}", alias="sandbox")
        self.addCleanup(mongoengine.disconnect, "sandbox")
        self.assertEqual(Chunk.objects(ns="shop.users").count(), 42)
        shards = {c.shard for c in Chunk.objects(ns="shop.users").order_by("-min")}
        self.assertEqual(shards, {"shard0", "shard1", "shard2", "shard3"})


class LogIn(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.password = pathlib.Path(self.folder.name, "password")
        self.password.write_text("p=a,s s/\\word\n", encoding="utf-8")

    def start(self, *args):
        sandbox = Sandbox("--user", "adm,in=", "--password-file", self.password, *args)
        self.addCleanup(sandbox.errors.close)
        self.addCleanup(sandbox.stop)
        return sandbox

    def check(self, sandbox, **options):
        with sandbox.client(username="adm,in=", password="p=a,s s/\\word", **options) as client:
            self.assertEqual(client.config.shards.count_documents({}), 4)
            users = client.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"]
            self.assertEqual(users, [{"user": "adm,in=", "db": "admin"}])
        with sandbox.client(**options) as client:
            for run in (lambda: client.config.shards.find_one(), lambda: client.admin.command("listShards")):
                with self.assertRaises(errors.OperationFailure) as caught:
                    run()
                self.assertEqual(caught.exception.code, 13)
        for user, password in (("adm,in=", "wrong"), ("somebody", "p=a,s s/\\word")):
            with sandbox.client(username=user, password=password, authMechanism="SCRAM-SHA-256", **options) as client:
                with self.assertRaises(errors.OperationFailure) as caught:
                    client.config.shards.find_one()
                self.assertEqual(caught.exception.code, 18)

    def test_scram(self):
        self.check(self.start())

    def certificate(self):
        key, cert = (pathlib.Path(self.folder.name, name) for name in ("key.pem", "cert.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key,
                        "-out", cert], check=True, capture_output=True)
        both = pathlib.Path(self.folder.name, "both.pem")
        both.write_bytes(cert.read_bytes() + key.read_bytes())
        return cert, both

    @unittest.skipIf(shutil.which("openssl") is None, "openssl is not installed")
    def test_tls(self):
        cert, both = self.certificate()
        sandbox = self.start("--tls-certificate-key-file", both)
        self.check(sandbox, tls=True, tlsCAFile=str(cert))
        with sandbox.client(tls=True, tlsCAFile=str(cert), username="adm,in=", password="p=a,s s/\\word") as client:
            self.assertEqual(len(list(client.config.chunks.find({}, batch_size=5))), 115)
        with sandbox.client(serverSelectionTimeoutMS=1000) as client:  # without TLS nobody answers
            with self.assertRaises(errors.ServerSelectionTimeoutError):
                client.admin.command("ping")
        self.assertTrue(sandbox.alive())

    def test_key_files_are_checked(self):
        done = subprocess.run([EVENKEEL, "sandbox", "--snapshot", REAL / "balanced" / "snapshot.json", "--port", "0",
                               "--tls-certificate-key-file", self.password], capture_output=True, text=True, check=False,
                              timeout=TIMEOUT)
        self.assertEqual(done.returncode, 66, done.stderr)


class Life(unittest.TestCase):
    def test_versions(self):
        for version, wire in (("4.2.0", 8), ("4.4.5", 9), ("5.0.1", 13), ("6.0.14", 17), ("7.0.2", 21), ("8.0.1", 25)):
            with self.subTest(version=version):
                sandbox = Sandbox("--server-version", version)
                try:
                    with sandbox.client() as client:
                        hello = client.admin.command("isMaster")
                        self.assertEqual(hello["maxWireVersion"], wire)
                        self.assertEqual("topologyVersion" in hello, version >= "4.4")
                        self.assertEqual(client.server_info()["versionArray"][:2], [int(v) for v in version.split(".")[:2]])
                        with self.assertRaises(errors.OperationFailure) as caught:
                            client.admin.command("nosuch")
                        self.assertEqual(caught.exception.details["errmsg"],
                                         "no such cmd: nosuch" if version < "4.4" else "no such command: 'nosuch'")
                finally:
                    self.assertEqual(sandbox.stop(), 0)
                    sandbox.errors.close()

    def test_the_driver_waits_for_changes_instead_of_spinning(self):
        """From 4.4 on drivers hold a greeting open on a connection of its own."""
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "log")
            sandbox = Sandbox("--server-version", "4.4.0", "--log", log)
            with sandbox.client() as client:
                client.admin.command("ping")
                time.sleep(1.5)
                client.admin.command("ping")
            self.assertEqual(sandbox.stop(), 0)
            sandbox.errors.close()
            lines = log.read_text(encoding="utf-8").splitlines()
            self.assertLess(len(lines), 12, lines)
            self.assertEqual(sum(" admin ping ok" in line for line in lines), 2, lines)

    def test_signals_end_it(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            sandbox = Sandbox()
            client = sandbox.client()
            client.admin.command("ping")
            sandbox.process.send_signal(number)
            self.assertEqual(sandbox.process.wait(TIMEOUT), 0)
            self.assertEqual(sandbox.stop(), 0)
            self.assertEqual(sandbox.stderr(), "")
            sandbox.errors.close()
            client.close()

    def refused(self, code, *args):
        done = subprocess.run([EVENKEEL, "sandbox", *map(str, args)], capture_output=True, text=True, timeout=TIMEOUT,
                              check=False)
        self.assertEqual(done.returncode, code, (args, done.stderr))
        self.assertRegex(done.stderr, r"\Aevenkeel sandbox: [^\n]+\n\Z")
        self.assertEqual(done.stdout, "")

    def test_usage(self):
        snapshot = REAL / "balanced" / "snapshot.json"
        for args in ((), ("--snapshot", snapshot, "--dump", "x"), ("--snapshot", snapshot, "--bind", "0.0.0.0"),
                     ("--snapshot", snapshot, "--server-version", "3.6.0"), ("--snapshot", snapshot, "--user", "x"),
                     ("--snapshot", snapshot, "--spread", "2"), ("--snapshot", snapshot, "--port", "65536"),
                     ("--snapshot", snapshot, "--speed", "0")):
            with self.subTest(args=args):
                self.refused(64, *args)
        self.refused(66, "--snapshot", "/nonexistent")
        self.refused(66, "--dump", "/nonexistent")
        self.refused(65, "--snapshot", __file__)

    def test_a_taken_port_is_said_so(self):
        sandbox = Sandbox()
        try:
            self.refused(69, "--snapshot", REAL / "balanced" / "snapshot.json", "--port", sandbox.port)
        finally:
            sandbox.stop()
            sandbox.errors.close()

    def test_dump(self):
        for folder in (REAL / "draining", REAL / "draining" / "config"):
            process = subprocess.Popen([EVENKEEL, "sandbox", "--dump", folder, "--port", "0"], stdout=subprocess.PIPE,
                                       text=True)
            port = int(process.stdout.readline().rsplit(":", 1)[1])
            with pymongo.MongoClient("127.0.0.1", port) as client:
                self.assertEqual(client.config.shards.count_documents({"draining": True}), 1)
            process.terminate()
            self.assertEqual(process.wait(TIMEOUT), 0)
            process.stdout.close()


if __name__ == "__main__":
    assert os.path.exists(EVENKEEL) or shutil.which(EVENKEEL)
    main()
