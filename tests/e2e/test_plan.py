"""`swr1 plan` from the command line: the page, the numbers, the complaints."""

import json
import subprocess
import sys

import pytest
from rich.console import Console

from swr1.commands import main
from swr1.planning.config import PlanConfig
from swr1.planning.page import duration, page
from swr1.planning.plan import make_plan
from tests.conftest import jsonl, run_swr1

SEVEN = (
    "--model 7B --batch 16 --samples 4 --length-mean 300 --length-p95 700 --steps 50 --max-lag 1"
    " --rollout-gpus 2 --train-gpus 2 --micro-tokens 2048 --checkpoint-every 50 --fsdp --gradient-checkpointing"
).split()


def numbers(*args, **more):
    return json.loads(run_swr1("plan", *args, "--json", check=True, **more).stdout)


def test_a_page_of_80_columns():
    plan = numbers(*SEVEN, "--price", "2.5")
    console = Console(width=80, record=True, file=open("/dev/null", "w"))
    console.print(page(plan))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    for said in ("GPU hours", "price", "lag", "idle", "--max-lag 0", "cache", "assumed", "given"):
        assert said in text
    done = run_swr1("plan", *SEVEN, check=True)
    assert "50 steps of 16 prompts x 4 samples, K=1" in done.stdout
    assert [duration(s) for s in (1, 600, 9000, 400_000)] == ["1 s", "10 min", "2.5 h", "4.63 d"]


def test_numbers_hang_together():
    plan = numbers(*SEVEN)
    time, run = plan["time"], plan["run"]
    assert time["gpu_hours"] == time["seconds"] * 4 / 3600
    assert run["completions"] == 50 * 16 * 4
    assert plan["sides"]["lag_max"] <= 1
    parts = dict(plan["memory"]["training"])
    assert parts.pop("total") == sum(parts.values())
    assert {fact["source"] for fact in plan["facts"]} == {"given", "assumed", "default"}
    knobs = {row["knob"]: row["ratio"] for row in plan["alternatives"]}
    assert knobs["--max-lag 0"] > 1 > knobs["train GPUs x 2"]
    assert numbers(*SEVEN) == plan


def test_speeds_and_lengths_that_are_given(tmp_path):
    """One engine, constant lengths, K=0: a step can be worked out by hand."""
    rows = [
        {"id": f"r{i}", "sample": 0, "generation": {"token_ids": [1] * 100, "prompt_ids": [1] * 10}}
        for i in range(8)
    ]
    (tmp_path / "old.jsonl").write_bytes(jsonl(rows))
    options = "--rollout-speed 400@4,500@8 --train-speed 1000 --batch 4 --samples 2 --steps 20"
    plan = numbers("--lengths", tmp_path / "old.jsonl", *options.split(), "--swap", 0.5)
    train = (800 + 4 * 10) / 1000
    assert abs(plan["time"]["step_seconds"] - (800 / 500 + train + 0.5)) < 1e-6
    judged = numbers(
        "--lengths", tmp_path / "old.jsonl", *options.split(), "--pipe-speed", 100, "--max-lag", 3
    )
    assert abs(judged["time"]["step_seconds"] / 8 - 1) < 0.1  # 800 tokens at 100 a second
    facts = {fact["name"]: fact for fact in plan["facts"]}
    assert facts["lengths"]["source"] == facts["prompt"]["source"] == "measured"
    assert plan["memory"] is None


def test_failures_and_stragglers():
    few = numbers(*SEVEN, "--mtbf", "1", "--restart", "60", "--seed", "3")
    assert few["time"]["failures"] > 0
    assert few["time"]["seconds"] > numbers(*SEVEN)["time"]["seconds"]
    slow = numbers(*SEVEN, "--stragglers", "1,2")
    assert slow["time"]["seconds"] > numbers(*SEVEN)["time"]["seconds"]


def test_complaints(tmp_path, monkeypatch, capsys):
    """Each says what was wrong and what to do; none is a traceback."""
    bad = tmp_path / "metrics.jsonl"
    bad.write_text('{"step": 1}\nnot json\n{"step": 2}\n')
    plain = tmp_path / "plain.jsonl"
    plain.write_bytes(jsonl([{"id": "a", "completion": "x", "sample": 0}]))
    keys = tmp_path / "plan.toml"
    keys.write_text("rolout_gpus = 4\n")
    cases = [
        ("", 2, "--rollout-speed"),
        ("--model 8B", 2, "0.5B"),
        ("--model 7B --rollout-gpus 0", 2, "--rollout-gpus"),
        ("--model 7B --gpus 1", 2, "--gpus"),
        ("--model 7B --gpus 8 --train-gpus 2", 2, "give it, or the split"),
        ("--model 7B --rollout-gpus 3 --gpus-per-replica 2", 2, "no multiple"),
        (
            "--model 72B --optimizer sgd --dtype float32 --micro-tokens 900000",
            2,
            "nor do up to 1024",
        ),
        ("--model 7B --gpu h101", 2, "Did you mean 'h100'"),
        ("--model 7B --steps 3 --prompts 9", 2, "give one of them"),
        ("--model 7B --publish-every 4", 2, "would wait without end"),
        ("--model 7B --length-mean 100 --length-p95 900", 2, "3.87"),
        ("--rollout-speed fast --train-speed 1", 2, "1200@8,5200@128"),
        ("--model 7B --stragglers some", 2, "0.02,1.5"),
        ("--model 7B --contention 1.4", 2, "1.2,1.5"),
        ("--model 7B --on-failure stop", 2, "line or node"),
        ("--model 7B --optimizer adamm", 2, "Did you mean 'adamw'"),
        (f"--config {keys}", 2, "Did you mean 'rollout_gpus'"),
        ("--model 7B --rollout-gpu 2", 2, "--rollout-gpus"),
        (f"--from-run {bad}", 65, "metrics.jsonl:2"),
        (f"--from-run {tmp_path}/none", 65, "no such folder"),
        (f"--model 7B --lengths {plain}", 65, "token_ids"),
        (f"--model 7B --lengths {tmp_path}/none.jsonl", 2, "none.jsonl"),
    ]
    for options, code, said in cases:
        monkeypatch.setattr(sys, "argv", ["swr1", "plan", *options.split()])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr().err
        assert ended.value.code == code, (options, told)
        assert said in " ".join(told.split()), (options, told)
    done = run_swr1("plan", "--from-run", bad)
    assert done.returncode == 65
    assert done.stderr.startswith("swr1 plan: error: ") and done.stderr.count("\n") == 1


def planned(**options):
    """In this process, a few steps long."""
    return make_plan(PlanConfig(**{"model": "7B", "steps": 12, **options}))


def text_of(plan):
    console = Console(width=200, record=True, file=open("/dev/null", "w"))
    console.print(page(plan))
    return console.export_text()


def test_what_does_not_fit_is_the_first_line_with_one_that_does():
    done = run_swr1(*"plan --model 7B --rollout-gpus 4 --train-gpus 4 --steps 12".split())
    first, second, third = done.stdout.splitlines()[:3]
    assert done.returncode == 1
    assert first.startswith("does not fit: training takes 204 GiB")
    options = "--rollout-gpus 4 --train-gpus 4 --fsdp --gradient-checkpointing"
    assert options in second and third.startswith("rests on what you did not say")
    fits = planned(rollout_gpus=4, train_gpus=4, fsdp=True, gradient_checkpointing=True)
    assert fits["fits"] and text_of(fits).startswith("fits 8 GPUs: " + options)


def test_an_engine_that_does_not_fit_and_too_few_gpus():
    engine = planned(
        model="72B", rollout_gpus=8, train_gpus=64, fsdp=True, gradient_checkpointing=True
    )
    assert not engine["fits"] and "no room for a sequence on 1 GPU" in engine["misfit"]
    assert engine["run"]["gpus_per_replica"] > 1
    few = planned(gpus=2)
    assert not few["fits"] and few["run"]["gpus"] == 3


def test_all_splits_of_some_gpus_and_the_fastest_of_them():
    plan = planned(gpus=8, max_lag=1)
    rows = plan["splits"]
    assert {row["rollout_gpus"] + row["train_gpus"] for row in rows} == {8}
    assert {row["gpus_per_replica"] for row in rows} >= {1, 2, 4}
    assert rows[0]["options"] == plan["shown"]
    known = [row["step_seconds"] for row in rows if row["simulated"]]
    assert known == sorted(known)
    keys = ("rollout_gpus", "train_gpus", "gpus_per_replica", "fsdp", "gradient_checkpointing")
    alone = planned(max_lag=1, **{key: rows[2][key] for key in keys})
    assert alone["time"]["seconds"] > plan["time"]["seconds"]
    fixed = planned(gpus=8, gpus_per_replica=2)
    assert {row["gpus_per_replica"] for row in fixed["splits"]} == {2}


def test_every_knob_that_is_complained_of_is_turned():
    for lag in (0, 1):
        plan = planned(max_lag=lag, checkpoint_every=1)
        rows, text = {row["knob"]: row["ratio"] for row in plan["alternatives"]}, text_of(plan)
        for knob in ("--max-lag", "--checkpoint-every", "--publish-every", "--max-tokens"):
            assert any(name.startswith(knob) for name in rows), (lag, knob)
            assert knob in text
        assert rows["--checkpoint-every 50"] < 0.6


def test_what_was_not_given_is_called_so():
    plan = planned()
    facts = {f["name"]: f["source"] for f in plan["facts"]}
    assert facts["optimizer"] == facts["GPU"] == facts["micro-tokens"] == "default"
    assert facts["mean length"] == "assumed"
    assert "8 GPUs, a node (--gpus" in text_of(plan)
    given = planned(optimizer="adamw", length_mean=700, length_p95=1500, gpu="h100")
    facts = {f["name"]: f["source"] for f in given["facts"]}
    assert facts["optimizer"] == facts["GPU"] == facts["mean length"] == "given"
    top = text_of(given).split("run  ")[0]
    assert "lengths" not in top and "data sheet" in top


def test_it_runs_where_torch_is_not():
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['transformers'] = None\n"
        "from swr1.commands import main; sys.argv = ['swr1', 'plan', *sys.argv[1:]]; main()"
    )
    done = subprocess.run([sys.executable, "-c", code, *SEVEN], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "GPU hours" in done.stdout
