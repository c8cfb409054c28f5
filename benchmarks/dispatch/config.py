# SPDX-License-Identifier: BSL-1.0
"""dispatch, for Python's pools; the cases are those of config.hpp."""

from common import arguments, report, require, seconds


def increment(x):
    return x + 1


def empty():
    pass


def run(pool_type):
    args = arguments()
    pool = pool_type(args.workers)
    count = args.pick(50, 2000, 10000)
    expected = count * (count + 1) // 2
    answers = []
    if pool.submit is None:
        pool.map(increment, range(10))
        took = seconds(lambda: answers.extend(pool.map(increment, range(count))))
    else:
        pool.submit(empty)()
        trips = args.pick(20, 200, 1000)
        took = seconds(lambda: [pool.submit(empty)() for _ in range(trips)])
        report("round trip of an empty task", took / trips * 1e9, "ns")

        def submit_and_collect():
            results = [pool.submit(increment, i) for i in range(count)]
            answers.extend(get() for get in results)

        took = seconds(submit_and_collect)
    report("a million tasks with results, submitted, then collected", took / count * 1e9, "ns")
    require(sum(answers) == expected, "wrong sum")
    pool.close()
