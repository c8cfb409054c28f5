# SPDX-License-Identifier: BSL-1.0
"""ref, by multiprocessing.Pool: the value with each task; and inherited by workers that are forked when it is there, which is what programs do
instead of putting it."""

import multiprocessing
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from common import arguments, report, require, seconds

INHERITED = []


def by_number(i):
    return i


def by_words(words, i):
    return len(words) + i


def by_inherited(i):
    return len(INHERITED) + i


if __name__ == "__main__":
    args = arguments()
    words = [f"word number {i}" for i in range(args.pick(1000, 200_000, 200_000))]
    INHERITED = words
    count = args.pick(20, 500, 2000)
    with multiprocessing.get_context("fork").Pool(args.workers) as pool:

        def tasks(function, base):
            def run():
                results = [pool.apply_async(function, (i,)) for i in range(count)]
                require([one.get() for one in results] == list(range(base, base + count)), function.__name__)

            return min(seconds(run) for _ in range(args.pick(1, 3, 5))) / count * 1e9

        report("a task with an int", tasks(by_number, 0), "ns")
        report("a task with 200,000 strings that were put, and an int", tasks(by_inherited, len(words)), "ns")
        by_value = lambda: require(pool.apply(by_words, (words, 1)) == len(words) + 1, "by value")
        report("a task with 200,000 strings by value", min(seconds(by_value) for _ in range(args.pick(1, 3, 10))) * 1e9, "ns")
