"""`swr1 plot` draws the metrics of policies, by label."""

from tests.conftest import jsonl, run_swr1


def test_runs_are_drawn_by_label(tmp_path):
    rows = [
        {"step": n, "reward_mean": n / 9, "accuracy": n / 9, "length_mean": 9} for n in range(9)
    ]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_bytes(jsonl(rows))
    run_swr1("plot", "first=a", "second=b", "-o", "out.svg", cwd=tmp_path, check=True)
    assert "<svg" in (tmp_path / "out.svg").read_text()
