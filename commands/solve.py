"""All solutions of a puzzle: of every record, or of a text, for a person to read."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from swr1.commands._stage import stage_command
from swr1.errors import DataError, UsageError
from swr1.streams import standard


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
    from swr1.puzzles.solver import puzzle_in, solve_record

    if text and Path(text[:200]).is_file():
        raise UsageError(f"--text takes the text itself; of a file: swr1 solve --text - < {text}")
    stage = open_stage()
    texts = dict(texts_among(stage.inputs, text))
    if texts:
        if stage.output != "-":
            raise UsageError("the solution of a text is printed; -o is for records")
        from swr1.puzzles.solution_page import print_solutions

        for source, puzzle in texts.items():
            with standard.ours():
                if len(texts) > 1:
                    print(f"{source}:")
                try:
                    print_solutions(puzzle, most, explain)
                except DataError as error:
                    raise DataError(error.reason, source) from None
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
            info["difficulty"] = difficulty(puzzle_in(record, reread)[2])
        return record

    with stage:
        stage.map(add)


def texts_among(inputs: Sequence[str], text: str | None) -> Iterator[tuple[str, str]]:
    """(where, text) for --text and .txt files; they do not mix with records."""
    if text is not None:
        if list(inputs) != ["-"]:
            raise UsageError("--text takes no files; a puzzle in a file is a .txt file")
        yield "--text", _standard_input() if text == "-" else text
        return
    plain = [name for name in inputs if name.endswith(".txt")]
    if plain and len(plain) < len(inputs):
        raise UsageError("records and .txt files cannot be solved together")
    for name in plain:
        yield name, Path(name).read_text(encoding="utf-8")


def _standard_input() -> str:
    with open(standard.input_fd(), encoding="utf-8", closefd=False) as file:
        return file.read()
