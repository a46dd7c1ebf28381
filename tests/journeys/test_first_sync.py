"""From nothing but an e-mail address to the first record on the device, each step out of the answer before: phones and DAV clients."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from lxml import etree

from activesync_bridge.wbxml.codepages import Contacts, Provision, Settings
from radicale_onoffice.core.model import Actor, Contact, Face, Identity, Kind, Tenant, User
from tests.eas.phone import PATH, Phone, over
from tests.eas.test_autodiscover import asking
from tests.eas.trees import at, text, tree

EVA = Identity("agentur.example", "eva")
ADDRESS = "eva@agentur.example"
POLICY = "MS-EAS-Provisioning-WBXML"


@pytest.fixture
def serving(serve):
    """A server of the office agentur.example, whose user eva has one contact; options as they are given."""

    def make(**options):
        server = serve(**options)
        with server.office.store.writing() as tx:
            tx.save_tenant(Tenant(name=EVA.tenant))
        server.office.accounts.save_user(User(identity=EVA), "secret", "test")
        value = Contact(first_name="Anna", last_name="Berger", sync_users=("eva",))
        server.office.records.write(Actor(identity=EVA, face=Face.CRM), Kind.CONTACTS, value, uid="u", name="u.vcf")
        return server

    return make


# -------------------------------------------------------------------- phones


def by_xml(client) -> str:
    """What iPhones ask: the address in XML, with the address as user name."""
    answer = client.post("/autodiscover/autodiscover.xml", content=asking(ADDRESS), headers={"Content-Type": "text/xml"})
    (url,) = etree.fromstring(answer.content).iter("{*}Url")
    return url.text


def by_json(client) -> str:
    """What Gmail and Outlook ask: version two, without credentials; its answer may lead on to the XML form."""
    first = client.get(f"/autodiscover/autodiscover.json?Email={ADDRESS}&Protocol=AutodiscoverV1&RedirectCount=1").json()
    assert "/autodiscover/autodiscover.xml" == urlsplit(first["Url"]).path
    return client.get(f"/autodiscover/autodiscover.json/v1.0/{ADDRESS}?Protocol=ActiveSync").json()["Url"]


def provisioned(phone: Phone) -> str:
    """Both phases of Provision; the policy's status, and the phone keeps the key. 2: there is no policy to accept."""
    information = tree(Settings.DeviceInformation, tree(Settings.Set, tree(Settings.Model, "iPhone15,2")))
    asked = tree(Provision.Policies, tree(Provision.Policy, tree(Provision.PolicyType, POLICY)))
    answer = phone.post("Provision", tree(Provision.Provision, information, asked))
    policy = at(answer, Provision.Policies, Provision.Policy)
    if text(policy, Provision.Status) != "1":
        return text(policy, Provision.Status)
    parts = (Provision.PolicyType, POLICY), (Provision.PolicyKey, text(policy, Provision.PolicyKey)), (Provision.Status, "1")
    accepted = tree(Provision.Policy, *(tree(tag, value) for tag, value in parts))
    answer = phone.post("Provision", tree(Provision.Provision, tree(Provision.Policies, accepted)))
    policy = at(answer, Provision.Policies, Provision.Policy)
    phone.policy_key = text(policy, Provision.PolicyKey)
    return text(policy, Provision.Status)


@pytest.mark.parametrize(("policy", "status"), [("none", "2"), ("basic", "1")])
@pytest.mark.parametrize("discover", [by_xml, by_json])
def test_a_phone_comes_from_an_address_to_its_contacts(serving, discover, policy, status):
    """Autodiscover, OPTIONS, Provision, FolderSync, Sync: with and without a policy that has to be accepted."""
    server = serving(activesync_policy=policy)
    client = server.client(ADDRESS)
    url = urlsplit(discover(client))
    assert ("testserver", PATH) == (url.netloc, url.path)
    spoken = client.options(url.path).headers["ms-asprotocolversions"].split(",")
    phone = Phone(over(server.client(None)), ADDRESS, version=max(spoken, key=float))
    assert ("16.1", status) == (phone.version, provisioned(phone))
    (folder,) = [folder for folder, (_, kind) in phone.folder_sync().items() if kind == 9]  # default contacts
    phone.sync(folder)
    (item,) = phone.of(folder).items.values()
    assert "Berger" == text(item, Contacts.LastName)


# --------------------------------------------------------------- DAV clients

PROPFIND = '<?xml version="1.0"?><D:propfind xmlns:D="DAV:" xmlns:C="{}"><D:prop>{}</D:prop></D:propfind>'
WELL_KNOWN = {
    "carddav": ("urn:ietf:params:xml:ns:carddav", "addressbook-home-set", "addressbook"),
    "caldav": ("urn:ietf:params:xml:ns:caldav", "calendar-home-set", "calendar"),
}


class Discoverer:
    """A client that knows a server's name, a user name and a password (RFC 6764)."""

    def __init__(self, client, protocol: str):
        self.client = client
        self.namespace, self.home_set, self.type = WELL_KNOWN[protocol]

    def ask(self, path: str, properties: str, depth: str = "0") -> etree._Element:
        """The answer to a PROPFIND, after redirections."""
        body = PROPFIND.format(self.namespace, properties)
        for _ in range(3):
            answer = self.client.request("PROPFIND", path, content=body, headers={"Depth": depth, "Content-Type": "application/xml"})
            if answer.status_code not in (301, 302, 307, 308):
                break
            path = urlsplit(answer.headers["location"]).path
        assert 207 == answer.status_code, answer.text
        return etree.fromstring(answer.content)

    def href(self, path: str, name: str, prefix: str) -> str:
        """The one address in a property."""
        (found,) = self.ask(path, f"<{prefix}:{name}/>").iterfind(f".//{{*}}{name}/{{DAV:}}href")
        return found.text


@pytest.mark.parametrize("protocol", list(WELL_KNOWN))
def test_a_dav_client_comes_from_the_servers_name_to_its_folders(serving, protocol):
    """The well-known address, the principal, the homes, the folders in them, and what is in these (RFC 6764 6)."""
    server = serving()
    found = Discoverer(server.client(ADDRESS), protocol)
    principal = found.href(f"/.well-known/{protocol}", "current-user-principal", "D")
    home = found.href(principal, found.home_set, "C")
    listing = found.ask(home, "<D:resourcetype/><D:displayname/>", depth="1")
    folders = {
        response.findtext("{DAV:}href")
        for response in listing.iterfind("{DAV:}response")
        if response.find(f".//{{{found.namespace}}}{found.type}") is not None
    }
    assert (1 if protocol == "carddav" else 2) == len(folders)
    items = [one for folder in folders for one in found.ask(folder, "<D:getetag/>", depth="1").iterfind(".//{DAV:}href")]
    cards = [one.text for one in items if re.search(r"\.(vcf|ics)$", one.text)]
    if protocol == "carddav":
        (card,) = cards
        assert "N:Berger;Anna;;;" in server.client(ADDRESS).get(card).text
    else:
        assert [] == cards
