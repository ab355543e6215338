"""TRL's data sets: prompts, prompts with completions, and preferences, as messages or as texts."""

from swr1.errors import DataError
from swr1.loading.chat import completed, fork, last_turn, messages, rest_of, restored, truth
from swr1.loading.declare import dataset
from swr1.loading.shown import with_images

ANSWERS = ("answer", "solution", "ground_truth", "target")
COLUMNS = {"images", "prompt", "completion", "chosen", "rejected", "messages", "task", "swr1"}


@dataset(None, ("prompt",), ("messages",), ("chosen", "rejected"), keeps=())
def load(row, task="qa"):
    """TRL data sets, also those of `swr1 export trl`; task: of rows that do not say it."""
    prompt, completion = row.get("prompt"), row.get("completion")
    chosen, rejected, whole = row.get("chosen"), row.get("rejected"), row.get("messages")
    named = next((name for name in ANSWERS if row.get(name) not in (None, "")), None)
    answer, more = truth(row[named]) if named else (None, {})
    info = rest_of(row, COLUMNS | {named} | ({"id", "answer"} if row.get("swr1") else set()))
    before = None if prompt is None else messages(prompt)
    reply = None
    if chosen is not None or rejected is not None:
        before, info["pair"] = fork(before, chosen, rejected)
        if whole not in (None, chosen):
            info["messages"] = whole
        if completion is not None:
            info["completion"] = completion
    elif completion is not None:
        before, reply = completed(messages(prompt), completion)
        if whole is not None:
            info["messages"] = whole
    elif whole is not None:  # the prompt is in the conversation
        turns = messages(whole)
        if before and turns[: len(before)] != before and prompt:
            info["published_prompt"] = prompt
        before, reply = last_turn(turns)
    if before is None:
        raise DataError("no prompt: neither `prompt` nor `messages` holds one")
    before = with_images(before, row.get("images"))
    known = more.pop("task", task)
    made = {"task": row.get("task") or known, "answer": answer, "info": info | more}
    return restored(row.get("swr1"), made, before, reply)
