# SPDX-License-Identifier: BSL-1.0
"""graphs, by Dask on processes."""

import concurrent.futures
import multiprocessing
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1]))
import config


def make_pool(workers):
    return concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context("fork"))


if __name__ == "__main__":
    config.run(make_pool, "dask.multiprocessing", steps=300, leaves=256, wide=300)
