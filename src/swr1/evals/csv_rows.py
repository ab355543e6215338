"""The numbers of `swr1 eval` as flat rows, for CSV: shares 0..1, a row per run and group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Rows = list[dict[str, Any]]


def accuracy(numbers: Mapping[str, Any]) -> Rows:
    """A row per run and group, "all" among them."""
    return [
        {"run": run, "decoding": summary["decoding"], "by": summary["by"], "group": group}
        | _cell(cell)
        | _change((summary.get("change") or {"rows": {}})["rows"].get(group))
        for run, summary in numbers.items()
        for group, cell in [
            *(summary["groups"].items() if summary["grouped"] else ()),
            ("all", summary["all"]),
        ]
    ]


def suites(numbers: Mapping[str, Any]) -> Rows:
    """A row per measure, run and group; the group of all is "all"."""
    rows: Rows = []
    for measure in numbers["measures"]:
        facts = {key: measure[key] for key in ("dataset", "name", "good", "axis")}
        for run, whole in measure["runs"].items():
            for group, cell in [("all", whole), *whole["groups"].items()]:
                change = measure["changes"].get(run) if group == "all" else None
                rows.append({**facts, "run": run, "group": group} | _cell(cell) | _change(change))
    return rows


def by_heart(results: Mapping[str, Any]) -> Rows:
    """A row per run, kind of perturbation and group."""
    return [
        {"run": run, "kind": kind, "group": group} | dict(_shares(cell))
        for run, result in results.items()
        for kind, of in result["kinds"].items()
        for group, cell in [("all", of["all"]), *of["groups"].items()]
    ]


def seen_in(results: Mapping[str, Any]) -> Rows:
    """A row per run and group, "all" among them."""
    return [
        {"run": run, "group": group} | dict(_shares(cell))
        for run, result in results.items()
        for group, cell in [("all", result["all"]), *result["groups"].items()]
    ]


def _cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Its numbers; an interval in two columns."""
    flat: dict[str, Any] = {}
    for key, value in cell.items():
        if key.endswith("interval"):
            name = key.removesuffix("interval")
            flat[f"{name}low"], flat[f"{name}high"] = value or (None, None)
        elif key == "pass_at":
            flat["pass_at_k"] = value.get(str(cell["k"]))
        elif not isinstance(value, dict | list):
            flat[key] = value
    return flat


def _change(change: Mapping[str, Any] | None) -> dict[str, Any]:
    if change is None:
        return {}
    low, high = change["interval"] or (None, None)
    told = {"points": change["points"], "points_low": low, "points_high": high}
    return told | {key: change[key] for key in ("gained", "lost", "test", "p_value", "p_holm")}


def _shares(cell: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in cell.items():
        if not isinstance(value, dict):
            yield key, value
            continue
        yield key, value["share"]
        low, high = value["interval"] or (None, None)
        yield from ((f"{key}_low", low), (f"{key}_high", high))
