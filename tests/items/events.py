"""Random and literal VEVENTs for the tests of appointments."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from hypothesis import strategies as st

from radicale_onoffice.formats import lines

TEXT = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=20
)
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney", "W. Europe Standard Time", "Z", ""]
OTHERS = [
    'X-CLIENT;A="b:c":d',
    "ATTACH;FMTTYPE=application/pdf:https://example.org/a.pdf",
    "URL:https://example.org",
    "COLOR:red",
    "SEQUENCE:3",
    "CREATED:20260101T000000Z",
    "GEO:50.77;6.08",
    "ORGANIZER:mailto:a@example.org",
    "ATTENDEE;CN=B;PARTSTAT=ACCEPTED:mailto:b@example.org",
    "X-MICROSOFT-CDO-BUSYSTATUS:OOF",
    "X-ONOFFICE-STATUS:completed",
]
ALARMS = ["-PT15M", "-P1D", "PT0S", "-PT0M", "PT10M"]


def event(*properties: str, calendar: tuple[str, ...] = ("VERSION:2.0", "PRODID:-//Client//EN", "X-WR-FOO:bar")) -> str:
    """A VCALENDAR with one VEVENT of these content lines."""
    raw = ["BEGIN:VCALENDAR", *calendar, "BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", *properties, "END:VEVENT", "END:VCALENDAR"]
    return "".join(lines.fold(one) for one in raw)


def alarm(trigger: str, action: str = "DISPLAY") -> tuple[str, ...]:
    """The lines of an alarm."""
    return ("BEGIN:VALARM", f"ACTION:{action}", "DESCRIPTION:x", f"TRIGGER:{trigger}", "END:VALARM")


def stamp(name: str, when: datetime | date, zone: str) -> str:
    """A line of a wall time in a zone ("Z", "" = floating), or of a day."""
    if not isinstance(when, datetime):
        return f"{name};VALUE=DATE:{when:%Y%m%d}"
    text = f"{when:%Y%m%dT%H%M%S}"
    return f"{name}:{text}{zone}" if zone in ("Z", "") else f"{name};TZID={zone}:{text}"


DAYS = st.datetimes(datetime(2010, 1, 1), datetime(2035, 1, 1)).map(lambda when: when.replace(second=0, microsecond=0))  # noqa: DTZ001


@st.composite
def events(draw):
    """Single ones, whole days and series, with EXDATEs, zones, alarms and lines that EAS cannot name."""
    zone = draw(st.sampled_from(ZONES))
    # Not in the hours of a change of clocks, in which a wall time is two moments or none
    start = draw(DAYS).replace(hour=draw(st.integers(6, 18)), minute=draw(st.integers(0, 59)))
    if draw(st.booleans()):
        start, zone = start.date(), ""
        end = start + timedelta(days=draw(st.integers(1, 5)))
    else:
        end = start + timedelta(minutes=draw(st.integers(0, 300)))
    found = [stamp("DTSTART", start, zone)]
    length = end - start
    ends = [stamp("DTEND", end, zone), f"DURATION:P{length.days}D" if length.days else f"DURATION:PT{length.seconds // 60}M"]
    found.append(draw(st.sampled_from(ends)))
    if draw(st.booleans()):
        until = start + timedelta(days=400)
        found.append(
            draw(
                st.sampled_from(
                    [
                        "RRULE:FREQ=WEEKLY",
                        "RRULE:FREQ=DAILY;INTERVAL=3;COUNT=9;WKST=SU",
                        "RRULE:FREQ=MONTHLY",
                        "RRULE:FREQ=YEARLY",
                        "RRULE:FREQ=WEEKLY;UNTIL=" + (f"{until:%Y%m%dT220000Z}" if isinstance(start, datetime) else f"{until:%Y%m%d}"),
                    ]
                )
            )
        )
        found += [stamp("EXDATE", start + timedelta(days=7 * draw(st.integers(0, 9))), zone) for _ in range(draw(st.integers(0, 2)))]
    found.append(f"SUMMARY;LANGUAGE=de:{lines.escape(draw(TEXT))}")
    for name, value in (
        ("LOCATION", TEXT.map(lines.escape)),
        ("DESCRIPTION", TEXT.map(lines.escape)),
        ("CLASS", st.sampled_from(["PUBLIC", "PRIVATE", "CONFIDENTIAL"])),
        ("TRANSP", st.sampled_from(["OPAQUE", "TRANSPARENT"])),
        ("STATUS", st.sampled_from(["CONFIRMED", "TENTATIVE", "CANCELLED"])),
        ("CATEGORIES", st.sampled_from(["Termin", "Termin,Extra", "B,A"])),
    ):
        if draw(st.booleans()):
            found.append(f"{name}:{draw(value)}")
    found += draw(st.lists(st.sampled_from(OTHERS), unique=True, max_size=4))
    for trigger in draw(st.lists(st.sampled_from(ALARMS), max_size=2)):
        found += alarm(trigger, draw(st.sampled_from(["DISPLAY", "EMAIL", "AUDIO"])))
    return event(*found)
