"""The policy folder: whole versions only, atomic publishing, one publisher at a time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from swr1.errors import DataError, SwrError
from swr1.policy import MARKER, Policy, model_folder, resolve


def write(text: str):
    return lambda folder: (folder / "config.json").write_text(text) and None


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    policy = Policy(tmp_path / "p")
    policy.publish(write("zero"), {"step": 0, "groups_consumed": 0})
    return policy


def test_publish_numbers_versions_and_moves_latest(policy: Policy):
    assert policy.publish(write("one"), {"step": 7, "groups_consumed": 56}) == 1
    assert policy.latest() == 1
    assert os.readlink(policy.path / "latest") == "versions/000001"
    assert (policy.path / "latest" / "config.json").read_text() == "one"
    meta = policy.meta()
    assert (meta["version"], meta["step"], meta["groups_consumed"]) == (1, 7, 56)
    assert meta["created"].endswith("+00:00")
    assert policy.meta(0)["step"] == 0


def test_resolve_tells_policies_models_and_hub_names_apart(policy: Policy, tmp_path: Path):
    found = resolve(policy.path)
    assert found is not None and found.latest() == 0
    assert resolve(policy.folder(0)) is None
    assert resolve("org/some-model") is None
    assert model_folder("org/some-model") == "org/some-model"
    assert model_folder(policy.path) == str(policy.folder(0))
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    assert resolve(tmp_path / "adapter") is None
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="neither a policy folder"):
        resolve(tmp_path / "empty")
    with pytest.raises(DataError, match="no such folder"):
        resolve(tmp_path / "missing")


def test_a_version_without_marker_does_not_count(policy: Policy):
    torn = policy.path / "versions" / "000001"
    torn.mkdir()
    (torn / "config.json").write_text("{")
    assert policy.latest() == 0
    with pytest.raises(DataError, match="no complete version 1"):
        policy.folder(1)
    assert policy.publish(write("two"), {}) == 2  # a torn number is not written over


def test_no_complete_version_says_what_is_missing_and_what_to_do(policy: Policy):
    (policy.folder(0) / MARKER).unlink()
    with pytest.raises(DataError, match=rf"(?s){MARKER}.*000000.*init-policy") as error:
        policy.latest()
    assert error.value.where == str(policy.path / "versions")
    with pytest.raises(DataError, match="not a policy folder"):
        Policy(policy.path / "elsewhere").latest()


def test_a_broken_marker_is_named(policy: Policy):
    (policy.folder(0) / MARKER).write_text('{"version": ')
    with pytest.raises(DataError, match="not JSON") as error:
        policy.meta()
    assert error.value.where and error.value.where.endswith(f"000000/{MARKER}")


def test_failing_save_leaves_nothing_behind(policy: Policy):
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise RuntimeError("no space left")

    with pytest.raises(RuntimeError):
        policy.publish(fail, {})
    assert os.listdir(policy.path / "versions") == ["000000"]
    assert policy.latest() == 0


def test_a_publisher_killed_while_saving_leaves_the_policy_whole(policy: Policy):
    script = (
        "import sys, os, time, pathlib\n"
        "from swr1.policy import Policy\n"
        "def save(folder):\n"
        "    (folder / 'half').write_text('x'); print('saving', flush=True); time.sleep(60)\n"
        "policy = Policy(sys.argv[1])\n"
        "with policy.lock(): policy.publish(save, {})\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(policy.path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout and child.stdout.readline() == "saving\n"
    with (
        pytest.raises(SwrError, match=rf"train-step \(pid {child.pid} on ") as refused,
        policy.lock(),
    ):
        pass
    assert str(policy.path) in str(refused.value)
    child.kill()
    child.wait()
    assert policy.latest() == 0
    with policy.lock():  # the kernel freed the lock, and the debris is swept
        assert os.listdir(policy.path / "versions") == ["000000"]
        assert policy.publish(write("one"), {}) == 1


def test_death_between_the_two_renames_loses_nothing(policy: Policy):
    policy.publish(write("one"), {})
    policy._point_latest_at(0)
    assert policy.latest() == 1


def test_keep_prunes_old_versions_but_never_protected_or_latest(policy: Policy):
    for step in range(1, 6):
        policy.publish(write(str(step)), {"step": step}, keep=2, protect={0})
    assert policy.versions() == [0, 4, 5]
    policy.prune(0)
    assert policy.versions() == [5]


def test_retract_goes_back(policy: Policy):
    policy.publish(write("one"), {})
    policy.publish(write("two"), {})
    assert policy.retract(0) == [1, 2]
    assert policy.latest() == 0
    assert os.readlink(policy.path / "latest") == "versions/000000"
    assert policy.publish(write("again"), {}) == 1


def test_another_process_publishes(policy: Policy):
    script = (
        "import sys; from swr1.policy import Policy\n"
        "Policy(sys.argv[1]).publish(lambda f: (f / 'config.json').write_text('x'), {})"
    )
    subprocess.run([sys.executable, "-c", script, str(policy.path)], check=True)
    assert policy.latest() == 1
    assert json.loads((policy.folder(1) / MARKER).read_text())["version"] == 1
