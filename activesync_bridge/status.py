"""The one table: what an ActiveSync client gets for an error of the core, and the statuses of [MS-ASCMD] by name.

From 14.0 on a request's failure is a status in the command's root; up to 12.1 it is an HTTP status (R7461, R7462). Wrong passwords and outages
are HTTP statuses in every version: clients act on them before they look at a body. A test goes through all errors of ``core/errors.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from http import HTTPStatus

from activesync_bridge.session import Answer, Http
from activesync_bridge.versions import Version
from activesync_bridge.wbxml import codepages as tags
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core import errors

NEEDS_PROVISIONING = 449  # [MS-ASHTTP] 2.2.2.1.1: Retry With
REALM = 'Basic realm="onOffice", charset="UTF-8"'


class Common(IntEnum):
    """Statuses that every command may answer, [MS-ASCMD] 2.2.2."""

    SUCCESS = 1
    INVALID_CONTENT = 101
    INVALID_WBXML = 102
    INVALID_XML = 103
    INVALID_DATE_TIME = 104
    INVALID_COMBINATION_OF_IDS = 105
    INVALID_IDS = 106
    INVALID_MIME = 107
    DEVICE_ID_MISSING_OR_INVALID = 108
    DEVICE_TYPE_MISSING_OR_INVALID = 109
    SERVER_ERROR = 110
    SERVER_ERROR_RETRY_LATER = 111
    ACTIVE_DIRECTORY_ACCESS_DENIED = 112
    MAILBOX_QUOTA_EXCEEDED = 113
    MAILBOX_SERVER_OFFLINE = 114
    SEND_QUOTA_EXCEEDED = 115
    MESSAGE_RECIPIENT_UNRESOLVED = 116
    MESSAGE_REPLY_NOT_ALLOWED = 117
    MESSAGE_PREVIOUSLY_SENT = 118
    MESSAGE_HAS_NO_RECIPIENT = 119
    MAIL_SUBMISSION_FAILED = 120
    MESSAGE_REPLY_FAILED = 121
    ATTACHMENT_IS_TOO_LARGE = 122
    USER_HAS_NO_MAILBOX = 123
    USER_CANNOT_BE_ANONYMOUS = 124
    USER_PRINCIPAL_COULD_NOT_BE_FOUND = 125
    USER_DISABLED_FOR_SYNC = 126
    USER_ON_NEW_MAILBOX_CANNOT_SYNC = 127
    USER_ON_LEGACY_MAILBOX_CANNOT_SYNC = 128
    DEVICE_IS_BLOCKED_FOR_THIS_USER = 129
    ACCESS_DENIED = 130
    ACCOUNT_DISABLED = 131
    SYNC_STATE_NOT_FOUND = 132
    SYNC_STATE_LOCKED = 133
    SYNC_STATE_CORRUPT = 134
    SYNC_STATE_ALREADY_EXISTS = 135
    SYNC_STATE_VERSION_INVALID = 136
    COMMAND_NOT_SUPPORTED = 137
    VERSION_NOT_SUPPORTED = 138
    DEVICE_NOT_FULLY_PROVISIONABLE = 139
    REMOTE_WIPE_REQUESTED = 140
    LEGACY_DEVICE_ON_STRICT_POLICY = 141
    DEVICE_NOT_PROVISIONED = 142
    POLICY_REFRESH = 143
    INVALID_POLICY_KEY = 144
    EXTERNALLY_MANAGED_DEVICES_NOT_ALLOWED = 145
    NO_RECURRENCE_IN_CALENDAR = 146
    UNEXPECTED_ITEM_CLASS = 147
    REMOTE_SERVER_HAS_NO_SSL = 148
    INVALID_STORED_REQUEST = 149
    ITEM_NOT_FOUND = 150
    TOO_MANY_FOLDERS = 151
    NO_FOLDERS_FOUND = 152
    ITEMS_LOST_AFTER_MOVE = 153
    FAILURE_IN_MOVE_OPERATION = 154
    MOVE_COMMAND_DISALLOWED_FOR_NON_PERSISTENT_MOVE_ACTION = 155
    MOVE_COMMAND_INVALID_DESTINATION_FOLDER = 156
    AVAILABILITY_TOO_MANY_RECIPIENTS = 160
    AVAILABILITY_DL_LIMIT_REACHED = 161
    AVAILABILITY_TRANSIENT_FAILURE = 162
    AVAILABILITY_FAILURE = 163
    BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED = 164
    DEVICE_INFORMATION_REQUIRED = 165
    INVALID_ACCOUNT_ID = 166
    ACCOUNT_SEND_DISABLED = 167
    IRM_FEATURE_DISABLED = 168
    IRM_TRANSIENT_ERROR = 169
    IRM_PERMANENT_ERROR = 170
    IRM_INVALID_TEMPLATE_ID = 171
    IRM_OPERATION_NOT_PERMITTED = 172
    NO_PICTURE = 173
    PICTURE_TOO_LARGE = 174
    PICTURE_LIMIT_REACHED = 175
    BODY_PART_CONVERSATION_TOO_LARGE = 176
    MAXIMUM_DEVICES_REACHED = 177
    INVALID_MIME_BODY_COMBINATION = 178
    INVALID_SMART_FORWARD_PARAMETERS = 179
    INVALID_RECIPIENTS = 183
    ONE_OR_MORE_EXCEPTIONS_FAILED = 184


class FolderSyncStatus(IntEnum):
    """[MS-ASCMD] 2.2.3.177.5."""

    SUCCESS = 1
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9  # the device starts again with key 0
    INVALID_REQUEST = 10
    UNKNOWN_ERROR = 11
    CODE_UNKNOWN = 12


class FolderCreateStatus(IntEnum):
    """[MS-ASCMD] 2.2.3.177.3."""

    SUCCESS = 1
    ALREADY_EXISTS = 2
    SPECIAL_PARENT = 3
    PARENT_NOT_FOUND = 5
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9
    INVALID_REQUEST = 10  # also: a default folder is not the client's to make
    UNKNOWN_ERROR = 11
    CODE_UNKNOWN = 12


class FolderDeleteStatus(IntEnum):
    """[MS-ASCMD] 2.2.3.177.4."""

    SUCCESS = 1
    SPECIAL_FOLDER = 3
    NOT_FOUND = 4
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9
    INVALID_REQUEST = 10
    UNKNOWN_ERROR = 11


class FolderUpdateStatus(IntEnum):
    """[MS-ASCMD] 2.2.3.177.6."""

    SUCCESS = 1
    EXISTS_OR_SPECIAL = 2
    RECIPIENT_INFORMATION = 3
    NOT_FOUND = 4
    PARENT_NOT_FOUND = 5
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9
    INVALID_REQUEST = 10
    UNKNOWN_ERROR = 11


class ItemOperationsStatus(IntEnum):
    """[MS-ASCMD] 2.2.3.177.8."""

    SUCCESS = 1
    PROTOCOL_ERROR = 2
    SERVER_ERROR = 3
    BAD_URI = 4
    LIBRARY_ACCESS_DENIED = 5
    NOT_FOUND = 6
    CONNECTION_FAILED = 7
    BAD_RANGE = 8
    UNKNOWN_STORE = 9
    EMPTY_FILE = 10
    TOO_LARGE = 11
    DOWNLOAD_FAILED = 12
    CONVERSION_FAILED = 14
    INVALID_ATTACHMENT = 15
    ACCESS_DENIED = 16
    PARTIAL_SUCCESS = 17
    CREDENTIALS_REQUIRED = 18
    MOVE_ALWAYS_MISSING = 155
    NOT_SUPPORTED = 156


class MeetingResponseStatus(IntEnum):
    """[MS-ASCMD] 2.2.3.177.9."""

    SUCCESS = 1
    INVALID_REQUEST = 2
    MAILBOX_ERROR = 3
    SERVER_ERROR = 4


class MoveItemsStatus(IntEnum):
    """[MS-ASCMD] 2.2.3.177.10. Success is 3."""

    INVALID_SOURCE = 1
    INVALID_DESTINATION = 2
    SUCCESS = 3
    SAME_FOLDER = 4
    CANNOT_MOVE = 5
    LOCKED = 7


class PolicyStatus(IntEnum):
    """Of a Policy in the server's answer, [MS-ASPROV] 2.2.2.54.1."""

    SUCCESS = 1
    NO_POLICY = 2
    UNKNOWN_TYPE = 3
    CORRUPT = 4
    WRONG_KEY = 5


class ProvisionStatus(IntEnum):
    """[MS-ASPROV] 2.2.2.54.2."""

    SUCCESS = 1
    PROTOCOL_ERROR = 2
    SERVER_ERROR = 3


class ResolveRecipientsStatus(IntEnum):
    """Of the command, of a Response and of Certificates, [MS-ASCMD] 2.2.3.177.12."""

    SUCCESS = 1
    AMBIGUOUS = 2
    AMBIGUOUS_PARTIAL = 3
    NOT_RESOLVED = 4
    PROTOCOL_ERROR = 5
    SERVER_ERROR = 6
    NO_CERTIFICATE = 7
    CERTIFICATE_LIMIT = 8


class SearchStatus(IntEnum):
    """Of the command, [MS-ASCMD] 2.2.3.177.13."""

    SUCCESS = 1
    SERVER_ERROR = 3


class StoreStatus(IntEnum):
    """Of a Store in a Search, [MS-ASCMD] 2.2.3.177.13."""

    SUCCESS = 1
    INVALID_REQUEST = 2
    SERVER_ERROR = 3
    BAD_LINK = 4
    ACCESS_DENIED = 5
    NOT_FOUND = 6
    CONNECTION_FAILED = 7
    TOO_COMPLEX = 8
    TIMED_OUT = 10
    FOLDER_SYNC_REQUIRED = 11
    END_OF_RANGE = 12
    ACCESS_BLOCKED = 13
    CREDENTIALS_REQUIRED = 14


class FindStatus(IntEnum):
    """[MS-ASCMD] 2.2.3.177.2."""

    SUCCESS = 1
    INVALID_REQUEST = 2
    FOLDER_SYNC_REQUIRED = 3
    RANGE_NOT_FROM_ZERO = 4


class SettingsStatus(IntEnum):
    """[MS-ASCMD] 2.2.3.177.15."""

    SUCCESS = 1
    PROTOCOL_ERROR = 2
    ACCESS_DENIED = 3
    SERVER_UNAVAILABLE = 4
    INVALID_ARGUMENTS = 5
    CONFLICTING_ARGUMENTS = 6
    DENIED_BY_POLICY = 7


class ValidateCertStatus(IntEnum):
    """[MS-ASCMD] 2.2.3.177.18."""

    SUCCESS = 1
    PROTOCOL_ERROR = 2
    UNKNOWN_SERVER_ERROR = 17  # the certificate's source is not trusted by the server


class AutodiscoverError(IntEnum):
    """ErrorCode of Autodiscover, [MS-ASCMD] 2.2.3.64."""

    INVALID_REQUEST = 600
    NO_PROVIDER = 601  # for the response schema that was asked for


# Up to 12.1, in place of a status from 101 on ([MS-ASCMD] 2.2.2); all others are 400
HTTP: Mapping[Common, int] = {
    Common.SERVER_ERROR: HTTPStatus.SERVICE_UNAVAILABLE,  # never 500: iOS throws the collection away after several
    Common.SERVER_ERROR_RETRY_LATER: HTTPStatus.SERVICE_UNAVAILABLE,
    Common.ACTIVE_DIRECTORY_ACCESS_DENIED: HTTPStatus.FORBIDDEN,
    Common.MAILBOX_QUOTA_EXCEEDED: HTTPStatus.INSUFFICIENT_STORAGE,
    Common.MAILBOX_SERVER_OFFLINE: HTTPStatus.SERVICE_UNAVAILABLE,
    Common.MAIL_SUBMISSION_FAILED: HTTPStatus.NOT_IMPLEMENTED,
    Common.MESSAGE_REPLY_FAILED: HTTPStatus.NOT_IMPLEMENTED,
    Common.USER_HAS_NO_MAILBOX: HTTPStatus.FORBIDDEN,
    Common.USER_CANNOT_BE_ANONYMOUS: HTTPStatus.UNAUTHORIZED,
    Common.USER_PRINCIPAL_COULD_NOT_BE_FOUND: HTTPStatus.FORBIDDEN,
    Common.USER_DISABLED_FOR_SYNC: HTTPStatus.FORBIDDEN,
    Common.USER_ON_NEW_MAILBOX_CANNOT_SYNC: HTTPStatus.FORBIDDEN,
    Common.USER_ON_LEGACY_MAILBOX_CANNOT_SYNC: HTTPStatus.FORBIDDEN,
    Common.DEVICE_IS_BLOCKED_FOR_THIS_USER: HTTPStatus.FORBIDDEN,
    Common.ACCESS_DENIED: HTTPStatus.FORBIDDEN,
    Common.ACCOUNT_DISABLED: HTTPStatus.FORBIDDEN,
    Common.SYNC_STATE_NOT_FOUND: HTTPStatus.FORBIDDEN,
    Common.SYNC_STATE_LOCKED: HTTPStatus.SERVICE_UNAVAILABLE,
    Common.COMMAND_NOT_SUPPORTED: HTTPStatus.NOT_IMPLEMENTED,
    Common.DEVICE_NOT_FULLY_PROVISIONABLE: HTTPStatus.FORBIDDEN,
    Common.REMOTE_WIPE_REQUESTED: NEEDS_PROVISIONING,
    Common.LEGACY_DEVICE_ON_STRICT_POLICY: HTTPStatus.FORBIDDEN,
    Common.DEVICE_NOT_PROVISIONED: NEEDS_PROVISIONING,
    Common.POLICY_REFRESH: NEEDS_PROVISIONING,
    Common.INVALID_POLICY_KEY: NEEDS_PROVISIONING,
    Common.EXTERNALLY_MANAGED_DEVICES_NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    Common.MAXIMUM_DEVICES_REACHED: HTTPStatus.FORBIDDEN,
}

# Root and Status tag of each command's answer; a command without is answered by HTTP in all versions
ROOTS: Mapping[str, tuple[int, int]] = {
    "Sync": (tags.AirSync.Sync, tags.AirSync.Status),
    "SendMail": (tags.ComposeMail.SendMail, tags.ComposeMail.Status),
    "SmartForward": (tags.ComposeMail.SmartForward, tags.ComposeMail.Status),
    "SmartReply": (tags.ComposeMail.SmartReply, tags.ComposeMail.Status),
    "FolderSync": (tags.FolderHierarchy.FolderSync, tags.FolderHierarchy.Status),
    "FolderCreate": (tags.FolderHierarchy.FolderCreate, tags.FolderHierarchy.Status),
    "FolderDelete": (tags.FolderHierarchy.FolderDelete, tags.FolderHierarchy.Status),
    "FolderUpdate": (tags.FolderHierarchy.FolderUpdate, tags.FolderHierarchy.Status),
    "MoveItems": (tags.Move.MoveItems, tags.Move.Status),
    "GetItemEstimate": (tags.GetItemEstimate.GetItemEstimate, tags.GetItemEstimate.Status),
    "MeetingResponse": (tags.MeetingResponse.MeetingResponse, tags.MeetingResponse.Status),
    "Search": (tags.Search.Search, tags.Search.Status),
    "Settings": (tags.Settings.Settings, tags.Settings.Status),
    "Ping": (tags.Ping.Ping, tags.Ping.Status),
    "ItemOperations": (tags.ItemOperations.ItemOperations, tags.ItemOperations.Status),
    "Provision": (tags.Provision.Provision, tags.Provision.Status),
    "ResolveRecipients": (tags.ResolveRecipients.ResolveRecipients, tags.ResolveRecipients.Status),
    "ValidateCert": (tags.ValidateCert.ValidateCert, tags.ValidateCert.Status),
    "Find": (tags.Find.Find, tags.Find.Status),
}


@dataclass(frozen=True, slots=True)
class EasAnswer:
    """What an error of the core is: in the whole request, in one ItemOperations, in one MeetingResponse.

    The items of a Sync have a table of their own, because what a refusal means there depends on what was tried.
    """

    common: Common
    http: int  # up to 12.1
    fetch: ItemOperationsStatus = ItemOperationsStatus.SERVER_ERROR
    meeting: MeetingResponseStatus = MeetingResponseStatus.SERVER_ERROR


_FETCH, _MEETING = ItemOperationsStatus, MeetingResponseStatus
ANSWERS: Mapping[type[errors.OfficeError], EasAnswer] = {
    errors.TooLarge: EasAnswer(Common.INVALID_CONTENT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _FETCH.TOO_LARGE, _MEETING.INVALID_REQUEST),
    errors.BadRequest: EasAnswer(Common.INVALID_CONTENT, HTTPStatus.BAD_REQUEST, _FETCH.PROTOCOL_ERROR, _MEETING.INVALID_REQUEST),
    errors.GateClosed: EasAnswer(Common.USER_DISABLED_FOR_SYNC, HTTPStatus.FORBIDDEN, _FETCH.ACCESS_DENIED, _MEETING.INVALID_REQUEST),
    errors.Refused: EasAnswer(Common.ACCESS_DENIED, HTTPStatus.FORBIDDEN, _FETCH.ACCESS_DENIED, _MEETING.INVALID_REQUEST),
    errors.TooManyDevices: EasAnswer(Common.MAXIMUM_DEVICES_REACHED, HTTPStatus.FORBIDDEN),
    errors.NotFound: EasAnswer(Common.ITEM_NOT_FOUND, HTTPStatus.BAD_REQUEST, _FETCH.NOT_FOUND, _MEETING.INVALID_REQUEST),
    errors.Conflict: EasAnswer(Common.SERVER_ERROR_RETRY_LATER, HTTPStatus.SERVICE_UNAVAILABLE),
    errors.DuplicateUid: EasAnswer(Common.INVALID_CONTENT, HTTPStatus.BAD_REQUEST, _FETCH.PROTOCOL_ERROR, _MEETING.INVALID_REQUEST),
    errors.CursorInvalid: EasAnswer(Common.SYNC_STATE_NOT_FOUND, HTTPStatus.FORBIDDEN),
    errors.SignInRefused: EasAnswer(Common.USER_CANNOT_BE_ANONYMOUS, HTTPStatus.UNAUTHORIZED),
    errors.Unavailable: EasAnswer(Common.SERVER_ERROR_RETRY_LATER, HTTPStatus.SERVICE_UNAVAILABLE),
}


def answer_for(error: errors.OfficeError) -> EasAnswer:
    """The most specific answer of an error's class or its bases."""
    for kind in type(error).__mro__:
        if kind in ANSWERS:
            return ANSWERS[kind]
    raise error


def answer(error: errors.OfficeError, command: str, version: Version) -> Answer:
    """What a request gets that ends with an error of the core."""
    if isinstance(error, errors.SignInRefused):
        return Http(HTTPStatus.UNAUTHORIZED, str(error).encode(), headers=(("WWW-Authenticate", REALM),))
    if isinstance(error, errors.Unavailable):
        headers = (("Retry-After", str(error.retry_after)),)
        return Http(HTTPStatus.SERVICE_UNAVAILABLE, str(error).encode(), headers=headers)
    found = answer_for(error)
    if version < Version.V14_0:
        return Http(found.http, str(error).encode())
    return refusal(command, version, found.common)


def refusal(command: str, version: Version, status: Common) -> Answer:
    """A common status as the whole answer to a command: in the body, or up to 12.1 over HTTP."""
    if version < Version.V14_0 or command not in ROOTS:
        code = HTTP.get(status, HTTPStatus.BAD_REQUEST)
        headers = (("Retry-After", "300"),) if code == HTTPStatus.SERVICE_UNAVAILABLE else ()
        return Http(int(code), status.name.encode(), headers=headers)
    root, status_tag = ROOTS[command]
    inner = Element(status_tag, str(status.value))
    if command == "MeetingResponse":  # the one command whose root has no Status
        return Element(root, (Element(tags.MeetingResponse.Result, (inner,)),))
    return Element(root, (inner,))
