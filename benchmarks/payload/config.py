# SPDX-License-Identifier: BSL-1.0
"""payload, for Python's pools; the cases are those of config.hpp. Bytes, which pickle as a block, and a list of complex numbers of 32 bytes."""

import time

from common import arguments, report, require, seconds


def take(data):
    return data[0] + data[-1]


def make(size):
    return b"\1" * size


def pass_on(data):
    return data


def use(numbers):
    return numbers[0].real + numbers[-1].real + len(numbers)


def warm(call):
    call()
    times = []
    end = time.perf_counter() + 0.06
    while len(times) < 3 or (time.perf_counter() < end and len(times) < 50):
        times.append(seconds(call))
    return sorted(times)[len(times) // 2] * 1e9


def size_text(size):
    for unit in ("B", "KB", "MB", "GB"):
        if size % 1024 or unit == "GB":
            return f"{size} {unit}"
        size //= 1024


def run(pool_type):
    args = arguments()
    pool = pool_type(args.workers)
    for size in (64, 4 << 10, 256 << 10, 4 << 20) + args.pick((), (), (64 << 20,)):
        data = b"\1" * (size - 1) + b"\2"
        report(f"argument of {size_text(size)}", warm(lambda: require(pool.submit(take, data)() == 3, "wrong argument")), "ns")
        report(f"result of {size_text(size)}", warm(lambda: require(len(pool.submit(make, size)()) == size, "wrong result")), "ns")
        report(f"argument and result of {size_text(size)}", warm(lambda: require(pool.submit(pass_on, data)() == data, "wrong bytes")), "ns")
    count = args.pick(15_000, 1_500_000, 15_000_000)
    numbers = [complex(i, 1) for i in range(count)]
    took = seconds(lambda: require(pool.submit(use, numbers)() == 2 * count - 1, "wrong records"))
    report(f"{args.pick('15,000', '1.5 million', '15 million')} records of 32 bytes to one child", took * 1e9, "ns")
    pool.close()
