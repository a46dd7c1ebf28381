"""libwbxml as the second opinion: what does a decoder that is not ours make of a body?"""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

from tests.conftest import missing

# Names that are libwbxml's own, per page: ours -> its
RULE = ("Type", "Until", "Occurrences", "Interval", "DayOfWeek", "DayOfMonth", "WeekOfMonth", "MonthOfYear")
RECURRENCE = {name: f"Recurrence_{name}" for name in RULE}
ADDRESS = {
    f"{where}Address{part}": f"{where}{part}"
    for where in ("Business", "Home", "Other")
    for part in ("City", "Country", "PostalCode", "State", "Street")
}
RENAMED = {
    1: {**ADDRESS, "AssistantPhoneNumber": "AssistantTelephoneNumber"},
    2: {**RECURRENCE, "ReplyTo": "Reply-To", "DtStamp": "DTStamp", "Status": "FlagStatus"},
    4: RECURRENCE
    | {"Timezone": "TimeZone", "DtStamp": "DTStamp", "Deleted": "Exception_Deleted", "ExceptionStartTime": "Exception_StartTime"}
    | {"OrganizerEmail": "Organizer_Email", "OrganizerName": "Organizer_Name", "Email": "Attendee_Email", "Name": "Attendee_Name"}
    | {"AttendeeStatus": "Attendee_Status", "AttendeeType": "Attendee_Type"},
    9: RECURRENCE
    | {name: f"Recurrence_{name}" for name in ("Start", "Regenerate", "DeadOccur")}
    | {"UtcDueDate": "UTCDueDate", "UtcStartDate": "UTCStartDate"},
    14: {"RequireStorageCardEncryption": "DeviceEncryptionEnabled"},
    18: {"SMTPAddress": "SmtpAddress", "RightsManagementInformation": "ihsManagementInformation"},
    21: {"Mime": "MIME", "Name": "ForwardeeName", "Email": "ForwardeeEmail"},
    24: {"Owner": "RMOwner", "RemoveRightsManagementProtection": "RemoveRightsManagementDistribution"},
}
# 16.1, which Debian's libwbxml 0.11 does not know; a newer one may, and then has to agree
YOUNG = {8: {"ProposedStartTime", "ProposedEndTime"}, 14: {"AccountOnlyRemoteWipe"}}


def decoded(body: bytes) -> ElementTree.Element:
    """The root; names are ``{AirSync:}Sync`` and libwbxml's own for some tags. Fails if it refuses the body."""
    program = shutil.which("wbxml2xml")
    if program is None:
        missing("wbxml2xml", "libwbxml2-utils")
    done = subprocess.run([program, "-l", "ACTIVESYNC", "-k", "-m", "0", "-o", "-", "-"], input=body, capture_output=True, check=True)
    text = done.stdout[: done.stdout.rindex(b">") + 1]  # "wbxml2xml succeeded" follows
    return ElementTree.fromstring(text)  # noqa: S314 (made from our own body)
