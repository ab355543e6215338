"""All solutions of a puzzle: of every record, or of a text, for a person to read."""

from pathlib import Path
from typing import Annotated

import typer

from swr1.commands._stage import stage_command
from swr1.errors import DataError, UsageError


@stage_command()
def command(
    open_stage,
    text: Annotated[
        str | None, typer.Option(help="Solve this text and print the answer; - reads stdin.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Most solutions to list.")] = 2,
    reread: Annotated[
        bool, typer.Option("--reread", help="Read the prompt's text, not info.statements.")
    ] = False,
    measure: Annotated[
        bool, typer.Option("--difficulty", help="Records get info.difficulty as well.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="With a text: the way to the solution, too.")
    ] = False,
):
    """All solutions of a puzzle: of every record, or of a text, for a person to read.

    Records get info.solved: count, exact, worlds (the truth tellers' names), and agrees (whether
    the answer is among them). Files named .txt are texts, a puzzle each.

    swr1 solve puzzles.jsonl -o solved.jsonl

    swr1 solve --text "$(cat puzzle.txt)" --explain
    """
    from swr1.puzzles.difficulty import difficulty
    from swr1.puzzles.solver import solve_record, told_in

    stage = open_stage()
    texts = dict(texts_among(stage.inputs, text))
    if texts:
        if stage.output != "-":
            raise UsageError("the solution of a text is printed; -o is for records")
        for where, puzzle in texts.items():
            if len(texts) > 1:
                print(f"{where}:")
            try:
                print_solutions(puzzle, most, explain)
            except DataError as error:
                raise DataError(error.reason, where) from None
        return
    if explain:
        raise UsageError("--explain is for texts: --text or .txt files")

    def add(record):
        solved = solve_record(record, most, reread)
        if solved is None:
            stage.tally("solutions", "not a puzzle")
            return record
        stage.tally("solutions", {0: "none", 1: "one"}.get(solved["count"], "several"))
        agrees = {True: "fits", False: "does not fit", None: "absent"}[solved["agrees"]]
        stage.tally("answer", agrees)
        info = record["info"] = {**(record.get("info") or {}), "solved": solved}
        if measure:
            info["difficulty"] = difficulty(told_in(record, reread)[2])
        return record

    with stage:
        stage.map(add)


def texts_among(inputs, text):
    """(where, text) for --text and .txt files; they do not mix with records."""
    import sys

    if text is not None:
        if list(inputs) != ["-"]:
            raise UsageError("--text takes no files; a puzzle in a file is a .txt file")
        yield "--text", sys.stdin.read() if text == "-" else text
        return
    plain = [name for name in inputs if name.endswith(".txt")]
    if plain and len(plain) < len(inputs):
        raise UsageError("records and .txt files cannot be solved together")
    for name in plain:
        yield name, Path(name).read_text(encoding="utf-8")


def print_solutions(text, most, explain):
    """One solution: a line per person, with what was understood; several: a line for each."""
    from random import Random

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from swr1.puzzles.item import Puzzle
    from swr1.puzzles.reading import read_puzzle
    from swr1.puzzles.solver import solve
    from swr1.puzzles.traces import trace_fields
    from swr1.puzzles.wording import CHINESE, ENGLISH, clause

    names, roles, statements = read_puzzle(text)
    worlds, count, exact = solve(statements, most)
    if not worlds:
        print("No solution: whoever tells the truth, somebody's words do not fit.")
        return
    if explain:
        puzzle = Puzzle(names, statements, worlds[0], roles)
        trace = trace_fields(puzzle, "search", Random(0))["trace"]
        print(trace.partition("<think>")[2].partition("</think>")[0].strip(), end="\n\n")
    if count > 1:
        shown = f"; {len(worlds)} of them" if len(worlds) < count else ""
        print(f"{'' if exact else 'At least '}{count:,} solutions{shown}:")
        for i, world in enumerate(worlds, 1):
            truths, liars = (
                ", ".join(name for name, role in zip(names, world, strict=True) if role == wanted)
                for wanted in (True, False)
            )
            print(f"{i}. {roles.truths}: {truths or '-'}; {roles.liars}: {liars or '-'}")
        return
    print("One solution:")
    grammar = CHINESE if "\u3400" <= roles.truth[0] <= "\u9fff" else ENGLISH
    table = Table("who", "is", "says", box=SIMPLE_HEAD, pad_edge=False)
    for name, role, statement in zip(names, worlds[0], statements, strict=True):
        said = clause(statement, grammar, roles).format(*names)
        table.add_row(*map(escape, [name, roles.word(role), said]))
    Console(highlight=False).print(table)
