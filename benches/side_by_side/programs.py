"""The programs that are measured, and how each is told to fetch the same list.

Each gets what costs it least among what does the job: no configuration, no progress, as many transfers at once as the
others, HTTP/1.1, and an output folder that exists and is empty. None is told to pass over what it checks by itself.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional

from .settings import Settings
from .workloads import Keep, Workload

#: In the folder that programs run in: the list, the same for curl, the folder for bodies.
LIST, CONFIG, OUT = "list", "config", "out"

#: The home folder of a run, so that none finds what another left.
HOME = "home"

#: The authority to trust, beside them.
AUTHORITY = "authority.pem"

#: How long wrk runs.
WRK_SECONDS = 2


@dataclass(frozen=True)
class Program:
    """A program that can be run."""

    key: str
    #: Its name and version.
    name: str
    #: What runs it: the program, and what has to stand before its own arguments.
    command: List[str]

    def arguments(self, workload: Workload, url: str) -> Optional[List[str]]:
        """How it is told to do the work, whose first URL is given; nothing if that is not for it."""
        return ARGUMENTS[self.key](workload, url)

    @property
    def counts_requests(self) -> bool:
        """Whether it runs for a time rather than through a list."""
        return self.key == "wrk"


def smolget(work: Workload, url: str) -> List[str]:
    """Its TLS roots are replaced as the others' are."""
    keep = ["--discard"] if work.keep is Keep.DISCARDED else ["-d", OUT]
    return ["-q", *trust(work, "--cacert"), "-j", str(work.at_once), *keep, *source(work, url)]


def curl(work: Workload, url: str) -> List[str]:
    """Where each body goes is in its configuration."""
    if work.starts:
        return ["-q", "-s", "-o", "/dev/null", url]
    # With HTTP/1.1 asked for it does not hold transfers back to see whether a connection can carry several.
    return ["-q", "-s", *trust(work, "--cacert"), "--http1.1", "-Z", "--parallel-max", str(work.at_once), "-K", CONFIG]


def wget2(work: Workload, url: str) -> List[str]:
    """The system's roots, which it would load beside the one given, are left out; sessions it takes up only if told to."""
    keep = ["-O", "/dev/null"] if work.keep is Keep.DISCARDED else ["-P", OUT]
    roots = [*trust(work, "--ca-certificate"), "--ca-directory=none"] if work.server != "plain" else []
    roots += ["--tls-resume"] if work.server == "closing" else []
    return ["--no-config", "-q", *roots, f"--max-threads={work.at_once}", *keep, *source(work, url)]


def aria2c(work: Workload, url: str) -> List[str]:
    """It can't discard: it saves, to memory where there is a file system in it. It would keep a file on each transfer's
    state, and the results of a thousand: neither is wanted here, and it takes a third less without."""
    roots = trust(work, "--ca-certificate")
    return ["--no-conf", "-q", "-x1", "-s1", f"-j{work.at_once}", "--file-allocation=none", "--allow-overwrite=true",
            "--auto-save-interval=0", "--max-download-result=0", *roots, "-d", OUT, *source(work, url)]


def aiohttp(work: Workload, url: str) -> List[str]:
    """See `article.py`."""
    keep = ["--dir", OUT] if work.keep is Keep.SAVED else []
    return [LIST, str(work.at_once), *keep, *trust(work, "--cacert")]


def wrk(work: Workload, url: str) -> Optional[List[str]]:
    """The floor: one request over and over, its answer hardly looked at. For the one workload that it is held against."""
    if "wrk" not in work.targets:
        return None
    return ["-t1", f"-c{work.at_once}", f"-d{WRK_SECONDS}s", url]


def trust(work: Workload, option: str) -> List[str]:
    """The option that names the authority, where there is TLS."""
    return [] if work.server == "plain" else [option, AUTHORITY]


def source(work: Workload, url: str) -> List[str]:
    """What is fetched: the list, or where starting is measured the URL itself."""
    return [url] if work.starts else ["-i", LIST]


Arguments = Callable[[Workload, str], Optional[List[str]]]
ARGUMENTS: Dict[str, Arguments] = {
    "smolget": smolget, "curl": curl, "wget2": wget2, "aria2c": aria2c, "aiohttp": aiohttp, "wrk": wrk,
}

#: Debian's packages of what is looked for in PATH.
PACKAGES = {"curl": "curl", "wget2": "wget2", "aria2c": "aria2", "wrk": "wrk"}


def find(settings: Settings, python: Optional[Path]) -> List[Program]:
    """The programs that are here, smolget first; of those that aren't it is said how to get them."""
    programs = [subject(settings.commands["smolget"])]
    for key, package in PACKAGES.items():
        try:
            programs.append(named(key, settings.commands[key]))
        except (OSError, ValueError) as error:
            print(f"without {key}: {error}. Debian: apt-get install {package}; or {key.upper()}=command",
                  file=sys.stderr)
    if python is not None:
        programs.append(article(python))
    order = list(ARGUMENTS)
    return sorted(programs, key=lambda program: order.index(program.key))


def subject(command: str) -> Program:
    """smolget, without which there is nothing to compare."""
    try:
        return named("smolget", command)
    except (OSError, ValueError) as error:
        raise SystemExit(f"SMOLGET={command}: {error}")


def is_there(name: str) -> bool:
    """Whether a program is in PATH."""
    return shutil.which(name) is not None


def named(key: str, command: str) -> Program:
    """A program by its command, found and asked for its version."""
    words = shlex.split(command)
    path = shutil.which(words[0]) if words else None
    if path is None:
        raise FileNotFoundError(f"there is no {command!r}")
    words[0] = os.path.abspath(path)
    said = subprocess.run([*words, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    version = re.search(r"\d+\.\d+(\.\d+)*", said.stdout)
    if version is None:
        raise ValueError(f"{command!r} tells no version")
    return Program(key, f"{key} {version.group()}", words)


def article(python: Path) -> Program:
    """aiohttp in its environment."""
    ask = "import aiohttp, platform; print(aiohttp.__version__, platform.python_version())"
    said = subprocess.run([str(python), "-c", ask], capture_output=True, text=True, check=True)
    version, interpreter = said.stdout.split()
    script = Path(__file__).with_name("article.py")
    # `-B`: nothing is written beside the script.
    return Program("aiohttp", f"aiohttp {version} (Python {interpreter})", [str(python), "-B", str(script)])
