"""verl's Parquet files: data_source, prompt, ability, reward_model and extra_info."""

from swr1.errors import DataError
from swr1.loading.chat import completed, messages, rest_of, restored, truth, unpacked
from swr1.loading.declare import dataset
from swr1.loading.shown import with_images

COLUMNS = {"data_source", "prompt", "ability", "reward_model", "extra_info", "responses", "images"}
TASKS = {"MATH": "math", "fact-reasoning": "qa"}  # how DAPO and Search-R1 name what we judge


@dataset(None, ("data_source", "prompt", "ability", "reward_model"), keeps=())
def load(row, task=""):
    """verl data, also that of `swr1 export verl`; task: instead of the ability."""
    reward_model, extra = unpacked(row["reward_model"]), unpacked(row.get("extra_info")) or {}
    if not isinstance(reward_model, dict):
        raise DataError(f"no ground truth: reward_model holds {str(reward_model)[:60]!r}")
    if not isinstance(extra, dict):
        raise DataError(f"no extra_info: it holds {str(extra)[:60]!r}, not an object")
    answer, more = truth(reward_model.get("ground_truth"))
    ability = row["ability"]
    known = more.pop("task", None) or (TASKS.get(ability) if isinstance(ability, str) else None)
    kind = task or known or ability
    if kind in (None, ""):
        raise DataError("no task: the ability is empty; name a task with --set task=NAME")
    info = rest_of(extra, {"swr1"})
    for name, value in rest_of(row, COLUMNS).items():
        info[f"published_{name}" if info.get(name, value) != value else name] = value
    if beside := rest_of(reward_model, {"style", "ground_truth"}):
        info["reward_model"] = beside
    if kind != ability and ability:
        info["ability"] = ability
    if row["data_source"] is not None:
        info["dataset"] = row["data_source"]
    made = {"task": kind, "answer": None if answer == "" else answer, "info": info | more}
    prompt, swr1 = with_images(messages(row["prompt"]), row.get("images")), extra.get("swr1")
    responses = row.get("responses")
    if responses is None or responses == []:
        return restored(swr1, made, prompt, None)
    samples = responses if isinstance(responses, list) else [responses]
    return [restored(swr1, made, *completed(prompt, one)) for one in samples]
