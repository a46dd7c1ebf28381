"""Settings, [MS-ASCMD] 2.2.1.18."""

from __future__ import annotations

import pytest

from activesync_bridge.commands import settings
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import FolderHierarchy
from activesync_bridge.wbxml.codepages import Settings as Tag
from radicale_onoffice.core.model import Identity, User
from tests.eas.conftest import ANNA, VERSIONS
from tests.eas.trees import at, names, text, tree

CARL = Identity("t", "carl@example.com")


@pytest.fixture
def answered(ask, open_session):
    """The answer to a Settings command with these properties."""

    def of(*properties, version=Version.V16_1, identity=ANNA):
        return ask(settings.handle, open_session(version, identity=identity), tree(Tag.Settings, *properties))

    return of


def information(*pairs):
    """What the device says of itself."""
    return tree(Tag.DeviceInformation, tree(Tag.Set, *(tree(tag, value) for tag, value in pairs)))


OOF_GET = tree(Tag.Oof, tree(Tag.Get, tree(Tag.BodyType, "Text")))
USER_GET = tree(Tag.UserInformation, tree(Tag.Get))


def oof_set(*parts):
    """A change of the out-of-office state."""
    return tree(Tag.Oof, tree(Tag.Set, *parts))


def recovery(password):
    """A recovery password."""
    return tree(Tag.DevicePassword, tree(Tag.Set, tree(Tag.Password, password) if password is not None else tree(Tag.OofState, "0")))


@pytest.mark.parametrize("body", [None, tree(Tag.Settings), tree(FolderHierarchy.FolderSync), tree(Tag.Settings, tree(Tag.Model, "x"))])
def test_a_malformed_request_is_2_without_properties_r483(ask, open_session, body):
    """R483."""
    answer = ask(settings.handle, open_session(), body)
    assert (["Status"], "2") == (names(answer), text(answer, Tag.Status))


@pytest.mark.parametrize("version", VERSIONS)
def test_properties_are_answered_in_order_with_their_status_first_r480(answered, version):
    """R469, R478, R480, R481, R482, R485, R486, R5713."""
    answer = answered(USER_GET, OOF_GET, information((Tag.Model, "X")), version=version)
    assert ["Status", "UserInformation", "Oof", "DeviceInformation"] == names(answer)
    assert ["1"] * 4 == [text(answer, Tag.Status), *(text(one, Tag.Status) for one in answer.children[1:])]
    assert {"Status"} == {names(one)[0] for one in answer.children[1:]}


# ------------------------------------------------------- device information


def test_what_a_device_says_of_itself_is_kept(office, answered):
    """R2168, R3944: for the list of devices; what it does not name a second time stays."""
    answer = answered(information((Tag.Model, "iPhone15,2"), (Tag.OS, "iOS 26"), (Tag.FriendlyName, "Annas Telefon")))
    assert "1" == text(answer, Tag.DeviceInformation, Tag.Status)
    answered(information((Tag.OS, "iOS 27")))
    expected = {"Model": "iPhone15,2", "OS": "iOS 27", "FriendlyName": "Annas Telefon"}
    assert expected == dict(office.devices.get(ANNA, "dev1").information)


@pytest.mark.parametrize(
    ("content", "status"),
    [((), "2"), ((tree(Tag.Set),), "5"), ((tree(Tag.Set, tree(Tag.Model, "x" * 1025)),), "5"), ((tree(Tag.Get),), "2")],
)
def test_device_information_that_is_none(office, answered, content, status):
    """R4393, R5582: nothing is stored."""
    assert status == text(answered(tree(Tag.DeviceInformation, *content)), Tag.DeviceInformation, Tag.Status)
    assert () == office.devices.get(ANNA, "dev1").information


# --------------------------------------------------------- user information


@pytest.fixture
def carl(office):
    """A user whose login is an e-mail address."""
    office.accounts.save_user(User(identity=CARL), "secret", "test")


def test_addresses_before_14_1_r2235(carl, answered):
    """R2235, R3962: a list."""
    answer = answered(USER_GET, version=Version.V14_0, identity=CARL)
    assert ["EmailAddresses"] == names(at(answer, Tag.UserInformation, Tag.Get))
    assert "carl@example.com" == text(answer, Tag.UserInformation, Tag.Get, Tag.EmailAddresses, Tag.SMTPAddress)


@pytest.mark.parametrize("version", [version for version in VERSIONS if version >= Version.V14_1])
def test_addresses_from_14_1_on_r733(carl, answered, version):
    """R713, R733, R3681: in an account, which cannot send (rule 75)."""
    account = at(answered(USER_GET, version=version, identity=CARL), Tag.UserInformation, Tag.Get, Tag.Accounts, Tag.Account)
    assert ["UserDisplayName", "SendDisabled", "EmailAddresses"] == names(account)
    assert ["SMTPAddress", "PrimarySmtpAddress"] == names(at(account, Tag.EmailAddresses))
    assert ("carl@example.com", "1") == (text(account, Tag.EmailAddresses, Tag.PrimarySmtpAddress), text(account, Tag.SendDisabled))


def test_a_login_that_is_no_address_has_none(answered):
    """R3962: EmailAddresses without one would be wrong."""
    assert ["UserDisplayName", "SendDisabled"] == names(at(answered(USER_GET), Tag.UserInformation, Tag.Get, Tag.Accounts, Tag.Account))
    assert () == at(answered(USER_GET, version=Version.V12_1), Tag.UserInformation, Tag.Get).children


def test_user_information_can_only_be_read(answered):
    """R4393."""
    assert "2" == text(answered(tree(Tag.UserInformation, tree(Tag.Set))), Tag.UserInformation, Tag.Status)


# ------------------------------------------------------------ out of office


def test_out_of_office_is_off_r3504(answered):
    """R3504, R3505, R3525, R3531: state 0, and one message per audience that is not enabled."""
    found = at(answered(OOF_GET), Tag.Oof, Tag.Get)
    assert ["OofState", "OofMessage", "OofMessage", "OofMessage"] == names(found)
    assert "0" == text(found, Tag.OofState)
    expected = ["AppliesToInternal", "AppliesToExternalKnown", "AppliesToExternalUnknown"]
    assert expected == [names(one)[0] for one in found.all(Tag.OofMessage)]
    assert {("0", "Text")} == {(text(one, Tag.Enabled), text(one, Tag.BodyType)) for one in found.all(Tag.OofMessage)}


START, END = tree(Tag.StartTime, "2026-03-16T08:00:00.000Z"), tree(Tag.EndTime, "2026-03-20T08:00:00.000Z")


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((tree(Tag.OofState, "0"),), "1"),
        ((tree(Tag.OofState, "0"), START, END), "1"),  # R3535
        ((tree(Tag.OofState, "1"),), "5"),
        ((tree(Tag.OofState, "2"), START, END), "5"),
        ((tree(Tag.OofState, "2"), START), "2"),  # R3992
        ((tree(Tag.OofState, "2"), END), "2"),  # R5827
        ((tree(Tag.OofState, "2"),), "2"),
        ((tree(Tag.OofState, "0"), START), "2"),
    ],
)
def test_out_of_office_can_be_switched_off_but_not_on_r3992(answered, parts, status):
    """R3535, R3992, R5827, R2272, R5681; rule 75: nobody gets a reply, so nobody is told that one was set."""
    assert status == text(answered(oof_set(*parts)), Tag.Oof, Tag.Status)


def test_an_oof_that_asks_nothing_is_2(answered):
    """R4393, R5845."""
    assert "2" == text(answered(tree(Tag.Oof)), Tag.Oof, Tag.Status)
    assert "5" == text(answered(tree(Tag.Oof, tree(Tag.Get, tree(Tag.BodyType, "RTF")))), Tag.Oof, Tag.Status)


# ------------------------------------------------------------------ the rest


@pytest.mark.parametrize(("password", "status"), [("1234", "7"), ("x" * 256, "5"), ("", "1"), (None, "2")])
def test_recovery_passwords_are_not_kept_r4402(answered, password, status):
    """R4398, R4400, R4402: recovery is off in every policy here."""
    assert status == text(answered(recovery(password)), Tag.DevicePassword, Tag.Status)


def test_there_is_no_rights_management_r4960(answered):
    """R4389, R4960: the feature is disabled; before 14.1 the property does not exist, and has no tag that could be answered with."""
    wanted = tree(Tag.RightsManagementInformation, tree(Tag.Get))
    assert ["Status", "Get"] == names(at(answered(wanted), Tag.RightsManagementInformation))
    assert "168" == text(answered(wanted), Tag.RightsManagementInformation, Tag.Status)
    before = answered(wanted, version=Version.V14_0)
    assert (["Status"], "2") == (names(before), text(before, Tag.Status))
