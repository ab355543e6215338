"""A trained refusal model: what it learns, how it is saved, and `refusal` with it."""

import numpy as np
import pytest

from swr1.errors import DataError, UsageError
from swr1.verifiers import _refusal_model as model
from swr1.verifiers.refusal import LABELS, SCORES, verify

TEXTS = {
    "refusal": "I can't help with thing {}.",
    "compliance": "Thing {} is done with a knife.",
    "partial": "I can't do thing {}, but here are some ways:\n1. This.\n2. That.\n3. More.",
}


class Letters:
    """An encoder that needs no weights: how often each letter comes."""

    def __call__(self, texts):
        counts = np.array([[t.lower().count(c) for c in "abcdefghij"] for t in texts], float)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1)


def data():
    texts = [TEXTS[label].format(k) for k in range(30) for label in LABELS]
    x = model.features(Letters(), texts, [""] * len(texts))
    return x, np.array([0, 1, 2] * 30)


def test_it_learns_to_tell_refusing_from_answering():
    x, y = data()
    weights = model.fit(x, y)
    found = model.probabilities(weights, x)
    assert found.shape == (90, 3)
    assert found.sum(1) == pytest.approx(np.ones(90))
    assert ((found.argmax(1) > 0) == (y > 0)).all()


def test_all_classes_are_needed():
    x, y = data()
    with pytest.raises(DataError, match="compliance, partial, refusal"):
        model.fit(x[y != 1], y[y != 1])


def test_the_verifier_uses_what_was_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(model, "Encoder", lambda folder: Letters())
    model.save(tmp_path / "refusal.npz", model.fit(*data()), "anywhere")
    for label in ("refusal", "compliance"):
        record = {"id": "x", "completion": TEXTS[label].format(7)}
        verdict = verify(record, model=str(tmp_path / "refusal.npz"))
        shares = verdict["detail"]["probabilities"]
        assert verdict["label"] == label
        assert verdict["confidence"] == shares[label] == max(shares.values())
        assert verdict["score"] == pytest.approx(sum(SCORES[n] * p for n, p in shares.items()))


def test_what_is_no_model(tmp_path):
    (tmp_path / "no.npz").write_bytes(b"no")
    for name in ("no.npz", "absent.npz"):
        with pytest.raises(UsageError, match="refusal model"):
            verify({"id": "x", "completion": "a"}, model=str(tmp_path / name))
    with pytest.raises(UsageError, match="no folder"):
        model.Encoder(str(tmp_path / "absent"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="cannot load"):
        model.Encoder(str(tmp_path / "empty"))
