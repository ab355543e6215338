"""Credit per step: from characters to tokens, and through a whole RL step."""

import pytest
import torch
from update_tools import Bigrams, measure, record

from swr1.errors import DataError, UsageError
from swr1.training import update
from swr1.training.credit import StepCredit
from swr1.training.groups import read_sample
from swr1.training.init import make_tokenizer

LINES = ["the knight said: Zoey's a knave.\n", "so (not)\n", "é🙂 true"]


def judged(text, labels, lines=LINES, scores=()):
    places, at = [], text.index(lines[0])
    for n, (line, label) in enumerate(zip(lines, labels, strict=True)):
        place = {"start": at, "end": at + len(line), "label": label}
        places.append(place | ({"score": scores[n]} if scores else {}))
        at += len(line)
    return {"score": 0.5, "detail": {"steps": places}}


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer("bpe", ["the knight said: Zoey's a knave. so (not) true\n"] * 20, None)


def made(tokenizer, labels, mask=None, **more):
    text = "<think>" + "".join(LINES) + "</think> yes"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    generation = {"token_ids": ids} | ({"loss_mask": mask} if mask else {})
    verdicts = {"steps": judged(text, labels, **more)}
    return {
        "id": "a",
        "sample": 0,
        "completion": text,
        "generation": generation,
        "verdicts": verdicts,
    }


def test_the_last_token_of_a_step_is_the_one_that_completes_it(tokenizer):
    row = made(tokenizer, ["right", "wrong", "right"])
    ids, text = row["generation"]["token_ids"], row["completion"]
    credit = StepCredit(tokenizer, "steps")
    found = credit(row)
    assert [worth for _, worth in found] == [1, 0, 1]
    steps = row["verdicts"]["steps"]["detail"]["steps"]
    for (last, _), step in zip(found, steps, strict=True):
        assert len(tokenizer.decode(ids[: last + 1])) >= step["end"]
        assert len(tokenizer.decode(ids[:last])) < step["end"]
        assert text[: step["end"]].endswith(text[step["start"] : step["end"]])
    assert found[-1][0] < len(ids) - 1  # what follows the thinking is in no step


def test_what_is_not_judged_or_not_trained_has_no_credit(tokenizer):
    row = made(tokenizer, ["right", "unread", "wrong"], scores=[0.75, 0.5, 0.125])
    credit = StepCredit(tokenizer, "steps")
    (first, one), (last, two) = credit(row)
    assert (one, two) == (0.75, 0.125)
    mask = [0] * (first + 1) + [1] * (len(row["generation"]["token_ids"]) - first - 1)
    row["generation"]["loss_mask"] = mask
    assert credit(row) == [(last - first - 1, 0.125)]  # numbers are of trained tokens
    row["verdicts"]["steps"]["score"] = None
    assert credit(row) == []


def test_a_verdict_that_is_missing_or_of_something_else_is_named(tokenizer):
    credit = StepCredit(tokenizer, "steps")
    row = made(tokenizer, ["right"] * 3)
    with pytest.raises(DataError, match=r"'a', sample 0: no verdict 'mine'.*--process-from"):
        StepCredit(tokenizer, "mine")(row)
    with pytest.raises(DataError, match="on another completion"):
        credit(row | {"completion": "short"})
    row["verdicts"]["steps"]["detail"] = {}
    with pytest.raises(DataError, match="has no steps"):
        credit(row)


def two(steps):
    """A group of two with rewards 1 and 0, and the steps of each."""
    rows = [
        record("p", k, 2, [1, 2], [3, 4, 5], [-2.0] * 3, [1] * 3, {}, 1.0 - k) for k in range(2)
    ]
    samples = [read_sample(row, 20) for row in rows]
    for sample, its in zip(samples, steps, strict=True):
        sample.steps = its
    return rows, samples


def test_the_share_mixes_what_the_outcome_and_the_steps_say(monkeypatch):
    """Outcome: +-1/sqrt 2. Steps 1 0 | 0 1 at tokens 0 and 2: r = +-.866, so 0 -.866 -.866 | 0 .866 .866."""
    rows, samples = two([[(0, 1.0), (2, 0.0)], [(0, 0.0), (2, 1.0)]])
    seen = []
    real = update.advantages
    monkeypatch.setattr(update, "advantages", lambda *a: seen.append(real(*a)[0]) or real(*a))
    made_of = dict(zip([(r["id"], r["sample"]) for r in rows], samples, strict=True))
    monkeypatch.setattr("update_tools.read_sample", lambda r, _: made_of[r["id"], r["sample"]])
    model = Bigrams(0)
    metrics, _ = measure(model, [rows], "grpo", kl=0.0, process=0.25)
    o, r = 0.75 * 0.5**0.5, 0.25 * 0.75**0.5
    assert seen[0][0].tolist() == pytest.approx([o, o - r, o - r], abs=1e-5)
    assert seen[0][1].tolist() == pytest.approx([-o, -o + r, -o + r], abs=1e-5)
    assert metrics["steps_judged"] == 2 and metrics["step_reward_mean"] == 0.5
    plain, before = measure(model, [rows], "grpo", kl=0.0)
    zero, same = measure(model, [rows], "grpo", kl=0.0, process=0.0)
    assert "steps_judged" not in plain and torch.equal(before, same) and plain == zero


def test_options_that_do_not_go_with_it_are_refused():
    rows, _ = two([[], []])
    with pytest.raises(UsageError, match="shorten or process"):
        measure(Bigrams(0), [rows], "ppo", process=0.5)
    with pytest.raises(UsageError, match="shuffle-rewards"):
        measure(Bigrams(0), [rows], "grpo", process=0.5, shuffle_rewards=True)


def test_a_run_learns_from_steps_where_all_rewards_are_equal(tmp_path):
    """Outcomes say nothing; the steps of each completion end at its second token, some right."""
    from tiny_runs import same_weights, sample_records, tiny_policy, train_rl, weights

    from swr1.models import load_tokenizer
    from swr1.prompts.decoding import Decoder

    policy = tiny_policy(tmp_path / "p")
    rows = list(sample_records(policy, 2, 4, lambda tokens, rng: 1.0))
    decode = Decoder(load_tokenizer(policy.folder()))
    for n, row in enumerate(rows):
        [text] = decode([row["generation"]["token_ids"]])
        [half] = decode([row["generation"]["token_ids"][:2]])
        steps = [{"start": 0, "end": len(half), "label": "right" if n % 2 else "wrong"}]
        row |= {
            "completion": text,
            "verdicts": {"steps": {"score": 1.0, "detail": {"steps": steps}}},
        }
    options = {"batch": 2, "steps": 1, "kl": 0.0, "lr": 0.1, "log": lambda _: None}
    seen = []
    train_rl(iter(rows), policy, "grpo", process=0.5, on_step=seen.append, **options)
    assert seen[0]["steps_judged"] == 1 and seen[0]["step_reward_mean"] == 0.5
    assert not same_weights(weights(policy, 0), weights(policy, 1))
    more = {"process": 0.5, "process_from": "mine", "resume": False}
    with pytest.raises(DataError, match="no verdict 'mine'"):
        train_rl(iter(rows), policy, "grpo", **options | more)
