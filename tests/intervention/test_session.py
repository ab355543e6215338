"""What a person edits is stored, gone on from, undone, and refused where it is of something else."""

import json
import os

import pytest

from swr1.errors import SwrError, UsageError
from swr1.intervention.difference import difference
from swr1.intervention.editor import edit
from swr1.intervention.page import parts, print_edit, print_list
from swr1.intervention.session import Changed, Session
from swr1.records import own, validate
from tests.conftest import jsonl, load
from tests.intervention.completions import TEXT, WENT_ON, Scripted, completed, tokenizer, writer

MENDED = TEXT.replace("wrong", "right")
RESULT = "<think> one two\nthree right" + WENT_ON


@pytest.fixture(scope="module")
def words():
    return tokenizer()


@pytest.fixture
def session(tmp_path, words):
    (tmp_path / "r.jsonl").write_bytes(jsonl([completed(words, "a", s) for s in (0, 1)]))
    return opened(tmp_path, words)


def opened(folder, words, who="ana"):
    said = []
    made = Session(
        str(folder / "r.jsonl"), edits=folder / "e.jsonl", output=str(folder / "out.jsonl"),
        writer=writer(Scripted(words)), who=who, say=said.append,
    )  # fmt: skip
    made.said = said
    return made


def mend(session, sample=0, after=MENDED):
    of = session.find("a", sample)
    state = session.state(of)
    session.store(of, state.digest, difference(state.text, after), "it is right")
    return of


def test_the_policy_goes_on_from_the_ids_that_were_kept_and_only_its_own_are_learned(
    session, words
):
    of = mend(session)
    state = session.go_on(of)
    assert state.text == RESULT
    [asked] = session.writer.engine.asked
    [made] = load(session.output)
    generation, before = made["generation"], session.records[of]["generation"]
    ids = generation["token_ids"]
    kept, edited, wrote = generation["turns"]
    assert [t["kind"] for t in generation["turns"]] == ["kept", "edited", "wrote"]
    assert ids[: kept["tokens"][1]] == before["token_ids"][: kept["tokens"][1]]
    assert kept["tokens"][1] > 3  # most of them
    assert asked.prompt_ids == before["prompt_ids"] + ids[: wrote["tokens"][0]]
    assert generation["loss_mask"] == [0] * wrote["tokens"][0] + [1] * (
        len(ids) - wrote["tokens"][0]
    )
    assert words.decode(ids[edited["tokens"][0] : edited["tokens"][1]]).strip() == "right"
    facts = generation["edited"]
    assert (facts["who"], facts["why"]) == ("ana", "it is right")
    assert made["completion"][: facts["at"]] + facts["old"] + facts["dropped"] == TEXT
    assert before["token_ids"] == ids[: facts["kept"]] + facts["ids"]
    validate(made, ["completion", "generation.edited"])
    assert own(made)["completion"] == made["completion"]  # verifiers judge all of it


def test_an_edit_of_what_changed_meanwhile_is_refused_in_one_line_and_stores_nothing(
    session, tmp_path, words
):
    other = opened(tmp_path, words, "ben")
    of = session.find("a", 0)
    seen = other.state(of).digest
    mend(session)
    lines = session.journal.path.read_text()
    with pytest.raises(Changed, match="record 'a', sample 0 has changed") as error:
        other.store(of, seen, difference(TEXT, MENDED + "x"))
    assert "\n" not in str(error.value) and session.journal.path.read_text() == lines


def test_what_the_policy_wrote_is_left_out_where_the_completion_was_edited_meanwhile(
    session, tmp_path, words
):
    of = mend(session)
    engine = session.writer.engine
    generate = engine._engine.generate

    def slowly(requests, sampling):
        opened(tmp_path, words).undo(of)
        return generate(requests, sampling)

    engine._engine.generate = slowly
    with pytest.raises(Changed):
        session.go_on(of)
    assert session.state(of).text == TEXT


def test_an_edit_of_another_completion_is_said_and_not_applied(session, tmp_path, words):
    mend(session)
    other = completed(words, "a", 0, TEXT.replace("five", "four"))
    (tmp_path / "r.jsonl").write_bytes(jsonl([other]))
    again = opened(tmp_path, words)
    assert again.state(again.find("a")).text == other["completion"]
    [said] = again.said
    assert said.startswith("not applied: edit") and "is of another completion" in said


def test_undo_gives_back_what_stood_before_level_by_level(session):
    of = mend(session)
    session.go_on(of)
    again = RESULT.replace("one two", "two one")
    state = session.state(of)
    session.store(of, state.digest, difference(state.text, again))
    state = session.go_on(of)
    assert state.generation["edited"]["before"]["why"] == "it is right"
    assert session.undo(of).text == RESULT
    assert [r["completion"] for r in load(session.output)] == [RESULT]
    assert session.undo(of).text == TEXT
    assert load(session.output) == []
    with pytest.raises(UsageError, match="no edit stands"):
        session.undo(of)


def test_edits_without_a_continuation_are_gone_on_from_as_one(session):
    of = mend(session)
    state = session.state(of)
    assert state.pending and state.result() is None
    further = difference(state.text, state.text + "\nfour two", to_end=True)
    session.store(of, state.digest, further)
    state = session.go_on(of)
    assert state.text == "<think> one two\nthree right\nfour two" + WENT_ON
    facts = state.generation["edited"]
    before = state.text[: facts["at"]] + facts["old"] + facts["dropped"]
    assert before == TEXT


def test_an_output_with_other_records_is_refused_before_anything_is_written(tmp_path, words):
    (tmp_path / "r.jsonl").write_bytes(jsonl([completed(words)]))
    (tmp_path / "out.jsonl").write_bytes(jsonl([completed(words)]))
    with pytest.raises(UsageError, match=r"out\.jsonl:1 is no record that"):
        opened(tmp_path, words)


def test_a_completion_is_found_by_the_beginning_of_its_id_and_its_sample(session):
    assert session.find("a", 1) == ("a", 0, 1)
    with pytest.raises(UsageError, match="2 completions fit; there are a"):
        session.find(None)
    with pytest.raises(UsageError, match="no completion fits"):
        session.find("b")


# --- the editor ------------------------------------------------------------------------------


@pytest.fixture
def editor(monkeypatch, tmp_path):
    """Makes $EDITOR a script: Python over `text`, the file's."""

    def set_editor(code):
        script = tmp_path / "editor.py"
        script.write_text(
            "import sys, pathlib\nfile = pathlib.Path(sys.argv[1])\ntext = file.read_text()\n"
            f"{code}\nfile.write_text(text)\n"
        )
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", f"{os.environ.get('PYTHON', 'python3')} {script}")

    return set_editor


def test_the_editor_gets_the_completion_and_what_it_saves_is_stored(session, editor, tmp_path):
    editor("text = text.replace('wrong', 'right') + '\\n'")
    state = edit(session, session.find("a", 0), why="so", ask=None)
    assert state.pending and state.levels[0].edit["new"] == "right"
    assert state.levels[0].edit["why"] == "so"
    assert not list(tmp_path.glob(".e.jsonl*"))
    [path] = [s.removeprefix("editing ") for s in session.said if s.startswith("editing ")]
    assert path.startswith(str(tmp_path / ".e.jsonl"))


def test_nothing_is_stored_where_nothing_was_changed(session, editor):
    editor("")
    assert edit(session, session.find("a", 0)) is None
    assert [e["kind"] for e in session.journal.read()] == ["open"]


@pytest.mark.parametrize("goes_on", [True, False])
def test_what_a_crash_left_is_offered_again(session, editor, goes_on):
    of = session.find("a", 0)
    editor("file.write_text(text.replace('wrong', 'right')); sys.exit(3)")
    with pytest.raises(SwrError, match="the editor ended with 3: nothing is stored"):
        edit(session, of)
    asked = []
    editor("")

    def answer(question):
        asked.append(question)
        return goes_on

    state = edit(session, of, ask=answer)
    assert len(asked) == 1 and "was left by an edit that was not finished" in asked[0]
    assert (state is not None) == goes_on


def test_an_edit_that_a_crash_left_without_its_continuation_is_gone_on_from_when_saved(
    session, editor, tmp_path, words
):
    of = mend(session)
    again = opened(tmp_path, words)  # the program was killed while the policy wrote
    editor("")
    assert edit(again, of).pending
    assert any("the policy has not gone on" in said for said in again.said)
    assert again.go_on(of).text == RESULT


def test_what_is_no_text_is_kept_and_said(session, editor, tmp_path):
    editor("file.write_bytes(bytes([200, 10])); sys.exit()")
    with pytest.raises(SwrError, match="not UTF-8") as error:
        edit(session, session.find("a", 0))
    [left] = tmp_path.glob(".e.jsonl*")
    assert str(left) in str(error.value)


def test_an_edit_that_lost_to_another_keeps_its_file(session, editor, tmp_path, words):
    """The other person's edit comes while the editor is open."""
    of, other = session.find("a", 0), opened(tmp_path, words, "ben")
    editor("text = text.replace('two', 'four')")
    check = session.check

    def meanwhile(of, change):
        check(of, change)
        mend(other)

    session.check = meanwhile
    with pytest.raises(Changed, match="your text is in"):
        edit(session, of)
    [left] = tmp_path.glob(".e.jsonl*")
    assert "one four" in left.read_text()


def test_an_editor_that_is_not_there_is_one_line(session, monkeypatch):
    monkeypatch.setenv("VISUAL", "/no/such/editor")
    with pytest.raises(UsageError, match="does not start"):
        edit(session, session.find("a", 0))


# --- what a person sees ----------------------------------------------------------------------


def shown(print_it, what, width=80):
    from rich.console import Console

    console = Console(width=width, file=open(os.devnull, "w"), record=True)
    print_it(what, console)
    return console.export_text()


def test_both_sides_are_shown_with_marks_that_need_no_colour(session):
    state = session.go_on(mend(session))
    page = shown(print_edit, state)
    assert "edit " in page and "by ana: it is right" in page
    lines = [line.rstrip() for line in page.splitlines()]
    assert any(line.startswith("- three wrong") and "+ three right" in line for line in lines), page
    assert any(line.startswith("~ four five") for line in lines)
    assert parts(state)[1][2][1] == WENT_ON.removeprefix("") or WENT_ON in parts(state)[1][2][1]
    listed = shown(print_list, [state], 120)
    assert "it is right" in listed and "'wrong' -> 'right'" in listed


def test_a_record_cannot_write_markup_or_controls_to_the_page(session):
    of = session.find("a", 0)
    state = session.state(of)
    session.store(of, state.digest, difference(state.text, TEXT + "[red]\x1b[2J", True), "[b]why")
    page = shown(print_edit, session.state(of))
    assert "[red]" in page and "[b]why" in page


def test_the_journal_holds_who_when_and_why(session):
    mend(session)
    [line] = session.journal.path.read_text().splitlines()
    made = json.loads(line)
    assert made["who"] == "ana" and made["why"] == "it is right" and made["when"].endswith("+00:00")
