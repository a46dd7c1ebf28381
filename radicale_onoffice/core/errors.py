"""What can go wrong, by whose fault; each error keeps its facts as attributes.

Faces translate these in one table each (``radicale_onoffice/errors.py`` for DAV). The text of an error is written for the person
who reads it and says what to do. Any other exception is a bug of ours.
"""

from __future__ import annotations

from datetime import datetime

from radicale_onoffice.core.model import Base, Kind


class OfficeError(Exception):
    """Root of all errors that a face must answer."""


# ---- the client's fault


class BadRequest(OfficeError):
    """What the client sent cannot be understood; nothing was changed."""


class Unconfirmed(BadRequest):
    """What cannot be undone was asked for without the word that confirms it."""


class TooLarge(BadRequest):
    """The client sent more than is accepted: ``size`` and ``limit`` in bytes or items."""

    def __init__(self, what: str, size: int, limit: int):
        super().__init__(f"{what} is too large: {size}, at most {limit} are accepted.")
        self.size, self.limit = size, limit


# ---- the domain says no


class Refused(OfficeError):
    """The change is not this user's to make; nothing was changed (gates, rights, window)."""


class GateClosed(Refused):
    """Sync of this kind is switched off; ``reasons`` are the closed gates (rule 1)."""

    def __init__(self, kind: Kind, reasons: tuple[str, ...]):
        super().__init__(f"Synchronisation of {kind} is off: {'; '.join(reasons)}.")
        self.kind, self.reasons = kind, reasons


class OutOfReach(Refused):
    """The record exists but lies outside what is offered to this client, so the client cannot change it (rule 54)."""


class TooManyDevices(Refused):
    """The user has ``limit`` devices already ([MS-ASCMD] 2.2.2, status 177, R4980)."""

    def __init__(self, limit: int):
        super().__init__(f"You have {limit} devices already; have one removed with `radicale-onoffice device remove`.")
        self.limit = limit


class NotFound(OfficeError):
    """No such record for this reader."""


class Conflict(OfficeError):
    """Somebody else changed the record meanwhile: ``expected`` and ``found`` versions."""

    def __init__(self, expected: int | None, found: int | None):
        super().__init__(f"The record changed meanwhile (version {found}, expected {expected}). Fetch it again and repeat your change.")
        self.expected, self.found = expected, found


class MadeBefore(Conflict):
    """What a device repeats had been made the first time, and is stored as ``record_id`` now: what it says is a change of that record."""

    def __init__(self, record_id: str, version: int):
        super().__init__(None, version)
        self.record_id = record_id


class ChangedBefore(Conflict):
    """What the same device had changed, and was told nothing of, is stored now: what it says is to be put on top of that, as it has it."""


class CameBack(Conflict):
    """What a client makes is a record that it took off the device: ``base`` is how it had that last, and the draft is to be made on top of it."""

    def __init__(self, base: Base, version: int):
        super().__init__(None, version)
        self.base = base


class DuplicateUid(OfficeError):
    """Another record of this reader has the UID already; ``name`` is that record's resource name."""

    def __init__(self, uid: str, name: str):
        super().__init__(f"The UID {uid!r} belongs to {name!r} already.")
        self.uid, self.name = uid, name


class CursorInvalid(OfficeError):
    """The sync cursor is unknown or too old; the client starts again."""


class SignInRefused(OfficeError):
    """Wrong login or password, or a locked login: from outside nobody can tell which (rule 87, U40)."""

    def __init__(self) -> None:
        super().__init__("The login or the password is wrong.")


# ---- nobody's fault: try again later


class Unavailable(OfficeError):
    """The service is closed for a while; never a login failure (rule 94). ``retry_after`` in seconds."""

    def __init__(self, message: str, retry_after: int):
        super().__init__(message)
        self.retry_after = retry_after


class Maintenance(Unavailable):
    """An administrator switched maintenance on, at ``since``."""

    def __init__(self, message: str, retry_after: int, since: datetime):
        super().__init__(message, retry_after)
        self.since = since


class UpstreamDown(Unavailable):
    """The CRM behind us does not answer."""
