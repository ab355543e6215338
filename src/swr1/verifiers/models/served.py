"""A guard or judge behind OpenAI-compatible servers: many requests in flight, over several URLs.

Balance, retries and deadlines are those of the engine `openai`. A server that is gone for
`retry_for` seconds is given up for the rest of the run (`lost` says so): what was asked of it, and what
comes later, has no verdict. `swr1 verify` then fails, or with --allow-lost-guard goes on.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from swr1.errors import SwrError, UsageError
from swr1.servers import GivenUp, Refused, Server, Servers, Trouble
from swr1.verifiers.models.reply import CouldNotJudge, Question, Reply, Token, as_parts


@dataclass
class Facts:
    """The model to ask for, and which fields the server has refused."""

    model: str
    plain: bool = False  # no log-probabilities


class ServedModel:
    """Args: as `models.options.ModelOptions` describes them. Raises UsageError for a bad URL."""

    template = ""
    special: tuple[str, ...] = ()

    def __init__(
        self,
        name: str,
        urls: Sequence[str],
        *,
        key_env: str,
        in_flight: int,
        timeout: float,
        retry_for: float,
    ) -> None:
        if key_env and key_env not in os.environ:
            raise UsageError(f"--key-env {key_env}: no such variable in the environment")
        self.name, self.in_flight = name, in_flight
        self.servers = Servers(
            urls,
            key=os.environ.get(key_env or "OPENAI_API_KEY"),
            timeout=timeout,
            retry_for=retry_for,
            learn=self._learn,
        )
        self.ahead = 2 * in_flight
        self._slots = asyncio.Semaphore(in_flight)
        self.identity = f"served {name}"
        self.lost = ""

    async def _learn(self, server: Server, get: Callable[..., Any]) -> Facts:
        listed = await get(f"{server.url}/models") or {}
        try:
            cards = {card["id"]: card for card in listed.get("data", [])}
        except (TypeError, KeyError, AttributeError):
            raise Trouble("no list of models", "/models is no list of models") from None
        last = self.name.rstrip("/").rpartition("/")[2]
        fitting = [n for n in cards if n == self.name] or [n for n in cards if n == last]
        if not fitting and len(cards) == 1:
            fitting = list(cards)
        if not fitting and self.name and not cards:
            fitting = [self.name]
        if len(fitting) != 1:
            names = ", ".join(map(repr, cards)) or "no model"
            raise UsageError(f"which model of {server.url}? It lists {names}: say --guard NAME")
        return Facts(fitting[0])

    def ask(self, question: Question, harmless: Question) -> Future[Reply]:
        return self.servers.submit(self._ask(question))

    async def _ask(self, question: Question) -> Reply:
        async with self._slots:
            if self.lost:
                raise CouldNotJudge(self.lost)
            try:
                return await self._once(question)
            except (Refused, GivenUp) as error:
                raise CouldNotJudge(f"the server refused it: {error}") from None
            except UsageError:
                raise
            except SwrError as error:
                if not self.servers.answers:
                    raise  # it never worked: nothing is gained by going on
                if not self.lost:
                    self.lost = f"the guard is gone: {error}"
                raise CouldNotJudge(self.lost) from None

    async def _once(self, question: Question) -> Reply:
        def make(server: Server) -> tuple[str, dict[str, Any]]:
            facts: Facts = server.facts
            sent: dict[str, Any] = {
                "model": facts.model,
                "temperature": 0,
                "max_tokens": question.max_tokens,
            }
            if question.template:
                sent["chat_template_kwargs"] = question.template
            if question.text:
                more = {} if facts.plain else {"logprobs": 5}
                return "/completions", sent | more | {"prompt": question.text}
            more = {} if facts.plain else {"logprobs": True, "top_logprobs": 20}
            return "/chat/completions", sent | more | {
                "messages": [as_parts(t) for t in question.messages]
            }

        try:
            return await self.servers.ask(make, _read)
        except Refused as error:
            reason = str(error).casefold()
            if "logprob" not in reason or all(s.facts is None for s in self.servers.servers):
                raise
            for server in self.servers.servers:
                if server.facts is not None:
                    server.facts.plain = True
            return await self.servers.ask(make, _read)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def summary(self) -> str:
        return self.servers.state()


def _read(server: Server, reply: Any) -> Reply:
    try:
        choice = reply["choices"][0]
        message = choice.get("message")
        text = choice["text"] if message is None else message.get("content") or ""
        thought = (message or {}).get("reasoning_content") or (message or {}).get("reasoning")
        if not isinstance(text, str):
            raise TypeError("no text")
        tokens = _tokens(choice.get("logprobs"))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise Trouble("no choices", f"an answer that cannot be read: {error!r}") from None
    finished = choice.get("finish_reason") != "length"
    if thought and not finished and not text:
        text = "<think>"  # cut before it came to a verdict
    return Reply(text, tokens, finished=finished)


def _tokens(logprobs: Any) -> list[Token] | None:
    """The tokens and their likely alternatives, from either of the two usual forms."""
    if not logprobs:
        return None
    if isinstance(logprobs.get("content"), list):
        return [
            (t["token"], {n["token"]: float(n["logprob"]) for n in [t, *(t["top_logprobs"] or [])]})
            for t in logprobs["content"]
        ] or None
    if logprobs.get("tokens") and logprobs.get("top_logprobs"):
        return [
            (token, {text: float(value) for text, value in (near or {}).items()})
            for token, near in zip(logprobs["tokens"], logprobs["top_logprobs"], strict=True)
        ]
    return None
