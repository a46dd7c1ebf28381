"""Every code that onOffice may refuse with: what the device is answered, over DAV and ActiveSync, and what log, page and `mirror status` tell."""

from __future__ import annotations

import html
import logging

import pytest

from activesync_bridge.wbxml.codepages import AirSync, Tasks
from activesync_bridge.wbxml.element import Element as E
from radicale_onoffice import mirrors, pulling
from radicale_onoffice.core import reports
from radicale_onoffice.core.model import Kind
from radicale_onoffice.crm.onoffice import codes
from radicale_onoffice.crm.onoffice.contacts import SYNC
from tests.crm.desks import ANNA, PHONE, Desk
from tests.eas.phone import Phone, Refused, over
from tests.emulator.errors import MESSAGES

EVERY = sorted((set(MESSAGES) | set(codes.FAULTS) | {4711}) - {0, 97})  # 0 is OK, 97 points at another one; 4711 is known to nobody
LATER = {1, 22, 26, 27, *range(40, 50), 70, *range(102, 109), 134, 135, 136, 137, 150, 153, 155, 158, 175, 176}
LATER |= {183, 189, 190, 193, 201, 240, 243, 248, 303, 999}  # ours or onOffice's to mend: the device comes again
ASKED_ANEW = {75, 138, 141, 143, 144, 145, 154}  # a field is gone: what there is is asked for, and the change goes without it
TABLES = {Kind.CONTACTS: "address", Kind.APPOINTMENTS: "calendar", Kind.TASKS: "task"}
WHERE = {Kind.CONTACTS: "contacts", Kind.APPOINTMENTS: "calendar", Kind.TASKS: "tasks"}
CALENDAR = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{}END:VCALENDAR\r\n"
TODO = CALENDAR.format("BEGIN:VTODO\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:{uid}\r\nPRIORITY:{priority}\r\nEND:VTODO\r\n")
EVENT = CALENDAR.format(
    "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260401T100000Z\r\nDTEND:20260401T110000Z\r\nSUMMARY:{uid}\r\nEND:VEVENT\r\n"
)
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nN:{uid};Anna;;;\r\nFN:Anna {uid}\r\nEND:VCARD\r\n"
TEXTS = {Kind.CONTACTS: CARD, Kind.APPOINTMENTS: EVENT, Kind.TASKS: TODO}
REFUSED = {"dav": (403, ""), "eas": (200, "7")}
COME_AGAIN = {"dav": (503, "Retry-After"), "eas": (503, "Retry-After")}


class Place:
    """A server over an emulated onOffice, a DAV client and a phone with a task, and what administrators and users can read."""

    def __init__(self, server, emulated, clock):
        self.desk, self.dav = Desk(server.office, emulated, clock), server.client()
        self.server, self.phone = server, Phone(over(server.client(None)), version="16.1")
        assert 201 == self.dav.put("/anna/tasks/a.ics", content=TODO.format(uid="a", priority=5)).status_code
        self.phone.sync("tasks")
        (self.item,) = self.phone.of("tasks").items

    def change(self, face: str, urgent: bool = True) -> tuple[int, str]:
        """Another priority of the task: HTTP status, and of a phone the item's status, of a 503 its header."""
        if face == "dav":
            return self.over_http(self.dav.put("/anna/tasks/a.ics", content=TODO.format(uid="a", priority=1 if urgent else 9)))
        importance = E(Tasks.Importance, "2" if urgent else "0")
        return self._over_eas(E(AirSync.Change, (E(AirSync.ServerId, self.item), data(importance))))

    def remove(self, face: str, path: str, item: str, collection: str = "appointments") -> tuple[int, str]:
        if face == "dav":
            return self.over_http(self.dav.delete(path))
        return self._over_eas(E(AirSync.Delete, (E(AirSync.ServerId, item),)), collection=collection)

    def make_over_eas(self, client_id: str) -> tuple[int, str]:
        fields = data(E(Tasks.Subject, f"Anruf {client_id}"), E(Tasks.Complete, "0"))
        return self._over_eas(E(AirSync.Add, (E(AirSync.ClientId, client_id), fields)))

    def told(self) -> list[str]:
        """What stands in the audit log of what was refused, the newest first."""
        with self.desk.office.store.reading() as tx:
            return [line.detail for line in tx.audit("t", 1000, login="anna", event="refused")]

    @staticmethod
    def over_http(answer) -> tuple[int, str]:
        return answer.status_code, "Retry-After" if "retry-after" in answer.headers else ""

    def _over_eas(self, command: E, collection: str = "tasks") -> tuple[int, str]:
        try:
            responses = self.phone.sync(collection, command)
        except Refused as error:
            return error.status, "Retry-After" if "retry-after" in error.headers else ""
        return 200, responses[0].text_of(AirSync.Status) if responses else "1"

    def state(self) -> tuple:
        """What is stored of the task, here and there."""
        (record,) = self.desk.all_stored(Kind.TASKS)
        return record.version, record.value.priority, str(self.desk.rows(Kind.TASKS)[0]["Prio"])

    def page(self) -> str:
        browser = self.server.client(None, **{"Accept-Language": "en"})
        answer = browser.post("/.web/sign-in", data={"login": "anna", "password": "secret"})
        browser.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
        return html.unescape(browser.get("/.web/").text)


def data(*fields: E) -> E:
    return E(AirSync.ApplicationData, fields)


def in_log(caplog, code: int) -> bool:
    """True if the log has onOffice's words and its code."""
    return any(one.levelno >= logging.WARNING and f"No{code}. (onOffice code {code})" in one.getMessage() for one in caplog.records)


@pytest.fixture
def place(serve, make_office, clock, monkeypatch):
    monkeypatch.setattr(reports, "REFUSALS", 10**6)  # a day of refusals in a second
    server = serve(crm="onoffice")
    (emulated,) = make_office.emulated.values()
    return Place(server, emulated, clock)


def test_the_table_knows_every_code_of_our_calls():
    """Each has a fault of its own accord; only a code that nobody knows has none."""
    assert [] == [code for code in EVERY if code not in codes.FAULTS and code != 4711]
    assert set(LATER) == {code for code, fault in codes.FAULTS.items() if fault in (codes.Fault.ACCESS, codes.Fault.SERVER)}


@pytest.mark.parametrize("face", ["dav", "eas"])
def test_every_code_of_a_change(place, face, caplog):
    """A change is refused in onOffice's words (403; 7, and the stored item again), or is to come again; nothing is stored anywhere."""
    caplog.set_level(logging.WARNING)
    before, seen, wanted = place.state(), {}, {}
    for code in EVERY:
        caplog.clear()
        known = len(place.told())
        times = 2 if code in ASKED_ANEW else 1
        place.desk.fault(kind="error", verb="modify", resourcetype="task", code=code, message=f"No{code}.", times=times)
        answer = place.change(face)
        place.desk.control.clear_faults()
        told = place.told()
        on_page = [f"No{code}." in detail for detail in told[: len(told) - known]]
        seen[code] = (answer, in_log(caplog, code), on_page)
        wanted[code] = (COME_AGAIN[face], True, []) if code in LATER else (REFUSED[face], True, [True])
        if code in LATER and face == "eas":
            place.phone.sync("tasks")  # it comes again: without the change, which the user made anew
    assert wanted == seen
    assert before == place.state()
    assert f"No{EVERY[-1]}. (onOffice code {EVERY[-1]})" in place.page()
    assert [] == place.desk.errands()


@pytest.mark.parametrize("face", ["dav", "eas"])
def test_a_field_that_is_gone_costs_no_change(place, face):
    """The account's fields are asked for anew, and the change is made."""
    for number, code in enumerate(sorted(ASKED_ANEW)):
        place.desk.fault(kind="error", verb="modify", resourcetype="task", code=code, message="No.")
        status, detail = place.change(face, urgent=number % 2 == 0)
        assert (True, True, []) == (status < 300, detail in ("", "1"), place.told())
        assert place.state()[2] in (("1", "2") if number % 2 == 0 else ("4", "5"))


@pytest.mark.parametrize("face", ["dav", "eas"])
def test_who_is_not_let_in_comes_again(place, face, caplog):
    """Token, signature, clock or address: nobody's device is to blame, nothing counts against a login, and the log says what to mend."""
    advice = {22: "token", 137: "a pair", 136: "clock", 158: "address", 104: "active"}
    before = place.state()
    for code, word in advice.items():
        caplog.clear()
        place.desk.fault(kind="error", code=code, message="No.", times=10**6)
        assert (code, COME_AGAIN[face]) == (code, place.change(face))
        errors = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
        assert any(f"onOffice code {code}" in one and word in one for one in errors), errors
        place.desk.recover()
    assert (before, [], False) == (place.state(), place.told(), place.desk.office.accounts.is_locked(ANNA))


@pytest.mark.parametrize("kind", list(Kind))
def test_every_code_of_a_new_record(place, kind, caplog):
    """Refused: nowhere, and told in onOffice's words; else to come again. What is repeated afterwards is made once."""
    rows, stored = len(place.desk.rows(kind)), len(place.desk.all_stored(kind))
    extension, seen, wanted = "vcf" if kind is Kind.CONTACTS else "ics", {}, {}
    for code in EVERY:
        caplog.clear()
        times = 2 if code in ASKED_ANEW else 1
        place.desk.fault(kind="error", verb="create", resourcetype=TABLES[kind], code=code, message=f"No{code}.", times=times)
        text = TEXTS[kind].format(uid=f"n{code}", priority=5)
        answer = place.dav.put(f"/anna/{WHERE[kind]}/n{code}.{extension}", content=text)
        place.desk.recover()
        on_page = [f"new ({kind})" in one for one in place.told() if f"No{code}." in one]
        seen[code] = (place.over_http(answer), in_log(caplog, code), on_page)
        wanted[code] = (COME_AGAIN["dav"], True, []) if code in LATER else (REFUSED["dav"], True, [True])
    assert wanted == seen
    place.desk.wait(minutes=3)
    assert (rows, stored) == (len(place.desk.rows(kind)), len(place.desk.all_stored(kind)))
    assert 201 == place.dav.put(f"/anna/{WHERE[kind]}/n1.{extension}", content=TEXTS[kind].format(uid="n1", priority=5)).status_code
    assert rows + 1 == len(place.desk.rows(kind))


def test_every_code_of_what_a_phone_makes(place):
    """Add 6: the phone drops its copy; or 503, and the same Add again."""
    seen = {}
    for code in EVERY:
        times = 2 if code in ASKED_ANEW else 1
        place.desk.fault(kind="error", verb="create", resourcetype="task", code=code, message="No.", times=times)
        seen[code] = place.make_over_eas(f"c{code}")
        place.desk.recover()
        if code in LATER:
            place.phone.sync("tasks")
    assert {code: COME_AGAIN["eas"] if code in LATER else (200, "6") for code in EVERY} == seen
    assert 1 == len(place.desk.rows(Kind.TASKS))


def test_every_code_of_the_flag_of_a_new_contact(place, caplog):
    """Refused, the contact stays in onOffice, and the page tells; else the PUT comes again. Once the right is there, a repetition sets the flag."""
    seen, wanted = {}, {}
    for code in EVERY:
        caplog.clear()
        rows = len(place.desk.rows(Kind.CONTACTS))
        place.desk.fault(kind="error", verb="create", resourcetype="relation", code=code, message=f"No{code}.", times=99)
        path, text = f"/anna/contacts/n{code}.vcf", CARD.format(uid=f"n{code}")
        answer = place.over_http(place.dav.put(path, content=text))
        place.desk.recover()
        told = any(f"did not take all of it: No{code}." in one for one in place.desk.told())
        again = place.dav.put(path, content=text).status_code
        flags = place.desk.control.linked(SYNC)
        seen[code] = (answer, told, in_log(caplog, code), again, len(place.desk.rows(Kind.CONTACTS)) - rows, len(flags))
        wanted[code] = (COME_AGAIN["dav"] if code in LATER else (201, ""), code not in LATER, True, 201, 1, 1)
        for parent, child in flags:
            place.desk.control.unlink(SYNC, parent, child)
    assert wanted == seen
    assert [] == place.desk.errands()


@pytest.mark.parametrize("face", ["dav", "eas"])
def test_every_code_of_the_flag_of_a_contact_that_is_taken_off(place, face, caplog):
    """A contact that a device deletes stays in onOffice and loses its Sync flag; refused, it comes again on the device."""
    assert 201 == place.dav.put("/anna/contacts/k.vcf", content=CARD.format(uid="k")).status_code
    place.phone.sync("contacts")
    (item,) = place.phone.of("contacts").items
    seen, wanted = {}, {}
    for code in EVERY:
        caplog.clear()
        place.desk.fault(kind="error", verb="delete", resourcetype="relation", code=code, message=f"No{code}.", times=99)
        answer = place.remove(face, "/anna/contacts/k.vcf", item, "contacts")
        place.desk.recover()
        place.phone.sync("contacts")
        seen[code] = (answer, in_log(caplog, code), [item] == list(place.phone.of("contacts").items))
        wanted[code] = (COME_AGAIN[face] if code in LATER else REFUSED[face], True, True)
    assert wanted == seen


@pytest.mark.parametrize("face", ["dav", "eas"])
def test_every_code_of_a_removal(place, face, caplog):
    """Refused, or denied to be there though it can be seen: it stays there and here, and comes again on the phone."""
    for code in EVERY:
        caplog.clear()
        path = f"/anna/calendar/e{code}.ics"
        assert 201 == place.dav.put(path, content=EVENT.format(uid=f"e{code}")).status_code
        place.phone.sync("appointments")
        (item,) = place.phone.of("appointments").items
        place.desk.fault(kind="error", verb="delete", resourcetype="calendar", code=code, message=f"No{code}.", times=99)
        answer = place.remove(face, path, item)
        place.desk.recover()
        assert (code, COME_AGAIN[face] if code in LATER else REFUSED[face]) == (code, answer)
        assert in_log(caplog, code)
        assert (code in LATER) != any(f"No{code}." in one for one in place.told())
        place.phone.sync("appointments")
        assert ([item], 1) == (list(place.phone.of("appointments").items), len(place.desk.rows(Kind.APPOINTMENTS)))
        assert place.remove(face, path, item)[0] in (200, 204)
        place.phone.sync("appointments")
        assert {} == place.phone.of("appointments").items


def test_every_code_of_a_reading_call(place):
    """A poll that is refused is told in `mirror status` until one is not; devices go on reading, and nothing is dropped.

    What a right of the API user is missing for is an alarm of that kind, and the other kinds go on; anything else is the whole poll's trouble.
    """
    puller = pulling.Puller(place.desk.office, place.desk.office.crm, 60.0, holder="test", monotonic=lambda: place.desk.emulated.waited)
    puller.round()
    puller.finish(60)
    seen = {}
    for code in EVERY:
        place.desk.emulated.waited += 10_000
        place.desk.fault(kind="error", verb="read", resourcetype="calendar", code=code, message=f"No{code}.")
        puller.round()
        puller.finish(60)
        with place.desk.office.store.reading() as tx:
            state = mirrors.state_of(tx, "t", place.desk.clock())
        place.desk.control.clear_faults()
        told = state.kinds[Kind.APPOINTMENTS].alarm if codes.FAULTS.get(code) is codes.Fault.RIGHT else state.error
        seen[code] = f"No{code}. (onOffice code {code})" in told
        assert 200 == place.dav.get("/anna/tasks/a.ics").status_code
        place.phone.sync("tasks")
        assert [place.item] == list(place.phone.of("tasks").items)
    assert dict.fromkeys(EVERY, True) == seen
    place.desk.emulated.waited += 10_000
    puller.round()
    puller.finish(60)
    with place.desk.office.store.reading() as tx:
        state = mirrors.state_of(tx, "t", place.desk.clock())
    assert ("", ()) == (state.error, state.alarms)
    assert 1 == len(place.desk.all_stored(Kind.TASKS))


def test_a_field_that_an_administrator_took_away_stops_the_mirror_for_one_turn_only(place):
    """One unknown key fails the whole call (141); the next turn asks which fields there are."""
    puller = pulling.Puller(place.desk.office, place.desk.office.crm, 60.0, holder="test", monotonic=lambda: place.desk.emulated.waited)
    puller.round()
    puller.finish(60)
    place.desk.control.drop_field("address", "jobPosition")
    for expected in (True, False):
        place.desk.emulated.waited += 10_000
        puller.round()
        puller.finish(60)
        with place.desk.office.store.reading() as tx:
            assert expected == (mirrors.trouble_of(tx, "t") is not None)


@pytest.mark.parametrize("face", ["dav", "eas"])
def test_a_removal_of_what_is_gone_meanwhile_is_one(place, face):
    """Somebody deletes the appointment in onOffice between our look at it and our removal (169): it is gone here, too, and nobody is refused."""
    place.desk.add(Kind.APPOINTMENTS, PHONE, uid="of-bert", changes={"participants": ("bert",)})  # by which our right to read is known
    assert 201 == place.dav.put("/anna/calendar/e.ics", content=EVENT.format(uid="e")).status_code
    place.phone.sync("appointments")
    (item,) = place.phone.of("appointments").items
    record = next(one for one in place.desk.all_stored(Kind.APPOINTMENTS))
    place.desk.emulated.wires["t"].then = lambda: place.desk.control.delete("calendar", place.desk.number(record))
    assert place.remove(face, "/anna/calendar/e.ics", item)[0] in (200, 204)
    place.phone.sync("appointments")
    assert ({}, [], []) == (place.phone.of("appointments").items, place.told(), place.desk.errands())
