#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs the benchmarks: every competitor of a workload in turn, round by round, since a machine's speed drifts; prints Markdown tables.

    cmake --build build/release --target procpool_benchmarks
    python3 benchmarks/run.py --build build/release [--quick] [--only dispatch,map] [--rounds N] [--json FILE] [--plots FOLDER]

It also writes every value as JSON and draws the plots. --quick takes under two minutes. Standard library only.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import time

import figures
import plots
import tables

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77

# In this order. Workers: for how many each is run; rounds: at least so many, where a round is short.
WORKLOADS = {
    "round_trip": {"workers": (1,), "rounds": 31},
    "dispatch": {"workers": (1, 2)},
    "map": {"workers": (1, 2)},
    "shapes": {"workers": (1, 2)},
    "graphs": {"workers": (1, 2)},
    "ref": {"workers": (1, 2)},
    "journal": {"workers": (1, 2)},
    "primitives": {"workers": (1,)},
    "channels": {"workers": (1,)},
    "chunking": {"workers": (2,)},
    "payload": {"workers": (1,)},
    "startup": {"workers": (1, 2)},
    "memo": {"workers": (1,)},
    "recovery": {"workers": (1, 2)},
    "hedge": {"workers": (2, 4)},
    "wakeup": {"workers": (1, 2)},
    "scaling": {"workers": (1, 2, 4, 8, 16, 32, 64), "quick": (1, 64)},
    "real": {"workers": (1, 2)},
    "real_gzip": {"workers": (1, 2)},
    "mpi": {"workers": (1, 2)},
    "compile": {"workers": (1,)},
}
BASELINES = ("ping_pong", "serial", "call_by_value", "fork_wait", "semaphore", "fork_sleep", "pigz", "fmt_future", "openmp_dynamic", "tbb_auto")
ROUNDS = 11
ROUNDS_OF_SLOW = 3       # of a competitor that takes longer than this many seconds a round
SLOW = {"quick": 1.0, "full": 3.0}
QUICK_SECONDS = 7        # a workload; after them procpool and its baselines have their one round, and no other competitor


def order(name):
    """procpool first and what it is measured against next to it; then the others."""
    return (name != "procpool", not name.startswith(("procpool",) + BASELINES), name)


def say(text):
    print(text, file=sys.stderr, flush=True)


class Competitors:
    """The programs of one workload, by name."""

    def __init__(self, workload, build, python):
        self.commands, self.skipped = {}, {}
        missing = {}
        if (build / "skipped.txt").exists():
            for line in (build / "skipped.txt").read_text().splitlines():
                name, reason = line.split(": ", 1)
                missing[name] = reason
        for source in sorted((HERE / workload).iterdir(), key=lambda path: order(path.stem)):
            program = build / workload / source.stem
            if source.suffix == ".py" and source.stem not in ("config", "main"):
                self.commands[source.stem] = [python, str(source)]
            elif source.suffix == ".cpp" and (HERE / workload / "main.py").exists():  # what main.py is called with
                self.commands[source.stem] = [python, str(HERE / workload / "main.py"), str(source)]
            elif source.suffix == ".cpp" and f"{workload}/{source.stem}" in missing:
                self.skipped[source.stem] = missing[f"{workload}/{source.stem}"]
            elif source.suffix == ".cpp" and not program.exists():
                self.skipped[source.stem] = "is not built (target procpool_benchmarks)"
            elif source.suffix == ".cpp":
                self.commands[source.stem] = [str(program)]


def run_once(command, arguments, limit):
    """Returns: {case: [value, unit]}; a string when it has to be skipped. Raises RuntimeError when it fails."""
    ended = subprocess.Popen(command + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        output, errors = ended.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"took longer than {limit} s") from None
    finally:
        try:
            os.killpg(ended.pid, signal.SIGKILL)  # what it has left behind
        except ProcessLookupError:
            pass
        ended.wait()
    if ended.returncode == SKIPPED:
        return errors.strip().splitlines()[-1]
    if ended.returncode != 0:
        raise RuntimeError(f"ended with {ended.returncode}: {errors.strip()[-300:]}")
    cases = {}
    for line in output.splitlines():
        case, value, unit = line.split("\t")
        cases[case] = [float(value), unit]
    return cases


def run_workload(workload, options):
    """Returns: {"rounds": {workers: [{competitor: {case: [value, unit]}}]}, "skipped": ..., "failed": ..., "when": ...}."""
    how = WORKLOADS[workload]
    competitors = Competitors(workload, options.build, options.python)
    workers_list = options.workers or (how.get("quick", how["workers"]) if options.size != "full" else how["workers"])
    if options.competitors:
        competitors.commands = {name: command for name, command in competitors.commands.items() if name in options.competitors + ["procpool"]}
    result = {"rounds": {workers: [] for workers in workers_list}, "skipped": competitors.skipped, "failed": {}, "when": when()}
    size = [] if options.size == "full" else [f"--{options.size}"]
    slow = {}
    start = time.monotonic()
    late = lambda: options.seconds is not None and time.monotonic() - start > options.seconds
    rounds = max(options.rounds, how.get("rounds", 0)) if options.size == "full" else options.rounds
    for number in range(rounds):
        if number > 0 and late():
            break
        for workers in workers_list:
            this_round = {}
            result["rounds"][workers].append(this_round)
            for name, command in list(competitors.commands.items()):
                if number > 0 and late():
                    break
                if late() and order(name)[1] and order(name)[0]:
                    result["skipped"][name] = "no time, on a machine as busy as this"
                    continue
                if slow.get(name, 0) > SLOW.get(options.size, 1) and number >= (ROUNDS_OF_SLOW if options.size == "full" else 1):
                    continue
                began = time.monotonic()
                try:
                    cases = run_once(command, ["--workers", str(workers)] + size, options.limit)
                except RuntimeError as error:
                    say(f"{workload}/{name}, {workers} workers: {error}")
                    result["failed"][name] = str(error)
                    competitors.commands.pop(name)
                    continue
                if isinstance(cases, str):
                    result["skipped"][name] = cases
                    competitors.commands.pop(name)
                    continue
                slow[name] = max(slow.get(name, 0), time.monotonic() - began)
                if cases:
                    this_round[name] = cases
        say(f"{workload}: round {number + 1} of {rounds}, {time.monotonic() - start:.1f} s")
    for name, reason in result["skipped"].items():
        say(f"{workload}/{name} is skipped: {reason}")
    return result


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def when():
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, commit {output_of('git', 'describe', '--always', '--dirty', '--exclude', '*')}"


def machine(build):
    """What the figures depend on."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    cache = (build.parent / "CMakeCache.txt").read_text() if (build.parent / "CMakeCache.txt").exists() else ""
    cached = lambda name: (re.search(rf"^{name}:[A-Z]+=(.*)$", cache, re.MULTILINE) or [None, ""])[1]
    compiler = cached("CMAKE_CXX_COMPILER")
    return {
        "cpu": model[1] if model else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory[1]) / 2**20) if memory else None,
        "kernel": platform.release(),
        "compiler": (output_of(compiler, "--version").splitlines() or [""])[0] if compiler else "",
        "flags": " ".join(f"{cached('CMAKE_CXX_FLAGS')} {cached('CMAKE_CXX_FLAGS_' + cached('CMAKE_BUILD_TYPE').upper())}".split()),
        "load": os.getloadavg()[0],
    }


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build" / "release", help="the folder that CMake built in")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer rounds: under two minutes")
    parser.add_argument("--tiny", action="store_true", help="one round that only shows that everything works")
    parser.add_argument("--only", default="", help=f"workloads, of {', '.join(WORKLOADS)}; 'real' means every one that starts with it")
    parser.add_argument("--competitors", default="", help="only these, and procpool")
    parser.add_argument("--workers", default="", help="instead of each workload's own numbers: 1,2")
    parser.add_argument("--rounds", type=int, help=f"{ROUNDS} if not given")
    parser.add_argument("--seconds", type=float, help="for a workload: no further round begins after that")
    parser.add_argument("--limit", type=float, default=120, help="seconds that one program may take")
    parser.add_argument("--json", type=pathlib.Path, help="where every value goes; benchmarks/results.json in the build if not given")
    parser.add_argument("--plots", type=pathlib.Path, help="the folder for the plots; benchmarks/plots in the build if not given")
    parser.add_argument("--from-json", type=pathlib.Path, nargs="+", help="runs nothing: tables and plots of earlier runs; of a workload the last one counts")
    parser.add_argument("--python", default="/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable,
                        help="which runs the competitors in Python; the system's has its packages")
    options = parser.parse_args()
    options.size = "tiny" if options.tiny else "quick" if options.quick else "full"
    options.rounds = options.rounds or (1 if options.tiny else ROUNDS)
    if options.quick and options.seconds is None:
        options.seconds = QUICK_SECONDS
    options.workers = tuple(int(number) for number in options.workers.split(",") if number)
    options.build = options.build.resolve() / "benchmarks"
    options.json = options.json or options.build / "results.json"
    options.plots = options.plots or options.build / "plots"
    os.environ["PROCPOOL_BENCHMARKS"] = str(options.build)
    only = [name for name in options.only.split(",") if name]
    options.competitors = [name for name in options.competitors.split(",") if name]
    unknown = [name for name in only if not any(workload.startswith(name) for workload in WORKLOADS)]
    if unknown:
        parser.error(f"no such workload: {', '.join(unknown)}")
    options.workloads = [name for name in WORKLOADS if not only or any(name.startswith(one) for one in only)]
    return options


def main():
    options = parse()
    if options.from_json:
        runs = [json.loads(path.read_text()) for path in options.from_json]
        newest = {name: workload for run in runs for name, workload in run["workloads"].items()}
        measured = runs[-1] | {"workloads": {name: newest[name] for name in WORKLOADS if name in newest}}
    else:
        measured = {"machine": machine(options.build), "size": options.size, "workloads": {}}
        for workload in options.workloads:
            if (HERE / workload).is_dir():
                measured["workloads"][workload] = run_workload(workload, options)
        measured = json.loads(json.dumps(measured))  # so that a run and what is read again are the same
    print(tables.markdown(measured, figures.FIGURES))
    options.json.write_text(json.dumps(measured, indent=1) + "\n")
    say(f"written: {options.json}")
    for path in plots.draw(measured, options.plots):
        say(f"drawn: {path}")
    sys.exit(1 if any(workload["failed"] for workload in measured["workloads"].values()) else 0)


if __name__ == "__main__":
    main()
