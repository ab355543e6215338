"""Dress requests up as attacks do, or put attacks among documents: does a policy still do as it should?"""

from itertools import takewhile
from typing import Annotated

import typer

from swr1.commands._stage import stage_command
from swr1.errors import UsageError
from swr1.index.attacks import DocumentAttackConfig


@stage_command(files=False)
def command(
    open_stage,
    words: Annotated[
        list[str],
        typer.Argument(
            help="prefix, suffix, roleplay, authority, language, base64, rot13, leet, reversed,"
            " many-shot; with --documents poison, inject, tags, contradict; or all."
            " Then the files (default: -).",
            metavar="KIND... [FILE...]",
        ),
    ],
    texts: Annotated[
        str,
        typer.Option(
            help="The wordings: english, village (of requests), facts (of documents), or a TOML file."
        ),
    ] = "english",
    shots: Annotated[int, typer.Option(help="many-shot: turns before the request.")] = 32,
    with_original: Annotated[
        bool, typer.Option("--with-original", help="Pass each request on before its attacks.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Which text of a kind a request gets.")] = 0,
    *,
    by_documents: DocumentAttackConfig,
):
    """Dress requests up as attacks do, or put attacks among documents: does a policy still do as it should?

    swr1 attack all harmful.jsonl --with-original -o attacked.jsonl

    swr1 attack poison questions.jsonl --documents docs.jsonl -o attacked-docs.jsonl

    Of requests: a record per request and kind, linked by info.attacked to its original;
    `swr1 eval --suite safety --by attack` shows what each kind costs. Of documents: all of them, then
    those that attack, for `swr1 index`; each says under `attack` what it wants answered.
    """
    from swr1.index.attacks import DocumentAttacks
    from swr1.prompts.attacks import Attacks

    attacks = (DocumentAttacks if by_documents.documents else Attacks)(texts)
    kinds = list(takewhile(lambda word: word in (*attacks.kinds, "all"), words))
    files = list(words)[len(kinds) :]
    if not kinds:
        attacks.check(words[0])
    if "all" in kinds:
        kinds = attacks.kinds
    kinds = list(dict.fromkeys(kinds))
    if shots < 1:
        raise UsageError(f"--shots must be at least 1, not {shots}")
    with open_stage(inputs=files or ["-"], options={"words": kinds}) as stage:
        if isinstance(attacks, DocumentAttacks):
            write_documents(stage, attacks, kinds, by_documents, seed)
            return

        def variants(record):
            if with_original:
                yield dict(record)
            for kind in kinds:
                variant = attacks.apply(record, kind, seed, shots)
                stage.tally("attack", kind)
                yield variant

        stage.flat_map(variants, needs=("id", "prompt"))


def write_documents(stage, attacks, kinds, config, seed):
    """The documents, attacks among them; of a run that was stopped, those that are not there yet."""
    if stage.shard[1] > 1:
        raise UsageError("--documents: a corpus is attacked as a whole, there are no shards here")
    questions = [record for record in stage.read(("id", "prompt", "answer")) if record is not None]
    stage.came = len(questions)
    rows = attacks.rows(kinds, questions, config, seed, stage.on_bad)
    for at, (row, kind) in enumerate(rows):
        if kind != "document":
            stage.tally("attack", kind)
        if at >= stage.writer.lines_done:
            stage.write(row)
