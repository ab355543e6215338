"""The options that all stages share: where records go, and how a run behaves."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from swr1.errors import UsageError
from swr1.options import option, options_of
from swr1.pictures.config import PictureOptions

common = partial(option, panel="Common")


@dataclass(kw_only=True)
class Common(PictureOptions):
    """The stage's own options come before these; a stage that writes no records has fewer."""

    on_error: str = common(
        "fail", "On a bad record: fail, skip, or quarantine PATH.", metavar="WHAT"
    )
    trust_remote_code: bool = common(
        False, "Let code run that a model's or tokenizer's folder brings; never without this."
    )
    output: str = common(
        "-",
        "FILE.jsonl[.gz|.zst], FILE.parquet, FOLDER/ for shards, or - (stdout).",
        "--output",
        "-o",
        metavar="PATH",
        usual=True,
    )
    shard: str | None = common(None, "Work on shard I of N only.", metavar="I/N")
    force: bool = common(False, "Start over: neither continue nor keep.")
    quiet: bool = common(False, "Only errors on stderr.", "--quiet", "-q")
    metrics: Path | None = common(None, "Append one JSON object about the run to this file.")
    dry_run: bool = common(False, "Print the resolved options and stop.")


PICTURES = set(options_of(PictureOptions))


def parse_on_error(text: str) -> tuple[str, Path | None]:
    """("fail" | "skip" | "quarantine", path)."""
    policy, _, path = text.partition("=")
    if policy not in ("fail", "skip", "quarantine") or (policy == "quarantine") != bool(path):
        raise UsageError(f"--on-error is fail, skip, or quarantine PATH, not {text!r}")
    return policy, Path(path) if path else None


def check_numbers(values: dict[str, Any]) -> None:
    """Raises UsageError for a number that can be meant nowhere; --config is checked alike."""
    for name, value in values.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            flag = f"--{name.replace('_', '-')}"
            if type(one) is int and abs(one) >= 2**63:
                raise UsageError(f"{flag} must be a whole number of at most 64 bits")
            if type(one) is float and math.isnan(one):
                raise UsageError(f"{flag} must be a number, it is nan")
