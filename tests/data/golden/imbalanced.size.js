// evenkeel 0.1.0, plan b4e47f70797f15e0956206b92f5f3d33f38b890d722ddf638c187d4c2a3159ba
// source: snapshot tests/data/real-4.2/imbalanced/snapshot.json; MongoDB 4.2.0; policy size
// migrations: 18, splits: 1, rounds: 16
//
// Run with mongosh against a mongos, by a user who may move chunks: mongosh URI --file THIS
// Stop the balancer first with sh.stopBalancer(). While it is off, nothing else balances, empties
// draining shards, splits at zone bounds or merges chunks (and up to 6.0.2 chunks are not split
// automatically). The script stops at the first command that fails. What was done until then stays:
// make a new plan rather than run the rest.

var total = 19;
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
run(() => ({split: "shop.users", middle: { "userId": NumberInt(3050) }}));
// 1, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3050) }, { "userId": NumberInt(3100) }], to: "shard3"}));

// Round 2
// 2, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3100) }, { "userId": NumberInt(3200) }], to: "shard3"}));

// Round 3
// 3, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3200) }, { "userId": NumberInt(3300) }], to: "shard3"}));

// Round 4
// 4, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3300) }, { "userId": NumberInt(3400) }], to: "shard3"}));

// Round 5
// 5, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3400) }, { "userId": NumberInt(3500) }], to: "shard3"}));

// Round 6
// 6, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3500) }, { "userId": NumberInt(3600) }], to: "shard3"}));

// Round 7
// 7, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3600) }, { "userId": NumberInt(3700) }], to: "shard3"}));

// Round 8
// 8, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3700) }, { "userId": NumberInt(3800) }], to: "shard3"}));

// Round 9
// 9, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3800) }, { "userId": NumberInt(3900) }], to: "shard3"}));

// Round 10
// 10, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "shop.users", bounds: [{ "userId": NumberInt(3900) }, { "userId": MaxKey() }], to: "shard3"}));

// Round 11
// 11, from shard0: shard0 holds 3.98 MiB of shop.carts, 2.98 MiB over its share of 1018 KiB (4 shards); shard1 holds the least of it (0 B) of the 3 free shards that can receive
run(() => ({moveChunk: "shop.carts", bounds: [{ "tenant": MinKey() }, { "tenant": "big" }], to: "shard1"}));
// 12, from shard2: the range belongs to zone ARCHIVE, which shard2 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "telemetry.logs", bounds: [{ "_id": NumberLong("0") }, { "_id": NumberLong("2305843009213693950") }], to: "shard3"}));

// Round 12
// 13, from shard0: shard0 holds 3.18 MiB of shop.carts, 2.19 MiB over its share of 1018 KiB (4 shards); shard2 holds the least of it (0 B) of the 3 free shards that can receive
run(() => ({moveChunk: "shop.carts", bounds: [{ "tenant": "big" }, { "tenant": "bigz" }], to: "shard2"}));
// 14, from shard1: the range belongs to zone ARCHIVE, which shard1 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "telemetry.logs", bounds: [{ "_id": NumberLong("-4611686018427387900") }, { "_id": NumberLong("-2305843009213693950") }], to: "shard3"}));

// Round 13
// 15, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "telemetry.logs", bounds: [{ "_id": MinKey() }, { "_id": NumberLong("-6917529027641081850") }], to: "shard3"}));

// Round 14
// 16, from shard0: the range belongs to zone ARCHIVE, which shard0 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "telemetry.logs", bounds: [{ "_id": NumberLong("-6917529027641081850") }, { "_id": NumberLong("-4611686018427387900") }], to: "shard3"}));

// Round 15
// 17, from shard1: the range belongs to zone ARCHIVE, which shard1 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "telemetry.logs", bounds: [{ "_id": NumberLong("-2305843009213693950") }, { "_id": NumberLong("0") }], to: "shard3"}));

// Round 16
// 18, from shard2: the range belongs to zone ARCHIVE, which shard2 does not carry; shard3 is the only free shard in zone ARCHIVE that can receive
run(() => ({moveChunk: "telemetry.logs", bounds: [{ "_id": NumberLong("2305843009213693950") }, { "_id": NumberLong("4611686018427387900") }], to: "shard3"}));

if (!stopped) {
  print("evenkeel: done; sh.startBalancer() starts the balancer again");
}
