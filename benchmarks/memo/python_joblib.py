# SPDX-License-Identifier: BSL-1.0
"""memo, by joblib.Memory."""

import pathlib
import shutil
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from common import arguments, report, require, seconds, skip

try:
    import joblib
except ImportError:
    skip("needs joblib (python3-joblib)")


def result_of(size, number):
    return bytes([97 + number % 26]) * size


def main():
    args = arguments()
    folder = tempfile.mkdtemp(prefix="procpool-benchmark-")
    try:
        call = joblib.Memory(folder, verbose=0).cache(result_of)
        for size, text in ((200, "200 B"), (20000, "20 KB")):
            count = args.pick(20, 200, 1000)

            def all_of_them():
                for number in range(count):
                    require(len(call(size, number)) == size, "a wrong result")

            kept = seconds(all_of_them)
            hit = min(seconds(all_of_them), seconds(all_of_them))
            report(f"a hit of {text}", hit / count * 1e9, "ns")
            report(f"a miss of {text}, kept", kept / count * 1e9, "ns")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
