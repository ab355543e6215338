"""Does the answer to a Knights & Knaves puzzle name everybody's role, and rightly?

    swr1 verify knights rollouts.jsonl                          # reads free answers
    swr1 verify knights rollouts.jsonl --grader published       # Logic-RL's reward, quirks and all
    swr1 verify knights rollouts.jsonl --grader published-eval  # its evaluation, which differs

Only the last closed <answer> after the thinking counts. The names are known, so the robust reader searches for
them: lists, tables, JSON, markup, English or Chinese, "X: knave", "the others are knights". It does
not guess; see `roles.reader` for what it refuses.
"""

from swr1.errors import DataError
from swr1.records import Record
from swr1.registry import check_known
from swr1.types import Verdict
from swr1.verifiers.completions import published
from swr1.verifiers.completions.answers import (
    ANSWER_TAG,
    final_text,
    other_task,
    tagged,
    written_answer,
)
from swr1.verifiers.completions.text import assistant_text, is_truncated
from swr1.verifiers.roles.lexicon import ROLE_PAIRS, Lexicon, lexicon
from swr1.verifiers.roles.reader import BOTH, Reading
from swr1.verifiers.verdicts import null, verdict

GRADERS = ("robust", "published", "published-eval")
BY = "knights@2"
LABELS = {"correct": 1, "wrong": 0, "unreadable": 0}
NEEDS = "answer: [[name, role], ...]"
LENIENT = "require_tags=false"


def verify(
    record: Record,
    *,
    grader: str = "robust",
    require_tags: bool = True,
    max_chars: int = 10_000,
    prefill: str = "",
    header: str = "chatml",
) -> Verdict:
    """A verdict: "correct" (score 1.0), "wrong" or "unreadable" (0.0).

    Args:
        record: has `completion`, `answer` ([[name, role], ...]), and perhaps `info.roles`, the two
            role words with the truth teller's first; without it the pair is known by its words.
        grader: "robust"; "published" for the rules of Logic-RL's reward, "published-eval" for those
            of its evaluation script.
        require_tags: without <answer>, False reads what follows </think>. (robust)
        max_chars: a longer answer is no list of roles. (robust)
        prefill: the opening of the turn, for records that do not say it.
        header: how the turn was opened, see `completions.published`. (published)

    `detail` holds `reason` (unreadable: no-answer, thinking-unclosed, unclosed, empty, too-long, hedge,
    conditional, question, negated, reported, stranger, unclear, contradiction, missing), `read` (name -> role,
    "both" or null), `right` (how many are right), `people`, `truncated`, `grader`.

    The score is null for another task. Raises DataError without a completion or with an answer of another shape,
    UsageError for an unknown grader or header.
    """
    check_known("grader", grader, GRADERS)
    text = assistant_text(record, prefill)
    if reason := other_task(record, "knights"):
        return null(BY, reason)
    answer = _checked(record)
    if grader == "robust":
        reason, read, truth = _robust(record, answer, text, require_tags, max_chars)
    else:
        whole = published.decoded(record, prefill, header) if grader == "published" else text
        reason, read, truth = _by_published_rules(answer, whole, grader)
    wrong = [name for name, role in truth.items() if read.get(name) != role]
    label = "unreadable" if reason else "wrong" if wrong else "correct"
    return verdict(
        BY,
        1.0 if label == "correct" else 0.0,
        label,
        reason=reason,
        read=read,
        right=len(truth) - len(wrong),
        people=len(answer),
        truncated=is_truncated(record),
        grader=grader,
    )


def gold(record: Record) -> str:
    """Everybody's role, a line each, as Logic-RL writes it; "" for another task."""
    if other_task(record, "knights"):
        return ""
    lines = [
        f"({n}) {name} is {'an' if role[:1].lower() in 'aeiou' else 'a'} {role}"
        if role.isascii()
        else f"({n}) {name}：{role}"
        for n, (name, role) in enumerate(_checked(record), 1)
    ]
    return written_answer("\n".join(lines))


Judged = tuple[str | None, dict[str, str | None], dict[str, str]]  # reason, read, truth


def _robust(record: Record, answer: list, text: str, require_tags: bool, max_chars: int) -> Judged:
    names = tuple(name for name, _ in answer)
    roles, words = _lexicon_of(record, answer, names)
    truth = {}
    for name, role in answer:
        index = words.role_of(role)
        if index is None:
            raise DataError(
                f"record {record.get('id')!r}: the role {role!r} of {name!r} is not one of"
                f" {list(roles)}; set info.roles to the two words, the truth teller's first"
            )
        truth[name] = roles[index]
    unread: dict[str, str | None] = dict.fromkeys(names)
    reason, content = _content(text, require_tags)
    if not reason and not content.strip():
        reason = "empty"
    if not reason and len(content) > max_chars:
        reason = "too-long"
    if reason:
        return reason, unread, truth
    reading = Reading(content, words)
    role_names = (None if r is None else "both" if r == BOTH else roles[r] for r in reading.roles)
    return next(iter(reading.faults), None), dict(zip(names, role_names, strict=True)), truth


def _lexicon_of(record: Record, answer: list, names: tuple) -> tuple[tuple[str, str], Lexicon]:
    roles = (record.get("info") or {}).get("roles")
    if roles is None:
        used = {role.casefold() for _, role in answer}
        roles = next((pair for pair in ROLE_PAIRS if used & set(pair)), ROLE_PAIRS[0])
    if len(roles) != 2 or not all(isinstance(r, str) and r.strip() for r in roles):
        raise DataError(f"record {record.get('id')!r}: info.roles must be two words, not {roles!r}")
    pair = (roles[0], roles[1])
    try:
        return pair, lexicon(names, pair)
    except DataError as error:
        raise DataError(f"record {record.get('id')!r}: {error.reason}") from None


def _content(text: str, require_tags: bool) -> tuple[str | None, str]:
    """A reason why there is nothing to read, and what stands in the last <answer> that is not empty."""
    final = final_text(text)
    if final is None:
        return "thinking-unclosed", ""
    contents = tagged(final)
    if filled := [content for content in contents if content]:
        return None, filled[-1]
    if contents:
        return "empty", ""
    if ANSWER_TAG.search(final):
        return "unclosed", ""
    return ("no-answer", "") if require_tags else (None, final)


def _by_published_rules(answer: list, text: str, grader: str) -> Judged:
    truth = published.truth(answer)
    with_header, turn = published.after_header(text)
    evaluating = grader == "published-eval"
    content = published.last_answer(text if evaluating else turn)
    if content is None or not (with_header or evaluating):
        reason = "no-answer"
    elif not content:
        reason = "empty"
    else:
        read = published.read_eval if evaluating else published.read_reward
        if roles := read(content, list(truth)):
            return None, dict(roles), truth
        reason = "missing"
    return reason, dict.fromkeys(truth), truth


def _checked(record: Record) -> list:
    """The ground truth, its shape checked."""
    answer = record.get("answer")
    if isinstance(answer, list) and answer:
        for pair in answer:
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                break
            if not isinstance(pair[0], str) or not isinstance(pair[1], str):
                break
        else:
            return answer
    raise DataError(
        f"record {record.get('id')!r}: 'answer' must be [[name, role], ...], it is"
        f" {str(answer)[:80]}"
    )
