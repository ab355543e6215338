"""Training on completions that were drawn from a cut distribution, by the tokens that were left."""

import copy
import math

import pytest
import torch
from tiny_runs import load, tiny_policy

from swr1.errors import DataError
from swr1.streams.parquet import read_parquet, write_parquet
from swr1.training import engine, logprobs
from swr1.training.groups import read_sample
from swr1.training.logprobs import WAYS, token_logprobs
from tests.conftest import jsonl, run_swr1
from tests.conftest import load as rows

CUTS = {
    "top-p": ["--top-p", "0.7"],
    "top-k": ["--top-k", "5"],
    "min-p": ["--min-p", "0.4"],
    "all, warm": ["--top-p", "0.8", "--top-k", "9", "--min-p", "0.2", "--temperature", "1.3"],
}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return tiny_policy(tmp_path_factory.mktemp("kept") / "p")


@pytest.fixture(scope="module", params=CUTS)
def sampled(request, start, tmp_path_factory):
    """Scored records of a rollout that recorded what was left."""
    folder = tmp_path_factory.mktemp("sampled")
    prompts = [
        {"v": 1, "id": f"r{i}", "task": "qa", "prompt": [{"role": "user", "content": text}]}
        for i, text in enumerate(["the knight said", "a knave or the knave", "is"])
    ]
    (folder / "in.jsonl").write_bytes(jsonl(prompts))
    cut = CUTS[request.param]
    run_swr1("rollout", folder / "in.jsonl", "--policy", start.path, "--samples", "4", "--max-tokens",
             "12", "--keep-sets", *cut, "-o", folder / "out.jsonl", check=True)  # fmt: skip
    made = rows(folder / "out.jsonl")
    return [r | {"reward": float(i % 2)} for i, r in enumerate(made)]


def sets(record):
    generation, at = record["generation"], 0
    for n in generation["kept_counts"]:
        yield generation["kept_ids"][at : at + n]
        at += n


def test_what_was_left_is_what_the_distribution_left(start, sampled):
    """From the model's logits, by hand, in double precision."""
    model, _ = load(start)
    for record in sampled[:4]:
        g = record["generation"]
        how, ids = g["sampling"], torch.tensor([g["prompt_ids"] + g["token_ids"]])
        with torch.no_grad():
            logits = model(ids).logits[0].double()
        for at, kept in enumerate(sets(record)):
            z = logits[len(g["prompt_ids"]) + at - 1] / how["temperature"]
            order = z.argsort(descending=True).tolist()[: how["top_k"] or None]
            p = [math.exp(z[i] - torch.logsumexp(z[order], 0)) for i in order]
            left, mass = [], 0.0
            for i, share in zip(order, p, strict=True):
                if not left or (mass < how["top_p"] and share >= how["min_p"] * p[0]):
                    left.append(i)
                mass += share
            assert kept == left
            want = float(z[g["token_ids"][at]] - torch.logsumexp(z[left], 0))
            assert g["logprobs"][at] == pytest.approx(want, abs=2e-5)


@pytest.mark.parametrize("way", [WAYS[0], WAYS[1], WAYS[2], WAYS[3]])
def test_a_trainer_gives_the_same_numbers_and_gradients_however_it_asks(start, sampled, way):
    model = engine.load_model(start.folder(), torch.device("cpu"), torch.float32)
    model.swr1_way = way
    read = [read_sample(r, model.config.vocab_size) for r in sampled]
    warm = torch.cat([torch.full((len(s.old),), s.temperature) for s in read])
    logp, entropy = token_logprobs(model, [s.example for s in read], warm, entropy="grad")
    assert (logp - torch.cat([s.old for s in read])).abs().max() < 5e-6
    most = torch.cat([s.example.kept[0] for s in read]).float().log()
    assert (entropy <= most + 1e-5).all() and (entropy >= -1e-6).all()
    (logp.sum() + entropy.sum()).backward()
    grads = [p.grad.clone() for p in model.parameters()]
    plain = copy.deepcopy(model)
    plain.zero_grad()
    total = torch.zeros(())
    for sample in read:  # by autograd, one sequence at a time, from the model's own logits
        e = sample.example
        z = plain(e.ids[None]).logits[0][e.targets - 1] / sample.temperature
        counts, ids = e.kept
        for i, left in enumerate(ids.split(counts.tolist())):
            table = z[i, left].log_softmax(0)
            total = total + table[left == e.ids[e.targets[i]]].sum() - (table.exp() * table).sum()
    total.backward()
    for p, grad in zip(plain.parameters(), grads, strict=True):
        assert torch.allclose(p.grad, grad, atol=2e-4, rtol=1e-3)


def test_blocks_and_computing_again_change_nothing(start, sampled, monkeypatch):
    model = engine.load_model(start.folder(), torch.device("cpu"), torch.float32)
    examples = [read_sample(r, model.config.vocab_size).example for r in sampled]

    def gradients():
        model.zero_grad()
        logp, _ = token_logprobs(model, examples)
        logp.sum().backward()
        return logp.detach(), [p.grad.clone() for p in model.parameters()]

    whole, at_once = gradients()
    monkeypatch.setattr(logprobs, "BLOCK", {"cpu": 5 * model.config.vocab_size})
    monkeypatch.setattr(logprobs, "KEPT", 0)
    parts, again = gradients()
    assert (whole - parts).abs().max() < 1e-6
    for a, b in zip(at_once, again, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_a_step_starts_at_a_ratio_of_one_and_without_the_sets_is_refused(start, sampled, tmp_path):
    policy = tmp_path / "p"
    run_swr1("init-policy", policy, "--from", start.path, check=True)
    args = [
        "train-step",
        "grpo",
        "-",
        "--policy",
        policy,
        "--batch",
        "3",
        "--lr",
        "1e-3",
        "--kl",
        "0.1",
    ]
    bare = [copy.deepcopy(r) for r in sampled]
    for record in bare:
        del record["generation"]["kept_ids"], record["generation"]["kept_counts"]
    done = run_swr1(*args, "--steps", "1", stdin=jsonl(bare))
    assert done.returncode == 65 and "rollout --keep-sets" in done.stderr
    run_swr1(*args, "--steps", "1", stdin=jsonl(sampled), check=True)
    [told] = rows(policy / "metrics.jsonl")
    assert abs(told["ratio_min"] - 1) < 1e-4 and abs(told["ratio_max"] - 1) < 1e-4


def test_parquet_and_merge_keep_them(sampled, tmp_path):
    write_parquet(tmp_path / "a.parquet", sampled)
    assert [r["generation"] for r in read_parquet(tmp_path / "a.parquet")] == [
        r["generation"] for r in sampled
    ]


def test_sets_that_do_not_fit_are_bad_records(sampled):
    def broken(**changes):
        bad = copy.deepcopy(sampled[0])
        bad["generation"] |= changes
        return bad

    g = sampled[0]["generation"]
    for changes, told in [
        ({"kept_counts": g["kept_counts"][1:]}, "do not belong together"),
        ({"kept_ids": [*g["kept_ids"], 3]}, "do not belong together"),
        ({"kept_ids": [10**6] * len(g["kept_ids"])}, "an id that the policy's"),
        ({"kept_ids": [g["token_ids"][0] ^ 1] * len(g["kept_ids"])}, "is not among those"),
    ]:
        with pytest.raises(DataError, match=told):
            read_sample(broken(**changes), 10**5)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "nothing is cut"),
        (["--top-p", "0.9", "--temperature", "0"], "nothing is cut"),
        (["--top-p", "0.9", "--candidates", "2", "--guide-method", "random"], "does not go with"),
    ],
)
def test_where_it_is_of_no_use_it_is_refused(start, more, told):
    done = run_swr1("rollout", "--policy", start.path, "--keep-sets", *more, stdin="")
    assert done.returncode == 2 and told in done.stderr
