#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""serve_test.py SERVE_CANNED SERVE_LEFT_OUT: the server answers what it should and nothing else, and goes on whatever its clients do.
The seed of the garbage is printed; PROCPOOL_GARBAGE_SEED sends the same again."""

import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from serving import LIMIT, Server, parts_of, wait_until

CANNED, LEFT_OUT = sys.argv[1:3]
PATHS = ("/", "/snapshot.json", "/metrics", "/events")


class Serving(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.snapshot = pathlib.Path(self.folder.name, "snapshot")
        self.snapshot.write_text('{"number": #}')
        self.server = Server(CANNED, "127.0.0.1:0", str(self.snapshot))
        self.descriptors = self.server.descriptors()

    def tearDown(self):
        self.serves()
        wait_until(lambda: self.server.descriptors() == self.descriptors, "the end of all connections")
        self.assertEqual(self.server.stop(), 0)
        self.folder.cleanup()

    def serves(self):
        self.assertEqual(self.server.get("/")[0], 200)

    def snapshots(self):
        return int(self.server.get("/metrics")[2].split()[1]) - 1_000_000

    def test_it_answers(self):
        status, fields, body = self.server.get("/")
        self.assertEqual((status, fields["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertIn(b"<title>procpool-top</title>", body)
        policy = fields["content-security-policy"]
        nonce = policy.split("script-src 'nonce-")[1].split("'")[0]
        self.assertTrue(policy.startswith("default-src 'none'; "), policy)
        self.assertEqual(body.count(f'nonce="{nonce}"'.encode()), 2)
        self.assertNotIn(b"{{", body)
        self.assertNotIn(nonce.encode(), self.server.get("/")[2])
        for path, kind in ("/snapshot.json", "application/json"), ("/metrics", "text/plain; version=0.0.4; charset=utf-8"), ("/metrics?a=b", "text/plain; version=0.0.4; charset=utf-8"):
            status, fields, body = self.server.get(path)
            self.assertEqual((status, fields["content-type"]), (200, kind))
            self.assertEqual(int(fields["content-length"]), len(body))
        self.assertEqual(json.loads(self.server.get("/snapshot.json")[2]).keys(), {"number"})
        for path in "/", "/snapshot.json", "/metrics", "/nowhere":
            fields = self.server.get(path)[1]
            self.assertEqual((fields["cache-control"], fields["x-content-type-options"]), ("no-store", "nosniff"))
            self.assertTrue(fields["content-security-policy"].startswith("default-src 'none'"))
            self.assertFalse([name for name in fields if name.startswith("access-control")])

    def test_ordinary_clients_get_answers(self):
        client = http.client.HTTPConnection(*self.server.address, timeout=LIMIT)
        for _ in range(3):  # each time by a new connection
            client.request("GET", "/metrics")
            self.assertTrue(client.getresponse().read().startswith(b"snapshots "))
        client.close()

    def test_there_is_nothing_else(self):
        for path in ("/nowhere", "/page.html", "/../../../etc/passwd", "/..%2f..%2fetc/passwd", "//", "/snapshot.json/", "/events/1", "/.", "*", "http://127.0.0.1/metrics", "/%2e", "/Metrics"):
            self.assertEqual(self.server.get(path)[0], 404, path)
        for method in "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "FOO":
            for path in PATHS:
                status, fields, _ = self.server.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                self.assertEqual((status, fields.get("allow")), (405, "GET"), method)
        for body in "Content-Length: 5\r\n\r\nhello", "Content-Length: 1000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n":
            self.assertEqual(self.server.send(f"POST / HTTP/1.1\r\nHost: localhost\r\n{body}".encode() + b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")[0], 405)
        status, _, body = self.server.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
        self.assertEqual((status, body.count(b"snapshots")), (200, 1))  # one request a connection

    def test_only_names_of_the_loopback_are_answered(self):
        for host in "127.0.0.1", "localhost", "LocalHost:9", "[::1]", "[::1]:65535", self.server.host:
            self.assertEqual(self.server.get("/metrics", Host=host)[0], 200, host)
        for host in "example.org", "127.0.0.1.example.org", "localhost.example.org:80", "127.0.0.2", "0.0.0.0", "[::]", "::1", "localhost:80.example.org", "localhost@example.org", "example.org:127.0.0.1", "":
            for path in PATHS:
                self.assertEqual(self.server.get(path, Host=host)[0], 403, host)
        self.assertEqual(self.server.send(b"GET / HTTP/1.1\r\n\r\n")[0], 400)
        self.assertEqual(self.server.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: example.org\r\n\r\n")[0], 400)

    def test_no_page_of_another_site_is_answered(self):
        for site in "cross-site", "same-site":
            for path in PATHS[1:]:
                self.assertEqual(self.server.get(path, Sec_Fetch_Site=site)[0], 403)
            self.assertEqual(self.server.get("/", Sec_Fetch_Site=site)[0], 200)  # a link to it
        for site in "same-origin", "none":
            self.assertEqual(self.server.get("/snapshot.json", Sec_Fetch_Site=site)[0], 200)

    def test_large_headers_are_refused(self):
        self.assertEqual(self.server.get("/metrics", X="a" * 7000)[0], 200)
        for size in 9_000, 20_000, 3_000_000:
            self.assertEqual(self.server.get("/metrics", X="a" * size)[0], 431)
            self.assertEqual(self.server.get("/" + "a" * size)[0], 431)
        self.assertEqual(self.server.get("/metrics", **{f"X{i}": "a" for i in range(3000)})[0], 431)

    def test_events_come_ten_times_a_second_for_all(self):
        began = time.monotonic()
        streams = [self.server.events() for _ in range(5)]
        seen = [[json.loads(next(stream))["number"] for stream in streams] for _ in range(8)]
        elapsed = time.monotonic() - began
        self.assertGreaterEqual(elapsed, 0.7)
        self.assertLessEqual(self.snapshots(), elapsed / 0.1 + 3)  # for five clients
        for numbers in zip(*seen):
            self.assertEqual(sorted(set(numbers)), list(numbers))
        for stream in streams:
            stream.close()

        def has_stopped():
            numbers = self.snapshots()
            time.sleep(0.3)
            return self.snapshots() == numbers

        wait_until(has_stopped, "the last snapshot, when nobody listens")
        stream = self.server.events()  # and again
        self.assertGreater(json.loads(next(stream))["number"], seen[-1][0])
        stream.close()

    def test_events_carry_any_text(self):
        for text in '{"label": "<script>alert(1)</script>\\u0000\\u2028"}', '{\n"a":\r\n[1,\n\n\n2]\n}', "data: x", "", "{}\n\n\nevent: x\nid: 7\n\n", "é" * 300_000:
            self.snapshot.write_text(text)
            stream = self.server.events()
            wait_until(lambda: next(stream).decode() == text.replace("\r", ""), repr(text[:40]))
            stream.close()
        self.snapshot.write_text("é" * 3_000_000)  # comes in many pieces
        stream = self.server.events(self.server.connect(receive_buffer=4096))
        for _ in range(2):
            self.assertTrue(next(stream).decode() == "é" * 3_000_000)
        stream.close()

    def test_a_source_that_fails_is_told(self):
        stream = self.server.events()
        next(stream)
        self.snapshot.rename(f"{self.snapshot}.away")
        for _ in stream:  # ends
            pass
        status, _, body = wait_until(lambda: (answer := self.server.get("/snapshot.json"))[0] == 500 and answer, "the failure")
        self.assertEqual(body, b"there is no such file\n")
        pathlib.Path(f"{self.snapshot}.away").rename(self.snapshot)
        self.assertEqual(self.server.get("/snapshot.json")[0], 200)

    def test_clients_that_do_not_go_on_are_dropped(self):
        self.snapshot.write_text('{"number": #, "padding": "' + "x" * 4_000_000 + '"}')
        halves = [self.server.connect() for _ in range(8)]
        for half, request in zip(halves, (b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", b"\r\n\r\n\r", b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r", b"\0", b"GET  ")):
            half.sendall(request)
        slow = [self.server.connect(receive_buffer=4096) for _ in range(4)]
        for path, reader in zip(("/events", "/events", "/snapshot.json", "/events"), slow):
            reader.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        stream = self.server.events()
        numbers = [json.loads(next(stream))["number"] for _ in range(5)]  # others go on
        self.assertEqual(sorted(set(numbers)), numbers)
        resident = int(pathlib.Path(f"/proc/{self.server.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        self.assertLess(resident, 200_000_000)
        for half in halves:
            self.assertIn(parts_of(half.recv(1 << 16))[0], (None, 400))  # the end comes by itself
            half.close()
        stream.close()
        wait_until(lambda: self.server.descriptors() == self.descriptors, "the end of those who do not read")
        for reader in slow:
            reader.close()

    def test_there_is_room_for_some_connections(self):
        with contextlib.ExitStack() as crowd:
            clients = [crowd.enter_context(self.server.connect()) for _ in range(200)]
            told = [client for client in clients if parts_of(client.recv(4096))[0] == 503]  # the others see the end, when their time is up
            self.assertGreater(len(told), 0)
        with contextlib.ExitStack() as crowd:
            for _ in range(200):
                crowd.enter_context(self.server.connect())
                self.assertLessEqual(self.server.descriptors(), self.descriptors + 64 + 1)  # with one that is turned away
        wait_until(lambda: self.server.get("/")[0] == 200, "room again")

    def test_garbage_does_no_harm(self):
        seed = int(os.environ.get("PROCPOOL_GARBAGE_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"garbage by PROCPOOL_GARBAGE_SEED={seed}", flush=True)
        dice = random.Random(seed)
        requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode() for path in PATHS]
        requests.append(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")
        for number in range(1000):
            kind = dice.randrange(4)
            bytes_ = dice.randbytes(dice.randrange(1, 2000))
            if kind > 0:
                changed = bytearray(dice.choice(requests))
                for _ in range(dice.randrange(1, 6)):
                    at = dice.randrange(len(changed))
                    changed[at:at + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
                    changed = changed or bytearray(b"\n")
                bytes_ = bytes(changed) if kind < 3 else bytes(changed[:dice.randrange(len(changed))])
            with self.server.connect() as client:
                try:
                    client.sendall(bytes_)
                    if dice.randrange(4) == 0:  # ends in a reset
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    else:
                        client.shutdown(socket.SHUT_WR)
                        answer = client.recv(1 << 16)
                        self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 "), answer)
                except ConnectionError:
                    pass
            if number % 50 == 0:
                self.serves()

    def test_other_users_are_refused(self):
        python = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")  # which others may run
        if os.geteuid() != 0 or not python:
            self.skipTest("only root can become another user")
        code = ("import os, sys, urllib.request, urllib.error\nos.setgid(65534)\nos.setuid(65534)\n"
                "try: print(urllib.request.urlopen(sys.argv[1]).status)\nexcept urllib.error.HTTPError as error: print(error.code)\n")
        for path in PATHS:
            asked = subprocess.run([python, "-c", code, self.server.url + path[1:]], capture_output=True, text=True, timeout=LIMIT)
            self.assertEqual(asked.stdout, "403\n", asked.stderr)


class Starting(unittest.TestCase):
    def refused(self, address, why, program=None):
        tried = subprocess.run([program or CANNED, address, "/dev/null"], capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual((tried.returncode, tried.stdout), (2, ""), address)
        self.assertIn(why, tried.stderr)
        self.assertTrue(tried.stderr.startswith("procpool-top: "))
        self.assertEqual(tried.stderr.count("\n"), 1)

    def test_only_this_machine_is_served(self):
        for address in ("0.0.0.0:8080", "192.168.1.1:80", "[::]:80", "example.org:80", ":80", "8080", "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:8x", "127.0.0.2:80", "localhost.example.org:80", "127.0.0.1:80:80", "[::1]"):
            self.refused(address, "for this machine only")

    def test_a_port_in_use_is_told(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            address = f"127.0.0.1:{other.getsockname()[1]}"
            self.refused(address, f"cannot serve at {address}: Address already in use")

    def test_names_of_the_loopback(self):
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::1", 0))
                addresses = ["localhost:0", "[::1]:0", "::1:0"]
            except OSError:
                addresses = ["localhost:0"]
        for address in addresses:
            server = Server(CANNED, address, "/dev/null")
            self.assertEqual(server.get("/")[0], 200)
            self.assertEqual(server.stop(), 0)

    def test_signals_end_it(self):
        for by in signal.SIGINT, signal.SIGTERM:
            server = Server(CANNED, "127.0.0.1:0", "/dev/null")
            streams = [server.events() for _ in range(3)]
            for stream in streams:
                next(stream)
            idle = server.connect()
            self.assertEqual(server.stop(by), 0)
            for stream in streams:
                for _ in stream:
                    pass
            idle.close()

    def test_a_build_without_boost_says_so(self):
        self.refused("127.0.0.1:0", "Boost 1.77", program=LEFT_OUT)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
