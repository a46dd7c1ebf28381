"""TLS by the server's own options."""

from __future__ import annotations

import shutil
import ssl
import subprocess

from tests.conftest import missing
from tests.running import Running


def test_the_server_speaks_tls_with_a_certificate_and_a_key(tmp_path):
    """The certificate that was named is the one that is shown."""
    if shutil.which("openssl") is None:
        missing("openssl", "openssl")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        *subject,
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(words, check=True, capture_output=True)
    server = Running(tmp_path, f"sqlite:///{tmp_path}/office.db")
    server.context = ssl.create_default_context(cafile=str(certificate))
    server.start("--certificate", str(certificate), "--key", str(key))
    assert 0 == server.stop()
