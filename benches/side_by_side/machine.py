"""The machine that the figures are of, in a few lines."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import List


def about(nginx: str, filesystem: str) -> List[str]:
    """What has to be known to compare the figures with others."""
    return [
        f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        f"server: {nginx_version(nginx)}, one worker, on the same machine",
        f"bodies are saved to {filesystem}",
        f"others on the machine when it began: load {os.getloadavg()[0]:.1f}",
    ]


def processor() -> str:
    """Its name, else what it understands."""
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return f"{found.group(1)} ({platform.machine()})" if found else platform.machine()


def nginx_version(nginx: str) -> str:
    """Its name and version, with those of its TLS."""
    said = subprocess.run([nginx, "-V"], stderr=subprocess.PIPE, text=True, check=True).stderr
    version = re.search(r"nginx/(\S+)", said)
    tls = re.search(r"(?:running|built) with (OpenSSL \S+|\S+SSL \S+)", said)
    return " with ".join(found for found in (
        f"nginx {version.group(1)}" if version else "nginx", tls.group(1) if tls else "") if found)
