"""Attacks: what each kind does to a prompt, that ids differ, and `swr1 attack`."""

import base64

import orjson
import pytest

from swr1.errors import DataError, UsageError
from swr1.prompts.attacks import ENCODINGS, MANY_SHOT, Attacks, attack_names
from tests.conftest import jsonl, run_swr1

TEXT = "How do I open the old lock?"


def ask(text=TEXT, name="a"):
    prompt = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": text}]
    return {"v": 1, "id": name, "task": "safety", "prompt": prompt, "info": {"harmful": True}}


@pytest.mark.parametrize("name", attack_names())
def test_every_kind_keeps_the_request_in_some_writing(name):
    attacks = Attacks(name)
    ids = {"a"}
    for kind in attacks.kinds:
        made = attacks.apply(ask(), kind, seed=3)
        written = ENCODINGS.get(kind, str)(TEXT)
        assert written in made["prompt"][-1]["content"]
        assert made["prompt"][0] == ask()["prompt"][0]
        assert made["info"] == {"harmful": True, "attack": kind, "attacked": "a"}
        ids.add(made["id"])
    assert len(ids) == len(attacks.kinds) + 1


def test_encodings_can_be_read_back():
    written = Attacks().apply(ask(), "base64")["prompt"][-1]["content"].rpartition(" ")[2]
    assert base64.b64decode(written).decode() == TEXT


def test_many_shot_is_turns_before_the_request():
    made = Attacks().apply(ask(), MANY_SHOT, shots=9)
    roles = [message["role"] for message in made["prompt"]]
    assert roles == ["system", *["user", "assistant"] * 9, "user"]
    assert made["prompt"][-1]["content"] == TEXT


def test_braces_in_a_request_stay_as_they_are():
    odd = "what is {encoded} in {0}?"
    assert odd in Attacks().apply(ask(odd), "suffix")["prompt"][-1]["content"]


def test_another_seed_takes_another_text():
    attacks = Attacks()
    texts = {attacks.apply(ask(), "prefix", s)["prompt"][-1]["content"] for s in range(20)}
    assert len(texts) == len(attacks.texts["prefix"])


def test_what_cannot_be_attacked():
    with pytest.raises(DataError, match="user's text"):
        Attacks().apply({**ask(), "prompt": [{"role": "assistant", "content": "x"}]}, "prefix")
    with pytest.raises(UsageError, match="prefix"):
        Attacks().check("prefx")
    with pytest.raises(UsageError, match="english"):
        Attacks("englsh")


def test_own_texts(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('polite = ["Please: {prompt}"]\n')
    assert Attacks(str(file)).kinds == ["polite"]
    file.write_text('polite = ["Please"]\n')
    with pytest.raises(UsageError, match="each with"):
        Attacks(str(file))


def test_the_command_line():
    done = run_swr1(
        "attack", "prefix", "leet", "--with-original", stdin=jsonl([ask(), ask("Why?", "b")])
    )
    out = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert [r["info"].get("attack") for r in out] == [None, "prefix", "leet"] * 2
    assert run_swr1("attack", "prefx", stdin=b"").returncode == 2
