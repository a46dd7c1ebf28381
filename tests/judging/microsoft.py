"""Microsoft's schemas as a judge, and what has to be known to read them: they say what a 16.1 server sends, and have slips of their own.

The schemas lie beside the project; they import nothing, so the imports are added here.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lxml import etree

MICROSOFT = Path(__file__).parent.parent.parent.parent / "shared" / "ms-eas"
XS = "http://www.w3.org/2001/XMLSchema"
# GetHierarchy is version 2.5's; Autodiscover is XML by itself
UNUSED = ("Autodiscover", "GetHierarchy")
ALL_VERSIONS = ("12.1", "14.0", "14.1", "16.0", "16.1")
TAG = re.compile(r"\[In Code Page \d+: (\w+)\] ?\[Tag name\] ?(\w+)[^\[]*\[Token\][^\[]*\[supports protocol versions\] ?([\w., ]+)")


@dataclass(frozen=True)
class Excuse:
    """A place where the schema is not what holds. ``mend`` makes of an element what the schema wants, or takes it away by returning False."""

    path: str  # the end of the element's path, with prefixes out of the names of the namespaces
    versions: tuple[str, ...]
    reason: str
    mend: Callable[[etree._Element], bool]


def _away(element: etree._Element) -> bool:
    return False


EXCUSES: tuple[Excuse, ...] = (
    Excuse(
        "AirSync:Collection/AirSync:Class", ("12.1",), "Class is required up to 12.1 ([MS-ASCMD] 2.2.3.27.5); the schema is 16.1's", _away
    ),
    Excuse("GetItemEstimate:Collection/GetItemEstimate:Class", ("12.1",), "Class is required up to 12.1 ([MS-ASCMD] 2.2.3.27.2)", _away),
)
# Tags that the table of [MS-ASWBXML] leaves out for a version by a slip: what other documents say
SLIPS: Mapping[tuple[str, str], frozenset[str]] = {
    ("provision", "MaxCalendarAgeFilter"): frozenset({"16.1"}),  # [MS-ASPROV] R25001
    ("provision", "MaxDevicePasswordFailedAttempts"): frozenset({"16.1"}),  # [MS-ASPROV] R25401
}
# A command that a version does not have is refused with status 138 (R4897): in the tags of the request, because there are no others
FOREIGN = {("find", "Find"), ("find", "Status")}


@cache
def schema() -> etree.XMLSchema | None:
    """All schemas of WBXML as one; None if they are not beside the project."""
    return _combined([path for path in sorted((MICROSOFT / "xsd").glob("*.xsd")) if not path.name.startswith(UNUSED)])


@cache
def autodiscover_schema() -> etree.XMLSchema | None:
    """The schemas of Autodiscover's answers as one; None if they are not beside the project."""
    return _combined(sorted((MICROSOFT / "xsd").glob("Autodiscover*.xsd")))


def _combined(paths: list[Path]) -> etree.XMLSchema | None:
    """Schemas that import nothing, with all others imported into each."""
    roots = {path.name: etree.parse(path).getroot() for path in paths}
    if not roots:
        return None
    by_namespace: dict[str, list[str]] = defaultdict(list)
    for name, root in roots.items():
        by_namespace[root.get("targetNamespace")].append(name)
    collected = {namespace: f"all-{number}.xsd" for number, namespace in enumerate(by_namespace)}
    with tempfile.TemporaryDirectory() as directory:
        for name, root in roots.items():
            for namespace in collected.keys() - {root.get("targetNamespace")}:
                root.insert(0, etree.Element(f"{{{XS}}}import", namespace=namespace, schemaLocation=collected[namespace]))
            (Path(directory) / name).write_bytes(etree.tostring(root))
        for namespace, names in by_namespace.items():
            included = "".join(f'<xs:include schemaLocation="{name}"/>' for name in names)
            _write(Path(directory) / collected[namespace], f' targetNamespace="{namespace}" xmlns="{namespace}"', included)
        imported = "".join(f'<xs:import namespace="{namespace}" schemaLocation="{name}"/>' for namespace, name in collected.items())
        _write(Path(directory) / "all.xsd", "", imported)
        return etree.XMLSchema(file=str(Path(directory) / "all.xsd"))


def _write(path: Path, attributes: str, content: str) -> None:
    path.write_text(f'<xs:schema xmlns:xs="{XS}"{attributes}>{content}</xs:schema>')


@cache
def spoken() -> Mapping[tuple[str, str], frozenset[str]]:
    """(namespace, tag) -> versions that have it ([MS-ASWBXML] 2.1.2.1); empty if the statements are not beside the project."""
    path = MICROSOFT / "requirements" / "MS-ASWBXML.txt"
    found = {}
    for namespace, name, versions in TAG.findall(path.read_text("utf-8") if path.exists() else ""):
        said = frozenset(part.strip() for part in versions.split(","))
        slips = SLIPS.get((namespace.lower(), name), frozenset())
        found[namespace.lower(), name] = frozenset(ALL_VERSIONS) if "All" in said else said | slips
    return found


def path_of(element: etree._Element) -> str:
    """Names from the root, each with its namespace as prefix."""
    names = [f"{etree.QName(one).namespace}:{etree.QName(one).localname}" for one in (*reversed(list(element.iterancestors())), element)]
    return "/".join(names)


def faults(root: etree._Element, version: str) -> list[str]:
    """What the schemas and the table of tags find wrong with an answer in this version."""
    found = _too_young(root, version)
    wanted = schema()
    if wanted is None:
        return found
    excused(root, version)
    wanted.validate(root)
    return found + [f"{error.path}: {error.message}" for error in wanted.error_log]


def _too_young(root: etree._Element, version: str) -> list[str]:
    table = spoken()
    found = set()
    is_refused = root.tag == "{Find}Find" and root.findtext("{Find}Status") == "138"
    for element in root.iter():
        name = etree.QName(element)
        if is_refused and (name.namespace.lower(), name.localname) in FOREIGN:
            continue
        versions = table.get((name.namespace.lower(), name.localname))
        if versions is not None and version not in versions:
            found.add(f"{path_of(element)} is none of {version}'s tags, but of {', '.join(sorted(versions))}")
    return sorted(found)


def excused(root: etree._Element, version: str) -> None:
    """Mend what is excused, in place."""
    for one in EXCUSES:
        if version not in one.versions:
            continue
        for element in list(root.iter()):
            if ("/" + path_of(element)).endswith("/" + one.path) and not one.mend(element):
                element.getparent().remove(element)
