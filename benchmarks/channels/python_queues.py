# SPDX-License-Identifier: BSL-1.0
"""channels, of multiprocessing: Queue; and SimpleQueue, whose cases say so."""

import multiprocessing
import pathlib
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from common import arguments, report, require

ITEM = bytes(16)


def put_all(queue, count):
    for _ in range(count):
        queue.put(ITEM)


def echo(there, back, count):
    for _ in range(count):
        back.put(there.get())


def flow(make, count):
    queue = make()
    producer = multiprocessing.Process(target=put_all, args=(queue, count))
    start = time.perf_counter()
    producer.start()
    for _ in range(count):
        require(queue.get() == ITEM, "wrong item")
    took = time.perf_counter() - start
    producer.join()
    return took / count * 1e9


def there_and_back(make, count):
    there, back = make(), make()
    other = multiprocessing.Process(target=echo, args=(there, back, count + 20))
    other.start()
    start = 0
    for i in range(count + 20):
        if i == 20:
            start = time.perf_counter()
        there.put(ITEM)
        back.get()
    took = time.perf_counter() - start
    other.join()
    return took / count * 1e9


if __name__ == "__main__":
    args = arguments()
    multiprocessing.set_start_method("fork")
    for make, suffix in ((multiprocessing.Queue, ""), (multiprocessing.SimpleQueue, " by SimpleQueue")):
        report("16 B from one process to one" + suffix, flow(make, args.pick(100, 5000, 20_000)), "ns")
        report("16 B there and back" + suffix, there_and_back(make, args.pick(20, 500, 1000)), "ns")
