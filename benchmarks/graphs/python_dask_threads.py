# SPDX-License-Identifier: BSL-1.0
"""graphs, by Dask on threads."""

import concurrent.futures
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1]))
import config

if __name__ == "__main__":
    config.run(concurrent.futures.ThreadPoolExecutor, "dask.threaded", steps=2000, leaves=1024, wide=4000)
