"""The figures of `swr1 eval`, run by run: numbers as plain JSON, and the page for people.

    def open_run(inputs):
        return Stage("eval", {}, inputs=inputs, output=None)

    numbers, page = suites(open_run, {"before": ["a.jsonl"], "after": ["b.jsonl"]})

Each function opens the files of one run after another, so one run is held at a time, and what is
bad in a file is treated as the stage of `open_run` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from swr1.evals import contamination, memorisation, report, suite_page
from swr1.evals.config import SuiteConfig
from swr1.evals.failures import Failures
from swr1.evals.metrics import Summary
from swr1.evals.suites import compare_runs, load_measures, measure
from swr1.streams import Stage

Runs = Mapping[str, Sequence[str]]  # label -> files
OpenRun = Callable[..., Stage]  # open_run(inputs=files)
Figures = tuple[Any, RenderableType]


def accuracy(
    summaries: Mapping[str, Summary], trained: Sequence[str] = (), picture: Path | None = None
) -> Figures:
    """Right and wrong by group, of one run or of several side by side.

    Args:
        summaries: by label, see metrics.summarise. trained: names of groups that were trained on.
        picture: where to draw it (.png, .svg, .pdf).
    """
    if picture:
        from swr1.evals.picture import accuracy_picture

        accuracy_picture(summaries, picture, trained=trained)
    numbers = {n: {k: v for k, v in s.items() if k != "items"} for n, s in summaries.items()}
    if len(summaries) == 1:
        [(label, only)] = summaries.items()
        return numbers, report.report(only, title=label, trained=trained)
    return numbers, report.compare(summaries, trained=trained)


def suites(
    open_run: OpenRun,
    runs: Runs,
    config: SuiteConfig,
    by: str | None = None,
    picture: Path | None = None,
) -> Figures:
    """Every benchmark's own metric.

    Args:
        by: break measures down by this key of info. picture: safety against ability.
    """
    chosen = load_measures(config.names(), config.measures)
    read, bad = {}, Failures()
    for label, files in runs.items():
        with open_run(inputs=files) as stage:
            records = filter(None, stage.read(needs=("id",)))
            note = bad.of(label) if config.failures else None
            read[label or "all"] = measure(records, chosen, by, note)
    numbers = compare_runs(read, chosen)
    if config.failures:
        bad.write(config.failures)
    if picture:
        suite_page.two_axes(numbers, picture, config.ladders)
    return numbers, suite_page.page(numbers, config.detail or bool(by))


def by_heart(open_run: OpenRun, runs: Runs, by: str, verdict: str | None) -> Figures:
    """LiMem: accuracy on puzzles and on perturbed ones, see memorisation.memorisation."""
    results = {}
    for label, files in runs.items():
        with open_run(inputs=files) as stage:
            judged = filter(None, stage.read(needs=("id", "completion")))
            results[label] = memorisation.memorisation(judged, by, verdict)
    return results, memorisation.report(results)


def seen_in(
    training: Sequence[str], open_run: OpenRun, runs: Runs, by: str, verdict: str | None
) -> Figures:
    """Which puzzles are in these training files, see contamination.Held."""
    results = {}
    for label, files in runs.items():
        with open_run(inputs=files) as stage:
            held = contamination.Held(filter(None, stage.read(needs=("id", "info"))), by, verdict)
        with open_run(inputs=training) as stage:
            results[label] = held.look_through(filter(None, stage.read(needs=("id", "info"))))
    return results, contamination.report(results)
