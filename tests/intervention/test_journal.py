"""Edits, undos and crashes in any order give the text that a simple model gives."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import DataError
from swr1.intervention.difference import LEFT, difference
from swr1.intervention.history import History
from swr1.intervention.journal import Journal, digest_of, entry

RECORD = {"id": "a", "prompt": [], "completion": "one two\nthree", "sample": 1}
texts = st.text(st.characters(codec="utf-8"), max_size=12)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), st.floats(0, 1), st.floats(0, 1), texts),
        st.tuples(st.just("continued"), texts),
        st.tuples(st.just("undo")),
        st.tuples(st.just("stale"), texts),
        st.tuples(st.just("open")),
        st.tuples(st.just("crash"), st.floats(0, 1)),
    ),
    max_size=14,
)


def replayed(journal):
    return History(journal.read()).state(RECORD)


@given(actions)
def test_any_edits_undos_and_crashes_give_what_a_simple_model_gives(tmp_path_factory, actions):
    path = tmp_path_factory.mktemp("journal") / "edits.jsonl"
    journal = Journal(path)
    texts = [RECORD["completion"]]  # of each level that stands: the model
    saved = [
        (0, list(texts), False)
    ]  # size of the file -> the model then, and whether it is pending
    pending = False

    def add(made, stack, waits):
        nonlocal texts, pending
        journal.append(made)
        texts, pending = stack, waits
        saved.append((path.stat().st_size, list(stack), waits))

    for action in actions:
        now, names = texts[-1], [e["edit"] for e in levels(journal)]
        if action[0] == "edit":
            at = int(action[1] * len(now))
            old = now[at : at + int(action[2] * (len(now) - at + 1))]
            facts = {"at": at, "old": old, "new": action[3]}
            add(entry("edit", RECORD, now, **facts), [*texts, now[:at] + action[3]], True)
        elif action[0] == "continued" and pending:
            facts = {"edit": names[-1], "text": now + action[1], "generation": {}}
            made = entry("continued", RECORD, now, **facts)
            add(made, [*texts[:-1], now + action[1]], False)
        elif action[0] == "undo" and names:
            went = len(texts) > 2 and levels(journal)[-2]["went"]
            waits = len(texts) > 2 and not went
            add(entry("undo", RECORD, now, edit=names[-1]), texts[:-1], waits)
        elif action[0] == "stale":  # of another completion: refused
            made = entry("edit", RECORD, f"{now}!", at=0, old="", new=action[1])
            add(made, texts, pending)
        elif action[0] == "open":
            add(entry("open", RECORD, now, path="/nowhere"), texts, pending)
        elif action[0] == "crash" and path.exists():
            data = path.read_bytes()
            cut = int(action[1] * len(data))
            path.write_bytes(data[:cut])
            # a line is there when all of it is, whether its line break is or not
            kept = [one for one in saved if one[0] - 1 <= cut or one[0] == 0]
            saved = [one for one in kept if one[0] <= cut] + [
                (cut, *one[1:]) for one in kept if one[0] - 1 == cut and one[0]
            ]
            _, texts, pending = saved[-1]
            texts = list(texts)
        state = replayed(journal)
        assert (state.text, state.pending) == (texts[-1], pending)
        assert len(state.levels) == len(texts) - 1


def levels(journal):
    return [{**x.edit, "went": x.continued is not None} for x in replayed(journal).levels]


def test_a_torn_last_line_is_ignored_and_said_once_and_the_next_begins_a_line(tmp_path):
    said = []
    journal = Journal(tmp_path / "edits.jsonl", said.append)
    first = entry("edit", RECORD, RECORD["completion"], at=0, old="one", new="ein")
    journal.append(first)
    with open(journal.path, "ab") as file:
        file.write(b'{"v":1,"kind":"undo","id":"a","epo')
    assert journal.read() == [first] == journal.read()
    assert said == [f"{journal.path}:2 was torn by a crash: this line is ignored"]
    journal.append(entry("undo", RECORD, "ein", edit=first["edit"]))
    assert [made["kind"] for made in journal.read()] == ["edit", "undo"]
    assert replayed(journal).text == RECORD["completion"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("hello\n", "no JSON"),
        ("hello", "no JSON"),
        ('{"id": "a", "completion": "x"}\n', "`kind` must be"),
        ('{"v":2,"kind":"edit"}\n', "another version"),
        ('{"v":1,"kind":"undo","id":"a","epoch":0,"sample":0,"digest":"x"}\n', "needs `edit`"),
        ('{"v":1,"kind":"open","id":1,"epoch":0,"sample":0,"digest":"x","path":""}\n', "`id`"),
    ],
)
def test_a_file_that_is_no_journal_is_refused_with_its_line_and_left_as_it_is(tmp_path, line, why):
    journal = Journal(tmp_path / "edits.jsonl")
    journal.path.write_text(line)
    with pytest.raises(DataError, match=why) as error, journal.locked():
        pass
    assert error.value.location == f"{journal.path}:1"
    assert journal.path.read_text() == line


def test_entries_name_their_record_and_the_completion_they_are_of():
    made = entry("edit", RECORD, "text", "ana", at=1, old="e", new="a", why="")
    assert {n: made[n] for n in ("id", "epoch", "sample", "digest", "who")} == {
        "id": "a", "epoch": 0, "sample": 1, "digest": digest_of("text"), "who": "ana",
    }  # fmt: skip
    assert "why" not in made and len(made["edit"]) == 8
    assert json.dumps(made).startswith('{"v": 1, "kind": "edit"')


@pytest.mark.parametrize(
    ("before", "after", "to_end", "made"),
    [
        ("a\nb\nc", "a\nX\nc", False, (2, "b", "X")),  # what follows was left
        ("a\nb\nc", "a\nX", False, (2, "b\nc", "X")),  # the rest was removed
        ("a\nb\nc", "a\nX\nc", True, (2, "b\nc", "X\nc")),
        ("a\nb\nc", "a\nc", False, (2, "b\n", "")),
        ("a\nc", "a\nb\nc", False, (2, "", "b\n")),
        ("a. b. c.", "a. B.", False, (3, "b. c.", "B.")),  # both end in a full stop: no rest
        (f"one two {'x' * LEFT}", f"one 2 {'x' * LEFT}", False, (4, "two", "2")),
        ("so knave it is, and that settles it all", "so knight it is, and that settles it all",
         False, (5, "ave", "ight")),
        ("abc", "abc", False, None),
        ("abc", "abc", True, (3, "", "")),
        ("", "abc", False, (0, "", "abc")),
        ("abc", "", False, (0, "abc", "")),
        ("é\U0001f600中", "é\U0001f601中", False, (1, "\U0001f600中", "\U0001f601中")),
    ],
)  # fmt: skip
def test_the_policy_goes_on_behind_the_change_or_at_the_end_where_the_rest_was_removed(
    before, after, to_end, made
):
    assert difference(before, after, to_end) == made


@given(texts, texts, st.booleans())
def test_a_difference_says_what_was_saved_up_to_where_the_policy_goes_on(before, after, to_end):
    made = difference(before, after, to_end)
    if made:
        assert before.startswith(made.old, made.at)
        assert after.startswith(made.edited(before))
        left = before[made.at + len(made.old) :]
        assert made.edited(before) + left == after
