"""What the pages say, in the visitor's language, and how it writes numbers and times.

A text is a string with ``{names}``, or a pair (for one, for all others) that ``n`` decides. All languages stand side by side in
``texts/``, and a test compares their keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import format_decimal
from markupsafe import Markup, escape

from radicale_onoffice.pages import texts
from radicale_onoffice.pages.reasons import spoken

LANGUAGES: Mapping[str, str] = {"de": "Deutsch", "en": "English", "it": "Italiano"}
DEFAULT = "en"
SOON = timedelta(seconds=1)
Text = str | tuple[str, str]


@cache
def vocabulary(language: str) -> Mapping[str, Text]:
    """All texts of a language, from every module of ``texts``; raises ValueError if two modules use one key for different texts."""
    found: dict[str, Text] = {}
    for module in iter_modules(texts.__path__):
        for key, text in import_module(f"{texts.__name__}.{module.name}").TEXTS[language].items():
            if found.setdefault(key, text) != text:
                raise ValueError(f"the text {key!r} of {module.name} stands elsewhere with other words")
    return found


def preferred(header: str) -> str:
    """The language of Accept-Language (RFC 9110 12.5.4) that there are texts in, by its weight; English if there is none."""
    weighed = []
    for place, word in enumerate(header[:500].split(",")):
        name, _, weight = word.strip().partition(";")
        language = name.strip().partition("-")[0].lower()
        if language in LANGUAGES:
            weighed.append((-_weight(weight), place, language))
    return min(weighed)[2] if weighed else DEFAULT


def _weight(text: str) -> float:
    try:
        return float(text.strip().removeprefix("q=")) if text else 1.0
    except ValueError:
        return 0.0


class Voice:
    """One language, in one time zone, at one moment: what templates speak with."""

    def __init__(self, language: str, zone: ZoneInfo, now: datetime):
        self.language, self._zone, self._now = language, zone, now
        self._locale = Locale(language)

    def __call__(self, key: str, **values: object) -> Markup:
        """A text with its values; what visitors wrote is escaped. Raises KeyError for a text that there is not."""
        text = vocabulary(self.language)[key]
        if isinstance(text, tuple):
            text = text[0 if values["n"] == 1 else 1]
        spoken = {name: self.number(value) if isinstance(value, int) else escape(value) for name, value in values.items()}
        return Markup(text).format(**spoken)  # noqa: S704 - ours; what others wrote is escaped above

    def again(self, sentence: str) -> str | None:
        """A sentence of the core in this language; None for one that is not known."""
        return spoken(sentence, self, lambda text: self.day(date.fromisoformat(text)))

    def reason(self, sentence: str) -> str:
        """A sentence about what became of a change, of the core or else, as it is, of onOffice."""
        found = self.again(sentence)
        return sentence if found is None else found

    def has(self, key: str) -> bool:
        """True if there is such a text."""
        return key in vocabulary(self.language)

    def number(self, value: int) -> str:
        """A number as the language writes it."""
        return format_decimal(value, locale=self._locale)

    def moment(self, at: datetime | None) -> str:
        """Date and time in the visitor's zone; a dash for never."""
        if at is None:
            return "–"
        local = at.astimezone(self._zone)
        return f"{format_date(local, 'medium', locale=self._locale)}, {format_time(local, 'short', locale=self._locale)}"

    def day(self, at: date | None) -> str:
        """A date; a dash for none."""
        return format_date(at, "medium", locale=self._locale) if at else "–"

    def ago(self, at: datetime | None) -> str:
        """ "3 minutes ago"; the word for never without a moment."""
        if at is None:
            return str(self("never"))
        # A moment is seldom in the future, and then by a second's difference between two clocks.
        return format_timedelta(min(at - self._now, -SOON), add_direction=True, locale=self._locale, threshold=1.2)
