"""A Python reward, in a process of its own (swr1.killable).

It may give {"reward", "reward_parts"}, a number, or None where it could not judge. A record for which
it raises, or gives what is no reward, is a bad record. No answer in time is no judgement: a null
reward, for which `--on-null` says what follows.
"""

from collections.abc import Iterable
from typing import Any

from swr1.errors import DataError, SwrError
from swr1.killable import Killable, Lost, Unfit, as_number, one_line, place, short
from swr1.records import Record
from swr1.registry import Registry

REGISTRY = Registry("reward", "swr1.rewards", "reward", None)


class IsolatedReward:
    """Its reward of a record. Raises DataError for a bad record, UsageError if it has no such file.

    Args: as killable.Killable.
    """

    def __init__(self, name: str, settings: Iterable[str], timeout: float) -> None:
        self.name = name
        self._run = Killable(
            REGISTRY, name, settings, convert=f"{__name__}:as_reward", timeout=timeout
        )
        self._run.start()

    def __call__(self, record: Record) -> dict[str, Any]:
        try:
            return self._run(record)
        except Lost as lost:
            return {"reward": None, "reward_parts": {}, "error": f"{self.name} {lost}"}
        except DataError as error:
            raise DataError(
                f"the reward {self.name} on record {record.get('id')!r}: {error.reason}",
                getattr(record, "location", None),
            ) from None

    def close(self) -> None:
        self._run.close()


def as_reward(given: Any, name: str) -> dict[str, Any]:
    """The reward and its parts that a user's function returned. Raises DataError for other values."""
    if isinstance(given, SwrError):
        raise DataError(getattr(given, "reason", str(given)))
    if isinstance(given, Unfit):
        raise DataError(
            f'it gave {given}; it may give {{"reward": a number or None, "reward_parts": {{...}}}},'
            " a number, or None"
        )
    if isinstance(given, BaseException):
        raise DataError(f"{one_line(given)} ({place(given)})")
    if given is None:
        return {"reward": None, "reward_parts": {}, "error": f"{name} gave no reward"}
    made = given if isinstance(given, dict) else {"reward": given}
    if "reward" not in made:
        raise Unfit(f"{short(given)}, which has no reward")
    if not isinstance(made.get("reward_parts", {}), dict):
        raise Unfit(f"{short(given)}, whose reward_parts are no object")
    number = None if made["reward"] is None else as_number(made["reward"])
    return {"reward_parts": {}} | made | {"reward": number}
