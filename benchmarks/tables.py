# SPDX-License-Identifier: BSL-1.0
"""What was measured, as Markdown; and the arithmetic of rounds, which plots.py and figures.py share."""

import statistics

OURS = "procpool"


def cost(value):
    """Of a [value, unit]: what is better when smaller. Rates are turned over."""
    number, unit = value
    return 1 / number if unit.endswith("/s") and number else number


def cases_of(rounds):
    cases = {}
    for this_round in rounds:
        for competitor in this_round.values():
            for case in competitor:
                cases[case] = None
    return list(cases)


def values(rounds, competitor, case):
    return [one[competitor][case] for one in rounds if case in one.get(competitor, {})]


def ratios(rounds, competitor, case):
    """Of the competitor's cost to procpool's, in each round that has both."""
    pairs = [(one[competitor][case], one[OURS][case]) for one in rounds if case in one.get(competitor, {}) and case in one.get(OURS, {})]
    return [cost(theirs) / cost(ours) for theirs, ours in pairs if cost(ours) > 0]


def ratio(rounds, competitor, case):
    every = ratios(rounds, competitor, case)
    return statistics.median(every) if every else None


def ranking(rounds, case):
    """The competitors that have this case, cheapest first."""
    names = {name for one in rounds for name, cases in one.items() if case in cases}
    return sorted(names, key=lambda name: statistics.median(map(cost, values(rounds, name, case))))


UNITS = {"ns": (("ns", 1), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)), "B": (("B", 1), ("KB", 2**10), ("MB", 2**20), ("GB", 2**30))}


def text(number, unit):
    """Three digits and a unit that suits them."""
    for name, scale in reversed(UNITS.get(unit, ((unit, 1),))):
        if abs(number) >= scale or scale == 1:
            return f"{digits(number / scale)} {name}".strip()
    return f"{digits(number)} {unit}"


def digits(number):
    size = abs(number)
    return f"{number:.0f}" if size >= 100 or size == 0 else f"{number:.1f}" if size >= 10 else f"{number:.2f}" if size >= 1 else f"{number:#.2g}"


def workers_text(workers):
    return f"{workers} worker" + ("" if int(workers) == 1 else "s")


def table(rounds):
    lines = ["| case | competitor | median | from – to | ratio to procpool |", "| --- | --- | ---: | ---: | ---: |"]
    for case in cases_of(rounds):
        label = case
        for name in ranking(rounds, case):
            measured = values(rounds, name, case)
            numbers, unit = [value for value, _ in measured], measured[0][1]
            shown = f"**{name}**" if name == OURS else name
            its_ratio = ratio(rounds, name, case)
            to_ours = "–" if its_ratio is None else digits(its_ratio)
            lines.append(f"| {label} | {shown} | {text(statistics.median(numbers), unit)} "
                         f"| {text(min(numbers), unit)} – {text(max(numbers), unit)} | {to_ours} |")
            label = ""
    return "\n".join(lines)


def goals(measured, figures):
    """The figures to reach, and what is reached."""
    lines = ["| to reach | workers | at most | measured | |", "| --- | ---: | ---: | ---: | --- |"]
    for figure in figures:
        for workers, rounds in measured["workloads"].get(figure.workload, {"rounds": {}})["rounds"].items():
            if figure.workers and int(workers) not in figure.workers:
                continue
            found = [value for value in map(figure.measure, rounds) if value is not None]
            if found:
                value = statistics.median(found)
                lines.append(f"| {figure.text} | {workers} | {digits(figure.limit)} | {digits(value)} | {'yes' if value <= figure.limit else '**no**'} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def markdown(measured, figures):
    about = measured["machine"]
    parts = [f"{about['cpu']}, {about['cpus']} CPUs, {about['memory_gb']} GB; Linux {about['kernel']}; {about['compiler']} {about['flags']}; "
             f"load {about['load']:.1f} at the start."
             + ("" if measured["size"] == "full" else f" Sizes: {measured['size']}."),
             "The ratio is the median over the rounds of a competitor's time to procpool's in the same round: above 1 procpool is faster."]
    reached = goals(measured, figures)
    if reached:
        parts += ["## Figures to reach", reached]
    for workload, result in measured["workloads"].items():
        parts += [f"## {workload}", f"{result['when']}."]
        for workers, rounds in result["rounds"].items():
            if any(rounds):
                parts += [f"### {workers_text(workers)}, {len(rounds)} round{'' if len(rounds) == 1 else 's'}", table(rounds)]
        left_out = [f"{name}: {reason}" for name, reason in {**result["skipped"], **result["failed"]}.items()]
        if left_out:
            parts.append("Left out: " + "; ".join(left_out) + ".")
    return "\n\n".join(parts) + "\n"
