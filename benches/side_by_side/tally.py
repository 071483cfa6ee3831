"""Lines of the server's log → what a program did: the check on what it claims."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Set

from .served import SIZES

#: The log's format, in nginx's words, and how it is read.
FORMAT = "$uri $status $body_bytes_sent $connection_requests $ssl_session_reused $ssl_protocol $ssl_cipher"
REQUEST = re.compile(r"(\S+) (\d+) (\d+) (\d+) (\S+) (\S+) (\S+)")


@dataclass
class Tally:
    """What the server saw in a run."""

    requests: int = 0
    connections: int = 0
    #: Of the connections, those whose TLS session was resumed.
    resumed: int = 0
    #: URLs that were sent whole.
    whole: Set[str] = field(default_factory=set)
    #: The TLS versions and ciphers that were spoken.
    ciphers: Set[str] = field(default_factory=set)

    def count(self, line: str) -> None:
        """Takes in a line of the log."""
        match = REQUEST.fullmatch(line)
        if match is None:
            raise ValueError(f"nginx logged {line!r}")
        path, status, size, nth, reused, version, cipher = match.groups()
        self.requests += 1
        if nth == "1":
            self.connections += 1
            self.resumed += reused == "r"
        if version != "-":
            self.ciphers.add(f"{version} {cipher}")
        if status == "200" and int(size) == SIZES[path.split("/")[1]]:
            self.whole.add(path)
