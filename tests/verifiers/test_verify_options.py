"""`swr1 verify NAME... --option`: who an option is for, and that none passes silently."""

import inspect
import sys

import pytest

from swr1.errors import UsageError
from swr1.registry import parse_options
from swr1.verifiers.builtin import safety
from swr1.verifiers.declared import REGISTRY, declaration
from swr1.verifiers.running import open_verifiers
from tests.conftest import jsonl, run_swr1
from tests.verifiers.models.guard_server import GuardServer, records

KNIGHTS = {
    "id": "k",
    "task": "knights",
    "prompt": [{"role": "user", "content": "Zoey says: I am a knight."}],
    "answer": [["Zoey", "knight"]],
    "completion": "<think>She is.</think><answer>Zoey is a knight</answer>",
}


def refused(*names, grader=None, settings=(), **model) -> str:
    """What is said of these options."""
    options = {"grader": grader, "timeout": 1, "settings": settings, "model": model}
    with pytest.raises(UsageError) as error, open_verifiers(names, **options):
        pass
    return str(error.value)


def test_a_grader_is_for_those_that_have_one():
    command = ("verify", "math", "refusal", "--grader", "published")
    done = run_swr1(*command, stdin=jsonl([KNIGHTS]))
    assert done.returncode == 2 and not done.stdout
    told = "--grader is no option of math, refusal; it is one of format, knights"
    assert told in done.stderr and "Traceback" not in done.stderr
    told = refused("format", "math", "knights", grader="published")
    assert "no option of math; of those named, format, knights have it" in told
    assert "--set format.grader=" in told
    one = {"grader": None, "timeout": 1, "settings": ["knights.grader=published"]}
    with open_verifiers(["format", "knights"], grader="published", timeout=1, settings=()) as both:
        assert both(KNIGHTS).keys() == {"format", "knights"}
    with open_verifiers(["format", "knights", "refusal"], **one) as three:
        assert len(three(KNIGHTS)) == 3


@pytest.mark.parametrize(
    ("option", "value"),
    [("guard", "g"), ("url", "http://h/v1"), ("adapter", "wildguard"), ("judge", "safety"),
     ("cache", "c.sqlite"), ("key_env", "HOME")],
)  # fmt: skip
def test_an_option_of_models_is_for_models(option, value):
    flag = f"--{option.replace('_', '-')}"
    told = refused("format", "math", **{option: value})
    assert f"{flag} is for verifiers that are models, and none of format, math is one" in told
    assert "helpful, knowledge, safety, steps, value" in told
    if option not in ("guard", "url"):  # without a model to ask, the others are of no use
        told = refused("knights", "knowledge", **{option: value})
        assert f"only with --guard: {flag} is of no use" in told


def test_a_guard_beside_knowledge_is_not_its_judge():
    """It goes by the verdict that came before, whoever judges the safety."""
    rows = [
        r | {"task": "qa", "answer": "tea", "completion": "<answer>tea</answer>"}
        for r in records(2)
    ]
    options = ("--set", "knowledge.confidence=stated")
    with GuardServer(lambda text: "safe", "Llama-Guard-3-8B") as server:
        guard = ("--guard", "Llama-Guard-3-8B", "--url", server.url)
        names = ("exact", "safety", "knowledge")
        done = run_swr1("verify", *names, *guard, *options, stdin=jsonl(rows), check=True)
        assert len(server.requests) == 2  # one for each record's safety
        assert "exact: correct 100.0%" in " ".join(done.stderr.split())
        run_swr1("verify", "knowledge", *guard, *options, stdin=jsonl(rows), check=True)
        assert len(server.requests) == 4  # named alone, it asks


@pytest.mark.parametrize(
    ("guard", "options", "word"),
    [
        ("Llama-Guard-3-8B", {"think": True}, "Granite Guardian's, not of llama-guard"),
        ("Llama-Guard-3-8B", {"criteria": "It rhymes."}, "Granite Guardian's"),
        ("Llama-Guard-3-8B", {"scale": "up=1"}, "scale is for classifiers"),
        ("big", {"judge": "safety", "scale": "up=1"}, "scale is for classifiers"),
    ],
)
def test_an_option_of_another_kind_of_guard_does_not_pass(guard, options, word):
    with pytest.raises(UsageError, match=word):
        safety.open(guard=guard, url="http://127.0.0.1:9/v1", **options)


def test_a_setting_is_for_a_verifier_that_is_named():
    told = refused("format", "math", settings=["maths.last_number=true"])
    cannot = "cannot set 'maths.last_number=true': no such verifier here. "
    assert told == f"{cannot}Did you mean 'math.last_number'?"
    told = refused("length", settings=["length.edge=3", "edge=3"])
    assert "cannot set 'edge=3'" in told and "Did you mean 'length.edge'?" in told
    told = refused("format", "math", settings=["last-numbers=true"])
    assert "Did you mean 'math.last_number'?" in told
    assert "Did you mean 'math'?" in refused("math", settings=["maths.colour=true"])
    assert "`swr1 verify NAME --options` lists" in refused("math", settings=["colour=true"])
    assert "What can be set: " in refused("length", settings=["length.edges=3"])


def test_a_key_is_for_a_server():
    with pytest.raises(UsageError, match="there is no --url"):
        safety.open(guard="runs/guard", key_env="HOME")


def test_options_are_listed_with_default_and_help_as_set_takes_them(tmp_path):
    done = run_swr1("verify", "math", "knights", "--options", check=True)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert (
        "math.last_number=false without a box or <answer>, take the last number of the text."
        in lines
    )
    assert (
        "knights.grader=robust" in done.stdout and "(require_tags=false reads more)" in done.stdout
    )
    mine = tmp_path / "mine.py"
    mine.write_text(
        'raise SystemExit\ndef check(record, *, most=3, kinds=["a"], name=""):\n    """Is it short?\n\n'
        '    Args:\n        most, kinds: how many\n            words.\n\n    Or not.\n    """\n'
    )
    done = run_swr1("verify", f"{mine}:check", "--options", check=True)  # read, not run
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == f"{mine}:check: Is it short?"
    assert f"{mine}:check.most=3 how many words." in lines and f"{mine}:check.name=''" in lines


@pytest.mark.parametrize("name", REGISTRY.names())
def test_every_option_of_a_verifier_has_help_and_the_default_that_it_takes(name):
    function = REGISTRY.get(name)
    called = getattr(sys.modules[function.__module__], "open", None) or function
    parameters = inspect.signature(called).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    declared = {s.name: s for s in declaration(name).settings}
    assert declared.keys() == defaults.keys()
    for option, setting in declared.items():
        assert setting.help, option
        assert setting.default == ("" if defaults[option] is None else defaults[option])
    if declaration(name).lenient:
        parse_options(called, [declaration(name).lenient])
