#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks who includes whom, and that the deciding libraries call nothing that does I/O, reads a clock or draws chance.

The rules are those of docs/architecture.md; a folder may include itself and what stands behind it here. With the
argument `plant`, an offending file is added to the reading to prove that the check bites.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

MAY_INCLUDE = {
    "common": [],
    "common/config": ["common"],
    "common/log": ["common"],
    "common/notify": ["common"],
    "balancer/key": ["common"],
    "balancer/cluster": ["common", "balancer/key"],
    "balancer/source": ["common", "balancer/key", "balancer/cluster"],
    "migrations/mongo": ["common", "balancer/key", "balancer/cluster"],
    "sandbox": ["common", "balancer/key"],
    "balancer/policy": ["common", "balancer/key", "balancer/cluster"],
    "balancer/plan": ["common", "balancer/key", "balancer/cluster", "balancer/policy"],
    "balancer/answer": ["common", "balancer/key", "balancer/cluster", "balancer/policy", "balancer/plan"],
    "balancer/draw": ["common"],
    "balancer/report": ["common", "balancer/draw", "balancer/key", "balancer/cluster", "balancer/policy", "balancer/plan"],
    "balancer/window": ["common", "common/config"],
    "migrations/work": ["common", "balancer/key", "balancer/cluster", "balancer/source", "balancer/policy", "balancer/plan"],
    "migrations/journal": ["common", "balancer/key"],
    "migrations/executor": ["common", "balancer/key", "balancer/cluster", "migrations/work", "migrations/journal", "migrations/mongo"],
    "balancer/setup": ["balancer/window", "common", "common/config", "balancer/key", "balancer/cluster", "balancer/policy", "balancer/plan",
                       "migrations/mongo", "migrations/work", "migrations/journal", "migrations/executor"],
    "balancer/watch": ["common", "balancer/key", "balancer/draw"],
    "balancer/service": ["balancer/watch", "balancer/setup", "common", "common/config", "common/log", "common/notify", "balancer/key", "balancer/cluster", "balancer/source", "balancer/policy",
                         "balancer/plan", "balancer/answer", "balancer/report", "balancer/window", "migrations/mongo",
                         "migrations/work", "migrations/journal", "migrations/executor"],
    "balancer/cli": ["common", "common/config", "common/log", "common/notify", "balancer/key", "balancer/cluster", "balancer/source",
                     "balancer/policy", "balancer/plan", "balancer/answer", "balancer/report", "balancer/window", "balancer/setup", "balancer/watch", "balancer/service",
                     "migrations/mongo", "migrations/work", "migrations/journal", "migrations/executor", "sandbox"],
    "balancer": ["balancer/cli"],
}

# Libraries that must stay pure, and what they must not call.
PURE = ["key", "cluster", "policy", "plan", "answer", "window", "draw"]
IMPURE = re.compile(
    r"^(f?open(at|64)?|fdopen|freopen|read|pread|write|pwrite|close|fread|fwrite|fgets|fputs|fputc|putchar|puts|printf|"
    r"vprintf|fprintf|vfprintf|__(v?f?printf|fprintf|vfprintf)_chk|perror|socket|connect|accept|send|recv|poll|select|"
    r"time|gettimeofday|clock|clock_gettime|nanosleep|sleep|localtime(_r)?|rand|srand|random|drand48|getrandom|"
    r"getentropy|getenv|secure_getenv|system|popen|fork|exec.*|gz.*|g_file_.*|g_open|g_print.*|g_getenv|g_get_.*time|"
    r"g_random_.*|g_rand_new|g_date_time_new_now.*|g_spawn_.*|bson_reader_new_from_f.*|bson_json_reader_new_from_f.*|"
    r"bson_get_monotonic_time|bson_gettimeofday|bson_oid_init)$")


def sources():
    for top in ("common", "balancer", "migrations", "sandbox"):
        for folder, _, files in os.walk(os.path.join(ROOT, top)):
            for name in sorted(files):
                if name.endswith((".c", ".h")):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as f:
                        yield os.path.relpath(path, ROOT), f.read()


def broken_includes(files):
    for path, text in files:
        folder = os.path.dirname(path)
        allowed = MAY_INCLUDE.get(folder)
        if allowed is None:
            yield f"{path}: folder '{folder}' has no rule; add one here and in docs/architecture.md"
            continue
        for n, line in enumerate(text.split("\n"), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if m and os.path.dirname(m.group(1)) not in allowed + [folder]:
                yield f"{path}:{n}: {folder} may not include {m.group(1)}"


def headers_without_purpose(files):
    for path, text in files:
        if not path.endswith(".h") or "_private" in path:
            continue
        head = text[:3000]
        if "#pragma once" not in head:
            yield f"{path}: no #pragma once"
        if not re.search(r"/\* ?" + re.escape(os.path.basename(path)) + " - ", head):
            yield f"{path}: the opening comment does not begin with '{os.path.basename(path)} - '"


def impure_calls(build):
    for name in PURE:
        lib = os.path.join(build, f"libek_{name}.a")
        if not os.path.exists(lib):
            yield f"{lib}: not there"
            continue
        out = subprocess.run(["nm", "-u", lib], capture_output=True, text=True, check=True).stdout
        for symbol in sorted({line.split()[-1] for line in out.split("\n") if " U " in line}):
            if IMPURE.match(symbol.split("@")[0]):
                yield f"libek_{name}: calls {symbol}"


def main():
    files = list(sources())
    if "plant" in sys.argv[2:]:
        planted = [("balancer/policy/planted.c", '#include "balancer/source/source.h"\n')]
        found = list(broken_includes(planted))
        print("\n".join(found))
        return 0 if len(found) == 1 and IMPURE.match("fopen") and IMPURE.match("clock_gettime") else 1
    faults = list(broken_includes(files)) + list(headers_without_purpose(files)) + list(impure_calls(sys.argv[1]))
    print("\n".join(faults) if faults else f"{len(files)} files keep the rules")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
