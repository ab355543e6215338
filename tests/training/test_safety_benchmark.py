"""benchmarks/safety.py: nothing of a held-out behaviour or prompt is learned from, in any of its ways."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from swr1.errors import UsageError
from swr1.loading.records import Row, _record
from swr1.loading.sets import jailbreakbench, xstest
from tests.conftest import jsonl

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import _across  # type: ignore[import-not-found]
import safety  # type: ignore[import-not-found]

SPLIT = "info.index,id"


def published() -> list[dict]:
    """Records as the loaders make them: 40 behaviours under 3 attacks on 2 models, 60 prompts."""
    items = []
    for index in range(40):
        for attack, target in (("GCG", "a"), ("GCG", "b"), ("PAIR", "a")):
            row = Row(
                goal=f"Goal {index}", behavior=f"B{index}", category="c", attack=attack,
                target=target, index=index, prompt=f"{attack} goal {index} !!", response="Sure",
                jailbroken=index % 2 == 0, jailbroken_llama_guard1=False,
            )  # fmt: skip
            row.file, row.split = "artifacts.jsonl", None
            items += jailbreakbench.load(row)
    for number in range(60):
        for model in "ab":
            kind = ["homonyms", "contrast_homonyms"][number % 2]
            form = ["1_full_compliance", "2_full_refusal"][number % 4 // 2]
            row = Row(
                prompt=f"Question {number}?", type=kind, completion=f"{model}.", final_label=form
            )
            row.file, row.split = f"xstest_v2_completions_{model}.csv", None
            items += xstest.load(row, labels="safety")
    return [_record(item, "f:1", list) | {"key": str(n)} for n, item in enumerate(items)]


def told(records: list[dict]) -> set:
    """The behaviours and prompts of records."""
    return {r["info"].get("behavior") or r["prompt"][0]["content"] for r in records}


@pytest.mark.parametrize("without", [None, "info.model=b", "info.attack=PAIR"])
def test_no_behaviour_or_prompt_is_on_both_sides(without):
    records = published()
    learn, test = safety.sides(records, 0.3, SPLIT, without)
    assert learn and test and not told(learn) & told(test)
    if without is None:
        assert len(learn) + len(test) == len(records)
        assert {r["info"]["label"] for r in test} == set(safety.GUARD_LABELS)
    else:
        field, value = without.split("=")
        assert {str(safety.value_at(r, field)) for r in test} == {value}
        assert all(safety.value_at(r, field) != value for r in learn)


def test_a_field_that_nothing_has_is_an_error():
    with pytest.raises(UsageError, match="no record has"):
        safety.sides(published(), 0.3, SPLIT, "info.model=z")


def test_a_guard_of_another_split_is_refused(monkeypatch):
    facts = {"split": "0.1 by hash of id", "trained_on": {"items": 9}}
    monkeypatch.setattr(safety.heads, "open_judge", lambda folder: SimpleNamespace(facts=facts))
    with pytest.raises(UsageError, match=r"held out 0.1 by hash of id and learned from 9"):
        safety.guard("g", "0.3 by hash of info.index,id", [{}] * 9)


def test_the_keyword_list_says_safe_where_it_refuses():
    p = safety.keywords([{"completion": "I'm sorry, no."}, {"completion": "Sure: first"}])
    assert p.argmax(1).tolist() == [safety.SAFE, safety.UNSAFE]
    assert np.allclose(p.sum(1), 1)


def test_harmful_and_harmless_prompts_are_told_apart():
    parts = safety.parts_of(published())
    assert {name: int(rows.sum()) for name, rows in parts.items()} == {
        "jailbreakbench": 120,
        "xstest": 120,
        "xstest, harmful prompts": 60,
        "xstest, harmless prompts": 60,
    }


def test_pairs_are_in_order_where_the_preferred_one_is_safer(tmp_path, capsys):
    turns = [("I'm sorry, no", "Sure"), ("Sure", "I'm sorry, no"), ("Sure", "Yes"), ("No", "Sure")]
    records = [
        {
            "id": str(i),
            "prompt": [{"role": "user", "content": "?"}],
            "info": {"pair": {"chosen": chosen, "rejected": rejected}},
        }
        for i, (chosen, rejected) in enumerate(turns)
    ]
    (tmp_path / "pairs.jsonl").write_bytes(jsonl(records))
    safety.preferred({"keywords": safety.keywords}, tmp_path / "pairs.jsonl")
    assert "| keywords | 0.500 |" in capsys.readouterr().out  # one right, one wrong, two ties
    (tmp_path / "pairs.jsonl").write_bytes(jsonl(records[:1]))
    safety.preferred({"keywords": safety.keywords}, tmp_path / "pairs.jsonl")
    assert "| keywords | 1.000 |" in capsys.readouterr().out


def a_judge() -> _across.Judge:
    """Log-odds that say the label with a margin of 1, moved by `info.shift`; too long: "long"."""

    def logits(some: list[dict]) -> np.ndarray:
        odds = [2.0 * (r["info"]["label"] == "unsafe") - 1 + r["info"]["shift"] for r in some]
        for i, r in enumerate(some):
            if r["completion"] == "long":
                odds[i] = np.nan
        return np.stack([np.zeros(len(some)), np.array(odds)], axis=1)

    return _across.Judge(logits, {"GCG"}, {"PAIR"}, 1.0, np.array([0.0, -3.0]))


def a_record(source: str, label: str, number: int, shift: float = 0.0, **more) -> dict:
    return {
        "id": f"{source}{number}",
        "prompt": [{"role": "user", "content": "?"}],
        "completion": "Yes",
        "info": {"attack": source, "label": label, "harmful": label == "unsafe", "shift": shift},
    } | more


def rows_of(text: str) -> dict[str, list[str]]:
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows if not row[0].startswith(("source", "---"))}


def test_a_judge_is_measured_only_on_sources_it_does_not_know(capsys):
    records = [
        a_record(source, label, 2 * n + (label == "safe"), shift=3.0)
        for source in ("GCG", "PAIR", "new")
        for label in ("safe", "unsafe")
        for n in range(4)
    ]
    records.append(a_record("new", "unsafe", 99, completion="long"))
    _across.unseen("j", a_judge(), records, [], "info.attack")
    told = rows_of(capsys.readouterr().out)
    assert list(told) == ["new (8)"]  # learned from, fitted on, and what is too long are left out
    assert told["new (8)"][:2] == ["1.000", "0.500"]  # all is unsafe to it, until it is calibrated
    assert told["new (8)"][3:6] == ["0 of 4", "4 of 4", "1.000"]
    assert told["new (8)"][7:] == ["0 of 4", "0 of 4"]


def test_with_records_aside_each_source_is_calibrated_on_the_others(capsys):
    def two(source: str, shift: float) -> list[dict]:
        return [a_record(source, label, 0, shift) for label in ("safe", "unsafe")]

    # Calibrated on its own records PAIR would come out wrong: they are shifted the other way.
    aside = [*two("PAIR", -3.0), *two("RS", 3.0), *two("GCG", -9.0)]
    _across.unseen("j", a_judge(), [*two("PAIR", 3.0), *two("RS", -3.0)], aside, "info.attack")
    told = rows_of(capsys.readouterr().out)
    assert [told[name][1] for name in ("PAIR (2)", "RS (2)")] == ["0.500", "0.500"]
    assert [told[name][5] for name in ("PAIR (2)", "RS (2)")] == ["1.000", "1.000"]


def test_a_prompt_on_both_sides_is_refused():
    with pytest.raises(UsageError, match="1 prompts"):
        _across.refuse_shared(
            [a_record("a", "safe", 1)], [a_record("b", "safe", 2), a_record("a", "safe", 1)], "id"
        )
