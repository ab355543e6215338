"""Reinforcement learning from verifiers on one page, in one process: how the parts of swr1 fit.

    python examples/rl_loop.py runs/logic-rl-laptop-0/start     # any policy folder; it gets new versions

`swr1 train-step` does the same from a stream of records. It adds what a long run needs: micro-batches,
several processes, a KL term, resume after a kill, samples of older versions, metrics.
"""

import sys
from itertools import islice

import torch

import swr1


def token_logprobs(model, prompt_ids: list[int], token_ids: list[int]) -> torch.Tensor:
    """log pi of each token of a completion [T], in nats, at temperature 1."""
    logits = model(torch.tensor([prompt_ids + token_ids])).logits[0, len(prompt_ids) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(token_ids)[:, None])[:, 0]


def train(
    folder: str,
    steps: int = 10,
    prompts: int = 4,  # per step
    samples: int = 8,  # completions per prompt: a group
    max_tokens: int = 200,
    lr: float = 3e-4,
    recipe: str = "logic-rl",
) -> list[swr1.Record]:
    """Train the policy in `folder` with GRPO; returns the records of the last step."""
    policy = swr1.Policy(folder)
    model, tokenizer = swr1.load_policy(policy)
    engine = swr1.open_engine(
        "hf", str(policy.folder()), threads=1
    )  # has its own copy of the weights
    system_prompt = swr1.load_prompt("logic-rl-terse")
    sampling = swr1.Sampling(max_tokens=max_tokens)
    reward = swr1.open_reward(recipe)
    objective = swr1.get_preset("grpo", kl=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0)
    puzzles = swr1.make_puzzles(steps * prompts, people="2", wording="terse", names="few")

    with swr1.open_verifiers("format", "knights") as verify:
        for step in range(steps):
            # prompts -> groups of completions, each with its tokens and their log-probabilities
            items = [(item, i) for item in islice(puzzles, prompts) for i in range(samples)]
            requests = [
                engine.request((item["id"], step, i), item["prompt"], system_prompt)
                for item, i in items
            ]
            completions = engine.generate(requests, sampling)

            # completions -> verdicts -> rewards
            records = []
            for (item, i), request, completion in zip(items, requests, completions, strict=True):
                record = {**item, "sample": i, "completion": completion.text}
                record["generation"] = {"epoch": step, "group": samples, **request.facts}
                record["generation"]["prompt_ids"] = request.prompt_ids
                record["generation"]["token_ids"] = completion.token_ids
                record["generation"]["logprobs"] = completion.logprobs.tolist()
                record["verdicts"] = verify(record)
                records.append(record | reward(record))

            # rewards -> advantages: flat tensors, an entry per token; `seq` says whose token it is
            lengths = torch.tensor([len(c.token_ids) for c in completions])
            seq = torch.repeat_interleave(torch.arange(len(records)), lengths)
            group = torch.arange(prompts).repeat_interleave(samples)
            rewards = torch.tensor([record["reward"] for record in records])
            advantage = swr1.advantages(objective, rewards, group, seq)

            # advantages -> loss -> optimizer step
            old = torch.cat([torch.tensor(c.logprobs) for c in completions])
            pairs = zip(requests, completions, strict=True)
            logp = torch.cat([token_logprobs(model, r.prompt_ids, c.token_ids) for r, c in pairs])
            loss = swr1.policy_loss(objective, logp, old, advantage, seq)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

            # a new version, which the engine takes: the next step is on-policy again
            version = swr1.save_version(policy, model, tokenizer, step=step + 1)
            engine.load(str(policy.folder()))
            off = (logp.detach() - old).abs().max()
            print(f"version {version}: reward {rewards.mean():.2f}, |log pi - log mu| <= {off:.1e}")
    return records


if __name__ == "__main__":
    train(sys.argv[1])
