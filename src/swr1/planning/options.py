"""What the options of `swr1 plan` say in a word, as numbers; what is needed of its record files."""

from __future__ import annotations

from collections.abc import Sequence

from swr1.errors import DataError, UsageError
from swr1.streams import read

ANY_NUMBER = 256  # in flight, where a speed names none


def parse_speeds(text: str) -> list[tuple[int, float]]:
    """ "1200@8,5200@128" -> [(8, 1200.0), (128, 5200.0)]: tokens/s by sequences in flight.

    Raises UsageError for anything else.
    """
    points = []
    try:
        for part in text.split(","):
            speed, _, number = part.partition("@")
            points.append((int(number or ANY_NUMBER), float(speed)))
    except ValueError:
        points = []
    if not points or min(min(n, speed) for n, speed in points) <= 0:
        raise UsageError(
            f"--rollout-speed is tokens/s of a replica, such as 5200, or at numbers in flight, such"
            f" as 1200@8,5200@128; not {text!r}"
        )
    return points


def parse_pair(option: str, like: str, text: str) -> tuple[float, float]:
    """ "1.2,1.5" -> (1.2, 1.5). Raises UsageError, with an example, for anything else."""
    try:
        first, second = map(float, text.split(","))
    except ValueError:
        raise UsageError(f"{option} is two numbers such as {like}, not {text!r}") from None
    return first, second


def read_completions(names: Sequence[str]) -> list[dict]:
    """The records of these files without their texts. Raises DataError for a bad one."""

    def bad(where: str, reason: str, record: object) -> None:
        raise DataError(reason, where)

    return [
        {"id": record["id"], "generation": record.get("generation") or {}}
        for record, _ in read(names, on_bad=bad)
        if isinstance(record, dict)
    ]
