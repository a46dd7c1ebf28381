"""``check --live``: the answers of live accounts, question by question, and what to set."""

from __future__ import annotations

from collections.abc import Sequence

from radicale_onoffice import doctor_onoffice
from radicale_onoffice.admin.console import fail, opened, out, print_json
from radicale_onoffice.crm.onoffice.live.asking import Seen, Switch
from radicale_onoffice.crm.onoffice.writing import OnOffice


def ask(config: str, tenant: str | None, *, json: bool) -> None:
    """Ask the accounts of all tenants, or of one, and print what they answer."""
    with opened(config) as office:
        if not isinstance(office.crm, OnOffice):
            fail("The CRM of this configuration is the embedded one; there is no account to ask.")
        if json:
            print_json([_row(name, seen) for name, seen in doctor_onoffice.live(office.store, tenant)])
            return
        told: dict[str, list[Seen]] = {}
        for name, seen in doctor_onoffice.live(office.store, tenant):
            if name not in told:
                _line(f"{name}: what its onOffice answers; nothing is changed by asking")
            told.setdefault(name, []).append(seen)
            _tell(seen)
    if not told:
        fail("No tenant has an onOffice account." if tenant is None else f"The tenant {tenant!r} has no onOffice account.")
    for name, answers in told.items():
        _summary(name, answers)


def _tell(seen: Seen) -> None:
    _line(f"\n{seen.point}. {seen.question} [{'settled' if seen.is_settled else 'open'}]")
    _line(f"   asked:   {seen.asked}")
    _line(f"   seen:    {seen.seen}")
    _line(f"   follows: {seen.follows}")
    if seen.options:
        _line(f"   option:  {' '.join(seen.options)}")
    if seen.switches:
        _line(f"   switch:  {_switches(seen)}")


def _summary(name: str, answers: Sequence[Seen]) -> None:
    options = [option for seen in answers for option in seen.options]
    still_open = sorted({seen.point for seen in answers if not seen.is_settled})
    _line(f"\n{name}, our side: " + (f"radicale-onoffice tenant connect {name} {' '.join(options)}" if options else "nothing to set"))
    _line(f"{name}, the emulator like it: python -m tests.emulator {' '.join(filter(None, map(_switches, answers)))}")
    if still_open:
        _line(f"{name}, still open: {', '.join(map(str, still_open))}; what to do by hand stands above, then run this again")


def _switches(seen: Seen) -> str:
    return " ".join(f"--set {name}={_value(value)}" for name, value in sorted(seen.switches.items()))


def _value(value: Switch) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _row(tenant: str, seen: Seen) -> dict[str, object]:
    return {
        "tenant": tenant,
        "point": seen.point,
        "question": seen.question,
        "asked": seen.asked,
        "seen": seen.seen,
        "follows": seen.follows,
        "settled": seen.is_settled,
        "options": list(seen.options),
        "switches": dict(seen.switches),
    }


def _line(text: str) -> None:
    """What onOffice said may hold anything: neither markup nor control characters."""
    clean = "".join(character if character.isprintable() or character == "\n" else "?" for character in text)
    out.print(clean, markup=False, highlight=False, soft_wrap=True)
