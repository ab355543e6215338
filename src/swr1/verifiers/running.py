"""Running several verifiers over records: one by one, or ahead of what is written.

    with open_verifiers(["format", "knights"], timeout=10) as verifiers:
        verdicts = verifiers(record)          # {"format": {"score": 1.0, ...}, "knights": ...}

A verifier is a function of one record, called at once. One whose module has `open` (see
models/options.py) is opened once and may answer later: a model judges in batches, a server has many
requests in flight, a group is looked at as a whole. The records leave in the order they came in, and
no record waits for a full batch when the input is silent or its sender waits.
"""

from __future__ import annotations

import difflib
import inspect
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swr1.errors import DataError, SwrError, UsageError
from swr1.killable import preparation
from swr1.records import Record, key, own
from swr1.registry import parse_options, suggest
from swr1.streams.reading import GROUP_END, SILENCE, SUFFIXES, Mark, MarkedPlace
from swr1.types import Verdict
from swr1.verifiers.declared import REGISTRY, declaration, verdict_name
from swr1.verifiers.gold import Gold
from swr1.verifiers.isolated import IsolatedVerifier
from swr1.verifiers.lenient import UNREADABLE, Unread, lenient_setting, with_lenient
from swr1.verifiers.verdicts import as_verdict

FLUSH_AFTER = 0.05  # seconds of silence after which a half-full batch is judged


def split_names(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """`format knights a.jsonl b/` as (verifiers, files). Raises UsageError for neither."""
    names: list[str] = []
    for at, word in enumerate(words):
        if word in REGISTRY.names() or ".py:" in word:
            names.append(word)
        elif _is_file(word):
            return _some(names), list(words[at:])
        else:
            REGISTRY.get(word)  # raises, with a suggestion
    return _some(names), []


def _is_file(word: str) -> bool:
    looks = word == "-" or any(c in word for c in "*?[/") or word.endswith(SUFFIXES)
    return looks or Path(word).exists()


def _some(names: list[str]) -> list[str]:
    if not names:
        raise UsageError(f"name a verifier first: {', '.join(REGISTRY.names())}")
    return names


@contextmanager
def open_verifiers(
    names: Sequence[str],
    *,
    grader: str | None = None,
    timeout: float = 10.0,
    settings: Sequence[str] = (),
    model: Mapping[str, str] | None = None,
    called: str | None = None,
    only_missing: bool = False,
    allow_lost_guard: bool = False,
    whole: bool = False,
) -> Iterator[Verifiers]:
    """The verifiers of these names, as a function from a record to its verdicts by name.

    Args:
        grader: given to the verifiers, which must all take one, e.g. "published".
        timeout: seconds per record for a verifier that runs in a process of its own.
        settings: "VERIFIER.NAME=VALUE" pairs.
        model: options of verifiers that are models (guard, url, ...); empty ones are not given. One
            that does without a model (knowledge) takes them only where no other is named that needs
            one.
        called: the name of the verdict, for a single verifier.
        only_missing, allow_lost_guard, whole: as in Verifiers.

    Raises UsageError for options that no verifier takes.
    """
    if called and len(names) != 1:
        raise UsageError("--as gives one verdict another name: name one verifier")
    given = {option: value for option, value in (model or {}).items() if value}
    if grader is not None:
        _all_have_grader(names)
    models = _takes_model(names, next(iter(given))) if given else []
    mine = _by_verifier(names, settings)
    checks: dict[str, Any] = {}
    try:
        for name in names:
            its_settings = mine[name]
            if _opener(name):
                set_already = {s.partition("=")[0].strip().replace("-", "_") for s in its_settings}
                if name in models:
                    its_settings += [f"{k}={v}" for k, v in given.items() if k not in set_already]
            elif grader is not None:
                its_settings.append(f"grader={grader}")
            checks[verdict_name(name, called)] = _open_one(name, its_settings, timeout)
        yield Verifiers(checks, only_missing, allow_lost_guard, whole)
    finally:
        for check in checks.values():
            if hasattr(check, "close"):
                check.close()


def _by_verifier(names: Sequence[str], settings: Sequence[str]) -> dict[str, list[str]]:
    """The settings by verifier. Raises UsageError for one of a verifier that is not named."""
    by_name: dict[str, list[str]] = {name: [] for name in names}
    for setting in settings:
        owner = next((name for name in names if setting.startswith(f"{name}.")), None)
        if owner is None:
            raise UsageError(
                f"cannot set {setting!r}: no such verifier here.{_near(setting, names)}"
            )
        by_name[owner].append(setting[len(owner) + 1 :])
    return by_name


def _near(setting: str, names: Sequence[str]) -> str:
    """Whose option may be meant: "Did you mean 'math.last_number'?", or the nearest verifier."""
    owner, dot, option = setting.partition("=")[0].strip().rpartition(".")
    settings = {s.name: name for name in names for s in declaration(name).settings}
    for meant in difflib.get_close_matches(option.replace("-", "_"), settings, 1, 0.6):
        if not dot or suggest(owner, names):
            return f" Did you mean '{settings[meant]}.{meant}'?"
    return suggest(owner or option, names) or " `swr1 verify NAME --options` lists what can be set"


def _open_one(name: str, settings: list[str], timeout: float) -> Any:
    """One verifier: a function of a record, or an object with `submit`."""
    declaration(name)  # raises for LABELS that are none
    if REGISTRY.is_foreign(name):
        isolated = IsolatedVerifier(name, settings, timeout)
        isolated.start()
        return isolated
    function, opener = REGISTRY.get(name), _opener(name)
    options = parse_options(opener or function, settings)
    if opener:
        return opener(**options)
    if preparation(function):
        return IsolatedVerifier(name, settings, timeout)

    lenient = lenient_setting(name, settings)
    more = options | parse_options(function, [lenient] if lenient else [])

    def judge(record: Record, options: dict[str, Any] = options) -> Verdict:
        try:
            given = function(record, **options)
        except SwrError:
            raise
        except Exception as error:  # one record costs one verdict, as in a process of its own
            given = error
        return as_verdict(given, name)

    if not lenient:
        return judge
    return lambda record: with_lenient(judge(record), name, lenient, lambda: judge(record, more))


def _all_have_grader(names: Sequence[str]) -> None:
    """Raises UsageError where a verifier has no grader to choose, and says which of them have."""

    def has(name: str) -> bool:
        if REGISTRY.is_foreign(name):
            return True  # its own process says whether it has
        return "grader" in inspect.signature(REGISTRY.get(name)).parameters

    having = [name for name in names if has(name)]
    lacking = [name for name in names if name not in having]
    if not lacking:
        return
    problem = f"--grader is no option of {', '.join(lacking)}"
    if not having:
        ours = (name for name in REGISTRY.names() if not REGISTRY.is_foreign(name))
        known = ", ".join(filter(has, ours))
        raise UsageError(f"{problem}; it is one of {known}")
    raise UsageError(
        f"{problem}; of those named, {', '.join(having)} have it: judge the others by a second"
        f" `swr1 verify`, or say --set {having[0]}.grader=..."
    )


def _takes_model(names: Sequence[str], option: str) -> list[str]:
    """Those that --guard and its like are for. Raises UsageError if it is none of them."""
    models = [name for name in names if _opener(name)]
    if not models:
        known = [name for name in REGISTRY.names() if _opener(name)]
        raise UsageError(
            f"--{option.replace('_', '-')} is for verifiers that are models, and none of"
            f" {', '.join(names)} is one: {', '.join(known)}"
        )
    needing = [
        name
        for name in models
        if not getattr(sys.modules[REGISTRY.get(name).__module__], "WITHOUT_MODEL", False)
    ]
    return needing or models


def _opener(name: str) -> Callable[..., Any] | None:
    """What opens a built-in verifier that judges many records at a time."""
    if REGISTRY.is_foreign(name):
        return None
    return getattr(sys.modules[REGISTRY.get(name).__module__], "open", None)


def _label(verdict: Verdict) -> str:
    return verdict.get("label") or ("null" if verdict.get("score") is None else "")


def _result(verdict: Any) -> Verdict:
    """The verdict itself, or the result of one that comes later."""
    return verdict if isinstance(verdict, dict) else verdict.result()  # type: ignore[return-value]


class Verifiers:
    """Verifiers by the names of their verdicts.

    Args:
        only_missing: a verdict that is there and has a score stays as it is.
        allow_lost_guard: `run` goes on without a guard that is gone, whose verdicts are null then;
            else it fails, as a rollout does whose server is gone.
        whole: a completion with tools is judged with what they gave, else by the policy's own words.
    """

    def __init__(
        self,
        checks: Mapping[str, Any],
        only_missing: bool = False,
        allow_lost_guard: bool = False,
        whole: bool = False,
    ) -> None:
        self._checks, self._only_missing, self._whole = checks, only_missing, whole
        self._allow_lost_guard = allow_lost_guard
        self._lost: set[str] = set()  # whose loss was said
        self._later = [c for c in checks.values() if hasattr(c, "submit")]
        self.unchanged = 0
        self.reasons: dict[str, Counter[str]] = {name: Counter() for name in checks}
        self.unread: dict[str, Unread] = {name: Unread() for name in checks}

    def __call__(self, record: Record) -> dict[str, Verdict]:
        """The verdicts on one record. Raises DataError for a record that cannot be judged."""
        verdicts = self._submit(record)
        self._flush("end")
        return {name: _result(v) for name, v in verdicts.items()}

    def all(self, records: Sequence[Record]) -> list[dict[str, Verdict]]:
        """The verdicts on each of several records, which models judge together."""
        submitted = [self._submit(record) for record in records]
        self._flush("end")
        return [{name: _result(v) for name, v in one.items()} for one in submitted]

    def run(self, stage: Any, gold: Gold | None = None) -> None:
        """Judge all records of a stage, in their order; with `gold` their known answers."""
        if gold:
            self._judge_golds(stage, gold)
            return
        for record in stage.done_records():  # by an earlier start of this run
            for name in self._checks:
                if verdict := (record.get("verdicts") or {}).get(name):
                    self._count(stage, name, verdict)
        if not self._later and not self._only_missing:
            stage.map(lambda r: self._judged(stage, r, self(r)), needs=("id", "completion"))
        else:
            self._ahead(stage)
        for name, reasons in self.reasons.items():
            for reason, n in reasons.most_common(3):
                stage.say(f"{name}: {n:,} without a verdict: {reason}")
        for name, unread in self.unread.items():
            if unread.reasons:
                stage.say(f"{name}: {unread.described(stage.tallies[name].total())}")
        for check in self._later:
            if summary := check.summary():
                stage.say(summary)
        if self.unchanged:
            stage.say(f"{self.unchanged:,} verdicts were there and stayed")

    def _judge_golds(self, stage: Any, gold: Gold) -> None:
        for record in stage.done_records():
            gold.note(record)

        def judged(record: Record) -> Record:
            record = gold.put(record)
            record = self._judged(stage, record, self(record))
            gold.note(record)
            return record

        stage.map(judged)
        gold.report(stage.say)

    def _submit(self, record: Record) -> dict[str, Any]:
        """A verdict, or a later one, by each verifier; each sees the verdicts before its own."""
        before = record.get("verdicts") or {}
        given = record
        if not self._whole:
            record = own(record)
        verdicts: dict[str, Any] = {}
        for name, check in self._checks.items():
            if self._only_missing and (before.get(name) or {}).get("score") is not None:
                self.unchanged += 1
                continue
            seen = {k: v for k, v in verdicts.items() if isinstance(v, dict)}
            # Steps have places in the completion as it stands in the record.
            shown = given if getattr(check, "whole", False) else record
            if seen:
                shown = shown | {"verdicts": {**before, **seen}}
            submit = getattr(check, "submit", None)
            verdicts[name] = (submit or check)(shown)
        return verdicts

    def _flush(self, why: str) -> None:
        for check in self._later:
            check.flush(why)

    def _judged(self, stage: Any, record: Record, verdicts: Mapping[str, Verdict]) -> Record:
        for name, verdict in verdicts.items():
            if verdict.get("score") is None:
                why = str(verdict.get("error") or "it says nothing")
                self.reasons[name][
                    why[:300] if "may give" in why else why.partition(": ")[0][:100]
                ] += 1
            self._count(stage, name, verdict)
        record["verdicts"] = {**(record.get("verdicts") or {}), **verdicts}
        return record

    def _count(self, stage: Any, name: str, verdict: Verdict) -> None:
        stage.tally(name, _label(verdict))
        if verdict.get("label") == UNREADABLE:
            self.unread[name].add(verdict)

    def _refuse_lost(self, stage: Any, verdicts: Mapping[str, Verdict]) -> None:
        """Raises SwrError where a verdict is null since its guard is gone, unless that is allowed."""
        for name, verdict in verdicts.items():
            lost = getattr(self._checks[name], "lost", "")
            if verdict.get("score") is not None or not lost:
                continue
            if self._allow_lost_guard:
                if name not in self._lost:
                    stage.say(f"{name}: {lost}; going on without it")
                self._lost.add(name)
                continue
            kept = stage.output not in ("-", None)
            way = f"the same line {'goes' if kept else 'with -o FILE would go'} on from there"
            done = stage.writer.lines_done + stage.went
            raise SwrError(
                f"{name}: {lost}. {done:,} records are judged; when it is back, {way}"
                " (--allow-lost-guard goes on without it: its verdicts are null)"
            )

    def _ahead(self, stage: Any) -> None:
        """The records go on in their order, while up to `ahead` of them wait for verdicts."""
        ahead = max((c.ahead for c in self._later), default=0)
        line: deque[tuple[Any, dict[str, Any], Mark | None]] = deque()

        def go_on(most: int) -> None:
            """Write the finished records, and wait until at most `most` entries are left."""
            while line:
                entry, verdicts, mark = line[0]
                late = [v for v in verdicts.values() if not isinstance(v, dict)]
                if not all(v.done() for v in late):
                    if len(line) <= most:
                        return
                    self._flush("end")  # what is kept back for company must not be waited for
                line.popleft()
                if entry is None:
                    if mark:
                        stage.mark(mark)
                    continue
                if isinstance(entry, int):
                    if mark:
                        stage.mark(mark)
                    stage.end_input(entry)
                    continue
                whole = {n: _result(v) for n, v in verdicts.items()}
                self._refuse_lost(stage, whole)
                stage.write(self._judged(stage, entry, whole), mark)
                stage.end_input(1)

        passed: Mark | None = None  # a mark that came with the record before it
        for record in stage.read_marked(("id", "completion"), FLUSH_AFTER):
            if record is SILENCE:
                self._flush("silence")
            elif isinstance(record, Mark):
                if record is not passed:
                    line.append((None, {}, record))
                self._flush("group" if record == GROUP_END else "waiting")
            elif record is None:
                line.append((0, {}, None))
            elif key(record) in stage:
                line.append((1, {}, None))
            else:
                location = record.location
                mark = location.mark if isinstance(location, MarkedPlace) else None
                try:
                    line.append((record, self._submit(record), mark))
                    passed = mark
                    go_on(ahead)
                    continue
                except DataError as error:
                    stage.drop(error.reason, error.location or location, record)
                    line.append((0, {}, None))
            passed = None
            go_on(ahead)
        self._flush("end")
        go_on(0)
