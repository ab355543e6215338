"""Presets are data: each complete, each option checked, mistakes answered with a suggestion."""

import inspect
import subprocess
import sys

import pytest

from swr1.errors import UsageError
from swr1.objectives.presets import PRESETS, get_preset


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_complete_and_says_where_it_is_from(name: str):
    needed = {"gdpo": {"parts": "answer"}}.get(name, {})
    preset = get_preset(name, **needed)
    assert preset.name == name and preset.paper


def test_options_replace_defaults_and_none_keeps_them():
    preset = get_preset("grpo", kl=0.0, clip_high=0.28, gamma=None)
    assert (preset.kl, preset.clip_low, preset.clip_high, preset.gamma) == (0.0, 0.2, 0.28, 1.0)
    assert PRESETS["grpo"].kl == 0.04


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dr_grpo", {}, "'dr_grpo'.*'dr-grpo'"),
        ("grpo", {"clip_hihg": 0.3}, "'clip_hihg'.*'clip_high'"),
        ("grpo", {"aggregation": "token-meen"}, "token-mean"),
        ("grpo", {"kl_estimator": "k4"}, "kl-estimator 'k4'"),
        ("grpo", {"kl": -0.1}, "kl must be at least 0"),
        ("grpo", {"kl": float("nan")}, "kl must be at least 0"),
        ("grpo", {"kl_estimator": "k1"}, "k1 in the loss has no effect"),
        ("dapo", {"overlong": 1.5}, "overlong must be from 0 to 1"),
        ("grpo", {"lambda_init": 9.0}, "at most lambda-max"),
        ("grpo", {"combine": "lagrangian"}, "--cost PART go together"),
        ("grpo", {"cost": "harm"}, "--cost PART go together"),
        ("grpo", {"loss": "cipso"}, "Did you mean 'cispo'"),
        ("ppo", {"parts": "a,b"}, "values of one reward"),
        ("gdpo", {}, "needs the parts"),
        ("gdpo", {"parts": "a=x"}, "name=weight"),
        ("gdpo", {"parts": "a", "kl": 0.1, "kl_in": "reward"}, "no one reward for a KL"),
    ],
)
def test_mistakes_are_usage_errors(name: str, options: dict, message: str):
    with pytest.raises(UsageError, match=message):
        get_preset(name, **options)


def test_listing_presets_does_not_import_torch():
    script = (
        "import sys; from swr1.objectives.presets import PRESETS; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_every_field_is_an_option_and_every_keyword_of_a_formula_is_a_field():
    from swr1.commands.train_step import command
    from swr1.objectives.advantages import ADVANTAGES
    from swr1.objectives.losses import LOSSES
    from swr1.objectives.presets import Objective
    from swr1.options import options_of

    options = inspect.signature(command).parameters
    assert set(options_of(Objective)) <= options.keys()
    for function in (*ADVANTAGES.values(), *LOSSES.values()):
        keywords = {
            p.name
            for p in inspect.signature(function).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        }
        assert keywords <= set(options_of(Objective)), function


def test_a_mistyped_option_is_answered_with_the_right_one(swr1):
    done = swr1("train-step", "grpo", "--policy", "nowhere", "--kl-estimater", "k2")
    assert done.returncode == 2 and "--kl-estimator" in done.stderr


def test_the_list_names_every_objective_with_its_paper(swr1):
    text = swr1("train-step", "--list", env={"COLUMNS": "200"}).stdout
    for preset in PRESETS.values():
        assert f" {preset.name} " in text and preset.paper[:20] in text
