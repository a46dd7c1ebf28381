"""Who may come in, and in what state: from a request's head to a Session, or the answer that ends it (activesync.md 2.17 in short):

=====================================  ==========================  =====================================
situation                              up to 12.1                  from 14.0 on
=====================================  ==========================  =====================================
no, wrong or locked credentials        401 + WWW-Authenticate      the same: nobody can tell them apart
maintenance, a database or CRM down    503 + Retry-After           the same; never counted as a failure
a kind's gate is closed                the folder is gone          the same
device blocked, or wiped               403                         129
too many devices                       403                         177
remote wipe wanted                     449 (account only: 403)     140 (account only below 16.1: 129)
policy not yet acknowledged            449                         142; a wrong policy key 144
=====================================  ==========================  =====================================

All of it is decided by the core; this file only asks in the right order, and translates.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass

from activesync_bridge import policy
from activesync_bridge.request import Request
from activesync_bridge.session import Announced, Answer, Options, Session
from activesync_bridge.status import Common, answer, refusal
from radicale_onoffice.core.accounts import Caller, Verify
from radicale_onoffice.core.errors import OfficeError, SignInRefused
from radicale_onoffice.core.folders import Reader
from radicale_onoffice.core.model import Face
from radicale_onoffice.core.office import Office

# R17 ff. of [MS-ASPROV]: these are answered before a policy is acknowledged; iOS sends Settings before Provision
BEFORE_POLICY = ("Provision", "Settings", "Ping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Everything that outlives a request."""

    office: Office
    options: Options
    announced: Announced
    verify: Verify | None = None  # a foreign password backend

    def sign_in(self, authorization: str, address: str, device: str = "", label: str = "") -> Reader:
        """The user of a Basic Authorization header; raises SignInRefused and Unavailable."""
        login, password = credentials(authorization)
        caller = Caller(address=address, face=Face.EAS, device=device, label=label)
        return self.office.accounts.admit(login, password, caller, verify=self.verify)

    def open(self, request: Request, who: Reader) -> Session | Answer:
        """The session of a request of a user who has just signed in, or the answer that the device's state demands."""
        try:
            device = self.office.devices.seen(
                who.identity,
                request.device_id,
                request.device_type,
                request.user_agent,
                str(request.version),
                syncs=request.command == "Sync",
            )
        except OfficeError as error:
            return answer(error, request.command, request.version)
        session = Session(self.office, who, device, request.version, request, self.options, self.announced)
        return self._standing(session) or session

    def reopen(self, session: Session) -> Session | Answer:
        """The same session as of now: gates and the device's state may have changed while it waited."""
        with self.office.store.reading() as tx:
            account, device = tx.account(session.identity), tx.device(session.identity, session.device.id)
        if account is None:
            return answer(SignInRefused(), session.request.command, session.version)
        if device is None:
            return refusal(session.request.command, session.version, Common.SERVER_ERROR_RETRY_LATER)
        session.who, session.device = Reader(tenant=account[0], user=account[1]), device
        return self._standing(session) or session

    def _standing(self, session: Session) -> Answer:
        """What keeps a device from this command; None = nothing."""
        command, version = session.request.command, session.version
        reason = policy.exclusion(session.device, version)
        if reason is Common.REMOTE_WIPE_REQUESTED and command == "Provision":
            return None
        if reason is None and command not in BEFORE_POLICY:
            reason = policy.objection(session.device, session.request.policy_key, session.options.policy)
        return None if reason is None else refusal(command, version, reason)


def credentials(authorization: str) -> tuple[str, str]:
    """Login and password of a Basic header (RFC 7617, UTF-8 or Latin-1). Raises SignInRefused."""
    scheme, _, text = authorization.strip().partition(" ")
    try:
        data = b64decode(text.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        raise SignInRefused from None
    try:
        login, found, password = data.decode("utf-8").partition(":")
    except UnicodeDecodeError:
        login, found, password = data.decode("latin-1").partition(":")
    if not found:
        raise SignInRefused
    return login, password
