"""Turn other people's data sets into records, each item checked."""

from typing import Annotated

import typer

from swr1.commands._help import completing
from swr1.commands._stage import stage_command


def _names() -> list[str]:
    from swr1.loading.declare import LOADERS

    return LOADERS.names()


@stage_command(files=False)
def command(
    open_stage,
    name: Annotated[
        str | None,
        typer.Argument(
            help="The data set, such as gsm8k or kk (see --list); jsonl, csv or parquet for rows of"
            " your own; or ./mine.py:load.",
            metavar="NAME",
            show_default=False,
            autocompletion=completing(_names),
        ),
    ] = None,
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Files (.jsonl .json .parquet .csv .tsv), folders, hub ids, or - (the default).",
            metavar="[SOURCE...]",
        ),
    ] = (),  # type: ignore[assignment]
    split: Annotated[
        str | None, typer.Option(help="Split of a hub set; files of a folder with that word.")
    ] = None,
    subset: Annotated[str | None, typer.Option(help="Subset (config) of a hub set.")] = None,
    set: Annotated[
        list[str],
        typer.Option(
            help="Change an option of the data set (--list names them); several: --set A=1 B=2.",
            metavar="NAME=VALUE",
        ),
    ] = (),  # type: ignore[assignment]
    show_list: Annotated[
        bool, typer.Option("--list", help="List what can be loaded and stop.")
    ] = False,
):
    """Turn other people's data sets into records, each item checked.

    swr1 load gsm8k gsm8k/ --split test -o gsm8k.jsonl

    swr1 load jsonl mine.jsonl --set prompt=question completion=response answer=gold task=math

    A file of another data set, or with other columns, is refused. A row that cannot be
    read, or that contradicts itself, is a bad record: it is reported with its place,
    and --on-error says what follows.
    """
    import inspect

    from swr1.errors import UsageError
    from swr1.loading.declare import LOADERS
    from swr1.loading.records import load_rows
    from swr1.loading.rows import find_sources
    from swr1.registry import parse_options
    from swr1.rows import CALLED
    from swr1.streams import standard

    if show_list:
        width = max(map(len, LOADERS.names()))
        lines = []
        for known in LOADERS.names():
            loader = LOADERS.get(known)
            first_line = (loader.__doc__ or "").strip().partition("\n")[0]
            parameters = inspect.signature(loader).parameters.values()
            can_be_set = [f"[{p.name}={p.default}]" for p in parameters if p.default is not p.empty]
            lines.append(" ".join([f"{known:{width}}  {first_line}", *can_be_set]))
        with standard.ours():
            print(*lines, sep="\n")
        return
    if name is None:
        raise UsageError(f"load what? Known: {', '.join(LOADERS.names())} (see --list)")
    load = LOADERS.get(name)
    try:
        options = parse_options(load, set)
    except UsageError as error:
        columns = any(pair.partition("=")[0] in CALLED for pair in set)
        hint = "; columns are named by `swr1 load jsonl`, `csv` or `parquet`" if columns else ""
        raise UsageError(f"{error}{hint}") from None
    files, hub = find_sources(list(sources) or ["-"], split)
    with open_stage(inputs=files or None, options={"sources": list(sources)}) as stage:
        load_rows(stage, load, files, hub, subset, split, options)
