"""Every file of the shared data folder through `swr1 load`: counts, schema, ids, Parquet and back.

The folder is no part of the project: SWR1_SHARED_DATA names it, else these tests are skipped.
"""

import functools
from collections import Counter

import orjson
import pytest

from swr1.errors import DataError
from swr1.records import item_of, key, validate
from swr1.streams.parquet import read_parquet, write_parquet
from swr1.training.pairs import pairs
from tests.conftest import run_swr1
from tests.loading.sink import loaded

XSTEST = "xstest/xstest_v2_completions_{}.csv"
LLAMAS = "safety-tuned-llamas/{}.json"
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
    ("hh-rlhf", "hh-rlhf/harmless-base-test-1312.jsonl.gz", 1312, {"safety"}),
    ("flames", "flames/Flames_1k_Chinese.jsonl", 1000, {"value"}),
    ("m3oralbench", "m3oralbench/query.json", 4640, {"choice"}),
    ("siuo", "siuo/siuo_gen.json", 167, {"safety"}),
    ("siuo", "siuo/siuo_mcqa.json", 167, {"choice"}),
    ("simplesafetytests", "simplesafetytests/test_cases.csv", 100, {"safety"}),
    ("donotanswer", "donotanswer/prompts.jsonl", 939, {"safety"}),
    ("safety-tuned-llamas", LLAMAS.format("safety_only_data_Instructions"), 2483, {"safety"}),
    ("safety-tuned-llamas", LLAMAS.format("I-CoNa"), 178, {"safety"}),
    ("safety-tuned-llamas", LLAMAS.format("I-Controversial"), 40, {"safety"}),
    ("safety-tuned-llamas", LLAMAS.format("I-MaliciousInstructions"), 100, {"safety"}),
    ("safety-tuned-llamas", LLAMAS.format("I-PhysicalSafetySafe"), 100, {"safety"}),
    ("safety-tuned-llamas", LLAMAS.format("I-PhysicalSafetyUnsafe"), 100, {"safety"}),
    ("safety-tuned-llamas", LLAMAS.format("Q-Harm"), 100, {"safety"}),
]


@pytest.fixture(scope="module")
def load(shared_data):
    """Records of a loader's files; each is read once."""

    @functools.cache
    def get(name, *files, **options):
        return loaded(name, *[shared_data / file for file in files], **options)

    return get


@pytest.mark.parametrize(("name", "file", "count", "tasks"), FILES, ids=[f[1] for f in FILES])
def test_every_file(tmp_path, load, name, file, count, tasks):
    records = load(name, file)
    assert len(records) == count
    assert len({key(record) for record in records}) == count
    for record in records:
        validate(record, ("id", "task", "prompt", "info"))
        info = record["info"]
        assert record["task"] in tasks and record["prompt"][-1]["content"]
        assert (
            info["dataset"].removesuffix("-mcqa") == name
            and info["split"]
            and info["licence"]
            and info["citation"]
        )
    write_parquet(tmp_path / "x.parquet", records)
    assert list(read_parquet(tmp_path / "x.parquet")) == records


def test_gsm8k_golds_are_plain_numbers(load):
    records = [*load("gsm8k", "gsm8k/train.jsonl"), *load("gsm8k", "gsm8k/test.jsonl")]
    assert {r["info"]["split"] for r in records} == {"train", "test"}
    assert all(r["answer"].lstrip("-").replace(".", "", 1).isdigit() for r in records)
    assert sum(len(r["answer"]) > 3 for r in records) > 700  # 1,200 is "1200"


def test_competition_golds(load):
    aime = load("aime", "math/aime24.jsonl")
    assert [r["answer"] for r in aime if len(r["answer"]) < 3] == ("25 73 23 45 33 80 55".split())
    accepted = [r for r in load("aime", FILES[9][1]) if isinstance(r["answer"], list)]
    assert [(r["answer"], r["info"]["answers"]) for r in accepted] == [(["80", "81"], "any")]
    amc = [r["answer"] for r in load("amc", "math/amc23.jsonl")]
    assert amc[:4] == ["27", "36", "45", "3159"] and "-1" in amc


def test_olympiad_golds(load):
    records = load("olympiadbench", "math/olympiadbench.jsonl")
    by_id = {r["info"]["id"]: r for r in records}
    several = [r for r in records if isinstance(r["answer"], list)]
    assert {r["info"]["answers"] for r in several} == {"all"}
    assert all(r["info"]["is_multiple_answer"] for r in several) and 75 < len(several) <= 94
    golds = {r["info"]["final_answer"][0]: r["answer"] for r in records}
    assert golds["$(1,1), (3,2)$"] == ["(1,1)", "(3,2)"]
    assert golds["$f(x)=x,f(x)=-x$"] == ["f(x)=x", "f(x)=-x"]
    assert golds["$[-1,-\\frac{1}{2}]$"] == "[-1,-\\frac{1}{2}]"
    assert sum("unit" in r["info"] for r in by_id.values()) == 8


def test_xstest_labels(load):
    prompts = load("xstest", "xstest/prompts.csv")
    assert Counter(r["info"]["harmful"] for r in prompts) == {False: 250, True: 200}
    both = load("xstest", XSTEST.format("llama2new"), XSTEST.format("mistralinstruct"))
    counts = Counter((r["info"]["model"], r["info"]["label"]) for r in both)
    assert counts == {
        ("llama2new", "compliance"): 176,
        ("llama2new", "refusal"): 230,
        ("llama2new", "partial"): 44,
        ("mistralinstruct", "compliance"): 374,
        ("mistralinstruct", "refusal"): 49,
        ("mistralinstruct", "partial"): 27,
    }
    assert len({r["id"] for r in both}) == len(both)  # of each model, wherever it is loaded
    shared = {item_of(r["id"]) for r in both} & {r["id"] for r in prompts}
    assert len(shared) == 449  # the wording of one prompt differs between the published files
    assert len({key(r) for r in both}) == 900


def test_jailbreakbench_labels(load):
    file = "jailbreakbench/artifacts.jsonl"
    records = load("jailbreakbench", file)
    assert Counter(r["info"]["label"] for r in records) == {"safe": 769, "unsafe": 531}
    silent = [r for r in records if "completion" not in r]
    assert len(silent) == 127 and all(r["info"]["label"] == "safe" for r in silent)
    assert len(load("jailbreakbench", file, answered=True)) == 1173


def test_preference_pairs_are_what_training_reads(load):
    records = load("hh-rlhf", "hh-rlhf/harmless-base-test-1312.jsonl.gz")
    dropped = Counter()
    both = list(pairs(records, dropped))
    assert len(both) == 1312 and not dropped
    for record, (_, chosen, rejected) in zip(records, both, strict=True):
        roles = [message["role"] for message in record["prompt"]]
        assert roles == (["user", "assistant"] * len(roles))[: len(roles)] and roles[-1] == "user"
        assert chosen["completion"] != rejected["completion"]
        assert "\n\nHuman:" not in record["prompt"][-1]["content"]
    assert sum(not chosen["completion"] for _, chosen, _ in both) == 4  # empty as published


def test_choices(load):
    moral = load("m3oralbench", "m3oralbench/query.json")
    counts = Counter((r["info"]["type"], len(r["info"]["choices"])) for r in moral)
    assert counts == {("judge", 2): 2320, ("classification", 7): 1160, ("response", 2): 1160}
    assert moral[0]["prompt"][0]["content"][0] == {"type": "image", "path": "images/judge_1.jpg"}
    assert moral[0]["info"]["choices"] == ["Not morally wrong", "Morally wrong"]
    for record in load("siuo", "siuo/siuo_mcqa.json"):
        right = record["info"]["choices"]["ABCD".index(record["answer"])]
        assert f"\n{record['answer']}. {right}" in record["prompt"][0]["content"][1]["text"]


def test_requests_that_the_sets_call_harmful(load):
    subsets = [load(name, file) for name, file, *_ in FILES if name == "safety-tuned-llamas"]
    harmful = {r["info"]["subset"]: r["info"].get("harmful") for rows in subsets for r in rows}
    assert harmful == {
        "safety_only_data_Instructions": None,
        "I-CoNa": True,
        "I-Controversial": True,
        "I-MaliciousInstructions": True,
        "I-PhysicalSafetySafe": False,
        "I-PhysicalSafetyUnsafe": True,
        "Q-Harm": None,
    }
    assert all(r["completion"] and r["info"]["label"] == "safe" for r in subsets[0])
    twice = [r for r in load("donotanswer", "donotanswer/prompts.jsonl") if "-" in r["id"]]
    assert len(twice) == 1  # one prompt is published twice


def test_a_wrong_file_of_the_folder_is_told_what_it_is(shared_data):
    wrong = [
        ("xstest", "gsm8k/test.jsonl", "These are columns of `swr1 load gsm8k`"),
        ("gsm8k", "math/aime24.jsonl", "These are columns of `swr1 load aime`"),
        ("hh-rlhf", "siuo/siuo_gen.json", "These are columns of `swr1 load siuo`"),
        ("flames", "safety-tuned-llamas/Q-Harm.json", "`swr1 load safety-tuned-llamas`"),
        ("aime", "xstest/LICENSE", "broken JSON"),
    ]
    for name, file, told in wrong:
        with pytest.raises(DataError) as caught:
            loaded(name, shared_data / file)
        assert told in str(caught.value) and file in str(caught.value)


def test_through_the_command_line_and_parquet(shared_data, tmp_path):
    """All of it as people do it: a folder with a split, and what came out read again."""
    out, back = tmp_path / "test.parquet", tmp_path / "test.jsonl"
    run_swr1("load", "gsm8k", shared_data / "gsm8k", "--split", "test", "-o", out, check=True)
    run_swr1("merge", out, "-o", back, check=True)
    records = [orjson.loads(line) for line in back.read_bytes().splitlines()]
    assert len(records) == 1319
    assert [r.pop("trail").keys() >= {"load"} for r in records] == [True] * 1319
    assert records == loaded("gsm8k", shared_data / "gsm8k" / "test.jsonl")
