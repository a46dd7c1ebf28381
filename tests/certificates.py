"""A certificate for this machine, made by openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.conftest import missing


def self_signed(directory: Path) -> tuple[Path, Path]:
    """Paths of a certificate for 127.0.0.1 and localhost, and of its key."""
    if shutil.which("openssl") is None:
        missing("openssl", "openssl")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files], check=True, capture_output=True
    )
    return certificate, key
