"""Occurrences of a weekly series as phones name them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from activesync_bridge.items.patching import compact
from activesync_bridge.wbxml.codepages import AirSyncBase, Calendar
from activesync_bridge.wbxml.element import Element
from tests.journeys.makings import BERLIN


def instance_of(shown: dict[int, Element], week: int) -> str:
    """The start of an occurrence, some weeks after the first: the same time of day in Berlin, in UTC."""
    first = datetime.strptime(shown[Calendar.StartTime].text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(BERLIN)
    return compact(first + timedelta(weeks=week))


def exception_of(shown: dict[int, Element], instance: str, subject: Element | None) -> Element:
    """The Exceptions of a whole item (≤ 14.1) with one more: another subject, or without one the occurrence does not take place."""
    start = Element(Calendar.ExceptionStartTime, instance)
    told = (Element(Calendar.Deleted, "1"), start) if subject is None else (Element(Calendar.Deleted, "0"), subject, start)
    had = shown.get(Calendar.Exceptions)
    kept = [one for one in (had.children if had else ()) if one.text_of(Calendar.ExceptionStartTime) != instance]
    return Element(Calendar.Exceptions, (*kept, Element(Calendar.Exception, told)))


def known_instances(data: Element) -> set[str]:
    """The occurrences that an item leaves out, by either version's name."""
    found = data.first(Calendar.Exceptions)
    return {one.text_of(Calendar.ExceptionStartTime) or one.text_of(AirSyncBase.InstanceId) for one in (found.children if found else ())}
