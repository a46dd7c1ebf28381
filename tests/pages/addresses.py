"""Every page there is, by its address: those that name a thing with things of anna's, in any office that has some."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import NamedTuple

from radicale_onoffice.core.model import Face, Identity, Kind
from radicale_onoffice.core.office import Office
from radicale_onoffice.pages import clients, devices
from radicale_onoffice.pages.routes import ROUTES, Route

ANNA = Identity("t", "anna")
Find = Callable[[Office], str]


def _contact(office: Office) -> str:
    with office.store.reading() as tx:
        return min(record.id for record in tx.all_records("t", Kind.CONTACTS) if "anna" in record.value.sync_users)


def _device(office: Office) -> str:
    return devices.key_of(Face.EAS, min(device.id for device, _ in office.devices.list("t", "anna")))


def _program(office: Office) -> str:
    return devices.key_of(Face.DAV, min(visit.client for visit in office.visits.of(ANNA) if visit.face is Face.DAV))


# What stands for a name in a path, the whole path or else the name alone deciding: words that are always the same, or a thing of anna's
NAMES: Mapping[str, tuple[str, ...] | Find] = {
    "client": tuple(one.key for one in clients.CLIENTS),
    "profile": tuple(clients.Profile),
    "kind": tuple(Kind),
    "action": tuple(devices.ACTIONS),
    "login": lambda _office: ANNA.user,
    "contact": _contact,
    "/programs/{key}/forget#key": _program,
    "key": _device,
}


class Address(NamedTuple):
    """A route with the words that stand for some of its names; things of anna's are looked up when it is asked for."""

    route: Route
    words: tuple[tuple[str, str | Find], ...] = ()

    def path(self, office: Office) -> str:
        """The path in an office."""
        path = self.route.path
        for name, word in self.words:
            path = path.replace(f"{{{name}}}", word if isinstance(word, str) else word(office))
        return path

    @property
    def names_a_thing(self) -> bool:
        """True if the path names something of anna's."""
        return any(callable(word) for _, word in self.words)

    def __str__(self) -> str:
        path = self.route.path
        for name, word in self.words:
            path = path.replace(f"{{{name}}}", word) if isinstance(word, str) else path
        return f"{self.route.method} {path}"


def addresses(method: str) -> tuple[Address, ...]:
    """All of a method."""
    found = []
    for route in ROUTES:
        names = tuple(route.regex.groupindex)
        choices = [_choices(route.path, name) for name in names]
        found += [Address(route, tuple(zip(names, chosen, strict=True))) for chosen in product(*choices) if route.method == method]
    return tuple(found)


def _choices(path: str, name: str) -> tuple[str | Find, ...]:
    found = NAMES.get(f"{path}#{name}") or NAMES.get(name)
    assert found, f"say in {__name__}.NAMES what stands for {{{name}}} of {path}"
    return found if isinstance(found, tuple) else (found,)


# What a browser gets, but shows as no page of its own: a file to keep, a piece for our script
NO_PAGES = frozenset({"/set-up/profile/{profile}", "/contacts/{contact}/preview", "/admin/users.csv", "/admin/audit.csv"})
LEADS_ON = "/admin/users/{login}/devices"  # to the user's page, where they stand
PAGES, POSTS = addresses("GET"), addresses("POST")
