"""Policies made once for all tests of the engines."""

import pytest
import torch

from tests.engines.tiny_policy import make_tokenizer, save_policy


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer():
    return make_tokenizer()


@pytest.fixture(scope="session")
def policy(tmp_path_factory):
    return save_policy(tmp_path_factory.mktemp("policy"), seed=0)


@pytest.fixture(scope="session")
def other_policy(tmp_path_factory):
    return save_policy(tmp_path_factory.mktemp("other"), seed=1)


@pytest.fixture(scope="session")
def engine(policy):
    from swr1.engines.hf import HFEngine

    return HFEngine(policy)
