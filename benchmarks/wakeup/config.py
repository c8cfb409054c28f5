# SPDX-License-Identifier: BSL-1.0
"""wakeup, for Python's pools."""

import time

from common import arguments, report, require, seconds


def increment(x):
    return x + 1


def run(pool_type):
    args = arguments()
    pool = pool_type(args.workers)
    pool.submit(increment, 1)()
    times = []
    for _ in range(args.pick(3, 21, 41)):
        time.sleep(0.005)
        times.append(seconds(lambda: require(pool.submit(increment, 1)() == 2, "wrong result")))
    report("first task after 5 ms of idling", sorted(times)[len(times) // 2] * 1e9, "ns")
    pool.close()
