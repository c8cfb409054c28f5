# SPDX-License-Identifier: BSL-1.0
"""What every competitor in Python needs, as common.hpp is for those in C++."""

import argparse
import multiprocessing
import os
import sys
import time

SKIPPED = 77  # the exit status of a competitor that is not installed


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    parsed = parser.parse_args()
    parsed.pick = lambda tiny, quick, full: tiny if parsed.tiny else quick if parsed.quick else full
    return parsed


def skip(reason):
    """Ends the program, and its children first: they would go on holding its output open."""
    print(reason, file=sys.stderr)
    sys.stderr.flush()
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(SKIPPED)


def require(holds, what):
    if not holds:
        sys.exit(f"{sys.argv[0]}: {what}")


def report(case, value, unit):
    print(f"{case}\t{value:.6g}\t{unit}", flush=True)


def seconds(f):
    start = time.perf_counter()
    f()
    return time.perf_counter() - start
