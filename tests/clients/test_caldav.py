"""The `caldav` library from nothing but host, login and password."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import caldav
import pytest

pytestmark = pytest.mark.client


@pytest.fixture
def principal(running):
    with caldav.DAVClient(url=f"{running.url}/.well-known/caldav", username="anna", password="secret") as client:
        yield client.principal()


def folder(principal, component: str):
    (found,) = [one for one in principal.calendars() if component in one.get_supported_components()]
    return found


def tomorrow(hour: int) -> datetime:
    return (datetime.now(UTC) + timedelta(days=1)).replace(hour=hour, minute=0, second=0, microsecond=0)


def test_events_are_added_edited_found_and_deleted(principal):
    """With search by time and sync-token deltas."""
    calendar = folder(principal, "VEVENT")
    event = calendar.save_event(dtstart=tomorrow(10), dtend=tomorrow(11), summary="Visit", uid="e1")
    token = calendar.objects_by_sync_token(load_objects=True)
    assert ["Visit"] == [one.icalendar_component["summary"] for one in token]
    assert [] == list(calendar.objects_by_sync_token(token.sync_token))
    event.icalendar_component["summary"] = "Moved"
    event.save()
    changed = calendar.objects_by_sync_token(token.sync_token, load_objects=True)
    assert ["Moved"] == [one.icalendar_component["summary"] for one in changed]
    assert 1 == len(calendar.search(start=tomorrow(9), end=tomorrow(12), event=True))
    assert 0 == len(calendar.search(start=tomorrow(12), end=tomorrow(14), event=True))
    assert "Moved" == calendar.event_by_uid("e1").icalendar_component["summary"]
    event.delete()
    assert [] == calendar.events()


def test_to_dos_are_added_completed_and_deleted(principal):
    """Completing sets onOffice's two marks, and the client sees it."""
    tasks = folder(principal, "VTODO")
    todo = tasks.save_todo(summary="Call", due=tomorrow(12), uid="t1")
    assert ["Call"] == [one.icalendar_component["summary"] for one in tasks.todos()]
    todo.complete()
    assert [] == tasks.todos()
    (done,) = tasks.todos(include_completed=True)
    assert ("COMPLETED", 100) == (done.icalendar_component["status"], done.icalendar_component["percent-complete"])
    done.delete()
    assert [] == tasks.todos(include_completed=True)
