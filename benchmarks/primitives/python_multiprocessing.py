# SPDX-License-Identifier: BSL-1.0
"""primitives, of multiprocessing."""

import multiprocessing
import pathlib
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from common import arguments, report


def least(count, f):
    """Nanoseconds of processor time for each of `count` calls, the least of some rounds."""
    rounds = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(count):
            f()
        rounds.append((time.process_time() - start) / count * 1e9)
    return min(rounds)


if __name__ == "__main__":
    args = arguments()
    lock = multiprocessing.Lock()
    value = multiprocessing.Value("q", 0)

    def pair():
        lock.acquire()
        lock.release()

    def increment():
        with value.get_lock():
            value.value += 1

    count = args.pick(100, 10_000, 50_000)
    report("lock and unlock: multiprocessing.Lock", least(count, pair), "ns")
    with multiprocessing.Manager() as manager:
        shared = manager.dict({key: key for key in range(args.pick(1000, 100_000, 100_000))})
        calls = args.pick(10, 500, 2000)
        start = time.perf_counter()
        for key in range(calls):
            shared[key]
        report("a map of 100,000, get: Manager dict", (time.perf_counter() - start) / calls * 1e9, "ns")
    report("increment with a lock: multiprocessing.Value", least(count, increment), "ns")
