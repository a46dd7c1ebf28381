"""pyactivesync, an ActiveSync client that nobody here wrote (protocol version 16.1), over TLS against a server that demands a policy."""

from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import httpx
import pytest
from pyactivesync import BodyType, Client, Contact, ContactChange, FolderType, OofState, StatusError

from tests.certificates import self_signed
from tests.judging.hearing import note_answer
from tests.running import Running

pytestmark = pytest.mark.client
CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{0}\r\nN:{0};Anna;;;\r\nFN:Anna {0}\r\nEMAIL;TYPE=WORK:{0}@example.org\r\nNOTE:Note\r\nEND:VCARD\r\n"
)
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:e1\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:{0:%Y%m%dT%H%M%SZ}\r\nDTEND:{1:%Y%m%dT%H%M%SZ}\r\nSUMMARY:Visit\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """A server with a certificate and the basic policy; its certificate's path stands beside."""
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = self_signed(directory)
    server = Running(directory, f"sqlite:///{directory}/office.db")
    server.config.write_text(server.config.read_text().replace("activesync_policy = none", "activesync_policy = basic"))
    server.context = ssl.create_default_context(cafile=str(certificate))
    server.start("--certificate", str(certificate), "--key", str(key))
    yield server, certificate
    server.kill()


@pytest.fixture
def client(tls):
    """Make a client; what it is answered is judged like everything else."""
    server, certificate = tls
    made = []

    def make(login: str = "anna", password: str = "secret", device: str = "PYTHON1") -> Client:
        made.append(Client(f"127.0.0.1:{server.port}", login, password, device_id=device))
        session = made[-1]._transport.session
        session.verify, session.trust_env = str(certificate), False
        session.hooks["response"].append(heard)
        return made[-1]

    yield make
    for one in made:
        one.close()


def heard(response, *_args, **_more):
    """Note an answer of requests."""
    note_answer(response.request.url.partition("?")[2], response.request.headers, response.headers, response.content)


@pytest.fixture
def dav(tls):
    """A desktop beside the phones."""
    server, _ = tls
    with httpx.Client(base_url=server.url, auth=("anna", "secret"), verify=server.context) as desktop:
        yield desktop


def put(dav, path: str, text: str) -> None:
    kind = "text/vcard" if "contacts" in path else "text/calendar"
    assert dav.put(path, content=text.encode(), headers={"Content-Type": kind}).is_success


def started(client: Client, folder: str) -> tuple[str, dict]:
    """The key of a folder and all that is in it, by server id."""
    key, items, more = client.sync_folder(folder).sync_key, {}, True
    while more:
        result = client.sync_folder(folder, key)
        key, more = result.sync_key, result.more_available
        items |= {one.server_id: one.fields for one in result.added}
    return key, items


def test_options_tell_versions_and_commands(client):
    """[MS-ASHTTP] 2.2.3: 16.1 is spoken, and every command that the library has but those of mail."""
    transport = client()._transport
    answer = transport.session.options(transport.base_url)
    assert "16.1" in answer.headers["MS-ASProtocolVersions"].split(",")
    needed = {"Sync", "FolderSync", "Provision", "Ping", "Search", "Find", "Settings", "ItemOperations", "GetItemEstimate", "MoveItems"}
    assert needed <= set(answer.headers["MS-ASProtocolCommands"].split(","))


def test_the_policy_is_handed_out_and_acknowledged(client):
    """Two phases; without the key the next command is refused with 142, and a wrong password gets in nowhere."""
    one = client(device="PYTHON2")
    one._provisioned = True
    with pytest.raises(StatusError) as refused:
        one.list_folders()
    assert "142" == refused.value.code
    key = one.provision()
    assert key.isdigit()
    assert one.list_folders()
    with pytest.raises(Exception, match="401"):
        client(password="wrong", device="PYTHON3").provision()


def test_folders_are_listed_and_stay_as_they_are(client):
    """The three folders of the CRM and the five of mail; nobody makes, renames or deletes one."""
    one = client()
    folders = {folder.type: folder for folder in one.list_folders()}
    expected = [FolderType.TASKS, FolderType.CALENDAR, FolderType.CONTACTS]
    expected += [FolderType.INBOX, FolderType.DRAFTS, FolderType.DELETED_ITEMS, FolderType.SENT_ITEMS, FolderType.OUTBOX]
    assert set(expected) == set(folders)
    with pytest.raises(StatusError):
        one.create_folder("Mine")
    with pytest.raises(StatusError):
        one.update_folder(folders[FolderType.CONTACTS].id, "Mine")
    with pytest.raises(StatusError):
        one.delete_folder(folders[FolderType.CONTACTS].id)


def test_contacts_are_added_changed_found_and_deleted(client, dav):
    """From the library to DAV and back; a second device sees each step, a key that was used stays usable once."""
    one, other = client(), client(device="PYTHON5")
    key, _ = started(one, "contacts")
    other_key, before = started(other, "contacts")
    made = one.create_contact("contacts", key, Contact(first_name="Ada", last_name="Lovelace", email1_address="ada@example.org"))
    assert "1" == made.status
    seen = other.sync_folder("contacts", other_key)
    assert ["Lovelace"] == [item.fields["Contacts.LastName"] for item in seen.added]
    full = Contact(first_name="Ada", last_name="King", email1_address="ada@example.org", mobile_phone_number="0171 2345678")
    changed = one.apply_contact_changes("contacts", made.sync_key, [ContactChange(made.server_id, contact=full)])
    assert {made.server_id: "1"} == changed.statuses
    again = other.sync_folder("contacts", seen.sync_key)
    assert [("King", "0171 2345678")] == [
        (item.fields["Contacts.LastName"], item.fields["Contacts.MobilePhoneNumber"]) for item in again.changed
    ]
    fetched = one.fetch_item("contacts", made.server_id, body_type=BodyType.PLAIN_TEXT)
    assert "King" == fetched.fields["Contacts.LastName"]
    gone = one.apply_contact_changes("contacts", changed.sync_key, [ContactChange(made.server_id, delete=True)], deletes_as_moves=False)
    assert {made.server_id: "1"} == gone.statuses
    assert [made.server_id] == other.sync_folder("contacts", again.sync_key).deleted
    assert started(client(device="PYTHON6"), "contacts")[1].keys() == before.keys()


def test_windows_and_estimates_count_the_same(client, dav):
    """30 contacts in windows of 7: five answers, none twice; the estimate says how many are left."""
    for number in range(30):
        put(dav, f"/anna/contacts/w{number}.vcf", CARD.format(f"w{number}"))
    one = client(device="PYTHON7")
    key = one.sync_folder("contacts").sync_key
    total, seen, more = one.get_item_estimate("contacts", key), [], True
    assert total >= 30
    while more:
        result = one.sync_folder("contacts", key, window_size=7)
        key, more = result.sync_key, result.more_available
        assert 7 >= len(result.added)
        seen += [item.server_id for item in result.added]
    assert total == len(seen) == len(set(seen))
    assert 0 == one.get_item_estimate("contacts", key)
    for number in range(30):
        assert dav.delete(f"/anna/contacts/w{number}.vcf").is_success


def test_a_ping_is_answered_when_the_desktop_saves(client, dav):
    """Nothing to tell: it waits; a PUT wakes it at once; the next one tells the same until it is fetched."""
    one = client(device="PYTHON8")
    one.list_folders()
    key, _ = started(one, "appointments")
    started(one, "contacts")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(one.ping, ["appointments", "contacts"], folder_class="Calendar", heartbeat=60, timeout=70)
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        put(dav, "/anna/calendar/e1.ics", EVENT.format(start, start + timedelta(hours=1)))
        answer = waiting.result(30)
    assert ("2", ["appointments"]) == (answer.status, answer.changed_folder_ids)
    assert "2" == one.ping("appointments", folder_class="Calendar", heartbeat=60).status
    result = one.sync_folder("appointments", key)
    assert ["Visit"] == [value for item in result.added for name, value in item.fields.items() if name.endswith("0x26")]  # calendar:Subject


def test_pings_out_of_bounds_are_told_the_bounds(client):
    """R5690, R5691: status 5 for an interval, 7 for a folder that there is not."""
    one = client(device="PYTHON9")
    one.list_folders()
    assert "5" == one.ping("contacts", heartbeat=5).status
    assert "7" == one.ping("nothing", heartbeat=60).status


def test_people_are_searched_for_and_found(client, dav):
    """Search, Find and ResolveRecipients say the same of the same contact."""
    put(dav, "/anna/contacts/finder.vcf", CARD.format("Quintessa"))
    one = client()
    (entry,) = one.search_gal("Quint")
    assert ("Anna Quintessa", "Quintessa@example.org") == (entry.display_name, entry.email_address)
    assert [] == one.search_gal("Nobody at all")
    (recipient,) = one.resolve_recipients("quintessa@example.org")
    assert "Quintessa@example.org" == recipient.email_address
    found = one.find_gal("Quint")
    assert ["Quintessa@example.org"] == [item.fields["GAL.EmailAddress"] for item in found.items]
    assert "0-0" == found.range
    assert [] == one.find_mailbox("Quint").items
    # R3850: a mailbox without a match has one empty Result.
    assert [{}] == one.search_mailbox("inbox", date_received_after="2020-01-01T00:00:00.000Z")


def test_out_of_office_is_off_and_stays_off(client):
    """Rule 75: nobody gets an e-mail; switching it off is true already, switching it on is refused."""
    one = client()
    settings = one.get_oof()
    assert OofState.DISABLED == settings.state
    assert {"Internal", "ExternalKnown", "ExternalUnknown"} == {message.applies_to for message in settings.messages}
    one.set_oof(OofState.DISABLED)
    with pytest.raises(StatusError):
        one.set_oof(OofState.ENABLED, reply_message="I am away.")


def test_nothing_is_moved_and_no_mail_is_sent(client):
    """One folder per kind; MoveItems says why, and SendMail is refused with 120."""
    one = client()
    with pytest.raises(StatusError):
        one.move_item("nothing", "contacts", "appointments")
    message = EmailMessage()
    message["To"], message["Subject"] = "ada@example.org", "Hello"
    message.set_content("Hello")
    with pytest.raises(StatusError) as refused:
        one.send_mail(message)
    assert "120" == refused.value.code
