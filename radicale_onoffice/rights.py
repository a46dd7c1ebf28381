"""Radicale's rights plugin: a decision in memory, because Radicale asks once per listed item.

Who may open which path is all that stands here; what may be changed inside a folder is decided by ``core.rights`` when it is changed.
"""

from __future__ import annotations

from radicale.rights import BaseRights

from radicale_onoffice import options, paths
from radicale_onoffice.core import rights as core_rights
from radicale_onoffice.core.model import Kind

# d, o: a whole folder can be neither deleted nor overwritten, whatever Radicale's own options say: it would empty a CRM.
READ_ONLY, READ_WRITE = "rdo", "rwdo"


class Rights(BaseRights):
    """Each user reads the root and the own principal, and reads or writes the own folders; all else is as if it were not there."""

    def __init__(self, configuration):
        super().__init__(options.declared(configuration))
        self._policy = options.policy_from(self.configuration)

    def authorization(self, user: str, user_groups: set[str], path: str) -> str:
        """Radicale's letters for a path; the same answer for another user's path whether or not it exists."""
        if not user:
            return ""
        if path == "/":
            return "R"
        login, folder, name = paths.split(path)
        if login != user:
            return ""
        if not folder:
            return "R"
        kind = paths.KINDS.get(folder)
        return "" if kind is None or name else self._letters(kind)

    def _letters(self, kind: Kind) -> str:
        return READ_WRITE if core_rights.may_be_written(kind, self._policy) else READ_ONLY
