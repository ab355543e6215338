"""The line that a stage ends with."""

from tests.conftest import jsonl


def test_labels_beyond_four_are_counted_together(swr1):
    stated = {"a": "9", "b": "0"}
    texts = [
        f"<confidence>{c}</confidence><answer>{a}</answer>" for a in "ab" for c in stated.values()
    ]
    records = [
        {"v": 1, "id": str(i), "task": "qa", "answer": "a", "prompt": [], "completion": text}
        for i, text in enumerate([*texts, "<answer>a</answer>"])
    ]
    done = swr1("verify", "exact", "reliability", stdin=jsonl(records), check=True)
    assert "20.0%, others 20.0% [" in done.stderr
