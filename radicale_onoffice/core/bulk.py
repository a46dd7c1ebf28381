"""Many records at once, for who works on the CRM's side: one commit however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from radicale_onoffice.core import rules
from radicale_onoffice.core.commits import Commit
from radicale_onoffice.core.errors import Conflict, NotFound, OfficeError, Unavailable
from radicale_onoffice.core.lookups import reader_of_tenant
from radicale_onoffice.core.model import Actor, Kind, Value
from radicale_onoffice.core.ports import Transaction
from radicale_onoffice.core.records import TRIES, Records

Edit = Callable[[Value], Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How many of many records were changed, and which could not be, by id; the rest was as it should be."""

    changed: int
    failed: Mapping[str, OfficeError]


class BulkRecords(Records):
    """Records that can be changed many at once."""

    def write_all(self, actor: Actor, kind: Kind, edits: Mapping[str, Edit], also: Callable[[Transaction, int], None]) -> Written:
        """``write`` of what the edits make of these records, in one commit, in which ``also`` is called with how many it changes.

        A record that is missing, that the CRM refuses, or that somebody else changes meanwhile fails for itself. If the CRM does not answer,
        the records after it fail as well, and what it has taken is stored.
        """
        failed: dict[str, OfficeError] = {}
        commits = list(self._taken(actor, kind, edits, failed))
        changed = 0
        with self._store.writing() as tx:
            tx.next_change(actor.identity.tenant)  # whoever writes records waits from here on, so that what is compared stays
            who = reader_of_tenant(tx, actor.identity)
            for commit in commits:
                found, before = tx.record(actor.identity.tenant, commit.record_id), commit.record
                assert before is not None
                if found is None or found.version != before.version:
                    failed[commit.record_id] = Conflict(before.version, found.version if found else None)
                else:
                    self._commit(tx, commit, who)
                    changed += 1
            also(tx, changed)
        return Written(changed=changed, failed=failed)

    def _taken(self, actor: Actor, kind: Kind, edits: Mapping[str, Edit], failed: dict[str, OfficeError]) -> Iterator[Commit]:
        """The commits of what the CRM has taken; what it has not is put into ``failed``."""
        down: Unavailable | None = None
        for record_id, edit in edits.items():
            if down is not None:
                failed[record_id] = down
                continue
            try:
                commit = self._edited(actor, kind, record_id, edit)
            except OfficeError as error:
                failed[record_id] = error
                down = error if isinstance(error, Unavailable) else None
            else:
                if commit is not None:
                    yield commit

    def _edited(self, actor: Actor, kind: Kind, record_id: str, edit: Edit) -> Commit | None:
        """The commit of an edit that the CRM has taken, None if it changes nothing; what the CRM's record has become meanwhile is edited again."""
        for tries in reversed(range(TRIES)):
            record = self.get(actor.identity.tenant, record_id)
            if record.kind is not kind:
                raise NotFound(f"There is no record {record_id!r} among the {kind}.")
            value = rules.normalise(edit(record.value))
            if value == record.value:
                return None
            try:
                return self._next(actor, record, self._crm.update(actor, record, value), record.leftovers, "changed")
            except Conflict:
                if not tries:
                    raise
        return None
