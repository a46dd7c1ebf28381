"""Both faces note who comes with what, and what they synchronise."""

from __future__ import annotations

import sqlalchemy

from radicale_onoffice.core.model import Face, Identity, Kind
from tests.conftest import START

ANNA = Identity("t", "anna")
DAVX5 = {"User-Agent": "DAVx5/4.3.13-ose (2024/01/03) Android/14"}


def seen(office):
    return {(one.face, one.client): dict(one.synced) for one in office.visits.of(ANNA)}


def test_a_phone_is_noted_with_the_kinds_that_it_synchronises(server, phone):
    """From the first Sync that may bring something on."""
    mine = phone()
    mine.folder_sync()
    assert {(Face.EAS, "PHONE1"): {}} == seen(server.office)
    mine.sync("contacts")
    mine.sync("tasks")
    assert {(Face.EAS, "PHONE1"): {Kind.CONTACTS: START, Kind.TASKS: START}} == seen(server.office)


def test_a_dav_client_is_noted_with_the_kinds_that_it_asks_for(server):
    """By a sync token, a query, or the tag of the folder."""
    client = server.client(**DAVX5)
    client.request("PROPFIND", "/anna/", headers={"Depth": "0"})
    assert {(Face.DAV, "DAVx5"): {}} == seen(server.office)
    client.request(
        "PROPFIND",
        "/anna/contacts/",
        headers={"Depth": "0"},
        content='<propfind xmlns="DAV:"><prop><sync-token/></prop></propfind>',
    )
    client.request(
        "REPORT",
        "/anna/calendar/",
        content='<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns="DAV:"><prop><getetag/></prop>'
        '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>',
    )
    assert {(Face.DAV, "DAVx5"): {Kind.CONTACTS: START, Kind.APPOINTMENTS: START}} == seen(server.office)


def test_a_wrong_password_is_noted_on_both_faces(server, phone):
    """With the device that has it."""
    server.client(**DAVX5).request("PROPFIND", "/anna/", headers={"Depth": "0"})
    assert 401 == server.client(password="wrong", **DAVX5).request("PROPFIND", "/anna/", headers={"Depth": "0"}).status_code
    assert 401 == phone(password="wrong").raw("FolderSync", b"")[0]
    assert {("DAVx5", 1), ("PHONE1", 1)} == {(one.client, one.failures) for one in server.office.visits.of(ANNA)}


def test_a_dav_client_that_comes_again_writes_nothing(server):
    """The visit is remembered."""
    client, said = server.client(**DAVX5), []
    ask = lambda: client.request("PROPFIND", "/anna/contacts/", headers={"Depth": "0"})  # noqa: E731 - twice the same
    ask()
    sqlalchemy.event.listen(server.office.store.engine, "before_cursor_execute", lambda _c, _u, statement, *_: said.append(statement))
    ask()
    assert said
    assert [] == [one for one in said if one.startswith(("INSERT", "UPDATE", "DELETE", "BEGIN IMMEDIATE"))]
