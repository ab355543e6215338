"""`swr1 intervene` as a whole: by a rule, in an editor, or on a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from swr1.engines import Sampling
from swr1.errors import UsageError
from swr1.intervention.config import InterveneConfig
from swr1.intervention.continuing import Writer
from swr1.intervention.journal import Key
from swr1.intervention.known import Offer
from swr1.intervention.rules import Rule, open_rule
from swr1.intervention.session import Session
from swr1.registry import digest_of_files
from swr1.rollout import Rollout, RolloutConfig
from swr1.rollout.follower import PolicyFollower
from swr1.streams import Stage, standard
from swr1.streams.files import refuse_clashes


def beside(file: str, what: str) -> str:
    """ "rollouts.jsonl" -> "rollouts.edits.jsonl", of any format."""
    path = Path(file)
    name = path.name
    for suffix in (".gz", ".zst", ".jsonl", ".parquet"):
        name = name.removesuffix(suffix)
    return str(path.with_name(f"{name}.{what}.jsonl"))


def _check(config: InterveneConfig) -> None:
    """Raises UsageError for options that are of no use here."""
    if config.take is not None and (config.batch or config.web):
        raise UsageError("--take is for a person in an editor")
    if bool(config.judge) != (config.batch == "judge"):
        raise UsageError("--batch judge and --judge URL go together: who says the right step?")
    if config.known and config.batch not in (None, "edits"):
        raise UsageError(f"--known is for a person or --batch edits, not for {config.batch}")
    if config.batch and config.edits:
        refuse_clashes({"--edits": config.edits}, config.known)


class Intervention:
    """An intervention of given options.

    Raises UsageError for options that do not go together, before anything heavy is loaded.
    """

    def __init__(
        self,
        file: str,
        config: InterveneConfig,
        sampling: Sampling,
        engine_options: Mapping[str, Any],
    ) -> None:
        self.file, self.config = file, config
        if config.web and config.batch:
            raise UsageError("--web is for a person, --batch is without one: name one of them")
        _check(config)
        if config.web:
            import_module("flask")  # what is missing is named first
        self.sampling, self.engine_options = sampling, dict(engine_options)
        if config.policy and config.engine in (None, "hf") and not engine_options.get("url"):
            PolicyFollower(config.policy, None, 0)  # refuses what is none, before anybody edits

    @cached_property
    def writer(self) -> Writer:
        """The policy; made when it is needed, since torch comes with it: an editor opens before."""
        config = self.config
        rollout = RolloutConfig(
            policy=config.policy,
            engine=config.engine,
            system_prompt=config.system_prompt,
            prefill=config.prefill,
        )
        return Writer(Rollout(rollout, self.sampling, self.engine_options))

    def _writer(self, say: Callable[[str], None]) -> Writer:
        self.writer.job.prompts.say = say
        return self.writer

    def facts(self) -> dict[str, Any]:
        """What shapes the records beside the options that were given."""
        files = digest_of_files(self.config.batch or "", *self.config.known)
        return self.writer.job.facts() | ({"files": files} if files else {})

    def batch(self, stage: Stage) -> None:
        """Edit all records of a stage by the rule."""
        from swr1.intervention.batch import run_batch
        from swr1.intervention.journal import Journal

        journal = Journal(self.config.edits, stage.say) if self.config.edits else None
        with self._rule(stage) as rule:
            run_batch(stage, rule, self.writer, together=self.config.together, journal=journal)

    @contextmanager
    def _rule(self, stage: Stage) -> Iterator[Rule]:
        config = self.config
        if config.batch != "judge":
            yield open_rule(config.batch or "", config.known, config.similar)
            return
        from swr1.intervention.judging import Judge

        judge = Judge(
            config.judge,
            name=config.judge_model,
            key_env=config.judge_key_env,
            cache=config.judge_cache,
            retry_for=config.judge_retry_for,
            say=stage.say,
        )
        with closing(judge):
            yield judge
            stage.say(judge.summary())

    def session(self, output: str, say: Callable[[str], None]) -> Session:
        """The file with its journal; output "-" is a file beside it."""
        config = self.config
        edits = str(config.edits or beside(self.file, "edits"))
        output = beside(self.file, "edited") if output == "-" else output
        refuse_clashes({"--edits": edits, "-o": output}, [self.file])
        if config.policy is None:
            raise UsageError("--policy is missing: who goes on from the edit?")
        return Session(
            self.file,
            edits=edits,
            output=output,
            writer=lambda: self._writer(say),
            who=config.who,
            say=say,
            known=config.known,
            similar=config.similar,
        )

    def edit(self, session: Session) -> None:
        """One completion in an editor; the policy goes on, and both are shown."""
        from swr1.intervention.editor import edit
        from swr1.intervention.page import print_edit
        from swr1.terminal import console

        config = self.config
        session.write()
        of = session.find(config.record, config.sample)
        take = self._taken(session, of)
        state = edit(session, of, why=config.why, to_end=config.to_end, take=take)
        if state is None:
            session.say("nothing was changed")
            return
        edit_name = state.levels[-1].edit["edit"]
        behind = " ".join(state.text[-60:].split())[-40:]
        session.say(
            f"edit {edit_name} is stored in {session.journal.path}; the policy goes on behind"
            f" {behind!r}"
        )
        state = session.go_on(of)
        with standard.ours():
            print_edit(state, console())
        session.say(f"written to {session.output}; `swr1 intervene undo` takes it back")

    def _taken(self, session: Session, of: Key) -> Offer | None:
        """The known edit that the person names, of those that they are shown."""
        from swr1.intervention.editor import answer
        from swr1.intervention.page import print_offers
        from swr1.terminal import console

        name = self.config.take
        offers = session.offers(of)
        if name is None and offers:
            with standard.ours():
                print_offers(offers, console())
            session.say("--take EDIT opens the text with one of them made in it")
            name = answer("Which edit do you take? Its name, or Enter for none: ")
        return session.offered(of, name or "") if name or self.config.take is not None else None
