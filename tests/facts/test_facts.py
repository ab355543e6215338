"""The made world: what questions say of themselves is true of the documents, and traces are honest."""

import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.facts.questions import Questions
from swr1.facts.world import World, heading, words
from swr1.records import own


def looked_up(documents, question):
    """The answer by documents and common tables alone; None where they do not hold it.

    An own derivation: it knows the question's text and nothing of how it was made."""
    text = {d["title"]: d["text"] for d in documents}
    *asked, last = re.fullmatch(r"what is the (.*) of (?:a )?(\w+) \?", question).groups()
    chain = asked[0].split(" of the ")[::-1]
    value = last
    for step in chain:
        if step in words()["common"]:
            if value in words()["people"]:
                value = text.get(f"{'trade' if step == 'tool' else 'pet'} {value}")
            value = words()["common"][step].get(value)
        else:
            value = text.get(f"{step} {value}")
        if value is None:
            return None
    return value


@given(st.integers(0, 500), st.integers(0, 500), st.sampled_from([0.0, 0.25, 0.6]))
def test_an_answer_is_what_the_documents_say_or_nothing_does(world, seed, missing):
    documents = World(world, missing).documents()
    for item in Questions(n=20, world=world, seed=seed, missing=missing).items():
        found = looked_up(documents, item["prompt"][0]["content"])
        assert (found is not None) == item["info"]["answerable"]
        assert found in (None, item["answer"][0])
        titles = {d["id"]: d["text"] for d in documents}
        named = [titles.get(name) for name in item["info"]["documents"]]
        if item["info"]["kind"] in ("one", "two"):
            assert named[-1] in (None, item["answer"][0])
        assert all(named) == item["info"]["answerable"]
        needed = {"one": 1, "two": 2, "mixed": 1, "common": 0}[item["info"]["kind"]]
        assert item["info"]["searches"] == needed


def test_worlds_share_words_and_no_facts_by_more_than_chance():
    one, other = World(1), World(2)
    assert one.people == other.people and one.facts.keys() == other.facts.keys()
    same = sum(one.facts[f] == other.facts[f] for f in one.facts)
    assert same < len(one.facts) / 8  # one in 20 or 24 by chance


def test_traces_are_of_worlds_of_their_own_and_their_turns_cover_the_text():
    items = list(Questions(n=400, seed=3, trace=True).items())
    looked = 0
    for item in items:
        turns = item["generation"]["turns"]
        text = item["completion"]
        assert [t["characters"][0] for t in turns[1:]] == [t["characters"][1] for t in turns[:-1]]
        assert turns[0]["characters"][0] == 0 and turns[-1]["characters"][1] == len(text)
        for turn in turns:
            piece = text[slice(*turn["characters"])]
            assert piece.startswith("<information>") == (turn["kind"] == "read")
        assert "<information>" not in own(item)["completion"]
        assert re.search(r"<confidence>[39]</confidence><answer>\w+</answer>$", text)
        if "it says" in text:  # what it says is in the first passage, under the heading asked for
            looked += 1
            for title, value in re.findall(r"first (\w+ \w+) asked \1 same it says (\w+)", text):
                assert f"<information>\n{title} {value}\n" in text
    assert 100 < looked < 200
    needed = [i for i in items if i["info"]["searches"]]
    searched = [i for i in needed if "<search>" in i["completion"]]
    assert 0.4 < len(searched) / len(needed) < 0.6


def test_documents_and_questions_from_the_command_line(swr1, tmp_path):
    made = swr1("gen-facts", "-n", 6, "--world", 4, "--documents", "d.jsonl", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    documents = [orjson.loads(x) for x in (tmp_path / "d.jsonl").read_bytes().splitlines()]
    assert documents == World(4).documents()
    assert len(made.stdout.splitlines()) == 6
    assert heading("home", "Ada") == "home Ada"
    parts = [
        swr1("gen-facts", "-n", 6, "--world", 4, "--shard", f"{i}/2", cwd=tmp_path).stdout
        for i in (0, 1)
    ]
    assert sorted("".join(parts).splitlines()) == sorted(made.stdout.splitlines())


@pytest.mark.parametrize("share", ["missing", "care", "shuffled"])
def test_a_share_that_is_none_is_refused(swr1, tmp_path, share):
    made = swr1("gen-facts", f"--{share}", 1.5, cwd=tmp_path)
    assert made.returncode == 2 and f"--{share} is a share" in made.stderr


def test_a_fact_may_stand_in_several_documents():
    documents = World(3).documents(sources=2)
    one, other = documents[: len(documents) // 2], documents[len(documents) // 2 :]
    assert len({d["id"] for d in documents}) == len(documents)
    assert [{**d, "id": f"{d['id']}-2"} for d in one] == other
