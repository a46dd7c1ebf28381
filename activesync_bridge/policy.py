"""Security policies for devices ([MS-ASPROV]): presets that are complete and consistent, and the keys that stand for them.

A single setting without the others makes clients refuse the account, so a preset always names all of them. A policy key tells which
preset it was given for: when the administrator chooses another one, devices provision again without anything being kept per device
but the key. A key is no secret: the device has signed in before it is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from activesync_bridge.status import Common
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import Provision as Tag
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.model import Device, DeviceState

POLICY_TYPE = "MS-EAS-Provisioning-WBXML"  # R971
NONE = "none"
# All settings of EASProvisionDoc in the order of the schema, with the value of the preset that asks for a PIN
BASIC: Mapping[int, str] = {
    Tag.DevicePasswordEnabled: "1",
    Tag.AlphanumericDevicePasswordRequired: "0",
    Tag.PasswordRecoveryEnabled: "0",
    Tag.RequireStorageCardEncryption: "0",
    Tag.AttachmentsEnabled: "1",
    Tag.MinDevicePasswordLength: "4",
    Tag.MaxInactivityTimeDeviceLock: "900",  # seconds
    Tag.MaxDevicePasswordFailedAttempts: "16",
    Tag.MaxAttachmentSize: "",  # empty: no limit
    Tag.AllowSimpleDevicePassword: "1",
    Tag.DevicePasswordExpiration: "0",  # days; 0: never
    Tag.DevicePasswordHistory: "0",
    Tag.AllowStorageCard: "1",
    Tag.AllowCamera: "1",
    Tag.RequireDeviceEncryption: "0",
    Tag.AllowUnsignedApplications: "1",
    Tag.AllowUnsignedInstallationPackages: "1",
    Tag.MinDevicePasswordComplexCharacters: "1",
    Tag.AllowWiFi: "1",
    Tag.AllowTextMessaging: "1",
    Tag.AllowPOPIMAPEmail: "1",
    Tag.AllowBluetooth: "2",  # 2: all of it
    Tag.AllowIrDA: "1",
    Tag.RequireManualSyncWhenRoaming: "0",
    Tag.AllowDesktopSync: "1",
    Tag.MaxCalendarAgeFilter: "0",  # 0: the window of the core
    Tag.AllowHTMLEmail: "1",
    Tag.MaxEmailAgeFilter: "0",
    Tag.MaxEmailBodyTruncationSize: "-1",
    Tag.MaxEmailHTMLBodyTruncationSize: "-1",
    Tag.RequireSignedSMIMEMessages: "0",
    Tag.RequireEncryptedSMIMEMessages: "0",
    Tag.RequireSignedSMIMEAlgorithm: "0",
    Tag.RequireEncryptionSMIMEAlgorithm: "0",
    Tag.AllowSMIMEEncryptionAlgorithmNegotiation: "2",
    Tag.AllowSMIMESoftCerts: "1",
    Tag.AllowBrowser: "1",
    Tag.AllowConsumerEmail: "1",
    Tag.AllowRemoteDesktop: "1",
    Tag.AllowInternetSharing: "1",
    Tag.UnapprovedInROMApplicationList: "",
    Tag.ApprovedApplicationList: "",
}
STRICT: Mapping[int, str] = {
    **BASIC,
    Tag.RequireStorageCardEncryption: "1",
    Tag.MinDevicePasswordLength: "6",
    Tag.MaxInactivityTimeDeviceLock: "300",
    Tag.MaxDevicePasswordFailedAttempts: "10",
    Tag.AllowSimpleDevicePassword: "0",
    Tag.RequireDeviceEncryption: "1",
}
PRESETS: Mapping[str, Mapping[int, str]] = {"basic": BASIC, "strict": STRICT}


def document(preset: str) -> Element:
    """The EASProvisionDoc of a preset."""
    return Element(Tag.EASProvisionDoc, tuple(Element(tag, value or ()) for tag, value in PRESETS[preset].items()))


def new_key(device: Device, preset: str, seed: str) -> str:
    """A policy key: a 32-bit number as text (R606), never 0, whose last byte tells the preset."""
    owner = "\0".join((device.identity.tenant, device.identity.user, device.id, preset, seed))
    high = int.from_bytes(sha256(owner.encode()).digest()[:3], "big") or 1
    return str(high << 8 | _mark(preset))


def exclusion(device: Device, version: Version) -> Common | None:
    """Why a device gets nothing at all, None if it may come; a device that has to wipe itself is let through to Provision."""
    if device.state is DeviceState.ALLOWED:
        return None
    if device.state in (DeviceState.BLOCKED, DeviceState.WIPED):
        return Common.DEVICE_IS_BLOCKED_FOR_THIS_USER
    # Before 16.1 there is no word for wiping the account alone: the device is kept out instead of being erased.
    cannot_wipe = device.wipe_account_only and version < Version.V16_1
    return Common.DEVICE_IS_BLOCKED_FOR_THIS_USER if cannot_wipe else Common.REMOTE_WIPE_REQUESTED


def objection(device: Device, key: str, preset: str) -> Common | None:
    """Why a request with this policy key has to wait for a Provision, None if it has not (R483, R487, R693).

    The caller asks for each command but Provision, Autodiscover, Ping and OPTIONS, which carry no key.
    """
    if preset == NONE:
        return None
    if not device.policy_key or key in ("", "0"):
        return Common.DEVICE_NOT_PROVISIONED
    if key != device.policy_key:
        return Common.INVALID_POLICY_KEY
    return None if int(key) & 0xFF == _mark(preset) else Common.POLICY_REFRESH


def _mark(preset: str) -> int:
    """A byte that changes when the preset does, or when one of its settings does."""
    return sha256(repr((preset, tuple(PRESETS[preset].items()))).encode()).digest()[0]
