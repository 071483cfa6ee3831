"""Programs and a workload → a series of costs each.

They run in turn, round by round, so what disturbs the machine disturbs all alike. Each run gets an empty folder, and
counts only if the server sent every URL whole and, where bodies are saved, every file is there in full size.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional

from .measure import Cost, Ended, measure
from .programs import AUTHORITY, CONFIG, HOME, LIST, OUT, Program
from .server import Server
from .tally import Tally
from .workloads import Keep, Workload

#: What would send a program elsewhere, or change what it does.
UNWANTED = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SMOLGET_LOG", "SSL_CERT_FILE", "SSL_CERT_DIR",
            "PYTHONPATH"}


@dataclass
class Series:
    """What a program did in the rounds of a workload."""

    program: Program
    arguments: List[str]
    #: By round; nothing where the work was not done.
    costs: List[Optional[Cost]] = field(default_factory=list)
    #: What was wrong, a line for each such run.
    faults: List[str] = field(default_factory=list)
    #: What the server saw of the last run that counts.
    tally: Tally = field(default_factory=Tally)

    @property
    def good(self) -> List[Cost]:
        """The costs that count."""
        return [cost for cost in self.costs if cost is not None]


def run(workload: Workload, programs: List[Program], server: Server, folder: Path, rounds: int) -> List[Series]:
    """Runs every program that can do the work, in turn, round by round."""
    write_lists(workload, server, folder)
    url = server.origin(workload.server) + workload.paths()[0]
    told = [(program, program.arguments(workload, url)) for program in programs]
    all_series = [Series(program, arguments) for program, arguments in told if arguments is not None]
    for number in range(rounds):
        for series in all_series:
            once(series, workload, server, folder)
            progress(workload, series, number + 1, rounds)
    empty(folder / OUT)
    return all_series


def once(series: Series, workload: Workload, server: Server, folder: Path) -> None:
    """One run of a program, taken into its series."""
    empty(folder / OUT)
    empty(folder / HOME)
    server.forget()
    ended = [measure([*series.program.command, *series.arguments], folder, surroundings(folder))
             for _ in range(workload.processes)]
    tally = server.tally()
    fault = wrong(series.program, workload, ended, tally, folder / OUT)
    if fault:
        series.costs.append(None)
        series.faults.append(fault)
    else:
        series.tally = tally
        series.costs.append(total(series.program, workload, ended, tally))


def wrong(program: Program, workload: Workload, ended: List[Ended], tally: Tally, out: Path) -> Optional[str]:
    """What was not done of the work, if anything."""
    failed = next((one for one in ended if one.status != 0), None)
    if failed:
        return f"exit status {failed.status}: {failed.stderr or 'no word of why'}"
    due = 1 if program.counts_requests else workload.count
    if len(tally.whole) != due or tally.requests < workload.processes:
        return f"{len(tally.whole)} URLs were sent whole in {tally.requests} requests, where {due} were due"
    if workload.keep is Keep.SAVED:
        sizes = [entry.stat().st_size for entry in os.scandir(out)]
        if sizes != [workload.size] * workload.count:
            return f"{sizes.count(workload.size)} of {len(sizes)} files are whole, where {workload.count} were due"
    return None


def total(program: Program, workload: Workload, ended: List[Ended], tally: Tally) -> Cost:
    """A run's cost: that of its processes together, or of as many requests as the others made."""
    costs = [one.cost for one in ended]
    share = workload.count / tally.requests if program.counts_requests else 1.0
    cpu, wall = sum(cost.cpu for cost in costs), sum(cost.wall for cost in costs)
    return Cost(cpu * share, wall * share, max(cost.peak for cost in costs))


def write_lists(workload: Workload, server: Server, folder: Path) -> None:
    """Writes the list, the same for curl with the place of each body, and the authority to trust."""
    origin, saved = server.origin(workload.server), workload.keep is Keep.SAVED
    (folder / LIST).write_text("".join(f"{origin}{path}\n" for path in workload.paths()))
    entries = ((path, f"{OUT}/{path.rpartition('/')[2]}" if saved else "/dev/null") for path in workload.paths())
    (folder / CONFIG).write_text("".join(f'url="{origin}{path}"\noutput="{file}"\n' for path, file in entries))
    shutil.copyfile(server.authority, folder / AUTHORITY)


def empty(folder: Path) -> None:
    """Makes a folder anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def surroundings(folder: Path) -> Dict[str, str]:
    """The environment of a measured program: no proxies, and a home where nothing is configured."""
    kept = {name: value for name, value in os.environ.items() if name.upper() not in UNWANTED}
    home = str(folder / HOME)
    return {**kept, "HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home}


def progress(workload: Workload, series: Series, number: int, rounds: int) -> None:
    """A line on standard error for a run."""
    cost = series.costs[-1]
    said = f"{cost.cpu:.3f} s CPU, {cost.wall:.3f} s" if cost else f"does not count: {series.faults[-1]}"
    print(f"{workload.key} {number}/{rounds} {series.program.name}: {said}", file=sys.stderr)
