"""Let a policy complete prompts: groups of samples with their token ids and log-probabilities."""

from typing import Annotated, Any

from swr1.commands._options import AnyOf
from swr1.commands._stage import stage_command
from swr1.engines import Sampling
from swr1.engines.hf import HFOptions
from swr1.engines.openai import OpenAIOptions
from swr1.engines.replay import ReplayOptions
from swr1.engines.vllm import VLLMOptions
from swr1.guidance.options import GuideOptions
from swr1.rollout import Rollout, RolloutConfig
from swr1.tools.options import ToolOptions


@stage_command(opens_models=True)
def command(
    open_stage,
    sampling: Sampling,
    config: RolloutConfig,
    tools: ToolOptions,
    guidance: GuideOptions,
    engine_options: Annotated[
        dict[str, Any], AnyOf(ReplayOptions, HFOptions, OpenAIOptions, VLLMOptions)
    ],
):
    """Let a policy complete prompts: groups of samples with their token ids and log-probabilities.

    swr1 rollout puzzles.jsonl --policy runs/kk --samples 8 -o rollouts.jsonl
    """
    job = Rollout(config, sampling, engine_options, tools, guidance)
    with open_stage(options=job.facts(), block=config.batch) as stage:
        job.run(stage)
