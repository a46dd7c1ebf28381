"""A small office to look at: two agents, contacts, appointments and tasks around today."""

from __future__ import annotations

from datetime import timedelta

from .control import Control
from .emulator import Emulator

PEOPLE = (
    ("Ada", "Beispiel", "Beispiel & Co", "Aachen", "+49 241 900100", "+49 171 5550001", "ada@example.org"),
    ("Bruno", "Muster", "", "Köln", "+49 221 900200", "+49 160 5550002", "bruno@example.org"),
    ("Clara", "Probst", "Probst Immobilien", "Bonn", "+49 228 900300", "+49 151 5550003", "clara@example.org"),
)


def fill(emulator: Emulator) -> None:
    """Nothing happens to an account that has addresses."""
    control, account = emulator.control, emulator.account
    if control.count("address"):
        return
    anna = control.add_user("anna", "Anna", "Arndt", "anna@example.org")
    theo = control.add_user("theo", "Theo", "Thoma", "theo@example.org")
    team = control.add_group("Vertrieb", [anna, theo])
    estate = control.add("estate", {"address": "Hauptstr. 5, 52062 Aachen"})
    control.add("resource", {"name": "Besprechungsraum", "active": True})
    contacts = [contact(control, person, anna) for person in PEOPLE]
    today = account.now().astimezone(account.zone).replace(hour=9, minute=0, second=0, microsecond=0)
    for days, subject in ((0, "Besichtigung Hauptstr. 5"), (1, "Notartermin"), (7, "Jour fixe")):
        start = today + timedelta(days=days)
        times = {"start_dt": start.strftime("%Y-%m-%d %H:%M:%S"), "end_dt": (start + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S")}
        series = {"rp_flag": True, "rp_type": "w", "rp_tage": 1, "rp_beginn_datum": times["start_dt"][:10], "rp_ende_status": "2"}
        data = {
            "description": subject,
            "art": "meeting",
            "von": "anna",
            "erinnerung": "15 minutes",
            **times,
            **(series if days == 7 else {}),
        }
        control.add("calendar", data, by="anna", users=[anna], groups=[team], addresses=contacts[:1], estate=estate)
    deadline = (today + timedelta(days=2)).strftime("%Y-%m-%d %H:%M:%S")
    people = {"Verantwortung": "anna", "Bearbeiter": "anna", "von": "theo"}
    control.add("task", {"Betreff": "Exposé schreiben", "Deadline": deadline, "Deadline_strikt": True, **people}, addresses=contacts[:1])
    control.add("task", {"Betreff": "Anrufen", "Prio": "1", "Status": 2, **people}, addresses=contacts[1:2])


def contact(control: Control, person: tuple[str, ...], owner: int) -> int:
    first, last, company, city, phone, mobile, mail = person
    entries = [
        {"what": "phone", "value": phone, "type": "business", "default": True},
        {"what": "phone", "value": mobile, "type": "mobile"},
        {"what": "email", "value": mail, "default": True},
    ]
    fields = {
        "Vorname": first,
        "Name": last,
        "Zusatz1": company,
        "Ort": city,
        "Land": "Deutschland",
        "Benutzer": "anna",
        "ArtDaten": "|Kunde|",
    }
    return control.add("address", fields, by="anna", entries=entries, sync=[owner])
