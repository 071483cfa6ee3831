"""What is fetched, and what smolget is meant to cost at most beside each of the others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Dict, List

from .served import SIZES


class Keep(Enum):
    """What becomes of the bodies."""

    DISCARDED = "discarded"
    SAVED = "saved"


@dataclass(frozen=True)
class Workload:
    """A list, and how it is fetched."""

    #: What `ONLY=` calls it.
    key: str
    title: str
    #: URLs.
    count: int
    #: The first part of their paths, which says how large each body is.
    body: str
    at_once: int
    keep: Keep
    #: Which of the server's ports: `plain`, `tls` or `closing`.
    server: str = "plain"
    #: Where starting is measured: the processes that a run is the sum of, each for one URL. Else 0.
    starts: int = 0
    #: The most that smolget may take, as a part of what the peer takes.
    targets: Dict[str, float] = field(default_factory=dict)

    @property
    def processes(self) -> int:
        """How many a run takes."""
        return self.starts or 1

    @property
    def size(self) -> int:
        """Bytes of each body."""
        return SIZES[self.body]

    def paths(self) -> List[str]:
        """The paths of its URLs, all different."""
        return [f"/{self.body}/{n}.bin" for n in range(self.count)]

    def scaled(self, factor: float) -> Workload:
        """The same with a longer or shorter list, or with more or fewer processes."""
        if self.starts:
            return replace(self, starts=max(1, round(self.starts * factor)))
        return replace(self, count=max(1, round(self.count * factor)))

    def heading(self) -> str:
        """Its title with its numbers."""
        return self.title.format(count=f"{self.count:,}", at_once=self.at_once, starts=self.starts)


WORKLOADS = [
    Workload(
        "discarded", "{count} × 1 KiB discarded, {at_once} at once", 20_000, "small", 32, Keep.DISCARDED,
        targets={"curl": 0.45, "wget2": 0.55, "aiohttp": 0.09, "wrk": 1.45},
    ),
    Workload(
        "saved", "{count} × 1 KiB saved, {at_once} at once", 5_000, "small", 32, Keep.SAVED,
        targets={"curl": 0.7, "wget2": 0.6, "aria2c": 0.1},
    ),
    Workload(
        "large", "{count} × 64 MiB saved, {at_once} at once", 16, "large", 4, Keep.SAVED,
        targets={"curl": 0.8, "wget2": 1.0},
    ),
    Workload(
        "tls", "{count} × 1 KiB over TLS, kept connections, {at_once} at once", 5_000, "small", 32, Keep.DISCARDED,
        server="tls", targets={"curl": 0.6, "wget2": 0.6},
    ),
    Workload(
        "fresh", "{count} × 1 KiB, a fresh TLS connection each, {at_once} at once", 500, "small", 32, Keep.DISCARDED,
        server="closing", targets={"curl": 0.9},
    ),
    Workload(
        "tls-large", "{count} × 64 MiB over TLS, discarded, {at_once} at once", 8, "large", 4, Keep.DISCARDED,
        server="tls", targets={"curl": 1.0},
    ),
    Workload(
        "start", "one URL, a process of its own, {starts} in a row", 1, "small", 1, Keep.DISCARDED,
        starts=50, targets={"curl": 0.3},
    ),
]
