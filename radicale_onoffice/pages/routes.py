"""Which view answers which path, in one table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.routing import compile_path

from radicale_onoffice.pages import (
    account,
    admin,
    admin_audit,
    admin_devices,
    admin_users,
    contacts,
    devices,
    setup,
    sign_in,
    sync,
)
from radicale_onoffice.pages.exchange import Answer


@dataclass(frozen=True, slots=True)
class Route:
    """A method, a path with ``{names}`` of one segment each, and the view, which gets the visit and the names.

    A view that is not public is only called for who is signed in, and for a POST only with the session's token.
    """

    method: str
    path: str
    view: Callable[..., Answer]
    is_public: bool = False
    regex: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "regex", compile_path(self.path)[0])


ROUTES: tuple[Route, ...] = (
    Route("GET", "/", sync.show),
    Route("POST", "/unlock", sync.unlock),
    Route("GET", "/kinds/{kind}/off", sync.ask_off),
    Route("POST", "/kinds/{kind}/off", sync.switch_off),
    Route("POST", "/kinds/{kind}/on", sync.switch_on),
    Route("GET", "/kinds/{kind}/channel-on", sync.ask_channel_on),
    Route("POST", "/kinds/{kind}/channel-on", sync.channel_on),
    Route("GET", "/kinds/{kind}/channel-off", sync.ask_channel_off),
    Route("POST", "/kinds/{kind}/channel-off", sync.channel_off),
    Route("GET", "/restart", sync.ask_restart),
    Route("POST", "/restart", sync.restart),
    Route("GET", "/devices", devices.show),
    Route("GET", "/devices/{key}", devices.details),
    Route("POST", "/devices/{key}/unblock", devices.unblock),
    Route("GET", "/devices/{key}/{action}", devices.ask),
    Route("POST", "/devices/{key}/{action}", devices.act),
    Route("GET", "/programs/{key}/forget", devices.ask_forget),
    Route("POST", "/programs/{key}/forget", devices.forget),
    Route("GET", "/account", account.show),
    Route("POST", "/account/password", account.change_password),
    Route("POST", "/account/session", account.end_session),
    Route("POST", "/account/sessions", account.end_sessions),
    Route("POST", "/account/language", account.choose_language),
    Route("GET", "/contacts", contacts.show),
    Route("POST", "/contacts/sync", contacts.flag),
    Route("GET", "/contacts/{contact}", contacts.show_contact),
    Route("POST", "/contacts/{contact}", contacts.assign),
    Route("POST", "/contacts/{contact}/sync", contacts.flag_contact),
    Route("GET", "/contacts/{contact}/preview", contacts.preview),
    Route("GET", "/set-up", setup.show),
    Route("GET", "/set-up/{client}", setup.show_client),
    Route("GET", "/set-up/profile/{profile}", setup.profile),
    Route("GET", "/admin", admin.show),
    Route("POST", "/admin/maintenance/on", admin.maintenance_on),
    Route("POST", "/admin/maintenance/off", admin.maintenance_off),
    Route("GET", "/admin/users", admin_users.show),
    Route("POST", "/admin/users", admin_users.many),
    Route("GET", "/admin/users.csv", admin_users.export),
    Route("GET", "/admin/users/{login}", admin_users.details),
    Route("POST", "/admin/users/{login}", admin_users.save),
    Route("POST", "/admin/users/{login}/unlock", admin_users.unlock),
    Route("POST", "/admin/users/{login}/sign-out", admin_users.end_sessions),
    Route("GET", "/admin/users/{login}/devices", admin_devices.list_of),
    Route("GET", "/admin/users/{login}/devices/{key}", admin_devices.details),
    Route("POST", "/admin/users/{login}/devices/{key}/unblock", admin_devices.unblock),
    Route("GET", "/admin/users/{login}/devices/{key}/{action}", admin_devices.ask),
    Route("POST", "/admin/users/{login}/devices/{key}/{action}", admin_devices.act),
    Route("GET", "/admin/devices", admin_devices.show),
    Route("GET", "/admin/audit", admin_audit.show),
    Route("GET", "/admin/audit.csv", admin_audit.export),
    Route("POST", "/sign-in", sign_in.enter, is_public=True),
    Route("POST", "/sign-out", sign_in.leave),
)
