"""Accuracy with intervals, pass@k, format, length: of judged records, or of a policy now."""

from pathlib import Path
from typing import Annotated

import typer

from swr1.commands._stage import stage_command
from swr1.errors import UsageError

POLICY = "Make the rollouts now"
HEART = "Reasoned, or known by heart?"
SUITES = "Safety and ability, benchmark by benchmark"


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
        str | None, typer.Option(help="Group by this key of info; default: people.")
    ] = None,
    verdict: Annotated[
        str | None, typer.Option(help="Which verdict says right or wrong; default: by the task.")
    ] = None,
    trained: Annotated[
        str, typer.Option(help="Groups that were trained on, such as 2,3; others are unseen.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw accuracy by group, or safety against ability (.png, .svg, .pdf)."),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            help="safety, overrefusal, attacks, value, ability, math, with commas; or all.",
            rich_help_panel=SUITES,
        ),
    ] = None,
    measures: Annotated[
        Path | None,
        typer.Option(
            help="More measures: a TOML file like data/measures.toml.", rich_help_panel=SUITES
        ),
    ] = None,
    detail: Annotated[
        bool,
        typer.Option("--detail", help="Break measures down, as --by does.", rich_help_panel=SUITES),
    ] = False,
    failures: Annotated[
        Path | None,
        typer.Option(
            help="Write the records that count as bad here, to read.", rich_help_panel=SUITES
        ),
    ] = None,
    memorisation: Annotated[
        bool,
        typer.Option(
            "--memorisation",
            help="Accuracy on puzzles and on perturbed ones (`swr1 perturb`): LiMem. All files of"
            " one label, or without one, are one run.",
            rich_help_panel=HEART,
        ),
    ] = False,
    seen: Annotated[
        list[str],
        typer.Option(
            help="Training data: are the puzzles in it, up to names, order, roles, wording?",
            metavar="FILE",
            rich_help_panel=HEART,
        ),
    ] = (),  # type: ignore[assignment]
    list_matches: Annotated[
        bool,
        typer.Option("--list", help="With --seen: name both sides.", rich_help_panel=HEART),
    ] = False,
    policy: Annotated[
        str | None,
        typer.Option(help="Complete the prompts with this policy.", rich_help_panel=POLICY),
    ] = None,
    samples: Annotated[int, typer.Option(rich_help_panel=POLICY)] = 1,
    temperature: Annotated[float, typer.Option(help="0: greedy.", rich_help_panel=POLICY)] = 0.0,
    max_tokens: Annotated[int, typer.Option(rich_help_panel=POLICY)] = 1024,
    system_prompt: Annotated[str, typer.Option(rich_help_panel=POLICY)] = "logic-rl",
    verifiers: Annotated[
        str, typer.Option(help="Who judges, with commas.", rich_help_panel=POLICY)
    ] = "format,knights",
    grader: Annotated[
        str | None, typer.Option(help="published: Logic-RL's own rules.", rich_help_panel=POLICY)
    ] = None,
    seed: Annotated[int, typer.Option(rich_help_panel=POLICY)] = 0,
):
    """Accuracy with intervals, pass@k, format, length: of judged records, or of a policy now.

    swr1 eval before=a.jsonl after=b.jsonl --trained 2,3 --picture accuracy.png

    swr1 eval puzzles.jsonl --policy runs/kk

    swr1 eval train=train.jsonl held-out=test.jsonl --memorisation

    swr1 eval test.jsonl --seen train.jsonl --list

    swr1 eval before=a.jsonl after=b.jsonl --suite safety,ability --picture axes.png
    """
    from swr1.evals.runs import by_label, split_label

    if suite or measures:
        numbers, result = suites(
            open_stage, by_label(runs), suite or "all", measures, by, detail, failures, picture
        )
        show(numbers, result, as_json)
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
            numbers, page = twins(open_stage, by_label(runs), by, verdict)
        else:
            numbers, page = contaminated(open_stage, by_label(runs), by, verdict, seen)
        show(numbers, page, as_json)
        if list_matches and not as_json:
            from swr1.evals.contamination import match_lines

            print(*match_lines(numbers), sep="\n")
        return
    from swr1.engines import Sampling
    from swr1.engines._rollout import complete
    from swr1.evals.metrics import summarise
    from swr1.evals.report import compare, report
    from swr1.verifiers._running import judges

    named = {label or Path(file).stem: file for label, file in map(split_label, runs)}
    sizes = [size.strip() for size in trained.split(",") if size.strip()]
    summaries = {}
    for label, file in named.items():
        with (
            open_stage(inputs=[file]) as stage,
            judges(verifiers.split(","), grader=grader, timeout=10, settings=()) as judge,
        ):

            def judged(record, stage=stage, judge=judge):
                stage.progress.advance(stage.came)
                return record | {"verdicts": judge(record)}

            if policy:
                sampling = Sampling(temperature, max_tokens=max_tokens, seed=seed)
                prompts = filter(None, stage.read(needs=("id", "prompt")))
                made = complete(prompts, policy, system_prompt, samples, sampling)
                summaries[label] = summarise(map(judged, made), by, verdict)
            else:
                read = filter(None, stage.read(needs=("id", "completion")))
                summaries[label] = summarise(read, by, verdict)
    if picture:
        from swr1.evals.picture import accuracy_picture

        accuracy_picture(summaries, picture, trained=sizes)
    short = {n: {k: v for k, v in s.items() if k != "items"} for n, s in summaries.items()}
    only = next(iter(summaries)) if len(summaries) == 1 else None
    page = (
        report(summaries[only], title=only, trained=sizes)
        if only
        else compare(summaries, trained=sizes)
    )
    show(short, page, as_json)


def show(numbers, page, as_json):
    """Print the numbers as JSON, or the page."""
    if as_json:
        import orjson

        print(orjson.dumps(numbers, option=orjson.OPT_INDENT_2).decode())
    else:
        from rich.console import Console

        Console().print(page)


def suites(open_stage, runs, names, file, by, detail, failures, picture):
    """Every benchmark's own metric, run by run."""
    from swr1.evals.failures import Failures
    from swr1.evals.suite_page import page, two_axes
    from swr1.evals.suites import compare_runs, load_measures, measure

    wanted = [] if names == "all" else [name.strip() for name in names.split(",")]
    chosen = load_measures(wanted, file)
    read = {}
    kept = Failures()
    for label, files in runs.items():
        with open_stage(inputs=files) as stage:
            records = filter(None, stage.read(needs=("id",)))
            note = kept.of(label) if failures else None
            read[label or "all"] = measure(records, chosen, by, note)
    numbers = compare_runs(read, chosen)
    if failures:
        kept.write(failures)
    if picture:
        two_axes(numbers, picture)
    return numbers, page(numbers, detail or bool(by))


def twins(open_stage, runs, by, verdict):
    """LiMem of each run."""
    from swr1.evals.memorisation import memorisation, report

    results = {}
    for label, files in runs.items():
        with open_stage(inputs=files) as stage:
            judged = filter(None, stage.read(needs=("id", "completion")))
            results[label] = memorisation(judged, by, verdict)
    return results, report(results)


def contaminated(open_stage, runs, by, verdict, seen):
    """Which puzzles of each run are in the training files."""
    from swr1.evals.contamination import Held, report

    results = {}
    for label, files in runs.items():
        with open_stage(inputs=files) as stage:
            held = Held(filter(None, stage.read(needs=("id", "info"))), by, verdict)
        with open_stage(inputs=seen) as stage:
            results[label] = held.look_through(filter(None, stage.read(needs=("id", "info"))))
    return results, report(results)
