"""Settings ([MS-ASCMD] 2.2.1.18): what a device says of itself, and what it may know of its user.

Each property is answered in the order in which it came (R478, R480), with its own status first (R485, R486). Out-of-office replies and
recovery passwords are not kept here: switching such a thing off is true already, switching it on is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from activesync_bridge.session import Answer, Session
from activesync_bridge.status import Common, SettingsStatus
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import RightsManagement
from activesync_bridge.wbxml.codepages import Settings as Tag
from activesync_bridge.wbxml.element import Element

INFORMATION = (Tag.Model, Tag.IMEI, Tag.FriendlyName, Tag.OS, Tag.OSLanguage, Tag.PhoneNumber, Tag.UserAgent, Tag.MobileOperator)
MAX_INFORMATION, MAX_PASSWORD = 1024, 255  # characters, of the schemas DeviceInformationStringType and Password
AUDIENCES = (Tag.AppliesToInternal, Tag.AppliesToExternalKnown, Tag.AppliesToExternalUnknown)
BODY_TYPES = ("TEXT", "HTML")
OOF_OFF, OOF_TIMED = "0", "2"  # R3531, R3533


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a request: what is asked (Get or Set) and its content."""

    tag: int
    action: Element | None


def handle(session: Session, body: Element | None) -> Answer:
    """Answer a Settings command."""
    wanted = parse(body, session.version)
    if not wanted:
        return Element(Tag.Settings, (_status(SettingsStatus.PROTOCOL_ERROR),))  # R483
    return Element(Tag.Settings, (_status(SettingsStatus.SUCCESS), *(_HANDLERS[one.tag](session, one) for one in wanted)))


def parse(body: Element | None, version: Version) -> Sequence[Property]:
    """The properties in their order; none if the request is malformed, or names what the version does not have."""
    if body is None or body.tag != Tag.Settings or any(child.tag not in _HANDLERS for child in body.children):
        return ()
    if version < Version.V14_1 and body.first(Tag.RightsManagementInformation) is not None:
        return ()
    return [Property(child.tag, child.first(Tag.Get) or child.first(Tag.Set)) for child in body.children]


def _status(status: int) -> Element:
    return Element(Tag.Status, str(int(status)))


def _answer(tag: int, status: int, *more: Element) -> Element:
    return Element(tag, (_status(status), *more))


# ------------------------------------------------------- device information


def information(element: Element | None) -> tuple[tuple[str, str], ...] | None:
    """(name, value) pairs out of a DeviceInformation element, None if it has none or one that is too long (R3944)."""
    found = element.first(Tag.Set) if element is not None else None
    if found is None:
        return None
    pairs = tuple((child.name, child.text.strip("\0 ")) for child in found.children if child.tag in INFORMATION and child.text)
    return pairs if pairs and all(len(value) <= MAX_INFORMATION for _, value in pairs) else None


def remember(session: Session, pairs: tuple[tuple[str, str], ...]) -> None:
    """Keep what the device says of itself; what it does not name this time stays (R488)."""
    merged = tuple({**dict(session.device.information), **dict(pairs)}.items())
    if merged != session.device.information:
        session.device = session.office.devices.update(session.identity, session.device.id, information=merged)


def _device_information(session: Session, wanted: Property) -> Element:
    if wanted.action is None or wanted.action.tag != Tag.Set:
        return _answer(wanted.tag, SettingsStatus.PROTOCOL_ERROR)
    pairs = information(Element(wanted.tag, (wanted.action,)))
    if pairs is None:
        return _answer(wanted.tag, SettingsStatus.INVALID_ARGUMENTS)
    remember(session, pairs)
    return _answer(wanted.tag, SettingsStatus.SUCCESS)


# --------------------------------------------------------- user information


def _user_information(session: Session, wanted: Property) -> Element:
    if wanted.action is None or wanted.action.tag != Tag.Get:
        return _answer(wanted.tag, SettingsStatus.PROTOCOL_ERROR)
    addresses = session.office.directory.addresses(session.who.user)
    parts = [Element(Tag.SMTPAddress, address) for address in addresses]
    if session.version < Version.V14_1:
        content = [Element(Tag.EmailAddresses, tuple(parts))] if parts else []
    else:
        if addresses:
            parts.append(Element(Tag.PrimarySmtpAddress, addresses[0]))
        account = [Element(Tag.UserDisplayName, session.identity.user), Element(Tag.SendDisabled, "1")]  # rule 75: nobody sends
        account += [Element(Tag.EmailAddresses, tuple(parts))] if parts else []
        content = [Element(Tag.Accounts, (Element(Tag.Account, tuple(account)),))]
    return _answer(wanted.tag, SettingsStatus.SUCCESS, Element(Tag.Get, tuple(content)))


# ------------------------------------------------------------ out of office


def _oof(session: Session, wanted: Property) -> Element:
    if wanted.action is None:
        return _answer(wanted.tag, SettingsStatus.PROTOCOL_ERROR)
    if wanted.action.tag == Tag.Set:
        return _answer(wanted.tag, _set_oof(wanted.action))
    kind = wanted.action.text_of(Tag.BodyType, BODY_TYPES[0])
    if kind.upper() not in BODY_TYPES:
        return _answer(wanted.tag, SettingsStatus.INVALID_ARGUMENTS)
    messages = [  # R3504, R3505: one per audience, also where nothing is said
        Element(Tag.OofMessage, (Element(audience), Element(Tag.Enabled, "0"), Element(Tag.BodyType, kind))) for audience in AUDIENCES
    ]
    return _answer(wanted.tag, SettingsStatus.SUCCESS, Element(Tag.Get, (Element(Tag.OofState, OOF_OFF), *messages)))


def _set_oof(action: Element) -> SettingsStatus:
    """Off it is already; nobody gets an e-mail from here, so it cannot be switched on (rule 75)."""
    state, start, end = action.text_of(Tag.OofState), action.first(Tag.StartTime), action.first(Tag.EndTime)
    if (start is None) != (end is None) or (state == OOF_TIMED and start is None):  # R3992, R5827
        return SettingsStatus.PROTOCOL_ERROR
    return SettingsStatus.SUCCESS if state == OOF_OFF else SettingsStatus.INVALID_ARGUMENTS


# ------------------------------------------------------------- the others


def _device_password(session: Session, wanted: Property) -> Element:
    password = wanted.action.first(Tag.Password) if wanted.action is not None and wanted.action.tag == Tag.Set else None
    if password is None:
        return _answer(wanted.tag, SettingsStatus.PROTOCOL_ERROR)
    if len(password.text) > MAX_PASSWORD:  # R4400
        return _answer(wanted.tag, SettingsStatus.INVALID_ARGUMENTS)
    return _answer(wanted.tag, SettingsStatus.DENIED_BY_POLICY if password.text else SettingsStatus.SUCCESS)  # R4402


def _rights_management(session: Session, wanted: Property) -> Element:
    is_get = wanted.action is not None and wanted.action.tag == Tag.Get
    templates = Element(Tag.Get, (Element(RightsManagement.RightsManagementTemplates),))  # the schema wants it whatever the status
    return _answer(wanted.tag, Common.IRM_FEATURE_DISABLED if is_get else SettingsStatus.PROTOCOL_ERROR, templates)


_HANDLERS: Mapping[int, Callable[[Session, Property], Element]] = {
    Tag.Oof: _oof,
    Tag.DeviceInformation: _device_information,
    Tag.DevicePassword: _device_password,
    Tag.UserInformation: _user_information,
    Tag.RightsManagementInformation: _rights_management,
}
