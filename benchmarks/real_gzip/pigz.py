# SPDX-License-Identifier: BSL-1.0
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1]))
import config

config.run(lambda workers, level, source, target: (["pigz", "-p", str(workers), f"-{level}", "-k", "-c", str(source)], True))
