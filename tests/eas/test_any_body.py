"""Whatever a client sends, a command answers with a status of its own: no exception, nothing that cannot be encoded."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activesync_bridge.commands import (
    find,
    folderchange,
    foldersync,
    getitemestimate,
    itemoperations,
    mail,
    meetingresponse,
    moveitems,
    ping,
    provision,
    resolverecipients,
    search,
    sync,
    validatecert,
)
from activesync_bridge.commands import settings as settings_command
from activesync_bridge.dispatch import RESUMABLE
from activesync_bridge.session import Http, Multipart, Options, Waiting
from activesync_bridge.status import ROOTS
from activesync_bridge.wbxml import codepages
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.reader import decode
from activesync_bridge.wbxml.writer import encode
from tests.eas.conftest import VERSIONS
from tests.judging.hearing import HEARING, WBXML

HANDLERS = {
    "FolderSync": foldersync.handle,
    "FolderCreate": folderchange.handle,
    "FolderDelete": folderchange.handle,
    "FolderUpdate": folderchange.handle,
    "Provision": provision.handle,
    "Settings": settings_command.handle,
    "Search": search.handle,
    "Find": find.handle,
    "ResolveRecipients": resolverecipients.handle,
    "ItemOperations": itemoperations.handle,
    "MoveItems": moveitems.handle,
    "MeetingResponse": meetingresponse.handle,
    "ValidateCert": validatecert.handle,
    "SendMail": mail.handle,
    "SmartReply": mail.handle,
    "SmartForward": mail.handle,
    "Sync": sync.handle,
    "Ping": ping.handle,
    "GetItemEstimate": getitemestimate.handle,
}
TEXTS = st.sampled_from(
    [
        "",
        "0",
        "1",
        "2",
        "3",
        "contacts",
        "appointments",
        "inbox",
        "Mailbox",
        "GAL",
        "0-9",
        "9-0",
        "Text",
        "x",
        "ä\ud7ff",
        "2026-03-16T08:00:00Z",
    ]
) | st.text(max_size=20)


def trees(page: int):
    """Trees of a command's own tags, and of those of AirSync and AirSyncBase, which others borrow."""
    tags = [tag for tag in codepages.NAMES if tag >> 8 in {page, 0, 17, 18}]
    leaf = st.builds(Element, st.sampled_from(tags), TEXTS.map(lambda text: text or ()) | st.binary(min_size=1, max_size=9))
    return st.recursive(
        leaf, lambda inner: st.builds(Element, st.sampled_from(tags), st.lists(inner, max_size=5).map(tuple)), max_leaves=20
    )


@pytest.mark.parametrize("command", sorted(HANDLERS))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_body_is_answered(open_session, command, data):
    """A protocol status in the body, or up to 12.1 an HTTP status; never a 500 (fact 4)."""
    root, _ = ROOTS[command]
    version = data.draw(st.sampled_from(VERSIONS))
    options = Options(policy=data.draw(st.sampled_from(["none", "basic"])))
    children = data.draw(st.lists(trees(root >> 8), max_size=6))
    body = data.draw(st.sampled_from([None, *children, Element(root, tuple(children))]))
    session = open_session(version, command=command, options=options, multipart=data.draw(st.booleans()))
    answer = HANDLERS[command](session, body)
    if isinstance(answer, Http):
        assert answer.status in range(400, 504)
        assert answer.status != 500
        return
    if answer is None or isinstance(answer, Waiting):
        assert command in RESUMABLE
        return
    element = answer.element if isinstance(answer, Multipart) else answer
    said = encode(element)
    HEARING.note(command, str(version), WBXML, said)
    assert (command, said) == (element.name, encode(decode(said)))  # what is said back of a body lacks its control characters
