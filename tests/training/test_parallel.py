"""Several ranks train to the weights of one process, under torchrun and under accelerate launch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import noisy_reward, sample_records, tiny_policy

from tests.conftest import jsonl, run_swr1
from tests.forked import ranks

BIN = Path(sys.executable).parent
TORCHRUN = [BIN / "torchrun", "--standalone", "--nproc-per-node", "2", "-m", "swr1"]
# Micro-batches of one or two sequences, so that every group is spread over the ranks.
TRAIN = "grpo --batch 3 --kl 0.05 --lr 1e-3 --micro-tokens 24 --device cpu --max-grad-norm 0.5"
TRAIN += " --llds 0.2"  # the samples are of other weights: their likelihood has fallen


def launch(launcher, *args, stdin=b""):
    """The launcher's standard error and exit code."""
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*map(str, launcher), *map(str, args)],
        input=stdin,
        capture_output=True,
        env=env,
        timeout=200,
    )
    return done.returncode, done.stderr.decode()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Records of a tiny policy, and what one process makes of them."""
    folder = tmp_path_factory.mktemp("world")
    policy = tiny_policy(folder / "start")
    records = sample_records(policy, 9, 4, noisy_reward)
    (folder / "rewarded.jsonl").write_bytes(jsonl(records))
    tiny_policy(folder / "alone")
    train = ["train-step", *TRAIN.split(), folder / "rewarded.jsonl"]
    run_swr1(*train, "--policy", folder / "alone", check=True)
    return folder


def rows(policy: Path) -> list[dict]:
    return [json.loads(line) for line in (policy / "metrics.jsonl").read_text().splitlines()]


def assert_same(one: Path, other: Path) -> None:
    """Weights to 1e-6, and metrics to what the order of additions does to float32."""
    a, b = (load_file(p / "latest/model.safetensors") for p in (one, other))
    assert a.keys() == b.keys()
    assert max(float((a[k] - b[k]).abs().max()) for k in a) < 1e-6
    before = load_file(one / "versions/000000/model.safetensors")
    assert max(float((a[k] - before[k]).abs().max()) for k in a) > 1e-4  # it has trained
    assert len(rows(one)) == len(rows(other)) == 3
    for x, y in zip(rows(one), rows(other), strict=True):
        assert x.keys() == y.keys()
        timed = {"wait_s", "compute_s", "seconds"}
        numbers = {k for k in x if isinstance(x[k], float) and k not in timed}
        assert {k: x[k] for k in numbers} == pytest.approx({k: y[k] for k in numbers}, abs=1e-4)


@pytest.mark.parametrize(
    "kind", ["ddp", pytest.param("fsdp", marks=pytest.mark.slow)]
)  # as ranks it is fast, below
def test_two_ranks_train_like_one_process(world, kind):
    policy = world / kind
    tiny_policy(policy)
    records = (world / "rewarded.jsonl").read_bytes()
    args = ["train-step", *TRAIN.split(), "--policy", policy, "--parallel", kind]
    code, said = launch(TORCHRUN, *args, stdin=records)
    assert code == 0, said
    assert said.count("first batch: ratio") == 1  # the lead alone speaks
    assert_same(world / "alone", policy)


def test_sharded_weights_train_like_one_process(world):
    policy = world / "sharded"
    tiny_policy(policy)
    file = world / "rewarded.jsonl"
    codes, said = ranks("train-step", *TRAIN.split(), file, "--policy", policy, "--parallel=fsdp")
    assert codes == [0, 0], said
    assert said.count("first batch: ratio") == 1
    assert_same(world / "alone", policy)


def test_an_error_of_the_lead_or_of_all_is_told_once(world):
    """Without a launcher that ends the other rank: the lead's code is every rank's."""
    policy = world / "wrong"
    tiny_policy(policy)
    record = json.loads((world / "rewarded.jsonl").read_bytes().splitlines()[0])
    unlike = record["generation"] | {"group": 1, "sampling": {"temperature": 0.2}}
    args = ["--policy", policy]
    for name, bad, more in (
        ("null", record | {"reward": None}, []),
        ("unlike", record | {"generation": unlike}, ["--batch", "1"]),  # found by every rank
    ):
        (world / f"{name}.jsonl").write_bytes(jsonl([bad]))
        file = world / f"{name}.jsonl"
        codes, said = ranks("train-step", *TRAIN.split(), file, *args, *more)
        assert codes[0] == codes[1] != 0, said
        assert said.count("swr1 train-step: error:") == 1, said
    assert not (policy / "versions/000001").exists()


@pytest.mark.slow
def test_an_error_of_the_lead_ends_every_rank_and_is_told_once(world):
    policy = world / "broken"
    tiny_policy(policy)
    line = (world / "rewarded.jsonl").read_bytes().splitlines()[0]
    record = json.loads(line)
    record["reward"] = None
    wrong = json.loads(line)  # found by every rank: the log-probabilities are not the policy's
    wrong["generation"].update(group=1, sampling={"temperature": 0.2})
    args = ["train-step", *TRAIN.split(), "--policy", policy]
    for bad, more in (([record], []), ([wrong], ["--batch", "1"])):
        code, said = launch(TORCHRUN, *args, *more, stdin=jsonl(bad))
        assert code != 0
        assert said.count("swr1 train-step: error:") == 1, said
    assert not (policy / "versions/000001").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_stopped_and_continued_by_another_number_of_ranks(world, kind):
    policy = world / f"stopped-{kind}"
    tiny_policy(policy)
    args = ["train-step", *TRAIN.split(), world / "rewarded.jsonl", "--policy", policy]
    code, said = launch(TORCHRUN, *args, "--parallel", kind, "--steps", "2")
    assert code == 0, said
    run_swr1(*args, check=True)
    assert_same(world / "alone", policy)
    again = world / f"again-{kind}"
    tiny_policy(again)
    args[-1] = again
    run_swr1(*args, "--steps", "1", check=True)
    code, said = launch(TORCHRUN, *args, "--parallel", kind)
    assert code == 0, said
    assert_same(world / "alone", again)


@pytest.mark.slow
def test_two_nodes(world):
    policy = world / "nodes"
    tiny_policy(policy)
    torchrun = [BIN / "torchrun", "--nnodes", "2", "--nproc-per-node", "1"]
    torchrun += ["--master-addr", "127.0.0.1", "--master-port", "29533"]
    args = ["-m", "swr1", "train-step", *TRAIN.split(), world / "rewarded.jsonl"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    nodes = [
        subprocess.Popen(
            [*map(str, torchrun), "--node-rank", str(n), *map(str, args), "--policy", str(policy)],
            env=env,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(2)
    ]
    ends = [(node.communicate(timeout=200)[1], node.returncode) for node in nodes]
    assert [code for _, code in ends] == [0, 0], ends
    assert_same(world / "alone", policy)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_accelerate_launch(world, kind):
    policy = world / f"accelerate-{kind}"
    tiny_policy(policy)
    how = "--cpu" if kind == "ddp" else "--use_fsdp --fsdp_version 2"
    ports = "--num_processes 2 --num_machines 1 --main_process_port 29534"
    options = f"launch {ports} --mixed_precision no --dynamo_backend no {how}"
    launcher = [BIN / "accelerate", *options.split()]
    args = ["-m", "swr1", "train-step", *TRAIN.split(), world / "rewarded.jsonl"]
    code, said = launch(launcher, *args, "--policy", policy)
    assert code == 0, said
    assert_same(world / "alone", policy)


def test_ranks_share_every_micro_batch_once():
    from swr1.training.parallel import ProcessGroup

    cuts = list("abcde")
    shared = [list(ProcessGroup(rank, 3).share(cuts)) for rank in range(3)]
    assert sorted(cut for part in shared for cut, _ in part) == cuts
    cut_up = [list(ProcessGroup(rank, 3, sharded=True).share(cuts)) for rank in range(3)]
    assert {len(part) for part in cut_up} == {2}  # as many forward passes on every rank
    assert sorted(cut for part in cut_up for cut, counts in part if counts) == cuts
    assert torch.equal(torch.tensor(ProcessGroup().total([1.0, 2.0])), torch.tensor([1.0, 2.0]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
@pytest.mark.parametrize("mode", ["sft", "dpo"])
def test_the_modes_around_rl_on_two_ranks(world, mode, kind):
    options = (
        f"{mode} --batch 4 --steps 3 --lr 1e-3 --micro-tokens 40 --device cpu --publish-every 1"
    )
    args = ["train-step", *options.split(), world / "rewarded.jsonl", "--policy"]
    one, two = world / f"{mode}-{kind}-one", world / f"{mode}-{kind}-two"
    for policy in (one, two):
        tiny_policy(policy)
    run_swr1(*args, one, check=True)
    code, said = launch(TORCHRUN, *args, two, "--parallel", kind)
    assert code == 0, said
    assert_same(one, two)
