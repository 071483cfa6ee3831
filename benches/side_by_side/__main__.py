"""`python3 -m side_by_side FOLDER`: runs the comparison, and writes `report.md`, `report.svg` and `report.json` to FOLDER.

Set in the environment: `ROUNDS` (5); `ONLY`, the workloads' names with commas between; `SCALE`, a factor on the lists'
lengths; `CURL`, `WGET2`, `ARIA2C`, `WRK`, `SMOLGET`, the commands to run, arguments and all; `TMPDIR`, where to save;
`CARGO`, what builds smolget where `SMOLGET` is not set. The report goes to standard output, too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Optional

from . import environment, figures, machine, measure, programs, report, rounds, settings
from .server import Server, find_nginx

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Prepares, measures, reports."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    nginx = needed()
    chosen = settings.read(built())
    python = environment.prepare(folder / "venv")
    measured = programs.find(chosen, python)
    measure.adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="smolget-bench-", dir=chosen.temporary) as work:
        results = compare(chosen, measured, nginx, Path(work))
    write(results, folder, python)


def needed() -> str:
    """Where nginx is; ends with all that is missing if something is."""
    nginx = find_nginx()
    missing = [] if nginx else ["nginx (Debian: apt-get install nginx-light)"]
    if not programs.is_there("openssl"):
        missing.append("openssl (Debian: apt-get install openssl)")
    if not sys.platform.startswith("linux"):
        missing.append("Linux, whose way to hand over orphans is used to measure memory")
    if missing or nginx is None:
        raise SystemExit(f"the comparison needs {', and '.join(missing)}")
    return nginx


def built() -> Optional[Path]:
    """smolget as it is built here, unless another one is named."""
    if os.environ.get("SMOLGET"):
        return None
    cargo = os.environ.get("CARGO") or "cargo"
    subprocess.run([cargo, "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR") or "target"
    return ROOT / target / "release" / "smolget"


def compare(chosen: settings.Settings, measured: list, nginx: str, work: Path) -> figures.Results:
    """Runs all workloads on a server of their own."""
    served, ran = work / "served", work / "ran"
    served.mkdir()
    ran.mkdir()
    about = machine.about(nginx, settings.kind(work))
    if chosen.factor != 1:
        about.append(f"SCALE={chosen.factor:g}: the lists are not those that the targets are for")
    server = Server(nginx, served)
    try:
        floor = measure.floor(ran, rounds.surroundings(ran))
        outcomes = [(one, rounds.run(one, measured, server, ran, chosen.rounds)) for one in chosen.workloads]
    finally:
        server.close()
    return figures.Results(chosen.rounds, about, floor, outcomes)


def write(results: figures.Results, folder: Path, python: Optional[Path]) -> None:
    """Writes the report, its figures, and the picture of them."""
    text = report.markdown(results)
    (folder / "report.md").write_text(text)
    data = folder / "report.json"
    data.write_text(json.dumps(figures.plain(results), indent=1))
    if python is not None:
        picture = Path(__file__).with_name("picture.py")
        # matplotlib keeps its list of fonts; here rather than in somebody's home.
        kept = {**os.environ, "MPLCONFIGDIR": str(folder / "venv" / "matplotlib")}
        subprocess.run([str(python), "-B", str(picture), str(data), str(folder / "report.svg")], check=True, env=kept)
    print(text)


if __name__ == "__main__":
    main()
