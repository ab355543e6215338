"""What a server writes with real weights, against transformers on a folder of the same weights.

    python tests/servers/real_weights.py --url http://localhost:8000/v1 --folder SmolLM2/ --send ids

Greedy texts are compared, and the log-probabilities that the server gives for its greedy tokens with
those of a direct forward pass; sampled ones too where it tells token ids. Then what needs no
reference: a stop string, max_tokens, seeds. Prints the figures; --tolerance makes it end with 1 where
a log-probability is further off.
"""

import argparse
import sys

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from swr1.engines import Sampling, open_engine
from swr1.prompts import Prompt

ASKED = [
    "What is the capital of France?",
    "Write one sentence about the sea.",
    "Name three colours.",
    "How many days has a week?",
    "Say hello in Spanish, with an emoji.",
    "What is 2 + 2?",
]
LENGTH = 24


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--send", default="ids")
    parser.add_argument("--tolerance", type=float, default=float("inf"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(asked.folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(asked.folder)
    engine = open_engine("openai", asked.folder, url=asked.url, send=asked.send, retry_for=60)
    prompt = Prompt("none")
    turns = [[{"role": "user", "content": text}] for text in ASKED]
    requests = [engine.request((f"r{i}", 0, 0), t, prompt) for i, t in enumerate(turns)]
    rendered = [
        tokenizer.apply_chat_template(t, add_generation_prompt=True)["input_ids"] for t in turns
    ]

    def forward(ids, written):
        with torch.inference_mode():
            logits = model(torch.tensor([ids + written])).logits[0][len(ids) - 1 : -1]
        return torch.log_softmax(logits, -1)

    same, off, best = 0, [], []
    greedy = Sampling(0, max_tokens=LENGTH)
    for ids, made in zip(rendered, engine.generate(requests, greedy), strict=True):
        want = model.generate(torch.tensor([ids]), max_new_tokens=LENGTH, do_sample=False)[0]
        text = tokenizer.decode(want[len(ids) :], skip_special_tokens=True)
        same += text == made.text
        written = made.token_ids or tokenizer(made.text, add_special_tokens=False)["input_ids"]
        values = forward(ids, written)
        best += (values.argmax(-1) == torch.tensor(written)).tolist()
        if made.logprobs is not None and len(made.logprobs) in (len(written), len(written) + 1):
            chosen = values.gather(1, torch.tensor(written)[:, None])[:, 0].numpy()
            off += np.abs(chosen - made.logprobs[: len(written)]).tolist()
    print(f"greedy texts of {LENGTH} tokens as transformers': {same} of {len(ASKED)}")
    print(f"its greedy tokens are the likeliest of the direct pass: {np.mean(best):.3f}")
    if not any(r.token_ids for r in engine.generate(requests[:1], greedy)):
        print("no token ids: sampled log-probabilities cannot be checked")
    else:
        sampled = engine.generate(requests, Sampling(1.0, max_tokens=LENGTH))
        for ids, made in zip(rendered, sampled, strict=True):
            chosen = forward(ids, made.token_ids).gather(1, torch.tensor(made.token_ids)[:, None])
            off += np.abs(chosen[:, 0].numpy() - made.logprobs).tolist()
    if off:
        off = np.array(off)
        print(
            f"log-probabilities against the direct pass, {len(off)} tokens: off by"
            f" {np.median(off):.2g} (median), {np.quantile(off, 0.95):.2g} (95%), {off.max():.2g}"
        )
    [long] = engine.generate(requests[1:2], greedy)
    stop = long.text[len(long.text) // 2 :][:6]
    [cut] = engine.generate(requests[1:2], Sampling(0, max_tokens=LENGTH, stop=(stop,)))
    assert cut.finish_reason == "stop"
    assert cut.text.removesuffix(stop) == long.text.partition(stop)[0], (stop, cut.text)
    [short] = engine.generate(requests[1:2], Sampling(0, max_tokens=5))
    assert short.finish_reason == "length"
    assert long.text.startswith(short.text)
    draws = [
        [c.text for c in engine.generate(requests, Sampling(1.0, max_tokens=8, seed=seed))]
        for seed in (1, 1, 2)
    ]
    print(f"a seed repeats: {np.mean([a == b for a, b in zip(*draws[:2], strict=True)]):.2f}")
    assert draws[0] != draws[2]
    return int(bool(len(off)) and float(np.max(off)) > asked.tolerance)


if __name__ == "__main__":
    sys.exit(main())
