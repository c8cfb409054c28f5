# SPDX-License-Identifier: BSL-1.0
"""compile: user seconds and peak memory of the compiler, and the size of the object, for a hello program, in both modes of procpool and
under sanitizers, and for what it includes first and nothing else."""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from common import arguments, report, require, skip

BUILD = pathlib.Path(os.environ.get("PROCPOOL_BENCHMARKS", pathlib.Path(__file__).parents[2] / "build" / "release" / "benchmarks"))


SANITIZERS = ["-O0", "-g1", "-fsanitize=address,undefined"]


def compile_once(compiler, source, folder):
    """Returns: user seconds, bytes of memory, and bytes of the object."""
    built = folder / "object.o"
    process = subprocess.Popen(compiler + ["-c", str(source), "-o", str(built)], stderr=subprocess.PIPE)
    errors = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if "No such file or directory" in errors:
        skip("its headers are not installed")
    require(status == 0, errors[-300:])
    return usage.ru_utime, usage.ru_maxrss * 1024, built.stat().st_size


def main():
    source = pathlib.Path(sys.argv.pop(1))
    args = arguments()
    compiler = [word for word in (BUILD / "compiler.txt").read_text().split() if word != "-isystem/usr/include"] + ["-std=c++20"]
    first = next(line for line in source.read_text().splitlines() if line.startswith("#include"))
    modes = {"": []} | ({", compiled mode": ["-DPROCPOOL_COMPILED"]} if "<procpool/" in first else {})
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        header = folder / "header.cpp"
        header.write_text(first + "\nint main() {}\n")
        for mode, definitions in modes.items():
            for case, what, options in (
                ("hello program", source, ["-O2"]),
                ("hello program under ASan and UBSan", source, SANITIZERS),
                ("its first header alone", header, ["-O2"]),
            ):
                took, memory, size = compile_once(compiler + options + definitions, what, folder)
                report(case + mode, took * 1e9, "ns")
                report(f"{case}{mode}, memory", memory, "B")
                if what == source:
                    report(f"{case}{mode}, object", size, "B")
                if args.tiny:
                    break


main()
