"""vLLM itself with pictures: what it records is what a direct call says, for every architecture.

Skipped where vLLM is not installed: `make vllm-test` makes a place where it is. An engine takes half a
minute to start on a CPU, so the tests of an architecture share one.
"""

import numpy as np
import pytest
import torch
from eyes import ARCHITECTURES, QUESTION, SIZES, ask, part, plain, plain_logprobs, policy, prompts
from safetensors.torch import load_file, save_file

from swr1.engines import Sampling, open_engine
from swr1.errors import DataError, SwrError
from swr1.models import load_tokenizer, load_vision
from swr1.prompts import Prompt
from swr1.training.packing import Example

pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-test")
pytestmark = pytest.mark.vllm

HIDDEN = 128  # heads of 32, which vLLM's attention on a CPU can do
DRAW = Sampling(max_tokens=8, seed=3)
NONE = Prompt("none")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def made(request, tmp_path_factory):
    """(policy, engine) of an architecture."""
    home = policy(tmp_path_factory.mktemp("vllm") / request.param, request.param, hidden=HIDDEN)
    options = {"gpu_memory": 0.1, "vllm": ["enforce_eager=true"]}
    engine = open_engine("vllm", str(home.folder()), **options)
    yield home, engine
    engine.close()


def requests(engine, samples=2):
    return [
        engine.request((name, 0, s), messages, NONE)
        for name, messages in prompts().items()
        for s in range(samples)
    ]


def worst(folder, vision, asked, done):
    """The largest difference between what was recorded and one direct call."""
    direct = plain(folder)
    far = 0.0
    for request, completion in zip(asked, done, strict=True):
        ids = vision.expand(request.prompt_ids, request.pictures)
        whole = torch.tensor(ids + completion.token_ids)
        one = Example(whole, torch.arange(len(ids), len(whole)), request.pictures)
        found = plain_logprobs(direct, vision, one).numpy()
        far = max(far, float(np.abs(found - completion.logprobs).max()))
    return far


def test_vllm_and_a_direct_call_say_the_same(made):
    """Several sizes, two pictures in a prompt, texts between them, one question of many pictures."""
    home, engine = made
    asked = requests(engine)
    done = engine.generate(asked, DRAW)
    assert engine.pictures["backend"] == "pil"
    assert worst(home.folder(), engine.vision, asked, done) < 1e-5  # its kernels are others
    first = {r.key: c.logprobs[0] for r, c in zip(asked, done, strict=True)}
    assert asked[0].prompt_ids == asked[2].prompt_ids  # the words are the same
    assert abs(first["p0", 0, 0] - first["p1", 0, 0]) > 1e-2
    again = engine.generate(asked, DRAW)  # from its caches, which know pictures by digest
    assert [c.token_ids for c in again] == [c.token_ids for c in done]


def test_new_weights_bring_a_new_vision_tower_and_no_picture_is_ever_written(
    made, tmp_path, capsys
):
    """A version whose favourite token is that of a picture, taken in place."""
    home, engine = made
    folder = tmp_path / "new"
    folder.mkdir()
    for file in home.folder().iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    state = load_file(folder / "model.safetensors")
    row = next(k for k in state if "embed_tokens" in k)  # the output layer is tied to it
    state[row][engine.vision.token] *= 30
    for name in state:
        if "vis" in name and state[name].ndim > 1:
            state[name] = state[name] * 1.5
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    before = [c.logprobs for c in engine.generate(requests(engine), DRAW)]
    engine.load(folder)
    assert "started again" not in capsys.readouterr().err
    asked = requests(engine)
    done = engine.generate(asked, DRAW)
    assert not any(engine.vision.token in c.token_ids for c in done)
    assert worst(folder, load_vision(folder, load_tokenizer(folder)), asked, done) < 1e-5
    assert max(abs(a[0] - c.logprobs[0]) for a, c in zip(before, done, strict=True)) > 1e-3
    engine.load(home.folder())


def test_what_cannot_be_seen_is_told(made, monkeypatch):
    _, engine = made
    bad = {"type": "image", "base64": "AAAA"}
    with pytest.raises(DataError, match="'x'"):
        engine.request(("x", 0, 0), ask(QUESTION, bad), NONE)
    asked = engine.request(("y", 0, 0), ask(QUESTION, part(0, SIZES[1])), NONE)
    other = engine.request(("z", 0, 0), ask(QUESTION, part(0, SIZES[4])), NONE)
    if (
        asked.length != other.length
    ):  # an image processor that makes other pictures than a trainer's
        monkeypatch.setattr(
            engine, "_pictures", lambda request: [("d", engine.vision.image(other.pictures[0]))]
        )
        with pytest.raises(SwrError, match="makes other pictures"):
            engine.generate([asked], DRAW)
