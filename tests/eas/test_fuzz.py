"""Broken queries and broken requests against the whole server: the fuzzer's first few hundred, and what it found before.

``make soak`` runs 100,000 of each.
"""

from __future__ import annotations

import logging

import pytest

from activesync_bridge.wbxml.codepages import AirSync, ResolveRecipients, Tasks
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.reader import decode
from activesync_bridge.wbxml.writer import encode
from tests.eas import fuzz
from tests.eas.phone import Phone, add, collection_of, status_of, sync_of
from tests.journeys.processes import Database

# Queries that mean trouble: cut off at each part, counts beyond the end, unknown tags, odd characters
QUERIES = [
    "",
    "=",
    "====",
    "jA",
    "jAAJBA",
    "jAAJBP8=",
    "jAAJBAp2MTQwRGV2aWNl",
    "oRIJBAJkMQDwCQ==",
    "oRIJBAJkMQUAAAAA",
    "/////w==",
    "%00%ff",
    "Cmd=Sync",
    "Cmd=Sync&DeviceId=%2C",
    "Cmd=&DeviceId=a",
    "cmd=Sync&DeviceId=" + "a" * 65,
    "&" * 4000,
    "Cmd=Sync&" + "a=b&" * 1000,
    "\u00e4",
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_corpus_of_queries(query):
    """Read or refused."""
    assert fuzz.judge_query(query) in ("read", "refused")


def test_broken_queries():
    """Two thousand, always the same ones."""
    seen = fuzz.run(2000, 1, fuzz.one_query)
    assert {"read", "refused"} == set(seen)


def test_broken_requests(tmp_path):
    """Two hundred and fifty, always the same ones: a proper status each, no error in the log, WBXML that can be read."""
    seen = fuzz.batch(Database(tmp_path), 250, 1)
    assert {"200", "400"} <= set(seen)


DATES = ["9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z"]


@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("tag", [Tasks.UtcDueDate, Tasks.DueDate, Tasks.UtcStartDate, Tasks.ReminderTime, Tasks.DateCompleted])
def test_a_date_at_the_end_of_the_calendar_fails_its_item_alone(phone, caplog, tag, date):
    """Found by the fuzzer: a zone's offset led beyond the year 9999, and the request with all its items was answered 503."""
    handset: Phone = phone("16.1")
    handset.folder_sync()
    item = (Element(Tasks.Subject, "x"), Element(Tasks.ReminderSet, "1"), Element(Tasks.Complete, "1"), Element(tag, date))
    handset.prime("tasks")
    asked = sync_of(handset.request("tasks", [add("odd", *item), add("sound", Element(Tasks.Subject, "y"))]))
    with caplog.at_level(logging.ERROR):
        status, _, answer = handset.raw("Sync", encode(asked))
    assert (200, []) == (status, caplog.records)
    responses = collection_of(decode(answer)).first(AirSync.Responses)
    found = {one.text_of(AirSync.ClientId): status_of(one) for one in responses.children}
    assert found.keys() == {"odd", "sound"}
    assert found["odd"] in ("1", "6")
    assert "1" == found["sound"]


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000+14:00"])
def test_free_and_busy_at_the_ends_of_the_calendar_is_a_malformed_request(phone, caplog, text):
    """Found by the fuzzer: 503."""
    handset: Phone = phone("16.1")
    free = Element(ResolveRecipients.Availability, (Element(ResolveRecipients.StartTime, text),))
    parts = (Element(ResolveRecipients.To, "anna"), Element(ResolveRecipients.Options, (free,)))
    with caplog.at_level(logging.ERROR):
        answer = handset.post("ResolveRecipients", Element(ResolveRecipients.ResolveRecipients, parts))
    assert ("5", []) == (answer.text_of(ResolveRecipients.Status), caplog.records)
