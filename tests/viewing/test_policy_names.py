"""The policy's name in a record is data: it leads to no folder but those below and above the file."""

from pathlib import Path

import pytest

from swr1.policy import recorded
from swr1.viewing.tokens import Tokenizers
from tests.conftest import jsonl, run_swr1


@pytest.mark.parametrize("name", ["../../x", "a/../../x", "\0", "a\0b", "", "/etc", "x" * 5000, 5])
def test_names_that_lead_elsewhere_lead_nowhere(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert list(recorded(name)) == []
    record = {"id": "a", "generation": {"policy": {"name": name}}}
    assert Tokenizers(None, [tmp_path]).of(record) is None


def test_names_below_the_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert list(recorded("runs/kk")) == [tmp_path / "runs/kk"]
    assert list(recorded(str(tmp_path / "kk"))) == [tmp_path / "kk"]
    assert list(recorded("kk", [tmp_path, Path("/")])) == [tmp_path / "kk"]


@pytest.mark.parametrize("name", ["pol0", "runs/kk", "../../x", "\0", "/proc/self", "x" * 300])
def test_view_opens_any_record_wherever_its_policy_is(tmp_path, name):
    record = {"id": "a", "completion": "so", "generation": {"token_ids": [1], "logprobs": [-1.0]}}
    record["generation"]["policy"] = {"name": name, "version": 1}
    (tmp_path / "r.jsonl").write_bytes(jsonl([record]))
    done = run_swr1("view", "r.jsonl", "-n", "1", cwd=tmp_path, check=True)
    assert "so" in done.stdout
