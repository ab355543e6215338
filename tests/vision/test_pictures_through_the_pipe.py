"""Pictures through the real command line: init-policy --vision, sft, rollout, reward, an RL step."""

import json

import numpy as np
import pytest
from eyes import QUESTION, ask, part
from PIL import Image

from swr1.engines import open_engine
from swr1.errors import DataError
from swr1.prompts import Prompt
from tests.conftest import jsonl, load, run_swr1

WORDS = ("red", "blue", "green")


def items(folder):
    """Pictures in one colour, in files, asked for their colour; and a question of words alone."""
    (folder / "photos").mkdir()
    rows = []
    for i, colour in enumerate(((200, 0, 0), (0, 0, 200), (0, 200, 0))):
        image = Image.fromarray(np.full((48, 48 + 16 * i, 3), colour, dtype=np.uint8))
        image.save(folder / "photos" / f"{i}.png")
        shown = {"type": "image", "path": f"photos/{i}.png"}
        rows.append({"id": f"p{i}", "task": "look", "prompt": ask("what colour is it ?", shown)})
        rows[-1] |= {"answer": WORDS[i], "completion": WORDS[i]}
    words = [{"role": "user", "content": "what colour is it ?"}]
    rows.append({"id": "t", "task": "look", "prompt": words, "answer": "red", "completion": "red"})
    (folder / "items.jsonl").write_bytes(jsonl(rows))


def run(folder, line):
    return run_swr1(*line.split(), cwd=folder)


def test_from_a_new_policy_to_a_trained_one(tmp_path):
    items(tmp_path)
    sizes = "--hidden 32 --layers 1 --context 128"
    said = run(tmp_path, f"init-policy runs/eyes items.jsonl --vision {sizes}")
    assert said.returncode == 0, said.stderr
    folder = tmp_path / "runs/eyes/latest"
    assert json.loads((folder / "config.json").read_text())["model_type"] == "qwen2_5_vl"
    assert json.loads((folder / "preprocessor_config.json").read_text())["patch_size"] == 8
    common = "--policy runs/eyes --device cpu"
    sft = run(tmp_path, f"train-step sft items.jsonl {common} --steps 60 --lr 5e-3 --batch 4")
    assert sft.returncode == 0, sft.stderr
    options = "--samples 2 --max-tokens 4 --temperature 0.5"
    made = run(tmp_path, f"rollout items.jsonl {common} {options} -o out.jsonl")
    assert made.returncode == 0, made.stderr
    out = load(tmp_path / "out.jsonl")
    assert [r["completion"].strip() for r in out] == [r["answer"] for r in out]
    pictures = [r["generation"].get("pictures") for r in out[::2]]
    assert [p and (p[0]["tokens"], p[0]["size"]) for p in pictures] == [
        (9, [48, 48]),
        (12, [48, 64]),
        (15, [48, 80]),
        None,
    ]
    scored = [r | {"reward": float(r["sample"])} for r in out]
    (tmp_path / "scored.jsonl").write_bytes(jsonl(scored))
    step = f"train-step grpo scored.jsonl {common} --batch 4 --steps 61 --lr 1e-4"
    done = run(tmp_path, f"{step} --freeze-vision --allow-fewer-steps")
    assert done.returncode == 0, done.stderr
    assert "mean 1.0000 (min 1.0000, max 1.0000)" in done.stderr
    (tmp_path / "photos" / "1.png").write_bytes((tmp_path / "photos" / "0.png").read_bytes())
    bad = run(tmp_path, f"{step} --freeze-vision --no-resume")
    assert bad.returncode == 65
    assert "record 'p1', sample 0: " in bad.stderr
    assert len(bad.stderr.strip().splitlines()) < 8
    assert "Traceback" not in bad.stderr


def test_a_server_gets_the_picture_and_no_address(tmp_path):
    engine = open_engine("openai", "tiny", url=["http://127.0.0.1:9/v1"], send="messages")
    shown = part(1)
    asked = engine.request(("a", 0, 0), ask(QUESTION, shown), Prompt("none"))
    (sent, text) = asked.content[0]["content"]
    assert sent == {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{shown['base64']}"},
    }
    assert text == {"type": "text", "text": QUESTION}
    assert asked.facts["pictures"] == [{"digest": shown["digest"]}]
    for address in ("http://127.0.0.1/x.png", "file:///etc/passwd"):
        other = {"type": "image_url", "image_url": {"url": address}}
        with pytest.raises(DataError, match="the address of a picture is not passed on"):
            engine.request(("a", 0, 0), [{"role": "user", "content": [other]}], Prompt("none"))
        elsewhere = ask(QUESTION, {"type": "image", "url": address})
        with pytest.raises(DataError, match="a picture cannot be used"):
            engine.request(("a", 0, 0), elsewhere, Prompt("none"))
