"""`swr1 perturb` on the real command line: pipes, shards, continuing, and what could not be made."""

from collections import Counter

import orjson
import pytest

from swr1.puzzles.perturb import KINDS
from tests.conftest import jsonl, load, run_swr1

ALL = list(KINDS)


@pytest.fixture(scope="module")
def puzzles(tmp_path_factory):
    file = tmp_path_factory.mktemp("perturb") / "puzzles.jsonl"
    run_swr1(*"gen-puzzles -n 60 --people 2-4 --wording varied -o".split(), file, check=True)
    return file


def records(text: str) -> list[dict]:
    return [orjson.loads(line) for line in text.splitlines()]


def test_a_record_per_puzzle_and_kind_after_its_original(puzzles, tmp_path):
    done = run_swr1(
        "perturb", *ALL, "--with-original", "--metrics", tmp_path / "m.jsonl",
        stdin=puzzles.read_bytes(), check=True,
    )  # fmt: skip
    out, originals = records(done.stdout), load(puzzles)
    assert len({r["id"] for r in out}) == len(out)
    kinds = Counter()
    current = None
    for r in out:
        link = r["info"].get("perturbed")
        if link is None:
            current = r
        else:
            assert link["of"] == current["id"]
            kinds[link["kind"]] += 1
    assert [r["id"] for r in out if "perturbed" not in r["info"]] == [r["id"] for r in originals]
    (line,) = load(tmp_path / "m.jsonl")
    tallies = line["tallies"]
    for kind in ALL:
        counted = [of for name, of in tallies.items() if name.split()[0] == kind]
        assert sum(of.get("made", 0) for of in counted) == kinds[kind]
        assert sum(sum(of.values()) for of in counted) == 60
    assert set(tallies) >= {"leaf at 2", "leaf at 3", "statement at 4", "order"}
    assert tallies["leaf at 2"]["there is none"] > 0
    assert "leaf at 2: made" in done.stderr


def test_shards_and_order_make_no_difference(puzzles, tmp_path):
    run_swr1("perturb", "leaf", "names", puzzles, "-o", tmp_path / "whole.jsonl", check=True)
    for i in range(3):
        run_swr1(
            "perturb", "leaf", "names", puzzles, "--shard", f"{i}/3", "-o", f"{tmp_path}/shards/",
            check=True,
        )  # fmt: skip
    merged = run_swr1("merge", tmp_path / "shards", check=True).stdout
    plain = [r | {"trail": None} for r in load(tmp_path / "whole.jsonl")]
    assert [r | {"trail": None} for r in records(merged)] == plain
    backwards = run_swr1(
        "perturb", "leaf", "names", stdin=jsonl(reversed(load(puzzles))), check=True
    )
    assert {r["id"] for r in records(backwards.stdout)} == {r["id"] for r in plain}


def test_a_stopped_run_goes_on(puzzles, tmp_path):
    source, out, whole = (tmp_path / f"{name}.jsonl" for name in ("source", "out", "whole"))
    lines = puzzles.read_bytes().splitlines(keepends=True)
    source.write_bytes(b"".join([*lines[:30], b"{broken}\n", *lines[30:]]))
    args = ("perturb", "leaf", "flip", source, "--with-original", "-o")
    failed = run_swr1(*args, out)
    assert failed.returncode == 65
    assert f"{source}:31" in failed.stderr
    resumed = run_swr1(*args, out, "--on-error", "skip", check=True)
    assert "continuing" in resumed.stderr
    run_swr1(*args, whole, "--on-error", "skip", check=True)
    assert out.read_bytes() == whole.read_bytes()
    assert "nothing to do" in run_swr1(*args, out, check=True).stderr


def test_judged_records_give_one_perturbed_puzzle_per_puzzle(puzzles):
    samples = [
        r | {"sample": s, "completion": "c", "verdicts": {"knights": {"score": 1}}}
        for r in load(puzzles)[:5]
        for s in range(3)
    ]
    done = run_swr1("perturb", "order", stdin=jsonl(samples), check=True)
    out = records(done.stdout)
    assert [r["info"]["perturbed"]["of"] for r in out] == [s["id"] for s in samples[::3]]
    assert all("completion" not in r and "verdicts" not in r for r in out)
    assert "10 dropped (10 another completion of the same puzzle)" in done.stderr


def test_wrong_use_and_other_records(puzzles, tmp_path):
    typo = run_swr1("perturb", "laef", puzzles)
    assert (typo.returncode, "Did you mean 'leaf'?" in typo.stderr) == (2, True)
    typo = run_swr1("perturb", "leaf", "nmaes", puzzles)
    assert (typo.returncode, "Did you mean 'names'?" in typo.stderr) == (2, True)
    assert run_swr1("perturb", "names", puzzles, "--names", "nolist").returncode == 2
    assert run_swr1("perturb", "wording", puzzles, "--wording", "plian").returncode == 2
    math = [{"v": 1, "id": "m", "task": "math", "prompt": [], "answer": "1", "info": {}}]
    bad = run_swr1("perturb", "leaf", stdin=jsonl([*math, load(puzzles)[1]]))
    assert bad.returncode == 65
    assert "stdin:1" in bad.stderr and "swr1 load kk" in bad.stderr
    kept = run_swr1("perturb", "names", "--on-error", "skip", stdin=jsonl(math + load(puzzles)[:1]))
    assert kept.returncode == 0
    assert len(records(kept.stdout)) == 1


def test_perturbed_puzzles_can_be_judged_like_any(puzzles):
    made = records(run_swr1("perturb", *ALL, puzzles, check=True).stdout)
    for r in made:
        said = "\n".join(f"({i}) {n} is a {w}" for i, (n, w) in enumerate(r["answer"], 1))
        r["completion"] = f"<think> x </think>\n<answer>{said}</answer>"
    judged = run_swr1("verify", "knights", stdin=jsonl(made), check=True)
    assert all(r["verdicts"]["knights"]["score"] == 1 for r in records(judged.stdout))


def test_names_of_ones_own_are_replaced_by_others_and_it_says_so(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join("Aldo Bert Cora Dora Emil Fina".split()))
    made = run_swr1("gen-puzzles", "-n", 3, "--people", 2, "--names", tmp_path / "names.txt").stdout
    done = run_swr1("perturb", "names", stdin=made, check=True)
    assert "those of 3 puzzles are in no list of swr1" in done.stderr and "--names" in done.stderr
    kept = run_swr1("perturb", "names", "--names", tmp_path / "names.txt", stdin=made, check=True)
    assert "in no list" not in kept.stderr
