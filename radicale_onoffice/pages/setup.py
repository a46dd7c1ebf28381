"""Set up a device: what has to be typed where, as codes and as Apple's profiles (rules 10-15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import segno
from markupsafe import Markup

from radicale_onoffice.core.errors import NotFound
from radicale_onoffice.pages import profiles
from radicale_onoffice.pages.clients import CLIENTS, NOTES, Client, Place, Profile, Setting, What, client_of, place_of
from radicale_onoffice.pages.exchange import Answer, download

if TYPE_CHECKING:
    from radicale_onoffice.pages.site import Visit

WARNINGS = ("warn_backup", "warn_own_folder", "warn_target", "warn_duplicates", "warn_channel", "warn_hand_over")  # rules 10-15


@dataclass(frozen=True, slots=True)
class Typed:
    """One field as the page shows it: a value that can be copied, or else the key of what to say."""

    label: str
    value: str
    said: str


def show(visit: Visit) -> Answer:
    """All clients, and what everybody has to know first."""
    has_eas = visit.site.setup.has_eas
    place = _place(visit)
    return visit.page(
        "set_up.html",
        clients=[one for one in CLIENTS if one.open_ways(has_eas=has_eas)],
        warnings=WARNINGS,
        place=place,
        here=code(f"{visit.request.origin}{visit.request.base}/set-up"),
    )


def show_client(visit: Visit, client: str) -> Answer:
    """One client, step by step."""
    has_eas = visit.site.setup.has_eas
    one = client_of(client, has_eas=has_eas)
    if one is None:
        raise NotFound(visit.text("not_found"))
    place, login = _place(visit), visit.login
    values = place.values(login, _email(visit))
    ways = [
        (way, visit.text(f"steps_{one.key}_{way}").split("\n"), [typed(setting, values) for setting in settings])
        for way, settings in one.open_ways(has_eas=has_eas)
    ]
    return visit.page(
        "set_up_client.html",
        client=one,
        ways=ways,
        profiles=_profiles(one, has_eas=has_eas),
        place=place,
        caution=f"caution_{one.key}" if visit.text.has(f"caution_{one.key}") else "",
        davx5=place.davx5(login) if one.has_davx5_code and place.is_https else "",
        code=code,
    )


def profile(visit: Visit, profile: str) -> Answer:
    """A configuration profile, signed if the administrator has given a certificate."""
    offered = [one for one in Profile if one == profile and (visit.site.setup.has_eas or one is not Profile.EXCHANGE)]
    if not offered:
        raise NotFound(visit.text("not_found"))
    data = profiles.build(offered[0], _place(visit), visit.login, _email(visit), visit.text)
    sign = visit.site.setup.sign
    return download(f"onoffice-{offered[0]}.mobileconfig", sign(data) if sign else data, profiles.TYPE)


def typed(setting: Setting, values: dict[What, str]) -> Typed:
    """What a field shows: the value, or in words what only the user knows."""
    value = "" if setting.what in NOTES else values[setting.what]
    return Typed(setting.label, value, "" if value else f"say_{setting.what}")


def code(url: str) -> Markup:
    """A QR code as SVG without styles, which the pages' policy would not let through."""
    return Markup(segno.make(url, error="m", micro=False).svg_inline(omitsize=True, svgclass=None, lineclass=None))  # noqa: S704 - segno draws


def _profiles(client: Client, *, has_eas: bool) -> list[Profile]:
    return [one for one in client.profiles if has_eas or one is not Profile.EXCHANGE]


def _place(visit: Visit) -> Place:
    return place_of(visit.request.origin, visit.request.base.removesuffix("/.web"))


def _email(visit: Visit) -> str:
    """The user's address, if the login is one."""
    assert visit.who is not None
    return next(iter(visit.office.directory.addresses(visit.who.user)), "")
