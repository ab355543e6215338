"""What every engine must do, as checks that need nothing of it but the engine protocol.

    python tests/engines/conformance.py hf
    python tests/engines/conformance.py ./mine.py:Engine threads=1 --lacks swap

Each check takes a Subject: how to open the engine on a model folder, and what it is known to lack.
The folders are of reference_model.py, whose greedy output is known. A check raises AssertionError,
or what the engine raised.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from swr1.engines import Completion, Engine, Request, Sampling, open_engine
from swr1.errors import DataError, SwrError, UsageError
from swr1.prompts import Prompt
from swr1.prompts.insertion import insertion, insertion_ids
from swr1.tools import Reply
from swr1.tools.loop import ToolEngine, _Call
from swr1.tools.options import ToolOptions
from swr1.tools.running import Tools
from tests.engines.reference_model import CONTEXT, SCRIPT, make_tokenizer, save_reference

NONE = Prompt("none")
ASK = [{"role": "user", "content": "hi"}]
HEAD = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
# What an engine may be known to lack.
LACKS = (
    "ids",  # it does not tell token ids
    "logprobs",  # nor log-probabilities
    "tempered logprobs",  # only those of temperature 1
    "stop string",  # cuts the stop string off the text
    "prefill",  # cannot go on with an opened answer
    "system",  # cannot do without a system role in the template
    "cuts",  # no top_k and min_p
    "context",  # does not end a completion where the context ends
    "swap",  # cannot take other weights
    "flow",  # cannot take them with completions under way
    "sampling",  # gives what it has, whatever is asked for
)


SILENT = 120.0  # seconds in which a completion must come while its source is silent


@dataclass
class Subject:
    """An engine to check. `folder(seed, template)` is the reference model."""

    open: Callable[[str], Engine]
    folder: Callable[..., str]
    lacks: frozenset[str] = frozenset()
    opened: dict[str, Engine] = field(default_factory=dict)

    def engine(self, seed: int = 0, template: str = "chatml") -> Engine:
        folder = self.folder(seed, template)
        if folder not in self.opened:
            self.opened[folder] = self.open(folder)
        return self.opened[folder]

    def has(self, *names: str) -> bool:
        return not self.lacks & set(names)


CHECKS: dict[str, tuple[Callable[[Subject], None], tuple[str, ...]]] = {}


def check(*needs: str):
    """Register a check; it does not apply to an engine that lacks one of `needs`."""
    assert set(needs) <= set(LACKS)

    def register(function):
        CHECKS[function.__name__] = (function, needs)
        return function

    return register


def requests_of(engine: Engine, samples: int = 1, prompt: Prompt = NONE, name="r", messages=ASK):
    first = engine.request((name, 0, 0), messages, prompt)
    return [replace(first, key=(name, 0, s)) for s in range(samples)]


def greedy(engine: Engine, prompt: Prompt = NONE, **sampling) -> tuple[Request, Completion]:
    [request] = requests_of(engine, 1, prompt)
    [made] = engine.generate([request], Sampling(0, **{"max_tokens": 40} | sampling))
    return request, made


def prompt_of(request: Request, made: Completion) -> list[int] | None:
    return made.facts.get("prompt_ids", request.prompt_ids) or None


@cache
def tokenizer():
    return make_tokenizer()


@cache
def forward(folder: str):
    """prompt ids, written ids -> [written, vocabulary] logits of one plain forward pass."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def logits(prompt: list[int], written: list[int]):
        with torch.inference_mode():
            out = model(input_ids=torch.tensor([prompt + written])).logits[0]
        return out[len(prompt) - 1 : -1]

    return logits


def text_of(ids: list[int]) -> str:
    return tokenizer().decode(
        [i for i in ids if i not in tokenizer().all_special_ids or i in _tags()]
    )


@cache
def _tags() -> set[int]:
    return set(tokenizer().convert_tokens_to_ids(["<think>", "</think>"]))


# --- the checks ------------------------------------------------------------------------------


@check()
def writes_what_the_model_says(subject: Subject) -> None:
    """Greedy text, characters split over tokens included, to the end token."""
    _, made = greedy(subject.engine())
    assert made.text == SCRIPT
    assert made.finish_reason == "stop"
    if subject.has("ids"):
        want = tokenizer()(SCRIPT, add_special_tokens=False)["input_ids"]
        assert made.token_ids == [*want, tokenizer().eos_token_id], "the end token belongs to it"


@check("ids", "sampling")
def ids_and_text_agree(subject: Subject) -> None:
    engine = subject.engine()
    for made in engine.generate(requests_of(engine, 6), Sampling(1.0, max_tokens=24)):
        assert made.token_ids is not None
        assert made.text == text_of(made.token_ids)
        ends = [i == tokenizer().eos_token_id for i in made.token_ids]
        assert not any(ends[:-1])
        assert ends[-1] == (made.finish_reason == "stop")


@check("ids", "logprobs")
def logprobs_are_those_sampled_from(subject: Subject) -> None:
    """Against a direct forward pass, with the temperature; greedy ones are of temperature 1."""
    import torch

    engine, logits = subject.engine(), forward(subject.folder(0, "chatml"))
    cases = [Sampling(1.0, max_tokens=20), Sampling(0, max_tokens=20)]
    if subject.has("tempered logprobs"):
        cases.append(Sampling(0.7, max_tokens=20))
        if subject.has("cuts"):
            cases.append(Sampling(1.0, top_k=4, max_tokens=20))
    for sampling in cases:
        for request, made in _sampled(engine, 3, sampling):
            prompt = (
                prompt_of(request, made) or tokenizer()(HEAD, add_special_tokens=False).input_ids
            )
            assert made.token_ids and made.logprobs is not None
            assert len(made.logprobs) == len(made.token_ids)
            raw = logits(prompt, made.token_ids) / (sampling.temperature or 1)
            if sampling.top_k:
                least = raw.topk(sampling.top_k).values[:, -1:]
                raw = raw.masked_fill(raw < least, float("-inf"))
            want = torch.log_softmax(raw, -1).gather(1, torch.tensor(made.token_ids)[:, None])
            np.testing.assert_allclose(made.logprobs, want[:, 0].numpy(), atol=2e-3)


def _sampled(engine: Engine, count: int, sampling: Sampling):
    requests = requests_of(engine, count)
    return zip(requests, engine.generate(requests, sampling), strict=True)


@check("sampling")
def temperature_0_is_greedy_and_steady(subject: Subject) -> None:
    engine = subject.engine()
    made = engine.generate(requests_of(engine, 3), Sampling(0, max_tokens=40, seed=5))
    assert {c.text for c in made} == {SCRIPT}


@check("sampling")
def samples_differ_and_seeds_repeat(subject: Subject) -> None:
    """A draw depends on (seed, id, epoch, sample), not on the order or on the company."""
    engine = subject.engine()
    requests = requests_of(engine, 6)

    def run(requests, seed=3):
        return [c.text for c in engine.generate(requests, Sampling(1.5, max_tokens=12, seed=seed))]

    whole = run(requests)
    assert len(set(whole)) == 6, "samples of one prompt are the same"
    assert run(requests[::-1])[::-1] == whole
    assert run(requests[2:3]) == whole[2:3]
    assert run(requests, seed=4) != whole
    others = [replace(r, key=("r", 1, r.key[2])) for r in requests]
    assert not set(run(others)) & set(whole), "another epoch draws the same"


@check()
def n_samples_come_in_order(subject: Subject) -> None:
    engine = subject.engine()
    pairs = [requests_of(engine, 4, NONE, name) for name in "ab"]
    requests = [r for pair in pairs for r in pair]
    made = engine.generate(requests, Sampling(1.0, max_tokens=8))
    assert len(made) == len(requests)
    if subject.has("sampling"):
        again = [engine.generate([r], Sampling(1.0, max_tokens=8))[0].text for r in requests]
        assert [c.text for c in made] == again
    assert engine.generate([], Sampling()) == []


@check()
def max_tokens_ends_it(subject: Subject) -> None:
    """Also in the middle of a character."""
    for count in (1, 3, 5):
        _, made = greedy(subject.engine(), max_tokens=count)
        assert made.finish_reason == "length"
        if subject.has("ids"):
            assert made.token_ids is not None
            assert len(made.token_ids) == count
            assert made.text == text_of(made.token_ids)
            if made.logprobs is not None:
                assert len(made.logprobs) == count


@check()
def stop_strings_span_tokens(subject: Subject) -> None:
    """They end it after the token that completes them, and stay in the text."""
    engine = subject.engine()
    for stop, tokens in (("!x", "wé🙂!xy"), ("é🙂", "wé🙂"), ("🙂", "wé🙂"), ("z", "wé🙂!xyz")):
        _, made = greedy(engine, stop=("not there", stop))
        assert made.finish_reason == "stop"
        if subject.has("ids"):
            assert made.token_ids == tokenizer()(tokens, add_special_tokens=False)["input_ids"]
            assert made.text == tokens, (stop, made.text)
        elif subject.has("stop string"):
            assert made.text.endswith(stop)
        else:
            assert made.text == SCRIPT.partition(stop)[0]


@check("prefill")
def an_empty_completion_is_one(subject: Subject) -> None:
    _, made = greedy(subject.engine(), Prompt("p", None, "<think>"))
    assert made.text == ""
    assert made.finish_reason == "stop"
    if subject.has("ids"):
        assert made.token_ids == [tokenizer().eos_token_id]


@check("prefill")
def an_opened_answer_goes_on(subject: Subject) -> None:
    request, made = greedy(subject.engine(), Prompt("p", None, "<think>\n"))
    assert made.text == SCRIPT
    _expect_prompt(request, made, HEAD + "<think>\n")


@check()
def a_prompt_too_long_is_named(subject: Subject) -> None:
    engine = subject.engine()
    message = [{"role": "user", "content": "a" * (CONTEXT + 5)}]
    named = ""
    try:
        engine.generate(requests_of(engine, 1, NONE, "long-one", message), Sampling(max_tokens=4))
    except DataError as error:
        named = str(error)
    assert "long-one" in named, "no DataError, or one that does not say which record"


@check("context", "sampling", "ids")
def it_ends_where_the_context_ends(subject: Subject) -> None:
    engine = subject.engine()
    message = [{"role": "user", "content": "a" * (CONTEXT - 30)}]
    requests = requests_of(engine, 8, NONE, "r", message)
    for request, made in zip(requests, engine.generate(requests, Sampling(2.0)), strict=True):
        prompt = prompt_of(request, made)
        assert prompt and made.token_ids
        total = len(prompt) + len(made.token_ids)
        assert total == CONTEXT if made.finish_reason == "length" else total <= CONTEXT


def _expect_prompt(request: Request, made: Completion, text: str) -> None:
    prompt = prompt_of(request, made)
    if prompt is not None:
        assert tokenizer().decode(prompt) == text


@check()
def the_chat_template_is_applied_once(subject: Subject) -> None:
    """With the generation prompt; the start token is there as often as the template writes it."""
    for template, start in (("chatml", ""), ("bos", "<|bos|>")):
        request, made = greedy(subject.engine(0, template))
        _expect_prompt(request, made, start + HEAD)
        assert made.text == SCRIPT
    request, made = greedy(subject.engine(), Prompt("p", "be good"))
    _expect_prompt(request, made, "<|im_start|>system\nbe good<|im_end|>\n" + HEAD)


@check("system")
def a_template_without_a_system_role(subject: Subject) -> None:
    request, made = greedy(subject.engine(0, "no-system"), Prompt("p", "be good"))
    _expect_prompt(request, made, HEAD.replace("hi", "be good\n\nhi"))


@check("swap", "sampling")
def other_weights_are_taken(subject: Subject) -> None:
    """And taken back; what is drawn is then what a fresh engine draws."""
    mine, other = subject.folder(0, "chatml"), subject.folder(1, "chatml")
    engine, sampling = subject.open(mine), Sampling(1.0, max_tokens=20)

    def run(engine):
        return [c.text for c in engine.generate(requests_of(engine, 4), sampling)]

    before = run(engine)
    engine.load(other)
    assert run(engine) == run(subject.open(other)) != before
    engine.load(mine)
    assert run(engine) == before


@check("swap", "sampling")
def a_swap_under_way_divides_old_from_new(subject: Subject) -> None:
    """What was begun before `load` is of the old weights, also where an engine streams.

    A version that is gone again when it is read is an SwrError, after which the old ones count.
    """
    mine, other = subject.folder(0, "chatml"), subject.folder(1, "chatml")
    engine, sampling = subject.open(mine), Sampling(1.0, max_tokens=30)
    old, new = requests_of(engine, 6), requests_of(engine, 6, NONE, "later")
    want = [c.text for c in engine.generate(old, sampling)]
    try:
        engine.load(mine + "-gone")
    except SwrError:
        assert [c.text for c in engine.generate(old, sampling)] == want
    else:
        raise AssertionError("weights were taken from nowhere")

    def under_way():
        yield from old
        engine.load(other)
        yield from new

    if stream := getattr(engine, "stream", None):
        made = list(stream(under_way(), sampling))
    else:  # as the stage does it: between two blocks
        made = engine.generate(old, sampling)
        engine.load(other)
        made += engine.generate(new, sampling)
    fresh = subject.open(other).generate(new, sampling)
    engine.load(mine)
    assert [c.text for c in made] == want + [c.text for c in fresh]
    assert engine.generate(new[:1], sampling)[0].text != fresh[0].text


@check("swap", "flow", "ids", "logprobs")
def weights_are_taken_in_flight(subject: Subject) -> None:
    """New weights go on with completions under way: who wrote a token is known, and its log-probability is
    that of the distribution it was drawn from, with the old keys and values as they are kept."""
    for asked in (False, True):
        mixed = 0
        for steps in (3, 12, 48, 192):  # until they have begun to write, and have not ended
            requests, made, recompute = flown(subject, asked, steps)
            assert set(made) == {r.key for r in requests}, "each ends once"
            for request in requests:
                completion = made[request.key]
                versions, ids = completion.facts["versions"], completion.token_ids
                assert sum(n for _, n in versions) == len(ids) and all(n > 0 for _, n in versions)
                assert [v for v, _ in versions] in ([7], [8], [7, 8])
                if request.key[0] == "later":
                    assert versions == [[8, len(ids)]], "it began after the weights came"
                mixed += len(versions) == 2
                ranges = [(subject.folder(v - 7, "chatml"), n) for v, n in versions]
                want = in_ranges(ranges, request.prompt_ids, ids, recompute)
                assert np.abs(completion.logprobs - want).max() < 1e-4
            if mixed > 2:
                break
        assert mixed > 2, "no completion met the new weights"


def flown(subject: Subject, recompute: bool, steps: int) -> tuple[list[Request], dict, bool]:
    """Requests, and their completions by key, of a flow that takes the weights of seed 1 as version 8 while
    version 7, of seed 0, writes; and whether it read again what was written."""
    mine, other = subject.folder(0, "chatml"), subject.folder(1, "chatml")
    engine = subject.open(mine)
    engine.load(mine)
    flow = engine.flow(Sampling(1.0, max_tokens=80), 7, recompute)
    first, more, later = (
        requests_of(engine, n, name=x) for n, x in ((8, "a"), (4, "b"), (6, "later"))
    )
    made, deadline = {}, time.monotonic() + 120

    def go_on(steps: int) -> None:
        for _ in range(steps):
            made.update({request.key: completion for request, completion in flow.step()})

    flow.begin(first)
    go_on(steps)
    flow.begin(more)
    go_on(3)
    flow.take(other, 8)
    flow.begin(later)
    while len(made) < 18 and time.monotonic() < deadline:
        go_on(1)
    flow.close()
    engine.load(mine)
    return [*first, *more, *later], made, flow.recompute


def in_ranges(ranges: list, prompt: list[int], ids: list[int], recompute: bool) -> np.ndarray:
    """The log-probabilities of `ids` where each model folder wrote its number of them, in order.

    Each goes on from the keys and values that those before it left, or with `recompute` from its own.
    """
    import torch
    from transformers import AutoModelForCausalLM, DynamicCache

    cache, done, want = DynamicCache(), 0, []
    for folder, count in ranges:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        whole = [*prompt, *ids]
        end = len(prompt) + sum(map(len, want)) + count
        if recompute:
            cache, done = DynamicCache(), 0
        with torch.inference_mode():
            new = torch.tensor([whole[done : end - 1]])
            logits = model(input_ids=new, past_key_values=cache).logits[0, -count:]
        done = end - 1
        target = torch.tensor(whole[end - count : end])
        want.append(torch.log_softmax(logits, -1).gather(1, target[:, None])[:, 0].numpy())
    return np.concatenate(want)


@check()
def what_is_done_comes_in_silence(subject: Subject) -> None:
    """A stream gives it while its source says None, and reads no request out of that."""
    engine, sampling = subject.engine(), Sampling(1.0, max_tokens=8)
    requests, made = requests_of(engine, 3), []
    want = [c.text for c in engine.generate(requests, sampling)]
    if stream := getattr(engine, "stream", None):

        def one_by_one():
            for count, request in enumerate(requests, 1):
                yield request
                deadline = time.monotonic() + SILENT
                while len(made) < count:
                    assert time.monotonic() < deadline, "what is done waits for another request"
                    yield None
                    time.sleep(0.001)

        for completion in stream(one_by_one(), sampling):
            made.append(completion)  # `one_by_one` looks at it
        assert [c.text for c in made] == want


@check()
def leaving_early_leaves_it_usable(subject: Subject) -> None:
    """Nothing is in flight when a consumer has had enough of a stream, or a request failed.

    `unfinished`, where an engine has it, counts what is in flight.
    """
    engine, sampling = subject.engine(), Sampling(1.0, max_tokens=12)
    want = [c.text for c in engine.generate(requests_of(engine, 4), sampling)]

    def still_usable() -> None:
        assert not getattr(engine, "unfinished", 0)
        assert [c.text for c in engine.generate(requests_of(engine, 4), sampling)] == want

    if stream := getattr(engine, "stream", None):
        read = 0

        def many():
            nonlocal read
            for request in requests_of(engine, 40, NONE, "many"):
                read += 1
                yield request

        for count in (1, 3):
            read = 0
            under_way = stream(many(), Sampling(1.0, max_tokens=60))
            for _ in range(count):
                next(under_way)
            under_way.close()
            seen = read
            still_usable()
            assert read == seen, "it reads on after the consumer left"
    message = [{"role": "user", "content": "a" * (CONTEXT + 5)}]
    try:
        long = requests_of(engine, 1, NONE, "long-one", message)
        engine.generate([*requests_of(engine, 4, NONE, "with it"), *long], sampling)
    except DataError:
        still_usable()


class Noting:
    """An engine that notes what it is asked."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.asked = engine, list[Request]()
        self.stream = self._stream if getattr(engine, "stream", None) else None

    def __getattr__(self, name: str):
        return getattr(self.engine, name)

    def generate(self, requests, sampling):
        self.asked += requests
        return self.engine.generate(requests, sampling)

    def _stream(self, requests, sampling):
        def noted():
            for request in requests:
                self.asked += [request] if request is not None else []
                yield request

        yield from self.engine.stream(noted(), sampling)


class Calling(ToolEngine):
    """Whatever it has written up to one of these texts is a call: a model need not know tags."""

    def __init__(self, engine, tools, options, ends) -> None:
        super().__init__(engine, tools, options)
        self._ends = ends

    def _call(self, text: str):
        return _Call(self._tools.names[0], text) if text.endswith(self._ends) else None


@check("ids", "logprobs", "tempered logprobs", "sampling")
def a_tools_reply_changes_no_earlier_id(subject: Subject) -> None:
    """Every turn goes on from the ids so far; what is put in has log-probability 0, all else that of
    a direct forward pass over the whole. An engine that cannot be given ids says so."""
    import torch

    engine = Noting(subject.engine())
    options = ToolOptions(tools="calculator", max_turns=2)
    reply = "é <b> us"
    tools = Tools({"calculator": lambda query: Reply(reply)}, options)
    if getattr(engine, "send", "ids") != "ids" or getattr(engine, "tokenizer", None) is None:
        try:
            ToolEngine(engine, tools, options)
        except UsageError:
            return
        raise AssertionError("it takes no ids, and tools are used all the same")
    # Four, as many stop strings as vLLM's server takes.
    wrapped = Calling(engine, tools, options, ("er", "!", "&", "z"))
    requests, temperature = requests_of(engine, 16), 0.8
    made = wrapped.generate(requests, Sampling(temperature, max_tokens=24))
    inserted, _ = insertion_ids(tokenizer(), insertion(reply))
    calls = 0
    for sample, completion in enumerate(made):
        ids, mask = completion.token_ids, completion.facts["loss_mask"]
        assert ids is not None and completion.logprobs is not None
        prompt, turns = requests[sample].prompt_ids, completion.facts["turns"]
        starts = [turn["tokens"][0] for turn in turns if turn["kind"] == "wrote"]
        asked = [r.prompt_ids for r in engine.asked if r.key[2] == sample]
        assert asked == [prompt + ids[:start] for start in starts], "an earlier id has changed"
        assert completion.text == text_of(ids)
        for turn in turns:
            part = ids[slice(*turn["tokens"])]
            assert completion.text[slice(*turn["characters"])] == text_of(part)
            assert turn["kind"] == "wrote" or part == inserted
        calls += len(turns) // 2
        raw = forward(subject.folder(0, "chatml"))(prompt, ids) / temperature
        want = torch.log_softmax(raw, -1).gather(1, torch.tensor(ids)[:, None])[:, 0]
        want = torch.where(torch.tensor(mask) == 1, want, 0.0).numpy()
        np.testing.assert_allclose(completion.logprobs, want, atol=2e-3)
        assert not completion.logprobs[np.array(mask) == 0].any()
    assert calls > 2, "too few calls to show anything"
    tools.close()


def main(args: list[str]) -> int:
    """Run every check on an engine named on the command line, and print a line for each."""
    lacks = frozenset(args[args.index("--lacks") + 1].split(",")) if "--lacks" in args else set()
    name, *pairs = args[: args.index("--lacks")] if "--lacks" in args else args
    options = {k: int(v) if v.isdigit() else v for k, _, v in (p.partition("=") for p in pairs)}
    failed = 0
    with tempfile.TemporaryDirectory() as folder:

        @cache
        def reference(seed: int, template: str) -> str:
            return save_reference(f"{folder}/{seed}-{template}", seed, template)

        subject = Subject(lambda f: open_engine(name, f, **options), reference, frozenset(lacks))
        for title, (function, needs) in CHECKS.items():
            if not subject.has(*needs):
                print(f"lacks   {title}")
                continue
            try:
                function(subject)
                print(f"passes  {title}")
            except Exception as error:
                failed += 1
                print(f"FAILS   {title}: {type(error).__name__}: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
