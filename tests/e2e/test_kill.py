"""Every stage killed with -9 at random moments and run again gives what an unbroken run gives."""

import random
import signal
import subprocess
import time

import pytest

from tests.conftest import VARIED_REWARD, jsonl, load, run_swr1
from tests.forked import start


def run_with_kills(args, cwd, part, seconds, rng, source=None, kills=3):
    """Start the command and kill it at a random moment of its work, `kills` times; then finish.

    Its work has begun when `part` has grown. Of `source`, its standard input, it gets a part each time,
    so that it cannot have ended. Returns how many of the kills hit a running process.
    """
    hits = 0
    for number in range(kills):
        had = part.stat().st_size if part.exists() else 0
        stdin = subprocess.PIPE if source else None
        process = start(args, cwd=cwd, stdin=stdin, stderr=subprocess.DEVNULL, bufsize=0)
        if source:
            data = source.read_bytes()
            most = int(len(data) * (number + rng.uniform(0.2, 1)) / (kills + 1))
            written = 0
            while written < most:
                written += process.stdin.write(data[written : min(most, written + 65536)])
        while process.poll() is None and not (part.exists() and part.stat().st_size > had):
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.3) * seconds)
        process.send_signal(signal.SIGKILL)
        hits += process.wait() == -signal.SIGKILL
        if source:
            process.stdin.close()
    assert hits == kills or not source
    run_swr1(*args, cwd=cwd, stdin=source.read_bytes() if source else b"", check=True)
    return hits


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder with many judged records."""
    folder = tmp_path_factory.mktemp("many")
    line = "gen-puzzles -n 5000 --people 3-5 --trace search -o puzzles.jsonl"
    run_swr1(*line.split(), cwd=folder, check=True)
    records = load(folder / "puzzles.jsonl")
    for record in records:
        record["completion"] = record["info"].pop("trace")
        knights = {"score": 0.0, "label": "wrong"}
        record["verdicts"] = {"format": {"score": 1.0}, "knights": knights}
    (folder / "many.jsonl").write_bytes(jsonl(records))
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Puzzles, a small policy, its rollouts, judged and rewarded, all from unbroken runs."""
    folder = tmp_path_factory.mktemp("world")

    def swr1(line):
        return run_swr1(*line.split(), cwd=folder, check=True)

    swr1(
        "gen-puzzles -n 128 --people 3 --wording terse --names few --trace search -o puzzles.jsonl"
    )
    swr1("init-policy p0 puzzles.jsonl --hidden 32 --layers 2 --heads 2")
    swr1("gen-puzzles -n 40 --people 3 --wording terse --names few -o prompts.jsonl")
    swr1(
        "rollout prompts.jsonl --policy p0 --samples 4 --max-tokens 60 --batch 4 --threads 1"
        " --system-prompt logic-rl-terse -o rollouts.jsonl"
    )
    swr1("verify format knights rollouts.jsonl -o judged.jsonl")
    (folder / "varied.py").write_text(VARIED_REWARD)
    swr1("reward ./varied.py:reward judged.jsonl -o rewarded.jsonl")
    return folder


LIGHT = {
    "gen-puzzles": "gen-puzzles -n 6000 --people 3-7 -o {out}",
    "verify": "verify format knights - -o {out}",
    "reward": "reward logic-rl - -o {out}",
    "merge": "merge - -o {out}",
}


@pytest.mark.parametrize(
    ("stage", "suffix"), [*((stage, "jsonl") for stage in LIGHT), ("verify", "parquet")]
)
def test_light_stages(many, stage, suffix):
    source = many / "many.jsonl" if " - " in LIGHT[stage] else None
    args = LIGHT[stage].format(out=f"unbroken-{stage}.{suffix}").split()
    began = time.monotonic()
    run_swr1(*args, cwd=many, stdin=source.read_bytes() if source else b"", check=True)
    seconds = time.monotonic() - began
    args = LIGHT[stage].format(out=f"killed-{stage}.{suffix}").split()
    rng = random.Random(f"{stage}{suffix}")
    part = many / f"killed-{stage}.{suffix}.part"
    assert run_with_kills(args, many, part, seconds, rng, source)
    unbroken = (many / f"unbroken-{stage}.{suffix}").read_bytes()
    assert (many / f"killed-{stage}.{suffix}").read_bytes() == unbroken
    assert not list(many.glob("killed*.part*"))


def test_rollout(world):
    line = (
        "rollout prompts.jsonl --policy p0 --samples 4 --max-tokens 60 --batch 4 --threads 1"
        " --system-prompt logic-rl-terse -o killed.jsonl"
    )
    # Start-up is most of so short a run: kill when the first records are on disk.
    hits = 0
    for _ in range(2):
        process = start(line.split(), cwd=world, stderr=subprocess.DEVNULL)
        had = lines(world / "killed.jsonl.part")
        while process.poll() is None and lines(world / "killed.jsonl.part") <= had:
            time.sleep(0.01)
        process.kill()
        hits += process.wait() == -signal.SIGKILL
    assert hits
    run_swr1(*line.split(), cwd=world, check=True)
    assert (world / "killed.jsonl").read_bytes() == (world / "rollouts.jsonl").read_bytes()


def lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize(
    ("objective", "source", "options"),
    [
        pytest.param(
            *("grpo", "rewarded.jsonl", "--batch 4 --lr 1e-3 --kl 0.01"), marks=pytest.mark.slow
        ),
        pytest.param(
            *("reinforce++", "rewarded.jsonl", "--batch 4 --lr 1e-3 --optimizer muon"),
            marks=pytest.mark.slow,  # training/test_resume.py kills an RL step in the fast tests
        ),
        (
            "sft",
            "puzzles.jsonl",
            "--batch 4 --steps 24 --checkpoint-every 3 --publish-every 8"
            " --system-prompt logic-rl-terse",
        ),
    ],
)
def test_train_step(world, objective, source, options):
    line = f"train-step {objective} {source} {options} --threads 1"
    for name in ("unbroken", "killed"):
        run_swr1(*f"init-policy {objective}-{name} --from p0".split(), cwd=world, check=True)
    run_swr1(*f"{line} --policy {objective}-unbroken".split(), cwd=world, check=True)
    killed, unbroken = world / f"{objective}-killed", world / f"{objective}-unbroken"
    hits = 0
    for _ in range(3):
        had = lines(killed / "metrics.jsonl")
        process = start(
            [*line.split(), "--policy", killed.name], cwd=world, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and lines(killed / "metrics.jsonl") <= had:
            time.sleep(0.005)
        time.sleep(random.Random(f"{objective}{had}").uniform(0, 0.1))
        process.kill()
        hits += process.wait() == -signal.SIGKILL
    assert hits
    run_swr1(*f"{line} --policy {killed.name}".split(), cwd=world, check=True)
    weights = [(p / "latest" / "model.safetensors").read_bytes() for p in (killed, unbroken)]
    assert weights[0] == weights[1]
    steps = [[row["step"] for row in load(p / "metrics.jsonl")] for p in (killed, unbroken)]
    assert steps[0] == steps[1] == list(range(1, len(steps[1]) + 1))
    assert all(row["grad_norm"] > 0 for row in load(unbroken / "metrics.jsonl"))
    rewards = [
        [(row.get("reward_mean"), row.get("loss")) for row in load(p / "metrics.jsonl")]
        for p in (killed, unbroken)
    ]
    assert rewards[0] == rewards[1]
