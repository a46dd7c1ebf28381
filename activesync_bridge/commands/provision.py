"""Provision ([MS-ASPROV]): a policy in two phases, or the word that there is none; and the wipe.

Phase 1 hands out the policy with a temporary key, phase 2 takes the device's word that it applies it and gives the final key. A wipe
goes before: the device is told, says what became of it, and that is recorded. The final key follows from the temporary one, so that a
repeated acknowledgment gets the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from activesync_bridge import policy
from activesync_bridge.commands import settings
from activesync_bridge.session import Answer, Session
from activesync_bridge.status import Common, PolicyStatus, ProvisionStatus, refusal
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import Provision as Tag
from activesync_bridge.wbxml.codepages import Settings
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.model import DeviceState

WIPING = (DeviceState.WIPE_REQUESTED, DeviceState.WIPE_SENT)


class Applied(StrEnum):
    """What a device says of a policy or a wipe, [MS-ASPROV] 2.2.2.54.1 and 2.2.2.54.3."""

    FULLY = "1"
    PARTIALLY = "2"
    NOT = "3"
    BY_ANOTHER = "4"  # a third party manages the device


@dataclass(frozen=True, slots=True)
class Request:
    """A Provision as it came; "" for what is missing."""

    policy_type: str = ""
    key: str = ""
    status: str = ""
    asks_for_policy: bool = False
    information: tuple[tuple[str, str], ...] | None = None
    wipe_status: str | None = None  # None: the request is no acknowledgment of a wipe

    @property
    def acknowledges(self) -> bool:
        """True in phase 2."""
        return bool(self.key or self.status)


def handle(session: Session, body: Element | None) -> Answer:
    """Answer a Provision."""
    request = parse(body)
    if request is None:
        return _answer(ProvisionStatus.PROTOCOL_ERROR)
    if session.device.state in WIPING or request.wipe_status is not None:
        return _wipe(session, request)
    excluded = policy.exclusion(session.device, session.version)
    if excluded is not None:
        return refusal("Provision", session.version, excluded)
    if not request.asks_for_policy:
        return _answer(ProvisionStatus.SUCCESS)  # R493: whether a wipe is due
    if request.policy_type == "":
        return _answer(ProvisionStatus.PROTOCOL_ERROR)  # R4989
    if request.information is not None and session.version >= Version.V14_1:
        settings.remember(session, request.information)
    elif session.version >= Version.V14_1 and not request.acknowledges:
        return refusal("Provision", session.version, Common.DEVICE_INFORMATION_REQUIRED)
    return _acknowledged(session, request) if request.acknowledges else _handed_out(session, request)


def parse(body: Element | None) -> Request | None:
    """The request; None if it is no Provision."""
    if body is None or body.tag != Tag.Provision:
        return None
    wipe = body.first(Tag.RemoteWipe) or body.first(Tag.AccountOnlyRemoteWipe)
    policies = body.first(Tag.Policies)
    found = policies.first(Tag.Policy) if policies is not None else None
    if policies is not None and found is None:
        return None
    part = found or Element(Tag.Policy)
    return Request(
        policy_type=part.text_of(Tag.PolicyType),
        key=part.text_of(Tag.PolicyKey),
        status=part.text_of(Tag.Status),
        asks_for_policy=found is not None,
        information=settings.information(body.first(Settings.DeviceInformation)),
        wipe_status=None if wipe is None else wipe.text_of(Tag.Status),
    )


# -------------------------------------------------------------------- wipe


def _wipe(session: Session, request: Request) -> Answer:
    devices, device = session.office.devices, session.device
    if request.wipe_status is None:
        return _tell_to_wipe(session, ProvisionStatus.SUCCESS)
    if device.state is DeviceState.WIPED:
        return _answer(ProvisionStatus.SUCCESS)  # the answer to the acknowledgment got lost
    if device.state not in WIPING:
        return _answer(ProvisionStatus.PROTOCOL_ERROR)
    success = request.wipe_status == Applied.FULLY
    devices.wiped(session.identity, device.id, success=success)  # R663, R66601
    session.device = devices.get(session.identity, device.id)
    return _answer(ProvisionStatus.SUCCESS) if success else _tell_to_wipe(session, ProvisionStatus.PROTOCOL_ERROR)


def _tell_to_wipe(session: Session, status: ProvisionStatus) -> Answer:
    """R665-R666, R66603-R66605; before 16.1 an account cannot be wiped alone, so the device is kept out."""
    excluded = policy.exclusion(session.device, session.version)
    if excluded is Common.DEVICE_IS_BLOCKED_FOR_THIS_USER:
        return refusal("Provision", session.version, excluded)
    session.office.devices.wipe_sent(session.identity, session.device.id)
    return _answer(status, Element(Tag.AccountOnlyRemoteWipe if session.device.wipe_account_only else Tag.RemoteWipe))


# ------------------------------------------------------------------ policy


def _handed_out(session: Session, request: Request) -> Element:
    """Phase 1."""
    preset, device = session.options.policy, session.device
    if request.policy_type != policy.POLICY_TYPE:
        return _with_policy(session, request, PolicyStatus.UNKNOWN_TYPE)
    if preset == policy.NONE:
        return _with_policy(session, request, PolicyStatus.NO_POLICY)
    key = policy.new_key(device, preset, session.office.clock().isoformat())
    session.device = session.office.devices.update(session.identity, device.id, pending_policy_key=key)
    data = Element(Tag.Data, (policy.document(preset),))
    return _with_policy(session, request, PolicyStatus.SUCCESS, Element(Tag.PolicyKey, key), data)


def _acknowledged(session: Session, request: Request) -> Answer:
    """Phase 2."""
    preset, device = session.options.policy, session.device
    if request.policy_type != policy.POLICY_TYPE:
        return _with_policy(session, request, PolicyStatus.UNKNOWN_TYPE)
    if preset == policy.NONE:
        return _with_policy(session, request, PolicyStatus.NO_POLICY)
    if request.key == "" or request.key != device.pending_policy_key:
        return _with_policy(session, request, PolicyStatus.WRONG_KEY)  # R657, R658
    if request.status not in set(Applied):
        return _answer(ProvisionStatus.PROTOCOL_ERROR)
    objection = _objection(Applied(request.status), preset)
    if objection is not None:
        return refusal("Provision", session.version, objection)
    key = policy.new_key(device, preset, request.key)
    if key != device.policy_key:
        session.device = session.office.devices.update(session.identity, device.id, policy_key=key)
    return _with_policy(session, request, PolicyStatus.SUCCESS, Element(Tag.PolicyKey, key))


def _objection(applied: Applied, preset: str) -> Common | None:
    """R660: the strict preset wants all of it from the device itself, the basic one at least something."""
    if applied is Applied.NOT or (applied is Applied.PARTIALLY and preset == "strict"):
        return Common.DEVICE_NOT_FULLY_PROVISIONABLE
    return Common.EXTERNALLY_MANAGED_DEVICES_NOT_ALLOWED if applied is Applied.BY_ANOTHER and preset == "strict" else None


def _with_policy(session: Session, request: Request, status: PolicyStatus, *more: Element) -> Element:
    parts = (Element(Tag.PolicyType, request.policy_type), Element(Tag.Status, str(status.value)), *more)
    told = request.information is not None and session.version >= Version.V14_1
    head = (Element(Settings.DeviceInformation, (Element(Settings.Status, "1"),)),) if told else ()
    return Element(
        Tag.Provision,
        (*head, Element(Tag.Status, str(ProvisionStatus.SUCCESS.value)), Element(Tag.Policies, (Element(Tag.Policy, parts),))),
    )


def _answer(status: ProvisionStatus, *more: Element) -> Element:
    return Element(Tag.Provision, (Element(Tag.Status, str(status.value)), *more))
