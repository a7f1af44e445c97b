// evenkeel 0.1.0, plan 9b14c4bbc95263f290b2b4f8183af728014e96593d07f48501930652bb354d1e
// source: snapshot tests/data/real-4.2/balanced/snapshot.json; MongoDB 4.2.0; policy size
// migrations: 1, splits: 0, rounds: 1
//
// Run with mongosh against a mongos, by a user who may move chunks: mongosh URI --file THIS
// Stop the balancer first with sh.stopBalancer(). While it is off, nothing else balances, empties
// draining shards, splits at zone bounds or merges chunks (and up to 6.0.2 chunks are not split
// automatically). The script stops at the first command that fails. What was done until then stays:
// make a new plan rather than run the rest.

var total = 1;
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
// 1, from shard0: shard0 holds 3.93 MiB of shop.carts, 2.94 MiB over its share of 1018 KiB (4 shards); shard3 holds the least of it (0 B) of the 3 free shards that can receive
run(() => ({moveChunk: "shop.carts", bounds: [{ "tenant": "t200" }, { "tenant": MaxKey() }], to: "shard3"}));

if (!stopped) {
  print("evenkeel: done; sh.startBalancer() starts the balancer again");
}
