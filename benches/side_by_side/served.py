"""What the server serves: two bodies, and a certificate of its own. Made once, in the folder that is given."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

#: The bodies that are served, by the first part of their URLs' paths.
SIZES = {"small": 1 << 10, "large": 64 << 20}

ADDRESS = "127.0.0.1"

OPENSSL = f"""
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[leaf]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:{ADDRESS}, DNS:localhost
"""


def make_bodies(folder: Path) -> None:
    """Writes the files that are served."""
    for name, size in SIZES.items():
        (folder / name).write_bytes(os.urandom(1 << 10) * (size >> 10))


def make_certificate(folder: Path) -> None:
    """An authority, and a key and a certificate by it for the loopback: ECDSA on P-256, as most of the web has."""
    configuration = folder / "openssl.cnf"
    configuration.write_text(OPENSSL)
    new = ["openssl", "req", "-config", str(configuration), "-x509", "-days", "2", "-nodes",
           "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    authority = ["-subj", "/CN=the bench", "-extensions", "authority",
                 "-keyout", str(folder / "authority.key"), "-out", str(folder / "authority.pem")]
    leaf = ["-subj", "/CN=localhost", "-extensions", "leaf",
            "-CA", str(folder / "authority.pem"), "-CAkey", str(folder / "authority.key"),
            "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    for arguments in (authority, leaf):
        made = subprocess.run(new + arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if made.returncode != 0:
            raise SystemExit(f"openssl could not make a certificate (it takes OpenSSL 3): {made.stderr.strip()}")
