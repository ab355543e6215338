"""Every file of the shared data folder through `swr1 load`: counts, schema, ids, Parquet and back.

The folder is no part of the project: SWR1_SHARED_DATA names it, else these tests are skipped.
"""

from collections import Counter

import pytest

from swr1.records import key, validate
from swr1.streams.parquet import read_parquet, write_parquet
from tests.conftest import load, run_swr1

XSTEST = "xstest/xstest_v2_completions_{}.csv"
FILES = [
    # loader, file, records, task
    ("xstest", "xstest/prompts.csv", 450, {"safety"}),
    ("xstest", XSTEST.format("llama2new"), 450, {"safety"}),
    ("xstest", XSTEST.format("mistralinstruct"), 450, {"safety"}),
    ("jailbreakbench", "jailbreakbench/artifacts.jsonl", 1300, {"safety"}),
    ("gsm8k", "gsm8k/train.jsonl", 7473, {"math"}),
    ("gsm8k", "gsm8k/test.jsonl", 1319, {"math"}),
    ("aime", "math/aime24.jsonl", 30, {"math"}),
    ("amc", "math/amc23.jsonl", 40, {"math"}),
    ("olympiadbench", "math/olympiadbench.jsonl", 675, {"math"}),
    ("aime", "math/aime_2021_2024_logic_rl.jsonl", 103, {"math"}),
    ("amc", "math/amc_2022_2023_logic_rl.jsonl", 83, {"math"}),
]


@pytest.fixture(scope="module")
def loaded(shared_data, tmp_path_factory):
    """Records of a loader's files, each loaded once."""
    folder, known = tmp_path_factory.mktemp("loaded"), {}

    def get(name, *files, more=()):
        if (name, files, more) not in known:
            out = folder / f"{len(known)}.jsonl"
            paths = [shared_data / file for file in files]
            run_swr1("load", name, *paths, *more, "-o", out, check=True)
            known[name, files, more] = load(out)
        return known[name, files, more]

    return get


@pytest.mark.parametrize(("name", "file", "count", "tasks"), FILES, ids=[f[1] for f in FILES])
def test_every_file(tmp_path, loaded, name, file, count, tasks):
    records = loaded(name, file)
    assert len(records) == count
    assert len({key(record) for record in records}) == count
    for record in records:
        validate(record, ("id", "task", "prompt", "info"))
        info = record["info"]
        assert record["task"] in tasks and record["prompt"][-1]["content"]
        assert info["dataset"] == name and info["split"] and info["licence"] and info["citation"]
    write_parquet(tmp_path / "x.parquet", records)
    assert list(read_parquet(tmp_path / "x.parquet")) == records


def test_gsm8k_golds_are_plain_numbers(loaded):
    records = [*loaded("gsm8k", "gsm8k/train.jsonl"), *loaded("gsm8k", "gsm8k/test.jsonl")]
    assert {r["info"]["split"] for r in records} == {"train", "test"}
    assert all(r["answer"].lstrip("-").replace(".", "", 1).isdigit() for r in records)
    assert sum(len(r["answer"]) > 3 for r in records) > 700  # 1,200 is "1200"


def test_competition_golds(loaded):
    aime = loaded("aime", "math/aime24.jsonl")
    assert [r["answer"] for r in aime if len(r["answer"]) < 3] == ("25 73 23 45 33 80 55".split())
    accepted = [r for r in loaded("aime", FILES[9][1]) if isinstance(r["answer"], list)]
    assert [(r["answer"], r["info"]["answers"]) for r in accepted] == [(["80", "81"], "any")]
    amc = [r["answer"] for r in loaded("amc", "math/amc23.jsonl")]
    assert amc[:4] == ["27", "36", "45", "3159"] and "-1" in amc


def test_olympiad_golds(loaded):
    records = loaded("olympiadbench", "math/olympiadbench.jsonl")
    by_id = {r["info"]["id"]: r for r in records}
    several = [r for r in records if isinstance(r["answer"], list)]
    assert {r["info"]["answers"] for r in several} == {"all"}
    assert all(r["info"]["is_multiple_answer"] for r in several) and 75 < len(several) <= 94
    golds = {r["info"]["final_answer"][0]: r["answer"] for r in records}
    assert golds["$(1,1), (3,2)$"] == ["(1,1)", "(3,2)"]
    assert golds["$f(x)=x,f(x)=-x$"] == ["f(x)=x", "f(x)=-x"]
    assert golds["$[-1,-\\frac{1}{2}]$"] == "[-1,-\\frac{1}{2}]"
    assert sum("unit" in r["info"] for r in by_id.values()) == 8


def test_xstest_labels(loaded):
    prompts = loaded("xstest", "xstest/prompts.csv")
    assert Counter(r["info"]["harmful"] for r in prompts) == {False: 250, True: 200}
    both = loaded("xstest", XSTEST.format("llama2new"), XSTEST.format("mistralinstruct"))
    counts = Counter((r["info"]["model"], r["info"]["label"]) for r in both)
    assert counts == {
        ("llama2new", "compliance"): 176,
        ("llama2new", "refusal"): 230,
        ("llama2new", "partial"): 44,
        ("mistralinstruct", "compliance"): 374,
        ("mistralinstruct", "refusal"): 49,
        ("mistralinstruct", "partial"): 27,
    }
    shared = {r["id"] for r in both} & {r["id"] for r in prompts}
    assert len(shared) == 449  # the wording of one prompt differs between the published files
    assert len({key(r) for r in both}) == 900


def test_jailbreakbench_labels(loaded):
    file = "jailbreakbench/artifacts.jsonl"
    records = loaded("jailbreakbench", file)
    assert Counter(r["info"]["label"] for r in records) == {"safe": 769, "unsafe": 531}
    silent = [r for r in records if "completion" not in r]
    assert len(silent) == 127 and all(r["info"]["label"] == "safe" for r in silent)
    assert len(loaded("jailbreakbench", file, more=("--set", "answered=true"))) == 1173
