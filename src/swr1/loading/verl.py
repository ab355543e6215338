"""verl's Parquet files: data_source, prompt, ability, reward_model and extra_info."""

from swr1.errors import DataError
from swr1.loading._sets import dataset, restored, user


@dataset(None, ("data_source", "prompt", "ability", "reward_model"), keeps=())
def load(row, task=""):
    """verl data, also that of `swr1 export verl`; task: instead of the ability."""
    if not isinstance(row["reward_model"], dict):
        raise DataError(f"no ground truth: reward_model holds {row['reward_model']!r}")
    extra = dict(row.get("extra_info") or {})
    swr1, answer = extra.pop("swr1", None), row["reward_model"].get("ground_truth")
    info = {"dataset": row["data_source"], **{k: v for k, v in extra.items() if v is not None}}
    made = {
        "task": task or row["ability"],
        "answer": None if answer == "" else answer,
        "info": info,
    }
    (completion,) = row.get("responses") or [None]
    return restored(swr1, made, user(row["prompt"]), completion)
