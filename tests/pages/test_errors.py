"""What pages say when something cannot be done: in the visitor's language, whatever the core said in English."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import radicale_onoffice
from activesync_bridge.sending import NOT_SHOWN
from radicale_onoffice.core.errors import Conflict, GateClosed, NotFound, TooLarge, TooManyDevices, Unavailable, UpstreamDown
from radicale_onoffice.core.model import Failure, Identity, Kind
from radicale_onoffice.core.rights import REASONS, Gate
from radicale_onoffice.crm.onoffice.client import GoneFromOnOffice, RefusedByOnOffice
from radicale_onoffice.crm.onoffice.protocol import Action, Refusal, Verb
from radicale_onoffice.pages import language
from radicale_onoffice.pages.devices import key_of
from radicale_onoffice.pages.language import LANGUAGES, Voice
from radicale_onoffice.pages.site import Setup, Site
from tests.conftest import START
from tests.pages.scenes import change_user, synced_phone
from tests.pages.visitor import Visitor

ANNA = Identity("t", "anna")
ROOT = Path(radicale_onoffice.__file__).parent
ERRORS = {"BadRequest", "Refused", "NotFound", "OutOfReach"}
# Where a page may come by, and there the sentences that none can meet, by how they begin: they are for the command line and for devices
MODULES = ("core", "crm/onoffice/account.py", "crm/onoffice/errands.py", "crm/onoffice/sending.py", "crm/onoffice/tasks.py", "pages")
ELSEWHERE = (
    "A user name has",
    "There is no tenant",
    "A password has",
    "The UID has",
    "Version",
    "There is no scope",
    "A DeviceId has",
    "The gate",
    "A number or address has",
    "The contact would have",
    "The series has",
)
FILLED = {"kind": "contacts", "right": "read"}


def raised() -> Iterator[str]:
    """The sentences of errors in the modules, with something for each value."""
    for module in MODULES:
        for file in sorted((ROOT / module).rglob("*.py") if (ROOT / module).is_dir() else [ROOT / module]):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and getattr(node.exc.func, "id", "") in ERRORS:
                    yield from filter(None, [sentence(argument) for argument in node.exc.args])


def sentence(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.JoinedStr):
        return ""
    return "".join(part.value if isinstance(part, ast.Constant) else filled(part) for part in node.values)


def filled(part: ast.FormattedValue) -> str:
    return repr("7") if part.conversion == ord("r") else FILLED.get(ast.unparse(part.value), "7")


def voice(code: str) -> Voice:
    return Voice(code, ZoneInfo("Europe/Berlin"), START)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_sentence_that_a_page_can_meet_is_said_in_every_language(code):
    """A new one needs a line in ``reasons.py``, or here, if no page can meet it."""
    found = set(raised())
    assert len(found) > 25
    assert set() == {one for one in found if voice(code).again(one) is None and not one.startswith(ELSEWHERE)}


@pytest.mark.parametrize("begin", ELSEWHERE)
def test_what_is_said_elsewhere_is_still_said(begin):
    """The list has nothing that the core no longer says."""
    assert any(one.startswith(begin) for one in raised())


REFUSAL = Refusal(code=50, message="Datensatz gesperrt")
OTHERS = [
    Conflict(2, 3),
    TooLarge("The picture in base64", 9, 8),
    TooManyDevices(10),
    UpstreamDown("onOffice does not answer: timeout", 60),
    *(GateClosed(kind, tuple(REASONS.values())) for kind in Kind),
]


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("error", OTHERS, ids=lambda error: type(error).__name__)
def test_errors_with_words_of_their_own_are_said_in_every_language(code, error):
    """Conflicts, limits, an onOffice that is silent, and closed gates, each of which is named."""
    said = voice(code).again(str(error))
    assert said
    if isinstance(error, GateClosed):
        assert all(str(voice(code)(f"gate_{gate}")) in said for gate in Gate)


def test_onoffices_own_words_stay():
    """What it says of a refusal is for people, in its language."""
    action = Action(verb=Verb.MODIFY, resource="address", id="5")
    assert "onOffice hat das abgelehnt: Datensatz gesperrt" in voice("de").again(str(RefusedByOnOffice(action, REFUSAL)))
    assert "onOffice ha rifiutato: Datensatz gesperrt" in voice("it").again(str(GoneFromOnOffice(action, REFUSAL)))


@pytest.mark.parametrize(
    ("error", "status", "said", "detail"),
    [
        (NotFound("A sentence that nobody knows."), 404, "Das gibt es nicht, oder nicht mehr.", "A sentence that nobody knows."),
        (Unavailable("The database does not answer: password of db.example", 30), 503, "Der Server kann gerade nicht antworten.", ""),
        (UpstreamDown("onOffice does not answer: timeout", 60), 503, "onOffice antwortet zurzeit nicht.", ""),
        (Conflict(1, 2), 409, "Jemand anderes hat das inzwischen geändert", ""),
    ],
)
def test_an_error_is_a_page_in_the_visitors_language(server, monkeypatch, error, status, said, detail):
    """A sentence that is not known stands small below a general one; why the database is silent is for the log alone."""
    visitor = Visitor(server, "de")
    visitor.sign_in()
    monkeypatch.setattr(type(visitor.office.overview), "kinds", lambda _self, _identity: (_ for _ in ()).throw(error))
    page = visitor.get("/")
    assert (status, True) == (page.status, said in page.text)
    assert detail == "".join(one.text for one in page.tree.cssselect("main [lang=en]"))
    assert "db.example" not in page.html


@pytest.mark.parametrize("code", ["de", "it"])
def test_what_visitors_can_bring_about_is_never_answered_in_english(server, code):
    """Addresses and forms with something wrong, of a user and of an administrator: each page speaks the visitor's language."""
    change_user(server.office, ANNA, admin=True)
    synced_phone(server)
    visitor = Visitor(server, code)
    visitor.sign_in()
    token, key = {"token": visitor.token()}, key_of("eas", "PHONE1")
    many = [f"user{number}" for number in range(501)]
    pages = [
        visitor.get("/contacts/nobody"),
        visitor.get("/devices/nothing"),
        visitor.get(f"/devices/{key}/fly"),
        visitor.get(f"/devices/{key}/erase"),
        visitor.get("/programs/nothing/forget"),
        visitor.get("/set-up/typewriter"),
        visitor.get("/kinds/letters/off"),
        visitor.get("/admin/users/nobody"),
        visitor.get("/admin/users?text=" + "x" * 200),
        visitor.post("/admin/users", token | {"action": "fly", "login": "bert"}),
        visitor.post("/admin/users", token | {"action": "unlock", "login": many}),
        visitor.post("/admin/users", token | {"action": "deactivate", "login": "anna", "confirmed": "yes"}),
        visitor.post("/admin/users/anna", token | {"active": "yes"}),
        visitor.post("/admin/users/bert", token | {"right": "everything.always"}),
        visitor.post("/admin/maintenance/on", token | {"message": "two\nlines", "minutes": "5"}),
        visitor.post("/contacts/sync", token | {"contact": many, "sync": "on"}),
        visitor.post("/account/language", token | {"language": "fr"}),
        visitor.post("/account/password", token | {"old": "secret", "new": "short", "again": "short"}),
        visitor.post("/account/password", token | {"old": "wrong", "new": "long enough", "again": "long enough"}),
        visitor.post("/restart", token),
        visitor.post("/unlock", {"token": "another"}),
    ]
    pages.append(Visitor(server, code).sign_in("nobody", "wrong"))
    assert {200} != {page.status for page in pages}
    english = {str(text) for text in language.vocabulary("en").values()}
    for page in pages:
        told = page.tree.cssselect("main [role=alert], main .bad")[0]
        assert code == page.tree.get("lang")
        assert " ".join(told.text_content().split()) not in english
        assert [] == page.tree.cssselect("main p[lang=en]")


def test_what_fails_on_a_phone_is_explained(anna, server):
    """An entry that cannot be shown there, and one that it sent in a form that cannot be read: what the user can do."""
    synced_phone(server)
    for item, version, reason in (("r-1", 1, f"{NOT_SHOWN} (ValueError: bad)"), ("new-1", 0, "An e-mail address has no @.")):
        with anna.office.store.writing() as tx:
            tx.save_failure(
                Failure(identity=ANNA, device_id="PHONE1", collection="contacts", item=item, version=version, reason=reason, at=START)
            )
    page = anna.get(f"/devices/{key_of('eas', 'PHONE1')}").text
    assert "This entry cannot be shown on the device. Open it in onOffice, and save it once more." in page
    assert "ValueError" not in page
    assert "save it there once more. (An e-mail address has no @.)" in page


def test_a_text_that_stands_twice_is_told_when_the_server_starts(office, monkeypatch):
    """And not to every visitor, as an error of ours."""
    language.vocabulary.cache_clear()
    monkeypatch.setitem(language.texts.account.TEXTS["it"], "save", "Conserva")
    with pytest.raises(ValueError, match="'save'"):
        Site(office, Setup())
    monkeypatch.undo()
    language.vocabulary.cache_clear()
    Site(office, Setup())
