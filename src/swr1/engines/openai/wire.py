"""What OpenAI-compatible servers are sent and what they answer, make by make.

All take the same few fields. What makes a completion fit for training (token ids, sampling without a
hidden top-k, stop strings in the text) has other names in each make.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from swr1.engines import Request, Sampling
from swr1.servers import Server, Trouble

# A model's folder or the server itself may set defaults of its own: all are sent.
NO_PENALTY = {"repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
MAKES: dict[str, dict[str, Any]] = {
    "vllm": NO_PENALTY
    | {"return_token_ids": True, "return_tokens_as_token_ids": True}
    | {"include_stop_str_in_output": True},
    "sglang": NO_PENALTY | {"no_stop_trim": True},
    "llamacpp": {"repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0},
    # The server of the Python package: no token ids, in either direction.
    "llamacpp-python": {"repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0},
    "openai": {},
    "plain": {},
}
CUTS = ("vllm", "sglang", "llamacpp", "llamacpp-python")  # makes that know top_k and min_p
OPENS = ("vllm", "sglang", "llamacpp")  # makes that go on with an opened answer in messages
TEMPLATES = ("vllm", "sglang", "llamacpp")  # makes that take arguments of the chat template
TEXT_ONLY = ("llamacpp-python",)  # makes that take no token ids
OWNERS = {
    "system": "openai",
    "openai-internal": "openai",
    "me": "llamacpp-python",
}  # /v1/models' owned_by, where it differs
ABORTED = "abort"  # what vLLM had written when it was told to stop
STOPPED = ("stop", "eos", "eos_token", "stop_sequence", "tool_calls", "function_call")
HOW = {
    "ids": "the server does not send token ids (vLLM does from 0.10.2 on)",
    "prompt": "the server does not say which token ids it made of the prompt: use --send ids",
    "logprobs": "the server does not send log-probabilities",
    "raw": (
        "the server's are of temperature 1 without cuts, not of the distribution sampled from;"
        " start vLLM with --logprobs-mode processed_logprobs and say --server-logprobs processed"
    ),
}


@dataclass
class Facts:
    """What a server reports of itself: its make, the model to ask for, its context in tokens."""

    make: str
    version: str
    model: str
    context: int | None = None
    aliases: list[str] = field(default_factory=list)
    folder: str = ""  # that it has the weights of, as far as we gave them
    replaced: str = ""  # the folder before


@dataclass
class Answer:
    """One choice. A field that the server did not send is None; `lacks` says why."""

    text: str
    finish_reason: str
    token_ids: list[int] | None
    logprobs: np.ndarray | None
    prompt_ids: list[int] | None


def body(
    facts: Facts, requests: list[Request], sampling: Sampling, send: str, seed: int | None
) -> tuple[str, dict[str, Any]]:
    """Path and JSON of a request for one choice per request, all of the same prompt."""
    first, make = requests[0], facts.make
    sent: dict[str, Any] = {
        "model": facts.model,
        "n": len(requests),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": _room(facts, first, sampling),
        **MAKES[make],
    }
    if seed is not None:
        sent["seed"] = seed
    if sampling.stop:
        sent["stop"] = list(sampling.stop)
    if make in CUTS:
        sent |= {"top_k": sampling.top_k or (0 if make.startswith("llamacpp") else -1)}
        sent |= {"min_p": sampling.min_p}
    if send == "ids":
        return "/completions", sent | {"prompt": first.prompt_ids, "logprobs": 1}
    if send == "text":
        sent |= {"add_special_tokens": False} if make == "vllm" else {}
        return "/completions", sent | {"prompt": first.content, "logprobs": 1}
    messages = first.content
    sent |= {"messages": messages, "logprobs": True}
    if template := first.facts.get("template"):
        sent["chat_template_kwargs"] = template["arguments"]
    if messages[-1]["role"] == "assistant":
        sent |= {"add_generation_prompt": False, "continue_final_message": True}
    if make == "openai":
        sent["max_completion_tokens"] = sent.pop("max_tokens")
    return "/chat/completions", sent


def _room(facts: Facts, request: Request, sampling: Sampling) -> int:
    """max_tokens, less where the context ends before: some servers refuse what does not fit."""
    if facts.context is None or not request.prompt_ids:
        return request.limit(sampling)
    return min(request.limit(sampling), facts.context - len(request.prompt_ids))


def answers(server: Server, reply: Any, most: int) -> list[Answer]:
    """The choices of a reply, at most `most`. Raises Trouble for what is no answer."""
    facts: Facts = server.facts
    if not isinstance(reply, dict) or not isinstance(reply.get("choices"), list):
        raise Trouble("no choices", f"an answer without choices: {str(reply)[:80]}")
    named = reply.get("model")
    if isinstance(named, str) and not _same_model(named, facts):
        raise Trouble("wrong model", f"answers as model {named!r}, asked for {facts.model!r}")
    try:
        made = [_answer(choice, reply) for choice in reply["choices"][:most]]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Trouble("bad choice", f"a choice that cannot be read: {error!r}") from None
    if not made:
        raise Trouble("no choices", "an answer without any choice")
    return made


def _same_model(named: str, facts: Facts) -> bool:
    """The same name, one with a date behind, without a maker before, or an alias of it."""
    short = facts.model.rpartition("/")[2]
    return named in (facts.model, short, *facts.aliases) or named.startswith(f"{short}-")


def _answer(choice: dict[str, Any], reply: dict[str, Any]) -> Answer:
    message = choice.get("message")
    text = choice.get("text") if message is None else _with_thoughts(message)
    reason = choice.get("finish_reason")
    if not isinstance(text, str):
        raise ValueError("no text")
    if reason in STOPPED:
        reason = "stop"
    elif reason not in ("length", "content_filter", ABORTED):
        raise ValueError(f"finish_reason {reason!r}")
    ids, logprobs = _tokens(choice)
    if logprobs is not None and ids is not None and len(ids) != len(logprobs):
        raise ValueError(f"{len(ids)} token ids and {len(logprobs)} log-probabilities")
    prompt_ids = choice.get("prompt_token_ids") or reply.get("prompt_token_ids")
    return Answer(text, reason, ids, logprobs, prompt_ids)


def _with_thoughts(message: dict[str, Any]) -> str:
    """A chat message's text. Some servers cut the reasoning out of it: it is put back."""
    thought = message.get("reasoning_content") or message.get("reasoning")
    text = message.get("content") or ""
    return f"<think>{thought}</think>{text}" if thought else text


def _tokens(choice: dict[str, Any]) -> tuple[list[int] | None, np.ndarray | None]:
    """Token ids and log-probabilities, in whichever of the usual places they stand."""
    scores = choice.get("logprobs") or {}
    values: Any
    if isinstance(scores.get("content"), list):
        values = [token.get("logprob") for token in scores["content"]]
        names = [token.get("token") for token in scores["content"]]
        numbers = [token.get("id") for token in scores["content"]]
    else:
        values, names, numbers = scores.get("token_logprobs"), scores.get("tokens") or [], [None]
    ids = choice.get("token_ids")
    if ids is None and names:
        if all(isinstance(n, int) for n in numbers):
            ids = numbers
        elif all(isinstance(n, str) and n.startswith("token_id:") for n in names):
            ids = [int(n.removeprefix("token_id:")) for n in names]
    if values is None or any(not isinstance(v, int | float) for v in values):
        return ids, None
    return ids, np.array(values, dtype=np.float32)
