# SPDX-License-Identifier: BSL-1.0
"""map, for Python's pools; the cases are those of config.hpp. A fiftieth of the items, reported as if it were all of them."""

from common import arguments, report, require, seconds

PART = 50


def twice(x):
    return x + x


def capitals(text):
    return text.upper()


def run(pool_type):
    args = arguments()
    pool = pool_type(args.workers)
    doubles = args.pick(50_000, 5_000_000, 5_000_000)
    strings = args.pick(1000, 100_000, 100_000)
    answers = []

    def timed(f, items):
        answers[:] = []
        return PART * seconds(lambda: answers.extend(pool.map(f, items)))

    numbers = [float(i) for i in range(doubles // PART)]
    pool.map(twice, numbers[:100])
    report("5 million doubles to a new vector", timed(twice, numbers) * 1e9, "ns")
    require(answers == [2 * x for x in numbers], "wrong result")
    texts = [f"a string, its number: {i}".ljust(26, ".")[:26] for i in range(strings // PART)]
    report("100,000 strings of 26 characters to a new vector", timed(capitals, texts) * 1e9, "ns")
    require(answers == [text.upper() for text in texts], "wrong string")
    pool.close()
