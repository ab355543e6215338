"""`from swr1 import ...`: every name is there, nothing heavy comes with the package, types agree."""

import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import swr1
from swr1 import types
from swr1.errors import DataError
from swr1.records import FIELDS
from tests.conftest import run_swr1

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", swr1.__all__)
def test_a_public_name_is_there_and_documented(name):
    assert getattr(swr1, name).__doc__


def test_editors_see_the_names_that_the_program_has():
    source = (ROOT / "src" / "swr1" / "__init__.py").read_text()
    seen = re.findall(r"^    from (\S+) import (\w+) as \2$", source, re.M)
    assert {name: module for module, name in seen} == swr1._MODULES


def test_the_package_imports_nothing_heavy():
    code = (
        "import sys, swr1; from swr1 import Record, make_puzzles, open_reward, read_records;"
        "print(*{'torch', 'transformers', 'pyarrow', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        swr1.no_such_name  # noqa: B018


# what the schema calls a type, and the Python types that a field of it may have
PYTHON = {
    "int": {int},
    "text": {str},
    "number": {float},
    "ints": {list[int]},
    "float32s": {list[float]},
}


def test_the_typed_record_has_the_fields_of_the_schema():
    nested = {f.name.partition(".")[2]: f.type for f in FIELDS if "." in f.name}
    top = {f.name: f.type for f in FIELDS if "." not in f.name}
    for fields, shape, more in (
        (top, types.Record, {"generation"}),
        (nested, types.Generation, set()),
    ):
        hints = typing.get_type_hints(shape)
        assert set(hints) == set(fields) | more
        for name, kind in fields.items():
            assert kind == "json" or hints[name] in PYTHON[kind], name
    assert types.Record.__required_keys__ == {"id"}


def test_every_field_of_the_record_is_in_the_order_of_the_schema():
    names = [f.name.partition(".")[0] for f in FIELDS]
    assert list(typing.get_type_hints(types.Record)) == list(dict.fromkeys(names))


def test_records_go_into_a_file_and_come_back(tmp_path):
    made = list(swr1.make_puzzles(3, people=2))
    assert swr1.write_records(tmp_path / "p.jsonl", made) == 3
    assert list(swr1.read_records(tmp_path / "p.jsonl", needs=["answer"])) == made


def test_a_bad_record_is_named_with_its_line(tmp_path):
    (tmp_path / "p.jsonl").write_text('{"id": "a"}\n{"id": 3}\n')
    with pytest.raises(DataError, match=r"p\.jsonl:2"):
        list(swr1.read_records(tmp_path / "p.jsonl"))


def test_records_of_the_command_line_and_of_python_are_the_same(tmp_path):
    run_swr1("gen-puzzles", "-n", "2", "-o", tmp_path / "p.jsonl", "-q", check=True)
    read = [r for r in swr1.read_records(tmp_path / "p.jsonl") if r.pop("trail")]
    assert read == list(swr1.make_puzzles(2))


def test_the_loop_on_one_page_computes_what_train_step_computes(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    from examples import rl_loop

    texts = [r["prompt"][0]["content"] for r in swr1.make_puzzles(50, people=2, wording="terse")]
    config = swr1.DecoderConfig(hidden=16, layers=2, heads=2, max_positions=512)
    for name in ("page", "stage"):
        swr1.init_policy(tmp_path / name, config, corpus=texts)
    # a reward that differs within a group, which an untrained policy's do not
    monkeypatch.setattr(
        swr1,
        "open_reward",
        lambda recipe: lambda record: {"reward": float(len(record["completion"]) % 5)},
    )
    records = rl_loop.train(
        str(tmp_path / "page"), steps=1, prompts=2, samples=4, max_tokens=12, lr=1e-2
    )
    assert {tuple(r["verdicts"]) for r in records} == {("format", "knights")}
    for record in records:
        record["generation"]["policy"] = {"name": str(tmp_path / "stage"), "version": 0}
        record["generation"]["sampling"] = {"temperature": 1.0, "max_tokens": 12}
    swr1.write_records(tmp_path / "records.jsonl", records)
    options = f"--policy {tmp_path / 'stage'} --kl 0 --batch 2 --steps 1 --lr 1e-2 --threads 1 -q"
    run_swr1("train-step", "grpo", tmp_path / "records.jsonl", *options.split(), check=True)
    start, page, stage = (
        load_file(tmp_path / name / "versions" / version / "model.safetensors")
        for name, version in (("page", "000000"), ("page", "000001"), ("stage", "000001"))
    )
    assert max((page[k] - start[k]).abs().max() for k in page) > 5e-3
    for name in page:
        torch.testing.assert_close(page[name], stage[name], rtol=0, atol=2e-4)


def test_the_loop_is_a_page():
    assert len((ROOT / "examples" / "rl_loop.py").read_text().splitlines()) < 100
