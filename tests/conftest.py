"""What all tests share: one thread per process, and the real command line as a function."""

import gc
import os
import subprocess
from pathlib import Path

import orjson
import pytest
from hypothesis import settings

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

from tests.forked import SWR1 as SWR1
from tests.forked import start

# Properties are tried without a clock: on a busy machine an example may take any time.
settings.register_profile("no-clock", deadline=None)
settings.load_profile("no-clock")

# For `reward ./varied.py:reward`: a new policy's answers are all wrong, so the rules give all its
# samples the same reward and nothing would be trained; this one differs between them.
VARIED_REWARD = """
def reward(record):
    value = len(set(record["completion"])) / 10
    return {"reward": value, "reward_parts": {"characters": {"value": value, "weight": 1.0}}}
"""


# Begun first, so that none of them is left when all other workers are done (--no-loadscope-reorder).
LONG_FILES = (
    *("training/test_resume.py", "training/test_parallel.py", "e2e/test_kill.py"),
    *("engines/test_conformance.py", "test_your_own.py", "test_pages.py", "e2e/test_pipe.py"),
    *("streams/test_values.py", "e2e/test_command_line.py", "test_models.py"),
)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONG_FILES))


def pytest_collection_finish():
    """What is imported stays: no collection of garbage need look at it again."""
    gc.collect()
    gc.freeze()


def run_swr1(*args, stdin: bytes | str = b"", cwd=None, env=None, check=False):
    """Run `swr1 ARGS`; stdout and stderr come back as text."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    line = [*map(str, args)]
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with start(line, cwd=cwd, env={**os.environ, **(env or {})}, **streams) as process:
        try:
            out, err = process.communicate(data, timeout=300)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(line, process.returncode, out.decode(), err.decode())
    if check:
        assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public research data beside the checkout; without it the test is skipped."""
    beside = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("SWR1_SHARED_DATA") or beside)
    if not folder.is_dir():
        pytest.skip(f"no shared data in {folder}: SWR1_SHARED_DATA names the folder")
    return folder


@pytest.fixture(name="swr1")
def swr1_fixture():
    return run_swr1


def jsonl(records) -> bytes:
    return b"".join(orjson.dumps(r, option=orjson.OPT_APPEND_NEWLINE) for r in records)


def load(path) -> list[dict]:
    return [orjson.loads(line) for line in Path(path).read_bytes().splitlines()]
