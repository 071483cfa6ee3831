"""Figures → Markdown: what was measured and how, a table a workload, and the targets."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import Iterable, List, Optional

from .figures import Results, Spread, beside
from .rounds import Series
from .workloads import Keep, Workload

MIB = 1 << 20


def markdown(results: Results) -> str:
    """The whole report."""
    parts = [preamble(results)]
    parts += [section(work, series) for work, series in results.outcomes]
    parts.append(targets(results))
    return "\n\n".join(parts) + "\n"


def preamble(results: Results) -> str:
    """What the figures are of."""
    said = [
        f"Each program fetched the same lists in turn, {results.rounds} times over; shown are medians, with the least and "
        "the most. CPU is user and system time together; memory is what was resident at most, as the kernel tells it. "
        "smolget ÷ it is the part of that program's CPU time that smolget took in the same round. A run counts only if "
        "the server sent every URL whole and every file was there.",
        "\n".join(f"- {line}" for line in results.about),
        "Charged for nothing: " + "; ".join(
            f"{name} {cost.cpu * 1000:.1f} ms of CPU and {cost.peak / MIB:.1f} MiB" for name, cost in results.floor) + ".",
    ]
    return "\n\n".join(said)


def section(work: Workload, series: List[Series]) -> str:
    """A workload's table, what has to be known beside it, and the commands."""
    tls = work.server != "plain"
    head = ["", "CPU, s", "smolget ÷ it", "wall, s", "memory, MiB", "connections"] + ["resumed"] * tls
    rows = [row(one, series, tls) for one in series if one.good]
    commands = "\n".join(command(one) for one in series)
    said = [f"### {work.heading()}", table(head, rows), *notes(work, series), f"```sh\n{commands}\n```"]
    return "\n\n".join(said)


def row(one: Series, series: List[Series], tls: bool) -> List[str]:
    """A program's line."""
    cpu, wall, peak = (Spread.of(values) for values in zip(*((c.cpu, c.wall, c.peak / MIB) for c in one.good)))
    against = None if one.program.key == "smolget" else beside(series, one.program.key)
    resumed = [f"{one.tally.resumed:,}"] if tls else []
    return [one.program.name, span(cpu), f"{against.middle:.2f}" if against else "", span(wall), span(peak, 1),
            f"{one.tally.connections:,}", *resumed]


def span(spread: Optional[Spread], digits: int = 3) -> str:
    """`0.540 (0.510–0.620)`."""
    if spread is None:
        return ""
    return f"{spread.middle:.{digits}f} ({spread.least:.{digits}f}–{spread.most:.{digits}f})"


def notes(work: Workload, series: List[Series]) -> Iterable[str]:
    """What a reader would else misread."""
    found = {one.program.key: one for one in series if one.good}
    if "aria2c" in found and work.keep is Keep.DISCARDED:
        yield "aria2c can't discard: it saved."
    if "wrk" in found:
        yield (f"wrk ran for a time, on one URL; shown is its part for {work.count:,} requests. A request cost "
               + ", ".join(f"{one.program.key} {each(one, work):.1f} µs" for one in found.values()) + " of CPU.")
    ciphers = sorted({cipher for one in found.values() for cipher in one.tally.ciphers})
    if ciphers:
        yield f"Spoken was {' or '.join(ciphers)}; “resumed” is how many connections took up an earlier TLS session."
    if work.server == "closing":
        yield ("smolget and curl take up sessions by themselves, wget2 as it was told to; aria2c and aiohttp have no way "
               "to. What begins at once, before a first session is there, can't take up any.")
    for one in series:
        for fault, times in Counter(one.faults).items():
            yield f"Of {one.program.name}, {times} of {len(one.costs)} runs do not count: {fault}."


def each(one: Series, work: Workload) -> float:
    """Microseconds of CPU for a URL, at the median."""
    spread = Spread.of([cost.cpu for cost in one.good])
    return spread.middle / work.count * 1e6 if spread else 0.0


def command(one: Series) -> str:
    """What was run, by name."""
    name = "python article.py" if one.program.key == "aiohttp" else one.program.key
    # The port is another one each time.
    return " ".join([name, *('"$URL"' if word.startswith("http") else shlex.quote(word) for word in one.arguments)])


def targets(results: Results) -> str:
    """What smolget is meant to reach, and whether it did."""
    rows = [
        [work.heading(), f"{limit:.2f} × {key}", *reached(beside(series, key), limit)]
        for work, series in results.outcomes
        for key, limit in work.targets.items()
    ]
    head = ["workload", "CPU at most", "measured", "at the median"]
    return "### Targets\n\n" + table(head, rows)


def reached(measured: Optional[Spread], limit: float) -> List[str]:
    """A target's last two fields."""
    if measured is None:
        return ["", "not measured"]
    return [span(measured, 2), "met" if measured.middle <= limit else "**not met**"]


def table(head: List[str], rows: List[List[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
