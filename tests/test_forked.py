"""The command lines of tests are forked, which takes a tenth of the time of a start."""

import os
import subprocess

from tests.conftest import run_swr1
from tests.forked import Forked, start


def test_a_model_made_in_the_tests_process_does_not_end_it(tmp_path):
    """Libraries set variables of their own, which their import in another process does not read."""
    from swr1 import DecoderConfig, init_policy

    init_policy(tmp_path / "p", DecoderConfig(hidden=16, layers=1, heads=2), corpus=["a b c"])
    with start(["--version"], stdout=subprocess.DEVNULL) as process:
        assert isinstance(process, Forked)
        assert process.wait(60) == 0


def test_another_environment_at_start_is_another_process(tmp_path):
    with start(["--version"], env=os.environ | {"HF_HOME": str(tmp_path)}, stdout=-3) as process:
        assert not isinstance(process, Forked)
        assert process.wait(60) == 0


def test_it_ends_as_a_process_does(tmp_path):
    """Its code, and all that it wrote."""
    assert run_swr1("--version", check=True).stdout.startswith("swr1 ")
    assert run_swr1("no-such").returncode == 2
