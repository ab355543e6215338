"""Mend a policy's reasoning and let it go on from there: in your editor, on a page, or by a rule."""

from typing import Annotated, Any

import typer

from swr1.commands._options import AnyOf
from swr1.commands._stage import stage_command
from swr1.engines import Sampling
from swr1.engines.hf import HFOptions
from swr1.engines.openai import OpenAIOptions
from swr1.engines.vllm import VLLMOptions
from swr1.errors import UsageError
from swr1.intervention.config import InterveneConfig
from swr1.terminal import say


@stage_command(files=False, opens_models=True)
def command(
    open_stage,
    file: Annotated[
        str, typer.Argument(help="Records with completions.", metavar="FILE", show_default=False)
    ],
    sampling: Sampling,
    config: InterveneConfig,
    engine_options: Annotated[dict[str, Any], AnyOf(HFOptions, OpenAIOptions, VLLMOptions)],
):
    """Mend a policy's reasoning and let it go on from there: in your editor, on a page, or by a rule.

    swr1 intervene rollouts.jsonl --policy runs/kk --record 3e9ccf --sample 2

    The completion opens in $EDITOR. Change it, and leave what follows or remove it: the policy goes on
    right behind the change. The edit is stored in FILE.edits.jsonl, what came of it in FILE.edited.jsonl.

    swr1 intervene judged.jsonl --policy runs/kk --batch trace -o mended.jsonl
    """
    from swr1.intervention.running import Intervention

    job, common = Intervention(file, config, sampling, engine_options), open_stage.shared
    if config.batch or common.dry_run:
        facts = job.facts() if config.batch else {}
        with open_stage(inputs=[file], options=facts, block=config.together) as stage:
            job.batch(stage)
        return
    if common.shard or common.force or common.metrics:
        raise UsageError("--shard, --force and --metrics are for --batch")
    quiet = common.quiet
    session = job.session(
        common.output, lambda text: None if quiet else say("swr1 intervene", text)
    )
    if config.web:
        from swr1.intervention.web.server import serve

        serve(session, config)
    else:
        job.edit(session)
