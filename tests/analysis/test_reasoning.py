"""Counts made by hand, and intervals against regressions written out in full."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.analysis.association import Sums, difference, mean_interval, within
from swr1.analysis.features import assignments, claims_of, features_of, repeated, split, words_of
from swr1.analysis.reasoning import Analysis
from swr1.analysis.report import report
from swr1.analysis.scripts import TokenScripts, open_tokenizer, scripts_of
from swr1.analysis.words import load_words, ready
from swr1.errors import DataError, UsageError
from swr1.evals.report import as_text

ANSWER = [["Zoey", "knight"], ["Ava", "knave"]]
PUZZLE = {"task": "knights", "answer": ANSWER}


def sample(id_, text, right, version=0, sample=0, **generation):
    return {
        "id": id_,
        "task": "knights",
        "prompt": [{"role": "user", "content": "Zoey says that Ava is a knave."}],
        "answer": ANSWER,
        "info": {"people": 2},
        "sample": sample,
        "completion": text,
        "generation": {
            "epoch": 0,
            "prefill": "<think>",
            "policy": {"name": "nowhere", "version": version},
            "finish_reason": "stop",
            **generation,
        },
        "verdicts": {"knights": {"score": None if right is None else float(right)}},
    }


def analyze(records, words=("reasoning",), **options):
    analysis = Analysis(load_words(words), **options)
    for record in records:
        analysis.add(record)
    return analysis.result()


# --- words -----------------------------------------------------------------------------------


def counts(text, lists=("reasoning",)):
    text = ready(text)
    return {word.name: n for word in load_words(lists) if (n := word.count(text))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wait. Wait, hold on!", {"wait": 3}),
        ("awaiting waiters, await", {}),
        ("Check it; checks. CHECKING", {"check": 3}),
        ("re-check and recheck; double-check", {"recheck": 2, "double-check": 1}),
        ("self-check, spell_check", {}),
        ("Let’s verify", {"let's": 1, "verify": 1}),
        ("re-evaluate, reevaluate", {"re-evaluate": 1, "reevaluate": 1}),
        ("In\nsummary: so-called", {"summary": 1}),
        ("我们wait一下,检查检查", {"wait": 1, "check (zh)": 2}),
        ("Hmmm, hm; ahmed", {"hmm": 2}),
    ],
)
def test_words_stand_alone_whatever_their_case(text, expected):
    assert counts(text) == expected


def test_a_users_list_of_words_and_expressions(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        "title = 'x'\nmath = ['QED', '/step \\d+/']\n[other]\nwell = ['well', 'nun ja']\n"
    )
    assert counts("Step 1, step 22. qed! Nun  ja", [str(file)]) == {
        "QED": 1,
        "/step \\d+/": 2,
        "well": 1,
    }
    groups = {word.name: word.group for word in load_words([str(file)])}
    assert groups == {"QED": "math", "/step \\d+/": "math", "well": "other"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a = 3", "must be a list of words"),
        ("a = ['/(/']", "no regular expression"),
        ("a = ['x']\nb = ['x']", "stands twice"),
        ("title = 'x'", "holds no words"),
        ("a = [", "not valid TOML"),
        ("a = [3]", "list of texts"),
    ],
)
def test_a_list_that_cannot_be_used_says_why(tmp_path, content, message):
    (tmp_path / "x.toml").write_text(content)
    with pytest.raises(UsageError, match=message):
        load_words([str(tmp_path / "x.toml")])
    with pytest.raises(UsageError, match="Did you mean 'reasoning'"):
        load_words(["reasonings"])


# --- parts and claims ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reasoning", "answers", "outside"),
    [
        ("<think> a </think> <answer> b </answer>", "a", ["b"], ""),
        ("x<think>a</think>y<answer>b</answer>z", "a", ["b"], "x\ny\nz"),
        ("a</think><answer>b</answer>", "a", ["b"], ""),  # the prompt opened it
        ("<answer>b</answer><answer>c", "", ["b", "c"], ""),
        ("<think>a<answer>b</answer>", "a", ["b"], ""),
        ("<think>a</think>b", "a", [], "b"),
        ("<think>a", "a", [], ""),
        ("no tags at all", "no tags at all", [], ""),
    ],
)
def test_parts(text, reasoning, answers, outside):
    assert split(text)[:3] == (reasoning, answers, outside)


def test_thinking_again_is_only_after_an_answer():
    assert split("<think>a</think><answer>b</answer><think>c</think>").thinks_again
    assert not split("<think>a</think><think>c</think><answer>b</answer>").thinks_again


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(1) Zoey is a knight\n(2) Ava is a knave", [(1, 0)]),
        ("**Zoey**: Knight; `Ava` - knave", [(1, 0)]),
        ("| Zoey | knight |\n| Ava | knave |", [(1, 0)]),
        ("Zoey is not a knight, and Ava must be a knight.", [(0, 1)]),
        ("Zoey_honest Ava_liar", [(1, 0)]),
        ("Zoey says Ava is a knave. Zoey claimed to be a knight.", []),
        ("Zoey is a knight. Ava is a knave. Then Ava is a knight, Zoey too.", [(1, 0)]),
        ("Zoey is a knight. No: Zoey is a knave. So Ava is a knight", [(0, 1)]),
        ("Zoey is a knight, Zoey is a knight; Ava is a knight", [(1, 1)]),
        ("Zoeys is a knight. Ava is a knightess", []),
        ("Zoey is a knight", []),
    ],
)
def test_assignments_that_a_text_states(text, expected):
    claims = claims_of(PUZZLE)
    assert assignments(text, claims) == [tuple(map(bool, world)) for world in expected]


def test_assignments_in_other_words_and_languages():
    flipped = {**PUZZLE, "info": {"roles": ["knave", "knight"]}}
    assert assignments("Zoey is a knight, Ava a knave", claims_of(flipped)) == [(False, True)]
    chinese = {
        "task": "knights",
        "answer": [["张三", "骑士"], ["李四", "无赖"]],
        "info": {"roles": ["骑士", "无赖"]},
    }
    text = "假设张三是骑士，那么李四不是骑士。所以张三不是骑士，李四一定是一个骑士。"
    assert assignments(text, claims_of(chinese)) == [(True, False), (False, True)]
    assert claims_of({"task": "math", "answer": "4"}) is None


WHOLE = "<think>First of all I look at both. {}</think><answer>{}</answer>"
RIGHT, WRONG = "Zoey is a knight, Ava is a knave.", "Zoey is a knave, Ava is a knight."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WHOLE.format(RIGHT, RIGHT), set()),
        (WHOLE.format(WRONG, RIGHT), {"departs"}),
        (WHOLE.format(WRONG + RIGHT, RIGHT), {"worlds"}),
        (WHOLE.format(RIGHT, WRONG + RIGHT), {"guesses"}),
        (WHOLE.format(RIGHT, RIGHT) + f"<answer>{RIGHT}</answer>", {"answers"}),
        (
            WHOLE.format(RIGHT, RIGHT) + f"<answer>{WRONG}</answer>",
            {"answers", "guesses", "departs"},
        ),
        (WHOLE.format("", RIGHT) + " done", {"outside"}),
        (WHOLE.format("", RIGHT) + "<think>hm</think>", {"thinks-again"}),
        (f"<think>ok</think><answer>{RIGHT}</answer>", {"no-reasoning"}),
        (WHOLE.format("on and " * 20, RIGHT), {"repetitive"}),
        (WHOLE.format("What a puzzle, so I begin", RIGHT), {"copies"}),
    ],
)
def test_signs_of_a_completion(text, expected):
    prompt = "What a puzzle, so I begin" if "begin" in text else "Zoey says: Ava lies"
    assert features_of(text, prompt, claims_of(PUZZLE)).markers == expected


def test_amounts_of_a_completion():
    text = WHOLE.format(WRONG + RIGHT + RIGHT, WRONG) + " and so"
    amounts = features_of(text, "", claims_of(PUZZLE)).amounts
    assert (amounts["worlds"], amounts["changes"]) == (2, 2)
    assert amounts["outside"] == len("and so")
    assert repeated(words_of("a b c d a b c d e")) == (1, 6)
    assert repeated(words_of("three words only")) == (0, 0)


# --- scripts ---------------------------------------------------------------------------------


def test_letters_by_script_without_tags_digits_and_formulas():
    text = "<think>Zoë 12 α+𝑥 验证 かな 한 Привет</think>"
    assert scripts_of(text) == {"latin": 3, "cjk": 5, "other": 6}


def test_tokens_by_script_join_the_pieces_of_a_character():
    pieces = [b"check ", "验".encode()[:1], "验".encode()[1:], b" 12", "证。".encode()]
    decode = lambda ids: b"".join(pieces[i] for i in ids).decode(errors="replace")  # noqa: E731
    scripts = TokenScripts(decode)
    for _ in range(2):  # the second time from what it knows
        assert scripts.count([0, 1, 2, 3, 4, 0]) == {"latin": 2, "cjk": 3}
    assert scripts.count([1, 0]) == {"latin": 1}  # broken off


# --- differences -----------------------------------------------------------------------------


def strata(rows):
    """Sums per stratum of (puzzle, stratum, x, y), and the rows as arrays."""
    data = np.array(rows, dtype=float)
    keys = sorted({(int(p), int(s)) for p, s, _, _ in rows})
    sums = np.zeros((len(keys), 4))
    for p, s, x, y in rows:
        sums[keys.index((int(p), int(s)))] += [1, x, y, x * y]
    return Sums(*sums.T, np.array([p for p, _ in keys])), data


def some_rows(seed=1, puzzles=15):
    dice = random.Random(seed)
    rows = []
    for p in range(puzzles):
        ease = dice.random()
        for s in range(2):
            for _ in range(6):
                x = dice.random() < ease
                rows.append((p, 10 * p + s, x, dice.random() < ease * 0.6 + 0.3 * x))
    return rows


def test_within_strata_is_the_regression_with_a_dummy_for_each():
    sums, data = strata(some_rows())
    puzzle, stratum, x, y = data.T
    dummies = stratum[:, None] == np.unique(stratum)
    design = np.column_stack([x, dummies])
    beta, *_ = np.linalg.lstsq(design, y, rcond=None)
    bread = np.linalg.pinv(design.T @ design)
    mixed = [s for s in np.unique(stratum) if 0 < x[stratum == s].mean() < 1]
    tell = np.unique(puzzle[np.isin(stratum, mixed)])
    meat = sum(
        np.outer(g, g)
        for c in np.unique(puzzle)
        for g in [design[puzzle == c].T @ (y - design @ beta)[puzzle == c]]
    )
    error = np.sqrt((bread @ meat @ bread)[0, 0] * len(tell) / (len(tell) - 1))
    found = within(sums)
    assert found["puzzles"] == len(tell) >= 10
    assert found["difference"] == pytest.approx(beta[0])
    from scipy.stats import t

    half = t.ppf(0.975, len(tell) - 1) * error
    assert found["interval"] == pytest.approx([beta[0] - half, beta[0] + half])


def test_merging_strata_of_a_puzzle_is_having_one():
    rows = some_rows(2)
    whole, _ = strata([(p, p, x, y) for p, _, x, y in rows])
    parts, _ = strata(rows)
    merged = parts.merged(parts.cluster)
    assert all(np.allclose(a, b) for a, b in zip(merged, whole, strict=True))


def test_no_interval_from_few_puzzles_and_nothing_to_compare():
    few, _ = strata(some_rows(3, puzzles=6))
    assert within(few)["interval"] is None
    same, _ = strata([(p, p, p % 2, 1) for p in range(20)])
    assert within(same) is None
    assert difference({"value": None, "interval": None}, {"value": 0.5, "interval": [0, 1]}) is None


def test_difference_of_two_shares_is_newcombes():
    # Newcombe 1998, table II, method 10: 56/70 against 48/80 gives 0.0524 to 0.3339.
    from swr1.evals.stats import wilson

    one, other = ({"value": k / n, "interval": wilson(k / n, n)} for k, n in ((56, 70), (48, 80)))
    found = difference(one, other)
    assert found["difference"] == pytest.approx(0.2)
    assert found["interval"] == pytest.approx([0.0524, 0.3339], abs=1e-4)


def test_mean_with_one_sample_a_puzzle_is_students():
    values = np.array([1.0, 2.0, 2.5, 3.0, 5.0, 5.5, 6.0, 7.0, 7.0, 9.0, 12.0])
    mean, interval = mean_interval(values, np.ones(11), np.arange(11))
    from scipy.stats import t

    half = t.ppf(0.975, 10) * values.std(ddof=1) / np.sqrt(11)
    assert mean == pytest.approx(values.mean())
    assert interval == pytest.approx([mean - half, mean + half])


# --- the whole -------------------------------------------------------------------------------


def run():
    """Four versions, twelve puzzles each, four samples: "verify" helps, "recheck" comes late."""
    records = []
    for version in range(4):
        for puzzle in range(12):
            for s in range(4):
                words = ("verify " if s % 2 else "") + ("recheck " * version if s < 2 else "")
                right = s % 2 or (version > 1 and (puzzle + s) % 4 == 0)
                text = f"I {words}think of all that.</think><answer>{RIGHT}</answer>"
                records.append(sample(f"{version}-{puzzle}", text, right, version, s))
    return records


def test_golden_counts_by_step():
    result = analyze(run(), bins=2)
    assert [(r["name"], r["from"], r["to"], r["completions"]) for r in result["rows"]] == [
        ("0-1", 0, 1, 96),
        ("2-3", 2, 3, 96),
    ]
    early, late = result["rows"]
    assert early["signs"]["word:recheck"]["value"] == 0.25  # half of version 1
    assert late["signs"]["word:recheck"]["value"] == 0.5
    assert early["per_completion"]["recheck"] == 0.25
    assert late["per_completion"]["recheck"] == (2 + 3) / 4
    assert late["signs"]["group:verification"]["value"] == 0.5
    assert early["right"]["value"] == 0.5
    assert early["length"]["value"] == (4 * 13 + 2 + 0.5 * 2) / 4  # verify, recheck, and the rest
    assert result["all"]["signs"]["sign:no-reasoning"]["value"] == 0
    assert result["length_unit"] == "words"
    assert (result["records"], result["puzzles"]) == (192, 48)


def test_right_with_and_without_a_word():
    found = analyze(run())["with_and_without"]
    verify, recheck = found["word:verify"]["right"], found["word:recheck"]["right"]
    assert verify["with"] == {"value": 1.0, "interval": verify["with"]["interval"], "n": 96}
    wrong = (
        24 * 2 + 48 - 12
    )  # versions 0 and 1; of 48 in versions 2 and 3, s=0 in a quarter, s=2 ...
    assert verify["without"]["value"] == pytest.approx((96 - wrong) / 96)
    assert verify["same_prompt"]["difference"] == pytest.approx(wrong / 96)
    assert verify["same_prompt"]["puzzles"] == 48
    # Half of the completions with either word have the other, and it says nothing by itself.
    assert recheck["same_prompt"]["difference"] == pytest.approx(0, abs=0.05)
    assert found["word:wait"]["completions"] == 0


def test_same_length_compares_only_completions_of_about_one_length():
    def text(words):
        return "well " * words + "</think><answer>x</answer>"

    records = []
    for p in range(12):
        # The word stands in long completions, which are right; among long ones it does nothing.
        records += [
            sample(f"p{p}", "wait " + text(99), True, sample=0),
            sample(f"p{p}", text(100), True, sample=1),
            sample(f"p{p}", text(10), False, sample=2),
        ]
    right = analyze(records)["with_and_without"]["word:wait"]["right"]
    assert right["same_prompt"]["difference"] == pytest.approx(0.5)
    assert right["same_prompt_and_length"]["difference"] == pytest.approx(0)


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_records_cannot_matter(dice):
    records = run()[::3]
    for i, record in enumerate(records):
        record["reward"] = [0.1, 0.2, 0.7, -1 / 3][i % 4]
    expected = analyze(records, words=("terse",))
    dice.shuffle(records)
    assert analyze(records, words=("terse",)) == expected


def test_by_a_key_of_info_and_records_without_it():
    records = run()[:8]
    for i, record in enumerate(records):
        record["info"] = {"people": 10 if i < 4 else 9} if i < 6 else {}
    rows = analyze(records, by="people")["rows"]
    assert [(r["name"], r["completions"]) for r in rows] == [("9", 2), ("10", 4), ("-", 2)]


def test_what_cannot_be_used_is_counted_with_its_reason():
    records = [
        sample("a", "x y z</think><answer>b</answer>", None),
        {"id": "b", "completion": "no tags, no task"},
        {"id": "c", "task": "math", "completion": "<think>a</think><answer>4</answer>"},
        {"id": "d"},
        {"id": "e", "completion": None},
    ]
    result = analyze(records)
    assert result["unused"] == {"no completion": 2}
    assert result["records"] == 3
    assert {why.partition(":")[0]: n for why, n in result["lacks"].items()} == {
        "no <think> or <answer> tags": 1,
        "verdict 'knights' gives no number": 1,
        "verdict 'math' is not there": 1,
        "no task, so no verdict (--verdict)": 1,
        "no generation.policy.version": 2,
    }
    text = as_text(report(result))
    assert "2 of 5 records left out: no completion" in text
    assert "with and without" not in text
    with pytest.raises(DataError, match="2 with no completion"):
        analyze(records[3:])


def test_one_sample_given_twice_is_refused_but_not_of_another_version():
    one = sample("a", "x</think>", True, version=1)
    analyze([one, sample("a", "x</think>", True, version=2)])
    with pytest.raises(DataError, match="came twice"):
        analyze([one, dict(one)])


def test_foreign_script_is_one_that_the_prompt_does_not_use():
    mixed = "Zoey 说 the truth</think><answer>x</answer>"
    result = analyze([sample("a", mixed, True), sample("b", "plain text</think>", True)])
    assert result["all"]["signs"]["sign:foreign"]["value"] == 0.5
    assert result["all"]["rates"]["cjk"]["value"] == pytest.approx(1 / (1 + 4 + 8 + 1 + 9))
    assert result["script_unit"] == "letters"
    chinese = sample("a", mixed, True)
    chinese["prompt"] = [{"role": "user", "content": [{"type": "text", "text": "Zoey说"}]}]
    assert analyze([chinese])["all"]["signs"]["sign:foreign"]["value"] == 0


def test_a_tokenizer_counts_scripts_by_token(tmp_path, monkeypatch):
    from tokenizers import Tokenizer, models

    words = {"wait": 0, "验证": 1, "12": 2, "<think>": 3}
    folder = tmp_path / "nowhere"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    Tokenizer(models.WordLevel(words, unk_token="12")).save(str(folder / "tokenizer.json"))
    one = sample("a", "wait</think>", True, token_ids=[0, 0, 0, 1, 2, 3])
    monkeypatch.chdir(tmp_path)  # where the record's policy, "nowhere", is a folder
    for given_ in (None, open_tokenizer(str(folder)), open_tokenizer(f"{folder}/tokenizer.json")):
        result = analyze([one], tokenizer=given_)
        assert result["script_unit"] == result["length_unit"] == "tokens"
        assert result["all"]["rates"]["cjk"]["value"] == 0.25
    monkeypatch.chdir("/")  # nothing is looked for from the root
    assert analyze([one])["script_unit"] == "letters"


def test_tables_fit_80_columns_and_name_what_they_show():
    text = as_text(report(analyze(run())))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "192 completions of 48 puzzles" in text
    line = next(line for line in text.splitlines() if line.startswith("  verify "))
    assert line.split()[1:3] == ["50.0", "100.0"]
