"""A command → what it cost: CPU seconds, seconds, the most memory, as the kernel accounts for it at the process's end.

The peak that the kernel tells of a process is at least the memory of the one that it was forked from, and Python is
larger than what is measured here. So a shell forks it and goes away, and the orphan is handed to this process, which
has asked to be given orphans and can therefore wait for it:

    python ─▶ sh ─▶ sh's fork, then the program ─▶ (sh ends) ─▶ reaped by python: wait4

What the shell's fork has when it turns into the program is the least that can be told; see `floor`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

#: prctl(2): be the parent of descendants whose own parent has ended.
PR_SET_CHILD_SUBREAPER = 36

#: The fork tells its id and waits until the shell is gone: else the shell, not this process, might reap it.
LAUNCH = 'exec 3<&0; { read -r go <&3; exec "$@" 3<&- >/dev/null; } & echo $!'

#: A run that takes longer than this many seconds is ended: it has hung.
LONGEST = 300.0


@dataclass(frozen=True)
class Cost:
    """What one run cost."""

    #: User and system time of all threads, and of children that it waited for, in seconds.
    cpu: float
    #: Seconds until it had ended.
    wall: float
    #: The most that was resident, in bytes.
    peak: int


@dataclass(frozen=True)
class Ended:
    """How a run ended: what it cost, its exit status (minus the signal's number if one ended it), its last words."""

    cost: Cost
    status: int
    stderr: str


def adopt_orphans() -> None:
    """Makes this process the one that measured programs are handed to."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def measure(command: Sequence[str], folder: Path, environment: Dict[str, str]) -> Ended:
    """Runs a command in `folder` to its end, with nothing as standard input and output."""
    errors = folder / "stderr"
    with open(errors, "wb") as stderr:
        pid, begun = launch(command, folder, environment, stderr.fileno())
        status, cost = reap(pid, begun)
    return Ended(cost, status, last_words(errors))


def launch(command: Sequence[str], folder: Path, environment: Dict[str, str], stderr: int) -> Tuple[int, float]:
    """Starts a command that becomes this process's child; its id, and when it was let go."""
    shell = subprocess.Popen(
        ["sh", "-c", LAUNCH, "sh", *command],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        bufsize=0,
    )
    assert shell.stdin is not None and shell.stdout is not None
    with shell.stdin, shell.stdout:
        pid = int(shell.stdout.readline())
        shell.wait()
        begun = time.monotonic()
        shell.stdin.write(b"\n")
    return pid, begun


def reap(pid: int, begun: float) -> Tuple[int, Cost]:
    """Waits for a process to end; its exit status, and what it cost."""
    watchdog = threading.Timer(LONGEST, os.kill, (pid, signal.SIGKILL))
    watchdog.daemon = True
    watchdog.start()
    try:
        _, status, usage = os.wait4(pid, 0)
    except BaseException:
        # It was told to pass over the interrupt that ends this program.
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        watchdog.cancel()
    wall = time.monotonic() - begun
    # Linux tells it in units of 1024 bytes.
    cost = Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024)
    return exit_status(status), cost


def exit_status(status: int) -> int:
    """The status of wait4(2) as subprocess would tell it."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def last_words(errors: Path, lines: int = 2) -> str:
    """The end of what a program wrote to standard error."""
    text = errors.read_bytes()[-4096:].decode(errors="replace")
    return "; ".join(line.strip() for line in text.splitlines()[-lines:])


def floor(folder: Path, environment: Dict[str, str]) -> List[Tuple[str, Cost]]:
    """What a run is charged with before it does anything: the shell's fork alone, and the least program there is."""
    commands = {"the shell's fork, no program": [], "`/bin/true`": ["/bin/true"]}
    return [(name, measure(command, folder, environment).cost) for name, command in commands.items()]
