"""Which of Microsoft's statements, facts and pains have a test: collected from the tests themselves, and written down as a page.

**Notation.** Numbers repeat between Microsoft's documents. ``MS-ASCAL R235`` is unambiguous; a bare ``R235`` is of the document that was named
last before it in the same docstring or comment, else of the one that the module's docstring names first, else of MS-ASCMD.
``R5106-R5122`` is a range.
``Fact 7`` and ``Pains 21, 50`` in a docstring or comment, or ``pain_21`` in a test's name, name the lists that the bridge was built from.

``requirements.tsv`` says of each statement that binds a server (document, number, ``MUST`` or ``fact``) whether it is ``covered``,
``not-applicable`` or ``open``, and why; ``pains.tsv`` does so for pains and facts. ``python -m tests.eas.coverage_page`` writes the page,
``--tests`` prints which test names which statement.
"""

from __future__ import annotations

import ast
import csv
import io
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
TESTS = HERE.parent
STATEMENTS = TESTS.parent.parent / "shared" / "ms-eas" / "requirements"
PAGE, REQUIREMENTS, PAINS = HERE / "CONFORMANCE.md", HERE / "requirements.tsv", HERE / "pains.tsv"
COVERED, NOT_APPLICABLE, OPEN = "covered", "not-applicable", "open"
DOCUMENTS = ("MS-ASCMD", "MS-ASCAL", "MS-ASCNTC", "MS-ASTASK", "MS-ASAIRS", "MS-ASPROV", "MS-ASHTTP", "MS-ASDTYPE", "MS-ASWBXML")
SHARED = ("MS-ASDTYPE", "MS-ASWBXML")  # their statements are repeated in the other documents, under the same numbers
LISTS = {"fact": range(1, 31), "pain": range(1, 51)}
NAMED = re.compile(r"(?P<document>MS-AS[A-Z]+)|\bR(?P<first>\d{1,9})(?:-R(?P<last>\d{1,9}))?\b")
DATA_TYPE = re.compile(r"\[In \w+ Data Type\]")
NUMBERED = re.compile(r"\b(?P<list>[Ff]act|[Pp]ain)s? (?P<numbers>\d+(?!\.\d)(?:(?:, | and |, and )\d+(?!\.\d))*)")


class Statement(NamedTuple):
    """One of Microsoft's; ``scope`` is Server, Client or Both."""

    scope: str
    text: str


class Row(NamedTuple):
    """A line of ``requirements.tsv``."""

    document: str
    number: int
    source: str  # MUST, or fact: not a MUST, but the bridge was built on it
    verdict: str
    words: str  # why it does not apply or is open


class Point(NamedTuple):
    """A line of ``pains.tsv``."""

    list: str  # pain or fact
    number: int
    words: str
    why_not: str  # empty: it has a test


Requirement = tuple[str, int]  # document, number
Found = Mapping[tuple[str, int], set[str]]  # what is named -> the tests that name it


# ------------------------------------------------------------------- the tests


def named() -> dict[tuple[str, int], set[str]]:
    """Everything that a test names: (document, number), ("fact", number), ("pain", number) -> tests. Ranges are in `ranges`."""
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    for name, text, default in texts():
        for document, first, last in requirements(text, default):
            for number in range(first, last + 1):
                found[document, number].add(name)
        for list_name, number in points(text):
            found[list_name, number].add(name)
    return found


def texts() -> Iterator[tuple[str, str, str]]:
    """Name of a test, a docstring, comment or id of it, and the module's document."""
    for path in sorted(TESTS.rglob("test_*.py")):
        source = path.read_text()
        tree = ast.parse(source)
        module = re.search(r"MS-AS[A-Z]+", ast.get_docstring(tree) or "")
        comments = [(token.start[0], token.string) for token in tokenize.generate_tokens(io.StringIO(source).readline) if is_comment(token)]
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                name = f"{path.relative_to(TESTS)}::{node.name}"
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                ids = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and re.fullmatch(r"R\d+", str(one.value))]
                own = [text for line, text in comments if first <= line <= (node.end_lineno or line)]
                said = ast.get_docstring(node) or ""
                in_name = [f"R{number}" for number in re.findall(r"_[rR](\d+)", node.name) if f"R{number}" not in said]
                for text in (node.name.replace("_", " "), said, *own, *ids, *in_name):
                    yield name, text, module.group() if module else DOCUMENTS[0]


def is_comment(token: tokenize.TokenInfo) -> bool:
    """True for a comment."""
    return token.type == tokenize.COMMENT


def requirements(text: str, default: str) -> Iterator[tuple[str, int, int]]:
    """Document and first and last number of each mention."""
    document = default
    for match in NAMED.finditer(text):
        if match["document"]:
            document = match["document"]
            continue
        first = int(match["first"])
        yield document, first, int(match["last"] or first)


def points(text: str) -> Iterator[tuple[str, int]]:
    """Facts and pains that a text names."""
    for match in NUMBERED.finditer(text):
        for number in re.findall(r"\d+", match["numbers"]):
            yield match["list"].lower(), int(number)


# -------------------------------------------------------------- the statements


def statements() -> dict[Requirement, Statement]:
    """Microsoft's statements, each under its own document; empty if they are not here."""
    found: dict[Requirement, Statement] = {}
    repeated: set[tuple[int, str]] = set()
    for document in sorted(DOCUMENTS, key=lambda name: name not in SHARED):
        path = STATEMENTS / f"{document}.txt"
        for line in path.read_text().splitlines() if path.exists() else ():
            head, *fields = line.split("|")
            if not head:
                continue
            number = int(head.rpartition("R")[2])
            scope, text = ("Server", "|".join(fields[1:])) if document in SHARED else (fields[1], "|".join(fields[3:]))
            mark = number, re.sub(r"\W", "", text).lower()
            if document in SHARED:
                repeated.add(mark)
            elif mark in repeated:
                continue
            # One statement on a data type is missing from the document on data types, but not from its copies.
            key = ("MS-ASDTYPE" if DATA_TYPE.match(text) else document), number
            if key not in found or "MUST" in text:
                found[key] = Statement(scope, text)
    return found


def binding() -> set[Requirement]:
    """The MUST statements that bind a server."""
    return {key for key, one in statements().items() if "MUST" in one.text and one.scope != "Client"}


# -------------------------------------------------------------------- the data


def rows() -> list[Row]:
    """``requirements.tsv``."""
    with REQUIREMENTS.open(newline="") as file:
        return [Row(line[0], int(line[1][1:]), *line[2:]) for line in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def listed() -> list[Point]:
    """``pains.tsv``."""
    with PAINS.open(newline="") as file:
        return [Point(line[0], int(line[1]), *line[2:]) for line in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


# -------------------------------------------------------------------- the page


def page() -> str:
    """The page: counts per document, then what does not apply and what is open, with the reasons; pains and facts."""
    table, verdicts = rows(), (COVERED, NOT_APPLICABLE, OPEN)
    lines = [
        "# ActiveSync conformance",
        "",
        "Made by `python -m tests.eas.coverage_page` from `requirements.tsv` and `pains.tsv`; a test holds it against them and against what the",
        "tests name. Counted are the MUST statements of Microsoft's Open Specifications that bind a server (in the numbering of Microsoft's",
        "Interop-TestSuites), and those without a MUST that the bridge was built on.",
        "`python -m tests.eas.coverage_page --tests` prints which test names which statement.",
        "",
        "| document | statements | covered by tests | not applicable | open |",
        "|---|---|---|---|---|",
    ]
    for document in (*DOCUMENTS, "all"):
        own = [row for row in table if document in (row.document, "all")]
        counts = [sum(row.verdict == verdict for row in own) for verdict in verdicts]
        lines.append("| " + " | ".join([document, str(len(own)), *map(str, counts)]) + " |")
    for verdict, title in ((NOT_APPLICABLE, "Not applicable"), (OPEN, "Open")):
        lines += ["", f"## {title}", ""]
        lines += reasons([row for row in table if row.verdict == verdict])
    for list_name, title in (("pain", "The fifty pains"), ("fact", "The thirty facts")):
        lines += ["", f"## {title}", ""]
        lines += answers([point for point in listed() if point.list == list_name])
    return "\n".join(lines) + "\n"


def reasons(table: list[Row]) -> list[str]:
    """One line per document and reason."""
    if not table:
        return ["None."]
    grouped: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in table:
        grouped[row.document, row.words].append(row.number)
    body = [f"| {key[0]} | {', '.join(f'R{number}' for number in sorted(found))} | {key[1]} |" for key, found in grouped.items()]
    return ["| document | statements | why |", "|---|---|---|", *body]


def answers(found: list[Point]) -> list[str]:
    """What has no test, with the reason, after the number of those that have one."""
    without = [point for point in found if point.why_not]
    tested = f"{len(found) - len(without)} of {len(found)} are named by tests."
    if not without:
        return [tested]
    return [
        tested,
        "",
        "| number | what | why no test |",
        "|---|---|---|",
        *(f"| {one.number} | {one.words} | {one.why_not} |" for one in without),
    ]


def main(arguments: list[str]) -> None:
    """Write the page, or print the tests."""
    if "--tests" not in arguments:
        PAGE.write_text(page())
        return
    for (name, number), tests in sorted(named().items()):
        sys.stdout.write(f"{name} {'R' if name in DOCUMENTS else ''}{number}: {', '.join(sorted(tests))}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
