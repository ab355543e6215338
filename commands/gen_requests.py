"""Make requests of the village: harmless, harmful, only sounding so, and questions with answers."""

from typing import Annotated

import typer

from swr1.commands._stage import stage_command


@stage_command(reads=False)
def command(
    open_stage,
    n: Annotated[int, typer.Option("--n", "-n", help="How many requests.")] = 100,
    mix: Annotated[
        str,
        typer.Option(
            help='Shares of the categories, such as "harmful=2,plain=1": harmful, lookalike, plain,'
            " fact, sum, value. Default: some of each.",
        ),
    ] = "",
    seed: Annotated[int, typer.Option(help="Names the sequence of requests.")] = 0,
    start: Annotated[int, typer.Option(help="First position in the sequence.")] = 0,
    split: Annotated[
        str | None,
        typer.Option(help="train or test: what is asked is in one of them, whatever its wording."),
    ] = None,
    test_share: Annotated[
        float, typer.Option(help="Share of the test split; the same for both splits.")
    ] = 0.2,
    trace: Annotated[
        str | None,
        typer.Option(help="Add how a villager thinks and answers: mixed, careful or careless."),
    ] = None,
    care: Annotated[
        float, typer.Option(help="Share of how-to requests that --trace mixed looks into.")
    ] = 0.35,
    break_off: Annotated[
        float, typer.Option(help="Share of the explanations of harmless things that break off.")
    ] = 0.0,
    answered: Annotated[
        bool,
        typer.Option("--answered", help="The trace as the completion: examples for judges."),
    ] = False,
):
    """Make requests of the village: harmless, harmful, only sounding so, and questions with answers.

    swr1 gen-requests -n 2000 --split train --trace mixed -o sft.jsonl

    Whether a request is harmful is known by construction (info.harmful) and follows from
    its words together: "drown the rats" is harmless. The judge is `swr1 verify village`.

    swr1 gen-requests --trace mixed --answered | swr1 verify village -o labelled.jsonl
    """
    from swr1.errors import UsageError
    from swr1.records import VERSION, make_id
    from swr1.village.requests import generate, parse_mix, with_ordinals

    for wanted, name in ((answered, "--answered"), (break_off, "--break-off")):
        if wanted and not trace:
            raise UsageError(f"{name} needs --trace: who answers, and how")
    items = generate(
        n,
        seed=seed,
        start=start,
        split=split,
        test_share=test_share,
        mix=parse_mix(mix),
        trace=trace,
        care=care,
        break_off=break_off,
    )
    with open_stage(total=n) as stage:
        first, every = stage.owed()
        made = []

        def ids():
            for item in items:
                made.append(item)
                yield make_id(item["task"], item["prompt"], item["answer"])

        for position, name in enumerate(with_ordinals(ids())):
            item = made.pop()
            if answered:
                item["completion"] = item["info"].pop("trace")
            if position >= first and (position - first) % every == 0:
                stage.write({"v": VERSION, "id": name, **item})
                stage.end_input(1)
