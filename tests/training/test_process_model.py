"""A process model: where steps end, which labels they have, what is learned, by the command line."""

import json

import numpy as np
import pytest
import torch
from tiny_runs import WORDS, load, same_weights, tiny_policy, train_process_model, weights

from swr1.errors import DataError
from swr1.policy import Policy
from swr1.training.heads import encode_steps, open_judge
from swr1.training.init import make_tokenizer
from swr1.training.steps import labelled_steps
from tests.conftest import load as load_records


def record(i: int, **fields) -> dict:
    """Steps of two words; those with a "false" in them are wrong."""
    texts = [f"{WORDS[(i + k) % 6]} {['true', 'false'][(i * (k + 1)) % 3 == 1]}" for k in range(4)]
    steps = [{"text": t, "ok": "false" not in t} for t in texts]
    trace = "<think> " + "\n".join(texts) + " </think> so"
    return {
        "id": f"p{i}",
        "prompt": [{"role": "user", "content": WORDS[i % 5]}],
        "info": {"trace": trace, "steps": steps},
    } | fields


def train(path, data, **options) -> tuple[Policy, dict]:
    if not (path / "versions").exists():
        tiny_policy(path, hidden=32)
    options = {"lr": 1e-2, "batch": 8, "log": lambda _: None} | options
    return Policy(path), train_process_model(iter(data), Policy(path), **options)


@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_a_step_ends_at_its_last_token(kind: str):
    tokenizer = make_tokenizer(kind, ["the knight said: Zoey's a knave. so (not) true"] * 20, None)
    steps = ["the knight said: Zoey's a knave.", "so (not)", "true", "true"]
    turn = f"<think> {steps[0]}\n  {steps[1]}\n{steps[2]}\n{steps[3]} </think>"
    prompt = [{"role": "user", "content": "said"}]
    ids, ends = encode_steps(tokenizer, prompt, turn, steps)
    start = len(ids) - len(tokenizer(turn)["input_ids"])
    for step, end in zip(steps, ends.tolist(), strict=True):
        before = tokenizer.decode(ids[start : end + 1])
        assert before.replace(" ", "").endswith(step.replace(" ", ""))
    assert len(set(ends.tolist())) == 4
    with pytest.raises(DataError, match="'true' is not in the turn"):
        encode_steps(tokenizer, prompt, turn, [*steps, "true"])


def test_labels_from_traces_and_from_verdicts():
    turn, steps, right, *_ = labelled_steps(record(1))
    assert turn.startswith("<think>") and len(steps) == 4
    assert right == ["false" not in s for s in steps]
    bare = record(1)
    del bare["info"]["trace"]
    assert labelled_steps(bare)[0] == "\n".join(steps)

    detail = {"steps": 3, "unread": 0, "wrong_step": 1}
    judged = {
        "id": "x",
        "completion": " a\n\n b \nc</think>",
        "generation": {"prefill": "<think>"},
        "verdicts": {"trace": {"detail": detail}},
    }
    told = ("<think> a\n\n b \nc</think>", ["a", "b", "c"])
    assert labelled_steps(judged)[:3] == (*told, [True, False, None])
    detail["wrong_step"] = None
    assert labelled_steps(judged)[:3] == (*told, [True, True, True])
    detail["unread"] = 1
    assert "could not read" in labelled_steps(judged)
    detail |= {"unread": 0, "steps": 2}
    assert "another completion" in labelled_steps(judged)
    assert "swr1 trace --steps" in labelled_steps({"id": "x", "prompt": []})


def test_it_learns_which_steps_are_wrong(tmp_path):
    from transformers import AutoModelForTokenClassification

    policy, out = train(tmp_path / "p", [record(i) for i in range(60)], epochs=8, held_out=0.3)
    found = out["held_out"]
    assert found["accuracy"] > 0.95 and found["first_error"] > 0.9
    assert found["majority"] < 0.8 and found["per_class"]["wrong"]["f1"] > 0.9
    assert found["n"] == 4 * found["prompts"]
    card = (policy.folder() / "README.md").read_text()
    assert "AutoModelForTokenClassification" in card and "| wrong |" in card

    judge = open_judge(policy.path)
    new = record(71)
    turn, steps, right, *_ = labelled_steps(new)
    ours = judge.step_logits(new["prompt"], turn, steps)
    assert (ours.argmax(-1) == np.array(right)).all()
    # The same by transformers alone; what follows a step has no part in its score.
    model = AutoModelForTokenClassification.from_pretrained(policy.folder())
    ids, ends = encode_steps(judge.tokenizer, new["prompt"], turn, steps)
    with torch.no_grad():
        theirs = model(input_ids=ids[None]).logits[0, ends]
        cut = model(input_ids=ids[None, : ends[1] + 1]).logits[0, -1]
    assert np.allclose(ours, theirs, atol=1e-4) and np.allclose(ours[1], cut, atol=1e-4)


def test_the_loss_is_over_the_judged_steps_alone(tmp_path):
    """By hand, from the version before."""
    data = [record(i) for i in range(6)]
    data[0]["info"]["steps"][2]["ok"] = None
    policy, _ = train(tmp_path / "p", data, steps=2, publish_every=1, held_out=0, micro_tokens=1)
    judge = open_judge(policy.path, version=1)
    losses = []
    for r in data:
        turn, steps, right, *_ = labelled_steps(r)
        table = judge.step_logits(r["prompt"], turn, steps)
        logp = table - np.logaddexp(*table.T)[:, None]
        losses += [-row[int(ok)] for row, ok in zip(logp, right, strict=True) if ok is not None]
    assert len(losses) == 23
    second = json.loads((policy.path / "metrics.jsonl").read_text().splitlines()[1])
    assert second["loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert second["labels"] == 23


def test_steps_that_cannot_be_had_are_counted_or_named(tmp_path):
    data = [record(i) for i in range(9)]
    unjudged = record(9)
    for step in unjudged["info"]["steps"]:
        step["ok"] = None
    _, out = train(tmp_path / "p", [*data, unjudged, record(10, info={})], steps=1, held_out=0)
    assert out["items"] == 9 and sorted(out["dropped"].values()) == [1, 1]
    broken = record(11)
    broken["info"]["steps"][1]["text"] = "nowhere"
    with pytest.raises(DataError, match=r"'p11'.*'nowhere' is not in the turn"):
        train(tmp_path / "p", [*data, broken], steps=2, held_out=0)


def test_a_second_run_goes_on_from_the_head_of_the_first(tmp_path):
    data = [record(i) for i in range(12)]
    policy, _ = train(tmp_path / "p", data, steps=3, held_out=0)
    model, _ = load(policy, 0)
    assert not hasattr(model, "score")
    train(tmp_path / "p", data, steps=2, held_out=0, resume=False, lr=1e-12)
    first, second = (weights(policy, v)["score.weight"] for v in (1, 2))
    assert torch.allclose(first, second, atol=1e-6)
    assert not same_weights(weights(policy, 0), weights(policy, 1))


@pytest.mark.slow
def test_puzzles_with_wrong_traces_by_the_command_line(tmp_path, swr1):
    """Right and wrong reasoning about puzzles, step by step, from the stages that make it."""
    make = "gen-puzzles --people 2 --wording terse --names few -n 200 -o puzzles.jsonl"
    swr1(*make.split(), cwd=tmp_path, check=True)
    for kind, more in (("right", ""), ("wrong", "--wrong any")):
        trace = f"trace puzzles.jsonl --style cases --steps {more} -o {kind}.jsonl"
        swr1(*trace.split(), cwd=tmp_path, check=True)
    both = [
        {**r, "id": f"{r['id']}-{kind}"}
        for kind in ("right", "wrong")
        for r in load_records(tmp_path / f"{kind}.jsonl")
    ]
    (tmp_path / "both.jsonl").write_text("\n".join(map(json.dumps, both)) + "\n")
    swr1("init-policy", "start", "right.jsonl", cwd=tmp_path, check=True)
    line = "train-step process-model both.jsonl --start start --policy prm --lr 0.003 --balance"
    done = swr1(*line.split(), cwd=tmp_path, check=True)
    assert "at version 1" in done.stderr
    facts = json.loads((tmp_path / "prm" / "latest" / "classifier.json").read_text())
    assert facts["trained_on"]["wrong"] > 50 and facts["held_out"]["auroc"] > 0.5


# --- verdicts with places, dimensions, the step rule -----------------------------------------------


def valued(i: int, rule: str = "line", **more) -> dict:
    """Steps with a soft label in two dimensions: a "false" is seldom right, a "knave" never safe."""
    texts = [f"{WORDS[(i + k) % 6]} {['true', 'false'][(i * (k + 1)) % 3 == 1]}" for k in range(4)]
    places, at = [], len("<think>")
    for text in texts:
        values = {
            "correctness": 0.25 if "false" in text else 1.0,
            "safety": 0.0 if "knave" in text else 1.0,
        }
        label = "wrong" if "false" in text else "right"
        places.append({"start": at, "end": at + len(text) + 1, "label": label, "values": values})
        at += len(text) + 1
    verdict = {"score": 1.0, "label": "labelled", "detail": {"rule": rule, "steps": places}}
    return {
        "id": f"p{i}",
        "prompt": [{"role": "user", "content": WORDS[i % 5]}],
        "completion": "<think>" + "\n".join(texts) + "\n</think> so",
        "verdicts": {"steps": verdict, "values": verdict},
    } | more


def test_labels_from_the_verdicts_on_steps():
    found = labelled_steps(valued(1))
    assert found.right == ["false" not in s for s in found.steps] and found.rule == "line"
    assert [found.turn[:end].endswith(s) for end, s in zip(found.ends, found.steps, strict=True)]
    null = valued(1)
    null["verdicts"]["steps"] = {"score": None, "error": "no rule"}
    assert "null: no rule" in labelled_steps(null)
    assert "no verdict 'mine'" in labelled_steps(valued(1), "mine")
    assert "another completion" in labelled_steps(valued(1, completion="short"))


def test_it_learns_several_dimensions_and_is_asked_as_a_verifier(tmp_path):
    from swr1.errors import UsageError
    from swr1.verifiers.builtin import steps

    data = [valued(i) for i in range(60)]
    data[0]["verdicts"]["values"]["detail"]["steps"][1]["values"] = {"safety": None}
    names = ("correctness", "safety")
    policy, out = train(tmp_path / "p", data, epochs=8, held_out=0.3, dimensions=names)
    by = out["held_out"]["by_dimension"]
    assert all(by[name]["auroc"] > 0.95 and by[name]["ece"] < 0.2 for name in names)
    assert by["correctness"]["first_wrong"]["f1"] > 0.8
    assert len(out["held_out"]["temperature"]) == len(out["held_out"]["offsets"]) == 2
    facts = json.loads((policy.folder() / "classifier.json").read_text())
    assert facts["rule"] == "line" and facts["dimensions"] == list(names)
    card = (policy.folder() / "README.md").read_text()
    assert ".sigmoid()" in card and "| safety |" in card and "by the rule `line`" in card

    record = valued(71)
    verdict = steps.verify(record, model=str(policy.path))
    told = [s["values"] for s in verdict["detail"]["steps"]]
    truth = record["verdicts"]["values"]["detail"]["steps"]
    for says, true in zip(told, truth, strict=True):
        assert abs(says["correctness"] - true["values"]["correctness"]) < 0.35
        assert abs(says["safety"] - true["values"]["safety"]) < 0.35
    safe = steps.verify(record, model=str(policy.path), dimension="safety")
    assert [s["score"] for s in safe["detail"]["steps"]] == [v["safety"] for v in told]
    with pytest.raises(UsageError, match="has correctness, safety"):
        steps.verify(record, model=str(policy.path), dimension="wit")
    with pytest.raises(
        UsageError, match=r"learned from steps of the rule line, and reads no others"
    ):
        steps.verify(record, model=str(policy.path), rule="sentence")


def test_the_loss_in_dimensions_by_hand(tmp_path):
    """Cross-entropy to the soft label, mean over what is known."""
    data = [valued(i) for i in range(6)]
    data[2]["verdicts"]["values"]["detail"]["steps"][0]["values"]["safety"] = None
    names = ("correctness", "safety")
    options = {"steps": 2, "publish_every": 1, "held_out": 0, "micro_tokens": 1}
    policy, _ = train(tmp_path / "p", data, dimensions=names, **options)
    judge = open_judge(policy.path, version=1)
    losses = []
    for r in data:
        found = labelled_steps(r, "values")
        for z, values in zip(
            judge.step_logits(r["prompt"], found.turn, found.steps), found.values, strict=True
        ):
            losses += [
                y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)
                for x, y in zip(z, (values[name] for name in names), strict=True)
                if y is not None
            ]
    assert len(losses) == 47
    second = json.loads((policy.path / "metrics.jsonl").read_text().splitlines()[1])
    assert second["loss"] == pytest.approx(np.mean(losses), rel=1e-4) and second["labels"] == 47


def test_steps_of_two_rules_are_not_learned_together(tmp_path):
    with pytest.raises(DataError, match=r"'p1'.*rule sentence, those of other records by line"):
        train(tmp_path / "p", [valued(0), valued(1, "sentence")], held_out=0)
    train(tmp_path / "p", [valued(i) for i in range(6)], steps=1, held_out=0)
    with pytest.raises(DataError, match=r"rule sentence, those of .*p by line"):
        train(tmp_path / "p", [valued(i, "sentence") for i in range(6)], steps=1, resume=False)


def test_the_first_wrong_step_is_counted_as_processbench_does():
    """Of three wrong ones one is found at its very step, of two right ones one: 1/3, 1/2, F1 .4."""
    from swr1.steps import first_wrong_f1

    pairs = [(2, 2), (2, 1), (0, None), (None, None), (None, 3)]
    found = first_wrong_f1(pairs)
    assert found == {
        "f1": pytest.approx(0.4),
        "wrong": 1 / 3,
        "right": 0.5,
        "n_wrong": 3,
        "n_right": 2,
    }
    assert first_wrong_f1([(1, 1)])["f1"] is None
    assert first_wrong_f1([(1, 2), (None, 0)])["f1"] == 0


def test_the_threshold_of_the_highest_f1_is_fitted_and_used(tmp_path):
    """Right ones have steps of .3 and more, wrong ones one of .2: at 1/2 every step is wrong."""
    from swr1.training.step_figures import found_first_wrong

    p = [np.array([0.3, 0.45, 0.35]), np.array([0.4, 0.2, 0.3])] * 20
    true = [None, 1] * 20
    found = found_first_wrong(p, true, [f"k{i}" for i in range(40)])
    assert found["first_error"] == 0 and found["first_wrong"]["f1"] == 1 and found["cross_fitted"]
    assert 0.2 < found["threshold"] <= 0.3
    alike = found_first_wrong(p[::2], true[::2], ["k"] * 20)
    assert alike["threshold"] == 0.5 and alike["first_wrong"]["f1"] is None

    policy, _ = train(tmp_path / "p", [record(i) for i in range(40)], epochs=4, held_out=0.4)
    card = policy.folder() / "classifier.json"
    facts = json.loads(card.read_text())
    judge = open_judge(policy.path)
    assert (
        judge.thresholds == {"correctness": facts["held_out"]["threshold"]} and judge.rule == "line"
    )

    from swr1.verifiers.builtin import steps

    def limit(**options) -> tuple[float, float]:
        """Above the highest score of a wrong step, up to the lowest of a right one."""
        given = steps.verify(valued(1), model=str(policy.path), **options)["detail"]["steps"]
        wrong = [s["score"] for s in given if s["label"] == "wrong"]
        right = [s["score"] for s in given if s["label"] == "right"]
        return max(wrong, default=0.0), min(right, default=1.0)

    low, high = limit()
    assert low < facts["threshold"] <= high
    low, high = limit(threshold=0.5)
    assert low < 0.5 <= high
    scores = [
        s["score"] for s in steps.verify(valued(1), model=str(policy.path))["detail"]["steps"]
    ]
    middle = (min(scores) + max(scores)) / 2
    card.write_text(json.dumps(facts | {"threshold": middle}))
    low, high = limit()
    assert low < middle <= high
