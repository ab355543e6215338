"""The options of the engine openai."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from swr1.options import option

served = partial(option, panel="The engine openai: any OpenAI-compatible server")


@dataclass(frozen=True, kw_only=True)
class OpenAIOptions:
    """The servers, how requests are made, and what they can do.

    in_flight: over all servers. per_request: with more than 1 (`n`) prompt tokens are saved, but
    the seed is then that of the group's first sample, so that a sample depends on its company.
    reload: see Reload; requests are then made block by block, and `load` comes between blocks.
    """

    LABEL = "openai"

    url: Sequence[str] | str = served(
        (),
        "Base URL, such as http://localhost:8000/v1. Several: by load, with fail-over.",
        kind=list[str],
        usual=True,
        quiet=True,
    )
    send: str | None = served(
        None,
        "ids (rendered here), text (rendered here) or messages (the server renders).",
        default="ids if --policy is a folder, else messages",
    )
    served_model: str | None = served(
        None, "What the server calls the model.", default="as the server reports"
    )
    server: str | None = served(
        None,
        "vllm, sglang, llamacpp, llamacpp-python, openai or plain.",
        default="as the server reports",
    )
    server_logprobs: str = served(
        "raw",
        "raw (temperature 1, uncut), or processed (vLLM with --logprobs-mode processed_logprobs).",
    )
    in_flight: int = option(
        64, "Requests at a time, over all servers or GPUs.", panel="Engine", quiet=True
    )
    per_request: int = served(1, "Samples per request. With 1, each sample has its own seed.")
    timeout: float = served(600.0, "Seconds for one attempt.", quiet=True)
    retry_for: float = served(600.0, "Seconds to keep trying a request.", quiet=True)
    key_env: str | None = served(
        None,
        "Environment variable with the key.",
        quiet=True,
        default="OPENAI_API_KEY, if it is set",
    )
    key_file: str | None = served(None, "File with the key.", quiet=True)
    price: str | None = served(
        None,
        "Price of a million prompt tokens and of a million completion tokens: the summary shows"
        " the cost.",
        metavar="IN,OUT",
        quiet=True,
    )
    context: int | None = option(
        None, "Longest prompt and completion, in tokens.", panel="Engine", default="the model's own"
    )
    reload: str | None = served(
        None,
        "How servers get new weights, for --max-lag: vllm (in place), or a command in which"
        " {folder} and {url} are replaced.",
        quiet=True,
    )
