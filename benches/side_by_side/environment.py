"""The virtual environment with what the comparison takes from PyPI: aiohttp to be measured, matplotlib to draw.

It is made once below the target folder, and again when the pins here change. That is the one time that the network is
needed; without it the comparison is made without aiohttp and without the picture, and says so.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Optional

#: The newest releases for each Python.
PINS = """\
aiohttp==3.14.5; python_version >= "3.10"
aiohttp==3.13.5; python_version < "3.10"
matplotlib==3.10.9; python_version >= "3.10"
matplotlib==3.9.4; python_version < "3.10"
"""


def prepare(folder: Path) -> Optional[Path]:
    """The environment's Python; nothing if it could not be made, after saying why."""
    python, done = folder / "bin" / "python", folder / "requirements.txt"
    if done.is_file() and done.read_text() == PINS and works(python):
        return python
    print(f"making a virtual environment in {folder}", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        wanted = folder / "wanted.txt"
        wanted.write_text(PINS)
        install = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:", "-r", str(wanted)]
        subprocess.run([str(python), *install], check=True)
        wanted.rename(done)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"no aiohttp, no picture: {error}; it takes the venv module (Debian: apt-get install python3-venv) and PyPI",
              file=sys.stderr)
        return None
    return python


def works(python: Path) -> bool:
    """Whether it still runs: its Python may have been replaced."""
    try:
        command = [str(python), "-c", "import aiohttp, matplotlib"]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False
