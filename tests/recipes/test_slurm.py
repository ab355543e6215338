"""The Slurm scripts with programs that only note how they were called (see conftest)."""

import re
import shutil
import signal
import subprocess
import time

import pytest

from tests.recipes.conftest import RECIPES

SLURM = RECIPES / "slurm"
GPU = "--gres=gpu:1 -c 8"


@pytest.mark.parametrize("script", sorted(RECIPES.rglob("*.sh")), ids=lambda p: p.name)
def test_every_script_is_bash(script):
    assert not subprocess.run(["bash", "-n", script], capture_output=True, text=True).stderr
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "-S", "error", script], check=True)


def test_dry_prints_a_script_that_submits_the_same(fake):
    rounds = {"ROUNDS": "2", "ROLLOUT": GPU, "REWARD": "./mine.py:reward"}
    dry = fake(SLURM / "logic-rl.sh", "P", "out", DRY="1", **rounds)
    assert fake.calls() == [] and list(fake.folder.iterdir()) == []
    assert (SLURM / "stage.sh").read_text().splitlines()[-1] in dry.stdout.splitlines()[-1]
    (fake.folder / "P").mkdir()
    fake(SLURM / "logic-rl.sh", "P", "out", **rounds)
    submitted = fake.calls()
    assert sum(line.startswith("sbatch") for line in submitted) == 2 * 7
    shutil.rmtree(fake.folder / "out")
    fake.forget()
    (fake.folder / "dry.sh").write_text(dry.stdout)
    fake("dry.sh")
    assert fake.calls() == submitted
    (rollout,) = (line for line in submitted if "-J rollout-1 " in line)
    assert "--array=0-3 --gres=gpu:1 -c 8" in rollout
    assert f"--policy {fake.folder}/P" in rollout and "--engine vllm" in rollout
    assert any(f" reward {fake.folder}/mine.py:reward " in line for line in submitted)
    assert any("-J rollout-2 --dependency=afterok:7 " in line for line in submitted)


def test_an_engine_that_is_named_stays_and_cpus_have_none(fake):
    for variables, engine in (
        ({}, None),
        ({"ROLLOUT": GPU, "SAMPLING": "--engine hf --batch 8"}, "hf"),
        ({"ROLLOUT": "-G 1"}, "vllm"),
    ):
        text = fake(SLURM / "logic-rl.sh", "P", "out", DRY="1", **variables).stdout
        found = re.search(r"rollout 1/.*--engine (\w+)", text)
        assert (found and found[1]) == engine


def test_what_cannot_be_submitted_is_one_line(fake):
    (fake.folder / "P").mkdir()
    cases = [
        ({"PROMPTS": "40", "SHARDS": "4", "SAMPLING": "--batch 16"}, "at most 3 shards"),
        ({"SHARDS": "many"}, "SHARDS=many"),
    ]
    for variables, said in cases:
        done = fake(SLURM / "logic-rl.sh", "P", "out", check=False, **variables)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1) and said in done.stderr
    done = fake(SLURM / "logic-rl.sh", "nowhere", "out", check=False)
    assert "no policy" in done.stderr
    assert fake.calls() == [] and not (fake.folder / "out").exists()


def test_without_slurm_it_says_so(fake):
    for script, *args in ((SLURM / "one-node.sh",), (SLURM / "logic-rl.sh", "P", "out")):
        done = fake(script, *args, check=False, programs=("bash", "dirname"))
        assert done.returncode == 2 and "DRY=1 prints" in done.stderr
        assert not list(fake.folder.iterdir())


def test_the_job_for_one_node_is_whole(fake):
    line = "sbatch --partition=big --account=me --time=24:00:00 --gres=gpu:8 --cpus-per-task=64"
    dry = fake(SLURM / "one-node.sh", DRY="1", PARTITION="big", ACCOUNT="me").stdout
    assert dry.startswith(line) and "#   #SBATCH --requeue" in dry
    assert fake.calls() == []
    fake(SLURM / "one-node.sh", PARTITION="big", ACCOUNT="me")
    (call,) = fake.calls()
    assert call == dry.splitlines()[0].strip()
    # In the job, Slurm runs a copy of the file.
    fake.forget()
    shutil.copy(SLURM / "one-node.sh", fake.folder / "copy")
    fake("copy", str(RECIPES.parent), SLURM_JOB_ID="1", STEPS="3")
    calls = fake.calls()
    rollouts = [c for c in calls if c.startswith("swr1 rollout")]
    assert len(rollouts) == 9 and all("--engine vllm --data-parallel 4" in c for c in rollouts)
    (train,) = (c for c in calls if c.startswith("torchrun"))
    assert "--nproc-per-node 4" in train and "--parallel fsdp" in train and "--steps 3" in train


def test_a_job_out_of_time_ends_all_its_stages_and_comes_again(fake):
    up, ended = fake.folder / "up", fake.folder / "ended"
    programs = {
        "swr1": f"trap 'echo >>{ended}; exit 143' TERM; echo >>{up}; sleep 60 & wait",
        "recipe": "swr1 | swr1",
        "scontrol": f'echo "$*" >{fake.folder}/asked; exit 1',
    }
    for name, text in programs.items():
        (fake.programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (fake.programs / name).chmod(0o755)
    env = {"PATH": f"{fake.programs}:/usr/bin:/bin", "SLURM_JOB_ID": "7", "SWR1_RUN": "recipe"}
    job = subprocess.Popen(["bash", SLURM / "stage.sh"], env=env, stderr=subprocess.PIPE, text=True)

    def both(file):
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if file.exists() and len(file.read_text()) == 2:
                return True
            time.sleep(0.02)
        return False

    assert both(up)
    job.send_signal(signal.SIGUSR1)
    assert both(ended)
    assert "start again" in job.stderr.readline()
    job.wait(timeout=20)
    assert (fake.folder / "asked").read_text() == "requeue 7\n"
