# SPDX-License-Identifier: Apache-2.0
"""evenkeel hash: values of the server's own tests, and how values are given and printed."""
import json
import unittest

from evenkeel_cli import CommandCase, run

# Of the server's unit test of its hasher.
VECTORS = [
    ("0", 4854801880128277513),
    ("0.456", 4854801880128277513),
    ("-0.0", 4854801880128277513),
    ('{"$numberDouble": "NaN"}', 4854801880128277513),
    ("1", 5902408780260971510),
    ("1.987", 5902408780260971510),
    ('{"$numberLong": "1"}', 5902408780260971510),
    ('{"$numberDecimal": "1.987"}', 848411777775835583),
    ("2", 848411777775835583),
    ("42", -944302157085130861),
    ("-1", 1140205862565771219),
    ("-1.789", 1140205862565771219),
    ("100", -5582987830488433087),
    ('{"$numberLong": "9007199254740993"}', -4223421864049415010),
    ("-2147483648", 6165898260261354870),
    ("9223372036854775807", 921523596458303250),
    ("1.7e308", 921523596458303250),
    ("-1.7e308", 4532067210535695462),
    ("null", 2338878944348059895),
    ('{"$undefined": true}', 40158834000849533),
    ('{"$minKey": 1}', 7961148599568647290),
    ('{"$maxKey": 1}', 5504842513779440750),
    ('"abc"', 8478485326885698097),
    ('""', 2049396243249673340),
    ("true", 6405873908747105701),
    ("false", 6289544573401934092),
    ('{"$oid": "010203040506070809101112"}', -5588663249627035708),
    ('{"$date": {"$numberLong": "0"}}', -1178696894582842035),
    ('{"$timestamp": {"t": 0, "i": 0}}', -7867208682377458672),
    ("{}", 7980500913326740417),
    ('{"a": "abc", "b": {"$numberLong": "123"}}', 4771603801758380216),
    ("[]", 8849948234993459283),
    ('["bar", "baz", "qux"]', -2938911267422831539),
    ('{"$regularExpression": {"pattern": ".*", "options": "i"}}', 7095855029187981886),
    ('{"$binary": {"base64": "AAECAwQG", "subType": "00"}}', 7252465090394235301),
]


class Hash(CommandCase):
    def test_vectors(self):
        for value, want in VECTORS:
            with self.subTest(value=value):
                self.assertEqual(self.ok("hash", value), f"{want}\n")

    def test_several_in_their_order(self):
        want = "5902408780260971510\n1140205862565771219\n848411777775835583\n"
        for args in (("1", "-1", "2"), ("--", "1", "-1", "2"), ("1", "--", "-1", "2")):
            with self.subTest(args=args):
                self.assertEqual(self.ok("hash", *args), want)

    def test_negative_numbers_need_no_dashes_before_them(self):
        for args in (("-42",), ("--", "-42"), ("--format", "text", "-42"), ("-42", "--format=text")):
            with self.subTest(args=args):
                self.assertEqual(self.ok("hash", *args), self.ok("hash", '{"$numberInt": "-42"}'))
        self.assertEqual(self.ok("hash", "-1.789"), "1140205862565771219\n")
        self.assertEqual(self.ok("hash", "-1e0"), self.ok("hash", "-1"))

    def test_json(self):
        lines = self.ok("hash", "--format", "json", "1", '"EU"', '{"a": 1}').splitlines()
        docs = [json.loads(line) for line in lines]
        self.assertEqual([d["value"] for d in docs], [1, "EU", {"a": 1}])
        self.assertEqual(docs[0]["hash"], {"$numberLong": "5902408780260971510"})
        for doc in docs:
            self.assertEqual(list(doc), ["value", "hash"])

    def test_refused(self):
        rows = [
            ((), "no value"),
            (("EU",), "EU"),
            (("",), ""),
            (("{",), ""),
            (('{"a": }',), ""),
            (("1 2",), ""),
            (("1, 2",), ""),
            (('1}, {"v": 2',), ""),
            (('1, "w": 2',), ""),
            (('{"$oid": "12"}',), ""),
            (("-x",), "-x"),
            (("--five",), "--five"),
            (("--format", "yaml", "1"), "yaml"),
            (("--rounds", "1", "1"), "--rounds"),
        ]
        for args, says in rows:
            with self.subTest(args=args):
                self.refused(64, "hash", *args, says=says)

    def test_the_bad_one_of_several_is_named_and_nothing_printed(self):
        self.refused(64, "hash", "1", "2", "x y", says="value 3")

    def test_deep_nesting_ends_in_an_error(self):
        for depth in (250, 20000):
            done = run("hash", "[" * depth + "]" * depth)
            self.assertIn(done.returncode, (64, 65))
            self.one_line(done.stderr)


if __name__ == "__main__":
    unittest.main()
