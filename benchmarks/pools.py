# SPDX-License-Identifier: BSL-1.0
"""Python's process pools in one shape: submit() returns a function that waits for the result, map() a list."""

import concurrent.futures
import multiprocessing

from common import skip


class Multiprocessing:
    """multiprocessing.Pool"""

    def __init__(self, workers):
        self.pool = multiprocessing.get_context("fork").Pool(workers)

    def submit(self, f, *args):
        return self.pool.apply_async(f, args).get

    def map(self, f, items):
        return self.pool.map(f, items)

    def close(self):
        self.pool.close()
        self.pool.join()


class Futures:
    """concurrent.futures.ProcessPoolExecutor"""

    def __init__(self, workers):
        self.pool = concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context("fork"))
        self.workers = workers

    def submit(self, f, *args):
        return self.pool.submit(f, *args).result

    def map(self, f, items):
        return list(self.pool.map(f, items, chunksize=max(1, len(items) // (4 * self.workers))))

    def close(self):
        self.pool.shutdown()


class Pebble:
    """pebble.ProcessPool"""

    def __init__(self, workers):
        try:
            import pebble
        except ImportError:
            skip("needs pebble (python3-pebble)")
        self.pool = pebble.ProcessPool(max_workers=workers, context=multiprocessing.get_context("fork"))
        self.workers = workers

    def submit(self, f, *args):
        return self.pool.schedule(f, args=args).result

    def map(self, f, items):
        return list(self.pool.map(f, items, chunksize=max(1, len(items) // (4 * self.workers))).result())

    def close(self):
        self.pool.close()
        self.pool.join()


class Joblib:
    """joblib.Parallel, which has no single tasks"""

    submit = None

    def __init__(self, workers):
        try:
            import joblib
        except ImportError:
            skip("needs joblib (python3-joblib)")
        self.delayed = joblib.delayed
        self.pool = joblib.Parallel(n_jobs=workers, backend="loky" if workers > 1 else "multiprocessing").__enter__()

    def map(self, f, items):
        call = self.delayed(f)
        return self.pool(call(item) for item in items)

    def close(self):
        self.pool.__exit__(None, None, None)
