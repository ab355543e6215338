"""OpenAI's files: conversations to fine-tune on, preferences, and requests of a batch."""

from swr1.loading._sets import dataset, restored


@dataset(
    None,
    ("messages",),
    ("input", "preferred_output", "non_preferred_output"),
    ("custom_id", "body"),
    keeps=(),
)
def load(row, task="chat"):
    """OpenAI's JSONL: fine-tuning, preferences, batch requests; task: what the records get."""
    info, completion = {}, None
    if "messages" in row:
        *prompt, last = row["messages"]
        if last["role"] == "assistant":
            completion = last["content"]
        else:  # reinforcement fine-tuning: the model writes the last turn
            prompt.append(last)
            info = {k: v for k, v in row.items() if k != "messages"}
    elif "body" in row:
        prompt, info = row["body"]["messages"], {"custom_id": row["custom_id"]}
    else:
        prompt = row["input"]["messages"]
        sides = {"chosen": "preferred_output", "rejected": "non_preferred_output"}
        info["pair"] = {side: row[column][-1]["content"] for side, column in sides.items()}
    return restored(None, {"task": task, "info": info}, prompt, completion)
