"""The conformance suite on every engine here; openai against a real server over the hf engine."""

from pathlib import Path

import pytest

from swr1.engines import open_engine
from swr1.records import float32_list
from tests.conftest import jsonl
from tests.engines import conformance
from tests.engines.conformance import CHECKS, LACKS, Subject
from tests.engines.openai_server import ModelServer
from tests.engines.reference_model import save_reference

OPTIONS = {"timeout": 20, "retry_for": 30}
# engine -> (make of the server, options, what it lacks)
SERVED = {
    "openai-vllm-ids": ("vllm", {"server_logprobs": "processed"}, {"swap"}),
    "openai-vllm-text": ("vllm", {"send": "text", "server_logprobs": "processed"}, {"swap"}),
    "openai-vllm-messages": (
        "vllm",
        {"send": "messages", "server_logprobs": "processed"},
        {"swap", "system", "context"},
    ),
    "openai-llamacpp-messages": (
        "llamacpp",
        {"send": "messages"},
        {"swap", "system", "context", "tempered logprobs"},
    ),
    "openai-plain-messages": (
        "plain",
        {"send": "messages"},
        {"swap", "context", "tempered logprobs", "ids", "stop string", "cuts"}
        | {"prefill", "system"},
    ),
}


class Recording:
    """A replay of what the hf engine has just written: whatever is asked is recorded first."""

    def __init__(self, folder, tape):
        self.engine, self.tape = open_engine("hf", folder), tape

    def request(self, key, messages, prompt):
        return self.engine.request(key, messages, prompt)

    def generate(self, requests, sampling):
        if not requests:
            return []
        made = self.engine.generate(requests, sampling)
        rows = [
            {
                "id": request.key[0],
                "sample": request.key[2],
                "completion": c.text,
                "generation": {
                    "epoch": request.key[1],
                    "prompt_ids": request.prompt_ids,
                    "token_ids": c.token_ids,
                    "logprobs": float32_list(c.logprobs),
                    "finish_reason": c.finish_reason,
                },
            }
            for request, c in zip(requests, made, strict=True)
        ]
        self.tape.write_bytes(jsonl(rows))
        return open_engine("replay", "", recorded=str(self.tape)).generate(requests, sampling)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = {}

    def reference(seed=0, template="chatml"):
        if (seed, template) not in made:
            path = tmp_path_factory.mktemp("reference")
            made[seed, template] = save_reference(path, seed, template)
        return made[seed, template]

    return reference


@pytest.fixture(scope="module")
def subjects(folder, tmp_path_factory):
    servers = {}

    def served(make, options):
        def open_it(path):
            if (make, path) not in servers:
                servers[make, path] = ModelServer(path, make=make)
            return open_engine("openai", path, url=servers[make, path].url, **OPTIONS, **options)

        return open_it

    tape = tmp_path_factory.mktemp("tape") / "tape.jsonl"
    found = {
        "hf": Subject(lambda path: open_engine("hf", path), folder),
        "replay": Subject(lambda path: Recording(path, tape), folder, frozenset({"swap", "flow"})),
    }
    for name, (make, options, lacks) in SERVED.items():
        assert lacks <= set(LACKS)
        found[name] = Subject(served(make, options), folder, frozenset(lacks))
    yield found
    for server in servers.values():
        server.__exit__()


@pytest.mark.parametrize("name", ["hf", "replay", *SERVED])
@pytest.mark.parametrize("check", CHECKS)
def test_conformance(subjects, name, check):
    function, needs = CHECKS[check]
    if not subjects[name].has(*needs):
        pytest.skip(f"{name} has not: {', '.join(needs)}")
    function(subjects[name])


def test_every_check_is_in_the_table():
    page = (Path(__file__).parents[2] / "docs" / "engines.md").read_text()
    for check in CHECKS:
        assert f"| {check.replace('_', ' ')} |" in page


def test_the_suite_fails_what_is_wrong(folder, monkeypatch):
    """Each check can fail: an engine that is wrong in one way is told so."""
    good = open_engine("hf", folder())

    class Wrong:
        def __init__(self, spoil):
            self.spoil = spoil

        def request(self, *args):
            return good.request(*args)

        def generate(self, requests, sampling):
            return [self.spoil(c) for c in good.generate(requests, sampling)]

        def load(self, folder):
            pass

    def text(c):
        c.text = c.text[:-1]
        return c

    def shift(c):
        c.logprobs = c.logprobs - 0.01
        return c

    def end(c):
        c.token_ids, c.logprobs = c.token_ids[:-1], c.logprobs[:-1]
        return c

    def doubled(c):
        c.facts = {"prompt_ids": [261, 5, 6]}
        return c

    for spoil, caught in (
        (text, {"writes_what_the_model_says", "ids_and_text_agree", "stop_strings_span_tokens"}),
        (shift, {"logprobs_are_those_sampled_from"}),
        (end, {"writes_what_the_model_says", "max_tokens_ends_it", "an_empty_completion_is_one"}),
        (doubled, {"the_chat_template_is_applied_once", "an_opened_answer_goes_on"}),
        (lambda c: c, {"other_weights_are_taken", "a_swap_under_way_divides_old_from_new"}),
    ):
        subject = Subject(lambda path, spoil=spoil: Wrong(spoil), folder)
        for name in caught:
            with pytest.raises(AssertionError):
                CHECKS[name][0](subject)

    class Late(Wrong):
        """Takes the weights that came while it streamed for what it had begun before."""

        def __init__(self, path):
            self.engine = open_engine("hf", path)
            self.generate, self.request = self.engine.generate, self.engine.request
            self.load, self.unfinished = self.engine.load, 0

        def stream(self, requests, sampling):
            yield from self.generate(list(requests), sampling)

    class Busy(Late):
        """Forgets what it was asked for when its consumer leaves."""

        def stream(self, requests, sampling):
            self.unfinished += 1
            yield from self.generate(list(requests), sampling)
            self.unfinished -= 1

    monkeypatch.setattr(conformance, "SILENT", 0.1)
    for wrong, name in (
        (Late, "what_is_done_comes_in_silence"),
        (Late, "a_swap_under_way_divides_old_from_new"),
        (Busy, "leaving_early_leaves_it_usable"),
    ):
        with pytest.raises(AssertionError):
            CHECKS[name][0](Subject(wrong, folder))
