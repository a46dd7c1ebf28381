"""Contacts: each field there and back, what an omission means, and what no element names ([MS-ASCNTC])."""

from __future__ import annotations

import io
import random
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import date

import pytest
from PIL import Image

from activesync_bridge.items import Ghosting, contacts, pictures
from activesync_bridge.items.patching import holds
from activesync_bridge.wbxml.codepages import AirSyncBase, Contacts, Contacts2
from activesync_bridge.wbxml.element import Element
from radicale_onoffice import formats
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import Base, Contact, Kind
from tests.items.building import ALL, BERLIN, FLAVOUR, NOTHING, body, data, first, named, replaced

CARD = """BEGIN:VCARD
VERSION:3.0
UID:u1
FN:Dr. Eva Groß
N:Groß;Eva;Maria;Dr.;jun.
ORG:Makler AG;Vertrieb;Raum 12;Team 3
TITLE:Leiterin
ROLE:Prokura
ADR;TYPE=WORK,PREF;X-Y=z:Postfach 1;;Hauptstr. 1;Aachen;NRW;52062;Deutschland
ADR;TYPE=HOME:;;Gartenweg 2;Köln;;50667;
TEL;TYPE=WORK,VOICE;X-ONOFFICE-SLOT=business:0241 1
TEL;TYPE=CELL;X-ONOFFICE-SLOT=mobile:0171 2
EMAIL;TYPE=INTERNET;X-ONOFFICE-SLOT=email1:eva@makler.example
URL:https://makler.example
BDAY:1980-03-15
X-ANNIVERSARY:2005-06-04
NICKNAME:Evchen
IMPP;X-SERVICE-TYPE=XMPP:xmpp:eva@chat.example
item1.X-ABRELATEDNAMES:Bob
item1.X-ABLabel:_$!<Spouse>!$_
NOTE:Erste Zeile\\nzweite\\, lange
X-CUSTOM;A=b:keep me
CATEGORIES:Kunde,VIP
END:VCARD
""".replace("\n", "\r\n")


def dumped(text=CARD):
    return contacts.dump(text, "u1", FLAVOUR)


def changed(*changes, text=CARD, ghosting=ALL):
    """The text after a Change with the whole item and these differences."""
    return contacts.patch(text, replaced(dumped(text), *changes), FLAVOUR, ghosting)


def lines_of(text):
    return formats.unfold(text)


def difference(new, old=CARD):
    """Lines that went and lines that came."""
    before, after = lines_of(old), lines_of(new)
    return [one for one in before if one not in after], [one for one in after if one not in before]


def test_the_fields_of_a_contact():
    """Every element that the card has something for; the body is checked elsewhere."""
    expected = {
        "LastName": "Groß",
        "FirstName": "Eva",
        "MiddleName": "Maria",
        "Title": "Dr.",
        "Suffix": "jun.",
        "CompanyName": "Makler AG",
        "Department": "Vertrieb",
        "OfficeLocation": "Raum 12",
        "FileAs": "Dr. Eva Groß",
        "JobTitle": "Leiterin",
        "BusinessAddressStreet": "Hauptstr. 1",
        "BusinessAddressCity": "Aachen",
        "BusinessAddressState": "NRW",
        "BusinessAddressPostalCode": "52062",
        "BusinessAddressCountry": "Deutschland",
        "HomeAddressStreet": "Gartenweg 2",
        "HomeAddressCity": "Köln",
        "HomeAddressPostalCode": "50667",
        "BusinessPhoneNumber": "0241 1",
        "MobilePhoneNumber": "0171 2",
        "Email1Address": "eva@makler.example",
        "WebPage": "https://makler.example",
        "Birthday": "1980-03-15T00:00:00.000Z",
        "Anniversary": "2005-06-04T00:00:00.000Z",
        "NickName": "Evchen",
        "IMAddress": "eva@chat.example",
        "Spouse": "Bob",
    }
    assert expected == named(dumped())
    assert ["Kunde", "VIP"] == [word.text for word in first(dumped(), Contacts.Categories).children]


def test_a_no_op_change_is_byte_identical():
    """The house's first promise for phones."""
    assert CARD == changed()


def test_what_no_element_names_stays():
    """Parameters, a post box, the fourth unit of ORG, ROLE and X- lines."""
    new = changed((Contacts.BusinessAddressCity, "Eschweiler"), (Contacts.Department, "Verkauf"))
    gone, come = difference(new)
    assert [
        "ORG:Makler AG;Verkauf;Raum 12;Team 3",
        "ADR;TYPE=WORK,PREF;X-Y=z:Postfach 1;;Hauptstr. 1;Eschweiler;NRW;52062;Deutschland",
    ] == come
    assert 2 == len(gone)


@pytest.mark.parametrize(
    ("tag", "text", "came"),
    [
        (Contacts.LastName, "Klein", ["FN:Dr. Eva Klein", "N:Klein;Eva;Maria;Dr.;jun."]),
        (Contacts.MiddleName, "Anna", ["N:Groß;Eva;Anna;Dr.;jun."]),
        (Contacts.FileAs, "Groß, Eva", ["X-EVOLUTION-FILE-AS:Groß\\, Eva"]),
        (Contacts.JobTitle, "Chefin", ["TITLE:Chefin"]),
        (Contacts.WebPage, "https://b.example", ["URL:https://b.example"]),
        (Contacts.Spouse, "Carl", ["item1.X-ABRELATEDNAMES:Carl"]),
        (Contacts.AssistantName, "Ina", ["X-ASSISTANT:Ina"]),
        (Contacts2.ManagerName, "Ulf", ["X-MANAGER:Ulf"]),
        (Contacts2.IMAddress, "e@b.example", ["IMPP;X-SERVICE-TYPE=XMPP:xmpp:e@b.example"]),
        (Contacts2.IMAddress2, "e@c.example", ["IMPP:im:e@c.example"]),
        (Contacts2.NickName, "Eva", ["NICKNAME:Eva"]),
        (Contacts2.GovernmentId, "4711", ["X-EAS-GOVERNMENT-ID:4711"]),
        (Contacts2.CustomerId, "12", ["X-EAS-CUSTOMER-ID:12"]),
        (Contacts2.AccountName, "A", ["X-EAS-ACCOUNT-NAME:A"]),
        (Contacts2.MMS, "0171 9", ["X-EAS-MMS:0171 9"]),
        (Contacts.YomiFirstName, "エヴァ", ["X-PHONETIC-FIRST-NAME:エヴァ"]),
        (Contacts.YomiLastName, "グ", ["X-PHONETIC-LAST-NAME:グ"]),
        (Contacts.YomiCompanyName, "マ", ["X-PHONETIC-ORG:マ"]),
        (Contacts.OtherAddressStreet, "Weg 3", ["ADR;TYPE=OTHER:;;Weg 3;;;;"]),
        (Contacts.Home2PhoneNumber, "0221 5", ["TEL;TYPE=HOME,VOICE;X-ONOFFICE-SLOT=home2:0221 5"]),
        (Contacts.Birthday, "1981-04-16T00:00:00.000Z", ["BDAY:1981-04-16"]),
        (Contacts.Birthday, "1604-02-29T00:00:00.000Z", ["BDAY:--02-29"]),
        (Contacts.Anniversary, "2006-01-01T00:00:00Z", ["X-ANNIVERSARY:2006-01-01"]),
    ],
)
def test_one_field_change_alters_the_lines_of_that_field(tag, text, came):
    """And reads back as the client sent it."""
    new = changed((tag, text))
    assert came == difference(new)[1]
    assert len(difference(new)[0]) <= len(came)
    assert holds(data((tag, text)), dumped(new))
    assert [one for one in dumped() if one.tag not in (tag, Contacts.FileAs)] == [
        one for one in dumped(new) if one.tag not in (tag, Contacts.FileAs)
    ]


@pytest.mark.parametrize("tag", sorted({one.tag for one in dumped()} - {AirSyncBase.Body, Contacts.FileAs}))
def test_r5912_what_a_client_leaves_out_is_deleted_unless_ghosted(tag):
    """MS-ASCMD R5912 without a Supported element; with an empty one (R5909, R5911) and with one that names others it stays."""
    new = changed((tag, None))
    assert first(dumped(new), tag) is None
    assert [one for one in dumped() if one.tag not in (tag, Contacts.FileAs)] == [
        one for one in dumped(new) if one.tag not in (tag, Contacts.FileAs)
    ]
    assert CARD == changed((tag, None), ghosting=NOTHING)
    assert CARD == changed((tag, None), ghosting=Ghosting(managed=frozenset({Contacts.Picture})))
    assert new == changed((tag, None), ghosting=Ghosting(managed=frozenset({tag})))


def test_r461_notes_are_never_deleted_by_omission():
    """A client without a notes field leaves them out."""
    assert CARD == changed((AirSyncBase.Body, None))
    assert "NOTE" not in changed(body(""))


def test_deleting_a_labelled_name_takes_its_label_along():
    """A label without its line would be shown beside nothing."""
    assert (["item1.X-ABRELATEDNAMES:Bob", "item1.X-ABLabel:_$!<Spouse>!$_"], []) == difference(changed((Contacts.Spouse, None)))


@pytest.mark.parametrize(
    ("sent", "day"),
    [
        ("1980-03-15T00:00:00.000Z", "1980-03-15"),
        ("1980-03-15T08:00:00.000Z", "1980-03-15"),  # native Android
        ("1980-03-15T11:00:00.000Z", "1980-03-15"),  # BlackBerry
        ("1980-03-15T11:59:00.000Z", "1980-03-15"),  # R999
        ("1980-03-15T12:00:00.000Z", "1980-03-15"),  # Gmail
        ("1980-03-14T23:00:00.000Z", "1980-03-15"),  # midnight in Berlin
        ("1980-03-14T15:00:00.000Z", "1980-03-15"),  # midnight in Tokyo
        ("19800315T000000Z", "1980-03-15"),
        ("1980-03-15", "1980-03-15"),
    ],
)
def test_r999_a_birthday_is_a_day_whatever_the_hour(sent, day):
    """The day that the card has is no change; another card gets it."""
    assert CARD == changed((Contacts.Birthday, sent))
    assert f"BDAY:{day}" in changed((Contacts.Birthday, sent), text=CARD.replace("1980-03-15", "1970-01-01"))
    assert holds(data((Contacts.Birthday, sent)), dumped())


@pytest.mark.parametrize("line", ["BDAY:--0315", "BDAY:--03-15", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-15"])
def test_a_birthday_without_a_year_is_in_1604(line):
    """And comes back without one."""
    text = CARD.replace("BDAY:1980-03-15", line)
    assert "1604-03-15T00:00:00.000Z" == named(dumped(text))["Birthday"]
    assert text == changed(text=text)


def test_a_birthday_that_is_no_date_is_refused():
    """Status 6."""
    with pytest.raises(BadRequest):
        changed((Contacts.Birthday, "soon"))


def test_the_names_of_a_card_that_has_only_fn():
    """As for CardDAV: it is the last name; splitting it makes N."""
    text = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Eva Groß\r\nN:;;;;\r\nEND:VCARD\r\n"
    assert {"LastName": "Eva Groß", "FileAs": "Eva Groß"} == named(dumped(text))
    assert text == changed(text=text)
    assert ["URL:x"] == difference(changed((Contacts.WebPage, "x"), text=text), text)[1]
    split = changed((Contacts.LastName, "Groß"), (Contacts.FirstName, "Eva"), text=text)
    assert ["N:Groß;Eva;;;"] == difference(split, text)[1]


def test_a_card_that_is_only_a_number_has_no_last_name():
    """FN repeats the number then; taking the names away from one with a number leaves the number."""
    text = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:0241 1\r\nN:;;;;\r\nTEL;TYPE=HOME:0241 1\r\nEND:VCARD\r\n"
    assert "LastName" not in named(dumped(text))
    new = changed((Contacts.LastName, None), (Contacts.FirstName, None), (Contacts.Title, None), (Contacts.CompanyName, None))
    value = formats.load(Kind.CONTACTS, new, None, zone=BERLIN, region="DE").value
    assert ("", "", "") == (value.first_name, value.last_name, value.company)


def test_u12_the_first_address_of_a_new_card_is_the_records_own():
    """At work for a company, at home for a person, whatever the order of the elements."""
    home = [(Contacts.HomeAddressStreet, "Gartenweg 2"), (Contacts.HomeAddressCity, "Köln")]
    work = [(Contacts.BusinessAddressStreet, "Hauptstr. 1"), (Contacts.BusinessAddressCity, "Aachen")]
    for more, street in (([(Contacts.CompanyName, "Makler AG")], "Hauptstr. 1"), ([(Contacts.LastName, "Groß")], "Gartenweg 2")):
        text = contacts.patch(None, data(*more, *home, *work), FLAVOUR, ALL, uid="n")
        assert street == formats.load(Kind.CONTACTS, text, None, zone=BERLIN, region="DE").value.street


def test_an_address_without_a_type_is_where_the_crm_would_put_it():
    """Home for a person; it stays the same line when the phone changes the company with it."""
    text = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Groß\r\nN:Groß;;;;\r\nADR:;;Weg 1;Aachen;;;\r\nEND:VCARD\r\n"
    assert "Weg 1" == named(dumped(text))["HomeAddressStreet"]
    new = changed((Contacts.HomeAddressStreet, "Weg 2"), (Contacts.CompanyName, "AG"), text=text)
    assert ["ADR:;;Weg 2;Aachen;;;", "ORG:AG"] == sorted(difference(new, text)[1])


def test_a_new_contact():
    """Read by the same code as a CardDAV client's."""
    sent = data(
        (Contacts.LastName, "Groß"), (Contacts.FileAs, "Groß, Eva"), (Contacts.FirstName, "Eva"), (Contacts.MobilePhoneNumber, "0171 2")
    )
    text = contacts.patch(None, sent, FLAVOUR, ALL, uid="new")
    draft = formats.load(Kind.CONTACTS, text, None, zone=BERLIN, region="DE")
    assert ("Eva", "Groß", {"mobile": "0171 2"}) == (draft.value.first_name, draft.value.last_name, draft.sent)
    assert "UID:new\r\n" in text
    assert holds(sent, dumped(text), ALL)


def test_a_contact_that_has_a_filing_name_only_goes_by_it():
    """Rather than being refused."""
    text = contacts.patch(None, data((Contacts.FileAs, "Hausmeister")), FLAVOUR, ALL)
    assert "Hausmeister" == formats.load(Kind.CONTACTS, text, None, zone=BERLIN, region="DE").value.last_name


def test_a_filing_name_that_is_the_shown_name_is_none_of_its_own():
    """It follows the names from then on."""
    own = changed((Contacts.FileAs, "Groß, Eva"))
    assert lines_of(CARD) == lines_of(changed((Contacts.FileAs, "Dr. Eva Groß"), text=own))


def test_a_stored_birthday_of_no_calendar_is_not_sent_and_stays():
    """30 February."""
    text = CARD.replace("1980-03-15", "1980-02-30")
    assert "Birthday" not in named(dumped(text))
    assert text == changed(text=text)


def test_outlooks_named_address_is_the_address():
    """``"Eva Groß" <eva@makler.example>`` is no change."""
    assert CARD == changed((Contacts.Email1Address, '"Eva Groß" <Eva@Makler.example>'))


def test_rule_42_numbers_beyond_the_slots_stay():
    """A third home number is nobody's; it does not slip into a slot that a phone empties."""
    extra = "".join(f"TEL;TYPE=HOME,VOICE:0221 {number}\r\n" for number in (7, 8, 9))
    text = CARD.replace("URL:", f"{extra}URL:")
    assert ("0221 7", "0221 8") == tuple(named(dumped(text))[name] for name in ("HomePhoneNumber", "Home2PhoneNumber"))
    new = changed((Contacts.HomePhoneNumber, None), text=text)
    assert "0221 9" in new
    assert {"Home2PhoneNumber": "0221 8"} == {
        name: value for name, value in named(dumped(new)).items() if name.startswith("Home") and "Ph" in name
    }


def test_control_characters_of_a_client_do_not_break_the_card():
    """A NUL would end the line for others."""
    new = changed((Contacts.JobTitle, "Che\x00f\x07in\r\nX-EVIL:1"))
    assert "TITLE:Chefin\\nX-EVIL:1" in lines_of(new)


@pytest.mark.parametrize("words", [("VIP", "Kunde"), ("Kunde", "VIP")])
def test_categories_in_another_order_are_no_change(words):
    """Some clients sort them."""
    assert CARD == changed(Element(Contacts.Categories, tuple(Element(Contacts.Category, word) for word in words)))


def test_categories_are_replaced_and_an_empty_one_removes_them():
    """R517 wants at least one child; a client that sends none means none."""
    new = changed(Element(Contacts.Categories, (Element(Contacts.Category, "A, B"),)))
    assert "CATEGORIES:A\\, B" in lines_of(new)
    assert "CATEGORIES" not in changed(Element(Contacts.Categories))


def test_children_keep_their_lines():
    """One child goes, one comes, one stays."""
    text = CARD.replace("URL:", "X-CHILD;N=1:Ada\r\nX-CHILD:Ben\r\nURL:")
    children = tuple(Element(Contacts.Child, name) for name in ("Ada", "Cleo"))
    assert (["X-CHILD:Ben"], ["X-CHILD:Cleo"]) == difference(changed(Element(Contacts.Children, children), text=text), text)


# ------------------------------------------------------------------ pictures


def photo(size=(1600, 1200), seed=1, kind="JPEG"):
    """A picture of its own for each seed."""
    noise = random.Random(seed)  # noqa: S311 - a picture, no secret
    small = Image.frombytes("RGB", (16, 12), bytes(noise.randrange(256) for _ in range(16 * 12 * 3)))
    out = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(out, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return out.getvalue()


def with_photo(picture):
    return CARD.replace("URL:", f"PHOTO;ENCODING=b;TYPE=JPEG:{b64encode(picture).decode()}\r\nURL:")


LARGE, SMALL = photo(), photo((120, 90), seed=2)


def test_r384_a_small_picture_goes_as_it_is_and_a_large_one_smaller():
    """At most 48 KB of base64, a JPEG with the same proportions, the same at each time."""
    assert b64encode(SMALL).decode() == named(dumped(with_photo(SMALL)))["Picture"]
    sent = named(dumped(with_photo(LARGE)))["Picture"]
    assert len(sent) <= 48 * 1024 < len(b64encode(LARGE))
    assert (512, 384) == Image.open(io.BytesIO(b64decode(sent))).size
    pictures._smaller.cache_clear()
    assert sent == named(dumped(with_photo(LARGE)))["Picture"]


def test_r384_a_larger_one_of_a_client_is_refused():
    """Status 6."""
    with pytest.raises(BadRequest, match=r"49152"):
        changed((Contacts.Picture, "A" * (48 * 1024 + 4)))
    with pytest.raises(BadRequest):
        changed((Contacts.Picture, "!!!"))


def test_pain_48_a_returned_picture_never_replaces_the_original():
    """Neither the small JPEG itself nor one that a phone encoded anew; a different one does."""
    text = with_photo(LARGE)
    assert text == changed(text=text)
    again = io.BytesIO()
    Image.open(io.BytesIO(b64decode(named(dumped(text))["Picture"]))).save(again, "JPEG", quality=60)
    assert text == changed((Contacts.Picture, b64encode(again.getvalue()).decode()), text=text)
    other = b64encode(SMALL).decode()
    new = changed((Contacts.Picture, other), text=text)
    assert other == named(dumped(new))["Picture"]


def test_a_picture_in_lines_or_in_place_of_a_broken_one_is_taken():
    """Some clients wrap base64; a stored one that cannot be read looks like nothing."""
    wrapped = "\r\n".join(b64encode(bytes(36000)).decode()[start : start + 60] for start in range(0, 48000, 60))
    assert b64encode(bytes(36000)).decode() == named(dumped(changed((Contacts.Picture, wrapped))))["Picture"]
    new = changed((Contacts.Picture, b64encode(SMALL).decode()), text=with_photo(bytes(60000)))
    assert b64encode(SMALL).decode() == named(dumped(new))["Picture"]
    tall = photo((90, 120), seed=2)
    assert not pictures.shows_the_same(SMALL, tall)
    assert pictures.shows_the_same(SMALL, SMALL)


def test_an_empty_picture_deletes_only_where_supported_names_it():
    """iOS 8.2 and later sends it always; omission never deletes."""
    text = with_photo(SMALL)
    empty = Element(Contacts.Picture)
    assert text == changed((Contacts.Picture, None), text=text)
    assert text == changed(empty, text=text)
    assert text == changed(empty, text=text, ghosting=NOTHING)
    managed = Ghosting(managed=frozenset({Contacts.Picture}))
    assert lines_of(CARD) == lines_of(changed(empty, text=text, ghosting=managed))
    assert text == changed((Contacts.Picture, None), text=text, ghosting=managed)


def claiming(side):
    """A few KB that claim to be a square picture of this side."""
    whole = photo((8, 8), kind="BMP")
    return whole[:18] + side.to_bytes(4, "little") * 2 + whole[26:] + bytes(40000)


@pytest.mark.parametrize(
    "broken", [claiming(60000), claiming(8000), claiming(5000), b"\xff\xd8\xff" + bytes(60000), LARGE[:50000], b"GIF89a" + bytes(50000)]
)
def test_a_picture_that_cannot_be_read_is_left_out(broken):
    """Decompression bombs, cut and made-up files: the contact comes without, and keeps it."""
    text = with_photo(broken)
    assert "Picture" not in named(dumped(text)) or len(named(dumped(text))["Picture"]) <= 48 * 1024
    assert "TITLE:x" in changed((Contacts.JobTitle, "x"), text=text)
    assert b64encode(broken).decode() in "".join(lines_of(changed((Contacts.JobTitle, "x"), text=text)))


def test_a_large_png_with_transparency_becomes_white():
    """JPEG knows none."""
    noise = Image.frombytes("RGBA", (300, 300), random.Random(3).randbytes(360000))  # noqa: S311 - a picture, no secret
    noise.paste((0, 0, 0, 0), (0, 150, 300, 300))
    out = io.BytesIO()
    noise.save(out, "PNG")
    sent = Image.open(io.BytesIO(b64decode(pictures.encoded(out.getvalue()))))
    assert "JPEG" == sent.format
    assert min(sent.getpixel((sent.width // 2, sent.height - 3))) > 240


def test_vcard_4_keeps_its_forms():
    """Data URI, tel: URI, ANNIVERSARY, basic dates without a year."""
    text = (
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Groß\r\nN:Groß;;;;\r\nTEL;VALUE=uri;TYPE=home:tel:+49-241-1\r\n"
        f"PHOTO:data:image/jpeg;base64,{b64encode(SMALL).decode()}\r\nANNIVERSARY:20050604\r\nEND:VCARD\r\n"
    )
    assert ("+49-241-1", "2005-06-04T00:00:00.000Z") == tuple(named(dumped(text))[name] for name in ("HomePhoneNumber", "Anniversary"))
    assert text == changed(text=text)
    new = changed((Contacts.Birthday, "1604-02-29T00:00:00Z"), (Contacts.HomePhoneNumber, "0241 2"), text=text)
    assert ["BDAY:--0229", "TEL;TYPE=HOME,VOICE;X-ONOFFICE-SLOT=home:0241 2"] == sorted(difference(new, text)[1])


def test_the_base_says_what_changed_for_the_core():
    """One patched line is one changed field of the value."""
    value = Contact(last_name="Groß", first_name="Eva", birthday=date(1980, 3, 15), company="AG")
    text = formats.render(
        Kind.CONTACTS, value, formats.Leftovers(), uid="u", modified=formats.datetime(2026, 3, 1), zone=BERLIN, region="DE"
    ).text
    new = contacts.patch(text, replaced(dumped(text), (Contacts.Birthday, "1981-03-15T08:00:00Z")), FLAVOUR, ALL)
    loaded = formats.load(Kind.CONTACTS, new, Base(value=value, text=text), zone=BERLIN, region="DE").value
    assert replace(value, birthday=date(1981, 3, 15)) == loaded
