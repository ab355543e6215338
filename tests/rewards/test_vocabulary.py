"""What recipes may say of verdicts is what the verifiers say."""

import pytest

from swr1.rewards.vocabulary import KNOWN
from swr1.verifiers.builtin import choice, exact, f1, knights, refusal, safety, value
from swr1.verifiers.builtin import format as form

TEXTS = [
    "", "<think>a</think>", "<think>ok then</think><answer>B</answer>", "<answer>1</answer><think>x</think>",
    "<think>a b</think><answer>B</answer><answer>B</answer>", "<THINK>a</THINK><answer>A or B</answer>",
    "<think></think><answer>Paris</answer>", "<think>reasoning process here</think><answer>x</answer>",
    "<think>Zoey is a knight</think><answer>Zoey is a knight</answer>", "<think>it is so</think><answer></answer>",
    "x<think>it is so</think><answer>Zoey is a knave</answer>y",
]  # fmt: skip
GOLD = {
    form: None, knights: [["Zoey", "knight"]], choice: "B", exact: ["Paris"], f1: ["Paris Texas"],
}  # fmt: skip


@pytest.mark.parametrize("verifier", GOLD, ids=lambda v: v.__name__)
@pytest.mark.parametrize("text", TEXTS)
def test_labels_and_scores_of_rules(verifier, text):
    name = verifier.__name__.rpartition(".")[2]
    record = {"id": "x", "task": {"exact": "qa", "f1": "qa"}.get(name, name), "completion": text}
    record |= {"prompt": [{"role": "user", "content": "?"}], "answer": GOLD[verifier]}
    verdict = verifier.verify(record)
    low, high = KNOWN[name].labels[verdict["label"]]
    assert low <= verdict["score"] <= high


@pytest.mark.parametrize("verifier", [refusal, safety, value], ids=lambda v: v.__name__)
def test_labels_and_scores_of_classes(verifier):
    labels = KNOWN[verifier.__name__.rpartition(".")[2]].labels
    assert verifier.SCORES.keys() == labels.keys()
    assert all(labels[n][0] <= score <= labels[n][1] for n, score in verifier.SCORES.items())
