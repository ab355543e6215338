"""metrics.jsonl, whole and as it grows: torn lines, steps written again, what is no JSON."""

import pytest

from swr1.errors import DataError
from swr1.streams.metrics import MetricsReader, read_metrics
from tests.conftest import jsonl


def test_a_torn_line_is_read_when_it_is_whole(tmp_path):
    file = tmp_path / "metrics.jsonl"
    reader = MetricsReader(file)
    assert not reader.poll()
    file.write_bytes(b'{"step": 1, "a": 1}\n{"step": 2, "a"')
    assert reader.poll()
    assert [r["step"] for r in reader.rows()] == [1]
    with open(file, "ab") as handle:
        handle.write(b": 5}\n")
    assert reader.poll()
    assert [r["a"] for r in reader.rows()] == [1, 5]
    assert not reader.poll()


def test_a_step_written_again_counts_once_and_a_new_file_is_read_anew(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(jsonl([{"step": 1, "a": 1}, {"step": 2, "a": 2}, {"step": 2, "a": 3}]))
    reader = MetricsReader(file)
    reader.poll()
    assert [r["a"] for r in reader.rows()] == [1, 3]
    file.write_bytes(jsonl([{"step": 1, "a": 9}]) + b"[]\nnot json\n")
    reader.poll()
    assert [r["a"] for r in reader.rows()] == [9]
    assert reader.bad == 2


def test_read_metrics(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 2, "accuracy": 0.1}\n{"step": 1}\n{"step": 2, "accuracy": 0.3}\n{"st')
    assert read_metrics(tmp_path) == [{"step": 1}, {"step": 2, "accuracy": 0.3}]
    assert read_metrics(file) == read_metrics(tmp_path)
    file.write_text('{"step": 1}\n\n{"step": 2}')
    assert read_metrics(file) == [{"step": 1}, {"step": 2}]
    file.write_text('{"step": 1}\n{"st\n{"step": 2}\n')
    with pytest.raises(DataError, match=r"metrics\.jsonl:2: not JSON"):
        read_metrics(file)
    file.unlink()
    for missing in (file, tmp_path):
        with pytest.raises(DataError, match="a training run writes them"):
            read_metrics(missing)
    with pytest.raises(DataError, match="init-policy"):
        read_metrics(tmp_path / "nowhere")


def test_keys_of_earlier_versions_are_read_as_they_are_called_now(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 1, "dead_groups": 0.5}\n{"step": 2, "zero_variance_groups": 0.25}\n')
    assert [row["zero_variance_groups"] for row in read_metrics(file)] == [0.5, 0.25]
