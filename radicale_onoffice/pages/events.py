"""What the audit log says, in the visitor's language; an event that is not known here is shown as it was kept."""

from __future__ import annotations

import re

from radicale_onoffice.pages.language import Voice

GATE = re.compile(r"gate (?P<word>opened|closed): (?P<gate>\w+)(?: (?P<kind>\w+))?")


def spoken(event: str, text: Voice) -> str:
    """An event in words."""
    gate = GATE.fullmatch(event)
    if gate is not None and text.has(f"gate_name_{gate['gate']}"):
        name = text(f"gate_name_{gate['gate']}")
        of_kind = f"{name} ({text(gate['kind'])})" if gate["kind"] and text.has(gate["kind"]) else name
        return text(f"log_gate_{gate['word']}", gate=of_kind)
    key = "log_" + re.sub(r"\W+", "_", event)
    return text(key) if text.has(key) else event
