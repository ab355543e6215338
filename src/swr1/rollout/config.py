"""The options of `swr1 rollout` that are neither the engine's nor about how tokens are drawn."""

from dataclasses import dataclass
from functools import partial

from swr1.options import option
from swr1.prompts.unknown import max_unknown_option

engine_option = partial(option, panel="Engine")
training = partial(option, panel="Training at the other end of the pipe")


@dataclass(frozen=True, kw_only=True)
class RolloutConfig:
    """What a rollout does.

    policy: may be None for an engine that needs none. batch: also the stage's `block`. max_lag: see
    PolicyFollower; None uses the newest version of now to the end. curriculum, by: see Curriculum.
    """

    policy: str | None = option(None, "Policy folder, model folder or hub name.", usual=True)
    samples: int = option(1, "Completions per prompt (a group).", min=1, usual=True)
    system_prompt: str | None = option(
        None,
        "logic-rl, logic-rl-terse, none, or a file (.txt, .toml).",
        default="what the policy was trained with, else the task's: logic-rl for knights, else none",
        usual=True,
    )
    prefill: str | None = option(
        None, "How the assistant's turn is opened.", default="as the system prompt says"
    )
    resume_from: str | None = option(
        None,
        "Go on from an earlier completion: from its end, from each of its steps (steps), before the first"
        " wrong one (wrong), or after so many characters.",
        "--continue",
        metavar="WHERE",
    )
    steps: str = option(
        "line",
        "With --continue, what ends a step: line, paragraph, sentence, separator:X.",
        metavar="RULE",
    )
    template: tuple[str, ...] = option(
        (), "An argument of the chat template, such as enable_thinking=false.", metavar="KEY=VALUE"
    )
    max_unknown: float = max_unknown_option()
    epochs: int = option(1, "Times round the input files.", min=1)
    shuffle: bool = option(False, "Another order in each epoch, by --seed.", negatable=True)
    engine: str | None = engine_option(
        None,
        "hf, vllm, openai, replay, or ./mine.py:Engine.",
        default="hf; with --url openai, with --recorded replay",
        usual=True,
    )
    batch: int = engine_option(16, "Prompts that are worked on together.", usual=True)
    max_lag: int | None = training(
        None,
        "Follow the versions that train-step publishes; start no prompt whose sample could be more"
        " than this many optimizer steps behind when it is used.",
        usual=True,
    )
    curriculum: bool = training(
        False,
        "Draw prompts whose recent pass rate is near 1/2 more often (with --max-lag).",
        usual=True,
    )
    by: str = training(
        "people",
        "Prompts with the same value of this key of info share a pass rate, as far as they have"
        " none of their own.",
    )
    weights: str | None = training(
        None,
        "When a new version is taken: in-flight, with completions under way, or between blocks of --batch"
        " prompts.",
        default="in-flight, with --max-lag 1 or more, where the engine can",
        metavar="WHEN",
    )
    recompute_cache: bool = training(
        False,
        "In flight, compute keys and values of what was written again with the new weights, instead of"
        " keeping those of the old ones.",
    )
    order: str = training(
        "input",
        "How groups leave: input, in the order of the prompts, or finished, as soon as they are whole"
        " (in flight).",
        metavar="RULE",
    )
    wait: float = training(600.0, "Seconds to wait for a version at most.", quiet=True)
