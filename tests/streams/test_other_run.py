"""A stopped output is continued by the same command on the same input only."""

from tests.conftest import jsonl, load, run_swr1


def stopped(folder, *args):
    """The output out.jsonl as a kill in the middle leaves it."""
    run_swr1(*args, cwd=folder, check=True)
    whole = (folder / "out.jsonl").read_bytes()
    (folder / "out.jsonl").unlink()
    (folder / "out.jsonl.meta.json").rename(folder / "out.jsonl.part.meta.json")
    (folder / "out.jsonl.part").write_bytes(whole[: len(whole) // 2])


def test_other_options_and_a_changed_input_are_refused_until_force(tmp_path):
    rows = [{"v": 1, "id": f"i{i}", "info": {"x": i % 3}} for i in range(30)]
    (tmp_path / "in.jsonl").write_bytes(jsonl(rows))
    args = "sample in.jsonl -o out.jsonl --where".split()
    stopped(tmp_path, *args, "x=0-1")
    other = run_swr1(*args, "x=1-2", cwd=tmp_path)
    assert other.returncode == 2 and "other options or inputs" in other.stderr
    (tmp_path / "in.jsonl").write_bytes(jsonl(rows[::-1]))
    changed = run_swr1(*args, "x=0-1", cwd=tmp_path)
    assert changed.returncode == 2 and "other options or inputs" in changed.stderr
    run_swr1(*args, "x=1-2", "--force", cwd=tmp_path, check=True)
    assert [r["id"] for r in load(tmp_path / "out.jsonl")] == [
        r["id"] for r in rows[::-1] if r["info"]["x"]
    ]
