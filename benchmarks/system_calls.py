#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Counts the system calls that a task costs while parent and worker are busy, with `strace -c`: two runs of different length, and what the longer
one makes more. Prints a table, and fails when it is more than one for a hundred tasks: those that go to sleep, or give way, now and then.
A process that is kept from running makes the other one sleep more often, so what is too much is counted again, and the least is the count.

    python3 benchmarks/system_calls.py --program build/release/benchmarks/instructions/program
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
ALLOWED = 0.01
TIMES = 5  # that each case is counted at most
CASES = {"apply_async": (1000, 4000, "`apply_async` and `get`"), "map": (20_000, 120_000, "`map`, an item")}


def count(program, case, tasks):
    with tempfile.TemporaryDirectory() as folder:
        summary = pathlib.Path(folder) / "summary"
        one_cpu = lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        ended = subprocess.run(["strace", "-f", "-c", "-o", str(summary), str(program), case, str(tasks)], capture_output=True, text=True, timeout=60,
                               preexec_fn=one_cpu)
        if "ptrace" in ended.stderr and ended.returncode != 0:
            print(f"skipped: {ended.stderr.strip().splitlines()[-1]}")
            sys.exit(SKIPPED)
        if ended.returncode != 0:
            sys.exit(f"{program} {case} ended with {ended.returncode}: {ended.stderr[-500:]}")
        return int(re.search(r"^\s*[\d.]+\s+[\d.]+\s+(?:\d+\s+)?(\d+)\s+(?:\d+\s+)?total$", summary.read_text(), re.MULTILINE)[1])


def measure(program, case, few, many):
    least = {few: float("inf"), many: float("inf")}
    for _ in range(TIMES):
        for tasks in least:
            least[tasks] = min(least[tasks], count(program, case, tasks))
        each = (least[many] - least[few]) / (many - few)
        if each <= ALLOWED:
            break
    return each


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=pathlib.Path(__file__).parents[1] / "build/release/benchmarks/instructions/program")
    options = parser.parse_args()
    if shutil.which("strace") is None:
        print("skipped: needs strace")
        sys.exit(SKIPPED)
    too_many = []
    print("| system calls for a task | both sides |\n| --- | ---: |")
    for case, (few, many, meaning) in CASES.items():
        each = measure(options.program, case, few, many)
        print(f"| {meaning} | {each:.4f} |")
        if each > ALLOWED:
            too_many.append(meaning)
    sys.exit(f"more than one for a hundred tasks: {', '.join(too_many)}" if too_many else 0)


main()
