"""The code blocks of README.md, CONTRIBUTING.md and docs/*.md, as the tests take them.

What a page says of a block stands in a comment on the line before it:

    <!-- run -->            run it, in order, in one temporary folder per page; a block ```output
                            after it holds what the commands print
    <!-- run: slow -->      the same, but only in the slow tests; its output is not compared
    <!-- file: mine.py -->  write it to this file in that folder first
    <!-- needs: gpu -->     what it cannot be run without (gpu, server, ...); a note for readers
    <!-- free -->           not a program: a grammar, a sketch

Without a mark a block is parsed: each `swr1 ...` in it by the real parser, Python by compiling it and
importing what it takes from swr1, TOML by tomllib.

`python -m tests.pages` runs the blocks and writes their outputs into the pages (`make docs`).
"""

import ast
import functools
import importlib
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from swr1.errors import UsageError

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(p for p in (ROOT / "docs").glob("*.md") if p.name != "cli.md"),  # cli.md is --help
]
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<language>[\w-]*)\n(?P<text>.*?)^```$", re.M | re.S
)
CHANGING = [
    (re.compile(r"\[\d[\d.,]* s\]"), "[s]"),  # the end of a stage's summary
    (re.compile(r'":"[0-9a-f]{8}"'), '":"digest"'),  # in a trail: of options and version
]


class Block(NamedTuple):
    """One fenced block. `mark` is the comment before it, `span` where its text stands in the page."""

    page: Path
    line: int
    language: str
    mark: str
    text: str
    span: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text()
    return [
        Block(
            page,
            text[: found.start("text")].count("\n"),
            found["language"],
            found["mark"] or "",
            found["text"],
            found.span("text"),
        )
        for found in BLOCK.finditer(text)
    ]


def runs(page: Path, slow: bool = False) -> Iterator[tuple[Block, str, Block | None]]:
    """Each block that is run, what it printed, and the page's own output block, if it has one.

    Raises AssertionError with the block's place when its commands fail.
    """
    found = blocks(page)
    with tempfile.TemporaryDirectory() as folder:
        for block, after in itertools.zip_longest(found, found[1:]):
            if block.mark.startswith("file: "):
                Path(folder, block.mark.removeprefix("file: ")).write_text(block.text)
            if block.mark == "run" or (slow and block.mark == "run: slow"):
                shown = after if after is not None and after.language == "output" else None
                yield block, _output_of(block, folder), shown


def _output_of(block: Block, folder: str) -> str:
    """What a terminal would show: standard output and standard error."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = os.environ | {"PATH": path, "COLUMNS": "92", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{block}: exit {done.returncode}\n{done.stdout}"
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def section(page: Path, heading: str) -> list[Block]:
    """The blocks between this heading of the second level and the next."""
    lines = page.read_text().splitlines()
    first = lines.index(f"## {heading}")
    last = next((n for n in range(first + 1, len(lines)) if lines[n].startswith("## ")), len(lines))
    return [block for block in blocks(page) if first < block.line < last]


def steady(text: str) -> str:
    """Output without what differs from run to run and from version to version."""
    for pattern, name in CHANGING:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def commands(shell: str) -> Iterator[list[str]]:
    """The arguments of every `swr1` in a shell script, without the name itself.

    `...` and redirections are left out, `$NAME` and `$(...)` count as one argument.
    """
    text = re.sub(r"\\\n", " ", shell)
    text = re.sub(r"<<'?(\w+)'?.*?^\1$", "", text, flags=re.M | re.S)
    while "$(" in text and (inner := re.search(r"\$\(([^()]*)\)", text)):
        yield from commands(inner[1])
        text = text.replace(inner[0], "VALUE")
    for words in _lines_of_words(text):
        arguments: list[str] | None = None
        skip = False
        for word in words:
            if skip:
                skip = False
            elif set(word) <= set("<>&") and set(word) & set("<>"):
                skip = True
            elif set(word) <= set("|&;()"):
                if arguments is not None:
                    yield arguments
                arguments = None
            elif arguments is not None:
                if word not in ("...", "…"):
                    arguments.append(word)
            elif word == "swr1":
                arguments = []
        if arguments is not None:
            yield arguments


def _lines_of_words(text: str) -> Iterator[list[str]]:
    """The words of each line, without comments; a quotation may go over several lines."""
    begun = ""
    for line in text.splitlines():
        begun += re.sub(r"(^|\s)#.*", "", line)
        lexer = shlex.shlex(begun, posix=True, punctuation_chars="|&;<>()")
        lexer.commenters = ""
        lexer.whitespace_split = True
        try:
            yield list(lexer)
            begun = ""
        except ValueError:
            begun += "\n"
    assert not begun, f"a quotation does not end: {begun}"


@functools.cache
def _command(*words: str) -> tuple[str, Any, list[str]]:
    """(name, command, words after its name) of a subcommand, whose name may be two words."""
    import typer

    from swr1.commands import app

    group: Any = typer.main.get_command(app)
    with group.make_context("swr1", [words[0]], resilient_parsing=True) as context:
        return group.resolve_command(context, [*words])


def parse(arguments: list[str]) -> None:
    """Let the real parser read a command line. Raises click's UsageError."""
    from swr1.commands import spread

    if arguments and not arguments[0].startswith("-"):
        name, command, after = _command(*arguments[:2])
        context = command.context_class(command, info_name=name)
        words = spread([*after, *arguments[2:]])
        values, _, _ = command.make_parser(context).parse_args(words)
        _check_names(name, values)


def _check_names(command: str, values: dict[str, Any]) -> None:
    """Raises UsageError for a verifier, recipe, objective or data set that does not exist."""
    from swr1.loading.declare import LOADERS
    from swr1.objectives.presets import PRESETS
    from swr1.rewards import recipe_names
    from swr1.training.modes import MODES
    from swr1.verifiers.running import split_names

    if command == "verify" and values.get("names"):
        split_names(values["names"])
    known, name = {
        "reward": (recipe_names(), values.get("recipe")),
        "train-step": ([*MODES, *PRESETS], values.get("objective")),
        "load": (LOADERS.names(), values.get("name")),
    }.get(command, ([], None))
    if name and name not in known and not re.search(r"\.py:|\.toml$|^[A-Z$]", name):
        raise UsageError(f"swr1 {command}: no such name {name!r}")


def check_python(source: str) -> None:
    """Compile Python and import what it takes from swr1. Raises SyntaxError or ImportError."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "swr1":
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "swr1":
                    importlib.import_module(alias.name)


def check(block: Block) -> None:
    """Parse a block by its language. Raises what its parser raises."""
    if block.mark == "free":
        return
    if block.language == "sh":
        for arguments in commands(block.text):
            parse(arguments)
    elif block.language == "python":
        check_python(block.text)
    elif block.language == "toml":
        tomllib.loads(block.text)
    elif block.language in ("json", "jsonl"):
        for line in block.text.splitlines() if block.language == "jsonl" else [block.text]:
            json.loads(line)


def main() -> None:
    for page in PAGES:
        text = page.read_text()
        for _, printed, shown in reversed(list(runs(page))):
            if shown and steady(printed) != steady(shown.text):
                text = text[: shown.span[0]] + printed + text[shown.span[1] :]
        page.write_text(text)


if __name__ == "__main__":
    main()
