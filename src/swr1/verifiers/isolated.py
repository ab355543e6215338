"""A verifier in a process of its own: other people's, and ours that call a parser which may hang.

One that raises, hangs or dies, or gives what is no verdict, never becomes a silent zero: its verdict
has a null score and says why. A verifier of ours asks for such a process by a function `prepare` in
its module, which that process calls first.
"""

from collections.abc import Iterable, Sequence

from swr1.killable import Killable, Lost
from swr1.records import Record
from swr1.types import Verdict
from swr1.verifiers.declared import REGISTRY
from swr1.verifiers.lenient import lenient_setting, with_lenient
from swr1.verifiers.verdicts import null


class IsolatedVerifier:
    """A verifier in a process of its own: a verdict comes even if that fails. Raises DataError for a bad record.

    Args: as killable.Killable.
    """

    def __init__(self, name: str, settings: Iterable[str], timeout: float) -> None:
        settings = list(settings)
        self._lenient = lenient_setting(name, settings)
        self._run = Killable(
            REGISTRY, name, settings, convert="swr1.verifiers.verdicts:as_verdict", timeout=timeout
        )
        self.name = name

    def start(self) -> None:
        """Import it now. Raises UsageError where that cannot be."""
        self._run.start()

    def __call__(self, record: Record) -> Verdict:
        strict = self._judge(record)
        return with_lenient(
            strict, self.name, self._lenient, lambda: self._judge(record, [self._lenient])
        )

    def _judge(self, record: Record, changes: Sequence[str] = ()) -> Verdict:
        try:
            return self._run(record, changes)  # type: ignore[return-value]
        except Lost as lost:
            return null(self.name, str(lost))

    def close(self) -> None:
        self._run.close()
