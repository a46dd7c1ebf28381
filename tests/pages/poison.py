"""An office into which somebody has written scripts wherever text can be written, and a look at what pages make of them."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import lxml.html

from radicale_onoffice.core.clients import Client
from radicale_onoffice.core.model import (
    Actor,
    Appointment,
    AuditLine,
    Contact,
    Entry,
    EntryKind,
    Face,
    Failure,
    Identity,
    Kind,
    Task,
    User,
)
from radicale_onoffice.core.office import Office
from tests.pages.addresses import ANNA

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus=alert(1) autofocus x='",
    "javascript:alert(1)",
    "</title></textarea></select></script></style><svg onload=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;&#60;img src=x onerror=alert(1)&#62;",
    "{{ 7 * 191 }}{% raw %}${7 * 191}<%= 7 * 191 %>",
    "<base href=https://evil.example/><meta http-equiv=refresh content=0;url=https://evil.example/>",
    "<form action=https://evil.example/><button formaction=javascript:alert(1)>",
    "<a href=data:text/html,<script>alert(1)</script>>\u202emoc.elpmaxe",
)
OUR_OWN = ("html", "head", "body")
NEVER = ("base", "iframe", "object", "embed", "style", "template", "math", "frame", "marquee", "audio", "video", "details[open][ontoggle]")
START = datetime(2026, 3, 16, 10, tzinfo=ZoneInfo("Europe/Berlin"))


def poison(office: Office) -> None:
    """Each payload in each field of texts that the CRM, a device or a visitor can fill in; anna becomes an admin, who sees most."""
    office.accounts.save_user(User(identity=ANNA, admin=True), None, "test")
    crm = Actor(identity=ANNA, face=Face.CRM)
    for number, payload in enumerate(PAYLOADS):
        office.records.write(crm, Kind.CONTACTS, _contact(payload), uid=f"poison-{number}")
        appointment = Appointment(start=START, end=START, participants=("anna",), **_texts(Appointment, payload))
        office.records.write(crm, Kind.APPOINTMENTS, appointment, uid=f"poison-a{number}")
        office.records.write(crm, Kind.TASKS, Task(responsible="anna", **_texts(Task, payload)), uid=f"poison-t{number}")
        _device(office, f"POISON{number}", payload)
        _audit(office, payload)
    for name in ("<svg onload=alert(1)>", "<img src=x onerror=alert(1)>", "&lt;b&gt;"):
        office.accounts.save_user(User(identity=Identity("t", name)), "secret", f"page {PAYLOADS[1]}")


def _texts(kind: type, payload: str) -> dict[str, str]:
    """Every field of free text; who an item belongs to stays."""
    kept = {"creator", "responsible", "processor"}
    return {field.name: payload for field in fields(kind) if field.type == "str" and field.name not in kept}


def _contact(payload: str) -> Contact:
    entries = [Entry(id=number, kind=kind, value=payload, comment=payload, default=True) for number, kind in enumerate(EntryKind, 1)]
    return Contact(birthday=date(1980, 1, 1), entries=tuple(entries), sync_users=("anna",), **_texts(Contact, payload))


def _device(office: Office, device: str, payload: str) -> None:
    office.devices.seen(ANNA, device, payload, payload, "16.1")
    names = ("Model", "FriendlyName", "OS", "PhoneNumber", "UserAgent", "MobileOperator")
    office.devices.update(ANNA, device, information=tuple((name, payload) for name in names), notes=payload)
    now = office.clock()
    with office.store.writing() as tx:
        tx.save_failure(
            Failure(identity=ANNA, device_id=device, collection="contacts", item=payload[:60], reason=f"{payload} was refused", at=now)
        )
        tx.note_visit(ANNA, Client(Face.EAS, device, payload), payload[:40], now, Kind.CONTACTS)
        tx.note_visit(ANNA, Client(Face.DAV, payload[:60], payload), payload[:40], now, Kind.CONTACTS)


def _audit(office: Office, payload: str) -> None:
    """What pages tell of failures: refusals in onOffice's words, deviations, who did what."""
    with office.store.writing() as tx:
        for event in ("deviation", "refused", "locked", "unlocked", payload):
            tx.add_audit(AuditLine(at=datetime.now(UTC), tenant="t", login="anna", actor=payload, event=event, detail=payload))


def executed(html: str) -> list[str]:
    """What of the payloads a browser would carry out, or take for a piece of the page; nothing if all of it is text."""
    tree = lxml.html.document_fromstring(html)
    found = [f"<{name}>" for name in NEVER if tree.cssselect(name)]
    for one in tree.iter():
        if not isinstance(one.tag, str):
            continue
        for name, value in one.attrib.items():
            is_address = name in ("href", "src", "action", "formaction", "data")
            if name.startswith("on") or name == "style" or (is_address and not _is_harmless(value)):
                found.append(lxml.html.tostring(one, encoding="unicode", with_tail=False)[:200])
    found += [f"script: {one.text_content()[:80]}" for one in tree.cssselect("script") if one.text_content() or not one.get("src")]
    found += ["refresh" for _ in tree.cssselect("meta[http-equiv]")]
    return [*found, *(["a template was filled in"] if "1337" in tree.text_content() else [])]


def _is_harmless(address: str) -> bool:
    """An address of ours, or one that opens a program to write or to call."""
    return address.startswith(("/.web/", "?", "#", "mailto:", "tel:")) or (address.startswith("https://") and "evil.example" not in address)


def written(html: str) -> set[str]:
    """The payloads that the page shows as text, or holds as a value."""
    tree = lxml.html.document_fromstring(html)
    texts = [
        tree.text_content(),
        *(str(value) for one in tree.cssselect("input, option, textarea, button") for value in one.attrib.values()),
    ]
    return {payload for payload in PAYLOADS if any(payload in text for text in texts)}
