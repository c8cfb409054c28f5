# SPDX-License-Identifier: BSL-1.0
"""main.py SOURCE: runs what was built from it. One rank more than there are machines to send to: the first has no workers."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1]))
import config
from common import skip

program = config.BUILD / "mpi" / pathlib.Path(sys.argv.pop(1)).stem
if not program.exists():
    skip("is not built (target procpool_benchmarks)")
config.launch([str(program)], lambda workers: 2, 1)
