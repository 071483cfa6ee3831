"""The environment → how the comparison is run. What can't be used is an error that says what would do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, TypeVar

from .workloads import WORKLOADS, Workload

#: Linux's file system in memory.
MEMORY = Path("/dev/shm")

#: Bytes that the bodies need at most: what is served, and what is saved in a run, and some more.
ROOM = 1200 << 20

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """How the comparison is run."""

    rounds: int
    workloads: List[Workload]
    #: The command of each program, from the variable of its name in capitals; it may have arguments.
    commands: Dict[str, str]
    #: Where the folder of the run is made.
    temporary: Path
    #: What the lists' lengths were multiplied with.
    factor: float


def read(program: Optional[Path]) -> Settings:
    """Reads `ROUNDS`, `ONLY`, `SCALE`, `TMPDIR` and the programs' variables. `program` is the smolget that was built."""
    factor = number("SCALE", 1.0, float)
    return Settings(
        rounds=number("ROUNDS", 5, int),
        workloads=[workload.scaled(factor) for workload in chosen(os.environ.get("ONLY", ""))],
        commands={
            key: os.environ.get(key.upper()) or (str(program) if key == "smolget" else key)
            for key in ("smolget", "curl", "wget2", "aria2c", "wrk")
        },
        temporary=temporary(),
        factor=factor,
    )


def chosen(only: str) -> List[Workload]:
    """The workloads that `ONLY` names, or all."""
    known = {workload.key: workload for workload in WORKLOADS}
    keys = [key for key in only.split(",") if key] or list(known)
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise SystemExit(f"ONLY={only}: there is no {unknown[0]!r}; it takes {', '.join(known)}")
    return [known[key] for key in keys]


def number(name: str, default: T, parse: Callable[[str], T]) -> T:
    """A number above zero from the environment."""
    text = os.environ.get(name) or str(default)
    try:
        value = parse(text)
    except ValueError:
        value = None
    if value is None or not 0 < float(value) < float("inf"):  # type: ignore[arg-type]
        raise SystemExit(f"{name}={text}: it takes a number above 0")
    return value


def temporary() -> Path:
    """`TMPDIR`, else memory where there is room in it, else where temporary files go here."""
    named = os.environ.get("TMPDIR")
    if named:
        return Path(named)
    if os.access(MEMORY, os.W_OK) and room(MEMORY) > ROOM:
        return MEMORY
    return Path("/tmp")


def room(folder: Path) -> int:
    """Bytes that fit into a folder."""
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize


def kind(folder: Path) -> str:
    """The type of the file system that a folder is on, as mount(8) has it."""
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    above = [(point, name) for point, name in mounts if folder.resolve().is_relative_to(point)]
    return max(above, key=lambda pair: len(pair[0]))[1]
