"""What somebody with bad intentions sends: scripts in data, others' addresses, malformed forms, cookies and headers. Nothing of it works.

``test_frame.py`` has what concerns signing in and forms of other sites; what only a browser can show is in ``tests/browser``.
"""

from __future__ import annotations

import pytest
import sqlalchemy

from radicale_onoffice.core.model import Identity, Tenant, User
from radicale_onoffice.pages.exchange import MAX_FORM
from tests.pages import poison
from tests.pages.addresses import PAGES, POSTS
from tests.pages.visitor import Page, Visitor

EVERYBODYS = ("page_sessions", "visits", "attempts")  # tables that every request may write to


def everything(office) -> dict[str, list]:
    """All that is stored, by table, but for what a visit itself leaves."""
    found = {}
    with office.store.engine.connect() as connection:
        for table in sqlalchemy.inspect(connection).get_table_names():
            if table not in EVERYBODYS:
                rows = connection.execute(sqlalchemy.text(f"SELECT * FROM {table}")).all()  # noqa: S608 - our own names
                found[table] = sorted(map(repr, rows))
    return found


def is_page(page: Page) -> bool:
    return page.tree is not None and page.answer.headers["content-type"].startswith("text/html")


# ------------------------------------------------------------- scripts in data


@pytest.fixture
def poisoned(anna):
    """Anna's pages after somebody wrote scripts into everything that they show."""
    poison.poison(anna.office)
    return anna


@pytest.mark.parametrize("language", ["en", "de", "it"])
def test_what_others_wrote_is_text_on_every_page(poisoned, language):
    """Stored: contacts, appointments, tasks, deviations, refusals, devices, programs, users, the audit log."""
    for address in PAGES:
        page = poisoned.get(f"{address.path(poisoned.office)}?language={language}")
        assert page.status in (200, 303, 403, 404), address
        assert not is_page(page) or [] == poison.executed(page.html), address


def test_the_payloads_arrive(poisoned):
    """So that the test above has something to see: each of them is shown somewhere, word for word."""
    pages = [poisoned.get(address.path(poisoned.office)) for address in PAGES]
    assert set(poison.PAYLOADS) == set().union(*(poison.written(page.html) for page in pages if is_page(page)))


@pytest.mark.parametrize("payload", poison.PAYLOADS)
def test_what_a_query_says_is_text(poisoned, payload):
    """Reflected: in every field of a form that asks, in a name of our own, and in the path."""
    for address in PAGES:
        path = address.path(poisoned.office)
        page = poisoned.get(path)
        asked = {"language", "page", "notice", "wanted", *(_asked(page) if is_page(page) else ())}
        answer = Page(poisoned.http.get(f"/.web{path}", params=dict.fromkeys(sorted(asked), payload)))
        assert answer.status < 500, address
        assert not is_page(answer) or [] == poison.executed(answer.html), address
    assert [] == poison.executed(Page(poisoned.http.get("/.web/" + payload.replace("/", "%2f"))).html)


def _asked(page: Page) -> set[str]:
    return {field.get("name", "") for form in page.tree.forms if form.method == "GET" for field in form.cssselect("[name]")}


@pytest.mark.parametrize("payload", poison.PAYLOADS)
def test_a_login_that_is_a_script_is_text(server, payload):
    """Who types one is told that it is wrong, and whoever looks at a page does not run it."""
    visitor = Visitor(server)
    page = visitor.post("/sign-in", {"login": payload, "password": payload, "wanted": payload})
    assert (403, []) == (page.status, poison.executed(page.html))
    page = Page(
        visitor.http.get(
            "/.web/", headers={"User-Agent": payload.encode(), "Accept-Language": payload.encode(), "Referer": payload.encode()}
        )
    )
    assert (200, []) == (page.status, poison.executed(page.html))


@pytest.mark.parametrize("host", ['x"><script>alert(1)</script>', "evil.example/<svg onload=alert(1)>", "a b", "x'onload='", ""])
def test_a_host_that_is_a_script_is_text(poisoned, host):
    """The pages that tell a device where to go repeat the host that the browser asked."""
    for address in PAGES:
        page = Page(poisoned.http.get(f"/.web{address.path(poisoned.office)}", headers={"Host": host}))
        assert page.status < 500, address
        assert not is_page(page) or "<script>alert" not in page.html, address
        assert not is_page(page) or [] == [one for one in poison.executed(page.html) if "evil" not in one], address


# ------------------------------------------------------- others' addresses


@pytest.fixture
def strangers(server, office_of_two_tenants):
    """Bert, a colleague of anna's without any right, and carla, an admin of another customer."""
    server.office.accounts.save_user(User(identity=Identity("t", "bert"), rights=frozenset()), "secret", "test")
    bert, carla = Visitor(server), Visitor(server)
    bert.sign_in("bert")
    carla.sign_in("carla@other")
    return bert, carla


@pytest.fixture
def office_of_two_tenants(server):
    """Anna's office, full of things of hers, and another customer."""
    poison.poison(server.office)
    with server.office.store.writing() as tx:
        tx.save_tenant(Tenant(name="other"))
    server.office.accounts.save_user(User(identity=Identity("other", "carla"), admin=True), "secret", "test")
    return server.office


def test_nobody_sees_what_is_annas(strangers):
    """Forced browsing: a page that names a thing of hers is not there for others; no page of theirs shows anything of hers."""
    for stranger in strangers:
        for address in PAGES:
            page = stranger.get(address.path(stranger.office))
            if page.status == 303:
                page = Page(stranger.http.get(page.answer.headers["location"]))
            assert not address.names_a_thing or page.status in (403, 404), address
            assert not is_page(page) or set() == poison.written(page.html), address


def test_an_admins_pages_are_for_admins_and_of_one_customer(strangers):
    """Bert gets none; carla gets hers, with nobody of anna's office on them."""
    bert, carla = strangers
    pages = [address for address in PAGES if address.route.path.startswith("/admin")]
    for address in pages:
        assert bert.get(address.path(bert.office)).status in (403, 404), address
        page = carla.get(address.path(carla.office))
        assert "bert" not in page.html, address
    assert "/.web/admin" not in bert.get().html


def test_nobody_does_anything_to_what_is_annas(strangers):
    """With a session and a token of one's own: every form there is, sent to a thing of hers, is refused and changes nothing of hers."""
    for stranger in strangers:
        before = everything(stranger.office)
        for address in POSTS:
            if address.names_a_thing:
                form = {"token": stranger.token(), "confirm": "wipe", "password": "secret"}
                assert stranger.post(address.path(stranger.office), form).status in (403, 404), address
        assert before == everything(stranger.office)


def test_who_is_no_admin_does_nothing_that_admins_do(strangers):
    """Bert sends every form of the administration."""
    bert, _ = strangers
    before = everything(bert.office)
    for address in POSTS:
        if address.route.path.startswith("/admin"):
            assert bert.post(address.path(bert.office), {"token": bert.token()}).status in (403, 404), address
    assert before == everything(bert.office)


@pytest.mark.parametrize(
    "word", ["..", "%2e%2e", "..%2f..%2fadmin", "%00", "%0d%0aX-Evil: 1", "a" * 5000, "\u202e", "-1", "0", "' OR 1=1 --", "%ff%fe"]
)
def test_a_thing_that_there_is_not_is_not_found(anna, word):
    """Whatever stands in its place."""
    for address in (*PAGES, *POSTS):
        path = address.route.path
        for name in address.route.regex.groupindex:
            path = path.replace(f"{{{name}}}", word)
        if path == address.route.path:
            continue
        page = anna.get(path) if address.route.method == "GET" else anna.post(path, {"token": anna.token()})
        assert page.status in (200, 301, 302, 400, 401, 403, 404, 405), (address, page.status)
        assert "x-evil" not in page.answer.headers
        assert page.status != 200 or ".." in word or "%2e" in word, address


# ------------------------------------------------------- malformed requests

ODD_VALUES = (
    "",
    "\0",
    "x" * 60_000,
    "-1",
    "9" * 300,
    "1e9",
    "\u202e\ufffe",
    "\r\nSet-Cookie: x=1",
    "' OR '1'='1",
    "[]",
    "١٢",
    *poison.PAYLOADS[:2],
)


@pytest.mark.parametrize("value", ODD_VALUES, ids=[f"{value[:12]!a}" for value in ODD_VALUES])
def test_a_form_with_odd_values_is_answered(poisoned, value):
    """Every form of every page, each of its fields in turn: a page that says so, never an error of ours, never a header of theirs."""
    for action, fields in _forms(poisoned):
        for name in {name for name, _ in fields} - {"token"}:
            changed = [(one, value if one == name else text) for one, text in fields]
            page = poisoned.post(action, _several(changed), follow=False)
            assert page.status < 500, (action, name)
            assert "x=1" not in str(page.answer.headers.get_list("set-cookie")), (action, name)
            assert not is_page(page) or [] == poison.executed(page.html), (action, name)
            if not poisoned.get().has_form("/sign-out"):
                poisoned.sign_in()


def _forms(visitor):
    """Action and fields of each form that posts, of every page, one of each address."""
    found = {}
    for address in PAGES:
        page = visitor.get(address.path(visitor.office))
        for form in page.tree.forms if is_page(page) else ():
            action = form.get("action", "").removeprefix("/.web")
            if form.method == "POST" and action not in ("/sign-out", *found):
                found[action] = [(name, str(value)) for name, value in form.form_values()]
    return found.items()


def _several(fields) -> dict[str, list[str]]:
    data: dict[str, list[str]] = {}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    return data


BODIES = {
    "nothing": (b"", "application/x-www-form-urlencoded"),
    "too large": (b"token=" + b"x" * MAX_FORM, "application/x-www-form-urlencoded"),
    "too many fields": (b"&".join([b"token=x"] * 5000), "application/x-www-form-urlencoded"),
    "no text": (b"token=\xff\xfe%ff%00", "application/x-www-form-urlencoded"),
    "no type": (b"token=x", ""),
    "text": (b"token=x", "text/plain"),  # what a form of another site can send, too
    "multipart": (b'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\nx\r\n--b--\r\n', "multipart/form-data; boundary=b"),
    "JSON": (b'{"token": "x"}', "application/json"),
    "separators": (b"&&&=&==&%&%zz&token", "application/x-www-form-urlencoded"),
}


@pytest.mark.parametrize("body", BODIES)
def test_what_is_no_form_changes_nothing(anna, body):
    """Too large, of another type, or cut: refused on every path."""
    before = everything(anna.office)
    content, kind = BODIES[body]
    for address in POSTS:
        if not address.names_a_thing:
            answer = anna.http.post(f"/.web{address.path(anna.office)}", content=content, headers={"Content-Type": kind} if kind else {})
            assert answer.status_code in (403, 413), address
    assert before == everything(anna.office)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "PROPFIND", "MOVE", "TRACE", "OPTIONS", "MKCOL", "XYZZY"])
def test_pages_know_get_and_post_only(anna, method):
    """Another method is an error of the client, and shows nothing."""
    answer = anna.http.request(method, "/.web/")
    assert answer.status_code in (200, 400, 401, 403, 404, 405, 409), answer.status_code
    assert b"Signed in" not in answer.content


# ------------------------------------------------------------------- cookies


def cookie(token: str) -> str:
    return f"onoffice_session={token}"


@pytest.fixture
def sessions(server):
    """The tokens of anna's and of bert's sessions."""
    found = {}
    for login in ("anna", "bert"):
        visitor = Visitor(server)
        visitor.sign_in(login)
        found[login] = visitor.http.cookies["onoffice_session"]
    return found


def signed_in_as(server, header: str) -> str:
    """Who the pages take a visitor for, by what they show."""
    page = Page(server.client(None).get("/.web/", headers={"Cookie": header.encode("latin-1"), "Accept-Language": "en"}))
    assert page.status == 200
    shown = [form.text_content() for form in page.tree.forms if form.get("action", "").endswith("/sign-out")]
    return next((login for login in ("anna", "bert") if shown and f"as {login}" in shown[0]), "")


def test_two_sessions_at_once_are_none(server, sessions):
    """A cookie that a neighbour's site planted beside the own one must not make somebody work in another's name."""
    both = [cookie(sessions["anna"]), cookie(sessions["bert"])]
    assert ["", ""] == [signed_in_as(server, "; ".join(order)) for order in (both, both[::-1])]
    assert "anna" == signed_in_as(server, f"{both[0]}; {both[0]}")


@pytest.mark.parametrize(
    "others", ['a={"x": "y, z"}', "a[0]=1", "a=ü", "a", "=b", "", "a=b; ; c", 'q="', "expires=1; path=/", "a=1,b=2", "x" * 4000]
)
def test_what_other_programs_keep_in_cookies_locks_nobody_out(server, sessions, others):
    """A host's cookies are of all its programs; not all of them keep to the grammar."""
    for header in (f"{others}; {cookie(sessions['anna'])}", f"{cookie(sessions['anna'])}; {others}"):
        assert "anna" == signed_in_as(server, header)


@pytest.mark.parametrize("token", ["", "x", "x" * 8000, "\xff\xfe", "%00", '"', "' OR 1=1 --", "onoffice_session=", "../../x", "{}"])
def test_a_cookie_that_is_none_of_ours_is_nobody(server, token):
    """Whatever is in it."""
    assert "" == signed_in_as(server, cookie(token))


@pytest.mark.parametrize("language", ["xx", "de\r\nSet-Cookie: x=1", "../../../etc/passwd", "<script>", "d" * 3000, "__class__"])
def test_a_language_that_there_is_not_is_none(server, language):
    """In the address, in the cookie, and in what the browser asks for; no header of theirs comes back."""
    client = server.client(None)
    for answer in (
        client.get("/.web/", params={"language": language}),
        client.get("/.web/", headers={"Cookie": b"onoffice_language=" + language.replace("\r\n", "").encode()}),
        client.get("/.web/", headers={"Accept-Language": language.replace("\r\n", "").encode()}),
    ):
        assert (200, None) == (answer.status_code, answer.headers.get("set-cookie"))
        assert 'lang="en"' in answer.text
