"""A run that dies at any moment and is run again: the same weights, bit for bit, and metrics."""

import json
import os
import random
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path

import pytest
import torch
from tiny_runs import load, same_weights, sample_records, tiny_policy, train_rl, train_sft, weights
from tiny_runs import noisy_reward as noisy

from swr1.errors import DataError, SwrError, UsageError
from swr1.policy import MARKER, Policy
from swr1.training import engine
from swr1.training.state import Run
from tests.conftest import jsonl, run_swr1
from tests.forked import start as start_swr1

CLOCKS = {"wait_s", "compute_s", "seconds"}


class Killed(BaseException):
    """No handler of an error catches it, as none catches SIGKILL."""


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    return tiny_policy(tmp_path_factory.mktemp("start") / "p").path


@pytest.fixture(scope="module")
def records(start):
    return sample_records(Policy(start), 20, 3, noisy, max_tokens=6)


@pytest.fixture(scope="module")
def unbroken(start, records, tmp_path_factory):
    """The policy that a run without a death makes, made once."""

    @cache
    def trained(train) -> Policy:
        policy = fresh(start, tmp_path_factory.mktemp("unbroken") / "p")
        train(policy, records)
        return policy

    return trained


def fresh(start: Path, path: Path) -> Policy:
    shutil.copytree(start, path, symlinks=True)
    return Policy(path)


def rl(policy: Policy, records, **options) -> dict:
    options = {
        "batch": 2,
        "lr": 1e-2,
        "kl": 0.05,
        "publish_every": 3,
        "log": lambda _: None,
    } | options
    return train_rl(iter(records), policy, options.pop("objective", "grpo"), **options)


def sft(policy: Policy, records, **options) -> dict:
    options = {
        "batch": 4,
        "steps": 10,
        "lr": 1e-2,
        "publish_every": 3,
        "log": lambda _: None,
    } | options
    return train_sft(iter(records), policy, **options)


def rl_beside(policy: Policy, records) -> dict:
    """Versions and states are written beside the steps."""
    return rl(policy, records, background=True)


def sft_beside(policy: Policy, records) -> dict:
    return sft(policy, records, background=True)


def rows(policy: Policy) -> list[dict]:
    lines = (policy.path / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in CLOCKS} for line in lines]


def assert_same(a: Policy, b: Policy) -> None:
    assert a.versions() == b.versions()
    for version in a.versions():
        assert same_weights(weights(a, version), weights(b, version)), version
        metas = [
            {k: v for k, v in p.meta(version).items() if k not in ("created", "run")}
            for p in (a, b)
        ]
        assert metas[0] == metas[1]
    assert rows(a) == rows(b)
    assert os.readlink(a.path / "latest") == os.readlink(b.path / "latest")


def die_at(monkeypatch, target, name: str, call: int, *, after: bool) -> None:
    """Make call number `call` of `target.name` the last thing that the process does."""
    whole = getattr(target, name)
    seen = iter(range(1, 10**6))

    def dying(*args, **kwargs):
        if next(seen) != call:
            return whole(*args, **kwargs)
        if after:
            whole(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(target, name, dying)


MOMENTS = [
    (Policy, "publish", 2, False),
    (Policy, "publish", 2, True),
    (Policy, "_point_latest_at", 2, False),
    (Run, "_write_state", 1, False),
    (Run, "_write_state", 1, True),
    (Run, "_write_state", 3, False),
    (Run, "_write_state", 3, True),
    (Run, "end_step", 1, False),
    (Run, "end_step", 5, False),
    (Run, "end_step", 5, True),
    (Run, "finish", 1, False),
]


@pytest.mark.parametrize("train", [rl, sft, rl_beside, sft_beside])
@pytest.mark.parametrize(("target", "name", "call", "after"), MOMENTS)
def test_death_at_every_moment_that_matters(
    tmp_path, start, records, unbroken, monkeypatch, train, target, name, call, after
):
    unbroken = unbroken({rl_beside: rl, sft_beside: sft}.get(train, train))
    broken = fresh(start, tmp_path / "broken")
    with monkeypatch.context() as patch:
        die_at(patch, target, name, call, after=after)
        with pytest.raises(Killed):
            train(broken, records)
    broken.latest()  # whole at any moment
    load(broken)
    train(broken, records)
    assert_same(unbroken, broken)
    train(broken, records)  # and a run that is done stays as it is
    assert_same(unbroken, broken)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "muon"},
        {"lora_r": 2},
        {"objective": "reinforce++", "minibatch": 1, "epochs": 2, "warmup": 6},
        {"checkpoint_every": 5, "publish_every": 1},
        {"checkpoint_every": 1, "publish_every": 100},
        {"keep": 1},
    ],
)
def test_options_do_not_break_it(tmp_path, start, records, monkeypatch, options: dict):
    unbroken = fresh(start, tmp_path / "unbroken")
    rl(unbroken, records, **options)
    broken = fresh(start, tmp_path / "broken")
    for call in (4, 3):  # twice
        with monkeypatch.context() as patch:
            die_at(patch, Run, "end_step", call, after=True)
            with pytest.raises(Killed):
                rl(broken, records, **options)
    rl(broken, records, **options)
    assert_same(unbroken, broken)


def kill_and_go_on(folder: Path, start: Path, records, more: str, kills: int) -> None:
    """A process of its own, SIGKILL at a random moment, and a rerun over the same file; `kills` times."""
    (folder / "records.jsonl").write_bytes(jsonl(records))
    unbroken = fresh(start, folder / "unbroken")
    line = "train-step grpo records.jsonl --batch 2 --lr 1e-2 --kl 0.05 --publish-every 1 --keep 99"
    line = f"{line} --threads 1 {more} --policy"
    run_swr1(*line.split(), "unbroken", cwd=folder, check=True)
    for number in range(kills):
        broken = fresh(start, folder / f"broken{number}")
        child = start_swr1([*line.split(), broken.path.name], cwd=folder, stderr=subprocess.DEVNULL)
        metrics = broken.path / "metrics.jsonl"
        deadline = time.monotonic() + 120
        while not (metrics.exists() and metrics.read_text().count("\n") >= random.randint(2, 6)):
            assert child.poll() is None and time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(random.random() / 50)
        child.kill()
        child.wait()
        assert len(rows(broken)) < len(rows(unbroken)), "killed too late to show anything"
        run_swr1(*line.split(), broken.path.name, cwd=folder, check=True)
        assert_same(unbroken, broken)


@pytest.mark.parametrize("more", ["", "--background"])
def test_killed_with_signal_9_at_a_random_moment(tmp_path, start, records, more):
    kill_and_go_on(tmp_path, start, records, more, 1)


@pytest.mark.slow
def test_killed_at_fifty_moments_while_states_are_written(tmp_path, start, records):
    kill_and_go_on(tmp_path, start, records, "--background", 50)


def test_another_input_is_read_from_its_start_and_the_run_goes_on(tmp_path, start, records):
    policy = fresh(start, tmp_path / "p")
    said: list[str] = []
    rl(policy, records[:24], log=said.append)  # 8 groups
    second = sample_records(policy, 6, 3, noisy, max_tokens=6, seed=1)
    rl(policy, second, log=said.append)
    assert [r["step"] for r in rows(policy)] == list(range(1, 8))
    assert policy.meta()["groups_consumed"] == 14
    assert any("has not seen" in line for line in said)


def test_the_same_input_grown_longer_is_continued(tmp_path, start, records):
    unbroken, policy = fresh(start, tmp_path / "a"), fresh(start, tmp_path / "b")
    rl(unbroken, records, publish_every=4)
    rl(policy, records[:24], publish_every=4)
    rl(policy, records, publish_every=4)
    assert rows(policy) == rows(unbroken)
    assert same_weights(weights(policy), weights(unbroken))


def test_an_input_that_has_shrunk_is_refused(tmp_path, start, records):
    policy = fresh(start, tmp_path / "p")
    rl(policy, records)
    with pytest.raises(DataError, match="has 4 groups, but 20 were read"):
        rl(policy, records[:12], steps=50)


def test_rl_after_sft_is_a_run_of_its_own_on_the_latest_version(tmp_path, start, records):
    policy = fresh(start, tmp_path / "p")
    sft(policy, records, keep=None)
    begun_at = policy.latest()
    rl(policy, sample_records(policy, 8, 3, noisy, max_tokens=6), keep=1)
    found = rows(policy)
    assert [r["stage"] for r in found] == ["sft"] * 10 + ["rl"] * 4
    assert [r["step"] for r in found] == [*range(1, 11), *range(1, 5)]
    assert found[10]["ratio_mean"] == pytest.approx(1, abs=1e-5)
    assert found[10]["kl"] == pytest.approx(0, abs=1e-6)  # to where RL began, not to version 0
    assert begun_at in policy.versions()  # protected: it is the reference
    assert policy.meta()["from"] == begun_at


def test_no_resume_starts_a_new_run_from_the_latest(tmp_path, start, records):
    policy = fresh(start, tmp_path / "p")
    rl(policy, records, steps=3)
    rl(policy, records, steps=3, resume=False)
    assert [r["step"] for r in rows(policy)] == [1, 2, 3, 1, 2, 3]
    assert policy.meta()["from"] == 1


@pytest.mark.parametrize("number", [1, 2])
def test_death_while_an_old_state_is_deleted(tmp_path, start, records, monkeypatch, number):
    """What is left of it is no state: the next step would have begun with the first weights."""
    policy = fresh(start, tmp_path / "p")
    rl(policy, records, steps=3, publish_every=1)
    seen = iter(range(1, 10))

    def torn(folder, *_, **__):
        if (Path(folder) / "state.pt").exists() and next(seen) == number:
            (Path(folder) / "state.pt").unlink()
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", torn)
        with pytest.raises(Killed):
            rl(policy, records, steps=3, resume=False)
    rl(policy, records, steps=4, publish_every=1, ratio_tolerance=9)
    newest = policy.latest()
    now, before = weights(policy, newest), weights(policy, newest - 1)
    moved = max(float((now[name] - before[name]).abs().max()) for name in now)
    assert 0 < moved < 2e-2  # one step of AdamW at lr 0.01, from the weights before it


def test_versions_of_another_publisher_are_respected(tmp_path, start, records):
    policy = fresh(start, tmp_path / "p")
    rl(policy, records, steps=3)
    model, tokenizer = load(policy, 0)
    policy.publish(lambda f: engine.save_model(model, tokenizer, f, torch.float32), {})
    said: list[str] = []
    rl(policy, records, steps=3, log=said.append)
    assert any("starting a new run from 2" in line for line in said)
    assert policy.versions()[-2:] == [2, 3] and policy.meta()["from"] == 2


def test_what_shapes_the_state_cannot_change_under_way(tmp_path, start, records):
    policy = fresh(start, tmp_path / "p")
    rl(policy, records, steps=3)
    with pytest.raises(UsageError, match=r"optimizer adamw, not muon.*--no-resume"):
        rl(policy, records, steps=6, optimizer="muon")
    other = fresh(start, tmp_path / "q")

    def die(row: dict) -> None:
        raise Killed

    with pytest.raises(Killed):
        sft(other, records, on_step=die)
    with pytest.raises(UsageError, match=r"data .*--no-resume"):
        sft(other, records[:9])


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ({"lora_r": 2, "lora_alpha": 8}, {"lora_r": 2, "lora_alpha": 16}, "lora-alpha 8"),
        ({"lora_r": 2}, {"lora_r": 2, "lora_alpha": 5}, "lora-alpha 4"),
        ({"lora_r": 2}, {"lora_r": 4}, "lora-r 2"),
        ({}, {"objective": "rloo"}, "objective grpo"),
    ],
)
def test_what_a_run_means_cannot_change_under_way(tmp_path, start, records, before, after, named):
    policy = fresh(start, tmp_path / "p")
    rl(policy, records, steps=1, publish_every=1, **before)
    there = weights(policy)
    with pytest.raises(UsageError, match=rf"{named}.*--no-resume"):
        rl(policy, records, steps=2, **after)
    assert all(torch.equal(value, there[name]) for name, value in weights(policy).items())
    rl(policy, records, steps=1, resume=False, **after)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"lr": 2e-2}, "lr 0.01 -> 0.02"),
        ({"batch": 4}, "batch 2 -> 4"),
        ({"kl": 0.1, "seed": 3}, "kl 0.05 -> 0.1"),
        ({"kl": 0.1, "seed": 3}, "seed 0 -> 3"),
        ({"dtype": "bfloat16"}, "dtype float32 -> bfloat16"),
        ({"minibatch": 1}, "minibatch None -> 1"),
    ],
)
def test_what_may_change_under_way_is_said(tmp_path, start, records, options, line):
    policy = fresh(start, tmp_path / "p")
    rl(policy, records, steps=1, publish_every=1)
    said: list[str] = []
    rl(policy, records, steps=2, log=said.append, **({"ratio_tolerance": 1.0} | options))
    [told] = [text for text in said if "other options" in text]
    assert line in told
    said.clear()
    rl(policy, records, steps=3, log=said.append, **({"ratio_tolerance": 1.0} | options))
    assert not any("other options" in text for text in said)


def test_two_trainers_on_one_folder(tmp_path, start, records):
    policy = fresh(start, tmp_path / "p")
    with (
        policy.lock("train-step somewhere else"),
        pytest.raises(SwrError, match=rf"somewhere else \(pid {os.getpid()}"),
    ):
        rl(policy, records)


def test_a_broken_state_is_named(tmp_path, start, records):
    policy = fresh(start, tmp_path / "p")
    rl(policy, records, steps=3)
    (policy.path / "trainer" / "000003" / MARKER).write_text("{")
    with pytest.raises(DataError, match=r"state is broken") as error:
        rl(policy, records, steps=6)
    assert error.value.location and "trainer/000003" in error.value.location


@pytest.mark.parametrize(
    "content", ["{}", "[]", "null", '"x"', '{"stage": 5}', '{"stage": "rl", "run": "x"}', "{", ""]
)
def test_a_states_marker_of_another_shape_is_named(tmp_path, start, records, content):
    policy = fresh(start, tmp_path / "p")
    rl(policy, records, steps=1)
    (policy.path / "trainer" / "000001" / MARKER).write_text(content)
    with pytest.raises(DataError, match="state is broken"):
        rl(policy, records, steps=2)
    assert policy.versions() == [0, 1]


def test_a_state_that_is_not_this_models_is_named(tmp_path, start, records):
    policy = fresh(start, tmp_path / "p")
    rl(policy, records, steps=1)
    file = policy.path / "trainer" / "000001" / "state.pt"
    good = torch.load(file)
    name, value = next(iter(good["weights"].items()))
    spoilt = [
        {"weights": {}, "optimizer": good["optimizer"]},
        good | {"weights": good["weights"] | {"other": value}},
        good | {"weights": good["weights"] | {name: value[:1]}},
        good | {"weights": good["weights"] | {name: 5}},
        good | {"optimizer": []},
        {"weights": good["weights"]},
        [1, 2],
    ]
    for state in spoilt:
        torch.save(state, file)
        with pytest.raises(DataError, match="of another model, or broken"):
            rl(policy, records, steps=2)
    for content in (b"", b"junk", file.read_bytes()[:100]):
        file.write_bytes(content)
        with pytest.raises(DataError, match="state is broken"):
            rl(policy, records, steps=2)


def test_disk_use_is_bounded(tmp_path, start, records):
    policy = fresh(start, tmp_path / "p")
    rl(policy, records, publish_every=1, keep=2)
    assert policy.versions() == [0, 9, 10]  # 0 is where the run began
    states = sorted(f.name for f in (policy.path / "trainer").glob("0*"))
    assert states == ["000009", "000010"]
