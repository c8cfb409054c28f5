# SPDX-License-Identifier: BSL-1.0
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1]))
import config

config.run(lambda workers, level, source, target: (
    [str(config.BUILD / "real_gzip" / "parallel_gzip"), "-p", str(workers), f"-{level}", "-f", "-q", "-o", str(target.parent), str(source)], False))
