"""Dress requests up as attacks do: does a policy still refuse what it refuses when asked plainly?"""

from itertools import takewhile
from typing import Annotated

import typer

from swr1.commands._stage import stage_command
from swr1.errors import UsageError


@stage_command(files=False)
def command(
    open_stage,
    words: Annotated[
        list[str],
        typer.Argument(
            help="prefix, suffix, roleplay, authority, language, base64, rot13, leet, reversed,"
            " many-shot, or all. Then the files (default: -).",
            metavar="KIND... [FILE...]",
        ),
    ],
    texts: Annotated[
        str, typer.Option(help="What is put around: english, village, or a TOML file.")
    ] = "english",
    shots: Annotated[int, typer.Option(help="many-shot: turns before the request.")] = 32,
    with_original: Annotated[
        bool, typer.Option("--with-original", help="Pass each request on before its attacks.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Which text of a kind a request gets.")] = 0,
):
    """Dress requests up as attacks do: does a policy still refuse what it refuses when asked plainly?

    swr1 attack all harmful.jsonl --with-original -o attacked.jsonl

    A record per request and kind, linked by info.attacked to its original;
    `swr1 eval --suite safety --by attack` shows what each kind costs.
    """
    from swr1.prompts.attacks import Attacks

    attacks = Attacks(texts)
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

        def variants(record):
            if with_original:
                yield dict(record)
            for kind in kinds:
                variant = attacks.apply(record, kind, seed, shots)
                stage.tally("attack", kind)
                yield variant

        stage.flat_map(variants, needs=("id", "prompt"))
