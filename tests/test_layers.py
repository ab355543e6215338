"""Who imports whom: what docs/architecture.md declares under "Imports" is what the files do.

An import inside a function counts as any other: it says that one file is needed to read the other.
An import for type checkers alone does not.
"""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = "docs/architecture.md"
# What stands over the rooms and puts them together: the Python interface and the command line.
FACES = {"swr1", "api", "__main__", "commands"}


def module_of(file: Path, top: Path, package: str) -> str:
    parts = file.relative_to(top).with_suffix("").parts
    return ".".join([package, *(part for part in parts if part != "__init__")])


FILES = {
    module_of(file, ROOT / top, package): file
    for top, package in (("src/swr1", "swr1"), ("commands", "swr1.commands"))
    for file in (ROOT / top).rglob("*.py")
}


def imports(module: str) -> set[str]:
    """The files of swr1 that a file imports, wherever it does so, but for type checkers."""
    tree = ast.parse(FILES[module].read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{FILES[module]}:{node.lineno}: import from swr1.ROOM.FILE"
            inside = {f"{node.module}.{name.name}" for name in node.names}
            found |= {one if one in FILES else node.module for one in inside}
    return {one for one in found if one in FILES} - {module}


def room_of(module: str) -> str:
    """The folder of src/swr1 that a file is in, or the file's own name beside them."""
    return module.split(".")[1] if "." in module else "swr1"


def declared() -> dict[str, set[str]]:
    """Room -> the rooms it may import, from the block under "Imports" of the page."""
    text = (ROOT / PAGE).read_text()
    block = re.search(r"^## Imports\n.*?^```text\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert block, f"{PAGE} has no block of text under '## Imports'"
    rows = (line.partition("->") for line in block[1].splitlines())
    return {name.strip(): set(rest.replace(",", " ").split()) for name, _, rest in rows}


ROOMS = {f.name for f in (ROOT / "src/swr1").iterdir() if (f / "__init__.py").is_file()}
MAY = declared()
GROUND = MAY["ground"]  # the rooms that all may import, with the files that stand beside the rooms


def test_every_room_is_declared():
    assert MAY.keys() - {"ground"} == ROOMS - GROUND, f"a room is a line under Imports in {PAGE}"


@pytest.mark.parametrize("room", sorted({room_of(module) for module in FILES} - FACES))
def test_a_room_imports_only_what_is_declared(room):
    allowed = GROUND | MAY.get(room, set()) | {room}
    for module in (one for one in FILES if room_of(one) == room):
        for other in sorted(imports(module)):
            to = room_of(other)
            beside = to not in ROOMS | FACES - {"swr1"}
            assert beside or to in allowed, (
                f"{module} imports {other}: {room} may not import {to}. Move what both need to a file"
                f" beside the rooms or to a lower room; or declare it under Imports in {PAGE}"
            )


def test_no_file_imports_in_a_circle():
    order = TopologicalSorter({module: imports(module) for module in FILES})
    try:
        order.prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        pytest.fail(f"{circle}: move what these share to a file that imports none of them")
