"""Does the reasoning say what the picture shows? By rule for drawn pictures, else by a served judge.

    swr1 gen-pictures -n 400 --split test | swr1 rollout --policy runs/m3 | swr1 verify exact visual-focus
    swr1 verify visual-focus photographs.jsonl --guard Qwen2.5-VL-72B-Instruct --url http://gpu1:8000/v1

Counted are the things that the reasoning puts into cells ("b1 circle red small", "b1: a small red
circle"), against those of the scene: the F1 of the two sets. That a cell is empty counts for nothing,
since most are; words without a cell, or of which shape, colour or size is missing, state no thing; and two
things said of one cell are two statements, of which one is wrong. Our reading of SafeWork-R1's name for it,
whose formula is not public.

A judge that reads pictures (--guard, --url) is given those of records without a scene, with what the policy
wrote, and says sees, misses or silent.
"""

from typing import Any

from swr1.errors import UsageError
from swr1.picture_parts import has_pictures
from swr1.records import Record
from swr1.scenes.scene import Scene, stated
from swr1.steps import thoughts
from swr1.types import Verdict
from swr1.verifiers.completions.text import assistant_text
from swr1.verifiers.models.options import ModelOptions, opener, refuse_without_guard
from swr1.verifiers.verdicts import null, verdict

BY = "visual-focus@1"
LABELS = {"sees": (0, 1), "misses": 0, "silent": 0}
NEEDS = "info.scene, as swr1 gen-pictures makes it; or --guard, a served judge that reads pictures"
WITHOUT_MODEL = True  # beside `safety` and its like, --guard is theirs: see running.py


@opener
def open(*, floor: float = 0.5, prefill: str = "", **options: Any) -> "VisualFocus":
    """The verifier.

    Args:
        floor: an F1 up to here scores 0, since words and luck alone reach some; from there it rises to 1.
        prefill: the opening of the turn, for records that do not say it.
        options: of `ModelOptions`; with `guard` and `url`, who judges records without a scene.

    Raises UsageError for an option that is none, and for a judge that no server has.
    """
    if not 0 <= floor < 1:
        raise UsageError(f"visual-focus.floor is at least 0 and below 1, not {floor:g}")
    judge = None
    if options.get("guard") or options.get("url"):
        from swr1.verifiers.models.opening import open_model

        asked = ModelOptions(**({"judge": "visual-focus", "pictures": "send"} | options))
        judge = open_model("visual-focus", ("sees", "misses", "silent"), "silent", None, asked)
    else:
        refuse_without_guard("visual-focus", options)
    return VisualFocus(judge, floor, prefill)


def verify(record: Record, **options: Any) -> Verdict:
    """The verdict on one record. Raises DataError without a completion."""
    return open.one(record, **options)


class VisualFocus:
    """As `open` describes it; judge: a `ModelVerifier`."""

    def __init__(self, judge: Any, floor: float, prefill: str) -> None:
        self.judge, self.floor, self.prefill = judge, floor, prefill
        self.ahead: int = getattr(judge, "ahead", 0)

    def submit(self, record: Record) -> Any:
        """A verdict, or one that waits for the judge."""
        if self.judge and (record.get("info") or {}).get("scene") is None:
            if not has_pictures(record):
                return null(BY, "the prompt has no picture")
            return self.judge.submit(record)
        return by_rule(record, floor=self.floor, prefill=self.prefill)

    @property
    def lost(self) -> str:
        return getattr(self.judge, "lost", "")

    def flush(self, why: str) -> None:
        if self.judge:
            self.judge.flush(why)

    def close(self) -> None:
        if self.judge:
            self.judge.close()

    def summary(self) -> str:
        return self.judge.summary() if self.judge else ""


def by_rule(record: Record, *, floor: float = 0.5, prefill: str = "") -> Verdict:
    """A verdict: "sees", "misses" (F1 not above the floor) or "silent" (no thing is stated; score 0).

    Args:
        record: a question about a drawn picture, with a `completion`.
        floor, prefill: as of `open`.

    `detail` holds `f1`, `stated`, `right` and `shown` (numbers of things), and `wrong`, the first few that
    are stated and not there. The score is null for a record without a scene. Raises DataError without a
    completion or for a scene that is none.
    """
    text = assistant_text(record, prefill)
    info = (record.get("info") or {}).get("scene")
    if info is None:
        return null(BY, "the record has no scene: only drawn pictures are judged by a rule")
    scene = Scene.of(info, getattr(record, "location", "") or f"record {record.get('id')}")
    said = {
        one.thing for a, b in thoughts(text) for one in stated(text[a:b]) if one.thing is not None
    }
    right = said & set(scene.things)
    total = len(said) + len(scene.things)
    f1 = 2 * len(right) / total if total else 0.0
    score = max(0.0, f1 - floor) / (1 - floor)
    return verdict(
        BY,
        score,
        "sees" if score else "misses" if said else "silent",
        f1=f1,
        stated=len(said),
        right=len(right),
        shown=len(scene.things),
        wrong=[str(thing) for thing in sorted(said - right)[:5]],
    )


def gold(record: Record) -> str:
    """The scene itself, said in full."""
    info = (record.get("info") or {}).get("scene")
    things = Scene.of(info).things if info is not None else ()
    return "<think> " + "\n".join(map(str, things)) + " </think>\n<answer> seen </answer>"
