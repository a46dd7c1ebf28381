"""The list of contacts in a browser without scripts: searched, by the page, and put on devices or taken off them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radicale_onoffice.core.model import Actor, Contact, Entry, EntryKind, Face, Identity, Kind
from radicale_onoffice.core.rights import Gate
from tests.eas.phone import Phone, over

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
CRM = Actor(identity=ANNA, face=Face.CRM)
EVIL = "<img src=x onerror=alert(1)>\"'{n}"


def make(office, last_name: str, *users: str, **fields) -> str:
    """A contact of the CRM; its id."""
    value = Contact(last_name=last_name, sync_users=users, **fields)
    return office.records.write(CRM, Kind.CONTACTS, value, uid=last_name, name=f"{len(last_name)}{last_name[:20]}.vcf").id


@pytest.fixture
def ids(anna):
    """Four contacts, of which anna has one on her devices and bert another: ids by name."""
    office = anna.office
    number = Entry(id=1, kind=EntryKind.PHONE, value="0241 5551", default=True)
    return {
        "Adler": make(office, "Adler", "anna", first_name="Eva", company="Adler GmbH"),
        "Berg": make(office, "Berg", "bert", city="Aachen"),
        "Groß": make(office, "Groß", entries=(number,)),
        "Zander": make(office, "Zander"),
    }


def listed(page) -> dict[str, str]:
    """The rows: name and whether Sync is on."""
    return {
        row.cssselect("th a")[0].text_content(): row.cssselect("td")[-1].text_content().strip() for row in page.tree.cssselect("tbody tr")
    }


def on(anna, ids: dict[str, str], identity=ANNA) -> set[str]:
    """Who is on the user's devices."""
    return {name for name, record_id in ids.items() if identity.user in anna.office.records.get("t", record_id).value.sync_users}


def test_all_contacts_are_there_whoever_has_them_on_a_device(anna, ids):
    """Rule 17: the flag is the user's own; what bert has on his devices is off for anna."""
    page = anna.get("/contacts")
    assert {"Eva Adler": "on", "Berg": "off", "Groß": "off", "Zander": "off"} == listed(page)
    assert "4 contacts" in page.text
    assert [f"/.web/contacts/{ids[name]}" for name in ("Adler", "Berg", "Groß", "Zander")] == [
        link.get("href") for link in page.tree.cssselect("tbody th a")
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("zan", ["Zander"]),
        ("GROSS", ["Groß"]),
        ("gross", ["Groß"]),
        ("0241 555", ["Groß"]),
        ("aachen", ["Berg"]),
        ("adler gmbh", ["Adler"]),
    ],
)
def test_contacts_are_found_by_name_company_town_and_number(anna, ids, query, found):
    """Whatever the case; the text stays in the field."""
    page = anna.get(f"/contacts?search={query.replace(' ', '+')}")
    assert [f"/.web/contacts/{ids[name]}" for name in found] == [link.get("href") for link in page.tree.cssselect("tbody th a")]
    assert query == page.tree.cssselect("#search")[0].get("value")


def test_a_search_that_finds_nobody_says_so(anna, ids):
    """Without a table."""
    page = anna.get("/contacts?search=nobody")
    assert ("There is no contact for this search." in page.text, []) == (True, page.tree.cssselect("tbody"))


@pytest.mark.parametrize(("only", "number"), [("all", 4), ("synced", 1), ("unsynced", 3), ("nonsense", 4)])
def test_the_list_can_be_of_those_on_the_devices(anna, ids, only, number):
    """Or of the others; an unknown word is no filter."""
    assert number == len(listed(anna.get(f"/contacts?only={only}")))


def test_a_long_list_is_paged(anna):
    """Fifty to a page, with links that keep the search; a page that there is not is empty, and no fault."""
    for number in range(120):
        make(anna.office, f"Meier {number:03}")
    pages = [anna.get("/contacts?search=meier"), anna.get("/contacts?search=meier&page=2"), anna.get("/contacts?search=meier&page=3")]
    assert [50, 50, 20] == [len(listed(page)) for page in pages]
    assert 120 == len({name for page in pages for name in listed(page)})
    links = [link.get("href") for link in pages[1].tree.cssselect(".pager a")]
    assert ["/.web/contacts?search=meier&only=all&page=1", "/.web/contacts?search=meier&only=all&page=3"] == links
    assert all(len(page.answer.content) < 100_000 for page in pages)
    assert [200, 200, 200] == [anna.get(f"/contacts?page={page}").status for page in ("99", "x", "9" * 30)]


# ------------------------------------------------------------------ the flag


def test_chosen_contacts_go_onto_the_phone_and_off_it(anna, ids, server):
    """Rules 16, 18: on anna's phone and in her address book, not on bert's; they stay in the CRM."""
    phone = Phone(over(server.client(None)))
    phone.folder_sync()
    phone.sync("contacts")
    page = anna.submit("/contacts", "/contacts/sync", contact=[ids["Berg"], ids["Zander"]], sync="on")
    assert "2 contacts are on your devices now." in page.text
    phone.sync("contacts")
    assert ({"Adler", "Berg", "Zander"}, {"Berg"}) == (on(anna, ids), on(anna, ids, BERT))
    assert {ids[name] for name in on(anna, ids)} == set(phone.of("contacts").items)
    page = anna.submit("/contacts", "/contacts/sync", contact=[ids["Adler"]], sync="off")
    assert "1 contact is no longer on your devices; it stays in onOffice." in page.text
    phone.sync("contacts")
    assert {ids["Berg"], ids["Zander"]} == set(phone.of("contacts").items)
    listing = server.client().request("PROPFIND", "/anna/contacts/", headers={"Depth": "1"}).text
    assert 2 == listing.count(".vcf</href>")


def test_after_a_change_the_same_list_is_shown(anna, ids):
    """Search, filter and page are kept."""
    fields = {"token": anna.token(), "search": "b & c", "only": "unsynced", "page": "3", "contact": ids["Berg"], "sync": "on"}
    answer = anna.post("/contacts/sync", fields, follow=False).answer
    assert (303, "/.web/contacts?search=b+%26+c&only=unsynced&page=3") == (answer.status_code, answer.headers["location"])


def test_without_a_choice_nothing_happens(anna, ids):
    """The page says what is missing."""
    assert "First select a contact." in anna.submit("/contacts", "/contacts/sync", sync="on").text
    assert {"Adler"} == on(anna, ids)


def test_all_that_a_search_finds_can_be_changed_at_once(anna):
    """Offered when it is more than a page."""
    for number in range(60):
        make(anna.office, f"Meier {number:03}")
    make(anna.office, "Other")
    page = anna.submit("/contacts?search=meier", "/contacts/sync", found="yes", sync="on")
    assert "60 contacts are on your devices now." in page.text
    assert 60 == anna.office.address_list.search(ANNA, only="synced").total


def test_what_cannot_be_changed_is_said_beside_what_was(anna, ids):
    """A contact that has gone meanwhile; the others are changed."""
    anna.office.records.remove(CRM, ids["Zander"])
    fields = {"token": anna.token(), "contact": [ids["Zander"], ids["Berg"]], "sync": "on"}
    page = anna.post("/contacts/sync", fields)
    assert "1 contact could not be changed, 1 were changed. There is no record" in page.text
    assert "anna" in anna.office.records.get("t", ids["Berg"]).value.sync_users


def test_a_contacts_own_page_has_the_switch_too(anna, ids):
    """On and off again, with the button that fits."""
    path = f"/contacts/{ids['Berg']}"
    page = anna.submit(path, f"{path}/sync")
    assert ("1 contact is on your devices now." in page.text, {"Adler", "Berg"}) == (True, on(anna, ids))
    assert "This contact is on your devices." in page.text
    assert "This contact is not on your devices." in anna.submit(path, f"{path}/sync").text
    assert {"Adler"} == on(anna, ids)


def test_the_page_says_when_contacts_are_not_synchronised_at_all(anna, ids):
    """A closed gate: flags can still be set, and the page tells why nothing happens."""
    assert "Contacts are not synchronised at the moment" not in anna.get("/contacts").text
    anna.office.settings.set_gate(ANNA, Gate.SWITCH, Kind.CONTACTS, False, "test")
    assert "Contacts are not synchronised at the moment" in anna.get("/contacts").text


# -------------------------------------------------------- rights and attacks


def test_who_may_only_look_has_nothing_to_press(anna, ids):
    """Rule 9, from the core; a form that is sent all the same is refused."""
    token = anna.token()
    with anna.office.store.writing() as tx:
        tx.save_user(replace(tx.user(ANNA), rights=frozenset({"contacts.read"})))
    for path in ("/contacts", f"/contacts/{ids['Berg']}"):
        page = anna.get(path)
        assert (200, [], []) == (page.status, page.tree.cssselect("input[type=checkbox]"), page.tree.cssselect("button[name=sync]"))
    for path in ("/contacts/sync", f"/contacts/{ids['Berg']}/sync"):
        assert 403 == anna.post(path, {"token": token, "contact": ids["Berg"], "sync": "on"}).status
    assert {"Adler"} == on(anna, ids)


def test_who_may_not_read_contacts_gets_no_list(anna, ids):
    """Forced browsing."""
    with anna.office.store.writing() as tx:
        tx.save_user(replace(tx.user(ANNA), rights=frozenset()))
    page = anna.get("/contacts")
    assert (403, False) == (page.status, "Zander" in page.html)


def test_what_stands_in_names_and_searches_is_text(anna):
    """Stored and reflected XSS, in the list and in links."""
    make(anna.office, EVIL, company=EVIL)
    for path in ("/contacts", "/contacts?search=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E%22'", "/contacts?only=%22%3E%3Cimg%3E&page=%3Cb%3E"):
        page = anna.get(path)
        assert (200, []) == (page.status, page.tree.cssselect("img"))
    assert "<img src=x" in page.text


def test_a_search_is_bounded(anna, ids):
    """Long ones are cut, and NUL is left out, so that no database stumbles over either."""
    assert [200, 200] == [anna.get(f"/contacts?search={text}").status for text in ("a" * 5000, "%00zan")]
    fields = {"token": anna.token(), "contact": ["x" * 2000, "\0"], "sync": "on"}
    assert "2 contacts could not be changed" in anna.post("/contacts/sync", fields).text
    many = {"token": anna.token(), "contact": [str(number) for number in range(501)], "sync": "on"}
    assert 400 == anna.post("/contacts/sync", many).status
