"""SendMail, SmartReply, SmartForward, GetAttachment: refused (rule 75; [MS-ASCMD] 2.2.1.7 ff.)."""

from __future__ import annotations

import pytest

from activesync_bridge.commands import mail
from activesync_bridge.session import Http
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import ComposeMail
from tests.eas.conftest import BODY_VERSIONS, VERSIONS
from tests.eas.trees import names, text, tree

MESSAGE = b"To: bert@example.com\r\nSubject: Einladung\r\n\r\nKomm bitte.\r\n"


@pytest.mark.parametrize("command", ["SendMail", "SmartReply", "SmartForward"])
@pytest.mark.parametrize("version", BODY_VERSIONS)
def test_a_message_is_not_submitted_r4855(ask, open_session, command, version):
    """R4855, R4380, R4408, R5777, rule 75: the client is told that submission failed; nobody gets an e-mail."""
    body = tree(getattr(ComposeMail, command), tree(ComposeMail.ClientId, "1"), tree(ComposeMail.Mime, MESSAGE))
    answer = ask(mail.handle, open_session(version, command=command), body)
    assert (command, ["Status"], "120") == (answer.name, names(answer), text(answer, ComposeMail.Status))


@pytest.mark.parametrize("command", ["SendMail", "SmartReply", "SmartForward"])
def test_before_14_0_the_refusal_is_501_r7462(ask, open_session, command):
    """R7462: the body is the message itself, the answer an HTTP status."""
    assert 501 == ask(mail.handle, open_session(Version.V12_1, command=command), None).status


@pytest.mark.parametrize("version", VERSIONS)
def test_there_are_no_attachments_of_messages(ask, open_session, version):
    """R166 asks for 500, which makes iOS throw a folder away (fact 4): 501."""
    answer = ask(mail.handle, open_session(version, command="GetAttachment"), None)
    assert isinstance(answer, Http)
    assert 501 == answer.status
