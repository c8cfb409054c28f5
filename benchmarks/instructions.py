#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Counts the instructions that a task costs, in the parent and in the worker, with valgrind's callgrind: they are the same on a busy machine.
Prints a table; --check compares with instructions.json and fails when one rose by more than 5 % and by more than 3, --update writes that file
anew. The counts are those of one compiler: with another one --check only prints.

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
CASES = {"apply": (500, 1500), "apply_async": (1000, 3000), "map": (20_000, 120_000)}
MEANING = {"apply": "`apply`, each side sleeping in between", "apply_async": "`apply_async` and `get`", "map": "`map`, an item"}


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


def measure(program):
    result = {}
    for case, (few, many) in CASES.items():
        low, high = count(program, case, few), count(program, case, many)
        for side, less, more in zip(("parent", "worker"), low, high):
            result[f"{case}, {side}"] = round((more - less) / (many - few), 1)
    return result


def compiler_of(program):
    """What compiled it, from its .comment section."""
    found = re.search(rb"(GCC: \([^)]*\) [\d.]+|clang version [\d.]+)", program.read_bytes())
    return found[1].decode() if found else "unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=BASELINE.parents[1] / "build/release/benchmarks/instructions/program")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("skipped: needs valgrind")
        sys.exit(SKIPPED)
    now = {"compiler": compiler_of(options.program), "instructions": measure(options.program)}
    before = json.loads(BASELINE.read_text()) if BASELINE.exists() else {"compiler": "", "instructions": {}}
    print("| instructions for a task | parent | worker |\n| --- | ---: | ---: |")
    for case in CASES:
        print(f"| {MEANING[case]} | {now['instructions'][case + ', parent']:g} | {now['instructions'][case + ', worker']:g} |")
    if options.update:
        BASELINE.write_text(json.dumps(now, indent=1) + "\n")
    if not options.check:
        return
    if now["compiler"] != before["compiler"]:
        print(f"not compared: these are of {now['compiler']}, the baseline of {before['compiler']}")
        sys.exit(SKIPPED)
    allowed = {name: max(RISE * value, value + FEW) for name, value in before["instructions"].items()}
    risen = {name: value for name, value in now["instructions"].items() if name in allowed and value > allowed[name]}
    for name, value in risen.items():
        print(f"risen: {name}: {before['instructions'][name]:g} -> {value:g}; if it is worth it, --update", file=sys.stderr)
    sys.exit(1 if risen else 0)


main()
