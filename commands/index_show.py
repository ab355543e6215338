"""What an index holds: passages, sources, digest, backend, size."""

from typing import Annotated

import typer

from swr1.commands._output import show


def command(
    index: Annotated[str, typer.Argument(help="The folder of the index.", metavar="INDEX")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
):
    """What an index holds: passages, sources, digest, backend, size.

    swr1 index show docs.index/
    """
    from swr1.index.page import facts_page
    from swr1.index.reading import describe

    facts = describe(index)
    show(facts, as_json, lambda: facts_page(facts))
