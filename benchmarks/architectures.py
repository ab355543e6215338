"""Every causal architecture of transformers, tiny and random: are its log-probabilities right here?

    python benchmarks/architectures.py                     # all, as transformers lists them
    python benchmarks/architectures.py llama mamba2 -v     # some, with what was said
    python benchmarks/architectures.py --json table.json   # for a page

Each runs in a process of its own under a time limit. Measured are, in nats, the largest differences
from a plain forward pass over each sequence alone (model(ids).logits, no cache):

- rollout: what the hf engine recorded, for uneven prompts with two samples each, 12 tokens;
- training: token_logprobs in the way that was chosen when the model was loaded;
- recomputed: the same with gradient checkpointing and every dropout and jitter of the configuration
  at 0.1;
- reload: after save_model and load_model.

An architecture is right where all that it does is below 1e-3; refused where a stage refuses it in one
line (the line is shown); wrong otherwise. Wrong must be 0.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
import torch
from _tiny_models import OVERRIDES, SIZES, VARIANTS, make

LIMIT = 1e-3
SECONDS = 240
REFUSED_CHANCES = {"diffllama": "attention_dropout"}  # the model itself raises above 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*")
    parser.add_argument("--json", type=Path)
    parser.add_argument("-v", action="store_true", help="show what was said")
    parser.add_argument("--speed", action="store_true", help="tokens per second beside generate")
    options = parser.parse_args()
    import transformers.modeling_utils

    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    if options.speed:
        for kind in options.kinds:
            print(kind, *_speed(kind), flush=True)
        return
    rows = []
    print(
        f"{'architecture':28} {'rollout':>9} {'cache':9} {'training':>9} {'way':>14} {'recomp.':>9} {'reload':>7}  verdict"
    )
    for kind in options.kinds or kinds():
        row = _run(kind)
        rows.append(row)
        print(_line(row), flush=True)
        if options.v:
            print("\n".join(f"    {x}" for x in row.get("said", [])))
    counts = {
        v: sum(r["verdict"] == v for r in rows) for v in ("right", "refused", "wrong", "not built")
    }
    print(f"{len(rows)} architectures: " + ", ".join(f"{n} {v}" for v, n in counts.items()))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(bool(counts["wrong"]))


def kinds() -> list[str]:
    """All that transformers knows as causal language models, and variants that are known to matter."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return [*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *VARIANTS]


def _line(row: dict) -> str:
    def nats(key: str) -> str:
        value = row.get(key)
        return "-" if value is None else f"{value:.1e}" if isinstance(value, float) else value

    return (
        f"{row['kind']:28} {nats('rollout'):>9} {row.get('cache', '-'):9} {nats('training'):>9}"
        f" {row.get('way', '-'):>14} {nats('recomputed'):>9} {row.get('reload', '-'):>7}"
        f"  {row['verdict']}{': ' + row['why'] if row.get('why') else ''}"
    )


def _send(kind: str, pipe) -> None:
    pipe.send(_one(kind))


def _run(kind: str) -> dict:
    begun = time.perf_counter()
    mine, its = multiprocessing.Pipe(duplex=False)
    # A copy of this process: transformers is imported once.
    process = multiprocessing.get_context("fork").Process(target=_send, args=(kind, its))
    process.start()
    its.close()
    row = {"verdict": "wrong", "why": f"no end within {SECONDS} s"}
    if mine.poll(SECONDS):
        try:
            row = mine.recv()
        except EOFError:
            row = {"verdict": "wrong", "why": "its process died"}
    process.kill()
    process.join()
    return {"kind": kind, **row, "seconds": round(time.perf_counter() - begun, 1)}


def _tokenizer(size: int):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({f"w{i}": i for i in range(size)}, unk_token="w0"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="w0", eos_token="w2", unk_token="w0"
    )


def _one(kind: str) -> dict:
    """All measurements of one architecture."""
    import contextlib
    import io
    import warnings

    warnings.filterwarnings("ignore")
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    row: dict = {}
    try:
        model = make(kind)
    except Exception as error:
        return {"verdict": "not built", "why": _reason(error)}
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(said):
        model.save_pretrained(folder)
        _tokenizer(min(264, model.config.get_text_config().vocab_size)).save_pretrained(folder)
        try:
            AutoModelForCausalLM.from_pretrained(folder)
        except Exception as error:
            return {"verdict": "not built", "why": f"not loaded again: {_reason(error)}"}
        try:
            _measure(kind, Path(folder), row)
        except Exception as error:
            row |= {
                "verdict": "wrong",
                "why": _reason(error),
                "trace": traceback.format_exc()[-1500:],
            }
    row["said"] = said.getvalue().splitlines()
    return row


def _measure(kind: str, folder: Path, row: dict) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from swr1.engines import Request, Sampling, open_engine
    from swr1.errors import SwrError
    from swr1.models import load_tokenizer
    from swr1.training import engine
    from swr1.training.engine import Example, token_logprobs
    from swr1.training.logprobs import way_of

    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(1)
    sizes = [37, 11, 24, 11, 50]
    prompts = [torch.randint(3, 250, (n,), generator=generator).tolist() for n in sizes]
    refused = []
    rollouts = []
    try:
        hf = open_engine("hf", folder, device="cpu")
        row["cache"] = hf.variant.name
        requests = [Request((str(i), 0, s), p) for i, p in enumerate(prompts) for s in range(2)]
        done = hf.generate(requests, Sampling(1.0, max_tokens=12, seed=3))
        rollouts = [(r.prompt_ids, c.token_ids) for r, c in zip(requests, done, strict=True)]
        gaps = [
            (_direct(plain, p, w) - torch.from_numpy(c.logprobs.copy())).abs().max()
            for (p, w), c in zip(rollouts, done, strict=True)
        ]
        row["rollout"] = float(torch.stack(gaps).max())
    except SwrError as error:
        refused.append(f"rollout: {error}")
    if not rollouts:
        rollouts = [(p, prompts[0][:n]) for p in prompts for n in (12, 7)]
    examples = [
        Example(torch.tensor(p + w), torch.arange(len(p), len(p) + len(w))) for p, w in rollouts
    ]
    want = None
    try:
        model = engine.load_model(folder, torch.device("cpu"), torch.float32)
        way = way_of(model)
        names = ["packed" if way.packed else "alone" if way.alone else "padded"]
        row["way"] = "+".join(names + ([] if way.rebuilt else ["logits"]))
        want = torch.cat([_direct(plain, p, w) for p, w in rollouts])
        row["training"] = float((token_logprobs(model, examples)[0].detach() - want).abs().max())
        again = folder / "again"
        again.mkdir()
        engine.save_model(model, load_tokenizer(folder), again, torch.float32)
        back = engine.load_model(again, torch.device("cpu"), torch.float32)
        row["reload"] = (
            "yes"
            if float((token_logprobs(back, examples)[0] - want).detach().abs().max()) < LIMIT
            else "NO"
        )
    except SwrError as error:
        refused.append(f"train-step: {error}")
    if want is not None:
        try:
            row["recomputed"] = _recomputed(folder, examples, rollouts)
        except SwrError as error:
            row["recomputed"] = "refused"
            row["recomputing"] = str(error)
    bad = [
        k
        for k in ("rollout", "training", "recomputed")
        if isinstance(row.get(k), float) and not row[k] < LIMIT
    ]
    if bad or row.get("reload") == "NO":
        row |= {"verdict": "wrong", "why": ", ".join(bad) or "reload"}
    elif refused:
        row |= {"verdict": "refused", "why": "; ".join(refused)}
    else:
        row["verdict"] = "right"


def _direct(plain, prompt: list[int], written: list[int]) -> torch.Tensor:
    """What a plain call says of the tokens written after a prompt."""
    from swr1.probe import parameters

    no_cache = {"use_cache": False} if "use_cache" in parameters(plain) else {}
    with torch.no_grad():
        logits = plain(input_ids=torch.tensor([prompt + written]), **no_cache).logits[0]
    table = torch.log_softmax(logits.float(), -1)[len(prompt) - 1 : -1]
    return table.gather(1, torch.tensor(written)[:, None])[:, 0]


def _recomputed(folder: Path, examples: list, rollouts: list) -> float:
    """The error with gradient checkpointing, in a model whose every chance is at 0.1; its gradients
    must be finite."""
    from transformers import AutoModelForCausalLM

    from swr1.training import engine
    from swr1.training.engine import token_logprobs

    file = folder / "config.json"
    config = json.loads(file.read_text())
    words = ("drop", "jitter", "pdrop")
    never = REFUSED_CHANCES.get(config["model_type"])
    for part in [config, *(v for v in config.values() if isinstance(v, dict))]:
        for key, value in part.items():
            if isinstance(value, float) and any(w in key for w in words) and key != never:
                part[key] = 0.1
    file.write_text(json.dumps(config))
    # One of them may be a threshold as well (PhiMoE), so the plain answer is asked for again.
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    want = torch.cat([_direct(plain, p, w) for p, w in rollouts])
    model = engine.load_model(folder, torch.device("cpu"), torch.float32)
    engine.checkpoint_activations(model)
    found, _ = token_logprobs(model, examples)
    found.sum().backward()
    if not all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None):
        raise ValueError("a gradient is not finite")
    return float((found.detach() - want).abs().max())


def _speed(kind: str) -> list[str]:
    """Tokens per second of the hf engine and of transformers' generate (all 64 sequences in a batch
    padded on the left), in turns, the best of three: 16 prompts of 40 to 70 tokens, 4 samples each,
    64 tokens written; and the seconds that the probe took."""
    from swr1.engines import Request, Sampling, open_engine
    from swr1.engines.hf.variants import choose

    if not {"num_heads", "mamba_n_heads"} & OVERRIDES.get(kind, {}).keys():
        SIZES.update(hidden_size=256, intermediate_size=512, initializer_range=0.02)
    model = make(kind)
    model.generation_config.eos_token_id = model.config.eos_token_id = None
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        _tokenizer(264).save_pretrained(folder)
        hf = open_engine("hf", folder, device="cpu")
    hf._eos = hf._eos[:0]
    prompts = [[5 + (7 * i + j) % 200 for j in range(40 + 2 * i)] for i in range(16)]
    requests = [Request((str(i), 0, s), p) for i, p in enumerate(prompts) for s in range(4)]
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(r.prompt_ids)) + r.prompt_ids for r in requests])
    best = [0.0, 0.0]
    for _ in range(3):
        begun = time.perf_counter()
        hf.generate(requests, Sampling(max_tokens=64))
        best[0] = max(best[0], 64 * 64 / (time.perf_counter() - begun))
        begun = time.perf_counter()
        model.generate(
            input_ids=ids,
            attention_mask=(ids != 0).long(),
            max_new_tokens=64,
            do_sample=True,
            pad_token_id=0,
        )
        best[1] = max(best[1], 64 * 64 / (time.perf_counter() - begun))
    begun = time.perf_counter()
    choose(model, 128)
    probed = time.perf_counter() - begun
    return [hf.variant.name, f"{best[0]:.0f}", f"{best[1]:.0f}", f"{probed:.2f} s"]


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:160] if lines else ''}"


if __name__ == "__main__":
    main()
