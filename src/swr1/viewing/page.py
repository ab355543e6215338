"""Records for people: a row of the list, and one record in full with its tokens coloured.

Used by the plain output and by the terminal page alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from swr1.records import Record, pack
from swr1.terminal import shown
from swr1.viewing import BAD, GOOD, UNSURE, number
from swr1.viewing.source import BROKEN
from swr1.viewing.tokens import pieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer

COLOURINGS = ("probability", "mask", "none")
# Underlined too where it matters, so that it is seen without colours.
LEVELS = (
    (0.9, "≥ 0.9", ""),
    (0.5, "≥ 0.5", "#4aa5b5"),
    (0.1, "≥ 0.1", UNSURE),
    (0.01, "≥ 0.01", "underline #c678dd"),
    (0.0, "< 0.01", f"bold underline {BAD}"),
)
NARROW = 110  # cells; a narrower list shortens the id and leaves out what the record shows anyway
UNWRITTEN = "reverse"


def _clean(value: Any) -> Any:
    """The value with all its texts as they may be shown."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {_clean(k): _clean(v) for k, v in value.items()}
    if isinstance(value, list) and not (value and isinstance(value[0], int | float)):
        return [_clean(v) for v in value]
    return value


class Columns:
    """The list's columns, chosen from its first records: only what some of them have."""

    def __init__(self, first: Sequence[Record]) -> None:
        first = [r for r in first if BROKEN not in r]
        verdicts = sorted({v for r in first for v in r.get("verdicts") or {}})
        has = lambda name: any(_cell(r, name) for r in first)  # noqa: E731
        names = [n for n in ("people", "sample", "version") if has(n)]
        names += [f"verdicts.{v}" for v in verdicts]
        names += [n for n in ("reward", "tokens", "end") if has(n)]
        self.names = ["id", *names, "text"]
        titles = {n: _clean(n.removeprefix("verdicts.")) for n in self.names}
        titles["text"] = "completion" if any("completion" in r for r in first) else "prompt"
        self.titles = titles
        self.widths = {
            n: max([len(titles[n]), *(len(_cell(r, n)) for r in first)]) for n in self.names
        }
        self.widths["id"] = max(self.widths["id"], 16)

    def head(self, width: int | None = None) -> Text:
        return self._line([(self.titles[n], "bold") for n in self.names], width)

    def row(self, record: Record, width: int | None = None) -> Text:
        """One line, cut at `width` cells; without a width the text column has 80."""
        if BROKEN in record:
            line = Text(_clean(f"{BROKEN}: {record[BROKEN]}"), BAD, no_wrap=True)
            line.truncate(width or 100, overflow="ellipsis")
            return line
        return self._line([(_cell(record, n), _style(record, n)) for n in self.names], width)

    def _line(self, cells: Sequence[tuple[str, str]], width: int | None) -> Text:
        line = Text(no_wrap=True, end="")
        narrow = width is not None and width < NARROW
        for name, (text, style) in zip(self.names, cells, strict=True):
            if narrow and name in ("tokens", "end"):
                continue
            if narrow and name == "id":
                line.append(f"{text:8.8}  ", style)
            elif name == "text":
                room = 80 if width is None else max(width - line.cell_len, 0)
                cell = Text(text, style)
                cell.truncate(room, overflow="ellipsis")
                line.append_text(cell)
            else:
                right = name not in ("id", "end") and not name.startswith("verdicts.")
                wide = self.widths[name]
                line.append(text.rjust(wide) if right else text.ljust(wide), style)
                line.append("  ")
        if width is not None:
            line.truncate(width)
        return line


def _cell(record: Record, name: str) -> str:
    return _clean(_raw_cell(record, name))


def _raw_cell(record: Record, name: str) -> str:
    generation = record.get("generation") or {}
    if name == "text":
        text = record.get("completion")
        if text is None:
            text = _content((record.get("prompt") or [{}])[-1].get("content", ""))
        return " ".join(text[:400].split())
    if name.startswith("verdicts."):
        verdict = (record.get("verdicts") or {}).get(name.removeprefix("verdicts."))
        if not isinstance(verdict, dict):
            return "" if verdict is None else _json(verdict)
        return _judged(verdict)
    value = {
        "people": lambda: (record.get("info") or {}).get("people"),
        "version": lambda: (generation.get("policy") or {}).get("version"),
        "tokens": lambda: len(generation["token_ids"]) if "token_ids" in generation else None,
        "end": lambda: generation.get("finish_reason"),
    }.get(name, lambda: record.get(name))()
    return "" if value is None else number(value)


def _judged(verdict: dict[str, Any]) -> str:
    if verdict.get("score") is None:
        return "not judged"
    return str(verdict.get("label") or number(verdict["score"]))


def _style(record: Record, name: str) -> str:
    if name.startswith("verdicts."):
        verdict = (record.get("verdicts") or {}).get(name.removeprefix("verdicts.")) or {}
        return _scored(verdict.get("score") if isinstance(verdict, dict) else None)
    if name == "reward" and "reward" in record:
        return GOOD if record["reward"] > 0 else BAD
    return "dim" if name == "id" else ""


def _scored(score: Any) -> str:
    return (GOOD if score > 0 else BAD) if isinstance(score, int | float) else UNSURE


def in_full(
    record: Record, tokenizer: Tokenizer | None, colouring: str = "probability"
) -> RenderableType:
    """One record: prompt, completion, answer, verdicts, reward parts, then all else."""
    record = _clean(record)
    if BROKEN in record:
        rest = {k: v for k, v in record.items() if k != BROKEN}
        return Group(Text(f"{BROKEN}: {record[BROKEN]}", BAD), Text(_json(rest)))
    generation = record.get("generation") or {}
    parts: list[RenderableType] = [_title(record)]
    for message in record.get("prompt") or ():
        parts += [_head(str(message.get("role", "?"))), _inside(_content(message.get("content")))]
    if "completion" in record:
        parts.append(_head("completion"))
        text, legend = completion(record, tokenizer, colouring)
        if generation.get("prefill"):
            text = Text.assemble((generation["prefill"], "dim"), text)
        parts += [_inside(text), *([legend] if legend else [])]
    if "answer" in record:
        parts += [_head("answer"), _inside(_answer(record["answer"]))]
    if record.get("verdicts"):
        parts += [_head("verdicts"), _verdicts(record["verdicts"])]
    if "reward" in record:
        parts.append(_head("reward"))
        parts.append(_reward(record))
    for name in ("info", "generation", "trail"):
        if value := record.get(name):
            hidden = ("prompt_ids", "token_ids", "logprobs", "loss_mask", "prefill")
            shown = {k: v for k, v in value.items() if name != "generation" or k not in hidden}
            parts += [_head(name), _inside(_fields(shown))]
    return Group(*parts)


def _title(record: Record) -> Text:
    generation = record.get("generation") or {}
    policy = generation.get("policy") or {}
    bits = [
        f"sample {record['sample']} of {generation.get('group', '?')}"
        if "sample" in record
        else "",
        f"epoch {generation['epoch']}" if generation.get("epoch") else "",
        f"policy {policy.get('name')} version {policy.get('version')}" if policy else "",
        f"{len(generation['token_ids'])} tokens" if "token_ids" in generation else "",
        f"ended by {generation['finish_reason']}" if "finish_reason" in generation else "",
    ]
    about = ", ".join(b for b in [str(record.get("task", "")), *bits] if b)
    return Text.assemble((str(record.get("id", "?")), "bold reverse"), "  ", about)


def completion(record: Record, tokenizer: Tokenizer | None, colouring: str) -> tuple[Text, Text]:
    """The completion with its tokens coloured, and the line below that explains the colours."""
    generation = record.get("generation") or {}
    plain = Text(record["completion"])
    ids = generation.get("token_ids")
    if colouring == "none":
        return plain, Text()
    if not ids:
        return plain, Text("no colours: the record has no token ids", "dim italic")
    values = generation.get("logprobs" if colouring == "probability" else "loss_mask")
    if values is None:
        what = "log-probabilities" if colouring == "probability" else "loss mask"
        return plain, Text(f"no colours: the record has no {what}", "dim italic")
    if tokenizer is None:
        return plain, Text(
            "no colours: the policy's tokenizer was not found; name it with --tokenizer",
            "dim italic",
        )
    texts = _clean(pieces(tokenizer, ids))
    if not record["completion"].strip() or record["completion"].strip() not in "".join(texts):
        special = _without_special(tokenizer, ids)
        if special.strip() != record["completion"].strip():
            return plain, Text(
                "no colours: this tokenizer reads the tokens as another text than the completion",
                "dim italic",
            )
    coloured = Text()
    for text, value in zip(texts, values, strict=True):
        coloured.append(text, token_style(value, colouring))
    return coloured, _legend(values, colouring)


def _without_special(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    return _clean(tokenizer.decode(list(ids), skip_special_tokens=True))


def token_style(value: float, colouring: str) -> str:
    """The style of a token by its log-probability (nats) or its place in the loss mask."""
    if colouring == "mask":
        return "" if value else UNWRITTEN
    chance = math.exp(min(value, 0.0))
    return next(style for least, _, style in LEVELS if chance >= least)


def _legend(values: Sequence[float], colouring: str) -> Text:
    if colouring == "mask":
        unwritten = sum(1 for v in values if not v)
        return Text.assemble(
            (f"{len(values)} tokens, ", "dim"),
            (f"{unwritten} not written by the policy", UNWRITTEN if unwritten else "dim"),
        )
    line = Text.assemble(("probability: ", "dim"))
    for _, name, style in LEVELS:
        line.append(name, style)
        line.append("  ")
    line.append(f"mean log-probability {number(sum(values) / len(values))}", "dim")
    return line


def _verdicts(verdicts: dict[str, Any]) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(4):
        table.add_column(overflow="fold")
    for name, verdict in verdicts.items():
        if not isinstance(verdict, dict):
            table.add_row(f"  {name}", _json(verdict))
            continue
        score = verdict.get("score")
        style = _scored(score)
        rest = {k: v for k, v in verdict.items() if k not in ("score", "label")}
        table.add_row(
            f"  {name}", Text(number(score), style), Text(_judged(verdict), style), _fields(rest)
        )
    return table


def _reward(record: Record) -> RenderableType:
    reward = record["reward"]
    line = Text.assemble("  ", (number(reward), f"bold {GOOD if reward > 0 else BAD}"))
    parts = record.get("reward_parts") or {}
    if parts:
        line.append("  = ")
    for i, (name, part) in enumerate(parts.items()):
        value, weight = (
            (part.get("value"), part.get("weight", 1)) if isinstance(part, dict) else (part, 1)
        )
        times = "" if weight == 1 else f"{number(weight)} × "
        line.append(f"{' + ' if i else ''}{name} {times}{number(value)}")
    return line


def _answer(answer: Any) -> str:
    pairs = isinstance(answer, list) and all(
        isinstance(p, list) and len(p) == 2 and all(isinstance(x, str) for x in p) for p in answer
    )
    if pairs:
        return "\n".join(f"{name}: {role}" for name, role in answer)
    return answer if isinstance(answer, str) else _json(answer)


def _fields(value: dict[str, Any]) -> Text:
    return Text("  ").join(
        Text.assemble((f"{k} ", "dim"), v if isinstance(v, str) else _json(v))
        for k, v in value.items()
    )


def _content(content: Any) -> str:
    return content if isinstance(content, str) else _json(content)


def _head(name: str) -> Text:
    return Text(f"\n{name}", "bold")


def _inside(content: str | Text) -> Padding:
    return Padding(
        Text(content) if isinstance(content, str) else content, (0, 0, 0, 2), expand=False
    )


def _json(value: Any) -> str:
    return pack(value).decode()
