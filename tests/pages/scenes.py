"""What happened before somebody opens a page: phones, programs, failures, an administrator's doings."""

from __future__ import annotations

from dataclasses import replace

from activesync_bridge.wbxml.codepages import FolderHierarchy, Provision, Settings
from activesync_bridge.wbxml.element import Element
from radicale_onoffice import mirrors
from radicale_onoffice.core.model import Actor, AuditLine, Contact, Face, Identity, Kind
from radicale_onoffice.crm.onoffice import tenants
from radicale_onoffice.crm.onoffice.memory import Memory, save_memory
from tests.conftest import START
from tests.eas.phone import Phone, Refused, over

E = Element
ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
CRM = Actor(identity=ANNA, face=Face.CRM)
MULTISTATUS = 207
PROPFIND = '<propfind xmlns="DAV:"><prop><sync-token/></prop></propfind>'


def phone_of(server, login="anna", password="secret", device="PHONE1", **how) -> Phone:
    """A phone that talks to the server."""
    return Phone(over(server.client(None)), login, password, device=device, **how)


def synced_phone(server, device="PHONE1", login="anna", **how) -> Phone:
    """A phone that has fetched all of its folders."""
    phone = phone_of(server, login, device=device, **how)
    phone.folder_sync()
    for collection in ("contacts", "appointments", "tasks"):
        if collection in phone.folders:
            phone.sync(collection)
    return phone


def introduce(phone: Phone, model: str, name: str = "", system: str = "iOS 18.1") -> None:
    """The phone says what it is, as phones do when their account is set up ([MS-ASCMD] DeviceInformation)."""
    says = [E(Settings.Model, model), E(Settings.OS, system)]
    says += [E(Settings.FriendlyName, name)] if name else []
    information = E(Settings.DeviceInformation, (E(Settings.Set, tuple(says)),))
    phone.post("Settings", E(Settings.Settings, (information,)))


def dav_contacts(server, login="anna", password="secret", agent="DAVx5/4.4.5-ose (2024/12/01) okhttp") -> tuple[int, int]:
    """Status of a DAV program's look into the contacts, and how many there are."""
    client = server.client(login, password, **{"User-Agent": agent})
    answer = client.request("PROPFIND", f"/{login}/contacts/", headers={"Depth": "1"}, content=PROPFIND)
    return answer.status_code, max(answer.text.count("<href>") - 1, 0) if answer.status_code == MULTISTATUS else 0


def refused(phone: Phone) -> int:
    """The HTTP status with which the phone is turned away."""
    try:
        phone.folder_sync()
    except Refused as error:
        return error.status
    return 200


def folder_status(phone: Phone) -> str:
    """The status that the phone gets instead of its folders."""
    answer = phone.post("FolderSync", E(FolderHierarchy.FolderSync, (E(FolderHierarchy.SyncKey, phone.folder_key),)))
    assert answer is not None
    return answer.text_of(FolderHierarchy.Status)


def add_contacts(office, number: int, user: str = "anna") -> list[str]:
    """Contacts of a user; their ids."""
    people = [Contact(last_name=f"Muster{index}", first_name="Max", sync_users=(user,)) for index in range(number)]
    return [office.records.write(CRM, Kind.CONTACTS, one).id for one in people]


def tell(office, event: str, detail: str, at, identity=ANNA) -> None:
    """An audit line about what a device did."""
    line = AuditLine(at=at, tenant=identity.tenant, login=identity.user, actor="eas PHONE1", event=event, detail=detail)
    with office.store.writing() as tx:
        tx.add_audit(line)


def change_user(office, identity=ANNA, password: str | None = None, **changes) -> None:
    """What an administrator does to a user."""
    with office.store.reading() as tx:
        user = tx.user(identity)
    office.accounts.save_user(replace(user, **changes), password, "test")


def wipe_orders(phone: Phone) -> set[int]:
    """What a phone that asks for its policy is told to erase."""
    answer = phone.post("Provision", E(Provision.Provision, ()))
    assert answer is not None
    return {child.tag for child in answer.children} & {Provision.RemoteWipe, Provision.AccountOnlyRemoteWipe}


def confirm_wipe(phone: Phone, order: int) -> None:
    """The phone says that it has erased what it was told to."""
    phone.post("Provision", E(Provision.Provision, (E(order, (E(Provision.Status, "1"),)),)))


def server_ids(phone: Phone, collection: str = "contacts") -> set[str]:
    """What the phone shows of a folder."""
    return set(phone.of(collection).items)


def mirrored(office, pulled, trouble: str = "") -> None:
    """What the thread that asks onOffice has left behind: up to when all is here, and the last error."""
    moments = {kind.value: pulled.isoformat() for kind in Kind} if pulled else {}
    memory = Memory(places=dict.fromkeys(moments, ""), pulled=moments)
    with office.store.writing() as tx:
        tenants.save_access(tx, "t", tenants.Access(url="https://t.example/api/stable/api.php"))
        save_memory(tx, "t", memory)
        mirrors.save_trouble(tx, "t", mirrors.Trouble(START.isoformat(), trouble) if trouble else None)
