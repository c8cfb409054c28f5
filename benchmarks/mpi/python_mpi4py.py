# SPDX-License-Identifier: BSL-1.0
"""mpi: mpi4py.futures, under the same MPI. A rank is a worker, and the first one hands out the tasks."""

import array
import collections
import os
import pathlib
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from common import SKIPPED, arguments, report, require, seconds

LIMIT = 20e-3


def increment(x):
    return x + 1


def half(x):
    return x / 2


def sleep():
    time.sleep(LIMIT)


def on_this_machine(pool, args):
    for i in range(50):
        pool.submit(increment, i).result()
    times = sorted(seconds(lambda: require(pool.submit(increment, i).result() == i + 1, "wrong result")) for i in range(args.pick(10, 300, 1000)))
    report("round trip, median", times[len(times) // 2] * 1e9, "ns")

    for in_flight in (2, 8, 32):
        count = args.pick(100, 2000, 10000)

        def flood():
            window = collections.deque()
            total = 0
            for i in range(count):
                if len(window) == in_flight:
                    total += window.popleft().result()
                window.append(pool.submit(increment, i))
            total += sum(one.result() for one in window)
            require(total == count * (count + 1) // 2, "wrong sum")

        report(f"a task, {in_flight} in flight", seconds(flood) / count * 1e9, "ns")

    large = bytes(16 << 20)
    pool.submit(len, large).result()
    report("16 MB as an argument", seconds(lambda: require(pool.submit(len, large).result() == len(large), "wrong size")) * 1e3, "ms")

    numbers = array.array("d", range(args.pick(1000, 40000, 40000)))  # of 2 million, as all of them take minutes
    share = 2_000_000 / len(numbers)
    chunk = len(numbers) // 8
    took = seconds(lambda: require(list(pool.map(half, numbers, chunksize=chunk))[-1] == numbers[-1] / 2, "wrong result"))
    report("map of 2 million doubles", took * share * 1e3, "ms")


def on_hosts(pool, workers):
    wait = lambda: [one.result() for one in [pool.submit(sleep) for _ in range(64)]]
    wait()
    report("64 tasks of 20 ms on 3 hosts, a worker's time for each", seconds(wait) * workers / 64 * 1e3, "ms")


if __name__ == "__main__":
    if "OMPI_COMM_WORLD_RANK" not in os.environ and "PMI_RANK" not in os.environ:
        try:
            import mpi4py.futures
        except ImportError:
            print("needs mpi4py (python3-mpi4py)", file=sys.stderr)
            sys.exit(SKIPPED)
        import config

        config.launch([sys.executable, "-m", "mpi4py.futures", __file__], lambda workers: workers + 1, 2)
    else:
        from mpi4py import MPI
        from mpi4py.futures import MPIPoolExecutor

        hosts = "--hosts" in sys.argv
        if hosts:
            sys.argv.remove("--hosts")
        with MPIPoolExecutor() as pool:
            if hosts:
                on_hosts(pool, MPI.COMM_WORLD.Get_size() - 1)
            else:
                on_this_machine(pool, arguments())
