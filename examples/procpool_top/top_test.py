# SPDX-License-Identifier: BSL-1.0
"""procpool-top beside a program whose pool holds tasks: python3 top_test.py PROCPOOL_TOP SUBJECT [NAME OF A TEST ...]"""

import fcntl
import json
import math
import os
import pty
import random
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import unittest

TOP, SUBJECT = sys.argv[1:3]
LIMIT = 60  # seconds, for what takes milliseconds


def top(*arguments, status=0, **more):
    done = subprocess.run([TOP, *arguments], capture_output=True, timeout=LIMIT, **more)
    if done.returncode != status:
        raise AssertionError(f"{arguments}: status {done.returncode}: {done.stderr}")
    return done.stdout.decode("utf-8")  # which fails where it is no UTF-8


def document(*arguments, **more):
    text = top("--json", *arguments, **more)
    assert text.count("\n") == 1 and text.endswith("\n"), text
    return json.loads(text)


class Subject:
    """The program, which holds its tasks until it is told to go on."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([SUBJECT, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.process.pid
        self.said = self.until(b"end\n")

    def until(self, last):
        lines = []
        while line := self.process.stdout.readline():
            lines.append(line)
            if line == last:
                return b"".join(lines)
        raise AssertionError(f"the program has ended: {lines}")

    def tell(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        if self.process.poll() is None:
            try:
                self.process.wait(LIMIT)
            finally:
                self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def pools(self, *arguments):
        return document("--pid", str(self.pid), *arguments)["pools"]


# ---- the text format of Prometheus, as strictly as its description has it

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"'
SAMPLE = re.compile(rf"^({NAME})(?:\{{((?:{LABEL},?)*)\}})? (\S+)(?: -?\d+)?$")


def parse(text):
    """Returns: {family: (type, [(name, labels, value), ...])}"""
    assert text.endswith("\n")
    families = {}
    current = None
    seen = set()
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert re.fullmatch(NAME, name) and name not in families, line
            current = name
            families[name] = [None, []]
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current and families[name] == [None, []], line
            assert kind in ("counter", "gauge", "histogram"), line
            families[name][0] = kind
        else:
            found = SAMPLE.match(line)
            assert found, line
            name, labels, value = found.group(1), found.group(2) or "", found.group(5)
            pairs = re.findall(LABEL, labels)
            assert ",".join(f'{key}="{text}"' for key, text in pairs) == labels, line
            assert len({key for key, _ in pairs}) == len(pairs), line
            pairs = tuple((key, re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)) for key, text in pairs)
            kind = families[current][0]
            suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            assert name in [current + suffix for suffix in suffixes], line
            assert (name, pairs) not in seen, line
            seen.add((name, pairs))
            assert math.isfinite(float(value)) and float(value) >= 0, line
            families[current][1].append((name, dict(pairs), float(value)))
    for name, (kind, samples) in families.items():
        if kind == "histogram":
            check_histogram(name, samples)
    return families


def check_histogram(name, samples):
    groups = {}
    for one, labels, value in samples:
        rest = tuple(sorted((key, text) for key, text in labels.items() if key != "le"))
        group = groups.setdefault(rest, {"buckets": []})
        if one == name + "_bucket":
            group["buckets"].append((float(labels["le"]), value))
        else:
            group[one] = value
    for group in groups.values():
        buckets = group["buckets"]
        assert buckets == sorted(buckets) and [count for _, count in buckets] == sorted(count for _, count in buckets)
        assert buckets[-1] == (math.inf, group[name + "_count"])
        assert name + "_sum" in group


def value_of(families, family, **labels):
    found = [value for _, its, value in families[family][1] if labels.items() <= its.items()]
    assert len(found) == 1, (family, labels, families[family])
    return found[0]


POOL = 'subject "\\\n\ufffd'


class Terminal:
    """The tool on a terminal, as a job of a shell that continues it at the next line when it is stopped."""

    def __init__(self, arguments, rows=24):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            try:
                os._exit(self.shell([TOP, *arguments], rows))
            finally:
                os._exit(99)

    @staticmethod
    def shell(command, rows):
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))
        before = termios.tcgetattr(0)
        told, tell = os.pipe()
        job = os.fork()
        if job == 0:
            os.read(told, 1)
            os.execv(TOP, command)
        os.setpgid(job, job)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # a shell may use the terminal that a job has
        os.tcsetpgrp(0, job)
        os.write(tell, b".")
        while True:
            status = os.waitpid(job, os.WUNTRACED)[1]
            if not os.WIFSTOPPED(status):
                return os.waitstatus_to_exitcode(status)
            os.tcsetpgrp(0, os.getpgrp())
            print("the terminal is", "as before" if termios.tcgetattr(0) == before else "changed", flush=True)
            sys.stdin.readline()
            os.tcsetpgrp(0, job)
            os.killpg(job, signal.SIGCONT)

    def until(self, part):
        """All that it shows up to this part; no more than that is taken."""
        shown = b""
        while not shown.endswith(part):
            if not select.select([self.terminal], [], [], LIMIT)[0]:
                raise AssertionError(shown)
            try:
                shown += os.read(self.terminal, 1)
            except OSError:  # it has ended
                raise AssertionError(shown) from None
        return shown

    def write(self, keys):
        os.write(self.terminal, keys)

    def status(self):
        pid, self.pid = self.pid, 0
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.terminal)  # which hangs up whoever is there
        if self.pid != 0:
            os.waitpid(self.pid, 0)


class Top(unittest.TestCase):
    def setUp(self):
        self.before = set(os.listdir("/proc/self/fd"))

    def test_json_says_what_the_pool_does(self):
        with Subject() as subject:
            (pool,) = subject.pools()
            self.assertEqual(pool["name"], POOL)
            self.assertEqual(pool["program"], {"pid": subject.pid, "name": "procpool-top-su"[:15]})
            self.assertEqual(pool["state"], "open")
            self.assertEqual(pool["workers"],
                             {"wanted": 2, "living": 2, "busy": 2, "idle": 0, "starting": 0, "leaving": 0})
            workers = pool["worker"]
            self.assertEqual([one["index"] for one in workers], [0, 1])
            tasks = sorted((one["task"] for one in workers), key=lambda task: task["number"])
            self.assertEqual([task["number"] for task in tasks], [23, 24])
            self.assertEqual(tasks[0]["label"], 'first "\\\x01\n\ufffd \u00e4')
            self.assertIsNone(tasks[1]["label"])
            self.assertEqual([task["timeout"] for task in tasks], [None, 3600])
            for task in tasks:
                self.assertTrue(0 < task["age"] < LIMIT)
                self.assertFalse(task["age_is_minimum"])
            for one in workers:
                self.assertTrue(os.path.isdir(f"/proc/{one['pid']}"))
                self.assertTrue(0 < one["shared_bytes"] <= one["resident_bytes"])
            self.assertEqual(pool["queue"], {
                "capacity": 4096, "blocked": 0, "pending": 3, "running": 2, "ended": 3, "is_exact": True,
                "levels": [{"level": "2", "pending": 2, "blocked": 0}, {"level": "0", "pending": 1, "blocked": 0}]})
            ended = pool["tasks"]["ended"]
            self.assertEqual({name: count for name, count in ended.items() if count},
                             {"value": 20, "exception": 1, "worker died": 1, "cancelled": 1})
            self.assertEqual(len(ended), 10)
            self.assertEqual(pool["tasks"]["submitted"], 28)
            self.assertEqual((pool["started"], pool["deaths"]), (3, {"total": 1, "by_reason": {"exit": 1}}))
            self.assertEqual(pool["running"]["count"], 21)
            self.assertTrue(0 < pool["running"]["p50"] <= pool["running"]["p95"] <= pool["running"]["p99"] < LIMIT)

    def test_it_finds_the_program_by_any_of_its_processes(self):
        with Subject() as subject, Subject() as other:
            (pool,) = subject.pools()
            for pid in (pool["supervisor"], pool["worker"][0]["pid"]):
                self.assertEqual([one["id"] for one in document("--pid", str(pid))["pools"]], [pool["id"]])
            self.assertEqual(document("--pid", str(os.getpid()))["pools"], [])
            everything = {one["id"] for one in document()["pools"]}
            self.assertTrue({pool["id"], other.pools()[0]["id"]} <= everything)

    def test_lines_follow_each_other_with_rates_and_ages(self):
        with Subject("--plain") as subject:
            watch = subprocess.Popen([TOP, "--json", "--interval", "0.05", "--pid", str(subject.pid)],
                                     stdout=subprocess.PIPE)
            first = json.loads(watch.stdout.readline())["pools"][0]
            self.assertIsNone(first["tasks"]["rate"])
            self.assertIsNone(first["waiting"])
            second = json.loads(watch.stdout.readline())["pools"][0]
            self.assertEqual(second["id"], first["id"])
            self.assertEqual(second["tasks"]["rate"], 0)
            self.assertEqual([one["rate"] for one in second["worker"]], [0, 0])
            while any(one["cpu"] is None for one in second["worker"]):  # /proc is asked twice a second
                second = json.loads(watch.stdout.readline())["pools"][0]
            subject.tell()  # its tasks and then itself end
            last = {"pools": [second]}
            for line in watch.stdout:
                last = json.loads(line)
                if not last["pools"]:
                    break
            self.assertEqual(last["pools"], [])
            self.assertEqual(last["refused"], [])
            watch.send_signal(signal.SIGTERM)
            self.assertEqual(watch.wait(LIMIT), 0)
            watch.stdout.close()

    def test_a_refork_keeps_the_pool_in_sight(self):
        with Subject("--refork") as subject:
            (before,) = subject.pools()
            subject.tell()
            subject.until(b"reforked\n")
            (after,) = subject.pools()
            self.assertEqual(after["id"], before["id"])
            self.assertNotEqual(after["supervisor"], before["supervisor"])

    def test_prometheus_of_the_tool_and_of_the_pool(self):
        with Subject("--prometheus") as subject:
            own = parse(subject.said.decode("utf-8").partition("\n")[2].removesuffix("end\n"))
            seen = parse(top("--prometheus", "--pid", str(subject.pid)))
            self.assertEqual(list(own), list(seen))
            self.assertEqual(list(own), [
                "procpool_workers", "procpool_tasks_total", "procpool_queue_tasks", "procpool_task_seconds",
                "procpool_wait_seconds", "procpool_worker_deaths_total", "procpool_resident_bytes"])
            for families in (own, seen):
                self.assertEqual(value_of(families, "procpool_workers", pool=POOL, state="busy"), 2)
                self.assertEqual(value_of(families, "procpool_workers", pool=POOL, state="idle"), 0)
                self.assertEqual(value_of(families, "procpool_tasks_total", end="value"), 20)
                self.assertEqual(value_of(families, "procpool_tasks_total", end="worker died"), 1)
                self.assertEqual(len(families["procpool_tasks_total"][1]), 10)
                self.assertEqual(value_of(families, "procpool_queue_tasks", phase="pending"), 3)
                self.assertEqual(value_of(families, "procpool_worker_deaths_total", reason="exit"), 1)
                self.assertTrue(value_of(families, "procpool_resident_bytes", worker="1") > 0)
                counts = [value for name, _, value in families["procpool_task_seconds"][1] if name.endswith("_count")]
                self.assertEqual(counts, [21])
            self.assertEqual(set(own["procpool_workers"][1][0][1]), {"pool", "state"})

    def test_text_has_no_control_characters_and_all_that_matters(self):
        with Subject() as subject:
            text = top("--once", "--pid", str(subject.pid))
            self.assertEqual(top("--pid", str(subject.pid)).count("\n"), text.count("\n"))  # no terminal
            self.assertNotRegex(text.replace("\n", ""), r"[\x00-\x1f\x7f-\x9f]")
            for part in (r'pool "subject "\\n\xff"', r'#23 first "\\x01\n\xfe ' + "\u00e4", "#24", "20 value",
                         "1 worker died", "3 pending", "deaths: 1 exit", "2 of priority 2"):
                self.assertIn(part, text)

    def test_the_terminal_is_as_before_after_q(self):
        with Subject() as subject, Terminal(["--pid", str(subject.pid), "--interval", "0.05"]) as terminal:
            shown = terminal.until(b"\x1b[H")
            self.assertTrue(shown.startswith(b"\x1b[?1049h\x1b[?25l"), shown)
            terminal.until(b"20 value")
            terminal.write(b"xq")
            terminal.until(b"\x1b[?25h\x1b[?1049l")
            self.assertEqual(terminal.status(), 0)

    def test_the_shell_has_the_terminal_while_it_is_stopped(self):
        with Subject() as subject, Terminal(["--pid", str(subject.pid), "--interval", "0.05"]) as terminal:
            terminal.until(b"20 value")
            for _ in range(2):
                terminal.write(b"\x1a")
                terminal.until(b"\x1b[?25h\x1b[?1049l")
                terminal.until(b"the terminal is as before")
                terminal.write(b"\n")
                terminal.until(b"\x1b[?1049h\x1b[?25l")
                terminal.until(b"20 value")
            terminal.write(b"q")
            self.assertEqual(terminal.status(), 0)

    def test_keys_choose_what_is_seen_of_a_long_list(self):
        with Subject() as subject, Terminal(["--pid", str(subject.pid), "--interval", "60"], rows=6) as terminal:
            first = terminal.until(b"others\x1b[K\x1b[J")
            whole = int(re.search(rb"lines 2 to 5 of (\d+); j", first)[1])
            self.assertGreater(whole, 8)
            self.assertEqual(first.count(b"\r\n"), 5)
            for keys, lines in ((b"k", (2, 5)), (b"j", (3, 6)), (b"\x1b[Bj", (5, 8)), (b"\x1b[A", (4, 7)), (b"b", (2, 5)),
                                (b" ", (5, 8)), (b"\x1b[5~", (2, 5)), (b" " * whole, (whole - 3, whole)),
                                (b"j", (whole - 3, whole))):
                terminal.write(keys)
                shown = terminal.until(b"others\x1b[K\x1b[J")
                self.assertIn(b"lines %d to %d of %d;" % (*lines, whole), shown)
                self.assertIn(b"procpool-top", shown)
            terminal.write(b"q")
            self.assertEqual(terminal.status(), 0)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_another_users_program_is_told(self):
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        # Where the program lies nobody else may look.
        with Subject() as subject, tempfile.TemporaryDirectory() as folder, open(TOP, "rb") as file:
            copy = os.path.join(folder, "procpool-top")
            with open(copy, "wb") as to:
                to.write(file.read())
            os.chmod(copy, 0o755)
            os.chmod(folder, 0o755)

            def run(*arguments):
                done = subprocess.run([copy, *arguments], capture_output=True, timeout=LIMIT, cwd="/", **nobody)
                self.assertEqual(done.returncode, 0, done.stderr)
                return done.stdout.decode("utf-8")

            everything = json.loads(run("--json"))
            self.assertNotIn(subject.pid, [pool["program"]["pid"] for pool in everything["pools"]])
            self.assertGreater(everything["hidden_processes"], 0)
            self.assertIn("of other users cannot be looked at", run("--once"))
            supervisor = subject.pools()[0]["supervisor"]
            for pid in (subject.pid, supervisor):
                seen = json.loads(run("--json", "--pid", str(pid)))
                self.assertEqual(seen["pools"], [])
                self.assertEqual([(one["pid"], one["why"]) for one in seen["refused"]],
                                 [(pid, "it belongs to another user")])
            self.assertIn("it belongs to another user", run("--once", "--pid", str(subject.pid)))

    def test_what_only_says_that_it_is_a_pool_is_told(self):
        fake = os.memfd_create("procpool:fake", os.MFD_CLOEXEC)

        def refusal():
            seen = document("--pid", str(os.getpid()))
            self.assertEqual(seen["pools"], [])
            return [one["why"] for one in seen["refused"]]

        self.assertEqual(refusal(), ["its memory is smaller than a pool's"])
        os.ftruncate(fake, 1 << 50)  # as far as it may be large
        self.assertEqual(refusal(), [])
        os.pwrite(fake, b"\xdb\x6c\x70\x42\x6f\x61\x64\x01", 0)
        self.assertEqual(refusal(), ["its memory is no pool's"])
        os.pwrite(fake, (0x64616F4270706CDB).to_bytes(8, sys.byteorder), 0)
        self.assertEqual(refusal(), ["another version of procpool, or another compiler's"])
        self.assertIn("cannot be shown: another version", top("--once", "--pid", str(os.getpid())))
        parse(top("--prometheus", "--pid", str(os.getpid())))
        os.close(fake)

    def test_a_program_that_is_killed_meanwhile_is_gone(self):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        chance = random.Random(seed)
        watch = subprocess.Popen([TOP, "--json", "--interval", "0.01"], stdout=subprocess.PIPE)
        for _ in range(8):
            with Subject() as subject:
                reads = chance.randrange(30)
                for _ in range(reads):
                    json.loads(watch.stdout.readline())
                subject.process.kill()
                while any(pool["program"]["pid"] == subject.pid for pool in json.loads(watch.stdout.readline())["pools"]):
                    pass
        watch.terminate()
        self.assertEqual(watch.wait(LIMIT), 0)
        watch.stdout.close()

    def test_a_program_whose_files_are_small_is_not_seen_and_works(self):
        done = subprocess.run([SUBJECT, "--bare"], capture_output=True, timeout=LIMIT,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)))
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        parse(done.stdout.decode("utf-8"))

    def test_mistakes_are_told(self):
        for arguments in (["--nonsense"], ["--pid"], ["--pid", "x"], ["--pid", "-1"], ["--interval", "0", "--json"],
                          ["--interval", "nan", "--json"], ["--json", "--once"]):
            done = subprocess.run([TOP, *arguments], capture_output=True, timeout=LIMIT)
            self.assertEqual((done.returncode, done.stdout), (2, b""), arguments)
            self.assertRegex(done.stderr, rb"\Aprocpool-top: .+\n\Z")
        self.assertIn("--json", top("--help"))
        self.assertRegex(top("--version"), r"\Aprocpool-top \d+\.\d+\.\d+\n\Z")

    def test_looking_costs_little(self):
        with Subject() as subject:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            watch = subprocess.Popen([TOP, "--json", "--interval", "0.05", "--pid", str(subject.pid)],
                                     stdout=subprocess.PIPE)
            lines = 20
            for _ in range(lines):
                watch.stdout.readline()
            watch.terminate()
            watch.wait(LIMIT)
            watch.stdout.close()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"{1e3 * used / lines:.2f} ms of processor time for each snapshot", flush=True)
            self.assertLess(used / lines, 0.02)

    def tearDown(self):
        self.assertEqual(set(os.listdir("/proc/self/fd")), self.before)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
