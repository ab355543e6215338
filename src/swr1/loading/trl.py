"""TRL's data sets: prompts, prompts with completions, and preferences, as messages or as texts."""

from swr1.loading._sets import dataset, restored, user

ANSWERS = ("answer", "solution", "ground_truth", "target")
OWN = {"prompt", "completion", "chosen", "rejected", "id", "task", "swr1", *ANSWERS}


@dataset(None, ("prompt",), ("messages",), ("chosen", "rejected"), keeps=())
def load(row, task="qa"):
    """TRL data sets, also those of `swr1 export trl`; task: of rows that do not say it."""
    chosen, rejected = row.get("chosen"), row.get("rejected")
    completion, prompt = row.get("completion"), row.get("prompt")
    whole = row.get("messages") or (chosen if prompt is None and isinstance(chosen, list) else None)
    if whole:  # the prompt is in the conversation
        prompt, completion = whole[:-1], whole[-1]["content"] if chosen is None else None
    answer = next((row[name] for name in ANSWERS if row.get(name) not in (None, "")), None)
    rest = {k: v for k, v in row.items() if k not in OWN and k != "messages" and v is not None}
    if chosen is not None:
        rest["pair"] = {"chosen": said(chosen), "rejected": said(rejected)}
    made = {"task": row.get("task") or task, "answer": answer, "info": rest}
    return restored(row.get("swr1"), made, user(prompt), said(completion))


def said(turn):
    """The text of an assistant's turn, given as text or as messages."""
    return turn[-1]["content"] if isinstance(turn, list) else turn
