"""Versions and states that are written beside the steps."""

import threading
import time

import pytest
import torch
from tiny_runs import noisy_reward, sample_records, tiny_policy, train_rl

from swr1.policy import Policy
from swr1.training import background
from swr1.training.background import Background, copied, steps_per_state


def test_a_step_goes_on_and_the_next_one_waits_for_the_write_before_its_own():
    writer, disk, order = Background(True), threading.Event(), []

    def slow():
        disk.wait(20)
        order.append("first")

    writer.hand_over(slow)
    assert order == [], "the step went on"
    second = threading.Thread(target=lambda: writer.hand_over(lambda: order.append("second")))
    second.start()
    time.sleep(0.05)
    assert second.is_alive(), "the second waits for the first"
    disk.set()
    second.join(20)
    writer.wait()
    assert order == ["first", "second"]
    writer.close()


def test_what_is_copied_does_not_change_with_the_weights():
    weights = {"a": torch.ones(3), "steps": 4, "moments": [torch.zeros(2)]}
    held = copied(weights)
    half = copied(weights, torch.bfloat16)
    weights["a"].add_(1)
    weights["moments"][0].add_(1)
    assert held["a"].tolist() == [1, 1, 1] and held["moments"][0].tolist() == [0, 0]
    assert half["a"].dtype == torch.bfloat16 and half["steps"] == 4


@pytest.fixture
def policy(tmp_path):
    return tiny_policy(tmp_path / "p")


@pytest.fixture
def records(policy):
    return sample_records(policy, 12, 3, noisy_reward, max_tokens=6)


def run(policy: Policy, records, **options):
    options = {"batch": 2, "lr": 1e-2, "log": lambda _: None, "background": True} | options
    return train_rl(iter(records), policy, "grpo", **options)


def test_a_full_disk_fails_the_run_and_leaves_what_is_whole(policy, records, monkeypatch):
    save, calls = torch.save, []

    def full(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return save(*args, **kwargs)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        run(policy, records)
    assert policy.latest() == 2
    assert not list((policy.path / "trainer").glob(".tmp-*"))
    monkeypatch.undo()
    assert run(policy, records)["steps"] == 6
    assert policy.latest() == 6


def test_a_version_of_somebody_else_is_noticed(policy, records, monkeypatch):
    publish = Policy.publish

    def twice(self, *args, **kwargs):
        publish(self, *args, **kwargs)
        return publish(self, *args, **kwargs)

    monkeypatch.setattr(Policy, "publish", twice)
    with pytest.raises(Exception, match="which this run did not publish"):
        run(policy, records)


def test_states_of_huge_models_come_seldom(monkeypatch):
    model = torch.nn.Linear(100, 100)
    assert steps_per_state(None, 2, model) == 2
    assert steps_per_state(7, 2, model) == 7
    monkeypatch.setattr(background, "HUGE", 1000)
    assert steps_per_state(None, 2, model) == 50
    assert steps_per_state(3, 2, model) == 3
