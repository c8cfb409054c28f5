# SPDX-License-Identifier: BSL-1.0
"""recovery, for Python's pools: those that break are built anew, which is what their user has to do."""

import concurrent.futures
import multiprocessing
import os
import signal

from common import arguments, report, require, seconds, skip


def pid():
    return os.getpid()


def run(pool_type):
    args = arguments()
    pool = pool_type(args.workers)
    times = []
    for _ in range(args.pick(1, 3, 5)):
        pool.submit(pid)()
        old = {child.pid for child in multiprocessing.active_children()}
        require(old, "no workers")

        def recover():
            nonlocal pool
            for one in old:
                os.kill(one, signal.SIGKILL)
            while True:
                try:
                    if pool.submit(pid)(timeout=3) not in old:
                        return
                except (TimeoutError, multiprocessing.TimeoutError, concurrent.futures.TimeoutError):
                    skip("did not recover within 3 s: a killed worker held a lock")
                except concurrent.futures.process.BrokenProcessPool:
                    pool = pool_type(args.workers)
                except Exception as error:  # pebble's ProcessExpired: the task had been taken
                    require(type(error).__name__ == "ProcessExpired", repr(error))

        times.append(seconds(recover))
    report("all workers killed, until the next result", sorted(times)[len(times) // 2] * 1e9, "ns")
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(0)  # the threads of broken pools may wait for ever
