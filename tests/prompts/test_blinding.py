"""Questions without their pictures: the same ids and answers, and nothing to be seen."""

import orjson
import pytest

from swr1.pictures import Opener
from tests.conftest import jsonl, run_swr1


@pytest.fixture(scope="module")
def drawn():
    return run_swr1(
        "gen-pictures", "-n", 41, "--cells", "2-4", "--things", "1-4", check=True
    ).stdout


def records(text):
    return [orjson.loads(line) for line in text.splitlines()]


def digest(record):
    return record["prompt"][0]["content"][0]["digest"]


def test_grey_pictures_have_the_size_of_the_old_ones_and_one_colour(drawn):
    before, after = records(drawn), records(run_swr1("blind", stdin=drawn, check=True).stdout)
    assert [one["id"] for one in after] == [one["id"] for one in before]
    for old, new in zip(before, after, strict=True):
        [[was], [now]] = Opener().of(old), Opener().of(new)
        assert was.size == now.size and len(now.image.getcolors()) == 1
        assert new["info"] == old["info"] | {"pictures": "grey"}
        assert new["answer"] == old["answer"]
        assert new["prompt"][0]["content"][1] == old["prompt"][0]["content"][1]


def test_swapped_pictures_are_those_of_another_of_the_kind(drawn):
    before = {one["id"]: one for one in records(drawn)}
    done = run_swr1("blind", "--swap", stdin=drawn, check=True)
    after = records(done.stdout)
    assert {one["id"] for one in after} == before.keys() and len(after) == len(before)
    for new in after:
        old, other = before[new["id"]], before[new["info"]["pictures_of"]]
        assert digest(new) == digest(other) != digest(old)
        assert other["info"]["kind"] == old["info"]["kind"]  # of each kind there are several
        assert new["info"]["pictures"] == "swapped" and new["answer"] == old["answer"]


def test_what_has_no_picture_or_no_partner_is_dropped_with_its_reason(drawn):
    one = records(drawn)[0]
    text = {"v": 1, "id": "t", "task": "qa", "prompt": [{"role": "user", "content": "?"}]}
    given = jsonl([text, one, one | {"id": "again"}])  # twice the same picture
    done = run_swr1("blind", "--swap", stdin=given, check=True)
    assert not done.stdout
    assert "1 no picture" in done.stderr and "2 no other record has" in done.stderr
    done = run_swr1("blind", stdin=given, check=True)
    assert len(records(done.stdout)) == 2 and "1 no picture" in done.stderr


def test_the_only_one_of_its_kind_gets_a_picture_of_another_kind():
    kinds = ["count", "bars", "lookup"]
    made = "".join(
        run_swr1("gen-pictures", "-n", 1, "--kinds", kind, check=True).stdout for kind in kinds
    )
    before, after = (
        records(made),
        records(run_swr1("blind", "--swap", stdin=made, check=True).stdout),
    )
    assert {one["id"] for one in after} == {one["id"] for one in before}
    shown = {one["id"]: digest(one) for one in before}
    assert all(
        digest(new) == shown[new["info"]["pictures_of"]] != shown[new["id"]] for new in after
    )


def test_completions_and_verdicts_do_not_follow(drawn):
    told = [one | {"completion": "x", "verdicts": {}} for one in records(drawn)]
    for way in ([], ["--swap"]):
        for new in records(run_swr1("blind", *way, stdin=jsonl(told), check=True).stdout):
            assert "completion" not in new and "verdicts" not in new


def test_shards_cannot_swap(tmp_path, drawn):
    (tmp_path / "p.jsonl").write_text(drawn)
    args = ["blind", "--swap", tmp_path / "p.jsonl", "-o", f"{tmp_path}/out/", "--shard", "0/2"]
    done = run_swr1(*args)
    assert done.returncode == 2 and "no shards here" in done.stderr
