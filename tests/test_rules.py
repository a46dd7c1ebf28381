"""Every rule of onOffice's sync, and every choice of its table U, is named by a test; some rules have a reason instead."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
ADVICE = "advice to people: README says it"
LIVE = "how a live onOffice's own interface behaves: the embedded CRM has no such field or call"
PHONES = "what phones or mail programs do by themselves"
CHANNELS = "about another channel than this one"
NOT_HERE = {
    **dict.fromkeys((6, 96), ADVICE),
    **dict.fromkeys((59, 63, 66, 82), LIVE),
    **dict.fromkeys((51, 95, 98, 104), PHONES),
    **dict.fromkeys((100, 101, 102, 103, 105), CHANNELS),
}
RULE = re.compile(r"[Rr]ules? ((?:\d+(?:, | and |, and )?)+)")
CHOICE = re.compile(r"\b[Uu](\d+)\b")


def named() -> tuple[set[int], set[int]]:
    """The numbers of rules, and of the choices of table U, in the names and docstrings of all tests."""
    rules: set[int] = set()
    choices: set[int] = set()
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                text = f"{node.name.replace('_', ' ')}. {ast.get_docstring(node)}"
                rules |= {int(number) for found in RULE.findall(text) for number in re.findall(r"\d+", found)}
                choices |= {int(number) for number in CHOICE.findall(text)}
    return rules, choices


def test_every_rule_has_a_test_that_names_it():
    """Or a reason; never both, so that the list of reasons does not outlive them."""
    rules, choices = named()
    assert (set(range(1, 106)), set()) == (rules | set(NOT_HERE), rules & set(NOT_HERE))
    assert set(range(1, 50)) == choices
