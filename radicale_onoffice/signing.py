"""Signs Apple's configuration profiles with the administrator's certificate, so that a device says whose they are (RFC 5652, PKCS #7).

The files are read for each profile: certificates are renewed while the server runs. What cannot be signed goes out plain, and the log and
``check`` say why; a device accepts both.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from radicale_onoffice.findings import BAD, GOOD, NOTE, Finding
from radicale_onoffice.options import Configuration

logger = logging.getLogger(__name__)

SOON = timedelta(days=14)
CERTIFICATE, KEY = "onoffice_profile_certificate", "onoffice_profile_key"


class CannotSign(Exception):
    """The text says what is wrong with the files, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A certificate with its key, and the certificates that lead to a known one."""

    certificate: Any
    key: Any
    chain: tuple[Any, ...]

    @property
    def ends(self) -> datetime:
        """When the certificate expires."""
        ends: datetime = self.certificate.not_valid_after_utc
        return ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Signs with the files that the configuration names."""

    certificate: str
    key: str

    def __call__(self, data: bytes) -> bytes:
        """The data within a signature; the data alone if it cannot be signed."""
        try:
            return signed(data, load(self.certificate, self.key))
        except CannotSign as error:
            logger.error("a configuration profile went out unsigned: %s", error)
            return data


def signer_of(configuration: Configuration) -> Signer | None:
    """The signer of a configuration; None if it names no certificate."""
    certificate, key = configuration.get("web", CERTIFICATE), configuration.get("web", KEY)
    return Signer(certificate=certificate, key=key) if certificate or key else None


def load(certificate: str, key: str) -> Credential:
    """Read both files, PEM each; the key may stand in the certificate's file. Raises CannotSign."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise CannotSign("Signing needs `pip install 'radicale-onoffice[signing]'`.") from None
    if not certificate:
        raise CannotSign(f"{KEY} is set, {CERTIFICATE} is not: set both, or neither.")
    try:
        found = x509.load_pem_x509_certificates(_read(certificate))
        private = load_pem_private_key(_read(key or certificate), password=None)
    except (ValueError, TypeError) as error:
        raise CannotSign(
            f"{certificate} and {key or certificate} hold no certificate and key in PEM without a password: {error}"
        ) from error
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise CannotSign(f"The key of {key or certificate} is neither RSA nor of an elliptic curve: make one of these.")
    if private.public_key() != found[0].public_key():
        raise CannotSign(f"The key is not that of the first certificate in {certificate}: put the server's own certificate first.")
    return Credential(certificate=found[0], key=private, chain=tuple(found[1:]))


def signed(data: bytes, credential: Credential) -> bytes:
    """The data and its signature in one DER structure."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

    builder = pkcs7.PKCS7SignatureBuilder().set_data(data).add_signer(credential.certificate, credential.key, hashes.SHA256())
    for one in credential.chain:
        builder = builder.add_certificate(one)
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def findings(configuration: Configuration, now: datetime) -> Iterator[Finding]:
    """What ``check`` says of the files; nothing if profiles are not to be signed."""
    signer = signer_of(configuration)
    if signer is None:
        return
    try:
        credential = load(signer.certificate, signer.key)
    except CannotSign as error:
        yield Finding("profiles", BAD, str(error), f"Mend {CERTIFICATE} and {KEY} in [web]; until then profiles for Apple go out unsigned.")
        return
    day = f"{credential.ends:%Y-%m-%d}"
    if credential.ends <= now:
        yield Finding("profiles", BAD, f"The certificate of {signer.certificate} expired on {day}.", "Renew it; devices warn of it.")
    elif credential.ends <= now + SOON:
        yield Finding("profiles", NOTE, f"The certificate of {signer.certificate} expires on {day}.", "Renew it.")
    else:
        yield Finding("profiles", GOOD, f"signed with {signer.certificate} until {day}")


def _read(path: str) -> bytes:
    """Raises CannotSign."""
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise CannotSign(f"{path} cannot be read: {error.strerror}. Is it there, and may the server's user read it?") from error
