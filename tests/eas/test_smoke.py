from tests.eas.phone import *
from activesync_bridge.wbxml.codepages import Contacts
def test_smoke(phone, server):
    p = phone()
    print(p.folder_sync())
    r = p.sync("contacts", add("c1", E(Contacts.FirstName,"Eva"), E(Contacts.LastName,"Berger"), E(Contacts.MobilePhoneNumber,"0171 1234567")))
    print(r)
    assert p.of("contacts").items
    q = phone(device="P2", version="14.1")
    q.folder_sync(); q.sync("contacts")
    print(q.of("contacts").items)
    (sid,) = q.of("contacts").items
    r = q.sync("contacts", change(sid, E(Contacts.FirstName,"Evi"), E(Contacts.LastName,"Berger"), E(Contacts.MobilePhoneNumber,"+49171 1234567")))
    print(r, q.of("contacts").items)
    p.sync("contacts"); print(p.of("contacts").items)
    print(server.client().get("/anna/contacts/").text)
    p.sync("contacts", delete(sid)); assert not p.of("contacts").items
    q.sync("contacts"); assert not q.of("contacts").items
    print(q.estimate("contacts"))
