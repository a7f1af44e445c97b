# SPDX-License-Identifier: Apache-2.0
"""What a real 4.2 cluster answered, asked of the sandbox: equal field by field, with types and the order of fields."""
import re

import bson
from bson.int64 import Int64
from pymongo.read_concern import ReadConcern

from sandbox_server import SandboxCase, difference, main, recorded

# Fields that differ from run to run: they were taken out of the recorded answers.
UNEQUAL = {"localTime", "connectionId", "operationTime", "$clusterTime", "numBalancerRounds", "millis", "gitVersion",
           "modules", "allocator", "javascriptEngine", "sysInfo", "openssl", "buildEnvironment", "bits", "debug",
           "storageEngines", "authInfo", "argv", "parsed"}


class Queries(SandboxCase):
    """Each recorded question is one sub-test."""

    def setUp(self):
        self.client = self.sandbox.client()
        self.addCleanup(self.client.close)

    def answer(self, db, ask):
        return self.client[db].command(bson.SON(ask), check=False)

    def compare(self, want, got):
        extra = set(got) - set(want) - UNEQUAL
        self.assertFalse(extra, f"fields that the server did not answer: {extra}")
        for name in want:
            self.assertIn(name, got)
            w, g = want[name], got[name]
            if name == "cursor":  # the recording lost the type of the cursor's id: servers send 64 bits
                self.assertIsInstance(g["id"], Int64)
                w, g = dict(w, id=None), dict(g, id=None)
                self.assertEqual(set(w), set(g))
                w, g = [w[k] for k in sorted(w)], [g[k] for k in sorted(g)]
            elif name == "errmsg" and "Unrecognized field" in w:  # quotes the request with its session and times
                self.assertEqual(re.sub(r"lsid: .*(?=\. Unrec)", "...", w), re.sub(r"lsid: .*(?=\. Unrec)", "...", g))
                continue
            elif name == "collectionUUID":  # the recorder's driver wrote it with the old subtype 3
                self.assertEqual(w.bytes, getattr(g, "bytes", g))
                continue
            self.assertIsNone(difference(w, g, name))

    def test_recorded(self):
        asked = 0
        for entry in recorded("queries.json"):
            if isinstance(entry["ask"], str):
                continue
            asked += 1
            with self.subTest(db=entry["db"], ask=entry["ask"]):
                self.compare(entry["answer"], self.answer(entry["db"], entry["ask"]))
        self.assertGreater(asked, 30)

    def test_causal_majority_read(self):
        want = [e["answer"] for e in recorded("queries.json") if e["ask"] == "causal majority read"][0]
        with self.client.start_session(causal_consistency=True) as session:
            chunks = self.client["config"].get_collection("chunks", read_concern=ReadConcern("majority"))
            self.assertIsNotNone(chunks.find_one({}, session=session))
            self.assertIsNotNone(session.operation_time)
            self.assertEqual(len(list(chunks.find({"ns": "shop.users"}, session=session))), want)


if __name__ == "__main__":
    main()
