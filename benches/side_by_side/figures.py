"""Series of costs → medians, spreads and ratios."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .measure import Cost
from .rounds import Series
from .workloads import Workload


@dataclass(frozen=True)
class Spread:
    """The middle of some figures, and the least and the most of them."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Optional[Spread]:
        """Nothing, of nothing."""
        return cls(median(values), min(values), max(values)) if values else None


@dataclass(frozen=True)
class Results:
    """All that was measured."""

    rounds: int
    #: Lines on the machine.
    about: List[str]
    #: What is charged for nothing.
    floor: List[Tuple[str, Cost]]
    outcomes: List[Tuple[Workload, List[Series]]]


def ratio(ours: Series, theirs: Series) -> Optional[Spread]:
    """How much of their CPU time ours takes, round by round: what disturbs a round disturbs both."""
    pairs = [(our, their) for our, their in zip(ours.costs, theirs.costs) if our and their]
    return Spread.of([our.cpu / their.cpu for our, their in pairs])


def beside(series: List[Series], key: str) -> Optional[Spread]:
    """smolget's ratio to a program; nothing if either was not measured."""
    found = {one.program.key: one for one in series}
    return ratio(found["smolget"], found[key]) if "smolget" in found and key in found else None


def plain(results: Results) -> Dict[str, Any]:
    """All figures, for other programs."""
    return {
        "rounds": results.rounds,
        "about": results.about,
        "workloads": [
            {"key": work.key, "title": work.heading(), "programs": [of_program(one, series) for one in series]}
            for work, series in results.outcomes
        ],
    }


def of_program(one: Series, series: List[Series]) -> Dict[str, Any]:
    """The figures of a program in a workload; `ratio` is the part of its CPU time that smolget takes."""
    spread = beside(series, one.program.key)
    return {
        "key": one.program.key,
        "name": one.program.name,
        "cpu": [cost.cpu for cost in one.good],
        "wall": [cost.wall for cost in one.good],
        "peak": [cost.peak for cost in one.good],
        "ratio": spread.middle if spread else None,
        "faults": one.faults,
    }
