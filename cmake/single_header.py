# SPDX-License-Identifier: BSL-1.0
"""python3 single_header.py [-o FILE] [HEADER]: procpool in one header, header-only, as HEADER (procpool/procpool.hpp) would include it."""

import argparse
import pathlib
import re

INCLUDE = pathlib.Path(__file__).parents[1] / "include"
OWN = re.compile(r"^\s*#\s*include\s*<(procpool/[^>]*)>")


def expand(name, done):
    """Yields the lines of a header of ours, with those that it includes, each once."""
    if name in done:
        return
    done.add(name)
    for line in (INCLUDE / name).read_text().splitlines():
        own = OWN.match(line)
        if own:
            yield from expand(own.group(1), done)
        elif line != "#pragma once" and not line.startswith("// SPDX-License-Identifier:"):
            yield line


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("header", nargs="?", default="procpool/procpool.hpp")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path("procpool.hpp"))
    args = parser.parse_args()
    version = re.findall(r"PROCPOOL_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", (INCLUDE / "procpool/core/version.hpp").read_text())
    head = [
        "// SPDX-License-Identifier: BSL-1.0",
        f"// procpool {'.'.join(version)} in one header, made by cmake/single_header.py. Needs fmt, and nothing else to be compiled.",
        "#pragma once",
        "",
        "#if defined(PROCPOOL_COMPILED)",
        '#error "procpool: the single header is header-only: do not define PROCPOOL_COMPILED"',
        "#endif",
    ]
    text = "\n".join([*head, *expand(args.header, set())]) + "\n"
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(re.sub(r"\n{3,}", "\n\n", text))


main()
