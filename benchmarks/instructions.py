#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Counts the instructions that a task costs, in the parent and in the worker, with valgrind's callgrind.
Prints a table; --check compares with instructions.json and fails when one rose by more than 5 % and by more than 3, --update writes that file
anew. A process that is kept from running adds a few instructions (it looks again, or accounts for items one by one) and never saves one: what has
risen is counted again, and the least is the count. The counts are those of one compiler: with another one --check only prints.

    python3 benchmarks/instructions.py --program build/release/benchmarks/instructions/program --check
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BASELINE = pathlib.Path(__file__).with_name("instructions.json")
SKIPPED = 77
RISE = 1.05
FEW = 3  # instructions that a change elsewhere may cost
TIMES = 10  # that each case is counted at most
CASES = {"apply": (500, 1500), "apply_async": (1000, 3000), "latencies": (2000, 4000), "map": (20_000, 120_000)}
MEANING = {"apply": "`apply`, each side sleeping in between", "apply_async": "`apply_async` and `get`",
           "latencies": "the same with `PoolOptions::latencies`", "map": "`map`, an item that may be retried"}


def count(program, case, tasks):
    """Returns: instructions of the parent and of the worker."""
    with tempfile.TemporaryDirectory() as folder:
        one_cpu = lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        ended = subprocess.Popen(["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={folder}/%p", str(program), case, str(tasks)],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=one_cpu)
        output, errors = ended.communicate(timeout=60)
        if ended.returncode != 0:
            sys.exit(f"{program} {case} ended with {ended.returncode}: {errors[-500:]}")
        total = lambda pid: int(re.search(r"^(?:summary|totals): (\d+)", (pathlib.Path(folder) / str(pid)).read_text(), re.MULTILINE)[1])
        return total(ended.pid), total(int(output.split()[0]))


def measure(program, allowed, default):
    """Counts each case until it is within what is allowed, or often enough. Returns: the least counts."""
    result = {}
    for case, (few, many) in CASES.items():
        sides = [f"{case}, {side}" for side in ("parent", "worker")]
        for _ in range(TIMES):
            for side, less, more in zip(sides, count(program, case, few), count(program, case, many)):
                result[side] = min(result.get(side, float("inf")), round((more - less) / (many - few), 1))
            if all(result[side] <= allowed.get(side, default) for side in sides):
                break
    return result


def compiler_of(program):
    """What compiled it, from its .comment section."""
    found = re.search(rb"(GCC: \([^)]*\) [\d.]+|clang version [\d.]+)", program.read_bytes())
    return found[1].decode() if found else "unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=BASELINE.parents[1] / "build/release/benchmarks/instructions/program")
    purpose = parser.add_mutually_exclusive_group()
    purpose.add_argument("--check", action="store_true")
    purpose.add_argument("--update", action="store_true")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("skipped: needs valgrind")
        sys.exit(SKIPPED)
    before = json.loads(BASELINE.read_text()) if BASELINE.exists() else {"compiler": "", "instructions": {}}
    compiler = compiler_of(options.program)
    compared = options.check and compiler == before["compiler"]
    allowed = {name: max(RISE * value, value + FEW) for name, value in before["instructions"].items()} if compared else {}
    now = {"compiler": compiler, "instructions": measure(options.program, allowed, 0 if options.update else float("inf"))}
    print("| instructions for a task | parent | worker |\n| --- | ---: | ---: |")
    for case in CASES:
        print(f"| {MEANING[case]} | {now['instructions'][case + ', parent']:g} | {now['instructions'][case + ', worker']:g} |")
    if options.update:
        BASELINE.write_text(json.dumps(now, indent=1) + "\n")
    if not options.check:
        return
    if not compared:
        print(f"not compared: these are of {compiler}, the baseline of {before['compiler']}")
        sys.exit(SKIPPED)
    risen = {name: value for name, value in now["instructions"].items() if name in allowed and value > allowed[name]}
    for name, value in risen.items():
        print(f"risen: {name}: {before['instructions'][name]:g} -> {value:g}; if it is worth it, --update", file=sys.stderr)
    sys.exit(1 if risen else 0)


main()
