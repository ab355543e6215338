"""How often the samples of each prompt passed lately: the trainer counts, a curriculum goes by it."""

from __future__ import annotations

import json
from pathlib import Path

from swr1.errors import DataError

HALF_LIFE = 20  # versions after which a result counts half: policies change fast


class PassRates:
    """How often the samples of each prompt passed lately, for a curriculum.

    The trainer adds the groups it takes and saves them into the folder of the version that they
    made, beside its own state: so they survive a kill and go with a version that is
    retracted, and a rollout that uses them depends on the version alone.

    `prompts`: id -> [passed, judged, version, visits]: both counts decayed to that version, and how
    many groups of this prompt were ever taken.
    """

    FILE = "pass_rates.json"

    def __init__(self, prompts: dict[str, list[float]] | None = None) -> None:
        self.prompts = prompts or {}

    def add(self, id_: str, passed: int, judged: int, version: int) -> None:
        """Count a group taken when `version` was the newest: `passed` of its `judged` samples were right.

        Dropped groups belong here too: groups all right or all wrong are the most informative.
        """
        before, of = self.recent(id_, version)
        visits = self.visits(id_) + 1
        self.prompts[id_] = [round(before + passed, 4), round(of + judged, 4), version, visits]

    def recent(self, id_: str, version: int) -> tuple[float, float]:
        """(passed, judged) as they count at `version`: half for every HALF_LIFE versions past."""
        passed, judged, then, _ = self.prompts.get(id_, (0, 0, version, 0))
        weight = 0.5 ** (max(0, version - then) / HALF_LIFE)
        return passed * weight, judged * weight

    def visits(self, id_: str) -> int:
        """Groups of this prompt that were taken so far."""
        return int(self.prompts[id_][3]) if id_ in self.prompts else 0

    def save(self, folder: Path) -> None:
        """Write the file into `folder`, which is not yet published."""
        (folder / self.FILE).write_text(json.dumps(self.prompts))

    @classmethod
    def load(cls, folder: Path) -> PassRates:
        """Read the pass rates of a version or state folder; they are empty where none were saved."""
        file = folder / cls.FILE
        try:
            prompts = json.loads(file.read_text())
        except FileNotFoundError:
            return cls()
        except ValueError as error:
            raise DataError(f"the pass rates are not JSON ({error})", str(file)) from None
        rows = prompts.values() if isinstance(prompts, dict) else [None]
        if not all(
            isinstance(r, list) and len(r) == 4 and set(map(type, r)) <= {int, float} for r in rows
        ):
            raise DataError("the pass rates are not four numbers a prompt", str(file))
        return cls(prompts)
