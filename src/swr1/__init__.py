"""swr1: reinforcement learning from verifiers, as stages that read and write records.

The names below are the Python interface; examples/rl_loop.py puts them together. Importing this
package imports nothing heavy: each name is imported when it is used.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if (
    TYPE_CHECKING
):  # for editors and type checkers; _NAMES_BY_MODULE says the same when the program runs
    from swr1.api import advantages as advantages
    from swr1.api import load_policy as load_policy
    from swr1.api import make_puzzles as make_puzzles
    from swr1.api import open_verifiers as open_verifiers
    from swr1.api import policy_loss as policy_loss
    from swr1.api import read_records as read_records
    from swr1.api import save_version as save_version
    from swr1.api import write_records as write_records
    from swr1.engines import Sampling as Sampling
    from swr1.engines import open_engine as open_engine
    from swr1.index import Index as Index
    from swr1.index import IndexConfig as IndexConfig
    from swr1.index import Passage as Passage
    from swr1.index import build_index as build_index
    from swr1.index import open_index as open_index
    from swr1.objectives.presets import Objective as Objective
    from swr1.objectives.presets import get_preset as get_preset
    from swr1.policy import Policy as Policy
    from swr1.prompts import load_prompt as load_prompt
    from swr1.rewards import as_reward_function as as_reward_function
    from swr1.rewards import open_reward as open_reward
    from swr1.rollout import Rollout as Rollout
    from swr1.rollout import RolloutConfig as RolloutConfig
    from swr1.streams import Stage as Stage
    from swr1.training.config import DPOConfig as DPOConfig
    from swr1.training.config import RLConfig as RLConfig
    from swr1.training.config import SFTConfig as SFTConfig
    from swr1.training.init import DecoderConfig as DecoderConfig
    from swr1.training.init import init_policy as init_policy
    from swr1.training.preference import train_dpo as train_dpo
    from swr1.training.rl import train_rl as train_rl
    from swr1.training.sft import train_sft as train_sft
    from swr1.types import Message as Message
    from swr1.types import Record as Record
    from swr1.types import Verdict as Verdict

_NAMES_BY_MODULE = {
    "api": "advantages load_policy make_puzzles open_verifiers policy_loss read_records save_version"
    " write_records",
    "engines": "Sampling open_engine",
    "index": "Index IndexConfig Passage build_index open_index",
    "objectives.presets": "Objective get_preset",
    "policy": "Policy",
    "prompts": "load_prompt",
    "rewards": "as_reward_function open_reward",
    "training.config": "DPOConfig RLConfig SFTConfig",
    "rollout": "Rollout RolloutConfig",
    "streams": "Stage",
    "training.init": "DecoderConfig init_policy",
    "training.preference": "train_dpo",
    "training.rl": "train_rl",
    "training.sft": "train_sft",
    "types": "Message Record Verdict",
}
_MODULES = {
    name: f"swr1.{module}" for module, names in _NAMES_BY_MODULE.items() for name in names.split()
}

__all__ = [*_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'swr1' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
