"""The table of errors and statuses; [MS-ASCMD] 2.2.2."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activesync_bridge import status
from activesync_bridge.request import COMMANDS
from activesync_bridge.session import Http
from activesync_bridge.status import Common
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import FolderHierarchy, MeetingResponse
from activesync_bridge.wbxml.reader import decode
from activesync_bridge.wbxml.writer import encode
from radicale_onoffice.core import errors
from radicale_onoffice.core.model import Base, Contact, Kind
from tests.eas.conftest import BODY_VERSIONS
from tests.eas.trees import tree

STATEMENTS = Path(__file__).parents[3] / "shared/ms-eas/requirements/MS-ASCMD.txt"
SAMPLES = {
    errors.TooLarge: ("The body", 2, 1),
    errors.GateClosed: (Kind.TASKS, ("it is off",)),
    errors.TooManyDevices: (10,),
    errors.Conflict: (1, 2),
    errors.MadeBefore: ("r1", 2),
    errors.ChangedBefore: (1, 2),
    errors.CameBack: (Base(value=Contact()), 2),
    errors.DuplicateUid: ("uid", "name"),
    errors.SignInRefused: (),
    errors.Unavailable: ("Closed.", 300),
    errors.UpstreamDown: ("Closed.", 300),
    errors.Maintenance: ("Closed.", 300, datetime(2026, 3, 15, tzinfo=UTC)),
}
ERRORS = [
    one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.OfficeError) and one is not errors.OfficeError
]


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("version", list(Version))
def test_every_error_of_the_core_has_an_answer_in_every_version(kind, version):
    """R7461, R7462: below 14.0 an HTTP status, from 14.0 on a status in the command's root; and never HTTP 500."""
    answer = status.answer(kind(*SAMPLES.get(kind, ("It is so.",))), "FolderSync", version)
    if isinstance(answer, Http):
        assert answer.status != 500
        assert version < Version.V14_0 or answer.status in (401, 503)
    else:
        assert version >= Version.V14_0
        assert 100 < int(answer.text_of(FolderHierarchy.Status)) < 200


@pytest.mark.parametrize("version", list(Version))
def test_a_wrong_password_is_401_and_an_outage_503_in_every_version(version):
    """Pain 28, fact 5: 401 asks for credentials; rule 94: an outage says when to come again."""
    refused = status.answer(errors.SignInRefused(), "Sync", version)
    closed = status.answer(errors.Unavailable("Closed.", 300), "Sync", version)
    assert (401, "WWW-Authenticate") == (refused.status, refused.headers[0][0])
    assert (503, (("Retry-After", "300"),)) == (closed.status, closed.headers)


@pytest.mark.parametrize("command", sorted(set(COMMANDS.values()) - {"GetAttachment"}))
@pytest.mark.parametrize("version", BODY_VERSIONS)
def test_a_common_status_stands_in_the_root_of_each_command(command, version):
    """R4906 and its like are read from there; GetAttachment alone has no body to put it in."""
    answer = status.refusal(command, version, Common.DEVICE_NOT_PROVISIONED)
    assert command == answer.name
    assert decode(encode(answer)) == answer
    assert isinstance(status.refusal("GetAttachment", version, Common.MAIL_SUBMISSION_FAILED), Http)


def test_a_meeting_response_has_its_status_in_a_result():
    """R1889: the root has no other child."""
    expected = tree(MeetingResponse.MeetingResponse, tree(MeetingResponse.Result, tree(MeetingResponse.Status, "103")))
    assert expected == status.refusal("MeetingResponse", Version.V16_1, Common.INVALID_XML)


@pytest.mark.parametrize(
    ("common", "code"), [(142, 449), (143, 449), (144, 449), (140, 449), (126, 403), (129, 403), (137, 501), (103, 400)]
)
def test_before_14_0_a_common_status_is_an_http_status(common, code):
    """Fact 28: 449 belongs to 12.1."""
    assert code == status.refusal("Sync", Version.V12_1, Common(common)).status


def test_the_common_statuses_have_microsofts_names():
    """R4810-R4980, R7466-R7473: the number of each name."""
    if not STATEMENTS.exists():
        pytest.skip("Microsoft's requirement statements do not lie beside the project")
    found = re.findall(r"The value of the element (.+?) is (\d+)\.", STATEMENTS.read_text("utf-8", "replace"))
    named = {int(number): re.sub(r"[^A-Z0-9]", "", name.upper()) for name, number in found}
    named[155] = "M" + named[155]  # the statement lost a letter
    ours = {one.value: one.name.replace("_", "") for one in Common if one is not Common.SUCCESS}
    assert {number: name for number, name in named.items() if number in ours} == ours
    assert set() == named.keys() - ours.keys()
