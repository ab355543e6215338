"""The policy folder: whole versions only, atomic publishing, one publisher at a time."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from swr1.errors import DataError, SwrError
from swr1.pass_rates import PassRates
from swr1.policy import MARKER, Policy, model_folder, recorded, resolve, same_trainer
from swr1.rollout.follower import PolicyFollower


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
    assert error.value.location == str(policy.path / "versions")
    with pytest.raises(DataError, match="no such folder; make a policy"):
        Policy(policy.path / "elsewhere").latest()
    with pytest.raises(DataError, match="not a policy folder"):
        Policy(policy.path / "versions").latest()


def test_a_broken_marker_is_named(policy: Policy):
    (policy.folder(0) / MARKER).write_text('{"version": ')
    with pytest.raises(DataError, match="not JSON") as error:
        policy.meta()
    assert error.value.location and error.value.location.endswith(f"000000/{MARKER}")


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


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "5", '{"step": "x"}', '{"groups_consumed": 1.5}']
)
def test_a_version_with_a_torn_marker_is_not_opened(policy: Policy, content: str):
    (policy.path / "versions" / "000000" / MARKER).write_text(content)
    for read in (policy.folder, policy.meta, lambda: model_folder(policy.path)):
        with pytest.raises(DataError, match="marker") as error:
            read()
        assert error.value.location and "000000" in error.value.location


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "5", "{}", '{"pid": "x"}', '{"pid": 1.5}']
)
def test_a_plan_that_no_trainer_wrote_says_nothing(policy: Policy, content: str):
    (policy.path / "trainer").mkdir()
    (policy.path / "trainer" / "plan.json").write_text(content)
    assert policy.plan() == {"pid": 0} and policy.announced() is None
    with policy.lock("train-step sft"):
        policy.announce(4, 1, 0, 0)
        assert policy.announced()


def killed_trainer(policy: Policy) -> None:
    """A process that takes the lock, announces itself, and is gone without a word."""
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException), policy.lock("train-step grpo"):
            policy.announce(4, 1, 0, 0)
            assert policy.announced()
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL


def test_the_plan_of_a_killed_trainer_does_not_count(policy: Policy):
    """Not even when the next one has the lock already and its name is not in the file yet: a
    rollout that looked in that moment began at the first prompt again, with the newest weights."""
    killed_trainer(policy)
    assert policy.plan()["batch"] == 4 and policy.announced() is None
    with open(policy.path / ".lock", "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert policy.announced() is None
        with pytest.raises(SwrError, match="waited"):
            PolicyFollower(str(policy.path), 0, wait=0.05).follow()


def test_a_trainer_with_the_pid_of_a_killed_one_is_another(policy: Policy, monkeypatch):
    """In a container pids come again at every start."""
    killed_trainer(policy)
    monkeypatch.setattr(os, "getpid", lambda pid=policy.plan()["pid"]: pid)
    before = policy.plan()
    with policy.lock("train-step grpo"):
        assert policy.announced() is None
        policy.announce(4, 1, 8, 0)
        now = policy.announced()
    assert now and now["consumed"] == 8
    assert now["pid"] == before["pid"] and not same_trainer(now, before)
    assert policy.announced() is None and policy.plan()["ended"]


def test_a_plan_that_is_replaced_all_the_time_counts_all_the_time(policy: Policy):
    with policy.lock("train-step grpo"):
        policy.announce(4, 1, 0, 0)
        busy = threading.Thread(target=lambda: [policy.count_dropped(n) for n in range(300)])
        busy.start()
        looks = 0
        while busy.is_alive():
            assert Policy(policy.path).announced()
            looks += 1
        busy.join()
    assert looks > 10


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"a": 5}', '{"a": [1, 2]}', '{"a": ["x", 1, 2, 3]}']
)
def test_pass_rates_of_another_shape_are_named(policy: Policy, content: str):
    (policy.folder() / PassRates.FILE).write_text(content)
    with pytest.raises(DataError, match="pass rates"):
        PassRates.load(policy.folder())


@pytest.mark.parametrize("name", ["a\0b", "\0", "runs/\0"])
def test_a_name_with_nul_is_none(name: str):
    with pytest.raises(DataError, match="NUL"):
        resolve(name)
    assert list(recorded(name)) == []


def test_versions_stay_in_their_folder(policy: Policy, tmp_path: Path):
    """Neither a link nor another spelling of a number leads out of it."""
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(policy.folder(0), elsewhere)
    (policy.path / "versions" / "000007").symlink_to(elsewhere)
    (policy.path / "versions" / "0000008").mkdir()
    assert policy.versions() == [0, 7]
    with pytest.raises(DataError, match="not a link"):
        policy.folder()
    assert policy.folder(0).name == "000000"
    (policy.path / "latest").unlink()
    (policy.path / "latest").symlink_to(elsewhere)
    (policy.path / "versions" / "000007").unlink()
    assert policy.folder().parent == policy.path / "versions"
    moved = tmp_path / "moved"
    moved.symlink_to(policy.path)
    assert Policy(moved).folder().is_dir()  # a policy may be reached by a link


def test_a_file_is_no_policy(tmp_path: Path):
    (tmp_path / "f").write_text("x")
    assert Policy(tmp_path / "f" / "g").versions() == []
