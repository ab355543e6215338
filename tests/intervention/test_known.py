"""Known edits: found where a prompt is similar, offered where they fit, taken only by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import UsageError
from swr1.intervention.batch import run_batch
from swr1.intervention.difference import difference
from swr1.intervention.editor import edit
from swr1.intervention.journal import Journal
from swr1.intervention.known import KnownEdits, grams, jaccard, place_of, read_known, standing
from swr1.intervention.page import print_list, print_offers
from swr1.intervention.rules import open_rule
from swr1.intervention.session import Session
from swr1.streams import Stage
from tests.conftest import jsonl, load
from tests.intervention.completions import TEXT, WENT_ON, Scripted, completed, tokenizer, writer
from tests.intervention.test_session import editor, shown  # noqa: F401

ASKED = "which of the two roads leads to the old mill by the river"
LIKE = "which of the two roads leads to the new mill by the river"
OTHER = "how many apples are in three baskets with seven each"
MENDED = TEXT.replace("wrong", "right")


@pytest.fixture(scope="module")
def words():
    return tokenizer()


def asking(words, name, asked, **more):
    record = completed(words, name, **more)
    return record | {"prompt": [{"role": "user", "content": asked}]}


def opened(folder, records, words, **more):
    (folder / "r.jsonl").write_bytes(jsonl(records))
    said = []
    made = Session(
        str(folder / "r.jsonl"), edits=folder / "e.jsonl", output=str(folder / "out.jsonl"),
        writer=writer(Scripted(words)), who="ana", say=said.append, **more,
    )  # fmt: skip
    made.said = said
    return made


def mend(session, name, after=MENDED, why="it is right"):
    of = session.find(name)
    state = session.state(of)
    stored = session.store(of, state.digest, difference(state.text, after), why)
    session.go_on(of)
    return stored.levels[-1].edit["edit"]


@pytest.fixture
def session(tmp_path, words):
    records = [asking(words, n, t) for n, t in (("a", ASKED), ("b", LIKE), ("c", OTHER))]
    return opened(tmp_path, records, words)


def test_an_edit_is_offered_where_the_prompt_is_similar_and_nowhere_else(session):
    name = mend(session, "a")
    [offer] = session.offers(session.find("b"))
    # eleven trigrams each, three of which have the word that differs
    assert (offer.name, offer.similarity) == (name, 8 / 14)
    assert offer.place.at == TEXT.index("wrong") and offer.place.among == 1
    assert session.offers(session.find("c")) == []
    assert session.offers(session.find("a")) == []  # it stands there
    assert session.state(session.find("b")).levels == []  # nothing happened by itself


def test_what_was_undone_is_not_offered(session):
    mend(session, "a")
    session.undo(session.find("a"))
    assert session.offers(session.find("b")) == []


def test_a_higher_similarity_can_be_asked_for(tmp_path, session, words):
    mend(session, "a")
    records = [*session.records.values()]
    for similar, count in ((0.57, 1), (0.58, 0)):
        again = opened(tmp_path, records, words, similar=similar)
        assert len(again.offers(again.find("b"))) == count


def test_edits_of_a_journal_of_another_file_are_offered_too(tmp_path, session, words):
    name = mend(session, "a")
    (tmp_path / "there").mkdir()
    other = opened(
        tmp_path / "there", [asking(words, "x", LIKE)], words, known=[tmp_path / "e.jsonl"]
    )
    assert [offer.name for offer in other.offers(other.find("x"))] == [name]
    with pytest.raises(UsageError, match="no journal of edits here"):
        opened(tmp_path / "there", [asking(words, "x", LIKE)], words, known=["no.jsonl"])


def test_a_system_message_and_an_edit_without_a_prompt_do_not_count(session):
    mend(session, "a")
    [edit] = standing(session.journal.read())
    prompt = [{"role": "system", "content": "x " * 500}, {"role": "user", "content": ASKED}]
    [offer] = KnownEdits([edit]).offers({"id": "q", "prompt": prompt}, TEXT)
    assert offer.similarity == 1
    del edit["prompt"]
    assert KnownEdits([edit]).offers({"id": "q", "prompt": prompt}, TEXT) == []


def test_a_batch_that_was_run_twice_has_each_edit_once(session):
    mend(session, "a")
    entries = session.journal.read()
    again = [e | {"edit": "00000000"} if "edit" in e else e for e in entries]
    assert standing(entries + again) == standing(entries)


@given(st.text("ab 好。", max_size=20), st.text("ab 好。", max_size=20))
def test_similarity_is_one_of_equal_words_and_the_same_both_ways(one, other):
    value = jaccard(grams(one), grams(other))
    assert 0 <= value <= 1 and value == jaccard(grams(other), grams(one))
    assert value == 1 or grams(one) != grams(other) or not grams(one)


# --- where an edit fits ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "old", "new", "text", "at", "count"),
    [
        ("x = ", "1", "2", "y = 1\nx = 1", 10, 1),  # behind the same beginning of a line
        ("x = ", "1", "2", "y = 1\nz = 1", 4, 2),  # else anywhere
        ("x = ", "1", "2", "x = 12", None, 0),  # whole words alone
        ("it is Z", "oe", "ack", "it was Zoe", 8, 1),  # with the word's beginning
        ("it is Z", "oe", "ack", "it was Joe", None, 0),
        ("it is ", "", "not ", "it is so", 6, 1),
        ("it is ", "", "not ", "he is so", None, 0),  # nothing was replaced: no place
        ("it is ", "", "not ", "it is not so", None, 0),  # it says so already
        ("", "must", "must not", "he must not go", None, 0),
        ("", "a\nb", "c", "1\na\nb\n2", 2, 1),
        ("", "对", "错", "这是对的", 2, 1),  # no spaces between words
        ("", "(1", "[1", "f(1)", 1, 1),
    ],
)
def test_an_edit_fits_where_the_replaced_text_stands(line, old, new, text, at, count):
    place = place_of({"line": line, "old": old, "new": new}, text)
    assert (place and place.at, place.among if place else 0) == (at, count)


# --- taken by a person -----------------------------------------------------------------------


def test_the_editor_opens_with_the_change_made_and_the_journal_says_from_where(
    session,
    editor,  # noqa: F811
    tmp_path,
):
    name, of = mend(session, "a"), session.find("b")
    editor("(file.parent / 'seen').write_text(text)")
    state = edit(session, of, take=session.offered(of, name[:4]))
    assert (tmp_path / "seen").read_text() == MENDED
    made = state.levels[0].edit
    assert (made["from"], made["new"], made["why"]) == (name, "right", "it is right")
    state = session.go_on(of)
    assert state.generation["edited"]["from"] == name
    assert state.text == "<think> one two\nthree right" + WENT_ON
    assert f"taken from {name}" in shown(print_list, [state], 160)
    assert session.offers(of) == []  # it was taken


def test_the_policy_goes_on_right_behind_a_known_edit_whatever_follows_it(
    tmp_path,
    words,
    editor,  # noqa: F811
):
    other = asking(words, "b", LIKE, text="<think> three wrong</think><answer> no </answer>")
    session = opened(tmp_path, [asking(words, "a", ASKED), other], words)
    name, of = mend(session, "a"), session.find("b")
    editor("")
    state = edit(session, of, take=session.offered(of, name))
    assert state.levels[0].edited == "<think> three right"


def test_what_the_person_does_not_save_is_not_taken(session, monkeypatch):
    name, of = mend(session, "a"), session.find("b")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "true")
    lines = session.journal.path.read_text()
    assert edit(session, of, take=session.offered(of, name)) is None
    assert any("was not saved, so edit" in said for said in session.said)
    kinds = [e["kind"] for e in session.journal.read()]
    assert kinds.count("edit") == 1 and session.journal.path.read_text().startswith(lines)


def test_another_edit_than_the_one_that_was_taken_is_the_persons_own(session, editor):  # noqa: F811
    name, of = mend(session, "a"), session.find("b")
    editor("text = text.replace('three right', 'two wrong')")
    made = edit(session, of, take=session.offered(of, name)).levels[0].edit
    assert "from" not in made and "why" not in made


def test_what_does_not_fit_is_shown_and_refused_in_one_line(session, words, tmp_path):
    name = mend(session, "a")
    other = asking(words, "b", LIKE, text="<think> one two </think>")
    again = opened(tmp_path, [asking(words, "a", ASKED), other], words)
    of = again.find("b")
    [offer] = again.offers(of)
    page = shown(print_offers, [offer], 160)
    assert "'wrong' -> 'right'" in page and "does not fit" in page and "0.57" in page
    with pytest.raises(UsageError, match=r"cannot be taken: what it replaced \('wrong'\) does not"):
        edit(again, of, take=again.offered(of, name))
    with pytest.raises(UsageError, match=f"no edits 'zz' are offered here; there are: {name}"):
        again.offered(of, "zz")


def test_an_unfinished_edit_of_a_taken_one_goes_on_as_that(session, editor):  # noqa: F811
    name, of = mend(session, "a"), session.find("b")
    editor("file.write_text(text); sys.exit(3)")
    with pytest.raises(Exception, match="ended with 3"):
        edit(session, of, take=session.offered(of, name))
    editor("")
    state = edit(session, of, ask=lambda question: True)
    assert state.levels[0].edit["from"] == name


# --- without a person ------------------------------------------------------------------------


def test_a_batch_applies_known_edits_counts_them_and_marks_them(session, words, tmp_path):
    name = mend(session, "a")
    records = [
        asking(words, "like", LIKE),
        asking(words, "unfit", LIKE, text="<think> one two </think>"),
        asking(words, "other", OTHER),
    ]
    (tmp_path / "new.jsonl").write_bytes(jsonl(records))
    rule = open_rule("edits", [str(tmp_path / "e.jsonl")])
    out, journal = tmp_path / "mended.jsonl", Journal(tmp_path / "f.jsonl")
    with Stage("intervene", {}, inputs=[str(tmp_path / "new.jsonl")], output=str(out)) as stage:
        run_batch(stage, rule, writer(Scripted(words)), together=2, journal=journal)
    like, unfit, other = load(out)
    edited = like["generation"]["edited"]
    assert (edited["from"], edited["who"], edited["why"]) == (name, "rule", "it is right")
    assert like["completion"] == "<think> one two\nthree right" + WENT_ON
    for before, after in zip(records[1:], (unfit, other), strict=True):
        assert after == before | {"trail": after["trail"]}
    assert stage.tallies["edits"] == {
        "edited": 1, "similar, but no edit fits": 1, "no similar prompt": 1,
    }  # fmt: skip
    assert [made["from"] for made in standing(journal.read())] == [name]
    assert read_known([tmp_path / "f.jsonl"])[0]["prompt"] == LIKE


def test_a_batch_of_edits_needs_a_journal_with_some(tmp_path):
    with pytest.raises(UsageError, match="name their journal with --known"):
        open_rule("edits")
    (tmp_path / "e.jsonl").write_text("")
    with pytest.raises(UsageError, match="no edit stands in"):
        open_rule("edits", [str(tmp_path / "e.jsonl")])
