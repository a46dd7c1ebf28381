"""Content lines of vCard and iCalendar: RFC 6350 3.2-3.4, RFC 5545 3.1, parameters by RFC 6868.

Hand-written because the patching of texts needs each line as it was sent, and because the libraries take 40 times as long and lose
parameters (vobject) or reorder properties.
"""

from __future__ import annotations

import functools
import quopri
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from radicale_onoffice.core.errors import BadRequest, TooLarge

MAX_TEXT = 10_000_000  # characters of one object
MAX_LINES = 20_000
MAX_DEPTH = 8  # nested components; iCalendar needs three
NAME = re.compile(r"(?:([A-Za-z0-9-]+)\.)?([A-Za-z0-9-]+)")
PARAM = re.compile(r';([A-Za-z0-9-]+)(?:=((?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*))?')
# What neither a content line nor XML 1.0 (2.2) may hold: one such character would make every answer that lists the item unreadable
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Line:
    """One unfolded content line; ``raw`` is the line as it was sent."""

    raw: str
    name: str  # upper case
    value: str  # raw value, still escaped
    group: str = ""
    params: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def param(self, name: str) -> tuple[str, ...]:
        """All values of a parameter, () if it is absent."""
        return tuple(value for key, values in self.params if key == name for value in values)

    @property
    def types(self) -> frozenset[str]:
        """TYPE values in upper case, also the bare ones of vCard 2.1."""
        return frozenset(word.upper() for word in self.param("TYPE"))


@dataclass(slots=True)
class Component:
    """A component as its lines and sub-components, in the order in which they came."""

    name: str
    parts: list[Line | Component] = field(default_factory=list)

    def lines(self, *names: str) -> list[Line]:
        """The component's own properties of these names."""
        return [part for part in self.parts if isinstance(part, Line) and part.name in names]

    def first(self, name: str) -> Line | None:
        """The first property of this name."""
        return next(iter(self.lines(name)), None)

    def components(self, *names: str) -> list[Component]:
        """Direct sub-components of these names."""
        return [part for part in self.parts if isinstance(part, Component) and part.name in names]

    def raw_lines(self) -> Iterable[str]:
        """All lines with BEGIN and END."""
        yield f"BEGIN:{self.name}"
        for part in self.parts:
            if isinstance(part, Line):
                yield part.raw
            else:
                yield from part.raw_lines()
        yield f"END:{self.name}"


def unfold(text: str) -> list[str]:
    """Lines with folds undone; also joins vCard 2.1 quoted-printable continuation lines. Raises TooLarge."""
    if len(text) > MAX_TEXT:
        raise TooLarge("The object", len(text), MAX_TEXT)
    unfolded: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff").split("\n"):
        if line[:1] in (" ", "\t") and unfolded:
            unfolded[-1] += line[1:]
        elif unfolded and unfolded[-1].endswith("=") and "QUOTED-PRINTABLE" in unfolded[-1].upper():
            unfolded[-1] = unfolded[-1][:-1] + line
        elif line.strip():
            unfolded.append(line)
    if len(unfolded) > MAX_LINES:
        raise TooLarge("The object's number of lines", len(unfolded), MAX_LINES)
    return unfolded


@functools.lru_cache(maxsize=8192)
def parse_line(raw: str) -> Line:
    """One content line; raises BadRequest."""
    if CONTROL.search(raw):
        raise BadRequest("A line has a control character, which no vCard or iCalendar may have.")
    name = NAME.match(raw)
    if name is None:
        raise BadRequest(f"A line has no property name: {raw[:40]!r}")
    position, params = name.end(), []
    while found := PARAM.match(raw, position):
        key = found[1].upper()
        words = tuple(_decaret(word.strip('"')) for word in _split_params(found[2])) if found[2] is not None else (found[1],)
        params.append((key if found[2] is not None else "TYPE", words))
        position = found.end()
    if raw[position : position + 1] != ":":
        raise BadRequest(f"The property {name[2].upper()} has no value, or a parameter that is not well-formed.")
    return Line(raw, name[2].upper(), raw[position + 1 :], name[1] or "", tuple(params))


def _split_params(text: str) -> list[str]:
    return re.findall(r'"[^"]*"|[^,]+', text) or [""]


def _decaret(text: str) -> str:
    """RFC 6868: ^n, ^^ and ^' in parameter values."""
    return re.sub(r"\^([n^'])", lambda found: {"n": "\n", "^": "^", "'": '"'}[found[1]], text) if "^" in text else text


def parse(text: str) -> list[Component]:
    """The top-level components of a text; raises BadRequest naming the line."""
    return build(unfold(text))


def build(raw_lines: Iterable[str]) -> list[Component]:
    """Components out of unfolded lines; raises BadRequest naming the line."""
    found: list[Component] = []
    stack: list[Component] = []
    for number, raw in enumerate(raw_lines, 1):
        try:
            line = parse_line(raw)
        except BadRequest as error:
            raise BadRequest(f"Line {number}: {error}") from None
        if line.name == "BEGIN":
            stack.append(Component(line.value.strip().upper()))
            if len(stack) > MAX_DEPTH:
                raise BadRequest(f"Line {number}: components are nested deeper than {MAX_DEPTH}.")
        elif line.name == "END":
            if not stack or stack[-1].name != line.value.strip().upper():
                raise BadRequest(f"Line {number}: END:{line.value.strip()} does not close what was begun.")
            closed = stack.pop()
            (stack[-1].parts if stack else found).append(closed)
        elif not stack:
            raise BadRequest(f"Line {number}: {line.name} stands outside of any component.")
        else:
            stack[-1].parts.append(line)
    if stack:
        raise BadRequest(f"The component {stack[-1].name} is not closed; was the object cut off?")
    return found


def fold(raw: str) -> str:
    """The line with CRLF, folded at 75 octets without cutting a character (RFC 5545 3.1)."""
    if len(raw) <= 75 and (raw.isascii() or len(raw.encode()) <= 75):
        return raw + "\r\n"
    pieces: list[str] = []
    current: list[str] = []
    size = 0
    for character in raw:
        width = 1 if character < "\x80" else len(character.encode())
        if size + width > 75:
            pieces.append("".join(current))
            current, size = [" "], 1
        current.append(character)
        size += width
    pieces.append("".join(current))
    return "\r\n".join(pieces) + "\r\n"


def dump(components: Iterable[Component]) -> str:
    """Text with CRLF line ends."""
    return "".join(fold(raw) for component in components for raw in component.raw_lines())


def escape(text: str) -> str:
    """A TEXT value (RFC 5545 3.3.11, RFC 6350 3.4)."""
    text = CONTROL.sub("", text).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def unescape(value: str) -> str:
    """The text of a TEXT value."""
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value, flags=re.DOTALL) if "\\" in value else value


def split(value: str, separator: str) -> list[str]:
    """Unescaped parts of a structured value (N, ADR, ORG: ``;``) or of a list (CATEGORIES: ``,``)."""
    if "\\" not in value:
        return value.split(separator)
    return [unescape(part) for part in re.findall(rf"((?:\\.|[^\\{separator}])*)(?:{separator}|$)", value, re.DOTALL)][
        : value.count(separator) + 1
    ]


def text_of(line: Line | None) -> str:
    """Text of a property, "" if it is absent; undoes vCard 2.1 quoted-printable."""
    if line is None:
        return ""
    return unescape(decoded(line)).strip()


def decoded(line: Line) -> str:
    """The value with vCard 2.1's transfer encoding undone."""
    words = {word.upper() for word in (*line.param("ENCODING"), *line.param("TYPE"))}
    if "QUOTED-PRINTABLE" not in words:
        return line.value
    charset = next(iter(line.param("CHARSET")), "utf-8")
    try:
        return quopri.decodestring(line.value.encode("latin-1", "replace")).decode(charset, "replace")
    except LookupError:
        return quopri.decodestring(line.value.encode("latin-1", "replace")).decode("utf-8", "replace")


def quote_param(value: str) -> str:
    """A parameter value, quoted where it must be (RFC 5545 3.2, RFC 6868)."""
    value = CONTROL.sub("", value).replace("^", "^^").replace('"', "^'").replace("\n", "^n")
    return f'"{value}"' if set(value) & set(";:,") else value


def with_value(line: Line, value: str) -> Line:
    """The same line, group and parameters included, with another value."""
    return parse_line(line.raw[: len(line.raw) - len(line.value)] + value)


def with_param(line: Line, name: str, value: str) -> Line:
    """The same line with one more parameter."""
    end = len(f"{line.group}." if line.group else "") + len(line.name)
    return parse_line(f"{line.raw[:end]};{name}={quote_param(value)}{line.raw[end:]}")
