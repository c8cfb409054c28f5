#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""page_test.py SERVE_CANNED PROCPOOL_TOP SCENERY: the page in a browser. Skipped (77) where there is no Chromium."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from serving import LIMIT, Browser, Server

CANNED, TOP, SCENERY = sys.argv[1:4]
HOSTILE = ["<script>document.title = 'taken'</script>", "<img src=x onerror=\"document.title = 'taken'\">", "</td></table><b id=taken>", "\"'`${1}\\", "{{nonce}}", "\u202egnp\u0000\u2028"]


def worker_of(index, label, **changes):
    task = {"number": 100 + index, "label": label, "age": 1.5, "age_is_minimum": False, "items_done": None, "attempt": 0, "timeout": None}
    return {"index": index, "pid": 5000 + index, "state": "busy", "task": task, "tasks_done": 7, "rate": None, "uptime": 3.0, "resident_bytes": 10 << 20, "shared_bytes": 1 << 20,
            "cpu_seconds": 1.0, "cpu": None, **changes}


def pool_of(id_="1:1", name="render", labels=("one", "two"), **changes):
    ended = dict.fromkeys(("value", "exception", "worker died", "timed out", "cancelled", "terminated", "broken", "overwritten", "node lost"), 0)
    return {"id": id_, "name": name, "program": {"pid": 4000, "name": "demo"}, "supervisor": 4001, "state": "open", "reason": None, "paused": False, "reforking": False, "uptime": 4.0,
            "workers": {"wanted": len(labels), "living": len(labels), "busy": len(labels), "idle": 0, "starting": 0, "leaving": 0},
            "worker": [worker_of(index, label) for index, label in enumerate(labels)],
            "queue": {"capacity": 4096, "blocked": 2, "pending": 33, "running": len(labels), "ended": 0, "is_exact": True, "levels": [{"level": "3", "pending": 30, "blocked": 0}, {"level": "0", "pending": 3, "blocked": 2}]},
            "tasks": {"submitted": 99, "ended": {**ended, "value": 61, "timed out": 3}, "retried": 0, "rate": None}, "started": 2, "recycled": 0, "deaths": {"total": 1, "by_reason": {"SIGSEGV": 1}}, "waiting": None,
            "running": {"count": 61, "p50": 0.0001, "p95": 0.02, "p99": 1.5}, **changes}


class Page(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.file = pathlib.Path(self.folder.name, "snapshot")
        self.show([])
        self.server = Server(CANNED, "127.0.0.1:0", str(self.file))
        self.browser = Browser()
        self.addCleanup(self.clean)

    def clean(self):
        self.browser.__exit__()
        if self.server.process.poll() is None:
            self.assertEqual(self.server.stop(), 0)
        self.folder.cleanup()

    def show(self, pools, refused=(), **changes):
        """Each snapshot of it is a tenth of a second later than the one before."""
        text = json.dumps({"schema": 1, "time": "TIME", "host": "box", "took": 0.0002, "pools": pools, "refused": refused, **changes})
        new = pathlib.Path(f"{self.file}.new")
        new.write_text(text.replace("#", "\\u0023").replace('"TIME"', "#00e-3"))
        new.rename(self.file)

    def shows(self, text):
        self.browser.wait_for(f"document.body.textContent.includes({json.dumps(text)})")

    def text(self, selector):
        return self.browser.value(f"[...document.querySelectorAll({json.dumps(selector)})].map(element => element.textContent)")

    def test_it_shows_pools(self):
        self.browser.open(self.server.url)
        self.shows("No program of this user has a pool")
        self.show([pool_of(), pool_of("1:2", "other", ["three"] * 5, state="broken", reason="it was tired")], [{"pid": 77, "name": "strange", "why": "another version of procpool"}])
        self.browser.wait_for("document.querySelectorAll('.workers tbody tr').length === 7")
        self.assertEqual(self.text("h2 b"), ["render", "other"])
        self.assertEqual(self.text("h2 .chip"), ["open", "broken"])
        cells = self.text(".pool:first-child .workers tr:first-child td")
        self.assertEqual(cells[:7] + cells[8:9], ["0", "5000", "busy", "100", "one", "1.5 s", "10.0 MiB", "7"])
        self.assertEqual(self.text(".pool:first-child .levels td"), ["3", "30", "0", "0", "3", "2"])
        self.assertEqual(self.text(".pool:first-child .ends td"), ["value", "61", "timed out", "3"])
        self.assertEqual(self.text(".pool:first-child .small tbody tr:first-child td"), ["running", "100 µs", "20.0 ms", "1.5 s"])
        for text in "33", "2 running · 2 blocked", "64", "1 SIGSEGV", "2 of 2", "it was tired", "Not shown: strange (77): another version of procpool":
            self.shows(text)
        self.assertEqual(self.text("#link"), ["live"])
        self.show([pool_of("1:2", "other", ["four"])])  # the first pool has gone, and four workers of the second
        self.browser.wait_for("document.querySelector('.pool.gone b')?.textContent === 'render'")
        self.browser.wait_for("document.querySelectorAll('.pool:not(.gone) .workers tbody tr').length === 1")
        self.assertEqual(self.text("#refused li"), [])
        self.assertEqual(self.browser.troubles, [])

    def test_labels_are_text(self):
        self.browser.open(self.server.url)
        self.show([pool_of(name=HOSTILE[0], labels=HOSTILE, program={"pid": 1, "name": HOSTILE[1]}, reason=HOSTILE[2], deaths={"total": 1, "by_reason": {HOSTILE[1]: 1}})],
                  [{"pid": 1, "name": HOSTILE[1], "why": HOSTILE[0]}], host=HOSTILE[1])
        self.browser.wait_for(f"document.querySelectorAll('.workers tbody tr').length === {len(HOSTILE)}")
        self.assertEqual(self.text(".workers .label"), HOSTILE)
        self.browser.wait_for(f"document.querySelectorAll('.legend span').length === {len(HOSTILE)}")
        self.assertEqual(self.browser.value("document.querySelectorAll('#taken, img, script:not([nonce])').length"), 0)
        self.assertEqual(self.browser.value("[document.title, document.scripts.length]"), ["procpool-top", 1])
        self.assertEqual(self.browser.troubles, [])
        self.assertIn("TrustedHTML", self.browser.value("(() => { try { document.body.innerHTML = '<b>'; return 'taken'; } catch (error) { return String(error); } })()"))

    def test_the_timeline_has_what_workers_did(self):
        self.browser.open(self.server.url)
        self.show([pool_of(labels=["one", None])])
        painted = """(() => { const canvas = document.querySelector('canvas'); const pen = canvas.getContext('2d');
            return [20, 10].map(ago => [0, 1].map(lane => [...pen.getImageData(canvas.width - ago, lane * 24 + 4, 1, 1).data].join())); })()"""
        self.browser.wait_for("document.querySelectorAll('.legend span').length === 2")
        self.assertEqual(self.text(".legend span"), ["one", "tasks without a label"])
        (first, second), again = self.browser.value(painted)
        self.assertNotEqual(first, second)  # a colour each, from when they were started
        self.assertEqual([first, second], again)
        workers = [worker_of(0, "one"), worker_of(1, None, state="idle", task=None, pid=6001)]
        self.show([pool_of(worker=workers, deaths={"total": 2, "by_reason": {}})])
        self.browser.wait_for(f"JSON.stringify({painted}[1]) !== {json.dumps(json.dumps([first, second], separators=(',', ':')))}")
        self.assertEqual(self.browser.value(painted)[1][0], first)

    def test_it_goes_on_after_the_server_was_away(self):
        self.browser.open(self.server.url)
        self.show([pool_of()])
        self.shows("render")
        self.assertEqual(self.server.stop(), 0)
        self.shows("the connection is lost; trying again")
        self.show([pool_of(name="revived")])
        self.server = Server(CANNED, self.server.host, str(self.file))
        self.shows("revived")
        self.browser.wait_for("document.getElementById('link').textContent === 'live'")
        self.file.unlink()  # it answers, and has nothing
        self.shows("the connection is lost; trying again")
        self.show([pool_of(name="again")])
        self.shows("again")
        self.browser.wait_for("document.getElementById('link').textContent === 'live'")

    def test_it_knows_its_schema(self):
        self.browser.open(self.server.url)
        self.show([], schema=2)
        self.shows("load it again")


class Whole(unittest.TestCase):
    def test_a_programs_life(self):
        program = subprocess.Popen([SCENERY, "3"], stdin=subprocess.PIPE)
        server = Server(TOP, "--pid", str(program.pid), "--serve", "127.0.0.1:0")
        try:
            with Browser(scheme="dark") as browser:
                browser.open(server.url)
                browser.wait_for("document.querySelectorAll('.workers .busy').length === 3")
                self.assertEqual(browser.value("document.querySelector('h2 b').textContent"), "render")
                program.stdin.write(b"<b id=taken>\n")
                program.stdin.flush()
                browser.wait_for("[...document.querySelectorAll('.workers .label')].some(label => label.textContent === '<b id=taken>')")
                browser.wait_for("document.querySelector('.bad')?.textContent === '1'")
                browser.wait_for("document.body.textContent.includes('1 SIGABRT')")
                browser.wait_for("[...document.querySelectorAll('.legend span')].some(name => name.textContent === '<b id=taken>')")
                self.assertEqual(browser.value("document.querySelectorAll('#taken').length"), 0)
                program.stdin.close()
                self.assertEqual(program.wait(LIMIT), 0)
                browser.wait_for("document.querySelector('.pool.gone .chip')?.textContent === 'ended'")
                self.assertEqual(browser.troubles, [])
        finally:
            self.assertEqual(server.stop(), 0)
            program.kill()
            program.wait()


if __name__ == "__main__":
    if not Browser.command():
        print("skipped: there is no Chromium")
        sys.exit(77)
    try:
        with Browser():
            pass
    except (EOFError, OSError) as error:
        print(f"skipped: Chromium does not start here: {error}")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)
