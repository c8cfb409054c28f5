# SPDX-License-Identifier: BSL-1.0
"""compile: seconds and peak memory of the compiler, for a hello program and for what it includes first and nothing else."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from common import arguments, report, require, skip

BUILD = pathlib.Path(os.environ.get("PROCPOOL_BENCHMARKS", pathlib.Path(__file__).parents[2] / "build" / "release" / "benchmarks"))


def compile_once(compiler, source):
    """Returns: seconds, and bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(compiler + ["-c", str(source), "-o", os.devnull], stderr=subprocess.PIPE)
    errors = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if "No such file or directory" in errors:
        skip("its headers are not installed")
    require(status == 0, errors[-300:])
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def main():
    source = pathlib.Path(sys.argv.pop(1))
    args = arguments()
    compiler = [word for word in (BUILD / "compiler.txt").read_text().split() if word != "-isystem/usr/include"] + ["-O2", "-std=c++20"]
    with tempfile.TemporaryDirectory() as folder:
        header = pathlib.Path(folder) / "header.cpp"
        header.write_text(next(line for line in source.read_text().splitlines() if line.startswith("#include")) + "\nint main() {}\n")
        for name, what in (("hello program", source), ("its first header alone", header)):
            took, memory = compile_once(compiler, what)
            report(name, took * 1e9, "ns")
            report(f"{name}, memory", memory, "B")
            if args.tiny or args.quick:
                break


main()
