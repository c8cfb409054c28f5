# SPDX-License-Identifier: BSL-1.0
"""Draws what was measured: for each workload and number of workers an SVG with a bar for each competitor of each case, its length the ratio
to procpool on a logarithmic scale. To the right: slower than procpool."""

import html
import math
import statistics

import tables

WIDTH, LABELS, VALUES, ROW, CASE, TOP = 860, 190, 150, 20, 34, 44
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px } .case { font-weight: 600 } .value, .scale { font-size: 12px; fill: #57606a }
.slower { fill: #8aa4c8 } .faster { fill: #d9a05b } .ours { fill: #2f81f7 } .grid { stroke: #d0d7de } .one { stroke: #57606a }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .value, .scale { fill: #9198a1 } .slower { fill: #5b7699 } .faster { fill: #b07a36 } .grid { stroke: #3d444d } .one { stroke: #9198a1 }
}"""


def plot(title, rounds):
    """Returns: the SVG; nothing when there is nothing to compare."""
    groups = []
    for case in tables.cases_of(rounds):
        rows = [(name, tables.ratio(rounds, name, case)) for name in tables.ranking(rounds, case)]
        rows = [(name, ratio) for name, ratio in rows if ratio]
        if len(rows) > 1:
            groups.append((case, rows))
    if not groups:
        return None
    every = [ratio for _, rows in groups for _, ratio in rows]
    low, high = math.floor(math.log10(min(every + [1]))), math.ceil(math.log10(max(every + [1.01])))
    span = WIDTH - LABELS - VALUES
    x_of = lambda ratio: LABELS + (math.log10(ratio) - low) / (high - low) * span
    height = TOP + sum(CASE + ROW * len(rows) for _, rows in groups) + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
           f"<title>{html.escape(title)}</title><style>{STYLE}</style>", f'<text class="title" x="10" y="22">{html.escape(title)}</text>']
    for power in range(low, high + 1):
        x = x_of(10.0**power)
        label = "procpool = 1" if power == 0 else f"{10.0**power:g}"
        out.append(f'<line class="{"one" if power == 0 else "grid"}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - 24}"/>')
        out.append(f'<text class="scale" x="{x:.1f}" y="{height - 8}" text-anchor="middle">{label}</text>')
    y = TOP
    for case, rows in groups:
        out.append(f'<text class="case" x="10" y="{y + 18}">{html.escape(case)}</text>')
        y += CASE - 6
        for name, ratio in rows:
            left, right = sorted((x_of(ratio), x_of(1)))
            kind = "ours" if name == tables.OURS else "slower" if ratio > 1 else "faster"
            measured = tables.values(rounds, name, case)
            median = tables.text(statistics.median(value for value, _ in measured), measured[0][1])
            out.append(f'<text x="{LABELS - 8}" y="{y + 14}" text-anchor="end">{html.escape(name)}</text>')
            out.append(f'<rect class="{kind}" x="{left - 1.5:.1f}" y="{y + 3}" width="{right - left + 3:.1f}" height="{ROW - 6}" rx="2"/>')
            out.append(f'<text class="value" x="{right + 6:.1f}" y="{y + 14}">{tables.digits(ratio)}× · {html.escape(median)}</text>')
            y += ROW
        y += 6
    return "\n".join(out + ["</svg>"]) + "\n"


def draw(measured, folder):
    """Returns: the files."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for workload, result in measured["workloads"].items():
        for workers, rounds in result["rounds"].items():
            svg = plot(f"{workload}, {tables.workers_text(workers)}: time relative to procpool's", rounds)
            if svg:
                path = folder / f"{workload}_{workers}.svg"
                path.write_text(svg)
                drawn.append(path)
    return drawn
