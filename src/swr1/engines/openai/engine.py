"""The engine for every OpenAI-compatible server: vLLM, SGLang, llama.cpp, TGI, commercial ones.

    swr1 rollout puzzles.jsonl --policy runs/kk/versions/000007 --engine openai \\
        --url http://gpu1:8000/v1 --url http://gpu2:8000/v1 --samples 8

The server has the weights; `--policy` names them and, where it is a folder, gives the tokenizer, so
that the very token ids of the rendered prompt are sent. Every sample has a request and a seed of
its own, made of (seed, id, epoch, sample): a lost one can be requested again. What a server does
not report (token ids, log-probabilities) is left out of the record, which says why.
"""

import asyncio
import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from swr1.engines import Completion, Request, Sampling, all_good, check_room, random_stream
from swr1.engines.openai.flow import OpenAIFlow
from swr1.engines.openai.options import OpenAIOptions
from swr1.engines.openai.reload import Reload, weights_of
from swr1.engines.openai.wire import (
    ABORTED,
    CUTS,
    HOW,
    MAKES,
    OPENS,
    OWNERS,
    TEMPLATES,
    TEXT_ONLY,
    Answer,
    Facts,
    answers,
    body,
)
from swr1.errors import DataError, SwrError, UsageError
from swr1.models import load_tokenizer
from swr1.picture_parts import has_pictures, with_parts
from swr1.pictures import Opener, part_of
from swr1.prompts import Prompt
from swr1.prompts.decoding import Decoder
from swr1.servers import Fetch, GivenUp, Refused, Server, Servers, Trouble

DEFAULTS = OpenAIOptions()
SEND = ("ids", "text", "messages")
SERVER = "the server's context has"
VERSION = re.compile(r"\d{6}")  # the name of a version's folder


class OpenAIEngine:
    """Completions by HTTP.

    Args:
        folder: the model: a folder with its tokenizer, or any name.

    Raises UsageError for an impossible option. `generate` and `stream` raise SwrError when no
    server is of use.
    """

    name = "openai"
    fixed_weights = True
    needs_policy = True
    Options = OpenAIOptions

    def __init__(self, folder: str | Path, options: OpenAIOptions = DEFAULTS) -> None:
        urls = [options.url] if isinstance(options.url, str) else list(options.url)
        if not urls:
            raise UsageError("the engine openai needs --url, such as http://localhost:8000/v1")
        is_folder = Path(folder).is_dir()
        self.options = options
        self.send = options.send or ("ids" if is_folder else "messages")
        _check(options, self.send)
        self.version, self.dtype = "unknown", "unknown"  # a record has what its server reports
        self.folder, self.prices = str(folder), _prices(options.price)
        needs_tokenizer = is_folder or self.send != "messages"
        self.tokenizer = self._tokenizer(folder) if needs_tokenizer else None
        self._decode = Decoder(self.tokenizer) if self.tokenizer else None
        self.tokens: Counter[str] = Counter()
        self.opener = Opener()
        self.reload = Reload(options.reload, self.folder) if options.reload else None
        # With new weights to come nothing is read ahead: only requests in flight may be unfinished.
        self.stream = None if self.reload else self._stream
        self.servers = Servers(
            urls,
            key=_key(options.key_env, options.key_file),
            timeout=options.timeout,
            retry_for=options.retry_for,
            learn=self._learn,
        )
        self._slots = asyncio.Semaphore(options.in_flight)

    def _tokenizer(self, folder: str | Path) -> Any:
        try:
            return load_tokenizer(folder)
        except SwrError as error:
            raise type(error)(f"{error}. With --send messages none is needed") from None

    def load(self, folder: str | Path) -> None:
        """Each server is given these weights before the next request to it."""
        if not self.reload:
            raise UsageError(
                "the engine openai cannot take new weights, the server has them: --reload says how"
                " it gets others"
            )
        if not Path(folder).is_dir():
            raise SwrError(f"{folder} does not exist (any more)")
        self.folder = str(folder)
        self.reload.folder = os.path.abspath(folder)
        self.servers.forget()

    def request(self, key: tuple[str, int, int], messages: list[dict], prompt: Prompt) -> Request:
        """The request for one sample; DataError if the prompt is not text where it must be, or is
        too long, as far as that is known before it is sent."""
        if self.send == "messages":
            facts: dict[str, Any] = {}
            if prompt.arguments:
                facts["template"] = {"arguments": dict(prompt.arguments)}
            shown = self._pictures(key[0], messages)
            if shown:
                facts["pictures"] = [{"digest": digest} for digest, _ in shown]
            return Request(
                key, [], _turns(key[0], messages, prompt, [url for _, url in shown]), facts
            )
        if has_pictures({"prompt": messages}):
            raise DataError(
                f"record {key[0]!r}: the prompt has a picture, which this engine sends within messages"
                " only: --send messages"
            )
        made = Request.of(key, self.tokenizer, messages, prompt)
        if not self.stream:  # an error that comes later would end the block
            check_room(made, self.servers.submit(self.servers.meet()).result().context, SERVER)
        return made

    def _pictures(self, name: str, messages: list[dict]) -> list[tuple[str, str]]:
        """Digest and data URL of each picture of a prompt: a server gets pixels and no address."""
        made = []
        for part in self.opener.of({"id": name, "prompt": messages}):
            inside = part_of(part)["base64"]
            made.append((part.digest, f"data:image/png;base64,{inside}"))
        return made

    @property
    def context(self) -> int | None:
        """Tokens of prompt and completion together, if a server says so."""
        try:
            return self.servers.submit(self.servers.meet()).result().context
        except (Refused, GivenUp):
            return None  # the next request to it says why

    @property
    def _goes_on(self) -> bool:
        """Whether what a server gives up is asked for again from where it was cut."""
        return self.reload is not None and self.reload.pause == "abort"

    def flow(self, sampling: Sampling, version: int, recompute: bool) -> OpenAIFlow | None:
        """Completions under way, which new weights may meet (see swr1.engines.Flow); None where a command
        brings them, which may start a server again."""
        if not self.reload or self.reload.method != "vllm":
            return None
        return OpenAIFlow(self, sampling, version)

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """One completion per request, in their order; raises DataError for one refused."""
        return all_good(self._stream(requests, sampling))

    def _stream(
        self, requests: Iterable[Request | None], sampling: Sampling
    ) -> Iterator[Completion | DataError]:
        """A completion, or the error it came to, per request in their order; at None, what is done.

        Twice as many requests are begun as may be in flight, so that a slow one does not stop the
        others: what they gave waits for it.
        """
        begun: deque[Future[list[Completion | DataError]]] = deque()
        try:
            for unit in _units(requests, self.options.per_request):
                if unit:
                    begun.append(self.servers.submit(self._complete(unit, sampling)))
                while begun and (begun[0].done() or len(begun) >= 2 * self.options.in_flight):
                    yield from begun.popleft().result()
            while begun:
                yield from begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()

    async def _complete(
        self, unit: list[Request], sampling: Sampling
    ) -> list[Completion | DataError]:
        made: list[Completion | DataError] = []
        try:
            async with self._slots:
                while owed := unit[len(made) :]:  # a server may return fewer than were requested
                    made += await self.servers.ask(*self._exchange(owed, sampling))
            return made
        except (Refused, GivenUp) as error:
            what = "the server refused it: " if isinstance(error, Refused) else ""
            failure = DataError(f"record {unit[0].key[0]!r}: {what}{error}")
            return [failure for _ in unit]
        except DataError as error:
            return [error for _ in unit]

    def _exchange(
        self, unit: list[Request], sampling: Sampling
    ) -> tuple[Callable[[Server], tuple[str, dict]], Callable[[Server, Any], list[Completion]]]:
        """How to ask for the completions of `unit`, and how to read what comes."""
        draw = random_stream(sampling.seed, unit[0]) if sampling.temperature > 0 else None
        seed = int(draw.integers(2**31)) if draw else None

        def make(server: Server) -> tuple[str, dict]:
            facts: Facts = server.facts
            self._check(facts, unit[0], sampling)
            return body(facts, unit, sampling, self.send, seed)

        def read(server: Server, reply: Any) -> list[Completion]:
            came = answers(server, reply, len(unit))
            if any(a.finish_reason == ABORTED for a in came) and not self._goes_on:
                raise Trouble("aborted", "the server was told to give up what it wrote")
            if missing := len(unit) - len(came):
                server.counts["samples missing"] += missing
            usage = reply.get("usage") or {}
            for kind in ("prompt", "completion"):
                self.tokens[kind] += usage.get(f"{kind}_tokens") or 0
            return [
                self._completion(server.facts, request, answer, sampling)
                for request, answer in zip(unit, came, strict=False)
            ]

        return make, read

    def _check(self, facts: Facts, request: Request, sampling: Sampling) -> None:
        check_room(request, facts.context, SERVER)
        opened = self.send == "messages" and request.content[-1]["role"] == "assistant"
        if opened and facts.make not in OPENS:
            raise UsageError(
                f"a server of make {facts.make!r} does not go on with an opened answer"
                f" ({request.content[-1]['content']!r}): use --system-prompt none, or --prefill ''"
                " to keep the system message, or, with a model folder, --send text"
            )
        if self.send == "messages" and "template" in request.facts and facts.make not in TEMPLATES:
            raise UsageError(
                f"a server of make {facts.make!r} takes no --template; those that do are"
                f" {', '.join(TEMPLATES)}"
            )
        if self.send == "ids" and facts.make in TEXT_ONLY:
            raise UsageError(f"a server of make {facts.make!r} takes no token ids: use --send text")
        if (sampling.top_k or sampling.min_p) and facts.make not in CUTS:
            raise UsageError(
                f"a server of make {facts.make!r} has no --top-k and --min-p; if it is one of"
                f" {', '.join(CUTS)}, say so with --server"
            )

    def _completion(
        self, facts: Facts, request: Request, answer: Answer, sampling: Sampling
    ) -> Completion:
        ids, logprobs, prompt_ids = answer.token_ids, answer.logprobs, answer.prompt_ids
        lacks = {}
        if self.send == "ids":
            if prompt_ids is not None and prompt_ids != request.prompt_ids:
                raise SwrError(
                    f"record {request.key[0]!r}: {len(request.prompt_ids)} token ids were sent and"
                    f" the server answered a prompt of {len(prompt_ids)} others: it changes prompts"
                )
            prompt_ids = request.prompt_ids
        elif self.send == "text" and prompt_ids and prompt_ids[1:] == request.prompt_ids:
            raise SwrError(
                f"record {request.key[0]!r}: the server put another token ({prompt_ids[0]}) before"
                " the prompt, most likely a second start token; use --send ids"
            )
        if prompt_ids is None:
            lacks["prompt_ids"] = HOW["prompt"]
        if ids is None:
            lacks["token_ids"] = HOW["ids"]
        if logprobs is None:
            lacks["logprobs"] = HOW["logprobs"]
        elif (
            sampling.temperature > 0
            and not sampling.plain
            and self.options.server_logprobs == "raw"
        ):
            logprobs, lacks["logprobs"] = None, HOW["raw"]
        text = answer.text
        if ids is not None and self._decode:
            [text] = self._decode([ids])
        engine: dict[str, Any] = {"name": self.name, "version": facts.version, "dtype": self.dtype}
        if lacks:
            engine["lacks"] = lacks
        if self.send != "ids":
            engine["encoded_by"] = "server"  # control tokens that were typed may count there
        more: dict[str, Any] = {"engine": engine}
        if prompt_ids is not None:
            more["prompt_ids"] = prompt_ids
        elif request.prompt_ids:
            more["prompt_ids"] = None
        return Completion(ids, logprobs, answer.finish_reason, text, more)

    async def _learn(self, server: Server, fetch: Fetch) -> Facts:
        if self.reload:
            await self.reload.by_command(server)
        listed = await fetch(f"{server.url}/models") or {}
        try:
            cards = {card["id"]: card for card in listed.get("data", [])}
        except (TypeError, KeyError, AttributeError):
            raise Trouble(
                "no list of models", f"{server.url}/models is no list of models"
            ) from None
        model = self.options.served_model
        if model is None:
            fitting = [n for n in cards if n == self.folder] or list(cards)
            if len(fitting) != 1:
                names = ", ".join(map(repr, cards)) or "no name"
                raise UsageError(
                    f"which model of {server.url}? It lists {names}: say --served-model NAME"
                )
            [model] = fitting
        card = cards.get(model, {})
        owner = str(card.get("owned_by", "")).lower()
        make = self.options.server or OWNERS.get(owner, owner if owner in MAKES else "plain")
        number, held = "", card.get("root") or model
        if make == "vllm":
            number = (await fetch(f"{server.root}/version") or {}).get("version", "")
            held = await weights_of(server, fetch) or held
        if self.reload:
            held = await self.reload.in_place(server, held, fetch)
        served, named = (Path(str(name)).name for name in (held, self.folder))
        if VERSION.fullmatch(served) and VERSION.fullmatch(named) and served != named:
            raise UsageError(
                f"{server.url} has version {served} of a policy, and --policy means {named}: name the"
                " folder of the version that is served"
            )
        context = self.options.context or card.get("max_model_len")
        same = [n for n in cards if card.get("root") and cards[n].get("root") == card["root"]]
        before = server.facts.folder if server.facts else ""
        return Facts(make, f"{make} {number}".strip(), model, context, same, self.folder, before)

    def summary(self) -> str:
        """For people: each server and how it did, tokens, and what they cost."""
        summary = f"{self.tokens['prompt']:,} prompt tokens, {self.tokens['completion']:,} written"
        if self.prices:
            cost = sum(
                self.tokens[kind] * price / 1e6
                for kind, price in zip(("prompt", "completion"), self.prices, strict=True)
            )
            summary += f", cost {cost:.4g}"
        if self.reload:
            summary += f"; {self.reload.summary()}"
        return f"{self.servers.state()}; {summary}"

    def counts(self) -> Counter[str]:
        """How attempts went: "ok", or what went wrong, over all servers."""
        return self.servers.counts()


def _check(options: OpenAIOptions, send: str) -> None:
    for name, value, known in (
        ("send", send, SEND),
        ("server", options.server, (*MAKES, None)),
        ("server_logprobs", options.server_logprobs, ("raw", "processed")),
    ):
        if value not in known:
            raise UsageError(f"{name} must be one of {', '.join(filter(None, known))}")
    if options.in_flight < 1 or options.per_request < 1:
        raise UsageError("in_flight and per_request must be at least 1")


def _turns(name: str, messages: list[dict], prompt: Prompt, pictures: Sequence[str]) -> list[dict]:
    """The messages to send: one system message at most, the opened answer as the last.

    `pictures`: a data URL for each picture part, in their order.
    """
    urls = iter(pictures)
    turns = with_parts(
        messages, lambda part: {"type": "image_url", "image_url": {"url": next(urls)}}
    )
    for part in (p for m in turns if isinstance(m["content"], list) for p in m["content"]):
        text = isinstance(part, dict) and part.get("type", "text") == "text"
        if not isinstance(part, dict) or (text and not isinstance(part.get("text"), str)):
            raise DataError(f"record {name!r}: a part of the prompt's content has no text")
        address = part.get("image_url")
        address = address.get("url") if isinstance(address, dict) else address
        if address is not None and not str(address).startswith("data:"):
            raise DataError(
                f"record {name!r}: the address of a picture is not passed on, since the server would"
                " fetch it: give the picture itself (path or base64)"
            )
    if not turns or turns[-1]["role"] == "assistant":
        raise DataError(f"record {name!r}: the prompt must end with a turn the assistant answers")
    if prompt.system:
        system = prompt.system
        if turns[0]["role"] == "system" and isinstance(turns[0]["content"], str):
            system, turns = f"{system}\n\n{turns[0]['content']}", turns[1:]
        turns = [{"role": "system", "content": system}, *turns]
    if prompt.prefill:
        turns.append({"role": "assistant", "content": prompt.prefill})
    return turns


def _units(requests: Iterable[Request | None], size: int) -> Iterator[list[Request]]:
    """Consecutive requests with one prompt, at most `size` of them; an empty list for None."""
    unit: list[Request] = []
    for request in requests:
        if unit and (request is None or not _alike(request, unit[0])):
            yield unit
            unit = []
        if request is None:
            yield []
            continue
        unit.append(request)
        if len(unit) == size:
            yield unit
            unit = []
    if unit:
        yield unit


def _alike(one: Request, other: Request) -> bool:
    """Whether two requests may be sent as one: samples of the same prompt, in their first turn."""
    return one.key[:2] == other.key[:2] and not one.turn and not other.turn


def _prices(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        into, out = map(float, text.split(","))
    except ValueError:
        raise UsageError(f"--price is IN,OUT per million tokens, not {text!r}") from None
    return into, out


def _key(env: str | None, file: str | Path | None) -> str | None:
    if env and file:
        raise UsageError("--key-env and --key-file: one of them says where the key is")
    if file:
        try:
            key = Path(file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the key from {file}: {type(error).__name__}") from None
    else:
        key = os.environ.get(env or "OPENAI_API_KEY", "").strip()
    if not key and (env or file):
        raise UsageError(f"no key in {file or env}")
    return key or None
