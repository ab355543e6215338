"""The options of training: declared once, as fields; the Python interface of the same names."""

import dataclasses
import inspect
import subprocess
import sys

import pytest
from tiny_runs import noisy_reward, sample_records, tiny_policy

from swr1.commands.train_step import OPTIONS, command
from swr1.errors import UsageError
from swr1.objectives.presets import Objective, get_preset
from swr1.options import KEY, options_of
from swr1.pictures.config import PictureOptions
from swr1.policy import Policy
from swr1.prompts import Prompt, as_facts
from swr1.training.config import GuardConfig, RLConfig, SFTConfig, TrainConfig
from swr1.training.modes import MODES
from swr1.training.rl import train_rl

OF_THE_COMMAND = {"objective", "policy", "files", "threads", "allow_fewer_steps", "list"}
COMMON = {"on_error", "trust_remote_code", "quiet", "metrics", "dry_run", "config", "ctx"}
COMMON |= options_of(PictureOptions).keys()


def test_every_option_of_train_step_is_a_field():
    declared = options_of(RLConfig, Objective, *(mode.config for mode in MODES.values()))
    shown = inspect.signature(command).parameters.keys()
    assert shown - OF_THE_COMMAND - COMMON == declared.keys()
    assert OPTIONS.classes[:2] == (RLConfig, Objective)
    assert all(f.metadata[KEY].help for f in declared.values())


def test_what_the_config_of_a_mode_overrides_keeps_its_names():
    """A field that several configs declare has one set of flags and one panel in all of them."""
    for mode in MODES.values():
        for name, f in options_of(mode.config).items():
            for other in (RLConfig, TrainConfig):
                if twin := options_of(other).get(name):
                    for what in ("names", "panel", "kind", "aliases"):
                        assert getattr(f.metadata[KEY], what) == getattr(twin.metadata[KEY], what)


def test_rl_from_python(tmp_path):
    policy = tiny_policy(tmp_path / "p")
    records = sample_records(policy, 4, 4, noisy_reward)
    rows: list[dict] = []
    config = RLConfig(objective=get_preset("grpo", kl=0.0), batch=2, lr=1e-2)
    summary = train_rl(records, policy, config, log=lambda _: None, on_step=rows.append)
    assert summary["steps"] == policy.latest() == len(rows) == 2
    assert rows[0]["lr"] == 1e-2 and rows[0]["samples"] == 8


def test_a_preset_may_be_named_and_numbers_are_checked():
    config = RLConfig(objective="dapo")
    assert config.resolved_objective == get_preset("dapo") and config.filter_on == "reward"
    assert RLConfig(drop_zero_variance=True).filter_on == "reward"
    for wrong in (
        {"objective": "grpoo"},
        {"batch": 0},
        {"epochs": 1.5},
        {"importance": "both"},
        {"importance_floor": 3.0},
        {"remainder": "keep"},
        {"on_nan": "go"},
        {"quantize": "nf4"},
        {"dynamic_sampling": 1},
    ):
        with pytest.raises(UsageError):
            RLConfig(**wrong)


def test_clip_sets_both_clips_that_are_not_given():
    both = get_preset("grpo", clip=0.3)
    assert (both.clip_low, both.clip_high) == (0.3, 0.3)
    one = get_preset("grpo", clip=0.3, clip_high=0.4)
    assert (one.clip_low, one.clip_high) == (0.3, 0.4)


def test_what_a_resumed_run_may_change():
    changeable = RLConfig().changeable()
    assert {"lr", "batch", "epochs", "seed", "drop_zero_variance", "dtype"} <= changeable.keys()
    assert not {"optimizer", "lora_r", "device", "micro_tokens", "keep"} & changeable.keys()
    assert "batch" not in SFTConfig().changeable()  # it shapes the order of its data


def test_a_prompt_as_named_as_given_and_as_sampled(tmp_path):
    policy = Policy(tmp_path)
    policy.publish(lambda folder: None, {})

    def rendering(**options):
        prompts, as_sampled = SFTConfig(**options).rendering(policy)
        return prompts.of({"task": "knights"}), as_sampled

    prompt, as_sampled = rendering()
    assert (prompt.name, as_sampled) == ("logic-rl", True)
    prompt, as_sampled = rendering(system_prompt="none")
    assert (prompt.system, as_sampled) == (None, False)
    mine = Prompt("mine", "Be brief.")
    assert rendering(system_prompt=mine, as_sampled=True) == (mine, True)
    prompt, as_sampled = rendering(template=("enable_thinking=false",))
    assert prompt.arguments == {"enable_thinking": False} and not as_sampled
    policy.publish(lambda folder: None, {"system_prompt": as_facts(mine)})
    assert rendering() == (mine, True)


def test_a_guard_needs_labels_and_sources():
    assert GuardConfig(sources="info.from", calibrate_on="a, b").calibration == ["a", "b"]
    for wrong in ({"labels": ("a",)}, {"labels": ("a", "a")}, {"calibrate_on": "a"}):
        with pytest.raises(UsageError):
            GuardConfig(**wrong)
    assert GuardConfig(held_out="file.jsonl").held_out_share is None
    with pytest.raises(UsageError, match="held-out is a share"):
        GuardConfig(held_out=1.5).held_out_share  # noqa: B018


def test_help_of_train_step_loads_no_torch():
    script = (
        "import sys; import swr1.commands.train_step;"
        "assert not {'torch', 'transformers', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_configs_are_dataclasses_of_keywords():
    for one in (TrainConfig, RLConfig, *(mode.config for mode in MODES.values())):
        assert all(f.kw_only for f in dataclasses.fields(one))
