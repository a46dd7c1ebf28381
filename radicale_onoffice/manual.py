"""README's option table and ``config/radicale.config``, made from ``options.OPTIONS``, and README's clients, made from what the page
"Set up a device" is made from; a test holds the files against this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from radicale_onoffice.options import OPTIONS, Option
from radicale_onoffice.pages.clients import CLIENTS, NOTES, Place, Setting, Way, What
from radicale_onoffice.pages.language import vocabulary

HEAD = """\
# radicale-onoffice: one Radicale file for server, plugins and limits. Made by `radicale-onoffice options --format config`.
# Options that begin with onoffice_ or activesync_ are ours, with their defaults; all others are Radicale's (https://radicale.org/v3.html).
# A misspelled option is an error at the start. `radicale-onoffice check --config FILE` looks this file over.

[server]
hosts = 127.0.0.1:5232
# Largest body of a request in bytes; larger ones get 413.
max_content_length = 10000000
# Under stock Radicale only (`serve` has its own): seconds until a silent connection is closed, and connections at once.
timeout = 30
max_connections = 40

"""
# What Radicale has to be told beside our options, and why.
FIXED = {
    "storage": "type = radicale_onoffice.storage\n",
    "auth": "type = radicale_onoffice.auth\n# Logins are case-sensitive, as in onOffice.\nlc_username = False\n",
    "rights": (
        "type = radicale_onoffice.rights\n"
        "# The plugin refuses both whatever is set here: they would empty a CRM.\n"
        "permit_delete_collection = False\npermit_overwrite_collection = False\n"
    ),
    "web": "type = radicale_onoffice.web\n",
}
TAIL = """\
[logging]
level = info
# Never log bodies or headers: they hold contacts and passwords.
request_content_on_debug = False
response_content_on_debug = False
request_header_on_debug = False
"""


class Form(StrEnum):
    """In which form options are listed; ``clients`` are README's instructions for clients."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CONFIG = "config"
    CLIENTS = "clients"


def rows() -> list[dict[str, str]]:
    """Options as rows."""
    return [
        {"section": one.section, "option": one.name, "default": one.default, "values": one.kind, "meaning": one.help} for one in OPTIONS
    ]


def markdown() -> str:
    """Options as a Markdown table."""
    lines = ["| section | option | default | values | meaning |", "|---|---|---|---|---|"]
    for row in rows():
        default = f"`{row['default']}`" if row["default"] else ""
        lines.append(f"| {row['section']} | `{row['option']}` | {default} | {row['values']} | {row['meaning']} |")
    return "\n".join(lines) + "\n"


def clients(way: Way) -> str:
    """The clients that come this way as a Markdown table: what to do, and what to type."""
    lines = ["| client | steps | what to enter |", "|---|---|---|"]
    texts = {key: text for key, text in vocabulary("en").items() if isinstance(text, str)}
    for client in CLIENTS:
        for one, settings in client.ways:
            if one is way:
                steps = texts[f"steps_{client.key}_{way}"].replace("\n", " ")
                typed = "; ".join(_entry(setting, texts) for setting in settings)
                lines.append(f"| {texts[f'client_{client.key}']} | {steps} | {typed} |")
    return "\n".join(lines) + "\n"


def _entry(setting: Setting, texts: dict[str, str]) -> str:
    """One field; a password needs no word more."""
    label = texts[setting.label]
    if setting.what is What.PASSWORD:
        return label
    if setting.what in NOTES or setting.what is What.EMAIL:
        return f"{label}: {texts[f'say_{setting.what}']}"
    return f"{label}: `{Place(scheme='https', host='SERVER', port=443, root='/').values('LOGIN', '')[setting.what]}`"


def sample() -> str:
    """A commented configuration file with every option."""
    sections = [f"[{section}]\n{fixed}{''.join(map(_commented, _of(section)))}\n" for section, fixed in FIXED.items()]
    return HEAD + "".join(sections) + TAIL


def _of(section: str) -> list[Option]:
    return [one for one in OPTIONS if one.section == section]


def _commented(option: Option) -> str:
    return f"# {option.help} ({option.kind}).\n{option.name} = {option.default}".rstrip() + "\n"


TEXTS: Mapping[Form, Callable[[], str]] = {
    Form.MARKDOWN: markdown,
    Form.CONFIG: sample,
    Form.CLIENTS: lambda: f"{clients(Way.EAS)}\n{clients(Way.DAV)}",
}
