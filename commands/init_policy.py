"""Make a policy folder with version 0: a small new model, or weights that exist."""

from pathlib import Path
from typing import Annotated

import typer

from swr1.commands._stage import stage_command

SHAPE = "A small new model"


@stage_command(writes=False, opens_models=True)
def command(
    open_stage,
    path: Annotated[Path, typer.Argument(help="The policy folder to make.")],
    source: Annotated[
        str | None,
        typer.Option("--from", help="Hub name, model or policy folder, or a .gguf file."),
    ] = None,
    tokenizer: Annotated[
        str, typer.Option(help="word or bpe, built on the input records.", rich_help_panel=SHAPE)
    ] = "word",
    vocab: Annotated[
        int | None, typer.Option(help="Size of the vocabulary.", rich_help_panel=SHAPE)
    ] = None,
    hidden: Annotated[int, typer.Option(rich_help_panel=SHAPE)] = 96,
    layers: Annotated[int, typer.Option(rich_help_panel=SHAPE)] = 3,
    heads: Annotated[int, typer.Option(rich_help_panel=SHAPE)] = 4,
    kv_heads: Annotated[int | None, typer.Option(rich_help_panel=SHAPE)] = None,
    intermediate: Annotated[
        int | None, typer.Option(help="Width of the feed-forward part.", rich_help_panel=SHAPE)
    ] = None,
    context: Annotated[
        int, typer.Option(help="Longest prompt and completion, tokens.", rich_help_panel=SHAPE)
    ] = 1024,
    rope_theta: Annotated[float, typer.Option(rich_help_panel=SHAPE)] = 10_000.0,
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    seed: Annotated[int, typer.Option(help="Of the random weights.", rich_help_panel=SHAPE)] = 0,
    force: Annotated[bool, typer.Option("--force", help="Delete a policy there first.")] = False,
):
    """Make a policy folder with version 0: a small new model, or weights that exist.

    The input records (puzzles with traces, say) are what a new tokenizer is built on.

    swr1 init-policy runs/kk puzzles.jsonl --hidden 96 --layers 3

    swr1 init-policy runs/smol --from SmolLM2-135M-Instruct.gguf
    """
    from swr1.training.init import corpus_texts, init_policy

    with open_stage(**({"inputs": None} if source else {})) as stage:
        policy = init_policy(
            path,
            source=source,
            corpus=() if source else corpus_texts(filter(None, stage.read(needs=()))),
            tokenizer=tokenizer,
            vocab=vocab,
            hidden=hidden,
            layers=layers,
            heads=heads,
            kv_heads=kv_heads,
            intermediate=intermediate,
            max_positions=context,
            rope_theta=rope_theta,
            dtype=dtype,
            seed=seed,
            force=force,
        )
        stage.say(f"{policy.path} holds version {policy.latest()}")
