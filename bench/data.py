"""The same contacts and appointments for every server, made of numbers."""

from __future__ import annotations

from datetime import date, datetime, timedelta

FIRST = ("Anna", "Bernd", "Clara", "Dieter", "Eva", "Jürgen")
LAST = ("Müller", "Schmidt", "Fischer", "Weber", "Becker", "Großmann", "Richter")


def card(number: int, city: str = "Aachen") -> str:
    """A vCard of about 400 bytes."""
    first, last = FIRST[number % len(FIRST)], LAST[number % len(LAST)]
    lines = [
        "BEGIN:VCARD",
        "VERSION:3.0",
        f"UID:contact-{number}",
        f"N:{last}{number};{first};;;",
        f"FN:{first} {last}{number}",
        f"ORG:Beispiel GmbH {number % 50}",
        f"TEL;TYPE=HOME,VOICE:0241 {100000 + number}",
        f"TEL;TYPE=CELL:+49 171 {2000000 + number}",
        f"EMAIL;TYPE=INTERNET:person{number}@beispiel.example",
        f"ADR;TYPE=HOME:;;Hauptstraße {number % 200};{city};;52062;Deutschland",
        f"BDAY:19{50 + number % 50}-0{number % 9 + 1}-1{number % 10}",
        "NOTE:Sucht eine Wohnung mit drei Zimmern und Balkon.",
        "END:VCARD",
    ]
    return "\r\n".join(lines) + "\r\n"


def event(number: int, today: date) -> str:
    """An event of the mix of the baselines: 15 % whole days, 20 % series, 30 % with attendees, over the six months that are offered."""
    day = today + timedelta(days=number * 7 % 205 - 27)
    start = datetime.combine(day, datetime.min.time()) + timedelta(hours=8 + number % 9)
    is_day = number % 20 in (1, 8, 15)
    if is_day:
        span = f"DTSTART;VALUE=DATE:{day:%Y%m%d}\r\nDTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}\r\n"
    else:
        span = f"DTSTART:{start:%Y%m%dT%H%M%SZ}\r\nDTEND:{start + timedelta(hours=1):%Y%m%dT%H%M%SZ}\r\n"
    rule = ("RRULE:FREQ=WEEKLY;COUNT=6\r\n" if number % 2 else "RRULE:FREQ=MONTHLY\r\n") if number % 5 == 3 else ""
    people = "ORGANIZER:mailto:a@beispiel.example\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:b@beispiel.example\r\n" if number % 10 < 3 else ""
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:event-{number}\r\nDTSTAMP:20260101T000000Z\r\n{span}{rule}{people}"
        f"SUMMARY:Besichtigung {number}\r\nLOCATION:Hauptstraße {number}\\, Aachen\r\nDESCRIPTION:Unterlagen mitbringen.\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
