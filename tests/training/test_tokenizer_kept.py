"""A Qwen2 folder with a word-level tokenizer: what trains it reads and publishes that tokenizer."""

import shutil

import pytest
from tiny_runs import noisy_reward, sample_records

from swr1.models import load_tokenizer
from swr1.policy import Policy
from swr1.training.config import DPOConfig, RLConfig, SFTConfig
from swr1.training.preference import train_dpo
from swr1.training.rl import train_rl
from swr1.training.sft import train_sft
from tests.engines.tiny_policy import save_policy

TEXT = "zoey is a knight and oliver is a knave"


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """The policy, which transformers' AutoTokenizer would open with Qwen's own pre-tokenizer."""
    home = tmp_path_factory.mktemp("qwen2")
    folder = save_policy(home / "model", 0)
    policy = Policy(home / "p")
    policy.publish(lambda f: shutil.copytree(folder, f, dirs_exist_ok=True), {})
    return policy


def read(policy: Policy, version: int) -> list[int]:
    return load_tokenizer(policy.folder(version))(TEXT)["input_ids"]


@pytest.mark.parametrize("mode", ["rl", "sft", "dpo"])
def test_a_published_version_reads_the_same_ids(tmp_path, start, mode):
    policy = Policy(shutil.copytree(start.path, tmp_path / "p", symlinks=True))
    before = read(policy, 0)
    assert len(set(before)) == 7  # of nine words: it is read word by word
    records = sample_records(policy, 2, 4, noisy_reward)
    if mode == "rl":
        config = RLConfig(objective="dr-grpo", batch=1, lr=1e-2, steps=1)
        train_rl(records, policy, config, log=lambda _: None)
    elif mode == "sft":
        train_sft(records, policy, SFTConfig(batch=2, steps=1, max_unknown=1), log=lambda _: None)
    else:
        train_dpo(records, policy, DPOConfig(batch=1, steps=1, max_unknown=1), log=lambda _: None)
    assert policy.latest() == 1 and read(policy, 1) == before
    stored = [(policy.folder(v) / "tokenizer.json").read_text() for v in (0, 1)]
    assert ("WhitespaceSplit" in stored[0]) == ("WhitespaceSplit" in stored[1])
