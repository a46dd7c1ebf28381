"""What we rely on in Radicale's plugin API, so that an upgrade fails here and not at a user's."""

from __future__ import annotations

import inspect

import pytest
from radicale import types, xmlutils
from radicale.app import propfind, report
from radicale.auth import BaseAuth
from radicale.item import Item
from radicale.rights import BaseRights
from radicale.storage import BaseCollection, BaseStorage
from radicale.web import BaseWeb

from radicale_onoffice import asgi, auth, rights, storage, web

SIGNATURES = {
    BaseAuth._login_ext: "login password context",
    BaseAuth.get_external_login: "environ",
    BaseRights.authorization: "user user_groups path",
    BaseStorage.discover: "path depth child_context_manager user_groups",
    BaseStorage.acquire_lock: "mode user args kwargs",
    BaseStorage.create_collection: "href items props",
    BaseStorage.move: "item to_collection to_href",
    BaseCollection.upload: "href item",
    BaseCollection.delete: "href",
    BaseCollection.sync: "old_token",
    BaseCollection.get_multi: "hrefs",
    BaseCollection.get_filtered: "filters",
    BaseCollection.has_uid: "uid",
    BaseWeb.get: "environ base_prefix path user user_groups request_info",
    BaseWeb.post: "environ base_prefix path user user_groups request_info",
}


@pytest.mark.parametrize("method", SIGNATURES, ids=lambda method: method.__qualname__)
def test_signature(method):
    """The parameters, by name and order."""
    names = [name for name in inspect.signature(method).parameters if name != "self"]
    assert SIGNATURES[method].split() == names


@pytest.mark.parametrize(
    ("ours", "base"), [(auth.Auth, BaseAuth), (rights.Rights, BaseRights), (storage.Storage, BaseStorage), (web.Web, BaseWeb)]
)
def test_our_plugins_take_what_the_host_gives(ours, base):
    """Every overridden public method has the host's parameters."""
    for name, method in inspect.getmembers(ours, inspect.isfunction):
        theirs = getattr(base, name, None)
        if theirs is not None and not name.startswith("__") and name in vars(ours):
            wanted = [one for one in inspect.signature(theirs).parameters if one not in ("args", "kwargs")]
            assert wanted == [one for one in inspect.signature(method).parameters if one not in ("args", "kwargs")], name


def test_web_answers_are_four_part():
    """Status, headers, body, request XML: 3.5.10 made it four (Radicale #1959)."""
    assert 4 == len(types.WSGIResponse.__args__)


def test_upload_answers_with_new_and_old_item():
    """The pair came with 3.5.5; 3.5.4 still returned the item alone."""
    assert "Optional" in str(inspect.signature(BaseCollection.upload).return_annotation)


def test_an_item_is_made_of_stored_columns():
    """Without parsing: every keyword that storage.py uses."""
    keywords = {"collection", "href", "last_modified", "text", "etag", "uid", "name", "component_name", "time_range"}
    assert keywords <= set(inspect.signature(Item.__init__).parameters)


def test_tags_are_spelled_by_one_function_that_every_report_looks_up():
    """What ``serve`` remembers for it has to reach it, and to be the same."""
    asgi.remember_tags()
    asgi.remember_tags()
    assert report.xmlutils is propfind.xmlutils is xmlutils
    assert ("{DAV:}href", "{DAV:}href") == (xmlutils.make_clark("D:href"), xmlutils.make_clark.__wrapped__("D:href"))
