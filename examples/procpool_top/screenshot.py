#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Makes the README's picture of `procpool-top --serve`: a minute of a busy pool, with a task that crashes.

    python3 examples/procpool_top/screenshot.py build/release/examples/procpool_top/procpool-top build/release/examples/procpool_top/scenery
"""

import pathlib
import subprocess
import sys
import time

from serving import Browser, Server

PICTURE = pathlib.Path(__file__).with_name("screenshot.png")


def main():
    if len(sys.argv) not in (3, 4, 5):
        sys.exit(__doc__)
    top, scenery = sys.argv[1:3]
    picture = sys.argv[3] if len(sys.argv) > 3 else PICTURE
    with subprocess.Popen([scenery, "10"], stdin=subprocess.PIPE) as program:
        server = Server(top, "--pid", str(program.pid), "--serve", "127.0.0.1:0")
        with Browser(scheme=sys.argv[4] if len(sys.argv) > 4 else "light") as browser:
            browser.open(server.url)
            browser.wait_for("document.querySelectorAll('.workers .busy').length === 10")
            time.sleep(33)
            program.stdin.write(b"frame with a bug\n")
            program.stdin.flush()
            time.sleep(28)
            size = browser.picture(picture)
            troubles = browser.troubles
        server.stop()
        program.stdin.close()
    print(f"{picture}: {size} bytes", *troubles)


if __name__ == "__main__":
    main()
