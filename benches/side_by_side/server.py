"""A folder → nginx on the loopback that serves it, and what it was asked for since the last time.

nginx runs with a configuration, prefix and log of its own, as whoever runs this. Every path below `/small/` is the same
KiB and below `/large/` the same 64 MiB, so lists name as many URLs as they like. Each request is a line in the log: what a
program claims to have fetched is held against what the server sent it.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import List, Optional

from .served import ADDRESS, make_bodies, make_certificate
from .tally import FORMAT, Tally

#: Where distributions put nginx, which not every user's PATH has.
NGINX_PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"

#: Paths below it mark the end of a run in the log. What a program asked for stands before: one worker writes it all.
MARK = "/mark/"

CONFIGURATION = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    log_format bench '{format}';
    access_log {folder}/requests.log bench buffer=64k flush=20ms;
    client_body_temp_path {folder}/temp; proxy_temp_path {folder}/temp; fastcgi_temp_path {folder}/temp;
    uwsgi_temp_path {folder}/temp; scgi_temp_path {folder}/temp;
    sendfile on; tcp_nopush on; tcp_nodelay on;
    keepalive_timeout 1h; keepalive_requests 1000000000;
    open_file_cache max=16; open_file_cache_valid 1h;
    default_type application/octet-stream;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    {servers}
}}
"""

SERVER = """
    server {{
        listen {address}:{port}{tls} backlog=4096;
        {settings}
        location ~ ^/(small|large)/ {{ alias {folder}/$1; }}
        location {mark} {{ return 204; }}
    }}
"""


class Server:
    """nginx, up until it is closed."""

    def __init__(self, nginx: str, folder: Path) -> None:
        self.folder = folder
        self.plain, self.tls, self.closing = free_ports(3)
        self.marks = 0
        make_bodies(folder)
        make_certificate(folder)
        log = self.folder / "requests.log"
        log.touch()
        (folder / "nginx.conf").write_text(self.configuration())
        self.errors = open(folder / "nginx.err", "wb")
        command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=self.errors)
        self.wait_until_up()

    def configuration(self) -> str:
        """Three ports: plain; TLS; TLS whose connections end after one answer."""
        ports = [(self.plain, "", ""), (self.tls, " ssl", ""), (self.closing, " ssl", "keepalive_timeout 0;")]
        servers = "".join(
            SERVER.format(address=ADDRESS, port=port, tls=tls, settings=settings, folder=self.folder, mark=MARK)
            for port, tls, settings in ports
        )
        # As root, the worker would else become a user who may not read this folder.
        user = "user root;" if os.geteuid() == 0 else ""
        return CONFIGURATION.format(folder=self.folder, servers=servers, user=user, format=FORMAT)

    @property
    def authority(self) -> Path:
        """The authority that programs have to trust."""
        return self.folder / "authority.pem"

    def origin(self, server: str) -> str:
        """The start of a URL on one of the three ports: `plain`, `tls` or `closing`."""
        scheme = "http" if server == "plain" else "https"
        return f"{scheme}://{ADDRESS}:{getattr(self, server)}"

    def wait_until_up(self) -> None:
        """Returns when the first answer came."""
        deadline = time.monotonic() + 10
        while True:
            try:
                self.mark()
                return
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    said = (self.folder / "nginx.err").read_text(errors="replace").strip()
                    raise SystemExit(f"nginx did not start: {said or error}")
            time.sleep(0.02)

    def mark(self) -> str:
        """Has the log end with a line of our own; its path, a new one each time."""
        self.marks += 1
        mark = f"{MARK}{self.marks}"
        connection = http.client.HTTPConnection(ADDRESS, self.plain, timeout=10)
        connection.request("GET", mark)
        connection.getresponse().read()
        connection.close()
        return mark

    def forget(self) -> None:
        """Empties the log, which nginx appends to."""
        self.lines()
        os.truncate(self.folder / "requests.log", 0)

    def tally(self) -> Tally:
        """What was asked for since `forget`."""
        tally = Tally()
        for line in self.lines():
            tally.count(line)
        return tally

    def lines(self) -> List[str]:
        """The lines of the log up to a mark that is set now."""
        mark = self.mark()
        while True:
            lines = (self.folder / "requests.log").read_text().splitlines()
            if lines and lines[-1].startswith(mark + " "):
                return [line for line in lines if not line.startswith(MARK)]
            time.sleep(0.02)

    def close(self) -> None:
        """Ends it."""
        self.process.terminate()
        self.process.wait()
        self.errors.close()


def find_nginx() -> Optional[str]:
    """Where nginx is."""
    return shutil.which("nginx", path=NGINX_PATH)


def free_ports(count: int) -> List[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server((ADDRESS, 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
