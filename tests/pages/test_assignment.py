"""The assignment table in a browser without scripts: what is chosen there arrives on phones and DAV clients, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radicale_onoffice.core.model import Actor, Contact, Entry, EntryKind, EntryType, Face, Identity, Kind, Slot, Task
from radicale_onoffice.pages.language import LANGUAGES
from tests.journeys.test_slots_on_every_face import DEVICES, KINDS
from tests.pages.visitor import Visitor

ANNA = Identity("t", "anna")
CRM = Actor(identity=ANNA, face=Face.CRM)
A, B, C = "0241 1001", "0241 1002", "0241 1003"
EVIL = "<script>alert(1)</script>\"'{entry}"


def entry(number: int, value: str, slot: Slot | None = None, *, kind=EntryKind.PHONE, default=False, comment="") -> Entry:
    return Entry(id=number, kind=kind, value=value, slot=slot, default=default, type=EntryType.PRIVATE, comment=comment)


class Reading:
    """A visitor who looks at one contact."""

    def __init__(self, visitor: Visitor, *entries: Entry, **fields):
        self.visitor, self.office = visitor, visitor.office
        value = Contact(**({"first_name": "Eva", "last_name": "Berg", "sync_users": ("anna",)} | fields), entries=entries)
        self.id = self.office.records.write(CRM, Kind.CONTACTS, value, uid="u", name="u.vcf").id
        self.path = f"/contacts/{self.id}"

    def page(self):
        return self.visitor.get(self.path)

    def save(self, **slots: str):
        """Choose slots in the form, and send it."""
        return self.visitor.submit(self.path, self.path, **{name.replace("_", "-"): value for name, value in slots.items()})

    def crm(self) -> dict[str, Slot | None]:
        return {entry.value: entry.slot for entry in self.office.records.get("t", self.id).value.entries}

    def change(self, *entries: Entry) -> None:
        """Somebody else, in the CRM."""
        value = self.office.records.get("t", self.id).value
        self.office.records.write(CRM, Kind.CONTACTS, replace(value, entries=entries), record_id=self.id)


def chosen(page) -> dict[str, str]:
    """What the table's selects say, by field."""
    return {one.name: one.value for one in page.tree.cssselect("select[data-kind]")}


def preview(page) -> dict[str, str]:
    """What the phone is said to show, by field."""
    names, values = page.tree.cssselect("[data-preview] dt"), page.tree.cssselect("[data-preview] dd")
    return {name.text_content(): " ".join(value.text_content().split()) for name, value in zip(names, values, strict=True)}


@pytest.fixture(params=[(face, kind) for face in DEVICES for kind in KINDS], ids=lambda one: f"{one[0].__name__}-{one[1]}")
def phone(request, server):
    face, kind = request.param
    return face(server, kind)


def test_t6_a_slot_given_on_the_page_moves_and_arrives_on_the_device(phone, anna):
    """Rule 24 over phones of the oldest and the newest version and over CardDAV, for numbers, faxes and addresses."""
    phone.start((phone.a, phone.home, False), (phone.b, None, False))
    assert {phone.a} == phone.shown()
    path = f"/contacts/{phone.id}"
    page = anna.submit(path, path, **{"slot-2": phone.home.value})
    assert f"another entry has their field now: {phone.a}" in page.text
    assert ({phone.a: None, phone.b: phone.home}, {phone.b}) == (phone.crm(), phone.shown())


def test_t9_a_swap_on_the_page_swaps_on_the_device(phone, anna):
    """Rule 45: two slots move, nothing is made."""
    phone.start((phone.a, phone.home, True), (phone.b, phone.business, False))
    path = f"/contacts/{phone.id}"
    page = anna.submit(path, path, **{"slot-1": phone.business.value, "slot-2": phone.home.value})
    assert "Saved. " not in page.text
    assert ({phone.a: phone.business, phone.b: phone.home}, {phone.a, phone.b}) == (phone.crm(), phone.shown())


def test_t4_without_any_assignment_the_device_shows_the_default_as_the_page_says(phone, anna):
    """Rule 30: the fallback is shown on both, and stored nowhere."""
    phone.start((phone.a, phone.home, False), (phone.b, phone.business, True))
    path = f"/contacts/{phone.id}"
    page = anna.submit(path, path, **{"slot-1": "", "slot-2": ""})
    assert [f"{phone.b} (the default, because nothing is assigned)"] == list(preview(page).values())
    assert ({phone.a: None, phone.b: None}, {phone.b}) == (phone.crm(), phone.shown())


def test_t1_what_a_phone_changes_stands_in_the_table(phone, anna):
    """Rules 27, 28: the new entry has the slot, the old one is there without."""
    phone.start((phone.a, phone.home, False), (phone.b, phone.business, True))
    phone.put({phone.a: phone.c})
    page = anna.get(f"/contacts/{phone.id}")
    assert {"slot-1": "", "slot-2": phone.business.value, "slot-3": phone.home.value} == chosen(page)
    assert {phone.b, phone.c} == set(preview(page).values())


def test_the_table_shows_each_entry_with_type_default_and_slot(anna):
    """T12, rule 25: type and slot stand beside each other; each kind has a table of its own, with its own slots to choose from."""
    reading = Reading(
        anna,
        entry(1, A, Slot.BUSINESS, comment="vormittags"),
        entry(2, "0241 9", kind=EntryKind.FAX, default=True),
        entry(3, "a@example.org", Slot.EMAIL2, kind=EntryKind.EMAIL),
    )
    page = reading.page()
    assert ["Phone numbers", "Fax numbers", "E-mail addresses"] == [one.text_content() for one in page.tree.cssselect("caption")]
    rows = [[" ".join(cell.text_content().split()) for cell in row] for row in page.tree.cssselect("form[data-assignment] tbody tr")]
    assert [[f"{A} vormittags", "private", "–"], ["0241 9", "private", "Default"], ["a@example.org", "private", "–"]] == [
        row[:3] for row in rows
    ]
    assert {"slot-1": "business", "slot-2": "", "slot-3": "email2"} == chosen(page)
    options = [[option.get("value") for option in one.cssselect("option")] for one in page.tree.cssselect("select[data-kind]")]
    assert ([11, 3, 4], ["", "business_fax", "home_fax"]) == ([len(one) for one in options], options[1])
    assert {
        "Business phone": A,
        "Home fax": "0241 9 (the default, because nothing is assigned)",
        "E-mail 2": "a@example.org",
    } == preview(page)


def test_t7_without_slot_and_default_the_phone_shows_nothing(anna):
    """Rule 32, and the page says so."""
    assert "The phone will show no number" in Reading(anna, entry(1, A)).page().text


def test_a_contact_without_entries_has_no_table(anna):
    """There is nothing to assign."""
    page = Reading(anna).page()
    assert ("This contact has no numbers" in page.text, []) == (True, page.tree.cssselect("form[data-assignment]"))


def test_saving_says_what_happened(anna):
    """Once (rule 89): that it is saved, or that there was nothing to save."""
    reading = Reading(anna, entry(1, A, Slot.HOME), entry(2, B))
    assert "Saved." in reading.save(slot_2="car").text
    assert "Saved." not in reading.page().text
    assert "There was nothing to change." in reading.save().text


def test_of_two_that_want_one_slot_the_later_has_it_and_the_other_is_named(anna):
    """Rule 24 without a script, which would have taken it from the first at once."""
    reading = Reading(anna, entry(1, A), entry(2, B))
    page = reading.save(slot_1="home", slot_2="home")
    assert f"another entry has their field now: {A}." in page.text
    assert {A: None, B: Slot.HOME} == reading.crm()


# ----------------------------------------------------------------- conflicts


def stale(reading: Reading, **slots: str):
    """Send the form that was opened before somebody else changed the contact."""
    fields = dict(reading.opened.fields(reading.path))
    return reading.visitor.post(reading.path, fields | {name.replace("_", "-"): value for name, value in slots.items()}, follow=False)


def test_a_concurrent_change_loses_nothing(anna):
    """409: nothing is saved, what was chosen is still chosen, what is new is marked, and sending it again saves both."""
    reading = Reading(anna, entry(1, A, Slot.HOME), entry(2, B), entry(3, C))
    reading.opened = reading.page()
    reading.change(entry(1, A, Slot.HOME), entry(2, B), entry(3, C, Slot.MOBILE))
    page = stale(reading, slot_2="business")
    assert (409, {A: Slot.HOME, B: None, C: Slot.MOBILE}) == (page.status, reading.crm())
    assert {"slot-1": "home", "slot-2": "business", "slot-3": "mobile"} == chosen(page)
    assert [f"{C} changed meanwhile"] == [" ".join(row.cssselect("th")[0].text_content().split()) for row in page.tree.cssselect("tr.new")]
    assert "Somebody else has changed this contact" in page.text
    assert {"Home phone": A, "Business phone": B, "Mobile phone": C} == preview(page)
    again = anna.post(reading.path, dict(page.fields(reading.path)))
    assert (True, {A: Slot.HOME, B: Slot.BUSINESS, C: Slot.MOBILE}) == ("Saved." in again.text, reading.crm())


def test_after_a_conflict_about_the_same_entry_both_values_stand_there(anna):
    """The visitor's own choice stays chosen; the other's is written beside it."""
    reading = Reading(anna, entry(1, A, Slot.HOME))
    reading.opened = reading.page()
    reading.change(entry(1, A, Slot.CAR))
    page = stale(reading, slot_1="mobile")
    assert (409, {"slot-1": "mobile"}, True) == (page.status, chosen(page), "now: Car phone" in page.text)


def test_after_a_conflict_new_and_deleted_entries_are_named(anna):
    """A number that came, and one that went."""
    reading = Reading(anna, entry(1, A, Slot.HOME), entry(2, B))
    reading.opened = reading.page()
    reading.change(entry(1, A, Slot.HOME), entry(3, C, Slot.MOBILE))
    page = stale(reading, slot_2="business")
    assert (409, {"slot-1": "home", "slot-3": "mobile"}) == (page.status, chosen(page))
    assert f"Deleted meanwhile: {B}." in page.text


def test_a_version_that_is_not_kept_is_a_conflict_too(anna):
    """Everything that was sent stays chosen then."""
    reading = Reading(anna, entry(1, A, Slot.HOME))
    token = anna.token()
    page = anna.post(reading.path, {"token": token, "version": "9999", "slot-1": "car"}, follow=False)
    assert (409, {"slot-1": "car"}, {A: Slot.HOME}) == (page.status, chosen(page), reading.crm())
    assert 409 == anna.post(reading.path, {"token": token, "slot-1": "car"}, follow=False).status


# ------------------------------------------------------------- the live part


def test_the_preview_follows_the_table_before_it_is_saved(anna):
    """The part that the script fetches: by the same rule as saving, and nothing is written."""
    reading = Reading(anna, entry(1, A, Slot.HOME), entry(2, B))
    part = anna.get(f"{reading.path}/preview?slot-1=home&slot-2=home")
    assert [("Home phone", B)] == [
        (name.text_content(), value.text_content().strip())
        for name, value in zip(part.tree.cssselect("dt"), part.tree.cssselect("dd"), strict=True)
    ]
    assert ([], {A: Slot.HOME, B: None}) == (part.tree.cssselect("html > head *"), reading.crm())


@pytest.mark.parametrize("query", ["slot-9=home", "slot-1=email1", "slot-x=home", "slot-1=nose"])
def test_a_preview_of_nonsense_is_refused(anna, query):
    """With the page for it, not with a fault."""
    reading = Reading(anna, entry(1, A, Slot.HOME))
    assert 400 == anna.get(f"{reading.path}/preview?{query}").status
    name, _, value = query.partition("=")
    assert 400 == anna.post(reading.path, {"token": anna.token(), "version": "1", name: value}).status
    assert {A: Slot.HOME} == reading.crm()


# -------------------------------------------------------- rights and attacks


def test_who_may_not_change_contacts_sees_the_table_without_a_form(anna):
    """Rule 9, from the core: no select, no button, and a form that is sent all the same is refused."""
    reading = Reading(anna, entry(1, A, Slot.HOME))
    with anna.office.store.writing() as tx:
        tx.save_user(replace(tx.user(ANNA), rights=frozenset({"contacts.read"})))
    page = reading.page()
    assert (200, {}, [], True) == (page.status, chosen(page), page.tree.cssselect("main form button"), "only look at" in page.text)
    assert 403 == anna.post(reading.path, {"token": anna.token(), "version": "1", "slot-1": "car"}).status
    assert {A: Slot.HOME} == reading.crm()


def test_who_may_not_read_contacts_sees_none(anna):
    """Forced browsing: neither the page nor the part."""
    reading = Reading(anna, entry(1, A, Slot.HOME))
    with anna.office.store.writing() as tx:
        tx.save_user(replace(tx.user(ANNA), rights=frozenset()))
    for path in (reading.path, f"{reading.path}/preview"):
        page = anna.get(path)
        assert (403, False) == (page.status, A in page.html)


def test_nobody_reads_anothers_tasks_or_what_is_not_there_as_a_contact(anna):
    """Forced browsing: an id of another kind, an invented one, a path."""
    task = anna.office.records.write(CRM, Kind.TASKS, Task(subject="secret task"), uid="t", name="t.ics")
    for contact in (task.id, "nothing", "%3Cb%3E"):
        page = anna.get(f"/contacts/{contact}")
        assert (404, False) == (page.status, "secret task" in page.html), contact


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_whatever_stands_in_a_contact_is_text(anna, language):
    """Stored XSS through every field that the page shows, also in what is said after saving."""
    entries = (entry(1, EVIL, Slot.EMAIL1, kind=EntryKind.EMAIL, comment=EVIL), entry(2, "b@example.org", kind=EntryKind.EMAIL))
    reading = Reading(anna, *entries, last_name=EVIL, company=EVIL)
    anna.get(f"/?language={language}")
    for page in (reading.page(), reading.save(slot_2="email1")):
        assert (200, []) == (page.status, [one for one in page.tree.cssselect("script") if not one.get("src")])
        assert "<script>alert" not in page.html
        assert EVIL in page.text
