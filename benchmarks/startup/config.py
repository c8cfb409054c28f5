# SPDX-License-Identifier: BSL-1.0
"""startup, for Python's pools, in a parent that has used no memory."""

from common import arguments, report, require, seconds


def increment(x):
    return x + 1


def run(pool_type):
    args = arguments()

    def once():
        pool = pool_type(args.workers)
        require(pool.submit(increment, 1)() == 2, "wrong result")
        pool.close()

    report("pool up, one task, down", sorted(seconds(once) for _ in range(args.pick(1, 3, 5)))[args.pick(0, 1, 2)] * 1e9, "ns")
