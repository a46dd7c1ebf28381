"""Records as encoded ``ApplicationData``: once per (record, version, flavour), for every device."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from activesync_bridge.items import Flavour
from activesync_bridge.items import dispatch as items
from activesync_bridge.session import Session
from activesync_bridge.sync_state import Step, Verb
from activesync_bridge.wbxml.codepages import AirSync
from activesync_bridge.wbxml.element import Element, Encoded
from activesync_bridge.wbxml.writer import encode_children
from radicale_onoffice.core.model import Failure, Kind
from radicale_onoffice.core.ports import Offer

logger = logging.getLogger(__name__)
NOT_SHOWN = "This entry cannot be shown on a device; open it in onOffice and save it once more."
TAGS = {Verb.ADD: AirSync.Add, Verb.CHANGE: AirSync.Change, Verb.DELETE: AirSync.Delete, Verb.SOFT_DELETE: AirSync.SoftDelete}


@dataclass(frozen=True, slots=True)
class Sender:
    """Encodes records of one kind for one device, and keeps its list of items that fail."""

    session: Session
    kind: Kind
    flavour: Flavour
    passed: set[str] = field(default_factory=set)  # items that went through in this request
    changes: dict[str, int] = field(default_factory=dict)  # change numbers of the records that were sent

    def commands(self, steps: Sequence[Step]) -> tuple[list[Element], list[str]]:
        """The steps as commands of an answer, and the additions that had to be left out: vanished meanwhile, or not to be encoded."""
        wanted = [step.record_id for step in steps if step.verb in (Verb.ADD, Verb.CHANGE)]
        found = self.items(wanted) if wanted else {}
        commands: list[Element] = []
        for verb, record_id in steps:
            server_id = Element(AirSync.ServerId, record_id)
            if verb in (Verb.DELETE, Verb.SOFT_DELETE):
                commands.append(Element(TAGS[verb], (server_id,)))
            elif record_id in found:
                commands.append(Element(TAGS[verb], (server_id, Element(AirSync.ApplicationData, found[record_id]))))
        return commands, [record_id for verb, record_id in steps if verb is Verb.ADD and record_id not in found]

    def items(self, record_ids: Iterable[str]) -> dict[str, Encoded]:
        """Encoded children of ApplicationData of those of these records that the user may see."""
        office, identity, flavour = self.session.office, self.session.identity, self.flavour.key
        visible = office.records.visible(identity, self.kind, record_ids)
        with office.store.reading() as tx:
            kept = tx.fragments(identity.tenant, flavour, visible)
        found = {record_id: Encoded(data) for record_id, (version, data) in kept.items() if version == visible[record_id].version}
        missing = visible.keys() - found.keys()
        fresh: list[tuple[str, int, bytes]] = []
        for offer in office.records.offers(identity, self.kind, missing) if missing else ():
            encoded = self._encoded(offer)
            if encoded is not None:
                fresh.append((offer.record_id, offer.version, encoded.data))
                self.passed.add(offer.record_id)
                found[offer.record_id] = encoded
        if fresh:
            with office.store.writing(lasting=False) as tx:
                tx.save_fragments(identity.tenant, flavour, fresh)
        self.changes.update((record_id, member.change) for record_id, member in visible.items())
        return found

    def _encoded(self, offer: Offer) -> Encoded | None:
        try:
            return encode_children(items.dump(self.kind, offer.text, offer.uid, self.flavour))
        except Exception as error:
            # Whatever is wrong with one item, all others still go out.
            logger.exception("record %s cannot be encoded for ActiveSync; it is tried again when it changes", offer.record_id)
            self.failed(offer.record_id, offer.version, f"{NOT_SHOWN} ({type(error).__name__}: {error})")
            return None

    def mend(self) -> None:
        """Take items that went through off the list of those that fail."""
        if not self.passed:
            return
        store, identity, device_id = self.session.office.store, self.session.identity, self.session.device.id
        with store.reading() as tx:
            mended = [one for one in tx.failures(identity, device_id) if one.collection == self.kind.value and one.item in self.passed]
        if mended:
            with store.writing() as writing:
                for one in mended:
                    writing.clear_failure(identity, device_id, one.collection, one.item)

    def failed(self, item: str, version: int, reason: str) -> None:
        """Note an item that did not get through, for the administrator's list."""
        session = self.session
        failure = Failure(
            identity=session.identity,
            device_id=session.device.id,
            collection=self.kind.value,
            item=item,
            version=version,
            reason=reason[:500],
            at=session.office.clock(),
            count=1,
        )
        with session.office.store.writing() as tx:
            tx.save_failure(failure)
