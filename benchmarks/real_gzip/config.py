# SPDX-License-Identifier: BSL-1.0
"""real_gzip: the text of /usr/include, compressed to a file by a program and read back to be sure."""

import gzip
import os
import pathlib
import subprocess
import sys
import tempfile

from common import arguments, report, require, seconds, skip

LEVEL = 6
BUILD = pathlib.Path(os.environ.get("PROCPOOL_BENCHMARKS", pathlib.Path(__file__).parents[2] / "build" / "release" / "benchmarks"))


def corpus(size):
    """Returns: a file of that many bytes, which is made once."""
    path = BUILD / "real_gzip" / f"corpus_{size}"
    if not path.exists():
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            left = size
            while left > 0:  # again from the start if there is not that much
                for source in sorted(pathlib.Path("/usr/include").rglob("*.h*")):
                    if source.is_file() and left > 0:
                        text = source.read_bytes()[:left]
                        file.write(text)
                        left -= len(text)
        os.replace(file.name, path)
    return path


def run(command):
    """command(workers, level, source, target) returns a command line and whether its output is the result, to be sent to target."""
    args = arguments()
    size = args.pick(1 << 20, 16 << 20, 64 << 20)
    source = corpus(size)
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        target = pathlib.Path(folder) / (source.name + ".gz")
        line, to_stdout = command(args.workers, LEVEL, source, target)

        def compress():
            with open(target if to_stdout else os.devnull, "wb") as out:
                subprocess.run(line, check=True, stdout=out)

        try:
            took = seconds(compress)
        except FileNotFoundError:
            skip(f"needs {os.path.basename(line[0])}")
        require(gzip.decompress(target.read_bytes()) == source.read_bytes(), "wrong content")
        report(f"gzip, level {LEVEL}", size / took / 1e6, "MB/s")
        report(f"size of the .gz, level {LEVEL}", target.stat().st_size, "B")
