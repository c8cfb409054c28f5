# SPDX-License-Identifier: BSL-1.0
"""graphs, by Dask's delayed. The graph is there before the time begins, and so are the workers."""

import importlib
import time

from common import arguments, report, require, skip

CHAIN = "a chain of 100,000 tasks"
TREE = "a tree of 1,024 leaves"
FAN = "4,000 tasks behind one, one behind those"


def increment(x):
    return x + 1


def add(x, y):
    return x + y


def run(make_pool, scheduler, steps, leaves, wide):
    """Runs graphs of these sizes; the figures are for each task. scheduler: a module of Dask's."""
    try:
        import dask

        get = importlib.import_module(scheduler).get
    except ImportError:
        skip("needs Dask (python3-dask)")
    args = arguments()
    one, two, every = dask.delayed(increment, pure=False), dask.delayed(add, pure=False), dask.delayed(sum, pure=False)
    with make_pool(args.workers) as pool:

        def compute(node):
            options = {} if scheduler == "dask.threaded" else {"optimize_graph": False}  # which makes one task of a chain
            return get(node.dask, [node.key], pool=pool, **options)[0]

        def measure(case, node, tasks, expected):
            times = []
            for _ in range(args.pick(1, 1, 3)):
                start = time.perf_counter()
                result = compute(node)
                times.append(time.perf_counter() - start)
                require(result == expected, case)
            report(case, min(times) / tasks * 1e9, "ns")

        compute(every([one(0) for _ in range(8)]))  # the workers have started
        count = args.pick(20, steps, steps)
        last = one(0)
        for _ in range(count - 1):
            last = one(last)
        measure(CHAIN, last, count, count)
        level = [one(0) for _ in range(args.pick(8, leaves, leaves))]
        count = len(level)
        while len(level) > 1:
            level = [two(*pair) for pair in zip(level[::2], level[1::2])]
        measure(TREE, level[0], 2 * count - 1, count)
        count = args.pick(20, wide, wide)
        first = one(0)
        measure(FAN, every([one(first) for _ in range(count)]), count + 2, 2 * count)
