"""Knights & Knaves of mem-kk, Logic-RL and reasoning-gym: every text read, solved and compared.

Rows as their authors publish them: mem-kk's JSONL (`quiz`, `statements`, `solution`, ...), the same
columns in Logic-RL's Parquet with `prompt` and `reward_model`, and reasoning-gym's items
(`question`, `answer`, `metadata`). The statements of the record come from the text. They are solved,
and all that the row says besides (names, roles, statements, solution, its texts) must agree.
"""

from typing import Any

from swr1.errors import DataError
from swr1.loading.chat import unpacked
from swr1.puzzles.item import Puzzle
from swr1.puzzles.reading import ParsedPuzzle, read_claims, read_within
from swr1.puzzles.solver import solve
from swr1.puzzles.statements import as_lists

ABOUT = {
    "mem-kk": {"licence": "CC-BY-NC-SA-4.0", "citation": "arXiv:2410.23123"},
    "logic-rl": {"citation": "arXiv:2502.14768"},
    "reasoning-gym": {"licence": "Apache-2.0", "citation": "arXiv:2505.24760"},
}
_KINDS = {"telling-truth": "knight", "lying": "knave", "->": "implies", "<=>": "iff"}


def load(row: dict[str, Any], keep_prompt: bool = False) -> dict[str, Any]:
    """mem-kk, Logic-RL and reasoning-gym puzzles, each text read, solved and compared.

    Args:
        row: one row of a published file.
        keep_prompt: the row's own prompt (Logic-RL's template, reasoning-gym's note on the layout)
            instead of the puzzle alone.

    Raises DataError that begins with "unknown shape", "unreadable text", "no solution", "several
    solutions" or "stored data differ".
    """
    shape, text, index = _shape(row)
    try:
        puzzle, puzzle_text = read_within(text)
    except DataError as error:
        raise DataError(f"unreadable text: {error.reason}") from None
    solutions = solve(puzzle.statements, most=2)
    if solutions.count != 1:
        kind = "several solutions" if solutions.count else "no solution"
        raise DataError(f"{kind}: the text fits {solutions.count} worlds, not exactly one")
    world = solutions.worlds[0]
    if differences := _differences(row, shape, puzzle, world):
        raise DataError(f"stored data differ: {'; '.join(differences)}")
    prompt = [{"role": "user", "content": text if keep_prompt else puzzle_text}]
    if keep_prompt and isinstance(row.get("prompt"), list):
        prompt = row["prompt"]
    names, roles, statements = puzzle
    info = {
        "people": len(names),
        "names": names,
        "roles": [roles.truth, roles.liar],
        "statements": [as_lists(s) for s in statements],
        "source": {"format": shape} | ({} if index is None else {"index": index}),
        **ABOUT[shape],
    }
    answer = Puzzle(names, statements, world, roles).answer()
    return {"task": "knights", "prompt": prompt, "answer": answer, "info": info}


def _shape(row: Any) -> tuple[str, str, Any]:
    """(format, the puzzle's text, index in the published set)."""
    if isinstance(row, dict):
        if isinstance(row.get("quiz"), str):
            shape = "logic-rl" if "reward_model" in row else "mem-kk"
            return shape, row["quiz"], row.get("index")
        about = unpacked(row.get("metadata"))
        if isinstance(row.get("question"), str) and isinstance(about, dict):
            return "reasoning-gym", row["question"], about.get("source_index")
    columns = ", ".join(row) if isinstance(row, dict) else type(row).__name__
    raise DataError(
        f"unknown shape: the row has {columns or 'nothing'}; known are mem-kk and Logic-RL (quiz,"
        " ...) and reasoning-gym (question, answer, metadata)"
    )


def _differences(
    row: dict[str, Any], shape: str, puzzle: ParsedPuzzle, world: tuple[bool, ...]
) -> list[str]:
    """Where the row contradicts its text, in words; missing columns contradict nothing."""
    gym = shape == "reasoning-gym"
    about = unpacked(row["metadata"]) if gym else row
    truth = unpacked(row.get("reward_model")) if shape == "logic-rl" else None
    truth = unpacked((truth or {}).get("ground_truth")) or {}
    terms = unpacked(about.get("knight_knave_terms" if gym else "knight_knave")) or {}
    stored: list[tuple[str, Any, Any]] = [
        ("names", unpacked(about.get("names")), puzzle.names),
        (
            "roles",
            [terms.get("knight"), terms.get("knave")] if terms else None,
            [*puzzle.roles[:2]],
        ),
        ("solution", unpacked(about.get("solution")), list(world)),
    ]
    statements = [as_lists(s) for s in puzzle.statements]
    for name, holder in (("statements", about), ("reward_model statements", truth)):
        if (value := unpacked(holder.get("statements"))) is not None:
            stored.append((name, _statements(value, gym), statements))
    columns = ("answer",) if gym else ("solution_text", "solution_text_format")
    texts = [(column, row.get(column)) for column in columns]
    texts.append(("reward_model solution_text_format", truth.get("solution_text_format")))
    for name, text in texts:
        if text is not None:
            claims = read_claims(str(text), puzzle.names, puzzle.roles)
            stored.append((name, _named(claims, puzzle), _named(enumerate(world), puzzle)))
    return [
        f"{name} {_shown(theirs)}, by the text {_shown(ours)}"
        for name, theirs, ours in stored
        if theirs is not None and _plain(theirs) != _plain(ours)
    ]


def _named(claims: Any, puzzle: ParsedPuzzle) -> list[str]:
    return [f"{puzzle.names[person]} {puzzle.roles.word(truth)}" for person, truth in claims]


def _statements(value: Any, gym: bool) -> Any:
    """Stored statements as ours, as they are where that cannot be.

    reasoning-gym writes "not" of a leaf as the opposite role, so the text has no such "not".
    """

    def ours(s: Any) -> list[Any]:
        kind, *parts = s
        if kind in ("telling-truth", "lying"):
            (person,) = parts
            return [_KINDS[kind], int(person)]
        if gym and kind == "not" and parts[0][0] in ("telling-truth", "lying"):
            return ["knave" if parts[0][0] == "telling-truth" else "knight", int(parts[0][1])]
        return [_KINDS.get(kind, kind), *map(ours, parts)]

    if isinstance(value, str):
        return value
    try:
        return [ours(s) for s in value]
    except (TypeError, ValueError, IndexError, KeyError):
        return value


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def _shown(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        value = ", ".join(value) or "nothing"
    text = str(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
