# SPDX-License-Identifier: BSL-1.0
"""mpi: tasks to other processes of an MPI job, and to three emulated hosts where they can be made; see tests/mpi/hosts.sh."""

import os
import pathlib
import subprocess
import sys

from common import arguments, skip

BUILD = pathlib.Path(os.environ.get("PROCPOOL_BENCHMARKS", pathlib.Path(__file__).parents[2] / "build" / "release" / "benchmarks"))
TOOLS = pathlib.Path(__file__).parents[2] / "tests" / "mpi"
UNAVAILABLE = 77  # of hosts.sh


def launch(command, ranks, ranks_on_a_host):
    """Runs the command as an MPI job on this machine, and with the argument --hosts as one on three hosts."""
    args = arguments()
    launcher = BUILD / "mpi" / "mpiexec.txt"
    if not launcher.exists():
        skip("needs MPI (libopenmpi-dev openmpi-bin)")
    run = ["sh", str(TOOLS / "run.sh"), launcher.read_text().strip()]
    jobs = [(run + [str(ranks(args.workers))], command + sys.argv[1:], {})]
    if not args.tiny:
        hosts = ["bash", str(TOOLS / "hosts.sh"), "with", "3"] + run + ["node1,node2,node3"]
        jobs.append((hosts, command + ["--hosts"], {"RANKS_PER_HOST": str(ranks_on_a_host)}))
    for launch_it, it, options in jobs:
        ended = subprocess.run(launch_it + it, stdout=subprocess.PIPE, env=os.environ | options)
        if ended.returncode == UNAVAILABLE:
            continue
        if ended.returncode != 0:
            sys.exit(f"{' '.join(it)}: ended with {ended.returncode}")
        sys.stdout.write(ended.stdout.decode())
