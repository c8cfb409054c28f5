#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Draws a trace that procpool::write_trace() wrote, for those who have no Perfetto at hand: a lane for each worker, a bar for each task.

    build/release/examples/160_trace trace.json && python3 benchmarks/trace_picture.py trace.json trace.svg
"""

import html
import json
import pathlib
import sys

WIDTH, LEFT, LANE, TOP = 860, 90, 40, 8
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f } .name { font-weight: 600 } .inside { fill: #fff }
.value { fill: #2f81f7 } .exception { fill: #d9a05b } .lost { fill: #cf4b4b } .lane { fill: #8883 } .event { stroke: #cf4b4b; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }"""


def draw(events):
    """Returns: the SVG."""
    tasks = [event for event in events if event["ph"] == "X"]
    lanes = {(event["pid"], event["tid"]): event["args"]["name"] for event in events if event["ph"] == "M" and event["name"] == "thread_name"}
    if not tasks or not lanes:
        sys.exit("there is no task in this trace")
    start, end = min(task["ts"] for task in tasks), max(task["ts"] + task["dur"] for task in tasks)
    x_of = lambda time: LEFT + (time - start) / (end - start) * (WIDTH - LEFT - 10)
    y_of = {lane: TOP + LANE * place for place, lane in enumerate(sorted(lanes))}
    height = TOP + LANE * len(lanes) + 26
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
           f"<title>What each worker did when</title><style>{STYLE}</style>"]
    for lane, y in y_of.items():
        out.append(f'<text class="name" x="10" y="{y + LANE / 2 + 1:.0f}">{html.escape(lanes[lane])}</text>')
        out.append(f'<rect class="lane" x="{LEFT}" y="{y + 4}" width="{WIDTH - LEFT - 10}" height="{LANE - 10}" rx="3"/>')
    for task in tasks:
        x, y, width = x_of(task["ts"]), y_of[task["pid"], task["tid"]], x_of(task["ts"] + task["dur"]) - x_of(task["ts"])
        ended = task["args"]["ended"]
        kind = ended if ended in ("value", "exception") else "lost"
        name = html.escape(task["name"])
        out.append(f'<rect class="{kind}" x="{x:.1f}" y="{y + 4}" width="{max(1, width - 0.6):.1f}" height="{LANE - 10}" rx="2"><title>{name}: {ended}</title></rect>')
        if width > 7 * len(task["name"]):
            out.append(f'<text class="inside" x="{x + 4:.1f}" y="{y + LANE / 2 + 3:.0f}">{name}</text>')
    for event in events:
        if event["ph"] == "i" and start <= event["ts"] <= end and event["name"] != "started":
            x, y = x_of(event["ts"]), y_of[event["pid"], event["tid"]]
            out.append(f'<line class="event" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + LANE - 2}"><title>{html.escape(event["name"])}</title></line>')
    for part in range(5):
        time = start + (end - start) * part / 4
        anchor = ("start", "middle", "middle", "middle", "end")[part]
        out.append(f'<text x="{x_of(time):.1f}" y="{height - 8}" text-anchor="{anchor}">{(time - start) / 1000:.1f} ms</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    events = json.loads(pathlib.Path(sys.argv[1]).read_text())["traceEvents"]
    pathlib.Path(sys.argv[2]).write_text(draw(events))


if __name__ == "__main__":
    main()
