#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""serve_pools_test.py PROCPOOL_TOP SCENERY: what is served of a program's pool is what it does, and goes on after its end."""

import json
import re
import signal
import subprocess
import sys
import unittest

from serving import LIMIT, Server, wait_until

TOP, SCENERY = sys.argv[1:3]

NUMBER = (int, float)
MAYBE_NUMBER = (int, float, type(None))
MAYBE_TEXT = (str, type(None))
TIMES = {"count": int, "p50": NUMBER, "p95": NUMBER, "p99": NUMBER}
ENDINGS = "value", "exception", "worker died", "timed out", "cancelled", "terminated", "broken", "overwritten", "node lost"
TASK = {"number": (int, type(None)), "label": MAYBE_TEXT, "age": MAYBE_NUMBER, "age_is_minimum": bool, "items_done": (int, type(None)), "attempt": (int, type(None)), "timeout": MAYBE_NUMBER}
WORKER = {"index": (int, type(None)), "pid": int, "state": ("starting", "idle", "busy", "leaving"), "task": (TASK, None), "tasks_done": int, "rate": MAYBE_NUMBER, "uptime": MAYBE_NUMBER,
          "resident_bytes": (int, type(None)), "shared_bytes": (int, type(None)), "cpu_seconds": MAYBE_NUMBER, "cpu": MAYBE_NUMBER}
POOL = {"id": str, "name": str, "program": {"pid": int, "name": MAYBE_TEXT}, "supervisor": int, "state": ("open", "closing", "terminated", "killed", "broken"), "reason": MAYBE_TEXT, "paused": bool,
        "reforking": bool, "uptime": NUMBER, "workers": dict.fromkeys(("wanted", "living", "busy", "idle", "starting", "leaving"), int), "worker": [WORKER],
        "queue": {**dict.fromkeys(("capacity", "blocked", "pending", "running", "ended"), int), "is_exact": bool, "levels": [{"level": str, "pending": int, "blocked": int}]},
        "tasks": {"submitted": int, "ended": dict.fromkeys(ENDINGS, int), "retried": int, "rate": MAYBE_NUMBER}, "started": int, "recycled": int,
        "deaths": {"total": int, "by_reason": dict}, "waiting": (TIMES, None), "running": (TIMES, None)}
SNAPSHOT = {"schema": int, "time": NUMBER, "host": str, "took": NUMBER, "pools": [POOL], "refused": [{"pid": int, "name": str, "why": str}]}


def check(value, schema, where="snapshot"):
    """Fails where the value is not of the schema: a type, several, words of which it is one, a list of what stands in it, or a dictionary; the last
    may also be None where None stands beside it."""
    if isinstance(schema, tuple) and isinstance(schema[0], dict):
        if value is not None:
            check(value, schema[0], where)
    elif isinstance(schema, tuple) and isinstance(schema[0], str):
        assert value in schema, (where, value)
    elif isinstance(schema, list):
        for place, one in enumerate(value):
            check(one, schema[0], f"{where}[{place}]")
    elif isinstance(schema, dict):
        assert isinstance(value, dict) and value.keys() >= schema.keys(), (where, value)
        for name, one in schema.items():
            check(value[name], one, f"{where}.{name}")
    else:
        assert isinstance(value, schema) and (schema is bool or not isinstance(value, bool) or bool in schema), (where, value)
        assert not isinstance(value, (int, float)) or value >= 0, (where, value)


class Pools(unittest.TestCase):
    def setUp(self):
        self.server = Server(TOP, "--serve", "127.0.0.1:0")
        self.program = subprocess.Popen([SCENERY, "3"], stdin=subprocess.PIPE)
        self.addCleanup(self.end)

    def end(self):
        self.program.stdin.close()
        self.assertIn(self.program.wait(LIMIT), (0, -signal.SIGKILL))
        self.assertEqual(self.server.stop(), 0)

    def pool(self, snapshot=None):
        """Returns: what the snapshot says of the program's pool; None: nothing."""
        snapshot = json.loads(snapshot or self.server.get("/snapshot.json")[2])
        check(snapshot, SNAPSHOT)
        return next((pool for pool in snapshot["pools"] if pool["program"]["pid"] == self.program.pid), None)

    def busy_pool(self):
        return wait_until(lambda: (pool := self.pool()) and pool["workers"]["busy"] == 3 and pool, "three busy workers")

    def test_snapshots(self):
        pool = self.busy_pool()
        self.assertEqual((pool["name"], pool["state"], pool["workers"]["wanted"], pool["started"]), ("render", "open", 3, 3))
        self.assertEqual([worker["index"] for worker in pool["worker"]], [0, 1, 2])
        labels = [worker["task"]["label"] for worker in pool["worker"] if worker["task"]]
        self.assertTrue(all(re.fullmatch(r"(frame|denoise) \d+|thumbnails|upload", label) for label in labels), labels)
        for worker in pool["worker"]:
            with open(f"/proc/{worker['pid']}/stat", encoding="utf-8") as stat:
                self.assertEqual(int(stat.read().rsplit(")", 1)[1].split()[1]), pool["supervisor"])
        wait_until(lambda: sum(self.pool()["tasks"]["ended"].values()) > 20, "tasks that end")
        pool = wait_until(lambda: (pool := self.pool())["running"] and pool, "percentiles")
        self.assertLessEqual(pool["running"]["p50"], pool["running"]["p99"])

    def test_metrics(self):
        self.busy_pool()
        status, fields, body = self.server.get("/metrics")
        self.assertEqual((status, fields["content-type"].split(";")[0]), (200, "text/plain"))
        name, quoted = r"[a-z_]+", r'"(?:[^"\\\n]|\\[\\n"])*"'
        line = re.compile(rf"# (HELP|TYPE) {name} .*|{name}(\{{{name}={quoted}(,{name}={quoted})*\}})? [-+0-9.einfEINFaN]+")
        lines = body.decode().splitlines()
        for one in lines:
            self.assertTrue(line.fullmatch(one), one)
        ours = [one for one in lines if 'pool="render"' in one]
        for metric in "procpool_workers", "procpool_tasks_total", "procpool_queue_tasks", "procpool_task_seconds_bucket", "procpool_wait_seconds_bucket", "procpool_resident_bytes":
            self.assertTrue([one for one in ours if one.startswith(metric + "{")], (metric, ours))

    def test_events(self):
        first = self.busy_pool()
        stream = self.server.events()
        pools = [self.pool(next(stream)) for _ in range(10)]
        self.assertEqual({pool["id"] for pool in pools}, {first["id"]})
        ended = [sum(pool["tasks"]["ended"].values()) for pool in pools]
        self.assertEqual(sorted(ended), ended)
        uptimes = [pool["uptime"] for pool in pools]
        self.assertEqual(sorted(set(uptimes)), uptimes)
        self.program.stdin.write(b"<script>\x01\xff\xc3\xa4\n")
        self.program.stdin.flush()
        for event in stream:
            if [worker for worker in self.pool(event)["worker"] if worker["task"] and worker["task"]["label"] == "<script>\x01\ufffd\u00e4"]:
                break
        for event in stream:  # and that crashes
            if self.pool(event)["deaths"] == {"total": 1, "by_reason": {"SIGABRT": 1}}:
                break
        for event in stream:
            pool = self.pool(event)
            if pool["started"] == 4 and pool["workers"]["living"] == 3:
                break
        stream.close()

    def test_it_goes_on_after_the_program(self):
        self.busy_pool()
        stream = self.server.events()
        next(stream)
        self.program.kill()
        for event in stream:
            if not self.pool(event):
                break
        for _ in range(3):
            self.assertIsNone(self.pool(next(stream)))
        stream.close()
        self.assertEqual([self.server.get(path)[0] for path in ("/", "/snapshot.json", "/metrics")], [200] * 3)
        self.program.wait(LIMIT)
        self.program.stdin.close()
        self.program = subprocess.Popen([SCENERY, "3"], stdin=subprocess.PIPE)
        self.busy_pool()

    def test_it_is_told_of_one_program(self):
        self.busy_pool()
        other = subprocess.Popen([SCENERY, "1"], stdin=subprocess.PIPE)
        server = Server(TOP, "--pid", str(self.program.pid), "--serve", "127.0.0.1:0")
        try:
            wait_until(lambda: f'"pid": {other.pid}'.encode() in self.server.get("/snapshot.json")[2] or f'"pid":{other.pid}'.encode() in self.server.get("/snapshot.json")[2], "both programs")
            snapshot = json.loads(server.get("/snapshot.json")[2])
            self.assertEqual([pool["program"]["pid"] for pool in snapshot["pools"]], [self.program.pid])
        finally:
            self.assertEqual(server.stop(), 0)
            other.stdin.close()
            other.wait(LIMIT)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
