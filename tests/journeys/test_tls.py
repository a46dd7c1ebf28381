"""TLS by the server's own options."""

from __future__ import annotations

import ssl

from tests.certificates import self_signed


def test_the_server_speaks_tls_with_a_certificate_and_a_key(tmp_path, make_running):
    """The certificate that was named is the one that is shown."""
    certificate, key = self_signed(tmp_path)
    server = make_running()
    server.context = ssl.create_default_context(cafile=str(certificate))
    server.start("--certificate", str(certificate), "--key", str(key))
    assert 0 == server.stop()
