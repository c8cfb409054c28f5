# SPDX-License-Identifier: BSL-1.0
"""channels: calls of multiprocessing's Manager."""

import multiprocessing
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from common import arguments, report, require, seconds

if __name__ == "__main__":
    args = arguments()
    count = args.pick(50, 1000, 5000)
    with multiprocessing.Manager() as manager:
        table = manager.dict({1: 1})

        def call():
            for _ in range(count):
                require(table[1] == 1, "a wrong value")

        report("call and get: Manager", min(seconds(call) for _ in range(args.pick(1, 3, 5))) / count * 1e9, "ns")
