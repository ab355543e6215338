"""The figures of `swr1 eval`, run by run: numbers as plain JSON, the page for people, rows for CSV.

    def open_run(inputs):
        return Stage("eval", {}, inputs=inputs, output=None)

    figures = suites(open_run, {"before": ["a.jsonl"], "after": ["b.jsonl"]}, SuiteConfig(suite="safety"))

Each function reads the files of one run after another, and what is bad in a file is treated as the
stage of `open_run` says. With a key (`runs_by`) the records of one file belong to the runs that it
names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rich.console import RenderableType

from swr1.evals import calibration_page, contamination, csv_rows, memorisation, report, suite_page
from swr1.evals.config import SuiteConfig
from swr1.evals.failures import Failures
from swr1.evals.keys import no_key, note_keys, value_of
from swr1.evals.metrics import Summariser
from swr1.evals.same_prompt import PromptsOfRuns
from swr1.evals.suites import Measuring, compare_runs, load_measures
from swr1.records import Record
from swr1.streams import Stage
from swr1.terminal import say

Runs = Mapping[str, Sequence[str]]  # label -> files
OpenRun = Callable[..., Stage]  # open_run(inputs=files)
Reading = Callable[[Stage], AbstractContextManager[Iterable[Record]]]


@dataclass(frozen=True)
class Figures:
    """What was found. `rows`: flat, for CSV."""

    numbers: Any
    page: RenderableType
    rows: list[dict[str, Any]]


class Collector(Protocol):
    """What is made of one run's records, one by one."""

    def add(self, record: Record) -> None: ...


C = TypeVar("C", bound=Collector)


def collect(
    open_run: OpenRun,
    runs: Runs,
    make: Callable[[str], C],
    reading: Reading,
    runs_by: str | None = None,
    prompts: PromptsOfRuns | None = None,
) -> dict[str, C]:
    """A collector per run, filled: per label, or per value of the key `runs_by` (under a label, if
    there are several). Raises UsageError for a key that no record has, and for system prompts that
    differ from run to run, unless `prompts` allow it."""
    if prompts is None:
        prompts = PromptsOfRuns(allowed=(runs_by or "").startswith("system_prompt"))
    found: dict[str, C] = {} if runs_by else {label: make(label) for label in runs}
    known: set[str] = set()
    named = False
    for label, files in runs.items():
        with open_run(inputs=files) as stage, reading(stage) as records:
            for record in records:
                run = label
                if runs_by:
                    note_keys(record, known)
                    value = value_of(record, runs_by)
                    named |= value is not None
                    run = " ".join(filter(None, [label * (len(runs) > 1), value or "-"]))
                if run not in found:
                    found[run] = make(run)
                found[run].add(record)
                prompts.note(run, record)
    prompts.check()
    if runs_by and not named:
        raise no_key("--runs-by", runs_by, known)
    return found


def reading(*needs: str) -> Reading:
    """The valid records of a stage, with these fields."""

    @contextmanager
    def read(stage: Stage) -> Iterator[Iterable[Record]]:
        yield filter(None, stage.read(needs))

    return read


def accuracy(
    open_run: OpenRun,
    runs: Runs,
    by: str | None = None,
    verdict: str | None = None,
    trained: Sequence[str] = (),
    *,
    runs_by: str | None = None,
    picture: Path | None = None,
    over_tokens: Path | None = None,
    read: Reading = reading("id", "completion"),
    prompts: PromptsOfRuns | None = None,
) -> Figures:
    """Right and wrong by group, of one run or of several, the first of which is compared with the others.

    Args:
        by: the key that groups the records, see keys.value_of. verdict: see metrics.Summariser.
        trained: names of groups that were trained on.
        picture: where to draw it (.png, .svg, .pdf). prompts: see collect.
        over_tokens: where to draw it over the tokens that were spent, see cost_picture.
    """
    collected = collect(open_run, runs, lambda _: Summariser(by, verdict), read, runs_by, prompts)
    summaries = {label: one.summary() for label, one in collected.items()}
    if picture:
        from swr1.evals.picture import accuracy_picture

        accuracy_picture(summaries, picture, trained=trained)
    if over_tokens:
        from swr1.evals.cost_picture import cost_picture

        cost_picture(summaries, over_tokens)
    numbers: dict[str, Any] = {
        n: {k: v for k, v in s.items() if k != "items"} for n, s in summaries.items()
    }
    if len(summaries) == 1:
        [(label, only)] = summaries.items()
        page = report.report(only, title=label, trained=trained)
    else:
        page = report.compare(summaries, trained=trained)
        for label, (first, rows) in report.changes(summaries, trained).items():
            lenient = report.lenient_change(summaries[first], summaries[label])
            numbers[label]["change"] = {"from": first, "rows": rows, "lenient": lenient}
    return Figures(numbers, page, csv_rows.accuracy(numbers))


def suites(
    open_run: OpenRun,
    runs: Runs,
    config: SuiteConfig,
    by: str | None = None,
    *,
    runs_by: str | None = None,
    picture: Path | None = None,
    prompts: PromptsOfRuns | None = None,
) -> Figures:
    """Every benchmark's own metric.

    Args:
        by: break measures down by this key of info. picture: two axes, config.axes.
    """
    chosen = load_measures(config.names(), config.measures)
    bad = Failures()

    def make(label: str) -> Measuring:
        return Measuring(chosen, by, bad.of(label) if config.failures else None)

    collected = collect(open_run, runs, make, reading("id"), runs_by, prompts)
    numbers = compare_runs({label or "all": one.run() for label, one in collected.items()}, chosen)
    if config.failures:
        bad.write(config.failures)
    if picture and (why := suite_page.two_axes(numbers, picture, config.ladders, config.axes)):
        say("swr1 eval", why)
    page = suite_page.page(numbers, config.detail or bool(by))
    return Figures(numbers, page, csv_rows.suites(numbers))


def by_heart(
    open_run: OpenRun,
    runs: Runs,
    by: str | None,
    verdict: str | None,
    runs_by: str | None = None,
    prompts: PromptsOfRuns | None = None,
) -> Figures:
    """LiMem: accuracy on puzzles and on perturbed ones, see memorisation.Memory."""
    collected = collect(
        open_run,
        runs,
        lambda _: memorisation.Memory(by, verdict),
        reading("id", "completion"),
        runs_by,
        prompts,
    )
    results = {label: one.figures() for label, one in collected.items()}
    return Figures(results, memorisation.report(results), csv_rows.by_heart(results))


def calibrated(
    open_run: OpenRun,
    runs: Runs,
    verdict: str | None = None,
    *,
    runs_by: str | None = None,
    picture: Path | None = None,
    prompts: PromptsOfRuns | None = None,
) -> Figures:
    """Stated confidence against what was right, see calibration."""
    collected = collect(
        open_run,
        runs,
        lambda _: calibration_page.Calibrating(verdict),
        reading("id", "completion"),
        runs_by,
        prompts,
    )
    numbers = {label: one.figures() for label, one in collected.items()}
    if picture:
        calibration_page.picture(numbers, picture)
    return Figures(numbers, calibration_page.page(numbers), calibration_page.rows(numbers))


def first_wrong(
    open_run: OpenRun,
    runs: Runs,
    truth: str,
    *,
    runs_by: str | None = None,
    prompts: PromptsOfRuns | None = None,
) -> Figures:
    """Who finds the first wrong step, see first_wrong."""
    from swr1.evals import first_wrong as page

    read = reading("id", "completion")
    collected = collect(open_run, runs, lambda _: page.FirstWrong(truth), read, runs_by, prompts)
    numbers = {label: one.figures() for label, one in collected.items()}
    return Figures(numbers, page.page(numbers, truth), page.rows(numbers))


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
    return Figures(results, contamination.report(results), csv_rows.seen_in(results))
