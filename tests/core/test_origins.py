"""By what a repetition of a new item is known."""

from __future__ import annotations

import pytest

from radicale_onoffice.core.origins import UNTOLD, Origin

ADD = Origin(client_id="c1", number=3, content="=77")


@pytest.mark.parametrize(
    ("one", "other", "same_device", "expected"),
    [
        (Origin(uid="u1", name="a.vcf"), Origin(uid="u1", name="b.vcf"), False, True),
        (Origin(uid="u1", name="a.vcf"), Origin(uid="u2", name="a.vcf"), False, True),
        (Origin(uid="u1", name="a.vcf"), Origin(uid="u2", name="b.vcf"), True, False),
        (ADD, Origin(client_id="c1", number=3, content="=78"), True, True),
        (ADD, Origin(client_id="c1", number=3, content="=78"), False, False),
        (ADD, Origin(client_id="c1", number=4, content="=78"), True, False),
        (ADD, Origin(client_id="c1", number=9, content="=77"), True, True),
        (ADD, Origin(client_id="c2", number=3, content="=78"), True, False),
        (ADD, UNTOLD, True, None),
        (UNTOLD, UNTOLD, True, None),
    ],
)
def test_the_same_item_is_known_by_what_its_device_calls_it(one, other, same_device, expected):
    """UID and name mean one item of a user; a ClientId only with its device and key, or with all that the Add says."""
    assert (expected, expected) == (one.is_same(other, same_device=same_device), other.is_same(one, same_device=same_device))


def test_parts_of_an_item_have_origins_of_their_own():
    """The occurrences of a series that become appointments of their own: each is known again, and is none of the others."""
    monday, tuesday = (Origin(uid="u1", name="a.ics", client_id="c1", number=3).part(day) for day in ("20260401", "20260402"))
    assert Origin(uid="u1-20260401", client_id="c1-20260401", number=3) == monday
    assert (True, False) == (monday.is_same(monday, same_device=True), monday.is_same(tuesday, same_device=True))
    assert UNTOLD == UNTOLD.part("20260401")
