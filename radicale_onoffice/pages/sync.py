"""My sync: what is synchronised and why not, the switches, the lock, and what became of devices' changes (rules 1-3, 14, 87-90)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from radicale_onoffice.core.errors import BadRequest, NotFound
from radicale_onoffice.core.model import Kind
from radicale_onoffice.pages.devices import client_names
from radicale_onoffice.pages.exchange import Answer

if TYPE_CHECKING:
    from radicale_onoffice.pages.site import Visit


def show(visit: Visit) -> Answer:
    """The start page."""
    office, identity = visit.office, visit.identity
    mine = office.overview.user(identity)
    told = [(line, *line.detail.partition(": ")[::2]) for line in mine.told]
    return visit.page(
        "sync.html",
        kinds=office.overview.kinds(identity),
        mine=mine,
        crm=visit.crm_state(),
        told=told,
        titles=office.records.titles(identity, [about for _, about, _ in told]),
        names=client_names(visit),
        during_outage=office.policy.writes_during_outage,
        channels=[kind for kind in Kind if visit.who is not None and kind in visit.who.user.other_channels],
    )


def unlock(visit: Visit) -> Answer:
    """The button is there only while locked; pressing a stale one says nothing (rules 88, 89)."""
    was_locked = visit.office.accounts.unlock(visit.identity, visit.by)
    return visit.go("/", "unlocked" if was_locked else "")


def ask_off(visit: Visit, kind: str) -> Answer:
    """Before a kind is switched off, because devices lose what they have of it."""
    return _ask(visit, kind, "off", "switch_off_kind", ("switch_off_means", "switch_off_unsent"), "switch_off")


def switch_off(visit: Visit, kind: str) -> Answer:
    """The user's own switch (rule 1c)."""
    return _done(visit, kind, "switched_off", lambda found: visit.office.settings.set_switch(visit.identity, found, False, visit.by))


def switch_on(visit: Visit, kind: str) -> Answer:
    """The user's own switch (rule 1c)."""
    return _done(visit, kind, "switched_on", lambda found: visit.office.settings.set_switch(visit.identity, found, True, visit.by))


def ask_channel_on(visit: Visit, kind: str) -> Answer:
    """Before another service takes a kind over, because devices lose what they have of it from here."""
    return _ask(visit, kind, "channel-on", "channel_begin_kind", ("channel_begin_means", "switch_off_unsent"), "channel_begin")


def ask_channel_off(visit: Visit, kind: str) -> Answer:
    """Before the other service's word is taken back: both together make double entries (rule 14)."""
    return _ask(visit, kind, "channel-off", "channel_end_kind", ("channel_end_first", "channel_end_double"), "channel_end_done")


def channel_on(visit: Visit, kind: str) -> Answer:
    """Another service synchronises the kind, so it is not offered here (rule 14)."""
    return _done(visit, kind, "channel_begun", lambda found: visit.office.settings.set_other_channel(visit.identity, found, True, visit.by))


def channel_off(visit: Visit, kind: str) -> Answer:
    """No other service synchronises the kind any more."""
    return _done(
        visit, kind, "channel_ended", lambda found: visit.office.settings.set_other_channel(visit.identity, found, False, visit.by)
    )


def ask_restart(visit: Visit) -> Answer:
    """What a restart is, and of which kinds."""
    return visit.page("restart.html", kinds=_offered(visit), failed=False)


def restart(visit: Visit) -> Answer:
    """Devices fetch everything again (rules 3, 97; U43)."""
    chosen = [kind for kind in Kind if kind in visit.form.all("kind")]
    try:
        visit.office.settings.restart(visit.identity, chosen, visit.by)
    except BadRequest:
        return visit.page("restart.html", HTTPStatus.BAD_REQUEST, kinds=_offered(visit), failed=True)
    return visit.go("/", "restarted")


def kind_of(visit: Visit, word: str) -> Kind:
    """The kind that a path names; raises NotFound."""
    try:
        return Kind(word)
    except ValueError:
        raise NotFound(visit.text("not_found")) from None


def _offered(visit: Visit) -> list[Kind]:
    return [status.kind for status in visit.office.overview.kinds(visit.identity) if status.is_offered]


def _ask(visit: Visit, kind: str, action: str, heading: str, paragraphs: Sequence[str], button: str) -> Answer:
    """A question about a kind, in texts by their keys."""
    found = kind_of(visit, kind)
    return visit.ask(
        visit.text(heading, kind=visit.text(found)),
        [visit.text(key) for key in paragraphs],
        action=f"/kinds/{found}/{action}",
        button=visit.text(button),
        back="/",
    )


def _done(visit: Visit, kind: str, notice: str, change: Callable[[Kind], None]) -> Answer:
    found = kind_of(visit, kind)
    change(found)
    return visit.go("/", notice, kind=str(visit.text(found)))
