#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What looking costs: processor time of `procpool-top --serve` per second with one client at ten snapshots a second, beside that of the pool.

    python3 examples/procpool_top/serve_cost.py build/release/examples/procpool_top/procpool-top PROGRAM [ARGUMENT...]

PROGRAM: one with a busy pool, which ends when its standard input does."""

import json
import os
import statistics
import subprocess
import sys
import time

from serving import Server

SECONDS, WINDOWS = 3, 8


def processor_time(pid):
    """Returns: the seconds that all threads of the process have had, by the scheduler's account."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="utf-8") as account:
            total += int(account.read().split()[0])
    return total / 1e9


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    with subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as program:
        server = Server(sys.argv[1], "--serve", "127.0.0.1:0")
        stream = server.events()
        for _ in range(20):
            next(stream)
        took, shares = [], []
        for _ in range(WINDOWS):
            begin, had = time.monotonic(), processor_time(server.process.pid)
            while time.monotonic() - begin < SECONDS:
                took.append(json.loads(next(stream))["took"])
            shares.append((processor_time(server.process.pid) - had) / (time.monotonic() - begin))
        snapshot = next(stream)
        stream.close()
        server.stop()
        program.stdin.close()
    processors = os.cpu_count()
    print(f"{len(took) / WINDOWS / SECONDS:.1f} snapshots a second of {len(snapshot)} bytes, each taken in {statistics.median(took) * 1e6:.0f} us (median)")
    for name, share in ("median", statistics.median(shares)), ("least", min(shares)):
        print(f"the server, {name} of {WINDOWS} times {SECONDS} s: {share * 1e3:.2f} ms of a processor a second, {100 * share / processors:.3f} % of {processors} processors")


if __name__ == "__main__":
    main()
