"""Words for the audit log: what of a user changed, in a form that cannot forge a line."""

from __future__ import annotations

from radicale_onoffice.core.model import User

MAX_DETAIL = 1000  # characters


def printable(text: str, most: int = 200) -> str:
    """Text from outside in a form that cannot forge a log line."""
    return "".join(character if character.isprintable() else "?" for character in text[:most])


def difference(before: User | None, after: User) -> str:
    """What a change gives to a user and takes away, e.g. "rights: +tasks.delete; language: de to en"; the password is not told."""
    if before is None:
        return ""
    sets = {
        "rights": (before.rights, after.rights),
        "switches": (before.switches, after.switches),
        "other channels": (before.other_channels, after.other_channels),
        "groups": (frozenset(before.groups), frozenset(after.groups)),
    }
    words = {
        "state": (before.state.value, after.state.value),
        "sync right": (_word(is_on=before.sync_right), _word(is_on=after.sync_right)),
        "admin": (_word(is_on=before.admin), _word(is_on=after.admin)),
        "language": (before.language, after.language),
    }
    parts = [f"{name}: {' '.join(_signed(was, now))}" for name, (was, now) in sets.items() if was != now]
    parts += [f"{name}: {was} to {now}" for name, (was, now) in words.items() if was != now]
    return printable("; ".join(parts), MAX_DETAIL)


def _signed(was: frozenset[str], now: frozenset[str]) -> list[str]:
    return [f"+{one}" for one in sorted(now - was)] + [f"-{one}" for one in sorted(was - now)]


def _word(*, is_on: bool) -> str:
    return "yes" if is_on else "no"
