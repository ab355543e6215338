"""Judged records for the shipped recipes: everything well unless said otherwise."""

from swr1.rewards.ordering import outcome_of

ANSWERS = {"correct": 1.0, "wrong": 0.0, "unreadable": 0.0}
REFUSALS = {"compliance": 0.0, "partial": 0.5, "refusal": 1.0}


def judged(task, harmful=None, **said):
    """A record with verdicts by name: a label, a number (the score), or None (not judged).

    The form is kept and the guards are content unless they are named.
    """
    verdicts = {}
    told = {"format": "ok", "language": 1.0, "repetition": 1.0, "length": 1.0, **said}
    for name, value in told.items():
        if value is None:
            verdicts[name] = {"score": None, "label": None, "error": "the verifier died"}
        elif isinstance(value, str):
            score = {**ANSWERS, **REFUSALS, "ok": 1.0, "safe": 1.0, "good": 1.0}.get(value, 0.0)
            verdicts[name] = {"score": score, "label": value}
        else:
            verdicts[name] = {"score": float(value), "label": "wrong" if name == "f1" else "ok"}
    info = {} if harmful is None else {"harmful": harmful}
    return {"id": "x", "task": task, "info": info, "verdicts": verdicts}


def outcome(recipe, record):
    """The name of the record's outcome, or None."""
    names = outcome_of(recipe, record, recipe.evaluate(record))
    assert len(names) < 2
    return names[0] if names else None
