"""Flags and slots that a person sets on a page, where onOffice is the CRM (rules 17, 24, 39)."""

from __future__ import annotations

import pytest

from radicale_onoffice.core.errors import UpstreamDown
from radicale_onoffice.core.model import Kind, Slot
from tests.crm.desks import ANNA, CHANGES, NUMBERS

FLAG = "address:user:sync"


def flags(at, record):
    return at.row(record)["links"].get(FLAG, [])


def test_rule_17_the_flag_is_the_relation_of_address_and_user(desk):
    """Taken away and given again over there; one commit here for each, and nothing left to do."""
    at = desk()
    record = at.add(Kind.CONTACTS)
    anna = at.emulator.account.user("anna")
    assert 1 == at.office.address_list.set_synced(ANNA, [record.id], False, by="page anna").changed
    assert ([], ()) == (flags(at, record), at.stored(record).value.sync_users)
    assert 1 == at.office.address_list.set_synced(ANNA, [record.id], True, by="page anna").changed
    assert ([anna], ("anna",), []) == (flags(at, record), at.stored(record).value.sync_users, at.errands())


def test_what_somebody_changed_there_meanwhile_stays(desk):
    """It is adopted, and the flag goes on top."""
    at = desk()
    record = at.add(Kind.CONTACTS)
    at.wait(minutes=1)
    at.control.edit("address", at.number(record), Ort="Ulm")
    assert 1 == at.office.address_list.set_synced(ANNA, [record.id], False, by="page anna").changed
    assert ("Ulm", "Ulm", []) == (at.row(record)["Ort"], at.stored(record).value.city, flags(at, record))


def test_an_outage_flags_what_it_can_and_tells_of_the_rest(desk):
    """The contacts that onOffice did not answer for stay as they were, here and there."""
    at = desk()
    first, second = at.add(Kind.CONTACTS), at.add(Kind.CONTACTS, uid="two", name="b.item", changes=CHANGES[Kind.CONTACTS])
    at.office.address_list.set_synced(ANNA, [first.id], False, by="page anna")
    at.outage()
    flagged = at.office.address_list.set_synced(ANNA, [first.id, second.id], False, by="page anna")
    assert (0, [second.id]) == (flagged.changed, [record_id for record_id, _ in flagged.failed])
    at.recover()
    assert (1, ()) == (
        at.office.address_list.set_synced(ANNA, [second.id], False, by="page anna").changed,
        at.stored(second).value.sync_users,
    )


def test_rule_39_a_slot_is_ours_and_needs_no_request(desk):
    """onOffice has no field for it; so it can be set during an outage."""
    at = desk()
    record = at.add(Kind.CONTACTS)
    entry = next(one for one in record.value.entries if one.slot is Slot.BUSINESS)
    at.outage()
    card = at.office.address_list.give_slot(ANNA, record.id, entry.id, Slot.HOME, expect=record.version)
    assert {Slot.HOME: NUMBERS[Slot.BUSINESS]}.items() <= {one.slot: one.entry.value for one in card.shown}.items()
    with pytest.raises(UpstreamDown):
        at.edit(at.stored(record), city="Köln")
