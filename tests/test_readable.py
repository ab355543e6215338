"""Bounds that keep the code readable: long functions and wide signatures become steps and dataclasses."""

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
LINES, PARAMETERS, COMMAND = 100, 15, 150


def functions():
    for top in ("src/swr1", "commands"):
        for file in sorted((ROOT / top).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{file.relative_to(ROOT)}:{node.lineno} {node.name}", node


def test_no_function_is_long_or_wide():
    for name, node in functions():
        assert node.end_lineno - node.lineno < LINES, f"{name} has more than {LINES} lines"
        arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        assert len(arguments) <= PARAMETERS, f"{name}: more than {PARAMETERS} parameters"


def test_a_command_is_a_thin_file():
    for file in (ROOT / "commands").glob("*.py"):
        lines = len(file.read_text().splitlines())
        assert lines <= COMMAND, f"{file.name} has {lines} lines; the work belongs into src/swr1"


def test_no_two_test_files_have_one_name():
    """pytest imports them by their names alone: of two it would refuse one."""
    names = Counter(file.name for file in (ROOT / "tests").rglob("test_*.py"))
    assert not [name for name, count in names.items() if count > 1]
