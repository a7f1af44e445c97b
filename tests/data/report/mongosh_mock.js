// SPDX-License-Identifier: Apache-2.0
// Stands in for mongosh: evaluates a script and prints, one line each, what it would have sent (as canonical
// Extended JSON, field order kept), what it printed, and the error that ended it.
//   node mongosh_mock.js SCRIPT.js OPTIONS
// OPTIONS is JSON: balancer (bool, or "throws"), failAt (number of the command that is answered ok: 0),
// lines (bool: feed it line by line and go on after errors, like a shell on a pipe), found (the chunk that a
// look-up in config.chunks finds, or null; "last" or "within": which of the look-ups finds it).
"use strict";
const fs = require("fs");
const vm = require("vm");

class Value {
  constructor(json) { this.json = json; }
}
const value = (key) => (x) => new Value(`{"${key}": ${JSON.stringify(String(x))}}`);

function extendedJson(x) {
  if (x instanceof Value) return x.json;
  if (x === null || typeof x === "boolean" || typeof x === "string") return JSON.stringify(x);
  if (typeof x === "number") {
    if (Number.isInteger(x)) throw new Error(`a bare integer ${x}: its type is not said`);
    return `{"$numberDouble": "${x}"}`;
  }
  if (Array.isArray(x)) return "[" + x.map(extendedJson).join(", ") + "]";
  const proto = Object.getPrototypeOf(x);
  const entries = x instanceof Map ? [...x] : Object.entries(x);
  if (!(x instanceof Map) && proto !== null && Object.getPrototypeOf(proto) !== null)
    throw new Error("an object of a strange kind");
  return "{" + entries.map(([k, v]) => JSON.stringify(k) + ": " + extendedJson(v)).join(", ") + "}";
}

const options = JSON.parse(process.argv[3]);
const lines = [];
const say = (kind, text) => lines.push(kind + " " + text);
let sent = 0;

const found = options.found === undefined || options.found === null ? null : {
  min: {a: new Value(JSON.stringify(options.found.min))}, max: {a: new Value(JSON.stringify(options.found.max))}
};
const chunks = {
  findOne(filter) {
    say("query", extendedJson(filter));
    return options.by === "last" ? found : null;
  },
  find(filter) {
    say("query", extendedJson(filter));
    const cursor = {sort: (s) => (s.min === 1 ? cursor : null), limit: () => cursor,
                    toArray: () => (found && options.by === "within" ? [found] : [])};
    return cursor;
  }
};

const globals = {
  print: (text) => say("print", JSON.stringify(text)),
  sh: {getBalancerState() {
    if (options.balancer === "throws") throw new Error("not connected to a mongos");
    return options.balancer === true;
  }},
  db: {
    adminCommand(cmd) {
      sent++;
      say("sent", extendedJson(cmd));
      return {ok: sent === options.failAt ? 0 : 1};
    },
    getSiblingDB: (name) => ({getCollection: (c) => {
      if (name !== "config" || c !== "chunks") throw new Error("a look into " + name + "." + c);
      return chunks;
    }})
  },
  NumberInt: value("$numberInt"),
  NumberLong: value("$numberLong"),
  NumberDecimal: value("$numberDecimal"),
  Double: (x) => new Value(`{"$numberDouble": "${Object.is(x, -0) ? "-0.0" : x}"}`),
  ObjectId: value("$oid"),
  ISODate: (s) => new Value(`{"$date": {"$numberLong": "${Date.parse(s)}"}}`),
  MinKey: () => new Value('{"$minKey": 1}'),
  MaxKey: () => new Value('{"$maxKey": 1}'),
  Timestamp: (o) => new Value(`{"$timestamp": {"t": ${o.t}, "i": ${o.i}}}`),
  BinData: (type, base64) => new Value(
    `{"$binary": {"base64": ${JSON.stringify(base64)}, "subType": "${type.toString(16).padStart(2, "0")}"}}`),
  Map
};

const context = vm.createContext(globals);
const script = fs.readFileSync(process.argv[2], "utf8");
function evaluate(text) {
  try {
    vm.runInContext(text, context);
    return true;
  } catch (e) {
    say("error", JSON.stringify(e.message));
    return false;
  }
}

if (!options.lines) {
  evaluate(script);
} else {
  const at = script.indexOf("\nstopped = ");
  const check = script.indexOf("\n}\n", at) + 3;
  const end = script.indexOf("\nif (!stopped) {");
  evaluate(script.slice(0, at));
  evaluate(script.slice(at, script.indexOf("\nif (stopped)", at)));
  evaluate(script.slice(script.indexOf("\nif (stopped)", at), check));
  for (const line of script.slice(check, end).split("\n")) evaluate(line);
  evaluate(script.slice(end));
}
process.stdout.write(lines.join("\n") + "\n");
