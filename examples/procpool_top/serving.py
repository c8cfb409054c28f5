# SPDX-License-Identifier: BSL-1.0
"""What tests of `procpool-top --serve` share: a server to ask, and a browser. Needs nothing but Python."""

import base64
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

LIMIT = 60  # seconds after which what is waited for will not come


def wait_until(holds, what):
    """Asks until it holds. Returns: what it returned."""
    end = time.monotonic() + LIMIT
    while not (answer := holds()):
        assert time.monotonic() < end, f"it never came: {what}"
        time.sleep(0.01)
    return answer


class Server:
    """A running server: a program that prints its address first."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://"), f"{command} says {self.url!r}"
        host, port = self.url[len("http://"):].rstrip("/").rsplit(":", 1)
        self.address = host.strip("[]"), int(port)
        self.host = f"{host}:{port}"

    def connect(self, receive_buffer=None):
        client = socket.socket(socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET)
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(LIMIT)
        client.connect(self.address)
        return client

    def send(self, request):
        """Sends the bytes. Returns: the status, the header's fields, the body; (None, {}, b"") where there is no answer."""
        with self.connect() as client:
            answer = b""
            try:
                client.sendall(request)
                while part := client.recv(1 << 16):
                    answer += part
            except ConnectionError:
                pass
        return parts_of(answer)

    def get(self, path, **fields):
        fields = {"Host": self.host, **{name.replace("_", "-"): value for name, value in fields.items()}}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return self.send(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())

    def events(self, client=None):
        """Gives the data of events as they come."""
        with client or self.connect() as client:
            client.sendall(f"GET /events HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
            with client.makefile("rb") as lines:
                status = lines.readline()
                assert b" 200 " in status, status
                while lines.readline().strip():
                    pass
                data = []
                for line in lines:
                    line = line.rstrip(b"\n")
                    if line:
                        assert line.startswith(b"data: "), line
                        data.append(line[len(b"data: "):])
                    elif data:
                        yield b"\n".join(data)
                        data = []

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self, by=signal.SIGTERM):
        """Returns: the exit status."""
        self.process.send_signal(by)
        status = self.process.wait(LIMIT)
        self.process.stdout.close()
        return status


def parts_of(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        return None, {}, b""
    status, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return int(status.split()[1]), fields, body


class Browser:
    """Chromium without a window, told what to do through pipes, in the language of its DevTools."""

    @staticmethod
    def command():
        return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

    def __init__(self, width=1280, height=800, scheme="light"):
        self.folder = tempfile.mkdtemp()
        requests, self.requests = os.pipe()
        self.answers, answers = os.pipe()
        here = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (requests, answers)]  # it wants them as 3 and 4
        self.errors = open(os.path.join(self.folder, "errors"), "w+b")
        self.process = subprocess.Popen(
            [self.command(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-breakpad", "--no-first-run", "--disable-extensions",
             "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe", f"--user-data-dir={self.folder}"],
            stdout=self.errors, stderr=self.errors, pass_fds=(3, 4), preexec_fn=lambda: (os.dup2(here[0], 3), os.dup2(here[1], 4)))
        for end in (requests, answers, *here):
            os.close(end)
        self.unread = b""
        self.number = 0
        self.session = None
        self.troubles = []  # what the page's console said
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.session = None
            self.call("Browser.close")
            self.process.wait(LIMIT)
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self.requests)
            os.close(self.answers)
            self.errors.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def message(self):
        while b"\0" not in self.unread:
            part = os.read(self.answers, 1 << 16)
            if not part:
                self.errors.seek(0)
                raise EOFError(f"the browser has ended:\n{self.errors.read().decode(errors='replace')}")
            self.unread += part
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.requests, json.dumps(request).encode() + b"\0")
        while (message := self.message()).get("id") != self.number:
            self.note(message)
        assert "error" not in message, (method, message["error"])
        return message["result"]

    def note(self, event):
        if event["method"] == "Runtime.exceptionThrown":
            self.troubles.append(event["params"]["exceptionDetails"]["exception"].get("description", "an exception"))
        elif event["method"] == "Log.entryAdded":
            self.troubles.append(event["params"]["entry"]["text"])
        elif event["method"] == "Page.loadEventFired":
            self.has_loaded = True

    def open(self, url):
        self.has_loaded = False
        self.call("Page.navigate", url=url)
        while not self.has_loaded:
            self.note(self.message())

    def value(self, script):
        """Returns: the value of the expression in the page, awaited where it is a promise."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, condition):
        """Waits until the expression is true, asked again whenever the page changes."""
        end = f"setTimeout(() => {{ watcher.disconnect(); reject('it never came') }}, {LIMIT * 1000})"
        self.value(f"""new Promise((resolve, reject) => {{
            const look = () => {{ if ({condition}) {{ watcher.disconnect(); clearTimeout(end); resolve(); }} }};
            const watcher = new MutationObserver(look);
            const end = {end};
            watcher.observe(document, {{subtree: true, childList: true, attributes: true, characterData: true}});
            look();
        }})""")

    def picture(self, path):
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        pathlib.Path(path).write_bytes(data)
        return len(data)
