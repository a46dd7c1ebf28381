"""onOffice's error codes, and what each of them means here.

onOffice publishes no table of its codes; those below are the ones that calls for addresses, appointments, tasks, users and links can give.
A code decides whose fault it is (``FAULTS``, a code that nobody knows is a VALUE) and what the administrator reads behind onOffice's own
words (``ADVICE``). The fault decides everything else:

======  ====================  ====================================================  =====================================================
fault   error                 what a device is answered                             log, and where it is told
======  ====================  ====================================================  =====================================================
ACCESS  UpstreamDown          503 + Retry-After; nothing is counted against it      ERROR, once a call; `mirror status`, `check`, metrics
SERVER  UpstreamDown          the same                                              the same
RIGHT   RefusedByOnOffice     DAV 403; phones: Add 6, Change 7 and the stored item  WARNING; audit log ("refused") and the user's page
                              again, a deleted item comes again
GATE    RefusedByOnOffice     the same                                              the same
VALUE   RefusedByOnOffice     the same                                              the same
GONE    GoneFromOnOffice      as RIGHT while the record is seen (it may not be      as RIGHT; nothing but the log if the record is gone
                              written); else DAV 404, phones 8, and a removal
                              is done if others of its kind are seen, else as
                              ACCESS: it may be hidden
======  ====================  ====================================================  =====================================================

ACCESS or SERVER of a single part of a new record (a Sync flag), while onOffice answers the rest, is told as a VALUE once it has lasted for
``settling.LATE``; else that errand would never end.

Reads are answered from our store, so that none of this reaches a device: a poll that is refused stands in `mirror status` until one is not.
An unknown field means that the account's fields were changed: they are asked for anew, and the write, or the next poll, does without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Fault(Enum):
    """Whose fault a refusal is, which decides what the device is told."""

    ACCESS = "access"  # token, signature, clock, address of the caller: ours to mend, so devices come again later
    SERVER = "server"  # onOffice is ill: as if it were down
    RIGHT = "right"  # the API user may not
    GONE = "gone"  # no such record, or it is hidden from the API user
    GATE = "gate"  # synchronisation is switched off in onOffice
    VALUE = "value"  # what was sent does not fit; also every code that nobody knows


def _codes(fault: Fault, *codes: int) -> dict[int, Fault]:
    return dict.fromkeys(codes, fault)


UNKNOWN_FIELD = frozenset({75, 138, 141, 143, 144, 145, 154})
LOGINS = (40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 102, 103, 104, 105, 106, 107, 108, 134, 135, 150)  # of the API user, whatever they say
FAULTS: Mapping[int, Fault] = {
    **_codes(Fault.ACCESS, 22, *LOGINS, 136, 137, 153, 158, 183, 193, 201, 240, 243, 248),
    **_codes(Fault.SERVER, 1, 26, 27, 70, 155, 175, 176, 189, 190, 303, 999),
    **_codes(Fault.RIGHT, 131, 156, 170, 174, 253, 261, 262),
    **_codes(Fault.GONE, 80, 169, 235, 292, 293),
    **_codes(Fault.GATE, 216, 217, 218),
    # the request itself, values, and mandatory fields
    **_codes(Fault.VALUE, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 64, 65, 69, 74, 76, 77, 78, 79, 88, 89, 90),
    **_codes(Fault.VALUE, *range(81, 88), 91, 92, 93, 99, 100, 101, 117, 121, 122, 132, 142, 163, 167, 168, 171, *range(179, 183)),
    **_codes(Fault.VALUE, *range(184, 189), 194, 196, 198, 199, 206, 207, 208, 209, 212, 215, 219, 227, 228, 229, 230, 231, 232, 236, 241),
    **_codes(Fault.VALUE, 249, 250, 251, 252, 254, 255, 256, 257, 258, 259, 260, 270, 272, 284, 286, *range(288, 292), 294, 295),
    **_codes(Fault.VALUE, *range(297, 303), 305, *UNKNOWN_FIELD),
}

_RIGHT = "The API user lacks a right in onOffice."
_TOKEN = "Is the API user's token still there?"  # noqa: S105 - no token
_SELECT = "onOffice does not have this value in its list."
ADVICE: Mapping[int, str] = {
    **dict.fromkeys((22, 153), _TOKEN),
    **dict.fromkeys((137, 243), "Are token and secret a pair?"),
    **dict.fromkeys((42, 104, 150, 183), "Is the API user active?"),
    136: "Is this machine's clock right?",
    158: "onOffice has to let this machine's address in.",
    240: "This is the API user of a marketplace; make one of your own.",
    **dict.fromkeys((code for code, fault in FAULTS.items() if fault is Fault.RIGHT), _RIGHT),
    80: _RIGHT,
    216: "onOffice's module for synchronisation is not booked.",
    217: "Synchronisation is switched off for this user in onOffice.",
    218: "Z-Push is switched off for this user in onOffice.",
    **dict.fromkeys(UNKNOWN_FIELD, "The fields of this account were changed."),
    **dict.fromkeys((76, 77, 252), _SELECT),
    254: "onOffice demands a field that devices do not have; for Art of tasks say `tenant connect --task-type`.",
    101: "The types of appointments or tasks were changed in onOffice.",
    87: "The number stands there twice; remove one in onOffice.",
}


def fault_of(code: int) -> Fault:
    """Whose fault a code is."""
    return FAULTS.get(code, Fault.VALUE)
