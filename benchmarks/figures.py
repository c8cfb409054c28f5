# SPDX-License-Identifier: BSL-1.0
"""The figures that procpool shall reach, each as a function of one round."""

import dataclasses
import typing

from tables import OURS, cost


@dataclasses.dataclass
class Figure:
    workload: str
    workers: tuple  # () for all
    text: str
    limit: float  # the median over the rounds may be at most that
    measure: typing.Callable  # of a round; None when the round does not have it


def to(case, *others, other_case=None):
    """procpool's cost of the case to the least of the others' that are in the round."""

    def measure(this_round):
        least = [cost(this_round[name][other_case or case]) for name in others if (other_case or case) in this_round.get(name, {})]
        if not least or case not in this_round.get(OURS, {}) or min(least) == 0:
            return None
        return cost(this_round[OURS][case]) / min(least)

    return measure


def beyond(case, other):
    """procpool's value of the case, less the other's."""

    def measure(this_round):
        if case not in this_round.get(OURS, {}) or case not in this_round.get(other, {}):
            return None
        return this_round[OURS][case][0] - this_round[other][case][0]

    return measure


def over(case, other_case):
    """procpool's value of one case, less that of another."""

    def measure(this_round):
        ours = this_round.get(OURS, {})
        return ours[case][0] - ours[other_case][0] if case in ours and other_case in ours else None

    return measure


def within(case, other_case, program="locks", other=None):
    """The cost of one case of a program to that of another case, of the same program or another one."""

    def measure(this_round):
        one, two = this_round.get(program, {}), this_round.get(other or program, {})
        return cost(one[case]) / cost(two[other_case]) if case in one and other_case in two else None

    return measure


def value(case):
    return lambda this_round: this_round.get(OURS, {}).get(case, [None])[0]


THREAD_POOLS = ("textbook", "rvaser", "asio", "bs", "taskflow")
THREADS = THREAD_POOLS + ("tbb", "openmp", "std_thread", "std_async")
PYTHON = ("python_multiprocessing", "python_futures", "python_pebble")
MEMORY = "memory for each idle worker (PSS)"
ROUND_TRIP = "round trip of an empty task"
OWNER_DIED = "a killed owner to OwnerDied in a blocked waiter"
ONE_TO_ONE = "16 B from one process to one"
THERE_AND_BACK = "16 B there and back"
CALL, CALLS = "call and get", "calls without waiting"
SUCCESSOR = "a crash of an actor to its successor's constructor"
TASK = "a task: a lambda and an int"
STRINGS = "100,000 strings of 26 characters to a new vector"
TASKS = "a million tasks with results, submitted, then collected"
CHAIN = "a chain of 100,000 tasks"
PUT = "a task with 200,000 strings that were put, and an int"


def near(limit_near, limit_far):
    """Nanoseconds a task over what is allowed: a figure when the CPUs are near, a part of the ping-pong when they are not."""

    def measure(this_round):
        if TASKS not in this_round.get(OURS, {}) or TASKS not in this_round.get("ping_pong", {}):
            return None
        ping = this_round["ping_pong"][TASKS][0]
        return this_round[OURS][TASKS][0] / (limit_near if ping < 100 else limit_far * ping)

    return measure


def a_dependency(this_round):
    """What each of eight adds to a submission, in such submissions without any."""
    ours = this_round.get(OURS, {})
    if "submission: a task with eight dependencies" not in ours:
        return None
    independent = ours["submission: an independent task"][0]
    return (ours["submission: a task with eight dependencies"][0] - independent) / 8 / independent


def kept(this_round, how=""):
    """What a journal adds to an item, in ns."""
    ours = this_round.get(OURS, {})
    plain, with_journal = f"100,000 results of 100 B{how}", f"100,000 results of 100 B{how}, kept"
    return ours[with_journal][0] - ours[plain][0] if plain in ours and with_journal in ours else None


LEFT = "an item of 10 µs, half a million"
FIGURES = [
    Figure("round_trip", (1,), "`apply` of an empty task, to a raw ping-pong", 2.5, to(ROUND_TRIP, "ping_pong")),
    Figure("dispatch", (), "a million tasks: to 60 ns each where a ping-pong takes under 100 ns, to 0.8 of it elsewhere", 1, near(60, 0.8)),
    Figure("dispatch", (), "a million tasks, to the best thread pool with futures", 0.2, to(TASKS, *THREAD_POOLS)),
    Figure("dispatch", (), "a million tasks, to oneTBB with promises", 0.2, to(TASKS, "tbb")),
    Figure("dispatch", (), "a million tasks, to `tbb::task_group` without results", 1, to(TASKS, "tbb_task_group")),
    Figure("dispatch", (), "a million tasks, to Python's pools", 1 / 200, to(TASKS, "python_multiprocessing")),
    Figure("dispatch", (), "two submitting threads, to one", 1 / 0.8, to("the same from two threads", OURS, other_case=TASKS)),
    Figure("map", (), "`map` to a new vector, to the best of the threads", 1.5, to("5 million doubles to a new vector", *THREADS)),
    Figure("map", (), "in place, to the best of the threads", 1.2, to("5 million doubles in place", *THREADS)),
    Figure("map", (2,), "strings of 26 characters, to the best of the threads", 1.5, to(STRINGS, *THREADS)),
] + [
    Figure("shapes", (), f"a task: {shape}, to one of a lambda and an int", limit, to(f"a task: {shape}", OURS, other_case=TASK))
    for shape, limit in (("a function", 1.1), ("three ints", 1.1), ("a struct of 40 bytes", 1.2), ("24 characters there and back", 2))
] + [
    Figure("shapes", (), f"{count} tasks in a fresh pool and vector of futures, to warm ones", 1.2,
           to(f"{count} tasks, fresh pool and vector of futures", OURS, other_case=f"{count} tasks, the same pool and vector again"))
    for count in ("10,000", "100,000", "1,000,000")
] + [
    Figure("shapes", (), f"cheap items by `{call}`, to {other}", limit, to(f"cheap items by {call}", OURS, other_case=f"cheap items by {other}"))
    for call in ("imap", "imap_unordered") for other, limit in (("a window of 1,000 futures", 0.5), ("map", 20))
] + [
    Figure("shapes", (), "`imap` of items of 1 ms: idle time of workers, %", 5, value("imap of items of 1 ms: idle time of workers")),
] + [
    Figure("shapes", (), f"{count} slow items by `map_reduce`, to `map`", 1.2,
           to(f"{count} items of 200 µs by map_reduce", OURS, other_case=f"{count} items of 200 µs by map"))
    for count in (2, 20, 200, 2000)
] + [
    Figure("chunking", (), f"{profile}, {cost}: to the best of OpenMP and oneTBB", 1,
           to(f"{profile}, {cost} an item", "openmp_static", "openmp_dynamic", "openmp_guided", "tbb_auto", "tbb_simple", "tbb_affinity"))
    for cost in ("50 ns", "5 µs", "50 µs", "500 µs", "50 ms")
    for profile in ("uniform", "random", "descending", "bimodal", "one huge item")
] + [
    Figure("payload", (), f"{what} of 64 MB, copied: to a call by value", 3, to(f"{what} of 64 MB", "call_by_value"))
    for what in ("argument", "result", "argument and result")
] + [
    Figure("payload", (), "64 MB shared, to 64 B shared", 1.2,
           lambda one: cost(one["procpool_shared"]["argument of 64 MB"]) / cost(one["procpool_shared"]["argument of 64 B"])
           if "argument of 64 MB" in one.get("procpool_shared", {}) else None),
] + [
    Figure("primitives", (), f"{ours} {what}, to {other}", limit, within(f"{what}: {ours}", f"{what}: {other}", other=program))
    for what, ours, other, limit, program in (
        ("lock and unlock", "Mutex", "pthread mutex, not robust", 1.5, None),
        ("lock and unlock", "Mutex", "Boost interprocess_mutex", 1.1, None),
        ("lock and unlock", "Mutex", "multiprocessing.Lock", 0.15, "python_multiprocessing"),
        ("increment with a lock", "Guarded", "multiprocessing.Value", 0.03, "python_multiprocessing"),
        ("a map of 100,000, get", "SharedMap", "Manager dict", 0.005, "python_multiprocessing"),
        ("notify_one when nobody sleeps", "Condition", "pthread_cond_signal", 0.5, None),
        ("look whether a process lives", "Members", "kill", 0.01, None))
] + [
    Figure("channels", (), f"a queue: {what}, to {text}", limit, within(what, what, "queues", other))
    for what, other, text, limit in (
        (ONE_TO_ONE, "message_queue", "Boost's `message_queue` of 4,096 bytes", 0.35),
        (ONE_TO_ONE, "message_queue_exact", "Boost's of exactly 16", 1),
        (ONE_TO_ONE, "pipes", "a pipe", 0.12),
        (ONE_TO_ONE, "python_queues", "`multiprocessing.Queue`", 0.01),
        ("16 B from two processes to two", "message_queue", "Boost's of 4,096 bytes", 0.4),
        ("4 KB from one process to one", "message_queue", "Boost's of 4,096 bytes", 0.5),
        ("4 KB from one process to one", "pipes", "a pipe", 0.4),
        (THERE_AND_BACK, "pipes", "two pipes", 1))
] + [
    Figure("channels", (), "two queues: 16 B there and back, to `apply`", 1.3, within(THERE_AND_BACK, THERE_AND_BACK + " by apply", "queues")),
] + [
    Figure("channels", (), f"{ours}, to {text}", limit, within(ours, other, "actors", program))
    for ours, other, text, limit, program in (
        (f"{CALL}: Actor", f"{CALL}: ProcessPool::apply", "`apply`", 1.25, None),
        (f"{CALL}: Actor", f"{CALL}: Manager", "a call of `multiprocessing`'s Manager", 0.25, "python_manager"),
        (f"{CALLS}: ActorRef, two callers", f"{CALLS}: ActorRef, one caller", "one caller", 2, None))
] + [
    Figure("channels", (), "a crash of an actor to its successor's constructor, ms", 1,
           lambda one: one["actors"][SUCCESSOR][0] / 1e6 if SUCCESSOR in one.get("actors", {}) else None),
    Figure("primitives", (), "a killed owner to `OwnerDied` in a blocked waiter, ms", 2,
           lambda one: one["locks"][OWNER_DIED][0] / 1e6 if OWNER_DIED in one.get("locks", {}) else None),
    Figure("wakeup", (), "first task after the pool slept, to a semaphore ping-pong", 1.2, to("first task after 5 ms of idling", "semaphore")),
    Figure("startup", (), "pool up, one task, down: to `fork` and `waitpid` for each process", 2, to("pool up, one task, down", "fork_wait")),
    Figure("startup", (), "the same with a parent of 1 GB", 2, to("pool up, one task, down, parent of 1 GB", "fork_wait")),
    Figure("startup", (), "from 1 worker to 64: to 64 times `fork` and `waitpid`", 1, to("from 1 worker to 64", "fork_wait")),
    Figure("startup", (), "a worker replaced when the parent has grown by 1 GB, to one before", 1.2,
           to("a worker replaced, after the parent has grown, parent of 1 GB", OURS, other_case="a worker replaced, after the parent has grown")),
    Figure("real", (), "word count by key, to the best of the threads", 1, to("word count over a text tree", *THREADS)),
    Figure("real_gzip", (), "gzip, to pigz", 1, to("gzip, level 6", "pigz")),
    Figure("graphs", (), "a chain's step, to an independent task", 1.5, to(CHAIN, OURS, other_case="100,000 independent tasks")),
    Figure("graphs", (), "a chain's step, to Taskflow's", 2, to(CHAIN, "taskflow")),
    Figure("graphs", (), "a chain's step, to Dask's on threads", 1 / 50, to(CHAIN, "python_dask_threads")),
    Figure("graphs", (), "a chain's step, to Dask's on processes", 1 / 1000, to(CHAIN, "python_dask_processes")),
    Figure("graphs", (), "submission: a dependency of eight, to an independent task", 0.25, a_dependency),
    Figure("ref", (), "a task with 200,000 strings that were put, to one with them by value", 1 / 1000,
           to(PUT, OURS, other_case="a task with 200,000 strings by value")),
    Figure("ref", (), "a task with something that was put, over one without, ns", 150, over(PUT, "a task with an int")),
    Figure("journal", (), "a result of 100 B kept, ns", 1500, kept),
    Figure("journal", (), "the same, each in a chunk of its own, ns", 1500, lambda one: kept(one, ", one by one")),
    Figure("journal", (), "a result kept, to a file for each", 0.1, to("100,000 results of 100 B, kept", "files")),
    Figure("journal", (), "a million items of 10 µs that go on in the middle, to half a million", 1.05,
           to(f"{LEFT} that are left of a million", OURS, other_case=f"{LEFT} of them")),
    Figure("memo", (), "a hit of 200 B in a worker, µs", 3, lambda one: None if value("a hit of 200 B")(one) is None else value("a hit of 200 B")(one) / 1e3),
    Figure("memo", (), "a hit of 200 B, to joblib.Memory", 1 / 100, to("a hit of 200 B", "python_joblib")),
    Figure("memo", (), "a miss of 200 B that is kept, to joblib.Memory", 1 / 10, to("a miss of 200 B, kept", "python_joblib")),
    Figure("mpi", (1,), "round trip to another process of an MPI job, to mpi4py.futures", 0.2, to("round trip, median", "python_mpi4py")),
] + [
    Figure("mpi", (1,), f"a task to it, {number} in flight, to mpi4py.futures", 0.1, to(f"a task, {number} in flight", "python_mpi4py"))
    for number in (2, 8, 32)
] + [
    Figure("mpi", (), "64 tasks of 20 ms on 3 hosts, ms of a worker for each", 25, value("64 tasks of 20 ms on 3 hosts, a worker's time for each")),
    Figure("scaling", (64,), "CPU time of 64 idle workers, ns a second", 0, value("CPU time of all idle workers, for each second")),
    Figure("scaling", (64,), "memory of an idle worker beyond a fork's own, KB", 64,
           lambda one: None if beyond(MEMORY, "fork_sleep")(one) is None else beyond(MEMORY, "fork_sleep")(one) / 1024),
    Figure("compile", (), "hello program, compiled mode, to one with fmt and `<future>`", 3,
           to("hello program, compiled mode", "fmt_future", other_case="hello program")),
    Figure("compile", (), "hello program, header-only, to one with fmt and `<future>`", 7, to("hello program", "fmt_future")),
    Figure("compile", (), "hello program, compiled mode: KB of its object", 200,
           lambda one: None if value("hello program, compiled mode, object")(one) is None
           else value("hello program, compiled mode, object")(one) / 1024),
]
