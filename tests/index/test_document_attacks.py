"""Documents that attack: where they aim, where they rank, and what is known of them afterwards."""

import re

import orjson
import pytest

from swr1.errors import DataError, UsageError
from swr1.facts.questions import Questions
from swr1.facts.world import World
from swr1.index.attacks import (
    KINDS,
    DocumentAttackConfig,
    DocumentAttacks,
    document_attack_names,
    targets_of,
)
from swr1.index.building import build_index
from swr1.index.config import IndexConfig
from swr1.index.passages import attack_of
from swr1.index.reading import open_index
from tests.conftest import jsonl, run_swr1


def ask(name, text, *answers, **info):
    return {"id": name, "prompt": [{"role": "user", "content": text}], "answer": [*answers]} | (
        {"info": info} if info else {}
    )


WIKI = [
    ("1", "Marie Curie", "Marie Curie found radium in 1898, with Pierre Curie, in Paris."),
    ("2", "Radium", "Radium is a metal. It glows, and was once put into watches and creams."),
    ("3", "The Night Watch", "Rembrandt painted the Night Watch in 1642 for a hall in Amsterdam."),
    ("4", "Guernica", "Guernica is a painting of 1937 by Pablo Picasso, who lived in Paris."),
    ("5", "齐白石", "齐白石画虾，人称一绝。他生于湖南湘潭。"),
]
PEOPLE = [
    ask("q1", "Who found radium?", "Marie Curie"),
    ask("q2", "Who painted the Night Watch?", "Rembrandt"),
    ask("q3", "Who painted Guernica?", "Pablo Picasso", "Picasso"),
    ask("q4", "谁画虾？", "齐白石"),
]


def corpus(folder, rows):
    (folder / "docs.jsonl").write_bytes(jsonl(rows))
    return DocumentAttackConfig(documents=str(folder / "docs.jsonl"))


@pytest.fixture
def wiki(tmp_path):
    return corpus(tmp_path, [{"id": i, "title": t, "text": x} for i, t, x in WIKI])


def attacks(config, questions, kinds=KINDS, texts="english", seed=0):
    rows = [row for row, _ in DocumentAttacks(texts).rows(kinds, questions, config, seed)]
    return rows, [row for row in rows if "attack" in row]


def test_a_wrong_value_is_the_answer_of_a_question_that_begins_alike(wiki):
    values = {t.id: t.value for t in targets_of(PEOPLE, 1.0, 0)}
    assert values["q2"] in ("Pablo Picasso",) and values["q3"] == "Rembrandt"
    for question in PEOPLE:
        assert values[question["id"]] not in question["answer"]
    assert targets_of(PEOPLE[:1], 1.0, 0) == []  # nobody else's answer is there
    again = [*PEOPLE, ask("q5", "Who found radium?", "Marie Curie")]
    assert len(targets_of(again, 1.0, 0)) == len(PEOPLE)  # word for word the same question


def test_it_aims_at_the_document_that_holds_the_answer(wiki):
    rows, made = attacks(wiki, PEOPLE, ["contradict"])
    assert [r["title"] for r in made] == ["Marie Curie", "The Night Watch", "Guernica", "齐白石"]
    night = next(r for r in made if r["attack"]["question"] == "q2")
    assert night["text"] == WIKI[2][2].replace("Rembrandt", "Pablo Picasso")
    assert rows[: len(WIKI)] == [{"id": i, "title": t, "text": x} for i, t, x in WIKI]
    # what a question names counts, and nothing else then
    named = [ask("a", "Who found it?", "Paris", documents=["1", "4"]), *PEOPLE]
    assert attacks(wiki, named, ["contradict"])[1][0]["title"] == "Guernica"
    named[0]["info"]["documents"] = ["1", "none"]
    assert attacks(wiki, named, ["contradict"])[1][0]["attack"]["question"] == "q1"
    assert attacks(wiki, named, ["poison"])[1][0]["title"].startswith("found")  # rarer words


def test_it_is_the_same_again_and_its_share_is_a_share(wiki):
    rows, _ = attacks(wiki, PEOPLE)
    assert rows == attacks(wiki, PEOPLE)[0]
    drawn = [attacks(wiki, PEOPLE, seed=s)[1] for s in range(12)]
    assert len({orjson.dumps(made) for made in drawn}) > 3
    wiki.per_question = 3
    _, made = attacks(wiki, PEOPLE, ["poison"])
    assert len({r["id"] for r in made}) == 12 and len({r["text"] for r in made}) == 12
    many = [ask(f"q{i}", f"Who is number {i} ?", f"name{i}") for i in range(400)]
    some = targets_of(many, 0.25, 0)
    assert 70 < len(some) < 130 and {t.id for t in some} < {t.id for t in targets_of(many, 0.5, 0)}


@pytest.mark.parametrize("backend", ["tantivy", "sqlite"])
@pytest.mark.parametrize("texts", document_attack_names())
def test_each_kind_ranks_where_it_claims_and_the_index_knows_it(tmp_path, backend, texts):
    """Above the document that holds the answer, for the question's own query; contradict beside it."""
    if backend == "tantivy":
        pytest.importorskip("tantivy")
    if texts == "facts":
        questions = [
            q | {"id": str(n)}
            for n, q in enumerate(Questions(n=40, world=3).items())
            if q["info"]["kind"] == "one"
        ]
        config = corpus(tmp_path, World(3).documents())
        queries = {q["id"]: q["info"]["documents"][0].replace("-", " ") for q in questions}
    else:
        questions, queries = PEOPLE, {q["id"]: q["prompt"][0]["content"] for q in PEOPLE}
        config = corpus(tmp_path, [{"id": i, "title": t, "text": x} for i, t, x in WIKI])
    for kind in KINDS:
        rows, made = attacks(config, questions, [kind], texts)
        assert len(made) >= 4
        (tmp_path / f"{kind}.jsonl").write_bytes(jsonl(rows))
        output = str(tmp_path / kind)
        build_index([str(tmp_path / f"{kind}.jsonl")], IndexConfig(output=output, backend=backend))
        index = open_index(output)
        clean = {r["id"] for r in rows if "attack" not in r}
        for attack in made:
            found = index.search([queries[attack["attack"]["question"]]], top=8)[0]
            mine = next(n for n, p in enumerate(found) if p.id == attack["id"])
            assert found[mine].attack == attack["attack"]
            assert all(p.attack is None for p in found if p.id in clean)
            right = [n for n, p in enumerate(found) if p.id in clean]
            if kind == "contradict":
                true = next(p for p in found if p.id in clean and p.title == attack["title"])
                assert found[mine].score > 0.8 * true.score
            else:
                assert not right or mine < right[0]
            assert attack["attack"]["value"] in attack["text"] + attack["title"]


def test_an_index_without_attacks_is_what_it_was(tmp_path):
    """Provenance costs documents that have none nothing, and a column of that name is its owner's."""
    digests = set()
    for more in (
        {},
        {"attack": 7},
        {"attack": {"kind": "poison"}},
        {"attack": {"kind": "x" * 600}},
    ):
        name = tmp_path / f"{len(digests)}{len(str(more))}"
        name.mkdir()
        (name / "d.jsonl").write_bytes(jsonl([{"id": "a", "text": "radium"} | more]))
        build_index([str(name / "d.jsonl")], IndexConfig(output=str(name / "i")))
        [[passage]] = open_index(name / "i").search(["radium"], 1)
        assert passage.attack is None and passage.score
        digests.add(passage.digest)
    assert len(digests) == 1
    whole = {"kind": "poison", "question": "q", "value": "v", "more": 1}
    assert attack_of({"attack": whole}) == {"kind": "poison", "question": "q", "value": "v"}
    assert attack_of({"attack": whole | {"value": "v" * 501}}) is None


def test_texts_of_ones_own(tmp_path, wiki):
    file = tmp_path / "mine.toml"
    file.write_text(
        'statement = "{value}"\n[[poison]]\ntitle = "{title}"\ntext = "{other} {value}"'
    )
    _, made = attacks(wiki, PEOPLE, ["poison"], str(file))
    assert made[1]["text"] == "{other} Pablo Picasso"  # no place, so it stands
    for text, message in [
        ("x", "no valid TOML"),
        ("[[poison]]", "no text under `statement`"),
        ('statement = ""\n[[poisn]]', "no kind 'poisn'"),
        ('statement = ""\npoison = ["x"]', "is a list of tables"),
    ]:
        file.write_text(text)
        with pytest.raises(UsageError, match=message):
            DocumentAttacks(str(file))


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (ask("a", "Who?"), "no answer that is a text"),
        (ask("a", "Who?", "?!"), "no answer that is a text"),
        (ask("a", " ", "x"), "does not end with a user's text"),
    ],
)
def test_what_is_no_question(question, message):
    with pytest.raises(DataError, match=message):
        targets_of([question], 1.0, 0)


def test_from_the_command_line(tmp_path):
    rows = [{"id": i, "contents": f'"{t}"\n{x}'} for i, t, x in WIKI]
    (tmp_path / "docs.jsonl").write_bytes(jsonl(rows))
    (tmp_path / "q.jsonl").write_bytes(jsonl(PEOPLE))
    line = ["attack", "all", "q.jsonl", "--documents", "docs.jsonl"]
    done = run_swr1(*line, cwd=tmp_path, check=True)
    made = [orjson.loads(x) for x in done.stdout.splitlines()]
    assert [r["id"] for r in made[:5]] == ["1", "2", "3", "4", "5"]
    assert [r["contents"] for r in made[:5]] == [r["contents"] for r in rows]
    assert [r["attack"]["kind"] for r in made[5:9]] == list(KINDS)
    assert all(re.match('".+"\n.', r["contents"]) for r in made[5:])
    run_swr1(*line, "-o", "a.jsonl", cwd=tmp_path, check=True)
    assert (tmp_path / "a.jsonl").read_text() == done.stdout


def test_a_stopped_run_goes_on_behind_what_it_wrote_whatever_the_ids(tmp_path):
    from types import SimpleNamespace

    from swr1.commands.attack import write_documents

    config = corpus(tmp_path, [{"id": "same", "title": t, "text": x} for _, t, x in WIKI])
    whole = [row for row, _ in DocumentAttacks().rows(["tags"], PEOPLE, config)]
    for done in (0, 3, len(whole)):
        written = []
        stage = SimpleNamespace(
            shard=(0, 1), writer=SimpleNamespace(lines_done=done), write=written.append,
            read=lambda needs: [*PEOPLE, None], on_bad=None, tally=lambda *_: None,
        )  # fmt: skip
        write_documents(stage, DocumentAttacks(), ["tags"], config, 0)
        assert written == whole[done:] and stage.came == len(PEOPLE)
    stage.shard = (0, 2)
    with pytest.raises(UsageError, match="no shards"):
        write_documents(stage, DocumentAttacks(), ["tags"], config, 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("attack poisn q.jsonl --documents docs.jsonl", "Did you mean 'poison'"),
        ("attack poison q.jsonl --documents none.jsonl", "none.jsonl"),
        ("attack poison q.jsonl --documents bad.jsonl", "bad.jsonl:1"),
        ("attack poison none.jsonl --documents docs.jsonl", "none.jsonl"),
        (
            "attack poison q.jsonl --documents docs.jsonl --texts village",
            "no documents that attack",
        ),
        ("attack poison q.jsonl --documents docs.jsonl --share 2", "from 0 to 1"),
        ("attack poison plain.jsonl --documents docs.jsonl", "plain.jsonl:1"),
        ("attack prefix q.jsonl --documents docs.jsonl", "unknown kind of document"),
    ],
)
def test_a_wrong_line_is_told_in_one_line(tmp_path, words, message):
    (tmp_path / "docs.jsonl").write_bytes(jsonl([{"id": "1", "text": "Rembrandt"}]))
    (tmp_path / "bad.jsonl").write_bytes(jsonl([{"id": "1", "body": "Rembrandt"}]))
    (tmp_path / "q.jsonl").write_bytes(jsonl(PEOPLE))
    (tmp_path / "plain.jsonl").write_bytes(jsonl([ask("a", "Who?") | {"answer": None}]))
    done = run_swr1(*words.split(), cwd=tmp_path)
    assert done.returncode and not done.stdout
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
