"""A CalDAV and CardDAV client that keeps replicas by sync-collection (RFC 6578) and changes them with If-Match and If-None-Match.

What was changed here waits until the server said yes or no. Where the server says 412 the own change is given up and the server's fetched,
as clients do; after any other refusal, too.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from dataclasses import dataclass, field

from tests.journeys.processes import FINE, Fault

FOLDERS = {"contacts": "contacts", "appointments": "calendar", "tasks": "tasks"}
SYNC = (
    '<?xml version="1.0"?><D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:sync-level>1</D:sync-level>'
    "<D:prop><D:getetag/></D:prop></D:sync-collection>"
)
GET = {
    "contacts": '<C:addressbook-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><D:getetag/><C:address-data/></D:prop>{}'
    "</C:addressbook-multiget>",
    "calendar": '<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop>{}'
    "</C:calendar-multiget>",
}
TYPES = {"contacts": "text/vcard", "appointments": "text/calendar", "tasks": "text/calendar"}


@dataclass
class Copy:
    """What the client has of one folder: (etag, text) by name, and what it wants of the server."""

    token: str = ""
    items: dict[str, tuple[str, str]] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)  # name -> text
    changed: dict[str, str] = field(default_factory=dict)
    deleted: dict[str, None] = field(default_factory=dict)
    stale: dict[str, None] = field(default_factory=dict)  # names that have to be fetched


class DavClient:
    """One client of one user."""

    def __init__(self, login: str, name: str):
        self.login, self.name = login, name
        self.copies = {collection: Copy() for collection in FOLDERS}
        self.makes = 0
        self._headers = {"Authorization": "Basic " + b64encode(f"{login}:secret".encode()).decode(), "User-Agent": name}

    def path(self, collection: str, name: str = "") -> str:
        """Path of a folder or of an item."""
        return f"/{self.login}/{FOLDERS[collection]}/{name}"

    # ------------------------------------------------------------- the user

    def make(self, collection: str, text: str) -> None:
        """A new item; ``{uid}`` in the text gets a UID."""
        self.makes += 1
        name = f"{self.name}-{self.makes}"
        extension = ".vcf" if collection == "contacts" else ".ics"
        self.copies[collection].made[name + extension] = text.replace("{uid}", name)

    def shown(self, collection: str) -> dict[str, str]:
        """What the user sees: texts by name."""
        copy = self.copies[collection]
        known = {name: text for name, (_, text) in copy.items.items() if name not in copy.deleted}
        return known | copy.made | copy.changed

    def edit(self, collection: str, name: str, text: str) -> None:
        """Change an item."""
        copy = self.copies[collection]
        (copy.made if name in copy.made else copy.changed)[name] = text

    def remove(self, collection: str, name: str) -> None:
        """Delete an item."""
        copy = self.copies[collection]
        if copy.made.pop(name, None) is None:
            copy.changed.pop(name, None)
            copy.deleted[name] = None

    # --------------------------------------------------------------- pushing

    def next_push(self, collection: str) -> tuple[str, str] | None:
        """Method and name of what is to be sent next."""
        copy = self.copies[collection]
        for method, names in (("PUT", [*copy.made, *copy.changed]), ("DELETE", copy.deleted)):
            for name in names:
                return method, name
        return None

    def push(self, process, collection: str, method: str, name: str, fault: Fault = FINE) -> int:
        """Send one change; the status. Raises NoAnswer and Killed, after which it is sent again."""
        copy = self.copies[collection]
        etag, _ = copy.items.get(name, ("", ""))
        text = copy.made.get(name) or copy.changed.get(name, "")
        headers = self._headers | ({"If-None-Match": "*"} if name in copy.made else {"If-Match": etag})
        if method == "PUT":
            headers |= {"Content-Type": TYPES[collection], "Content-Length": str(len(text.encode()))}
        status, answered, _ = process.exchange(method, self.path(collection, name), headers, text.encode(), fault)
        if status != 503:
            self._pushed(copy, name, text, status, answered.get("etag", ""))
        return status

    @staticmethod
    def _pushed(copy: Copy, name: str, text: str, status: int, etag: str) -> None:
        for waiting in (copy.made, copy.changed, copy.deleted):
            waiting.pop(name, None)
        if status in (200, 201, 204) and text and etag:
            copy.items[name] = (etag, text)
        elif (status in (200, 201, 204) and not text) or status in (404, 410):
            copy.items.pop(name, None)
        else:
            copy.stale[name] = None

    # --------------------------------------------------------------- pulling

    def pull(self, process, collection: str, fault: Fault = FINE) -> bool:
        """Bring the replica up to date; False if nothing had changed. Raises NoAnswer and Killed."""
        copy = self.copies[collection]
        headers = self._headers | {"Content-Type": "application/xml", "Depth": "0"}
        body = SYNC.format(copy.token).encode()
        status, _, answer = process.exchange("REPORT", self.path(collection), headers, body, fault)
        if status in (404, 503):
            copy.__init__()
            return False
        if status == 403 and b"valid-sync-token" in answer:
            copy.token = ""
            return True
        assert status == 207, (status, answer)
        text = answer.decode()
        return self._apply(process, collection, text)

    def _apply(self, process, collection: str, text: str) -> bool:
        copy = self.copies[collection]
        token = re.search(r"<sync-token>([^<]*)</sync-token>", text)[1]
        gone, live = set(), {}
        for one in re.findall(r"<response>(.*?)</response>", text, re.DOTALL):
            name = re.search(r"<href>[^<]*/([^/<]*)</href>", one)[1]
            if "HTTP/1.1 404" in one:
                gone.add(name)
            else:
                live[name] = html.unescape(re.search(r"<getetag>([^<]*)</getetag>", one)[1])
        if not copy.token:
            gone |= copy.items.keys() - live.keys()
        wanted = [name for name, etag in live.items() if copy.items.get(name, ("", ""))[0] != etag]
        wanted += [name for name in copy.stale if name not in gone and name not in wanted]
        fetched = self._fetch(process, collection, wanted) if wanted else {}
        for name in gone | (set(wanted) - fetched.keys()):
            copy.items.pop(name, None)
            copy.changed.pop(name, None)
            copy.deleted.pop(name, None)
        for name, item in fetched.items():
            # The server's stands: what was changed here of an older version is given up.
            if copy.items.get(name) != item:
                copy.changed.pop(name, None)
            copy.items[name] = item
        copy.stale.clear()
        moved = bool(wanted or gone) or copy.token != token
        copy.token = token
        return moved

    def _fetch(self, process, collection: str, names: list[str]) -> dict[str, tuple[str, str]]:
        hrefs = "".join(f"<D:href>{self.path(collection, name)}</D:href>" for name in names)
        body = GET["contacts" if collection == "contacts" else "calendar"].format(hrefs)
        headers = self._headers | {"Content-Type": "application/xml", "Depth": "1"}
        status, _, answer = process.exchange("REPORT", self.path(collection), headers, body.encode(), FINE)
        assert status == 207, (status, answer)
        found = {}
        for one in re.findall(r"<response>(.*?)</response>", answer.decode(), re.DOTALL):
            name = re.search(r"<href>[^<]*/([^/<]*)</href>", one)[1]
            data = re.search(r"<[^>]*(?:address|calendar)-data>(.*?)</", one, re.DOTALL)
            if data is not None:
                # XML parsers give LF for the CR LF of the text.
                text = html.unescape(data[1]).replace("\r\n", "\n").replace("\n", "\r\n")
                found[name] = (html.unescape(re.search(r"<getetag>([^<]*)</getetag>", one)[1]), text)
        return found

    @property
    def is_quiet(self) -> bool:
        """True if nothing waits here."""
        return not any(copy.made or copy.changed or copy.deleted or copy.stale for copy in self.copies.values())


def with_line(text: str, name: str, value: str) -> str:
    """The text with this value in the first line of that name, which is added before the first END if there is none."""
    unfolded = text.replace("\r\n ", "").split("\r\n")
    at = next((index for index, line in enumerate(unfolded) if re.match(rf"{name}[;:]", line)), None)
    if at is None:
        end = next(index for index, line in enumerate(unfolded) if line in ("END:VCARD", "END:VEVENT", "END:VTODO", "BEGIN:VALARM"))
        unfolded.insert(end, f"{name}:{value}")
    else:
        unfolded[at] = f"{unfolded[at].partition(':')[0]}:{value}"
    return "\r\n".join(unfolded)


def value_of(text: str, name: str) -> str:
    """The value of the first line of that name, "" if there is none."""
    found = re.search(rf"^{name}(?:;[^:]*)?:(.*)$", text.replace("\r\n ", "").replace("\r\n", "\n"), re.MULTILINE)
    return found[1] if found else ""
