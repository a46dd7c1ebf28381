"""TLS by the server's own options."""

from __future__ import annotations

import ssl

from tests.certificates import self_signed
from tests.running import Running


def test_the_server_speaks_tls_with_a_certificate_and_a_key(tmp_path):
    """The certificate that was named is the one that is shown."""
    certificate, key = self_signed(tmp_path)
    server = Running(tmp_path, f"sqlite:///{tmp_path}/office.db")
    server.context = ssl.create_default_context(cafile=str(certificate))
    server.start("--certificate", str(certificate), "--key", str(key))
    assert 0 == server.stop()
