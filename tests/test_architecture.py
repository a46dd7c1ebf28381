"""The shape of the tree, kept as a test: who may import whom, who names Radicale, and how long things may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("radicale_onoffice", "activesync_bridge")
# Modules of the standard library that do I/O, wait, or tell the time
IO = {"asyncio", "http", "os", "pathlib", "requests", "socket", "sqlite3", "ssl", "subprocess", "time", "urllib", "random", "secrets"}
CORE = "radicale_onoffice.core"
# layer -> what it may import beside the standard library, and whether it may do I/O
RULES = {
    "radicale_onoffice/core": ({CORE, "phonenumbers", "dateutil"}, False),
    "radicale_onoffice/formats": ({CORE, "radicale_onoffice.formats", "dateutil"}, False),
    "radicale_onoffice/stores": ({CORE, "radicale_onoffice.stores", "sqlalchemy", "alembic", "cattrs"}, True),
    "radicale_onoffice/crm": ({CORE, "radicale_onoffice.crm", "httpx"}, True),
    "radicale_onoffice/pages": (
        {
            CORE,
            "radicale_onoffice.pages",
            "radicale_onoffice.spreadsheet",
            "radicale_onoffice.__version__",
            "jinja2",
            "markupsafe",
            "babel",
            "segno",
            "starlette.routing",
        },
        True,  # its own files, and the names of HTTP
    ),
    "activesync_bridge/wbxml": ({"activesync_bridge.wbxml"}, False),
    "activesync_bridge/items": (
        {
            "activesync_bridge.wbxml",
            "activesync_bridge.items",
            "activesync_bridge.versions",
            "radicale_onoffice.__version__",
            CORE,
            "radicale_onoffice.formats",  # an item is a second syntax of the stored DAV object
            "PIL",
        },
        False,
    ),
    "activesync_bridge/commands": ({"activesync_bridge", CORE}, False),
}
# onOffice's protocol and field tables, which only translate: these of crm/onoffice do I/O
ONOFFICE, ONOFFICE_IO = "radicale_onoffice/crm/onoffice", {"client.py", "tenants.py"}
MAY_TALK_TO_ONOFFICE = {f"{ONOFFICE}/client.py"}
MAY_NAME_RADICALE = {f"radicale_onoffice/{name}.py" for name in ("storage", "auth", "rights", "web", "asgi", "configuration")}
MAX_FUNCTION, MAX_FILE = 60, 500  # lines
LONG_FILES = {"activesync_bridge/wbxml/codepages.py"}  # a table of numbers


def sources(folder: str):
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path):
    """Absolute dotted names that a file imports."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            head = ".".join((*base, *([node.module] if node.module else [])))
            yield from (f"{head}.{alias.name}" for alias in node.names)


def within(name: str, allowed) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


@pytest.mark.parametrize("layer", RULES)
def test_a_layer_imports_only_inwards(layer):
    """It names itself, the layers inside it, and of the standard library what does no I/O."""
    allowed, may_do_io = RULES[layer]
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(layer)
        for name in imports(path)
        if not within(name, allowed) and (name.split(".")[0] not in sys.stdlib_module_names or (name.split(".")[0] in IO and not may_do_io))
    ]
    assert [] == wrong


def test_onoffice_is_translated_without_io():
    """Protocol and tables name neither HTTP nor a clock; one file opens connections."""
    translating = [path for path in sources(ONOFFICE) if path.name not in ONOFFICE_IO]
    wrong = [f"{path.name} imports {name}" for path in translating for name in imports(path) if name.split(".")[0] in IO | {"httpx"}]
    assert [] == wrong
    talking = {str(path.relative_to(ROOT)) for path in sources("radicale_onoffice/crm") if any(within(n, {"httpx"}) for n in imports(path))}
    assert MAY_TALK_TO_ONOFFICE == talking


@pytest.mark.parametrize("layer", ["radicale_onoffice/core", "radicale_onoffice/formats", ONOFFICE])
def test_time_is_an_argument(layer):
    """No layer that decides asks a clock."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources(layer)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today") and isinstance(node.value, ast.Name)
        if node.value.id in ("datetime", "date")
    ]
    assert [] == wrong


def test_only_the_plugins_and_the_server_name_radicale():
    """The host's API drifts; what depends on it stands in these files."""
    named = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in sources(package)
        if any(within(n, {"radicale"}) for n in imports(path))
    }
    assert MAY_NAME_RADICALE == named


@pytest.mark.parametrize("module", [CORE + ".office", "radicale_onoffice.formats", "radicale_onoffice.stores.sql"])
def test_the_core_runs_without_radicale(module):
    """So will the bridge."""
    code = f"import sys, {module}; sys.exit('radicale' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode


def functions():
    for package in (*PACKAGES, "bench"):
        for path in sources(package):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{path.relative_to(ROOT)}:{node.name}", node.end_lineno - node.lineno + 1


def test_no_function_over_sixty_lines_and_most_are_short():
    """Half of them have at most ten lines, nine of ten at most 35."""
    found = dict(functions())
    lengths = sorted(found.values())
    assert [] == [name for name, length in found.items() if length > MAX_FUNCTION]
    assert lengths[len(lengths) // 2] <= 10
    assert lengths[len(lengths) * 9 // 10] <= 35


def test_no_file_over_five_hundred_lines():
    """But for a table of numbers."""
    files = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for one in (*PACKAGES, "bench", "tests")
        for path in sources(one)
    }
    assert {} == {name: length for name, length in files.items() if length > MAX_FILE and name not in LONG_FILES}


def test_every_test_says_what_it_shows():
    """A sentence per test: the tests are the manual."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.name}"
        for path in sources("tests")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert [] == silent
