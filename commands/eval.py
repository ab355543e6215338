"""Accuracy with intervals, pass@k, format, length: of judged records, or of a policy now."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import typer

from swr1.commands._output import show_as
from swr1.commands._stage import option, stage_command
from swr1.errors import UsageError
from swr1.evals.config import (
    CalibrationConfig,
    DrawnConfig,
    FormConfig,
    MemoryConfig,
    RolloutsConfig,
    SuiteConfig,
)
from swr1.records import Record
from swr1.streams import Stage, standard


@stage_command(files=False, writes=False)
def command(
    open_stage,
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Judged records of a run, as FILE or LABEL=FILE (default: -); several runs are"
            " compared. With --policy: the prompts.",
            metavar="[LABEL=]FILE...",
        ),
    ] = ("-",),  # type: ignore[assignment]
    by: Annotated[
        str | None, option("Group by this key (of info, task, policy); default: people.")
    ] = None,
    runs_by: Annotated[
        str | None,
        option(
            "The runs are what this key says, such as model or policy: compare them.", metavar="KEY"
        ),
    ] = None,
    verdict: Annotated[
        str | None, option("Which verdict says right or wrong; default: by the task.")
    ] = None,
    trained: Annotated[
        str, option("Groups that were trained on, such as 2,3; others are unseen.")
    ] = "",
    different_prompts: Annotated[
        bool,
        option("Compare runs also where their system prompts differ.", "--different-prompts"),
    ] = False,
    *,
    drawn: DrawnConfig,
    form: FormConfig,
    suites: SuiteConfig,
    confidence: CalibrationConfig,
    memory: MemoryConfig,
    rollouts: RolloutsConfig,
):
    """Accuracy with intervals, pass@k, format, length: of judged records, or of a policy now.

    swr1 eval before=a.jsonl after=b.jsonl --trained 2,3 --picture accuracy.png

    swr1 eval judged.jsonl --runs-by model

    swr1 eval puzzles.jsonl --policy runs/kk

    swr1 eval train=train.jsonl held-out=test.jsonl --memorisation

    swr1 eval test.jsonl --seen train.jsonl --list

    swr1 eval before=a.jsonl after=b.jsonl --suite safety,ability --picture axes.png

    swr1 eval rules:2=a.jsonl rules:4=b.jsonl vote:4=c.jsonl --over-tokens cost.png

    swr1 eval before=a.jsonl after=b.jsonl --calibration --picture calibration.png
    """
    from swr1.evals import by_run
    from swr1.evals.runs import by_label, files_by_name
    from swr1.evals.same_prompt import PromptsOfRuns

    printed = form.form
    prompts = PromptsOfRuns(allowed=True) if different_prompts else None
    alone = [f for f in ("detail", "failures", "ladder", "axes") if getattr(suites, f)]
    if alone and not suites.requested:
        raise UsageError(f"--{alone[0]} goes with --suite")
    if suites.requested or confidence.requested or memory.requested:
        drawn.check_others()
    for_all: dict[str, Any] = {"runs_by": runs_by, "prompts": prompts}
    with_picture = for_all | {"picture": drawn.picture}
    if suites.requested:
        figures = by_run.suites(open_stage, by_label(runs), suites, by, **with_picture)
    elif confidence.calibration:
        figures = by_run.calibrated(open_stage, by_label(runs), verdict, **with_picture)
    elif truth := confidence.first_wrong:
        figures = by_run.first_wrong(open_stage, by_label(runs), truth, **for_all)
    elif memory.requested:
        memory.check(rollouts.policy, drawn.picture, runs_by)
        labelled = by_label(runs)
        if memory.memorisation:
            figures = by_run.by_heart(open_stage, labelled, by, verdict, **for_all)
        else:
            figures = by_run.seen_in(memory.seen, open_stage, labelled, by or "people", verdict)
    else:
        sizes = [size.strip() for size in trained.split(",") if size.strip()]
        read = partial(judged, rollouts=rollouts)
        named = {name: [file] for name, file in files_by_name(runs).items()}
        figures = by_run.accuracy(
            open_stage, named, by, verdict, sizes,
            over_tokens=drawn.over_tokens, read=read, **with_picture,
        )  # fmt: skip
    show_as(printed, figures.numbers, figures.page, figures.rows)
    if memory.list_matches and printed == "page":
        from swr1.evals.contamination import match_lines

        with standard.ours():
            print(*match_lines(figures.numbers), sep="\n")


@contextmanager
def judged(stage: Stage, rollouts: RolloutsConfig) -> Iterator[Iterable[Record]]:
    """The records of a run; with a policy, its completions of them, judged."""
    if not rollouts.policy:
        yield filter(None, stage.read(("id", "completion")))
        return
    from swr1.engines import Sampling
    from swr1.rollout.blocks import complete
    from swr1.verifiers.running import open_verifiers

    r, names = rollouts, rollouts.verifiers.split(",")
    sampling = Sampling(r.temperature, max_tokens=r.max_tokens, seed=r.seed)
    prompts = filter(None, stage.read(("id", "prompt")))
    with open_verifiers(names, grader=r.grader, timeout=10, settings=()) as judge:

        def judge_one(record: Record) -> Record:
            stage.progress.advance(stage.came)
            return record | {"verdicts": judge(record)}

        made = complete(prompts, rollouts.policy, r.system_prompt, r.samples, sampling, stage.say)
        yield map(judge_one, made)
