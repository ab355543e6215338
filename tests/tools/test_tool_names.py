"""How tools are named: for a rollout and for a policy that is to call them."""

import pytest

from swr1.errors import UsageError
from swr1.tools.running import targets_of
from swr1.training.init import DecoderConfig


def test_a_tool_that_nobody_knows_is_refused(swr1, tmp_path):
    made = swr1("init-policy", "kk", "p.jsonl", "--tools", "serch", cwd=tmp_path)
    assert made.returncode == 2 and "Did you mean 'search'" in made.stderr
    for tools, why in (("search", None), ("./mine.py:search,search", "the same name")):
        if why:
            with pytest.raises(UsageError, match=why):
                targets_of(tools)
        else:
            assert targets_of(tools) == ["search"]


def test_a_tool_of_ones_own_is_called_by_its_functions_name():
    tags = DecoderConfig(tools="search, ./mine.py:weather").tags
    assert "<weather>" in tags and "<search>" in tags and not any("mine" in t for t in tags)
