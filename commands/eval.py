"""Accuracy with intervals, pass@k, format, length: of judged records, or of a policy now."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from swr1.commands._output import show
from swr1.commands._stage import WRITTEN, option, stage_command
from swr1.errors import UsageError
from swr1.streams import standard

measured = partial(option, panel="Safety and ability, benchmark by benchmark")
by_heart = partial(option, panel="Reasoned, or known by heart?")
made = partial(option, panel="Make the rollouts now")


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
    by: Annotated[str | None, option("Group by this key of info; default: people.")] = None,
    verdict: Annotated[
        str | None, option("Which verdict says right or wrong; default: by the task.")
    ] = None,
    trained: Annotated[
        str, option("Groups that were trained on, such as 2,3; others are unseen.")
    ] = "",
    as_json: Annotated[bool, option("Print the numbers as JSON.", "--json")] = False,
    picture: Annotated[
        Path | None,
        WRITTEN,
        option("Draw accuracy by group, or safety against ability (.png, .svg, .pdf)."),
    ] = None,
    suite: Annotated[
        str | None,
        measured("safety, overrefusal, attacks, value, ability, math, with commas; or all."),
    ] = None,
    measures: Annotated[
        Path | None, measured("More measures: a TOML file like data/measures.toml.")
    ] = None,
    detail: Annotated[bool, measured("Break measures down, as --by does.", "--detail")] = False,
    failures: Annotated[
        Path | None, WRITTEN, measured("Write the records that count as bad here, to read.")
    ] = None,
    memorisation: Annotated[
        bool,
        by_heart(
            "Accuracy on puzzles and on perturbed ones (`swr1 perturb`): LiMem. All files of"
            " one label, or without one, are one run.",
            "--memorisation",
        ),
    ] = False,
    seen: Annotated[
        list[str],
        by_heart(
            "Training data: are the puzzles in it, up to names, order, roles, wording?",
            metavar="FILE",
        ),
    ] = (),  # type: ignore[assignment]
    list_matches: Annotated[bool, by_heart("With --seen: name both sides.", "--list")] = False,
    policy: Annotated[str | None, made("Complete the prompts with this policy.")] = None,
    samples: Annotated[int, made()] = 1,
    temperature: Annotated[float, made("0: greedy.")] = 0.0,
    max_tokens: Annotated[int, made()] = 1024,
    system_prompt: Annotated[str, made()] = "logic-rl",
    verifiers: Annotated[str, made("Who judges, with commas.")] = "format,knights",
    grader: Annotated[str | None, made("published: Logic-RL's own rules.")] = None,
    seed: Annotated[int, made()] = 0,
):
    """Accuracy with intervals, pass@k, format, length: of judged records, or of a policy now.

    swr1 eval before=a.jsonl after=b.jsonl --trained 2,3 --picture accuracy.png

    swr1 eval puzzles.jsonl --policy runs/kk

    swr1 eval train=train.jsonl held-out=test.jsonl --memorisation

    swr1 eval test.jsonl --seen train.jsonl --list

    swr1 eval before=a.jsonl after=b.jsonl --suite safety,ability --picture axes.png
    """
    from swr1.evals import by_run
    from swr1.evals.runs import by_label, split_label

    if suite or measures:
        chosen = (suite or "all").split(",")
        names = [] if chosen == ["all"] else [name.strip() for name in chosen]
        numbers, page = by_run.suites(
            open_stage, by_label(runs), names, measures, by, detail, failures, picture
        )
        show(numbers, as_json, lambda: page)
        return
    if detail or failures:
        raise UsageError("--detail and --failures go with --suite")
    by = by or "people"
    if memorisation or seen or list_matches:
        if policy or picture or (memorisation and seen) or (list_matches and not seen):
            raise UsageError(
                "--memorisation and --seen stand alone, without --policy and --picture, and --list"
                " goes with --seen"
            )
        if memorisation:
            numbers, page = by_run.by_heart(open_stage, by_label(runs), by, verdict)
        else:
            numbers, page = by_run.seen_in(seen, open_stage, by_label(runs), by, verdict)
        show(numbers, as_json, lambda: page)
        if list_matches and not as_json:
            from swr1.evals.contamination import match_lines

            with standard.ours():
                print(*match_lines(numbers), sep="\n")
        return
    from swr1.engines import Sampling
    from swr1.evals.metrics import summarise
    from swr1.rollout.blocks import complete
    from swr1.verifiers.running import open_verifiers

    summaries = {}
    named = {label or Path(file).stem: file for label, file in map(split_label, runs)}
    for label, file in named.items():
        with (
            open_stage(inputs=[file]) as stage,
            open_verifiers(verifiers.split(","), grader=grader, timeout=10, settings=()) as judge,
        ):

            def judged(record, stage=stage, judge=judge):
                stage.progress.advance(stage.came)
                return record | {"verdicts": judge(record)}

            needs = ("id", "prompt" if policy else "completion")
            records: Iterator = filter(None, stage.read(needs))
            if policy:
                sampling = Sampling(temperature, max_tokens=max_tokens, seed=seed)
                records = map(judged, complete(records, policy, system_prompt, samples, sampling))
            summaries[label] = summarise(records, by, verdict)
    sizes = [size.strip() for size in trained.split(",") if size.strip()]
    numbers, page = by_run.accuracy(summaries, sizes, picture)
    show(numbers, as_json, lambda: page)
