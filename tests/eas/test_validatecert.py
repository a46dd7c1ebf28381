"""ValidateCert, [MS-ASCMD] 2.2.1.22."""

from __future__ import annotations

import pytest

from activesync_bridge.commands import validatecert
from activesync_bridge.wbxml.codepages import ValidateCert as Tag
from tests.eas.conftest import VERSIONS
from tests.eas.trees import names, text, tree


def asking(count):
    """A request with so many certificates."""
    return tree(Tag.ValidateCert, tree(Tag.Certificates, *(tree(Tag.Certificate, "TUlJ") for _ in range(count))), tree(Tag.CheckCRL, "1"))


@pytest.mark.parametrize("version", VERSIONS)
def test_no_certificate_is_vouched_for_r4521(ask, open_session, version):
    """R686, R687, R688, R893, R4521: the server trusts no certification authority, so it says of none that it is good."""
    answer = ask(validatecert.handle, open_session(version), asking(2))
    assert ["Status", "Certificate", "Certificate"] == names(answer)
    assert ["1", "17", "17"] == [text(answer, Tag.Status), *(text(one, Tag.Status) for one in answer.all(Tag.Certificate))]


@pytest.mark.parametrize("body", [None, tree(Tag.ValidateCert), asking(0), asking(101)])
def test_a_malformed_request_is_2_r5662(ask, open_session, body):
    """R5662: more than 100 are a protocol error, and so are none."""
    answer = ask(validatecert.handle, open_session(), body)
    assert (["Status"], "2") == (names(answer), text(answer, Tag.Status))
