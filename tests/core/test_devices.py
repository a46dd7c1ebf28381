"""Phones: who may come, and what an administrator does to them (rule 15; [MS-ASPROV] 3.2.5.1.2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from radicale_onoffice.core import devices
from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.errors import BadRequest, NotFound, Refused, TooManyDevices, Unconfirmed
from radicale_onoffice.core.model import DeviceState, Face, Failure, Identity
from radicale_onoffice.core.policy import Policy

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
PHONE = "androidc1234567890"


def seen(office, identity=ANNA, device_id=PHONE, **says):
    return office.devices.seen(identity, device_id, **{"type": "Android", "user_agent": "Gmail/1", "version": "16.1", **says})


def with_state(office, identity=ANNA, device_id=PHONE):
    """Give a device what a phone in use has."""
    with office.store.writing() as tx:
        for collection in ("contacts", "tasks"):
            tx.save_sync_state(identity, device_id, collection, "{}", b"answer")
            tx.save_client_id(identity, device_id, collection, 1, "c", "r")
            failure = Failure(identity=identity, device_id=device_id, collection=collection, item="r", reason="no", at=office.clock())
            tx.save_failure(failure)


def states(office, identity=ANNA, device_id=PHONE) -> list[str]:
    with office.store.reading() as tx:
        return [collection for collection in ("contacts", "tasks") if tx.sync_state(identity, device_id, collection)]


def events(office) -> list[str]:
    with office.store.reading() as tx:
        return [line.event for line in tx.audit("t", 50) if line.event.startswith("device")]


def everybody(office) -> int:
    with office.store.reading() as tx:
        return tx.counters().get("t", (0, 0))[1]


def test_a_new_device_is_made_and_known_again(office, clock):
    """With what it says of itself; the audit log tells of it once."""
    device = seen(office)
    assert (ANNA, PHONE, "Android", "16.1", clock.now, DeviceState.ALLOWED) == (
        device.identity,
        device.id,
        device.type,
        device.version,
        device.first_seen,
        device.state,
    )
    assert (device, ["device added"]) == (seen(office), events(office))


def test_when_it_was_seen_is_written_every_ten_minutes(office, clock):
    """Not with each request; but what it says of itself at once."""
    first = seen(office)
    clock.now += timedelta(minutes=9)
    assert first == seen(office)
    assert (clock.now, "Gmail/2") == ((again := seen(office, user_agent="Gmail/2")).last_seen, again.user_agent)
    clock.now += timedelta(minutes=10)
    assert clock.now == seen(office, user_agent="Gmail/2").last_seen
    assert first.first_seen == office.devices.get(ANNA, PHONE).first_seen


def test_rule_15_another_user_of_a_known_device_starts_from_zero(office):
    """And the first one keeps what was there: a phone may have two accounts."""
    seen(office)
    with_state(office)
    office.devices.update(ANNA, PHONE, policy_key="7", heartbeat=470)
    other = seen(office, BERT)
    assert ("", 0, []) == (other.policy_key, other.heartbeat, states(office, BERT))
    assert (["contacts", "tasks"], "7") == (states(office), office.devices.get(ANNA, PHONE).policy_key)
    with office.store.reading() as tx:
        assert f"{PHONE} Android, also a device of anna" == tx.audit("t", 1)[0].detail


@pytest.mark.parametrize("device_id", ["", "x" * 65, "a\nb", "a\0b"])
def test_an_id_that_is_none_is_refused(office, device_id):
    """Bounded like every input."""
    with pytest.raises(BadRequest, match="DeviceId"):
        seen(office, device_id=device_id)


def test_what_a_device_says_is_bounded_and_forges_no_log_line(office):
    """Long texts are cut, control characters are replaced, pairs are counted."""
    device = seen(office, user_agent="a\nb" + "x" * 999, type="é" * 999)
    assert (256, "a?b", "é" * 256) == (len(device.user_agent), device.user_agent[:3], device.type)
    pairs = tuple((f"n{number}", "v\r" * 999) for number in range(99))
    device = office.devices.update(ANNA, PHONE, information=pairs)
    assert (32, ("n0", "v?" * 128)) == (len(device.information), device.information[0])


def test_r4980_one_device_more_than_allowed_is_refused(make_office):
    """MS-ASCMD R4980: status 177, counted per user; a device that is removed makes room."""
    office = make_office(Policy(max_devices=2))
    for device_id in ("a", "b"):
        seen(office, device_id=device_id)
    with pytest.raises(TooManyDevices, match="2 devices"):
        seen(office, device_id="c")
    assert "b" == seen(office, device_id="b").id
    assert "c" == seen(office, BERT, "c").id
    office.devices.remove(ANNA, "a", "test")
    assert "c" == seen(office, device_id="c").id


def test_devices_that_came_no_more_make_room_but_not_those_that_are_kept_out(make_office, clock):
    """After as many days as feeds remember, a device starts anew anyway; a block does not end by waiting."""
    office = make_office(Policy(max_devices=2, feed_days=90))
    seen(office, device_id="old")
    with_state(office, device_id="old")
    seen(office, device_id="bad")
    office.devices.block(ANNA, "bad", "test")
    clock.now += timedelta(days=91)
    seen(office, device_id="new")
    assert ["bad", "new"] == [device.id for device, _ in office.devices.list("t", "anna")]
    assert [] == states(office, device_id="old")
    with pytest.raises(TooManyDevices):
        seen(office, device_id="newer")


def test_a_phone_that_is_forgotten_warns_of_no_old_password(make_office, clock):
    """Nobody could dismiss that: the phone has no page any more."""
    office = make_office(Policy(feed_days=90))
    office.accounts.sign_in("anna", "secret", Caller(face=Face.EAS, device="old"))
    seen(office, device_id="old")
    clock.now += timedelta(days=1)
    office.accounts.change_user(ANNA, "test", password="another secret")
    assert ["old"] == [one.client for one in office.visits.with_old_password(ANNA)]
    clock.now += timedelta(days=91)
    seen(office, device_id="new")
    assert () == office.visits.with_old_password(ANNA)


def test_an_update_keeps_what_others_changed_meanwhile(office):
    """A request that began before a block does not undo it."""
    device = seen(office)
    office.devices.block(ANNA, PHONE, "test")
    office.devices.update(ANNA, PHONE, heartbeat=470)
    seen(office, user_agent="Gmail/2")
    known = office.devices.get(ANNA, PHONE)
    assert (DeviceState.BLOCKED, 470, "Gmail/2") == (known.state, known.heartbeat, known.user_agent)
    assert device.state is DeviceState.ALLOWED
    with pytest.raises(NotFound, match="device list"):
        office.devices.update(ANNA, "no", heartbeat=1)


def test_block_and_unblock_wake_who_waits_and_keep_the_state(office):
    """What the device has it keeps; the audit log names who did it."""
    seen(office)
    with_state(office)
    office.devices.block(ANNA, PHONE, "admin")
    assert (DeviceState.BLOCKED, 1) == (office.devices.get(ANNA, PHONE).state, everybody(office))
    assert (DeviceState.ALLOWED, 2) == (office.devices.unblock(ANNA, PHONE, "admin").state, everybody(office))
    assert ["contacts", "tasks"] == states(office)
    assert ["device unblocked", "device blocked", "device added"] == events(office)


BY_ADMINS = {
    "block": lambda office: office.devices.block(ANNA, PHONE, "page boss"),
    "wipe": lambda office: office.devices.request_wipe(ANNA, PHONE, "cli root"),
}
BY_OWNERS = ("block", "unblock", "remove", "request_wipe")


@pytest.mark.parametrize("order", BY_ADMINS)
@pytest.mark.parametrize("do", BY_OWNERS)
def test_what_an_administrator_ordered_no_owner_undoes(office, order, do):
    """Who has the stolen phone has the owner's password, too; an administrator can, whoever ordered it."""
    seen(office)
    BY_ADMINS[order](office)
    ordered = office.devices.get(ANNA, PHONE)
    with pytest.raises(Refused):
        getattr(office.devices, do)(ANNA, PHONE, "page anna", as_owner=True)
    assert ordered == office.devices.get(ANNA, PHONE)
    assert DeviceState.ALLOWED == office.devices.unblock(ANNA, PHONE, "page other").state


def test_a_wipe_that_was_done_lets_the_phone_in_again_for_administrators_only(office):
    """Otherwise it would come again with the password that is on it."""
    seen(office)
    office.devices.request_wipe(ANNA, PHONE, "page boss")
    office.devices.wipe_sent(ANNA, PHONE)
    office.devices.wiped(ANNA, PHONE)
    with pytest.raises(Refused):
        office.devices.remove(ANNA, PHONE, "page anna", as_owner=True)
    assert office.devices.remove(ANNA, PHONE, "page boss")


@pytest.mark.parametrize("do", BY_OWNERS)
def test_what_owners_ordered_they_change(office, do):
    """A phone that was found again needs no administrator."""
    seen(office)
    office.devices.request_wipe(ANNA, PHONE, "page anna", as_owner=True)
    assert getattr(office.devices, do)(ANNA, PHONE, "page anna", as_owner=True)


def test_a_wipe_is_requested_sent_and_done(office):
    """Then the device stays out until it is let in again, with nothing left (R663, R66601)."""
    seen(office)
    with_state(office)
    office.devices.update(ANNA, PHONE, policy_key="7", sync_request="{}")
    device = office.devices.request_wipe(ANNA, PHONE, "admin")
    assert (DeviceState.WIPE_REQUESTED, True) == (device.state, device.wipe_account_only)
    office.devices.wipe_sent(ANNA, PHONE)
    assert DeviceState.WIPE_SENT == office.devices.get(ANNA, PHONE).state
    office.devices.wiped(ANNA, PHONE)
    device = office.devices.get(ANNA, PHONE)
    assert (DeviceState.WIPED, "", "", []) == (device.state, device.policy_key, device.sync_request, states(office))
    office.devices.wiped(ANNA, PHONE)  # said twice
    office.devices.wipe_sent(ANNA, PHONE)
    assert DeviceState.WIPED == seen(office).state
    assert ["device wiped", "device wipe of the account requested", "device added"] == events(office)


def test_a_wipe_that_failed_is_told_again(office):
    """R665, R66604; the administrator sees it in the audit log."""
    seen(office)
    office.devices.request_wipe(ANNA, PHONE, "admin")
    office.devices.wipe_sent(ANNA, PHONE)
    office.devices.wiped(ANNA, PHONE, success=False)
    assert DeviceState.WIPE_REQUESTED == office.devices.get(ANNA, PHONE).state
    assert "device not wiped, is told again" == events(office)[0]


def test_a_device_that_was_let_in_again_is_neither_told_nor_taken_for_wiped(office):
    """The administrator took the wipe back while the device was being told."""
    seen(office)
    office.devices.request_wipe(ANNA, PHONE, "admin")
    office.devices.unblock(ANNA, PHONE, "admin")
    office.devices.wipe_sent(ANNA, PHONE)
    office.devices.wiped(ANNA, PHONE)
    assert DeviceState.ALLOWED == office.devices.get(ANNA, PHONE).state


def test_a_whole_phone_is_erased_only_where_the_policy_allows_it(make_office):
    """activesync_full_wipe: erasing a phone by mistake cannot be undone."""
    office = make_office()
    seen(office)
    with pytest.raises(Refused, match="activesync_full_wipe"):
        office.devices.request_full_wipe(ANNA, PHONE, "admin", PHONE)
    assert DeviceState.ALLOWED == office.devices.get(ANNA, PHONE).state
    with pytest.raises(Refused, match="activesync_full_wipe"):
        office.devices.demand_full_wipe()
    allowed = make_office(Policy(full_wipe=True))
    assert (False, True) == (office.devices.may_be_erased, allowed.devices.may_be_erased)
    assert not allowed.devices.request_full_wipe(ANNA, PHONE, "admin", PHONE).wipe_account_only


@pytest.mark.parametrize(
    ("typed", "model", "is_right"),
    [
        (PHONE, "iPhone15,2", True),
        (f" {PHONE.lower()} ", "", True),
        ("iPhone15,2", "iPhone15,2", True),
        ("iphone15,2", " iPhone15,2 ", True),
        ("iPhone15", "iPhone15,2", False),
        ("", "iPhone15,2", False),
        ("", "  ", False),
        (" ", "", False),
    ],
)
def test_a_whole_phone_is_erased_when_its_id_or_its_model_was_typed(make_office, typed, model, is_right):
    """Whatever the case; never by nothing, also if it tells no model or a blank one."""
    office = make_office(Policy(full_wipe=True))
    seen(office)
    office.devices.update(ANNA, PHONE, information=(("Model", model),))
    if is_right:
        assert not office.devices.request_full_wipe(ANNA, PHONE, "admin", typed).wipe_account_only
        return
    with pytest.raises(Unconfirmed, match="to confirm"):
        office.devices.request_full_wipe(ANNA, PHONE, "admin", typed)
    assert DeviceState.ALLOWED == office.devices.get(ANNA, PHONE).state


@pytest.mark.parametrize(("version", "can"), [("16.1", True), ("16.0", False), ("14.1", False), ("", False)])
def test_only_the_newest_protocol_can_wipe_an_account(office, version, can):
    """R66602: AccountOnlyRemoteWipe is of 16.1."""
    seen(office)
    assert can is devices.wipes_account(office.devices.update(ANNA, PHONE, version=version))


@pytest.mark.parametrize(("collection", "left"), [(None, []), ("contacts", ["tasks"])])
def test_a_resync_forgets_the_state_and_the_failures(office, collection, left):
    """Of one collection or of all; the device itself stays, and is woken."""
    seen(office)
    with_state(office)
    office.devices.update(ANNA, PHONE, sync_request="{}", heartbeat=470)
    before = everybody(office)
    office.devices.resync(ANNA, PHONE, "admin", collection)
    assert (left, left) == (states(office), [one.collection for one in office.devices.failures(ANNA, PHONE)])
    assert ("", 470, before + 1) == ((device := office.devices.get(ANNA, PHONE)).sync_request, device.heartbeat, everybody(office))
    with office.store.reading() as tx:
        assert [bool(left)] == [bool(tx.client_ids(ANNA, PHONE, "tasks"))]


def test_a_removed_device_leaves_nothing_and_comes_again_as_a_new_one(office):
    """Also what a request saved that was on its way meanwhile."""
    seen(office)
    with_state(office)
    assert office.devices.remove(ANNA, PHONE, "admin")
    assert not office.devices.remove(ANNA, PHONE, "admin")
    with_state(office)
    seen(office)
    assert ([], []) == (states(office), list(office.devices.failures(ANNA, PHONE)))


def test_a_list_has_each_device_with_its_failing_items(office):
    """Of the tenant or of one user."""
    seen(office)
    seen(office, BERT, "b")
    with_state(office, BERT, "b")
    assert [("anna", PHONE, 0), ("bert", "b", 2)] == [
        (device.identity.user, device.id, len(failures)) for device, failures in office.devices.list("t")
    ]
    assert ["b"] == [device.id for device, _ in office.devices.list("t", "bert")]
    assert [] == office.devices.list("other")


@pytest.mark.parametrize("do", ["block", "unblock", "request_wipe", "resync"])
def test_a_device_that_does_not_exist_is_not_found(office, do):
    """Nor is another user's."""
    seen(office, BERT)
    with pytest.raises(NotFound):
        getattr(office.devices, do)(ANNA, PHONE, "admin")
    assert replace(seen(office, BERT)) == office.devices.get(BERT, PHONE)
