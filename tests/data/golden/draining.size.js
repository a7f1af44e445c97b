// evenkeel 0.1.0, plan 9d8a986bb9a90a909dae7b6681b6928978937aae287d6faa316e692717516cc4
// source: snapshot tests/data/real-4.2/draining/snapshot.json; MongoDB 4.2.0; policy size
// migrations: 32, splits: 0, rounds: 19
//
// Run with mongosh against a mongos, by a user who may move chunks: mongosh URI --file THIS
// Stop the balancer first with sh.stopBalancer(). While it is off, nothing else balances, empties
// draining shards, splits at zone bounds or merges chunks (and up to 6.0.2 chunks are not split
// automatically). The script stops at the first command that fails. What was done until then stays:
// make a new plan rather than run the rest.

var total = 32;
var stopped = true, done = 0;

// Runs the command that make() gives; the script stops where it fails. null: nothing is left to do.
function run(make) {
  if (stopped) throw new Error("not run: the script has stopped before");
  stopped = true;
  done++;
  var step = "[" + done + "/" + total + "] ";
  var cmd = make();
  if (cmd === null) {
    print(step + "nothing is left of this range on its shard; passed over");
  } else {
    var name = Object.keys(cmd)[0];
    var target = cmd.to || cmd.toShard;
    print(step + name + " " + JSON.stringify(cmd[name]) + (target ? " to " + JSON.stringify(target) : ""));
    var res = db.adminCommand(cmd);
    if (!res || Number(res.ok) !== 1) throw new Error(step + "failed: " + JSON.stringify(res));
  }
  stopped = false;
}

stopped = sh.getBalancerState() !== false;
if (stopped) {
  throw new Error("the balancer is on; run sh.stopBalancer() first, then this script, then sh.startBalancer()");
}

// Round 1
// 1, from shard2: shard2 is draining and still holds 1 chunk, 951 KiB, of shop.orders; shard3 holds the least of it (0 B) of the 3 free shards that can receive
run(() => ({moveChunk: "shop.orders", bounds: [{ "region": "UT", "orderId": MinKey() }, { "region": MaxKey(), "orderId": MaxKey() }], to: "shard3"}));
// 2, from shard0: shard0 holds 3.60 MiB of shop.users, 2.59 MiB over its share of 1.01 MiB (4 shards); shard1 is the only free shard that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": MinKey() }, { "userId": NumberInt(0) }], to: "shard1"}));

// Round 2
// 3, from shard2: shard2 is draining and still holds 3 chunks, 277 KiB, of shop.users; shard1 holds the least of it (97.0 KiB) of the 3 free shards that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(200) }, { "userId": NumberInt(300) }], to: "shard1"}));
// 4, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3050) }, { "userId": NumberInt(3100) }], to: "shard3"}));

// Round 3
// 5, from shard2: shard2 is draining and still holds 2 chunks, 184 KiB, of shop.users; shard1 holds the least of it (189 KiB) of the 3 free shards that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(300) }, { "userId": NumberInt(400) }], to: "shard1"}));
// 6, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3100) }, { "userId": NumberInt(3200) }], to: "shard3"}));

// Round 4
// 7, from shard2: shard2 is draining and still holds 1 chunk, 92.2 KiB, of shop.users; shard1 holds the least of it (281 KiB) of the 3 free shards that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(400) }, { "userId": NumberInt(500) }], to: "shard1"}));
// 8, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3200) }, { "userId": NumberInt(3300) }], to: "shard3"}));

// Round 5
// 9, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3300) }, { "userId": NumberInt(3400) }], to: "shard3"}));
// 10, from shard2: shard2 is draining and still holds 8 chunks, 675 KiB, of telemetry.events; shard1 is the only free shard that can receive
run(() => ({moveChunk: "telemetry.events", bounds: [{ "deviceId": NumberLong("0") }, { "deviceId": NumberLong("576460752303423486") }], to: "shard1"}));

// Round 6
// 11, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3400) }, { "userId": NumberInt(3500) }], to: "shard3"}));
// 12, from shard2: shard2 is draining and still holds 7 chunks, 591 KiB, of telemetry.events; shard1 is the only free shard that can receive
run(() => ({moveChunk: "telemetry.events", bounds: [{ "deviceId": NumberLong("576460752303423486") }, { "deviceId": NumberLong("1152921504606846972") }], to: "shard1"}));

// Round 7
// 13, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3500) }, { "userId": NumberInt(3550) }], to: "shard3"}));
// 14, from shard2: shard2 is draining and still holds 6 chunks, 506 KiB, of telemetry.events; shard1 is the only free shard that can receive
run(() => ({moveChunk: "telemetry.events", bounds: [{ "deviceId": NumberLong("1152921504606846972") }, { "deviceId": NumberLong("1729382256910270458") }], to: "shard1"}));

// Round 8
// 15, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3550) }, { "userId": NumberInt(3600) }], to: "shard3"}));
// 16, from shard2: shard2 is draining and still holds 5 chunks, 422 KiB, of telemetry.events; shard1 is the only free shard that can receive
run(() => ({moveChunk: "telemetry.events", bounds: [{ "deviceId": NumberLong("1729382256910270458") }, { "deviceId": NumberLong("2305843009213693944") }], to: "shard1"}));

// Round 9
// 17, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3600) }, { "userId": NumberInt(3700) }], to: "shard3"}));
// 18, from shard2: shard2 is draining and still holds 4 chunks, 337 KiB, of telemetry.events; shard1 is the only free shard that can receive
run(() => ({moveChunk: "telemetry.events", bounds: [{ "deviceId": NumberLong("2305843009213693944") }, { "deviceId": NumberLong("2882303761517117430") }], to: "shard1"}));

// Round 10
// 19, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3700) }, { "userId": NumberInt(3800) }], to: "shard3"}));
// 20, from shard2: shard2 is draining and still holds 3 chunks, 253 KiB, of telemetry.events; shard1 is the only free shard that can receive
run(() => ({moveChunk: "telemetry.events", bounds: [{ "deviceId": NumberLong("2882303761517117430") }, { "deviceId": NumberLong("3458764513820540916") }], to: "shard1"}));

// Round 11
// 21, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3800) }, { "userId": NumberInt(3900) }], to: "shard3"}));
// 22, from shard2: shard2 is draining and still holds 2 chunks, 169 KiB, of telemetry.events; shard1 is the only free shard that can receive
run(() => ({moveChunk: "telemetry.events", bounds: [{ "deviceId": NumberLong("3458764513820540916") }, { "deviceId": NumberLong("4035225266123964402") }], to: "shard1"}));

// Round 12
// 23, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3900) }, { "userId": MaxKey() }], to: "shard3"}));
// 24, from shard2: shard2 is draining and still holds 1 chunk, 84.4 KiB, of telemetry.events; shard1 is the only free shard that can receive
run(() => ({moveChunk: "telemetry.events", bounds: [{ "deviceId": NumberLong("4035225266123964402") }, { "deviceId": NumberLong("4611686018427387888") }], to: "shard1"}));

// Round 13
// 25, from shard0: shard0 holds 3.98 MiB of shop.carts, 2.98 MiB over its share of 1018 KiB (4 shards); shard1 holds the least of it (0 B) of the 2 free shards that can receive
run(() => ({moveChunk: "shop.carts", bounds: [{ "tenant": MinKey() }, { "tenant": "big" }], to: "shard1"}));
// 26, from shard2: shard2 is draining and still holds 2 chunks, 0 B, of telemetry.logs; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "telemetry.logs", bounds: [{ "_id": NumberLong("0") }, { "_id": NumberLong("2305843009213693950") }], to: "shard3"}));

// Round 14
// 27, from shard0: shard0 holds 3.18 MiB of shop.carts, 2.19 MiB over its share of 1018 KiB (4 shards); shard3 holds the least of it (0 B) of the 2 free shards that can receive
run(() => ({moveChunk: "shop.carts", bounds: [{ "tenant": "big" }, { "tenant": "bigz" }], to: "shard3"}));

// Round 15
// 28, from shard2: shard2 is draining and still holds 1 chunk, 0 B, of telemetry.logs; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "telemetry.logs", bounds: [{ "_id": NumberLong("2305843009213693950") }, { "_id": NumberLong("4611686018427387900") }], to: "shard3"}));

// Round 16
// 29, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "telemetry.logs", bounds: [{ "_id": MinKey() }, { "_id": NumberLong("-6917529027641081850") }], to: "shard3"}));

// Round 17
// 30, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "telemetry.logs", bounds: [{ "_id": NumberLong("-6917529027641081850") }, { "_id": NumberLong("-4611686018427387900") }], to: "shard3"}));

// Round 18
// 31, from shard1: the range belongs to zone ARCHIVE, which shard1 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "telemetry.logs", bounds: [{ "_id": NumberLong("-4611686018427387900") }, { "_id": NumberLong("-2305843009213693950") }], to: "shard3"}));

// Round 19
// 32, from shard1: the range belongs to zone ARCHIVE, which shard1 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "telemetry.logs", bounds: [{ "_id": NumberLong("-2305843009213693950") }, { "_id": NumberLong("0") }], to: "shard3"}));

if (!stopped) {
  print("evenkeel: done; sh.startBalancer() starts the balancer again");
}
