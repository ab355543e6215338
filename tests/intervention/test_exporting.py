"""Edits become what SFT, DPO and a process model read, token for token."""

from collections import Counter

import pytest

from swr1.errors import DataError, UsageError
from swr1.intervention.batch import run_batch
from swr1.intervention.continuing import Work
from swr1.intervention.difference import difference
from swr1.intervention.exporting import EXPORTS, as_dpo, as_process_labels, as_sft, before_edit
from swr1.intervention.history import State
from swr1.intervention.journal import Journal
from swr1.intervention.rules import NOTHING, mend_trace, open_rule
from swr1.records import validate
from swr1.streams.stage import Stage
from swr1.training.heads import encode_steps
from swr1.training.pairs import pairs
from swr1.training.steps import labelled_steps
from swr1.training.targets import Targets
from tests.conftest import jsonl, load
from tests.intervention.completions import (
    TEXT,
    WENT_ON,
    Scripted,
    completed,
    tokenizer,
    writer,
)

MENDED = TEXT.replace("wrong", "right")


@pytest.fixture(scope="module")
def words():
    return tokenizer()


def mended(words, after=MENDED, label=None, **more):
    record = completed(words, **more)
    [made] = writer(Scripted(words)).go_on([Work(State(record), difference(TEXT, after), {})])
    verdicts = {"verdicts": {"exact": {"score": label}}} if label is not None else {}
    return record | {"completion": made.text, "generation": made.generation} | verdicts


def learned(words, record):
    """The text of what is trained on, and of what stands before it in the completion."""
    example = Targets(words)(record)
    targets = example.targets.tolist()
    prompt = len(record["generation"]["prompt_ids"])
    ids = example.ids.tolist()
    before = [i for n, i in enumerate(ids) if n >= prompt and n not in targets and n < targets[0]]
    return words.decode([ids[t] for t in targets]), words.decode(before)


def test_sft_learns_what_was_put_in_and_the_continuation_only_where_it_is_right(words):
    [right] = as_sft(mended(words, label=1))
    said, given = learned(words, right)
    assert said == f"right{WENT_ON}{words.eos_token}" or said == f" right{WENT_ON}{words.eos_token}"
    assert (given + said).startswith("<think> one two\nthree right")
    for label in (0, None):
        [cut] = as_sft(mended(words, label=label))
        said, given = learned(words, cut)
        assert (said.strip(), "verdicts" in cut) == ("right", False)  # and no end of the turn
        assert cut["completion"] == "<think> one two\nthree right"


def test_sft_has_nothing_to_learn_of_a_removal_whose_continuation_is_not_right(words):
    removed = TEXT.partition(" wrong")[0]
    assert list(as_sft(mended(words, removed))) == []
    [made] = as_sft(mended(words, removed, label=1))
    assert learned(words, made)[0].startswith(WENT_ON)


def test_dpo_sets_the_edit_and_its_continuation_against_what_stood_there(words):
    record = mended(words, label=1)
    dropped = Counter()
    [(name, better, worse)] = pairs(as_dpo(record), dropped)
    assert name == "a@edit-0.0" and not dropped
    assert (better["completion"], worse["completion"]) == (record["completion"], TEXT)
    chosen, given = learned(words, better)
    rejected, also_given = learned(words, worse)
    assert given == also_given and given.startswith("<think> one two")
    assert chosen.strip().startswith("right") and rejected.strip().startswith("wrong")
    assert given + rejected == TEXT + words.eos_token
    before = completed(words)["generation"]["token_ids"]
    assert worse["generation"]["token_ids"] == before


def test_dpo_leaves_out_an_edit_that_came_out_wrong_and_takes_one_that_nobody_judged(words):
    assert list(as_dpo(mended(words, label=0))) == []
    assert len(list(as_dpo(mended(words)))) == 2


def test_dpo_without_token_ids_of_the_completion_before_is_rendered_from_its_text(words):
    record = mended(words)
    for name in ("ids", "kept"):
        del record["generation"]["edited"][name]
    [(_, _, worse)] = pairs(as_dpo(record), Counter())
    example = Targets(words)(worse)
    assert words.decode(example.ids[example.targets]).strip().startswith("wrong")
    assert words.decode(example.ids[: example.targets[0]]).endswith("one two\nthree")


def test_process_labels_are_the_last_kept_step_the_first_replaced_one_and_what_was_put_in(words):
    old, new = as_process_labels(mended(words))
    turn, steps, right = labelled_steps(old)[:3]
    assert (turn, steps) == (TEXT, ["one two", "three wrong", "four five"])
    assert right == [True, False, None]
    assert labelled_steps(new)[:3] == (
        "<think> one two\nthree right", ["one two", "three right"], [None, True],
    )  # fmt: skip
    for made in (old, new):  # a process model can read them
        encode_steps(words, made["prompt"], *labelled_steps(made)[:2])
        assert "completion" not in made
    assert [old["id"], new["id"]] == ["a@edit-0.0", "a@edit-0.0-new"]


@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize("after", [MENDED, TEXT.replace("three wrong", "[3] RIGHT"), TEXT[:20]])
def test_what_is_exported_is_a_record_whose_places_fit(words, export, after):
    for label in (0, 1, None):
        for made in EXPORTS[export](mended(words, after, label=label), None):
            validate(made)
            turns = (made.get("generation") or {}).get("turns")
            if turns:
                assert turns[-1]["characters"][1] == len(made["completion"])
                assert turns[-1]["tokens"][1] == len(made["generation"]["token_ids"])


@pytest.mark.parametrize(
    "after", [TEXT.replace("\nthree", "\nfour\nthree"), TEXT.replace(" no ", " yes ")]
)
def test_an_insertion_and_an_edit_of_the_answer_replace_no_step(words, after):
    assert list(as_process_labels(mended(words, after))) == []


def test_two_samples_of_a_prompt_are_two_pairs(words):
    made = [mended(words, sample=s) for s in (0, 1)]
    found = pairs((r for one in made for r in as_dpo(one)), Counter())
    assert [name for name, _, _ in found] == ["a@edit-0.0", "a@edit-0.1"]


def test_what_is_not_as_intervene_writes_it_is_bad_data(words):
    record = mended(words)
    del record["generation"]["edited"]["dropped"]
    with pytest.raises(DataError, match=r"generation\.edited"):
        before_edit(record)
    record = mended(words)
    record["generation"]["turns"] = []
    for export in ("sft", "dpo"):
        with pytest.raises(DataError, match=r"generation\.turns"):
            list(EXPORTS[export](record, None))


# --- rules -----------------------------------------------------------------------------------


def rules(tmp_path, text):
    (tmp_path / "rules.toml").write_text(text)
    return str(tmp_path / "rules.toml")


def test_the_first_match_of_all_rules_is_replaced(tmp_path, words):
    rule = open_rule(rules(tmp_path, """
        [[replace]]
        pattern = 'five'
        with = '5'
        [[replace]]
        pattern = '(thr)ee (wr)ong'
        with = '\\1ee right'
        why = "it is"
        """))  # fmt: skip
    made, nothing = rule([completed(words), completed(words, text="<think> one two")])
    assert (made.edit.old, made.edit.new, made.why) == ("three wrong", "three right", "it is")
    assert nothing == NOTHING


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[replace]]\npattern = '('\nwith = ''", "rule 1: no regular expression"),
        ("[[replace]]\npattern = 'a'\nwith = '\\9'", "rule 1: no regular expression"),
        ("[[replace]]\npattern = 'a'", "rule 1: a rule has"),
        ("[[replace]]\npattern = 'a'\nwith = 1", "are texts"),
        ("[other]\n", "and nothing else"),
        ("a", "no TOML"),
    ],
)
def test_a_file_that_is_no_rules_is_named_with_the_rule(tmp_path, text, why):
    with pytest.raises(DataError, match=why):
        open_rule(rules(tmp_path, text))


def test_an_unknown_rule_and_a_missing_file_are_wrong_use(tmp_path):
    for name, why in (("mend", "is trace"), (str(tmp_path / "no.toml"), "no such file")):
        with pytest.raises(UsageError, match=why):
            open_rule(name)


def test_trace_needs_a_verdict_on_this_completion(words):
    with pytest.raises(DataError, match="run `swr1 verify steps`"):
        mend_trace(completed(words))
    stale = {"verdicts": {"trace": {"score": 0, "detail": {"steps": 9, "wrong_step": 0}}}}
    with pytest.raises(DataError, match="is of another completion"):
        mend_trace(completed(words, **stale))


def test_trace_replaces_the_first_wrong_step_of_either_verdict():
    from swr1 import make_puzzles

    [puzzle] = make_puzzles(1, people=2)
    text = "<think> guess\nguess </think>\n<answer></answer>"
    steps = [{"start": 8, "end": 14}, {"start": 14, "end": 20}]
    for verdicts in (
        {"trace": {"score": 0, "detail": {"steps": 2, "wrong_step": 0}}},
        {"steps": {"score": 0, "detail": {"steps": steps, "first_wrong": 0}}},
    ):
        edit, why, *_ = mend_trace(puzzle | {"completion": text, "verdicts": verdicts})
        assert (edit.at, edit.old, why) == (8, "guess", "trace")
        assert edit.new.startswith("try ")
    verdicts["steps"]["detail"]["first_wrong"] = None
    assert mend_trace(puzzle | {"completion": text, "verdicts": verdicts}) is None


def test_a_batch_edits_what_the_rule_says_and_passes_all_else_on(tmp_path, words):
    rule = open_rule(rules(tmp_path, "[[replace]]\npattern='wrong'\nwith='right'"))
    other = completed(words, "b", text="<think> one two </think>")
    strange = completed(words, "c", text=TEXT.replace("one", "two"))
    (tmp_path / "r.jsonl").write_bytes(jsonl([completed(words), other, strange]))
    journal = Journal(tmp_path / "e.jsonl")
    engine = Scripted(words)
    out = tmp_path / "out.jsonl"
    with Stage("intervene", {}, inputs=[str(tmp_path / "r.jsonl")], output=str(out)) as stage:
        run_batch(stage, rule, writer(engine), together=2, journal=journal)
    first, same, last = load(out)
    assert first["completion"] == "<think> one two\nthree right" + WENT_ON
    assert first["generation"]["edited"]["who"] == "rule"
    assert same == other | {"trail": same["trail"]}
    assert [r["id"] for r in (first, same, last)] == ["a", "b", "c"]
    assert stage.tallies["edits"] == {"edited": 2, "nothing to edit": 1}
    assert [e["kind"] for e in journal.read()] == ["edit", "continued"] * 2
    assert len(engine.asked) == 2


def test_what_the_tokenizer_cannot_write_is_dropped_by_the_stages_policy(tmp_path, words):
    end = words.eos_token
    rule = open_rule(rules(tmp_path, f"[[replace]]\npattern='wrong'\nwith='{end}'"))
    (tmp_path / "r.jsonl").write_bytes(jsonl([completed(words)]))
    stage = Stage(
        "intervene", {}, inputs=[str(tmp_path / "r.jsonl")], output=str(tmp_path / "o.jsonl"),
        on_error="skip",
    )  # fmt: skip
    with stage:
        run_batch(stage, rule, writer(Scripted(words)), together=4)
    assert stage.drops.total() == 1 and load(tmp_path / "o.jsonl") == []
