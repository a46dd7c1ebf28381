"""Provision and wipe, [MS-ASPROV] 3.2.5."""

from __future__ import annotations

import pytest

from activesync_bridge import policy
from activesync_bridge.commands import provision
from activesync_bridge.session import Options
from activesync_bridge.status import Common
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import Provision as Tag
from activesync_bridge.wbxml.codepages import Settings
from radicale_onoffice.core.model import DeviceState
from radicale_onoffice.core.policy import Policy
from tests.eas.conftest import ANNA, BODY_VERSIONS, VERSIONS
from tests.eas.trees import at, names, text, tree

INFORMATION = tree(Settings.DeviceInformation, tree(Settings.Set, tree(Settings.Model, "iPhone15,2"), tree(Settings.IMEI, "35-1")))
BASIC, STRICT = Options(policy="basic"), Options(policy="strict")


def initial(version=Version.V16_1, policy_type=policy.POLICY_TYPE, information=INFORMATION):
    """Phase 1: with DeviceInformation from 14.1 on."""
    told = (information,) if version >= Version.V14_1 and information else ()
    return tree(Tag.Provision, *told, tree(Tag.Policies, tree(Tag.Policy, tree(Tag.PolicyType, policy_type))))


def acknowledged(key, status="1", policy_type=policy.POLICY_TYPE):
    """Phase 2."""
    parts = [tree(Tag.PolicyType, policy_type), tree(Tag.PolicyKey, key), tree(Tag.Status, status)]
    return tree(Tag.Provision, tree(Tag.Policies, tree(Tag.Policy, *parts)))


def wiped(tag, status):
    """An acknowledgment of a wipe."""
    return tree(Tag.Provision, tree(tag, tree(Tag.Status, status)))


POLL = tree(Tag.Provision)


@pytest.fixture
def provisioned(ask, open_session):
    """Answer to a Provision."""

    def of(body, version=Version.V16_1, options=None):
        return ask(provision.handle, open_session(version, options=options, command="Provision"), body)

    return of


# ---------------------------------------------------------------- no policy


@pytest.mark.parametrize("version", VERSIONS)
def test_without_a_policy_the_policy_status_is_2_r468(provisioned, version):
    """R379, R468, fact 27: no policy at all, so that no app refuses or asks for administrator's rights (pain 30); clients stop asking (13)."""
    answer = provisioned(initial(version), version)
    found = at(answer, Tag.Policies, Tag.Policy)
    assert ("1", policy.POLICY_TYPE, "2") == (text(answer, Tag.Status), text(found, Tag.PolicyType), text(found, Tag.Status))
    assert ["PolicyType", "Status"] == names(found)
    assert answer == provisioned(initial(version), version)


def test_device_information_is_demanded_from_14_1_on_r4954(provisioned):
    """MS-ASCMD R4953, R4954, fact 28: 165; 14.0 and older do not send it here."""
    for version in VERSIONS:
        answer = provisioned(initial(version, information=None), version)
        assert ("165" if version >= Version.V14_1 else "1") == text(answer, Tag.Status)


@pytest.mark.parametrize("information", [tree(Settings.DeviceInformation), tree(Settings.DeviceInformation, tree(Settings.Set))])
def test_empty_device_information_is_none(provisioned, information):
    """MS-ASCMD R4954: it tells nothing."""
    assert "165" == text(provisioned(initial(information=information)), Tag.Status)


def test_device_information_is_stored_and_acknowledged_r488(office, provisioned):
    """R488, R534: it stands first in the answer, with a status of its own."""
    answer = provisioned(initial())
    assert ["DeviceInformation", "Status", "Policies"] == names(answer)
    assert "1" == text(answer, Settings.DeviceInformation, Settings.Status)
    assert {"Model": "iPhone15,2", "IMEI": "35-1"} == dict(office.devices.get(ANNA, "dev1").information)


# ------------------------------------------------------------------ policy


@pytest.mark.parametrize("options", [BASIC, STRICT])
@pytest.mark.parametrize("version", VERSIONS)
def test_two_phases_give_a_final_key_r662(office, provisioned, options, version):
    """R310, R318, R605, R650, R657, R661, R662: the policy with a temporary key, and for it the final one; R601: without Data."""
    first = at(provisioned(initial(version), version, options), Tag.Policies, Tag.Policy)
    assert ["PolicyType", "Status", "PolicyKey", "Data"] == names(first)
    assert ["EASProvisionDoc"] == names(at(first, Tag.Data))
    second = provisioned(acknowledged(text(first, Tag.PolicyKey)), version, options)
    last = at(second, Tag.Policies, Tag.Policy)
    assert ["PolicyType", "Status", "PolicyKey"] == names(last)
    assert ("1", "1") == (text(second, Tag.Status), text(last, Tag.Status))
    keys = text(first, Tag.PolicyKey), text(last, Tag.PolicyKey)
    assert keys[0] != keys[1]
    assert all(0 < int(key) < 2**32 for key in keys)  # R606
    assert keys[1] == office.devices.get(ANNA, "dev1").policy_key


def key_of(answer):
    """The PolicyKey of an answer."""
    return text(answer, Tag.Policies, Tag.Policy, Tag.PolicyKey)


def test_a_lost_answer_to_the_acknowledgment_is_given_again(provisioned):
    """Pain 13: a phone that repeats phase 2 gets the same key."""
    body = acknowledged(key_of(provisioned(initial(), options=BASIC)))
    assert provisioned(body, options=BASIC) == provisioned(body, options=BASIC)


def test_a_wrong_key_is_policy_status_5_r658(provisioned):
    """R657, R658, R475, R761: neither an old nor an invented key."""
    old = key_of(provisioned(initial(), options=BASIC))
    provisioned(acknowledged(old), options=BASIC)
    for key in ("1", "0", "x"):
        answer = provisioned(acknowledged(key), options=BASIC)
        assert ("1", "5") == (text(answer, Tag.Status), text(answer, Tag.Policies, Tag.Policy, Tag.Status))


@pytest.mark.parametrize(
    ("options", "status", "expected"),
    [(BASIC, "2", "1"), (BASIC, "3", "139"), (BASIC, "4", "1"), (STRICT, "2", "139"), (STRICT, "3", "139"), (STRICT, "4", "145")],
)
def test_how_much_of_a_policy_a_device_has_to_apply_r660(office, provisioned, options, status, expected):
    """R455, R461, R659, R660, R684, R687: partly, not at all, by somebody else."""
    answer = provisioned(acknowledged(key_of(provisioned(initial(), options=options)), status), options=options)
    assert expected == text(answer, Tag.Status)
    assert (expected == "1") == bool(office.devices.get(ANNA, "dev1").policy_key)


def test_an_acknowledgment_without_a_known_status_is_2_r450(provisioned):
    """R450."""
    key = key_of(provisioned(initial(), options=BASIC))
    assert "2" == text(provisioned(acknowledged(key, "7"), options=BASIC), Tag.Status)


@pytest.mark.parametrize("options", [None, BASIC])
def test_an_unknown_policy_type_is_policy_status_3_r471(provisioned, options):
    """R380, R471: also that of Windows Mobile 5."""
    answer = provisioned(initial(policy_type="MS-WAP-Provisioning-XML"), options=options)
    assert "3" == text(answer, Tag.Policies, Tag.Policy, Tag.Status)


def test_a_missing_policy_type_is_2_r4989(provisioned):
    """MS-ASCMD R4989; MS-ASPROV R450."""
    body = tree(Tag.Provision, INFORMATION, tree(Tag.Policies, tree(Tag.Policy)))
    assert "2" == text(provisioned(body), Tag.Status)
    assert "2" == text(provisioned(tree(Tag.Provision, tree(Tag.Policies))), Tag.Status)
    assert "2" == text(provisioned(None), Tag.Status)


# -------------------------------------------------------------------- wipe


@pytest.fixture
def wipe():
    """Wipe of the account, or of the whole phone."""

    def request(used, account_only):
        used.devices.seen(ANNA, "dev1")
        if account_only:
            used.devices.request_wipe(ANNA, "dev1", "test")
        else:
            used.devices.request_full_wipe(ANNA, "dev1", "test", "dev1")

    return request


def state(office):
    """The device's state."""
    return office.devices.get(ANNA, "dev1").state


@pytest.mark.parametrize("version", VERSIONS)
def test_a_poll_without_a_wipe_is_a_bare_status_r493(provisioned, version):
    """R493, R654, R66614, R66615: no RemoteWipe of either kind."""
    answer = provisioned(POLL, version)
    assert (["Status"], "1") == (names(answer), text(answer, Tag.Status))


def test_an_account_is_wiped_in_16_1_r66602(office, provisioned, wipe):
    """R66605, R66612, R66613, R6903, R66601, R66602: told, acknowledged, recorded; the answer to a repeated acknowledgment is the same."""
    wipe(office, True)
    told = provisioned(POLL)
    assert ["Status", "AccountOnlyRemoteWipe"] == names(told)
    assert ((), DeviceState.WIPE_SENT) == (at(told, Tag.AccountOnlyRemoteWipe).children, state(office))
    for _ in range(2):
        done = provisioned(wiped(Tag.AccountOnlyRemoteWipe, "1"))
        assert (["Status"], "1", DeviceState.WIPED) == (names(done), text(done, Tag.Status), state(office))
    assert "129" == text(provisioned(initial()), Tag.Status)


def test_a_device_that_asks_for_a_policy_is_told_to_wipe_r666(office, provisioned, wipe):
    """Every Provision of such a device is answered so, that of phase 1, too."""
    wipe(office, True)
    assert ["Status", "AccountOnlyRemoteWipe"] == names(provisioned(initial()))


def test_a_failed_wipe_is_told_again_r66603(office, provisioned, wipe):
    """R66603, R66604: status 2 and the directive."""
    wipe(office, True)
    provisioned(POLL)
    failed = provisioned(wiped(Tag.AccountOnlyRemoteWipe, "2"))
    assert (["Status", "AccountOnlyRemoteWipe"], "2") == (names(failed), text(failed, Tag.Status))
    assert state(office) in provision.WIPING


@pytest.mark.parametrize("version", BODY_VERSIONS[:-1])
def test_before_16_1_an_account_cannot_be_wiped_and_the_device_is_kept_out(office, provisioned, wipe, version):
    """R6906: the phone is not erased instead; it gets 129."""
    wipe(office, True)
    answer = provisioned(initial(version), version)
    assert (["Status"], "129") == (names(answer), text(answer, Tag.Status))


def test_in_12_1_it_is_kept_out_by_403(office, provisioned, wipe):
    """MS-ASCMD R7461."""
    wipe(office, True)
    assert 403 == provisioned(initial(Version.V12_1), Version.V12_1).status


@pytest.mark.parametrize("version", VERSIONS)
def test_a_whole_phone_is_wiped_only_where_the_policy_allows_it_r664(make_office, open_session, ask, wipe, version):
    """R322, R653, R663, R664, R665, R666, R701."""
    used = make_office(Policy(full_wipe=True))
    wipe(used, False)

    def of(body):
        return ask(provision.handle, open_session(version, command="Provision", on=used), body)

    told = of(POLL)
    assert (["Status", "RemoteWipe"], ()) == (names(told), at(told, Tag.RemoteWipe).children)
    failed = of(wiped(Tag.RemoteWipe, "2"))
    assert (["Status", "RemoteWipe"], "2") == (names(failed), text(failed, Tag.Status))
    done = of(wiped(Tag.RemoteWipe, "1"))
    assert (["Status"], "1", DeviceState.WIPED) == (names(done), text(done, Tag.Status), state(used))


def test_an_acknowledgment_that_nobody_asked_for_is_2(office, provisioned):
    """R450: nothing is recorded, and the device stays in."""
    answer = provisioned(wiped(Tag.RemoteWipe, "1"))
    assert ("2", DeviceState.ALLOWED) == (text(answer, Tag.Status), state(office))


# ---------------------------------------------------------------- policy.py


@pytest.mark.parametrize("preset", sorted(policy.PRESETS))
def test_a_preset_is_complete_and_consistent(preset):
    """Fact 27: all settings of the schema, none of which contradicts another."""
    document = policy.document(preset)
    found = {child.tag: child.text for child in document.children}
    settings = {tag for name, tag in vars(Tag).items() if isinstance(tag, int) and not name.startswith("_")}
    others = {Tag.Provision, Tag.Policies, Tag.Policy, Tag.PolicyType, Tag.PolicyKey, Tag.Data, Tag.Status, Tag.RemoteWipe}
    others |= {Tag.EASProvisionDoc, Tag.ApplicationName, Tag.Hash, Tag.AccountOnlyRemoteWipe}
    assert settings - others == found.keys()
    assert "1" == found[Tag.DevicePasswordEnabled]
    assert 1 <= int(found[Tag.MinDevicePasswordLength]) <= 16
    assert 4 <= int(found[Tag.MaxDevicePasswordFailedAttempts]) <= 16
    assert 1 <= int(found[Tag.MinDevicePasswordComplexCharacters]) <= 4
    assert 0 < int(found[Tag.MaxInactivityTimeDeviceLock]) < 9999
    assert "1" == found[Tag.AllowStorageCard] or "0" == found[Tag.RequireStorageCardEncryption]


def test_settings_stand_in_the_order_of_the_schema():
    """[MS-ASPROV] 2.2.2.28: a sequence."""
    order = [child.name for child in policy.document("basic").children]
    assert ["DevicePasswordEnabled", "AlphanumericDevicePasswordRequired", "PasswordRecoveryEnabled"] == order[:3]
    assert ["UnapprovedInROMApplicationList", "ApprovedApplicationList"] == order[-2:]


def test_a_request_is_kept_waiting_until_its_key_is_good_r487(office, open_session, provisioned):
    """R483, R487, R693: 142 without a key, 144 with a wrong one, 143 after the administrator chose another preset."""
    assert policy.objection(open_session().device, "", "none") is None
    assert Common.DEVICE_NOT_PROVISIONED is policy.objection(open_session().device, "0", "basic")
    key = key_of(provisioned(acknowledged(key_of(provisioned(initial(), options=BASIC))), options=BASIC))
    device = open_session().device
    assert [None, Common.INVALID_POLICY_KEY, Common.DEVICE_NOT_PROVISIONED, Common.POLICY_REFRESH] == [
        policy.objection(device, key, "basic"),
        policy.objection(device, "1", "basic"),
        policy.objection(device, "0", "basic"),
        policy.objection(device, key, "strict"),
    ]


def test_who_is_excluded(office, open_session):
    """Activesync.md 2.17: blocked and wiped devices, and those that cannot do what they are told to."""
    device = open_session().device
    assert policy.exclusion(device, Version.V16_1) is None
    blocked = office.devices.block(ANNA, "dev1", "test")
    wiping = office.devices.request_wipe(ANNA, "dev1", "test")
    assert Common.DEVICE_IS_BLOCKED_FOR_THIS_USER is policy.exclusion(blocked, Version.V16_1)
    assert Common.REMOTE_WIPE_REQUESTED is policy.exclusion(wiping, Version.V16_1)
    assert Common.DEVICE_IS_BLOCKED_FOR_THIS_USER is policy.exclusion(wiping, Version.V16_0)
