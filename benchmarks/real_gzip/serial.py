# SPDX-License-Identifier: BSL-1.0
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1]))
import config

config.run(lambda workers, level, source, target: (["gzip", f"-{level}", "-c", str(source)], True))
