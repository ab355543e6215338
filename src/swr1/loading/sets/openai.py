"""OpenAI's files: conversations to fine-tune on, preferences, and requests of a batch."""

from swr1.errors import DataError
from swr1.loading.chat import fork, last_turn, messages, rest_of, restored
from swr1.loading.declare import dataset

REQUEST = {"custom_id", "body", "method", "url"}
PAIR = {"input", "preferred_output", "non_preferred_output"}


@dataset(
    None,
    ("messages",),
    ("input", "preferred_output", "non_preferred_output"),
    ("custom_id", "body"),
    keeps=(),
)
def load(row, task="chat"):
    """OpenAI's JSONL: fine-tuning, preferences, batch requests; task: what the records get."""
    completion = None
    if "messages" in row:  # where the user's turn is the last, the model writes the next
        prompt, completion = last_turn(messages(row["messages"]))
        info = rest_of(row, {"messages"})
    elif "body" in row:
        body, info = _object(row, "body"), rest_of(row, REQUEST)
        prompt = messages(body.get("messages"))
        info["custom_id"] = row["custom_id"]
        if rest := rest_of(body, {"messages"}):
            info["request"] = rest
    else:
        given, info = _object(row, "input"), rest_of(row, PAIR)
        before = messages(given.get("messages"))
        prompt, pair = fork(before, row["preferred_output"], row["non_preferred_output"])
        info |= {"pair": pair, **rest_of(given, {"messages"})}
    return restored(None, {"task": task, "info": info}, prompt, completion)


def _object(row, column):
    if not isinstance(row[column], dict):
        raise DataError(f"no prompt: {column!r} holds {str(row[column])[:60]!r}, not an object")
    return row[column]
