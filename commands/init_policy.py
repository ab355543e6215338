"""Make a policy folder with version 0: a small new model, or weights that exist."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from swr1.commands._stage import option, stage_command
from swr1.prompts import load_prompt
from swr1.prompts.choosing import small_policy_prompt
from swr1.records import Record
from swr1.training.init import DecoderConfig, corpus_texts, init_policy


@stage_command(writes=False, opens_models=True)
def command(
    open_stage,
    path: Annotated[Path, typer.Argument(help="The policy folder to make.")],
    decoder: DecoderConfig,
    source: Annotated[
        str | None, option("Hub name, model or policy folder, or a .gguf file.", "--from")
    ] = None,
    dtype: Annotated[str, option("float32 or bfloat16.")] = "float32",
    system_prompt: Annotated[
        str | None,
        option(
            "What rollouts and training put before its prompts: logic-rl, none, or a file; default:"
            " as the policy of --from; of a new one made of puzzles logic-rl-terse; else the task's."
        ),
    ] = None,
    force: Annotated[bool, option("Delete a policy there first.", "--force")] = False,
):
    """Make a policy folder with version 0: a small new model, or weights that exist.

    The input records (puzzles with traces, say) are what a new tokenizer is built on.

    swr1 init-policy runs/kk puzzles.jsonl --hidden 96 --layers 3

    swr1 init-policy runs/smol --from SmolLM2-135M-Instruct.gguf
    """
    prompt = load_prompt(system_prompt) if system_prompt else None
    if decoder.tools:
        from swr1.tools.running import targets_of

        targets_of(decoder.tools)
    tasks: set[Any] = set()

    def noted(records: Iterable[Record | None]) -> Iterator[Record]:
        for record in filter(None, records):
            tasks.add(str(record.get("task")))
            yield record

    with open_stage(**({"inputs": None} if source else {})) as stage:
        policy = init_policy(
            path,
            decoder,
            source=source,
            corpus=() if source else corpus_texts(noted(stage.read(needs=()))),
            dtype=dtype,
            force=force,
            system_prompt=prompt or (lambda: small_policy_prompt(tasks)),
        )
        said = policy.meta().get("system_prompt")
        stage.say(
            f"{policy.path} holds version {policy.latest()}"
            + (f"; its system prompt is {said.get('name')}" if said else "")
        )
